//! What the loop and its stages are given: everything they touch of the outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::crash::Side;
use super::pinned::pin_providers;
use crate::config::{self, Env, Paths, ProviderSettings, Settings};
use crate::core::{Clock, Ids, ProviderKind, ProviderName};
use crate::db::{Db, DbError, Tx};
use crate::depot::{Act, DepotError};
use crate::git::Git;
use crate::policy::Policy;
use crate::policy::live::PolicyError;
use crate::refinery::TankSettings;

/// Shared by the loop and its stages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) settings: Arc<Settings>,
    pub(crate) paths: Arc<Paths>,
    pub(crate) env: Arc<Env>,
    pub(crate) git: Arc<Git>,
    pub(crate) providers: Arc<BTreeMap<ProviderName, Provider>>,
    /// What the configuration says about each provider's tank.
    pub(crate) tanks: Arc<Vec<TankSettings>>,
    pub(crate) models: Arc<super::models::Models>,
    /// What the command line says about the configuration, to read it again.
    pub(crate) source: config::Given,
    /// How many polecats at once the command line allows, whatever the settings say.
    pub(super) parallel: Option<u32>,
    /// The rules as they were when this was made; the loop looks at their file again.
    pub(crate) policy: Arc<Policy>,
    /// Told to read the configuration and the rules again, however new they are (SIGHUP).
    pub(crate) reload: Arc<tokio::sync::Notify>,
    /// Told by the loop when the store has changed, for whoever shows what happens beside it.
    pub(crate) changed: Arc<tokio::sync::Notify>,
    /// What runs were given as secrets so far.
    pub(crate) given: crate::core::redact::Given,
}

/// A provider as it was found when the loop started.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) kind: ProviderKind,
    pub(crate) entry: ProviderSettings,
    /// The program, pinned to an absolute path; `None` for kinds without one.
    pub(crate) program: Option<PathBuf>,
    /// Why it cannot be used, where that is known already.
    pub(crate) unusable: Option<String>,
}

impl Context {
    pub(crate) fn new(
        db: Db,
        clock: Clock,
        ids: Ids,
        settings: Settings,
        paths: Paths,
        env: Env,
    ) -> Result<Self, PolicyError> {
        let policy = super::rules::open(&settings, &paths)?;
        let git = env
            .find_program("git")
            .unwrap_or_else(|| PathBuf::from("/usr/bin/git"));
        Ok(Self {
            policy: Arc::clone(policy.policy()),
            source: config::Given::default(),
            parallel: None,
            reload: Arc::default(),
            changed: Arc::default(),
            given: crate::core::redact::Given::default(),
            git: Arc::new(Git::new(git, env.child(), clock.clone())),
            providers: Arc::new(pin_providers(&settings, &env)),
            tanks: Arc::new(crate::refinery::configured::tanks(&settings)),
            models: Arc::new(super::models::Models::default()),
            db,
            clock,
            ids,
            settings: Arc::new(settings),
            paths: Arc::new(paths),
            env: Arc::new(env),
        })
    }

    /// Asks the model servers of this machine whether they are there, all at once; one that is
    /// not is left out.
    pub(crate) async fn probe(&mut self) {
        let ollama = self
            .providers
            .iter()
            .filter(|(_, p)| p.kind == ProviderKind::Ollama && p.unusable.is_none());
        let asked = ollama.map(async |(name, p)| {
            let url = crate::llm::ollama::base_url(
                p.entry.base_url.as_deref(),
                self.env.get("OLLAMA_HOST"),
            );
            let answer = crate::llm::ollama::probe(&url, &self.clock).await;
            (
                name.clone(),
                answer.err().map(|_| format!("no Ollama answers at {url}")),
            )
        });
        let answers = futures_util::future::join_all(asked).await;
        let providers = Arc::make_mut(&mut self.providers);
        for (name, unusable) in answers {
            if let Some(p) = providers.get_mut(&name) {
                p.unusable = unusable;
            }
        }
    }

    /// The same with these settings: what holds for the work of one convoy.
    pub(super) fn with(&self, settings: Arc<Settings>) -> Self {
        Self {
            settings,
            ..self.clone()
        }
    }

    /// Fewer (or more) polecats at once than the settings say.
    pub(crate) fn limit_parallel(&mut self, n: u32) {
        self.parallel = Some(n);
        Arc::make_mut(&mut self.settings).general.max_parallel = n;
    }

    /// The foreman as the actor of a change made now.
    pub(crate) fn act(&self) -> Act<'_> {
        Act {
            ids: &self.ids,
            now: self.clock.now(),
            who: "foreman",
        }
    }

    pub(crate) fn provider(&self, name: &ProviderName) -> Result<&Provider, ForemanError> {
        self.providers
            .get(name)
            .ok_or_else(|| ForemanError::NoProvider(name.clone()))
    }

    pub(crate) fn tank(&self, name: &ProviderName) -> Result<&TankSettings, ForemanError> {
        let found = self.tanks.iter().find(|t| t.provider == *name);
        found.ok_or_else(|| ForemanError::NoProvider(name.clone()))
    }

    /// An effect outside of the store comes next; a test may end the process here.
    pub(crate) fn before(&self, effect: &str) {
        super::crash::point(&self.env, Side::Before, effect);
    }

    /// The effect has happened.
    pub(crate) fn after(&self, effect: &str) {
        super::crash::point(&self.env, Side::After, effect);
    }

    /// Commits what this effect is; see [`Context::before`].
    pub(crate) async fn commit(&self, tx: Tx, effect: &str) -> Result<(), DbError> {
        self.before(effect);
        tx.commit().await?;
        self.after(effect);
        Ok(())
    }
}

/// The loop cannot go on. What happens to a bead is never an error here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForemanError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Depot(DepotError),
    #[error("no provider {0}")]
    NoProvider(ProviderName),
    #[error("cannot use {path}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl From<DepotError> for ForemanError {
    fn from(error: DepotError) -> Self {
        match error {
            DepotError::Db(error) => Self::Db(error),
            other => Self::Depot(other),
        }
    }
}

impl ForemanError {
    /// Whether nothing is wrong but that there is no space on a disk.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Db(error) | Self::Depot(DepotError::Db(error)) => {
                matches!(error, DbError::Full(_))
            }
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            Self::Depot(_) | Self::NoProvider(_) | Self::Git(_) | Self::Policy(_) => false,
        }
    }
}

impl From<sqlx::Error> for ForemanError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}
