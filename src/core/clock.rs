//! Wall-clock time as a value that is passed in, so that tests own it.

use std::time::Duration;

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
    #[cfg(test)]
    Fake(watch::Receiver<Timestamp>),
}

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
            #[cfg(test)]
            Source::Fake(now) => *now.borrow(),
        }
    }

    /// Completes once `now()` is at or past `deadline`. A system clock that jumps (suspend,
    /// NTP) is noticed within a minute, because no single sleep is longer than that.
    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        match &self.0 {
            #[cfg(test)]
            Source::Fake(now) => {
                // An error means that the `FakeClock` is gone; time then never moves again.
                if now.clone().wait_for(|now| *now >= deadline).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Source::System(_) => self.really_sleep_until(deadline).await,
            #[cfg(feature = "test-hooks")]
            Source::Leaping(_) => self.really_sleep_until(deadline).await,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that really sleeps"
    )]
    async fn really_sleep_until(&self, deadline: Timestamp) {
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_mins(1))).await;
        }
    }

    pub(crate) async fn sleep(&self, how_long: Duration) {
        self.sleep_until(self.now() + how_long).await;
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
pub(crate) struct FakeClock(watch::Sender<Timestamp>);

#[cfg(test)]
impl FakeClock {
    pub(crate) fn at(start: &str) -> (Self, Clock) {
        let (tx, rx) = watch::channel(start.parse().expect("RFC 3339 timestamp"));
        (Self(tx), Clock(Source::Fake(rx)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = *now + by);
    }

    pub(crate) fn set(&self, to: Timestamp) {
        self.0.send_replace(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_time_passes_their_deadline() {
        let (fake, clock) = FakeClock::at("2001-02-03T04:05:06Z");
        let deadline = clock.now() + Duration::from_mins(1);
        let mut sleep = std::pin::pin!(clock.sleep_until(deadline));

        fake.advance(Duration::from_secs(59));
        tokio::select! {
            biased;
            () = &mut sleep => panic!("woke early"),
            () = tokio::task::yield_now() => {}
        }
        fake.advance(Duration::from_secs(1));
        sleep.await;
        assert_eq!(clock.now(), deadline);
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
}
