//! One open transaction: what it has written, and what snapshot it reads.

use crate::analysis::Isolation;
use crate::generation::Generation;
use crate::invalidation::TagSet;

/// The open transaction of a session.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// The tags of its own writes. Rolling back to a savepoint keeps them.
    pub(crate) dirty: TagSet,
    /// Its isolation level.
    pub(crate) isolation: Isolation,
    /// What is known about its snapshot.
    pub(crate) snapshot: Snapshot,
    /// The database reported an error and refuses everything until a rollback (PostgreSQL).
    pub(crate) failed: bool,
    /// It is not known whether the transaction is still open. Then it counts as both: reads
    /// bypass, every write is marked at once and stays dirty.
    pub(crate) doubtful: bool,
    /// The open savepoints, oldest first.
    pub(crate) savepoints: Vec<Box<str>>,
    /// A savepoint began it (SQLite), so releasing that one commits.
    pub(crate) begun_by_savepoint: bool,
}

/// What is known about the snapshot that a transaction reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// Each statement has its own: READ COMMITTED.
    PerStatement,
    /// One for all, and the commit tag has not been read yet: it must be, before the next
    /// statement runs.
    Unread,
    /// One for all, and the commit tag had this clean generation before it began.
    After {
        /// The generation.
        before: Generation,
        /// Whether it has begun for certain. `BEGIN` alone begins none; the first query does. A
        /// hit before that could be older than what the later queries of the transaction see.
        begun: bool,
    },
    /// One for all, and its relation to the commit tag is lost: leave the cache alone.
    Lost,
}

impl Transaction {
    /// A transaction that has just begun. `always_snapshot` for a database whose every
    /// transaction reads one snapshot, whatever its level is called (SQLite).
    pub(crate) fn new(isolation: Isolation, always_snapshot: bool) -> Self {
        let snapshot = if always_snapshot || isolation.is_snapshot() {
            Snapshot::Unread
        } else {
            Snapshot::PerStatement
        };
        Transaction {
            dirty: TagSet::default(),
            isolation,
            snapshot,
            failed: false,
            doubtful: false,
            savepoints: Vec::new(),
            begun_by_savepoint: false,
        }
    }

    /// Whether releasing the savepoint would commit the transaction.
    pub(crate) fn release_commits(&self, name: &str) -> bool {
        self.begun_by_savepoint && self.position(name) == Some(0)
    }

    /// Drops a savepoint and those after it.
    pub(crate) fn release(&mut self, name: &str) {
        if let Some(position) = self.position(name) {
            self.savepoints.truncate(position);
        }
    }

    /// Drops the savepoints after this one.
    pub(crate) fn rollback_to(&mut self, name: &str) {
        if let Some(position) = self.position(name) {
            self.savepoints.truncate(position + 1);
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.savepoints
            .iter()
            .rposition(|savepoint| **savepoint == *name)
    }
}
