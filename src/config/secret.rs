//! Keys: fetched when a run needs them, kept in a type that does not print, and never stored.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::env::Env;
use super::settings::ProviderSettings;

/// Why there is no key. None of these repeats what was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    #[error("cannot read the key file {file}: {reason}")]
    File { file: String, reason: String },
    #[error("other users can read the key file {file}")]
    Exposed { file: String },
    #[error("the key command {program} failed: {reason}")]
    Command { program: String, reason: String },
    #[error("what {from} gave is not a key: {reason}")]
    NoKey { from: String, reason: &'static str },
}

/// Where an entry's key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    Env(String),
    File(PathBuf),
    /// A program that prints the key; the caller runs it, limited in time.
    Command(Vec<String>),
}

/// `None` when the entry needs no key.
pub(crate) fn source(entry: &ProviderSettings) -> Option<SecretSource> {
    if let Some(name) = &entry.api_key_env {
        Some(SecretSource::Env(name.clone()))
    } else if let Some(file) = &entry.api_key_file {
        Some(SecretSource::File(file.clone()))
    } else {
        entry.api_key_command.clone().map(SecretSource::Command)
    }
}

/// The entry's key. `run` runs the argv of `api_key_command` and gives what it printed, or why
/// it failed.
pub(crate) async fn resolve<F>(
    entry: &ProviderSettings,
    env: &Env,
    run: impl FnOnce(Vec<String>) -> F,
) -> Result<Option<SecretString>, SecretError>
where
    F: Future<Output = Result<String, String>>,
{
    let Some(source) = source(entry) else {
        return Ok(None);
    };
    let key = match source {
        SecretSource::Env(name) => {
            let value = env.get(&name);
            key(
                value.ok_or_else(|| SecretError::NotSet(name.clone()))?,
                format!("${name}"),
            )?
        }
        SecretSource::File(file) => key(&read(&file)?, file.display().to_string())?,
        SecretSource::Command(argv) => {
            let program = argv.first().cloned().unwrap_or_default();
            match run(argv).await {
                Ok(printed) => key(&printed, program)?,
                Err(reason) => return Err(SecretError::Command { program, reason }),
            }
        }
    };
    Ok(Some(key))
}

fn read(file: &Path) -> Result<String, SecretError> {
    let failed = |e: std::io::Error| SecretError::File {
        file: file.display().to_string(),
        reason: e.to_string(),
    };
    let meta = std::fs::metadata(file).map_err(failed)?;
    if meta.mode() & 0o077 != 0 {
        return Err(SecretError::Exposed {
            file: file.display().to_string(),
        });
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// One word of printable ASCII: anything else would break out of the header it goes into.
fn key(text: &str, from: String) -> Result<SecretString, SecretError> {
    let text = text.trim();
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > 16 * 1024 {
        "it is too long"
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        "it holds more than one word"
    } else {
        return Ok(SecretString::from(text));
    };
    Err(SecretError::NoKey { from, reason })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    async fn resolved(entry: ProviderSettings) -> Result<Option<String>, SecretError> {
        let vars = [("KEY".into(), "abc".into())];
        let env = Env::new(vars, PathBuf::from("/"));
        let run = async |argv: Vec<String>| match argv[0].as_str() {
            "pass" => Ok("from-pass\n".to_owned()),
            _ => Err("exit status 1".to_owned()),
        };
        let key = resolve(&entry, &env, run).await?;
        Ok(key.map(|key| key.expose_secret().to_owned()))
    }

    #[tokio::test]
    async fn keys_come_from_a_variable_a_private_file_or_a_program() {
        let entry = ProviderSettings::default;
        assert_eq!(resolved(entry()).await, Ok(None));
        let from_env = |name: &str| ProviderSettings {
            api_key_env: Some(name.into()),
            ..entry()
        };
        assert_eq!(resolved(from_env("KEY")).await, Ok(Some("abc".into())));
        assert_eq!(
            resolved(from_env("NONE")).await,
            Err(SecretError::NotSet("NONE".into()))
        );

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "from-file\n").unwrap();
        let from_file = ProviderSettings {
            api_key_file: Some(file.clone()),
            ..entry()
        };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            resolved(from_file.clone()).await,
            Err(SecretError::Exposed { .. })
        ));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(resolved(from_file).await, Ok(Some("from-file".into())));

        let from_command = |program: &str| ProviderSettings {
            api_key_command: Some(vec![program.into()]),
            ..entry()
        };
        assert_eq!(
            resolved(from_command("pass")).await,
            Ok(Some("from-pass".into()))
        );
        assert_eq!(
            resolved(from_command("fails")).await,
            Err(SecretError::Command {
                program: "fails".into(),
                reason: "exit status 1".into()
            })
        );
    }

    #[test]
    fn what_is_not_one_word_is_no_key() {
        for text in ["", "  \n", "two words", "a\r\nX-Evil: 1", "schlüssel"] {
            assert!(key(text, "x".into()).is_err(), "{text:?}");
        }
    }
}
