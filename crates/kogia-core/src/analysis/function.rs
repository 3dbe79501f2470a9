//! Function calls: which of them a result may depend on.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    ListAggOnOverflow, NamedWindowExpr, ObjectName, Value, WindowFrameBound, WindowSpec,
    WindowType,
};

use crate::dialect::{Dialect, FunctionKind, function_kind, means_the_clock};
use crate::schema::{self, Volatility};

use super::collector::Collector;
use super::relation::identifiers;
use super::statement::{Uncacheable, Wide};

impl Collector<'_> {
    /// A call: the function itself now, its arguments for the walk that asked.
    pub(super) fn function<'q>(&mut self, function: &'q Function, pending: &mut Vec<&'q Expr>) {
        let Function {
            name,
            uses_odbc_syntax: _,
            parameters,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = function;
        self.call(name, args);
        if !matches!(parameters, FunctionArguments::None) {
            self.opaque("a function has two lists of arguments");
        }
        self.arguments(parameters, pending);
        self.arguments(args, pending);
        self.order(within_group, pending);
        pending.extend(filter.as_deref());
        match over {
            Some(WindowType::WindowSpec(window)) => self.window(window, pending),
            Some(WindowType::NamedWindow(_)) | None => {}
        }
    }

    /// What calling a function means for the result.
    fn call(&mut self, name: &ObjectName, arguments: &FunctionArguments) {
        let arguments = match arguments {
            FunctionArguments::List(list) => Some(list.args.as_slice()),
            FunctionArguments::None => Some([].as_slice()),
            FunctionArguments::Subquery(_) => None,
        };
        self.named_function(name, arguments);
    }

    /// What calling a function of this name means. The arguments are not known if they come from
    /// a subquery.
    pub(super) fn named_function(&mut self, name: &ObjectName, arguments: Option<&[FunctionArg]>) {
        let Some(parts) = identifiers(name) else {
            return self.opaque("a function has a computed name");
        };
        let Some((last, qualifiers)) = parts.split_last() else {
            return;
        };
        let folded = self.catalog.fold(&last.value);
        let built_in = match qualifiers {
            [] => true,
            [schema] => {
                self.dialect == Dialect::Postgres
                    && self.catalog.fold(&schema.value) == "pg_catalog"
            }
            _ => false,
        };
        let kind = built_in
            .then(|| function_kind(self.dialect, &folded))
            .flatten();
        let own = self.catalog.function(&folded);
        match kind {
            Some(kind) => self.built_in(kind, &folded, arguments),
            None => return self.own_function(own, name),
        }
        // Users may overload the names of built-in functions.
        if own.is_some_and(|own| own.volatility != Volatility::Immutable || own.changes_session) {
            self.own_function(own, name);
        }
    }

    fn built_in(&mut self, kind: FunctionKind, folded: &str, arguments: Option<&[FunctionArg]>) {
        let shown = || -> Box<str> { format!("{folded}()").into() };
        match kind {
            FunctionKind::Pure => {}
            FunctionKind::Volatile => {
                // The list gives the worst overload. With two arguments there is no clock in it.
                let pure = match (self.dialect, folded, arguments) {
                    (Dialect::Postgres, "age", Some(arguments)) => arguments.len() == 2,
                    (Dialect::MySql, "unix_timestamp", Some(arguments)) => !arguments.is_empty(),
                    _ => false,
                };
                if matches!(folded, "rand" | "random") {
                    self.refuse(Uncacheable::Random(shown()));
                } else if !pure {
                    self.refuse(Uncacheable::Volatile(shown()));
                }
                self.sequence(folded);
            }
            FunctionKind::SqliteTime => {
                if asks_the_clock(self.dialect, folded, arguments) {
                    self.refuse(Uncacheable::Volatile(shown()));
                }
            }
            FunctionKind::Session => {
                self.refuse(Uncacheable::Volatile(shown()));
                if !self.session_function(folded, arguments) {
                    self.opaque(format!("{folded}() changes the session"));
                    self.taint(folded, false);
                }
            }
            FunctionKind::Writes => self.opaque(format!("{folded}() may write anything")),
            FunctionKind::External => self.refuse(Uncacheable::External(shown())),
            FunctionKind::Locks => self.refuse(Uncacheable::Locks),
            FunctionKind::System => self.refuse(Uncacheable::SystemTable(shown())),
        }
    }

    /// A catalog lists no sequences, so that queries of them are not cached. Without one they are
    /// taken for tables.
    fn sequence(&mut self, function: &str) {
        if matches!(function, "nextval" | "setval") && !self.catalog.is_loaded() {
            self.wide = self.wide.join(Wide::Database);
        }
    }

    /// A function that the dialect does not know: the catalog decides.
    fn own_function(&mut self, function: Option<&schema::Function>, name: &ObjectName) {
        // Whatever is set in the function stays set after it.
        let changes_session = match function {
            Some(function) => function.changes_session,
            // With a catalog, what it does not list is built in, or only this session has it.
            None if self.catalog.is_loaded() => {
                let schema = name.0.first().and_then(|part| part.as_ident());
                name.0.len() > 1 && schema.is_none_or(|it| it.value != "pg_catalog")
            }
            None => self.dialect != Dialect::Sqlite,
        };
        if changes_session {
            self.taint(&format!("{name}()"), false);
        }
        match function.map(|function| function.volatility) {
            Some(Volatility::Immutable) => {}
            // It writes nothing, but may read tables that the text does not show.
            Some(Volatility::Stable) => {
                self.refuse(Uncacheable::UnknownFunction(format!("{name}()").into()));
            }
            Some(Volatility::Volatile) | None => {
                self.refuse(Uncacheable::UnknownFunction(format!("{name}()").into()));
                self.wide = self.wide.join(Wide::Database);
            }
        }
    }

    /// `table.column` calls the function of that name on PostgreSQL if there is no such column.
    pub(super) fn attribute(&mut self, name: &Ident) {
        let folded = self.catalog.fold(&name.value);
        match self.dialect {
            Dialect::Postgres => {
                if let Some(function) = self.catalog.function(&folded) {
                    self.own_function(Some(function), &ObjectName::from(vec![name.clone()]));
                }
            }
            // Sequences in the Oracle mode of MariaDB.
            Dialect::MySql if matches!(&*folded, "nextval" | "currval") => {
                self.sequence(&folded);
                self.refuse(Uncacheable::Volatile(folded.into()));
            }
            Dialect::MySql | Dialect::Sqlite => {}
        }
    }

    /// Words that are functions without parentheses, and variables.
    pub(super) fn bare_word(&mut self, word: &Ident) {
        if self.dialect == Dialect::MySql && word.value.starts_with('@') {
            return self.refuse(Uncacheable::UserVariable);
        }
        let is = |name: &&&str| word.value.eq_ignore_ascii_case(name);
        if word.quote_style.is_some() {
            return;
        }
        if let Some(name) = bare_functions(self.dialect).iter().find(is) {
            let kind = function_kind(self.dialect, name).unwrap_or(FunctionKind::Volatile);
            self.built_in(kind, name, Some(&[]));
        }
    }

    /// The expressions and subqueries in a list of arguments.
    pub(super) fn arguments<'q>(
        &mut self,
        arguments: &'q FunctionArguments,
        pending: &mut Vec<&'q Expr>,
    ) {
        match arguments {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query),
            FunctionArguments::List(list) => {
                for argument in &list.args {
                    self.argument(argument, pending);
                }
                for clause in &list.clauses {
                    self.argument_clause(clause, pending);
                }
            }
        }
    }

    pub(super) fn argument<'q>(&mut self, argument: &'q FunctionArg, pending: &mut Vec<&'q Expr>) {
        let (name, argument) = match argument {
            FunctionArg::Named {
                name: _,
                arg,
                operator: _,
            } => (None, arg),
            FunctionArg::ExprNamed {
                name,
                arg,
                operator: _,
            } => (Some(name), arg),
            FunctionArg::Unnamed(argument) => (None, argument),
        };
        pending.extend(name);
        match argument {
            FunctionArgExpr::Expr(expression) => pending.push(expression),
            FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::Wildcard => {}
            FunctionArgExpr::WildcardWithOptions(_) => {
                self.opaque("an argument of another database's syntax");
            }
        }
    }

    fn argument_clause<'q>(
        &mut self,
        clause: &'q FunctionArgumentClause,
        pending: &mut Vec<&'q Expr>,
    ) {
        match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(_)
            | FunctionArgumentClause::Separator(_)
            | FunctionArgumentClause::JsonNullClause(_)
            | FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Error) => {}
            FunctionArgumentClause::Where(condition) => pending.push(condition),
            FunctionArgumentClause::OrderBy(order) => self.order(order, pending),
            FunctionArgumentClause::Limit(limit) => pending.push(limit),
            FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Truncate {
                filler,
                with_count: _,
            }) => pending.extend(filler.as_deref()),
            FunctionArgumentClause::Having(bound) => pending.push(&bound.1),
            FunctionArgumentClause::JsonReturningClause(returning) => {
                self.data_type(&returning.data_type);
            }
        }
    }

    pub(super) fn window<'q>(&mut self, window: &'q WindowSpec, pending: &mut Vec<&'q Expr>) {
        let WindowSpec {
            window_name: _,
            partition_by,
            order_by,
            window_frame,
        } = window;
        pending.extend(partition_by);
        self.order(order_by, pending);
        let bounds = window_frame
            .iter()
            .flat_map(|frame| std::iter::once(&frame.start_bound).chain(&frame.end_bound));
        for bound in bounds {
            match bound {
                WindowFrameBound::CurrentRow => {}
                WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
                    pending.extend(rows.as_deref());
                }
            }
        }
    }

    pub(super) fn named_window<'q>(
        &mut self,
        window: &'q NamedWindowExpr,
        pending: &mut Vec<&'q Expr>,
    ) {
        match window {
            NamedWindowExpr::NamedWindow(_) => {}
            NamedWindowExpr::WindowSpec(window) => self.window(window, pending),
        }
    }
}

/// Reserved words that call a function without parentheses.
fn bare_functions(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Postgres => &[
            "current_catalog",
            "current_date",
            "current_role",
            "current_schema",
            "current_time",
            "current_timestamp",
            "current_user",
            "localtime",
            "localtimestamp",
            "session_user",
            "system_user",
            "user",
        ],
        Dialect::MySql => &[
            "current_date",
            "current_role",
            "current_time",
            "current_timestamp",
            "current_user",
            "localtime",
            "localtimestamp",
            "sysdate",
            "utc_date",
            "utc_time",
            "utc_timestamp",
        ],
        Dialect::Sqlite => &["current_date", "current_time", "current_timestamp"],
    }
}

/// Whether a date function of SQLite may read the clock: without an argument it does, and with an
/// argument whose value is not known from the text it may be given `now`.
fn asks_the_clock(dialect: Dialect, function: &str, arguments: Option<&[FunctionArg]>) -> bool {
    let Some(arguments) = arguments else {
        return true;
    };
    // The format of `strftime` is no time. `timediff` takes two times.
    let times = arguments
        .get(usize::from(function == "strftime")..)
        .unwrap_or_default();
    let needed = if function == "timediff" { 2 } else { 1 };
    times.len() < needed
        || times.iter().any(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => {
                may_say_now(dialect, expression)
            }
            _ => true,
        })
}

/// Whether the value of an argument may be the word `now`, or a modifier that depends on the
/// process. Columns are taken for what they hold by all reason: times, not words for them.
fn may_say_now(dialect: Dialect, expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(..) | Value::Null | Value::Boolean(_) => false,
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
                means_the_clock(dialect, text)
            }
            _ => true,
        },
        Expr::Identifier(name) => {
            name.quote_style.is_some() && means_the_clock(dialect, &name.value)
        }
        Expr::CompoundIdentifier(_) => false,
        Expr::Nested(inner) => may_say_now(dialect, inner),
        // Another call is judged by itself, and gives no word.
        Expr::Function(function) => !identifiers(&function.name).is_some_and(|parts| {
            parts.last().is_some_and(|name| {
                let name = name.value.to_ascii_lowercase();
                function_kind(dialect, &name) == Some(FunctionKind::SqliteTime)
            })
        }),
        _ => true,
    }
}
