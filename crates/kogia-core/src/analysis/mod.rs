//! SQL analysis: what a statement reads, writes and does to its session.
//!
//! The analysis never fails. What it cannot understand is opaque: as a read it bypasses, as a
//! write it invalidates the database.

mod collector;
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
mod statement;
mod text;
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
use crate::schema::Schema;
use crate::tag::DatabaseId;

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
        Analyzer { database, catalog, fingerprint, memo: Memo::new() }
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

    /// What the text does. Never fails; see [`Uncacheable::Opaque`].
    pub fn analyze(&self, sql: &str) -> Arc<Statement> {
        if let Some(known) = self.memo.get(sql) {
            return known;
        }
        let statement = Arc::new(text::analyze(&self.database, &self.catalog, sql));
        self.memo.insert(sql, &statement);
        statement
    }
}
