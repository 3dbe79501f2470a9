//! Pairs of SQLite databases for cases.

use std::cell::Cell;
use std::path::Path;

use kogia::{Cache, CacheBuilder};
use sqlx::Sqlite;
use tempfile::TempDir;

use crate::case::Case;
use crate::connection::{Bare, Locks};
use crate::engine::{Drive, Engine};
use crate::front::{FrontEnd, Recorder};
use crate::mutant::Mutant;
use crate::run::{Difference, Outcomes, Wrong, run_steps};
use crate::wrapped::Wrapped;

/// What cases go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The engine, driven by hand, perhaps wrongly.
    Engine(Option<Mutant>),
    /// kogia-sqlx, with a connection for each session.
    Connections,
    /// kogia-sqlx, where the first session uses the pool itself: it must have no transactions.
    Pool,
}

/// Runs cases of SQLite, one after the other, with one cache for all.
pub struct Lab {
    folder: TempDir,
    cache: Cache,
    recorder: Recorder,
    through: Through,
    runtime: tokio::runtime::Runtime,
    /// How many cases have run: every one has databases of its own.
    count: Cell<u64>,
}

impl Lab {
    /// A laboratory whose cache is built from this.
    pub fn new(cache: CacheBuilder, through: Through) -> std::io::Result<Self> {
        let recorder = Recorder::default();
        Ok(Lab {
            folder: tempfile::tempdir()?,
            cache: recorder.attach(cache).build(),
            recorder,
            through,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            count: Cell::new(0),
        })
    }

    /// Runs a case. With `strict`, its setup must succeed.
    pub fn run(&self, case: &Case, strict: bool) -> Result<Outcomes, Difference> {
        self.count.set(self.count.get() + 1);
        let path = |world: &str| {
            let name = format!("{world}{}", self.count.get());
            self.folder.path().join(name)
        };
        let (bare, cached) = (path("bare"), path("cached"));
        let run = async {
            for path in [&bare, &cached] {
                prepare(path, case, strict).await.map_err(trouble)?;
            }
            self.compare(case, &bare, &cached).await
        };
        let result = self.runtime.block_on(run);
        for path in [bare, cached] {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                // Whatever is left goes with the folder.
                drop(std::fs::remove_file(name));
            }
        }
        result
    }

    async fn compare(
        &self,
        case: &Case,
        bare: &Path,
        cached: &Path,
    ) -> Result<Outcomes, Difference> {
        let mut sessions = Vec::new();
        for _ in 0..case.sessions() {
            let opened = Bare::<Sqlite>::open(&url(bare), Locks::Fail).await;
            sessions.push(opened.map_err(|error| trouble(error.to_string()))?);
        }
        let url = url(cached);
        match self.through {
            Through::Engine(mutant) => {
                let drive = Drive {
                    mutant,
                    ..Drive::default()
                };
                let engine = Engine::<Sqlite>::new(&self.cache, &url, &self.recorder, drive)
                    .await
                    .map_err(|error| trouble(error.to_string()))?;
                let result = run_through(case, &mut sessions, &engine).await;
                engine.close().await;
                result
            }
            Through::Connections | Through::Pool => {
                let pool_first = self.through == Through::Pool;
                let recorder = &self.recorder;
                let wrapped =
                    Wrapped::<Sqlite>::new(&self.cache, &url, Locks::Fail, recorder, pool_first)
                        .await
                        .map_err(|error| trouble(error.to_string()))?;
                let result = run_through(case, &mut sessions, &wrapped).await;
                wrapped.close().await;
                result
            }
        }
    }
}

async fn run_through<F: FrontEnd>(
    case: &Case,
    bare: &mut [Bare<Sqlite>],
    front: &F,
) -> Result<Outcomes, Difference> {
    let mut through = Vec::new();
    for _ in 0..case.sessions() {
        through.push(front.connect().await);
    }
    run_steps(case, bare, &mut through, front).await
}

async fn prepare(path: &Path, case: &Case, strict: bool) -> Result<(), String> {
    let opened = Bare::<Sqlite>::open(&url(path), Locks::Fail).await;
    let mut connection = opened.map_err(|error| error.to_string())?;
    let wal = ["PRAGMA journal_mode = WAL".to_owned()];
    for sql in wal.iter().chain(&case.setup) {
        let answer = connection.run(sql).await;
        if let (true, Err(error)) = (strict, answer) {
            return Err(format!("{sql}: {error}"));
        }
    }
    // What a connection does when it is dropped, it does later, and holds locks.
    connection.close().await;
    Ok(())
}

fn trouble(error: String) -> Difference {
    Difference {
        step: usize::MAX,
        what: Wrong::Setup(error),
        outcome: None,
    }
}

/// The URL of a database file, which is made if it is not there.
pub fn url(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}
