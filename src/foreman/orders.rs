//! What the loop is told to do, and how it ended.

use crate::core::{BeadId, ConvoyId, Timestamp};

/// Which convoys the loop works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything in the store: `foreman start`.
    All,
    /// The convoys that a living process waits for: `goal execute`.
    Served,
}

/// When the loop ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// Never: only when it is told to.
    Stopped,
    /// When it was cleaned up behind foremen that are gone.
    Tidied,
    /// When everything stands still: nothing runs any more, and nothing may be started.
    Frozen,
    /// When this convoy can go no further; with `wait` unset also at a wall.
    Over { convoy: ConvoyId, wait: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) scope: Scope,
    pub(crate) until: Until,
}

/// A signal from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// SIGINT
    Int,
    /// SIGTERM
    Term,
}

/// Why the loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The convoy can go no further: done, failed, blocked or cancelled.
    Over,
    /// No provider can take what is left; the reasons, per bead.
    Stuck(Vec<(BeadId, String)>),
    /// What is left waits for capacity until then.
    Waiting(Timestamp),
    /// A person paused the convoy.
    Paused,
    /// A person stopped everything.
    Halted,
    Interrupted(Interrupt),
}
