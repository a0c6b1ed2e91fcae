//! What a command works with: its output, the settings, the store, the clock.

use super::output::Output;
use super::{Failure, Format, Global};
use crate::config::{self, Config, ConfigError, Env, Given, load::Located};
use crate::core::{Clock, Ids, Timestamp};
use crate::db::{Db, Mode};

/// Everything that a command may touch. Settings are read once at the start; a command that
/// does not need them runs even when they are broken.
pub(crate) struct App {
    pub(crate) env: Env,
    pub(crate) out: Output,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    given: Given,
    verbose: u8,
    quiet: bool,
    config: Result<Config, ConfigError>,
    /// A test hook that cannot be read.
    bad_hook: Option<Failure>,
}

impl App {
    pub(crate) fn new(global: Global, env: Env) -> Self {
        let format = if global.json {
            Format::Json
        } else {
            Format::Text
        };
        let given = Given {
            home: global.home,
            file: global.config,
            flags: Vec::new(),
        };
        let config = Config::load(&env, &given);
        let level = config
            .as_ref()
            .ok()
            .map(|c| c.settings.general.log_level.as_str());
        log(&env, global.verbose, global.quiet, level);
        let hooks = hooks(&env);
        let (clock, ids, bad_hook) = match hooks {
            Ok((clock, ids)) => (clock, ids, None),
            Err(failure) => {
                let clock = Clock::system();
                (clock.clone(), Ids::random(clock), Some(failure))
            }
        };
        Self {
            out: Output::new(format, global.color, global.quiet, &env),
            env,
            clock,
            ids,
            given,
            verbose: global.verbose,
            quiet: global.quiet,
            config,
            bad_hook,
        }
    }

    /// Whether everything that every command needs is there.
    pub(crate) fn prepared(&mut self) -> Result<(), Failure> {
        self.bad_hook.take().map_or(Ok(()), Err)
    }

    /// What was said about output, for a process that is to speak likewise.
    pub(crate) fn output_flags(&self) -> Vec<std::ffi::OsString> {
        let json = self.out.is_json().then(|| "--json".into());
        let quiet = self.quiet.then(|| "--quiet".into());
        let verbose = (0..self.verbose).map(|_| "--verbose".into());
        json.into_iter().chain(quiet).chain(verbose).collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The settings, or what is wrong with them.
    pub(crate) fn config(&self) -> Result<&Config, Failure> {
        self.config.as_ref().map_err(|error| error.clone().into())
    }

    /// Where home and configuration are, even when the configuration is broken.
    pub(crate) fn located(&self) -> Result<Located, Failure> {
        Ok(config::load::locate(&self.env, &self.given)?)
    }

    /// What the command line says about the configuration.
    pub(crate) fn given(&self) -> &Given {
        &self.given
    }

    /// Takes another home folder from now on; `reload` reads its settings.
    pub(crate) fn move_home(&mut self, home: std::path::PathBuf) -> Result<(), Failure> {
        if self.given.home.is_some() {
            return Err(Failure::usage("give the home folder once: PATH or --home"));
        }
        self.given.home = Some(home);
        Ok(())
    }

    /// Whether the configuration with `file` in the place of its file would be valid.
    pub(crate) fn would_be(&self, file: &std::path::Path) -> Result<(), Failure> {
        let given = Given {
            file: Some(file.to_owned()),
            ..self.given.clone()
        };
        Config::load(&self.env, &given)?;
        Ok(())
    }

    /// Whether a provider is used because it was found on the machine, without an entry.
    pub(crate) fn is_detected(&self, name: &crate::core::ProviderName) -> bool {
        self.config.as_ref().is_ok_and(|config| {
            matches!(
                config.origin(&["providers", name.as_str()]),
                config::origin::Origin::Detected
            )
        })
    }

    /// Reads the settings again, after they were changed.
    pub(crate) fn reload(&mut self) {
        self.config = Config::load(&self.env, &self.given);
    }

    /// The store, made where there is none yet. The home folder is checked first.
    pub(crate) async fn store(&self, mode: Mode) -> Result<Db, Failure> {
        let paths = &self.config()?.paths;
        config::home::prepare(paths.home())?;
        let db = Db::open(&paths.store(), mode).await?;
        if mode == Mode::OneShot {
            db.stay_open();
        }
        Ok(db)
    }
}

/// `RUST_LOG`, `-v` and `-q`, `general.log_level`, in this order. A log nobody can set up is
/// no reason not to work.
fn log(env: &Env, verbose: u8, quiet: bool, level: Option<&str>) {
    let filter = match (env.get("RUST_LOG"), verbose, quiet) {
        (Some(filter), ..) => filter.to_owned(),
        (None, 0, true) => "error".to_owned(),
        (None, 0, false) => level.unwrap_or("warn").to_owned(),
        (None, 1, _) => "warn,rigs=info".to_owned(),
        (None, 2, _) => "warn,rigs=debug".to_owned(),
        (None, _, _) => "info,rigs=trace".to_owned(),
    };
    let set = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    if let Err(error) = set {
        tracing::debug!(%error, "logging was set up already");
    }
}

/// The real clock and random ids.
#[cfg(not(feature = "test-hooks"))]
#[expect(clippy::unnecessary_wraps, reason = "the variant for tests can fail")]
fn hooks(_: &Env) -> Result<(Clock, Ids), Failure> {
    let clock = Clock::system();
    Ok((clock.clone(), Ids::random(clock)))
}

/// `RIGS_TEST_TIME` and `RIGS_TEST_SEED` make times and ids repeatable; `RIGS_TEST_LEAP` names a
/// file that says by how many milliseconds the clock is ahead, see `foreman::crash::leap`, and
/// `RIGS_TEST_CLOCK` one that says by how many it is wrong, whenever it is looked at.
#[cfg(feature = "test-hooks")]
fn hooks(env: &Env) -> Result<(Clock, Ids), Failure> {
    let ahead = env
        .get("RIGS_TEST_LEAP")
        .map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let clock = match env.get("RIGS_TEST_TIME").map(str::parse) {
        None if let Some(file) = env.get("RIGS_TEST_CLOCK") => Clock::wrong_by(file),
        None if let Some(ahead) = ahead => {
            let ms = ahead.trim().parse().unwrap_or(0);
            Clock::leaping(std::time::Duration::from_millis(ms))
        }
        None => Clock::system(),
        Some(Ok(start)) => Clock::starting_at(start),
        Some(Err(_)) => return Err(Failure::usage("RIGS_TEST_TIME is no time")),
    };
    let ids = match env.get("RIGS_TEST_SEED").map(str::parse) {
        None => Ids::random(clock.clone()),
        Some(Ok(seed)) => Ids::seeded(clock.clone(), seed),
        Some(Err(_)) => return Err(Failure::usage("RIGS_TEST_SEED is no number")),
    };
    Ok((clock, ids))
}
