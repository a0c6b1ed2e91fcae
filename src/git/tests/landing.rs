//! Bringing work to the user's branch.

use pretty_assertions::assert_eq;

use super::*;

async fn land(test: &TestRepo, commit: &str) -> Landed {
    let repo = test.repo().await;
    let landed = repo
        .land("main", commit, &message("Land"), &test.tree("land"))
        .await;
    assert!(!test.tree("land").exists());
    landed.expect("tried")
}

#[tokio::test]
async fn a_clean_checkout_follows_its_branch() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x\n").await;
    test.write("untracked", "mine");
    assert_eq!(
        land(&test, &work).await,
        Landed::FastForward {
            commit: work.clone()
        }
    );
    assert_eq!(test.git(&["rev-parse", "main"]).await, work);
    assert_eq!(test.git(&["status", "--porcelain"]).await, "?? untracked");
    assert!(test.root().join("new").exists());
    assert_eq!(land(&test, &work).await, Landed::UpToDate);
}

#[tokio::test]
async fn a_base_that_moved_on_is_merged() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x\n").await;
    test.write("b.txt", "mine\n");
    let mine = test.commit("mine").await;
    let landed = land(&test, &work).await;
    let Landed::Merged { commit } = landed else {
        panic!("{landed:?}")
    };
    assert_eq!(
        test.git(&["log", "-1", "--format=%P"]).await,
        format!("{mine} {work}")
    );
    assert_eq!(test.git(&["rev-parse", "main"]).await, commit);
    assert!(test.root().join("new").exists() && test.root().join("b.txt").exists());
    assert_eq!(test.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn a_checkout_with_changes_or_files_in_the_way_is_not_touched() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x\n").await;
    let main = test.git(&["rev-parse", "main"]).await;
    let dirty = |file: &str| {
        Landed::Refused(Refusal::Dirty {
            checkout: test.root(),
            files: vec![file.into()],
        })
    };
    test.write("a.txt", "changed\n");
    assert_eq!(land(&test, &work).await, dirty("a.txt"));
    test.write("a.txt", "one\n");
    test.write("new", "mine\n");
    assert_eq!(land(&test, &work).await, dirty("new"));
    assert_eq!(
        fs::read_to_string(test.root().join("new")).expect("read"),
        "mine\n"
    );
    assert_eq!(test.git(&["rev-parse", "main"]).await, main);
}

#[tokio::test]
async fn a_base_in_conflict_is_refused_with_the_files() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "a.txt", "theirs\n").await;
    test.write("a.txt", "mine\n");
    let mine = test.commit("mine").await;
    let want = Refusal::Conflict {
        files: vec!["a.txt".into()],
    };
    assert_eq!(land(&test, &work).await, Landed::Refused(want));
    assert_eq!(test.git(&["rev-parse", "main"]).await, mine);
}

#[tokio::test]
async fn a_base_that_is_checked_out_nowhere_just_moves() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x\n").await;
    test.git(&["checkout", "-q", "-b", "other"]).await;
    test.write("a.txt", "changed\n");
    assert_eq!(
        land(&test, &work).await,
        Landed::FastForward {
            commit: work.clone()
        }
    );
    assert_eq!(test.git(&["rev-parse", "main"]).await, work);
    assert_eq!(test.git(&["status", "--porcelain"]).await, " M a.txt");
    let nowhere = test
        .repo()
        .await
        .land("gone", &work, &message("x"), &test.tree("l"))
        .await;
    assert_eq!(nowhere.expect("tried"), Landed::Refused(Refusal::NoBranch));
}

#[tokio::test]
async fn files_that_the_users_filters_would_change_are_left_to_the_user() {
    let test = TestRepo::new().await;
    test.write(".gitattributes", "*.bin filter=big\n");
    test.commit("attributes").await;
    test.user("filter.big.smudge", "cat").await;
    test.user("filter.big.clean", "cat").await;
    let work = test.change("gt-1", "x.bin", "x\n").await;
    let want = Refusal::Filtered {
        checkout: test.root(),
        files: vec!["x.bin".into()],
    };
    assert_eq!(land(&test, &work).await, Landed::Refused(want));
}

#[tokio::test]
async fn a_lock_in_the_users_checkout_is_the_users() {
    let test = TestRepo::new().await;
    let work = test.change("gt-1", "new", "x\n").await;
    fs::write(test.root().join(".git/index.lock"), "").expect("written");
    let landed = land(&test, &work).await;
    assert!(
        matches!(&landed, Landed::Refused(Refusal::Git { reason, .. }) if reason.contains("index.lock")),
        "{landed:?}"
    );
    assert!(test.root().join(".git/index.lock").exists());
}
