//! What a database says about itself: which one it is, what a fresh session of it is like, and the
//! facts of its schema.
//!
//! No I/O. A front end sends the questions over a connection of its own driver, as plain text
//! without parameters, and hands back the rows as text. So all front ends mean the same database
//! by the same name, and no driver's types matter.
//!
//! In doubt the facts say too much: a trigger whose body is not understood may write anything, a
//! key whose values may have two forms is none, a table whose content may vanish is foreign.

mod mysql;
mod postgres;
mod routine;
mod sqlite;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

use kogia_core::{DatabaseId, Dialect, KeyColumn, KeyKind, Relation, Schema, Trigger, TriggerBody};

use crate::database::DatabaseConfig;
use crate::store::Backend;

/// What a connection says about itself and its database.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The database, and what a fresh session of it is like.
    pub config: DatabaseConfig,
    /// Where a writer on this connection runs.
    pub backend: Backend,
    /// Whether this is the server that takes writes. What another one answers must not be stored.
    pub primary: bool,
    /// The temporary tables that the connection has already, if somebody else had it before; see
    /// [`crate::Session::has_temporary`] (PostgreSQL).
    pub temporary: Vec<String>,
}

/// A database could not be told from others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file of an SQLite database cannot be looked at.
    #[error("the file of the database cannot be identified: {0}")]
    File(#[from] std::io::Error),
    /// The answers are not those to the questions.
    #[error("the database did not answer as expected: {0}")]
    Answer(&'static str),
}

/// A row of an answer, its columns as text; `None` is `NULL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow(pub Vec<Option<String>>);

/// The rows that answer one question.
pub type Answer = Vec<TextRow>;

impl TextRow {
    fn optional(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    /// A column's text; `NULL` is the empty one.
    fn text(&self, column: usize) -> &str {
        self.optional(column).unwrap_or_default()
    }

    /// Whether a column says yes, in the words of any of the databases.
    fn is(&self, column: usize) -> bool {
        matches!(self.text(column), "true" | "t" | "1")
    }
}

/// The questions whose answers [`identity`] takes, in this order.
///
/// PostgreSQL refuses some of them to roles that may not execute the functions in them (SQLSTATE
/// 42501); [`GRANT_HINT`] says what to grant.
pub fn identity_questions(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Postgres => postgres::IDENTITY,
        Dialect::MySql => mysql::IDENTITY,
        Dialect::Sqlite => sqlite::IDENTITY,
    }
}

/// Which database it is, and what a fresh session of it is like.
pub fn identity(dialect: Dialect, answers: &[Answer]) -> Result<Identity, IdentityError> {
    match (dialect, answers) {
        (Dialect::Postgres, [server, settings]) => postgres::identity(server, settings),
        (Dialect::MySql, [session, variables]) => mysql::identity(session, variables),
        (Dialect::Sqlite, [files, settings]) => sqlite::identity(files, settings),
        _ => Err(IdentityError::Answer("another number of answers")),
    }
}

/// The question whose answer [`attached`] takes, where there is one: SQLite only.
pub fn attached_question(dialect: Dialect) -> Option<&'static str> {
    (dialect == Dialect::Sqlite).then_some(sqlite::FILES)
}

/// The question whose answer [`creates_temporary`] takes, where there is one: MySQL only.
pub fn temporary_question(dialect: Dialect) -> Option<&'static str> {
    (dialect == Dialect::MySql).then_some(mysql::TEMPORARY)
}

/// Whether a temporary table may have been created on the connection since it was opened.
pub fn creates_temporary(answer: &Answer) -> bool {
    mysql::creates_temporary(answer)
}

/// The databases that are attached to a connection beside its own.
pub fn attached(answer: &Answer) -> Result<Vec<DatabaseId>, IdentityError> {
    sqlite::attached(answer)
}

/// The questions whose answers [`catalog`] takes, in this order. The schema may change between
/// them: that moves the schema epoch, and then the catalog is loaded again.
pub fn catalog_questions(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Postgres => postgres::CATALOG,
        Dialect::MySql => mysql::CATALOG,
        Dialect::Sqlite => sqlite::CATALOG,
    }
}

/// The facts of the schema. Answers that are missing give a schema of which nothing is known.
pub fn catalog(dialect: Dialect, answers: &[Answer]) -> Schema {
    if answers.len() != catalog_questions(dialect).len() {
        return Schema::unknown(dialect);
    }
    match dialect {
        Dialect::Postgres => postgres::catalog(answers),
        Dialect::MySql => mysql::catalog(answers),
        Dialect::Sqlite => sqlite::catalog(answers),
    }
}

/// What to do where PostgreSQL refuses [`identity_questions`] to a role.
pub const GRANT_HINT: &str = "kogia cannot tell this database from others: grant the role EXECUTE \
    on the functions pg_control_system(), pg_control_checkpoint(), pg_current_wal_insert_lsn() \
    and pg_walfile_name(pg_lsn)";

/// Relations by what the database calls them, in the order of their addition.
#[derive(Default)]
struct Tables<'a> {
    relations: HashMap<&'a str, Relation>,
    order: Vec<&'a str>,
}

impl<'a> Tables<'a> {
    fn add(&mut self, name: &'a str, relation: Relation) {
        self.order.push(name);
        self.relations.insert(name, relation);
    }

    fn get(&mut self, name: &str) -> Option<&mut Relation> {
        self.relations.get_mut(name)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Relation> {
        self.relations.values_mut()
    }

    fn finish(mut self) -> Vec<Relation> {
        let order = self.order.into_iter();
        order
            .filter_map(|name| self.relations.remove(name))
            .collect()
    }
}

/// A name as the engine folds it.
fn folded(name: &str) -> Box<str> {
    name.to_lowercase().into()
}

/// A key column, unless folding its name could make it that of another column.
fn key(name: &str, kind: KeyKind) -> Option<Arc<KeyColumn>> {
    name.is_ascii().then(|| {
        Arc::new(KeyColumn {
            name: folded(name),
            kind,
        })
    })
}

/// Nobody knows what happens on these writes.
fn unknown_trigger(on_insert: bool, on_update: bool, on_delete: bool) -> Trigger {
    Trigger {
        on_insert,
        on_update,
        on_delete,
        body: TriggerBody::Unknown,
    }
}
