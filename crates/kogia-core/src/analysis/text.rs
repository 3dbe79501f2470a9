//! One SQL text from its characters to what it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::catalog::Catalog;
use crate::dialect::{Dialect, implicitly_commits};
use crate::tag::DatabaseId;

use super::collector::Collector;
use super::lexer::{LexError, contains_word, first_word};
use super::prepare::{self, Prepared};
use super::statement::{Effect, Statement, Uncacheable, Wide};

/// What a text does, never fails.
pub(super) fn analyze(database: &DatabaseId, catalog: &Catalog, sql: &str) -> Statement {
    let read = || {
        let mut collector = Collector::new(database, catalog);
        collector.text(sql);
        collector
    };
    // The parser is a large program of others: should it panic, the text is opaque, too.
    let collector = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let mut collector = Collector::new(database, catalog);
        collector.opaque_everything("the parser gave up on it");
        collector
    });
    collector.into_statement(sql)
}

impl Collector<'_> {
    fn text(&mut self, sql: &str) {
        match Prepared::new(self.dialect, sql) {
            Ok(prepared) => self.statements(&prepared),
            Err(error) => self.unreadable(sql, error),
        }
    }

    fn statements(&mut self, prepared: &Prepared) {
        if prepared.into_file {
            self.refuse(Uncacheable::External("INTO OUTFILE".into()));
        }
        let stack = prepared.stack();
        stacker::maybe_grow(stack, stack, || {
            let statements = prepared.statements();
            match statements.len() {
                0 => self.refuse(Uncacheable::NotARead),
                1 => {}
                _ => self.refuse(Uncacheable::SeveralStatements),
            }
            for statement in statements {
                self.depth = 0;
                self.ctes.clear();
                let has_body = statement.contains(&Token::SemiColon);
                let is_trigger = self.dialect == Dialect::Sqlite
                    && prepare::trigger_length(statement) == Some(statement.len());
                if has_body && !is_trigger {
                    // What stands behind the body of a routine may be a statement of its own.
                    self.refuse(Uncacheable::SeveralStatements);
                    self.opaque_everything("the text holds the body of a routine");
                }
                self.one(statement);
            }
        });
    }

    /// A text that has no tokens: only its first word is known, and if that is all.
    fn unreadable(&mut self, sql: &str, error: LexError) {
        let first = first_word(self.dialect, sql)
            .unwrap_or_default()
            .to_ascii_uppercase();
        let body = sql.trim_end_matches(|last: char| last == ';' || last.is_whitespace());
        if error == LexError::EXECUTABLE_COMMENT || body.contains(';') {
            self.opaque_everything(error.0);
        }
        self.unknown_statement(&[first.as_str()], sql, error.0);
    }

    /// A statement of which the first words, in upper case, are all that is known.
    fn unknown_statement(&mut self, words: &[&str], sql: &str, why: &str) {
        let first = words.first().copied().unwrap_or_default();
        let moves_rows = MOVES_ROWS.contains(&first);
        self.opaque(why);
        if !moves_rows {
            self.wide = Wide::Everything;
        }
        let changes_session = ["set_config", "temp", "temporary"]
            .iter()
            .any(|word| contains_word(sql, word))
            || (first == "DO" && contains_word(sql, "set"))
            || (first == "LOAD" && self.dialect != Dialect::MySql);
        let leaves_session = moves_rows || LEAVES_SESSION.contains(&first);
        if changes_session || !leaves_session {
            let name = if first.is_empty() {
                "opaque statement".into()
            } else {
                first.into()
            };
            self.effects.push(Effect::Taint { name, local: false });
        }
        if self.dialect == Dialect::MySql && !moves_rows {
            self.effects.push(if implicitly_commits(words) {
                Effect::ImplicitCommit
            } else {
                Effect::MayCommit
            });
        } else if !leaves_session {
            // It may be a COMMIT of a form that nobody knows, or a BEGIN.
            self.effects.push(Effect::MayCommit);
        }
    }

    /// Walks the text of a view's query, or of the statement that created it. False if it is
    /// nothing of the kind.
    pub(super) fn view_definition(&mut self, text: &str) -> bool {
        let Ok(prepared) = Prepared::new(self.dialect, text) else {
            return false;
        };
        let stack = prepared.stack();
        stacker::maybe_grow(stack, stack, || {
            let [tokens] = prepared.statements()[..] else {
                return false;
            };
            let mut parser = prepare::parser(self.dialect, tokens.to_vec());
            let Ok(statement) = parser.parse_statement() else {
                return false;
            };
            if parser.peek_token_ref().token != Token::EOF {
                return false;
            }
            match &statement {
                ast::Statement::Query(query) => self.query(query),
                ast::Statement::CreateView(view) => self.query(&view.query),
                _ => return false,
            }
            true
        })
    }

    fn into_statement(self, sql: &str) -> Statement {
        let context = match self.dialect {
            Dialect::Postgres => "kogia-core statement postgres",
            Dialect::MySql => "kogia-core statement mysql",
            Dialect::Sqlite => "kogia-core statement sqlite",
        };
        self.finish(blake3::derive_key(context, sql.as_bytes()))
    }
}

/// First words of statements that read and write rows and nothing else.
const MOVES_ROWS: &[&str] = &[
    "DELETE", "INSERT", "MERGE", "REPLACE", "SELECT", "TABLE", "UPDATE", "VALUES", "WITH",
];

/// First words of statements that may change anything but the session.
const LEAVES_SESSION: &[&str] = &[
    "ALTER", "ANALYZE", "CALL", "COPY", "CREATE", "DO", "DROP", "EXPLAIN", "LOAD", "VACUUM",
];
