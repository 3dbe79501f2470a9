//! Statements that are recognised by their tokens, before the parser is asked.
//!
//! The parser is needed for queries and for statements that write rows. Everything else (session,
//! transaction, schema, maintenance) begins with a word that says what it is, and the parser knows
//! only some of it, for some dialects, and drops parts.

use std::sync::Arc;

use sqlparser::tokenizer::Token;

use crate::dialect::Dialect;

use super::collector::Collector;
use super::prepare;
use super::scan::{Scanner, text};
use super::statement::{Effect, Operand, Uncacheable, Wide, WriteScope};

#[cfg(test)]
mod tests;

/// First words of statements that the parser is asked about.
const PARSED: [&str; 9] = [
    "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE",
];

/// No database takes a `PREPARE` within a `PREPARE`.
const DEEPEST_STATEMENT: usize = 8;

/// Collects what a statement does if it is none for the parser. Gives false if it is.
pub(super) fn recognise(tokens: &[Token], collector: &mut Collector<'_>) -> bool {
    let mut scanner = Scanner::new(tokens);
    if scanner.is_end() {
        return true;
    }
    let Some(word) = scanner.word() else {
        return scanner.peek() != Some(&Token::LParen) && collector.unknown(tokens);
    };
    let word = word.to_ascii_uppercase();
    if word == "SELECT" {
        return collector.select_set_config(scanner);
    }
    if PARSED.contains(&word.as_str()) {
        return false;
    }
    scanner.next();
    let before = collector.effects.len();
    if collector.command(&word, scanner).is_none() {
        // Half of a statement that is not understood is worth nothing.
        collector.effects.truncate(before);
        return collector.unknown(tokens);
    }
    collector.refuse(Uncacheable::NotARead);
    true
}

/// Collects what a query or a statement that writes rows may do if the parser refuses it.
pub(super) fn unparsed(tokens: &[Token], collector: &mut Collector<'_>) {
    collector.opaque("it does not parse");
    let mut scanner = Scanner::new(tokens);
    let reads = scanner.at_any(&["SELECT", "WITH", "VALUES", "TABLE"]) || scanner.word().is_none();
    let mut creates = false;
    while let Some(token) = scanner.next() {
        let Token::Word(word) = token else { continue };
        let word = collector.catalog.fold(&word.value);
        match word.as_str() {
            "set_config" | "load_extension" => collector.taint(&word, false),
            "into" if reads && collector.dialect == Dialect::Postgres => creates = true,
            // A qualifier, of a table or only of a column.
            _ if (!reads || collector.dialect == Dialect::MySql)
                && scanner.peek() == Some(&Token::Period)
                && collector.catalog.is_elsewhere(&word) =>
            {
                collector.elsewhere(&word);
            }
            _ => {}
        }
    }
    if creates {
        // SELECT … INTO TEMP
        collector.taint("temporary", false);
        collector.wide = Wide::Everything;
    }
}

impl Collector<'_> {
    /// One statement.
    pub(super) fn one(&mut self, tokens: &[Token]) {
        if self.statements >= DEEPEST_STATEMENT {
            self.unknown(tokens);
            return;
        }
        self.statements += 1;
        if !recognise(tokens, self) {
            self.parsed(tokens);
        }
        self.statements -= 1;
    }

    fn parsed(&mut self, tokens: &[Token]) {
        let mut parser = prepare::parser(self.dialect, tokens.to_vec());
        match parser.parse_statement() {
            Ok(statement) => {
                while parser.consume_token(&Token::SemiColon) {}
                if parser.peek_token_ref().token == Token::EOF {
                    self.statement(&statement);
                } else {
                    unparsed(tokens, self);
                }
            }
            Err(_) => unparsed(tokens, self),
        }
    }

    /// A statement about which nothing is known. Always true.
    fn unknown(&mut self, tokens: &[Token]) -> bool {
        let first: String = text(tokens).chars().take(40).collect();
        self.opaque(format!("nothing is known about: {first}"));
        self.wide = Wide::Everything;
        // It may be a COMMIT of a form that nobody knows, or a BEGIN.
        self.effects.push(Effect::MayCommit);
        self.taint("unknown statement", false);
        true
    }

    fn command(&mut self, word: &str, mut scanner: Scanner<'_>) -> Option<()> {
        let dialect = self.dialect;
        match (word, dialect) {
            ("BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT", _)
            | ("RELEASE" | "XA", _) => self.transaction_edge(word, scanner),
            ("SET" | "RESET" | "DISCARD" | "USE" | "PRAGMA" | "ATTACH" | "DETACH", _) => {
                self.session_command(word, scanner)
            }
            ("PREPARE" | "EXECUTE" | "DEALLOCATE", _) => self.prepared(word, scanner),
            ("CREATE" | "ALTER" | "DROP" | "RENAME" | "GRANT" | "REVOKE" | "INSTALL", _)
            | ("UNINSTALL", _) => self.definition(word, scanner),
            ("COMMENT", Dialect::Postgres) => Some(()),
            ("SECURITY" | "REASSIGN", Dialect::Postgres) => self.definition(word, scanner),
            ("IMPORT", Dialect::Postgres | Dialect::MySql) => self.definition(word, scanner),
            ("TRUNCATE" | "COPY" | "LOAD" | "REFRESH", _) => self.bulk(word, scanner),
            ("ANALYZE" | "ANALYSE" | "VACUUM" | "REINDEX" | "CLUSTER" | "OPTIMIZE", _)
            | ("REPAIR" | "CHECK" | "CHECKSUM" | "CACHE" | "FLUSH" | "CHECKPOINT", _) => {
                self.maintenance(word, scanner)
            }
            ("EXPLAIN" | "DESCRIBE" | "DESC", _) => self.explain(scanner),
            ("SHOW", Dialect::Postgres | Dialect::MySql) => Some(()),
            ("DECLARE", Dialect::Postgres) => {
                scanner.until(|ahead| ahead.at("FOR"));
                if !scanner.eat("FOR") {
                    return None;
                }
                // What its functions write, they write at FETCH, in the same transaction.
                self.refuse(Uncacheable::NotARead);
                self.one(scanner.rest());
                Some(())
            }
            ("FETCH" | "MOVE" | "CLOSE" | "LISTEN" | "UNLISTEN" | "NOTIFY", Dialect::Postgres)
            | ("HANDLER" | "HELP" | "KILL" | "SIGNAL" | "RESIGNAL" | "GET", Dialect::MySql) => {
                Some(())
            }
            ("LOCK" | "UNLOCK", Dialect::Postgres | Dialect::MySql) => {
                self.lock(word);
                Some(())
            }
            ("CALL", Dialect::Postgres | Dialect::MySql) => {
                self.refuse(Uncacheable::Opaque(
                    "CALL runs statements that are not seen".into(),
                ));
                self.wide = Wide::Everything;
                if dialect == Dialect::MySql {
                    self.effects.push(Effect::MayCommit);
                }
                self.taint("call", false);
                Some(())
            }
            ("DO", Dialect::MySql) => {
                self.refuse(Uncacheable::NotARead);
                while !scanner.is_end() {
                    self.expression_tokens(scanner.until_comma())?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// `LOCK TABLE` of PostgreSQL only waits. `LOCK TABLES` of MySQL commits; `UNLOCK TABLES` does
    /// if there were locks of that kind.
    fn lock(&mut self, word: &str) {
        if self.dialect == Dialect::MySql {
            let locks = word == "LOCK";
            self.effects.push(if locks {
                Effect::ImplicitCommit
            } else {
                Effect::MayCommit
            });
        }
    }

    /// `EXPLAIN`, which runs the statement only with `ANALYZE`.
    fn explain(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        let mut analyze = false;
        loop {
            if let Some(options) = scanner.parenthesised() {
                let mut options = Scanner::new(options);
                while !options.is_end() {
                    let mut option = Scanner::new(options.until_comma());
                    if option.eat_any(&["ANALYZE", "ANALYSE"]).is_some() {
                        analyze = !matches!(option.peek(), Some(Token::Number(zero, _)) if zero == "0")
                            && !option.at_any(&["FALSE", "OFF"]);
                    }
                }
            } else if scanner.eat_any(&["ANALYZE", "ANALYSE"]).is_some() {
                analyze = true;
            } else if scanner.eat("FORMAT") {
                scanner.eat_token(&Token::Eq);
                scanner.next()?;
            } else if scanner
                .eat_any(&["VERBOSE", "EXTENDED", "PARTITIONS"])
                .is_none()
            {
                break;
            }
        }
        self.refuse(Uncacheable::NotARead);
        if analyze {
            self.one(scanner.rest());
        }
        Some(())
    }

    /// `PREPARE`, `EXECUTE`, `DEALLOCATE`.
    fn prepared(&mut self, word: &str, mut scanner: Scanner<'_>) -> Option<()> {
        if self.dialect == Dialect::Sqlite {
            return None;
        }
        match word {
            "PREPARE" if scanner.eat("TRANSACTION") => {
                scanner.string()?;
                self.effects.push(Effect::PrepareTransaction);
            }
            "PREPARE" => {
                let name = self.identifier(&mut scanner)?;
                let statement = if self.dialect == Dialect::MySql {
                    if !scanner.eat("FROM") {
                        return None;
                    }
                    let text = scanner.string().filter(|_| scanner.is_end());
                    text.and_then(|text| prepare::tokens(self.dialect, text))
                } else {
                    scanner.parenthesised();
                    scanner.eat("AS").then(|| scanner.rest().to_vec())
                };
                let statement = statement.map(|tokens| Arc::new(self.inner(&tokens)));
                self.effects.push(Effect::Prepare { name, statement });
            }
            "EXECUTE" if self.dialect == Dialect::MySql && scanner.eat("IMMEDIATE") => {
                let text = scanner
                    .string()
                    .filter(|_| scanner.is_end() || scanner.at("USING"));
                let tokens = text.and_then(|text| prepare::tokens(self.dialect, text))?;
                self.refuse(Uncacheable::NotARead);
                self.one(&tokens);
            }
            "EXECUTE" => {
                let name = self.identifier(&mut scanner)?;
                self.refuse(Uncacheable::NotARead);
                if let Some(arguments) = scanner.parenthesised() {
                    let mut arguments = Scanner::new(arguments);
                    while !arguments.is_end() {
                        self.expression_tokens(arguments.until_comma())?;
                    }
                }
                self.effects.push(Effect::Execute(name));
            }
            _ => {
                let named = scanner.eat("PREPARE");
                if self.dialect == Dialect::Postgres && !named && scanner.at("ALL")
                    || named && scanner.at("ALL")
                {
                    self.effects.push(Effect::Deallocate(None));
                } else {
                    let name = self.identifier(&mut scanner)?;
                    self.effects.push(Effect::Deallocate(Some(name)));
                }
            }
        }
        Some(())
    }

    /// What a statement does when it is run later.
    fn inner(&self, tokens: &[Token]) -> super::Statement {
        let mut inner = Collector::new(self.database, self.catalog);
        inner.statements = self.statements;
        inner.refuse(Uncacheable::NotARead);
        inner.one(tokens);
        // Its parameters are not those of the text that runs it.
        for write in &mut inner.writes {
            if let Some((_, values)) = write.scope.keys()
                && values
                    .iter()
                    .any(|value| matches!(value, Operand::Parameter(_)))
            {
                write.scope = WriteScope::Broad;
            }
        }
        // Never the digest of a text that is sent by itself: other parameters, another protocol.
        let digest = blake3::hash(format!("PREPARE\0{}", text(tokens)).as_bytes());
        inner.finish(*digest.as_bytes())
    }

    /// An identifier, as the dialect folds it: exact, unlike the names of tables.
    pub(super) fn identifier(&self, scanner: &mut Scanner<'_>) -> Option<Box<str>> {
        let name = scanner.identifier()?;
        Some(match self.dialect {
            Dialect::Postgres if name.quoted => name.value.into(),
            _ => name.value.to_lowercase().into(),
        })
    }

    /// The session gets a state that the key cannot hold.
    pub(super) fn taint(&mut self, name: &str, local: bool) {
        self.effects.push(Effect::Taint {
            name: name.into(),
            local,
        });
    }
}
