//! Two real processes on one store: the test's own program, started twice more.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::*;
use crate::core::Ids;
use crate::core::clock::FakeClock;
use crate::db::{Db, Mode};
use crate::refinery::brute::steps::Dice;
use pretty_assertions::assert_eq;

const STORE: &str = "RIGS_TEST_RESERVE_IN";
const SEED: &str = "RIGS_TEST_RESERVE_SEED";
const LIMIT: u64 = 3_000;
const CLAIMS: u64 = 120;

fn rolling() -> TankSettings {
    let limit = limit(LimitKind::Rolling, LimitUnit::Tokens, HOUR, LIMIT);
    let mut settings = settings(&[limit]);
    settings
        .limits
        .retain(|frame| frame.kind != LimitKind::Concurrency);
    settings
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test is started by itself, as a process of its own"
)]
fn two_processes_of_their_own_that_reserve_at_once_never_exceed_a_window() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if let (Ok(store), Ok(seed)) = (std::env::var(STORE), std::env::var(SEED)) {
        return runtime.block_on(reserve_until_full(&store, seed.parse().unwrap()));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("rigs.db");
    runtime.block_on(async { drop(Db::open(&store, Mode::Foreman).await.unwrap()) });
    let name = "two_processes_of_their_own_that_reserve_at_once_never_exceed_a_window";
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut both = [1, 2].map(|seed| {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{name}")])
            .env(STORE, &store)
            .env(SEED, seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        child.unwrap()
    });
    // Both wait for this word, so that they begin together.
    for child in &mut both {
        child.stdin.take().unwrap().write_all(b"go").unwrap();
    }
    for child in both {
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
    }
    runtime.block_on(async {
        let db = Db::open(&store, Mode::Foreman).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let (used, promised): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(sum(tokens), 0) FROM usage),
                 (SELECT coalesce(sum(tokens), 0) FROM reservations WHERE settled_at IS NULL)",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        let owners: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT owner FROM reservations ORDER BY owner")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        assert_eq!(owners, ["process 1", "process 2"]);
        let all = (used + promised) as u64;
        assert!(all <= LIMIT, "{used} used and {promised} promised");
        // They stopped at the limit, and not before.
        assert!(all > LIMIT - 60, "{used} used and {promised} promised");
        // At no moment in between, either.
        let steps: Vec<(i64,)> = sqlx::query_as(
            "SELECT CASE type WHEN 'capacity.reserved' THEN payload ->> 'tokens'
                 ELSE (payload ->> 'tokens') - (payload ->> 'reserved_tokens') END
             FROM events WHERE type IN ('capacity.reserved', 'capacity.settled') ORDER BY seq",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let mut level = 0;
        for (step,) in steps {
            level += step;
            assert!(level <= LIMIT as i64, "{level}");
        }
        assert_eq!(level, used + promised);
    });
}

/// Reserves and settles until nothing fits any more.
async fn reserve_until_full(store: &str, seed: u64) {
    let mut word = String::new();
    std::io::stdin().read_to_string(&mut word).unwrap();
    let db = Db::open(store.as_ref(), Mode::Foreman).await.unwrap();
    let (_time, clock) = FakeClock::at("2026-11-20T08:00:00Z");
    let ids = Ids::seeded(clock.clone(), 100 + seed);
    let mut dice = Dice::new(seed);
    let settings = rolling();
    for _ in 0..CLAIMS {
        let amount = 1 + dice.below(60);
        let claim = Claim {
            attempt: ids.attempt(),
            bead: bead(),
            convoy: None,
            owner: format!("process {seed}"),
            ask: crate::refinery::brute::steps::ask(amount),
            expires_at: clock.now() + HOUR,
        };
        let mut tx = db.write().await.unwrap();
        let answer = reserve(&mut tx, &ids, clock.now(), &settings, &claim)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        if answer.is_ok() && dice.below(3) > 0 {
            let slice = Slice {
                number: 0,
                model: None,
                usage: used_tokens(dice.below(amount + 1)),
            };
            let mut tx = db.write().await.unwrap();
            settle(&mut tx, &ids, clock.now(), claim.attempt, &[slice], true)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }
}
