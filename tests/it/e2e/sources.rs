//! Sources that are programs of others: the real codex as a server that tells its limits, the
//! real ccusage over what the real claude wrote down. No model is asked by either.

use std::time::Duration;

use serde_json::{Value, json};

use super::agents::RealAgents;
use crate::harness::TestEnv;
use crate::lab::{Limits, Script, Share, Step, Upstream, Usage, Window};

/// Unpadded, as in a JWT.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            let letter = word >> (18 - 6 * i) & 63;
            text.push(char::from(LETTERS[letter as usize]));
        }
    }
    text
}

/// A login that codex takes for one of ChatGPT: nobody checks the signature here.
fn login(now: u64) -> Value {
    let claims = json!({
        "email": "person@example.invalid",
        "exp": 4_102_444_800_u64,
        "https://api.openai.com/auth": {
            "chatgpt_plan_type": "plus",
            "chatgpt_account_id": "account",
            "chatgpt_user_id": "user",
        },
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let part = |value: &Value| base64(value.to_string().as_bytes());
    let token = format!("{}.{}.c2ln", part(&header), part(&claims));
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": token,
            "access_token": token,
            "refresh_token": "refresh",
            "account_id": "account",
        },
        "last_refresh": chrono::DateTime::from_timestamp(now as i64, 0).expect("a time").to_rfc3339(),
    })
}

/// One source of a refresh.
fn said(told: &Value, source: &str) -> Value {
    let all = told.as_array().expect("a list");
    let found = all.iter().find(|one| one["source"] == source);
    found
        .unwrap_or_else(|| panic!("no {source} in {told}"))
        .clone()
}

#[test]
fn the_real_codex_tells_its_windows_and_is_asked_nothing_else() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let lab = Upstream::start(Script::default());
    let five_hour = Share::new(0.42, Duration::from_hours(2));
    let seven_day = Share::new(0.17, Duration::from_hours(96));
    lab.set_limits(
        "codex",
        Limits {
            five_hour: Some(five_hour),
            seven_day: Some(seven_day),
            ..Limits::default()
        },
    );
    env.write(
        "account/auth.json",
        login(five_hour.resets_at - 2 * 3600).to_string(),
    );
    env.write(
        "account/config.toml",
        format!("chatgpt_base_url = \"{}/backend-api\"\n", lab.url("codex")),
    );
    env.config(&format!(
        "[providers.codex]\ncommand = \"{}\"\nconfig_home = \"{}\"\nenv_pass = [\"RIGS_TEST_ENV\"]\n",
        agents.codex_path().display(),
        env.root().join("account").display(),
    ));
    let refresh = || {
        env.rigs(["--json", "tank", "refresh", "codex", "--force"])
            .real_time()
            .run()
            .success()
            .json()
    };
    let told = said(&refresh(), "app-server");
    assert_eq!(
        (&told["outcome"], &told["said"][0]),
        (&json!("answered"), &json!("plan plus")),
        "{told}"
    );
    let status = || {
        let run = env.rigs(["--json", "tank", "status", "codex"]).real_time();
        run.run().success().json()
    };
    let tank = status();
    let shares: Vec<_> = [0, 1]
        .map(|i| &tank["windows"][i])
        .map(|w| (w["percent"].clone(), w["source"].clone()))
        .into();
    let source = json!("app-server");
    assert_eq!(
        shares,
        [(json!(42.0), source.clone()), (json!(17.0), source)],
        "{tank}"
    );
    let resets_at = tank["windows"][0]["resets_at"].as_str().expect("a reset");
    let resets_at: chrono::DateTime<chrono::Utc> = resets_at.parse().expect("a time");
    assert_eq!(resets_at.timestamp() as u64, five_hour.resets_at);

    // Too soon, whoever insists: what is known stays.
    lab.raise_wall("codex", Window::FiveHour, Duration::from_hours(1));
    assert_eq!(said(&refresh(), "app-server")["outcome"], "waits");
    assert_eq!(status()["windows"][0]["percent"], 42.0);
    assert_eq!(lab.counts("codex").requests, 0);
}

#[test]
fn the_real_ccusage_counts_what_the_real_claude_used() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let lab = Upstream::start(Script::steps([Step::text("pong").usage(Usage {
        input: 900,
        output: 70,
        cache_read: 5,
        cache_write: 30,
    })]));
    let run = agents.claude(&env, &lab, "claude").stdin("ping");
    drop(run.run().success());
    let used = lab.counts("claude").usage;
    let bin = env.root().join("bin/ccusage");
    std::os::unix::fs::symlink(agents.ccusage_path(), bin).expect("a link");
    env.config(&agents.claude_provider("claude", &lab));
    let size = ["tank", "set", "claude", "10000", "--window", "5h"];
    drop(env.rigs(size).real_time().run().success());
    let refresh = ["--json", "tank", "refresh", "claude"];
    let told = env.rigs(refresh).real_time().run().success().json();
    let told = said(&told, "ccusage");
    let tokens = used.input + used.output + used.cache_write;
    assert_eq!(
        told["windows"],
        json!(["five_hour"]),
        "{told}, of {tokens} tokens"
    );
    let run = env.rigs(["--json", "tank", "status", "claude"]).real_time();
    let tank = run.run().success().json();
    let window = &tank["windows"][0];
    let percent = (tokens as f64 / 10.0).round() / 10.0;
    assert_eq!(
        [&window["percent"], &window["source"], &window["confidence"]],
        [&json!(percent), &json!("ccusage"), &json!("low")],
        "{tank}"
    );
}
