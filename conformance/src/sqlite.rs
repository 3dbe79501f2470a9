//! Pairs of SQLite databases for cases.

use std::path::Path;

use kogia::core::{DatabaseId, Dialect};
use kogia::{Cache, CacheBuilder, DatabaseConfig};
use sqlx::Sqlite;
use tempfile::TempDir;

use crate::case::Case;
use crate::connection::{Bare, Locks};
use crate::engine::{Drive, Engine};
use crate::front::{FrontEnd, Recorder};
use crate::mutant::Mutant;
use crate::run::{Difference, Outcomes, Wrong, run_steps};

/// Runs cases of SQLite through the engine, one after the other, with one cache for all.
pub struct Lab {
    folder: TempDir,
    cache: Cache,
    recorder: Recorder,
    mutant: Option<Mutant>,
    runtime: tokio::runtime::Runtime,
    /// How many cases have run: every one has databases of its own.
    count: std::cell::Cell<u64>,
}

impl Lab {
    /// A laboratory whose cache is built from this.
    pub fn new(cache: CacheBuilder, mutant: Option<Mutant>) -> std::io::Result<Self> {
        let recorder = Recorder::default();
        Ok(Lab {
            folder: tempfile::tempdir()?,
            cache: recorder.attach(cache).build(),
            recorder,
            mutant,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            count: std::cell::Cell::new(0),
        })
    }

    /// Runs a case. With `strict`, its setup must succeed.
    pub fn run(&self, case: &Case, strict: bool) -> Result<Outcomes, Difference> {
        self.count.set(self.count.get() + 1);
        let path = |world: &str| {
            self.folder
                .path()
                .join(format!("{world}{}", self.count.get()))
        };
        let (bare, cached) = (path("bare"), path("cached"));
        let result = self
            .runtime
            .block_on(self.run_on(case, strict, &bare, &cached));
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

    async fn run_on(
        &self,
        case: &Case,
        strict: bool,
        bare: &Path,
        cached: &Path,
    ) -> Result<Outcomes, Difference> {
        let trouble = |error: String| Difference {
            step: case.steps.len(),
            what: Wrong::Setup(error),
            outcome: None,
        };
        for path in [bare, cached] {
            let url = url(path);
            let opened = Bare::<Sqlite>::open(&url, Locks::Fail).await;
            let mut connection = opened.map_err(|error| trouble(error.to_string()))?;
            let wal = ["PRAGMA journal_mode = WAL".to_owned()];
            for sql in wal.iter().chain(&case.setup) {
                let answer = connection.run(sql).await;
                if let (true, Err(error)) = (strict, answer) {
                    return Err(trouble(format!("{sql}: {error}")));
                }
            }
            // What a connection does when it is dropped, it does later, and holds locks.
            connection.close().await;
        }
        let mut sessions = Vec::new();
        for _ in 0..case.sessions() {
            let opened = Bare::<Sqlite>::open(&url(bare), Locks::Fail).await;
            sessions.push(opened.map_err(|error| trouble(error.to_string()))?);
        }
        let id = DatabaseId::new(cached.to_string_lossy().into_owned());
        let config = DatabaseConfig::new(id, Dialect::Sqlite);
        let drive = Drive {
            mutant: self.mutant,
            ..Drive::default()
        };
        let engine = Engine::<Sqlite>::new(
            &self.cache,
            config,
            &url(cached),
            &self.recorder,
            drive,
        )
        .await
        .map_err(|error| trouble(error.to_string()))?;
        let mut through = Vec::new();
        for _ in 0..case.sessions() {
            through.push(engine.connect().await);
        }
        run_steps(case, &mut sessions, &mut through, &engine).await
    }
}

/// The URL of a database file, which is made if it is not there.
pub fn url(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}
