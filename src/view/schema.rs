//! The JSON Schemas of all answers, by name.

use schemars::{JsonSchema, Schema, schema_for};

/// One answer with its schema.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The commands that give it.
    pub(crate) from: &'static str,
    pub(crate) schema: fn() -> Schema,
}

fn of<T: JsonSchema>() -> Schema {
    schema_for!(T)
}

/// Everything that `rigs schema` knows.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "affinity",
        from: "dispatch affinity (a list of these)",
        schema: of::<super::affinity::AffinityView>,
    },
    Kind {
        name: "bead",
        from: "bead create, list (a list of these), export (one per line), show, edit, retry ...",
        schema: of::<super::bead::BeadView>,
    },
    Kind {
        name: "convoy",
        from: "convoy create, list (a list of these), show, add, pause, resume, cancel, land",
        schema: of::<super::convoy::ConvoyView>,
    },
    Kind {
        name: "calibration",
        from: "assayer calibration",
        schema: of::<crate::assayer::calibration::Report>,
    },
    Kind {
        name: "config",
        from: "config show (a list of these)",
        schema: of::<super::config::Entry>,
    },
    Kind {
        name: "config-check",
        from: "config check",
        schema: of::<super::config::Checked>,
    },
    Kind {
        name: "config-path",
        from: "config path",
        schema: of::<super::config::Located>,
    },
    Kind {
        name: "convoy-diff",
        from: "convoy diff",
        schema: of::<super::diff::ConvoyDiff>,
    },
    Kind {
        name: "pull-request",
        from: "convoy land --branch",
        schema: of::<super::convoy::PullRequest>,
    },
    Kind {
        name: "import",
        from: "bead import",
        schema: of::<super::transfer::ImportView>,
    },
    Kind {
        name: "cost",
        from: "cost",
        schema: of::<super::cost::Cost>,
    },
    Kind {
        name: "simulation",
        from: "simulate, dispatch --dry-run",
        schema: of::<super::plan::Planned>,
    },
    Kind {
        name: "diff",
        from: "bead diff",
        schema: of::<super::diff::Diff>,
    },
    Kind {
        name: "event",
        from: "events (one per line)",
        schema: of::<crate::db::Event>,
    },
    Kind {
        name: "goal",
        from: "goal execute, goal resume",
        schema: of::<super::goal::GoalSummary>,
    },
    Kind {
        name: "trust",
        from: "trust, trust list (a list of these), trust revoke",
        schema: of::<super::trust::TrustView>,
    },
    Kind {
        name: "init",
        from: "init",
        schema: of::<super::init::Initialized>,
    },
    Kind {
        name: "plan",
        from: "goal plan",
        schema: of::<super::goal::PlanView>,
    },
    Kind {
        name: "model",
        from: "model list (a list of these), model pull, model add, model remove",
        schema: of::<super::model::ModelView>,
    },
    Kind {
        name: "notify-test",
        from: "notify test",
        schema: of::<super::notify::Told>,
    },
    Kind {
        name: "policy",
        from: "policy list",
        schema: of::<super::policy::PolicyView>,
    },
    Kind {
        name: "policy-check",
        from: "policy check",
        schema: of::<super::policy::Checked>,
    },
    Kind {
        name: "policy-verdict",
        from: "policy explain, policy simulate (lists of these)",
        schema: of::<super::policy::Judged>,
    },
    Kind {
        name: "provider",
        from: "provider add, provider list, provider remove (a list of these)",
        schema: of::<super::provider::ProviderView>,
    },
    Kind {
        name: "provider-found",
        from: "provider detect (a list of these)",
        schema: of::<super::provider::Found>,
    },
    Kind {
        name: "provider-test",
        from: "provider test",
        schema: of::<super::provider::Tested>,
    },
    Kind {
        name: "ingested",
        from: "tank ingest",
        schema: of::<super::source::Ingested>,
    },
    Kind {
        name: "source",
        from: "tank refresh (a list of these)",
        schema: of::<super::source::SourceView>,
    },
    Kind {
        name: "archived",
        from: "db archive",
        schema: of::<super::doctor::Archived>,
    },
    Kind {
        name: "backup",
        from: "db backup",
        schema: of::<super::doctor::Backup>,
    },
    Kind {
        name: "store-check",
        from: "db check",
        schema: of::<super::doctor::StoreCheck>,
    },
    Kind {
        name: "doctor",
        from: "doctor",
        schema: of::<super::doctor::Report>,
    },
    Kind {
        name: "foreman-started",
        from: "foreman start",
        schema: of::<super::foreman::Started>,
    },
    Kind {
        name: "foreman-status",
        from: "foreman status",
        schema: of::<super::foreman::ForemanStatus>,
    },
    Kind {
        name: "foreman-stopped",
        from: "foreman stop",
        schema: of::<super::foreman::Stopped>,
    },
    Kind {
        name: "stopped",
        from: "stop --all",
        schema: of::<super::foreman::AllStopped>,
    },
    Kind {
        name: "thawed",
        from: "thaw",
        schema: of::<super::foreman::Thawed>,
    },
    Kind {
        name: "status",
        from: "status",
        schema: of::<super::status::Status>,
    },
    Kind {
        name: "tank",
        from: "tank list (a list of these), tank status, tank set, tank reset",
        schema: of::<crate::refinery::TankView>,
    },
    Kind {
        name: "tank-forecast",
        from: "tank forecast (a list of these)",
        schema: of::<crate::refinery::forecast::ProviderForecast>,
    },
    Kind {
        name: "tank-backtest",
        from: "tank backtest (a list of these)",
        schema: of::<crate::refinery::forecast::Report>,
    },
    Kind {
        name: "why",
        from: "why",
        schema: of::<super::why::Why>,
    },
];
