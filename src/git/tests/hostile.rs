//! What a repository may do to have a program run.

use pretty_assertions::assert_eq;

use super::*;

/// Everything that rigs does with a repository, once.
pub(super) async fn whole_life(test: &TestRepo) {
    let repo = test.repo().await;
    let main = repo.resolve("main").await.expect("asked").expect("main");
    let tree = test.worktree("gt-1").await;
    put(&tree.path().join("a.txt"), "changed\n");
    put(&tree.path().join("new.txt"), "new\n");
    tree.is_clean().await.expect("asked");
    tree.changed_files(&main).await.expect("compared");
    let work = tree
        .commit_all(&message("work"))
        .await
        .expect("committed")
        .expect("news");
    repo.diff(&main, &work, 10_000).await.expect("compared");
    repo.diff_stat(&main, &work).await.expect("compared");
    repo.log_subjects(&main, &work).await.expect("listed");
    repo.is_dirty().await.expect("asked");
    let other = test.change("gt-2", "a.txt", "other\n").await;
    let path = test.tree("cv-1");
    repo.add_worktree(&path, "rigs/cv-1", &main)
        .await
        .expect("added");
    repo.merge_in(&path, &work, &message("x"))
        .await
        .expect("merged");
    let conflict = repo
        .merge_in(&path, &other, &message("x"))
        .await
        .expect("tried");
    assert_eq!(
        conflict,
        Merge::Conflict {
            files: vec!["a.txt".into()]
        }
    );
    repo.worktree(&path).reset_hard(&main).await.expect("reset");
    put(&path.join("draft"), "x");
    repo.remove_worktree(&path).await.expect("removed");
    repo.land("main", &work, &message("x"), &test.tree("land"))
        .await
        .expect("tried");
}

#[tokio::test]
async fn nothing_that_the_configuration_names_is_run() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    test.write(".gitattributes", "* filter=f diff=d merge=m\n");
    test.commit("attributes").await;
    let hooks = test.root().join(".git/hooks");
    for hook in [
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "post-merge",
        "pre-merge-commit",
        "prepare-commit-msg",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
        "post-rewrite",
    ] {
        fs::create_dir_all(&hooks).expect("a folder");
        fs::copy(&trap, hooks.join(hook)).expect("copied");
    }
    let scalar = [
        "core.fsmonitor",
        "core.editor",
        "core.pager",
        "core.sshCommand",
        "core.askPass",
        "core.gitProxy",
        "diff.external",
        "diff.d.command",
        "diff.d.textconv",
        "filter.f.clean",
        "filter.f.smudge",
        "filter.f.process",
        "merge.m.driver",
        "gpg.program",
        "credential.helper",
        "sequence.editor",
        "hook.h.command",
        "pager.log",
        "pager.diff",
        "trailer.bead.cmd",
        "core.alternateRefsCommand",
    ];
    for key in scalar {
        test.git(&["config", key, &trap]).await;
    }
    for (key, value) in [
        ("filter.f.required", "true"),
        ("filter.x=y.z.clean", trap.as_str()),
        ("commit.gpgSign", "true"),
        ("log.showSignature", "true"),
        ("hook.h.event", "reference-transaction"),
        ("branch.main.mergeOptions", "-s trap"),
        ("gc.auto", "1"),
        ("diff.ignoreSubmodules", "none"),
        ("submodule.recurse", "true"),
        ("alias.add", "!false"),
    ] {
        test.git(&["config", key, value]).await;
    }
    fs::remove_file(&proof).ok();
    whole_life(&test).await;
    assert_eq!(fs::read_to_string(&proof).unwrap_or_default(), "");
    // The trap works: git without our care falls into it.
    test.try_git(&test.root(), &["status"]).await;
    assert!(proof.exists());
}

#[tokio::test]
async fn a_configuration_that_includes_another_is_seen_through() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    test.write(".gitattributes", "* filter=deep\n");
    test.commit("attributes").await;
    let more = test.dir.path().join("more");
    fs::write(
        &more,
        format!("[filter \"deep\"]\n\tclean = {trap}\n\tsmudge = {trap}\n"),
    )
    .expect("written");
    test.git(&["config", "include.path", &more.display().to_string()])
        .await;
    whole_life(&test).await;
    assert!(!proof.exists());
}

#[tokio::test]
async fn a_merge_driver_of_the_repository_becomes_a_text_merge() {
    let test = TestRepo::new().await;
    let (proof, trap) = test.trap();
    test.write(".gitattributes", "*.txt merge=m\n");
    test.write("a.txt", "1\n2\n3\n4\n5\n");
    test.commit("attributes").await;
    test.git(&["config", "merge.m.driver", &trap]).await;
    let top = test.change("gt-1", "a.txt", "top\n2\n3\n4\n5\n").await;
    let end = test.change("gt-2", "a.txt", "1\n2\n3\n4\nend\n").await;
    let repo = test.repo().await;
    let path = test.tree("cv");
    repo.add_worktree(&path, "rigs/cv", &top)
        .await
        .expect("added");
    let merged = repo
        .merge_in(&path, &end, &message("x"))
        .await
        .expect("merged");
    assert!(matches!(merged, Merge::Merged(_)), "{merged:?}");
    let both = fs::read_to_string(path.join("a.txt")).expect("read");
    assert_eq!(
        (both.as_str(), proof.exists()),
        ("top\n2\n3\n4\nend\n", false)
    );
}

#[tokio::test]
async fn names_that_would_be_options_are_refused_before_git_is_run() {
    let test = TestRepo::new().await;
    let repo = test.repo().await;
    let main = test.git(&["rev-parse", "main"]).await;
    let path = test.tree("x");
    for error in [
        repo.resolve("--help").await.map(drop),
        repo.create_branch("-D", &main).await,
        repo.create_branch("rigs/x\nmain", &main).await,
        repo.create_branch("rigs/x", "--stdin").await,
        repo.add_worktree(&path, "--force", &main).await,
        repo.add_worktree(&path, "rigs/x", "main").await,
        repo.update_ref("HEAD", &main, None).await,
        repo.delete_branch("main --force").await,
        repo.diff("--output=/tmp/x", &main, 10).await.map(drop),
        repo.diff_stat(&main, "--no-index").await.map(drop),
        repo.log_subjects("--exec=x", &main).await.map(drop),
        repo.is_ancestor("-x", &main).await.map(drop),
        repo.merge_in(&path, "-s", &message("x")).await.map(drop),
        repo.land("-b", &main, &message("x"), &path).await.map(drop),
    ] {
        assert!(matches!(error, Err(GitError::BadName { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn files_named_like_options_and_pathspecs_are_just_files() {
    let test = TestRepo::new().await;
    let tree = test.worktree("gt-1").await;
    let names = [
        "--force",
        "-A",
        ":(exclude)*",
        "a\nb",
        "\"quoted\"",
        "*",
        "ünï",
        "tab\there",
    ];
    for name in names {
        put(&tree.path().join(name), "x\n");
    }
    let commit = tree
        .commit_all(&message("x"))
        .await
        .expect("committed")
        .expect("news");
    let changes = test
        .repo()
        .await
        .diff_stat("main", &commit)
        .await
        .expect("compared");
    let mut got: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    got.sort_unstable();
    let mut want = names.to_vec();
    want.sort_unstable();
    assert_eq!(got, want);
}

#[test]
fn every_driver_of_the_configuration_is_put_out_of_force() {
    let names = "core.bare\0filter.a.b=c.clean\0filter.a.b=c.required\0merge.ff\0\
                 merge.own.driver\0hook.lint.command\0filter.x\n\0diff.d.textconv\0";
    let keys: Vec<String> = command::without_drivers(names)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        keys,
        [
            "filter.a.b=c.clean=",
            "filter.a.b=c.smudge=",
            "filter.a.b=c.process=",
            "filter.a.b=c.required=false",
            "merge.own.driver=git merge-file --marker-size=%L %A %O %B",
            "hook.lint.enabled=false",
        ]
    );
}
