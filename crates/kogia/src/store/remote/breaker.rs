//! A circuit breaker, so that a dead server costs microseconds and not a timeout each time.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lets calls through while a server answers, and few when it does not.
///
/// After a failure all calls are refused for a while that doubles with each further failure. When
/// it is over one caller, and no other, may try again.
#[derive(Debug)]
pub(in crate::store) struct Breaker {
    started: Instant,
    /// Nanoseconds after `started` until which calls are refused; 0 while the server answers.
    refused_until: AtomicU64,
    failures: AtomicU32,
}

/// The first wait after a failure, and the longest.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

impl Breaker {
    pub(in crate::store) fn new() -> Self {
        Breaker {
            started: Instant::now(),
            refused_until: AtomicU64::new(0),
            failures: AtomicU32::new(0),
        }
    }

    /// Whether the caller may talk to the server. It then says how that went, by
    /// [`Breaker::succeeded`] or [`Breaker::failed`].
    pub(in crate::store) fn admits(&self) -> bool {
        let until = self.refused_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.now();
        // Whoever tries pushes the end forward, so that nobody else does meanwhile.
        let next = now + nanoseconds(LONGEST);
        now >= until
            && self
                .refused_until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The server answered, be it with an error of its own.
    pub(in crate::store) fn succeeded(&self) {
        if self.refused_until.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.refused_until.store(0, Ordering::Relaxed);
        }
    }

    /// The server did not answer.
    pub(in crate::store) fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let wait = (SHORTEST * 2_u32.pow(failures.min(10))).min(LONGEST);
        let until = self.now() + nanoseconds(wait);
        self.refused_until.store(until, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        nanoseconds(self.started.elapsed())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker whose last wait is over.
    fn after_the_wait(failures: u32) -> Breaker {
        let breaker = Breaker::new();
        for _ in 0..failures {
            breaker.failed();
        }
        breaker.refused_until.store(1, Ordering::Relaxed);
        breaker
    }

    #[test]
    fn a_server_that_answers_is_asked() {
        let breaker = Breaker::new();
        assert!(breaker.admits());
        breaker.succeeded();
        assert!(breaker.admits());
    }

    #[test]
    fn a_server_that_failed_is_left_alone() {
        let breaker = Breaker::new();
        breaker.failed();
        assert!(!breaker.admits());
    }

    #[test]
    fn one_caller_tries_again() {
        let breaker = after_the_wait(1);
        assert!(breaker.admits());
        assert!(!breaker.admits());
        breaker.succeeded();
        assert!(breaker.admits());
        assert!(breaker.admits());
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let breaker = Breaker::new();
        let mut waits = Vec::new();
        for _ in 0..20 {
            let before = breaker.now();
            breaker.failed();
            waits.push(breaker.refused_until.load(Ordering::Relaxed) - before);
        }
        assert!(waits[0] >= nanoseconds(SHORTEST));
        assert!(waits[1] >= 2 * nanoseconds(SHORTEST));
        assert!(waits[19] >= nanoseconds(LONGEST));
        assert!(waits[19] < nanoseconds(LONGEST) * 2);
    }
}
