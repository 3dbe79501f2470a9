//! Writers and readers at work on a store, and a checker of what they see.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kogia::core::{Decision, OwnerId, ReadBypass};
use kogia::{Backend, Store};

use super::{HOUR, request, set, table};

const WRITERS: usize = 2;

/// How far the work is.
#[derive(Default)]
pub(crate) struct Progress {
    calls: AtomicU64,
    /// Those that were hits or misses, and those that the store has not answered; the others bypass.
    reads: AtomicU64,
    failures: AtomicU64,
    hits: AtomicU64,
    failed_marks: AtomicU64,
    /// The writers that are not ready yet.
    writing: AtomicUsize,
    /// Whether whoever disturbs the work has done so often enough, or failed.
    is_enough: AtomicBool,
}

impl Progress {
    /// Waits for so many more reads; whether the work still goes on.
    pub(crate) fn wait_for_reads(&self, more: u64) -> bool {
        self.wait(&self.reads, more)
    }

    /// Waits for so many more hits.
    pub(crate) fn wait_for_hits(&self, more: u64) -> bool {
        self.wait(&self.hits, more)
    }

    /// Waits for so many more reads that the store does not answer.
    pub(crate) fn wait_for_failures(&self, more: u64) -> bool {
        self.wait(&self.failures, more)
    }

    /// The marks that the store has not acknowledged.
    pub(crate) fn failed_marks(&self) -> u64 {
        self.failed_marks.load(Ordering::Relaxed)
    }

    /// Waits for so many more calls, whatever comes of them.
    pub(crate) fn wait_for_calls(&self, more: u64) {
        let until = self.calls.load(Ordering::Relaxed) + more;
        while self.calls.load(Ordering::Relaxed) < until {
            thread::yield_now();
        }
    }

    fn wait(&self, count: &AtomicU64, more: u64) -> bool {
        let begun = Instant::now();
        let until = count.load(Ordering::Relaxed) + more;
        while self.goes_on() && count.load(Ordering::Relaxed) < until {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the work stands still"
            );
            thread::yield_now();
        }
        self.goes_on()
    }

    pub(crate) fn goes_on(&self) -> bool {
        self.writing.load(Ordering::SeqCst) > 0
    }
}

/// A table of the database: a number that grows.
struct Table {
    number: AtomicU64,
    /// When each of its numbers after the first was committed, or a moment later.
    committed: Mutex<Vec<Instant>>,
}

impl Table {
    fn new() -> Self {
        Table {
            number: AtomicU64::new(1),
            committed: Mutex::default(),
        }
    }

    fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// The number that had been committed so long ago.
    fn number_before(&self, staleness: Duration) -> u64 {
        if staleness.is_zero() {
            return self.number();
        }
        let now = Instant::now();
        let committed = self.committed.lock().unwrap();
        1 + committed.partition_point(|then| *then + staleness <= now) as u64
    }

    fn commit(&self) {
        let mut committed = self.committed.lock().unwrap();
        self.number.fetch_add(1, Ordering::SeqCst);
        committed.push(Instant::now());
    }
}

/// Writers and readers of some tables that are numbers; how many hits there were, and how many
/// told a number older than one that was committed before the read began. `disturb` runs beside them.
pub(crate) fn work<S: Store>(
    open: impl Fn() -> S,
    rounds: u128,
    disturb: impl FnOnce(&Progress) + Send,
) -> (u64, u64) {
    let goes_on = |_: &Progress, round| round < rounds;
    run(Duration::ZERO, open, goes_on, disturb)
}

/// [`work`] that goes on for as long as it is disturbed.
pub(crate) fn work_during<S: Store>(
    open: impl Fn() -> S,
    disturb: impl FnOnce(&Progress) + Send,
) -> (u64, u64) {
    let goes_on = |progress: &Progress, _| !progress.is_enough.load(Ordering::SeqCst);
    run(Duration::ZERO, open, goes_on, disturb)
}

/// [`work`], where a hit may tell a number that was the last one so long before the read began.
pub(crate) fn work_within<S: Store>(
    staleness: Duration,
    open: impl Fn() -> S,
    rounds: u128,
    disturb: impl FnOnce(&Progress) + Send,
) -> (u64, u64) {
    let goes_on = |_: &Progress, round| round < rounds;
    run(staleness, open, goes_on, disturb)
}

fn run<S: Store>(
    staleness: Duration,
    open: impl Fn() -> S,
    goes_on: impl Fn(&Progress, u128) -> bool + Copy + Send,
    disturb: impl FnOnce(&Progress) + Send,
) -> (u64, u64) {
    const TABLES: usize = 4;
    let database: Vec<Table> = (0..TABLES).map(|_| Table::new()).collect();
    let progress = &Progress::default();
    let stale = AtomicU64::new(0);
    let (reads, failures, writing) = (&progress.reads, &progress.failures, &progress.writing);
    writing.store(WRITERS, Ordering::SeqCst);
    thread::scope(|scope| {
        for writer in 0..WRITERS as u128 {
            let (database, store) = (&database, open());
            scope.spawn(move || {
                for round in (0..).take_while(|round| goes_on(progress, *round)) {
                    // Forty reads between two writes.
                    while u128::from(reads.load(Ordering::Relaxed)) < round * 40
                        && goes_on(progress, round)
                    {
                        thread::yield_now();
                    }
                    let number = (round as usize * 5 + writer as usize) % TABLES;
                    let tags = set(&[table(&number.to_string())]);
                    // One owner for all rounds: a mark that comes back with an old dump is cleared when
                    // the writer comes by again.
                    let owner = OwnerId(writer);
                    let mark = kogia::Mark {
                        owner,
                        tags: &tags,
                        lease: HOUR,
                        backend: &Backend::Unknown,
                    };
                    if store.mark(&mark).is_ok() {
                        // Readers and faults come between the mark, the commit and the clear.
                        progress.wait_for_calls(24);
                        database[number].commit();
                        progress.wait_for_calls(24);
                    } else {
                        progress.failed_marks.fetch_add(1, Ordering::Relaxed);
                    }
                    while store.clear(owner, &tags).is_err() {}
                }
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for reader in 0..2_u64 {
            let (database, store) = (&database, open());
            let stale = &stale;
            scope.spawn(move || {
                let mut round = reader;
                while writing.load(Ordering::SeqCst) > 0 {
                    round += 1;
                    let number = round as usize % TABLES;
                    let tags = [table(&number.to_string())];
                    // Many entries of each table, so that the memory is never enough.
                    let key = number as u64 * 1_000 + round / TABLES as u64 % 3 * 7;
                    let committed = database[number].number_before(staleness);
                    let request = request(key, &tags);
                    progress.calls.fetch_add(1, Ordering::Relaxed);
                    let Ok(response) = store.read(&request) else {
                        failures.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    let decision = request.decide(response);
                    if !matches!(decision, Decision::Bypass(_)) {
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    match decision {
                        Decision::Hit(value) => {
                            progress.hits.fetch_add(1, Ordering::Relaxed);
                            let told = u64::from_le_bytes(*value.first_chunk().unwrap());
                            if told < committed {
                                stale.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        Decision::Miss(right) | Decision::Stale(right) => {
                            let now = database[number].number();
                            let mut value = now.to_le_bytes().to_vec();
                            value.extend(noise(round, 40_000));
                            let _ = store.fill(&right, 1, value.into(), HOUR);
                        }
                        Decision::Bypass(ReadBypass::Marked) => {
                            let _ = store.abandoned(&tags);
                        }
                        Decision::Bypass(_) => {}
                    }
                }
            });
        }
        scope.spawn(|| {
            let _enough = Enough(progress);
            disturb(progress);
        });
    });
    (progress.hits.load(Ordering::SeqCst), stale.into_inner())
}

/// Says that the work was disturbed enough, also when the one who did so panics.
struct Enough<'a>(&'a Progress);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.is_enough.store(true, Ordering::SeqCst);
    }
}

/// Bytes that cannot be compressed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut word = seed | 1;
    let next = |_| {
        // Marsaglia's xorshift.
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 32) as u8
    };
    (0..length).map(next).collect()
}
