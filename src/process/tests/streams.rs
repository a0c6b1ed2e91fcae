//! Starting, feeding and reading.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn lines_of_both_streams_come_and_then_the_exit() {
    let mut child = start(
        &sh("echo a; echo b >&2; printf 'c\\r\\nlast'; exit 3"),
        "t-lines",
    )
    .expect("it starts");
    assert_eq!(child.pgid() as u32, child.pid());
    let mut got = (Vec::new(), Vec::new());
    let exit = loop {
        match child.next().await {
            Next::Line(Line {
                stream: Stream::Out,
                text,
                cut: false,
            }) => got.0.push(text),
            Next::Line(Line {
                stream: Stream::Err,
                text,
                cut: false,
            }) => got.1.push(text),
            Next::Line(line) => panic!("{line:?}"),
            Next::Exited(exit) => break exit,
        }
    };
    assert_eq!(
        (got.0, got.1, exit),
        (
            vec!["a".into(), "c".into(), "last".into()],
            vec!["b".to_owned()],
            Exit::Code(3),
        )
    );
    assert_eq!(child.next().await, Next::Exited(Exit::Code(3)));
    end(&mut child, "t-lines").await;
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_the_marker() {
    let out = ran(
        &Spec {
            program: "/usr/bin/env".into(),
            args: vec![],
            ..sh("")
        },
        limits(5000, 4096),
    )
    .await;
    let mut names: Vec<&str> = out
        .stdout
        .lines()
        .filter_map(|l| l.split('=').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["PATH", MARKER]);
}

#[tokio::test]
async fn a_child_has_no_open_file_of_ours() {
    let file = fs::File::open("/dev/null").expect("it opens");
    // A descriptor that an earlier program left open for us.
    let open = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD(50)).expect("a copy");
    let out = ran(&sh("ls /proc/self/fd"), limits(5000, 4096)).await;
    nix::unistd::close(open).expect("it closes");
    // The fourth is the folder that ls reads.
    assert_eq!(out.stdout, "0\n1\n2\n3\n");
}

#[tokio::test]
async fn a_large_prompt_reaches_a_child_that_prints_as_much() {
    let prompt = vec![b'x'; 1 << 20];
    let out = ran(&fed("cat", &prompt), limits(10_000, 4 << 20)).await;
    assert_eq!(
        (out.exit, out.stdout.len(), out.cut),
        (Exit::Code(0), 1 << 20, false)
    );
}

#[tokio::test]
async fn a_large_prompt_to_a_child_that_never_reads_is_no_error() {
    let prompt = vec![b'x'; 1 << 20];
    for script in ["exit 0", "exec 0<&-; echo closed; exit 0", "sleep 0.1"] {
        let out = ran(&fed(script, &prompt), limits(10_000, 4096)).await;
        assert_eq!(out.exit, Exit::Code(0), "{script}");
    }
}

#[tokio::test]
async fn an_empty_prompt_is_an_end_of_file() {
    assert_eq!(
        ran(&fed("cat; echo end", b""), limits(5000, 99))
            .await
            .stdout,
        "end\n"
    );
}

#[tokio::test]
async fn a_line_of_five_megabytes_is_cut_and_the_next_one_is_whole() {
    let mut child = start(
        &sh("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo next"),
        "t-long",
    )
    .expect("it starts");
    let Next::Line(long) = child.next().await else {
        panic!("no line")
    };
    assert_eq!((long.text.len(), long.cut), (MAX_LINE, true));
    assert_eq!(
        all(&mut child).await,
        (vec!["next".to_owned()], Exit::Code(0))
    );
    end(&mut child, "t-long").await;
}

#[tokio::test]
async fn huge_output_is_bounded_with_its_head_and_tail() {
    let out = ran(
        &sh("echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last"),
        limits(20_000, 2000),
    )
    .await;
    assert!(out.cut && out.stdout.starts_with("first\nxxx") && out.stdout.ends_with("xxx\nlast\n"));
    assert!(
        out.stdout.contains("\n… 19,998,012 bytes left out …\n"),
        "{}",
        out.stdout
    );
}

#[tokio::test]
async fn a_child_that_closes_its_output_and_lives_is_waited_for() {
    let mut child = start(
        &sh("echo out; exec >&- 2>&-; sleep 0.1; exit 5"),
        "t-closed",
    )
    .expect("it starts");
    assert_eq!(
        all(&mut child).await,
        (vec!["out".to_owned()], Exit::Code(5))
    );
    end(&mut child, "t-closed").await;
}

#[tokio::test]
async fn a_grandchild_that_prints_for_ever_does_not_hold_the_exit_back() {
    let mut child = start(
        &sh("setsid sh -c 'while :; do echo noise; done' & exit 4"),
        "t-noise",
    )
    .expect("it starts");
    assert_eq!(all(&mut child).await.1, Exit::Code(4));
    end(&mut child, "t-noise").await;
}

#[tokio::test]
async fn the_last_lines_are_not_lost_on_a_slow_reader() {
    let mut child = start(&sh("seq 1 5000"), "t-slow").expect("it starts");
    let clock = Clock::system();
    first(&mut child, 1).await;
    // Longer than the time for which the pipes may linger.
    clock.sleep(Duration::from_millis(1200)).await;
    let (lines, exit) = all(&mut child).await;
    assert_eq!(
        (lines.len(), lines.last().map(String::as_str), exit),
        (4999, Some("5000"), Exit::Code(0))
    );
    end(&mut child, "t-slow").await;
}

#[tokio::test]
async fn next_may_be_cancelled_without_losing_a_line() {
    let mut child = start(
        &sh("for i in 1 2 3 4 5; do printf a; sleep 0.02; echo b; done"),
        "t-cancel",
    )
    .expect("it starts");
    let clock = Clock::system();
    let mut lines = Vec::new();
    let exit = loop {
        match clock.timeout(Duration::from_millis(7), child.next()).await {
            None => {}
            Some(Next::Line(line)) => lines.push(line.text),
            Some(Next::Exited(exit)) => break exit,
        }
    };
    assert_eq!((lines, exit), (vec!["ab".to_owned(); 5], Exit::Code(0)));
    end(&mut child, "t-cancel").await;
}

#[tokio::test]
async fn bytes_that_are_no_text_become_replacement_characters() {
    let out = ran(&sh("printf 'a\\377b\\n'"), limits(5000, 99)).await;
    assert_eq!(out.stdout, "a\u{fffd}b\n");
}

#[test]
fn what_cannot_be_started_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        path
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let error = |program: &Path, cwd: &Path| {
        let spec = Spec {
            program: program.into(),
            cwd: cwd.into(),
            ..sh("")
        };
        start(&spec, "t-none")
            .expect_err("it does not start")
            .to_string()
    };
    let at = |name: &str| dir.path().join(name);
    let here = Path::new("/");
    assert_eq!(
        error(&at("missing"), here),
        format!("program `{}` not found", at("missing").display())
    );
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let script = file("script", "#!/no/such/interpreter\n", 0o755);
    for program in [plain.as_path(), &script, dir.path()] {
        assert_eq!(
            error(program, here),
            format!("`{}` cannot be executed", program.display())
        );
    }
    assert_eq!(
        error(Path::new("/bin/sh"), &at("nowhere")),
        format!("no folder `{}` to run in", at("nowhere").display())
    );
    let big = Spec {
        args: vec!["x".repeat(200_000).into()],
        ..sh("")
    };
    assert!(matches!(
        start(&big, "t-none"),
        Err(ProcessError::TooBig { .. })
    ));
}
