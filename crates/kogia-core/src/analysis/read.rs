//! Queries: every corner of one is walked, and what is not described makes it opaque.

use sqlparser::ast::{
    self, Distinct, Expr, Fetch, FunctionArg, GroupByExpr, GroupByWithModifier, Ident, Join,
    JoinConstraint, JoinOperator, JsonTableColumn, LimitClause, ObjectName, OrderBy, OrderByKind,
    Query, Select, SelectInto, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias,
    TableFactor, TableFunctionArgs, TableWithJoins, WildcardAdditionalOptions, With,
    XmlTableColumnOption,
};

use crate::dialect::{Dialect, is_system_relation};

use super::collector::Collector;
use super::pin::Block;
use super::proof::{self, Tail};
use super::relation::{BaseTable, identifiers};
use super::statement::{Effect, Pin, Proof, Uncacheable, Wide};

/// Queries in queries: more than this many are not walked.
const DEEPEST_QUERY: usize = 150;

impl Collector<'_> {
    /// A query, with everything in it.
    pub(super) fn query(&mut self, query: &Query) {
        if self.depth >= DEEPEST_QUERY {
            return self.opaque("queries are nested too deeply");
        }
        let outermost = self.depth == 0;
        let scope = self.ctes.len();
        self.depth += 1;
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if let Some(with) = with {
            self.with(with);
        }
        if !locks.is_empty() {
            self.refuse(Uncacheable::Locks);
        }
        if for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty()
        {
            self.opaque("a clause of another database's syntax");
        }
        let tail =
            outermost.then(|| Tail::new(order_by.as_ref(), limit_clause.as_ref(), fetch.as_ref()));
        self.set_expression(body, tail);
        if let Some(order_by) = order_by {
            self.order_by(order_by);
        }
        if let Some(limit) = limit_clause {
            self.limit(limit);
        }
        if let Some(Fetch {
            with_ties: _,
            percent: _,
            quantity,
        }) = fetch
        {
            self.expressions(quantity);
        }
        self.depth -= 1;
        self.ctes.truncate(scope);
    }

    /// The CTEs of a `WITH`, in scope until the query around it ends.
    ///
    /// A name is in scope behind its definition, and in it where it is recursive. PostgreSQL and
    /// SQLite know some names earlier; there they are read as tables, which is no table too few.
    pub(super) fn with(&mut self, with: &With) {
        let With {
            with_token: _,
            recursive,
            cte_tables,
        } = with;
        for cte in cte_tables {
            let ast::Cte {
                alias,
                query,
                from,
                materialized: _,
                closing_paren_token: _,
            } = cte;
            if from.is_some() {
                self.opaque("a CTE of another database's syntax");
            }
            let unpinned = self.unpinned;
            if *recursive {
                self.unpinned = true;
                self.ctes.push(alias.name.clone());
            }
            // The query of a CTE is never the outermost one.
            self.depth += 1;
            self.query(query);
            self.depth -= 1;
            self.unpinned = unpinned;
            if !*recursive {
                self.ctes.push(alias.name.clone());
            }
        }
    }

    /// The relations of `UPDATE … FROM` and `DELETE … USING`, not pinned.
    pub(super) fn items_of_from(&mut self, from: &[TableWithJoins]) {
        let mut block = Block::new();
        for joined in from {
            self.joined(joined, &mut block);
        }
        for (item, _) in block.pinned(self) {
            if let Some(table) = item.table {
                self.read_table(table.name, None);
            }
        }
    }

    fn set_expression(&mut self, body: &SetExpr, tail: Option<Tail<'_>>) {
        // Set operations are chained to the left, however many there are.
        let mut body = body;
        let mut tail = tail;
        while let SetExpr::SetOperation {
            op: _,
            set_quantifier: _,
            left,
            right,
        } = body
        {
            tail = None;
            self.set_expression(right, None);
            body = left;
        }
        match body {
            SetExpr::Select(select) => self.select(select, tail),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => {
                self.expressions(values.rows.iter().flat_map(|row| &row.content));
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.statement(statement),
            // The parser has swallowed two tokens behind the name.
            SetExpr::Table(_) => self.opaque_everything("TABLE stands where it is not described"),
            SetExpr::SetOperation { .. } => {}
        }
    }

    fn select(&mut self, select: &Select, tail: Option<Tail<'_>>) {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let foreign_syntax = top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
            || *flavor != ast::SelectFlavor::Standard;
        if foreign_syntax {
            self.opaque("a clause of another database's syntax");
        }
        if select_modifiers
            .as_ref()
            .is_some_and(|modifiers| modifiers.sql_calc_found_rows)
        {
            // The next statement asks the session how many rows this one found.
            self.refuse(Uncacheable::Volatile("SQL_CALC_FOUND_ROWS".into()));
        }
        if let Some(into) = into {
            self.into(into);
        }
        let proof = tail.map_or(Proof::Never, |tail| proof::of(select, &tail));
        self.items_and_where(from, selection.as_ref(), proof);
        if let Some(Distinct::On(expressions)) = distinct {
            self.expressions(expressions);
        }
        for item in projection {
            self.select_item(item);
        }
        self.group_by(group_by);
        self.expressions(having);
        for window in named_window {
            let mut pending = Vec::new();
            self.named_window(&window.1, &mut pending);
            self.expressions(pending);
        }
    }

    /// The relations of one block and the condition on their rows.
    fn items_and_where(&mut self, from: &[TableWithJoins], selection: Option<&Expr>, proof: Proof) {
        let mut block = Block::new();
        for joined in from {
            self.joined(joined, &mut block);
        }
        if let Some(condition) = selection {
            self.expression(condition);
            block.limit(0..block.len(), condition);
        }
        let alone = block.len() == 1;
        self.read_block(block, |values, nullable| match proof {
            _ if nullable => Proof::Never,
            Proof::RowPerValue | Proof::AnyRow if values == 1 => Proof::AnyRow,
            Proof::RowPerValue if alone => Proof::RowPerValue,
            Proof::RowPerValue | Proof::AnyRow | Proof::Never => Proof::Never,
        });
    }

    /// Adds the tables of a block to the read set, where `proof` says what the result proves about
    /// a number of values, and a relation that may be left out.
    fn read_block(&mut self, block: Block<'_>, proof: impl Fn(usize, bool) -> Proof) {
        for (item, values) in block.pinned(self) {
            let Some(table) = item.table else { continue };
            let pin = values.zip(table.key).map(|(values, column)| {
                let proof = proof(values.len(), item.nullable);
                Pin {
                    column,
                    values,
                    proof,
                }
            });
            self.read_table(table.name, pin);
        }
    }

    fn joined<'q>(&mut self, joined: &'q TableWithJoins, block: &mut Block<'q>) {
        let start = block.len();
        self.factor(&joined.relation, block);
        for Join {
            relation,
            global,
            join_operator,
        } in &joined.joins
        {
            if *global {
                self.opaque("a join of another database's syntax");
            }
            let right = block.len();
            self.factor(relation, block);
            let end = block.len();
            // The relations that the condition limits, and those that the join may leave out. What
            // is preserved keeps its rows, whatever the condition says.
            let (constraint, limited, nullable) = match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::StraightJoin(constraint) => (constraint, start..end, end..end),
                JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                    (constraint, right..end, right..end)
                }
                JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                    (constraint, start..right, start..right)
                }
                JoinOperator::FullOuter(constraint) => (constraint, end..end, start..end),
                JoinOperator::Semi(_)
                | JoinOperator::LeftSemi(_)
                | JoinOperator::RightSemi(_)
                | JoinOperator::Anti(_)
                | JoinOperator::LeftAnti(_)
                | JoinOperator::RightAnti(_)
                | JoinOperator::CrossApply
                | JoinOperator::OuterApply
                | JoinOperator::AsOf { .. }
                | JoinOperator::ArrayJoin
                | JoinOperator::LeftArrayJoin
                | JoinOperator::InnerArrayJoin => {
                    self.opaque("a join of another database's syntax");
                    continue;
                }
            };
            block.make_nullable(nullable);
            match constraint {
                JoinConstraint::On(condition) => {
                    self.expression(condition);
                    block.limit(limited, condition);
                }
                JoinConstraint::Using(_) | JoinConstraint::Natural | JoinConstraint::None => {}
            }
        }
    }

    fn factor<'q>(&mut self, factor: &'q TableFactor, block: &mut Block<'q>) {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality: _,
                partitions: _,
                json_path,
                sample,
                index_hints: _,
            } => {
                if !with_hints.is_empty() || json_path.is_some() {
                    self.opaque("a relation of another database's syntax");
                }
                if version.is_some() {
                    self.refuse(Uncacheable::Volatile("FOR SYSTEM_TIME".into()));
                }
                if sample.is_some() {
                    self.refuse(Uncacheable::Sampling);
                }
                if let Some(TableFunctionArgs { args, settings }) = args {
                    if settings.is_some() {
                        self.opaque("a relation of another database's syntax");
                    }
                    self.table_function(name, args);
                    return block.add(column_qualifier(name, alias.as_ref()), None);
                }
                let mut table = self.resolve(name);
                if alias
                    .as_ref()
                    .is_some_and(|alias| !alias.columns.is_empty())
                {
                    // The columns have other names here, maybe one another's.
                    table = table.map(|table| BaseTable { key: None, ..table });
                }
                block.add(column_qualifier(name, alias.as_ref()), table);
            }
            TableFactor::Derived {
                lateral: _,
                subquery,
                alias,
                sample,
            } => {
                if sample.is_some() {
                    self.refuse(Uncacheable::Sampling);
                }
                self.query(subquery);
                block.add(alias.as_ref().map(|alias| alias.name.clone()), None);
            }
            TableFactor::Function {
                lateral: _,
                name,
                args,
                with_ordinality: _,
                alias,
            } => {
                self.table_function(name, args);
                block.add(alias.as_ref().map(|alias| alias.name.clone()), None);
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: _,
                with_offset_alias: _,
                with_ordinality: _,
            } => {
                self.expressions(array_exprs);
                block.add(alias.as_ref().map(|alias| alias.name.clone()), None);
            }
            TableFactor::JsonTable {
                json_expr,
                json_path,
                columns,
                alias,
            } => {
                self.expression(json_expr);
                self.value(&json_path.value);
                self.json_columns(columns);
                block.add(alias.as_ref().map(|alias| alias.name.clone()), None);
            }
            TableFactor::XmlTable {
                namespaces,
                row_expression,
                passing,
                columns,
                alias,
            } => {
                self.expressions(namespaces.iter().map(|namespace| &namespace.uri));
                self.expression(row_expression);
                self.expressions(passing.arguments.iter().map(|argument| &argument.expr));
                for column in columns {
                    match &column.option {
                        XmlTableColumnOption::NamedInfo {
                            r#type,
                            path,
                            default,
                            nullable: _,
                        } => {
                            self.data_type(r#type);
                            self.expressions(path.iter().chain(default));
                        }
                        XmlTableColumnOption::ForOrdinality => {}
                    }
                }
                block.add(alias.as_ref().map(|alias| alias.name.clone()), None);
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => {
                self.joined(table_with_joins, block);
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: Some(alias),
            } => {
                // The alias hides the names inside.
                let mut inner = Block::new();
                self.joined(table_with_joins, &mut inner);
                self.read_block(inner, |_, _| Proof::Never);
                block.add(Some(alias.name.clone()), None);
            }
            TableFactor::TableFunction { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::SemanticView { .. } => {
                self.opaque("a relation of another database's syntax");
                block.add(None, None);
            }
        }
    }

    /// A function that stands for a table: `generate_series(1, 3)`, `json_each(x)`.
    fn table_function(&mut self, name: &ObjectName, arguments: &[FunctionArg]) {
        let parts = identifiers(name).unwrap_or_default();
        let folded = parts
            .last()
            .map(|part| self.catalog.fold(&part.value))
            .unwrap_or_default();
        if self.dialect == Dialect::Sqlite && is_system_relation(self.dialect, None, &folded) {
            self.refuse(Uncacheable::SystemTable(name.to_string().into()));
        } else if self.catalog.relation(&folded).is_some() && self.dialect == Dialect::Sqlite {
            // The hidden columns of a virtual table may be given like arguments.
            self.read_relation(name);
        } else {
            self.named_function(name, Some(arguments));
        }
        let mut pending = Vec::new();
        for argument in arguments {
            self.argument(argument, &mut pending);
        }
        self.expressions(pending);
    }

    fn json_columns(&mut self, columns: &[JsonTableColumn]) {
        for column in columns {
            match column {
                JsonTableColumn::Named(column) => {
                    self.data_type(&column.r#type);
                    self.value(&column.path.value);
                    for handling in column.on_empty.iter().chain(&column.on_error) {
                        match handling {
                            ast::JsonTableColumnErrorHandling::Default(value) => {
                                self.value(&value.value);
                            }
                            ast::JsonTableColumnErrorHandling::Null
                            | ast::JsonTableColumnErrorHandling::Error => {}
                        }
                    }
                }
                JsonTableColumn::ForOrdinality(_) => {}
                JsonTableColumn::Nested(nested) => self.json_columns(&nested.columns),
            }
        }
    }

    fn select_item(&mut self, item: &SelectItem) {
        let options = match item {
            SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression,
                alias: _,
            } => {
                return self.expression(expression);
            }
            SelectItem::ExprWithAliases {
                expr: _,
                aliases: _,
            } => {
                return self.opaque("a column of another database's syntax");
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::Expr(expression),
                options,
            ) => {
                self.expression(expression);
                options
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(_),
                options,
            )
            | SelectItem::Wildcard(options) => options,
        };
        let WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias: _,
        } = options;
        if opt_ilike.is_some()
            || opt_exclude.is_some()
            || opt_except.is_some()
            || opt_replace.is_some()
            || opt_rename.is_some()
        {
            self.opaque("a wildcard of another database's syntax");
        }
    }

    /// `SELECT … INTO`: a new table on PostgreSQL, variables on MySQL.
    fn into(&mut self, into: &SelectInto) {
        let SelectInto {
            temporary,
            unlogged: _,
            table: _,
            targets,
        } = into;
        if self.dialect == Dialect::MySql {
            self.refuse(Uncacheable::UserVariable);
            return self.expressions(targets);
        }
        self.refuse(Uncacheable::Writes);
        let name = match targets.as_slice() {
            [Expr::Identifier(name)] => Some(name),
            [Expr::CompoundIdentifier(parts)] => parts.last(),
            _ => None,
        };
        match name {
            Some(name) if *temporary => {
                let name = self.catalog.fold(&name.value);
                self.effects.push(Effect::CreateTemporary(name.into()));
            }
            _ => self.wide = self.wide.join(Wide::Schema),
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr) {
        let modifiers = match group_by {
            GroupByExpr::All(modifiers) => modifiers,
            GroupByExpr::Expressions(expressions, modifiers) => {
                self.expressions(expressions);
                modifiers
            }
        };
        for modifier in modifiers {
            match modifier {
                GroupByWithModifier::Rollup
                | GroupByWithModifier::Cube
                | GroupByWithModifier::Totals => {}
                GroupByWithModifier::GroupingSets(sets) => self.expression(sets),
            }
        }
    }

    fn order_by(&mut self, order_by: &OrderBy) {
        let OrderBy { kind, interpolate } = order_by;
        if interpolate.is_some() {
            self.opaque("a clause of another database's syntax");
        }
        match kind {
            OrderByKind::All(_) => {}
            OrderByKind::Expressions(order) => {
                let mut pending = Vec::new();
                self.order(order, &mut pending);
                self.expressions(pending);
            }
        }
    }

    fn limit(&mut self, limit: &LimitClause) {
        match limit {
            LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            } => {
                self.expressions(limit.iter().chain(limit_by));
                self.expressions(offset.iter().map(|offset| &offset.value));
            }
            LimitClause::OffsetCommaLimit { offset, limit } => self.expressions([offset, limit]),
        }
    }
}

/// What the columns of a table are qualified with in the block that names it.
fn column_qualifier(name: &ObjectName, alias: Option<&TableAlias>) -> Option<Ident> {
    match alias {
        Some(alias) => Some(alias.name.clone()),
        None => identifiers(name)?.last().map(|name| (*name).clone()),
    }
}
