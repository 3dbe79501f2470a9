//! Statements that change the schema, and maintenance of tables.

use sqlparser::tokenizer::Token;

use crate::dialect::Dialect;

use super::collector::Collector;
use super::scan::{Name, Scanner};
use super::statement::{Effect, Uncacheable, Wide};
use super::target::is_own_temporary;

/// Words between `CREATE` and what is created.
const MODIFIERS: [&str; 20] = [
    "OR",
    "REPLACE",
    "GLOBAL",
    "LOCAL",
    "TEMP",
    "TEMPORARY",
    "UNLOGGED",
    "RECURSIVE",
    "UNIQUE",
    "FULLTEXT",
    "SPATIAL",
    "ONLINE",
    "OFFLINE",
    "CONSTRAINT",
    "MATERIALIZED",
    "FOREIGN",
    "VIRTUAL",
    "AGGREGATE",
    "TRUSTED",
    "PROCEDURAL",
];

impl Collector<'_> {
    /// A statement that changes the schema. It makes every entry stale, so the names in it matter
    /// only where they lie outside of the database, or hide one of its tables from this session.
    pub(super) fn definition(&mut self, word: &str, mut scanner: Scanner<'_>) -> Option<()> {
        let create = word == "CREATE";
        let mut temporary = false;
        if create || word == "DROP" {
            while let Some(modifier) = scanner.eat_any(&MODIFIERS) {
                temporary |= matches!(modifier, "TEMP" | "TEMPORARY");
            }
        }
        if word == "DROP" && self.dialect == Dialect::MySql && scanner.eat("PREPARE") {
            let name = self.identifier(&mut scanner)?;
            self.effects.push(Effect::Deallocate(Some(name)));
            return Some(());
        }
        if word == "ALTER" && self.dialect == Dialect::MySql {
            // DEFINER = … and the like may stand before the kind.
            scanner.eat_any(&["ONLINE", "IGNORE"]);
        }
        let kind = scanner.word().unwrap_or_default().to_ascii_uppercase();
        let mut names = Names::of(&mut scanner);
        let own = names.first().and_then(|name| match name.as_slice() {
            [.., qualifier, _] => Some(self.catalog.fold(qualifier.value)),
            _ => None,
        });
        temporary |= is_own_temporary(self.dialect, own.as_deref());
        if temporary {
            return if create {
                self.create_temporary(&kind, &names, scanner)
            } else {
                Some(())
            };
        }
        self.refuse(Uncacheable::NotARead);
        self.wide = self.wide.join(Wide::Schema);
        if self.dialect == Dialect::MySql {
            self.effects.push(implicit_commit(word, &kind));
        }
        if self.dialect == Dialect::Postgres && create && kind == "VIEW" {
            // A view of a temporary table is temporary, without a word.
            if let Some([name]) = names.first().map(Vec::as_slice) {
                let name = self.catalog.fold(name.value);
                self.effects.push(Effect::CreateTemporary(name.into()));
            }
        }
        self.definition_elsewhere(&kind, &mut names);
        Some(())
    }

    /// `CREATE TEMPORARY`: other sessions see nothing of it.
    fn create_temporary(
        &mut self,
        kind: &str,
        names: &Names<'_>,
        mut scanner: Scanner<'_>,
    ) -> Option<()> {
        match kind {
            "TABLE" | "VIEW" | "SEQUENCE" => {
                let name = self.catalog.fold(names.first()?.last()?.value);
                self.effects.push(Effect::CreateTemporary(name.into()));
                if kind != "TABLE" {
                    return Some(());
                }
                // The query that fills it runs now.
                let is_query =
                    |ahead: &Scanner<'_>| ahead.at_any(&["SELECT", "WITH", "VALUES", "EXECUTE"]);
                let head = scanner.until(|ahead| ahead.at("AS") || is_query(ahead));
                self.refuse(Uncacheable::NotARead);
                if scanner.eat("AS") || is_query(&scanner) {
                    self.one(scanner.rest());
                } else if head.iter().any(is_select) {
                    self.opaque("a query in parentheses");
                }
                Some(())
            }
            "TRIGGER" if self.dialect == Dialect::Sqlite => {
                self.effects.push(Effect::OpaqueWrites);
                Some(())
            }
            _ => None,
        }
    }

    /// Names of other databases, whose schema changes (MySQL, SQLite).
    fn definition_elsewhere(&mut self, kind: &str, names: &mut Names<'_>) {
        if self.dialect == Dialect::Postgres {
            return;
        }
        let is_database = matches!(kind, "DATABASE" | "SCHEMA");
        for name in names.0.iter() {
            let database = match name.as_slice() {
                [database] if is_database => database,
                [database, _] => database,
                _ => continue,
            };
            let database = self.catalog.fold(database.value);
            if self.catalog.is_elsewhere(&database) {
                self.elsewhere(&database);
            }
        }
    }

    /// Statements that keep the contents of tables: statistics, room, indexes, checks.
    pub(super) fn maintenance(&mut self, word: &str, mut scanner: Scanner<'_>) -> Option<()> {
        match (word, self.dialect) {
            ("ANALYZE", Dialect::MySql) => {
                scanner.eat_any(&["LOCAL", "NO_WRITE_TO_BINLOG"]);
                if scanner.at_any(&["TABLE", "TABLES"]) {
                    self.effects.push(Effect::ImplicitCommit);
                    return Some(());
                }
                // ANALYZE UPDATE … runs the statement (MariaDB).
                if scanner.eat("FORMAT") {
                    scanner.eat_token(&Token::Eq);
                    scanner.next()?;
                }
                self.refuse(Uncacheable::NotARead);
                self.one(scanner.rest());
            }
            ("OPTIMIZE" | "CHECK" | "CACHE", Dialect::MySql) => {
                self.effects.push(Effect::ImplicitCommit);
            }
            ("REPAIR", Dialect::MySql) => {
                // It can lose rows.
                self.effects.push(Effect::ImplicitCommit);
                self.wide = self.wide.join(Wide::Database);
            }
            ("FLUSH", Dialect::MySql) => {
                self.effects.push(Effect::ImplicitCommit);
                if scanner.at("PRIVILEGES") {
                    self.wide = self.wide.join(Wide::Schema);
                }
            }
            ("CHECKSUM", Dialect::MySql) => {}
            ("VACUUM", Dialect::Sqlite) => {
                // It may give rows without a key of their own another row id.
                scanner.until(|ahead| ahead.at("INTO"));
                if !scanner.at("INTO") {
                    self.wide = self.wide.join(Wide::Database);
                }
            }
            ("VACUUM", Dialect::Postgres) => {
                // FULL moves rows, which shows in `ctid`.
                if scanner.rest().iter().any(|token| is_word(token, "FULL")) {
                    self.wide = self.wide.join(Wide::Database);
                }
            }
            ("CLUSTER", Dialect::Postgres) => self.wide = self.wide.join(Wide::Database),
            ("ANALYZE" | "ANALYSE" | "REINDEX" | "CHECKPOINT", Dialect::Postgres)
            | ("ANALYZE" | "REINDEX", Dialect::Sqlite) => {}
            _ => return None,
        }
        Some(())
    }
}

/// The dotted names at the head of a definition, up to the first word or sign that begins its
/// body. Words of the grammar count as names, too; they have no qualifier.
struct Names<'t>(Vec<Vec<Name<'t>>>);

impl<'t> Names<'t> {
    fn of(scanner: &mut Scanner<'t>) -> Self {
        let mut ahead = *scanner;
        let mut names = Vec::new();
        ahead.next();
        for words in ["CONCURRENTLY", "IF NOT EXISTS", "IF EXISTS", "ONLY"] {
            ahead.eat_all(words);
        }
        *scanner = ahead;
        while !ahead.is_end() {
            let body = [
                "AS", "BEGIN", "SELECT", "WITH", "VALUES", "DO", "RETURNS", "FOR", "WHEN",
            ];
            if ahead.at_any(&body) || ahead.peek() == Some(&Token::LParen) {
                break;
            }
            match ahead.name() {
                Some(name) => names.push(name),
                None => {
                    ahead.next();
                }
            }
        }
        Names(names)
    }

    fn first(&self) -> Option<&Vec<Name<'t>>> {
        self.0.first()
    }
}

/// What a definition does to an open transaction of MySQL.
fn implicit_commit(word: &str, kind: &str) -> Effect {
    let certain = match word {
        "CREATE" | "ALTER" | "DROP" => matches!(
            kind,
            "TABLE"
                | "VIEW"
                | "INDEX"
                | "DATABASE"
                | "SCHEMA"
                | "PROCEDURE"
                | "TRIGGER"
                | "EVENT"
                | "USER"
                | "ROLE"
                | "SERVER"
                | "TABLESPACE"
                | "SEQUENCE"
        ),
        // Those of loadable functions do not.
        "RENAME" | "GRANT" | "REVOKE" => true,
        _ => false,
    };
    if certain {
        Effect::ImplicitCommit
    } else {
        Effect::MayCommit
    }
}

fn is_select(token: &Token) -> bool {
    ["SELECT", "WITH", "VALUES"]
        .iter()
        .any(|word| is_word(token, word))
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(it) if it.quote_style.is_none() && it.value.eq_ignore_ascii_case(word))
}
