//! `claude auth status`: whether Claude Code is logged in, with which plan. It asks nobody.

use std::path::Path;

use super::{Answer, Asking, ProbeError, object, usage};
use crate::core::text::one_line;
use crate::process::{Spec, Stdin};

pub(super) fn spec(asking: &Asking<'_>, program: &Path) -> Spec {
    Spec {
        program: program.to_owned(),
        args: vec!["auth".into(), "status".into()],
        env: usage::environment(asking),
        cwd: asking.cwd.to_owned(),
        stdin: Stdin::Null,
    }
}

pub(super) fn read(printed: &str) -> Result<Answer, ProbeError> {
    let status = object(printed)?;
    if status["loggedIn"] != true {
        return Err(ProbeError::Refused(
            "not logged in; run `claude` once and log in".into(),
        ));
    }
    let words: Vec<String> = ["authMethod", "planTier", "subscriptionType"]
        .into_iter()
        .filter_map(|key| status[key].as_str())
        .take(2)
        .map(|word| one_line(word, 40))
        .collect();
    Ok(Answer {
        said: vec![format!("logged in: {}", words.join(", "))],
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_with_its_plan() {
        let said = |text: &str| {
            read(text)
                .map(|a| a.said.join("; "))
                .map_err(|e| e.to_string())
        };
        assert_eq!(
            said(
                r#"{"loggedIn":true,"authMethod":"claude.ai","subscriptionType":"max","planTier":"max_20x"}"#
            ),
            Ok("logged in: claude.ai, max_20x".into())
        );
        assert_eq!(
            said(r#"{"loggedIn":false}"#),
            Err("not logged in; run `claude` once and log in".into())
        );
        assert_eq!(
            said("Usage: claude"),
            Err("its answer is not understood: not JSON".into())
        );
    }
}
