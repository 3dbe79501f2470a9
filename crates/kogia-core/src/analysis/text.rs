//! One SQL text from its characters to what it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::catalog::Catalog;
use crate::dialect::{Dialect, implicitly_commits};
use crate::tag::DatabaseId;

use super::collector::Collector;
use super::lexer::{LexError, contains_word, first_word};
use super::prepare::{Parsed, Prepared};
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
            Ok(prepared) => self.prepared(prepared, sql),
            Err(error) => self.unreadable(sql, error),
        }
    }

    fn prepared(&mut self, prepared: Prepared, sql: &str) {
        self.unpinned = prepared.loose_operators;
        if prepared.into_file {
            self.refuse(Uncacheable::External("INTO OUTFILE".into()));
        }
        let stack = prepared.stack();
        stacker::maybe_grow(stack, stack, || {
            let Parsed { statements, rest } = prepared.parse();
            let (complaint, rest) = rest.unwrap_or_default();
            let rest: Vec<&[Token]> = rest
                .split(|token| *token == Token::SemiColon)
                .filter(|statement| !statement.is_empty())
                .collect();
            match statements.len() + rest.len() {
                0 => self.refuse(Uncacheable::NotARead),
                1 => {}
                _ => self.refuse(Uncacheable::SeveralStatements),
            }
            for statement in &statements {
                self.depth = 0;
                self.ctes.clear();
                self.statement(statement);
            }
            for statement in rest {
                self.not_parsed(statement, sql, &complaint);
            }
        });
    }

    /// A statement that the parser does not know.
    fn not_parsed(&mut self, tokens: &[Token], sql: &str, complaint: &str) {
        let words: Vec<String> = tokens
            .iter()
            .skip_while(|token| **token == Token::LParen)
            .map_while(|token| match token {
                Token::Word(word) if word.quote_style.is_none() => {
                    Some(word.value.to_ascii_uppercase())
                }
                _ => None,
            })
            .take(6)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.unknown_statement(&words, sql, complaint);
    }

    /// A text that has no tokens: only its first word is known, and if that is all.
    fn unreadable(&mut self, sql: &str, error: LexError) {
        let first = first_word(self.dialect, sql).unwrap_or_default().to_ascii_uppercase();
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
        if changes_session || !(moves_rows || LEAVES_SESSION.contains(&first)) {
            let name = if first.is_empty() { "opaque statement".into() } else { first.into() };
            self.effects.push(Effect::Taint { name, local: false });
        }
        if self.dialect == Dialect::MySql && !moves_rows {
            self.effects.push(if implicitly_commits(words) {
                Effect::ImplicitCommit
            } else {
                Effect::MayCommit
            });
        }
    }

    /// Walks the text of a view's query, or of the statement that created it. False if it is
    /// nothing of the kind.
    pub(super) fn definition(&mut self, text: &str) -> bool {
        let Ok(prepared) = Prepared::new(self.dialect, text) else { return false };
        let unpinned = std::mem::replace(&mut self.unpinned, prepared.loose_operators);
        let stack = prepared.stack();
        let understood = stacker::maybe_grow(stack, stack, || {
            let Parsed { statements, rest: None } = prepared.parse() else { return false };
            match statements.as_slice() {
                [ast::Statement::Query(query)] => self.query(query),
                [ast::Statement::CreateView(view)] => self.query(&view.query),
                _ => return false,
            }
            true
        });
        self.unpinned = unpinned;
        understood
    }

    fn into_statement(self, sql: &str) -> Statement {
        let context = match self.dialect {
            Dialect::Postgres => "kogia-core statement postgres",
            Dialect::MySql => "kogia-core statement mysql",
            Dialect::Sqlite => "kogia-core statement sqlite",
        };
        let mut statement = Statement {
            digest: blake3::derive_key(context, sql.as_bytes()),
            reads: self.reads,
            writes: self.writes,
            wide: self.wide,
            uncacheable: self.uncacheable,
            effects: self.effects,
        };
        if statement.uncacheable.is_none() {
            statement.uncacheable = if statement.is_write() {
                Some(Uncacheable::Writes)
            } else if !statement.effects.is_empty() {
                Some(Uncacheable::NotARead)
            } else if statement.reads.is_empty() {
                Some(Uncacheable::NoTable)
            } else {
                None
            };
        }
        statement
    }
}

/// First words of statements that read and write rows and nothing else.
const MOVES_ROWS: &[&str] =
    &["DELETE", "INSERT", "MERGE", "REPLACE", "SELECT", "TABLE", "UPDATE", "VALUES", "WITH"];

/// First words of statements that may change anything but the session.
const LEAVES_SESSION: &[&str] = &[
    "ALTER", "ANALYZE", "CALL", "COPY", "CREATE", "DO", "DROP", "EXPLAIN", "LOAD", "VACUUM",
];
