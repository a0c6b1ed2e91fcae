//! The provider's page of usage, `GET /api/oauth/usage`, with the token that Claude Code keeps.
//! Undocumented, and it limits its pollers, some for hours. Only with `allow_token_reading`; the
//! token is read, never renewed: that is for the program that owns it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::Value;

use super::super::claude;
use super::super::reader::{fraction, limit_name, reset};
use super::super::signal::{Observation, Scope};
use super::{Answer, Asking, ProbeError, feed, object};
use crate::core::Timestamp;

pub(super) const BASE: &str = "https://api.anthropic.com";
pub(super) const PATH: &str = "/api/oauth/usage";
/// Without these the page refuses.
pub(super) const HEADERS: &[(&str, &str)] = &[
    ("anthropic-beta", "oauth-2025-04-20"),
    ("user-agent", "claude-code/2.1.328"),
];
/// Larger than any file of credentials.
const MOST: u64 = 64 << 10;
/// More limits than any account has.
const LIMITS: usize = 16;

/// `.credentials.json` of the entry's account.
pub(super) fn file(asking: &Asking<'_>) -> Option<PathBuf> {
    let home = match (
        asking.entry.env.get("CLAUDE_CONFIG_DIR"),
        &asking.entry.config_home,
    ) {
        (Some(home), _) => PathBuf::from(home),
        (None, Some(home)) => home.clone(),
        (None, None) => PathBuf::from(asking.env.os("HOME")?).join(".claude"),
    };
    Some(home.join(".credentials.json"))
}

/// The token in it, if it is still good.
pub(super) fn token(file: &Path, now: Timestamp) -> Result<SecretString, ProbeError> {
    let shown = file.display();
    let nothing = |why: &str| ProbeError::Nothing(format!("{shown}: {why}"));
    let meta = std::fs::metadata(file).map_err(|e| nothing(&e.to_string()))?;
    if meta.mode() & 0o077 != 0 {
        return Err(nothing("other users can read it"));
    }
    if meta.len() > MOST {
        return Err(nothing("it is too large"));
    }
    let text = std::fs::read_to_string(file).map_err(|e| nothing(&e.to_string()))?;
    let login = object(&text).map_err(|_| nothing("it is not JSON"))?["claudeAiOauth"].take();
    let expires = login["expiresAt"].as_i64().map(Timestamp::from_millis);
    if expires.is_some_and(|at| at <= now) {
        return Err(nothing(
            "the token in it has expired; a run of `claude` renews it",
        ));
    }
    match login["accessToken"].as_str() {
        Some(token) if !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(SecretString::from(token))
        }
        Some(_) | None => Err(nothing("there is no token in it; log in with `claude`")),
    }
}

/// Shares of 0 to 100. The list of limits, where there is one, is newer than the named windows.
pub(super) fn read(page: &Value, now: Timestamp) -> Result<Answer, ProbeError> {
    if !page.is_object() {
        return Err(ProbeError::Unreadable("not a JSON object".into()));
    }
    let listed: Vec<Observation> = page["limits"]
        .as_array()
        .into_iter()
        .flatten()
        .take(LIMITS)
        .filter_map(|of| limit(of, now))
        .collect();
    let observations = if listed.is_empty() {
        feed::percents(page, "oauth", now)
    } else {
        listed
    };
    let mut said = Vec::new();
    if observations.is_empty() {
        said.push("no limit is stated".into());
    }
    if page["extra_usage"]["is_enabled"] == true {
        said.push("use beyond the limits is paid for".into());
    }
    Ok(Answer {
        observations,
        said,
        ..Answer::default()
    })
}

fn limit(of: &Value, now: Timestamp) -> Option<Observation> {
    let model = of["scope"]["model"]["display_name"].as_str();
    let (id, scope) = match (of["kind"].as_str()?, model) {
        ("session", _) => ("five_hour".to_owned(), Scope::Account),
        ("weekly_all", _) => ("seven_day".to_owned(), Scope::Account),
        ("weekly_scoped", Some(model)) => {
            let word = model.split_whitespace().next()?.to_ascii_lowercase();
            (
                limit_name(&format!("seven_day_{word}"))?,
                Scope::Model(word),
            )
        }
        (_, _) => return None,
    };
    Some(Observation {
        scope,
        duration: claude::duration(&id),
        used_fraction: Some(fraction(&of["percent"], 100.0)?),
        resets_at: reset(&of["resets_at"], now),
        ..Observation::new(&id, "oauth", now)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_list_of_limits_is_preferred_to_the_named_windows() {
        let named = json!({"utilization": 9, "resets_at": "2026-11-20T08:00:00Z"});
        let limits = json!([
            {"kind": "session", "percent": 42, "resets_at": "2026-11-20T08:00:00Z", "is_active": true},
            {"kind": "weekly_all", "percent": 17.5, "resets_at": null},
            {"kind": "weekly_scoped", "percent": 80, "scope": {"model": {"display_name": "Opus 5.5"}}},
            {"kind": "monthly_something", "percent": 1},
            {"kind": "session", "percent": "many"},
        ]);
        let seen = |page: &Value| -> Vec<String> {
            let answer = read(page, now()).unwrap();
            let told = answer
                .observations
                .iter()
                .map(|o| format!("{} {:?} {:?}", o.limit_id, o.scope, o.used_fraction));
            told.chain(answer.said.clone()).collect()
        };
        assert_eq!(
            seen(
                &json!({"five_hour": named, "limits": limits, "extra_usage": {"is_enabled": true}})
            ),
            [
                "five_hour Account Some(0.42)",
                "seven_day Account Some(0.175)",
                r#"seven_day_opus Model("opus") Some(0.8)"#,
                "use beyond the limits is paid for",
            ]
        );
        // No window of five hours: this plan has none.
        assert_eq!(
            seen(&json!({"five_hour": null, "seven_day": named, "seven_day_sonnet": null})),
            ["seven_day Account Some(0.09)"]
        );
        assert_eq!(seen(&json!({})), ["no limit is stated"]);
    }

    #[test]
    fn a_token_is_taken_only_from_a_private_file_and_while_it_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".credentials.json");
        let put = |text: String, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            token(&file, now())
                .map(|t| t.expose_secret().to_owned())
                .map_err(|e| {
                    e.to_string()
                        .rsplit(": ")
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
        };
        let login = |expires: i64| {
            json!({"claudeAiOauth": {"accessToken": "secret-token", "expiresAt": expires}})
                .to_string()
        };
        let later = now().millis() + 1000;
        assert_eq!(put(login(later), 0o600), Ok("secret-token".into()));
        assert_eq!(
            put(login(later), 0o644),
            Err("other users can read it".into())
        );
        assert_eq!(
            put(login(now().millis()), 0o600),
            Err("the token in it has expired; a run of `claude` renews it".into())
        );
        assert_eq!(
            put("{}".into(), 0o600),
            Err("there is no token in it; log in with `claude`".into())
        );
        assert_eq!(put("x".into(), 0o600), Err("it is not JSON".into()));
    }
}
