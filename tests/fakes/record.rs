//! What a start of the fake agent writes down, and which run it takes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::script::Run;

pub(crate) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// As much of a prompt as the log keeps.
const MAX_PROMPT: usize = 64 << 10;

/// Adds a line in one call, in place of the part of a line that a killed agent left.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)?;
    let mut old = Vec::new();
    file.read_to_end(&mut old)?;
    let whole = old.iter().rposition(|byte| *byte == b'\n');
    file.set_len(whole.map_or(0, |at| at as u64 + 1))?;
    file.write_all(line.as_bytes())
}

/// One start.
pub(crate) struct Call {
    script: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) prompt: String,
}

impl Call {
    pub(crate) fn new(script: PathBuf, args: Vec<String>) -> Self {
        Self {
            script,
            args,
            prompt: String::new(),
        }
    }

    /// A file beside the script.
    pub(crate) fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.script.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }

    /// A file in the folder of the script.
    pub(crate) fn in_folder(&self, name: &str) -> PathBuf {
        self.script.parent().unwrap_or(Path::new(".")).join(name)
    }

    /// One more line of the log.
    pub(crate) fn write(&self, what: &str, value: &Value) -> Result<(), String> {
        let _lock = self.lock()?;
        let env: Vec<String> = std::env::vars_os()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        let prompt: String = self.prompt.chars().take(MAX_PROMPT).collect();
        let digest = Sha256::digest(self.prompt.as_bytes());
        let digest: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = json!({
            what: value,
            "at_ms": now_ms(),
            "pid": std::process::id(),
            "args": self.args,
            "env": env,
            "cwd": std::env::current_dir().unwrap_or_default(),
            "prompt": prompt,
            "prompt_bytes": self.prompt.len(),
            "prompt_sha256": digest.concat(),
        });
        let path = self.beside("log");
        append(&path, &format!("{line}\n")).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// The next run for this prompt; from now on it counts as taken.
    pub(crate) fn take_run(&self, runs: &[Run]) -> Result<usize, String> {
        let _lock = self.lock()?;
        let path = self.beside("count");
        let mut taken: BTreeMap<usize, u64> = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| format!("the counter: {e}"))?,
            Err(_) => BTreeMap::new(),
        };
        for (at, run) in runs.iter().enumerate() {
            let count = taken.entry(at).or_default();
            if run.times != 0 && *count >= run.times {
                continue;
            }
            if let Some(pattern) = &run.when {
                let pattern = Regex::new(pattern).map_err(|e| e.to_string())?;
                if !pattern.is_match(&self.prompt) {
                    continue;
                }
            }
            *count += 1;
            // Whole or not at all: campaigns kill agents at any moment.
            let new = self.beside("count.new");
            std::fs::write(&new, json!(taken).to_string())
                .and_then(|()| std::fs::rename(&new, &path))
                .map_err(|e| e.to_string())?;
            return Ok(at);
        }
        let begin: String = self.prompt.chars().take(200).collect();
        Err(format!("no run is left for the prompt `{begin}`"))
    }

    /// Held until it is dropped.
    fn lock(&self) -> Result<File, String> {
        let path = self.beside("lock");
        File::create(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|e| format!("{}: {e}", path.display()))
    }
}
