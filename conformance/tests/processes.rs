//! Several processes on one SQLite database and one file store: every answer must have been right
//! at some instant between question and answer, also when processes are killed.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kogia::Cache;
use kogia_conformance::connection::{Bare, Connection, Locks};
use kogia_conformance::engine::{Drive, Engine, Point};
use kogia_conformance::front::{FrontEnd, Recorder, outcome_kind};
use kogia_conformance::history::{History, Log};
use kogia_conformance::mix::{Job, setup};
use kogia_conformance::mutant::Mutant;
use kogia_conformance::process::{Death, Orders, config};
use kogia_conformance::sqlite::url;
use kogia_conformance::step::{Expect, Statement};
use sqlx::Sqlite;
use tempfile::TempDir;

const ROWS: u64 = 8;

/// A database with the table of the mix, and a folder for the store and the logs.
struct Stage {
    folder: TempDir,
    started: u64,
    logs: Vec<PathBuf>,
}

impl Stage {
    async fn new() -> Self {
        let stage = Stage {
            folder: tempfile::tempdir().unwrap(),
            started: 0,
            logs: Vec::new(),
        };
        let mut connection = Bare::<Sqlite>::open(&url(&stage.database()), Locks::Wait)
            .await
            .unwrap();
        connection.run("PRAGMA journal_mode = WAL").await.unwrap();
        for sql in setup(ROWS) {
            connection.run(&sql).await.unwrap();
        }
        connection.close().await;
        stage
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("database")
    }

    fn store(&self) -> String {
        let folder = self.folder.path().join("store");
        format!("file://{}?capacity=16MB", folder.display())
    }

    fn orders(&mut self, operations: u64, writes: u32, death: Option<Death>) -> Orders {
        self.started += 1;
        let log = self.folder.path().join(format!("log{}", self.started));
        self.logs.push(log.clone());
        Orders {
            store: self.store(),
            database: self.database(),
            job: Job {
                operations,
                seed: self.started,
                rows: ROWS,
                writes,
                log,
            },
            mutant: None,
            death,
        }
    }

    /// All that was written down. A process that died early may have written nothing.
    fn history(&self) -> History {
        let mut history = History::default();
        for log in self.logs.iter().filter(|log| log.exists()) {
            history.add(Log::read(log).unwrap());
        }
        history
    }

    /// A reader of its own finds every answer right, and after a while all of them in the cache:
    /// nothing that the dead left behind stays marked.
    async fn settles(&self) {
        let recorder = Recorder::default();
        let builder = Cache::builder().url(&self.store()).unwrap();
        let cache = recorder.attach(builder).build();
        let drive = Drive {
            locks: Some(Locks::Wait),
            ..Drive::default()
        };
        let database = self.database();
        let engine =
            Engine::<Sqlite>::new(&cache, config(&database), &url(&database), &recorder, drive)
                .await
                .unwrap();
        let mut session = engine.connect().await;
        let mut bare = Bare::<Sqlite>::open(&url(&database), Locks::Wait)
            .await
            .unwrap();
        let mut queries: Vec<Statement> = (0..ROWS)
            .map(|row| Statement::new(format!("SELECT version FROM cell WHERE id = {row}")))
            .collect();
        queries.push(Statement::new("SELECT sum(version) FROM shown"));
        let began = Instant::now();
        loop {
            recorder.take();
            for query in &queries {
                let cached = session.read(query, async || {}).await;
                assert_eq!(cached, bare.fetch(query, true).await, "{query}");
            }
            let outcomes = recorder.take();
            let hits = outcomes
                .iter()
                .filter(|(_, outcome)| outcome_kind(outcome) == Expect::Hit);
            if hits.count() == queries.len() {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{outcomes:?}");
            std::thread::yield_now();
        }
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kogia-conformance-process"))
}

#[tokio::test]
async fn processes_that_read_and_write() {
    let mut stage = Stage::new().await;
    let mut children = Vec::new();
    for writes in [4, 4, 30, 0] {
        children.push(stage.orders(3000, writes, None).start(program()).unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let history = stage.history();
    if let Err(impossible) = history.check() {
        panic!("{impossible}");
    }
    println!(
        "{} reads checked, {} writes, {} of {} reads were hits",
        history.checked(),
        history.writes,
        history.hits,
        history.reads
    );
    assert!(history.checked() > 8000 && history.writes > 300);
    assert!(
        history.hits * 5 > history.reads,
        "the cache must have been of use"
    );
    stage.settles().await;
}

#[tokio::test]
async fn processes_without_a_common_store_are_noticed() {
    let mut stage = Stage::new().await;
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
    let mut stage = Stage::new().await;
    let mut children = vec![stage.orders(2000, 2, None).start(program()).unwrap()];
    let mut orders = stage.orders(2000, 10, None);
    orders.mutant = Some(Mutant::CommitForgets);
    children.push(orders.start(program()).unwrap());
    for mut child in children {
        child.wait().unwrap();
    }
    assert!(stage.history().check().is_err());
}

#[tokio::test]
async fn processes_that_are_killed_at_every_point() {
    let mut stage = Stage::new().await;
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
            let mut other = stage.orders(150, 20, None).start(program()).unwrap();
            let mut victim = stage
                .orders(5000, 50, Some(death))
                .start(program())
                .unwrap();
            let status = victim.wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{point:?} of {word}: {status}");
            assert!(other.wait().unwrap().success());
            if let Err(impossible) = stage.history().check() {
                panic!("killed at {point:?} of {word}: {impossible}");
            }
            stage.settles().await;
        }
    }
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment() {
    let mut stage = Stage::new().await;
    for round in 0..12_u64 {
        let mut victims = Vec::new();
        for victim in 0..2 {
            // After the start-up of a process, spread over a few dozen of its operations.
            let delay = Duration::from_micros(30_000 + (round * 7 + victim * 3) % 40 * 1_000);
            let orders = stage.orders(u64::MAX, 50, Some(Death::After(delay)));
            victims.push(orders.start(program()).unwrap());
        }
        let mut other = stage.orders(100, 20, None).start(program()).unwrap();
        for mut victim in victims {
            assert_eq!(victim.wait().unwrap().signal(), Some(9));
        }
        assert!(other.wait().unwrap().success());
        if let Err(impossible) = stage.history().check() {
            panic!("round {round}: {impossible}");
        }
        stage.settles().await;
    }
    assert!(stage.history().writes > 50);
}
