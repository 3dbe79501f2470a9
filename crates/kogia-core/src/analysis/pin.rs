//! Which key values a condition pins a table to.
//!
//! Only a conjunct at the top of the condition counts: what stands under any other operator may
//! hold for rows of other keys. And only where it is certain which table the column belongs to.

use std::ops::Range;
use std::sync::Arc;

use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value};

use crate::canonical::canonical;
use crate::dialect::Dialect;
use crate::schema::KeyColumn;
use crate::value;

use super::collector::Collector;
use super::relation::{BaseTable, same_name};
use super::statement::{Literal, Operand, Pin};

/// The key values that the condition of an `UPDATE` or `DELETE` of one table limits it to.
///
/// `own` is the folded alias of the table, or its name.
pub(super) fn keys_of_where(
    collector: &Collector<'_>,
    selection: Option<&Expr>,
    own: &str,
    key: &Arc<KeyColumn>,
) -> Option<Vec<Operand>> {
    if collector.unpinned {
        return None;
    }
    let dialect = collector.dialect;
    let is_key = |column: &Expr| match column {
        Expr::Identifier(name) => is_column(dialect, name, key),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] => {
                collector.catalog.fold(&table.value) == own && is_column(dialect, name, key)
            }
            _ => false,
        },
        _ => false,
    };
    pinned(dialect, selection?, key, &is_key)
}

/// An operand that can be compared with a key: a literal, or a parameter whose number is certain.
pub(super) fn operand(expression: &Expr) -> Option<Operand> {
    match expression {
        Expr::Nested(inner) => operand(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match operand(expr)? {
            Operand::Literal(Literal::Int(number)) => {
                Some(Operand::Literal(Literal::Int(number.checked_neg()?)))
            }
            _ => None,
        },
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => {
                let number: usize = name.strip_prefix('?')?.parse().ok()?;
                Some(Operand::Parameter(number.checked_sub(1)?))
            }
            Value::Number(digits, false) => number(digits).map(Operand::Literal),
            // What a backslash stands for is a matter of settings, and what a doubled percent sign
            // stands for is one of drivers.
            Value::SingleQuotedString(text) if !text.contains('\\') && !text.contains("%%") => {
                Some(Operand::Literal(Literal::Text(text.as_str().into())))
            }
            Value::HexStringLiteral(digits) => bytes(digits).map(Operand::Literal),
            _ => None,
        },
        _ => None,
    }
}

fn number(digits: &str) -> Option<Literal> {
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let small = digits.parse().map(Literal::Int).ok();
    small.or_else(|| digits.parse().map(Literal::UInt).ok())
}

fn bytes(digits: &str) -> Option<Literal> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect();
    bytes.map(|bytes| Literal::Bytes(bytes.into()))
}

/// An operand that has a canonical form for this key, as far as the text tells.
fn key_operand(dialect: Dialect, expression: &Expr, key: &KeyColumn) -> Option<Operand> {
    let found = operand(expression)?;
    let value = match &found {
        Operand::Parameter(_) => return Some(found),
        Operand::Literal(Literal::Int(number)) => value::Value::Int(*number),
        Operand::Literal(Literal::UInt(number)) => value::Value::UInt(*number),
        Operand::Literal(Literal::Text(text)) => value::Value::Text(text),
        // `X'…'` is a string of bits on PostgreSQL.
        Operand::Literal(Literal::Bytes(_)) if dialect == Dialect::Postgres => return None,
        Operand::Literal(Literal::Bytes(bytes)) => value::Value::Bytes(bytes),
    };
    canonical(key, &value)?;
    Some(found)
}

/// Whether an identifier surely is the key column.
fn is_column(dialect: Dialect, name: &Ident, key: &KeyColumn) -> bool {
    match dialect {
        // The catalog's name is folded, so a quoted name with capitals cannot be told from it.
        Dialect::Postgres => same_name(dialect, name) == *key.name,
        Dialect::MySql | Dialect::Sqlite => {
            name.value.eq_ignore_ascii_case(&key.name) || name.value.to_lowercase() == *key.name
        }
    }
}

/// The fewest values that a conjunct of the condition limits the key to. The condition is taken
/// apart with lists, because chains of `AND` and `OR` may be long.
fn pinned(
    dialect: Dialect,
    condition: &Expr,
    key: &KeyColumn,
    is_key: &impl Fn(&Expr) -> bool,
) -> Option<Vec<Operand>> {
    let mut best: Option<Vec<Operand>> = None;
    let mut conjuncts = vec![condition];
    while let Some(conjunct) = conjuncts.pop() {
        match conjunct {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                conjuncts.extend([&**left, &**right]);
            }
            Expr::Nested(inner) => conjuncts.push(inner),
            _ => {
                let fewest = best.as_ref().map_or(usize::MAX, Vec::len);
                let values = alternatives(dialect, conjunct, key, is_key);
                best = values.filter(|values| values.len() < fewest).or(best);
            }
        }
    }
    best
}

/// The values that an `OR` wholly on the key, or a comparison with it, allows.
fn alternatives(
    dialect: Dialect,
    condition: &Expr,
    key: &KeyColumn,
    is_key: &impl Fn(&Expr) -> bool,
) -> Option<Vec<Operand>> {
    let mut values = Vec::new();
    let mut pending = vec![condition];
    while let Some(condition) = pending.pop() {
        let operands: &[Expr] = match condition {
            Expr::Nested(inner) => {
                pending.push(inner);
                continue;
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Or,
                right,
            } => {
                pending.extend([&**right, &**left]);
                continue;
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } if is_key(bare(left)) => std::slice::from_ref(right),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } if is_key(bare(right)) => std::slice::from_ref(left),
            Expr::InList {
                expr,
                list,
                negated: false,
            } if is_key(bare(expr)) => list,
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                is_some: _,
            } if is_key(bare(left)) => match bare(right) {
                Expr::Array(array) => &array.elem,
                _ => return None,
            },
            _ => return None,
        };
        for operand in operands {
            let operand = key_operand(dialect, operand, key)?;
            if !values.contains(&operand) {
                values.push(operand);
            }
        }
        if values.len() > Pin::MAX {
            return None;
        }
    }
    Some(values)
}

/// An expression without parentheses around it.
fn bare(mut expression: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expression {
        expression = inner;
    }
    expression
}

/// The relations of one `FROM`, and the conditions that limit their rows.
///
/// Conditions are read once the whole `FROM` is known: only then it is certain which table a
/// column belongs to.
pub(super) struct Block<'q> {
    items: Vec<Item>,
    conditions: Vec<(Range<usize>, &'q Expr)>,
}

/// One relation in a `FROM`.
pub(super) struct Item {
    /// The alias or name that columns are qualified with, if it is known.
    pub(super) name: Option<Ident>,
    /// The table, or nothing for what is no base table.
    pub(super) table: Option<BaseTable>,
    /// Whether an outer join may give rows without one of this relation.
    pub(super) nullable: bool,
}

impl<'q> Block<'q> {
    pub(super) fn new() -> Self {
        Block {
            items: Vec::new(),
            conditions: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn add(&mut self, name: Option<Ident>, table: Option<BaseTable>) {
        self.items.push(Item {
            name,
            table,
            nullable: false,
        });
    }

    /// Every row of the block that holds rows of these relations fulfils the condition.
    pub(super) fn limit(&mut self, items: Range<usize>, condition: &'q Expr) {
        self.conditions.push((items, condition));
    }

    pub(super) fn make_nullable(&mut self, items: Range<usize>) {
        for item in &mut self.items[items] {
            item.nullable = true;
        }
    }

    /// The relations, each with the key values that it is pinned to.
    pub(super) fn pinned(self, collector: &Collector<'_>) -> Vec<(Item, Option<Vec<Operand>>)> {
        let values: Vec<_> = (0..self.items.len())
            .map(|index| self.values(collector, index))
            .collect();
        self.items.into_iter().zip(values).collect()
    }

    fn values(&self, collector: &Collector<'_>, index: usize) -> Option<Vec<Operand>> {
        let item = &self.items[index];
        let key = item.table.as_ref()?.key.as_deref()?;
        if collector.unpinned {
            return None;
        }
        let dialect = collector.dialect;
        let name = item.name.as_ref()?;
        let ambiguous = self.items.iter().enumerate().any(|(other, item)| {
            let same = |other: &Ident| other.value.to_lowercase() == name.value.to_lowercase();
            other != index && item.name.as_ref().is_none_or(same)
        });
        let own = same_name(dialect, name);
        let is_key = |column: &Expr| match column {
            // Which of several relations a bare column belongs to, only their columns tell.
            Expr::Identifier(name) => self.items.len() == 1 && is_column(dialect, name, key),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => {
                    !ambiguous && same_name(dialect, table) == own && is_column(dialect, name, key)
                }
                _ => false,
            },
            _ => false,
        };
        self.conditions
            .iter()
            .filter(|(items, _)| items.contains(&index))
            .filter_map(|(_, condition)| pinned(dialect, condition, key, &is_key))
            .min_by_key(Vec::len)
    }
}
