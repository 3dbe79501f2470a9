//! Every database at every isolation level, behind every store and tier: sessions at that level and
//! at the default one read and write at once, and every answer must have been right at some instant
//! between question and answer.
//!
//! `KOGIA_SEED` is the first seed, and `KOGIA_OPERATIONS` how much each session does.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::fmt;
use std::path::Path;
use std::time::Instant;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::connection::{Bare, Locks, Server};
use kogia_conformance::front::Recorder;
use kogia_conformance::history::{History, Log};
use kogia_conformance::mix::{self, Isolation, Job, Level, setup};
use kogia_conformance::servers::{fresh_database, server_url};
use kogia_conformance::sqlite::url;
use kogia_conformance::stores::Kind;
use kogia_conformance::value::Row;
use kogia_conformance::wrapped::Wrapped;
use kogia_sqlx::Driver;
use sqlx::{FromRow, IntoArguments, MySql, Postgres, Sqlite};

const ROWS: u64 = 8;

/// A database, its isolation level, a store, and whether each process has a tier before it.
#[derive(Debug, Clone, Copy)]
struct Combination {
    dialect: Dialect,
    level: Level,
    kind: Kind,
    has_tier: bool,
    seed: u64,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Combination {
            dialect,
            level,
            kind,
            has_tier,
            seed,
        } = self;
        let tier = if *has_tier { " and a tier" } else { "" };
        write!(f, "{dialect} at {level:?}, {kind:?}{tier}, seed {seed}")
    }
}

const STORES: [(Kind, bool); 7] = [
    (Kind::Memory, false),
    (Kind::File, false),
    (Kind::File, true),
    (Kind::Redis, false),
    (Kind::Redis, true),
    (Kind::Memcached, false),
    (Kind::Memcached, true),
];

impl Combination {
    /// What the sessions do: one is at the default level, and the others come to theirs in all ways.
    fn jobs(&self, folder: &Path) -> Vec<Job> {
        let sessions = [
            (Isolation::Snapshots, 12),
            (Isolation::Session(self.level), 12),
            (Isolation::Transactions(self.level), 20),
            (Isolation::Session(self.level), 0),
        ];
        let operations = number("KOGIA_OPERATIONS", 250);
        let job = |(index, (isolation, writes)): (u64, (Isolation, u32))| Job {
            operations,
            seed: self.seed * 10 + index,
            rows: ROWS,
            writes,
            impatience: 0,
            transactions: true,
            isolation,
            log: folder.join(format!("session {index}")),
        };
        (0..).zip(sessions).map(job).collect()
    }

    /// Plays on a database whose rows have version 0.
    fn play<S>(&self, database: &str) -> History
    where
        S: Server + Driver,
        S::Arguments: IntoArguments<S>,
        Row: for<'r> FromRow<'r, S::Row>,
    {
        let folder = tempfile::tempdir().unwrap();
        let jobs = self.jobs(folder.path());
        let url = self.kind.url(folder.path(), self.has_tier);
        let url = url.unwrap_or_else(|error| panic!("{error}"));
        let recorder = &Recorder::default();
        let open = || {
            let builder = Cache::builder().url(&url).unwrap();
            recorder.attach(builder).build()
        };
        let one = open();
        let play = |job: &Job| -> Result<(), String> {
            let cache = match self.kind {
                Kind::Memory => one.clone(),
                _ => open(),
            };
            runtime().block_on(async {
                let wrapped =
                    Wrapped::<S>::new(&cache, database, Locks::Wait, recorder, false).await;
                let wrapped = wrapped.map_err(|error| error.to_string())?;
                let played = mix::run(&wrapped, self.dialect, job).await;
                wrapped.close().await;
                played
            })
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = jobs.iter().map(|job| scope.spawn(|| play(job))).collect();
            for thread in threads {
                thread
                    .join()
                    .unwrap()
                    .unwrap_or_else(|error| panic!("{self}: {error}"));
            }
        });
        let mut history = History::default();
        for job in &jobs {
            let session = format!("{self}, {:?} with seed {}", job.isolation, job.seed);
            history.add(&session, Log::read(&job.log).unwrap());
        }
        history
    }
}

/// Plays all combinations of a database and some levels, one after the other.
fn play_all<S>(dialect: Dialect, database: &str, levels: &[Level])
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let mut seed = number("KOGIA_SEED", 1);
    let mut check = |level, (kind, has_tier)| {
        seed += 1;
        let combination = Combination {
            dialect,
            level,
            kind,
            has_tier,
            seed,
        };
        runtime().block_on(begin_again::<S>(database));
        let begun = Instant::now();
        let history = combination.play::<S>(database);
        println!(
            "{combination}: {} reads checked, {} writes, {} of {} reads were hits, {:?}",
            history.checked(),
            history.writes,
            history.hits,
            history.reads,
            begun.elapsed()
        );
        let result = history.check();
        (combination, history, result)
    };
    for level in levels {
        for store in STORES {
            let (combination, history, result) = check(*level, store);
            if let Err(impossible) = result {
                panic!("{impossible}");
            }
            // A cache that always goes to the database, or a test that never writes, would pass.
            assert!(history.writes > 20, "{combination}: too few writes");
            assert!(history.hits > 30, "{combination}: too few hits");
        }
    }
    // And the check must be able to fail.
    let (combination, _, result) = check(levels[0], (Kind::Apart, false));
    let Err(impossible) = result else {
        panic!("{combination}: nobody notices stores that know nothing of each other");
    };
    println!("{impossible}");
}

/// All rows have version 0 again, as a history supposes.
async fn begin_again<S: Server>(database: &str) {
    let mut connection = Bare::<S>::open(database, Locks::Wait).await.unwrap();
    connection.run("UPDATE cell SET version = 0").await.unwrap();
    connection.close().await;
}

fn on_server<S>(dialect: Dialect)
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let server = server_url(dialect).unwrap_or_else(|error| panic!("{error}"));
    let setup = setup(ROWS);
    let made = fresh_database::<S>(dialect, &server, "kogia_combinations", &setup);
    let database = runtime().block_on(made).unwrap();
    play_all::<S>(dialect, &database, &Level::ALL);
}

#[test]
fn postgres_at_every_level_behind_every_store() {
    on_server::<Postgres>(Dialect::Postgres);
}

#[test]
fn mysql_at_every_level_behind_every_store() {
    on_server::<MySql>(Dialect::MySql);
}

/// It has one level, in two ways: of who comes second in a rollback journal, either waits.
#[test]
fn sqlite_with_every_journal_behind_every_store() {
    for journal in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().unwrap();
        let database = url(&folder.path().join("database"));
        runtime().block_on(async {
            let mut connection = Bare::<Sqlite>::open(&database, Locks::Wait).await.unwrap();
            let journal = format!("PRAGMA journal_mode = {journal}");
            connection.run(&journal).await.unwrap();
            for sql in setup(ROWS) {
                connection.run(&sql).await.unwrap();
            }
            connection.close().await;
        });
        play_all::<Sqlite>(Dialect::Sqlite, &database, &[Level::Serializable]);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}
