//! What the rows of a result prove about the existence of pinned keys.

use sqlparser::ast::{
    Distinct, Expr, Fetch, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
    LimitClause, OrderBy, OrderByKind, Select, SelectItem, SelectItemQualifiedWildcardKind,
};

use super::relation::identifiers;
use super::statement::Proof;

/// What follows the outermost block of a text.
pub(super) struct Tail<'q> {
    order_by: Option<&'q OrderBy>,
    skips: bool,
    limits: bool,
}

impl<'q> Tail<'q> {
    pub(super) fn new(
        order_by: Option<&'q OrderBy>,
        limit: Option<&LimitClause>,
        fetch: Option<&Fetch>,
    ) -> Self {
        let skips = match limit {
            None => false,
            Some(LimitClause::LimitOffset {
                limit: _,
                offset,
                limit_by,
            }) => offset.is_some() || !limit_by.is_empty(),
            Some(LimitClause::OffsetCommaLimit { .. }) => true,
        };
        Tail {
            order_by,
            skips,
            limits: limit.is_some() || fetch.is_some(),
        }
    }

    fn ordering(&self) -> impl Iterator<Item = &'q Expr> {
        let order = match self.order_by.map(|order_by| &order_by.kind) {
            Some(OrderByKind::Expressions(order)) => order.as_slice(),
            Some(OrderByKind::All(_)) | None => &[],
        };
        order.iter().map(|order| &order.expr)
    }
}

/// What the result of the outermost block proves at most about a table in its `FROM` that no outer
/// join leaves out.
///
/// [`Proof::RowPerValue`] holds only if the table is alone there, which the caller knows; then one
/// value needs no more than [`Proof::AnyRow`].
pub(super) fn of(select: &Select, tail: &Tail<'_>) -> Proof {
    let grouped = !matches!(&select.group_by,
        GroupByExpr::Expressions(expressions, modifiers)
            if expressions.is_empty() && modifiers.is_empty());
    let reduced = matches!(select.distinct, Some(Distinct::On(_)));
    if grouped || reduced || select.having.is_some() || tail.skips {
        return Proof::Never;
    }
    let Some(mut expressions) = projected(select) else {
        return Proof::Never;
    };
    expressions.extend(tail.ordering());
    if !expressions.iter().all(|expression| is_scalar(expression)) {
        return Proof::Never;
    }
    // A function that gives a set multiplies rows.
    let plain = expressions.iter().all(|expression| is_plain(expression));
    if plain && select.distinct.is_none() && !tail.limits {
        Proof::RowPerValue
    } else {
        Proof::AnyRow
    }
}

/// The expressions that a block gives, but for its wildcards.
fn projected(select: &Select) -> Option<Vec<&Expr>> {
    let mut expressions = Vec::with_capacity(select.projection.len());
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression,
                alias: _,
            } => {
                expressions.push(expression);
            }
            SelectItem::Wildcard(_)
            | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), _) => {}
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _)
            | SelectItem::ExprWithAliases { .. } => return None,
        }
    }
    Some(expressions)
}

/// A column or a constant.
fn is_plain(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
    )
}

/// Whether an expression surely is no aggregate and has none in it. What is in a subquery may be
/// one of this block, if all its columns are.
fn is_scalar(expression: &Expr) -> bool {
    let mut pending = vec![expression];
    while let Some(expression) = pending.pop() {
        match expression {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => {}
            Expr::TypedString(_) => {}
            Expr::Nested(inner)
            | Expr::UnaryOp { op: _, expr: inner }
            | Expr::Cast { expr: inner, .. }
            | Expr::Extract { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner) => pending.push(inner),
            Expr::BinaryOp { left, op: _, right }
            | Expr::AtTimeZone {
                timestamp: left,
                time_zone: right,
            } => {
                pending.extend([&**left, &**right]);
            }
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                pending.extend(operand.as_deref());
                pending.extend(conditions.iter().flat_map(|it| [&it.condition, &it.result]));
                pending.extend(else_result.as_deref());
            }
            Expr::Function(function) => match scalar_arguments(function) {
                Some(arguments) => pending.extend(arguments),
                None => return false,
            },
            _ => return false,
        }
    }
    true
}

/// The arguments of a call, if it is one of the functions that everybody uses and that give one
/// value for each row.
fn scalar_arguments(function: &Function) -> Option<Vec<&Expr>> {
    let parts = identifiers(&function.name)?;
    let [name] = parts.as_slice() else {
        return None;
    };
    if !SCALAR_FUNCTIONS
        .iter()
        .any(|known| name.value.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
            _ => None,
        })
        .collect()
}

const SCALAR_FUNCTIONS: &[&str] = &[
    "abs",
    "char_length",
    "coalesce",
    "concat",
    "date",
    "date_format",
    "date_trunc",
    "datetime",
    "hex",
    "ifnull",
    "json_extract",
    "left",
    "length",
    "lower",
    "ltrim",
    "nullif",
    "octet_length",
    "replace",
    "right",
    "round",
    "rtrim",
    "strftime",
    "substr",
    "substring",
    "to_char",
    "to_json",
    "to_jsonb",
    "trim",
    "upper",
];
