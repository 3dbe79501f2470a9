//! A mix of reads and writes whose history can be checked: what each of many sessions does.

use std::path::PathBuf;
use std::time::Duration;

use kogia::core::Dialect;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::front::{FrontEnd, outcome_kind};
use crate::history::{Log, Nanos, Record, now};
use crate::step::{Expect, Statement};
use crate::value::{Answer, Param, Row};

/// What makes the table of the mix, with this many rows.
pub fn setup(rows: u64) -> Vec<String> {
    let mut setup = vec![
        "CREATE TABLE cell (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)".to_owned(),
        "CREATE VIEW shown AS SELECT id, version FROM cell".to_owned(),
    ];
    setup.extend((0..rows).map(|row| format!("INSERT INTO cell VALUES ({row}, 0)")));
    setup
}

/// What one session does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// How many reads and writes.
    pub operations: u64,
    /// What they are is random.
    pub seed: u64,
    /// How many rows the table has; even, because pairs are written together.
    pub rows: u64,
    /// How many of a hundred operations write.
    pub writes: u32,
    /// How many of a thousand statements are given up while they run.
    pub impatience: u32,
    /// Whether the session may have transactions; without, it cannot write.
    pub transactions: bool,
    /// Where the session writes down what it did and saw.
    pub log: PathBuf,
}

/// Does the job. An error is a failure of the log or of the connection: a statement that the
/// database refuses is part of the mix.
pub async fn run<F: FrontEnd>(front: &F, dialect: Dialect, job: &Job) -> Result<(), String> {
    let mut mix = Mix::<F> {
        session: front.connect().await,
        given_up: false,
        impatience: job.impatience,
        log: Log::open(&job.log).map_err(|error| error.to_string())?,
        rng: StdRng::seed_from_u64(job.seed),
        dialect,
        rows: job.rows,
    };
    for _ in 0..job.operations {
        let writes = job.transactions && mix.rng.random_range(0..100) < job.writes;
        match (writes, mix.rng.random_range(0..10)) {
            (true, _) => mix.write().await?,
            (false, 0) => mix.read_sum().await?,
            (false, 1) if job.transactions => mix.read_in_transaction().await?,
            (false, kind) => mix.read_rows(kind).await?,
        }
        if std::mem::take(&mut mix.given_up) {
            // Nobody knows what its connection is doing.
            mix.session = front.connect().await;
        }
    }
    let outcomes = front.recorder().take();
    let hit = |outcome: &kogia::ReadOutcome| outcome_kind(outcome) == Expect::Hit;
    mix.note(&Record::Hits {
        hits: outcomes.iter().filter(|(_, outcome)| hit(outcome)).count() as u64,
        reads: outcomes.len() as u64,
    })
}

struct Mix<F: FrontEnd> {
    session: F::Session,
    /// Whether a statement was given up, so that the session is of no use.
    given_up: bool,
    impatience: u32,
    log: Log,
    rng: StdRng,
    dialect: Dialect,
    rows: u64,
}

impl<F: FrontEnd> Mix<F> {
    /// A version is one more than the one before, whoever wrote that: read and written under a
    /// lock.
    async fn write(&mut self) -> Result<(), String> {
        let first = self.rng.random_range(0..self.rows / 2) * 2;
        let (begin, lock) = match self.dialect {
            Dialect::Sqlite => ("BEGIN IMMEDIATE", ""),
            _ => ("BEGIN", " ORDER BY id FOR UPDATE"),
        };
        if self.execute(begin, &[]).await.is_err() {
            return Ok(());
        }
        let query = format!("SELECT {ID}, {VERSION} FROM cell WHERE id IN ({{}}, {{}}){lock}");
        let Ok(rows) = self.read(&query, &[first, first + 1]).await else {
            return self.give_up().await;
        };
        let Some((_, version)) = pairs(&rows)?.first().copied() else {
            return Err("a row is missing".to_owned());
        };
        let version = version + 1;
        let update = match self.rng.random_range(0..3) {
            0 => "UPDATE cell SET version = {} WHERE id = {} OR id = {}",
            1 => "UPDATE cell SET version = {} WHERE id IN ({}, {})",
            _ => "UPDATE cell SET version = {} WHERE id BETWEEN {} AND {}",
        };
        if self
            .execute(update, &[version, first, first + 1])
            .await
            .is_err()
        {
            return self.give_up().await;
        }
        if self.rng.random_range(0..8) == 0 {
            return self.give_up().await;
        }
        self.note(&Record::Writes {
            start: now(),
            rows: vec![first, first + 1],
            version,
        })?;
        match self.execute("COMMIT", &[]).await {
            Ok(_) => self.note(&Record::Wrote { end: now() }),
            // It may be committed or not.
            Err(_) if self.given_up => Ok(()),
            Err(_) => {
                self.execute("ROLLBACK", &[]).await.ok();
                self.note(&Record::Failed)
            }
        }
    }

    /// A rollback; a database that rolled back by itself refuses it.
    async fn give_up(&mut self) -> Result<(), String> {
        self.execute("ROLLBACK", &[]).await.ok();
        Ok(())
    }

    async fn read_rows(&mut self, kind: i32) -> Result<(), String> {
        let first = self.rng.random_range(0..self.rows / 2) * 2;
        let start = now();
        let answer = match kind {
            1..5 => {
                let query = format!("SELECT {ID}, {VERSION} FROM cell WHERE id = {{}}");
                self.read(&query, &[first]).await
            }
            5..8 => {
                let query = format!(
                    "SELECT {ID}, {VERSION} FROM cell WHERE id IN ({{}}, {{}}) ORDER BY id"
                );
                self.read(&query, &[first, first + 1]).await
            }
            8 => {
                let query = format!("SELECT {ID}, {VERSION} FROM shown WHERE id = {{}}");
                self.read(&query, &[first + 1]).await
            }
            _ => {
                self.read(&format!("SELECT {ID}, {VERSION} FROM cell"), &[])
                    .await
            }
        };
        self.note_rows(start, answer)
    }

    async fn read_sum(&mut self) -> Result<(), String> {
        let start = now();
        let answer = self
            .read("SELECT CAST(sum(version) AS CHAR(20)) FROM cell", &[])
            .await;
        let Ok(rows) = answer else { return Ok(()) };
        let cell = rows.first().and_then(|row| row.0.first());
        let sum = cell.and_then(crate::value::Cell::number);
        self.note(&Record::SawSum {
            start,
            end: now(),
            sum: sum.ok_or("the sum is no number")?,
        })
    }

    /// Two queries of one snapshot see one state.
    async fn read_in_transaction(&mut self) -> Result<(), String> {
        let first = self.rng.random_range(0..self.rows / 2) * 2;
        let begin = match self.dialect {
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Dialect::MySql => "START TRANSACTION",
            Dialect::Sqlite => "BEGIN",
        };
        let start = now();
        if self.execute(begin, &[]).await.is_err() {
            return Ok(());
        }
        let query = format!("SELECT {ID}, {VERSION} FROM cell WHERE id = {{}}");
        let one = self.read(&query, &[first]).await;
        let two = self.read(&query, &[first + 1]).await;
        let again = self.read(&query, &[first]).await;
        self.execute("COMMIT", &[]).await.ok();
        let (Ok(mut rows), Ok(two), Ok(again)) = (one, two, again) else {
            return Ok(());
        };
        if rows != again {
            return Err(format!("a snapshot saw {rows:?} and then {again:?}"));
        }
        rows.extend(two);
        self.note_rows(start, Ok(rows))
    }

    fn note_rows(&mut self, start: Nanos, answer: Answer) -> Result<(), String> {
        let Ok(rows) = answer else { return Ok(()) };
        let rows = pairs(&rows)?;
        self.note(&Record::Saw {
            start,
            end: now(),
            rows,
        })
    }

    fn note(&mut self, record: &Record) -> Result<(), String> {
        self.log.add(record).map_err(|error| error.to_string())
    }

    async fn read(&mut self, sql: &str, values: &[u64]) -> Answer {
        let statement = self.statement(sql, values);
        let patience = self.patience()?;
        let answer = self.session.read(&statement, async || {});
        let answer = tokio::time::timeout(patience, answer).await;
        answer.unwrap_or_else(|_| self.gives_up())
    }

    async fn execute(&mut self, sql: &str, values: &[u64]) -> Answer {
        let statement = self.statement(sql, values);
        let patience = self.patience()?;
        let answer = self.session.execute(&statement, async || {});
        let answer = tokio::time::timeout(patience, answer).await;
        answer.unwrap_or_else(|_| self.gives_up())
    }

    /// How long to wait for an answer; an error if the session is of no use any more.
    fn patience(&mut self) -> Result<Duration, String> {
        if self.given_up {
            return Err("the session was given up".to_owned());
        }
        let impatient = self.rng.random_range(0..1000) < self.impatience;
        Ok(match impatient {
            true => Duration::from_micros(self.rng.random_range(0..400)),
            false => Duration::from_secs(60),
        })
    }

    fn gives_up(&mut self) -> Answer {
        self.given_up = true;
        Err("nobody waits for the answer".to_owned())
    }

    /// The text with `{}` as the dialect writes parameters.
    fn statement(&self, sql: &str, values: &[u64]) -> Statement {
        let mut text = String::new();
        for (index, part) in sql.split("{}").enumerate() {
            match (index, self.dialect) {
                (0, _) => {}
                (_, Dialect::Postgres) => text.push_str(&format!("${index}")),
                _ => text.push('?'),
            }
            text.push_str(part);
        }
        let parameter = |value: &u64| Param::Int(*value as i64);
        Statement {
            parameters: values.iter().map(parameter).collect(),
            ..Statement::new(text)
        }
    }
}

/// Numbers as text, which all databases write alike.
const ID: &str = "CAST(id AS CHAR(20))";
const VERSION: &str = "CAST(version AS CHAR(20))";

/// Row and version of each row of a result.
fn pairs(rows: &[Row]) -> Result<Vec<(u64, u64)>, String> {
    let pair = |row: &Row| Some((row.0.first()?.number()?, row.0.get(1)?.number()?));
    let pairs = rows.iter().map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| format!("{rows:?} are no versions"))
}
