//! The fake agent as a provider of a test; `tests/fakes/script.rs` tells what its script can say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{TestEnv, processes};

/// One fake agent with its script.
pub(crate) struct FakeAgent {
    script: PathBuf,
}

impl TestEnv {
    /// A fake agent that plays this script. One whose script does not expect what it is asked
    /// fails the test.
    pub(crate) fn fake_agent(&self, name: &str, script: &Value) -> FakeAgent {
        let script = self.write(format!("fakes/{name}/script.json"), script.to_string());
        FakeAgent { script }
    }

    /// What the fake agents of this test complained about.
    pub(crate) fn fake_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for entry in std::fs::read_dir(self.root().join("fakes"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let fake = FakeAgent {
                script: entry.path().join("script.json"),
            };
            let found = fake.log().into_iter().filter_map(|call| {
                let name = entry.file_name();
                Some(format!(
                    "{}: {}",
                    name.display(),
                    call.get("problem")?.as_str()?
                ))
            });
            problems.extend(found);
        }
        problems
    }
}

impl FakeAgent {
    pub(crate) fn program() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_fake-agent"))
    }

    /// The entry of `config.toml` that makes rigs run it as a provider of this kind.
    pub(crate) fn provider(&self, name: &str, kind: &str) -> String {
        let program = Self::program().display();
        let command = if kind == "command" {
            format!("[\"{program}\"]")
        } else {
            format!("\"{program}\"")
        };
        format!(
            "[providers.{name}]\nkind = \"{kind}\"\ncommand = {command}\n\
             env = {{ FAKE_AGENT_SCRIPT = \"{}\" }}\n",
            self.script.display()
        )
    }

    /// The path of its script: the value of `FAKE_AGENT_SCRIPT`.
    pub(crate) fn script(&self) -> &Path {
        &self.script
    }

    /// The runs it was started for, oldest first: `run` (which one), `args`, `env` (names),
    /// `cwd`, `prompt`, `prompt_bytes`, `prompt_sha256`, `pid`, `at_ms` (since the epoch).
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.log()
            .into_iter()
            .filter(|call| call.get("run").is_some())
            .collect()
    }

    /// Every whole line of its log, probes and problems too; the last one of an agent that was
    /// killed may be a part.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.script.with_extension("json.log"));
        let text = text.unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|l| l.ends_with('\n'));
        let parse = |line| serde_json::from_str(line).expect("the log is JSON lines");
        whole.map(parse).collect()
    }

    /// Waits until it plays the step `signal` of this name.
    #[track_caller]
    pub(crate) fn wait_for(&self, signal: &str) {
        let path = self.script.with_file_name(signal);
        let came = processes::wait_until(Duration::from_secs(30), || path.exists());
        assert!(
            came,
            "the fake agent did not signal `{signal}`: {:?}",
            self.log()
        );
    }

    /// Lets it go on from the step `wait_for` of this name.
    pub(crate) fn release(&self, name: &str) {
        std::fs::write(self.script.with_file_name(name), "").expect("a file beside the script");
    }
}
