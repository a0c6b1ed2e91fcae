//! Worktrees from being added to being removed, and after a crash in between.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn everything_but_ignored_files_is_committed_in_the_users_name() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    assert_eq!(
        tree.commit_all(&message("nothing")).await.expect("looked"),
        None
    );
    let at = |file: &str| tree.path().join(file);
    fs::remove_file(at("a.txt")).expect("removed");
    put(&at("dir/- odd\n\"näme\""), "x\n");
    put(&at("ignored"), "x");
    let changed = tree.changed_files("main").await.expect("compared");
    assert!(!tree.is_clean().await.expect("asked"));
    let said = Message {
        subject: "--amend".into(),
        body: "#body".into(),
        trailers: vec![("Bead".into(), "gt-1".into())],
    };
    let commit = tree
        .commit_all(&said)
        .await
        .expect("committed")
        .expect("news");

    let want = [
        FileChange {
            path: "a.txt".into(),
            added: 0,
            deleted: 1,
            status: Change::Deleted,
        },
        FileChange {
            path: "dir/- odd\n\"näme\"".into(),
            added: 1,
            deleted: 0,
            status: Change::Added,
        },
    ];
    assert_eq!(changed, want);
    assert_eq!(tree.changed_files("main").await.expect("compared"), want);
    assert!(tree.is_clean().await.expect("asked"));
    assert_eq!(tree.head_commit().await.expect("a head"), commit);
    assert_eq!(test.git(&["rev-parse", "rigs/gt-1"]).await, commit);
    let shown = test
        .git(&["log", "-1", "--format=%an <%ae> %cn <%ce> %at%n%B", &commit])
        .await;
    assert_eq!(
        shown,
        "Ada Lovelace <ada@example.com> rigs <rigs@localhost> 1795161600\n\
         --amend\n\n#body\n\nBead: gt-1"
    );
    // The user's own checkout saw nothing of it.
    assert_eq!(test.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn a_machine_without_an_identity_commits_as_rigs() {
    let test = TestRepo::new().await;
    fs::remove_file(test.dir.path().join("home/.gitconfig")).expect("removed");
    let commit = test.change("gt-1", "x", "x").await;
    let who = test
        .git(&["log", "-1", "--format=%an <%ae>", &commit])
        .await;
    assert_eq!(who, "rigs <rigs@localhost>");
}

#[tokio::test]
async fn adding_a_worktree_again_keeps_what_is_in_it() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    put(&tree.path().join("draft"), "work");
    let again = test.worktree("gt-1").await;
    assert_eq!(
        fs::read_to_string(again.path().join("draft")).expect("kept"),
        "work"
    );
}

#[tokio::test]
async fn a_path_through_a_link_names_the_same_worktree() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let tree = test.worktree("gt-1").await;
    let link = test.dir.path().join("link");
    std::os::unix::fs::symlink(test.dir.path().join("trees"), &link).expect("linked");
    let same = repo.worktree(&link.join("gt-1"));
    assert_eq!(same.path(), tree.path());
    assert!(same.is_clean().await.expect("asked"));
    let main = tree.head_commit().await.expect("a head");
    let second = link.join("gt-2");
    repo.add_worktree(&second, "rigs/gt-2", &main)
        .await
        .expect("added");
    repo.remove_worktree(&second).await.expect("removed");
    assert!(!test.tree("gt-2").exists());
}

#[tokio::test]
async fn a_branch_that_exists_is_used_where_it_stands() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x").await;
    test.repo()
        .await
        .remove_worktree(&test.tree("gt-1"))
        .await
        .expect("removed");
    let again = test.worktree("gt-1").await;
    assert_eq!(again.head_commit().await.expect("a head"), work);
}

#[tokio::test]
async fn a_worktree_whose_folder_is_gone_is_made_again_and_its_commits_are_kept() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    // A commit that only the worktree's HEAD leads to.
    test.git_in(tree.path(), &["checkout", "-q", "--detach"])
        .await;
    put(&tree.path().join("x"), "x");
    let lonely = tree
        .commit_all(&message("lonely"))
        .await
        .expect("committed")
        .expect("news");
    fs::remove_dir_all(tree.path()).expect("removed");
    assert!(matches!(
        tree.head_commit().await,
        Err(GitError::NotOurs { .. })
    ));

    let again = test.worktree("gt-1").await;
    assert!(again.is_clean().await.expect("asked"));
    let kept = test.refs("refs/rigs/rescue").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(test.git(&["rev-parse", &kept[0]]).await, lonely);
}

#[tokio::test]
async fn a_half_made_worktree_is_made_anew() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    // As git leaves it when it is killed in the middle of the checkout.
    let admin = test.root().join(".git/worktrees/gt-1");
    fs::write(admin.join("locked"), "initializing").expect("written");
    fs::remove_file(admin.join("index")).expect("removed");
    fs::write(admin.join("index.lock"), "").expect("written");
    fs::remove_file(tree.path().join("a.txt")).expect("removed");
    assert!(matches!(
        tree.is_clean().await,
        Err(GitError::NotOurs { .. })
    ));
    let again = test.worktree("gt-1").await;
    assert!(again.is_clean().await.expect("asked"));
}

#[tokio::test]
async fn a_removal_that_was_cut_short_is_finished() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    let admin = test.root().join(".git/worktrees/gt-1");
    fs::write(admin.join("rigs-removing"), "").expect("written");
    fs::remove_file(tree.path().join(".git")).expect("removed");
    test.repo()
        .await
        .remove_worktree(tree.path())
        .await
        .expect("removed");
    assert!(!admin.exists() && !tree.path().exists());
}

#[tokio::test]
async fn locks_of_a_killed_git_do_not_stop_a_commit() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    let admin = test.root().join(".git/worktrees/gt-1");
    let locks = ["index.lock", "HEAD.lock", "AUTO_MERGE.lock"];
    for lock in locks {
        fs::write(admin.join(lock), "").expect("written");
    }
    put(&tree.path().join("x"), "x");
    tree.commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    assert!(locks.iter().all(|lock| !admin.join(lock).exists()));
}

#[tokio::test]
async fn removing_a_worktree_keeps_its_uncommitted_work() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let tree = test.worktree("gt-1").await;
    put(&tree.path().join("draft"), "work\n");
    put(&tree.path().join("ignored"), "x");
    repo.remove_worktree(tree.path()).await.expect("removed");
    repo.remove_worktree(tree.path())
        .await
        .expect("gone already");
    assert!(!tree.path().exists());
    assert_eq!(test.git(&["worktree", "list"]).await.lines().count(), 1);
    let kept = test.refs("refs/rigs/rescue").await;
    let main = test.git(&["rev-parse", "--short=8", "main"]).await;
    assert_eq!(kept.len(), 1);
    assert!(
        kept[0].starts_with("refs/rigs/rescue/w-gt-1-2026-11-20T08-00-00-000Z-"),
        "{kept:?}"
    );
    assert_eq!(
        test.git(&["show", &format!("{}:draft", kept[0])]).await,
        "work"
    );
    let parent = test
        .git(&["rev-parse", "--short=8", &format!("{}^", kept[0])])
        .await;
    assert_eq!(parent, main);
    assert_eq!(
        test.git(&["rev-parse", "--short=8", "rigs/gt-1"]).await,
        main
    );
}

#[tokio::test]
async fn the_users_prune_does_not_forget_our_worktrees() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    let aside = test.tree("aside");
    fs::rename(tree.path(), &aside).expect("moved");
    test.git(&["worktree", "prune", "--expire=now"]).await;
    fs::rename(&aside, tree.path()).expect("moved back");
    assert!(tree.is_clean().await.expect("asked"));
}

#[tokio::test]
async fn a_reset_brings_tracked_files_back() {
    let test = TestRepo::new().await;
    let base = test.git(&["rev-parse", "main"]).await;
    test.change("gt-1", "a.txt", "two\n").await;
    let tree = test.worktree("gt-1").await;
    put(&tree.path().join("a.txt"), "three\n");
    tree.reset_hard(&base).await.expect("reset");
    assert_eq!(
        fs::read_to_string(tree.path().join("a.txt")).expect("read"),
        "one\n"
    );
    assert_eq!(test.git(&["rev-parse", "rigs/gt-1"]).await, base);
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_left_alone() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let path = test.tree("mine");
    put(&path.join("file"), "mine");
    let main = test.git(&["rev-parse", "main"]).await;
    for error in [
        repo.add_worktree(&path, "rigs/x", &main).await,
        repo.remove_worktree(&path).await,
        repo.worktree(&path)
            .commit_all(&message("x"))
            .await
            .map(drop),
        repo.worktree(&test.root())
            .commit_all(&message("x"))
            .await
            .map(drop),
    ] {
        assert!(matches!(error, Err(GitError::NotOurs { .. })), "{error:?}");
    }
    assert_eq!(fs::read_to_string(path.join("file")).expect("kept"), "mine");
}

#[tokio::test]
async fn worktrees_that_are_added_at_once_do_not_trip_over_each_other() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let main = test.git(&["rev-parse", "main"]).await;
    let adding = (0..8).map(async |n| {
        let name = format!("gt-{n}");
        let path = test.tree(&name);
        repo.add_worktree(&path, &format!("rigs/{name}"), &main)
            .await?;
        repo.land("main", &main, &message("x"), &test.tree("land"))
            .await
    });
    for done in futures_util::future::join_all(adding).await {
        assert_eq!(done.expect("added"), Landed::UpToDate);
    }
}

#[tokio::test]
async fn a_worktree_that_a_killed_git_left_unwritten_stops_nobody_for_long() {
    let test = TestRepo::new().await;
    let file = test.root().join(".git/worktrees/theirs/commondir");
    put(&file, "");
    put(&file.with_file_name("gitdir"), "/theirs/.git\n");
    let list = test.try_git(&test.root(), &["worktree", "list"]).await;
    assert!(!list.exit.success(), "the trap works");
    let open = fs::File::options().write(true).open(&file);
    let open = open.expect("it opens");
    let made = open.metadata().and_then(|m| m.modified()).expect("a time");
    open.set_modified(made - Duration::from_hours(1))
        .expect("set");
    test.worktree("gt-1").await;
    let list = test.try_git(&test.root(), &["worktree", "list"]).await;
    assert!(list.exit.success(), "{}", list.stderr);
}
