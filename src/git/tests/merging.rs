//! Merging beside the user's checkout.

use pretty_assertions::assert_eq;

use super::*;

/// A worktree for merging, at main.
async fn merge_tree(test: &TestRepo) -> (Repo, PathBuf) {
    let repo = test.repo().await;
    let main = repo.resolve("main").await.expect("asked").expect("main");
    let path = test.tree("cv-1");
    repo.add_worktree(&path, "rigs/cv-1", &main)
        .await
        .expect("added");
    (repo, path)
}

#[tokio::test]
async fn a_merge_makes_a_commit_with_both_parents_and_moves_no_branch() {
    let test = TestRepo::new().await;
    let main = test.git(&["rev-parse", "main"]).await;
    let work = test.change("gt-1", "new", "x").await;
    let (repo, path) = merge_tree(&test).await;
    let merged = repo
        .merge_in(&path, &work, &message("Merge gt-1"))
        .await
        .expect("merged");
    let Merge::Merged(commit) = merged else {
        panic!("{merged:?}")
    };
    let shown = test
        .git(&["log", "-1", "--format=%P %s %an/%cn", &commit])
        .await;
    assert_eq!(shown, format!("{main} {work} Merge gt-1 Ada Lovelace/rigs"));
    assert_eq!(test.git(&["rev-parse", "rigs/cv-1"]).await, main);
    assert!(path.join("new").exists() && repo.worktree(&path).is_clean().await.expect("asked"));

    repo.update_ref("refs/heads/rigs/cv-1", &commit, Some(&main))
        .await
        .expect("advanced");
    let again = repo
        .merge_in(&path, &work, &message("again"))
        .await
        .expect("merged");
    assert_eq!(again, Merge::UpToDate);
}

#[tokio::test]
async fn a_conflict_names_its_files_and_leaves_the_worktree_clean() {
    let test = TestRepo::new().await;
    let ours = test.change("gt-1", "a.txt", "ours\n").await;
    let theirs = test.change("gt-2", "a.txt", "theirs\n").await;
    let (repo, path) = merge_tree(&test).await;
    let tree = repo.worktree(&path);
    tree.reset_hard(&ours).await.expect("reset");
    let merged = repo
        .merge_in(&path, &theirs, &message("x"))
        .await
        .expect("tried");
    assert_eq!(
        merged,
        Merge::Conflict {
            files: vec!["a.txt".into()]
        }
    );
    assert!(tree.is_clean().await.expect("asked"));
    assert_eq!(tree.head_commit().await.expect("a head"), ours);
    assert_eq!(
        fs::read_to_string(path.join("a.txt")).expect("read"),
        "ours\n"
    );
    // And the next one works.
    let other = test.change("gt-3", "other", "x").await;
    let next = repo
        .merge_in(&path, &other, &message("x"))
        .await
        .expect("merged");
    assert!(matches!(next, Merge::Merged(_)), "{next:?}");
}

#[tokio::test]
async fn what_lies_in_the_way_of_a_merge_is_kept_first() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "theirs\n").await;
    let (repo, path) = merge_tree(&test).await;
    put(&path.join("new"), "left by a check\n");
    let merged = repo
        .merge_in(&path, &work, &message("x"))
        .await
        .expect("merged");
    assert!(matches!(merged, Merge::Merged(_)), "{merged:?}");
    let kept = test.refs("refs/rigs/rescue").await;
    assert_eq!(
        test.git(&["show", &format!("{}:new", kept[0])]).await,
        "left by a check"
    );
}

#[tokio::test]
async fn a_merge_that_an_agent_began_is_concluded_with_both_parents() {
    let test = TestRepo::new().await;
    let theirs = test.change("gt-2", "a.txt", "theirs\n").await;
    test.change("gt-1", "a.txt", "ours\n").await;
    let tree = test.worktree("gt-1").await;
    let conflict = test.try_git(tree.path(), &["merge", "-q", &theirs]).await;
    assert!(!conflict.exit.success());
    put(&tree.path().join("a.txt"), "both\n");
    let commit = tree
        .commit_all(&message("resolved"))
        .await
        .expect("committed")
        .expect("news");
    let parents = test.git(&["log", "-1", "--format=%P", &commit]).await;
    assert!(
        parents.ends_with(&theirs) && parents.len() == 81,
        "{parents}"
    );
    assert_eq!(
        tree.commit_all(&message("again")).await.expect("looked"),
        None
    );
}

#[tokio::test]
async fn histories_with_nothing_in_common_are_an_error() {
    let test = TestRepo::new().await;
    let tree = test.git(&["write-tree"]).await;
    let alien = test.git(&["commit-tree", &tree, "-m", "alien"]).await;
    let (repo, path) = merge_tree(&test).await;
    let error = repo
        .merge_in(&path, &alien, &message("x"))
        .await
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "git merge failed: fatal: refusing to merge unrelated histories"
    );
    assert!(repo.worktree(&path).is_clean().await.expect("asked"));
}

#[tokio::test]
async fn a_merge_that_is_begun_keeps_its_marks_and_is_concluded_by_the_next_commit() {
    let test = TestRepo::new().await;
    let theirs = test.change("gt-2", "a.txt", "theirs\n").await;
    let ours = test.change("gt-1", "a.txt", "ours\n").await;
    let (proof, trap) = test.trap();
    test.git(&["config", "branch.rigs/gt-1.mergeOptions", "-s trap"])
        .await;
    test.git(&["config", "merge.verifySignatures", "true"])
        .await;
    test.git(&["config", "gpg.program", &trap]).await;
    let repo = test.repo().await;
    let tree = test.worktree("gt-1").await;
    repo.begin_merge(tree.path(), &theirs).await.expect("begun");
    let text = fs::read_to_string(tree.path().join("a.txt")).expect("read");
    let marks: Vec<&str> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap_or(""))
        .collect();
    assert_eq!(
        marks,
        [
            "<<<<<<<", "ours", "|||||||", "one", "=======", "theirs", ">>>>>>>"
        ]
    );
    // A second time changes nothing.
    repo.begin_merge(tree.path(), &theirs).await.expect("begun");
    put(&tree.path().join("a.txt"), "both\n");
    let commit = tree.commit_all(&message("both")).await.expect("committed");
    let commit = commit.expect("news");
    let parents = test.git(&["log", "-1", "--format=%P", &commit]).await;
    assert_eq!(parents, format!("{ours} {theirs}"));
    repo.begin_merge(tree.path(), &theirs)
        .await
        .expect("it is in");
    assert!(tree.is_clean().await.expect("asked") && !proof.exists());
}
