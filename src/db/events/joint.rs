//! A change and its event in one text. Each text that is given to SQLite is handed over to the
//! connection's thread and its answer back, which takes longer than the statements themselves; so
//! what always happens together is handed over together.
//!
//! The values of the event come first, in the order of [`bind_event`]: of these a change may use
//! `?2`, the time, and `?5`, the bead. Its own begin at `?10`. A number that a statement leaves out
//! is counted by sqlx as a value all the same, through the whole text: there may not be more of them
//! than values, or the rest is bound to nothing. What a text wrote is read by a test.

/// `$change`, and when it hit one row, the event.
macro_rules! with_event {
    ($($change:tt)+) => {
        concat!(
            $($change)+,
            "; INSERT INTO events (id, at, type, actor, bead_id, convoy_id, provider, correlation_id, payload)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE changes() = 1"
        )
    };
}

/// The same for a change of a bead, with the convoy and the provider that it has then.
macro_rules! with_event_of_bead {
    ($($change:tt)+) => {
        concat!(
            $($change)+,
            "; INSERT INTO events (id, at, type, actor, bead_id, convoy_id, provider, correlation_id, payload)
             SELECT ?1, ?2, ?3, ?4, id, convoy_id, assigned_provider, ?8, ?9
             FROM beads WHERE id = ?5 AND changes() = 1"
        )
    };
}

/// Binds `?1` to `?9`. Secrets in the payload's texts are masked on the way.
macro_rules! bind_event {
    ($query:expr, $ids:expr, $now:expr, $event:expr) => {{
        let event: $crate::db::NewEvent = $event;
        let payload = $crate::core::redact::redact_json(event.payload).to_string();
        $query
            .bind($ids.event())
            .bind($now)
            .bind(event.kind)
            .bind(event.actor)
            .bind(event.bead)
            .bind(event.convoy)
            .bind(event.provider)
            .bind(event.attempt)
            .bind(payload)
    }};
}

pub(crate) use {bind_event, with_event, with_event_of_bead};
