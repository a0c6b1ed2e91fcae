//! Where the real agents are, and how they are pointed at the lab: by hand or by rigs.

use std::path::{Path, PathBuf};

use crate::harness::{Run, TestEnv, caller_var};
use crate::lab::Upstream;

/// A token of a subscription, as far as claude can tell.
pub(super) const OAUTH_TOKEN: &str = "lab-oauth-token";
/// The variable that holds codex's key, and the key.
pub(super) const CODEX_KEY_ENV: &str = "LAB_CODEX_KEY";
pub(super) const CODEX_KEY: &str = "lab-codex-key";
/// A model that codex has no metadata of: it says so in one line and goes on.
pub(super) const CODEX_MODEL: &str = "gpt-5.4";

/// The installed programs.
pub(super) struct RealAgents {
    bin: PathBuf,
}

impl RealAgents {
    /// Those of `RIGS_E2E_AGENTS`, or where the script puts them.
    pub(super) fn find() -> Self {
        let dir = caller_var("RIGS_E2E_AGENTS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/e2e/agents"),
            PathBuf::from,
        );
        Self {
            bin: dir.join("bin"),
        }
    }

    pub(super) fn claude_path(&self) -> PathBuf {
        self.program("claude")
    }

    pub(super) fn codex_path(&self) -> PathBuf {
        self.program("codex")
    }

    pub(super) fn ccusage_path(&self) -> PathBuf {
        self.program("ccusage")
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        let path = self.bin.join(name);
        assert!(
            path.exists(),
            "{} is missing: run scripts/e2e/install-agents.sh, or name its folder in \
             RIGS_E2E_AGENTS",
            path.display()
        );
        path
    }

    /// The entry of `config.toml` for claude at the lab, with a subscription login.
    pub(super) fn claude_provider(&self, name: &str, lab: &Upstream) -> String {
        format!(
            "[providers.{name}]\nkind = \"claude\"\ncommand = \"{}\"\nbase_url = \"{}\"\n\
             env = {{ CLAUDE_CODE_OAUTH_TOKEN = \"{OAUTH_TOKEN}\" }}\n",
            self.claude_path().display(),
            lab.url(name),
        )
    }

    /// The entry of `config.toml` for codex at the lab; the caller's environment must have
    /// [`CODEX_KEY_ENV`].
    pub(super) fn codex_provider(&self, name: &str, lab: &Upstream) -> String {
        format!(
            "[providers.{name}]\nkind = \"codex\"\ncommand = \"{}\"\nbase_url = \"{}/v1\"\n\
             api_key_env = \"{CODEX_KEY_ENV}\"\nmodel = \"{CODEX_MODEL}\"\n",
            self.codex_path().display(),
            lab.url(name),
        )
    }

    /// A run of claude without rigs, with a subscription login at the lab.
    pub(super) fn claude<'a>(&self, env: &'a TestEnv, lab: &Upstream, tag: &str) -> Run<'a> {
        let args = [
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--permission-mode",
            "acceptEdits",
            "--allowedTools",
            "Bash(sh test.sh)",
        ];
        env.program_run(&self.claude_path(), args)
            .var("ANTHROPIC_BASE_URL", lab.url(tag))
            .var("CLAUDE_CODE_OAUTH_TOKEN", OAUTH_TOKEN)
            .var("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .var("DISABLE_AUTOUPDATER", "1")
    }

    /// A run of codex without rigs, with a key of its own at the lab.
    pub(super) fn codex<'a>(&self, env: &'a TestEnv, lab: &Upstream, tag: &str) -> Run<'a> {
        let provider = format!(
            "model_providers.lab={{name=\"lab\",base_url=\"{}/v1\",env_key=\"{CODEX_KEY_ENV}\",\
             wire_api=\"responses\",request_max_retries=0,stream_max_retries=0}}",
            lab.url(tag)
        );
        let mut args = vec!["exec", "--json", "--skip-git-repo-check", "-m", CODEX_MODEL];
        args.extend(["-s", "danger-full-access"]);
        for setting in [
            "analytics.enabled=false",
            "features.plugins=false",
            "check_for_update_on_startup=false",
            "features.unbounded_connection_retries=false",
            "model_provider=lab",
            &provider,
        ] {
            args.extend(["-c", setting]);
        }
        args.push("-");
        env.program_run(&self.codex_path(), args)
            .var(CODEX_KEY_ENV, CODEX_KEY)
    }
}

#[test]
fn the_entries_are_what_rigs_accepts() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let lab = Upstream::start(crate::lab::Script::default());
    env.config(&(agents.claude_provider("a", &lab) + &agents.codex_provider("b", &lab)));
    insta::assert_snapshot!(env.rigs(["config", "check"]).run(), @"
    $ROOT/rigs/config.toml is fine
    Providers: a, b
    [exit status: 0]
    ");
}
