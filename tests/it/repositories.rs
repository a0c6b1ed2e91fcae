//! Commands that look into repositories, and repositories that nothing can start from.

use crate::harness::{TestEnv, TestRepo};

/// A convoy on this repository with finished work on its branch: its id.
fn finished(env: &TestEnv, repo: &TestRepo) -> String {
    let convoy = env
        .rigs(["convoy", "create", "a change"])
        .dir(repo.root())
        .run()
        .success();
    let id = convoy.line().to_owned();
    repo.git(["switch", "--quiet", "-c", &format!("rigs/{id}")]);
    repo.file("new.txt", "new\n");
    repo.commit("the change");
    repo.git(["switch", "--quiet", "main"]);
    id
}

#[test]
fn a_bead_in_a_repository_gets_a_convoy_that_starts_from_its_branch() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    std::fs::create_dir(repo.root().join("sub")).unwrap();
    let bead = env
        .rigs(["bead", "create", "change it", "--json"])
        .dir(repo.root().join("sub"))
        .run()
        .success()
        .json();
    let convoy = bead["convoy_id"].as_str().unwrap().to_owned();
    let shown = env
        .rigs(["convoy", "show", &convoy, "--json"])
        .run()
        .success()
        .json();
    assert_eq!(
        shown["repo"],
        repo.root().canonicalize().unwrap().to_str().unwrap()
    );
    assert_eq!(shown["base_branch"], "main");
    assert_eq!(shown["base_commit"], repo.commit_of("HEAD"));
    assert_eq!(shown["branch"], format!("rigs/{convoy}"));
    // The repository itself is as it was.
    assert_eq!(repo.branches(), ["main"]);
    let text = env
        .rigs(["bead", "create", "write", "--no-repo", "--json"])
        .dir(repo.root())
        .run()
        .success()
        .json();
    assert!(text["convoy_id"].is_null());
    repo.file("README.md", "changed");
    insta::assert_snapshot!(env.rigs(["convoy", "create", "x", "--repo", "project"]).run(), @r"
    cv-00004
    ------- stderr -------
    warning: $ROOT/project has uncommitted changes: the work starts from the last commit of main
    [exit status: 0]
    ");
    let id = bead["id"].as_str().unwrap();
    insta::assert_snapshot!(env.rigs(["bead", "diff", id]).run(), @r"
    ------- stderr -------
    error: gt-00001 has left no work yet
    [exit status: 4]
    ");
}

#[test]
fn repositories_that_nothing_can_start_from_are_refused() {
    let env = TestEnv::new();
    let create = |dir: &str| env.rigs(["bead", "create", "x", "--repo", dir]).run();
    std::fs::create_dir(env.root().join("plain")).unwrap();
    insta::assert_snapshot!(create("plain"), @r"
    ------- stderr -------
    error: `$ROOT/plain` is not in a git repository
      hint: `git init` makes it one; --no-repo is for text work
    [exit status: 4]
    ");
    insta::assert_snapshot!(create("missing"), @r"
    ------- stderr -------
    error: no folder $ROOT/missing
    [exit status: 2]
    ");
    let empty = env.empty_repo("empty");
    insta::assert_snapshot!(create("empty"), @r#"
    ------- stderr -------
    error: branch `main` has no commit yet
      hint: make a first commit: `git commit --allow-empty -m "start"`
    [exit status: 4]
    "#);
    drop(empty);
    let detached = env.repo("detached");
    detached.git(["checkout", "--quiet", "--detach"]);
    insta::assert_snapshot!(create("detached"), @r"
    ------- stderr -------
    error: HEAD is not on a branch but on commit [commit]
      hint: `git switch` to the branch that the work should start from
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "bead", "create", "x"]).dir(detached.root()).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"not_possible","message":"HEAD is not on a branch but on commit [commit]","causes":[],"hints":["`git switch` to the branch that the work should start from"]}}
    [exit status: 4]
    "#);
    assert_eq!(
        env.rigs(["--json", "bead", "list"]).run().success().json(),
        serde_json::json!([])
    );
}

#[test]
fn what_a_convoy_would_land_can_be_looked_at() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    let id = finished(&env, &repo);
    // What the person does meanwhile is not the convoy's.
    repo.file("mine.txt", "mine\n");
    repo.commit("my own");
    insta::assert_snapshot!(env.rigs(["convoy", "diff", &id]).run(), @r"
    diff --git a/new.txt b/new.txt
    new file mode 100644
    index 0000000..[commit]
    --- /dev/null
    +++ b/new.txt
    @@ -0,0 +1 @@
    +new
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["convoy", "diff", &id, "--stat"]).run(), @r"
    CHANGE  ADDED  DELETED  FILE
    added   1      0        new.txt

    the change

    1 file, 1 added and 0 deleted lines
    [exit status: 0]
    ");
    let answer = env
        .rigs(["--json", "convoy", "diff", &id])
        .run()
        .success()
        .json();
    assert_eq!(answer["to"], repo.commit_of(&format!("rigs/{id}")));
    assert_eq!(
        answer["files"],
        serde_json::json!([{"path": "new.txt", "added": 1, "deleted": 0, "change": "added"}])
    );
    let new = env
        .rigs(["convoy", "create", "not begun"])
        .dir(repo.root())
        .run()
        .success();
    insta::assert_snapshot!(env.rigs(["convoy", "diff", new.line()]).run(), @r"
    ------- stderr -------
    error: the branch rigs/cv-00002 does not exist, so nothing was merged yet
    [exit status: 4]
    ");
    let text = env
        .rigs(["convoy", "create", "text", "--no-repo"])
        .run()
        .success();
    insta::assert_snapshot!(env.rigs(["convoy", "diff", text.line()]).run(), @r"
    ------- stderr -------
    error: cv-00003 works on no repository
      hint: `rigs bead show ID` has the output of each bead
    [exit status: 4]
    ");
}

#[test]
fn finished_work_lands_on_the_branch_it_started_from() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    let id = finished(&env, &repo);
    insta::assert_snapshot!(env.rigs(["convoy", "land", &id]).run(), @r"
    ------- stderr -------
    main is at the work of cv-00001 now ([commit])
    [exit status: 0]
    ");
    assert_eq!(repo.read("new.txt"), "new\n");
    insta::assert_snapshot!(env.rigs(["convoy", "land", &id]).run(), @r"
    ------- stderr -------
    main has all of cv-00001 already
    [exit status: 0]
    ");
    let shown = env
        .rigs(["--json", "convoy", "show", &id])
        .run()
        .success()
        .json();
    assert_eq!(shown["landed_commit"], repo.commit_of("HEAD"));
}

#[test]
fn finished_work_goes_to_a_branch_for_a_pull_request() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    let id = finished(&env, &repo);
    let base = repo.commit_of("main");
    let land = |name: &str| env.rigs(["convoy", "land", &id, "--branch", name]).run();
    insta::assert_snapshot!(land("my-change"), @r"
    a change

    ------- stderr -------
    my-change is at the work of cv-00001 now ([commit])
    `git push -u origin my-change` and open a pull request to main with the text above
    [exit status: 0]
    ");
    assert_eq!(repo.commit_of("main"), base);
    assert_eq!(
        repo.commit_of("my-change"),
        repo.commit_of(&format!("rigs/{id}"))
    );
    assert_eq!(repo.git(["branch", "--show-current"]), "main");
    // The person pushes it, with their own git.
    let remote = env.root().join("remote.git");
    repo.git(["init", "--quiet", "--bare", remote.to_str().unwrap()]);
    repo.git(["push", "--quiet", remote.to_str().unwrap(), "my-change"]);
    // More work comes on top of what is there, also of the person's.
    repo.git(["switch", "--quiet", "my-change"]);
    repo.file("review.txt", "as asked for\n");
    let mine = repo.commit("an answer to the review");
    repo.git(["switch", "--quiet", &format!("rigs/{id}")]);
    repo.file("more.txt", "more\n");
    repo.commit("more of the change");
    repo.git(["switch", "--quiet", "main"]);
    drop(land("my-change").success());
    repo.git(["merge-base", "--is-ancestor", &mine, "my-change"]);
    assert_eq!(repo.show("my-change", "more.txt"), "more");
    for (name, code) in [
        ("rigs/x", 4),
        ("--upload-pack=x", 2),
        ("a..b", 2),
        ("refs/heads/x", 2),
    ] {
        let args = ["convoy", "land", &id, &format!("--branch={name}")];
        drop(env.rigs(args).run().exits(code));
    }
    assert_eq!(repo.commit_of("main"), base);
}

#[test]
fn work_of_the_person_is_never_overwritten_by_a_landing() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    let id = finished(&env, &repo);
    repo.file("README.md", "my own change\n");
    insta::assert_snapshot!(env.rigs(["convoy", "land", &id]).run(), @r"
    ------- stderr -------
    error: $ROOT/project has changes of its own: README.md
      hint: commit or stash them, then land again
    [exit status: 4]
    ");
    repo.git(["checkout", "--quiet", "README.md"]);
    repo.file("new.txt", "mine\n");
    repo.commit("a conflicting change");
    insta::assert_snapshot!(env.rigs(["convoy", "land", &id]).run(), @r"
    ------- stderr -------
    error: rigs/cv-00001 conflicts with main in new.txt
      hint: `git merge rigs/cv-00001` and resolve them by hand
    [exit status: 4]
    ");
    assert_eq!(repo.read("new.txt"), "mine\n");
}

#[test]
fn unfinished_work_lands_only_when_asked_for() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    let id = finished(&env, &repo);
    drop(
        env.rigs(["bead", "create", "more", "--convoy", &id])
            .run()
            .success(),
    );
    insta::assert_snapshot!(env.rigs(["convoy", "land", &id]).run(), @r"
    ------- stderr -------
    error: 1 bead is of cv-00001 not completed
      hint: `rigs convoy show cv-00001` lists them; --partial lands what is finished
    [exit status: 4]
    ");
    drop(
        env.rigs(["convoy", "land", &id, "--partial"])
            .run()
            .success(),
    );
    assert_eq!(repo.read("new.txt"), "new\n");
    let text = env
        .rigs(["convoy", "create", "text", "--no-repo"])
        .run()
        .success();
    insta::assert_snapshot!(env.rigs(["convoy", "land", text.line()]).run(), @r"
    ------- stderr -------
    error: cv-00003 works on no repository, so there is nothing to land
      hint: `rigs bead show ID` has the output of each bead
    [exit status: 4]
    ");
}

#[test]
fn what_a_bead_did_can_be_looked_at() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    repo.failing_script();
    env.config(
        "[providers.fix]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > /dev/null; echo working; echo 42 > answer.txt\"]\n",
    );
    let goal = [
        "goal",
        "execute",
        "make the test pass",
        "-y",
        "--gate",
        "sh test.sh",
    ];
    drop(env.rigs(goal).dir(repo.root()).real_time().run().success());
    let beads = env.rigs(["--json", "bead", "list"]).run().success().json();
    let id = beads[0]["id"].as_str().unwrap();
    insta::assert_snapshot!(env.rigs(["bead", "logs", id]).run(), @r"
    working
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "logs", id, "--json", "--follow"]).run(), @r#"
    {"type":"line","text":"working"}
    [exit status: 0]
    "#);
    insta::assert_snapshot!(env.rigs(["bead", "logs", id, "--attempt", "7"]).run(), @r"
    ------- stderr -------
    error: gt-00002 has no attempt 7
      hint: `rigs bead show gt-00002` lists its attempts
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "diff", id]).run(), @r"
    diff --git a/answer.txt b/answer.txt
    index [commit]..[commit] 100644
    --- a/answer.txt
    +++ b/answer.txt
    @@ -1 +1 @@
    -41
    +42
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "diff", id, "--attempt", "7"]).run(), @r"
    ------- stderr -------
    error: gt-00002 has no such attempt
      hint: `rigs bead show gt-00002` lists its attempts
    [exit status: 3]
    ");
    let why = env.rigs(["why", id]).run().success();
    assert!(why.stdout.contains("PROVIDER  SCORE"), "{why}");
    let shown = env
        .rigs(["--json", "bead", "show", id])
        .run()
        .success()
        .json();
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(1));
    let status = env.rigs(["--json", "status"]).run().success().json();
    assert_eq!(
        status["beads"],
        serde_json::json!([{ "status": "completed", "count": 1 }])
    );
    assert!(status["foreman"].is_null());
}
