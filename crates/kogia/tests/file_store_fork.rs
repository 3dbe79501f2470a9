//! The file store, and a tier in front of it, in a process that forks, as web servers do before
//! they serve.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking
#![cfg(all(feature = "file", target_os = "linux"))]
// There is no safe way to fork: a child of a program with threads may do little. What it does
// here, glibc allows: allocate, and use what no other thread held.
#![allow(unsafe_code)]

#[path = "store_support/process.rs"]
mod process;
mod store_support;

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use kogia::core::{Decision, OwnerId};
use kogia::{FileStore, Store, TieredStore};
use process::{Numbers, Process, answer, role};
use store_support::*;

const CAPACITY: u64 = 4_000_000;

fn open(folder: &Path) -> FileStore {
    FileStore::open(&folder.join("store"), CAPACITY).unwrap()
}

fn tier(folder: &Path) -> TieredStore {
    TieredStore::new(Arc::new(open(folder)), CAPACITY)
}

/// A forked child, which is waited for.
struct Fork(libc::pid_t);

impl Fork {
    /// Runs a function in a child; a panic in it is the child's failure.
    fn run(child: impl FnOnce()) -> Fork {
        // SAFETY: the child runs one function, which does not rely on other threads, and leaves
        // by `_exit`, so nothing of the parent is run twice. The alarm ends one that hangs.
        unsafe {
            match libc::fork() {
                -1 => panic!("cannot fork"),
                0 => {
                    libc::alarm(60);
                    let ended = catch_unwind(AssertUnwindSafe(child));
                    libc::_exit(i32::from(ended.is_err()))
                }
                id => Fork(id),
            }
        }
    }

    fn wait(self) {
        let mut status = 0;
        // SAFETY: the status is a place for the status.
        assert_eq!(unsafe { libc::waitpid(self.0, &mut status, 0) }, self.0);
        assert_eq!(status, 0, "the child has failed or hung");
    }
}

/// One end of a conversation between two processes that take turns.
struct Turns {
    ours: PipeWriter,
    theirs: PipeReader,
}

impl Turns {
    fn pair() -> (Turns, Turns) {
        let (from_one, to_other) = pipe().unwrap();
        let (from_other, to_one) = pipe().unwrap();
        let one = Turns {
            ours: to_one,
            theirs: from_one,
        };
        let other = Turns {
            ours: to_other,
            theirs: from_other,
        };
        (one, other)
    }

    fn give(&mut self) {
        self.ours.write_all(b"x").unwrap();
    }

    fn take(&mut self) {
        self.theirs.read_exact(&mut [0]).unwrap();
    }
}

/// What the process started by a test does.
#[test]
fn child() {
    let Some((role, folder)) = role() else {
        return;
    };
    // Another capacity than the parent's: it must find that the parent uses the store.
    assert_eq!(role, "look");
    let path = folder.join("store");
    let store = FileStore::open(&path, 2 * CAPACITY).unwrap();
    let seen = generation(&store, table("book")).is_marked();
    answer(format!("{} {seen}", store.usage().capacity));
}

#[test]
fn a_child_and_its_parent_see_what_the_other_one_did() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    let (mut parent, mut child) = Turns::pair();
    let for_child = open(folder.path());
    let fork = Fork::run(move || {
        assert_eq!(hit(&for_child, 1, &tags).unwrap(), "rows");
        mark(&for_child, 7, &tags);
        child.give();
        child.take();
        assert!(generation(&for_child, tags[0]).is_clean());
        fill(&for_child, 2, &tags, b"the child's");
        child.give();
        child.take();
        assert!(generation(&for_child, tags[0]).is_marked());
        mark(&for_child, 9, &tags);
        // It closes its own environment, and leaves the parent's alone.
        drop(for_child);
    });
    parent.take();
    assert!(generation(&store, tags[0]).is_marked());
    assert_eq!(store.abandoned(&tags).unwrap(), []);
    clear(&store, 7, &tags);
    parent.give();
    parent.take();
    assert_eq!(hit(&store, 2, &tags).unwrap(), "the child's");
    mark(&store, 8, &tags);
    parent.give();
    fork.wait();
    // The child's mark is its own, not the parent's.
    let abandoned = store.abandoned(&tags).unwrap();
    assert_eq!(abandoned.len(), 1);
    assert_eq!(abandoned[0].owner, OwnerId(9));
    assert_eq!(abandoned[0].process_alive, Some(false));
    clear(&store, 9, &tags);
    // The parent still has its locks.
    let mut look = Process::start("look", folder.path());
    assert_eq!(look.hear().unwrap(), format!("{CAPACITY} true"));
    clear(&store, 8, &tags);
    fill(&store, 3, &tags, b"rows");
    assert!(hit(&store, 3, &tags).is_some());
}

#[test]
fn grandchildren_and_the_orphaned_work() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tags = [table("book")];
    Fork::run(|| {
        clear(&store, 1, &tags);
        Fork::run(|| {
            fill(&store, 1, &tags, b"rows");
            Fork::run(|| {
                assert!(hit(&store, 1, &tags).is_some());
                // One that was opened in the child itself.
                assert!(hit(&open(folder.path()), 1, &tags).is_some());
                mark(&store, 1, &tags);
            })
            .wait();
            assert!(generation(&store, tags[0]).is_marked());
            clear(&store, 1, &tags);
        })
        .wait();
        fill(&store, 2, &tags, b"rows");
    })
    .wait();
    assert!(hit(&store, 2, &tags).is_some());
    // A child that uses the store only after its parent has closed it.
    let (mut parent, mut child) = Turns::pair();
    let fork = Fork::run(|| {
        child.take();
        fill(&store, 3, &tags, b"rows");
        mark(&store, 5, &tags);
        child.give();
        child.take();
    });
    drop(store);
    parent.give();
    parent.take();
    let mut look = Process::start("look", folder.path());
    assert_eq!(look.hear().unwrap(), format!("{CAPACITY} true"));
    parent.give();
    fork.wait();
}

#[test]
fn workers_that_were_forked_never_read_what_was_invalidated() {
    let folder = tempfile::tempdir().unwrap();
    forked_workers(&open(folder.path()), folder.path());
}

#[test]
fn workers_that_were_forked_with_a_tier_never_read_what_was_invalidated() {
    let folder = tempfile::tempdir().unwrap();
    forked_workers(&tier(folder.path()), folder.path());
}

fn forked_workers(store: &dyn Store, folder: &Path) {
    let numbers = Numbers::open(folder);
    // The parent has readers and has written.
    clear(store, 1, &[table("0")]);
    let workers: Vec<Fork> = (0..4_u64)
        .map(|worker| Fork::run(|| work(store, &numbers, worker)))
        .collect();
    work(store, &numbers, 4);
    workers.into_iter().for_each(Fork::wait);
    let written: u64 = (0..5)
        .map(|number| numbers[number].load(Ordering::SeqCst))
        .sum();
    assert_eq!(written, 5 * 100);
}

fn work(store: &dyn Store, numbers: &Numbers, worker: u64) {
    for round in 0..3000_u64 {
        let asked = (round * 7 + worker) % 5;
        let (number, tags) = (&numbers[asked as usize], [table(&asked.to_string())]);
        if round % 30 == 0 {
            let owner = u128::from(worker) << 64 | u128::from(round);
            mark(store, owner, &tags);
            number.fetch_add(1, Ordering::SeqCst);
            clear(store, owner, &tags);
        }
        let before = number.load(Ordering::SeqCst);
        match decide(store, asked, &tags) {
            Decision::Hit(value) => {
                let value = u64::from_le_bytes(value[..].try_into().unwrap());
                assert!(value >= before, "read {value} after {before}");
            }
            Decision::Miss(right) | Decision::Stale(right) => {
                let value = number.load(Ordering::SeqCst).to_le_bytes();
                let value = Bytes::copy_from_slice(&value);
                store.fill(&right, 1, value, HOUR).unwrap();
            }
            Decision::Bypass(_) => {}
        }
    }
}

/// A fork may come while other threads hold any lock of the store.
#[test]
fn a_fork_amid_the_work_of_threads_gives_a_child_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let other = folder.path().join("other");
    let is_over = AtomicBool::new(false);
    let tags = [table("book")];
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                drop(open(&other));
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                mark(&store, 1, &tags);
                clear(&store, 1, &tags);
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _ = decide(&store, 1, &tags);
            }
        });
        for round in 0..40_u128 {
            Fork::run(|| {
                let own = [table("own")];
                mark(&store, round, &own);
                assert!(generation(&store, own[0]).is_marked());
                clear(&store, round, &own);
                clear(&open(&other), round, &own);
            })
            .wait();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(generation(&store, tags[0]).is_clean());
}

/// A child has no copies, whose locks a thread of its parent may have held for ever.
#[test]
fn a_tier_that_is_forked_amid_the_work_of_threads_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let tier = tier(folder.path());
    let is_over = AtomicBool::new(false);
    let tags = [table("book")];
    let right = miss(&tier, 1, &tags);
    let rows = Bytes::from_static(b"rows");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    tier.fill(&right, 1, rows.clone(), HOUR).unwrap();
                    assert!(hit(&tier, 1, &tags).is_some());
                }
            });
        }
        // Also if a child fails.
        let _over = Over(&is_over);
        for round in 0..40 {
            Fork::run(|| {
                assert_eq!(tier.usage().local.unwrap().entries, 0);
                fill(&tier, 2 + round, &tags, b"own");
                assert_eq!(hit(&tier, 2 + round, &tags).unwrap(), "own");
                assert_eq!(tier.usage().local.unwrap().entries, 1);
            })
            .wait();
        }
    });
    assert!(hit(&tier, 1, &tags).is_some());
}

/// Ends the threads of a test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
