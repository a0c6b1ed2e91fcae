//! What an agent may write into the repository that all worktrees share, while it works.

use std::os::unix::fs::symlink;

use pretty_assertions::assert_eq;

use super::hostile::whole_life;
use super::*;

/// A filter for every file that is configured in a file of its own; where that file is.
fn hidden_filter(test: &TestRepo) -> (PathBuf, String) {
    let (proof, trap) = test.trap();
    put(&test.root().join(".git/info/attributes"), "* filter=deep\n");
    let file = test.dir.path().join("hidden");
    let text = format!("[filter \"deep\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\trequired\n");
    fs::write(&file, text).expect("written");
    (proof, file.display().to_string())
}

#[tokio::test]
async fn configuration_that_holds_in_a_worktree_only_is_seen_through() {
    for condition in ["gitdir:**/worktrees/**", "onbranch:rigs/**"] {
        let test = TestRepo::new().await;
        let (proof, file) = hidden_filter(&test);
        let key = format!("includeIf.{condition}.path");
        test.git(&["config", &key, &file]).await;
        whole_life(&test).await;
        assert_eq!(fs::read_to_string(&proof).unwrap_or_default(), "");
        // The trap works: in a worktree, git without our care falls into it.
        let tree = test.worktree("gt-9").await;
        put(&tree.path().join("x"), "x");
        test.try_git(tree.path(), &["add", "x"]).await;
        assert!(proof.exists(), "{condition}");
    }
}

#[tokio::test]
async fn configuration_of_one_worktree_is_seen_through() {
    let test = TestRepo::new().await;
    let (proof, file) = hidden_filter(&test);
    test.git(&["config", "extensions.worktreeConfig", "true"])
        .await;
    let tree = test.worktree("gt-1").await;
    test.git_in(
        tree.path(),
        &["config", "--worktree", "include.path", &file],
    )
    .await;
    whole_life(&test).await;
    assert!(!proof.exists());
}

#[tokio::test]
async fn an_object_that_is_missing_is_not_fetched_from_where_the_configuration_says() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    for (key, value) in [
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &format!("ext::{trap}")),
        ("protocol.ext.allow", "always"),
        ("protocol.allow", "always"),
        ("remote.origin.vcs", "trap"),
        ("core.repositoryFormatVersion", "1"),
    ] {
        test.git(&["config", key, value]).await;
    }
    let main = test.git(&["rev-parse", "main"]).await;
    let entry = format!("100644 blob {}\tgone", "1".repeat(40));
    let list = test.dir.path().join("list");
    fs::write(&list, format!("{entry}\n")).expect("written");
    let script = format!("exec git mktree --missing < '{}'", list.display());
    test.git(&["config", "alias.lost", &format!("!{script}")])
        .await;
    let tree = test.git(&["lost"]).await;
    let commit = test
        .git(&["commit-tree", &tree, "-p", "main", "-m", "x"])
        .await;
    let repo = test.repo().await;
    let diff = repo.diff(&main, &commit, 1000).await;
    assert!(matches!(diff, Err(GitError::Failed { .. })), "{diff:?}");
    repo.add_worktree(&test.tree("gt-1"), "rigs/gt-1", &commit)
        .await
        .expect_err("it cannot be checked out");
    assert!(!proof.exists());
}

#[tokio::test]
async fn history_is_what_the_commits_say() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x\n").await;
    let other = test.change("gt-2", "other", "x\n").await;
    // Both tell git that the one holds the other: it would count as merged and be lost.
    let main = test.git(&["rev-parse", "main"]).await;
    let graft = format!("{other} {main} {work}\n");
    put(&test.root().join(".git/info/grafts"), &graft);
    let tree = test.git(&["rev-parse", &format!("{other}^{{tree}}")]).await;
    let fake = ["commit-tree", &tree, "-p", &main, "-p", &work, "-m", "fake"];
    let fake = test.git(&fake).await;
    test.git(&["replace", "-f", &other, &fake]).await;
    let fooled = ["merge-base", "--is-ancestor", &work, &other];
    let fooled = test.try_git(&test.root(), &fooled).await;
    assert!(fooled.exit.success(), "the trap works");
    let repo = test.repo().await;
    assert!(!repo.is_ancestor(&work, &other).await.expect("asked"));
}

#[tokio::test]
async fn a_configuration_that_leads_to_other_files_is_refused() {
    let test = TestRepo::new().await;
    let elsewhere = test.dir.path().join("elsewhere");
    put(&elsewhere.join("precious"), "x");
    let to = elsewhere.display().to_string();
    test.git(&["config", "core.worktree", &to]).await;
    let error = test.git.discover(&test.root()).await.expect_err("refused");
    assert!(matches!(error, GitError::NotUsable { .. }), "{error:?}");
    assert!(error.to_string().contains("elsewhere"), "{error}");
}

#[tokio::test]
async fn a_variable_of_gits_own_changes_nothing() {
    let mut test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    let trace = test.dir.path().join("trace").display().to_string();
    let mut env = env(test.dir.path());
    for (name, value) in [
        ("GIT_DIR", "/nowhere"),
        ("GIT_WORK_TREE", "/"),
        ("GIT_INDEX_FILE", "/nowhere/index"),
        ("GIT_OBJECT_DIRECTORY", "/nowhere"),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/nowhere"),
        ("GIT_COMMON_DIR", "/nowhere"),
        ("GIT_NAMESPACE", "other"),
        ("GIT_EXTERNAL_DIFF", &trap),
        ("GIT_SSH_COMMAND", &trap),
        ("GIT_EXEC_PATH", "/nowhere"),
        ("GIT_CONFIG_PARAMETERS", "'core.fsmonitor'='x'"),
        ("GIT_CONFIG_GLOBAL", "/nowhere"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", &trap),
        ("GIT_TRACE", &trace),
        ("GIT_TRACE2_EVENT", &trace),
        ("GIT_LITERAL_PATHSPECS", "1"),
        ("GIT_ICASE_PATHSPECS", "1"),
    ] {
        env.insert(name.to_owned(), value.into());
    }
    test.git = Git::new(program(), env, test.git.clock.clone());
    whole_life(&test).await;
    assert!(!proof.exists() && !Path::new(&trace).exists());
}

#[tokio::test]
async fn a_branch_of_ours_that_is_made_another_name_of_the_users_moves_only_itself() {
    let test = TestRepo::new().await;
    let first = test.git(&["rev-parse", "main"]).await;
    test.write("b", "b");
    let main = test.commit("second").await;
    let repo = test.repo().await;
    // The branch that HEAD is on.
    let tree = test.worktree("gt-1").await;
    let to_main = async |name: &str| {
        let name = format!("refs/heads/rigs/{name}");
        test.git(&["symbolic-ref", &name, "refs/heads/main"]).await;
    };
    to_main("gt-1").await;
    put(&tree.path().join("x"), "x");
    let work = tree.commit_all(&message("x")).await.expect("committed");
    let work = work.expect("news");
    assert_eq!(test.git(&["rev-parse", "main"]).await, main);
    // One that a worktree is added on, and reset.
    to_main("gt-2").await;
    repo.add_worktree(&test.tree("gt-2"), "rigs/gt-2", &first)
        .await
        .expect("added");
    repo.worktree(&test.tree("gt-2"))
        .reset_hard(&first)
        .await
        .expect("reset");
    assert_eq!(test.git(&["rev-parse", "main"]).await, main);
    // One that is advanced by its name.
    to_main("cv-1").await;
    repo.update_ref("refs/heads/rigs/cv-1", &work, Some(&main))
        .await
        .expect("advanced");
    assert_eq!(test.git(&["rev-parse", "main"]).await, main);
    assert_eq!(test.git(&["rev-parse", "rigs/cv-1"]).await, work);
    // And a HEAD on the user's branch, with nothing to commit.
    let tree = test.worktree("gt-3").await;
    test.git_in(tree.path(), &["symbolic-ref", "HEAD", "refs/heads/main"])
        .await;
    tree.reset_hard(&first).await.expect("reset");
    assert_eq!(test.git(&["rev-parse", "main"]).await, main);
    assert_eq!(test.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn refs_with_the_names_of_others_are_not_taken_for_them() {
    let test = TestRepo::new().await;
    let main = test.git(&["rev-parse", "main"]).await;
    let tree = test.git(&["rev-parse", "main^{tree}"]).await;
    let evil = test.git(&["commit-tree", &tree, "-m", "evil"]).await;
    let work = test.change("gt-2", "new", "x").await;
    for name in [
        "refs/tags/main",
        "refs/tags/rigs/gt-1",
        "refs/tags/HEAD",
        "refs/heads/refs/heads/main",
        "refs/heads/HEAD",
        &format!("refs/heads/{main}"),
        "refs/remotes/main",
        "refs/heads/-d",
        "refs/heads/--upload-pack=touch",
    ] {
        test.git(&["update-ref", "--", name, &evil]).await;
    }
    let repo = test.repo().await;
    assert_eq!(repo.head().await.expect("a head").commit, main);
    let named = repo.resolve("refs/heads/main").await.expect("asked");
    assert_eq!(named.as_ref(), Some(&main));
    let path = test.tree("gt-1");
    repo.add_worktree(&path, "rigs/gt-1", &main)
        .await
        .expect("added");
    let at = repo.worktree(&path).head_commit().await.expect("a head");
    assert_eq!(at, main);
    repo.land("main", &work, &message("x"), &test.tree("land"))
        .await
        .expect("landed");
    let main = repo.resolve("refs/heads/main").await.expect("asked");
    assert_eq!(main, Some(work));
    // A folder of branches where one of ours belongs is an error, not a surprise.
    test.git(&["update-ref", "refs/heads/rigs/gt-3/x", &evil])
        .await;
    let in_the_way = repo.create_branch("rigs/gt-3", &evil).await;
    assert!(
        matches!(in_the_way, Err(GitError::Failed { .. })),
        "{in_the_way:?}"
    );
}

#[tokio::test]
async fn files_that_are_other_names_of_files_outside_are_replaced_not_written() {
    let test = TestRepo::new().await;
    test.write("dir/file", "inside\n");
    let base = test.commit("dir").await;
    let theirs = test.change("gt-2", "dir/file", "theirs\n").await;
    let outside = test.dir.path().join("outside");
    put(&outside.join("file"), "precious\n");
    put(&outside.join("a.txt"), "precious\n");
    let tree = test.worktree("gt-1").await;
    let at = |name: &str| tree.path().join(name);
    let disguise = || {
        fs::remove_file(at("a.txt")).expect("removed");
        fs::hard_link(outside.join("a.txt"), at("a.txt")).expect("linked");
        fs::remove_dir_all(at("dir")).expect("removed");
        symlink(&outside, at("dir")).expect("linked");
    };
    let untouched = || {
        for name in ["file", "a.txt"] {
            let text = fs::read_to_string(outside.join(name)).expect("read");
            assert_eq!(text, "precious\n", "{name}");
        }
        assert_eq!(fs::read_dir(&outside).expect("read").count(), 2);
    };
    disguise();
    tree.reset_hard(&base).await.expect("reset");
    untouched();
    assert_eq!(fs::read_to_string(at("a.txt")).expect("read"), "one\n");
    disguise();
    let repo = test.repo().await;
    let merged = repo.merge_in(tree.path(), &theirs, &message("x")).await;
    assert!(matches!(merged, Ok(Merge::Merged(_))), "{merged:?}");
    untouched();
    fs::remove_file(at("a.txt")).expect("removed");
    fs::hard_link(outside.join("a.txt"), at("a.txt")).expect("linked");
    symlink(&outside, at("more")).expect("linked");
    repo.remove_worktree(tree.path()).await.expect("removed");
    untouched();
}

#[tokio::test]
async fn folders_that_fold_to_gits_own_are_left_out_and_not_lost() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    let names = [".GIT", ".git ", "deep/.Git", "git~1", "\u{feff}.git"];
    for name in names {
        put(&tree.path().join(name).join("hooks/post-checkout"), "x");
    }
    put(&tree.path().join("own"), "x");
    let commit = tree.commit_all(&message("x")).await.expect("committed");
    let commit = commit.expect("news");
    let files = test.git(&["ls-tree", "-r", "--name-only", &commit]).await;
    assert_eq!(files, ".gitignore\na.txt\nown");
    assert_eq!(tree.embedded().await.expect("looked"), names);
    let kept = test.repo().await.remove_worktree(tree.path()).await;
    assert!(matches!(kept, Err(GitError::Embedded { .. })), "{kept:?}");
}
