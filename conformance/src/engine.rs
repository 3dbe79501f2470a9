//! The engine driven by hand: a front end that does nothing but what the engine asks for, and,
//! for a mutant, one thing wrong.

use std::cell::RefCell;
use std::rc::Rc;

use kogia::core::{Outcome, Parameter};
use kogia::{Backend, Cache, Database, Query, QueryOptions, WriteError};
use kogia_sqlx::{CachedPool, Driver};

use crate::connection::{Bare, Connection, Locks, Server};
use crate::front::{FrontEnd, Recorder};
use crate::mutant::Mutant;
use crate::step::Statement;
use crate::value::{Answer, Param, Row};
use crate::wrapped::Wrapped;

/// How an engine is driven.
#[derive(Default)]
pub struct Drive {
    /// What it does wrong.
    pub mutant: Option<Mutant>,
    /// What statements do that meet a lock.
    pub locks: Option<Locks>,
    /// Called on the way, with the text of the statement.
    pub passing: Option<Box<dyn Fn(Point, &str)>>,
}

/// A point on the way of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Point {
    /// Nothing is marked yet.
    BeforeMark,
    /// What the statement commits is marked, and it is not sent yet.
    Marked,
    /// It was sent, and its outcome is known.
    Executed,
    /// The marks are cleared.
    Cleared,
    /// A query is about to be sent.
    BeforeQuery,
    /// The result of a query is there and not stored yet.
    BeforeFill,
    /// The result is stored.
    Filled,
}

/// The engine beside connections of sqlx.
pub struct Engine<S: Server + Driver> {
    shared: Rc<Shared<S>>,
}

struct Shared<S: Server + Driver> {
    database: Database,
    url: String,
    recorder: Recorder,
    mutant: Option<Mutant>,
    locks: Locks,
    passing: Option<Box<dyn Fn(Point, &str)>>,
    /// Loads the catalog, and knows who the database is.
    catalog: CachedPool<S>,
}

impl<S: Server + Driver> Engine<S> {
    /// An engine for the database at a URL. The cache must tell the recorder what happens.
    ///
    /// Identity and catalog come from kogia-sqlx, so that both are front ends of one database.
    pub async fn new(
        cache: &Cache,
        url: &str,
        recorder: &Recorder,
        drive: Drive,
    ) -> Result<Self, sqlx::Error> {
        let locks = drive.locks.unwrap_or(Locks::Fail);
        let aside = Cache::builder().build();
        let catalog = Wrapped::<S>::new(&aside, url, locks, &Recorder::default(), false)
            .await?
            .into_pool();
        Ok(Engine {
            shared: Rc::new(Shared {
                database: cache.database(catalog.database().config().clone()),
                url: url.to_owned(),
                recorder: recorder.clone(),
                mutant: drive.mutant,
                locks,
                passing: drive.passing,
                catalog,
            }),
        })
    }

    /// Closes what loads the catalog.
    pub async fn close(&self) {
        self.shared.catalog.close().await;
    }
}

impl<S: Server + Driver> FrontEnd for Engine<S> {
    type Session = EngineSession<S>;

    #[allow(
        clippy::expect_used,
        reason = "a test cannot go on without its database"
    )]
    async fn connect(&self) -> EngineSession<S> {
        let connection = Bare::open(&self.shared.url, self.shared.locks).await;
        EngineSession {
            session: self.shared.database.session(Backend::Process),
            connection: connection.expect("the database can be opened again"),
            shared: Rc::clone(&self.shared),
            unannounced: RefCell::default(),
        }
    }

    fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }
}

impl<S: Server + Driver> Shared<S> {
    /// What every front end does before a statement: an outdated catalog is loaded again.
    async fn reload_catalog(&self) {
        if !self.database.is_catalog_outdated() {
            return;
        }
        let Ok(Some(reload)) = self.database.reload_catalog() else {
            return;
        };
        // While somebody else has the schema locked, the old catalog stays, and is known as such.
        if self.catalog.reload_catalog().await.is_ok() {
            let mut schema = self.catalog.database().analyzer().schema().clone();
            if let Some(mutant) = self.mutant {
                mutant.distort(&mut schema);
            }
            reload.finish(schema);
        }
    }

    fn pass(&self, point: Point, statement: &Statement) {
        if let Some(passing) = &self.passing {
            passing(point, &statement.sql);
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// A session of the engine beside its connection.
pub struct EngineSession<S: Server + Driver> {
    session: kogia::Session,
    connection: Bare<S>,
    shared: Rc<Shared<S>>,
    /// What [`Mutant::OwnWritesUnknown`] has kept from the session until the commit.
    unannounced: RefCell<Vec<Statement>>,
}

/// The error of a statement, or of the engine.
struct Failure(String);

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Failure(error.to_string())
    }
}

impl<S: Server + Driver> Connection for EngineSession<S> {
    async fn read(&mut self, query: &Statement, meanwhile: impl AsyncFnOnce()) -> Answer {
        self.shared.reload_catalog().await;
        let told = self.told(query);
        let parameters = self.parameters(query);
        let parameters: Vec<Parameter<'_>> = parameters.iter().map(Param::untyped).collect();
        let ask = Query {
            sql: &told,
            parameters: Some(&parameters),
            // A mutant may take two texts for one; their keys must differ nevertheless.
            shape: query.sql.as_bytes(),
            options: &QueryOptions::default(),
        };
        let least = usize::from(self.shared.is(Mutant::GapNeedsNoInserts));
        let shared = &self.shared;
        let encode = |rows: &Vec<Row>| {
            shared.pass(Point::BeforeFill, query);
            Some(kogia::Encoded {
                value: rmp_serde::to_vec(rows).ok()?.into(),
                rows: rows.len().max(least) as u64,
            })
        };
        let mut meanwhile = Some(meanwhile);
        let connection = &mut self.connection;
        let early = if self.shared.is(Mutant::StampAfterQuery) {
            let answer = connection.fetch(query, true).await;
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile().await;
            }
            Some(answer)
        } else {
            None
        };
        let run = async || {
            if let Some(answer) = early {
                return answer.map_err(Failure);
            }
            shared.pass(Point::BeforeQuery, query);
            let answer = connection.fetch(query, true).await;
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile().await;
            }
            answer.map_err(Failure)
        };
        let answer = self.session.read(&ask, run, encode).await;
        if let Some(meanwhile) = meanwhile {
            // It was a hit.
            meanwhile().await;
        }
        match answer {
            Ok(kogia::Answer::Fresh(rows)) => {
                shared.pass(Point::Filled, query);
                Ok(rows)
            }
            Ok(kogia::Answer::Cached(value)) => {
                rmp_serde::from_slice(&value).map_err(|error| format!("a stored value: {error}"))
            }
            Err(Failure(message)) => Err(message),
        }
    }

    async fn execute(&mut self, statement: &Statement, meanwhile: impl AsyncFnOnce()) -> Answer {
        self.shared.reload_catalog().await;
        if self.keeps_quiet(statement) {
            meanwhile().await;
            return self.connection.fetch(statement, false).await;
        }
        let told = self.told(statement);
        let parameters: Vec<Parameter<'_>> =
            statement.parameters.iter().map(Param::untyped).collect();
        self.shared.pass(Point::BeforeMark, statement);
        let running = match self.session.before(&told, &parameters) {
            Ok(running) => running,
            Err(error) => return Err(error.to_string()),
        };
        let edge = EDGES.iter().any(|edge| statement.sql.contains(edge));
        let answer = if self.shared.is(Mutant::InvalidateBefore) && !edge {
            self.session.after(running, Outcome::Done);
            meanwhile().await;
            self.connection.fetch(statement, false).await
        } else {
            meanwhile().await;
            self.shared.pass(Point::Marked, statement);
            let answer = self.connection.fetch(statement, false).await;
            self.shared.pass(Point::Executed, statement);
            let failed = answer.is_err();
            let outcome = if failed {
                Outcome::Failed
            } else {
                Outcome::Done
            };
            self.session.after(running, outcome);
            answer
        };
        self.shared.pass(Point::Cleared, statement);
        self.announce();
        answer
    }
}

impl<S: Server + Driver> EngineSession<S> {
    /// The text that the session is told of.
    fn told(&self, statement: &Statement) -> String {
        let sql = statement.sql.as_str();
        let Some(mutant) = self.shared.mutant else {
            return sql.to_owned();
        };
        let careless = statement.careless.iter().find(|(of, _)| *of == mutant);
        if let Some((_, text)) = careless.filter(|(_, text)| !text.is_empty()) {
            return text.clone();
        }
        let word = sql.split(' ').next().unwrap_or_default();
        let edge = EDGES.contains(&word);
        match mutant {
            Mutant::CommitForgets if word == "COMMIT" || word == "END" => "ROLLBACK".to_owned(),
            Mutant::RollbackToForgets if sql.starts_with("ROLLBACK TO") => {
                "ROLLBACK; BEGIN".to_owned()
            }
            Mutant::SnapshotsShare if edge => "SELECT 1".to_owned(),
            _ => sql.to_owned(),
        }
    }

    fn parameters(&self, query: &Statement) -> Vec<Param> {
        let text = |parameter: &Param| match parameter {
            Param::Text(text) => Param::Text(text.clone()),
            other => Param::Text(other.to_string().trim_matches(['x', '\'']).to_owned()),
        };
        if self.shared.is(Mutant::UntypedKeys) {
            query.parameters.iter().map(text).collect()
        } else {
            query.parameters.clone()
        }
    }

    /// Whether a mutant hides a transaction's write from the session until it commits.
    fn keeps_quiet(&self, statement: &Statement) -> bool {
        let hides = self.shared.is(Mutant::OwnWritesUnknown)
            && self.session.in_transaction()
            && !statement.careless.is_empty();
        if hides {
            self.unannounced.borrow_mut().push(statement.clone());
        }
        hides
    }

    /// Says what was kept quiet, once the transaction is over.
    fn announce(&mut self) {
        if self.session.in_transaction() {
            return;
        }
        for statement in self.unannounced.take() {
            let parameters: Vec<Parameter<'_>> =
                statement.parameters.iter().map(Param::untyped).collect();
            let mut other = self.shared.database.session(Backend::Process);
            if let Ok(running) = other.before(&statement.sql, &parameters) {
                other.after(running, Outcome::Done);
            }
        }
    }
}

/// How texts begin that move a transaction on.
const EDGES: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
