//! One of several processes that share a database and a store.

use std::cell::Cell;
use std::path::Path;
use std::process::{Child, Command};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_sqlx::Driver;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, IntoArguments};

use crate::accident::{Accident, Perilous};
use crate::connection::{Locks, Server};
use crate::engine::{Drive, Engine, Point};
use crate::front::Recorder;
use crate::mix::{self, Job};
use crate::mutant::Mutant;
use crate::value::Row;
use crate::wrapped::Wrapped;

/// What a process is to do, as its only argument in JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// The URL of the store.
    pub store: String,
    /// The name of the database's dialect.
    pub dialect: String,
    /// The URL of the database.
    pub database: String,
    /// Whether the engine is driven by hand, which only SQLite can be, or kogia-sqlx is used.
    pub by_hand: bool,
    /// What its session does.
    pub job: Job,
    /// What the engine driven by hand does wrong, if anything.
    pub mutant: Option<Mutant>,
    /// When it is to die by `kill -9`, if not at its end.
    pub death: Option<Death>,
    /// What befalls it at its store.
    pub accident: Option<Accident>,
    /// How long its marks stand, if not as long as usual.
    pub lease: Option<Duration>,
}

/// When a process dies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Death {
    /// The nth time that the engine driven by hand passes a point with a statement that begins
    /// with a word.
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
        if let Some(Death::After(delay)) = self.death {
            // The moment of an accident: nothing waits for it.
            std::thread::spawn(move || {
                std::thread::sleep(delay);
                die();
            });
        }
        let recorder = Recorder::default();
        let mut builder = Cache::builder().url(&self.store).map_err(text)?;
        if let Some(accident) = self.accident {
            let store = Arc::clone(builder.build().store());
            builder = Cache::builder().store(Arc::new(Perilous::new(store, accident)));
        }
        if let Some(lease) = self.lease {
            builder = builder.lease(lease);
        }
        let cache = recorder.attach(builder).build();
        match Dialect::from_str(&self.dialect).map_err(text)? {
            Dialect::Sqlite if self.by_hand => self.by_hand(&cache, &recorder).await,
            Dialect::Sqlite => self.through_sqlx::<sqlx::Sqlite>(&cache, &recorder).await,
            Dialect::Postgres => self.through_sqlx::<sqlx::Postgres>(&cache, &recorder).await,
            Dialect::MySql => self.through_sqlx::<sqlx::MySql>(&cache, &recorder).await,
        }
    }

    async fn by_hand(self, cache: &Cache, recorder: &Recorder) -> Result<(), String> {
        let mut drive = Drive {
            mutant: self.mutant,
            locks: Some(Locks::Wait),
            ..Drive::default()
        };
        if let Some(Death::At { point, word, times }) = self.death {
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
        let engine = Engine::<sqlx::Sqlite>::new(cache, &self.database, recorder, drive).await;
        mix::run(&engine.map_err(text)?, Dialect::Sqlite, &self.job).await
    }

    async fn through_sqlx<S>(self, cache: &Cache, recorder: &Recorder) -> Result<(), String>
    where
        S: Server + Driver,
        S::Arguments: IntoArguments<S>,
        Row: for<'r> FromRow<'r, S::Row>,
    {
        let url = &self.database;
        let wrapped = Wrapped::<S>::new(cache, url, Locks::Wait, recorder, false).await;
        let dialect = Dialect::from_str(&self.dialect).map_err(text)?;
        mix::run(&wrapped.map_err(text)?, dialect, &self.job).await
    }
}

fn text(error: impl std::error::Error) -> String {
    error.to_string()
}

fn die() {
    // There is nobody left to hear of a failure.
    let _ = kill_process(getpid(), Signal::KILL);
}
