//! Repositories that change under the work: tampered with by an agent, moved, deleted, shared by
//! two convoys.

use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead, on, write};
use crate::harness::wait_until;

const NO_GATE: &str = "[gate]\ncommands = []";

fn waits(key: &str) -> Value {
    on(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": format!("go-{key}")}),
            write(&format!("{key}.txt"), "x\n"),
            json!({"print": "done"}),
        ],
    )
}

#[test]
fn what_an_agent_writes_into_the_shared_configuration_makes_rigs_run_nothing() {
    let flow = Flow::new(NO_GATE);
    let canary = flow.env.root().join("canary");
    let trap = flow.env.program(
        "trap",
        &format!("echo \"$0 $*\" >> '{}'; cat", canary.display()),
    );
    let trap = trap.display();
    let hidden = flow.env.write(
        "hidden",
        format!(
            "[filter \"deep\"]\n\tclean = {trap}\n\tsmudge = {trap}\n[core]\n\tfsmonitor = {trap}\n"
        ),
    );
    let script = format!(
        "set -e; common=$(git rev-parse --path-format=absolute --git-common-dir)
        for key in core.sshCommand core.gitProxy diff.external filter.f.clean filter.f.smudge filter.f.process \
            merge.m.driver diff.d.textconv diff.d.command gpg.program credential.helper core.alternateRefsCommand \
            core.editor core.pager; do git config $key {trap}; done
        git config core.hooksPath {bin}
        git config 'includeIf.gitdir:**.path' {hidden}
        git config 'includeIf.onbranch:rigs/**.path' {hidden}
        git config commit.gpgSign true; git config submodule.recurse true; git config gc.auto 1
        git config remote.origin.promisor true; git config remote.origin.url 'ext::{trap}'
        git config protocol.allow always
        printf '* filter=f diff=d merge=m\\n*.txt filter=deep\\n' > $common/info/attributes
        for hook in post-checkout pre-commit commit-msg post-commit post-merge reference-transaction post-index-change; do
            cp {trap} {bin}/$hook; cp {trap} $common/hooks/$hook; done
        rm -f '{canary}'; echo made > a.txt",
        bin = flow.env.root().join("bin").display(),
        hidden = hidden.display(),
        canary = canary.display(),
    );
    flow.provider_with(
        "fake",
        "command",
        "max_parallel = 1",
        &[
            on("one", &[json!({"shell": script}), json!({"print": "done"})]),
            on("two", &[write("b.txt", "b\n"), json!({"print": "done"})]),
        ],
    );
    let beads = [bead("one", &[]), bead("two", &["one"])];
    flow.execute(&beads)
        .args(["--max-parallel", "1"])
        .run()
        .success();
    let convoy = flow.convoy();
    for args in [["convoy", "diff"], ["convoy", "land"]] {
        drop(flow.rigs(args).args([&convoy]).run());
    }
    assert_eq!(flow.statuses(), ["completed", "completed"]);
    assert_eq!(std::fs::read_to_string(&canary).unwrap_or_default(), "");
    // The trap works: git without our care falls into it.
    let sh = std::path::Path::new("/bin/sh");
    let status = flow.env.program_run(sh, ["-c", "git status"]);
    drop(status.dir(flow.repo.root()).run());
    assert!(canary.exists());
}

#[test]
fn shared_folders_are_never_linked_through_a_link_that_leads_out() {
    let flow = Flow::new("[gate]\ncommands = []\nshare = [\"packages/cache\"]");
    flow.repo.file(".gitignore", "cache\n");
    flow.repo.file("packages/code.txt", "x\n");
    flow.repo.commit("packages");
    flow.repo.file("packages/cache/built", "x\n");
    let outside = flow.env.root().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    let shell = format!(
        "test -L packages/cache && rm -rf packages && ln -s '{}' packages",
        outside.display()
    );
    flow.provider(
        "fake",
        "command",
        &[on(
            "one",
            &[json!({"shell": shell}), json!({"print": "done"})],
        )],
    );
    let output = flow.execute(&[bead("one", &[])]).run();
    assert!([0, 1].contains(&output.code), "{output}");
    assert_eq!(std::fs::read_dir(&outside).expect("read").count(), 0);
}

#[test]
fn a_repository_that_is_moved_away_blocks_its_beads_and_nothing_else() {
    for how in ["moved", "deleted"] {
        let flow = Flow::new(NO_GATE);
        let other = flow.env.repo("other");
        let fake = flow.provider_with(
            "fake",
            "command",
            "max_parallel = 3",
            &[waits("one"), waits("two"), waits("one")],
        );
        let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
        foreman.wait_for("works on everything", LONG);
        drop(
            flow.execute(&[bead("one", &[])])
                .args(["--detach"])
                .run()
                .success(),
        );
        let second = flow.execute(&[bead("two", &[])]).args(["--detach"]);
        drop(second.dir(other.root()).run().success());
        for key in ["one-runs", "two-runs"] {
            fake.wait_for(key);
        }
        let (here, away) = (flow.repo.root().to_owned(), flow.env.root().join("away"));
        std::fs::rename(&here, &away).expect("moved");
        fake.release("go-one");
        assert!(
            wait_until(LONG, || flow.statuses()[0] == "blocked"),
            "{how}"
        );
        fake.release("go-two");
        assert!(
            wait_until(LONG, || flow.statuses()[1] == "completed"),
            "{how}"
        );
        let why = flow
            .env
            .rigs(["why"])
            .args([flow.bead_id("one")])
            .run()
            .success();
        assert!(why.stdout.contains("is gone: moved or deleted"), "{why}");
        if how == "deleted" {
            std::fs::remove_dir_all(&away).expect("deleted");
        } else {
            // Back again, its work is still there, and it goes on.
            std::fs::rename(&away, &here).expect("moved back");
            drop(
                flow.rigs(["bead", "retry"])
                    .args([flow.bead_id("one")])
                    .run()
                    .success(),
            );
            assert!(
                wait_until(LONG, || flow.statuses()[0] == "completed"),
                "{how}"
            );
        }
        foreman.signal(nix::sys::signal::Signal::SIGTERM);
        drop(foreman.wait(LONG).exits(143));
    }
}

#[test]
fn two_convoys_on_one_repository_work_at_once_and_land_one_after_the_other() {
    let flow = Flow::new(NO_GATE);
    let fake = flow.provider_with(
        "fake",
        "command",
        "max_parallel = 2",
        &[waits("one"), waits("two")],
    );
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    foreman.wait_for("works on everything", LONG);
    for key in ["one", "two"] {
        drop(
            flow.execute(&[bead(key, &[])])
                .args(["--detach"])
                .run()
                .success(),
        );
    }
    for key in ["one", "two"] {
        fake.wait_for(&format!("{key}-runs"));
    }
    for key in ["go-one", "go-two"] {
        fake.release(key);
    }
    assert!(wait_until(LONG, || flow.statuses() == ["completed"; 2]));
    foreman.signal(nix::sys::signal::Signal::SIGTERM);
    drop(foreman.wait(LONG).exits(143));
    flow.leaves_nothing();
    for convoy in flow.env.query("SELECT id FROM convoys ORDER BY created_at") {
        drop(flow.rigs(["convoy", "land"]).args([convoy]).run().success());
    }
    for key in ["one", "two"] {
        assert_eq!(flow.repo.read(&format!("{key}.txt")), "x\n");
    }
    assert_eq!(flow.repo.git(["status", "--porcelain"]), "");
}

#[test]
fn a_landing_waits_for_no_checkout_and_loses_no_commit() {
    let flow = Flow::new(NO_GATE);
    flow.provider(
        "fake",
        "command",
        &[always(&[
            write("made.txt", "x\n"),
            json!({"print": "done"}),
        ])],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    let convoy = flow.convoy();
    let land = || flow.rigs(["convoy", "land"]).args([&convoy]).run();
    // In the middle of something of the person's own.
    flow.repo.git(["switch", "--quiet", "-c", "side"]);
    flow.repo.file("README.md", "side\n");
    flow.repo.commit("side");
    flow.repo.git(["switch", "--quiet", "main"]);
    flow.repo.file("README.md", "main\n");
    let mine = flow.repo.commit("main");
    let sh = std::path::Path::new("/bin/sh");
    let merge = ["-c", "git merge --quiet --no-commit side"];
    let merge = flow.env.program_run(sh, merge).dir(flow.repo.root());
    drop(merge.run().exits(1));
    let refused = land().exits(4);
    assert!(refused.stderr.contains("README.md"), "{refused}");
    assert_eq!(flow.repo.commit_of("main"), mine);
    flow.repo.git(["merge", "--abort"]);
    // Not checked out at all: the branch moves, the checkout stays.
    flow.repo.git(["switch", "--quiet", "side"]);
    land().success();
    flow.repo
        .git(["merge-base", "--is-ancestor", &mine, "main"]);
    assert_eq!(flow.repo.show("main", "made.txt"), "x");
    assert_eq!(flow.repo.git(["status", "--porcelain"]), "");
}
