//! Ids as people type them: whole, without their prefix letters, or shortened.

use super::Result;
use crate::core::{BeadId, ConvoyId};
use crate::db::Conn;

/// What a typed id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found<T> {
    One(T),
    None,
    /// Several begin like this; the first few.
    Many(Vec<T>),
}

pub(crate) async fn find_bead(conn: &mut Conn, typed: &str) -> Result<Found<BeadId>> {
    let Some((from, to)) = range(typed, BeadId::PREFIX) else {
        return Ok(Found::None);
    };
    let ids: Vec<BeadId> = sqlx::query_scalar(FIND_BEAD)
        .bind(&from)
        .bind(to)
        .fetch_all(conn)
        .await?;
    Ok(sort_out(ids, &from, BeadId::as_str))
}

pub(super) const FIND_BEAD: &str = "SELECT id FROM beads WHERE id >= ?1 AND id < ?2
     UNION ALL SELECT id FROM archived_beads WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 6";

pub(crate) async fn find_convoy(conn: &mut Conn, typed: &str) -> Result<Found<ConvoyId>> {
    let Some((from, to)) = range(typed, ConvoyId::PREFIX) else {
        return Ok(Found::None);
    };
    let ids: Vec<ConvoyId> =
        sqlx::query_scalar("SELECT id FROM convoys WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 6")
            .bind(&from)
            .bind(to)
            .fetch_all(conn)
            .await?;
    Ok(sort_out(ids, &from, ConvoyId::as_str))
}

/// The range of ids that begin like `typed`; `~` sorts after every character of an id.
fn range(typed: &str, prefix: &str) -> Option<(String, String)> {
    let typed = typed.trim().to_ascii_lowercase();
    let tail = typed.strip_prefix(prefix).unwrap_or(&typed);
    let ok =
        !tail.is_empty() && tail.len() <= 12 && tail.bytes().all(|b| b.is_ascii_alphanumeric());
    ok.then(|| (format!("{prefix}{tail}"), format!("{prefix}{tail}~")))
}

fn sort_out<T>(mut ids: Vec<T>, typed: &str, text: impl Fn(&T) -> &str) -> Found<T> {
    if let Some(at) = ids.iter().position(|id| text(id) == typed) {
        return Found::One(ids.swap_remove(at));
    }
    match ids.len() {
        0 => Found::None,
        1 => Found::One(ids.swap_remove(0)),
        _ => Found::Many(ids),
    }
}
