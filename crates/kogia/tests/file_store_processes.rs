//! The file store under several processes, which may be killed at any moment.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking
#![cfg(all(feature = "file", target_os = "linux"))]
// A number that processes share is memory that they share.
#![allow(unsafe_code)]

#[path = "store_support/process.rs"]
mod process;
mod store_support;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use kogia::core::{Decision, OwnerId, ReadBypass, Tag};
use kogia::{Backend, FileStore, Store};
use process::{Numbers, Process, answer, role};
use store_support::*;

const CAPACITY: u64 = 4_000_000;

fn open(folder: &Path) -> FileStore {
    FileStore::open(&folder.join("store"), CAPACITY).unwrap()
}

/// What the processes started by the other tests do. By itself it does nothing.
#[test]
fn child() {
    let Some((role, folder)) = role() else {
        return;
    };
    let mut words = role.split(' ');
    match words.next().unwrap() {
        "obey" => obey(&folder),
        "work" => {
            let mut number = || words.next().unwrap().parse().unwrap();
            let plan = Plan {
                capacity: number(),
                seed: number(),
                operations: number(),
            };
            work(&folder, &plan);
        }
        other => panic!("unknown role {other}"),
    }
}

/// Does what the parent says, a line at a time.
fn obey(folder: &Path) {
    let mut store = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        if words == ["open"] {
            store = Some(open(folder));
            answer("open");
            continue;
        }
        let store = store.get_or_insert_with(|| open(folder));
        let [command, number, tag] = words[..] else {
            panic!("{line}");
        };
        let (number, tags) = (number.parse().unwrap(), [table(tag)]);
        match command {
            "mark" => mark(store, number, &tags),
            "clear" => clear(store, number, &tags),
            "fill" => fill(store, number as u64, &tags, tag.as_bytes()),
            "read" => {
                let decision = decide(store, number as u64, &tags);
                answer(match decision {
                    Decision::Hit(_) => "hit",
                    Decision::Miss(_) => "miss",
                    Decision::Stale(_) => "stale",
                    Decision::Bypass(ReadBypass::Marked) => "marked",
                    Decision::Bypass(_) => "bypass",
                });
                continue;
            }
            "generation" => {
                answer(format!("{:x}", generation(store, tags[0]).to_u128()));
                continue;
            }
            other => panic!("{other}"),
        }
        answer("done");
    }
}

#[test]
fn a_process_sees_what_another_one_did_at_its_very_next_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tags = [table("book")];
    let mut other = Process::start("obey", folder.path());
    for round in 0..200_u128 {
        fill(&store, 1, &tags, b"rows");
        assert_eq!(other.ask("read 1 book"), "hit");
        assert_eq!(other.ask(&format!("mark {round} book")), "done");
        let seen = decide(&store, 1, &tags);
        assert!(matches!(seen, Decision::Bypass(ReadBypass::Marked)));
        assert_eq!(other.ask(&format!("clear {round} book")), "done");
        assert!(matches!(decide(&store, 1, &tags), Decision::Stale(_)));

        assert_eq!(other.ask("fill 1 book"), "done");
        assert_eq!(hit(&store, 1, &tags).unwrap(), "book");
        mark(&store, round, &tags);
        assert_eq!(other.ask("read 1 book"), "marked");
        clear(&store, round, &tags);
        assert_eq!(other.ask("read 1 book"), "stale");
    }
    store.invalidate_everything().unwrap();
    assert_eq!(other.ask("read 1 book"), "miss");
}

#[test]
fn the_marks_of_a_killed_process_stay_until_they_are_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tags = [table("book")];
    let mut other = Process::start("obey", folder.path());
    other.ask("mark 7 book");
    mark(&store, 8, &tags);
    assert_eq!(store.abandoned(&tags).unwrap(), []);
    other.kill();
    assert!(generation(&store, tags[0]).is_marked());
    let abandoned = store.abandoned(&tags).unwrap();
    assert_eq!(abandoned.len(), 1);
    assert_eq!(abandoned[0].owner, OwnerId(7));
    assert_eq!(abandoned[0].tags, set(&tags));
    assert_eq!(abandoned[0].backend, Backend::Process);
    assert_eq!(abandoned[0].process_alive, Some(false));
    clear(&store, 7, &tags);
    assert!(generation(&store, tags[0]).is_marked());
    clear(&store, 8, &tags);
    assert!(generation(&store, tags[0]).is_clean());
}

#[test]
fn processes_that_start_cold_at_once_share_one_store() {
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        if round % 2 == 1 {
            // An old store that has to go.
            drop(open(folder.path()));
            let header = folder.path().join("store").join("kogia");
            let text = std::fs::read_to_string(&header).unwrap();
            let boot = text.lines().nth(2).unwrap();
            std::fs::write(&header, text.replace(boot, "boot another")).unwrap();
        }
        let mut processes: Vec<Process> = (0..4)
            .map(|_| Process::start("obey", folder.path()))
            .collect();
        processes.iter_mut().for_each(|process| process.say("open"));
        for process in &mut processes {
            assert_eq!(process.hear().unwrap(), "open");
        }
        let generations: Vec<String> = processes
            .iter_mut()
            .map(|process| process.ask("generation 0 book"))
            .collect();
        assert!(generations.iter().all(|seen| *seen == generations[0]));
        processes[0].ask("mark 1 book");
        for process in &mut processes {
            assert_eq!(process.ask("read 1 book"), "marked");
        }
    }
}

#[test]
fn processes_that_open_while_one_is_killed_get_a_store() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20_u64 {
        let mut first = Process::start("obey", folder.path());
        first.say("open");
        // Somewhere amid opening: starting takes milliseconds, too.
        let mut spin = round * 20_000;
        while spin > 0 {
            spin = std::hint::black_box(spin - 1);
        }
        first.kill();
        let store = open(folder.path());
        fill(&store, round, &[table("book")], b"rows");
        assert!(hit(&store, round, &[table("book")]).is_some());
        drop(store);
        if round % 4 == 0 {
            std::fs::remove_dir_all(folder.path().join("store")).unwrap();
        }
    }
}

#[test]
fn a_process_leaves_files_that_were_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Process::start("obey", folder.path());
    for round in 0..20 {
        other.ask("fill 1 book");
        assert_eq!(other.ask("read 1 book"), "hit");
        std::fs::remove_dir_all(folder.path().join("store")).unwrap();
        let store = open(folder.path());
        mark(&store, round, &[table("book")]);
        assert_eq!(other.ask("read 1 book"), "marked");
        other.ask(&format!("clear {round} book"));
        assert!(generation(&store, table("book")).is_clean());
    }
}

const TABLES: u64 = 12;
const KEYS: u64 = 40;

struct Plan {
    capacity: u64,
    seed: u64,
    operations: u64,
}

fn random(state: &mut u64, bound: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % bound
}

fn tags_of(table_number: u64) -> [Tag; 2] {
    [
        table(&format!("table {table_number}")),
        pinned(table_number),
    ]
}

/// Reads and writes numbers through the store, and checks every hit: the value must be a number
/// that was there while the read was under way. Writers that died are resolved.
fn work(folder: &Path, plan: &Plan) {
    let store = FileStore::open(&folder.join("store"), plan.capacity).unwrap();
    let numbers = Numbers::open(folder);
    let mut state = plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let owner_base = u128::from(std::process::id()) << 64 | u128::from(plan.seed) << 96;
    let (mut hits, mut misses, mut bypasses) = (0_u64, 0_u64, 0_u64);
    for operation in 0..plan.operations {
        if operation % 50 == 0 {
            answer(format!("{operation}"));
        }
        let asked = random(&mut state, TABLES);
        let number = &numbers[asked as usize];
        let tags = tags_of(asked);
        if random(&mut state, 100) < 5 {
            let owner = owner_base | u128::from(operation);
            mark(&store, owner, &tags);
            number.fetch_add(1, Ordering::SeqCst);
            clear(&store, owner, &tags);
            continue;
        }
        let key = asked << 32 | random(&mut state, KEYS);
        // A table may be read by another one of its tags.
        let tags = &tags[..1 + (key % 2) as usize];
        let before = number.load(Ordering::SeqCst);
        match decide(&store, key, tags) {
            Decision::Hit(value) => {
                hits += 1;
                let read = u64::from_le_bytes(value[..8].try_into().unwrap());
                let after = number.load(Ordering::SeqCst);
                if read < before || read > after || value.len() != length_of(key) {
                    answer(format!("wrong: {read} between {before} and {after}"));
                    return;
                }
            }
            Decision::Miss(right) | Decision::Stale(right) => {
                misses += 1;
                let mut value = number.load(Ordering::SeqCst).to_le_bytes().to_vec();
                value.resize(length_of(key), key as u8);
                store.fill(&right, 1, Bytes::from(value), HOUR).unwrap();
            }
            Decision::Bypass(_) => {
                bypasses += 1;
                for writer in store.abandoned(tags).unwrap() {
                    assert_eq!(writer.process_alive, Some(false));
                    store.clear(writer.owner, &writer.tags).unwrap();
                }
            }
        }
    }
    answer(format!("end {hits} {misses} {bypasses}"));
}

fn length_of(key: u64) -> usize {
    [8, 200, 1500, 3000, 6000][key as usize % 5]
}

fn start_work(folder: &Path, plan: &Plan) -> Process {
    let Plan {
        capacity,
        seed,
        operations,
    } = plan;
    Process::start(&format!("work {capacity} {seed} {operations}"), folder)
}

#[test]
fn processes_that_hammer_one_store_never_read_what_was_invalidated() {
    // The second one evicts all the time.
    for (capacity, operations) in [(CAPACITY, 20_000), (1_100_000, 10_000)] {
        let folder = tempfile::tempdir().unwrap();
        let mut processes: Vec<Process> = (1..=4)
            .map(|seed| {
                let plan = Plan {
                    capacity,
                    seed,
                    operations,
                };
                start_work(folder.path(), &plan)
            })
            .collect();
        for process in &mut processes {
            let mut last = String::new();
            while let Some(answer) = process.hear() {
                assert!(!answer.starts_with("wrong"), "{answer}");
                last = answer;
            }
            let counts: Vec<u64> = last
                .strip_prefix("end ")
                .unwrap_or_else(|| panic!("it ended after {last}"))
                .split(' ')
                .map(|count| count.parse().unwrap())
                .collect();
            let [hits, misses, bypasses] = counts[..] else {
                panic!("{last}");
            };
            assert!(hits > 1000 && misses > 100, "{last}");
            assert!(bypasses < operations / 2, "{last}");
        }
        for number in 0..TABLES {
            let store = FileStore::open(&folder.path().join("store"), capacity).unwrap();
            let seen = store.generations(&tags_of(number)).unwrap();
            assert!(seen.iter().all(|generation| generation.is_clean()));
        }
    }
}

#[test]
fn processes_that_are_killed_leave_nothing_stale_and_nothing_damaged() {
    const KILLS: u64 = 30;
    for capacity in [CAPACITY, 1_100_000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = FileStore::open(&path, capacity).unwrap();
        // Nobody writes to it: its generation is that of the store since it was made.
        let untouched = generation(&store, table("untouched"));
        let killed = AtomicU64::new(0);
        thread::scope(|scope| {
            for worker in 0..3 {
                let (killed, folder) = (&killed, folder.path());
                scope.spawn(move || {
                    let mut state = 77 + worker;
                    for round in 0..KILLS {
                        let plan = Plan {
                            capacity,
                            seed: worker << 16 | round | 1 << 30,
                            operations: u64::MAX,
                        };
                        let mut process = start_work(folder, &plan);
                        for _ in 0..1 + random(&mut state, 12) {
                            let answer = process.hear().expect("it works until it is killed");
                            assert!(!answer.starts_with("wrong"), "{answer}");
                        }
                        let mut spin = random(&mut state, 50_000);
                        while spin > 0 {
                            spin = std::hint::black_box(spin - 1);
                        }
                        process.kill();
                        // What it said before the end counts, too.
                        while let Some(answer) = process.hear() {
                            assert!(!answer.starts_with("wrong"), "{answer}");
                        }
                        killed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(killed.into_inner(), 3 * KILLS);

        // Every mark that is left is that of a dead process.
        for number in 0..TABLES {
            let tags = tags_of(number);
            for writer in store.abandoned(&tags).unwrap() {
                assert_eq!(writer.process_alive, Some(false));
                assert_eq!(writer.tags, set(&tags));
                store.clear(writer.owner, &writer.tags).unwrap();
            }
            let seen = store.generations(&tags).unwrap();
            assert!(seen.iter().all(|generation| generation.is_clean()));
        }
        // The file is checked page by page when nobody else has it open; it must be the same one.
        drop(store);
        let store = FileStore::open(&path, capacity).unwrap();
        assert_eq!(generation(&store, table("untouched")), untouched);
        fill(&store, 1, &[table("book")], b"rows");
        assert!(hit(&store, 1, &[table("book")]).is_some());
    }
}
