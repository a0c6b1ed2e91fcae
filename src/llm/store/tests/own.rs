//! The user's own files, damage, names.

use pretty_assertions::assert_eq;

use super::super::*;
use super::*;

#[tokio::test]
async fn the_users_own_file_is_taken_in_and_preferred() {
    let bench = Bench::new();
    let bytes = gguf("llama", 5000);
    let server = Server::new(vec![whole(&bytes)]);
    bench
        .pull(&published(&bytes, vec![https(&server)]), None)
        .await
        .unwrap();

    let own = bench
        .add("My Model (Q4).gguf", &gguf("qwen2", 100))
        .await
        .unwrap();
    assert_eq!(
        (own.name.as_str(), own.origin, own.architecture.as_str()),
        ("my-model--q4", Origin::Added, "qwen2")
    );
    assert_eq!(bench.store.choose(None).unwrap(), Some(own.clone()));
    assert_eq!(
        bench.store.choose(Some("tiny")).unwrap().map(|m| m.name),
        Some("tiny".into())
    );

    // Again: the same file is no change (also when it was written again, which the link to it
    // makes look damaged), another one of that name is refused.
    assert_eq!(
        bench
            .add("My Model (Q4).gguf", &gguf("qwen2", 100))
            .await
            .unwrap()
            .sha256,
        own.sha256
    );
    let other = bench
        .add("my model [q4].gguf", &gguf("qwen2", 101))
        .await
        .unwrap_err();
    assert_eq!(
        other.to_string(),
        "a different model named `my-model--q4` is here already"
    );

    let stop = CancellationToken::new();
    bench
        .store
        .remove(&own.name, &bench.clock, &stop)
        .await
        .unwrap();
    assert!(bench.dir.path().join("My Model (Q4).gguf").exists());
    let gone = bench.store.find(&own.name).unwrap_err();
    assert_eq!(
        gone.to_string(),
        "no model `my-model--q4` here (there are: tiny)"
    );
}

#[tokio::test]
async fn what_is_not_a_whole_model_is_not_taken_in() {
    let bench = Bench::new();
    let good = gguf("llama", 1000);
    let old = [&b"GGUF\x01\0\0\0"[..], &good[8..]].concat();
    let huge = [&good[..8], &[255; 16][..], &good[24..]].concat();
    for (bytes, want) in [
        (&b""[..], "it ends in the middle of its header"),
        (b"PK\x03\x04", "it does not begin with GGUF"),
        (&old, "it has a version of GGUF other than 2 and 3"),
        (&huge, "its header is too large"),
        (&good[..100], "it ends in the middle of its header"),
        (
            &good[..good.len() - 9],
            "it is cut off: at least 9 bytes are missing",
        ),
    ] {
        let error = bench.add("x.gguf", bytes).await.unwrap_err().to_string();
        let path = bench.dir.path().join("x.gguf");
        assert_eq!(
            error,
            format!("`{}` is not a usable GGUF model: {want}", path.display())
        );
    }
    let stop = CancellationToken::new();
    let folder = bench
        .store
        .add(bench.dir.path(), &|_| {}, &bench.clock, &stop)
        .await;
    assert!(
        folder
            .unwrap_err()
            .to_string()
            .ends_with("it is not a regular file")
    );
}

#[tokio::test]
async fn a_damaged_file_is_said_and_fetched_again() {
    let bench = Bench::new();
    let bytes = gguf("llama", 5000);
    let server = Server::new(vec![whole(&bytes), whole(&bytes)]);
    let tiny = published(&bytes, vec![https(&server)]);
    let model = bench.pull(&tiny, None).await.unwrap();

    std::fs::write(&model.path, &bytes[..3000]).unwrap();
    let want = format!(
        "its file has 3,000 bytes instead of {}",
        thousands(bytes.len() as u64)
    );
    assert_eq!(bench.store.find("tiny").unwrap().broken, Some(want.clone()));
    assert_eq!(bench.store.choose(None).unwrap(), None);
    let error = bench.store.choose(Some("tiny")).unwrap_err().to_string();
    assert_eq!(error, format!("model `tiny` is damaged: {want}"));
    assert_eq!(bench.pull(&tiny, None).await.unwrap().broken, None);

    std::fs::remove_file(&model.path).unwrap();
    let broken = bench.store.find("tiny").unwrap().broken.unwrap();
    assert!(broken.starts_with("its file cannot be read"), "{broken}");
}

#[tokio::test]
async fn a_broken_or_newer_manifest_is_said() {
    let bench = Bench::new();
    disk::create_dir(&bench.store.dir).unwrap();
    let path = bench.store.dir.join("manifest.json");
    let entry = r#"{"name":"../../etc/x","sha256":"","size_bytes":1,"modified_at":"2026-11-20T08:00:00Z","architecture":"llama","context":null,"origin":"added","added_at":"2026-11-20T08:00:00Z"}"#;
    for (text, want) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        (r#"{"version":2,"models":[]}"#, "a newer rigs wrote it"),
        (
            &format!(r#"{{"version":1,"models":[{entry}]}}"#),
            "`../../etc/x` is no name of a model",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = bench.store.list().unwrap_err().to_string();
        assert_eq!(error, format!("cannot read `{}`: {want}", path.display()));
    }
}

#[test]
fn names_are_made_of_file_names() {
    for (file, want) in [
        (
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "smollm2-135m-instruct.q4_1",
        ),
        ("/a/b/../Ünï cödé\u{1b}[2J.gguf", "n--c-d---2j"),
        ("-rf.gguf", "rf"),
        ("...", "model"),
    ] {
        assert_eq!(name_of(Path::new(file)), want, "{file}");
        let name = name_of(Path::new(file));
        assert_eq!(name_of(Path::new(&format!("{name}.gguf"))), name);
    }
}
