//! SQL analysis: what a statement reads, writes and does to its session.
//!
//! The analysis never fails. What it cannot understand is opaque: as a read it bypasses, as a
//! write it invalidates the database.

mod statement;

pub use self::statement::{
    Effect, Isolation, IsolationScope, Literal, Operand, Pin, Proof, Read, Statement, Uncacheable,
    Wide, Write, WriteScope,
};

use std::sync::Arc;

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
    schema: Schema,
}

impl Analyzer {
    /// An analyzer for one database, given what its catalog says.
    pub fn new(database: DatabaseId, schema: Schema) -> Self {
        Analyzer { database, schema }
    }

    /// The database whose tags the statements carry.
    pub fn database(&self) -> &DatabaseId {
        &self.database
    }

    /// The schema facts.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// A digest of the schema facts and of the rules of the analysis, for keys: processes that
    /// know different catalogs do not share entries.
    pub fn fingerprint(&self) -> [u8; 32] {
        todo!()
    }

    /// The base tables that a name stands for: the table itself, or what a view reads. For
    /// invalidation by hand.
    pub fn tables_of(&self, name: &str) -> Vec<Table> {
        let _ = name;
        todo!()
    }

    /// What the text does. Never fails; see [`Uncacheable::Opaque`].
    pub fn analyze(&self, sql: &str) -> Arc<Statement> {
        let _ = sql;
        todo!()
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
