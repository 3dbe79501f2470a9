//! What may happen to a Redis server, and that nothing stale comes of it.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::OwnerId;
use kogia::{Backend, Store};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use rustix::process::Signal;
use store_support::clock::Clock;
use store_support::load::{noise, work, work_during};
use store_support::proxy::Proxy;
use store_support::redis::{Server, open};
use store_support::tls::Authority;
use store_support::*;

/// No quarantine: only for tests in which nobody relies on a lost mark.
const NONE: &str = "quarantine=0s";
/// One that does not end within a test.
const LONG: &str = "quarantine=3600s";

#[test]
fn a_server_that_restarts_empty_starts_cold() {
    let mut server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    let before = generation(&store, tags[0]);
    server.restart();
    assert_eq!(hit(&store, 1, &tags), None);
    assert_ne!(generation(&store, tags[0]), before);
}

#[test]
fn a_server_that_restarts_with_an_old_dump_starts_cold() {
    let mut server = Server::start("--dbfilename dump.rdb");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"old rows");
    assert_eq!(server.ask(&["SAVE"]), "OK");
    mark(&store, 1, &tags);
    clear(&store, 1, &tags);
    fill(&store, 1, &tags, b"new rows");
    server.restart();
    assert_ne!(server.ask(&["DBSIZE"]), "0", "the dump was loaded");
    assert_eq!(hit(&store, 1, &tags), None);
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
}

/// A process that stays up may load old data, too: a replica does at every full synchronisation.
#[test]
fn data_of_another_server_starts_cold() {
    let primary = Server::start("");
    let replica = Server::start("");
    let (store, other) = (open(&primary.url(NONE)), open(&replica.url(NONE)));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    fill(&other, 1, &tags, b"other rows");
    replica.ask(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    until(|| {
        replica
            .ask(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
    // The connection has stayed open, and what it now leads to is a copy that may lag behind.
    let refused = other.read(&request(1, &tags)).unwrap_err().to_string();
    assert!(refused.contains("not the primary"), "{refused}");
}

/// The data that a primary loads when it is made a replica may be its own of an earlier day: then
/// they name it, and were given out by it, and are older than what it has given out since.
#[test]
fn a_primary_that_was_demoted_starts_cold() {
    let tags = [table("book")];
    for (sees_replica, is_fresh) in [(false, false), (false, true), (true, false)] {
        let (first, second) = (Server::start(AT_ONCE), Server::start(AT_ONCE));
        let store = open(&first.url(NONE));
        fill(&store, 1, &tags, b"old rows");
        follow(&second, &first);
        // Promoted, but nobody uses the store there, and the old primary goes on.
        second.ask(&["REPLICAOF", "NO", "ONE"]);
        mark(&store, 1, &tags);
        clear(&store, 1, &tags);
        let last_used = Instant::now();
        follow(&first, &second);
        if sees_replica {
            store.read(&request(1, &tags)).unwrap_err();
        }
        first.ask(&["REPLICAOF", "NO", "ONE"]);
        assert_ne!(
            first.ask(&["DBSIZE"]),
            "0",
            "the other one's data were loaded"
        );
        if is_fresh {
            assert_eq!(hit(&open(&first.url(NONE)), 1, &tags), None);
            continue;
        }
        // Connections that stayed open are asked again after a second.
        until(|| last_used.elapsed() > Duration::from_secs(1));
        until(|| store.read(&request(1, &tags)).is_ok());
        assert_eq!(hit(&store, 1, &tags), None);
    }
}

/// Replicas get their data without waiting for others to join.
const AT_ONCE: &str = "--repl-diskless-sync-delay 0";

/// Makes a server the replica of another one, and waits until it has its data.
fn follow(replica: &Server, primary: &Server) {
    replica.ask(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    until(|| {
        replica
            .ask(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
}

/// A call whose answer is lost is made again, and then others may have gone on from what the first one
/// did.
#[test]
fn what_is_repeated_brings_nothing_back() {
    let server = Server::start("");
    let direct = open(&server.url(NONE));
    let proxy = Proxy::to(server.port());
    let store = open(&format!(
        "redis://127.0.0.1:{}?{NONE}&timeout=20s",
        proxy.port()
    ));
    let tags = [table("book")];
    // The server learns the scripts.
    mark(&store, 0, &tags);
    clear(&store, 0, &tags);
    mark(&store, 1, &tags);
    let swallowed = proxy.swallow();
    thread::scope(|scope| {
        let clearing = scope.spawn(|| clear(&store, 1, &tags));
        swallowed.wait();
        fill(&direct, 1, &tags, b"old rows");
        mark(&direct, 2, &tags);
        clear(&direct, 2, &tags);
        swallowed.cut();
        clearing.join().unwrap();
    });
    assert_eq!(hit(&direct, 1, &tags), None);
}

#[test]
fn connections_that_are_cut_make_nothing_stale() {
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    let url = format!("redis://127.0.0.1:{}?{NONE}", proxy.port());
    let mut cuts = 0;
    let (hits, stale) = work(
        || open(&url),
        200,
        |progress| {
            while progress.wait_for_reads(200) {
                proxy.cut();
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

#[test]
fn a_slow_network_makes_nothing_stale() {
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    // Some calls are over in time, and some are given up though the server has heard them.
    let url = format!("redis://127.0.0.1:{}?{NONE}&timeout=3ms", proxy.port());
    let (hits, stale) = work(
        || open(&url),
        100,
        |progress| {
            while progress.wait_for_reads(60) {
                proxy.delay(Duration::from_millis(1));
                progress.wait_for_reads(60);
                proxy.delay(Duration::from_millis(4));
                progress.wait_for_failures(60);
                proxy.delay(Duration::ZERO);
            }
        },
    );
    assert_eq!(stale, 0);
    assert!(hits > 100, "{hits} hits show little");
}

/// Each time the server loses everything, or all that is younger than its dump, amid marks.
#[test]
fn restarts_under_load_make_nothing_stale() {
    for (options, command) in [("", "PING"), ("--dbfilename dump.rdb", "SAVE")] {
        let mut server = Server::start(options);
        let url = server.url("quarantine=200ms");
        let (hits, stale) = work_during(
            || open(&url),
            |progress| {
                for _ in 0..4 {
                    progress.wait_for_hits(20);
                    server.ask(&[command]);
                    progress.wait_for_reads(200);
                    server.restart();
                }
                progress.wait_for_hits(20);
            },
        );
        assert_eq!(stale, 0, "{command}");
        assert!(hits >= 100, "{hits} hits show little");
    }
}

#[test]
fn flushes_and_pauses_under_load_make_nothing_stale() {
    let server = Server::start("");
    let url = server.url("quarantine=200ms&timeout=50ms");
    let (hits, stale) = work_during(
        || open(&url),
        |progress| {
            for _ in 0..8 {
                progress.wait_for_hits(40);
                server.ask(&["FLUSHALL"]);
                progress.wait_for_hits(40);
                server.signal(Signal::STOP);
                progress.wait_for_failures(20);
                server.signal(Signal::CONT);
            }
            progress.wait_for_hits(40);
        },
    );
    assert_eq!(stale, 0);
    assert!(hits >= 680, "{hits} hits show little");
}

/// Leases, entries and generations end an hour too soon, or two hours too late.
#[test]
fn steps_of_the_servers_clock_make_nothing_stale() {
    let server = Server::start_by(Some(Clock::new()), "");
    let url = server.url("quarantine=200ms");
    let mut steps = 0;
    let (hits, stale) = work(
        || open(&url),
        200,
        |progress| {
            for offset in ["+1h", "-1h", "+0"].iter().cycle() {
                // Hits come back, or the test hangs here and says so.
                if !progress.wait_for_hits(40) {
                    break;
                }
                server.set_clock(offset);
                steps += 1;
            }
        },
    );
    assert_eq!(stale, 0);
    assert!(
        hits > 80 && steps > 1,
        "{hits} hits and {steps} steps show little"
    );
}

/// The lease of a dead writer's mark, and a quarantine, would go on for an hour.
#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let server = Server::start_by(Some(Clock::new()), "");
    let store = open(&server.url("quarantine=300ms"));
    let tags = [table("book")];
    assert!(generation(&store, tags[0]).is_marked());
    server.set_clock("-1h");
    until(|| {
        assert_eq!(store.abandoned(&tags).unwrap(), []);
        generation(&store, tags[0]).is_clean()
    });
    let lease = Duration::from_millis(600);
    mark_for(&store, 1, &tags, lease, &Backend::Process);
    // Nobody can ask after this one, and its lease may be all that it has.
    mark_for(&store, 2, &tags, lease, &Backend::Unknown);
    server.set_clock("-2h");
    let abandoned = store.abandoned(&tags).unwrap();
    assert_eq!(abandoned.len(), 1, "{abandoned:?}");
    assert_eq!(abandoned[0].owner, OwnerId(1));
    store.extend(OwnerId(1), &set(&tags), lease).unwrap();
    assert_eq!(store.abandoned(&tags).unwrap(), [], "its lease was renewed");
}

#[test]
fn a_replica_that_is_promoted_starts_cold_and_in_quarantine() {
    let mut primary = Server::start("");
    let replica = Server::start("");
    let store = open(&primary.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    replica.ask(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    until(|| {
        replica
            .ask(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
    // A mark that the replica never hears of.
    replica.signal(Signal::STOP);
    mark(&store, 1, &tags);
    primary.kill();
    replica.signal(Signal::CONT);
    until(|| replica.ask(&["REPLICAOF", "NO", "ONE"]) == "OK");
    let promoted = open(&replica.url(LONG));
    assert_eq!(hit(&promoted, 1, &tags), None);
    assert!(generation(&promoted, tags[0]).is_marked());
}

#[test]
fn lost_marks_are_followed_by_a_quarantine() {
    let tags = [table("book"), table("shop")];
    for loss in [&["FLUSHALL"][..], &["DEL", "{kogia:1}:m"]] {
        let server = Server::start("");
        let store = open(&server.url(NONE));
        fill(&store, 1, &tags, b"rows");
        mark(&store, 1, &tags[..1]);
        let store = open(&server.url(LONG));
        server.ask(loss);
        // Whoever comes first notices: a reader to whom the tag has no generation, ...
        if loss.len() == 1 {
            assert!(generation(&store, tags[0]).is_marked(), "{loss:?}");
        } else {
            // ... or a writer.
            mark(&store, 2, &tags[1..]);
            clear(&store, 2, &tags[1..]);
        }
        assert!(generation(&store, tags[0]).is_marked(), "{loss:?}");
        assert!(generation(&store, table("other")).is_marked(), "{loss:?}");
        clear(&store, 1, &tags[..1]);
        assert!(generation(&store, tags[0]).is_marked(), "{loss:?}");
        assert_eq!(store.abandoned(&tags).unwrap(), []);
        assert!(generation(&store, tags[0]).is_marked(), "{loss:?}");
    }
}

/// An eviction may take the generation alone. The owners are still known.
#[test]
fn a_lost_generation_of_a_marked_tag_is_marked_again() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    mark(&store, 1, &tags);
    let before = generation(&store, tags[0]);
    forget_generations(&server);
    let after = generation(&store, tags[0]);
    assert!(after.is_marked());
    assert_ne!(before, after);
    clear(&store, 1, &tags);
    assert!(generation(&store, tags[0]).is_clean());
}

#[test]
fn a_quarantine_ends() {
    let server = Server::start("");
    let store = open(&server.url("quarantine=300ms"));
    let tags = [table("book")];
    assert!(generation(&store, tags[0]).is_marked());
    until(|| {
        // A reader that meets a mark asks who holds it.
        assert_eq!(store.abandoned(&tags).unwrap(), []);
        generation(&store, tags[0]).is_clean()
    });
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
}

/// Its owner has cleared it since, and lives: nobody would ever find it to be over. One whose lease is
/// not over may be in its commit.
#[test]
fn a_mark_that_comes_back_with_an_old_dump_is_not_held_for_ever() {
    let mut server = Server::start("--dbfilename dump.rdb");
    let store = open(&server.url(NONE));
    let (old, new) = ([table("book")], [table("shop")]);
    let moment = Duration::from_millis(1);
    mark_for(&store, 1, &old, moment, &Backend::Process);
    mark_for(&store, 2, &new, moment, &Backend::Process);
    mark(&store, 3, &new);
    assert_eq!(server.ask(&["SAVE"]), "OK");
    clear(&store, 1, &old);
    server.restart();
    until(|| store.generations(&old).is_ok());
    assert_eq!(store.abandoned(&old).unwrap(), []);
    assert!(generation(&store, old[0]).is_clean());
    assert_eq!(store.abandoned(&new).unwrap(), []);
    assert!(generation(&store, new[0]).is_marked());
    clear(&store, 3, &new);
    assert!(generation(&store, new[0]).is_clean());
}

/// A mark without owners, left by the loss of all marks, must not stay for ever.
#[test]
fn a_mark_without_owners_is_cleared_after_the_quarantine() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    mark(&store, 1, &tags);
    server.ask(&["DEL", "{kogia:1}:m"]);
    assert!(generation(&store, tags[0]).is_marked());
    assert_eq!(store.abandoned(&tags).unwrap(), []);
    assert!(generation(&store, tags[0]).is_clean());
}

#[test]
fn scripts_that_the_server_forgot_are_loaded_again() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    server.ask(&["SCRIPT", "FLUSH"]);
    mark(&store, 1, &tags);
    server.ask(&["SCRIPT", "FLUSH"]);
    clear(&store, 1, &tags);
    assert_eq!(hit(&store, 1, &tags), None);
}

#[test]
fn a_server_that_hangs_costs_one_timeout() {
    let server = Server::start("");
    let store = open(&server.url("quarantine=0s&timeout=100ms"));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    server.signal(Signal::STOP);
    let begun = Instant::now();
    assert!(store.read(&request(1, &tags)).is_err());
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let refused = store.read(&request(1, &tags)).unwrap_err().to_string();
    assert!(refused.contains("left alone for a while"), "{refused}");
    server.signal(Signal::CONT);
    until(|| store.read(&request(1, &tags)).is_ok());
    assert!(hit(&store, 1, &tags).is_some());
}

#[test]
fn a_store_opens_without_its_server() {
    let mut server = Server::start("");
    server.kill();
    let store = open(&server.url(NONE));
    assert!(store.generations(&[table("book")]).is_err());
    server.start_again();
    until(|| store.generations(&[table("book")]).is_ok());
}

#[test]
fn all_but_the_incarnation_and_the_marks_ends_by_itself() {
    const STAYS: &str = "local count = 0 \
        for _, key in ipairs(redis.call('KEYS', '*')) do \
            if redis.call('PTTL', key) < 0 then count = count + 1 end \
        end return count";
    let server = Server::start("");
    let store = open(&server.url(&format!("{NONE}&single_flight=100ms")));
    let tags = [table("book"), table("author")];
    mark(&store, 1, &tags[..1]);
    clear(&store, 1, &tags[..1]);
    mark(&store, 2, &tags[1..]);
    fill(&store, 1, &tags[..1], b"rows");
    let right = miss(&store, 2, &tags[..1]);
    assert_eq!(store.claim(&right).unwrap(), None);
    let all: u64 = server.ask(&["DBSIZE"]).parse().unwrap();
    assert!(all > 6, "{all} keys");
    assert_eq!(server.ask(&["EVAL", STAYS, "0"]), "2");
}

#[test]
fn a_socket_a_user_and_a_password_lead_to_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let server = Server::start(&format!("--unixsocket {}", socket.display()));
    let said = server.ask(&["ACL", "SETUSER", "app", "on", ">of-app", "~*", "+@all"]);
    assert_eq!(said, "OK");
    let (port, tags) = (server.port(), [table("book")]);
    let reads = |url: String| {
        let store = open(&format!("{url}?{NONE}"));
        store.read(&request(1, &tags)).map(drop)
    };
    fill(&open(&server.url(NONE)), 1, &tags, b"rows");
    let local = open(&format!("unix://{}?{NONE}", socket.display()));
    assert!(hit(&local, 1, &tags).is_some());
    reads(format!("redis://app:of-app@127.0.0.1:{port}")).unwrap();
    let said = server.ask(&["CONFIG", "SET", "requirepass", "of-all"]);
    assert_eq!(said, "OK");
    reads(format!("redis://:of-all@127.0.0.1:{port}")).unwrap();
    reads(format!("redis://127.0.0.1:{port}")).unwrap_err();
    let refused = reads(format!("redis://app:mistyped@127.0.0.1:{port}")).unwrap_err();
    assert!(!refused.to_string().contains("mistyped"), "{refused}");
}

#[test]
fn tls_to_a_server_without_it_is_an_error() {
    let server = Server::start("");
    let url = server.url(NONE).replace("redis://", "rediss://");
    let store = open(&url);
    assert!(store.generations(&[table("book")]).is_err());
}

#[test]
fn a_server_by_a_private_authority_is_trusted() {
    let authority = Authority::for_server("DNS:localhost,IP:127.0.0.1");
    let server = Server::start(&authority.options());
    let (port, ca) = (server.offer_tls(), authority.certificate());
    let tags = [table("book")];
    for (number, host) in ["localhost", "127.0.0.1"].into_iter().enumerate() {
        let store = open(&format!(
            "rediss://{host}:{port}?{NONE}&ca={}",
            ca.display()
        ));
        fill(&store, number as u64, &tags, b"rows");
        assert!(hit(&store, number as u64, &tags).is_some(), "{host}");
    }
    // Its connections are cut and made again like any other.
    let proxy = Proxy::to(port);
    let url = format!(
        "rediss://127.0.0.1:{}?{NONE}&ca={}",
        proxy.port(),
        ca.display()
    );
    let mut cuts = 0;
    let (hits, stale) = work(
        || open(&url),
        50,
        |progress| {
            while progress.wait_for_reads(200) {
                proxy.cut();
                cuts += 1;
            }
        },
    );
    assert_eq!(stale, 0);
    assert!(
        hits > 50 && cuts > 2,
        "{hits} hits and {cuts} cuts show little"
    );
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let authority = Authority::for_server("DNS:localhost");
    let server = Server::start(&authority.options());
    let port = server.offer_tls();
    let other = Authority::for_server("DNS:localhost");
    let refusal = |host: &str, ca: &str| {
        let store = open(&format!("rediss://{host}:{port}?{NONE}{ca}"));
        store.read(&request(1, &[])).unwrap_err().to_string()
    };
    let by = |file: &std::path::Path| format!("&ca={}", file.display());
    for (refused, what) in [
        (
            refusal("localhost", &by(&other.certificate())),
            ["UnknownIssuer", "ca=FILE"],
        ),
        // The system's authorities do not know it either.
        (refusal("localhost", ""), ["UnknownIssuer", "ca=FILE"]),
        (
            refusal("127.0.0.1", &by(&authority.certificate())),
            ["certificate", "127.0.0.1"],
        ),
        (
            refusal("localhost", "&ca=/no/such/file"),
            ["ca cannot be read", "/no/such/file"],
        ),
    ] {
        assert!(what.iter().all(|word| refused.contains(word)), "{refused}");
    }
    let good = open(&format!(
        "rediss://localhost:{port}?{NONE}{}",
        by(&authority.certificate())
    ));
    good.read(&request(1, &[])).unwrap();
}

/// A server that is full and may not evict refuses to store marks. Deleting the generations is
/// left.
#[test]
fn a_full_server_is_invalidated_by_deletion() {
    let server = Server::start("");
    let store = open(&server.url(LONG));
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let tags = [table("book")];
    let settled = open(&server.url(NONE));
    begin_without_quarantine(&server, &settled);
    fill(&settled, 1, &tags, b"rows");
    assert!(hit(&settled, 1, &tags).is_some());
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    mark(&store, 1, &tags);
    let stale = store.read(&request(1, &tags));
    assert!(stale.is_err(), "no generation can be made: {stale:?}");
    // Other tags are still answered, and nothing is filled.
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    // The writer is still under way: its mark was never stored.
    assert!(generation(&store, tags[0]).is_marked());
    assert_eq!(hit(&store, 1, &tags), None);
}

#[test]
fn an_entry_that_does_not_fit_is_no_error() {
    let server = Server::start("--maxmemory-policy noeviction");
    let store = open(&server.url("quarantine=0s&max_entry=10KB"));
    let tags = [table("book")];
    fill(&store, 1, &tags, &noise(1, 20_000));
    assert_eq!(hit(&store, 1, &tags), None);
    fill(&store, 2, &tags, &[7; 20_000]);
    assert_eq!(
        hit(&store, 2, &tags).unwrap(),
        vec![7; 20_000],
        "compressed"
    );
    let right = miss(&store, 3, &tags);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    store
        .fill(&right, 1, Bytes::from_static(b"rows"), HOUR)
        .unwrap();
    assert!(hit(&store, 2, &tags).is_some(), "hits go on");
    assert_eq!(hit(&store, 3, &tags), None);
}

/// Nobody waits for the answer to a fill, and it is heard all the same.
#[test]
fn what_a_full_server_refuses_is_counted() {
    let server = Server::start("--maxmemory-policy noeviction");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    let right = miss(&store, 2, &tags);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = Refusals::default();
    metrics::with_local_recorder(&refused, || {
        let rows = Bytes::from_static(b"rows");
        store.fill(&right, 1, rows, HOUR).unwrap();
        assert!(hit(&store, 1, &tags).is_some());
    });
    assert_eq!(refused.0.load(Ordering::SeqCst), 1);
}

/// Counts what servers refused because they were full.
#[derive(Default)]
struct Refusals(Arc<AtomicU64>);

impl Recorder for Refusals {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match key.name() {
            "kogia_store_out_of_memory_total" => Counter::from_arc(Arc::clone(&self.0)),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn bytes_that_are_no_entry_are_a_miss() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, &[7; 5_000]);
    let key = server.ask(&["--raw", "KEYS", "kogia:1:e*"]);
    assert!(!key.is_empty());
    for bytes in [
        "",
        "x",
        "\u{1}short",
        "\u{1}\u{7f}\u{7f}\u{7f}\u{7f}long",
        "\u{2}unknown",
    ] {
        server.ask(&["EVAL", SPOIL, "0", bytes]);
        assert_eq!(hit(&store, 1, &tags), None, "{bytes:?}");
    }
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
}

const SPOIL: &str = "for _, key in ipairs(redis.call('KEYS', 'kogia:1:e*')) do \
                     redis.call('SET', key, ARGV[1]) end";

/// A writer that died between its mark and its commit.
#[test]
fn the_owner_of_an_old_mark_is_found() {
    let server = Server::start("");
    let tags = [table("book")];
    let backend = Backend::Server(Bytes::from_static(b"4711"));
    mark_for(
        &open(&server.url(NONE)),
        1,
        &tags,
        Duration::from_millis(200),
        &backend,
    );
    let store = open(&server.url(NONE));
    assert!(generation(&store, tags[0]).is_marked());
    assert_eq!(store.abandoned(&tags).unwrap(), []);
    until(|| !store.abandoned(&tags).unwrap().is_empty());
    let found = store.abandoned(&tags).unwrap();
    assert_eq!((found[0].owner, &found[0].backend), (OwnerId(1), &backend));
    clear(&store, 1, &tags);
    assert!(generation(&store, tags[0]).is_clean());
}

/// Under every policy, a server that has far too little memory gives no stale answer.
#[test]
fn evictions_make_nothing_stale() {
    let mut all = 0;
    let policies = ["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"];
    let volatile = [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ];
    for policy in policies.iter().chain(&volatile) {
        let server = Server::start(&format!("--maxmemory 3mb --maxmemory-policy {policy}"));
        let (hits, stale) = work(|| open(&server.url(NONE)), 100, |_| {});
        assert_eq!(stale, 0, "{policy}: {hits} hits");
        all += hits;
    }
    assert!(all > 500, "{all} hits show little");
}

/// Deletes all generations, as an eviction may.
fn forget_generations(server: &Server) {
    let script = "for _, key in ipairs(redis.call('KEYS', '{kogia:1}:g*')) do \
                  redis.call('DEL', key) end";
    server.ask(&["EVAL", script, "0"]);
}

/// Begins an incarnation in which nobody can rely on lost marks, whatever the store's URL says.
fn begin_without_quarantine(server: &Server, store: &dyn Store) {
    server.ask(&["FLUSHALL"]);
    assert!(generation(store, table("any")).is_clean());
}
