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
        "CREATE TABLE cell (id INTEGER PRIMARY KEY, version BIGINT NOT NULL)".to_owned(),
        "CREATE VIEW shown AS SELECT id, version FROM cell".to_owned(),
    ];
    setup.extend((0..rows).map(|row| format!("INSERT INTO cell VALUES ({row}, 0)")));
    setup
}

/// An isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Sees what is not committed, on some databases.
    ReadUncommitted,
    /// Each statement sees what was committed when it began.
    ReadCommitted,
    /// All statements of a transaction see the same.
    RepeatableRead,
    /// The same, as if there was one transaction after the other.
    Serializable,
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 4] = [
        Level::ReadUncommitted,
        Level::ReadCommitted,
        Level::RepeatableRead,
        Level::Serializable,
    ];

    fn sql(self) -> &'static str {
        match self {
            Level::ReadUncommitted => "READ UNCOMMITTED",
            Level::ReadCommitted => "READ COMMITTED",
            Level::RepeatableRead => "REPEATABLE READ",
            Level::Serializable => "SERIALIZABLE",
        }
    }
}

/// How a session comes to an isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// It names none when it writes, and has snapshots when it reads in a transaction.
    Snapshots,
    /// It has one, once and for all.
    Session(Level),
    /// Each of its transactions names one.
    Transactions(Level),
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
    /// The isolation level of its transactions. SQLite has but one.
    pub isolation: Isolation,
    /// Where the session writes down what it did and saw.
    pub log: PathBuf,
}

/// Does the job. An error is a failure of the log or of the connection: a statement that the
/// database refuses is part of the mix.
pub async fn run<F: FrontEnd>(front: &F, dialect: Dialect, job: &Job) -> Result<(), String> {
    let mut mix = Mix::<F> {
        session: front.connect().await,
        given_up: false,
        isolation: job.isolation,
        impatience: job.impatience,
        log: Log::open(&job.log).map_err(|error| error.to_string())?,
        rng: StdRng::seed_from_u64(job.seed),
        dialect,
        rows: job.rows,
    };
    mix.greet().await?;
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
            mix.greet().await?;
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
    isolation: Isolation,
    impatience: u32,
    log: Log,
    rng: StdRng,
    dialect: Dialect,
    rows: u64,
}

impl<F: FrontEnd> Mix<F> {
    /// Gives a new session its isolation level.
    async fn greet(&mut self) -> Result<(), String> {
        let Isolation::Session(level) = self.isolation else {
            return Ok(());
        };
        let set = match self.dialect {
            Dialect::Postgres => "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL",
            Dialect::MySql => "SET SESSION TRANSACTION ISOLATION LEVEL",
            Dialect::Sqlite => return Ok(()),
        };
        self.execute(&format!("{set} {}", level.sql()), &[]).await?;
        Ok(())
    }

    /// Begins a transaction that is to write, or to have a snapshot if the session names no level.
    async fn begin(&mut self, writes: bool) -> Result<(), String> {
        let begin = match (self.dialect, self.isolation) {
            (Dialect::Sqlite, _) if writes => "BEGIN IMMEDIATE".to_owned(),
            (Dialect::Postgres, Isolation::Snapshots) if !writes => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ".to_owned()
            }
            (Dialect::Postgres, Isolation::Transactions(level)) => {
                format!("BEGIN ISOLATION LEVEL {}", level.sql())
            }
            (Dialect::MySql, Isolation::Transactions(level)) => {
                let set = format!("SET TRANSACTION ISOLATION LEVEL {}", level.sql());
                self.execute(&set, &[]).await?;
                "START TRANSACTION".to_owned()
            }
            _ => "BEGIN".to_owned(),
        };
        self.execute(&begin, &[]).await?;
        Ok(())
    }

    /// A version is a time: no other write has it, not even one that was rolled back. It is newer
    /// than the one before, whoever wrote that, because it is taken under a lock.
    async fn write(&mut self) -> Result<(), String> {
        let first = self.rng.random_range(0..self.rows / 2) * 2;
        let lock = match self.dialect {
            Dialect::Sqlite => "",
            _ => " ORDER BY id FOR UPDATE",
        };
        if self.begin(true).await.is_err() {
            return Ok(());
        }
        let query = format!("SELECT {ID}, {VERSION} FROM cell WHERE id IN ({{}}, {{}}){lock}");
        let Ok(rows) = self.read(&query, &[first, first + 1]).await else {
            return self.give_up().await;
        };
        let Some((_, before)) = pairs(&rows)?.first().copied() else {
            return Err("a row is missing".to_owned());
        };
        let version = now().max(before + 1);
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
        // A transaction that cannot be serialized says so here, and is over.
        let Ok(rows) = self.read(&by_key(), &[first]).await else {
            return self.give_up().await;
        };
        if pairs(&rows)? != [(first, version)] {
            return Err(format!(
                "who wrote version {version} of row {first} saw {rows:?}"
            ));
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
        let (query, values) = match kind {
            1..5 => (by_key(), vec![first]),
            5..8 => (
                format!("SELECT {ID}, {VERSION} FROM cell WHERE id IN ({{}}, {{}}) ORDER BY id"),
                vec![first, first + 1],
            ),
            8 => (
                format!("SELECT {ID}, {VERSION} FROM shown WHERE id = {{}}"),
                vec![first + 1],
            ),
            _ => (format!("SELECT {ID}, {VERSION} FROM cell"), Vec::new()),
        };
        let start = now();
        let answer = self.read(&query, &values).await;
        let is_dirty = self.dirties(matches!(self.isolation, Isolation::Session(_)));
        self.note_rows(&query, start, answer, is_dirty)
    }

    async fn read_sum(&mut self) -> Result<(), String> {
        let start = now();
        let answer = self
            .read("SELECT CAST(sum(version) AS CHAR(20)) FROM cell", &[])
            .await;
        let Ok(rows) = answer else { return Ok(()) };
        let cell = rows.first().and_then(|row| row.0.first());
        let sum = cell.and_then(crate::value::Cell::number);
        if self.dirties(matches!(self.isolation, Isolation::Session(_))) {
            return Ok(());
        }
        self.note(&Record::SawSum {
            start,
            end: now(),
            sum: sum.ok_or("the sum is no number")?,
        })
    }

    /// Queries of one snapshot see one state; of another transaction, each sees what is committed.
    async fn read_in_transaction(&mut self) -> Result<(), String> {
        let first = self.rng.random_range(0..self.rows / 2) * 2;
        let start = now();
        if self.begin(false).await.is_err() {
            return self.give_up().await;
        }
        let query = by_key();
        let is_dirty = self.dirties(true);
        let mut answers = Vec::new();
        for row in [first, first + 1, first] {
            let start = now();
            let answer = self.read(&query, &[row]).await;
            if !self.has_snapshots() {
                self.note_rows(&query, start, answer.clone(), is_dirty)?;
            }
            answers.push(answer);
        }
        if self.execute("COMMIT", &[]).await.is_err() {
            self.give_up().await?;
        }
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>();
        let (true, Ok([rows, two, again])) = (self.has_snapshots(), answers.as_deref()) else {
            return Ok(());
        };
        if rows != again {
            return Err(format!("a snapshot saw {rows:?} and then {again:?}"));
        }
        let rows = [rows.as_slice(), two].concat();
        self.note_rows(&query, start, Ok(rows), false)
    }

    /// Whether all of a transaction sees what was committed when it began.
    fn has_snapshots(&self) -> bool {
        match self.isolation {
            Isolation::Session(level) | Isolation::Transactions(level) => {
                self.dialect == Dialect::Sqlite
                    || matches!(level, Level::RepeatableRead | Level::Serializable)
            }
            Isolation::Snapshots => true,
        }
    }

    /// Whether statements see what is not committed, if they run at the session's level.
    fn dirties(&self, at_level: bool) -> bool {
        let uncommitted = matches!(
            self.isolation,
            Isolation::Session(Level::ReadUncommitted)
                | Isolation::Transactions(Level::ReadUncommitted)
        );
        // PostgreSQL takes it for READ COMMITTED.
        at_level && uncommitted && self.dialect == Dialect::MySql
    }

    fn note_rows(
        &mut self,
        query: &str,
        start: Nanos,
        answer: Answer,
        is_dirty: bool,
    ) -> Result<(), String> {
        let Ok(rows) = answer else { return Ok(()) };
        self.note(&Record::Saw {
            query: query.to_owned(),
            start,
            end: now(),
            rows: pairs(&rows)?,
            is_dirty,
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
        self.note_refusal(&statement, answer)
    }

    async fn execute(&mut self, sql: &str, values: &[u64]) -> Answer {
        let statement = self.statement(sql, values);
        let patience = self.patience()?;
        let answer = self.session.execute(&statement, async || {});
        let answer = tokio::time::timeout(patience, answer).await;
        self.note_refusal(&statement, answer)
    }

    /// Writes down what was refused, unless nobody waited for the answer.
    fn note_refusal(
        &mut self,
        statement: &Statement,
        answer: Result<Answer, tokio::time::error::Elapsed>,
    ) -> Answer {
        let Ok(answer) = answer else {
            return self.gives_up();
        };
        if let Err(error) = &answer {
            let refused = Record::Refused {
                statement: statement.to_string(),
                error: error.clone(),
            };
            self.note(&refused)?;
        }
        answer
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
            is_kept: true,
            ..Statement::new(text)
        }
    }
}

/// Numbers as text, which all databases write alike.
const ID: &str = "CAST(id AS CHAR(20))";
const VERSION: &str = "CAST(version AS CHAR(20))";

fn by_key() -> String {
    format!("SELECT {ID}, {VERSION} FROM cell WHERE id = {{}}")
}

/// Row and version of each row of a result.
fn pairs(rows: &[Row]) -> Result<Vec<(u64, u64)>, String> {
    let pair = |row: &Row| Some((row.0.first()?.number()?, row.0.get(1)?.number()?));
    let pairs = rows.iter().map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| format!("{rows:?} are no versions"))
}
