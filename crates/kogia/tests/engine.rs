//! The engine on the memory store, against a database that is a number per table.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{
    DatabaseId, Dialect, Fill, Generation, KeyColumn, KeyKind, Outcome, OwnerId, Parameter,
    ReadRequest, ReadResponse, Relation, Schema, Tag, TagSet, Value,
};
use kogia::{
    Abandoned, Answer, Backend, BypassReason, Cache, CacheBuilder, Database, DatabaseConfig,
    Encoded, Event, Lookup, Mark, MemoryStore, OnStoreFailure, Query, QueryMode, QueryOptions,
    ReadOutcome, Resolver, Session, Store, StoreError, TablePolicy, Usage, Verdict, WriteError,
};
use smallvec::SmallVec;

const BOOKS: &str = "SELECT title FROM book";
const SHOPS: &str = "SELECT name FROM shop";
const ONE_BOOK: &str = "SELECT title FROM book WHERE id = $1";
const WRITE: &str = "UPDATE book SET title = 'x'";

#[derive(Debug)]
struct Refused;

impl From<WriteError> for Refused {
    fn from(_: WriteError) -> Self {
        Refused
    }
}

fn schema() -> Schema {
    let key = KeyColumn {
        name: "id".into(),
        kind: KeyKind::Integer,
    };
    let book = Relation {
        key: Some(Arc::new(key)),
        generated_key: true,
        ..Relation::table("book")
    };
    Schema {
        relations: vec![book, Relation::table("shop")],
        ..Schema::unknown(Dialect::Postgres)
    }
}

fn load_catalog(database: &Database) {
    database
        .reload_catalog()
        .unwrap()
        .expect("nobody changes the schema")
        .finish(schema());
}

fn database(cache: &Cache) -> Database {
    let config = DatabaseConfig::new(DatabaseId::new("test"), Dialect::Postgres);
    let database = cache.database(config);
    load_catalog(&database);
    database
}

fn built(build: impl FnOnce(CacheBuilder) -> CacheBuilder) -> (Cache, Database) {
    let cache = build(Cache::builder().url("memory:?capacity=4MB").unwrap()).build();
    let database = database(&cache);
    (cache, database)
}

fn cache() -> (Cache, Database) {
    built(|builder| builder)
}

#[test]
fn whoever_comes_to_a_promoted_server_makes_stale_what_it_was_before() {
    let (cache, before) = cache();
    let sql = "SELECT title FROM book WHERE id = 1";
    assert_eq!(read(&before, sql, 1), (1, false));
    assert_eq!(read(&before, sql, 2), (1, true));
    let mut config = DatabaseConfig::new(DatabaseId::new("promoted"), Dialect::Postgres);
    config.predecessors = vec![DatabaseId::new("test")];
    let _promoted = cache.database(config);
    assert_eq!(read(&before, sql, 2), (2, false));
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
        Answer::Cached(bytes) => (
            u64::from_le_bytes(bytes[..].try_into().expect("eight bytes")),
            true,
        ),
    }
}

/// Reads in autocommit while the database would answer `now`; says what came, and if from the
/// cache.
fn read(database: &Database, sql: &str, now: u64) -> (u64, bool) {
    read_with(database, sql, &[], &QueryOptions::default(), now)
}

fn read_with(
    database: &Database,
    sql: &str,
    parameters: &[Parameter<'_>],
    options: &QueryOptions,
    now: u64,
) -> (u64, bool) {
    let query = Query {
        sql,
        parameters: Some(parameters),
        shape: b"test",
        options,
    };
    let answer = database.read_blocking(&query, || Ok::<_, Refused>(now), encoded);
    number(answer.expect("the read succeeds"))
}

fn session_read(session: &mut Session, sql: &str, now: u64) -> (u64, bool) {
    let options = QueryOptions::default();
    let query = Query {
        sql,
        parameters: Some(&[]),
        shape: b"test",
        options: &options,
    };
    let answer = session.read_blocking(&query, || Ok::<_, Refused>(now), encoded);
    number(answer.expect("the read succeeds"))
}

fn run(session: &mut Session, sql: &str) {
    let running = session.before(sql, &[]).expect("the store works");
    session.after(running, Outcome::Done);
}

fn write(database: &Database, sql: &str) {
    run(&mut database.session(Backend::Process), sql);
}

#[test]
fn a_read_is_a_hit_until_its_table_is_written() {
    let (cache, database) = cache();
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    assert_eq!(read(&database, SHOPS, 1), (1, false));
    assert_eq!(read(&database, BOOKS, 2), (1, true));
    write(&database, WRITE);
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    assert_eq!(read(&database, BOOKS, 3), (2, true));
    assert_eq!(read(&database, SHOPS, 2), (1, true), "another table");
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.stale), (3, 2, 1));
    assert_eq!((stats.fills, stats.invalidations), (3, 1));
}

#[test]
fn a_pinned_read_outlives_writes_to_other_rows() {
    let (_, database) = cache();
    let one = |id: i64, now| {
        let id = [Parameter::untyped(Value::Int(id))];
        read_with(&database, ONE_BOOK, &id, &QueryOptions::default(), now)
    };
    assert_eq!(one(7, 1), (1, false));
    assert_eq!(one(8, 1), (1, false));
    write(&database, "UPDATE book SET title = 'x' WHERE id = 7");
    assert_eq!(one(7, 2), (2, false));
    assert_eq!(one(8, 2), (1, true));
    write(&database, "INSERT INTO book (title) VALUES ('new')");
    assert_eq!(
        one(8, 3),
        (1, true),
        "the result proved that the row exists"
    );
    write(&database, WRITE);
    assert_eq!(one(8, 4), (4, false));
}

#[test]
fn marked_tags_answer_nobody_and_take_no_fills() {
    let (_, database) = cache();
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    let mut writer = database.session(Backend::Process);
    let running = writer.before(WRITE, &[]).unwrap();
    assert_eq!(
        read(&database, BOOKS, 1),
        (1, false),
        "while the write is under way"
    );
    assert_eq!(
        read(&database, BOOKS, 2),
        (2, false),
        "and nothing was stored meanwhile"
    );
    writer.after(running, Outcome::Done);
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    assert_eq!(read(&database, BOOKS, 3), (2, true));
}

#[test]
fn a_result_that_was_read_before_a_commit_is_never_served_after_it() {
    let (_, database) = cache();
    let options = QueryOptions::default();
    let query = Query {
        sql: BOOKS,
        parameters: Some(&[]),
        shape: b"test",
        options: &options,
    };
    let slow = database.read_blocking(
        &query,
        || {
            // The query has its snapshot; another session commits before the result is stored.
            write(&database, WRITE);
            Ok::<_, Refused>(1)
        },
        encoded,
    );
    assert_eq!(number(slow.unwrap()), (1, false));
    assert_eq!(read(&database, BOOKS, 2), (2, false));
}

#[test]
fn a_transaction_reads_its_own_writes_and_nobody_else_does() {
    let (_, database) = cache();
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    let mut session = database.session(Backend::Process);
    run(&mut session, "BEGIN");
    assert_eq!(
        session_read(&mut session, BOOKS, 1),
        (1, true),
        "READ COMMITTED shares"
    );
    run(&mut session, WRITE);
    assert_eq!(session_read(&mut session, BOOKS, 2), (2, false));
    assert_eq!(
        session_read(&mut session, BOOKS, 3),
        (2, true),
        "its own cache"
    );
    assert_eq!(read(&database, BOOKS, 9), (1, true), "not committed yet");
    run(&mut session, WRITE);
    assert_eq!(
        session_read(&mut session, BOOKS, 4),
        (4, false),
        "its own cache, invalidated"
    );
    run(&mut session, "COMMIT");
    assert_eq!(read(&database, BOOKS, 4), (4, false));
    assert_eq!(session_read(&mut session, BOOKS, 5), (4, true));
}

/// Rows may be taken one by one, and a good deal may happen meanwhile.
#[test]
fn a_result_is_not_stored_after_what_came_between_it_and_its_look_up() {
    let (_, database) = cache();
    let look_up = |session: &mut Session| {
        let options = QueryOptions::default();
        let query = Query {
            sql: BOOKS,
            parameters: Some(&[]),
            shape: b"test",
            options: &options,
        };
        match session.look_up(&query) {
            Lookup::Run(permit) => permit,
            Lookup::Cached(_) => panic!("a result was stored that must not be"),
        }
    };
    for between in [
        &["BEGIN", WRITE, "ROLLBACK"][..],
        &["BEGIN", WRITE],
        &["BEGIN", "SET LOCAL search_path = other"],
        &["SET search_path = other"],
    ] {
        let mut session = database.session(Backend::Unknown);
        let permit = look_up(&mut session);
        between.iter().for_each(|sql| run(&mut session, sql));
        session.fill(permit, encoded(&1).unwrap());
        look_up(&mut database.session(Backend::Unknown));
        look_up(&mut session);
    }
    // Nor by another session, which another connection has.
    let permit = look_up(&mut database.session(Backend::Unknown));
    let mut other = database.session(Backend::Unknown);
    other.fill(permit, encoded(&1).unwrap());
    let permit = look_up(&mut other);
    // Other reads change nothing, nor does a transaction without writes.
    ["BEGIN", SHOPS, "SAVEPOINT s", "ROLLBACK", "BEGIN"]
        .into_iter()
        .for_each(|sql| run(&mut other, sql));
    other.fill(permit, encoded(&1).unwrap());
    assert_eq!(read(&database, BOOKS, 2), (1, true));
}

#[test]
fn a_transaction_sees_what_others_commit_to_what_it_wrote() {
    let (_, database) = cache();
    let mut session = database.session(Backend::Process);
    run(&mut session, "BEGIN");
    run(&mut session, WRITE);
    assert_eq!(session_read(&mut session, BOOKS, 1), (1, false));
    write(&database, WRITE);
    assert_eq!(session_read(&mut session, BOOKS, 2), (2, false));
}

#[test]
fn a_rollback_keeps_what_was_cached() {
    let (_, database) = cache();
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    let mut session = database.session(Backend::Process);
    run(&mut session, "BEGIN");
    run(&mut session, WRITE);
    assert_eq!(session_read(&mut session, BOOKS, 2), (2, false));
    run(&mut session, "ROLLBACK");
    assert_eq!(session_read(&mut session, BOOKS, 1), (1, true));
}

#[test]
fn a_snapshot_transaction_leaves_the_cache_alone_once_something_was_committed() {
    let (_, database) = cache();
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    assert_eq!(read(&database, SHOPS, 1), (1, false));
    let mut session = database.session(Backend::Process);
    run(&mut session, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(
        session_read(&mut session, BOOKS, 1),
        (1, false),
        "begins the snapshot"
    );
    assert_eq!(session_read(&mut session, SHOPS, 1), (1, true));
    write(&database, WRITE);
    assert_eq!(
        session_read(&mut session, BOOKS, 1),
        (1, false),
        "the snapshot's own answer"
    );
    assert_eq!(session_read(&mut session, SHOPS, 1), (1, false));
    assert_eq!(read(&database, BOOKS, 2), (2, false), "it was not stored");
    run(&mut session, "COMMIT");
    assert_eq!(session_read(&mut session, BOOKS, 2), (2, true));
}

#[test]
fn a_statement_that_may_write_invalidates_even_when_it_is_read() {
    let (_, database) = cache();
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    assert_eq!(read(&database, "SELECT mystery(1)", 0), (0, false));
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    let mut session = database.session(Backend::Process);
    assert_eq!(
        session_read(&mut session, "DELETE FROM book RETURNING 1", 0),
        (0, false)
    );
    assert_eq!(read(&database, BOOKS, 3), (3, false));
}

/// Polls a future once with a waker that does nothing.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn concurrent_equal_misses_run_once() {
    let (cache, database) = cache();
    let options = QueryOptions::default();
    let query = Query {
        sql: BOOKS,
        parameters: Some(&[]),
        shape: b"test",
        options: &options,
    };
    let gate = Cell::new(false);
    let leader = database.read(&query, || wait_for(&gate, 1), encoded);
    let waiter = database.read(&query, || async { Err(Refused) }, encoded);
    let (mut leader, mut waiter) = (pin!(leader), pin!(waiter));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(waiter.as_mut()).is_pending());
    gate.set(true);
    assert!(matches!(poll(leader), Poll::Ready(Ok(Answer::Fresh(1)))));
    let Poll::Ready(Ok(answer)) = poll(waiter) else {
        panic!("the waiter has its answer")
    };
    assert_eq!(number(answer), (1, true));
    assert_eq!(cache.stats().shared, 1);
}

#[test]
fn a_waiter_whose_leader_gives_up_runs_the_query_itself() {
    let (_, database) = cache();
    let options = QueryOptions::default();
    let query = Query {
        sql: BOOKS,
        parameters: Some(&[]),
        shape: b"test",
        options: &options,
    };
    let never = Cell::new(false);
    let mut waiter = pin!(database.read(&query, || async { Ok::<_, Refused>(2) }, encoded));
    {
        let mut leader = pin!(database.read(&query, || wait_for(&never, 1), encoded));
        assert!(poll(leader.as_mut()).is_pending());
        assert!(poll(waiter.as_mut()).is_pending());
    }
    let Poll::Ready(Ok(answer)) = poll(waiter) else {
        panic!("the waiter runs")
    };
    assert_eq!(number(answer), (2, false));
}

#[test]
fn a_reader_that_starts_after_a_commit_does_not_join_a_flight_from_before_it() {
    let (_, database) = cache();
    let options = QueryOptions::default();
    let query = Query {
        sql: BOOKS,
        parameters: Some(&[]),
        shape: b"test",
        options: &options,
    };
    let gate = Cell::new(false);
    let mut leader = pin!(database.read(&query, || wait_for(&gate, 1), encoded));
    assert!(poll(leader.as_mut()).is_pending());
    write(&database, WRITE);
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    gate.set(true);
    assert!(matches!(poll(leader), Poll::Ready(Ok(Answer::Fresh(1)))));
    assert_eq!(
        read(&database, BOOKS, 3),
        (2, true),
        "the late fill did not replace it for good"
    );
}

async fn wait_for(gate: &Cell<bool>, answer: u64) -> Result<u64, Refused> {
    std::future::poll_fn(|_| {
        if gate.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    Ok(answer)
}

#[test]
fn options_of_a_call_count() {
    let (_, database) = cache();
    let with = |options: &QueryOptions, now| read_with(&database, BOOKS, &[], options, now);
    let bypass = QueryOptions {
        mode: QueryMode::Bypass,
        ..Default::default()
    };
    let refresh = QueryOptions {
        mode: QueryMode::Refresh,
        ..Default::default()
    };
    let expired = QueryOptions {
        ttl: Some(Duration::ZERO),
        ..Default::default()
    };
    assert_eq!(with(&bypass, 1), (1, false));
    assert_eq!(with(&expired, 1), (1, false));
    assert_eq!(
        read(&database, BOOKS, 2),
        (2, false),
        "neither stored anything that lives"
    );
    assert_eq!(with(&bypass, 3), (3, false));
    assert_eq!(read(&database, BOOKS, 3), (2, true));
    assert_eq!(with(&refresh, 4), (4, false));
    assert_eq!(read(&database, BOOKS, 5), (4, true));
}

#[test]
fn tags_by_hand_invalidate_by_hand() {
    let (_, database) = cache();
    let tagged = QueryOptions {
        tags: vec!["front page".into()],
        ..Default::default()
    };
    assert_eq!(read_with(&database, BOOKS, &[], &tagged, 1), (1, false));
    assert_eq!(
        read(&database, BOOKS, 2),
        (2, false),
        "without the tag it is another query"
    );
    database.invalidate_tag("front page").unwrap();
    assert_eq!(read_with(&database, BOOKS, &[], &tagged, 3), (3, false));
    assert_eq!(read(&database, BOOKS, 3), (2, true));
}

#[test]
fn tables_keys_databases_and_everything_can_be_invalidated() {
    let (cache, database) = cache();
    let one = |id: i64, now| {
        let id = [Parameter::untyped(Value::Int(id))];
        read_with(&database, ONE_BOOK, &id, &QueryOptions::default(), now)
    };
    one(7, 1);
    one(8, 1);
    read(&database, SHOPS, 1);
    database.invalidate_key("book", &Value::Int(7)).unwrap();
    assert_eq!((one(7, 2), one(8, 2)), ((2, false), (1, true)));
    database.invalidate_table("Book").unwrap();
    assert_eq!((one(7, 3), one(8, 3)), ((3, false), (3, false)));
    assert_eq!(read(&database, SHOPS, 3), (1, true));
    database.invalidate_all().unwrap();
    load_catalog(&database);
    assert_eq!(read(&database, SHOPS, 4), (4, false));
    cache.invalidate_everything().unwrap();
    load_catalog(&database);
    assert_eq!(read(&database, SHOPS, 5), (5, false));
    assert_eq!(read(&database, SHOPS, 6), (5, true));
}

#[test]
fn policies_of_tables_count() {
    let (_, database) = built(|builder| {
        builder
            .table("Book", TablePolicy::never())
            .table("shop", TablePolicy::ttl(Duration::ZERO))
    });
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    assert_eq!(read(&database, SHOPS, 1), (1, false));
    assert_eq!(read(&database, SHOPS, 2), (2, false));
}

#[test]
fn a_change_of_the_schema_makes_the_catalog_outdated() {
    let (_, database) = cache();
    assert!(!database.is_catalog_outdated());
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    write(&database, "CREATE INDEX i ON book (title)");
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    assert!(database.is_catalog_outdated());
    assert_eq!(
        read(&database, BOOKS, 3),
        (3, false),
        "until it is loaded again"
    );
    load_catalog(&database);
    assert_eq!(read(&database, BOOKS, 4), (4, false));
    assert_eq!(read(&database, BOOKS, 5), (4, true));
}

#[test]
fn a_write_by_an_outdated_catalog_invalidates_the_whole_database() {
    let (cache, database) = cache();
    let other = self::database(&cache);
    write(
        &database,
        "CREATE TRIGGER t AFTER UPDATE ON book EXECUTE FUNCTION f()",
    );
    load_catalog(&other);
    assert_eq!(read(&other, SHOPS, 1), (1, false));
    // This process has not loaded the catalog that knows of the trigger.
    write(&database, WRITE);
    assert_eq!(read(&other, SHOPS, 2), (2, false));
}

#[test]
fn a_write_during_which_the_schema_changed_invalidates_the_whole_database() {
    let (cache, database) = cache();
    let other = self::database(&cache);
    let mut session = database.session(Backend::Process);
    let running = session.before(WRITE, &[]).unwrap();
    write(
        &other,
        "CREATE TRIGGER t AFTER UPDATE ON book EXECUTE FUNCTION f()",
    );
    load_catalog(&other);
    assert_eq!(read(&other, SHOPS, 1), (1, false));
    // The trigger may have been there when the database ran the statement.
    session.after(running, Outcome::Done);
    assert_eq!(read(&other, SHOPS, 2), (2, false));
}

#[test]
fn queries_with_parameters_that_no_key_can_hold_bypass() {
    let (_, database) = cache();
    let options = QueryOptions::default();
    let query = Query {
        sql: BOOKS,
        parameters: None,
        shape: b"test",
        options: &options,
    };
    for now in [1, 2] {
        let answer = database.read_blocking(&query, || Ok::<_, Refused>(now), encoded);
        assert_eq!(number(answer.unwrap()), (now, false));
    }
}

#[test]
fn listeners_learn_why_a_query_bypassed() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let (_, database) = built(|builder| {
        builder.listener(move |event: &Event<'_>| {
            if let Event::Read {
                outcome: ReadOutcome::Bypass(why),
                ..
            } = event
            {
                told.lock().unwrap().push(why.to_string());
            }
        })
    });
    read(&database, "SELECT now() FROM book", 1);
    let bypass = QueryOptions {
        mode: QueryMode::Bypass,
        ..Default::default()
    };
    read_with(&database, BOOKS, &[], &bypass, 1);
    let seen = seen.lock().unwrap();
    assert!(seen[0].contains("now"), "{}", seen[0]);
    assert_eq!(seen[1], BypassReason::Requested.to_string());
}

/// A memory store that can be made to fail.
#[derive(Debug)]
struct Fragile {
    store: MemoryStore,
    broken: AtomicBool,
    /// Whether it takes no marks.
    deaf: AtomicBool,
    /// Whether another process has claimed every query.
    claimed: AtomicBool,
    reads: AtomicU64,
    refused: AtomicU64,
}

impl Fragile {
    fn new() -> Arc<Self> {
        let store = MemoryStore::new(1 << 20);
        Arc::new(Fragile {
            store,
            broken: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            claimed: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    fn check(&self, operation: &'static str) -> Result<&MemoryStore, StoreError> {
        let deaf = operation == "mark" && self.deaf.load(Ordering::SeqCst);
        if deaf || self.broken.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let reason = "it was told to".to_owned();
            return Err(StoreError::Failed { operation, reason });
        }
        Ok(&self.store)
    }
}

impl Store for Fragile {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.check("read")?.read(request)
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.check("read")?.generations(tags)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.check("fill")?.fill(fill, rows, value, ttl)
    }

    fn claim(&self, _fill: &Fill) -> Result<Option<Duration>, StoreError> {
        self.check("claim")?;
        let claimed = self.claimed.load(Ordering::SeqCst);
        Ok(claimed.then_some(Duration::from_secs(60)))
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.check("mark")?.mark(mark)
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.check("clear")?.clear(owner, tags)
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.check("extend")?.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.check("look")?.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.check("invalidate")?.invalidate_everything()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }
}

#[test]
fn a_store_that_fails_costs_bypasses_and_nothing_stale() {
    let store = Fragile::new();
    let (cache, database) = built(|builder| builder.store(Arc::clone(&store) as Arc<dyn Store>));
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    store.broken.store(true, Ordering::SeqCst);
    assert_eq!(read(&database, BOOKS, 1), (1, false));
    write(&database, WRITE);
    assert!(store.refused.load(Ordering::SeqCst) > 0);
    assert_eq!(read(&database, BOOKS, 2), (2, false));
    store.broken.store(false, Ordering::SeqCst);
    assert_eq!(
        read(&database, BOOKS, 2),
        (2, false),
        "the write is made known first"
    );
    assert_eq!(read(&database, BOOKS, 3), (2, true));
    assert!(cache.stats().store_errors > 0);
}

#[test]
fn a_strict_cache_refuses_writes_that_it_cannot_make_known() {
    let store = Fragile::new();
    let (_, database) = built(|builder| {
        builder
            .store(Arc::clone(&store) as Arc<dyn Store>)
            .on_store_failure(OnStoreFailure::Strict)
    });
    store.broken.store(true, Ordering::SeqCst);
    let mut session = database.session(Backend::Process);
    let error = session.before(WRITE, &[]).expect_err("refused");
    assert!(
        error.to_string().contains("the write was refused"),
        "{error}"
    );
    store.broken.store(false, Ordering::SeqCst);
    run(&mut session, WRITE);
}

#[test]
fn a_clear_that_fails_is_sent_again() {
    let store = Fragile::new();
    let (_, database) = built(|builder| builder.store(Arc::clone(&store) as Arc<dyn Store>));
    let mut session = database.session(Backend::Process);
    let running = session.before(WRITE, &[]).unwrap();
    store.broken.store(true, Ordering::SeqCst);
    session.after(running, Outcome::Done);
    store.broken.store(false, Ordering::SeqCst);
    assert_eq!(
        read(&database, BOOKS, 1),
        (1, false),
        "stored, because the mark is gone"
    );
    assert_eq!(read(&database, BOOKS, 2), (1, true));
}

/// Two caches over one store, as two processes have.
fn two_over(store: &Arc<Fragile>) -> (Database, Database) {
    let one = || built(|builder| builder.store(Arc::clone(store) as Arc<dyn Store>)).1;
    (one(), one())
}

#[test]
fn what_a_store_missed_is_sent_again_by_a_process_that_rests() {
    let store = Fragile::new();
    let (resting, other) = two_over(&store);
    assert_eq!(read(&other, BOOKS, 1), (1, false));
    store.broken.store(true, Ordering::SeqCst);
    write(&resting, WRITE);
    store.broken.store(false, Ordering::SeqCst);
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while read(&other, BOOKS, 2) == (1, true) {
        assert!(std::time::Instant::now() < deadline, "nobody sent it again");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_store_missed_is_not_sent_again_before_the_commit() {
    let store = Fragile::new();
    let (writer, other) = two_over(&store);
    let mut session = writer.session(Backend::Process);
    store.broken.store(true, Ordering::SeqCst);
    let running = session.before(WRITE, &[]).unwrap();
    store.broken.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(
            read(&writer, BOOKS, 1),
            (1, false),
            "it knows that it writes"
        );
    }
    assert_eq!(read(&other, BOOKS, 1), (1, false));
    assert_eq!(read(&other, BOOKS, 1), (1, true), "it cannot know");
    session.after(running, Outcome::Done);
    assert_eq!(read(&other, BOOKS, 2), (2, false));
    assert_eq!(read(&writer, BOOKS, 3), (2, true));
}

#[test]
fn who_waits_reads_again_until_what_is_there_is_current() {
    let store = Fragile::new();
    let (writer, other) = two_over(&store);
    for (before, has_stale) in [(1, false), (2, true)] {
        if has_stale {
            write(&writer, WRITE);
        }
        store.claimed.store(true, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let begun = store.reads.load(Ordering::SeqCst);
            let waiting = scope.spawn(|| read(&writer, BOOKS, 0));
            while store.reads.load(Ordering::SeqCst) < begun + 3 {
                assert!(!waiting.is_finished(), "it does not wait");
                std::thread::yield_now();
            }
            store.claimed.store(false, Ordering::SeqCst);
            assert_eq!(read(&other, BOOKS, before), (before, false));
            assert_eq!(waiting.join().unwrap(), (before, true));
        });
    }
}

/// A reader that waits for another process is no less careful than one that does not.
#[test]
fn who_waits_is_given_nothing_that_its_process_is_writing() {
    let store = Fragile::new();
    let (_, other) = two_over(&store);
    let (cache, database) = built(|builder| builder.store(Arc::clone(&store) as Arc<dyn Store>));
    store.claimed.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| read(&database, BOOKS, 2));
        while cache.stats().shared == 0 {
            std::thread::yield_now();
        }
        store.claimed.store(false, Ordering::SeqCst);
        store.deaf.store(true, Ordering::SeqCst);
        let mut session = database.session(Backend::Process);
        let running = session.before(WRITE, &[]).unwrap();
        assert_eq!(read(&other, BOOKS, 1), (1, false));
        assert_eq!(waiting.join().unwrap(), (2, false));
        session.after(running, Outcome::Done);
    });
}

#[test]
fn what_a_store_missed_is_sent_when_nobody_knows_how_it_ended() {
    let store = Fragile::new();
    let (writer, other) = two_over(&store);
    let mut session = writer.session(Backend::Process);
    store.broken.store(true, Ordering::SeqCst);
    let running = session.before(WRITE, &[]).unwrap();
    store.broken.store(false, Ordering::SeqCst);
    assert_eq!(read(&other, BOOKS, 1), (1, false));
    session.after(running, Outcome::Unknown);
    assert_eq!(read(&writer, BOOKS, 2), (2, false));
    assert_eq!(read(&other, BOOKS, 3), (2, true));
}

/// A resolver that says what it is told to, and counts how often it was asked.
struct Judge(Verdict, AtomicU64);

impl Resolver for Judge {
    fn resolve(&self, database: &Database, abandoned: Abandoned) {
        database.resolved(abandoned.owner, &abandoned.tags, self.0);
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reads until a result was stored or `tries` are over; resolving is done only so often.
fn becomes_clean(database: &Database) -> bool {
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while std::time::Instant::now() < deadline {
        if read(database, BOOKS, 1).1 {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// A writer that gave up amid its write, and a resolver that will say this of it.
fn given_up(verdict: Verdict) -> (Database, Arc<Judge>) {
    let (_, database) = built(|builder| builder.lease(Duration::from_millis(100)));
    let judge = Arc::new(Judge(verdict, AtomicU64::new(0)));
    database.set_resolver(Arc::clone(&judge) as Arc<dyn Resolver>);
    let mut session = database.session(Backend::Server(Bytes::from_static(b"pid 7")));
    // Nobody learns how it ends.
    assert!(session.before(WRITE, &[]).is_ok());
    (database, judge)
}

#[test]
fn the_marks_of_a_writer_that_gave_up_are_resolved() {
    let (database, judge) = given_up(Verdict::Over);
    assert!(becomes_clean(&database));
    assert!(judge.1.load(Ordering::SeqCst) > 0);
}

#[test]
fn the_marks_of_a_writer_that_goes_on_stay() {
    let (database, judge) = given_up(Verdict::Running);
    // Each time its lease is over again.
    while judge.1.load(Ordering::SeqCst) < 2 {
        assert!(!read(&database, BOOKS, 1).1);
    }
    assert!(!read(&database, BOOKS, 1).1);
}
