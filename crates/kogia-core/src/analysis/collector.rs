//! What has been found so far in one SQL text.

use std::sync::Arc;

use crate::dialect::Dialect;
use crate::catalog::Catalog;
use crate::tag::DatabaseId;

use super::statement::{Effect, Pin, Read, Uncacheable, Wide, Write, WriteScope};

/// Collects the findings of one analysis. `read.rs` walks queries and expressions, `write.rs`
/// walks statements that write, `session.rs` those that change the session; all add to this.
pub(super) struct Collector<'a> {
    pub(super) dialect: Dialect,
    pub(super) database: &'a DatabaseId,
    pub(super) catalog: &'a Catalog,
    pub(super) reads: Vec<Read>,
    pub(super) writes: Vec<Write>,
    pub(super) wide: Wide,
    pub(super) uncacheable: Option<Uncacheable>,
    pub(super) effects: Vec<Effect>,
    /// How many positional placeholders (`?`, `%s`) stood before the point that the walk has
    /// reached is not tracked here: they are numbered in the token stream before parsing.
    pub(super) depth: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(database: &'a DatabaseId, catalog: &'a Catalog) -> Self {
        Collector {
            dialect: catalog.dialect(),
            database,
            catalog,
            reads: Vec::new(),
            writes: Vec::new(),
            wide: Wide::Nothing,
            uncacheable: None,
            effects: Vec::new(),
            depth: 0,
        }
    }

    /// The first reason stays: it is the one that stands first in the text.
    pub(super) fn refuse(&mut self, why: Uncacheable) {
        self.uncacheable.get_or_insert(why);
    }

    /// A statement, or a part of one, that cannot be described: it may write anything.
    pub(super) fn opaque(&mut self, why: impl Into<Box<str>>) {
        self.refuse(Uncacheable::Opaque(why.into()));
        self.wide = self.wide.join(Wide::Database);
    }

    /// Adds a base table to the read set.
    pub(super) fn read_table(&mut self, table: Arc<str>, pin: Option<Pin>) {
        let _ = (table, pin);
        todo!("read.rs")
    }

    /// Adds a base table to the write set.
    pub(super) fn write_table(&mut self, table: Arc<str>, scope: WriteScope) {
        let _ = (table, scope);
        todo!("write.rs")
    }
}
