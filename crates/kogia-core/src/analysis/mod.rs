//! SQL analysis: what a statement reads, writes and does to its session.
//!
//! The analysis never fails. What it cannot understand is opaque: as a read it bypasses, as a
//! write it invalidates the database.

mod bulk;
mod collector;
mod command;
mod ddl;
mod edges;
mod expression;
mod fingerprint;
mod function;
mod grammar;
mod lexer;
mod memo;
mod pin;
mod prepare;
mod proof;
mod read;
mod relation;
mod scan;
mod session;
mod statement;
mod target;
mod text;
mod trigger;
mod write;

#[cfg(test)]
mod tests;

pub use self::statement::{
    Effect, Isolation, IsolationScope, Literal, Operand, Pin, Proof, Read, Statement, Uncacheable,
    Wide, Write, WriteScope,
};

use std::sync::Arc;

use self::memo::Memo;
use crate::catalog::Catalog;
use crate::dialect::{Dialect, means_the_clock};
use crate::schema::Schema;
use crate::tag::DatabaseId;
use crate::value::{Parameter, Value};

/// Analyses the statements of one database, remembering each text.
///
/// # Concurrent calls
///
/// `analyze` may be called from any number of threads; two that meet a new text at the same time
/// may both analyse it.
#[derive(Debug)]
pub struct Analyzer {
    database: DatabaseId,
    catalog: Catalog,
    fingerprint: [u8; 32],
    memo: Memo,
}

impl Analyzer {
    /// An analyzer for one database, given what its catalog says.
    pub fn new(database: DatabaseId, schema: Schema) -> Self {
        let fingerprint = fingerprint::fingerprint(&schema);
        let catalog = Catalog::new(&database, schema);
        Analyzer {
            database,
            catalog,
            fingerprint,
            memo: Memo::new(),
        }
    }

    /// The database whose tags the statements carry.
    pub fn database(&self) -> &DatabaseId {
        &self.database
    }

    /// The schema facts.
    pub fn schema(&self) -> &Schema {
        self.catalog.schema()
    }

    /// A digest of the schema facts and of the rules of the analysis, for keys: processes that
    /// know different catalogs do not share entries.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The base tables that a name stands for: the table itself, or what a view reads. For
    /// invalidation by hand.
    pub fn tables_of(&self, name: &str) -> Vec<Table> {
        // What a query of it would read; the name is quoted as a string of the dialect's own.
        let quote = if self.catalog.dialect() == Dialect::MySql {
            "`"
        } else {
            "\""
        };
        let quoted = name.replace(quote, &quote.repeat(2));
        let statement = self.analyze(&format!("SELECT * FROM {quote}{quoted}{quote}"));
        let table = |read: &Read| Table {
            name: Arc::clone(&read.table),
            tags: read.tags,
            key: self
                .catalog
                .relation(&read.table)
                .and_then(|facts| facts.key.clone()),
        };
        statement.reads.iter().map(table).collect()
    }

    /// What the text does. Never fails; see [`Uncacheable::Opaque`].
    pub fn analyze(&self, sql: &str) -> Arc<Statement> {
        if let Some(known) = self.memo.get(sql) {
            return known;
        }
        let statement = Arc::new(text::analyze(&self.database, &self.catalog, sql));
        self.memo.insert(sql, &statement);
        statement
    }

    /// Why the result of a call with these parameters must not be kept, whatever the statement.
    ///
    /// PostgreSQL turns a text into a time wherever one is wanted, with or without a cast in the
    /// statement, and `now`, `today`, `tomorrow` and `yesterday` mean the time of the call. SQLite
    /// does so in its date functions only, of which those with parameters are never kept.
    pub fn refuses(&self, parameters: &[Parameter<'_>]) -> Option<Uncacheable> {
        let dialect = self.catalog.dialect();
        if dialect != Dialect::Postgres {
            return None;
        }
        let names_the_clock = |parameter: &Parameter<'_>| match parameter.value {
            Value::Text(text) => means_the_clock(dialect, text),
            Value::Other(bytes) => {
                std::str::from_utf8(bytes).is_ok_and(|text| means_the_clock(dialect, text))
            }
            _ => false,
        };
        let found = parameters.iter().any(names_the_clock);
        // The value is the user's and has no place in an event.
        found.then(|| Uncacheable::Volatile("a parameter such as 'now'".into()))
    }
}

/// A base table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The canonical name.
    pub name: Arc<str>,
    /// Its tags.
    pub tags: crate::tag::TableTags,
    /// Its key column, if keys can be pinned.
    pub key: Option<Arc<crate::schema::KeyColumn>>,
}
