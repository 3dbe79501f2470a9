//! Two copies of a store in two Redis servers, and what may happen to one of them.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::OwnerId;
use kogia::{Backend, CopiesStore, Level, Mark, RedisStore, Store, StoreUrl};
use rustix::process::Signal;
use store_support::clock::Clock;
use store_support::load::{work, work_during};
use store_support::proxy::Proxy;
use store_support::redis::Server;
use store_support::*;

/// No quarantine: only for tests in which nobody relies on a lost mark.
const NONE: &str = "quarantine=0s";
/// One that does not end within a test.
const LONG: &str = "quarantine=3600s";

/// Two servers, and what names both.
struct Servers([Server; 2]);

impl Servers {
    fn start(options: &str) -> Servers {
        Servers([(); 2].map(|()| Server::start(options)))
    }

    fn open(&self, options: &str) -> CopiesStore {
        open(self.0.each_ref().map(Server::port), options)
    }

    /// Begins on both, when nobody can rely on lost marks.
    fn begin(&self) {
        let tags = [table("any")];
        assert!(generation(&self.open(NONE), tags[0]).is_clean());
    }
}

fn open([first, second]: [u16; 2], options: &str) -> CopiesStore {
    let hosts = format!("127.0.0.1:{first},127.0.0.1:{second}");
    open_hosts(&hosts, options)
}

fn open_hosts(hosts: &str, options: &str) -> CopiesStore {
    let url = format!("redis://{hosts}/0?copies=2&{options}");
    let StoreUrl::Copies(urls) = url.parse().unwrap() else {
        panic!("{url} names no copies");
    };
    let [first, second] = urls.map(RedisStore::new).map(Arc::new);
    CopiesStore::new(first, second)
}

/// An entry in either copy.
fn fill_both(store: &dyn Store, tags: &[kogia::core::Tag]) {
    keys().for_each(|key| fill(store, key, tags, b"rows"));
    assert!(are_hits(store, tags));
}

fn are_hits(store: &dyn Store, tags: &[kogia::core::Tag]) -> bool {
    keys().all(|key| hit(store, key, tags).is_some())
}

fn are_misses(store: &dyn Store, tags: &[kogia::core::Tag]) -> bool {
    keys().all(|key| hit(store, key, tags).is_none())
}

fn keys() -> std::ops::Range<u64> {
    0..16
}

#[test]
fn entries_are_in_both_copies() {
    let servers = Servers::start("");
    fill_both(&servers.open(NONE), &[table("book")]);
    for server in &servers.0 {
        assert_ne!(server.ask(&["--raw", "KEYS", "kogia:1:e*"]), "");
    }
}

/// A mark that one copy alone has acknowledged keeps all readers off, also those that see the other
/// copy when it is back, with all that it had.
#[test]
fn a_write_goes_on_without_either_copy() {
    for down in [0, 1] {
        let servers = Servers::start("");
        let (tags, other) = ([table("book")], [table("shop")]);
        let store = servers.open("quarantine=0s&timeout=100ms");
        fill_both(&store, &tags);
        fill_both(&store, &other);
        servers.0[down].signal(Signal::STOP);
        mark(&store, 1, &tags);
        let reader = servers.open("quarantine=0s&timeout=100ms");
        assert!(reader.read(&request(1, &tags)).is_err());
        servers.0[down].signal(Signal::CONT);
        let reader = servers.open(NONE);
        assert!(generation(&reader, tags[0]).is_marked());
        assert!(are_misses(&reader, &tags));
        assert!(are_hits(&reader, &other), "what was not written is current");
        servers.0[down].signal(Signal::STOP);
        clear(&store, 1, &tags);
        servers.0[down].signal(Signal::CONT);
        // The server that hung may have got the mark when the writer no longer waited, and the
        // writer clears it there when it gets through.
        until(|| {
            let _ = store.generations(&tags);
            generation(&reader, tags[0]).is_clean()
        });
        assert!(are_misses(&reader, &tags));
        fill_both(&reader, &tags);
    }
}

/// What one copy loses, or gets back, makes nothing current that the other one knows to be stale.
#[test]
fn a_copy_that_loses_everything_brings_nothing_back() {
    for lost in [0, 1] {
        for has_dump in [false, true] {
            let mut servers = Servers::start(if has_dump { "--dbfilename d.rdb" } else { "" });
            let tags = [table("book")];
            let store = servers.open(NONE);
            fill_both(&store, &tags);
            if has_dump {
                servers.0[lost].ask(&["SAVE"]);
            }
            mark(&store, 1, &tags);
            servers.0[lost].restart();
            assert!(are_misses(&store, &tags));
            assert!(
                generation(&store, tags[0]).is_marked(),
                "the other one knows"
            );
            clear(&store, 1, &tags);
            assert!(are_misses(&store, &tags));
            fill_both(&store, &tags);
        }
    }
}

/// A server that does not even notice that it lost everything.
#[test]
fn a_flushed_copy_starts_cold() {
    let servers = Servers::start("");
    let tags = [table("book")];
    let store = servers.open(NONE);
    for server in &servers.0 {
        fill_both(&store, &tags);
        mark(&store, 1, &tags);
        server.ask(&["FLUSHALL"]);
        assert!(generation(&store, tags[0]).is_marked());
        clear(&store, 1, &tags);
        assert!(are_misses(&store, &tags));
    }
    fill_both(&store, &tags);
}

/// The other copy has never heard of the mark, so only the quarantine stands in for it.
#[test]
fn the_only_copy_of_a_mark_is_followed_by_a_quarantine() {
    for lost in [0, 1] {
        let servers = Servers::start("");
        servers.begin();
        let tags = [table("book")];
        let store = servers.open("quarantine=3600s&timeout=100ms");
        let mut ports = servers.0.each_ref().map(Server::port);
        // Nothing listens there: the writer is cut off from the other copy.
        ports[1 - lost] = 1;
        let writer = open(ports, LONG);
        mark(&writer, 1, &tags);
        assert!(generation(&store, tags[0]).is_marked());
        servers.0[lost].ask(&["FLUSHALL"]);
        assert!(generation(&store, tags[0]).is_marked());
        assert_eq!(store.abandoned(&tags).unwrap(), []);
        assert!(generation(&store, tags[0]).is_marked());
    }
}

/// Two writers, each cut off from another copy, and a reader that sees both copies.
#[test]
fn a_split_network_makes_nothing_stale() {
    let servers = Servers::start("");
    let [first, second] = servers.0.each_ref().map(Server::port);
    let (left, right) = (open([first, 1], NONE), open([1, second], NONE));
    let store = servers.open(NONE);
    for (writer, owner) in [(&left, 1), (&right, 2)] {
        let tags = [table("book")];
        fill_both(&store, &tags);
        mark(writer, owner, &tags);
        assert!(generation(&store, tags[0]).is_marked());
        assert!(writer.read(&request(1, &tags)).is_err(), "it sees one copy");
        clear(writer, owner, &tags);
        assert!(generation(&store, tags[0]).is_clean());
        assert!(are_misses(&store, &tags));
    }
}

#[test]
fn a_copy_that_is_down_costs_one_failure() {
    for down in [0, 1] {
        let mut servers = Servers::start("");
        let tags = [table("book")];
        let store = servers.open(NONE);
        fill_both(&store, &tags);
        servers.0[down].kill();
        assert!(store.read(&request(1, &tags)).is_err());
        let before = commands(&servers.0[1 - down]);
        let reads = 20;
        for _ in 0..reads {
            assert!(store.read(&request(1, &tags)).is_err());
        }
        let asked = commands(&servers.0[1 - down]) - before;
        assert!(asked < reads, "the other one is left alone: {asked}");
        servers.0[down].start_again();
        until(|| store.read(&request(1, &tags)).is_ok());
        assert!(are_misses(&store, &tags));
        fill_both(&store, &tags);
    }
}

/// How many commands a server has run.
fn commands(server: &Server) -> u64 {
    let info = server.ask(&["INFO", "stats"]);
    let number = info
        .lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:"));
    number.unwrap().trim().parse().unwrap()
}

#[test]
fn without_both_copies_a_write_fails() {
    let store = open([1, 1 + 1], NONE);
    let tags = set(&[table("book")]);
    let asked = Mark {
        owner: OwnerId(1),
        tags: &tags,
        lease: HOUR,
        backend: &Backend::Unknown,
    };
    assert!(store.mark(&asked).is_err());
    assert!(store.mark_watching(&asked, table("shop")).is_err());
    assert!(store.clear(OwnerId(1), &tags).is_err());
    assert!(store.invalidate_everything().is_err());
    assert!(store.abandoned(&[table("book")]).is_err());
}

/// One owner for two marks, the first of which was not cleared everywhere.
#[test]
fn what_is_late_clears_no_later_mark() {
    let servers = Servers::start("");
    let tags = [table("book")];
    let store = servers.open("quarantine=0s&timeout=100ms");
    mark(&store, 1, &tags);
    servers.0[1].signal(Signal::STOP);
    clear(&store, 1, &tags);
    servers.0[1].signal(Signal::CONT);
    let second = store_support::redis::open(&servers.0[1].url(NONE));
    until(|| {
        mark(&store, 1, &tags);
        store.generations(&tags).is_ok()
    });
    assert!(generation(&second, tags[0]).is_marked());
    clear(&store, 1, &tags);
    assert!(generation(&second, tags[0]).is_clean());
}

/// A writer that died when it had marked one copy alone.
#[test]
fn the_owner_of_a_mark_in_one_copy_is_found() {
    let servers = Servers::start("");
    let [first, second] = servers.0.each_ref().map(Server::port);
    let tags = [table("book")];
    let backend = Backend::Server(Bytes::from_static(b"4711"));
    let store = servers.open(NONE);
    for (owner, writer) in [(1, open([first, 1], NONE)), (2, open([1, second], NONE))] {
        mark_for(&writer, owner, &tags, Duration::from_millis(1), &backend);
        until(|| !store.abandoned(&tags).unwrap().is_empty());
        let found = store.abandoned(&tags).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].owner, &found[0].backend),
            (OwnerId(owner), &backend)
        );
        clear(&store, owner, &tags);
        assert!(generation(&store, tags[0]).is_clean());
    }
}

#[test]
fn both_copies_are_asked_at_once() {
    const DELAY: Duration = Duration::from_millis(100);
    let servers = Servers::start("");
    let proxies = servers.0.each_ref().map(|server| Proxy::to(server.port()));
    let store = open(
        proxies.each_ref().map(Proxy::port),
        "quarantine=0s&timeout=5s",
    );
    let tags = [table("book")];
    mark(&store, 1, &tags);
    clear(&store, 1, &tags);
    fill_both(&store, &tags);
    proxies.iter().for_each(|proxy| proxy.delay(DELAY));
    // The shortest of some, because the machine may be busy.
    let shortest = |call: &dyn Fn()| {
        let times = (0..5).map(|_| {
            let begun = Instant::now();
            call();
            begun.elapsed()
        });
        times.min().unwrap()
    };
    for (what, call) in [
        (
            "read",
            &(|| assert!(hit(&store, 1, &tags).is_some())) as &dyn Fn(),
        ),
        ("generations", &|| {
            assert!(generation(&store, tags[0]).is_clean());
        }),
        ("mark", &|| mark(&store, 1, &[table("shop")])),
        ("clear", &|| clear(&store, 1, &[table("shop")])),
    ] {
        let time = shortest(call);
        assert!(time >= DELAY && time < DELAY * 2, "{what} took {time:?}");
    }
}

#[test]
fn an_examination_tells_of_both_copies() {
    let servers = Servers::start("");
    let found = servers.open(NONE).examine();
    for what in [
        "the first copy: it is",
        "the second copy: it is",
        "two stores",
    ] {
        assert!(
            found.iter().any(|found| found.what.contains(what)),
            "{what}"
        );
    }
    let port = servers.0[0].port();
    let one = open_hosts(&format!("127.0.0.1:{port},localhost:{port}"), NONE).examine();
    let worst = one.iter().max_by_key(|found| found.level).unwrap();
    assert_eq!(worst.level, Level::Error);
    assert!(worst.what.contains("one and the same"), "{worst:?}");
}

/// Each time one of the servers loses everything, or all that is younger than its dump, amid marks.
#[test]
fn restarts_of_a_copy_under_load_make_nothing_stale() {
    for (options, command) in [("", "PING"), ("--dbfilename dump.rdb", "SAVE")] {
        let mut servers = Servers::start(options);
        let ports = servers.0.each_ref().map(Server::port);
        let mut failed = 0;
        let (hits, stale) = work_during(
            || open(ports, "quarantine=200ms"),
            |progress| {
                for restart in 0..4 {
                    progress.wait_for_hits(20);
                    let server = &mut servers.0[restart % 2];
                    server.ask(&[command]);
                    progress.wait_for_reads(200);
                    server.kill();
                    progress.wait_for_failures(100);
                    server.start_again();
                }
                progress.wait_for_hits(20);
                failed = progress.failed_marks();
            },
        );
        assert_eq!((stale, failed), (0, 0), "{command}");
        assert!(hits >= 100, "{hits} hits show little");
    }
}

#[test]
fn flushes_and_pauses_of_a_copy_under_load_make_nothing_stale() {
    let servers = Servers::start("");
    let mut failed = 0;
    let (hits, stale) = work_during(
        || servers.open("quarantine=200ms&timeout=400ms"),
        |progress| {
            for flushes in 0..4 {
                progress.wait_for_hits(20);
                servers.0[flushes % 2].ask(&["FLUSHALL"]);
                progress.wait_for_hits(20);
                let paused = &servers.0[flushes / 2 % 2];
                paused.signal(Signal::STOP);
                progress.wait_for_failures(20);
                paused.signal(Signal::CONT);
            }
            progress.wait_for_hits(20);
            failed = progress.failed_marks();
        },
    );
    assert_eq!((stale, failed), (0, 0));
    assert!(hits >= 180, "{hits} hits show little");
}

/// Each copy measures leases by its own clock, and these are two hours apart.
#[test]
fn clocks_that_are_far_apart_make_nothing_stale() {
    let servers = Servers(["+1h", "-1h"].map(|offset| {
        let server = Server::start_by(Some(Clock::new()), "");
        server.set_clock(offset);
        server
    }));
    let seconds = |server: &Server| -> u64 {
        let said = server.ask(&["TIME"]);
        said.lines().next().unwrap().parse().unwrap()
    };
    let [fast, slow] = servers.0.each_ref().map(seconds);
    assert!(fast - slow >= 7_100, "{fast} and {slow}");
    let (hits, stale) = work(|| servers.open("quarantine=200ms"), 200, |_| {});
    assert_eq!(stale, 0);
    assert!(hits > 100, "{hits} hits show little");
}

/// A writer's calls fail on either copy, and readers reach both.
#[test]
fn writers_that_are_cut_off_make_nothing_stale() {
    let servers = Servers::start("");
    let proxies = servers.0.each_ref().map(|server| Proxy::to(server.port()));
    let ports = proxies.each_ref().map(Proxy::port);
    let mut cuts = 0;
    let (hits, stale) = work(
        || open(ports, NONE),
        200,
        |progress| {
            while progress.wait_for_reads(200) {
                proxies[cuts % 2].cut();
                cuts += 1;
            }
        },
    );
    assert_eq!(stale, 0);
    assert!(
        hits > 100 && cuts > 5,
        "{hits} hits and {cuts} cuts show little"
    );
}
