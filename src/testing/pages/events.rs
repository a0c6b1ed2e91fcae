//! What each type of event means and what its payload holds.

use crate::db::EventType;

/// The fields of the payload, and the meaning.
pub(super) struct Told {
    pub(super) payload: &'static str,
    pub(super) means: &'static str,
}

/// What every step of a bead carries.
pub(super) const STEP: &str = "from, to";

pub(super) fn told(kind: EventType) -> Told {
    use EventType as E;
    let (payload, means) = match kind {
        E::BeadCreated => (
            "title, task_type, depends_on, imported",
            "a bead was created; `imported`: by a file, and in which state",
        ),
        E::BeadEdited => (
            "changed, depends_on",
            "a person changed it: each field with what it `was` and `is`, long texts cut; or a dependency was added",
        ),
        E::BeadAssay => (STEP, "its prompt and estimate are being made"),
        E::BeadQueue => (
            "from, to, estimate, estimate_from",
            "it may be run; `estimate` in tokens, and which past work it rests on",
        ),
        E::BeadClaim => (
            "from, to, attempt, provider, model, resumes, decision",
            "a foreman chose a provider; `decision` has the strategy and every provider that was considered, with its factors",
        ),
        E::BeadStart => ("from, to, attempt", "its agent was started"),
        E::BeadFinish => ("from, to, attempt", "its agent ended with a result"),
        E::BeadAccept => ("from, to, attempt, checks", "the quality gate passed it"),
        E::BeadRevise => (
            "from, to, attempt, feedback",
            "the gate or the merge sent it back; counts as a failure",
        ),
        E::BeadComplete => (
            "from, to, attempt, commit",
            "merged as `commit`, or its answer is stored",
        ),
        E::BeadDefer => (
            "from, to, attempt, until, waits_for",
            "it waits for capacity; `waits_for` has provider, window and reason",
        ),
        E::BeadPromote => (STEP, "the time it waited for has come"),
        E::BeadRelease => (
            "from, to, attempt, reason",
            "put back without a verdict: a wall, a fault of the provider, a shutdown, a crash",
        ),
        E::BeadBlock => (
            "from, to, attempt, cause, reason",
            "it cannot go on by itself",
        ),
        E::BeadUnblock => (
            "from, to, approved, answer",
            "what blocked it is gone; `approved` by a person, with their answer",
        ),
        E::BeadReview => (
            "from, to, approved, answer",
            "a person has the work that it left checked again",
        ),
        E::BeadFail => ("from, to, attempt, error", "given up"),
        E::BeadCancel => ("from, to, reason", "a person does not want it any more"),
        E::BeadRetry => (STEP, "a person asked for another try"),
        E::BeadAdopted => (
            "state, attempt",
            "a new foreman took it up behind its finished run",
        ),
        E::ConvoyCreated => ("name, goal, planned_by", "a convoy was created"),
        E::ConvoyBeadAdded => ("", "a bead was put into it"),
        E::ConvoyStarted => (STEP, "the first of its beads was claimed"),
        E::ConvoyPaused => (STEP, "no more of its beads are started"),
        E::ConvoyResumed => (STEP, "its beads are started again"),
        E::ConvoyCompleted => (STEP, "all its beads are completed, or cancelled"),
        E::ConvoyFailed => (STEP, "it can go no further, and a bead failed"),
        E::ConvoyCancelled => ("from, to, reason", "a person cancelled it"),
        E::ConvoyLanded => (
            "commit",
            "its work was merged into the branch it started from",
        ),
        E::AttemptEnded => (
            "attempt, class, rule, message, exit_code, commit",
            "a run ended; `class` is how, `rule` is what showed it, `commit` keeps its work",
        ),
        E::GateChecked => ("result, checks, score", "what the quality gate saw"),
        E::MergeConflict => (
            "files, conflict_bead",
            "the work conflicts with what was merged meanwhile; `conflict_bead` is to bring both together",
        ),
        E::CapacityReserved => (
            "tokens, requests, cost_micro_usd, model, expires_at",
            "capacity was set aside on every window of the provider",
        ),
        E::CapacitySettled => (
            "outcome, reserved_tokens, tokens, usage",
            "the reservation ended: `settled` with what was reported, `charged` with the estimate, `released` unused",
        ),
        E::WindowObserved => (
            "window, seconds, scope, status, used_fraction, remaining, limit, resets_at, source",
            "a provider said something new about a window",
        ),
        E::WindowClosed => (
            "window, seconds, scope, until, resets_at, class, rule",
            "a wall: nothing is started through this window before `until`",
        ),
        E::WindowDrift => (
            "window, seconds, scope, counted, said, source",
            "the provider's figure and the ledger's count (shares used) were more than 5 % of the window apart; the provider's holds",
        ),
        E::BeadsArchived => (
            "beads",
            "beads that were long over were moved out of the way of the work",
        ),
        E::WindowsRebuilt => (
            "differences",
            "windows that were not what was observed and used were made anew",
        ),
        E::WindowSet => (
            "window, scope, limit, used_fraction, resets_at, opened",
            "a person said something about a window, or had walls forgotten (`opened`)",
        ),
        E::SourceAnswered => (
            "source, windows, news",
            "a source was asked (or `ingest` was given something) and spoke of these windows; `news` of them changed",
        ),
        E::SourceFailed => (
            "source, reason, until",
            "a source gave no answer; `until` when it refuses to be asked before then",
        ),
        E::CircuitChanged => (
            "scope, state, failures, until, class, reason",
            "a provider is paused after errors, or used again",
        ),
        E::DispatchDecided => (
            "decision, strategy, policy, considered",
            "a bead was put off or blocked instead of claimed; `considered` has every provider with its factors and what the policy said, `policy` is its hash",
        ),
        E::DispatchHalted => (
            "reason",
            "a person stopped everything: nothing is started until it is thawed",
        ),
        E::DispatchThawed => (
            "since",
            "beads are started again; `since` is when it was stopped",
        ),
        E::ConfigLoaded => (
            "changed, after_restart",
            "the configuration was read again; `changed` has the keys whose new values hold, `after_restart` those that differ from what the foreman was started with",
        ),
        E::ConfigRefused => (
            "line, column, message",
            "the configuration is broken; the settings read before hold on",
        ),
        E::PolicyLoaded => (
            "file, hash, rules",
            "these rules hold from now on; `hash` names their content and is in every decision",
        ),
        E::PolicyRefused => (
            "file, line, column, message, hash",
            "the file of the rules is broken; those of `hash` hold on",
        ),
        E::TrustGranted => (
            "repo, sha256",
            "a person let the repository's `.rigs.toml` count, as this text and no other",
        ),
        E::TrustRevoked => ("repo", "nothing that the repository says counts any more"),
        E::NotifyFailed => (
            "channel, reason, message",
            "a person could not be told; `message` is its title",
        ),
        E::ForemanRecovered => (
            "lost_attempts, charged_reservations, taken_up",
            "a foreman cleaned up behind one that was gone",
        ),
        E::ForemanWaited => (
            "since",
            "the disk was full from then on, so that nothing was done; what ran was ended and goes on now",
        ),
    };
    Told { payload, means }
}
