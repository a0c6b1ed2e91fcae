//! What providers have left, asked without using any of their tokens; and what is told to rigs.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::flow::{Flow, always, bead, claude};
use crate::harness::TestEnv;

/// Codex's own server: answers one question and goes when its input ends.
const CODEX: &str = r#"
case "$*" in *app-server) ;; *) exit 9;; esac
while read -r line; do
    case "$line" in
    *account/rateLimits/read*) echo asked >> "$CODEX_HOME/log"; cat "$CODEX_HOME/answer";;
    esac
done
"#;

fn answer(used: u8, reset: &str) -> String {
    let reset: chrono::DateTime<chrono::Utc> = reset.parse().expect("a time");
    let limits = json!({
        "limitId": "codex",
        "planType": "plus",
        "primary": {"usedPercent": used, "windowDurationMins": 300, "resetsAt": reset.timestamp()},
        "secondary": {"usedPercent": 17, "windowDurationMins": 10080, "resetsAt": reset.timestamp() + 86_400},
    });
    json!({"id": 2, "result": {"rateLimits": limits}}).to_string() + "\n"
}

/// A codex with an account of its own.
fn codex(env: &TestEnv) -> std::path::PathBuf {
    env.program("codex", CODEX);
    let home = env.root().join("account");
    env.write("account/answer", answer(42, "2026-01-01T02:00:00Z"));
    env.config(&format!(
        "[providers.codex]\nconfig_home = {:?}\nenv_pass = [\"RIGS_TEST_ENV\"]\n",
        home.display().to_string()
    ));
    home
}

#[test]
fn a_refresh_asks_without_tokens_and_not_too_often() {
    let env = TestEnv::new();
    let home = codex(&env);
    insta::assert_snapshot!(env.rigs(["tank", "refresh"]).run(), @r"
    PROVIDER  SOURCE                SAID
    codex     app-server  answered  codex; plan plus
    codex     rollout     failed    there is nothing to read: codex has no sessions of the last days
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "list"]).run(), @r"
    PROVIDER  HEALTH  LEFT                     WINDOW    RESET                  SOURCE
    codex     green   [######----]  58 % left  codex_5h  02:00 UTC (in 1h 59m)  app-server [duration] ago
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "refresh", "codex"]).run(), @r"
    PROVIDER  SOURCE              SAID
    codex     app-server  waits   asked [duration] ago, next in [duration]
    codex     rollout     failed  there is nothing to read: codex has no sessions of the last days
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "tank", "refresh", "codex"]).run(), @r#"
    [
      {
        "provider": "codex",
        "source": "app-server",
        "outcome": "waits",
        "windows": [],
        "news": 0,
        "said": [],
        "error": null,
        "asked_at": "[time]",
        "next_at": "[time]",
        "can_be_forced": false
      },
      {
        "provider": "codex",
        "source": "rollout",
        "outcome": "waits",
        "windows": [],
        "news": 0,
        "said": [],
        "error": null,
        "asked_at": "[time]",
        "next_at": "[time]",
        "can_be_forced": true
      }
    ]
    [exit status: 0]
    "#);
    let asked = std::fs::read_to_string(home.join("log")).expect("a log");
    assert_eq!(asked.lines().count(), 1);
    // Later, and by force: as soon as the source allows.
    let forced = ["tank", "refresh", "codex", "--force"];
    env.write("account/answer", answer(91, "2026-01-01T02:00:00Z"));
    let later = env
        .rigs(forced)
        .var("RIGS_TEST_TIME", "2026-01-01T00:00:45Z");
    drop(later.run().success());
    let status = || {
        env.rigs(["tank", "status", "codex"])
            .var("RIGS_TEST_TIME", "2026-01-01T00:01:00Z")
    };
    let tank = status().args(["--json"]).run().success().json();
    assert_eq!(tank["windows"][0]["percent"], 91.0);
    assert_eq!(tank["windows"][0]["source"], "app-server");
    insta::assert_snapshot!(status().run(), @r"
    codex
    health        red
    left          [#---------]   9 % left
    running       0

    WINDOW    SCOPE    KIND         LENGTH         USED  RESET                     SOURCE
    codex_5h  account  percent          5h          91%  02:00 UTC (in 1h 59m)     app-server [duration] ago
    codex_7d  account  percent          7d          17%  Fri 02:00 UTC (in 1d 1h)  app-server [duration] ago
    parallel  account  concurrency          0 of 2 runs                            ledger
    [exit status: 0]
    ");
}

#[test]
fn a_refresh_in_which_nobody_answers_fails_and_says_why() {
    let env = TestEnv::new();
    codex(&env);
    let refusal =
        json!({"id": 2, "error": {"code": -32600, "message": "chatgpt authentication required"}});
    env.write("account/answer", format!("{refusal}\n"));
    insta::assert_snapshot!(env.rigs(["tank", "refresh"]).run(), @r"
    PROVIDER  SOURCE              SAID
    codex     app-server  failed  chatgpt authentication required
    codex     rollout     failed  there is nothing to read: codex has no sessions of the last days
    [exit status: 1]
    ");
    env.program("codex", "echo 'no such command' >&2; exit 2");
    let later = env
        .rigs(["tank", "refresh"])
        .var("RIGS_TEST_TIME", "2026-01-01T01:00:00Z");
    insta::assert_snapshot!(later.run(), @r"
    PROVIDER  SOURCE              SAID
    codex     app-server  failed  codex ended with exit status 2 and no answer: no such command
    codex     rollout     failed  there is nothing to read: codex has no sessions of the last days
    [exit status: 1]
    ");
    let told = env.query("SELECT payload FROM events WHERE type = 'source.failed' ORDER BY seq");
    assert_eq!(told.len(), 4);
    // What is not known stays unknown.
    let tank = env
        .rigs(["--json", "tank", "status", "codex"])
        .run()
        .success()
        .json();
    assert_eq!(tank["ratio"], Value::Null);
}

#[test]
fn who_has_nobody_to_ask_is_told_so() {
    let env = TestEnv::new();
    env.config("[providers.mine]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n[providers.off]\nkind = \"codex\"\nenabled = false\n");
    insta::assert_snapshot!(env.rigs(["tank", "refresh"]).run(), @r"
    ------- stderr -------
    There is nobody to ask: limits come with the answers to runs
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "tank", "refresh", "mine"]).run(), @r"
    []
    ------- stderr -------
    mine has nobody to ask: its limits come with the answers to its runs
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "refresh", "off"]).run(), @r"
    ------- stderr -------
    error: the provider `off` is disabled
      hint: set `enabled = true` in [providers.off]
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "refresh", "none"]).run(), @r"
    ------- stderr -------
    error: no provider `none`
      hint: `rigs provider list` shows them
    [exit status: 3]
    ");
}

const STATUS_LINE: &str = r#"{"session_id":"s","model":{"display_name":"Opus"},"rate_limits":{
    "five_hour":{"used_percentage":23.5,"resets_at":1767232800},"seven_day":{"used_percentage":41,"resets_at":"2026-01-04T00:00:00Z"}}}"#;

#[test]
fn a_status_line_of_claude_tells_what_its_person_uses() {
    let env = TestEnv::new();
    env.config("[providers.claude]\ncommand = \"/bin/true\"\n");
    let ingest = || env.rigs(["tank", "ingest"]);
    insta::assert_snapshot!(ingest().stdin(STATUS_LINE).run(), @r"
    ------- stderr -------
    claude: five_hour, seven_day
    [exit status: 0]
    ");
    insta::assert_snapshot!(ingest().args(["--print"]).stdin(STATUS_LINE).run(), @r"
    5h 76% left until 02:00 | 7d 59% left until 2026-01-04 00:00
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "list"]).run(), @r"
    PROVIDER  HEALTH  LEFT                     WINDOW     RESET                      SOURCE
    claude    green   [######----]  59 % left  seven_day  Sun 00:00 UTC (in 2d 23h)  statusline [duration] ago
    [exit status: 0]
    ");
    // A session that has not spoken yet.
    insta::assert_snapshot!(ingest().args(["--print"]).stdin(r#"{"session_id":"new"}"#).run(), @r"
    5h 76% left until 02:00 | 7d 59% left until 2026-01-04 00:00
    [exit status: 0]
    ");
    insta::assert_snapshot!(ingest().stdin(r#"{"session_id":"new"}"#).run(), @r"
    ------- stderr -------
    claude: nothing about limits in it
    [exit status: 0]
    ");
    let json = env
        .rigs(["--json", "tank", "ingest"])
        .stdin(STATUS_LINE)
        .run()
        .success()
        .json();
    assert_eq!(
        json,
        json!({"providers": [{"provider": "claude", "windows": ["five_hour", "seven_day"], "news": 0}]})
    );
}

#[test]
fn what_cannot_be_taken_in_is_refused() {
    let env = TestEnv::new();
    env.config("[providers.work]\nkind = \"claude\"\n[providers.home]\nkind = \"claude\"\n[providers.mine]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n");
    let ingest = |given: &str| env.rigs(["tank", "ingest"]).stdin(given).run();
    for given in ["", "hello", "{}", r#"{"rate_limits":{"five_hour":"lots"}}"#] {
        drop(ingest(given).exits(2));
    }
    insta::assert_snapshot!(ingest("hello"), @r"
    ------- stderr -------
    error: what is on stdin is not JSON
      hint: `rigs tank ingest --help` shows what is understood
    [exit status: 2]
    ");
    drop(
        env.rigs(["tank", "ingest"])
            .stdin(vec![b' '; (16 << 20) + 1])
            .run()
            .exits(2),
    );
    insta::assert_snapshot!(ingest(STATUS_LINE), @r"
    ------- stderr -------
    error: several providers are of kind claude
      hint: name one of them: home, work
    [exit status: 2]
    ");
    let named = |name: &str| env.rigs(["tank", "ingest", name]).stdin(STATUS_LINE).run();
    insta::assert_snapshot!(named("work"), @r"
    ------- stderr -------
    work: five_hour, seven_day
    [exit status: 0]
    ");
    insta::assert_snapshot!(named("mine"), @r"
    ------- stderr -------
    error: this was said by claude, and the provider `mine` is not of that kind
    [exit status: 2]
    ");
    let codex = r#"{"type":"event_msg","payload":{"type":"token_count","rate_limits":null}}"#;
    insta::assert_snapshot!(ingest(codex), @r"
    ------- stderr -------
    error: no provider of kind codex is enabled
      hint: add [providers.codex] to the configuration
    [exit status: 3]
    ");
}

#[test]
fn github_is_a_tank_that_no_bead_uses() {
    let env = TestEnv::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a call");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
        }
        let body = json!({"resources": {
            "core": {"limit": 5000, "remaining": 1250, "reset": 1_767_229_200, "used": 3750},
            "search": {"limit": 30, "remaining": 30, "reset": 1_767_229_200},
        }});
        let body = body.to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .expect("an answer");
        String::from_utf8(head).expect("text")
    });
    env.config(&format!(
        "[providers.mine]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n\
         [sources]\ngithub = true\ngithub_url = \"http://{address}\"\ngithub_token_env = \"GH\"\n"
    ));
    env.var("GH", "ghp_0123456789012345678901234567890123456789");
    insta::assert_snapshot!(env.rigs(["tank", "refresh", "github"]).run(), @r"
    PROVIDER  SOURCE            SAID
    github    github  answered  core, search
    [exit status: 0]
    ");
    let head = server.join().expect("the server").to_lowercase();
    assert!(head.starts_with("get /rate_limit http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer ghp_"), "{head}");
    insta::assert_snapshot!(env.rigs(["tank", "status", "github"]).run(), @r"
    github
    health        yellow
    left          [###-------]  25 % left
    running       0

    WINDOW     SCOPE    KIND      LENGTH                     USED  RESET                   SOURCE
    search_1m  account  anchored      1m         0 of 30 requests                          github [duration] ago
    core_1h    account  anchored      1h  3,750 of 5,000 requests  01:00 UTC (in [duration])  github [duration] ago
    [exit status: 0]
    ");
    let key = env.query("SELECT count(*) FROM events WHERE payload LIKE '%ghp_0%'");
    assert_eq!(key, ["0"]);
}

/// The reset that was stated, as the store has it.
fn closed_until(flow: &Flow) -> chrono::DateTime<chrono::Utc> {
    let reset = flow.env.query(
        "SELECT json_extract(payload, '$.resets_at') FROM events WHERE type = 'window.closed'",
    );
    reset[0].parse().expect("a reset")
}

#[test]
fn at_a_stated_reset_the_source_is_asked_before_a_run_relies_on_it() {
    let flow = Flow::new("[gate]\ncommands = []");
    let work = json!({"shell": "echo x >> $(basename $PWD).txt"});
    let limit = json!({"claude": {"limit": {"reset_in_s": 2}}});
    let walled = json!({"steps": [{"claude": "start"}, limit]});
    let fake = flow.provider("claude", "claude", &[walled, always(&claude(&[work]))]);
    drop(flow.execute(&[bead("one", &[])]).run().success());
    flow.is_done(1);
    let log: Vec<(bool, u64)> = fake
        .log()
        .iter()
        .map(|call| {
            let at = call["at_ms"].as_u64().expect("a time");
            (call.get("probe").is_some(), at)
        })
        .collect();
    let order: Vec<bool> = log.iter().map(|(probe, _)| *probe).collect();
    assert_eq!(order, [false, true, false], "run, question, run: {log:?}");
    let reset = closed_until(&flow);
    assert!(
        i128::from(log[1].1) >= i128::from(reset.timestamp_millis()),
        "{log:?}"
    );
    assert_eq!(flow.events("source.failed"), 1);
}

#[test]
fn a_limit_that_is_lifted_early_is_found_without_a_run() {
    let flow = Flow::new("[gate]\ncommands = []");
    let work = json!({"shell": "echo x >> $(basename $PWD).txt"});
    let limit = json!({"claude": {"limit": {"reset_in_s": 7200}}});
    let walled = json!({"steps": [{"claude": "start"}, limit]});
    let fake = flow.provider("claude", "claude", &[walled, always(&claude(&[work]))]);
    drop(
        flow.execute(&[bead("one", &[])])
            .args(["--no-wait"])
            .run()
            .exits(75),
    );
    // The status line of its person tells of the next window already.
    let later = closed_until(&flow).timestamp() + 3 * 3600;
    let lifted = json!({"rate_limits": {"five_hour": {"used_percentage": 3, "resets_at": later}}})
        .to_string();
    let told = flow.env.rigs(["tank", "ingest"]).real_time().stdin(lifted);
    drop(told.run().success());
    assert_eq!(fake.calls().len(), 1);
    let tank = flow
        .env
        .rigs(["--json", "tank", "status", "claude"])
        .real_time();
    assert_eq!(tank.run().success().json()["windows"][0]["percent"], 3.0);
    // What waited for it goes on at once.
    drop(flow.goal(["resume", "--no-wait"]).run().success());
    flow.is_done(1);
}
