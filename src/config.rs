//! Settings: found in layers (flag, environment, file, built-in), merged, validated and
//! explained. The only module that reads the environment of the process.
//!
//! ```text
//! file ─ tree ─┐
//! RIGS_A__B ───┼─ lay over ─ seed ─ keys ─ known ─ read by section ─ check ─ Settings
//! flags ───────┘  (every value keeps its origin all the way)
//! ```

mod check;
pub(crate) mod detect;
pub(crate) mod edit;
pub(crate) mod env;
pub(crate) mod held;
pub(crate) mod home;
mod keys;
mod known;
pub(crate) mod load;
pub(crate) mod origin;
pub(crate) mod paths;
pub(crate) mod problem;
pub(crate) mod repository;
pub(crate) mod secret;
mod seed;
pub(crate) mod settings;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
mod variables;

pub(crate) use crate::core::{LimitKind, LimitUnit, Strategy};
pub(crate) use env::Env;
pub(crate) use home::HomeError;
pub(crate) use load::{Config, Given};
pub(crate) use origin::Origin;
pub(crate) use paths::Paths;
pub(crate) use problem::ConfigError;
pub(crate) use settings::{
    BudgetSettings, ProviderSettings, RoutingSettings, Settings, SimSettings, WindowLimit,
};
