//! The end of a run, and of everything it started.

use pretty_assertions::assert_eq;

use super::*;
use crate::core::clock::FakeClock;

#[tokio::test]
async fn a_child_that_prints_for_ever_is_ended_when_time_is_over() {
    let out = ran(&sh("while :; do echo again; done"), limits(200, 100)).await;
    assert_eq!((out.timed_out, out.exit), (true, Exit::Signal(15)));
}

#[tokio::test]
async fn a_child_that_ignores_term_is_killed_after_the_grace() {
    let mut child = start(
        &sh("trap '' TERM; echo ready; while :; do sleep 0.05; done"),
        "t-deaf",
    )
    .expect("it starts");
    first(&mut child, 1).await;
    end(&mut child, "t-deaf").await;
    assert_eq!(
        all(&mut child).await,
        (Vec::<String>::new(), Exit::Signal(9))
    );
}

#[tokio::test]
async fn a_child_that_obeys_term_may_say_a_last_word() {
    let mut child = start(
        &sh("exec 2>/dev/null; trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done"),
        "t-bye",
    )
    .expect("it starts");
    first(&mut child, 1).await;
    end(&mut child, "t-bye").await;
    assert_eq!(
        all(&mut child).await,
        (vec!["bye".to_owned()], Exit::Code(7))
    );
}

#[tokio::test]
async fn tools_in_sessions_of_their_own_are_ended_too() {
    let mut child = start(
        &sh("setsid sh -c 'trap \"\" TERM; echo $$; sleep 60; sleep 60' & wait"),
        "t-tool",
    )
    .expect("it starts");
    let tool = first(&mut child, 1).await.remove(0);
    assert!(alive(&tool));
    end(&mut child, "t-tool").await;
    assert!(!alive(&tool));
}

#[tokio::test]
async fn what_a_tidy_program_leaves_in_its_group_is_ended() {
    let stop = CancellationToken::new();
    let clock = Clock::system();
    for (left, out) in [
        ("sleep 60 >/dev/null 2>&1 </dev/null & echo $!", ""),
        ("echo", "\n"),
    ] {
        let done = run_tidy(&sh(left), limits(10_000, 100), &clock, &stop).await;
        let done = done.expect("it runs");
        assert_eq!((done.exit, done.timed_out), (Exit::Code(0), false));
        if out.is_empty() {
            assert!(!alive(done.stdout.trim()));
        } else {
            assert_eq!(done.stdout, out);
        }
    }
}

#[tokio::test]
async fn a_daemon_left_by_a_child_that_ended_well_is_ended() {
    let script = "(setsid sh -c 'echo $$; exec sleep 60' >&1 2>/dev/null </dev/null &) ; exit 0";
    let mut child = start(&sh(script), "t-daemon").expect("it starts");
    let daemon = first(&mut child, 1).await.remove(0);
    // The daemon holds the pipe open; that does not hold the exit back.
    assert_eq!(all(&mut child).await, (Vec::<String>::new(), Exit::Code(0)));
    assert!(alive(&daemon));
    end(&mut child, "t-daemon").await;
    assert!(!alive(&daemon));
}

#[tokio::test]
async fn a_run_to_the_end_leaves_no_daemon_behind() {
    let out = ran(
        &sh("setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $!"),
        limits(5000, 99),
    )
    .await;
    assert_eq!(out.exit, Exit::Code(0));
    assert!(!alive(out.stdout.trim()));
}

#[tokio::test]
async fn a_child_without_the_marker_is_found_by_descent_and_session() {
    let script = "env -i /usr/bin/setsid /bin/sh -c 'echo $$; /bin/sleep 60; :' & \
                  env -i /bin/sh -c 'echo $$; /bin/sleep 60; :' & wait";
    let mut child = start(&sh(script), "t-scrubbed").expect("it starts");
    let pids = first(&mut child, 2).await;
    end(&mut child, "t-scrubbed").await;
    assert_eq!(pids.iter().filter(|pid| alive(pid)).count(), 0);
}

/// A child in `place` that ends when its daemon, which bears no mark, has done `first` and is up;
/// it prints the id of the daemon.
fn leaves_a_daemon(place: &std::path::Path, first: &str) -> Spec {
    let daemon = format!("{first}; echo $$ > \"$0\"; exec /bin/sleep 60");
    let script = format!(
        "(env -i /usr/bin/setsid /bin/sh -c '{daemon}' \"$PWD/pid\" </dev/null >/dev/null 2>&1 &); \
         until test -s pid; do sleep 0.02; done; cat pid"
    );
    Spec {
        cwd: place.to_owned(),
        ..sh(&script)
    }
}

#[tokio::test]
async fn a_daemon_without_any_mark_is_adopted_and_ended() {
    become_subreaper();
    let place = tempfile::tempdir().expect("a folder");
    let mut child = start(&leaves_a_daemon(place.path(), "cd /"), "t-stray").expect("it starts");
    let daemon = first(&mut child, 1).await.remove(0);
    end(&mut child, "t-stray").await;
    // While an older run of another test is going, the daemon could be that one's; it goes with
    // the last of them.
    let clock = Clock::system();
    for _ in 0..200 {
        // Waited for, too.
        if table::entry(daemon.parse().expect("an id")).is_none() {
            return;
        }
        ran(&sh("sleep 0.02"), limits(5000, 99)).await;
        clock.sleep(Duration::from_millis(5)).await;
    }
    panic!("{daemon} is alive");
}

#[tokio::test]
async fn a_daemon_without_any_mark_is_known_by_where_it_stands_while_older_runs_go_on() {
    become_subreaper();
    let mut older = start(&sh("echo up; exec sleep 60"), "t-older").expect("it starts");
    first(&mut older, 1).await;
    let place = tempfile::tempdir().expect("a folder");
    let mut child = start(&leaves_a_daemon(place.path(), ":"), "t-stands").expect("it starts");
    let daemon = first(&mut child, 1).await.remove(0);
    assert_eq!(all(&mut child).await, (Vec::<String>::new(), Exit::Code(0)));
    assert!(alive(&daemon));
    end(&mut child, "t-stands").await;
    assert!(!alive(&daemon));
    assert!(is_alive(older.pid(), older.started()));
    end(&mut older, "t-older").await;
}

#[tokio::test]
async fn a_stopped_run_is_an_error_of_its_own() {
    let stop = CancellationToken::new();
    let (spec, clock) = (sh("sleep 60"), Clock::system());
    let work = run(&spec, limits(9000, 99), &clock, &stop);
    let (done, ()) = tokio::join!(work, async {
        clock.sleep(Duration::from_millis(30)).await;
        stop.cancel();
    });
    assert!(matches!(done, Err(ProcessError::Stopped)), "{done:?}");
}

#[tokio::test]
async fn a_run_ends_by_itself_also_when_the_clock_stands_still() {
    let (_time, clock) = FakeClock::at("2026-11-20T08:00:00Z");
    // It leaves a tool that ignores TERM: the grace is over in real time.
    let spec =
        sh("setsid sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.05; done' & sleep 0.1");
    let output = run(&spec, limits(1, 99), &clock, &CancellationToken::new()).await;
    let output = output.expect("it starts");
    assert_eq!((output.exit, output.timed_out), (Exit::Code(0), false));
}

#[tokio::test]
async fn a_dropped_run_takes_everything_with_it() {
    let mut child = start(&sh("setsid sleep 60 & echo $!; wait"), "t-drop").expect("it starts");
    let tool = first(&mut child, 1).await.remove(0);
    let pid = child.pid().to_string();
    drop(child);
    gone(&[&tool, &pid]).await;
}

#[tokio::test]
async fn a_run_of_a_killed_rigs_is_ended_by_its_marker() {
    // What a killed rigs leaves: children that nobody waits for. Here the middle shell is it.
    let script = "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & \
                  env -i /bin/sh -c 'echo $$; /bin/sleep 60; :' & wait";
    let spec = Spec {
        env: BTreeMap::from([(MARKER.to_owned(), "unused".into())]),
        ..sh(script)
    };
    let mut child = start(&spec, "t-recover").expect("it starts");
    let pids = first(&mut child, 2).await;
    let leader = (child.pgid(), child.started());
    let left = end_marked("t-recover", Some(leader), GRACE, &Clock::system()).await;
    assert_eq!(
        (left, carrying("t-recover")),
        (Vec::<u32>::new(), Vec::<u32>::new())
    );
    gone(&[&pids[0], &pids[1]]).await;
    end(&mut child, "t-recover").await;
}

#[tokio::test]
async fn a_reused_process_id_is_never_hit() {
    let mut other = start(&sh("echo ready; sleep 60; :"), "t-other").expect("it starts");
    first(&mut other, 1).await;
    // The id of our run, but another start: that run is over, and its number went to another.
    let stale = (other.pgid(), other.started() - 1);
    let left = end_marked("t-nobody", Some(stale), GRACE, &Clock::system()).await;
    assert_eq!(left, Vec::<u32>::new());
    assert!(is_alive(other.pid(), other.started()));
    assert!(!is_alive(other.pid(), other.started() - 1));
    end(&mut other, "t-other").await;
    assert!(!is_alive(other.pid(), other.started()));
}
