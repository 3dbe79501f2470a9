//! What may happen to Memcached servers, and that nothing stale comes of it.
#![cfg(feature = "memcached")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use kogia::core::OwnerId;
use kogia::{Backend, Level, Store};
use rustix::process::Signal;
use store_support::clock::Clock;
use store_support::load::{noise, work, work_during};
use store_support::memcached::{Server, open};
use store_support::proxy::Proxy;
use store_support::*;

/// No quarantine: only for tests in which nobody relies on a lost mark.
const NONE: &str = "quarantine=0s";
/// One that does not end within a test.
const LONG: &str = "quarantine=3600s";

#[test]
fn a_server_that_restarts_starts_cold() {
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
fn lost_marks_are_followed_by_a_quarantine() {
    let tags = [table("book"), table("shop")];
    for loss in ["flush_all", "delete kogia:1:m"] {
        for notices in ["a reader", "a writer"] {
            let server = Server::start("");
            let store = open(&server.url(NONE));
            fill(&store, 1, &tags, b"rows");
            mark(&store, 1, &tags[..1]);
            let store = open(&server.url(LONG));
            assert!(["OK", "DELETED"].contains(&&*server.ask(loss)));
            if notices == "a writer" {
                mark(&store, 2, &tags[1..]);
                clear(&store, 2, &tags[1..]);
            }
            for tag in [tags[0], tags[1], table("other")] {
                assert!(generation(&store, tag).is_marked(), "{loss}, {notices}");
            }
            clear(&store, 1, &tags[..1]);
            assert!(generation(&store, tags[0]).is_marked(), "{loss}, {notices}");
            assert_eq!(store.abandoned(&tags).unwrap(), []);
        }
    }
}

/// What the quarantine is for is not current afterwards.
#[test]
fn a_quarantine_ends_and_nothing_from_before_is_current() {
    let server = Server::start("");
    let store = open(&server.url("quarantine=1s"));
    let tags = [table("book")];
    until(|| generation(&store, tags[0]).is_clean());
    fill(&store, 1, &tags, b"rows");
    server.ask("delete kogia:1:m");
    assert!(generation(&store, tags[0]).is_marked());
    until(|| generation(&store, tags[0]).is_clean());
    assert_eq!(hit(&store, 1, &tags), None);
}

#[test]
fn a_lost_generation_of_a_marked_tag_is_marked_again() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    mark(&store, 1, &tags);
    let before = generation(&store, tags[0]);
    assert_eq!(
        server.ask(&format!("delete {}", name_of(tags[0]))),
        "DELETED"
    );
    let after = generation(&store, tags[0]);
    assert!(after.is_marked());
    assert_ne!(before, after);
    clear(&store, 1, &tags);
    assert!(generation(&store, tags[0]).is_clean());
}

#[test]
fn the_owner_of_an_old_mark_is_found() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    let backend = Backend::Server(bytes::Bytes::from_static(b"4711"));
    let lease = Duration::from_secs(1);
    mark_for(&store, 1, &tags, lease, &backend);
    let store = open(&server.url(NONE));
    assert_eq!(store.abandoned(&tags).unwrap(), []);
    until(|| !store.abandoned(&tags).unwrap().is_empty());
    let found = store.abandoned(&tags).unwrap();
    assert_eq!((found[0].owner, &found[0].backend), (OwnerId(1), &backend));
    clear(&store, 1, &tags);
    assert!(generation(&store, tags[0]).is_clean());
}

#[test]
fn a_server_that_hangs_costs_one_timeout() {
    let server = Server::start("");
    let store = open(&server.url("quarantine=0s&timeout=100ms"));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    server.signal(Signal::STOP);
    store.read(&request(1, &tags)).unwrap_err();
    let begun = Instant::now();
    for _ in 0..100 {
        store.read(&request(1, &tags)).unwrap_err();
    }
    assert!(begun.elapsed() < Duration::from_millis(500));
    server.signal(Signal::CONT);
    until(|| store.read(&request(1, &tags)).is_ok());
}

#[test]
fn a_store_opens_without_its_server() {
    let mut server = Server::start("");
    server.kill();
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    let refused = store.read(&request(1, &tags)).unwrap_err().to_string();
    assert!(refused.contains(&server.port().to_string()), "{refused}");
    server.restart();
    until(|| store.read(&request(1, &tags)).is_ok());
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
}

/// Three megabytes that cannot be compressed are three items or more.
#[test]
fn an_entry_that_is_longer_than_an_item_is_stored_in_parts() {
    for options in ["", "-I 256k -o slab_chunk_max=131072", "-I 8m -m 100"] {
        let server = Server::start(options);
        let store = open(&server.url(NONE));
        let tags = [table("book")];
        let value = noise(1, 3_000_000);
        fill(&store, 1, &tags, &value);
        assert_eq!(
            hit(&store, 1, &tags).as_deref(),
            Some(&value[..]),
            "{options}"
        );
        // A later fill is another one, and nothing of the first comes with it.
        let other = noise(2, 3_000_000);
        mark(&store, 1, &tags);
        clear(&store, 1, &tags);
        fill(&store, 1, &tags, &other);
        assert_eq!(
            hit(&store, 1, &tags).as_deref(),
            Some(&other[..]),
            "{options}"
        );
    }
}

#[test]
fn an_entry_that_lacks_a_part_is_a_miss() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, &noise(1, 3_000_000));
    assert!(hit(&store, 1, &tags).is_some());
    // Some more than the sixty-four megabytes of the server, so that what was not asked for goes.
    for key in 2..40 {
        fill(&store, key, &tags, &noise(key, 3_000_000));
        let _ = store.generations(&tags).unwrap();
    }
    let found: Vec<_> = (1..40)
        .filter(|key| hit(&store, *key, &tags).is_some())
        .collect();
    assert!((1..38).contains(&found.len()), "{found:?}");
}

#[test]
fn an_entry_with_a_part_of_another_one_is_a_miss() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, &noise(1, 3_000_000));
    assert!(hit(&store, 1, &tags).is_some());
    let list = server.value(&name_of_entry(1, &tags));
    // The head of an entry, and the name of this fill's parts.
    let part = format!("kogia:1:p{}00000003", digits(&list[9..25]));
    let length = server.value(&part).len();
    let other = "x".repeat(length);
    assert_eq!(
        server.ask(&format!("set {part} 0 0 {length}\r\n{other}")),
        "STORED"
    );
    assert_eq!(hit(&store, 1, &tags), None);
}

#[test]
fn an_entry_that_is_too_long_is_not_stored() {
    let server = Server::start("");
    let store = open(&server.url("quarantine=0s&max_entry=1MB"));
    let tags = [table("book")];
    fill(&store, 1, &tags, &noise(1, 1_100_000));
    assert_eq!(hit(&store, 1, &tags), None);
    // What can be compressed is not too long.
    fill(&store, 1, &tags, &vec![7; 3_000_000]);
    assert!(hit(&store, 1, &tags).is_some());
}

#[test]
fn bytes_that_are_no_entry_are_a_miss() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
    let name = name_of_entry(1, &tags);
    for bytes in [
        &b""[..],
        b"x",
        b"\x00",
        b"\x00123456789",
        b"\x01123456789123456789",
    ] {
        let value = String::from_utf8(bytes.to_vec()).unwrap();
        let set = format!("set {name} 0 0 {}\r\n{value}", bytes.len());
        assert_eq!(server.ask(&set), "STORED");
        assert_eq!(hit(&store, 1, &tags), None, "{bytes:?}");
    }
}

#[test]
fn bytes_that_are_no_marks_count_as_lost_ones() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    for value in ["", "no marks", "thirty bytes that are no marks"] {
        fill(&store, 1, &tags, b"rows");
        let set = format!("set kogia:1:m 0 0 {}\r\n{value}", value.len());
        assert_eq!(server.ask(&set), "STORED");
        assert_eq!(hit(&store, 1, &tags), None, "{value:?}");
        server.ask(&set);
        mark(&store, 1, &tags);
        assert!(generation(&store, tags[0]).is_marked());
        clear(&store, 1, &tags);
    }
}

/// A list of servers is never another list, because one of them does not answer.
#[test]
fn the_keys_of_a_lost_server_bypass() {
    let (first, mut second) = (Server::start(""), Server::start(""));
    let url = format!(
        "memcached://127.0.0.1:{},127.0.0.1:{}?{NONE}",
        first.port(),
        second.port()
    );
    let store = open(&url);
    let tags = [table("book")];
    for key in 0..20 {
        fill(&store, key, &tags, b"rows");
    }
    assert!((0..20).all(|key| hit(&store, key, &tags).is_some()));
    second.kill();
    let answers = |store: &dyn Store| {
        let reads = (0..20).map(|key| store.read(&request(key, &tags)).is_ok());
        reads.filter(|answered| *answered).count()
    };
    let answered = answers(&store);
    assert!((3..18).contains(&answered), "{answered} of 20");
    // Writes do not need it.
    mark(&store, 1, &tags);
    clear(&store, 1, &tags);
    second.restart();
    until(|| answers(&store) == 20);
    assert!((0..20).all(|key| hit(&store, key, &tags).is_none()));
}

/// A server that has no room, as `-M` lets happen: what it cannot renew has to go.
#[test]
fn what_a_full_server_refuses_is_deleted() {
    let full = "SERVER_ERROR out of memory storing object";
    for (refused, gone) in [
        ("set", name_of(table("book"))),
        ("cas", "kogia:1:m".to_owned()),
    ] {
        let (port, commands) = scripted(move |verb| match verb == refused {
            true => full,
            false => "STORED",
        });
        let store = open(&format!("memcached://127.0.0.1:{port}?{NONE}"));
        mark(&store, 1, &[table("book")]);
        drop(store);
        let commands: Vec<_> = commands.iter().collect();
        assert!(commands.contains(&format!("delete {gone}")), "{commands:?}");
    }
}

/// A server that keeps nothing but empty marks and answers to what is stored as it is told to, for
/// one connection; the lines that it was sent.
fn scripted(
    answer: impl Fn(&str) -> &'static str + Send + 'static,
) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (lines, received) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut output = stream.try_clone().unwrap();
        let mut input = BufReader::new(stream);
        let mut line = String::new();
        while input.read_line(&mut line).is_ok_and(|length| length > 0) {
            let words: Vec<_> = line.split_whitespace().collect();
            let answer = match words[0] {
                "stats" => "STAT uptime 1\r\nEND".to_owned(),
                "gets" => format!("VALUE kogia:1:m 0 24 1\r\n{}\r\nEND", "\0".repeat(24)),
                "delete" => "DELETED".to_owned(),
                verb => {
                    let mut value = vec![0; words[4].parse::<usize>().unwrap() + 2];
                    input.read_exact(&mut value).unwrap();
                    answer(verb).to_owned()
                }
            };
            lines.send(line.trim().to_owned()).unwrap();
            output
                .write_all(format!("{answer}\r\n").as_bytes())
                .unwrap();
            line.clear();
        }
    });
    (port, received)
}

#[test]
fn a_server_may_want_a_user_and_a_password() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "ann:s@crt").unwrap();
    // The server does not read it as root.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(file.path(), mode).unwrap();
    let server = Server::start(&format!("-Y {}", file.path().display()));
    let tags = [table("book")];
    let at = |login: &str| {
        open(&format!(
            "memcached://{login}127.0.0.1:{}?{NONE}",
            server.port()
        ))
    };
    let store = at("ann:s%40crt@");
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
    let refused = at("ann:wrong@").read(&request(1, &tags)).unwrap_err();
    assert!(
        refused.to_string().contains("user and password"),
        "{refused}"
    );
    assert!(!refused.to_string().contains("wrong"), "{refused}");
    at("").read(&request(1, &tags)).unwrap_err();
}

#[test]
fn a_server_without_cas_is_refused() {
    let server = Server::start("-C");
    let store = open(&server.url(NONE));
    let refused = store.read(&request(1, &[])).unwrap_err().to_string();
    assert!(refused.contains("-C"), "{refused}");
}

/// What was invalidated while it was away would be there again.
#[test]
fn a_server_that_keeps_its_content_over_a_restart_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // The server runs as another user.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let server = Server::start(&format!("-e {}/items", folder.path().display()));
    let store = open(&server.url(NONE));
    let refused = store.read(&request(1, &[])).unwrap_err().to_string();
    assert!(refused.contains("-e"), "{refused}");
}

#[test]
fn a_server_of_another_kind_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(b"-ERR unknown command\r\n");
        }
    });
    let store = open(&format!("memcached://127.0.0.1:{port}?{NONE}"));
    let refused = store.read(&request(1, &[])).unwrap_err().to_string();
    assert!(refused.contains("does not speak"), "{refused}");
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let server = Server::start("-M");
    let found = open(&server.url(NONE)).examine();
    assert!(found.iter().any(|finding| finding.level == Level::Warning));
    let mut server = Server::start("");
    let store = open(&server.url(NONE));
    assert!(
        store
            .examine()
            .iter()
            .all(|finding| finding.level <= Level::Note)
    );
    server.kill();
    assert_eq!(store.examine()[0].level, Level::Error);
}

/// A call whose answer is lost is made again, and then others may have gone on from what the first one
/// did.
#[test]
fn what_is_repeated_brings_nothing_back() {
    let tags = [table("book")];
    for everything in [false, true] {
        let server = Server::start("");
        let direct = open(&server.url(NONE));
        let proxy = Proxy::to(server.port());
        let url = format!("memcached://127.0.0.1:{}?{NONE}&timeout=20s", proxy.port());
        let store = open(&url);
        let renew = |store: &dyn Store, owner| match everything {
            true => store.invalidate_everything().unwrap(),
            false => clear(store, owner, &tags),
        };
        mark(&store, 1, &tags);
        clear(&store, 1, &tags);
        let swallowed = proxy.swallow();
        thread::scope(|scope| {
            let clearing = scope.spawn(|| renew(&store, 1));
            swallowed.wait();
            fill(&direct, 1, &tags, b"old rows");
            renew(&direct, 2);
            swallowed.cut();
            clearing.join().unwrap();
        });
        assert_eq!(hit(&direct, 1, &tags), None);
    }
}

#[test]
fn connections_that_are_cut_make_nothing_stale() {
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    let url = format!("memcached://127.0.0.1:{}?{NONE}", proxy.port());
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
fn faults_under_load_make_nothing_stale() {
    let mut server = Server::start("");
    let url = server.url("quarantine=1s&timeout=50ms");
    let (hits, stale) = work_during(
        || open(&url),
        |progress| {
            for _ in 0..2 {
                progress.wait_for_hits(5);
                server.ask("flush_all");
                progress.wait_for_hits(5);
                server.ask("delete kogia:1:m");
                progress.wait_for_hits(5);
                server.signal(Signal::STOP);
                progress.wait_for_failures(5);
                server.signal(Signal::CONT);
                progress.wait_for_hits(5);
                server.restart();
            }
            progress.wait_for_hits(5);
        },
    );
    assert_eq!(stale, 0);
    assert!(hits >= 45, "{hits} hits show little");
}

/// It counts seconds, whatever its host's clock says.
#[test]
fn steps_of_the_servers_clock_make_nothing_stale() {
    let server = Server::start_by(Some(Clock::new()), "");
    let url = server.url("quarantine=1s");
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

#[test]
fn a_slow_network_makes_nothing_stale() {
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    // Some calls are over in time, and some are given up though the server has heard them.
    let url = format!("memcached://127.0.0.1:{}?{NONE}&timeout=3ms", proxy.port());
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

/// A server that has far too little memory, which evicts the marks and the generations, too.
#[test]
fn evictions_make_nothing_stale() {
    let server = Server::start("-m 2");
    // Nobody takes longer from the mark to the commit.
    let url = server.url("quarantine=1s");
    let (hits, stale) = work(|| open(&url), 100, |_| {});
    assert_eq!(stale, 0);
    assert!(hits > 50, "{hits} hits show little");
}

/// The key under which a tag's generation stands.
fn name_of(tag: kogia::core::Tag) -> String {
    format!("kogia:1:g{}", digits(&tag.to_bytes()))
}

/// The key under which an entry stands.
fn name_of_entry(key: u64, tags: &[kogia::core::Tag]) -> String {
    format!("kogia:1:e{}", digits(request(key, tags).key().as_bytes()))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
