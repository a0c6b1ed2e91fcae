//! Forecasts and their scores.

use crate::harness::TestEnv;

/// The first days of a history of six weeks.
fn history(uses: usize) -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/histories/101.jsonl"
    );
    let text = std::fs::read_to_string(path).expect("the history is there");
    let lines: Vec<&str> = text.lines().take(uses + 1).collect();
    lines.join("\n")
}

#[test]
fn a_backtest_scores_the_past_against_climatology_and_linear_pace() {
    let env = TestEnv::new();
    let file = env.write("history.jsonl", history(500));
    let file = file.to_str().expect("a path of text");
    insta::assert_snapshot!(env.rigs(["tank", "backtest", "history.jsonl"]).run(), @r"
    history.jsonl: 500 uses
    WINDOW  STRETCHES  MOMENTS     WIS  CLIMATOLOGY  LINEAR  BETTER  P90 COVERS  CLIMATOLOGY   BRIER
    5h              5      145  0.4524       0.6517  0.5761  30.6 %      76.5 %       60.7 %  0.1267
    7d              0        0       -            -       -       -           -            -       -
    all             5      145  0.4524       0.6517  0.5761  30.6 %      76.5 %       60.7 %  0.1267
    skill 0.215 over linear pace, climatology -0.131; 30.6 % better than climatology; p90 covers 76.5 %

    WIS: weighted interval score as a share of the limit, less is better. BETTER: than climatology.
    P90 COVERS: how often the total was not above the 90 % quantile; 90 % is right.
    [exit status: 0]
    ");
    let json = env.rigs(["--json", "tank", "backtest", file]).run();
    let reports = json.success().json();
    assert_eq!(
        reports[0]["windows"][0],
        serde_json::json!({
            "window": "5h",
            "instances": 5,
            "moments": 145,
            "wis": 0.4524,
            "wis_climatology": 0.6517,
            "wis_linear": 0.5761,
            "skill_climatology": 0.3058,
            "skill_linear": 0.2146,
        "skill_linear_climatology": -0.1313,
            "coverage_p90": 0.7655,
            "coverage_p90_climatology": 0.6069,
            "brier": 0.1267,
            "brier_climatology": 0.2609,
            "exhausted": 0.6,
        })
    );
}

#[test]
fn a_backtest_says_what_is_wrong_with_a_file() {
    let env = TestEnv::new();
    env.write("empty.jsonl", "");
    env.write("short.jsonl", history(20));
    env.write(
        "bad.jsonl",
        history(20) + "\n{\"at\": \"2026-09-30T00:00:00Z\"}",
    );
    insta::assert_snapshot!(env.rigs(["tank", "backtest", "empty.jsonl"]).run(), @r"
    ------- stderr -------
    error: `empty.jsonl` is no history of token use: it is empty
      hint: `rigs tank backtest --help` shows the form
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "backtest", "short.jsonl"]).run(), @r"
    ------- stderr -------
    error: `short.jsonl` is too short: no window has three stretches that are over
      hint: a window is tested from its third stretch on; give a longer history
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "backtest", "bad.jsonl"]).run(), @r#"
    ------- stderr -------
    error: `bad.jsonl` is no history of token use: line 22: missing field `tokens` at column 30; it must be {"at": TIME, "tokens": N}, or [MS, N] with the milliseconds after the use before
      hint: `rigs tank backtest --help` shows the form
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.rigs(["tank", "backtest", "missing.jsonl"]).run(), @r"
    ------- stderr -------
    error: `missing.jsonl` cannot be read: No such file or directory (os error 2)
    [exit status: 2]
    ");
}

const CONFIG: &str = r#"
[providers.claude]
command = "/bin/true"
limits = [
    { window = "5h", kind = "anchored", unit = "tokens", amount = 60000 },
    { window = "1m", kind = "refill", unit = "requests", amount = 50 },
]
[providers.codex]
command = "/bin/true"
"#;

#[test]
fn without_a_past_a_forecast_says_why_there_is_none() {
    let env = TestEnv::new();
    env.config(CONFIG);
    insta::assert_snapshot!(env.rigs(["tank", "forecast"]).run(), @r"
    PROVIDER  WINDOW       NOTES
    claude    5h_tokens    it begins with the next use
    claude    1m_requests  it fills up steadily
    codex     codex_5h     its size is not known yet
    codex     codex_7d     its size is not known yet
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "forecast", "codex", "--json"]).run(), @r#"
    [
      {
        "provider": "codex",
        "forecast": {
          "window": null,
          "p_exhausted": null,
          "runs_out": null,
          "windows": [
            {
              "id": "codex_5h",
              "scope": "account",
              "unit": "tokens",
              "resets_at": null,
              "unknown": "its size is not known yet",
              "p_exhausted": null,
              "runs_out": null,
              "total": null,
              "headroom_p90": null
            },
            {
              "id": "codex_7d",
              "scope": "account",
              "unit": "tokens",
              "resets_at": null,
              "unknown": "its size is not known yet",
              "p_exhausted": null,
              "runs_out": null,
              "total": null,
              "headroom_p90": null
            }
          ]
        }
      }
    ]
    [exit status: 0]
    "#);
    insta::assert_snapshot!(env.rigs(["tank", "forecast", "none"]).run(), @r"
    ------- stderr -------
    error: no provider `none`
      hint: `rigs provider list` shows them
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["tank", "backtest"]).run(), @r"
    claude tokens: 0 uses
    WINDOW     STRETCHES  MOMENTS  WIS  CLIMATOLOGY  LINEAR  BETTER  P90 COVERS  CLIMATOLOGY  BRIER
    5h_tokens          0        0    -            -       -       -           -            -      -
    all                0        0    -            -       -       -           -            -      -

    WIS: weighted interval score as a share of the limit, less is better. BETTER: than climatology.
    P90 COVERS: how often the total was not above the 90 % quantile; 90 % is right.
    [exit status: 0]
    ");
}
