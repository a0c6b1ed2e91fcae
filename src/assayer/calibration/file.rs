//! A history of runs as JSON lines.

use serde::Deserialize;

use crate::assayer::estimator::PastRun;
use crate::core::{Complexity, TaskType};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    task_type: TaskType,
    complexity: Complexity,
    agent: bool,
    #[serde(default)]
    prompt_chars: u64,
    provider: String,
    model: Option<String>,
    repo: Option<String>,
    tokens: u64,
}

/// Reads one run a line, oldest first; empty lines are left out. An error names the line.
pub(crate) fn parse(text: &str) -> Result<Vec<PastRun>, String> {
    let lines = text.lines().enumerate();
    let runs = lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(i, line)| {
            let line: Line =
                serde_json::from_str(line).map_err(|e| format!("line {}: {e}", i + 1))?;
            Ok(PastRun {
                bead: None,
                task_type: line.task_type,
                complexity: line.complexity,
                agent: line.agent,
                prompt_chars: line.prompt_chars,
                provider: line.provider,
                model: line.model,
                repo: line.repo,
                tokens: line.tokens,
            })
        });
    runs.collect()
}
