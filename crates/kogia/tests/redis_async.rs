//! Calls to a Redis server that are awaited: that they do not wait for each other, and that nothing
//! stale comes of it when they fail or are given up.
#![cfg(all(feature = "redis", feature = "tokio"))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{DatabaseId, Decision, Dialect, ReadRequest, Relation, Schema};
use kogia::{
    Answer, Backend, Cache, Database, DatabaseConfig, Encoded, Query, QueryOptions, Store,
    WriteError,
};
use rustix::process::Signal;
use store_support::awaited::Awaited;
use store_support::proxy::Proxy;
use store_support::redis::{Server, open};
use store_support::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// No quarantine: only for tests in which nobody relies on a lost mark.
const NONE: &str = "quarantine=0s";
const MANY: u64 = 64;
const BOOKS: &str = "SELECT title FROM book";

#[derive(Debug)]
struct Failed;

impl From<WriteError> for Failed {
    fn from(_: WriteError) -> Self {
        Failed
    }
}

/// A runtime with one thread, which whatever blocks would keep from all others.
fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A store behind a proxy that never gives up waiting.
fn through(proxy: &Proxy) -> Arc<dyn Store> {
    let url = format!("redis://127.0.0.1:{}?{NONE}&timeout=20s", proxy.port());
    Arc::new(open(&url))
}

fn database(store: &Arc<dyn Store>) -> (Cache, Database) {
    let cache = Cache::builder().store(Arc::clone(store)).build();
    let config = DatabaseConfig::new(DatabaseId::new("test"), Dialect::Postgres);
    let database = cache.database(config);
    let schema = Schema {
        relations: vec![Relation::table("book")],
        ..Schema::unknown(Dialect::Postgres)
    };
    let reload = database.reload_catalog().unwrap();
    reload.expect("nobody changes the schema").finish(schema);
    (cache, database)
}

/// Reads a query, whose result is its own text; whether the answer is from the cache.
async fn read(database: &Database, sql: &str) -> bool {
    let query = Query {
        sql,
        parameters: Some(&[]),
        shape: b"",
        options: &QueryOptions::default(),
    };
    let encoded = |text: &Bytes| {
        Some(Encoded {
            value: text.clone(),
            rows: 1,
        })
    };
    let run = || async { Ok::<_, Failed>(Bytes::from(sql.to_owned())) };
    match database.read(&query, run, encoded).await.unwrap() {
        Answer::Cached(text) => {
            assert_eq!(text, sql.as_bytes(), "the answer to another query");
            true
        }
        Answer::Fresh(_) => false,
    }
}

/// Reads a query until it is a hit: a fill goes by another connection, and its answer is not waited
/// for.
async fn read_until_hit(database: &Database, sql: &str) {
    let begun = Instant::now();
    while !read(database, sql).await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it stays cold");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn reads_do_not_wait_for_each_other() {
    const DELAY: Duration = Duration::from_millis(100);
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    let (_, database) = database(&through(&proxy));
    one_thread().block_on(async {
        let sql = |number| format!("SELECT title FROM book WHERE pages = {number}");
        for number in 0..MANY {
            read_until_hit(&database, &sql(number)).await;
        }
        proxy.delay(DELAY);
        let begun = Instant::now();
        let mut reads = JoinSet::new();
        for number in 0..MANY {
            let database = database.clone();
            reads.spawn(async move { read(&database, &sql(number)).await });
        }
        assert!(reads.join_all().await.into_iter().all(|is_hit| is_hit));
        let took = begun.elapsed();
        assert!(took >= DELAY, "the proxy delays nothing");
        assert!(took < DELAY * 16, "{MANY} reads took {took:?}");
    });
}

/// A miss claims to run its query, so that other processes wait.
#[test]
fn claims_do_not_wait_for_each_other() {
    const DELAY: Duration = Duration::from_millis(100);
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    let port = proxy.port();
    let url = format!("redis://127.0.0.1:{port}?{NONE}&timeout=20s&single_flight=20s");
    let store: Arc<dyn Store> = Arc::new(open(&url));
    let other = Awaited::open(&server.url(&format!("{NONE}&single_flight=20s")));
    let (_, database) = database(&store);
    one_thread().block_on(async {
        read_until_hit(&database, BOOKS).await;
        proxy.delay(DELAY);
        let begun = Instant::now();
        let mut reads = JoinSet::new();
        for number in 0..MANY {
            let database = database.clone();
            let sql = format!("SELECT title FROM book WHERE pages = {number}");
            reads.spawn(async move { read(&database, &sql).await });
        }
        assert!(reads.join_all().await.into_iter().all(|is_hit| !is_hit));
        let took = begun.elapsed();
        assert!(took >= DELAY * 2, "nothing is claimed");
        assert!(took < DELAY * 16, "{MANY} misses took {took:?}");
    });
    // Whoever comes second waits for the first.
    let Decision::Miss(fill) = decide(&other, 1, &[]) else {
        panic!("nobody has filled it");
    };
    assert_eq!(other.claim(&fill).unwrap(), None);
    let second = Awaited::open(&server.url(&format!("{NONE}&single_flight=20s")));
    let Decision::Miss(fill) = decide(&second, 1, &[]) else {
        panic!("nobody has filled it");
    };
    let patience = second.claim(&fill).unwrap();
    assert_eq!(patience, Some(Duration::from_secs(20)));
}

#[test]
fn marks_do_not_wait_for_each_other() {
    const DELAY: Duration = Duration::from_millis(100);
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    let (_, database) = database(&through(&proxy));
    one_thread().block_on(async {
        read_until_hit(&database, BOOKS).await;
        proxy.delay(DELAY);
        let begun = Instant::now();
        let mut writes = JoinSet::new();
        for _ in 0..MANY {
            let mut session = database.session(Backend::Unknown);
            writes.spawn(async move {
                let running = session.before_async("DELETE FROM book", &[]).await.unwrap();
                assert!(running.is_marked());
                (session, running)
            });
        }
        let writes = writes.join_all().await;
        let took = begun.elapsed();
        assert!(took < DELAY * 16, "{MANY} marks took {took:?}");
        proxy.delay(Duration::ZERO);
        assert!(!read(&database, BOOKS).await, "its table is marked");
        for (mut session, running) in writes {
            session.after(running, kogia::core::Outcome::Done);
        }
        assert!(!read(&database, BOOKS).await, "its table was written");
        read_until_hit(&database, BOOKS).await;
    });
}

/// What another process marks is seen by the next read, whatever was read before on the same
/// connection.
#[test]
fn what_others_mark_answers_nobody() {
    let server = Server::start("");
    let (store, other) = (Awaited::open(&server.url(NONE)), open(&server.url(NONE)));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
    mark(&other, 1, &tags);
    assert!(matches!(decide(&store, 1, &tags), Decision::Bypass(_)));
    clear(&other, 1, &tags);
    assert!(matches!(decide(&store, 1, &tags), Decision::Stale(_)));
}

#[test]
fn a_server_that_forgot_the_scripts_is_told_them_again() {
    let server = Server::start("");
    let store = Awaited::open(&server.url(NONE));
    let tags = [table("book")];
    for _ in 0..2 {
        server.ask(&["SCRIPT", "FLUSH"]);
        let before = generation(&store, tags[0]);
        server.ask(&["SCRIPT", "FLUSH"]);
        mark(&store, 1, &tags);
        assert!(generation(&store, tags[0]).is_marked());
        clear(&store, 1, &tags);
        assert_ne!(generation(&store, tags[0]), before);
    }
}

#[test]
fn a_server_that_restarts_empty_starts_cold() {
    let mut server = Server::start("");
    let store = Awaited::open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    let before = generation(&store, tags[0]);
    server.restart();
    assert_eq!(hit(&store, 1, &tags), None);
    assert_ne!(generation(&store, tags[0]), before);
}

/// Replicas get their data without waiting for others to join.
const AT_ONCE: &str = "--repl-diskless-sync-delay 0";

/// A connection stays open while its server takes over the data of another one, and may be the
/// primary again when it is used next.
#[test]
fn a_primary_that_was_demoted_starts_cold() {
    let tags = [table("book")];
    let (first, second) = (Server::start(AT_ONCE), Server::start(AT_ONCE));
    let store = Awaited::open(&first.url(NONE));
    fill(&store, 1, &tags, b"old rows");
    follow(&second, &first);
    second.ask(&["REPLICAOF", "NO", "ONE"]);
    mark(&store, 1, &tags);
    clear(&store, 1, &tags);
    assert!(matches!(decide(&store, 1, &tags), Decision::Stale(_)));
    let last_used = Instant::now();
    follow(&first, &second);
    first.ask(&["REPLICAOF", "NO", "ONE"]);
    until(|| last_used.elapsed() > Duration::from_secs(1));
    until(|| store.read(&request(1, &tags)).is_ok());
    assert_eq!(hit(&store, 1, &tags), None);
}

/// Makes a server the replica of another one, and waits until it has its data.
fn follow(replica: &Server, primary: &Server) {
    replica.ask(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    until(|| {
        replica
            .ask(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
}

#[test]
fn a_connection_that_was_cut_is_replaced() {
    let server = Server::start("");
    let proxy = Proxy::to(server.port());
    let store = Awaited::open(&format!("redis://127.0.0.1:{}?{NONE}", proxy.port()));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    for _ in 0..3 {
        proxy.cut();
        assert!(hit(&store, 1, &tags).is_some());
    }
}

#[test]
fn a_server_that_sleeps_costs_one_timeout_and_no_error() {
    let server = Server::start("");
    let store: Arc<dyn Store> = Arc::new(open(&server.url(&format!("{NONE}&timeout=100ms"))));
    let (cache, database) = database(&store);
    one_thread().block_on(async {
        read_until_hit(&database, BOOKS).await;
        server.signal(Signal::STOP);
        let mut reads = JoinSet::new();
        for _ in 0..MANY {
            let database = database.clone();
            reads.spawn(async move { read(&database, BOOKS).await });
        }
        let hits = reads.join_all().await.into_iter().filter(|is_hit| *is_hit);
        assert_eq!(hits.count(), 0);
        assert!(cache.stats().store_errors > 0);
        // A write goes on, too: this process bypasses the table until it is invalidated.
        let mut session = database.session(Backend::Unknown);
        let running = session.before_async("DELETE FROM book", &[]).await.unwrap();
        session.after(running, kogia::core::Outcome::Done);
        server.signal(Signal::CONT);
        read_until_hit(&database, BOOKS).await;
    });
}

/// Whoever gives up leaves an answer behind that is nobody else's.
#[test]
fn answers_of_given_up_reads_go_to_nobody() {
    let server = Server::start("");
    let (_, database) = database(&(Arc::new(open(&server.url(NONE))) as Arc<dyn Store>));
    one_thread().block_on(async {
        let sql = |number| format!("SELECT title FROM book WHERE pages = {number}");
        for round in 0..20 {
            let mut reads = JoinSet::new();
            for number in 0..MANY {
                let database = database.clone();
                reads.spawn(async move {
                    let sql = sql(number);
                    let reading = read(&database, &sql);
                    if (number + round) % 3 == 0 {
                        // It gets as far as a few turns of the runtime take it.
                        tokio::select! {
                            biased;
                            _ = reading => {}
                            () = turns(round) => {}
                        }
                    } else {
                        reading.await;
                    }
                });
            }
            reads.join_all().await;
        }
    });
}

async fn turns(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// The server has marked a tag, and the one who asked for that never learns it.
#[test]
fn a_mark_that_was_given_up_is_cleared() {
    let server = Server::start("");
    let direct = open(&server.url(NONE));
    let proxy = Proxy::to(server.port());
    let (_, database) = database(&through(&proxy));
    let book = kogia::core::TableTags::new(&DatabaseId::new("test"), "book").any;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        read_until_hit(&database, BOOKS).await;
    });
    // The server learns the script, so the next answer is about the mark.
    mark(&direct, 1, &[table("other")]);
    let swallowed = proxy.swallow();
    let mut session = database.session(Backend::Unknown);
    let write = async move {
        session
            .before_async("DELETE FROM book", &[])
            .await
            .map(drop)
    };
    let write = runtime.spawn(write);
    swallowed.wait();
    assert!(generation(&direct, book).is_marked());
    write.abort();
    assert!(runtime.block_on(write).unwrap_err().is_cancelled());
    swallowed.cut();
    until(|| !generation(&direct, book).is_marked());
    runtime.block_on(async { assert!(!read(&database, BOOKS).await) });
}

/// The task that reads a connection does not run while its runtime does not.
#[test]
fn runtimes_have_connections_of_their_own() {
    let server = Server::start("");
    let store = open(&server.url(NONE));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    let request = request(1, &tags);
    let runtimes: Vec<Runtime> = (0..20).map(|_| one_thread()).collect();
    // More of them than are remembered, each of them twice.
    for runtime in runtimes.iter().chain(&runtimes) {
        assert!(is_hit(&store, &request, runtime));
    }
    drop(runtimes);
    assert!(is_hit(&store, &request, &one_thread()));
}

fn is_hit(store: &dyn Store, request: &ReadRequest, runtime: &Runtime) -> bool {
    let response = runtime.block_on(async { store.read_async(request).unwrap().await });
    matches!(request.decide(response.unwrap()), Decision::Hit(_))
}

/// Without what a network needs, calls block instead.
#[test]
fn a_runtime_without_a_network_is_left_alone() {
    let server = Server::start("");
    let store: Arc<dyn Store> = Arc::new(open(&server.url(NONE)));
    let (cache, database) = database(&store);
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        while !read(&database, BOOKS).await {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is read");
            cache.catch_up();
        }
        assert!(store.read_async(&request(1, &[])).is_none());
    });
    assert!(store.read_async(&request(1, &[])).is_none(), "no runtime");
}
