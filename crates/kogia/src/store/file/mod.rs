//! The store in a folder that all processes of one machine share.

mod bytes;
mod cell;
mod check;
#[allow(unsafe_code)] // the one file that needs it, see there
mod environment;
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
use kogia_core::{
    Fill, Generation, OwnerId, ReadRequest, ReadResponse, StoreTime, Tag, TagSet,
};
use smallvec::SmallVec;

use self::cell::{Incarnation, Writer};
use self::folder::Opened;
use self::tables::Tables;
use super::{Abandoned, Mark, Store, StoreError, Usage};

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
/// Entries outlive the processes, but not the machine: after a boot the store starts cold. The
/// same goes for a damaged one, and for another capacity than before; while other processes use
/// the store, damage is an error and its capacity stays.
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
            opened: ArcSwap::new(folder::open(&path, capacity)?),
            path,
            capacity,
            evicted: AtomicU64::new(0),
        })
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
        let opened = folder::open(&self.path, self.capacity)?;
        self.opened.store(opened);
        Ok((self.opened.load(), machine::now()))
    }

    /// Looks at one snapshot, which begins after the call did.
    fn look<T>(
        &self,
        operation: &'static str,
        look: impl Fn(&Opened, &RoTxn<'_>, StoreTime) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let (opened, now) = self.opened()?;
        let once = || look(&opened, &*opened.read_txn()?, now);
        // A snapshot can be torn if two commits happen while its root is copied.
        once()
            .or_else(|_| once())
            .map_err(|failure| failure.of(operation))
    }

    /// Makes changes that become visible together.
    fn change<T>(
        &self,
        patience: Duration,
        change: impl Fn(&Opened, &mut RwTxn<'_>, StoreTime) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut waited = Duration::ZERO;
        loop {
            let (opened, now) = self.opened()?;
            let once = || {
                opened.check_readers(now)?;
                let mut txn = opened.env.write_txn()?;
                let result = change(&opened, &mut txn, now)?;
                txn.commit()?;
                Ok(result)
            };
            match once() {
                Err(Failure::Lmdb(heed::Error::Mdb(MdbError::MapFull))) if waited < patience => {
                    // Pages are free again as soon as the readers that were at work are done.
                    let pause = Duration::from_millis(1);
                    thread::sleep(pause);
                    waited += pause;
                    let _ = opened.env.clear_stale_readers();
                }
                other => return other,
            }
        }
    }
}

impl Store for FileStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.look("read", |opened, txn, now| {
            Ok(ReadResponse {
                entry: opened
                    .tables
                    .entry(txn, request.key(), now, &opened.read_bits)?,
                generations: generations(&opened.tables, txn, request.tags())?,
            })
        })
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.look("read generations", |opened, txn, _| {
            generations(&opened.tables, txn, tags)
        })
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let deadline = StoreTime(machine::now().0.saturating_add(ttl));
        let stamp = fill.entry_stamp(rows);
        let Some(record) = record::encode(fill.key(), &stamp, deadline, &value) else {
            return Ok(());
        };
        let put = self.change(Duration::ZERO, |opened, txn, now| {
            opened
                .tables
                .put_entry(txn, fill.key(), &record, now, &opened.read_bits)
        });
        match put {
            Ok(evicted) => {
                self.evicted.fetch_add(evicted, Ordering::Relaxed);
                Ok(())
            }
            // No room just now: a cache may forget.
            Err(Failure::Lmdb(heed::Error::Mdb(MdbError::MapFull))) => Ok(()),
            Err(failure) => Err(failure.of("store an entry")),
        }
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let tokens = Tokens::draw(mark.tags)?;
        self.change(PATIENCE, |opened, txn, now| {
            let until = StoreTime(now.0.saturating_add(mark.lease));
            let writer = Writer {
                process: opened.process,
                backend: mark.backend.clone(),
            };
            tokens.each(opened, txn, |cell, fresh| {
                cell.mark(mark.owner, until, &writer, fresh);
            })
        })
        .map_err(|failure| failure.of("mark"))
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        let tokens = Tokens::draw(tags)?;
        self.change(PATIENCE, |opened, txn, _| {
            tokens.each(opened, txn, |cell, fresh| cell.clear(owner, fresh))
        })
        .map_err(|failure| failure.of("clear"))
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.change(PATIENCE, |opened, txn, now| {
            let until = StoreTime(now.0.saturating_add(lease));
            let incarnation = opened.tables.incarnation(txn)?;
            for tag in tags.as_slice() {
                let cell = opened.tables.cell(txn, incarnation, *tag)?;
                if cell.state.owners().iter().any(|held| held.owner == owner) {
                    opened.tables.update(txn, incarnation, *tag, |cell| {
                        cell.state.extend(owner, until);
                    })?;
                }
            }
            Ok(())
        })
        .map_err(|failure| failure.of("extend"))
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        let held = self.look("look for abandoned marks", |opened, txn, now| {
            let incarnation = opened.tables.incarnation(txn)?;
            let mut held: Vec<(OwnerId, bool, Writer, SmallVec<[Tag; 4]>)> = Vec::new();
            for tag in tags {
                let cell = opened.tables.cell(txn, incarnation, *tag)?;
                for lease in cell.state.owners() {
                    let is_over = lease.until <= now;
                    match held.iter_mut().find(|(owner, ..)| *owner == lease.owner) {
                        Some((_, any_is_over, _, tags)) => {
                            *any_is_over |= is_over;
                            tags.push(*tag);
                        }
                        None => {
                            let writer = cell.writer(lease.owner).clone();
                            held.push((lease.owner, is_over, writer, SmallVec::from_slice(&[*tag])));
                        }
                    }
                }
            }
            Ok((held, opened.process))
        });
        let (held, observer) = held?;
        // Processes are asked about after the snapshot: that takes longer than anything else.
        let abandoned = held.into_iter().filter_map(|(owner, is_over, writer, tags)| {
            let process_alive = writer
                .process
                .and_then(|process| process.is_alive(observer.as_ref()));
            (is_over || process_alive == Some(false)).then(|| Abandoned {
                owner,
                tags: tags.into_iter().collect(),
                backend: writer.backend,
                process_alive,
            })
        });
        Ok(abandoned.collect())
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        let mut token = [0; 16];
        getrandom::fill(&mut token)?;
        let incarnation = Incarnation::from_random(token);
        let renew = || {
            let last = self.change(PATIENCE, |opened, txn, _| {
                opened.tables.renew_all(txn, incarnation)
            })?;
            // Nothing that was stored is current any more. The rest only makes room.
            while self.change(PATIENCE, |opened, txn, _| opened.tables.forget(txn, last))? {}
            Ok(())
        };
        renew().map_err(|failure: Failure| failure.of("invalidate everything"))
    }

    fn usage(&self) -> Usage {
        let looked = self.look("look at its usage", |opened, txn, _| {
            let (entries, bytes) = opened.tables.usage(txn)?;
            Ok((entries, bytes, opened.capacity))
        });
        // A store that fails says so at the next read.
        let (entries, bytes, capacity) = looked.unwrap_or((0, 0, self.capacity));
        Usage {
            entries,
            bytes,
            capacity,
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }
}

fn generations(
    tables: &Tables,
    txn: &RoTxn<'_>,
    tags: &[Tag],
) -> Result<SmallVec<[Generation; 8]>, Failure> {
    let incarnation = tables.incarnation(txn)?;
    tags.iter()
        .map(|tag| tables.generation(txn, incarnation, *tag))
        .collect()
}

/// A fresh token for each of some tags, drawn before other writers have to wait.
struct Tokens<'a> {
    tags: &'a [Tag],
    bytes: Vec<u8>,
}

impl<'a> Tokens<'a> {
    fn draw(tags: &'a TagSet) -> Result<Self, getrandom::Error> {
        let tags = tags.as_slice();
        let mut bytes = vec![0; 16 * tags.len()];
        getrandom::fill(&mut bytes)?;
        Ok(Tokens { tags, bytes })
    }

    fn each(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        mut change: impl FnMut(&mut cell::Cell, Generation),
    ) -> Result<(), Failure> {
        let incarnation = opened.tables.incarnation(txn)?;
        let (tokens, _) = self.bytes.as_chunks::<16>();
        for (tag, token) in self.tags.iter().zip(tokens) {
            let fresh = Generation::from_random(*token);
            opened
                .tables
                .update(txn, incarnation, *tag, |cell| change(cell, fresh))?;
        }
        Ok(())
    }
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

    fn is_damage(&self) -> bool {
        use MdbError::{
            Corrupted, Incompatible, Invalid, MapFull, PageNotFound, Panic, VersionMismatch,
        };
        match self {
            Failure::Damaged(_) => true,
            Failure::Lmdb(heed::Error::Mdb(error)) => matches!(
                error,
                Corrupted | Incompatible | Invalid | MapFull | PageNotFound | Panic | VersionMismatch
            ),
            _ => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Lmdb(heed::Error::Mdb(MdbError::MapFull)) => f.write_str(
                "it is full of pages that a reader holds; is one of the processes that use it stopped?",
            ),
            _ if self.is_damage() => {
                match self {
                    Failure::Damaged(damage) => write!(f, "the file is damaged: {damage}")?,
                    Failure::Lmdb(error) => write!(f, "the file is damaged: {error}")?,
                    _ => {}
                }
                f.write_str("; stop all processes that use the store, then it starts cold")
            }
            Failure::Lmdb(error) | Failure::FirstRead(error) => error.fmt(f),
            Failure::Io(error) | Failure::Link(error) => error.fmt(f),
            Failure::Random(error) => error.fmt(f),
            Failure::Open(error) => error.fmt(f),
            Failure::Damaged(damage) => f.write_str(damage),
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
