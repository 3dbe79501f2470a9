//! What changes when a table is written: the table a name stands for, and everything behind it.

use std::sync::Arc;

use sqlparser::ast::{self, ObjectNamePart};

use crate::catalog::{FactKind, Facts};
use crate::dialect::Dialect;
use crate::schema::Trigger;

use super::collector::Collector;
use super::statement::{Effect, Pin, Uncacheable, Wide, Write, WriteScope};

/// What happens to rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Insert,
    /// The folded names of the assigned columns, or `None` if they are not known.
    Update(Option<Vec<String>>),
    Delete,
}

impl Change {
    fn fires(&self, trigger: &Trigger) -> bool {
        match self {
            Change::Insert => trigger.on_insert,
            Change::Update(_) => trigger.on_update,
            Change::Delete => trigger.on_delete,
        }
    }

    /// Whether a referenced column may get another value.
    fn assigns_any(&self, referenced: &[Box<str>]) -> bool {
        match self {
            Change::Update(Some(columns)) if !referenced.is_empty() => columns
                .iter()
                .any(|column| referenced.iter().any(|name| **name == **column)),
            Change::Update(_) => true,
            Change::Insert | Change::Delete => false,
        }
    }
}

/// A table that a statement writes.
#[derive(Debug, Clone)]
pub(super) struct Target<'a> {
    pub(super) table: Arc<str>,
    /// `None` for a table that the catalog does not list.
    pub(super) facts: Option<&'a Facts>,
}

/// Changes whose consequences have not been followed yet, and all that ever were.
///
/// A list, not recursion: cascades and triggers may form circles and long chains.
#[derive(Debug, Default)]
pub(super) struct Reach {
    open: Vec<(Arc<str>, Change)>,
    seen: Vec<(Arc<str>, Change)>,
    /// Whether somebody further up already works the list off.
    following: bool,
}

impl<'a> Collector<'a> {
    /// The table that a written name stands for. `None` if it is none of this database's shared
    /// tables; what that means has then been collected.
    pub(super) fn target(&mut self, name: &[&str]) -> Option<Target<'a>> {
        let folded: Vec<String> = name.iter().map(|part| self.catalog.fold(part)).collect();
        let Some((table, qualifiers)) = folded.split_last() else {
            self.opaque("a table without a name");
            return None;
        };
        let qualifier = qualifiers.last().map(String::as_str);
        if is_own_temporary(self.dialect, qualifier) {
            // Only this session sees it, and `CREATE TEMPORARY` said so.
            return None;
        }
        let facts = self.catalog.relation(table);
        if facts.is_none() && is_system(self.dialect, qualifier, table) {
            self.refuse(Uncacheable::SystemTable(table.as_str().into()));
            self.wide = self.wide.join(Wide::Everything);
            return None;
        }
        if let Some(qualifier) = qualifier.filter(|name| self.catalog.is_elsewhere(name)) {
            self.elsewhere(qualifier);
            // Without a catalog the qualifier may just as well name this database.
            if self.catalog.is_loaded() {
                return None;
            }
        }
        let table = facts.map_or_else(|| table.as_str().into(), |facts| facts.name.clone());
        Some(Target { table, facts })
    }

    /// The same for a name as the parser gives it.
    pub(super) fn target_of(&mut self, name: &ast::ObjectName) -> Option<Target<'a>> {
        let parts: Option<Vec<&str>> = name
            .0
            .iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(part) => Some(part.value.as_str()),
                ObjectNamePart::Function(_) => None,
            })
            .collect();
        match parts {
            Some(parts) => self.target(&parts),
            None => {
                self.opaque(format!("the name {name} is computed"));
                None
            }
        }
    }

    /// A write to another database of the server or to an attached file. Triggers and foreign keys
    /// over there may lead back here.
    pub(super) fn elsewhere(&mut self, database: &str) {
        self.refuse(Uncacheable::OtherDatabase(database.into()));
        self.wide = self.wide.join(Wide::Database);
        let known = self.effects.iter().any(
            |effect| matches!(effect, Effect::WritesOtherDatabase(name) if **name == *database),
        );
        if !known {
            self.effects
                .push(Effect::WritesOtherDatabase(database.into()));
        }
    }

    /// A write to a table, with everything that follows from it.
    pub(super) fn write(&mut self, target: &Target<'_>, change: Change, scope: WriteScope) {
        self.refuse(Uncacheable::Writes);
        if target.facts.is_none_or(|facts| facts.has_rows) {
            self.write_table(target.table.clone(), scope);
        }
        self.changed(target.table.clone(), change);
    }

    /// A write to unknown rows of a table that is not named in the text, or not precisely.
    pub(super) fn write_broad(&mut self, table: &Arc<str>, change: Change) {
        let facts = self.catalog.relation(table);
        self.write(
            &Target {
                table: table.clone(),
                facts,
            },
            change,
            WriteScope::Broad,
        );
    }

    /// Adds a base table to the write set.
    pub(super) fn write_table(&mut self, table: Arc<str>, scope: WriteScope) {
        let same = |write: &&Write| write.table == table;
        if self
            .writes
            .iter()
            .filter(same)
            // A broad write renews a tag that every pinned read depends on.
            .any(|write| write.scope == WriteScope::Broad || write.scope == scope)
        {
            return;
        }
        let count = |scope: &WriteScope| scope.keys().map_or(0, |(_, values)| values.len());
        let known: usize = self
            .writes
            .iter()
            .filter(same)
            .map(|write| count(&write.scope))
            .sum();
        let broad = matches!(scope, WriteScope::Broad) || known + count(&scope) > Pin::MAX;
        let scope = if broad { WriteScope::Broad } else { scope };
        if broad {
            self.writes.retain(|write| write.table != table);
        }
        let tags = self.catalog.table_tags(&table);
        self.writes.push(Write { table, tags, scope });
    }

    /// Notes a change and follows it, unless a change that is being followed led here.
    pub(super) fn changed(&mut self, table: Arc<str>, change: Change) {
        let change = (table, change);
        if self.reach.seen.contains(&change) {
            return;
        }
        self.reach.seen.push(change.clone());
        self.reach.open.push(change);
        if self.reach.following {
            return;
        }
        self.reach.following = true;
        while let Some((table, change)) = self.reach.open.pop() {
            self.follow(&table, &change);
        }
        self.reach.following = false;
    }

    fn follow(&mut self, table: &Arc<str>, change: &Change) {
        let Some(facts) = self.catalog.relation(table) else {
            // A table that the catalog does not list may have triggers that it does not list. The
            // counters of SQLite have none.
            let counters = self.dialect == Dialect::Sqlite && table.starts_with("sqlite_");
            if self.catalog.is_loaded() && !counters {
                self.wide = self.wide.join(Wide::Database);
            }
            return;
        };
        match &facts.kind {
            FactKind::Views(definitions) => {
                if definitions.iter().any(Option::is_none) {
                    self.wide = self.wide.join(Wide::Database);
                }
                self.write_through(facts, change);
            }
            FactKind::Foreign => self.write_outside(table),
            FactKind::Table | FactKind::MaterializedView | FactKind::Temporary => {}
        }
        if facts.contradictory {
            self.wide = self.wide.join(Wide::Database);
        }
        for relative in &facts.relatives {
            self.write_broad(relative, change.clone());
        }
        for cascade in &facts.cascades {
            let deletes = *change == Change::Delete && cascade.on_delete;
            if deletes || cascade.on_update && change.assigns_any(&cascade.columns) {
                let child = self.catalog.relation(&cascade.table);
                let child = child.map_or_else(|| (*cascade.table).into(), |it| it.name.clone());
                self.write_broad(&child, Change::Update(None));
                if deletes {
                    self.write_broad(&child, Change::Delete);
                }
            }
        }
        for trigger in facts
            .triggers
            .iter()
            .filter(|trigger| change.fires(trigger))
        {
            self.fire(facts, change, &trigger.body);
        }
    }

    /// A write to a view is one to every table that the view reads.
    fn write_through(&mut self, view: &Facts, change: &Change) {
        // The view may give its columns other names than the table has.
        let change = match change {
            Change::Update(_) => &Change::Update(None),
            change => change,
        };
        let mut inner = Collector::new(self.database, self.catalog);
        let name = ast::ObjectName::from(vec![ast::Ident::new(&*view.name)]);
        inner.read_relation(&name);
        if inner.uncacheable.is_some() || inner.wide != Wide::Nothing {
            self.wide = self.wide.join(Wide::Database);
        }
        for read in inner.reads {
            if read.table != view.name {
                self.write_broad(&read.table, change.clone());
            }
        }
    }

    /// A write to a foreign or virtual table. Those of SQLite keep their content in tables that
    /// bear their name and a suffix (`fts5`, `rtree`); others may lead back to this database.
    fn write_outside(&mut self, table: &Arc<str>) {
        if self.dialect != Dialect::Sqlite {
            self.wide = self.wide.join(Wide::Database);
            return;
        }
        let catalog = self.catalog;
        for shadow in catalog.relations() {
            let suffix = shadow.name.strip_prefix(&**table);
            if suffix.is_some_and(|suffix| suffix.starts_with('_')) {
                self.write_table(shadow.name.clone(), WriteScope::Broad);
            }
        }
    }
}

/// Whether the qualifier says that only this session sees the table.
pub(super) fn is_own_temporary(dialect: Dialect, qualifier: Option<&str>) -> bool {
    match dialect {
        Dialect::Postgres => qualifier == Some("pg_temp"),
        Dialect::Sqlite => qualifier == Some("temp"),
        Dialect::MySql => false,
    }
}

/// Whether a table belongs to the database system, so that writing to it changes the schema.
fn is_system(dialect: Dialect, qualifier: Option<&str>, table: &str) -> bool {
    match dialect {
        Dialect::Postgres => {
            matches!(
                qualifier,
                Some("pg_catalog" | "information_schema" | "pg_toast")
            ) || table.starts_with("pg_")
        }
        Dialect::MySql => {
            matches!(
                qualifier,
                Some("mysql" | "sys" | "performance_schema" | "information_schema")
            )
        }
        Dialect::Sqlite => matches!(
            table,
            "sqlite_master" | "sqlite_schema" | "sqlite_temp_master" | "sqlite_temp_schema"
        ),
    }
}
