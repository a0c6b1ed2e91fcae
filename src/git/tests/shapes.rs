//! Repositories of other shapes than a plain one.

use pretty_assertions::assert_eq;

use super::hostile::whole_life;
use super::*;

#[tokio::test]
async fn a_shallow_clone_is_worked_on_like_any() {
    let test = TestRepo::new().await;
    test.write("b", "b");
    test.commit("second").await;
    let from = format!("file://{}", test.root().display());
    let to = test.dir.path().join("shallow");
    let target = to.display().to_string();
    test.git(&["clone", "-q", "--depth", "1", &from, &target])
        .await;
    fs::rename(test.root(), test.dir.path().join("origin")).expect("moved");
    fs::rename(&to, test.root()).expect("moved");
    whole_life(&test).await;
}

#[tokio::test]
async fn in_a_sparse_checkout_only_its_part_is_there_and_everything_made_is_committed() {
    let test = TestRepo::new().await;
    for folder in ["in", "out"] {
        test.write(&format!("{folder}/file"), "x\n");
    }
    test.commit("folders").await;
    test.git(&["sparse-checkout", "set", "in"]).await;
    let tree = test.worktree("gt-1").await;
    let at = |name: &str| tree.path().join(name);
    assert!(at("in/file").exists() && !at("out/file").exists());
    assert!(tree.is_clean().await.expect("asked"));
    put(&at("in/file"), "changed\n");
    put(&at("out/new"), "new\n");
    let commit = tree.commit_all(&message("x")).await.expect("committed");
    let commit = commit.expect("news");
    let files = test.git(&["ls-tree", "-r", "--name-only", &commit]).await;
    assert_eq!(files, ".gitignore\na.txt\nin/file\nout/file\nout/new");
    let repo = test.repo().await;
    let landed = repo
        .land("main", &commit, &message("x"), &test.tree("land"))
        .await;
    assert!(
        matches!(landed, Ok(Landed::FastForward { .. })),
        "{landed:?}"
    );
    assert!(!test.root().join("out/file").exists());
    assert_eq!(test.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn pointers_of_large_files_stay_pointers() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    test.write(
        ".gitattributes",
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    test.write("big.bin", pointer);
    test.commit("pointers").await;
    for key in ["clean", "smudge", "process"] {
        test.user(&format!("filter.lfs.{key}"), &trap).await;
    }
    test.user("filter.lfs.required", "true").await;
    let tree = test.worktree("gt-1").await;
    let text = fs::read_to_string(tree.path().join("big.bin")).expect("read");
    assert_eq!(text, pointer);
    put(&tree.path().join("small"), "x");
    let commit = tree.commit_all(&message("x")).await.expect("committed");
    let commit = commit.expect("news");
    let changed = test.repo().await.diff_stat("main", &commit).await;
    let changed = changed.expect("compared");
    let paths: Vec<&str> = changed.iter().map(|c| c.path.as_str()).collect();
    assert_eq!((paths, proof.exists()), (vec!["small"], false));
}

#[tokio::test]
async fn a_submodule_with_a_command_for_its_update_stays_empty() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    let main = test.git(&["rev-parse", "main"]).await;
    let modules =
        format!("[submodule \"sub\"]\n\tpath = sub\n\turl = ext::{trap}\n\tignore = none\n");
    test.write(".gitmodules", &modules);
    let link = format!("160000,{main},sub");
    test.git(&["add", "-A"]).await;
    test.git(&["update-index", "--add", "--cacheinfo", &link])
        .await;
    test.git(&["commit", "-q", "-m", "submodule"]).await;
    for (key, value) in [
        ("submodule.sub.url", format!("ext::{trap}")),
        ("submodule.sub.update", format!("!{trap}")),
        ("submodule.sub.active", "true".to_owned()),
        ("submodule.recurse", "true".to_owned()),
        ("protocol.allow", "always".to_owned()),
    ] {
        test.git(&["config", key, &value]).await;
    }
    whole_life(&test).await;
    assert!(!proof.exists());
}

#[tokio::test]
async fn a_repository_that_borrows_its_objects_is_worked_on_and_asks_nobody() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    let to = test.dir.path().join("borrower");
    let target = to.display().to_string();
    let from = test.root().display().to_string();
    test.git(&["clone", "-q", "--shared", &from, &target]).await;
    fs::rename(test.root(), test.dir.path().join("lender")).expect("moved");
    fs::rename(&to, test.root()).expect("moved");
    let objects = test.dir.path().join("lender/.git/objects");
    let file = test.root().join(".git/objects/info/alternates");
    fs::write(file, format!("{}\n", objects.display())).expect("written");
    test.git(&["config", "core.alternateRefsCommand", &trap])
        .await;
    whole_life(&test).await;
    assert!(!proof.exists());
}
