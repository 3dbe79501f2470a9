//! Statements that write rows: `INSERT`, `UPDATE`, `DELETE`, `MERGE`.

use std::sync::Arc;

use sqlparser::ast::{
    self, Assignment, AssignmentTarget, ConflictTarget, Expr, FromTable, MergeAction,
    MergeInsertKind, MergeUpdateKind, ObjectName, OnConflictAction, OnInsert, OutputClause,
    SelectItem, SetExpr, SqliteOnConflict, TableFactor, TableObject, TableWithJoins,
    UpdateTableFromKind,
};

use crate::dialect::Dialect;
use crate::schema::KeyColumn;

use super::collector::Collector;
use super::pin;
use super::statement::{Operand, Pin, Uncacheable, Wide, WriteScope};
use super::target::{Change, Target};

impl<'a> Collector<'a> {
    /// A parsed statement. Only queries and statements that write rows are parsed; all others are
    /// recognised by their tokens (`command.rs`) before the parser is asked.
    pub(super) fn statement(&mut self, statement: &ast::Statement) {
        match statement {
            ast::Statement::Query(query) => self.query(query),
            ast::Statement::Insert(insert) => self.insert(insert),
            ast::Statement::Update(update) => self.update(update),
            ast::Statement::Delete(delete) => self.delete(delete),
            ast::Statement::Merge(merge) => self.merge(merge),
            _ => {
                self.opaque("a statement of this kind is not described");
                self.wide = Wide::Everything;
            }
        }
    }

    fn insert(&mut self, insert: &ast::Insert) {
        self.refuse(Uncacheable::Writes);
        if let Some(source) = &insert.source {
            self.query(source);
        }
        self.assignments(&insert.assignments);
        for expression in insert.partitioned.iter().flatten() {
            self.expression(expression);
        }
        match &insert.on {
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => self.assignments(assignments),
            Some(OnInsert::OnConflict(conflict)) => {
                if let OnConflictAction::DoUpdate(update) = &conflict.action {
                    self.assignments(&update.assignments);
                    self.optional_expression(update.selection.as_ref());
                }
            }
            // The parser's own `#[non_exhaustive]`.
            Some(_) => self.opaque("an unknown clause of INSERT"),
            None => {}
        }
        self.select_items(insert.returning.as_deref().unwrap_or_default());
        let foreign_syntax = insert.output.is_some()
            || insert.overwrite
            || insert.multi_table_insert_type.is_some()
            || !insert.multi_table_into_clauses.is_empty()
            || !insert.multi_table_when_clauses.is_empty();
        let (TableObject::TableName(name), false) = (&insert.table, foreign_syntax) else {
            return self.opaque("an INSERT of another database's syntax");
        };
        let Some(target) = self.target_of(name) else {
            return;
        };
        for scope in self.inserted(insert, &target) {
            self.write(&target, Change::Insert, scope);
        }
        // What happens to rows that were there before; the scopes cover them.
        for change in self.replaced(insert) {
            self.changed(target.table.clone(), change);
        }
    }

    /// How much of its table an `INSERT` touches.
    fn inserted(&self, insert: &ast::Insert, target: &Target<'_>) -> Vec<WriteScope> {
        let broad = || vec![WriteScope::Broad];
        let Some(facts) = target.facts else {
            return broad();
        };
        let Some(key) = facts.key.as_ref() else {
            return broad();
        };
        let given = self.given_keys(insert, key);
        if given.unknown || given.generated && !facts.generated_key || given.values.len() > Pin::MAX
        {
            return broad();
        }
        if !self.touches_only_given(insert, key, facts.other_unique) {
            return broad();
        }
        let overwrites = insert.on_conflict_updates() || insert.replaces();
        if given.generated && overwrites {
            // A generated key may meet a row that was inserted with that key by hand.
            return broad();
        }
        let mut scopes = Vec::new();
        if given.generated {
            scopes.push(WriteScope::Inserts);
        }
        if !given.values.is_empty() {
            scopes.push(WriteScope::Given {
                column: key.clone(),
                values: given.values,
                overwrites,
            });
        }
        scopes
    }

    /// Whether rows that an `INSERT` replaces or updates have the keys that it gives.
    fn touches_only_given(
        &self,
        insert: &ast::Insert,
        key: &KeyColumn,
        other_unique: bool,
    ) -> bool {
        if insert.replaces() && other_unique {
            return false;
        }
        match &insert.on {
            None => true,
            Some(OnInsert::OnConflict(conflict)) => match &conflict.action {
                OnConflictAction::DoNothing => true,
                OnConflictAction::DoUpdate(update) => {
                    let by_key = matches!(
                        &conflict.conflict_target,
                        Some(ConflictTarget::Columns(columns))
                            if columns.len() == 1
                                && self.catalog.fold(&columns[0].value) == *key.name
                    );
                    by_key && !self.assigns_key(&update.assignments, key)
                }
            },
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => {
                !other_unique && !self.assigns_key(assignments, key)
            }
            Some(_) => false,
        }
    }

    /// The changes of rows that were there before.
    fn replaced(&self, insert: &ast::Insert) -> Vec<Change> {
        let mut changes = Vec::new();
        if insert.replaces() {
            changes.push(Change::Delete);
        }
        match &insert.on {
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => {
                changes.push(Change::Update(self.assigned_columns(assignments)));
            }
            Some(OnInsert::OnConflict(conflict)) => {
                if let OnConflictAction::DoUpdate(update) = &conflict.action {
                    changes.push(Change::Update(self.assigned_columns(&update.assignments)));
                }
            }
            _ => {}
        }
        changes
    }

    /// The key values that an `INSERT` gives.
    fn given_keys(&self, insert: &ast::Insert, key: &KeyColumn) -> GivenKeys {
        let mut given = GivenKeys::default();
        let is_key = |name: &ObjectName| self.last_part(name).is_some_and(|it| it == *key.name);
        let columns = insert.columns.iter().chain(assigned(&insert.assignments));
        // Of two values for one column SQLite takes now the first, now the last.
        let twice = columns.clone().filter(|name| is_key(name)).count() > 1;
        if twice || columns.clone().any(|name| self.may_alias_key(name, key)) {
            given.unknown = true;
            return given;
        }
        if !insert.assignments.is_empty() {
            let assigns = |it: &&Assignment| assigned(std::slice::from_ref(*it)).any(is_key);
            match insert.assignments.iter().find(assigns) {
                Some(assignment) => given.add(&assignment.value),
                None => given.generated = true,
            }
            return given;
        }
        let position = insert.columns.iter().position(is_key);
        let Some(source) = &insert.source else {
            // DEFAULT VALUES
            given.generated = true;
            return given;
        };
        match (source.body.as_ref(), position) {
            (SetExpr::Values(values), _) if insert.columns.is_empty() => {
                let empty = values.rows.iter().all(|row| row.content.is_empty());
                given.generated = empty;
                // Without a column list the position of the key is not known.
                given.unknown = !empty;
            }
            (SetExpr::Values(values), Some(position)) => {
                for row in &values.rows {
                    match row.content.get(position) {
                        Some(value) if given.values.len() <= Pin::MAX => given.add(value),
                        Some(_) => {}
                        None => given.unknown = true,
                    }
                }
            }
            (_, None) if !insert.columns.is_empty() => given.generated = true,
            _ => given.unknown = true,
        }
        given
    }

    fn update(&mut self, update: &ast::Update) {
        self.refuse(Uncacheable::Writes);
        self.assignments(&update.assignments);
        self.optional_expression(update.selection.as_ref());
        self.select_items(update.returning.as_deref().unwrap_or_default());
        for order in &update.order_by {
            self.expression(&order.expr);
        }
        self.optional_expression(update.limit.as_ref());
        if update.output.is_some() {
            return self.opaque("an UPDATE of another database's syntax");
        }
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => {
                from.as_slice()
            }
            None => &[],
        };
        self.items_of_from(from);
        let columns = self.assigned_columns(&update.assignments);
        let mut changes = vec![Change::Update(columns)];
        if update.or == Some(SqliteOnConflict::Replace) {
            changes.push(Change::Delete);
        }
        let alone = from.is_empty() && update.table.joins.is_empty();
        if !alone {
            self.items_of_from(std::slice::from_ref(&update.table));
            let named = self.updated_names(update);
            return self.write_several(&named, std::slice::from_ref(&update.table), &changes);
        }
        let Some((target, alias)) = self.only_table(&update.table) else {
            return;
        };
        let scopes = self.updated(update, &target, alias);
        self.write_changes(&target, &changes, &scopes);
    }

    /// How much of its table an `UPDATE` of one table touches.
    fn updated(
        &self,
        update: &ast::Update,
        target: &Target<'_>,
        alias: Option<&str>,
    ) -> Vec<WriteScope> {
        let broad = || vec![WriteScope::Broad];
        let replaces_others = update.or == Some(SqliteOnConflict::Replace)
            && target.facts.is_none_or(|facts| facts.other_unique);
        if replaces_others {
            return broad();
        }
        let Some((key, values)) = self.pinned(
            target,
            table_name(&update.table),
            alias,
            update.selection.as_ref(),
        ) else {
            return broad();
        };
        let mut scopes = Vec::new();
        if self.assigns_key(&update.assignments, &key) {
            let Some(new) = self.new_key(&update.assignments, &key) else {
                return broad();
            };
            scopes.push(WriteScope::Given {
                column: key.clone(),
                values: vec![new],
                overwrites: update.or == Some(SqliteOnConflict::Replace),
            });
        }
        scopes.push(WriteScope::Keys {
            column: key,
            values,
        });
        scopes
    }

    /// The value that the key gets, if exactly one assignment gives it a value that is known.
    fn new_key(&self, assignments: &[Assignment], key: &KeyColumn) -> Option<Operand> {
        let mut known = None;
        for assignment in assignments {
            if !self.assigns_key(std::slice::from_ref(assignment), key) {
                continue;
            }
            match &assignment.target {
                AssignmentTarget::ColumnName(name)
                    if known.is_none() && !self.may_alias_key(name, key) =>
                {
                    known = Some(pin::operand(&assignment.value)?);
                }
                _ => return None,
            }
        }
        known
    }

    fn delete(&mut self, delete: &ast::Delete) {
        self.refuse(Uncacheable::Writes);
        self.optional_expression(delete.selection.as_ref());
        self.select_items(delete.returning.as_deref().unwrap_or_default());
        for order in &delete.order_by {
            self.expression(&order.expr);
        }
        self.optional_expression(delete.limit.as_ref());
        if delete.output.is_some() {
            return self.opaque("a DELETE of another database's syntax");
        }
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let using = delete.using.as_deref().unwrap_or_default();
        let changes = [Change::Delete];
        if !delete.tables.is_empty() {
            // DELETE a, b FROM a JOIN b
            self.items_of_from(from);
            return self.write_several(&delete.tables, from, &changes);
        }
        if !using.is_empty() {
            // The names after FROM may be aliases of what stands after USING (MySQL).
            self.items_of_from(using);
            let named: Vec<ObjectName> = from.iter().filter_map(table_name).cloned().collect();
            if named.len() < from.len() {
                self.opaque("a DELETE from something that is not a table");
            }
            let sources = if self.dialect == Dialect::MySql {
                using
            } else {
                from
            };
            return self.write_several(&named, sources, &changes);
        }
        let [table] = from.as_slice() else {
            return self.opaque("a DELETE from several tables");
        };
        let Some((target, alias)) = self.only_table(table) else {
            return;
        };
        let pinned = self.pinned(&target, table_name(table), alias, delete.selection.as_ref());
        let scope = match pinned {
            Some((column, values)) => WriteScope::Keys { column, values },
            None => WriteScope::Broad,
        };
        self.write_changes(&target, &changes, &[scope]);
    }

    fn merge(&mut self, merge: &ast::Merge) {
        self.refuse(Uncacheable::Writes);
        self.expression(&merge.on);
        let source = TableWithJoins {
            relation: merge.source.clone(),
            joins: Vec::new(),
        };
        self.items_of_from(&[source]);
        let mut changes = Vec::new();
        for clause in &merge.clauses {
            self.optional_expression(clause.predicate.as_ref());
            match &clause.action {
                MergeAction::Insert(insert) => {
                    if let MergeInsertKind::Values(values) = &insert.kind {
                        for value in values.rows.iter().flat_map(|row| &row.content) {
                            self.expression(value);
                        }
                    }
                    self.optional_expression(insert.insert_predicate.as_ref());
                    changes.push(Change::Insert);
                }
                MergeAction::Update(update) => {
                    let mut columns = None;
                    if let MergeUpdateKind::Set(assignments) = &update.kind {
                        self.assignments(assignments);
                        columns = self.assigned_columns(assignments);
                    }
                    self.optional_expression(update.update_predicate.as_ref());
                    self.optional_expression(update.delete_predicate.as_ref());
                    changes.push(Change::Update(columns));
                    if update.delete_predicate.is_some() {
                        changes.push(Change::Delete);
                    }
                }
                MergeAction::Delete { .. } => changes.push(Change::Delete),
                MergeAction::DoNothing { .. } => {}
            }
        }
        if changes.is_empty() {
            // No server takes it, or it does nothing; a statement that merges is a write.
            changes.push(Change::Insert);
        }
        match &merge.output {
            Some(OutputClause::Returning { select_items, .. }) => self.select_items(select_items),
            Some(OutputClause::Output { .. }) => {
                self.opaque("a MERGE of another database's syntax");
            }
            None => {}
        }
        let table = TableWithJoins {
            relation: merge.table.clone(),
            joins: Vec::new(),
        };
        let Some((target, _)) = self.only_table(&table) else {
            return;
        };
        self.write_changes(&target, &changes, &[WriteScope::Broad]);
    }

    /// The keys of the rows that a condition selects, if it pins them.
    fn pinned(
        &self,
        target: &Target<'_>,
        name: Option<&ObjectName>,
        alias: Option<&str>,
        selection: Option<&Expr>,
    ) -> Option<(Arc<KeyColumn>, Vec<Operand>)> {
        let key = target.facts?.key.clone()?;
        let own = name.and_then(|name| self.last_part(name));
        let own = alias.map(|alias| self.catalog.fold(alias)).or(own)?;
        let values = pin::keys_of_where(self, selection, &own, &key)?;
        (values.len() <= Pin::MAX).then_some((key, values))
    }

    /// The plain table that a statement writes, and its alias.
    fn only_table<'t>(
        &mut self,
        table: &'t TableWithJoins,
    ) -> Option<(Target<'a>, Option<&'t str>)> {
        match &table.relation {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } if table.joins.is_empty() => {
                let target = self.target_of(name)?;
                Some((
                    target,
                    alias.as_ref().map(|alias| alias.name.value.as_str()),
                ))
            }
            _ => {
                self.opaque("a write to something that is not a table");
                None
            }
        }
    }

    fn write_changes(&mut self, target: &Target<'_>, changes: &[Change], scopes: &[WriteScope]) {
        for change in changes {
            for scope in scopes {
                self.write(target, change.clone(), scope.clone());
            }
        }
    }

    /// A write to those of several joined tables that are named. A pin would hold for the joined
    /// rows only, so all is broad.
    fn write_several(
        &mut self,
        named: &[ObjectName],
        tables: &[TableWithJoins],
        changes: &[Change],
    ) {
        let mut joined = Vec::new();
        for table in tables {
            joined_tables(table, &mut joined);
        }
        for wanted in named {
            let alias = self.last_part(wanted);
            let source = joined.iter().find(|(name, alias_of)| {
                let own = match alias_of {
                    Some(alias_of) => Some(self.catalog.fold(alias_of)),
                    None => self.last_part(name),
                };
                own == alias
            });
            let name = source.map_or(wanted, |(name, _)| name);
            if let Some(target) = self.target_of(name) {
                self.write_changes(&target, changes, &[WriteScope::Broad]);
            }
        }
    }

    /// The tables that an `UPDATE` over several may change: those that qualify the assigned
    /// columns, or all that are joined.
    fn updated_names(&self, update: &ast::Update) -> Vec<ObjectName> {
        let mut joined = Vec::new();
        joined_tables(&update.table, &mut joined);
        let all = joined.iter().map(|(name, alias)| match alias {
            Some(alias) => ObjectName::from(vec![ast::Ident::new(*alias)]),
            None => (*name).clone(),
        });
        let all: Vec<ObjectName> = all.collect();
        let mut named: Vec<ObjectName> = Vec::new();
        for column in assigned(&update.assignments) {
            let qualifier = column
                .0
                .len()
                .checked_sub(2)
                .and_then(|it| column.0.get(it));
            let qualifier = qualifier.and_then(|part| part.as_ident());
            let qualifier = qualifier.map(|it| self.catalog.fold(&it.value));
            match all
                .iter()
                .find(|name| qualifier.is_some() && self.last_part(name) == qualifier)
            {
                Some(name) if named.contains(name) => {}
                Some(name) => named.push(name.clone()),
                None => return all,
            }
        }
        named
    }

    fn assigns_key(&self, assignments: &[Assignment], key: &KeyColumn) -> bool {
        assigned(assignments).any(|name| {
            self.may_alias_key(name, key)
                || self.last_part(name).is_none_or(|part| part == *key.name)
        })
    }

    /// Whether a column may be the key under another name: the row id of SQLite has several.
    fn may_alias_key(&self, name: &ObjectName, key: &KeyColumn) -> bool {
        self.dialect == Dialect::Sqlite
            && self
                .last_part(name)
                .is_none_or(|part| is_row_id(&part) && part != *key.name)
    }

    /// The folded names of the assigned columns, or `None` if one of them has other names, too.
    fn assigned_columns(&self, assignments: &[Assignment]) -> Option<Vec<String>> {
        let mut columns = assigned(assignments)
            .map(|name| self.last_part(name))
            .collect::<Option<Vec<String>>>()?;
        if self.dialect == Dialect::Sqlite && columns.iter().any(|column| is_row_id(column)) {
            return None;
        }
        columns.sort();
        Some(columns)
    }

    fn last_part(&self, name: &ObjectName) -> Option<String> {
        Some(self.catalog.fold(&name.0.last()?.as_ident()?.value))
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            self.expression(&assignment.value);
        }
    }

    fn optional_expression(&mut self, expression: Option<&Expr>) {
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    fn select_items(&mut self, items: &[SelectItem]) {
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expression)
                | SelectItem::ExprWithAlias {
                    expr: expression, ..
                }
                | SelectItem::ExprWithAliases {
                    expr: expression, ..
                } => {
                    self.expression(expression);
                }
                SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {}
            }
        }
    }
}

/// The key values that an `INSERT` gives.
#[derive(Debug, Default)]
struct GivenKeys {
    values: Vec<Operand>,
    /// Some rows leave their key to the database.
    generated: bool,
    /// Some rows have keys that the text does not show.
    unknown: bool,
}

impl GivenKeys {
    fn add(&mut self, value: &Expr) {
        let is_default = matches!(
            value,
            Expr::Identifier(name)
                if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default")
        );
        let is_null = matches!(value, Expr::Value(value) if value.value == ast::Value::Null);
        match pin::operand(value) {
            _ if is_default || is_null => self.generated = true,
            Some(operand) if self.values.contains(&operand) => {}
            Some(operand) => self.values.push(operand),
            None => self.unknown = true,
        }
    }
}

/// What decides how rows that are in the way are treated.
trait Conflicts {
    /// Whether rows in the way are deleted.
    fn replaces(&self) -> bool;

    /// Whether rows in the way are updated.
    fn on_conflict_updates(&self) -> bool;
}

impl Conflicts for ast::Insert {
    fn replaces(&self) -> bool {
        self.replace_into || self.or == Some(SqliteOnConflict::Replace)
    }

    fn on_conflict_updates(&self) -> bool {
        match &self.on {
            None => false,
            Some(OnInsert::OnConflict(conflict)) => {
                !matches!(conflict.action, OnConflictAction::DoNothing)
            }
            Some(_) => true,
        }
    }
}

/// The names of the assigned columns.
fn assigned(assignments: &[Assignment]) -> impl Iterator<Item = &ObjectName> + Clone {
    assignments
        .iter()
        .flat_map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
            AssignmentTarget::Tuple(names) => names.as_slice(),
        })
}

/// The plain tables of a join, with their aliases.
fn joined_tables<'t>(
    table: &'t TableWithJoins,
    found: &mut Vec<(&'t ObjectName, Option<&'t str>)>,
) {
    let factors = std::iter::once(&table.relation).chain(table.joins.iter().map(|it| &it.relation));
    for factor in factors {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                found.push((name, alias.as_ref().map(|alias| alias.name.value.as_str())));
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => {
                joined_tables(table_with_joins, found);
            }
            // Anything else cannot be written.
            _ => {}
        }
    }
}

fn table_name(table: &TableWithJoins) -> Option<&ObjectName> {
    match &table.relation {
        TableFactor::Table { name, .. } => Some(name),
        _ => None,
    }
}

fn is_row_id(column: &str) -> bool {
    matches!(column, "rowid" | "oid" | "_rowid_")
}
