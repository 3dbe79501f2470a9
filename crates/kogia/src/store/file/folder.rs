//! The folder of a file store: what lies in it, and who may make it anew.
//!
//! | file | |
//! |---|---|
//! | `kogia` | the header: format, boot, capacity |
//! | `data.mdb`, `lock.mdb` | LMDB's |
//! | `shared` | the memory of [`Shared`] |
//! | `opening` | locked by the one process that opens the store |
//! | `in-use` | locked, shared, by all processes that have it open |
//! | `open-…` | a folder of links, for the moment of opening |
//!
//! # Starting cold
//!
//! The files are made anew at the first opening after a boot, because nothing is ever synced to
//! the disk; when they are damaged; and when another capacity is asked for by the one process
//! that uses them. Another boot's name while others use the store is an error: they run on
//! another machine, and a file system that machines share is no memory that they share.
//!
//! # Other processes go on with the old files
//!
//! They have them open when somebody deletes the folder, or when damage is found, and would miss
//! all invalidations in the new ones. So each process looks every [`WATCH_INTERVAL`] whether its
//! file is still the one in the folder, and whoever makes the files anew waits for twice as long
//! before their first use. A read that began under the old files ends before anything is written
//! to the new ones, or is right for the moment when it began.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use heed::{Env, RoTxn, RwTxn, WithTls};
use kogia_core::StoreTime;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::Failure;
use super::cell::Incarnation;
use super::check;
use super::environment::{self, LOCK_FILE_SIZE, Opening, Shared};
use super::machine::{self, Process};
use super::tables::{Layout, Tables};
use crate::store::StoreError;
use crate::store::url::MIN_CAPACITY;
use crate::token::fresh_generation;

pub(super) const FORMAT: u32 = 1;

const HEADER: &str = "kogia";
const DATA: &str = "data.mdb";
const LOCK: &str = "lock.mdb";
const SHARED: &str = "shared";
const FILES: [&str; 3] = [DATA, LOCK, SHARED];
const OPENING: &str = "opening";
pub(super) const IN_USE: &str = "in-use";
const LINKS: &str = "open-";

/// How long a process may not notice that its files are no longer those in the folder.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// How often a process looks for readers that have died.
const READERS_INTERVAL: Duration = Duration::from_secs(1);

/// An open store, shared by all that use it in this process.
///
/// Fields are dropped in their order: the environment is closed before the right to close it ends.
pub(super) struct Opened {
    env: Env<WithTls>,
    pub(super) tables: Tables,
    pub(super) shared: Shared,
    /// This process, if it can be told.
    pub(super) process: Option<Process>,
    pub(super) capacity: u64,
    file: FileId,
    forks: u64,
    checked: AtomicU64,
    readers_checked: AtomicU64,
    /// Tells this environment from others that a thread may have read in.
    number: u64,
    _in_use: File,
    closing: Option<Opening>,
}

/// Opens the store in a folder, or shares the one that this process has open already. If its files
/// are the damaged ones they are made anew.
pub(super) fn open(
    path: &Path,
    capacity: u64,
    damaged: Option<&Opened>,
) -> Result<Arc<Opened>, StoreError> {
    let damaged = damaged.map(|damaged| damaged.file);
    let folder = Folder { path, damaged };
    folder.open(capacity).map_err(|reason| StoreError::Open {
        url: format!("file://{}", path.display()),
        reason,
    })
}

/// The capacity of the store in a folder, or `None` if there is none.
pub(super) fn capacity(path: &Path) -> Result<Option<u64>, StoreError> {
    let folder = Folder {
        path,
        damaged: None,
    };
    let header = folder.read_header().map_err(|reason| StoreError::Open {
        url: format!("file://{}", path.display()),
        reason,
    })?;
    // One without a boot was never finished.
    let finished = header.filter(|header| !header.boot.is_empty());
    Ok(finished.map(|header| header.capacity))
}

impl Opened {
    /// Whether the environment is this process's own, and still the one in the folder.
    pub(super) fn is_usable(&self, path: &Path, now: StoreTime) -> bool {
        if self.forks != environment::forks() {
            return false;
        }
        let now = machine::nanoseconds(now);
        if now.saturating_sub(self.checked.load(Ordering::Relaxed)) < as_nanoseconds(WATCH_INTERVAL)
        {
            return true;
        }
        let is_in_place = FileId::of(&path.join(DATA)).is_ok_and(|file| file == self.file);
        if is_in_place {
            self.checked.store(now, Ordering::Relaxed);
        }
        is_in_place
    }

    pub(super) fn read_txn(&self) -> Result<RoTxn<'_, WithTls>, Failure> {
        thread_local! {
            /// The environment that this thread last read in.
            static LAST: Cell<u64> = const { Cell::new(0) };
        }
        if LAST.get() == self.number {
            return Ok(self.env.read_txn()?);
        }
        // The first read of a thread takes a place in LMDB's table, and a lock for that.
        let _turn = self.shared.turn()?;
        let txn = match self.env.read_txn() {
            Err(heed::Error::Mdb(heed::MdbError::ReadersFull)) => {
                self.env.clear_stale_readers()?;
                self.env.read_txn()?
            }
            other => other?,
        };
        LAST.set(self.number);
        Ok(txn)
    }

    /// Makes changes, when it is this thread's turn.
    pub(super) fn write<T>(
        &self,
        now: StoreTime,
        change: impl FnOnce(&mut RwTxn<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _turn = self.shared.turn()?;
        self.check_readers(now)?;
        let mut txn = self.env.write_txn()?;
        let result = change(&mut txn)?;
        txn.commit()?;
        Ok(result)
    }

    /// Frees what dead readers hold: no page that they saw is used again.
    pub(super) fn clear_dead_readers(&self) -> Result<(), Failure> {
        let _turn = self.shared.turn()?;
        self.env.clear_stale_readers()?;
        Ok(())
    }

    fn check_readers(&self, now: StoreTime) -> Result<(), Failure> {
        let now = machine::nanoseconds(now);
        let last = self.readers_checked.load(Ordering::Relaxed);
        if now.saturating_sub(last) >= as_nanoseconds(READERS_INTERVAL) {
            self.readers_checked.store(now, Ordering::Relaxed);
            self.env.clear_stale_readers()?;
        }
        Ok(())
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("capacity", &self.capacity)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.forks == environment::forks() {
            let opening = Opening::begin();
            known().retain(|known| known.file != self.file || known.forks != self.forks);
            self.closing = Some(opening);
        } else {
            // It is the parent's. Closing it would close the lock file, and with any of its
            // descriptors go all locks that this process has on it.
            std::mem::forget(self.env.clone());
        }
    }
}

fn as_nanoseconds(duration: Duration) -> u64 {
    machine::nanoseconds(StoreTime(duration))
}

/// One store that is open in this process: LMDB must not have it open twice.
struct Known {
    file: FileId,
    forks: u64,
    opened: Weak<Opened>,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

fn known() -> std::sync::MutexGuard<'static, Vec<Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<FileId> {
        let metadata = fs::metadata(path)?;
        Ok(FileId {
            device: metadata.dev(),
            number: metadata.ino(),
        })
    }
}

/// Why a store cannot be opened, and what to do.
type Reason = String;

struct Folder<'a> {
    path: &'a Path,
    damaged: Option<FileId>,
}

impl Folder<'_> {
    fn open(&self, capacity: u64) -> Result<Arc<Opened>, Reason> {
        if capacity < MIN_CAPACITY {
            return Err(format!(
                "a capacity of {capacity} bytes is too small, use at least 1MB"
            ));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.path)
            .map_err(|error| self.cannot_write(self.path, &error))?;
        loop {
            let opening = Opening::begin();
            if let Ok(file) = FileId::of(&self.file(DATA))
                && self.damaged != Some(file)
            {
                let is_it =
                    |known: &&Known| known.file == file && known.forks == environment::forks();
                let opened = known()
                    .iter()
                    .find(is_it)
                    .map(|known| known.opened.upgrade());
                match opened {
                    Some(Some(opened)) => return Ok(opened),
                    // Another thread waits for the right to close it.
                    Some(None) => {
                        drop(opening);
                        thread::yield_now();
                        continue;
                    }
                    None => {}
                }
            }
            let opened = self.open_here(capacity)?;
            known().push(Known {
                file: opened.file,
                forks: opened.forks,
                opened: Arc::downgrade(&opened),
            });
            return Ok(opened);
        }
    }

    /// Opens a store that this process does not have open. The other processes wait meanwhile.
    fn open_here(&self, capacity: u64) -> Result<Arc<Opened>, Reason> {
        let opening = self.lock_file(OPENING)?;
        opening
            .lock()
            .map_err(|error| self.cannot_write(&self.file(OPENING), &error))?;
        let result = self.open_locked(capacity);
        // A child of a fork may have the descriptor, too, so closing it might not unlock.
        let _ = opening.unlock();
        result
    }

    fn open_locked(&self, capacity: u64) -> Result<Arc<Opened>, Reason> {
        let boot = machine::boot_id()
            .map_err(|error| format!("the kernel does not name its boot ({error})"))?;
        let in_use = self.lock_file(IN_USE)?;
        let is_alone = match in_use.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => {
                return Err(self.cannot_write(&self.file(IN_USE), &error));
            }
        };
        self.remove_links();
        let mut files = self.state_of_files(capacity, &boot, is_alone)?;
        let mut opened = None;
        if let Files::Good(capacity) = files {
            match self.open_files(capacity, &in_use, is_alone, false) {
                Err(failure) if failure.is_damage() => files = Files::Damaged(failure.to_string()),
                other => opened = Some(other.map_err(|failure| self.explain(&failure))?),
            }
        }
        let opened = match opened {
            Some(opened) => opened,
            None => {
                let path = self.path.display();
                match files {
                    Files::Damaged(damage) => {
                        tracing::error!(%path, damage, "the file store is damaged and starts cold");
                    }
                    _ => tracing::info!(%path, "the file store starts cold"),
                }
                self.start_cold(capacity, &boot, &in_use)?
            }
        };
        in_use
            .lock_shared()
            .map_err(|error| self.cannot_write(&self.file(IN_USE), &error))?;
        Ok(Arc::new(opened))
    }

    fn state_of_files(&self, capacity: u64, boot: &str, is_alone: bool) -> Result<Files, Reason> {
        Ok(match self.read_header()? {
            None => Files::Missing,
            // It was never finished.
            Some(header) if header.boot.is_empty() => Files::Missing,
            Some(header) if header.boot != boot && !is_alone => {
                return Err(
                    "processes of another machine use it; name a folder that only this machine has"
                        .to_owned(),
                );
            }
            Some(header) if header.boot != boot => Files::Old,
            Some(header) if header.capacity != capacity && is_alone => Files::Old,
            Some(header) => match self.check(&header, is_alone) {
                Ok(()) => Files::Good(header.capacity),
                Err(damage) => Files::Damaged(damage),
            },
        })
    }

    fn start_cold(&self, capacity: u64, boot: &str, in_use: &File) -> Result<Opened, Reason> {
        let made = self.make_files(capacity).and_then(|()| {
            self.open_files(capacity, in_use, true, true)
                .map_err(|failure| self.explain(&failure))
        });
        if made.is_err() {
            // A disk that was too small is not left full.
            FILES
                .iter()
                .for_each(|name| drop(fs::remove_file(self.file(name))));
        }
        let opened = made?;
        self.write_header(Some(boot), capacity)?;
        // See "Other processes go on with the old files". Nobody else can open the new ones yet.
        thread::sleep(2 * WATCH_INTERVAL);
        Ok(opened)
    }

    /// Makes the files of an empty store. The header that says so comes last.
    fn make_files(&self, capacity: u64) -> Result<(), Reason> {
        let layout = Layout::new(capacity);
        self.write_header(None, capacity)?;
        for name in FILES {
            match fs::remove_file(self.file(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(self.cannot_write(&self.file(name), &error));
                }
                _ => {}
            }
        }
        self.make_file(DATA, 0)?;
        self.make_file(LOCK, LOCK_FILE_SIZE)?;
        self.make_file(SHARED, layout.shared)
    }

    fn make_file(&self, name: &str, size: u64) -> Result<(), Reason> {
        let file = self.file(name);
        let made = options().create_new(true).open(&file);
        made.and_then(|file| allocate(&file, size))
            .map_err(|error| self.cannot_write(&file, &error))
    }

    /// Opens the files. `is_alone` tells that no other process uses them, `is_new` that they are
    /// empty.
    fn open_files(
        &self,
        capacity: u64,
        in_use: &File,
        is_alone: bool,
        is_new: bool,
    ) -> Result<Opened, Failure> {
        static OPENED: AtomicU64 = AtomicU64::new(1);
        let layout = Layout::new(capacity);
        let shared = Shared::map(&options().open(self.file(SHARED))?, is_alone)?;
        let env = self.open_environment(&layout)?;
        let mut incarnation = None;
        if is_new {
            // Room that the disk does not have must be missing now: later it would be a signal
            // that ends the process.
            allocate(&env.try_clone_inner_file()?, layout.map_size as u64)?;
            incarnation = Some(Incarnation(fresh_generation()?));
        }
        let turn = shared.turn()?;
        let tables = Tables::open(&env, layout, incarnation)?;
        // A reader's lock is taken by process id, see `explain`.
        drop(env.read_txn().map_err(Failure::FirstRead)?);
        drop(turn);
        Ok(Opened {
            tables,
            shared,
            process: Process::current(),
            capacity,
            file: FileId::of(&self.file(DATA))?,
            forks: environment::forks(),
            checked: AtomicU64::new(machine::nanoseconds(machine::now())),
            readers_checked: AtomicU64::new(0),
            number: OPENED.fetch_add(1, Ordering::Relaxed),
            // The lock belongs to the open file, which the copy shares.
            _in_use: in_use.try_clone()?,
            closing: None,
            env,
        })
    }

    /// Opens LMDB's two files by a path that no environment of this process had before.
    fn open_environment(&self, layout: &Layout) -> Result<Env<WithTls>, Failure> {
        static OPENINGS: AtomicU64 = AtomicU64::new(0);
        let number = OPENINGS.fetch_add(1, Ordering::Relaxed);
        let links = self
            .path
            .join(format!("{LINKS}{}-{number}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&links)?;
        let linked = [DATA, LOCK]
            .into_iter()
            .try_for_each(|name| fs::hard_link(self.file(name), links.join(name)));
        let opened = match linked {
            Ok(()) => {
                environment::open(&links, layout.map_size, Tables::COUNT).map_err(Failure::from)
            }
            Err(error) => Err(Failure::Link(error)),
        };
        remove_links(&links);
        opened
    }

    /// What an opening that was killed left behind.
    fn remove_links(&self) {
        let Ok(entries) = fs::read_dir(self.path) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(LINKS) {
                remove_links(&entry.path());
            }
        }
    }

    /// Whether the files can be what the header says. The pages themselves are only looked at
    /// while nobody writes to them.
    fn check(&self, header: &Header, is_alone: bool) -> Result<(), String> {
        if self.damaged.is_some() && self.damaged == FileId::of(&self.file(DATA)).ok() {
            return Err("a process met damage while it used them".to_owned());
        }
        let layout = Layout::new(header.capacity);
        for (name, size) in [
            (DATA, layout.map_size as u64),
            (LOCK, LOCK_FILE_SIZE),
            (SHARED, layout.shared),
        ] {
            let found =
                fs::metadata(self.file(name)).map_err(|error| format!("{name}: {error}"))?;
            if !found.is_file() || found.len() != size {
                return Err(format!("{name} has {} bytes, not {size}", found.len()));
            }
        }
        if is_alone {
            check::check(&self.file(DATA), layout.page_size)
                .map_err(|damage| format!("{DATA}: {damage}"))?;
        }
        Ok(())
    }

    fn read_header(&self) -> Result<Option<Header>, Reason> {
        let path = self.file(HEADER);
        match fs::read(&path) {
            Ok(bytes) => Header::parse(&String::from_utf8_lossy(&bytes)).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match [DATA, LOCK].iter().find(|name| self.file(name).exists()) {
                    None => Ok(None),
                    Some(name) => Err(format!(
                        "the folder has a file {name} that is no store of Kogia's; name another folder"
                    )),
                }
            }
            Err(error) => Err(self.cannot_write(&path, &error)),
        }
    }

    /// Writes the header in one step. Without a boot it is that of a store that is being made.
    fn write_header(&self, boot: Option<&str>, capacity: u64) -> Result<(), Reason> {
        let header = Header {
            boot: boot.unwrap_or_default().to_owned(),
            capacity,
        };
        let path = self.file(HEADER);
        let draft = self.file("kogia.new");
        let written = options()
            .create(true)
            .truncate(true)
            .open(&draft)
            .and_then(|mut file| file.write_all(header.to_string().as_bytes()))
            .and_then(|()| fs::rename(&draft, &path));
        written.map_err(|error| self.cannot_write(&path, &error))
    }

    fn lock_file(&self, name: &str) -> Result<File, Reason> {
        let path = self.file(name);
        options()
            .create(true)
            .open(&path)
            .map_err(|error| self.cannot_write(&path, &error))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn cannot_write(&self, path: &Path, error: &io::Error) -> Reason {
        let path = path.display();
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!(
                "{path} cannot be written to ({error}); name a folder that belongs to the user who runs this"
            ),
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                format!("{path} is no folder, or a file is in its way ({error}); name a folder")
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => format!(
                "the disk has no room for it ({error}); name a smaller capacity or a folder on another disk"
            ),
            _ => format!("{path}: {error}"),
        }
    }

    fn explain(&self, failure: &Failure) -> Reason {
        match failure {
            Failure::FirstRead(heed::Error::Io(error)) => format!(
                "a process with the same id uses it ({error}); containers that share a store need to share their process ids, too"
            ),
            Failure::Link(error) => format!(
                "the file system has no hard links ({error}); name a folder on a local disk"
            ),
            Failure::Io(error) => self.cannot_write(self.path, error),
            Failure::Lmdb(heed::Error::Io(error)) => self.cannot_write(self.path, error),
            other => other.to_string(),
        }
    }
}

/// What the files in the folder are.
enum Files {
    Missing,
    /// Of another boot, or of another capacity that nobody uses.
    Old,
    Damaged(String),
    /// Those of a store with this capacity.
    Good(u64),
}

/// What `kogia` says, a line each.
struct Header {
    boot: String,
    capacity: u64,
}

const TITLE: &str = "file store of Kogia, a cache; stop its processes before you delete it";

impl Header {
    fn parse(text: &str) -> Result<Header, Reason> {
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err(format!(
                "its file {HEADER} is not that of a store; name another folder"
            ));
        }
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let format = field("format").unwrap_or_default();
        if format != FORMAT.to_string() {
            return Err(format!(
                "it has format {format:?} of another version of Kogia, this one has {FORMAT}; stop the processes of the other version and delete the folder, or name another one"
            ));
        }
        // Anything else that is wrong with it is a store that was never finished.
        Ok(Header {
            boot: field("boot").unwrap_or_default().to_owned(),
            capacity: field("capacity")
                .and_then(|capacity| capacity.parse().ok())
                .unwrap_or_default(),
        })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        writeln!(f, "format {FORMAT}")?;
        writeln!(f, "boot {}", self.boot)?;
        writeln!(f, "capacity {}", self.capacity)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn remove_links(links: &Path) {
    for name in [DATA, LOCK] {
        let _ = fs::remove_file(links.join(name));
    }
    let _ = fs::remove_dir(links);
}

/// Gives a file its size, and the room for it where the file system can reserve any.
fn allocate(file: &File, size: u64) -> io::Result<()> {
    if size == 0 {
        return Ok(());
    }
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size) {
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return file.set_len(size),
            other => return other.map_err(io::Error::from),
        }
    }
}
