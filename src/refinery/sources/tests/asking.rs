//! Who is asked, how often, and that nobody waits for anybody else.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn one_source_that_hangs_or_fails_spoils_no_other() {
    let mut stage = Stage::new().await;
    stage.program("codex", CODEX);
    stage.program(
        "claude",
        "case $1 in auth) echo '{\"loggedIn\":false}'; exit 1;; esac; sleep 600",
    );
    stage.provider("codex", ProviderSettings::default());
    stage.provider("claude", ProviderSettings::default());
    let asked = stage.refresh(Asker::Person);
    // Time goes on when everything else has been kept.
    let patience = async {
        let clock = Clock::system();
        while stage.events(EventType::SourceFailed).await.len() < 2
            || stage.events(EventType::SourceAnswered).await.is_empty()
        {
            clock.sleep(Duration::from_millis(5)).await;
        }
        stage.t.time.advance(Duration::from_mins(1));
    };
    let (told, ()) = tokio::join!(asked, patience);
    assert_eq!(
        told,
        [
            "claude usage: no answer within 20s",
            "claude login: not logged in; run `claude` once and log in",
            "codex app-server: codex; plan plus",
            "codex rollout: there is nothing to read: codex has no sessions of the last days",
        ]
    );
    assert_eq!(
        stage.windows("codex").await,
        ["codex_5h 42 app-server high"]
    );
    let failed = stage.events(EventType::SourceFailed).await;
    let mut failed: Vec<_> = failed.iter().map(|e| e["source"].to_string()).collect();
    failed.sort();
    assert_eq!(failed, [r#""login""#, r#""rollout""#, r#""usage""#]);
}

#[tokio::test]
async fn how_often_a_source_is_asked_is_remembered_by_the_store() {
    let mut stage = Stage::new().await;
    stage.program("codex", CODEX);
    stage.provider("codex", ProviderSettings::default());
    let answer = "codex app-server: codex; plan plus";
    assert_eq!(stage.refresh(Asker::Person).await[0], answer);
    stage.t.time.advance(Duration::from_secs(20));
    assert_eq!(
        stage.refresh(Asker::Insistent).await[0],
        "codex app-server: waits 10s false"
    );
    stage.t.time.advance(Duration::from_secs(20));
    assert_eq!(
        stage.refresh(Asker::Person).await[0],
        "codex app-server: waits 80s true"
    );
    assert_eq!(stage.refresh(Asker::Insistent).await[0], answer);
}

#[tokio::test]
async fn two_that_refresh_at_once_ask_once() {
    let mut stage = Stage::new().await;
    stage.program("codex", &format!("echo x >> \"$HOME/asked\"\n{CODEX}"));
    stage.provider("codex", ProviderSettings::default());
    let (a, b) = tokio::join!(stage.refresh(Asker::Person), stage.refresh(Asker::Person));
    let waited = [a, b]
        .concat()
        .iter()
        .filter(|t| t.contains("app-server: waits"))
        .count();
    let asked = std::fs::read_to_string(stage.dir.path().join("asked")).unwrap();
    assert_eq!((waited, asked.as_str()), (1, "x\n"));
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_left_alone_as_long_as_it_says() {
    let mut stage = Stage::new().await;
    let page = r#"{"five_hour":{"utilization":42,"resets_at":"2026-11-20T10:00:00Z"}}"#;
    let mut server = Server::new(vec![
        json_reply("429 Too Many Requests", "retry-after: 0\r\n", "{}"),
        json_reply("429 Too Many Requests", "retry-after: 1200\r\n", "{}"),
        json_reply("200 OK", "", page),
    ]);
    std::fs::write(
        stage.dir.path().join(".credentials.json"),
        r#"{"claudeAiOauth":{"accessToken":"a-token-nobody-may-see"}}"#,
    )
    .unwrap();
    let file = stage.dir.path().join(".credentials.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    stage.program(
        "claude",
        "echo '{\"loggedIn\":true,\"authMethod\":\"claude.ai\"}'",
    );
    stage.provider(
        "claude",
        ProviderSettings {
            base_url: Some(server.url()),
            config_home: Some(stage.dir.path().to_owned()),
            allow_token_reading: true,
            ..ProviderSettings::default()
        },
    );
    for (minutes, want) in [
        (0, "it answers no more for now, 300s"),
        (4, "waits 60s false"),
        (1, "it answers no more for now, 1200s"),
        (19, "waits 60s false"),
        (1, "five_hour"),
    ] {
        stage.t.time.advance(Duration::from_mins(minutes));
        let told = stage.refresh(Asker::Insistent).await;
        assert_eq!(told[1], format!("claude oauth: {want}"));
    }
    let first = server.request().await;
    assert_eq!(first.line(), "GET /api/oauth/usage HTTP/1.1");
    assert_eq!(
        ["authorization", "anthropic-beta", "user-agent"].map(|name| first.header(name)),
        [
            Some("Bearer a-token-nobody-may-see"),
            Some("oauth-2025-04-20"),
            Some("claude-code/2.1.328")
        ]
    );
    let failures = stage.events(EventType::SourceFailed).await;
    assert!(!format!("{failures:?}").contains("nobody-may-see"));
}

#[tokio::test]
async fn services_are_asked_beside_their_models_and_github_is_a_tank_without_beads() {
    let mut stage = Stage::new().await;
    let key = r#"{"data":{"limit":5,"limit_remaining":4.5,"limit_reset":null}}"#;
    let balance =
        r#"{"is_available":true,"balance_infos":[{"currency":"USD","total_balance":"7.25"}]}"#;
    let limits = r#"{"resources":{"core":{"limit":5000,"remaining":4000,"reset":1795168800}}}"#;
    let mut openrouter = Server::new(vec![json_reply("200 OK", "", key)]);
    let mut deepseek = Server::new(vec![json_reply("200 OK", "", balance)]);
    let mut github = Server::new(vec![json_reply("200 OK", "", limits)]);
    let mut ollama = Server::new(vec![
        json_reply("200 OK", "", r#"{"version":"0.13.0"}"#),
        json_reply("500 Oops", "", "{}"),
    ]);
    stage.vars.push(("KEY".into(), "a-key".into()));
    let service = |url: String| ProviderSettings {
        kind: Some(ProviderKind::Openai),
        base_url: Some(url),
        api_key_env: Some("KEY".into()),
        ..ProviderSettings::default()
    };
    stage.provider(
        "openrouter",
        service(format!("{}/api/v1", openrouter.url())),
    );
    stage.provider("deepseek", service(format!("{}/v1", deepseek.url())));
    stage.provider(
        "ollama",
        ProviderSettings {
            base_url: Some(ollama.url()),
            ..ProviderSettings::default()
        },
    );
    stage.settings.sources.github = true;
    stage.settings.sources.github_url = github.url();
    let told = stage.refresh(Asker::Person).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(
        [&told[0], &told[1], &told[3]],
        [
            "deepseek deepseek: balance; 7.25 USD",
            "github github: core",
            "openrouter openrouter: credit"
        ]
    );
    assert!(told[2].contains("answered 500"), "{}", told[2]);
    assert_eq!(
        openrouter.request().await.line(),
        "GET /api/v1/key HTTP/1.1"
    );
    let asked = deepseek.request().await;
    assert_eq!(
        (asked.line(), asked.header("authorization")),
        ("GET /user/balance HTTP/1.1", Some("Bearer a-key"))
    );
    let asked = github.request().await;
    assert_eq!(
        (asked.line(), asked.header("authorization")),
        ("GET /rate_limit HTTP/1.1", None)
    );
    drop(ollama.request().await);
    assert_eq!(stage.windows("github").await, ["core_1h 20 github high"]);
    assert_eq!(stage.windows("deepseek").await, ["balance 0 deepseek high"]);
    assert_eq!(
        stage.windows("openrouter").await,
        ["credit 10 openrouter high"]
    );
}
