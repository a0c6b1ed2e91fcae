//! The key of an entry, fetched where the entry says.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Secrets;
use crate::config::secret::{self, SecretError};
use crate::config::{Env, ProviderSettings};
use crate::core::Clock;
use crate::process::{self, Limits, Spec, Stdin};

/// A key command may ask a password manager, which may ask a person; more is a hang.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(30),
    output: 64 * 1024,
};

/// Reads the variable or file, or runs the command, that the entry names; no key where it names
/// none. What a failing command printed is not repeated: it may be the key.
pub(crate) async fn secrets(
    entry: &ProviderSettings,
    env: &Env,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Secrets, SecretError> {
    let key = secret::resolve(entry, env, |argv| run(argv, env, clock, stop)).await?;
    Ok(key.map(Secrets::with_key).unwrap_or_default())
}

async fn run(
    argv: Vec<String>,
    env: &Env,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<String, String> {
    let mut argv = argv.into_iter();
    let name = argv.next().unwrap_or_default();
    let program = env
        .find_program(&name)
        .ok_or_else(|| "no such program in PATH".to_owned())?;
    let spec = Spec {
        cwd: program.parent().map(Into::into).unwrap_or_default(),
        program,
        args: argv.map(Into::into).collect(),
        env: env.child(),
        stdin: Stdin::Null,
    };
    let output = process::run(&spec, LIMITS, clock, stop)
        .await
        .map_err(|e| e.to_string())?;
    if output.timed_out {
        Err(format!("no answer within {}s", LIMITS.time.as_secs()))
    } else if output.exit.success() {
        Ok(output.stdout)
    } else {
        Err(format!("exit status {}", output.exit.code()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[tokio::test]
    async fn a_key_command_is_run_and_its_failure_keeps_the_key() {
        let env = Env::new(
            [("PATH".into(), "/usr/bin:/bin".into())],
            PathBuf::from("/"),
        );
        let ask = async |script: &str| {
            let entry = ProviderSettings {
                api_key_command: Some(vec!["sh".into(), "-c".into(), script.into()]),
                ..ProviderSettings::default()
            };
            let stop = CancellationToken::new();
            secrets(&entry, &env, &Clock::system(), &stop).await
        };
        let key = ask("echo abc123").await.unwrap();
        assert_eq!(key.expose_key(), Some("abc123"));
        assert_eq!(
            ask("echo secret; exit 3").await.unwrap_err(),
            SecretError::Command {
                program: "sh".into(),
                reason: "exit status 3".into()
            }
        );
    }
}
