//! One of several processes that share a database and a store.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use kogia::core::{DatabaseId, Dialect};
use kogia::{Cache, DatabaseConfig};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use crate::connection::Locks;
use crate::engine::{Drive, Engine, Point};
use crate::front::Recorder;
use crate::mix::{self, Job};
use crate::mutant::Mutant;

/// What a process is to do, as its only argument in JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// The URL of the store.
    pub store: String,
    /// The file of the database.
    pub database: PathBuf,
    /// What its session does.
    pub job: Job,
    /// What it does wrong, if anything.
    pub mutant: Option<Mutant>,
    /// When it is to die by `kill -9`, if not at its end.
    pub death: Option<Death>,
}

/// When a process dies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Death {
    /// The nth time that it passes a point with a statement that begins with a word.
    At {
        /// The point.
        point: Point,
        /// How the statement begins.
        word: String,
        /// Which time, counted from 1.
        times: u32,
    },
    /// Some time after its start, wherever it is.
    After(Duration),
}

impl Orders {
    /// Starts a process with these orders, from the program that obeys them.
    pub fn start(&self, program: &Path) -> std::io::Result<Child> {
        let orders = serde_json::to_string(self).map_err(std::io::Error::other)?;
        Command::new(program).arg(orders).spawn()
    }

    /// Obeys, in this process.
    pub async fn obey(self) -> Result<(), String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let mut drive = Drive {
            mutant: self.mutant,
            locks: Some(Locks::Wait),
            ..Drive::default()
        };
        match self.death {
            Some(Death::After(delay)) => {
                // The moment of an accident: nothing waits for it.
                std::thread::spawn(move || {
                    std::thread::sleep(delay);
                    die();
                });
            }
            Some(Death::At { point, word, times }) => {
                let passed = Cell::new(0);
                drive.passing = Some(Box::new(move |at, sql| {
                    if at == point && sql.starts_with(&word) {
                        passed.set(passed.get() + 1);
                        if passed.get() == times {
                            die();
                        }
                    }
                }));
            }
            None => {}
        }
        let recorder = Recorder::default();
        let builder = Cache::builder()
            .url(&self.store)
            .map_err(|error| text(&error))?;
        let cache = recorder.attach(builder).build();
        let url = crate::sqlite::url(&self.database);
        let engine =
            Engine::<sqlx::Sqlite>::new(&cache, config(&self.database), &url, &recorder, drive)
                .await
                .map_err(|error| text(&error))?;
        mix::run(&engine, Dialect::Sqlite, &self.job).await
    }
}

/// How all processes describe the database.
pub fn config(database: &Path) -> DatabaseConfig {
    let id = DatabaseId::new(format!("sqlite:{}", database.display()));
    DatabaseConfig::new(id, Dialect::Sqlite)
}

fn die() {
    // There is nobody left to hear of a failure.
    let _ = kill_process(getpid(), Signal::KILL);
}
