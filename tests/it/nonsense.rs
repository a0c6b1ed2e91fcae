//! Goals that make no sense, in places that cannot be worked in: a clear error, the right exit
//! code, and a store that is as usable as before.

use crate::harness::TestEnv;

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.program("agent", "cat > /dev/null\necho done\n");
    env.config("[providers.agent]\nkind = \"command\"\ncommand = [\"agent\"]\n");
    env
}

#[test]
fn a_goal_without_words_is_refused() {
    let env = env();
    for goal in ["", "  \n\t", "\u{1b}[2J\u{200b}"] {
        let refused = env
            .rigs(["goal", "execute", "--no-repo", "-y", goal])
            .run()
            .exits(2);
        assert!(refused.stderr.contains("the goal is empty"), "{refused}");
    }
    let long = "x".repeat((1 << 20) + 1);
    let refused = env
        .rigs(["goal", "execute", "--no-repo", "-y", "-"])
        .stdin(long)
        .run()
        .exits(2);
    assert!(refused.stderr.contains("longer than 1 MiB"), "{refused}");
    let list = env
        .rigs(["convoy", "list", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(list, serde_json::json!([]));
}

#[test]
fn odd_words_stay_words() {
    let env = env();
    let megabyte = "word ".repeat(200_000);
    for goal in [
        "--version; rm -rf /",
        "say \"it's $HOME\" `now`",
        "two\nlines\r\nand \u{1b}]0;title\u{7}more",
        &megabyte,
    ] {
        let run = env
            .rigs(["goal", "execute", "--no-repo", "-y", "-"])
            .stdin(goal);
        let done = run.run().success();
        assert!(
            !done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'),
            "{done}"
        );
    }
}

#[test]
fn a_place_that_cannot_be_worked_in_is_named() {
    let env = env();
    let unborn = env.empty_repo("unborn");
    let detached = env.repo("detached");
    detached.git(["checkout", "--quiet", "--detach"]);
    for (repo, word) in [
        (&unborn, "no commit"),
        (&detached, "HEAD is not on a branch"),
    ] {
        let run = env
            .rigs(["goal", "execute", "make the tests pass", "-y"])
            .dir(repo.root());
        let refused = run.run().exits(4);
        assert!(refused.stderr.contains(word), "{refused}");
        assert!(refused.stderr.contains("hint:"), "{refused}");
    }
    let nowhere = env
        .rigs(["goal", "execute", "x", "-y", "--repo", "/"])
        .run()
        .exits(4);
    assert!(
        nowhere.stderr.contains("not in a git repository"),
        "{nowhere}"
    );
}

#[test]
fn a_provider_that_cannot_run_is_said_before_anything_is_stored() {
    let env = TestEnv::new();
    env.write("agent", "not a program");
    let path = env.root().join("agent");
    env.config(&format!(
        "[providers.agent]\nkind = \"command\"\ncommand = [\"{}\"]\n",
        path.display()
    ));
    let refused = env
        .rigs(["goal", "execute", "x", "--no-repo", "-y"])
        .run()
        .exits(7);
    assert!(refused.stderr.contains("not executable"), "{refused}");
    let list = env
        .rigs(["convoy", "list", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(list, serde_json::json!([]));
}
