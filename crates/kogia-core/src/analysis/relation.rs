//! What a name in `FROM` stands for.

use std::sync::Arc;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use crate::catalog::{FactKind, Facts};
use crate::dialect::{Dialect, is_system_relation};
use crate::schema::KeyColumn;

use super::collector::Collector;
use super::statement::Uncacheable;

/// Views that read views that read views: more than this many is not resolved.
const DEEPEST_VIEW: usize = 32;

/// A base table that a name stands for.
pub(super) struct BaseTable {
    /// The canonical name.
    pub(super) name: Arc<str>,
    /// The key that a read of it may be pinned by.
    pub(super) key: Option<Arc<KeyColumn>>,
}

impl Collector<'_> {
    /// Adds what a name stands for to the read set, not pinned.
    pub(super) fn read_relation(&mut self, name: &ObjectName) {
        if let Some(table) = self.resolve(name) {
            self.read_table(table.name, None);
        }
    }

    /// The base table that a name in `FROM` stands for, to be added to the read set by the caller
    /// who knows how it is pinned. Nothing for a CTE, whose query is walked where it is defined,
    /// and for a view, whose query is walked here.
    pub(super) fn resolve(&mut self, name: &ObjectName) -> Option<BaseTable> {
        let Some(parts) = identifiers(name) else {
            self.opaque("a relation is computed");
            return None;
        };
        let (last, qualifiers) = parts.split_last()?;
        if qualifiers.is_empty() && (self.is_cte(last) || self.is_dual(last)) {
            return None;
        }
        let folded = self.catalog.fold(&last.value);
        let qualifier = qualifiers.last().map(|part| self.catalog.fold(&part.value));
        if qualifiers.len()
            > if self.dialect == Dialect::Postgres {
                2
            } else {
                1
            }
        {
            self.opaque("a name has too many parts");
            return None;
        }
        if is_system_relation(self.dialect, qualifier.as_deref(), &folded) {
            self.refuse(Uncacheable::SystemTable(name.to_string().into()));
            return None;
        }
        if let Some(qualifier) = qualifiers.last() {
            self.qualified(name, &qualifier.value);
        }
        self.known(name, &folded)
    }

    /// A table that only this session sees, or one of another database.
    fn qualified(&mut self, name: &ObjectName, qualifier: &str) {
        let temporary = match self.dialect {
            Dialect::Postgres => self.catalog.fold(qualifier).starts_with("pg_temp"),
            Dialect::Sqlite => qualifier.eq_ignore_ascii_case("temp"),
            Dialect::MySql => false,
        };
        // Most servers of MySQL tell databases apart by case, so only the very name is surely it.
        let elsewhere = self.catalog.is_elsewhere(qualifier)
            || (self.dialect == Dialect::MySql
                && self.catalog.schema().database.as_deref() != Some(qualifier));
        if temporary {
            self.refuse(Uncacheable::TemporaryTable(name.to_string().into()));
        } else if elsewhere {
            self.refuse(Uncacheable::OtherDatabase(name.to_string().into()));
        }
    }

    /// What the catalog knows about a name.
    fn known(&mut self, name: &ObjectName, folded: &str) -> Option<BaseTable> {
        let shown = || -> Box<str> { name.to_string().into() };
        let catalog = self.catalog;
        let Some(facts) = catalog.relation(folded) else {
            if catalog.is_loaded() {
                self.refuse(Uncacheable::UnknownTable(shown()));
            }
            return Some(BaseTable {
                name: folded.into(),
                key: None,
            });
        };
        if facts.row_security {
            // A policy may ask for settings and for other tables, and who owns the table is exempt.
            self.refuse(Uncacheable::RowSecurity(shown()));
        }
        match &facts.kind {
            FactKind::Table | FactKind::MaterializedView => {}
            FactKind::Foreign => self.refuse(Uncacheable::ForeignTable(shown())),
            FactKind::Temporary => self.refuse(Uncacheable::TemporaryTable(shown())),
            FactKind::Views(definitions) => self.views(facts, definitions, &shown()),
        }
        // The tables below a parent in a hierarchy are read with it, and a write to any of them
        // renews the tags of all, but a name on the way may be of a kind that is not cacheable.
        facts.has_rows.then(|| BaseTable {
            name: facts.name.clone(),
            key: facts.key.clone(),
        })
    }

    /// Walks the queries of the views that share a name.
    fn views(&mut self, facts: &Facts, definitions: &[Option<Box<str>>], shown: &str) {
        if self.views.contains(&facts.name) || self.views.len() >= DEEPEST_VIEW {
            return self.refuse(Uncacheable::UnknownTable(shown.into()));
        }
        self.views.push(facts.name.clone());
        let ctes = std::mem::take(&mut self.ctes);
        // Whatever stands in a view is not the outermost query.
        self.depth += 1;
        for definition in definitions {
            if !definition
                .as_deref()
                .is_some_and(|text| self.view_definition(text))
            {
                self.refuse(Uncacheable::UnknownTable(shown.into()));
            }
        }
        self.depth -= 1;
        self.ctes = ctes;
        self.views.pop();
    }

    /// Whether an unqualified name means a CTE in scope.
    ///
    /// Only a name that surely is the same counts: where one database ignores case and another
    /// does not, the name is read as a table, which at worst is one table too many.
    fn is_cte(&self, name: &Ident) -> bool {
        let name = same_name(self.dialect, name);
        self.ctes
            .iter()
            .any(|cte| same_name(self.dialect, cte) == name)
    }

    /// `FROM DUAL` reads nothing on MySQL, where the word is reserved.
    fn is_dual(&self, name: &Ident) -> bool {
        self.dialect == Dialect::MySql
            && name.quote_style.is_none()
            && name.value.eq_ignore_ascii_case("dual")
    }
}

/// A name such that two identifiers that have it surely are the same to the database.
pub(super) fn same_name(dialect: Dialect, identifier: &Ident) -> String {
    match dialect {
        Dialect::Postgres if identifier.quote_style.is_none() => {
            identifier.value.to_ascii_lowercase()
        }
        Dialect::Postgres | Dialect::MySql => identifier.value.clone(),
        Dialect::Sqlite => identifier.value.to_ascii_lowercase(),
    }
}

/// The identifiers of a dotted name, if it holds nothing else.
pub(super) fn identifiers(name: &ObjectName) -> Option<Vec<&Ident>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(identifier) => Some(identifier),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}
