//! One execution of a query by several processes at once, over Redis and over Memcached.
#![cfg(all(feature = "redis", feature = "memcached"))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{DatabaseId, Dialect, Outcome, Relation, Schema};
use kogia::{
    Answer, Backend, Cache, Database, DatabaseConfig, Encoded, Event, Lookup, Query, QueryOptions,
    ReadOutcome, WriteError,
};
use store_support::{memcached, redis};

const BOOKS: &str = "SELECT title FROM book";
const WRITE: &str = "UPDATE book SET title = 'x'";

/// Longer than any test takes: who waits does so until it is given something.
const PATIENT: &str = "quarantine=0s&single_flight=20s";
const HASTY: &str = "quarantine=0s&single_flight=1s";

#[derive(Debug)]
struct Refused;

impl From<WriteError> for Refused {
    fn from(_: WriteError) -> Self {
        Refused
    }
}

/// What the processes share.
enum Server {
    Redis(redis::Server),
    Memcached(memcached::Server),
}

/// A new server of each kind.
fn servers() -> [Server; 2] {
    [
        Server::Redis(redis::Server::start("")),
        Server::Memcached(memcached::Server::start("")),
    ]
}

/// A cache as one of several processes has it, and word of each reader of it that waits.
struct Process {
    database: Database,
    waits: Mutex<Receiver<()>>,
}

impl Process {
    fn new(server: &Server, options: &str) -> Process {
        let url = match server {
            Server::Redis(server) => server.url(options),
            Server::Memcached(server) => server.url(options),
        };
        let (tell, waits) = channel();
        let cache = Cache::builder()
            .url(&url)
            .unwrap()
            // What was run is stored when the call returns.
            .background(kogia::Background::Nothing)
            .listener(move |event: &Event<'_>| {
                if let Event::Read { outcome, .. } = event
                    && matches!(outcome, ReadOutcome::Shared)
                {
                    let _ = tell.send(());
                }
            })
            .build();
        let config = DatabaseConfig::new(DatabaseId::new("test"), Dialect::Postgres);
        let database = cache.database(config);
        let schema = Schema {
            relations: vec![Relation::table("book")],
            ..Schema::unknown(Dialect::Postgres)
        };
        database.reload_catalog().unwrap().unwrap().finish(schema);
        Process {
            database,
            waits: Mutex::new(waits),
        }
    }

    /// Returns when one more of its readers waits.
    fn waits(&self) {
        let waits = self.waits.lock().unwrap();
        waits.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    /// Whether another one of its readers has waited.
    fn has_waited(&self) -> bool {
        self.waits.lock().unwrap().try_recv().is_ok()
    }

    fn read(&self, run: impl FnOnce() -> u64) -> (u64, bool) {
        with_query(|query| {
            let run = || Ok::<_, Refused>(run());
            number(self.database.read_blocking(query, run, encoded).unwrap())
        })
    }

    /// [`Process::read`] in a task.
    fn read_async(&self, run: impl FnOnce() -> u64) -> (u64, bool) {
        with_query(|query| {
            let run = || async { Ok::<_, Refused>(run()) };
            number(block_on(self.database.read(query, run, encoded)).unwrap())
        })
    }

    /// [`Process::read`] in two halves.
    fn look_up(&self, run: impl FnOnce() -> u64) -> (u64, bool) {
        let mut session = self.database.session(Backend::Unknown);
        with_query(|query| match session.look_up(query) {
            Lookup::Cached(bytes) => number(Answer::Cached(bytes)),
            Lookup::Run(permit) => {
                let answer = run();
                session.fill(permit, encoded(&answer).unwrap());
                (answer, false)
            }
        })
    }

    fn write(&self) {
        let mut session = self.database.session(Backend::Unknown);
        let running = session.before(WRITE, &[]).unwrap();
        session.after(running, Outcome::Done);
    }
}

/// A way to read.
type Read = fn(&Process, &mut dyn FnMut() -> u64) -> (u64, bool);

const READS: [(&str, Read); 3] = [
    ("blocking", |process, run| process.read(run)),
    ("async", |process, run| process.read_async(run)),
    ("in two halves", |process, run| process.look_up(run)),
];

/// A new server of each kind for each way.
fn servers_and_reads() -> impl Iterator<Item = (Server, (&'static str, Read))> {
    READS
        .into_iter()
        .flat_map(|read| servers().map(|server| (server, read)))
}

fn with_query<T>(work: impl FnOnce(&Query<'_>) -> T) -> T {
    let options = QueryOptions::default();
    work(&Query {
        sql: BOOKS,
        parameters: Some(&[]),
        shape: b"test",
        options: &options,
    })
}

fn encoded(answer: &u64) -> Option<Encoded> {
    Some(Encoded {
        value: Bytes::copy_from_slice(&answer.to_le_bytes()),
        rows: 1,
    })
}

fn number(answer: Answer<u64>) -> (u64, bool) {
    match answer {
        Answer::Fresh(number) => (number, false),
        Answer::Cached(bytes) => (u64::from_le_bytes(bytes[..].try_into().unwrap()), true),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn one_process_runs_a_query_and_the_others_wait_for_it() {
    for (server, (name, read)) in servers_and_reads() {
        let (leader, other) = (
            Process::new(&server, PATIENT),
            Process::new(&server, PATIENT),
        );
        // The first time nothing is there, the second time something stale.
        for now in [1, 2] {
            let other = &other;
            let answer = thread::scope(|scope| {
                let mut waiting = None;
                let answer = leader.read(|| {
                    let run = || panic!("{name}: it runs the query, too");
                    waiting = Some(scope.spawn(move || read(other, &mut { run })));
                    other.waits();
                    now
                });
                assert_eq!(answer, (now, false), "{name}");
                waiting.unwrap().join().unwrap()
            });
            assert_eq!(answer, (now, true), "{name}");
            leader.write();
        }
    }
}

#[test]
fn who_waits_too_long_runs_the_query_itself() {
    for (server, (name, read)) in servers_and_reads() {
        let (leader, other) = (Process::new(&server, HASTY), Process::new(&server, HASTY));
        let answer = leader.read(|| {
            let begun = Instant::now();
            assert_eq!(read(&other, &mut || 2), (2, false), "{name}");
            assert!(begun.elapsed() >= Duration::from_secs(1), "{name}");
            assert!(other.has_waited(), "{name}");
            1
        });
        assert_eq!(answer, (1, false), "{name}");
    }
}

/// What the leader read before the write is not for who begins after it.
#[test]
fn who_begins_after_a_write_waits_for_nobody_from_before() {
    for (server, (name, read)) in servers_and_reads() {
        let (leader, other) = (
            Process::new(&server, PATIENT),
            Process::new(&server, PATIENT),
        );
        let answer = leader.read(|| {
            other.write();
            assert_eq!(read(&other, &mut || 2), (2, false), "{name}");
            assert!(!other.has_waited(), "{name}");
            // What it has sent has arrived when it has an answer.
            assert_eq!(other.read(|| panic!("{name}: stored")), (2, true));
            1
        });
        assert_eq!(answer, (1, false));
        // Its result took the other's place, and is stale; nobody has a claim any more.
        assert_eq!(leader.read(|| 3), (3, false), "{name}");
        assert!(!leader.has_waited(), "{name}");
    }
}

/// The leader cannot store what it has read, so there is nothing to wait for.
#[test]
fn a_write_ends_the_wait() {
    for (server, (name, read)) in servers_and_reads() {
        let (leader, other) = (
            Process::new(&server, PATIENT),
            Process::new(&server, PATIENT),
        );
        leader.read(|| {
            let answer = thread::scope(|scope| {
                let waiting = scope.spawn(|| read(&other, &mut || 2));
                other.waits();
                leader.write();
                waiting.join().unwrap()
            });
            assert_eq!(answer, (2, false), "{name}");
            1
        });
    }
}

/// Readers of one process wait together.
#[test]
fn all_readers_of_a_process_are_given_the_entry_of_another() {
    let [server, _] = servers();
    let (leader, other) = (
        Process::new(&server, PATIENT),
        Process::new(&server, PATIENT),
    );
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        leader.read(|| {
            for (_, read) in [READS[0], READS[1], READS[0]] {
                let run = || panic!("it runs the query, too");
                let other = &other;
                waiting.push(scope.spawn(move || read(other, &mut { run })));
                other.waits();
            }
            7
        });
        for reader in waiting {
            assert_eq!(reader.join().unwrap(), (7, true));
        }
    });
}

/// Whoever misses next need not wait for a result that was too long.
#[test]
fn a_claim_ends_with_its_query() {
    for server in servers() {
        let options = format!("{PATIENT}&max_entry=1B");
        let process = Process::new(&server, &options);
        for now in [1, 2] {
            assert_eq!(process.read(|| now), (now, false));
            assert!(!process.has_waited());
        }
    }
}

#[test]
fn a_miss_costs_no_claim_unless_told_to() {
    let claims = |options| {
        let server = Server::Redis(redis::Server::start(""));
        let process = Process::new(&server, options);
        let Server::Redis(server) = &server else {
            unreachable!();
        };
        let mut claims = String::new();
        process.read(|| {
            claims = server.ask(&["--raw", "KEYS", "kogia:1:c*"]);
            1
        });
        claims.len()
    };
    assert_eq!(claims("quarantine=0s"), 0);
    assert_ne!(claims(PATIENT), 0);
}

#[test]
fn a_transaction_waits_for_nobody() {
    let [server, _] = servers();
    let (leader, other) = (
        Process::new(&server, PATIENT),
        Process::new(&server, PATIENT),
    );
    leader.read(|| {
        let mut session = other.database.session(Backend::Unknown);
        let running = session.before("BEGIN", &[]).unwrap();
        session.after(running, Outcome::Done);
        let found = with_query(|query| session.look_up(query));
        assert!(matches!(found, Lookup::Run(_)));
        assert!(!other.has_waited());
        1
    });
}
