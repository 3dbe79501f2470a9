//! Accidents: a process is killed or stopped at a point of its way through the store, whichever front
//! end, database and store it uses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use kogia::{Abandoned, Finding, Mark, Store, StoreError, Usage};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// What befalls a process at its store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Accident {
    /// Where it is then.
    pub moment: Moment,
    /// Which time it is there, counted from 1.
    pub times: u32,
    /// What befalls it.
    pub blow: Blow,
}

/// What befalls a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blow {
    /// `SIGKILL`.
    Killed,
    /// `SIGSTOP`, until somebody lets it go on.
    Stopped,
}

/// A moment of a call to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// A read, or a check of generations, is about to be sent.
    BeforeRead,
    /// It was answered.
    Read,
    /// A query was answered by the database, and its result is about to be stored.
    BeforeFill,
    /// The result was stored.
    Filled,
    /// The statement that commits waits for its mark, which is about to be sent.
    BeforeMark,
    /// The mark was acknowledged, and the statement that commits is about to be sent.
    Marked,
    /// The statement has committed, or failed, and its mark is about to be cleared.
    BeforeClear,
    /// The mark was cleared.
    Cleared,
}

impl Moment {
    /// All of them.
    pub const ALL: [Moment; 8] = [
        Moment::BeforeRead,
        Moment::Read,
        Moment::BeforeFill,
        Moment::Filled,
        Moment::BeforeMark,
        Moment::Marked,
        Moment::BeforeClear,
        Moment::Cleared,
    ];
}

/// A store whose process has an accident.
pub struct Perilous {
    store: Arc<dyn Store>,
    accident: Accident,
    passed: AtomicU32,
}

impl Perilous {
    /// Has an accident happen at a store.
    pub fn new(store: Arc<dyn Store>, accident: Accident) -> Self {
        let passed = AtomicU32::new(0);
        Perilous {
            store,
            accident,
            passed,
        }
    }

    fn pass(&self, moment: Moment) {
        if moment != self.accident.moment {
            return;
        }
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.accident.times {
            let signal = match self.accident.blow {
                Blow::Killed => Signal::KILL,
                Blow::Stopped => Signal::STOP,
            };
            // A process may always signal itself.
            let _ = kill_process(getpid(), signal);
        }
    }

    fn around<T>(&self, before: Moment, after: Moment, call: impl FnOnce(&dyn Store) -> T) -> T {
        self.pass(before);
        let answer = call(&*self.store);
        self.pass(after);
        answer
    }
}

impl fmt::Debug for Perilous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Store for Perilous {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.around(Moment::BeforeRead, Moment::Read, |store| {
            store.read(request)
        })
    }

    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.around(Moment::BeforeRead, Moment::Read, |store| {
            store.read_with_lifetime(request)
        })
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.around(Moment::BeforeRead, Moment::Read, |store| {
            store.generations(tags)
        })
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.around(Moment::BeforeFill, Moment::Filled, |store| {
            store.fill(fill, rows, value, ttl)
        })
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.around(Moment::BeforeMark, Moment::Marked, |store| store.mark(mark))
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.around(Moment::BeforeMark, Moment::Marked, |store| {
            store.mark_watching(mark, watched)
        })
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.around(Moment::BeforeClear, Moment::Cleared, |store| {
            store.clear(owner, tags)
        })
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.around(Moment::BeforeClear, Moment::Cleared, |store| {
            store.clear_watching(owner, tags, watched)
        })
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.store.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.store.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.store.invalidate_everything()
    }

    fn waits(&self) -> bool {
        self.store.waits()
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.store.longest_lease()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }

    fn examine(&self) -> Vec<Finding> {
        self.store.examine()
    }
}
