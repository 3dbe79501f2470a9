//! The store in a folder that all processes of one machine share.

mod bytes;
mod cell;
mod check;
#[allow(unsafe_code)] // the one file that needs it, see there
mod environment;
mod examine;
mod folder;
mod machine;
mod record;
mod tables;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ::bytes::Bytes;
use arc_swap::{ArcSwap, Guard};
use heed::{MdbError, RoTxn, RwTxn};
use kogia_core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, StoreTime, Tag, TagSet};
use smallvec::SmallVec;

use self::cell::{Incarnation, Writer};
use self::folder::Opened;
use super::{Abandoned, Finding, Mark, Store, StoreError, Usage};
use crate::token::fresh_generation;

/// Keeps entries and generations in a folder that all processes of one machine share, bounded by
/// bytes.
///
/// What one process invalidates is gone for every other one at its next read. The folder should
/// be on a local disk or in memory (`/dev/shm`); it takes its whole capacity at once.
///
/// # Processes that die
///
/// A process may be killed at any moment: what it was about to write was never there, what it
/// marked stays marked until its owner is resolved, and [`Store::abandoned`] knows that it is
/// dead.
///
/// # What is kept
///
/// Entries outlive the processes, but not the machine: after a boot the store starts cold. So does
/// a damaged one, and one that is opened with another capacity than before, unless other processes
/// use it: then its capacity stays.
///
/// # `fork()`
///
/// A store may be opened before a process forks. The child opens its own environment at its first
/// use.
///
/// # How long a call may take
///
/// Writes of all processes take turns, each a few microseconds long. A process that is stopped
/// (not killed) amid one makes them all wait.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    capacity: u64,
    opened: ArcSwap<Opened>,
    evicted: AtomicU64,
}

/// How long marking waits for room. There is some unless a reader is at work all the while, and
/// that takes microseconds, or as long as its process does not get a processor.
const PATIENCE: Duration = Duration::from_secs(2);

impl FileStore {
    /// Opens the store in a folder, which is made if it is missing. `capacity` is the number of
    /// bytes that its files take.
    pub fn open(path: &Path, capacity: u64) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|error| StoreError::Open {
            url: path.display().to_string(),
            reason: error.to_string(),
        })?;
        Ok(FileStore {
            opened: ArcSwap::new(folder::open(&path, capacity, None)?),
            path,
            capacity,
            evicted: AtomicU64::new(0),
        })
    }

    /// Opens the store that is in a folder, with the capacity that it has; an error if there is
    /// none. Whoever only looks at a store must not make one in its stead.
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        let capacity = folder::capacity(path)?.ok_or_else(|| StoreError::Open {
            url: format!("file://{}", path.display()),
            reason: "there is no store yet; the first process that uses it makes it".to_owned(),
        })?;
        FileStore::open(path, capacity)
    }

    /// The environment to use now. It is another one after a fork, and when the folder was
    /// deleted.
    fn opened(&self) -> Result<(Guard<Arc<Opened>>, StoreTime), StoreError> {
        let opened = self.opened.load();
        let now = machine::now();
        if opened.is_usable(&self.path, now) {
            return Ok((opened, now));
        }
        drop(opened);
        self.opened
            .store(folder::open(&self.path, self.capacity, None)?);
        Ok((self.opened.load(), machine::now()))
    }

    /// Looks at one snapshot, which begins after the call did.
    fn look<T>(&self, look: impl Fn(&View<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let (opened, now) = self.opened()?;
        let once = || {
            let txn = opened.read_txn()?;
            look(&View {
                opened: &opened,
                incarnation: opened.tables.snapshot(&txn)?,
                txn: &txn,
                now,
            })
        };
        // The copy of a root can be torn, but hardly three times on end.
        let looked = once().or_else(|_| once()).or_else(|_| once());
        if let Err(failure) = &looked
            && failure.is_damage()
        {
            self.start_cold(&opened, failure);
        }
        looked
    }

    /// Makes changes that become visible together.
    fn change<T>(
        &self,
        patience: Duration,
        change: impl Fn(&Opened, &mut RwTxn<'_>, Incarnation, StoreTime) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut waited = Duration::ZERO;
        loop {
            let (opened, now) = self.opened()?;
            let changed = opened.write(now, |txn| {
                let incarnation = opened.tables.begin(txn)?;
                change(&opened, txn, incarnation, now)
            });
            match changed {
                Err(failure) if failure.is_full() && waited < patience => {
                    // Pages are free again as soon as the readers that were at work are done.
                    let pause = Duration::from_millis(1);
                    thread::sleep(pause);
                    waited += pause;
                    opened.clear_dead_readers()?;
                }
                Err(failure) if failure.is_damage() => {
                    self.start_cold(&opened, &failure);
                    return Err(failure);
                }
                other => return other,
            }
        }
    }

    fn mark_tags(&self, mark: &Mark<'_>, watched: Option<Tag>) -> Result<Generation, StoreError> {
        // Drawn before other writers have to wait.
        let fresh = fresh_generation()?;
        let change = |opened: &Opened, txn: &mut RwTxn<'_>, incarnation, now: StoreTime| {
            let until = StoreTime(now.0.saturating_add(mark.lease));
            let writer = Writer {
                process: opened.process,
                backend: mark.backend.clone(),
            };
            for tag in mark.tags.as_slice() {
                opened.tables.update(txn, incarnation, *tag, |cell| {
                    cell.mark(mark.owner, until, &writer, fresh);
                })?;
            }
            watched_generation(opened, txn, incarnation, watched)
        };
        self.change(PATIENCE, change)
            .map_err(|failure| failure.of("mark"))
    }

    fn clear_tags(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Option<Tag>,
    ) -> Result<Generation, StoreError> {
        let fresh = fresh_generation()?;
        let change = |opened: &Opened, txn: &mut RwTxn<'_>, incarnation, _| {
            for tag in tags.as_slice() {
                opened
                    .tables
                    .update(txn, incarnation, *tag, |cell| cell.clear(owner, fresh))?;
            }
            watched_generation(opened, txn, incarnation, watched)
        };
        self.change(PATIENCE, change)
            .map_err(|failure| failure.of("clear"))
    }

    /// Replaces files that are damaged. All processes notice, and everything that the store ever
    /// gave out is no longer current.
    fn start_cold(&self, damaged: &Opened, failure: &Failure) {
        tracing::error!(path = %self.path.display(), %failure, "the file store starts cold");
        match folder::open(&self.path, self.capacity, Some(damaged)) {
            Ok(opened) => self.opened.store(opened),
            // The next call finds the files as they are, and says so.
            Err(error) => tracing::error!(%error, "the file store cannot start cold"),
        }
    }
}

fn watched_generation(
    opened: &Opened,
    txn: &RwTxn<'_>,
    incarnation: Incarnation,
    watched: Option<Tag>,
) -> Result<Generation, Failure> {
    watched.map_or(Ok(Generation::MISSING), |tag| {
        opened.tables.generation(txn, incarnation, tag)
    })
}

/// One snapshot of the store.
struct View<'a> {
    opened: &'a Opened,
    txn: &'a RoTxn<'a>,
    incarnation: Incarnation,
    now: StoreTime,
}

impl View<'_> {
    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, Failure> {
        let tables = &self.opened.tables;
        tags.iter()
            .map(|tag| tables.generation(self.txn, self.incarnation, *tag))
            .collect()
    }
}

impl Store for FileStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let look = |view: &View<'_>| {
            let Opened { tables, shared, .. } = view.opened;
            Ok(ReadResponse {
                entry: tables.entry(view.txn, request.key(), view.now, shared)?,
                generations: view.generations(request.tags())?,
            })
        };
        self.look(look).map_err(|failure| failure.of("read"))
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.look(|view| view.generations(tags))
            .map_err(|failure| failure.of("read generations"))
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let deadline = StoreTime(machine::now().0.saturating_add(ttl));
        let stamp = fill.entry_stamp(rows);
        let Some(record) = record::encode(fill.key(), &stamp, deadline, &value) else {
            return Ok(());
        };
        let put = self.change(Duration::ZERO, |opened, txn, _, now| {
            opened
                .tables
                .put_entry(txn, fill.key(), &record, now, &opened.shared)
        });
        match put {
            Ok(evicted) => {
                self.evicted.fetch_add(evicted, Ordering::Relaxed);
                Ok(())
            }
            // No room just now: a cache may forget.
            Err(failure) if failure.is_full() => Ok(()),
            Err(failure) => Err(failure.of("store an entry")),
        }
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.mark_tags(mark, None).map(|_| ())
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.mark_tags(mark, Some(watched))
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.clear_tags(owner, tags, None).map(|_| ())
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.clear_tags(owner, tags, Some(watched))
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        let change = |opened: &Opened, txn: &mut RwTxn<'_>, incarnation, now: StoreTime| {
            let until = StoreTime(now.0.saturating_add(lease));
            for tag in tags.as_slice() {
                let cell = opened.tables.cell(txn, incarnation, *tag)?;
                if cell.state.owners().iter().any(|held| held.owner == owner) {
                    opened.tables.update(txn, incarnation, *tag, |cell| {
                        cell.state.extend(owner, until);
                    })?;
                }
            }
            Ok(())
        };
        self.change(PATIENCE, change)
            .map_err(|failure| failure.of("extend"))
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        let look = |view: &View<'_>| {
            let mut held: Vec<Held> = Vec::new();
            for tag in tags {
                let cell = view.opened.tables.cell(view.txn, view.incarnation, *tag)?;
                for lease in cell.state.owners() {
                    let is_over = lease.until <= view.now;
                    match held.iter_mut().find(|held| held.owner == lease.owner) {
                        Some(held) => {
                            held.is_over |= is_over;
                            held.tags.insert(*tag);
                        }
                        None => held.push(Held {
                            owner: lease.owner,
                            is_over,
                            writer: cell.writer(lease.owner).clone(),
                            tags: [*tag].into_iter().collect(),
                        }),
                    }
                }
            }
            Ok((held, view.opened.process))
        };
        let (held, observer) = self
            .look(look)
            .map_err(|failure| failure.of("look for abandoned marks"))?;
        // Processes are asked about after the snapshot: that takes longer than all the rest.
        let abandoned = held.into_iter().filter_map(|held| {
            let process = held.writer.process;
            let process_alive = process.and_then(|process| process.is_alive(observer.as_ref()));
            (held.is_over || process_alive == Some(false)).then_some(Abandoned {
                owner: held.owner,
                tags: held.tags,
                backend: held.writer.backend,
                process_alive,
            })
        });
        Ok(abandoned.collect())
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        let incarnation = Incarnation(fresh_generation()?);
        let renew = || {
            let last = self.change(PATIENCE, |opened, txn, _, _| {
                opened.tables.renew_all(txn, incarnation)
            })?;
            // Nothing that was stored is current any more. The rest only makes room.
            while self.change(PATIENCE, |opened, txn, _, _| {
                opened.tables.forget(txn, last)
            })? {}
            Ok(())
        };
        renew().map_err(|failure: Failure| failure.of("invalidate everything"))
    }

    fn usage(&self) -> Usage {
        let looked = self.look(|view| {
            let (entries, bytes) = view.opened.tables.usage(view.txn)?;
            Ok((entries, bytes, view.opened.capacity))
        });
        // A store that fails says so at the next read.
        let (entries, bytes, capacity) = looked.unwrap_or((0, 0, self.capacity));
        Usage {
            entries,
            bytes,
            capacity,
            evicted: self.evicted.load(Ordering::Relaxed),
            local: None,
        }
    }

    fn examine(&self) -> Vec<Finding> {
        let usage = self.usage();
        examine::examine(&self.path, usage.capacity, usage.bytes)
    }
}

/// An owner of marks, with those of the asked tags that it holds.
struct Held {
    owner: OwnerId,
    /// Whether one of its leases is over.
    is_over: bool,
    writer: Writer,
    tags: TagSet,
}

/// What went wrong inside.
#[derive(Debug)]
enum Failure {
    Lmdb(heed::Error),
    Io(io::Error),
    Random(getrandom::Error),
    /// The store had to be opened anew, after a fork or because its folder was deleted.
    Open(StoreError),
    /// LMDB's own read at the opening.
    FirstRead(heed::Error),
    /// The links by which the environment is opened.
    Link(io::Error),
    /// What was read is not what was written.
    Damaged(&'static str),
}

impl Failure {
    fn of(self, operation: &'static str) -> StoreError {
        match self {
            Failure::Random(error) => StoreError::Random(error),
            Failure::Open(error) => error,
            other => StoreError::Failed {
                operation,
                reason: other.to_string(),
            },
        }
    }

    fn is_full(&self) -> bool {
        matches!(self, Failure::Lmdb(heed::Error::Mdb(MdbError::MapFull)))
    }

    fn is_damage(&self) -> bool {
        use MdbError::{
            Corrupted, Incompatible, Invalid, MapResized, PageNotFound, Panic, VersionMismatch,
        };
        match self {
            Failure::Damaged(_) => true,
            Failure::Lmdb(heed::Error::Mdb(error)) => matches!(
                error,
                Corrupted
                    | Incompatible
                    | Invalid
                    | MapResized
                    | PageNotFound
                    | Panic
                    | VersionMismatch
            ),
            _ => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            _ if self.is_full() => f.write_str(
                "it is full of pages that a reader holds; is one of the processes that use it stopped?",
            ),
            Failure::Damaged(damage) => write!(f, "it is damaged: {damage}"),
            Failure::Lmdb(error) if self.is_damage() => write!(f, "it is damaged: {error}"),
            Failure::Lmdb(error) | Failure::FirstRead(error) => error.fmt(f),
            Failure::Io(error) | Failure::Link(error) => error.fmt(f),
            Failure::Random(error) => error.fmt(f),
            Failure::Open(error) => error.fmt(f),
        }
    }
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        Failure::Lmdb(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Open(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl From<getrandom::Error> for Failure {
    fn from(error: getrandom::Error) -> Self {
        Failure::Random(error)
    }
}
