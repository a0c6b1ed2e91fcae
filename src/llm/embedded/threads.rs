//! How many threads compute.
//!
//! candle spreads every small step over a pool as large as the machine and spins until the
//! slowest part is done. On two busy cores that makes it ten times slower than one thread alone
//! (measured), so small machines use one. candle takes the size of its pool from the environment
//! only, but a step that is started inside the pool is not spread again: the whole answer is
//! therefore computed on one thread of the pool, while the thread that asked for it sleeps.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use candle_core::utils::barrier_pool;

/// With at most so many cores, one thread computes. Beyond, candle's own choice does.
const SMALL_MACHINE: usize = 4;

/// Runs `work` on as many threads as suit this machine.
pub(super) fn compute<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores > SMALL_MACHINE {
        return work();
    }
    alone(work)
}

fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let pool = barrier_pool();
    let workers = pool.n_workers();
    let work = Mutex::new(Some(work));
    let (sender, receiver) = sync_channel(1);
    let receiver = Mutex::new(receiver);
    let result = Mutex::new(None);
    // The pool runs this once per worker (0, 1, ...) and once, as the last number, on the caller.
    pool.execute(|thread| {
        if thread == 0 {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            // A panic that left this closure would make the pool unusable for ever.
            let done = work.map(|work| catch_unwind(AssertUnwindSafe(work)));
            *result.lock().unwrap_or_else(PoisonError::into_inner) = done;
            sender
                .send(())
                .expect("invariant: room for the only message, and its receiver lives");
        }
        if thread == workers {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver
                .recv()
                .expect("invariant: worker 0 sends before it ends");
        }
    });
    let result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    match result.expect("invariant: worker 0 has run") {
        Ok(done) => done,
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_and_a_panic_comes_through_without_harm() {
        assert_eq!(alone(|| 1 + 1), 2);
        let panicked = catch_unwind(|| alone(|| panic!("inside")));
        assert!(panicked.is_err());
        assert_eq!(alone(|| 2 + 2), 4);
    }
}
