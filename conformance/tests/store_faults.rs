//! The store fails, or the network to it, while the sessions of an application read and write through
//! every database: nothing is stale, the application meets no error, nothing that was acknowledged is
//! lost, and hits come back.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod stage;
#[path = "../../crates/kogia/tests/store_support/mod.rs"]
mod store_support;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kogia::core::Dialect;
use kogia::{Cache, Stats};
use kogia_conformance::connection::{Locks, Server};
use kogia_conformance::mix::{self, Job};
use kogia_conformance::value::Row;
use kogia_conformance::wrapped::Wrapped;
use kogia_sqlx::Driver;
use rustix::process::Signal;
use sqlx::{FromRow, IntoArguments, MySql, Postgres, Sqlite};

use stage::Stage;
use store_support::clock::Clock;
use store_support::proxy::Proxy;
use store_support::{memcached, redis};

/// A commit that takes longer may rely on a mark that was lost.
const QUARANTINE: &str = "quarantine=1s";
const TIMEOUT: Duration = Duration::from_millis(50);

/// What happens to a store, and what it is called.
type Fault<'a> = (&'a str, Box<dyn Fn(&Work<'_>) + 'a>);

/// The sessions at work.
struct Work<'a>(&'a Cache);

impl Work<'_> {
    fn wait(&self, more: u64, count: fn(&Stats) -> u64, when: &str) {
        let (begun, until) = (Instant::now(), count(&self.0.stats()) + more);
        while count(&self.0.stats()) < until {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{when}: it never came about"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn wait_for_hits(&self, more: u64, when: &str) {
        self.wait(more, |stats| stats.hits, when);
    }

    fn wait_for_failures(&self, more: u64) {
        self.wait(more, |stats| stats.store_errors, "no call fails");
    }
}

/// Ends the sessions, also when something is wrong.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sessions of one process, to whose store all this happens, one after the other.
async fn fails<S>(mut stage: Stage, store: String, faults: &[Fault<'_>])
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    stage.store = store;
    let (cache, recorder) = stage.cache();
    let (url, dialect) = (stage.database.clone(), stage.dialect);
    let is_over = &AtomicBool::new(false);
    let play = &|job: &Job| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let wrapped = Wrapped::<S>::new(&cache, &url, Locks::Wait, &recorder, false).await;
            let wrapped = wrapped.unwrap();
            let mut job = job.clone();
            while !is_over.load(Ordering::SeqCst) {
                mix::run(&wrapped, dialect, &job).await?;
                job.seed += 1000;
            }
            wrapped.close().await;
            Ok::<_, String>(())
        })
    };
    let jobs = [0, 5, 10, 20].map(|writes| stage.job(50, writes));
    thread::scope(|scope| {
        let players = jobs.each_ref().map(|job| scope.spawn(move || play(job)));
        let ends = Ends(is_over);
        let work = Work(&cache);
        work.wait_for_hits(30, "in the beginning");
        for (name, fault) in faults {
            fault(&work);
            work.wait_for_hits(30, name);
        }
        drop(ends);
        for player in players {
            player.join().unwrap().unwrap();
        }
    });
    stage.settles::<S>().await;
    stage.check("after all faults");
    let history = stage.history();
    println!(
        "{} reads checked, {} writes, {} hits",
        history.checked(),
        history.writes,
        history.hits
    );
    assert!(history.writes > 50);
}

/// The network to a store fails.
fn of_network(proxy: &Proxy) -> Vec<Fault<'_>> {
    vec![
        ("a cut", Box::new(|_| proxy.cut())),
        ("another cut", Box::new(|_| proxy.cut())),
        (
            // Some calls are over in time, and some are given up though the server has heard them.
            "a network that is too slow",
            Box::new(|work| {
                proxy.delay(TIMEOUT * 2);
                work.wait_for_failures(3);
                proxy.delay(Duration::ZERO);
            }),
        ),
        (
            "a network that is slow",
            Box::new(|work| {
                proxy.delay(TIMEOUT / 10);
                work.wait_for_hits(10, "a slow network");
                proxy.delay(Duration::ZERO);
            }),
        ),
    ]
}

/// A Redis server fails; `policies` are those by which its memory is too small.
///
/// A mark that comes back with a dump is held by an owner who lives and has long cleared it. SQLite knows
/// that he is through by his lock, PostgreSQL and MySQL only when his connection is gone.
fn of_redis<'a>(server: &'a RefCell<redis::Server>, policies: &'a [&str]) -> Vec<Fault<'a>> {
    let ask = |command: &str| {
        let words: Vec<_> = command.split(' ').collect();
        server.borrow().ask(&words)
    };
    let mut faults: Vec<Fault<'_>> = vec![
        (
            "a restart without data",
            Box::new(|_| server.borrow_mut().restart()),
        ),
        (
            "a restart with an old dump",
            Box::new(move |work| {
                ask("SAVE");
                work.wait_for_hits(30, "a dump");
                server.borrow_mut().restart();
            }),
        ),
        ("FLUSHALL", Box::new(move |_| drop(ask("FLUSHALL")))),
        (
            "SIGSTOP",
            Box::new(|work| {
                server.borrow().signal(Signal::STOP);
                work.wait_for_failures(2);
                server.borrow().signal(Signal::CONT);
            }),
        ),
        (
            "steps of its clock",
            Box::new(|work| {
                for offset in ["+1h", "-1h", "+0"] {
                    server.borrow().set_clock(offset);
                    work.wait_for_hits(10, offset);
                }
            }),
        ),
    ];
    for policy in policies {
        let full: Fault<'_> = (
            policy,
            Box::new(move |work| {
                ask(&format!("CONFIG SET maxmemory-policy {policy}"));
                ask("CONFIG SET maxmemory 1");
                // What cannot be stored is not, and what cannot be marked is deleted.
                let reads = |stats: &Stats| stats.bypasses + stats.misses + stats.stale;
                work.wait(100, reads, policy);
                ask("CONFIG SET maxmemory 0");
            }),
        );
        faults.push(full);
    }
    faults
}

/// A Memcached server fails.
fn of_memcached(server: &RefCell<memcached::Server>) -> Vec<Fault<'_>> {
    vec![
        ("a restart", Box::new(|_| server.borrow_mut().restart())),
        (
            "flush_all",
            Box::new(|_| drop(server.borrow().ask("flush_all"))),
        ),
        (
            "the loss of all marks",
            Box::new(|_| drop(server.borrow().ask("delete kogia:1:m"))),
        ),
        (
            "SIGSTOP",
            Box::new(|work| {
                server.borrow().signal(Signal::STOP);
                work.wait_for_failures(2);
                server.borrow().signal(Signal::CONT);
            }),
        ),
    ]
}

#[tokio::test]
async fn on_sqlite_a_network_to_redis_fails() {
    let server = redis::Server::start("");
    let proxy = Proxy::to(server.port());
    let store = format!(
        "redis://127.0.0.1:{}?{QUARANTINE}&timeout=50ms&local=4MB",
        proxy.port()
    );
    fails::<Sqlite>(Stage::sqlite(false).await, store, &of_network(&proxy)).await;
}

#[tokio::test]
async fn on_mysql_a_network_to_memcached_fails() {
    let server = memcached::Server::start("");
    let proxy = Proxy::to(server.port());
    let store = format!(
        "memcached://127.0.0.1:{}?{QUARANTINE}&timeout=50ms",
        proxy.port()
    );
    let stage = Stage::server::<MySql>(Dialect::MySql, "kogia_network").await;
    fails::<MySql>(stage, store, &of_network(&proxy)).await;
}

#[tokio::test]
async fn on_sqlite_redis_fails() {
    let clock = Some(Clock::new());
    let server = redis::Server::start_by(clock, "--dbfilename dump.rdb");
    let store = server.url(&format!("{QUARANTINE}&timeout=50ms&local=4MB"));
    let server = RefCell::new(server);
    let policies = ["noeviction", "allkeys-lru", "volatile-ttl"];
    fails::<Sqlite>(
        Stage::sqlite(false).await,
        store,
        &of_redis(&server, &policies),
    )
    .await;
}

#[tokio::test]
async fn on_postgres_memcached_fails() {
    let server = memcached::Server::start("");
    let store = server.url(&format!("{QUARANTINE}&timeout=50ms&local=4MB"));
    let server = RefCell::new(server);
    let stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_faults").await;
    fails::<Postgres>(stage, store, &of_memcached(&server)).await;
}
