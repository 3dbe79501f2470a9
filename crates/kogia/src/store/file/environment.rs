//! The LMDB environment of one folder: all that is unsafe about the file store.
//!
//! # Why here, and only here
//!
//! Three things cannot be said in safe Rust. Opening a memory-mapped database is a promise that
//! nobody changes its files behind LMDB's back; mapping a lock and some bits that all processes
//! share is the same promise; and a process has to be told that it is the child of a `fork()`.
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
//! `folder.rs` gives every opening a fresh path to the same two files.

use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use heed::{Env, EnvFlags, EnvOpenOptions, WithTls};
use rustix::mm::{MapFlags, ProtFlags};

use super::Failure;

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

/// Memory that all processes share: whose turn it is to write, and which entries were read since
/// the evictor last passed.
///
/// # Whose turn it is to write
///
/// LMDB has locks of its own for that, which the kernel frees when their holder is killed. But a
/// process that is killed just after it freed one, and before it woke who waits for it, can leave
/// that one asleep for ever: another process gets the lock in between, does not know of the
/// sleeper, and the kernel takes it for a lock in good hands. Tests that kill processes under load
/// met it once in some thousand times. So nobody ever waits for LMDB's locks: who wants one takes
/// this one before, and tries until it is free, which takes a few microseconds.
///
/// # Which entries were read
///
/// A lost or a spurious bit costs an entry that is evicted too early or too late.
pub(super) struct Shared {
    memory: NonNull<u8>,
    /// Bytes in the mapping.
    size: usize,
    /// Bits behind the lock, in words.
    words: usize,
}

/// Where the bits begin: behind the lock, in another cache line.
const BITS: usize = 128;

/// The constant of Linux, which the `libc` crate leaves out.
const PTHREAD_MUTEX_ROBUST: libc::c_int = 1;

// SAFETY: the memory is only touched through atomics and the functions of a lock that processes
// may share, and is unmapped when nobody can.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps a file. `is_alone` tells that no process uses it: then the lock is made anew.
    pub(super) fn map(file: &File, is_alone: bool) -> io::Result<Shared> {
        let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let words = size.saturating_sub(BITS) / size_of::<AtomicU64>();
        if words == 0 {
            return Err(io::Error::other("the file is too short"));
        }
        // SAFETY: the address is the kernel's choice, so no other memory is affected. The file
        // keeps its size while processes use it, see `open`.
        let memory = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::InvalidData)?;
        let shared = Shared {
            memory,
            size,
            words,
        };
        if is_alone {
            shared.make_lock()?;
        }
        Ok(shared)
    }

    /// Waits for this thread's turn to write, and to do what else takes one of LMDB's locks.
    pub(super) fn turn(&self) -> Result<Turn<'_>, Failure> {
        let mut tries = 0_u32;
        loop {
            // SAFETY: the lock was made by the first process that mapped the file.
            match unsafe { libc::pthread_mutex_trylock(self.lock()) } {
                0 => break,
                libc::EBUSY => {}
                libc::EOWNERDEAD => {
                    // What the lock guards is LMDB's business, which recovers by itself.
                    // SAFETY: this thread holds the lock.
                    match unsafe { libc::pthread_mutex_consistent(self.lock()) } {
                        0 => break,
                        _ => return Err(Failure::Damaged("its lock is not consistent")),
                    }
                }
                _ => return Err(Failure::Damaged("its lock is none")),
            }
            tries += 1;
            match tries {
                // A turn is a few microseconds long, unless its holder is not scheduled.
                0..200 => std::hint::spin_loop(),
                200..240 => thread::yield_now(),
                _ => thread::sleep(Duration::from_micros(100)),
            }
        }
        Ok(Turn {
            shared: self,
            _not_send: PhantomData,
        })
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

    fn make_lock(&self) -> io::Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        let check = |error: libc::c_int| match error {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        };
        // SAFETY: the attributes are made before they are used. The lock has room before the
        // bits, is aligned as the page is, and nobody uses it yet.
        unsafe {
            check(libc::pthread_mutexattr_init(attributes))?;
            check(libc::pthread_mutexattr_setpshared(
                attributes,
                libc::PTHREAD_PROCESS_SHARED,
            ))?;
            check(libc::pthread_mutexattr_setrobust(
                attributes,
                PTHREAD_MUTEX_ROBUST,
            ))?;
            self.memory.as_ptr().write_bytes(0, BITS);
            check(libc::pthread_mutex_init(self.lock(), attributes))?;
            check(libc::pthread_mutexattr_destroy(attributes))
        }
    }

    fn lock(&self) -> *mut libc::pthread_mutex_t {
        const { assert!(size_of::<libc::pthread_mutex_t>() <= BITS) };
        self.memory.as_ptr().cast()
    }

    fn position(&self, number: u64) -> (&AtomicU64, u64) {
        // SAFETY: the mapping holds `words` words from `BITS` on, aligned as the page is, and
        // lives as long as `self`. All processes touch them through atomics only, and any bytes
        // are a number.
        let words = unsafe {
            let first = self.memory.as_ptr().add(BITS).cast::<AtomicU64>();
            std::slice::from_raw_parts(first, self.words)
        };
        let index = (number / 64) as usize % words.len();
        (&words[index], 1 << (number % 64))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this size, and no reference into it outlives
        // `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.memory.as_ptr().cast(), self.size) };
        debug_assert!(unmapped.is_ok());
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("size", &self.size).finish()
    }
}

/// This thread's turn to write, until it is dropped.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    /// Only the thread that took the lock may free it.
    _not_send: PhantomData<*mut ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread took the lock and has not freed it yet.
        let freed = unsafe { libc::pthread_mutex_unlock(self.shared.lock()) };
        debug_assert_eq!(freed, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        file
    }

    #[test]
    fn bits_are_shared_by_all_mappings_of_a_file() {
        assert!(Shared::map(&tempfile::tempfile().unwrap(), true).is_err());
        let file = file();
        let one = Shared::map(&file, true).unwrap();
        let other = Shared::map(&file, false).unwrap();
        assert!(!other.take(77));
        one.set(77);
        assert!(other.take(77));
        assert!(!one.take(77));
        // Far numbers wrap around.
        one.set((4096 - 128) * 8 + 5);
        assert!(other.take(5));
    }

    #[test]
    fn one_thread_at_a_time_has_its_turn() {
        let file = file();
        let sum = AtomicU64::new(0);
        drop(Shared::map(&file, true).unwrap());
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let shared = Shared::map(&file, false).unwrap();
                    for _ in 0..2000 {
                        let _turn = shared.turn().unwrap();
                        let seen = sum.load(Ordering::Relaxed);
                        std::hint::black_box(seen);
                        sum.store(seen + 1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 6000);
    }

    #[test]
    fn the_turn_of_a_thread_that_died_is_over() {
        let file = file();
        let shared = Shared::map(&file, true).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| std::mem::forget(shared.turn().unwrap()));
        });
        drop(shared.turn().unwrap());
        drop(shared.turn().unwrap());
    }
}
