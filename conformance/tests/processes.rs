//! Several processes, or threads, on one database and one store: every answer must have been right
//! at some instant between question and answer, also when processes are killed.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::connection::{Bare, Connection, Locks, Server};
use kogia_conformance::engine::Point;
use kogia_conformance::front::{FrontEnd, Recorder, outcome_kind};
use kogia_conformance::history::{History, Log};
use kogia_conformance::mix::{self, Isolation, Job, setup};
use kogia_conformance::mutant::Mutant;
use kogia_conformance::process::{Death, Orders};
use kogia_conformance::servers::{fresh_database, server_url};
use kogia_conformance::sqlite::url;
use kogia_conformance::step::{Expect, Statement};
use kogia_conformance::value::Row;
use kogia_conformance::wrapped::Wrapped;
use kogia_sqlx::Driver;
use sqlx::{FromRow, IntoArguments, MySql, Postgres, Sqlite};
use tempfile::TempDir;

const ROWS: u64 = 8;

/// A database with the table of the mix, and a folder for the store and the logs.
struct Stage {
    folder: TempDir,
    dialect: Dialect,
    database: String,
    by_hand: bool,
    started: u64,
    logs: Vec<PathBuf>,
}

impl Stage {
    async fn sqlite(by_hand: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = url(&folder.path().join("database"));
        let opened = Bare::<Sqlite>::open(&database, Locks::Wait).await;
        let mut connection = opened.unwrap();
        connection.run("PRAGMA journal_mode = WAL").await.unwrap();
        for sql in setup(ROWS) {
            connection.run(&sql).await.unwrap();
        }
        connection.close().await;
        Stage::new(folder, Dialect::Sqlite, database, by_hand)
    }

    async fn server<S: Server>(dialect: Dialect, name: &str) -> Self {
        let server = server_url(dialect).unwrap_or_else(|error| panic!("{error}"));
        let made = fresh_database::<S>(dialect, &server, name, &setup(ROWS)).await;
        let folder = tempfile::tempdir().unwrap();
        Stage::new(folder, dialect, made.unwrap(), false)
    }

    fn new(folder: TempDir, dialect: Dialect, database: String, by_hand: bool) -> Self {
        Stage {
            folder,
            dialect,
            database,
            by_hand,
            started: 0,
            logs: Vec::new(),
        }
    }

    fn store(&self) -> String {
        let folder = self.folder.path().join("store");
        format!("file://{}?capacity=16MB", folder.display())
    }

    fn job(&mut self, operations: u64, writes: u32) -> Job {
        self.started += 1;
        let log = self.folder.path().join(format!("log{}", self.started));
        self.logs.push(log.clone());
        Job {
            operations,
            seed: self.started,
            rows: ROWS,
            writes,
            impatience: 0,
            transactions: true,
            isolation: Isolation::Snapshots,
            log,
        }
    }

    fn orders(&mut self, operations: u64, writes: u32, death: Option<Death>) -> Orders {
        Orders {
            store: self.store(),
            dialect: self.dialect.to_string(),
            database: self.database.clone(),
            by_hand: self.by_hand,
            job: self.job(operations, writes),
            mutant: None,
            death,
        }
    }

    /// All that was written down. A process that died early may have written nothing.
    fn history(&self) -> History {
        let mut history = History::default();
        for log in self.logs.iter().filter(|log| log.exists()) {
            history.add(&log.display().to_string(), Log::read(log).unwrap());
        }
        history
    }

    /// Every answer was possible.
    fn check(&self, when: &str) {
        if let Err(impossible) = self.history().check() {
            panic!("{when}: {impossible}");
        }
    }

    /// Some processes read and write until they are through.
    async fn mix<S>(&mut self, operations: u64)
    where
        S: Server + Driver,
        S::Arguments: IntoArguments<S>,
        Row: for<'r> FromRow<'r, S::Row>,
    {
        let mut children = Vec::new();
        for writes in [4, 4, 30, 0] {
            let orders = self.orders(operations, writes, None);
            children.push(orders.start(program()).unwrap());
        }
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        self.check("in the end");
        let history = self.history();
        println!(
            "{} reads checked, {} writes, {} of {} reads were hits",
            history.checked(),
            history.writes,
            history.hits,
            history.reads
        );
        assert!(history.checked() as u64 > operations * 2);
        assert!(history.writes > operations / 10);
        assert!(
            history.hits * 8 > history.reads,
            "the cache must have been of use"
        );
        self.settles::<S>().await;
    }

    /// Processes are killed, again and again, while another one goes on.
    async fn kill<S>(&mut self, rounds: u64)
    where
        S: Server + Driver,
        S::Arguments: IntoArguments<S>,
        Row: for<'r> FromRow<'r, S::Row>,
    {
        for round in 0..rounds {
            let mut victims = Vec::new();
            for victim in 0..2 {
                // After the start-up of a process, spread over a few dozen of its operations.
                let delay = Duration::from_micros(60_000 + (round * 7 + victim * 3) % 40 * 1_000);
                let orders = self.orders(u64::MAX, 50, Some(Death::After(delay)));
                victims.push(orders.start(program()).unwrap());
            }
            let orders = self.orders(100, 20, None);
            let mut other = orders.start(program()).unwrap();
            for mut victim in victims {
                assert_eq!(victim.wait().unwrap().signal(), Some(9));
            }
            assert!(other.wait().unwrap().success());
            self.check("after a death");
            self.settles::<S>().await;
        }
        assert!(self.history().writes > rounds);
    }

    /// A reader of its own finds every answer right, and after a while all of them in the cache:
    /// nothing that the dead left behind stays marked.
    async fn settles<S>(&self)
    where
        S: Server + Driver,
        S::Arguments: IntoArguments<S>,
        Row: for<'r> FromRow<'r, S::Row>,
    {
        let recorder = Recorder::default();
        let builder = Cache::builder().url(&self.store()).unwrap();
        let cache = recorder.attach(builder).build();
        let url = &self.database;
        let wrapped = Wrapped::<S>::new(&cache, url, Locks::Wait, &recorder, true).await;
        let wrapped = wrapped.unwrap();
        let mut session = wrapped.connect().await;
        let mut bare = Bare::<S>::open(url, Locks::Wait).await.unwrap();
        let mut queries: Vec<Statement> = (0..ROWS)
            .map(|row| Statement::new(format!("SELECT version FROM cell WHERE id = {row}")))
            .collect();
        queries.push(Statement::new("SELECT max(version) FROM shown"));
        let began = Instant::now();
        loop {
            recorder.take();
            for query in &queries {
                let cached = session.read(query, async || {}).await;
                assert_eq!(cached, bare.fetch(query, true).await, "{query}");
            }
            let outcomes = recorder.take();
            let is_hit = |outcome| outcome_kind(outcome) == Expect::Hit;
            let hits = outcomes.iter().filter(|(_, outcome)| is_hit(outcome));
            if hits.count() == queries.len() {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(40), "{outcomes:?}");
            tokio::task::yield_now().await;
        }
        drop(session);
        wrapped.close().await;
        bare.close().await;
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kogia-conformance-process"))
}

#[tokio::test]
async fn processes_that_drive_the_engine() {
    Stage::sqlite(true).await.mix::<Sqlite>(3000).await;
}

#[tokio::test]
async fn processes_with_kogia_sqlx_on_sqlite() {
    Stage::sqlite(false).await.mix::<Sqlite>(2000).await;
}

#[tokio::test]
async fn processes_with_kogia_sqlx_on_postgres() {
    let mut stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_mix").await;
    stage.mix::<Postgres>(1500).await;
}

#[tokio::test]
async fn processes_with_kogia_sqlx_on_mysql() {
    let mut stage = Stage::server::<MySql>(Dialect::MySql, "kogia_mix").await;
    stage.mix::<MySql>(1500).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment_on_sqlite() {
    Stage::sqlite(true).await.kill::<Sqlite>(6).await;
    Stage::sqlite(false).await.kill::<Sqlite>(6).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment_on_postgres() {
    let mut stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_kill").await;
    stage.kill::<Postgres>(5).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment_on_mysql() {
    let mut stage = Stage::server::<MySql>(Dialect::MySql, "kogia_kill").await;
    stage.kill::<MySql>(5).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_every_point() {
    let mut stage = Stage::sqlite(true).await;
    let points = [
        (Point::BeforeMark, "COMMIT"),
        (Point::Marked, "COMMIT"),
        (Point::Executed, "COMMIT"),
        (Point::Cleared, "COMMIT"),
        (Point::Executed, "UPDATE"),
        (Point::Marked, "ROLLBACK"),
        (Point::Executed, "ROLLBACK"),
        (Point::BeforeQuery, "SELECT"),
        (Point::BeforeFill, "SELECT"),
        (Point::Filled, "SELECT"),
    ];
    for (point, word) in points {
        for times in [1, 5] {
            let death = Death::At {
                point,
                word: word.to_owned(),
                times,
            };
            let other = stage.orders(150, 20, None);
            let victim = stage.orders(5000, 50, Some(death));
            let mut other = other.start(program()).unwrap();
            let mut victim = victim.start(program()).unwrap();
            let status = victim.wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{point:?} of {word}: {status}");
            assert!(other.wait().unwrap().success());
            stage.check(&format!("killed at {point:?} of {word}"));
            stage.settles::<Sqlite>().await;
        }
    }
}

#[tokio::test]
async fn processes_without_a_common_store_are_noticed() {
    let mut stage = Stage::sqlite(true).await;
    let mut children = Vec::new();
    for writes in [2, 10] {
        let mut orders = stage.orders(2000, writes, None);
        orders.store = "memory:?capacity=16MB".to_owned();
        children.push(orders.start(program()).unwrap());
    }
    for mut child in children {
        child.wait().unwrap();
    }
    assert!(stage.history().check().is_err());
}

#[tokio::test]
async fn a_process_whose_commits_mark_nothing_is_noticed() {
    let mut stage = Stage::sqlite(true).await;
    let mut children = vec![stage.orders(2000, 2, None).start(program()).unwrap()];
    let mut orders = stage.orders(2000, 10, None);
    orders.mutant = Some(Mutant::CommitForgets);
    children.push(orders.start(program()).unwrap());
    for mut child in children {
        child.wait().unwrap();
    }
    assert!(stage.history().check().is_err());
}

/// Callers that give up leave statements behind that still run, and marks to be settled.
#[tokio::test]
async fn callers_that_give_up() {
    let mut stage = Stage::sqlite(false).await;
    let mut children = Vec::new();
    for writes in [5, 30, 30] {
        let mut orders = stage.orders(1500, writes, None);
        orders.job.impatience = 30;
        children.push(orders.start(program()).unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    stage.check("in the end");
    assert!(stage.history().writes > 300);
    stage.settles::<Sqlite>().await;
}

/// Readers of one process share flights: those of the pool wait for each other.
#[tokio::test]
async fn threads_that_share_a_store_in_memory() {
    let mut stage = Stage::sqlite(false).await;
    let recorder = Recorder::default();
    let cache = recorder.attach(Cache::builder()).build();
    let mut threads = Vec::new();
    for (writes, on_pool) in [(0, true), (0, true), (10, false), (30, false)] {
        let mut job = stage.job(2000, writes);
        job.transactions = !on_pool;
        let (cache, url, recorder) = (cache.clone(), stage.database.clone(), recorder.clone());
        threads.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let wrapped =
                    Wrapped::<Sqlite>::new(&cache, &url, Locks::Wait, &recorder, on_pool).await;
                mix::run(&wrapped.unwrap(), Dialect::Sqlite, &job).await
            })
        }));
    }
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    stage.check("in the end");
    let history = stage.history();
    assert!(history.checked() > 5000 && history.writes > 300);
    assert!(history.hits * 8 > history.reads);
}
