//! Tanks and the overview.

use crate::flow::{Flow, always, bead, claude};
use crate::harness::TestEnv;

const CONFIG: &str = r#"
[providers.claude]
command = "/bin/true"
limits = [ { window = "5h", kind = "anchored", unit = "tokens", amount = 35000 } ]
[providers.codex]
command = "/bin/true"
[providers.off]
kind = "ollama"
enabled = false
"#;

#[test]
fn tanks_show_what_is_known_and_what_is_not() {
    let env = TestEnv::new();
    env.config(CONFIG);
    insta::assert_snapshot!(env.rigs(["tank", "list"]).run(), @r"
    PROVIDER  HEALTH   LEFT                     WINDOW     SOURCE  NOTES
    claude    green    [##########] 100 % left  5h_tokens  ledger
    codex     unknown  [..........] unknown                        one bead at a time until it is known
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "status", "claude"]).run(), @r"
    claude
    health        green
    left          [##########] 100 % left
    running       0

    WINDOW     SCOPE    KIND         LENGTH                USED  SOURCE
    5h_tokens  account  anchored         5h  0 of 35,000 tokens  ledger
    parallel   account  concurrency                 0 of 2 runs  ledger
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "status", "codex"]).run(), @r"
    codex
    health        unknown
    left          [..........] unknown
    running       0

    WINDOW    SCOPE    KIND         LENGTH         USED  SOURCE
    codex_5h  account  percent          5h      unknown  default
    codex_7d  account  percent          7d      unknown  default
    parallel  account  concurrency          0 of 2 runs  ledger
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "tank", "status", "claude"]).run(), @r#"
    {
      "provider": "claude",
      "simulated": false,
      "health": "green",
      "ratio": 1.0,
      "next_reset": null,
      "windows": [
        {
          "id": "5h_tokens",
          "scope": "account",
          "kind": "anchored",
          "unit": "tokens",
          "limit": 35000,
          "used": 0,
          "reserved": 0,
          "percent": 0.0,
          "tokens": null,
          "tokens_between": null,
          "duration_seconds": 18000,
          "resets_at": null,
          "closed_until": null,
          "source": "ledger",
          "observed_at": null,
          "confidence": "high"
        },
        {
          "id": "parallel",
          "scope": "account",
          "kind": "concurrency",
          "unit": "runs",
          "limit": 2,
          "used": 0,
          "reserved": 0,
          "percent": 0.0,
          "tokens": null,
          "tokens_between": null,
          "duration_seconds": null,
          "resets_at": null,
          "closed_until": null,
          "source": "ledger",
          "observed_at": null,
          "confidence": "high"
        }
      ],
      "circuits": [],
      "in_flight": 0,
      "reserve": 0.0,
      "forecast": {
        "window": null,
        "p_exhausted": null,
        "runs_out": null,
        "windows": [
          {
            "id": "5h_tokens",
            "scope": "account",
            "unit": "tokens",
            "resets_at": null,
            "unknown": "it begins with the next use",
            "p_exhausted": null,
            "runs_out": null,
            "total": null,
            "headroom_p90": null
          }
        ]
      }
    }
    [exit status: 0]
    "#);
    insta::assert_snapshot!(env.rigs(["tank", "status", "off"]).run(), @r"
    ------- stderr -------
    error: the provider `off` is disabled
      hint: set `enabled = true` in [providers.off]
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "status", "../x"]).run(), @r"
    ------- stderr -------
    error: invalid value '../x' for '<PROVIDER>': `../x` is not a provider name: use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn a_person_can_correct_a_tank() {
    let env = TestEnv::new();
    env.config(CONFIG);
    let set = [
        "tank",
        "set",
        "codex",
        "--window",
        "5h",
        "--percent",
        "90",
        "--reset",
        "3h",
    ];
    insta::assert_snapshot!(env.rigs(set).run(), @r"
    ------- stderr -------
    codex: the window 5h is set
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "list"]).run(), @r"
    PROVIDER  HEALTH  LEFT                     WINDOW     RESET                  SOURCE
    claude    green   [##########] 100 % left  5h_tokens                         ledger
    codex     red     [#---------]  10 % left  codex_5h   03:00 UTC (in 2h 59m)  manual [duration] ago
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "set", "claude", "50000"]).run(), @r"
    ------- stderr -------
    claude: the window 5h_tokens is set
    [exit status: 0]
    ");
    let tank = env
        .rigs(["--json", "tank", "status", "claude"])
        .run()
        .success()
        .json();
    assert_eq!(tank["windows"][0]["limit"], 50000);
    insta::assert_snapshot!(env.rigs(["tank", "set", "claude", "--window", "9d", "--percent", "5"]).run(), @r"
    ------- stderr -------
    error: claude has no window `9d` (it has: 5h_tokens)
      hint: a new window needs its length and size: TOKENS --window 5h
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "set", "claude"]).run(), @r"
    ------- stderr -------
    error: the following required arguments were not provided:
      <TOKENS>

    Usage: rigs tank set <PROVIDER> <TOKENS>

    For more information, try '--help'.
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "set", "claude", "--percent", "-5"]).run(), @r"
    ------- stderr -------
    error: unexpected argument '-5' found

      tip: to pass '-5' as a value, use '-- -5'

    Usage: rigs tank set [OPTIONS] <PROVIDER> [TOKENS]

    For more information, try '--help'.
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "set", "claude", "--reset", "2020-01-01T00:00:00Z"]).run(), @r"
    ------- stderr -------
    error: --reset must be in the future
    [exit status: 2]
    ");
}

#[test]
fn the_overview_is_one_page() {
    let env = TestEnv::new();
    env.config(CONFIG);
    insta::assert_snapshot!(env.rigs(["status"]).run(), @r#"
    PROVIDER  HEALTH   LEFT                     WINDOW     SOURCE  NOTES
    claude    green    [##########] 100 % left  5h_tokens  ledger
    codex     unknown  [..........] unknown                        one bead at a time until it is known

    Beads
      none yet: `rigs goal execute "..."` or `rigs bead create "..."`

    foreman  none runs; `rigs foreman start` works on what is queued
    today    0 tokens in 0 requests, $0.00
    [exit status: 0]
    "#);
    drop(
        env.rigs(["bead", "create", "one", "--no-repo"])
            .run()
            .success(),
    );
    drop(
        env.rigs(["bead", "create", "two", "--no-repo"])
            .run()
            .success(),
    );
    let status = env.rigs(["--json", "status"]).run().success().json();
    assert_eq!(
        status["beads"],
        serde_json::json!([{ "status": "pending", "count": 2 }])
    );
    assert_eq!(status["today"]["requests"], 0);
    assert_eq!(status["tanks"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_person_can_have_a_closed_window_forgotten() {
    let env = TestEnv::new();
    env.config(CONFIG);
    for window in ["5h", "7d"] {
        let set = ["tank", "set", "codex", "--percent", "100", "--reset", "3h"];
        drop(env.rigs(set).args(["--window", window]).run().success());
    }
    let ratio = |env: &TestEnv| {
        let tank = env.rigs(["--json", "tank", "status", "codex"]).run();
        tank.success().json()["ratio"].clone()
    };
    insta::assert_snapshot!(env.rigs(["tank", "reset", "codex", "--window", "5h"]).run(), @r"
    ------- stderr -------
    codex: the window codex_5h is forgotten
    [exit status: 0]
    ");
    assert_eq!(ratio(&env), 0.0);
    insta::assert_snapshot!(env.rigs(["tank", "reset", "codex"]).run(), @r"
    ------- stderr -------
    codex: 1 closed window is forgotten
    [exit status: 0]
    ");
    assert_eq!(ratio(&env), serde_json::Value::Null);
    insta::assert_snapshot!(env.rigs(["tank", "reset", "codex", "--window", "9d"]).run(), @r"
    ------- stderr -------
    error: codex has no window `9d` (it has: codex_5h, codex_7d)
      hint: `rigs tank status` shows the windows
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "reset", "claude"]).run(), @r"
    ------- stderr -------
    claude: no window was closed
    [exit status: 0]
    ");
}

#[test]
fn costs_say_of_how_many_runs_none_is_known() {
    let env = TestEnv::new();
    env.config(CONFIG);
    insta::assert_snapshot!(env.rigs(["cost"]).run(), @r"
    Nothing was used since 2025-12-02 00:00.
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["cost", "--by", "week"]).run(), @r"
    ------- stderr -------
    error: invalid value 'week' for '--by <WHAT>'
      [possible values: provider, day, convoy]

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn a_tank_of_slots_alone_has_no_limit_to_show() {
    let env = TestEnv::new();
    env.config("[providers.local]\nkind = \"ollama\"\n");
    insta::assert_snapshot!(env.rigs(["tank", "list"]).run(), @r"
    PROVIDER  HEALTH  LEFT
    local     green   no limit
    [exit status: 0]
    ");
}

#[test]
fn costs_are_summed_by_provider_day_and_convoy() {
    let flow = Flow::new("[gate]\ncommands = []");
    let work = serde_json::json!({"shell": "echo x >> $(basename $PWD).txt"});
    let _claude = flow.provider("claude", "claude", &[always(&claude(&[work]))]);
    drop(
        flow.execute(&[bead("one", &[]), bead("two", &[])])
            .run()
            .success(),
    );
    insta::assert_snapshot!(flow.env.rigs(["cost"]).run(), @r"
    PROVIDER  RUNS  REQUESTS  INPUT  OUTPUT  CACHED     COST
    claude       2         2  2,000     200       0  $0.0060

    since 2025-12-02 00:00; cached: tokens read from a cache
    [exit status: 0]
    ");
    insta::assert_snapshot!(flow.env.rigs(["cost", "--by", "convoy"]).run(), @r"
    CONVOY    RUNS  REQUESTS  INPUT  OUTPUT  CACHED     COST  NAME
    cv-00001     2         2  2,000     200       0  $0.0060  the whole goal

    since 2025-12-02 00:00; cached: tokens read from a cache
    [exit status: 0]
    ");
    let by_day = [
        "--json",
        "cost",
        "--by",
        "day",
        "--since",
        "2020-01-01T00:00:00Z",
    ];
    let cost = flow.env.rigs(by_day).real_time().run().success().json();
    assert_eq!(
        (&cost["total"]["runs"], &cost["by"]),
        (&2.into(), &"day".into())
    );
}
