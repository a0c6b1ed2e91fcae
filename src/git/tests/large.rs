//! Much of everything: files, lines, attributes that hide them.

use std::fmt::Write as _;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn a_repository_of_ten_thousand_files_is_worked_on_like_any() {
    let test = TestRepo::new().await;
    for folder in 0..100 {
        let dir = test.root().join(format!("d{folder}"));
        fs::create_dir(&dir).expect("a folder");
        for file in 0..100 {
            fs::write(dir.join(format!("f{file}")), "x\n").expect("a file");
        }
    }
    let main = test.commit("many").await;
    let tree = test.worktree("gt-9").await;
    assert!(tree.is_clean().await.expect("asked"));
    fs::remove_dir_all(tree.path().join("d7")).expect("removed");
    let work = tree.commit_all(&message("x")).await.expect("committed");
    let work = work.expect("news");
    let changes = test.repo().await.diff_stat(&main, &work).await;
    let changes = changes.expect("compared");
    assert_eq!(changes.len(), 100);
    assert!(changes.iter().all(|c| c.status == Change::Deleted));
    let land = test.tree("land");
    let repo = test.repo().await;
    let landed = repo.land("main", &work, &message("x"), &land).await;
    assert!(
        matches!(landed, Ok(Landed::FastForward { .. })),
        "{landed:?}"
    );
    assert!(!test.root().join("d7").exists());
}

#[tokio::test]
async fn attributes_hide_nothing_from_who_compares_and_a_huge_diff_says_that_it_is_cut() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    test.git(&["config", "diff.mine.textconv", &trap]).await;
    test.git(&["config", "diff.mine.command", &trap]).await;
    let hidden =
        "*.rs -diff\n*.py binary\n*.js diff=mine\n*.c -text working-tree-encoding=UTF-16\n";
    let from = test.git(&["rev-parse", "HEAD"]).await;
    let tree = test.worktree("gt-1").await;
    let put_in = |name: &str, text: &str| put(&tree.path().join(name), text);
    put_in(".gitattributes", hidden);
    for name in ["a.rs", "b.py", "c.js"] {
        put_in(name, "skipped = true\n");
    }
    // A byte that makes git take a file for a binary one.
    put_in("d.txt", "skipped = true\n\0");
    let commit = tree.commit_all(&message("x")).await.expect("committed");
    let commit = commit.expect("news");
    let repo = test.repo().await;
    let (text, is_whole) = repo
        .diff_as_text(&from, &commit, false, 1 << 20)
        .await
        .expect("compared");
    assert!(is_whole);
    assert_eq!(text.matches("+skipped = true").count(), 4, "{text}");
    let counts = repo.diff_stat(&from, &commit).await.expect("compared");
    assert_eq!(counts.len(), 5);

    let mut long = String::new();
    for n in 0..40_000 {
        writeln!(long, "line {n} of a file that is long").expect("a string");
    }
    put_in("long.txt", &long);
    let next = tree.commit_all(&message("y")).await.expect("committed");
    let next = next.expect("news");
    let limit = 100_000;
    let (text, is_whole) = repo
        .diff_as_text(&commit, &next, false, limit)
        .await
        .expect("compared");
    assert!(!is_whole && text.len() < limit + 200, "{}", text.len());
    // What was there before is seen whole beside it.
    let (text, is_whole) = repo
        .diff_as_text(&commit, &next, true, limit)
        .await
        .expect("compared");
    assert_eq!((text.as_str(), is_whole), ("", true));
    assert!(!proof.exists(), "{:?}", fs::read_to_string(proof));
}

#[tokio::test]
async fn git_files_in_odd_places_lead_nowhere() {
    let test = TestRepo::new().await;
    let before = test.git(&["rev-parse", "main"]).await;
    let tree = test.worktree("gt-1").await;
    let into = |name: &str| tree.path().join(name);
    // One that leads to the user's own repository, one that leads nowhere, one that is a link.
    put(
        &into("own/.git"),
        &format!("gitdir: {}/.git\n", test.root().display()),
    );
    put(&into("own/file"), "x");
    put(&into("none/.git"), "gitdir: /nowhere\n");
    put(&into("none/file"), "x");
    fs::create_dir(into("link")).expect("a folder");
    std::os::unix::fs::symlink(test.root().join(".git"), into("link/.git")).expect("a link");
    put(&into("link/file"), "x");
    put(&into("plain"), "x");
    let commit = tree.commit_all(&message("x")).await.expect("committed");
    let commit = commit.expect("news");
    let files = test.git(&["ls-tree", "-r", "--name-only", &commit]).await;
    assert!(files.contains("plain"), "{files}");
    assert!(
        !files.contains(".git\n") && !files.contains("160000"),
        "{files}"
    );
    let inside = tree.embedded().await.expect("looked");
    for folder in ["own", "none", "link"] {
        let kept = files.contains(&format!("{folder}/file"));
        let told = inside.iter().any(|name| name == folder);
        assert!(kept || told, "{folder} is lost: {files} {inside:?}");
    }
    assert_eq!(test.git(&["rev-parse", "main"]).await, before);
    assert_eq!(test.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn the_record_of_a_worktree_whose_folder_is_gone_is_found_and_ended() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "a.txt", "work\n").await;
    let _there = test.worktree("gt-2").await;
    // The user's own, which is none of our business.
    let theirs = test.dir.path().join("theirs").display().to_string();
    test.git(&["worktree", "add", "-q", &theirs, "-b", "mine"])
        .await;
    for gone in [test.tree("gt-1"), theirs.into()] {
        fs::remove_dir_all(gone).expect("removed");
    }
    let repo = test.repo().await;
    let below = test.tree("x").parent().expect("a folder").to_owned();
    assert_eq!(
        repo.lost_worktrees(&below).expect("looked"),
        [test.tree("gt-1")]
    );
    let elsewhere = repo.lost_worktrees(test.dir.path()).expect("looked");
    assert_eq!(elsewhere, Vec::<PathBuf>::new());
    repo.remove_worktree(&test.tree("gt-1"))
        .await
        .expect("removed");
    assert_eq!(
        repo.lost_worktrees(&below).expect("looked"),
        Vec::<PathBuf>::new()
    );
    assert_eq!(test.git(&["rev-parse", "rigs/gt-1"]).await, work);
}
