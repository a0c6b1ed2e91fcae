use super::*;

#[test]
fn a_key_is_not_sent_in_the_clear_to_the_internet() {
    let key = || Some(SecretString::from("sk-something-long"));
    for near in [
        "http://127.0.0.1:1234/v1",
        "http://192.168.1.5/v1",
        "http://gpubox:8000",
        "http://gpubox.local",
        "http://[::1]:1",
        "https://api.example.com/v1/",
    ] {
        assert!(Endpoint::new(near, key()).is_ok(), "{near}");
    }
    for (far, want) in [
        (
            "http://api.example.com/v1",
            "base_url `http://api.example.com/v1`: the key would travel unencrypted; use https",
        ),
        (
            "ftp://x",
            "base_url `ftp://x`: only http and https are supported",
        ),
        (
            "localhost",
            "base_url `localhost`: not a URL; write one such as http://127.0.0.1:8080/v1",
        ),
        (
            "https://me:sk-secretsecret@x",
            "base_url holds a user or password; put the key into api_key_env instead",
        ),
    ] {
        assert_eq!(Endpoint::new(far, key()).unwrap_err().to_string(), want);
    }
    assert!(Endpoint::new("http://api.example.com/v1", None).is_ok());
}

#[test]
fn an_endpoint_shows_neither_key_nor_query() {
    let e = Endpoint::new("https://x/v1/?key=abc#f", Some("sk-something-long".into())).unwrap();
    assert_eq!(format!("{e:?}"), "Endpoint(https://x/v1)");
}

#[test]
fn an_error_body_becomes_its_message_and_its_words() {
    for (body, want) in [
        (
            r#"{"error":{"message":"Rate limit","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "Rate limit (tokens, rate_limit_exceeded)",
        ),
        (r#"{"error":"model 'x' not found"}"#, "model 'x' not found"),
        (
            r#"[{"error":{"code":400,"message":"bad key"}}]"#,
            "bad key (400)",
        ),
        (r#"{"detail":"Not Found"}"#, "Not Found"),
        (
            r#"{"error":{"message":null}}"#,
            r#"{"error":{"message":null}}"#,
        ),
        (
            "<html>\u{1b}[31mBad\r\nGateway</html>",
            "<html>Bad Gateway</html>",
        ),
        ("", ""),
    ] {
        assert_eq!(error_text(body), want);
    }
    assert!(error_text(&"x".repeat(1 << 20)).chars().count() <= MAX_ERROR);
}
