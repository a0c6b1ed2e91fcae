//! What kind of work a bead is, how urgent and how hard.

use super::words::word_enum;

word_enum! {
    /// The kind of work; routing and estimates depend on it.
    pub(crate) enum TaskType as "task type" {
        Implementation = "implementation",
        Review = "review",
        Research = "research",
        Refactor = "refactor",
        Test = "test",
        Documentation = "documentation",
        Debug = "debug",
        Design = "design",
    }
}

impl TaskType {
    /// Whether work of this kind is expected to change files when there is a repository.
    pub(crate) fn changes_files(self) -> bool {
        !matches!(self, Self::Review | Self::Research | Self::Design)
    }
}

word_enum! {
    /// Urgency; 0 (low) to 3 (critical) in the store, a word everywhere else.
    pub(crate) enum Priority as "priority" {
        Low = "low",
        Normal = "normal",
        High = "high",
        Critical = "critical",
    }
}

impl Priority {
    pub(crate) fn level(self) -> i64 {
        self as i64
    }

    pub(crate) fn from_level(level: i64) -> Option<Self> {
        usize::try_from(level)
            .ok()
            .and_then(|i| Self::ALL.get(i))
            .copied()
    }
}

word_enum! {
    /// How hard the planner thinks a bead is; a feature of the estimate.
    pub(crate) enum Complexity as "complexity" {
        Trivial = "trivial",
        Small = "small",
        Medium = "medium",
        Large = "large",
    }
}
