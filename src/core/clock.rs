//! Wall-clock time as a value that is passed in, so that tests own it.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[cfg(test)]
use tokio::sync::watch;

use super::Timestamp;

/// A cheap handle to "now". Clone it freely.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Shifted by so many milliseconds; 0 except for `RIGS_TEST_TIME`.
    System(i64),
    /// Shifted by milliseconds that grow when somebody leaps: tests of whole nights.
    #[cfg(feature = "test-hooks")]
    Leaping(std::sync::Arc<std::sync::atomic::AtomicI64>),
    /// Wrong by as many milliseconds as a file says just now: tests of clocks that jump and of
    /// machines that sleep.
    #[cfg(feature = "test-hooks")]
    Wrong(std::sync::Arc<std::path::PathBuf>),
    #[cfg(test)]
    Fake(watch::Receiver<Fake>),
}

#[cfg(test)]
#[derive(Clone, Copy, Debug)]
struct Fake {
    now: Timestamp,
    moment: Moment,
}

/// A point on a time that only ever goes on, and stands still while the machine sleeps: for how
/// long something took, and for how long it may. Good in this process only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// How long after `earlier` this is; zero when it is not after it.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// Where the time that only goes on begins.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    pub(crate) fn system() -> Self {
        Self(Source::System(0))
    }

    /// A running clock that reads `start` at this moment; tests of the whole program use it.
    #[cfg(any(test, feature = "test-hooks"))]
    pub(crate) fn starting_at(start: Timestamp) -> Self {
        Self(Source::System(start.millis() - system_now().millis()))
    }

    /// A running clock that is ahead by so much, and can leap.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn leaping(ahead: Duration) -> Self {
        let ms = i64::try_from(ahead.as_millis()).unwrap_or(0);
        Self(Source::Leaping(std::sync::Arc::new(ms.into())))
    }

    /// A running clock that is wrong by the milliseconds in this file, whenever it is read.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn wrong_by(file: impl Into<std::path::PathBuf>) -> Self {
        Self(Source::Wrong(std::sync::Arc::new(file.into())))
    }

    /// Goes to a later time at once, where this clock can; by how much it is ahead then.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn leap(&self, to: Timestamp) -> Option<Duration> {
        let Source::Leaping(ahead) = &self.0 else {
            return None;
        };
        let by = i64::try_from(to.since(self.now()).as_millis()).unwrap_or(0);
        let before = ahead.fetch_add(by, std::sync::atomic::Ordering::Relaxed);
        Some(Duration::from_millis(
            u64::try_from(before + by).unwrap_or(0),
        ))
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(by) => Timestamp::from_millis(system_now().millis() + by),
            #[cfg(feature = "test-hooks")]
            Source::Leaping(ahead) => Timestamp::from_millis(
                system_now().millis() + ahead.load(std::sync::atomic::Ordering::Relaxed),
            ),
            #[cfg(feature = "test-hooks")]
            Source::Wrong(file) => {
                let said = std::fs::read_to_string(&**file).unwrap_or_default();
                let by: i64 = said.trim().parse().unwrap_or(0);
                Timestamp::from_millis(system_now().millis().saturating_add(by))
            }
            #[cfg(test)]
            Source::Fake(fake) => fake.borrow().now,
        }
    }

    /// This moment, for measuring how long something takes.
    pub(crate) fn moment(&self) -> Moment {
        match &self.0 {
            Source::System(_) => Moment(BEGIN.elapsed()),
            #[cfg(feature = "test-hooks")]
            Source::Leaping(ahead) => {
                let ahead = ahead.load(std::sync::atomic::Ordering::Relaxed);
                Moment(BEGIN.elapsed() + Duration::from_millis(u64::try_from(ahead).unwrap_or(0)))
            }
            #[cfg(feature = "test-hooks")]
            Source::Wrong(_) => Moment(BEGIN.elapsed()),
            #[cfg(test)]
            Source::Fake(fake) => fake.borrow().moment,
        }
    }

    /// Completes once `how_long` has passed, whatever happens to the clock on the wall.
    pub(crate) async fn sleep(&self, how_long: Duration) {
        self.sleep_to(self.moment() + how_long).await;
    }

    /// Completes once `moment()` is at or past `deadline`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that really sleeps"
    )]
    pub(crate) async fn sleep_to(&self, deadline: Moment) {
        #[cfg(test)]
        if let Source::Fake(fake) = &self.0 {
            // An error means that the `FakeClock` is gone; time then never moves again.
            let over = |fake: &Fake| fake.moment >= deadline;
            if fake.clone().wait_for(over).await.is_err() {
                std::future::pending::<()>().await;
            }
            return;
        }
        loop {
            let left = deadline.since(self.moment());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST)).await;
        }
    }

    /// Runs `work` for at most `limit`; `None` when time ran out.
    pub(crate) async fn timeout<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(limit) => None,
        }
    }
}

/// No single sleep is longer.
const LONGEST: Duration = Duration::from_secs(30);

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the real clock"
)]
fn system_now() -> Timestamp {
    Timestamp::from_millis(chrono::Utc::now().timestamp_millis())
}

/// The test side of a fake [`Clock`].
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct FakeClock(watch::Sender<Fake>);

#[cfg(test)]
impl FakeClock {
    pub(crate) fn at(start: &str) -> (Self, Clock) {
        let (tx, rx) = watch::channel(Fake {
            now: start.parse().expect("RFC 3339 timestamp"),
            moment: Moment(Duration::ZERO),
        });
        (Self(tx), Clock(Source::Fake(rx)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|fake| {
            fake.now = fake.now + by;
            fake.moment = fake.moment + by;
        });
    }

    /// Time passes until then.
    pub(crate) fn set(&self, to: Timestamp) {
        self.0.send_modify(|fake| {
            fake.moment = fake.moment + to.since(fake.now);
            fake.now = to;
        });
    }

    /// Somebody sets the clock on the wall, or the machine has slept: no time has passed.
    pub(crate) fn jump(&self, to: Timestamp) {
        self.0.send_modify(|fake| fake.now = to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_time_passes_their_deadline() {
        let (fake, clock) = FakeClock::at("2001-02-03T04:05:06Z");
        let deadline = clock.moment() + Duration::from_mins(1);
        let mut sleep = std::pin::pin!(clock.sleep_to(deadline));

        fake.advance(Duration::from_secs(59));
        tokio::select! {
            biased;
            () = &mut sleep => panic!("woke early"),
            () = tokio::task::yield_now() => {}
        }
        fake.advance(Duration::from_secs(1));
        sleep.await;
        assert_eq!(clock.moment(), deadline);
    }

    #[tokio::test]
    async fn a_timeout_ends_work_that_takes_too_long() {
        let (fake, clock) = FakeClock::at("2001-02-03T04:05:06Z");
        let limited = clock.timeout(Duration::from_secs(5), std::future::pending::<()>());
        let (done, ()) = tokio::join!(limited, async {
            tokio::task::yield_now().await;
            fake.set(clock.now() + Duration::from_secs(5));
        });
        assert_eq!(done, None);
    }

    /// Whether `sleep` is over by now.
    async fn is_over(sleep: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        tokio::select! {
            biased;
            () = sleep => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn a_clock_that_jumps_ends_no_wait_and_makes_none_longer() {
        let (fake, clock) = FakeClock::at("2001-02-03T04:05:06Z");
        let (start, begun) = (clock.now(), clock.moment());
        let hours = Duration::from_hours(8);
        let mut minute = std::pin::pin!(clock.sleep(Duration::from_mins(1)));
        assert!(!is_over(minute.as_mut()).await);

        fake.jump(start.minus(hours));
        fake.advance(Duration::from_secs(59));
        assert!(!is_over(minute.as_mut()).await);
        fake.jump(start + hours);
        assert!(!is_over(minute.as_mut()).await);
        fake.advance(Duration::from_secs(1));
        assert!(is_over(minute.as_mut()).await);
        assert_eq!(clock.moment().since(begun), Duration::from_mins(1));
    }
}
