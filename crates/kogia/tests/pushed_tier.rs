//! The tier that Redis tells what changes: that its answers are as old as it says and no older,
//! whatever happens to the server and to the connection.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking
#![allow(unsafe_code)] // `fork`

mod store_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{Decision, Dialect, KeyColumn, KeyKind, Parameter, Relation, Schema, Value};
use kogia::{
    Answer, Cache, Database, DatabaseConfig, Encoded, Query, QueryMode, QueryOptions, Store,
    TieredStore, WriteError,
};
use rustix::process::Signal;
#[cfg(feature = "tokio")]
use store_support::awaited::Awaited;
use store_support::load::work_within;
use store_support::redis::{Server, open};
use store_support::*;

/// So long that no machine is too slow, and nothing is seen by waiting.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(100);

/// The tier of one process; several over one server are several processes.
fn tier(server: &Server, staleness: Duration) -> TieredStore {
    let shared = open(&server.url("quarantine=0s&timeout=2s"));
    TieredStore::pushed(shared, 2_000_000, staleness)
}

/// How often the server was asked for generations.
fn asked(server: &Server) -> u64 {
    let stats = server.ask(&["INFO", "commandstats"]);
    let calls = stats.split_once("cmdstat_mget:calls=");
    let calls = calls.and_then(|(_, calls)| calls.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// Waits until hits cost no round trip.
fn until_pushed(server: &Server, store: &dyn Store, key: u64, tags: &[kogia::core::Tag]) {
    until(|| {
        let before = asked(server);
        hit(store, key, tags).is_some() && asked(server) == before
    });
}

#[test]
fn a_hit_costs_no_round_trip() {
    let server = Server::start("");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    server.signal(Signal::STOP);
    for _ in 0..100 {
        assert_eq!(hit(store, 1, &tags).unwrap(), "rows");
    }
    server.signal(Signal::CONT);
}

#[test]
fn what_another_process_writes_is_told() {
    let server = Server::start("");
    let (one, other) = (&tier(&server, LONG), &tier(&server, LONG));
    let tags = [table("book")];
    fill(one, 1, &tags, b"old");
    until_pushed(&server, one, 1, &tags);
    let begun = Instant::now();
    mark(other, 1, &tags);
    until(|| hit(one, 1, &tags).is_none());
    assert!(begun.elapsed() < Duration::from_secs(9), "nobody told");
    clear(other, 1, &tags);
    assert!(matches!(decide(one, 1, &tags), Decision::Stale(_)));
    fill(other, 1, &tags, b"new");
    assert_eq!(hit(one, 1, &tags).unwrap(), "new");
    until_pushed(&server, one, 1, &tags);
}

#[test]
fn a_server_that_gives_no_sign_of_life_is_not_trusted() {
    let server = Server::start("");
    let store = &tier(&server, SHORT);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    server.stop();
    let stopped = Instant::now();
    let mut hits = 0;
    loop {
        let begun = Instant::now();
        if store.read(&request(1, &tags)).is_err() {
            break;
        }
        hits += 1;
        assert!(begun < stopped + SHORT, "a hit after the bound");
    }
    server.signal(Signal::CONT);
    println!("{hits} hits");
    until(|| store.read(&request(1, &tags)).is_ok());
    until_pushed(&server, store, 1, &tags);
}

#[test]
fn no_answer_is_older_than_it_may_be() {
    let server = Server::start("");
    let (hits, stale) = work_within(SHORT, || tier(&server, SHORT), 100, |_| {});
    assert_eq!(stale, 0);
    assert!(hits > 100, "{hits}");
}

#[test]
fn what_a_process_writes_itself_it_sees_at_once() {
    let server = Server::start("");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    // What is told takes longer than the next call.
    for round in 0..30 {
        mark(store, round, &tags);
        assert!(matches!(decide(store, 1, &tags), Decision::Bypass(_)));
        clear(store, round, &tags);
        assert!(matches!(decide(store, 1, &tags), Decision::Stale(_)));
        fill(store, 1, &tags, b"rows");
        // The first one asks, and the second one need not.
        assert!(hit(store, 1, &tags).is_some());
        assert!(hit(store, 1, &tags).is_some());
    }
    store.invalidate_everything().unwrap();
    assert!(hit(store, 1, &tags).is_none());
}

/// A tier whose calls are awaited.
#[cfg(feature = "tokio")]
fn awaited(server: &Server, staleness: Duration) -> Awaited {
    Awaited::over(tier(server, staleness))
}

#[cfg(feature = "tokio")]
#[test]
fn a_hit_that_is_awaited_costs_no_round_trip() {
    let server = Server::start("");
    let store = &awaited(&server, LONG);
    let other = &tier(&server, LONG);
    let tags = [table("book")];
    // Once a copy of what was filled here, and once of what another process has filled.
    for (key, filler) in [(1, store as &dyn Store), (2, other)] {
        fill(filler, key, &tags, b"rows");
        until_pushed(&server, store, key, &tags);
        server.signal(Signal::STOP);
        for _ in 0..100 {
            assert_eq!(hit(store, key, &tags).unwrap(), "rows");
        }
        server.signal(Signal::CONT);
    }
}

#[cfg(feature = "tokio")]
#[test]
fn hits_that_are_awaited_end_with_what_is_written() {
    let server = Server::start("");
    let (store, other) = (&awaited(&server, LONG), &tier(&server, LONG));
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    let begun = Instant::now();
    mark(other, 1, &tags);
    until(|| hit(store, 1, &tags).is_none());
    assert!(begun.elapsed() < Duration::from_secs(9), "nobody told");
    clear(other, 1, &tags);
    // What the process writes itself need not be told.
    for round in 0..30 {
        fill(store, 1, &tags, b"rows");
        assert!(hit(store, 1, &tags).is_some());
        assert!(hit(store, 1, &tags).is_some());
        mark(store, round, &tags);
        assert!(matches!(decide(store, 1, &tags), Decision::Bypass(_)));
        clear(store, round, &tags);
    }
}

#[cfg(feature = "tokio")]
#[test]
fn no_awaited_answer_is_older_than_it_may_be() {
    let server = Server::start("");
    let (hits, stale) = work_within(SHORT, || awaited(&server, SHORT), 100, |_| {});
    assert_eq!(stale, 0);
    assert!(hits > 100, "{hits}");
}

#[test]
fn everything_may_be_deleted() {
    let server = Server::start("");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    for deletion in ["FLUSHALL", "FLUSHDB"] {
        fill(store, 1, &tags, b"rows");
        until_pushed(&server, store, 1, &tags);
        assert_eq!(server.ask(&[deletion]), "OK");
        until(|| hit(store, 1, &tags).is_none());
    }
}

/// Of which the server tells nobody.
#[test]
fn databases_may_be_swapped() {
    let server = Server::start("");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    // One that somebody has used, too.
    let other = server.url("quarantine=0s").replace("/0?", "/1?");
    fill(&open(&other), 1, &tags, b"other rows");
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    assert_eq!(server.ask(&["SWAPDB", "0", "1"]), "OK");
    until(|| hit(store, 1, &tags).is_none_or(|rows| rows == "other rows"));
}

#[test]
fn generations_may_be_lost() {
    let server = Server::start("");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    let script = "for _, key in ipairs(redis.call('KEYS', '{kogia:1}:g*')) do \
                  redis.call('PEXPIRE', key, 1) end";
    server.ask(&["EVAL", script, "0"]);
    until(|| hit(store, 1, &tags).is_none());
}

/// The connection on which the server tells.
fn telling(server: &Server) -> Option<String> {
    let clients = server.ask(&["CLIENT", "LIST"]);
    let client = clients.lines().find(|line| line.contains(" flags=t"))?;
    let id = client.strip_prefix("id=")?.split(' ').next()?;
    Some(id.to_owned())
}

#[test]
fn what_happens_while_nobody_is_told_is_not_missed() {
    let server = Server::start("");
    let (one, other) = (&tier(&server, LONG), &open(&server.url("quarantine=0s")));
    let tags = [table("book")];
    for _ in 0..5 {
        fill(one, 1, &tags, b"old");
        until_pushed(&server, one, 1, &tags);
        let killed = telling(&server).unwrap();
        server.ask(&["CLIENT", "KILL", "ID", &killed]);
        clear(other, 1, &tags);
        until(|| telling(&server).is_some_and(|id| id != killed));
        until(|| hit(one, 1, &tags).is_none());
    }
}

#[test]
fn a_server_may_restart() {
    let mut server = Server::start("--dbfilename dump.rdb");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    for is_dumped in [true, false] {
        fill(store, 1, &tags, b"old");
        if is_dumped {
            assert_eq!(server.ask(&["SAVE"]), "OK");
        }
        until_pushed(&server, store, 1, &tags);
        server.restart();
        until(|| store.read(&request(1, &tags)).is_ok() && hit(store, 1, &tags).is_none());
    }
}

/// Its connections stay open, and what it has may be older than what it has given out.
#[test]
fn a_primary_that_is_demoted_is_not_trusted() {
    let server = Server::start("");
    let store = &tier(&server, SHORT);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    // Nothing listens there, so it keeps the data that it has.
    assert_eq!(server.ask(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    let demoted = Instant::now();
    loop {
        let begun = Instant::now();
        if store.read(&request(1, &tags)).is_err() {
            break;
        }
        assert!(begun < demoted + SHORT, "a hit after the bound");
    }
}

#[test]
fn a_user_who_may_not_listen_reads_as_ever() {
    let server = Server::start("");
    server.ask(&["ACL", "SETUSER", "default", "-client|tracking"]);
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    for _ in 0..3 {
        let before = asked(&server);
        assert!(hit(store, 1, &tags).is_some());
        assert_eq!(asked(&server), before + 1);
    }
    assert!(!store.usage().local.unwrap().is_told);
    let found = || format!("{:?}", store.examine());
    assert!(
        found().contains("let the user run CLIENT TRACKING"),
        "{}",
        found()
    );
    server.ask(&["ACL", "SETUSER", "default", "+client|tracking"]);
    until(|| hit(store, 1, &tags).is_some() && store.usage().local.unwrap().is_told);
    assert!(found().contains("may be 10000 ms old"), "{}", found());
}

/// The threads of this process that listen.
fn listeners() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        threads.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "kogia-pushed").count()
}

#[test]
fn a_child_has_nothing_of_its_parents() {
    let server = Server::start("");
    let store = &tier(&server, LONG);
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    let parents = telling(&server).unwrap();
    // SAFETY: the child relies on no other thread, and leaves by `_exit`, so nothing of the parent is
    // run twice. The alarm ends one that hangs.
    let child = unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(60);
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    assert_eq!(listeners(), 0);
                    let before = asked(&server);
                    assert!(hit(store, 1, &tags).is_some());
                    assert!(asked(&server) > before, "by what the parent was told");
                    until_pushed(&server, store, 1, &tags);
                    assert_eq!(listeners(), 1);
                    mark(store, 2, &tags);
                    assert!(hit(store, 1, &tags).is_none());
                    store.rest();
                    assert_eq!(listeners(), 0);
                }));
                libc::_exit(i32::from(ended.is_err()))
            }
            id => id,
        }
    };
    let mut status = 0;
    // SAFETY: the status is a place for the status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child has failed or hung");
    assert_eq!(telling(&server), Some(parents));
    until(|| hit(store, 1, &tags).is_none());
}

#[test]
fn a_cache_that_rests_has_no_connection() {
    let server = Server::start("");
    let url = server.url("quarantine=0s&local=2MB&mode=pushed&staleness=10s");
    let cache = Cache::builder().url(&url).unwrap().build();
    let (store, tags) = (&**cache.store(), [table("book")]);
    for _ in 0..2 {
        assert_eq!(telling(&server), None);
        hit(store, 1, &tags);
        until(|| telling(&server).is_some());
        cache.rest();
        until(|| telling(&server).is_none());
    }
    fill(store, 1, &tags, b"rows");
    until_pushed(&server, store, 1, &tags);
    drop(cache);
    until(|| telling(&server).is_none());
}

#[test]
fn nothing_stale_comes_of_faults_under_load() {
    let server = Server::start("");
    let tier = || {
        // Writers rely on marks that are deleted, for less than this.
        let shared = open(&server.url("quarantine=1s&timeout=50ms"));
        TieredStore::pushed(shared, 2_000_000, SHORT)
    };
    let (hits, stale) = work_within(SHORT, tier, 60, |progress| {
        for round in 0.. {
            if !progress.wait_for_hits(100) {
                break;
            }
            match round % 3 {
                0 => drop(server.ask(&["CLIENT", "KILL", "TYPE", "NORMAL"])),
                1 => drop(server.ask(&["FLUSHALL"])),
                _ => {
                    server.stop();
                    progress.wait_for_failures(1);
                    server.signal(Signal::CONT);
                }
            }
        }
    });
    assert_eq!(stale, 0);
    assert!(hits > 100, "{hits}");
}

/// The engine's reads of one row, of which the result proves that its entry does not depend on INSERTs.
fn read_book(database: &Database, mode: QueryMode, now: u64) -> Option<u64> {
    let query = Query {
        sql: "SELECT title FROM book WHERE id = $1",
        parameters: Some(&[Parameter::untyped(Value::Int(1))]),
        shape: b"test",
        options: &QueryOptions {
            mode,
            ..QueryOptions::default()
        },
    };
    let encoded = |now: &u64| {
        let value = Bytes::copy_from_slice(&now.to_le_bytes());
        Some(Encoded { value, rows: 1 })
    };
    let answer = database.read_blocking(&query, || Ok::<_, WriteError>(now), encoded);
    match answer.unwrap() {
        Answer::Fresh(_) => None,
        Answer::Cached(value) => Some(u64::from_le_bytes(value[..].try_into().unwrap())),
    }
}

#[test]
fn what_is_refreshed_takes_the_place_of_what_was_told_to_be_current() {
    let server = Server::start("");
    let url = server.url("quarantine=0s&local=2MB&mode=pushed&staleness=10s");
    let cache = Cache::builder().url(&url).unwrap().build();
    let database = cache.database(DatabaseConfig::new(database(), Dialect::Postgres));
    let key = KeyColumn {
        name: "id".into(),
        kind: KeyKind::Integer,
    };
    let book = Relation {
        key: Some(Arc::new(key)),
        generated_key: true,
        ..Relation::table("book")
    };
    let schema = Schema {
        relations: vec![book],
        ..Schema::unknown(Dialect::Postgres)
    };
    database.reload_catalog().unwrap().unwrap().finish(schema);
    until(|| {
        let before = asked(&server);
        read_book(&database, QueryMode::Cached, 1) == Some(1) && asked(&server) == before
    });
    assert_eq!(read_book(&database, QueryMode::Refresh, 2), None);
    assert_eq!(read_book(&database, QueryMode::Cached, 3), Some(2));
}
