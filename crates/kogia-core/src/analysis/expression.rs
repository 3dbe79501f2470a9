//! Expressions: every kind of node is named, so that none with a subquery in it is passed over.

use sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastFormat, CeilFloorKind, DataType, Expr,
    Interval, ObjectName, OrderByExpr, OrderBySort, Subscript, TimezoneInfo, UnaryOperator, Value,
};

use crate::dialect::{Dialect, is_known_operator, means_the_clock};

use super::collector::Collector;
use super::relation::identifiers;
use super::statement::Uncacheable;

impl Collector<'_> {
    /// An expression, with everything in it.
    pub(super) fn expression(&mut self, expression: &Expr) {
        self.expressions([expression]);
    }

    /// Expressions. A list of what is left to see takes the place of recursion, which the length
    /// of a chain of operators could drive to any depth.
    pub(super) fn expressions<'q>(&mut self, expressions: impl IntoIterator<Item = &'q Expr>) {
        let mut pending: Vec<&Expr> = expressions.into_iter().collect();
        pending.reverse();
        while let Some(expression) = pending.pop() {
            self.node(expression, &mut pending);
        }
    }

    fn node<'q>(&mut self, expression: &'q Expr, pending: &mut Vec<&'q Expr>) {
        match expression {
            Expr::Identifier(name) => self.bare_word(name),
            Expr::CompoundIdentifier(parts) => {
                if parts
                    .first()
                    .is_some_and(|part| part.value.starts_with("@@"))
                {
                    self.refuse(Uncacheable::UserVariable);
                }
                if let Some(name) = parts.last() {
                    self.attribute(name);
                }
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                pending.push(root);
                for access in access_chain {
                    self.access(access, pending);
                }
            }
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner)
            | Expr::IsJson {
                expr: inner,
                kind: _,
                unique_keys: _,
                negated: _,
            }
            | Expr::IsNormalized {
                expr: inner,
                form: _,
                negated: _,
            }
            | Expr::Collate {
                expr: inner,
                collation: _,
            }
            | Expr::Extract {
                field: _,
                syntax: _,
                expr: inner,
            }
            | Expr::Prefixed {
                prefix: _,
                value: inner,
            }
            | Expr::Named {
                expr: inner,
                name: _,
            }
            | Expr::Interval(Interval { value: inner, .. }) => pending.push(inner),
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                pending.push(expr);
                match field {
                    CeilFloorKind::DateTimeField(_) => {}
                    CeilFloorKind::Scale(value) => self.value(&value.value),
                }
            }
            Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::InUnnest {
                expr: left,
                array_expr: right,
                negated: _,
            }
            | Expr::AtTimeZone {
                timestamp: left,
                time_zone: right,
            }
            | Expr::Position {
                expr: left,
                r#in: right,
            } => pending.extend([&**left, &**right]),
            Expr::InList {
                expr,
                list,
                negated: _,
            } => {
                pending.push(expr);
                pending.extend(list);
            }
            Expr::InSubquery {
                expr,
                subquery,
                negated: _,
            } => {
                pending.push(expr);
                self.query(subquery);
            }
            Expr::Between {
                expr,
                negated: _,
                low,
                high,
            } => {
                pending.extend([&**expr, &**low, &**high]);
            }
            Expr::BinaryOp { left, op, right } => {
                self.operator(op);
                pending.extend([&**left, &**right]);
            }
            Expr::AnyOp {
                left,
                compare_op,
                right,
                is_some: _,
            }
            | Expr::AllOp {
                left,
                compare_op,
                right,
            } => {
                self.operator(compare_op);
                pending.extend([&**left, &**right]);
            }
            Expr::Like {
                negated: _,
                any: _,
                expr,
                pattern,
                escape_char,
            }
            | Expr::ILike {
                negated: _,
                any: _,
                expr,
                pattern,
                escape_char,
            }
            | Expr::SimilarTo {
                negated: _,
                expr,
                pattern,
                escape_char,
            } => {
                pending.extend([&**expr, &**pattern]);
                pending.extend(escape_char.as_deref());
            }
            Expr::RLike {
                negated: _,
                expr,
                pattern,
                regexp: _,
            } => {
                pending.extend([&**expr, &**pattern]);
            }
            Expr::UnaryOp { op, expr } => {
                self.unary_operator(*op);
                pending.push(expr);
            }
            Expr::Convert {
                is_try: _,
                expr,
                data_type,
                charset: _,
                target_before_value: _,
                styles,
            } => {
                pending.push(expr);
                pending.extend(styles);
                if let Some(data_type) = data_type {
                    self.data_type(data_type);
                }
            }
            Expr::Cast {
                kind: _,
                expr,
                data_type,
                format,
            } => {
                pending.push(expr);
                self.data_type(data_type);
                match format {
                    None => {}
                    Some(CastFormat::Value(value)) => self.value(&value.value),
                    Some(CastFormat::ValueAtTimeZone(value, zone)) => {
                        self.value(&value.value);
                        self.value(&zone.value);
                    }
                }
            }
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                special: _,
                shorthand: _,
            } => {
                pending.push(expr);
                pending.extend(substring_from.as_deref());
                pending.extend(substring_for.as_deref());
            }
            Expr::Trim {
                trim_where: _,
                trim_what,
                expr,
                trim_characters,
            } => {
                pending.push(expr);
                pending.extend(trim_what.as_deref());
                pending.extend(trim_characters.iter().flatten());
            }
            Expr::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                pending.extend([&**expr, &**overlay_what, &**overlay_from]);
                pending.extend(overlay_for.as_deref());
            }
            Expr::Value(value) => self.value(&value.value),
            Expr::TypedString(typed) => {
                self.data_type(&typed.data_type);
                self.value(&typed.value.value);
            }
            Expr::Function(function) => self.function(function, pending),
            Expr::Case {
                case_token: _,
                end_token: _,
                operand,
                conditions,
                else_result,
            } => {
                pending.extend(operand.as_deref());
                for branch in conditions {
                    pending.extend([&branch.condition, &branch.result]);
                }
                pending.extend(else_result.as_deref());
            }
            Expr::Exists {
                subquery,
                negated: _,
            }
            | Expr::Subquery(subquery) => self.query(subquery),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                pending.extend(sets.iter().flatten());
            }
            Expr::Tuple(members) => pending.extend(members),
            Expr::Array(array) => pending.extend(&array.elem),
            Expr::MatchAgainst {
                columns: _,
                match_value,
                opt_search_modifier: _,
            } => {
                self.value(&match_value.value);
            }
            Expr::MemberOf(member) => pending.extend([&*member.value, &*member.array]),
            // `count(*)`, and `f(t.*)` on PostgreSQL.
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {}
            Expr::JsonAccess { .. }
            | Expr::Struct { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_) => self.opaque("an expression of another database's syntax"),
        }
    }

    fn access<'q>(&mut self, access: &'q AccessExpr, pending: &mut Vec<&'q Expr>) {
        match access {
            // A field of a composite value, or a function of it.
            AccessExpr::Dot(Expr::Identifier(name)) => self.attribute(name),
            AccessExpr::Dot(field) => pending.push(field),
            AccessExpr::Subscript(Subscript::Index { index }) => pending.push(index),
            AccessExpr::Subscript(Subscript::Slice {
                lower_bound,
                upper_bound,
                stride,
            }) => {
                pending.extend(lower_bound);
                pending.extend(upper_bound);
                pending.extend(stride);
            }
        }
    }

    pub(super) fn order<'q>(&mut self, order: &'q [OrderByExpr], pending: &mut Vec<&'q Expr>) {
        for OrderByExpr {
            expr,
            options,
            with_fill,
        } in order
        {
            pending.push(expr);
            match &options.sort {
                None | Some(OrderBySort::Asc | OrderBySort::Desc) => {}
                Some(OrderBySort::Using(operator)) => {
                    let operator = operator.to_string();
                    if !matches!(operator.as_str(), "<" | ">") {
                        self.custom_operator(&operator);
                    }
                }
            }
            if with_fill.is_some() {
                self.opaque("a clause of another database's syntax");
            }
        }
    }

    /// Literals and parameters.
    pub(super) fn value(&mut self, value: &Value) {
        let text = match value {
            // A quoted name: @`x`
            Value::Placeholder(name) if self.dialect == Dialect::MySql && name.starts_with('@') => {
                return self.refuse(Uncacheable::UserVariable);
            }
            Value::Number(..) | Value::Boolean(_) | Value::Null | Value::Placeholder(_) => return,
            Value::HexStringLiteral(_) | Value::SingleQuotedByteStringLiteral(_) => return,
            Value::SingleQuotedString(text)
            | Value::DoubleQuotedString(text)
            | Value::NationalStringLiteral(text) => text,
            Value::DollarQuotedString(text) => &text.value,
            Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
                if spells_letters(text) {
                    self.refuse(Uncacheable::Volatile(
                        "a literal with escaped letters".into(),
                    ));
                }
                &without_escapes(text)
            }
            Value::TripleSingleQuotedString(_)
            | Value::TripleDoubleQuotedString(_)
            | Value::DoubleQuotedByteStringLiteral(_)
            | Value::TripleSingleQuotedByteStringLiteral(_)
            | Value::TripleDoubleQuotedByteStringLiteral(_)
            | Value::SingleQuotedRawStringLiteral(_)
            | Value::DoubleQuotedRawStringLiteral(_)
            | Value::TripleSingleQuotedRawStringLiteral(_)
            | Value::TripleDoubleQuotedRawStringLiteral(_)
            | Value::QuoteDelimitedStringLiteral(_)
            | Value::NationalQuoteDelimitedStringLiteral(_) => {
                return self.opaque("a literal of another database's syntax");
            }
        };
        // PostgreSQL turns any literal into a time where one is wanted, with or without a cast.
        if self.dialect == Dialect::Postgres && means_the_clock(self.dialect, text) {
            self.refuse(Uncacheable::Volatile(format!("'{text}'").into()));
        }
    }

    fn operator(&mut self, operator: &BinaryOperator) {
        match operator {
            BinaryOperator::Custom(name) => self.custom_operator(name),
            BinaryOperator::PGCustomBinaryOperator(parts) => {
                if parts.first().is_none_or(|schema| schema != "pg_catalog") {
                    self.custom_operator(&parts.join("."));
                }
            }
            // `@x := 1`
            BinaryOperator::Assignment => self.refuse(Uncacheable::UserVariable),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Spaceship
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::Xor
            | BinaryOperator::BitwiseOr
            | BinaryOperator::BitwiseAnd
            | BinaryOperator::BitwiseXor
            | BinaryOperator::DuckIntegerDivide
            | BinaryOperator::MyIntegerDivide
            | BinaryOperator::Match
            | BinaryOperator::Regexp
            | BinaryOperator::Glob
            | BinaryOperator::PGBitwiseXor
            | BinaryOperator::PGBitwiseShiftLeft
            | BinaryOperator::PGBitwiseShiftRight
            | BinaryOperator::PGExp
            | BinaryOperator::PGOverlap
            | BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
            | BinaryOperator::PGLikeMatch
            | BinaryOperator::PGILikeMatch
            | BinaryOperator::PGNotLikeMatch
            | BinaryOperator::PGNotILikeMatch
            | BinaryOperator::PGStartsWith
            | BinaryOperator::Arrow
            | BinaryOperator::LongArrow
            | BinaryOperator::HashArrow
            | BinaryOperator::HashLongArrow
            | BinaryOperator::AtAt
            | BinaryOperator::AtArrow
            | BinaryOperator::ArrowAt
            | BinaryOperator::HashMinus
            | BinaryOperator::AtQuestion
            | BinaryOperator::Question
            | BinaryOperator::QuestionAnd
            | BinaryOperator::QuestionPipe
            | BinaryOperator::Overlaps
            | BinaryOperator::DoubleHash
            | BinaryOperator::LtDashGt
            | BinaryOperator::AndLt
            | BinaryOperator::AndGt
            | BinaryOperator::LtLtPipe
            | BinaryOperator::PipeGtGt
            | BinaryOperator::AndLtPipe
            | BinaryOperator::PipeAndGt
            | BinaryOperator::LtCaret
            | BinaryOperator::GtCaret
            | BinaryOperator::QuestionHash
            | BinaryOperator::QuestionDash
            | BinaryOperator::QuestionDashPipe
            | BinaryOperator::QuestionDoublePipe
            | BinaryOperator::At
            | BinaryOperator::TildeEq => {}
        }
    }

    fn unary_operator(&mut self, operator: UnaryOperator) {
        match operator {
            UnaryOperator::AtDashAt
            | UnaryOperator::BangNot
            | UnaryOperator::BitwiseNot
            | UnaryOperator::DoubleAt
            | UnaryOperator::Hash
            | UnaryOperator::Plus
            | UnaryOperator::Minus
            | UnaryOperator::Not
            | UnaryOperator::PGAbs
            | UnaryOperator::PGCubeRoot
            | UnaryOperator::PGPostfixFactorial
            | UnaryOperator::PGPrefixFactorial
            | UnaryOperator::PGSquareRoot
            | UnaryOperator::QuestionDash
            | UnaryOperator::QuestionPipe => {}
        }
    }

    /// An operator of an extension or of a user. It calls a function of which nothing is known;
    /// that an operator writes tables is not to be expected, so it only keeps the result out.
    fn custom_operator(&mut self, name: &str) {
        if is_known_operator(name) {
            return;
        }
        self.refuse(Uncacheable::UnknownFunction(
            format!("operator {name}").into(),
        ));
    }

    /// The types of casts and literals: some conversions ask the catalog or the clock.
    pub(super) fn data_type(&mut self, data_type: &DataType) {
        match data_type {
            DataType::Regclass => self.refuse(Uncacheable::SystemTable("regclass".into())),
            DataType::Custom(name, _) => self.custom_type(name),
            DataType::Array(
                ArrayElemTypeDef::AngleBracket(inner)
                | ArrayElemTypeDef::SquareBracket(inner, _)
                | ArrayElemTypeDef::Parenthesis(inner),
            ) => self.data_type(inner),
            // A time of day with a zone has the offset that the zone has today.
            DataType::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)
                if self.dialect == Dialect::Postgres =>
            {
                self.refuse(Uncacheable::Volatile("time with time zone".into()));
            }
            DataType::Table(_)
            | DataType::NamedTable { .. }
            | DataType::Map(..)
            | DataType::Tuple(_)
            | DataType::Nested(_)
            | DataType::Struct(..)
            | DataType::Union(_)
            | DataType::Nullable(_)
            | DataType::LowCardinality(_) => self.opaque("a type of another database's syntax"),
            // All others convert by the value alone, and settings that the key holds.
            _ => {}
        }
    }

    fn custom_type(&mut self, name: &ObjectName) {
        if self.dialect != Dialect::Postgres {
            return;
        }
        let parts = identifiers(name).unwrap_or_default();
        let Some(last) = parts.last() else { return };
        let folded = self.catalog.fold(&last.value);
        let asks_the_catalog = folded.starts_with("reg") && REG_TYPES.contains(&&*folded);
        if asks_the_catalog {
            self.refuse(Uncacheable::SystemTable(folded.into()));
        } else if folded == "timetz" {
            self.refuse(Uncacheable::Volatile("time with time zone".into()));
        }
    }
}

/// Types of PostgreSQL whose input is looked up in the system catalog. Not those of text search:
/// its functions look the same names up without a cast, and only DDL changes what they find.
const REG_TYPES: &[&str] = &[
    "regclass",
    "regcollation",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

/// A literal with a space for every escaped character.
fn without_escapes(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
            plain.push(' ');
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Whether a backslash in a literal is followed by the code of a character.
fn spells_letters(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| {
        pair[0] == b'\\'
            && (pair[1].is_ascii_hexdigit() || matches!(pair[1], b'+' | b'x' | b'u' | b'U'))
    })
}
