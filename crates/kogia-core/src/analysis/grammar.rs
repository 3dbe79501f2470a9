//! The grammars of `sqlparser`, with the holes filled that the token stream cannot fill.

use std::any::TypeId;

use sqlparser::ast::{Expr, Statement, UnaryOperator};
use sqlparser::dialect::{
    Dialect as Grammar, MySqlDialect, PostgreSqlDialect, Precedence, SQLiteDialect,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::dialect::Dialect;

/// The grammar of a dialect.
pub(super) fn grammar(dialect: Dialect) -> &'static dyn Grammar {
    match dialect {
        Dialect::Postgres => &Postgres,
        Dialect::MySql => &MySql,
        Dialect::Sqlite => &Sqlite,
    }
}

/// Answers like the grammar that is extended, whatever the parser asks about characters: its own
/// tokenizer is not used.
macro_rules! inherit {
    ($base:expr, $type:ty; $($question:ident)*) => {
        fn dialect(&self) -> TypeId {
            TypeId::of::<$type>()
        }
        fn is_identifier_start(&self, character: char) -> bool {
            $base.is_identifier_start(character)
        }
        fn is_identifier_part(&self, character: char) -> bool {
            $base.is_identifier_part(character)
        }
        fn is_delimited_identifier_start(&self, character: char) -> bool {
            $base.is_delimited_identifier_start(character)
        }
        fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
            $base.identifier_quote_style(identifier)
        }
        fn supports_parens_around_table_factor(&self) -> bool {
            true
        }
        $(fn $question(&self) -> bool {
            $base.$question()
        })*
    };
}

#[derive(Debug)]
struct Postgres;

const POSTGRES: PostgreSqlDialect = PostgreSqlDialect {};

impl Grammar for Postgres {
    inherit! { POSTGRES, PostgreSqlDialect;
        supports_unicode_string_literal supports_filter_during_aggregation supports_group_by_expr
        supports_alter_user_as_alter_role allow_extract_custom allow_extract_single_quotes
        supports_create_index_with_clause supports_explain_with_utility_options
        supports_listen_notify supports_exclude_constraint supports_factorial_operator
        supports_bitwise_shift_operators supports_comment_on supports_load_extension
        supports_named_fn_args_with_colon_operator supports_named_fn_args_with_expr_name
        supports_empty_projections supports_nested_comments supports_string_escape_constant
        supports_numeric_literal_underscores supports_array_typedef_with_brackets
        supports_geometric_types supports_order_by_using_operator supports_set_names
        supports_alter_column_type_using supports_left_associative_joins_without_parens
        supports_notnull_operator supports_interval_options supports_insert_table_alias
        supports_create_table_like_parenthesized supports_select_wildcard_with_alias
        supports_comma_separated_trim supports_xml_expressions supports_aliased_function_args
        supports_comment_optimizer_hint
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        POSTGRES.is_reserved_for_identifier(keyword)
    }

    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        POSTGRES.is_table_alias(keyword, parser)
    }

    fn is_custom_operator_part(&self, character: char) -> bool {
        POSTGRES.is_custom_operator_part(character)
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        POSTGRES.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRES.prec_value(precedence)
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct MySql;

const MYSQL: MySqlDialect = MySqlDialect {};

impl Grammar for MySql {
    inherit! { MYSQL, MySqlDialect;
        supports_string_literal_backslash_escape supports_string_literal_concatenation
        ignores_wildcard_escapes supports_numeric_prefix supports_bitwise_shift_operators
        supports_multiline_comment_hints require_interval_qualifier supports_limit_comma
        supports_create_table_select supports_insert_set supports_user_host_grantee
        supports_table_hints requires_single_line_comment_whitespace supports_match_against
        supports_select_modifiers supports_set_names supports_comma_separated_set_assignments
        supports_update_order_by supports_data_type_signed_suffix supports_cross_join_constraint
        supports_double_ampersand_operator supports_binary_kw_as_cast
        supports_comment_optimizer_hint supports_constraint_keyword_without_name
        supports_key_column_option supports_group_by_with_modifier
        supports_left_associative_joins_without_parens
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        MYSQL.parse_infix(parser, left, precedence)
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        MYSQL.parse_statement(parser)
    }

    fn is_table_factor_alias(
        &self,
        explicit: bool,
        keyword: &Keyword,
        parser: &mut Parser<'_>,
    ) -> bool {
        MYSQL.is_table_factor_alias(explicit, keyword, parser)
    }

    fn supports_bang_not_operator(&self) -> bool {
        true
    }

    // `EXTRACT(YEAR_MONTH FROM x)`
    fn allow_extract_custom(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Sqlite;

const SQLITE: SQLiteDialect = SQLiteDialect {};

impl Grammar for Sqlite {
    inherit! { SQLITE, SQLiteDialect;
        supports_filter_during_aggregation supports_start_transaction_modifier
        supports_in_empty_list supports_limit_comma supports_asc_desc_in_column_definition
        supports_dollar_placeholder supports_notnull_operator supports_comma_separated_trim
        supports_numeric_literal_underscores
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        SQLITE.parse_statement(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if let Some(infix) = SQLITE.parse_infix(parser, left, precedence) {
            return Some(infix);
        }
        parse_not_glob(parser, left, precedence)
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    // A compile-time option of SQLite.
    fn supports_update_order_by(&self) -> bool {
        true
    }

    // `INSERT INTO t AS x …` and `JOIN … ON` after `CROSS JOIN` are SQLite, too.
    fn supports_insert_table_alias(&self) -> bool {
        true
    }

    fn supports_cross_join_constraint(&self) -> bool {
        true
    }
}

/// `a NOT GLOB b` and `a NOT MATCH b`.
fn parse_not_glob(
    parser: &mut Parser<'_>,
    left: &Expr,
    precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    if keyword(&parser.peek_token_ref().token) != Keyword::NOT {
        return None;
    }
    let operator = keyword(&parser.peek_nth_token_ref(1).token);
    if !matches!(operator, Keyword::GLOB | Keyword::MATCH) {
        return None;
    }
    parser.advance_token();
    let infix = SQLITE.parse_infix(parser, left, precedence)?;
    Some(infix.map(|expr| Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(expr),
    }))
}

fn keyword(token: &Token) -> Keyword {
    match token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}
