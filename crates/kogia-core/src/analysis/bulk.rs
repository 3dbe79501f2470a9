//! Statements that write or empty whole tables: `TRUNCATE`, `COPY`, `LOAD DATA`, `REFRESH`.

use sqlparser::tokenizer::Token;

use crate::dialect::Dialect;

use super::collector::Collector;
use super::scan::{Name, Scanner};
use super::statement::{Effect, Uncacheable, Wide, WriteScope};
use super::target::Change;

impl Collector<'_> {
    /// A statement that writes or reads whole tables.
    pub(super) fn bulk(&mut self, word: &str, scanner: Scanner<'_>) -> Option<()> {
        match (word, self.dialect) {
            ("TRUNCATE", Dialect::Postgres | Dialect::MySql) => self.truncate(scanner),
            ("COPY", Dialect::Postgres) => self.copy(scanner),
            ("LOAD", Dialect::MySql) => self.load(scanner),
            ("LOAD", Dialect::Postgres) => {
                // A library can change what any function does.
                self.wide = Wide::Everything;
                self.taint("load", false);
                Some(())
            }
            ("REFRESH", Dialect::Postgres) => self.refresh(scanner),
            _ => None,
        }
    }

    fn truncate(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if self.dialect == Dialect::MySql {
            self.effects.push(Effect::ImplicitCommit);
        }
        scanner.eat("TABLE");
        loop {
            scanner.eat("ONLY");
            let parenthesised = scanner.eat_token(&Token::LParen);
            let name = scanner.name()?;
            if parenthesised && !scanner.eat_token(&Token::RParen) {
                return None;
            }
            scanner.eat_token(&Token::Mul);
            self.write_named(&name, &[Change::Delete]);
            if !scanner.eat_token(&Token::Comma) {
                break;
            }
        }
        for words in [
            "RESTART IDENTITY",
            "CONTINUE IDENTITY",
            "RESTRICT",
            "NOWAIT",
        ] {
            scanner.eat_all(words);
        }
        if !scanner.is_end() {
            // CASCADE empties every table that references one of these, by foreign keys that do
            // nothing else; the catalog lists only keys that act.
            self.wide = self.wide.join(Wide::Database);
        }
        Some(())
    }

    fn copy(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if let Some(query) = scanner.parenthesised() {
            self.refuse(Uncacheable::NotARead);
            self.one(query);
            return self.copy_program(scanner);
        }
        scanner.eat("BINARY");
        let name = scanner.name()?;
        scanner.parenthesised();
        match scanner.eat_any(&["FROM", "TO"])? {
            "FROM" => self.write_named(&name, &[Change::Insert]),
            _ => self.refuse(Uncacheable::NotARead),
        }
        let mut ahead = scanner;
        ahead.until(|ahead| ahead.at("WHERE"));
        if ahead.eat("WHERE") {
            self.expression_tokens(ahead.rest())?;
        }
        self.copy_program(scanner)
    }

    /// A program on the server may do anything.
    fn copy_program(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        scanner.eat("TO");
        if scanner.at("PROGRAM") {
            self.opaque("COPY runs a program");
        }
        Some(())
    }

    /// `LOAD DATA`, `LOAD XML`, `LOAD INDEX INTO CACHE`.
    fn load(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        match scanner.eat_any(&["DATA", "XML", "INDEX"])? {
            "INDEX" => {
                self.effects.push(Effect::ImplicitCommit);
                return Some(());
            }
            _ => self.refuse(Uncacheable::Writes),
        }
        let head = scanner.until(|ahead| ahead.at("INTO"));
        if !scanner.eat_all("INTO TABLE") {
            return None;
        }
        let name = scanner.name()?;
        let replaces = Scanner::new(head).finds("REPLACE");
        let changes = if replaces {
            vec![Change::Insert, Change::Delete]
        } else {
            vec![Change::Insert]
        };
        self.write_named(&name, &changes);
        if scanner.finds("SET") {
            scanner.until(|ahead| ahead.at("SET"));
            scanner.eat("SET");
            while !scanner.is_end() {
                let mut assignment = Scanner::new(scanner.until_comma());
                assignment.until(|ahead| ahead.peek() == Some(&Token::Eq));
                assignment.next();
                self.expression_tokens(assignment.rest())?;
            }
        }
        // NDB commits.
        self.effects.push(Effect::MayCommit);
        Some(())
    }

    fn refresh(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if !scanner.eat_all("MATERIALIZED VIEW") {
            return None;
        }
        scanner.eat("CONCURRENTLY");
        let name = scanner.name()?;
        self.write_named(&name, &[Change::Update(None)]);
        Some(())
    }

    fn write_named(&mut self, name: &[Name<'_>], changes: &[Change]) {
        self.refuse(Uncacheable::Writes);
        let name: Vec<&str> = name.iter().map(|part| part.value).collect();
        let Some(target) = self.target(&name) else {
            return;
        };
        for change in changes {
            self.write(&target, change.clone(), WriteScope::Broad);
        }
    }
}

impl Scanner<'_> {
    fn finds(mut self, word: &str) -> bool {
        while self.peek().is_some() {
            if self.at(word) {
                return true;
            }
            self.next();
        }
        false
    }
}
