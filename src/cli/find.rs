//! Beads, convoys and providers by what people type of them.

use super::{Failure, Kind};
use crate::config::{ProviderSettings, Settings};
use crate::core::suggest::nearest;
use crate::core::text::one_line;
use crate::core::{BeadId, ConvoyId, ProviderName};
use crate::db::Conn;
use crate::depot::store::{self, Found};

pub(crate) async fn bead(conn: &mut Conn, typed: &str) -> Result<BeadId, Failure> {
    let found = store::find_bead(conn, typed).await?;
    one(
        found,
        typed,
        "bead",
        "`rigs bead list` shows the ids",
        BeadId::as_str,
    )
}

pub(crate) async fn convoy(conn: &mut Conn, typed: &str) -> Result<ConvoyId, Failure> {
    let found = store::find_convoy(conn, typed).await?;
    one(
        found,
        typed,
        "convoy",
        "`rigs convoy list` shows the ids",
        ConvoyId::as_str,
    )
}

/// An entry that may be used.
pub(crate) fn provider<'a>(
    settings: &'a Settings,
    name: &ProviderName,
) -> Result<&'a ProviderSettings, Failure> {
    let Some(entry) = settings.providers.get(name) else {
        let failure = Failure::not_found(format!("no provider `{name}`"));
        let known = settings.providers.keys().map(ProviderName::as_str);
        return Err(match nearest(name.as_str(), known) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`rigs provider list` shows them"),
        });
    };
    if !entry.enabled {
        return Err(Failure::new(
            Kind::NotPossible,
            format!("the provider `{name}` is disabled"),
        )
        .hint(format!("set `enabled = true` in [providers.{name}]")));
    }
    Ok(entry)
}

fn one<T>(
    found: Found<T>,
    typed: &str,
    what: &str,
    hint: &str,
    text: fn(&T) -> &str,
) -> Result<T, Failure> {
    let shown = one_line(typed, 40);
    match found {
        Found::One(id) => Ok(id),
        Found::None => Err(Failure::not_found(format!("no {what} `{shown}`")).hint(hint)),
        Found::Many(ids) => {
            let ids: Vec<&str> = ids.iter().map(text).collect();
            Err(
                Failure::usage(format!("more than one {what} begins with `{shown}`"))
                    .hint(format!("type more of it: {}", ids.join(", "))),
            )
        }
    }
}
