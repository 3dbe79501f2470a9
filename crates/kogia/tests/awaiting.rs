//! Callers that await over a store whose calls only block: no thread of the runtime waits for it.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{
    DatabaseId, Dialect, Fill, Generation, Isolation, Outcome, OwnerId, ReadRequest, ReadResponse,
    Relation, Schema, TableTags, Tag, TagSet,
};
use kogia::{
    Abandoned, Answer, Backend, Cache, Database, DatabaseConfig, Encoded, Mark, MemoryStore, Query,
    QueryOptions, Store, StoreError, TieredStore, Usage, WriteError,
};
use smallvec::SmallVec;
use store_support::{generation, mark, until};
use tokio::runtime::{Builder, Runtime};

const BOOKS: &str = "SELECT title FROM book";

/// A store that takes itself for one behind a network, and notes who calls it.
#[derive(Debug)]
struct Remote {
    memory: MemoryStore,
    /// What was called on which thread.
    calls: Mutex<BTreeSet<(&'static str, String)>>,
    fails: AtomicBool,
    /// Held up marks: told that one is there, and when it may go on.
    gate: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

impl Remote {
    fn new() -> Arc<Remote> {
        Arc::new(Remote {
            memory: MemoryStore::new(1 << 20),
            calls: Mutex::default(),
            fails: AtomicBool::new(false),
            gate: Mutex::default(),
        })
    }

    /// [`Remote::note`], for what is changed.
    fn change(&self, call: &'static str) -> Result<&MemoryStore, StoreError> {
        let memory = self.note(call);
        match self.fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Failed {
                operation: call,
                reason: "the test says so".to_owned(),
            }),
            false => Ok(memory),
        }
    }

    fn note(&self, call: &'static str) -> &MemoryStore {
        let thread = format!("{:?}", thread::current().id());
        self.calls.lock().unwrap().insert((call, thread));
        &self.memory
    }

    /// What was called on a thread, and what on others, since this was last asked.
    fn calls(&self, thread: ThreadId) -> [BTreeSet<&'static str>; 2] {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        let thread = format!("{thread:?}");
        let on = |here: bool| {
            let those = calls.iter().filter(|(_, on)| (*on == thread) == here);
            those.map(|(call, _)| *call).collect()
        };
        [on(true), on(false)]
    }
}

impl Store for Remote {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.note("read").read(request)
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.note("generations").generations(tags)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.note("fill").fill(fill, rows, value, ttl)
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        self.note("claim").claim(fill)
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let memory = self.change("mark")?;
        if let Some((arrived, go_on)) = self.gate.lock().unwrap().take() {
            arrived.send(()).unwrap();
            go_on.recv().unwrap();
        }
        memory.mark(mark)
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.change("clear")?.clear(owner, tags)
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.note("extend").extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.note("abandoned").abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.memory.invalidate_everything()
    }

    fn waits(&self) -> bool {
        true
    }

    fn usage(&self) -> Usage {
        self.memory.usage()
    }
}

#[derive(Debug)]
struct Failed;

impl From<WriteError> for Failed {
    fn from(_: WriteError) -> Self {
        Failed
    }
}

/// A runtime whose tasks all run on the thread that blocks on them.
fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn database(store: Arc<dyn Store>) -> Database {
    let cache = Cache::builder().store(store).build();
    let mut config = DatabaseConfig::new(DatabaseId::new("test"), Dialect::Postgres);
    config.isolation = Isolation::RepeatableRead;
    let database = cache.database(config);
    let schema = Schema {
        relations: vec![Relation::table("book")],
        ..Schema::unknown(Dialect::Postgres)
    };
    let reload = database.reload_catalog().unwrap();
    reload.expect("nobody changes the schema").finish(schema);
    database
}

fn encoded(text: &Bytes) -> Option<Encoded> {
    Some(Encoded {
        value: text.clone(),
        rows: 1,
    })
}

/// Whether the answer is from the cache.
async fn read(database: &Database, sql: &str) -> bool {
    let query = Query {
        sql,
        parameters: Some(&[]),
        shape: b"",
        options: &QueryOptions::default(),
    };
    let run = || async { Ok::<_, Failed>(Bytes::from("rows")) };
    let answer = database.read(&query, run, encoded).await.unwrap();
    matches!(answer, Answer::Cached(_))
}

/// Everything that a store is asked for on behalf of somebody who awaits.
async fn reads_and_writes(database: &Database) {
    assert!(!read(database, BOOKS).await);
    assert!(read(database, BOOKS).await, "the fill is waited for");
    assert!(!read(database, "SELECT * FROM unknown").await);
    let mut session = database.session(Backend::Unknown);
    for sql in ["BEGIN", BOOKS, "COMMIT", "DELETE FROM book"] {
        let running = session.before_async(sql, &[]).await.unwrap();
        if running.is_marked() {
            assert!(!read(database, BOOKS).await, "its table is marked");
        }
        session.after(running, Outcome::Done);
    }
    assert!(!read(database, BOOKS).await, "its table was written");
}

#[test]
fn no_thread_of_the_runtime_waits_for_a_store() {
    let store = Remote::new();
    let database = database(Arc::clone(&store) as Arc<dyn Store>);
    let here = thread::current().id();
    store.calls(here);
    let runtime = one_thread();
    runtime.block_on(reads_and_writes(&database));
    let [on_this, mut elsewhere] = store.calls(here);
    assert_eq!(on_this, BTreeSet::new());
    // Marks of others are looked after now and then.
    let book = TableTags::new(&DatabaseId::new("test"), "book").any;
    mark(&store.memory, 1, &[book]);
    until(|| {
        runtime.block_on(async { assert!(!read(&database, BOOKS).await) });
        let [on_this, others] = store.calls(here);
        assert_eq!(on_this, BTreeSet::new());
        elsewhere.extend(others);
        elsewhere.contains("abandoned")
    });
    let all = [
        "abandoned",
        "claim",
        "clear",
        "fill",
        "generations",
        "mark",
        "read",
    ];
    assert_eq!(elsewhere, BTreeSet::from(all));
}

#[test]
fn no_thread_of_the_runtime_waits_for_the_store_behind_a_tier() {
    let store = Remote::new();
    let tier = TieredStore::new(Arc::clone(&store) as Arc<dyn Store>, 1 << 20);
    let database = database(Arc::new(tier));
    let here = thread::current().id();
    store.calls(here);
    one_thread().block_on(reads_and_writes(&database));
    let [here, elsewhere] = store.calls(here);
    assert_eq!(here, BTreeSet::new());
    assert!(elsewhere.is_superset(&BTreeSet::from(["generations", "mark", "read"])));
}

/// What the store has not acknowledged is sent again by every call.
#[test]
fn no_thread_of_the_runtime_waits_for_a_store_that_fails() {
    let store = Remote::new();
    let database = database(Arc::clone(&store) as Arc<dyn Store>);
    let here = thread::current().id();
    let runtime = one_thread();
    store.calls(here);
    store.fails.store(true, Ordering::SeqCst);
    runtime.block_on(async {
        let mut session = database.session(Backend::Unknown);
        for _ in 0..2 {
            let running = session.before_async("DELETE FROM book", &[]).await.unwrap();
            session.after(running, Outcome::Done);
            assert!(!read(&database, BOOKS).await, "it is not invalidated");
        }
    });
    let [on_this, elsewhere] = store.calls(here);
    assert_eq!(on_this, BTreeSet::new());
    assert!(elsewhere.is_superset(&BTreeSet::from(["clear", "mark"])));
    store.fails.store(false, Ordering::SeqCst);
    until(|| runtime.block_on(read(&database, BOOKS)));
}

/// The store marks a tag after the one who asked for that has given up, and had it cleared.
#[test]
fn a_mark_that_comes_late_is_cleared() {
    let store = Remote::new();
    let database = database(Arc::clone(&store) as Arc<dyn Store>);
    let book = TableTags::new(&DatabaseId::new("test"), "book").any;
    let (arrived, has_arrived) = channel();
    let (go_on, may_go_on) = channel();
    *store.gate.lock().unwrap() = Some((arrived, may_go_on));
    let runtime = one_thread();
    let mut session = database.session(Backend::Unknown);
    let before = generation(&*store, book);
    runtime.block_on(async {
        let write = async move {
            session
                .before_async("DELETE FROM book", &[])
                .await
                .map(drop)
        };
        let write = tokio::spawn(write);
        while has_arrived.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
    });
    database.cache().catch_up();
    let cleared = generation(&*store, book);
    assert_ne!(cleared, before, "what may be marked is cleared at once");
    go_on.send(()).unwrap();
    // It is marked, and cleared again.
    until(|| ![before, cleared].contains(&generation(&*store, book)));
    until(|| !generation(&*store, book).is_marked());
}
