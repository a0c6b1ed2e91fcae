//! Finding repositories, refs, and what differs.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn a_repository_is_found_from_a_folder_inside() {
    let test = TestRepo::new().await;
    fs::create_dir_all(test.root().join("deep/er")).expect("a folder");
    let repo = test
        .git
        .discover(&test.root().join("deep/er"))
        .await
        .expect("found");
    let commit = test.git(&["rev-parse", "HEAD"]).await;
    assert_eq!(repo.root(), test.root());
    assert_eq!(
        repo.head().await.expect("a head"),
        Head {
            branch: "main".into(),
            commit: commit.clone()
        }
    );
    assert_eq!(repo.resolve("HEAD").await.expect("asked"), Some(commit));
    assert_eq!(repo.resolve("no-such-branch").await.expect("asked"), None);
}

#[tokio::test]
async fn what_is_no_usable_repository_says_what_it_is() {
    let test = TestRepo::bare_home();
    let error = async |dir: PathBuf| test.git.discover(&dir).await.expect_err("no repository");
    assert!(matches!(
        error(test.root()).await,
        GitError::NoRepository { .. }
    ));
    assert!(matches!(
        error(test.root().join("gone")).await,
        GitError::Gone { .. }
    ));

    test.git(&["init", "-q", "-b", "trunk"]).await;
    let unborn = test.repo().await.head().await.expect_err("no commit");
    assert_eq!(unborn.to_string(), "branch `trunk` has no commit yet");
    assert!(!test.repo().await.is_dirty().await.expect("asked"));

    test.git(&["init", "-q", "--bare", "../bare.git"]).await;
    assert!(matches!(
        error(test.root().join("../bare.git")).await,
        GitError::Bare { .. }
    ));

    fs::write(test.root().join(".git/config"), "[broken\n").expect("written");
    let broken = error(test.root()).await;
    assert!(matches!(broken, GitError::NotUsable { .. }), "{broken:?}");
    assert!(broken.to_string().contains("bad config line 1"), "{broken}");
}

#[tokio::test]
async fn a_git_that_does_not_heed_its_settings_is_refused() {
    let mut test = TestRepo::new().await;
    let old = test.dir.path().join("old-git");
    let text = format!(
        "#!/bin/sh\nunset GIT_CONFIG_COUNT\nexec {} \"$@\"\n",
        program().display()
    );
    fs::write(&old, text).expect("written");
    make_executable(&old);
    test.git.program = old.into();
    let error = test.git.discover(&test.root()).await.expect_err("refused");
    assert!(matches!(error, GitError::TooOld), "{error:?}");
}

#[tokio::test]
async fn a_broken_configuration_of_the_user_is_named() {
    let test = TestRepo::new().await;
    let file = test.dir.path().join("home/.gitconfig");
    fs::write(&file, "[user\n").expect("written");
    let error = test.git.discover(&test.root()).await.expect_err("refused");
    let said = format!("fatal: bad config line 1 in file {}", file.display());
    assert_eq!(error.to_string(), format!("git config failed: {said}"));
}

#[tokio::test]
async fn folders_that_the_user_trusts_stay_trusted() {
    let test = TestRepo::new().await;
    for folder in ["/somewhere", "*"] {
        let args = ["config", "--global", "--add", "safe.directory", folder];
        test.git(&args).await;
    }
    // A repository may not vouch for others.
    test.git(&["config", "safe.directory", "/evil"]).await;
    let carried = |value: &str| ("safe.directory".to_owned(), value.to_owned());
    let safe = user::safe_directories(&test.git).await.expect("read");
    assert_eq!(safe, [carried("/somewhere"), carried("*")]);
    assert_eq!(test.repo().await.user.carried, safe);
}

#[tokio::test]
async fn a_detached_head_is_an_error_with_its_commit() {
    let test = TestRepo::new().await;
    test.git(&["checkout", "-q", "--detach"]).await;
    let commit = test.git(&["rev-parse", "HEAD"]).await;
    let error = test.repo().await.head().await.expect_err("detached");
    assert!(matches!(error, GitError::Detached { commit: at } if at == commit));
}

#[tokio::test]
async fn a_checkout_is_dirty_with_changed_staged_or_new_files_but_not_with_ignored_ones() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let dirty = async || repo.is_dirty().await.expect("asked");
    test.write("ignored", "x");
    assert!(!dirty().await);
    test.write("new", "x");
    assert!(dirty().await);
    test.git(&["add", "new"]).await;
    assert!(dirty().await);
    test.commit("new").await;
    test.write("a.txt", "changed\n");
    assert!(dirty().await);
}

#[tokio::test]
async fn files_that_the_user_ignores_everywhere_are_not_seen() {
    let test = TestRepo::new().await;
    put(&test.dir.path().join("home/my-ignores"), "*.swp\n");
    test.user("core.excludesFile", "~/my-ignores").await;
    test.write("x.swp", "x");
    assert!(!test.repo().await.is_dirty().await.expect("asked"));
}

#[tokio::test]
async fn refs_move_only_from_where_they_are_said_to_be() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let first = test.git(&["rev-parse", "HEAD"]).await;
    test.write("b", "b");
    let second = test.commit("second").await;
    let name = "refs/rigs/attempts/gt-abc123/1";

    repo.update_ref(name, &first, None).await.expect("made");
    // The same again, as after a crash.
    repo.update_ref(name, &first, None)
        .await
        .expect("there already");
    let moved = repo
        .update_ref(name, &second, None)
        .await
        .expect_err("exists");
    assert!(matches!(&moved, GitError::Moved { at: Some(at), .. } if *at == first));
    repo.update_ref(name, &second, Some(&first))
        .await
        .expect("moved");
    let moved = repo.update_ref(name, &first, Some(&first)).await.map(drop);
    assert!(moved.is_err());
    assert_eq!(
        repo.resolve(name).await.expect("asked"),
        Some(second.clone())
    );

    repo.create_branch("rigs/cv-1", &first).await.expect("made");
    repo.create_branch("rigs/cv-1", &first)
        .await
        .expect("there already");
    let elsewhere = repo
        .create_branch("rigs/cv-1", &second)
        .await
        .expect_err("elsewhere");
    assert!(matches!(elsewhere, GitError::Moved { .. }), "{elsewhere:?}");
}

#[tokio::test]
async fn a_lock_that_a_killed_git_left_on_our_own_ref_is_waited_for_and_then_removed() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let first = test.git(&["rev-parse", "HEAD"]).await;
    let lock = test.root().join(".git/refs/heads/rigs/x.lock");
    put(&lock, "");
    repo.create_branch("rigs/x", &first).await.expect("made");
    put(&lock, "");
    repo.delete_branch("rigs/x").await.expect("deleted");
    assert!(!lock.exists());
}

#[tokio::test]
async fn a_lock_on_a_ref_that_others_move_is_theirs() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let first = test.git(&["rev-parse", "HEAD"]).await;
    let lock = test.root().join(".git/refs/heads/x.lock");
    put(&lock, "");
    let locked = repo.create_branch("x", &first).await.expect_err("locked");
    assert!(matches!(locked, GitError::Failed { .. }), "{locked:?}");
    assert!(lock.exists());
}

#[tokio::test]
async fn the_tip_of_a_branch_is_kept_unless_something_else_does() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let work = test.change("gt-1", "new", "x").await;
    repo.keep_tip("rigs/none").await.expect("no such branch");
    repo.keep_tip("main").await.expect("kept by gt-1");
    assert_eq!(test.refs("refs/rigs/rescue").await, Vec::<String>::new());
    repo.keep_tip("rigs/gt-1").await.expect("parked");
    repo.keep_tip("rigs/gt-1").await.expect("kept already");
    let kept = test.refs("refs/rigs/rescue").await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(test.git(&["rev-parse", &kept[0]]).await, work);
}

#[tokio::test]
async fn a_branch_is_deleted_only_when_something_keeps_its_work() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let work = test.change("gt-1", "new", "x").await;
    let checked_out = repo
        .delete_branch("rigs/gt-1")
        .await
        .expect_err("checked out");
    assert!(matches!(checked_out, GitError::CheckedOut { .. }));
    repo.remove_worktree(&test.tree("gt-1"))
        .await
        .expect("removed");
    let unmerged = repo
        .delete_branch("rigs/gt-1")
        .await
        .expect_err("not merged");
    assert!(matches!(unmerged, GitError::NotMerged { .. }));
    repo.update_ref("refs/rigs/attempts/gt-1/1", &work, None)
        .await
        .expect("kept");
    repo.delete_branch("rigs/gt-1").await.expect("deleted");
    repo.delete_branch("rigs/gt-1").await.expect("gone already");
    assert_eq!(test.refs("refs/heads").await, ["refs/heads/main"]);
}

#[tokio::test]
async fn commits_are_compared_by_files_subjects_and_ancestry() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let first = test.git(&["rev-parse", "HEAD"]).await;
    test.write("a.txt", "one\ntwo\n");
    fs::write(test.root().join("bin"), [0_u8, 1, 2]).expect("written");
    test.git(&["rm", "-q", ".gitignore"]).await;
    let second = test.commit("second \u{1b}[31mred").await;
    test.write("ä \"b\".txt", "x\ny\n");
    let third = test.commit("third").await;

    let changes = repo.diff_stat(&first, &third).await.expect("compared");
    let change = |path: &str, added, deleted, status| FileChange {
        path: path.into(),
        added,
        deleted,
        status,
    };
    assert_eq!(
        changes,
        [
            change(".gitignore", 0, 1, Change::Deleted),
            change("a.txt", 1, 0, Change::Modified),
            change("bin", 0, 0, Change::Added),
            change("ä \"b\".txt", 2, 0, Change::Added),
        ]
    );
    let subjects = repo.log_subjects(&first, &third).await.expect("listed");
    assert_eq!(subjects, ["third", "second red"]);
    assert!(repo.is_ancestor(&first, &third).await.expect("asked"));
    assert!(!repo.is_ancestor(&third, &second).await.expect("asked"));
    let diff = repo.diff(&first, &second, 10_000).await.expect("compared");
    assert!(
        diff.contains("+two\n") && diff.contains("diff --git a/a.txt b/a.txt"),
        "{diff}"
    );
    let cut = repo.diff(&first, &third, 100).await.expect("compared");
    assert!(cut.len() < 200 && cut.contains("bytes left out"), "{cut}");
}
