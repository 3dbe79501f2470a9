//! Events: what happened, and who is told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kogia_core::{ReadBypass, SessionBypass, Uncacheable};

use crate::store::StoreError;

/// Something that happened in a cache.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A query was answered, or is about to run.
    Read {
        /// The SQL text.
        sql: &'a str,
        /// What came of it.
        outcome: &'a ReadOutcome,
    },
    /// A value was stored.
    Filled {
        /// Its bytes.
        bytes: usize,
    },
    /// A query ran whose result was to be stored, and is not.
    NotStored {
        /// The SQL text.
        sql: &'a str,
        /// Why, in a sentence that a developer understands.
        reason: &'a str,
    },
    /// Tags were invalidated: the transaction that wrote them is over.
    Invalidated {
        /// How many tags.
        tags: usize,
    },
    /// Nobody learnt how a write ended; its marks stay until they are resolved.
    Abandoned {
        /// How many tags.
        tags: usize,
    },
    /// The store failed. The query or the write went on without it.
    StoreFailed {
        /// What it said.
        error: &'a StoreError,
    },
    /// The schema changed, so the catalog must be loaded again.
    CatalogOutdated,
}

/// What came of a read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadOutcome {
    /// The entry was current.
    Hit,
    /// Another reader was running the same query, and its result is the answer.
    Shared,
    /// There was no entry.
    Miss,
    /// There was one, and it was stale.
    Stale,
    /// The cache was deliberately not asked, or could not be.
    Bypass(BypassReason),
}

/// Why a query bypassed the cache.
///
/// [`fmt::Display`] is one sentence that a developer understands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BypassReason {
    /// The statement can never be cached.
    Statement(Uncacheable),
    /// The session leaves the cache alone.
    Session(SessionBypass),
    /// The generations allow neither a hit nor a fill just now.
    Read(ReadBypass),
    /// The call asked for it.
    Requested,
    /// The store failed.
    StoreFailed,
    /// An invalidation of these tags has not reached the store yet.
    InvalidationPending,
    /// A parameter has a type whose value cannot take part in a key.
    Parameter,
}

impl fmt::Display for BypassReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BypassReason::Statement(why) => why.fmt(f),
            BypassReason::Session(why) => why.fmt(f),
            BypassReason::Read(ReadBypass::Marked) => {
                f.write_str("a transaction is about to commit a change to what the query reads")
            }
            BypassReason::Read(ReadBypass::SnapshotMoved) => {
                f.write_str("something was committed since the snapshot of the transaction began")
            }
            BypassReason::Read(ReadBypass::SchemaChanged) => {
                f.write_str("the schema changed and the catalog is being loaded again")
            }
            BypassReason::Read(_) => f.write_str("the store could not hold a generation"),
            BypassReason::Requested => f.write_str("the call asked to bypass the cache"),
            BypassReason::StoreFailed => f.write_str("the store failed"),
            BypassReason::InvalidationPending => {
                f.write_str("an invalidation has not reached the store yet")
            }
            BypassReason::Parameter => {
                f.write_str("a parameter has a type that cannot take part in a key")
            }
        }
    }
}

/// Who is told of events. Called in the middle of queries: it must be quick and not panic.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Listener for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// How often each thing happened since the cache was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads answered by a current entry.
    pub hits: u64,
    /// Reads answered by another reader's flight.
    pub shared: u64,
    /// Reads without an entry.
    pub misses: u64,
    /// Reads whose entry was stale.
    pub stale: u64,
    /// Reads that bypassed the cache.
    pub bypasses: u64,
    /// Values stored.
    pub fills: u64,
    /// Transactions, and writes in autocommit, whose tags were invalidated.
    pub invalidations: u64,
    /// Failures of the store.
    pub store_errors: u64,
}

/// Tells listeners, counts, and feeds `metrics` and `tracing`.
pub(crate) struct Events {
    listeners: Vec<Arc<dyn Listener>>,
    cells: Box<[Cell]>,
    metrics: [metrics::Counter; KINDS],
}

/// One thread's share of the counters, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Cell([AtomicU64; KINDS]);

const CELLS: usize = 16;
const KINDS: usize = 8;

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Hit,
    Shared,
    Miss,
    Stale,
    Bypass,
    Fill,
    Invalidation,
    StoreError,
}

thread_local! {
    static CELL: usize = {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) as usize % CELLS
    };
}

impl Events {
    pub(crate) fn new(listeners: Vec<Arc<dyn Listener>>) -> Self {
        metrics::describe_counter!("kogia_reads_total", "Reads by outcome.");
        metrics::describe_counter!("kogia_fills_total", "Values stored.");
        metrics::describe_counter!(
            "kogia_invalidations_total",
            "Writes whose tags were invalidated."
        );
        metrics::describe_counter!("kogia_store_errors_total", "Failures of the store.");
        let read =
            |outcome: &'static str| metrics::counter!("kogia_reads_total", "outcome" => outcome);
        Events {
            listeners,
            cells: (0..CELLS).map(|_| Cell::default()).collect(),
            metrics: [
                read("hit"),
                read("shared"),
                read("miss"),
                read("stale"),
                read("bypass"),
                metrics::counter!("kogia_fills_total"),
                metrics::counter!("kogia_invalidations_total"),
                metrics::counter!("kogia_store_errors_total"),
            ],
        }
    }

    pub(crate) fn read(&self, sql: &str, outcome: &ReadOutcome) {
        let kind = match outcome {
            ReadOutcome::Hit => Kind::Hit,
            ReadOutcome::Shared => Kind::Shared,
            ReadOutcome::Miss => Kind::Miss,
            ReadOutcome::Stale => Kind::Stale,
            ReadOutcome::Bypass(reason) => {
                tracing::trace!(sql, %reason, "bypass");
                Kind::Bypass
            }
        };
        self.count(kind);
        self.tell(&Event::Read { sql, outcome });
    }

    pub(crate) fn filled(&self, bytes: usize) {
        self.count(Kind::Fill);
        self.tell(&Event::Filled { bytes });
    }

    pub(crate) fn not_stored(&self, sql: &str, reason: &str) {
        tracing::debug!(sql, reason, "a result is not stored");
        self.tell(&Event::NotStored { sql, reason });
    }

    pub(crate) fn invalidated(&self, tags: usize) {
        self.count(Kind::Invalidation);
        self.tell(&Event::Invalidated { tags });
    }

    pub(crate) fn store_failed(&self, error: &StoreError) {
        self.count(Kind::StoreError);
        tracing::warn!(%error, "the store failed, going on without it");
        self.tell(&Event::StoreFailed { error });
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.listeners
            .iter()
            .for_each(|listener| listener.on_event(event));
    }

    pub(crate) fn stats(&self) -> Stats {
        let sum = |kind: Kind| -> u64 {
            self.cells
                .iter()
                .map(|cell| cell.0[kind as usize].load(Ordering::Relaxed))
                .sum()
        };
        Stats {
            hits: sum(Kind::Hit),
            shared: sum(Kind::Shared),
            misses: sum(Kind::Miss),
            stale: sum(Kind::Stale),
            bypasses: sum(Kind::Bypass),
            fills: sum(Kind::Fill),
            invalidations: sum(Kind::Invalidation),
            store_errors: sum(Kind::StoreError),
        }
    }

    fn count(&self, kind: Kind) {
        // A thread that is ending has no cell any more; it shares the first.
        let cell = CELL.try_with(|cell| *cell).unwrap_or(0);
        self.cells[cell].0[kind as usize].fetch_add(1, Ordering::Relaxed);
        self.metrics[kind as usize].increment(1);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
