//! A local Ollama: its version, and the models it holds in memory. It has slots, not a quota,
//! and does not say how many of them are free.

use serde_json::Value;

use super::{Answer, ProbeError};
use crate::core::text::one_line;

/// More models than fit into any memory.
const MOST: usize = 8;

pub(super) fn read(version: &Value, running: &Value) -> Result<Answer, ProbeError> {
    let version = version["version"]
        .as_str()
        .ok_or_else(|| ProbeError::Unreadable("no version in it".into()))?;
    let models = running["models"]
        .as_array()
        .ok_or_else(|| ProbeError::Unreadable("no list of models in it".into()))?;
    let mut said = vec![format!("version {}", one_line(version, 24))];
    said.extend(models.iter().take(MOST).map(model));
    if models.is_empty() {
        said.push("no model is loaded".into());
    }
    Ok(Answer {
        said,
        ..Answer::default()
    })
}

fn model(of: &Value) -> String {
    let name = of["name"].as_str().or(of["model"].as_str()).unwrap_or("?");
    let name = one_line(name, 60);
    match of["size"].as_f64() {
        Some(bytes) if bytes > 0.0 => format!("{name} is loaded ({:.1} GB)", bytes / 1e9),
        Some(_) | None => format!("{name} is loaded"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn loaded_models_are_told() {
        let version = json!({"version": "0.13.0"});
        let said = |running: Value| {
            read(&version, &running)
                .map(|a| a.said.join("; "))
                .map_err(|e| e.to_string())
        };
        assert_eq!(
            said(json!({"models": []})),
            Ok("version 0.13.0; no model is loaded".into())
        );
        assert_eq!(
            said(json!({"models": [{"name": "qwen2.5-coder:7b", "size": 5_137_025_024_u64}, {}]})),
            Ok("version 0.13.0; qwen2.5-coder:7b is loaded (5.1 GB); ? is loaded".into())
        );
        assert_eq!(
            said(json!({})),
            Err("its answer is not understood: no list of models in it".into())
        );
    }
}
