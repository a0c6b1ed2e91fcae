//! What an agent may leave in a worktree, or change about it.

use std::os::unix::fs::symlink;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn links_out_of_the_worktree_are_kept_as_links() {
    let test = TestRepo::new().await;
    put(&test.root().join("dir/file"), "inside\n");
    test.commit("dir").await;
    let outside = test.dir.path().join("outside");
    put(&outside.join("file"), "secret\n");
    let tree = test.worktree("gt-1").await;
    // A folder of the repository becomes a link to one outside, with the same file in it.
    fs::remove_dir_all(tree.path().join("dir")).expect("removed");
    symlink(&outside, tree.path().join("dir")).expect("linked");
    symlink("/etc/passwd", tree.path().join("passwd")).expect("linked");
    let changed = tree.changed_files("main").await.expect("compared");
    let commit = tree
        .commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    let listed = test.git(&["ls-tree", "-r", &commit, "dir", "passwd"]).await;
    assert!(
        listed.lines().all(|line| line.starts_with("120000 ")),
        "{listed}"
    );
    assert_eq!((listed.lines().count(), changed.len()), (2, 3));
    test.repo()
        .await
        .remove_worktree(tree.path())
        .await
        .expect("removed");
    assert_eq!(
        fs::read_to_string(outside.join("file")).expect("kept"),
        "secret\n"
    );
}

#[tokio::test]
async fn a_repository_inside_a_worktree_is_left_out_and_not_lost() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    let tree = test.worktree("gt-1").await;
    // One with a commit and a trap in its configuration, one without a commit.
    for name in ["in ner", "empty"] {
        fs::create_dir(tree.path().join(name)).expect("a folder");
        test.git_in(&tree.path().join(name), &["init", "-q"]).await;
    }
    let inner = tree.path().join("in ner");
    put(&inner.join("file"), "x");
    test.git_in(&inner, &["add", "-A"]).await;
    test.git_in(&inner, &["commit", "-q", "-m", "inner"]).await;
    test.git_in(&inner, &["config", "core.fsmonitor", &trap])
        .await;
    put(&tree.path().join("own"), "x");
    // What only looks like one.
    put(&tree.path().join("odd/.git/junk"), "x");
    put(&tree.path().join("odd/file"), "x");
    let commit = tree
        .commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    let files = test.git(&["ls-tree", "-r", "--name-only", &commit]).await;
    assert_eq!(files, ".gitignore\na.txt\nodd/file\nown");
    let mut inside = tree.embedded().await.expect("looked");
    inside.sort();
    assert_eq!(inside, ["empty", "in ner"]);
    let error = test
        .repo()
        .await
        .remove_worktree(tree.path())
        .await
        .expect_err("kept");
    assert!(matches!(error, GitError::Embedded { .. }), "{error:?}");
    assert!(inner.join("file").exists() && !proof.exists());
}

#[tokio::test]
async fn a_submodule_is_not_entered_even_when_somebody_filled_it() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    let main = test.git(&["rev-parse", "main"]).await;
    let link = format!("160000,{main},sub");
    test.git(&["update-index", "--add", "--cacheinfo", &link])
        .await;
    test.git(&["commit", "-q", "-m", "submodule"]).await;
    let tree = test.worktree("gt-1").await;
    let sub = tree.path().join("sub");
    test.git_in(&sub, &["init", "-q"]).await;
    put(&sub.join("file"), "x");
    test.git_in(&sub, &["add", "-A"]).await;
    test.git_in(&sub, &["commit", "-q", "-m", "inner"]).await;
    test.git_in(&sub, &["config", "core.fsmonitor", &trap])
        .await;
    put(&tree.path().join("own"), "x");
    assert!(!tree.is_clean().await.expect("asked"));
    let commit = tree
        .commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    let kept = test.git(&["ls-tree", &commit, "sub"]).await;
    assert!(kept.contains(&main), "{kept}");
    assert!(!proof.exists());
}

#[tokio::test]
async fn a_worktree_whose_git_file_was_replaced_is_not_entered() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let link = |name: &str| test.tree(name).join(".git");
    let elsewhere = format!("gitdir: {}/.git\n", test.root().display());
    let tree_a = test.worktree("a").await;
    fs::write(link("a"), &elsewhere).expect("written");
    let tree_b = test.worktree("b").await;
    fs::remove_file(link("b")).expect("removed");
    test.git_in(tree_b.path(), &["init", "-q"]).await;
    // Which the user's own folder would follow.
    let tree_c = test.worktree("c").await;
    fs::rename(link("c"), test.tree("c-git")).expect("moved");
    symlink(test.tree("c-git"), link("c")).expect("linked");
    let tree_d = test.worktree("d").await;
    fs::write(test.root().join(".git/worktrees/d/commondir"), "/nowhere\n").expect("written");
    let tree_e = test.worktree("e").await;
    fs::rename(tree_e.path(), test.tree("moved")).expect("moved");
    symlink(test.root(), tree_e.path()).expect("linked");
    for tree in [tree_a, tree_b, tree_c, tree_d, tree_e] {
        let commit = tree.commit_all(&message("x")).await;
        assert!(
            matches!(commit, Err(GitError::NotOurs { .. })),
            "{commit:?}"
        );
        let removed = repo.remove_worktree(tree.path()).await;
        assert!(
            matches!(removed, Err(GitError::NotOurs { .. })),
            "{removed:?}"
        );
    }
    assert_eq!(test.git(&["log", "--format=%s"]).await, "first");
}

#[tokio::test]
async fn a_worktree_whose_git_file_is_lost_gets_it_back() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    fs::remove_file(tree.path().join(".git")).expect("removed");
    put(&tree.path().join("x"), "x");
    tree.commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    assert_eq!(
        test.git_in(tree.path(), &["status", "--porcelain"]).await,
        ""
    );
}

#[tokio::test]
async fn a_head_that_an_agent_put_on_another_branch_does_not_move_it() {
    let test = TestRepo::new().await;
    let main = test.git(&["rev-parse", "main"]).await;
    test.git(&["branch", "rigs/cv-1"]).await;
    for (name, branch) in [("gt-1", "main"), ("gt-2", "rigs/cv-1")] {
        let tree = test.worktree(name).await;
        let branch = format!("refs/heads/{branch}");
        test.git_in(tree.path(), &["symbolic-ref", "HEAD", &branch])
            .await;
        put(&tree.path().join("x"), "x");
        let commit = tree.commit_all(&message("x")).await.expect("committed");
        assert_eq!(test.git(&["rev-parse", &branch]).await, main);
        assert_eq!(Some(tree.head_commit().await.expect("a head")), commit);
    }
}

#[tokio::test]
async fn a_work_tree_set_in_the_configuration_redirects_nothing() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    let elsewhere = test.dir.path().join("elsewhere");
    put(&elsewhere.join("secret"), "x");
    let to = elsewhere.display().to_string();
    test.git(&["config", "extensions.worktreeConfig", "true"])
        .await;
    test.git_in(tree.path(), &["config", "--worktree", "core.worktree", &to])
        .await;
    put(&tree.path().join("own"), "x");
    let commit = tree
        .commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    let files = test.git(&["ls-tree", "--name-only", &commit]).await;
    assert_eq!(files, ".gitignore\na.txt\nown");
}
