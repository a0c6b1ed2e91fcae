//! Read models: one struct per answer, with its query. `--json`, tables and later fronts all
//! show these, and `rigs schema` prints their JSON Schema.

pub(crate) mod affinity;
pub(crate) mod bead;
pub(crate) mod config;
pub(crate) mod convoy;
pub(crate) mod cost;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod foreman;
pub(crate) mod goal;
pub(crate) mod init;
pub(crate) mod model;
pub(crate) mod notify;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod provider;
pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod transfer;
pub(crate) mod trust;
pub(crate) mod why;
