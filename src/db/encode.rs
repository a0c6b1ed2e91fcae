//! How the types of `core` are written in SQLite: words, ids and times as text.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Sqlite, Type};

use crate::core::{
    AttemptId, BeadId, BeadStatus, BlockCause, Complexity, ConvoyId, ConvoyStatus, EstimateSource,
    EventId, MicroUsd, Permission, Priority, ProviderName, ReservationId, TaskType, Timestamp,
};

macro_rules! as_text {
    ($($name:ty),+ $(,)?) => {$(
        impl Type<Sqlite> for $name {
            fn type_info() -> SqliteTypeInfo {
                <str as Type<Sqlite>>::type_info()
            }
        }

        impl Encode<'_, Sqlite> for $name {
            fn encode_by_ref(&self, buf: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
                <String as Encode<Sqlite>>::encode(self.to_string(), buf)
            }
        }

        impl<'r> Decode<'r, Sqlite> for $name {
            fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(<&str as Decode<Sqlite>>::decode(value)?.parse()?)
            }
        }
    )+};
}

as_text!(
    AttemptId,
    BeadId,
    BeadStatus,
    BlockCause,
    Complexity,
    ConvoyId,
    ConvoyStatus,
    EstimateSource,
    EventId,
    Permission,
    ProviderName,
    ReservationId,
    TaskType,
    Timestamp,
    crate::core::LimitKind,
    crate::core::LimitUnit,
    crate::core::Strategy,
    super::EventType,
);

macro_rules! as_integer {
    ($($name:ty, $to:expr, $from:expr);+ $(;)?) => {$(
        impl Type<Sqlite> for $name {
            fn type_info() -> SqliteTypeInfo {
                <i64 as Type<Sqlite>>::type_info()
            }
        }

        impl Encode<'_, Sqlite> for $name {
            fn encode_by_ref(&self, buf: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
                let to: fn(&$name) -> i64 = $to;
                <i64 as Encode<Sqlite>>::encode(to(self), buf)
            }
        }

        impl<'r> Decode<'r, Sqlite> for $name {
            fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
                let from: fn(i64) -> Option<$name> = $from;
                let n = <i64 as Decode<Sqlite>>::decode(value)?;
                from(n).ok_or_else(|| format!("{n} is out of range for {}", stringify!($name)).into())
            }
        }
    )+};
}

as_integer!(
    Priority, |p| p.level(), Priority::from_level;
    MicroUsd, |m| m.0, |n| Some(MicroUsd(n));
);
