//! The LMDB environment of one folder: all that is unsafe about the file store.
//!
//! # Why here, and only here
//!
//! Three things cannot be said in safe Rust. Opening a memory-mapped database is a promise that
//! nobody changes its files behind LMDB's back; mapping a file of counters is the same promise;
//! and a process has to be told that it is the child of a `fork()`.
//!
//! # `fork()`
//!
//! An environment belongs to the process that opened it: its locks and its reader slots carry
//! that process's id, and its locks are gone in a child. A child therefore never uses an
//! environment that it inherited, and never closes it either; it opens its own. Functions that
//! the C library calls around a fork count forks ([`forks`]), which costs a load where asking
//! for the process id costs a system call.
//!
//! # Why an environment is opened through links
//!
//! `heed` refuses to open a path twice in one process, and a child inherits its list of paths.
//! [`Folder`](super::folder::Folder) gives every opening a fresh path to the same two files.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use heed::{Env, EnvFlags, EnvOpenOptions, WithTls};
use rustix::mm::{MapFlags, ProtFlags};

/// How many threads of all processes may read at once. The table costs 64 bytes a thread.
const MAX_READERS: u32 = 4000;

/// The size of LMDB's lock file, with room for the table of readers and its head.
pub(super) const LOCK_FILE_SIZE: u64 = (MAX_READERS as u64 + 96) * 64;

/// Opens the environment in `path`, whose files are those of one store.
///
/// # Why these flags
///
/// `NO_SYNC`: what a crash of the machine leaves behind is thrown away at the next boot, so
/// nothing has to reach the disk. `WRITE_MAP`: a commit is then a few stores to memory that all
/// processes share, where it would be several system calls. A process that dies amid them leaves
/// pages that no root points to. What it costs is that the file has its full size at once, and
/// that a stray write of the process could damage it.
pub(super) fn open(path: &Path, map_size: usize, tables: u32) -> heed::Result<Env<WithTls>> {
    let mut options = EnvOpenOptions::new();
    options
        .map_size(map_size)
        .max_dbs(tables)
        .max_readers(MAX_READERS);
    // SAFETY: `NO_SYNC` endangers only what survives a crash of the machine, which is not used.
    // `WRITE_MAP` is set by all processes alike, with the map size that the folder's header
    // names, so that none of them resizes the file under another one.
    unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP) };
    // SAFETY: the files were made by this store (its header says so), were checked or are used
    // by living processes of this boot, and nothing but LMDB writes to them until all processes
    // have closed them: whoever makes them anew holds the folder's lock alone. In this process
    // they are open at most once, see `Opening`.
    unsafe { options.open(path) }
}

/// The right to open or close environments in this process; one thread has it at a time.
///
/// A fork waits for it, too, so that no child inherits a half-opened environment or a held lock
/// of `heed`.
pub(super) struct Opening(());

static OPENING: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicU64 = AtomicU64::new(0);
static HANDLERS: Once = Once::new();

/// How many forks lie between the first process that used this library and this one.
pub(super) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

impl Opening {
    pub(super) fn begin() -> Opening {
        HANDLERS.call_once(|| {
            // SAFETY: the three functions live as long as the program, do not unwind, and call
            // nothing that a child of a program with threads may not call.
            let registered = unsafe {
                libc::pthread_atfork(
                    Some(before_fork),
                    Some(after_fork_in_parent),
                    Some(after_fork_in_child),
                )
            };
            if registered != 0 {
                tracing::error!(
                    "no memory to be told of forks: the file store must not be used after one"
                );
            }
        });
        take_opening();
        Opening(())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.store(false, Ordering::Release);
    }
}

/// Opening takes milliseconds at most and is rare, so waiting need not be clever. A lock of the
/// standard library cannot be released from another function, as the handlers of forks must.
fn take_opening() {
    while OPENING.swap(true, Ordering::Acquire) {
        thread::sleep(Duration::from_micros(50));
    }
}

extern "C" fn before_fork() {
    take_opening();
}

extern "C" fn after_fork_in_parent() {
    OPENING.store(false, Ordering::Release);
}

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    OPENING.store(false, Ordering::Release);
}

/// Bits in a file that all processes map: which entries were read since the evictor last passed.
///
/// They are hints. A lost or a spurious one costs an entry that is evicted too early or too late.
pub(super) struct SharedBits {
    words: NonNull<AtomicU64>,
    length: usize,
}

// SAFETY: the memory is only touched through atomics, and is unmapped when nobody can.
unsafe impl Send for SharedBits {}
// SAFETY: as above.
unsafe impl Sync for SharedBits {}

impl SharedBits {
    /// Maps a file, which must not be empty; bytes past the last whole word are left alone.
    pub(super) fn map(file: &File) -> io::Result<SharedBits> {
        let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let length = bytes / size_of::<AtomicU64>();
        if length == 0 {
            return Err(io::Error::other("the file of hints is empty"));
        }
        // SAFETY: the address is the kernel's choice, so no other memory is affected. The file
        // keeps its size while processes use it, see `open`; it holds plain numbers, for which
        // any bytes are valid, and all processes touch them through atomics only.
        let words = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length * size_of::<AtomicU64>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let words = NonNull::new(words.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(SharedBits { words, length })
    }

    /// Sets the bit of a number. Numbers that are far apart share bits.
    pub(super) fn set(&self, number: u64) {
        let (word, bit) = self.position(number);
        // Mostly it is set already, and then the cache line stays shared between the cores.
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Clears the bit of a number and says whether it was set.
    pub(super) fn take(&self, number: u64) -> bool {
        let (word, bit) = self.position(number);
        word.load(Ordering::Relaxed) & bit != 0
            && word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }

    fn position(&self, number: u64) -> (&AtomicU64, u64) {
        // SAFETY: the mapping holds `length` words, is aligned to a page and lives as long as
        // `self`.
        let words = unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.length) };
        let index = (number / 64) as usize % words.len();
        (&words[index], 1 << (number % 64))
    }
}

impl Drop for SharedBits {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and no reference into it
        // outlives `self`.
        let unmapped = unsafe {
            rustix::mm::munmap(
                self.words.as_ptr().cast(),
                self.length * size_of::<AtomicU64>(),
            )
        };
        debug_assert!(unmapped.is_ok());
    }
}

impl fmt::Debug for SharedBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBits")
            .field("words", &self.length)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_shared_by_all_mappings_of_a_file() {
        let file = tempfile::tempfile().unwrap();
        assert!(SharedBits::map(&file).is_err());
        file.set_len(4096).unwrap();
        let one = SharedBits::map(&file).unwrap();
        let other = SharedBits::map(&file).unwrap();
        assert!(!other.take(77));
        one.set(77);
        assert!(other.take(77));
        assert!(!one.take(77));
        // Far numbers wrap around.
        one.set(u64::MAX);
        assert!(other.take(4096 * 8 - 1));
    }
}
