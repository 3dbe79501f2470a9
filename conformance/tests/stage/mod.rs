//! A database, a store, and the processes that use both.

// Every test file uses its own part of it.
#![allow(dead_code)]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::connection::{Bare, Connection, Locks, Server};
use kogia_conformance::front::{FrontEnd, Recorder, outcome_kind};
use kogia_conformance::history::{History, Log, Record, now};
use kogia_conformance::mix::{Isolation, Job, setup};
use kogia_conformance::process::{Death, Orders};
use kogia_conformance::servers::{fresh_database, server_url};
use kogia_conformance::sqlite::url;
use kogia_conformance::step::{Expect, Statement};
use kogia_conformance::stores::Kind;
use kogia_conformance::value::Row;
use kogia_conformance::wrapped::Wrapped;
use kogia_sqlx::Driver;
use sqlx::{FromRow, IntoArguments, Sqlite};
use tempfile::TempDir;

const ROWS: u64 = 8;

/// A database with the table of the mix, and a folder for the store and the logs.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) dialect: Dialect,
    pub(crate) database: String,
    pub(crate) store: String,
    /// How long marks stand, if not as long as usual.
    lease: Option<Duration>,
    by_hand: bool,
    started: u64,
    logs: Vec<PathBuf>,
}

impl Stage {
    pub(crate) async fn sqlite(by_hand: bool) -> Self {
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

    pub(crate) async fn server<S: Server>(dialect: Dialect, name: &str) -> Self {
        let server = server_url(dialect).unwrap_or_else(|error| panic!("{error}"));
        let made = fresh_database::<S>(dialect, &server, name, &setup(ROWS)).await;
        let folder = tempfile::tempdir().unwrap();
        Stage::new(folder, dialect, made.unwrap(), false)
    }

    fn new(folder: TempDir, dialect: Dialect, database: String, by_hand: bool) -> Self {
        let store = Kind::File.url(folder.path(), false);
        Stage {
            store: store.unwrap_or_else(|error| panic!("{error}")),
            lease: None,
            folder,
            dialect,
            database,
            by_hand,
            started: 0,
            logs: Vec::new(),
        }
    }

    /// With another store than files, and marks that stand no longer than a test may take.
    pub(crate) fn behind(mut self, kind: Kind, has_tier: bool, lease: Duration) -> Self {
        let store = kind.url(self.folder.path(), has_tier);
        self.store = store.unwrap_or_else(|error| panic!("{error}"));
        self.lease = Some(lease);
        self
    }

    pub(crate) fn job(&mut self, operations: u64, writes: u32) -> Job {
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

    pub(crate) fn orders(&mut self, operations: u64, writes: u32, death: Option<Death>) -> Orders {
        Orders {
            store: self.store.clone(),
            dialect: self.dialect.to_string(),
            database: self.database.clone(),
            by_hand: self.by_hand,
            job: self.job(operations, writes),
            mutant: None,
            death,
            accident: None,
            lease: self.lease,
        }
    }

    /// All that was written down. A process that died early may have written nothing.
    pub(crate) fn history(&self) -> History {
        let mut history = History::default();
        for log in self.logs.iter().filter(|log| log.exists()) {
            history.add(&log.display().to_string(), Log::read(log).unwrap());
        }
        history
    }

    /// Every answer was possible.
    pub(crate) fn check(&self, when: &str) {
        let history = self.history();
        if let Err(impossible) = history.check() {
            panic!("{when}: {impossible}");
        }
        let by_the_database = |refusal: &&String| {
            let refusal = refusal.to_lowercase();
            REFUSALS.iter().any(|known| refusal.contains(known))
        };
        let errors: Vec<_> = history
            .refusals
            .iter()
            .filter(|one| !by_the_database(one))
            .collect();
        assert!(errors.is_empty(), "{when}: the application met {errors:#?}");
    }

    /// A cache of the test's own process before the same store, and who notes what comes of its reads.
    pub(crate) fn cache(&self) -> (Cache, Recorder) {
        let recorder = Recorder::default();
        let mut builder = Cache::builder().url(&self.store).unwrap();
        if let Some(lease) = self.lease {
            builder = builder.lease(lease);
        }
        (recorder.attach(builder).build(), recorder)
    }

    /// Some processes read and write until they are through.
    pub(crate) async fn mix<S>(&mut self, operations: u64)
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
    pub(crate) async fn kill<S>(&mut self, rounds: u64)
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
            self.settles::<S>().await;
            self.check("after a death");
        }
        assert!(self.history().writes > rounds);
    }

    /// A reader of its own finds every answer right, and after a while all of them in the cache:
    /// nothing that the dead left behind stays marked.
    pub(crate) async fn settles<S>(&mut self)
    where
        S: Server + Driver,
        S::Arguments: IntoArguments<S>,
        Row: for<'r> FromRow<'r, S::Row>,
    {
        let (cache, recorder) = self.cache();
        let url = &self.database;
        let wrapped = Wrapped::<S>::new(&cache, url, Locks::Wait, &recorder, true).await;
        let wrapped = wrapped.unwrap();
        let mut session = wrapped.connect().await;
        let mut bare = Bare::<S>::open(url, Locks::Wait).await.unwrap();
        let queries = all_queries();
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
        // What was acknowledged must be there: a log of what the database says in the end.
        let start = now();
        let query = "SELECT CAST(id AS CHAR(20)), CAST(version AS CHAR(20)) FROM cell";
        let rows = bare.fetch(&Statement::new(query), true).await.unwrap();
        bare.close().await;
        let number = |row: &Row, index: usize| row.0[index].number().unwrap();
        let log = self.job(0, 0).log;
        let saw = Record::Saw {
            query: "the database itself, in the end".to_owned(),
            start,
            end: now(),
            rows: rows
                .iter()
                .map(|row| (number(row, 0), number(row, 1)))
                .collect(),
            is_dirty: false,
        };
        Log::open(&log).unwrap().add(&saw).unwrap();
    }
}

/// What databases say to statements that they cannot run beside others.
const REFUSALS: [&str; 6] = [
    "database is locked",
    "deadlock",
    "lock wait timeout",
    "lock timeout",
    "could not serialize",
    "record has changed since last read",
];

/// A query of each row, and one of all of them.
pub(crate) fn all_queries() -> Vec<Statement> {
    let query = |sql| Statement {
        is_kept: true,
        ..Statement::new(sql)
    };
    let rows = (0..ROWS).map(|row| format!("SELECT version FROM cell WHERE id = {row}"));
    rows.chain(["SELECT max(version) FROM shown".to_owned()])
        .map(query)
        .collect()
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kogia-conformance-process"))
}
