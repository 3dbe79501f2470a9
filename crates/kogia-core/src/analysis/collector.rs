//! What has been found so far in one SQL text.

use std::sync::Arc;

use sqlparser::ast::Ident;

use crate::catalog::Catalog;
use crate::dialect::Dialect;
use crate::tag::DatabaseId;

use super::statement::{Effect, Pin, Proof, Read, Statement, Uncacheable, Wide, Write};
use super::target::Reach;

/// Collects the findings of one analysis. `read.rs` and its neighbours walk queries and
/// expressions, `write.rs` walks statements that write, `session.rs` those that change the
/// session; all add to this.
pub(super) struct Collector<'a> {
    pub(super) dialect: Dialect,
    pub(super) database: &'a DatabaseId,
    pub(super) catalog: &'a Catalog,
    pub(super) reads: Vec<Read>,
    pub(super) writes: Vec<Write>,
    pub(super) wide: Wide,
    pub(super) uncacheable: Option<Uncacheable>,
    pub(super) effects: Vec<Effect>,
    /// How many queries the walk is inside of.
    pub(super) depth: usize,
    /// How many statements the walk is inside of: `EXPLAIN` and `PREPARE` hold others.
    pub(super) statements: usize,
    /// The names of the CTEs in scope, the innermost last.
    pub(super) ctes: Vec<Ident>,
    /// The views that the walk is inside of, to notice a cycle.
    pub(super) views: Vec<Arc<str>>,
    /// Whether no read may be pinned here: the walk is inside of a recursive CTE.
    pub(super) unpinned: bool,
    /// What cascades and triggers have reached so far.
    pub(super) reach: Reach,
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
            statements: 0,
            ctes: Vec::new(),
            views: Vec::new(),
            unpinned: false,
            reach: Reach::default(),
        }
    }

    /// The first reason stays: it is, more or less, the one that stands first in the text. Only
    /// that of random numbers gives way to any other, for a front end may choose to overlook it.
    pub(super) fn refuse(&mut self, why: Uncacheable) {
        if matches!(self.uncacheable, None | Some(Uncacheable::Random(_))) {
            self.uncacheable = Some(why);
        }
    }

    /// A statement, or a part of one, that cannot be described: it may write anything.
    pub(super) fn opaque(&mut self, why: impl Into<Box<str>>) {
        self.refuse(Uncacheable::Opaque(why.into()));
        self.wide = self.wide.join(Wide::Database);
    }

    /// A text that may do anything to data, schema and session.
    pub(super) fn opaque_everything(&mut self, why: impl Into<Box<str>>) {
        self.opaque(why);
        self.wide = Wide::Everything;
        self.effects.push(Effect::Taint {
            name: "opaque statement".into(),
            local: false,
        });
        // It may also hold a BEGIN or a COMMIT.
        self.effects.push(Effect::MayCommit);
    }

    /// Adds a base table to the read set, by its canonical name.
    ///
    /// A table that is read in several places is pinned only if it is in all of them; which of the
    /// keys exist is then not proved by the rows of the result.
    pub(super) fn read_table(&mut self, table: Arc<str>, pin: Option<Pin>) {
        let Some(known) = self.reads.iter_mut().find(|read| read.table == table) else {
            let tags = self.catalog.table_tags(&table);
            self.reads.push(Read { table, tags, pin });
            return;
        };
        let united = known.pin.take().zip(pin).map(|(mut one, other)| {
            for value in other.values {
                if !one.values.contains(&value) {
                    one.values.push(value);
                }
            }
            Pin {
                proof: Proof::Never,
                ..one
            }
        });
        known.pin = united.filter(|pin| pin.values.len() <= Pin::MAX);
    }

    /// The findings, for a text of this digest.
    pub(super) fn finish(self, digest: [u8; 32]) -> Statement {
        let mut statement = Statement {
            digest,
            reads: self.reads,
            writes: self.writes,
            wide: self.wide,
            uncacheable: self.uncacheable,
            effects: self.effects,
        };
        if matches!(statement.uncacheable, None | Some(Uncacheable::Random(_))) {
            let why = if statement.is_write() {
                Some(Uncacheable::Writes)
            } else if !statement.effects.is_empty() {
                Some(Uncacheable::NotARead)
            } else if statement.reads.is_empty() {
                Some(Uncacheable::NoTable)
            } else {
                None
            };
            statement.uncacheable = why.or(statement.uncacheable);
        }
        statement
    }
}
