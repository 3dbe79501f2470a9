//! Statements that change the session: settings, the current database, attached files.

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::dialect::{Dialect, Setting, setting, setting_to};

use super::collector::Collector;
use super::edges::isolation;
use super::scan::{Scanner, text};
use super::statement::{Effect, IsolationScope, Uncacheable, Wide};

#[cfg(test)]
mod tests;

/// The value that a setting gets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    /// The session's default.
    Default,
    /// A literal, as written.
    Literal(Box<str>),
    /// What it has, with this behind it.
    Longer(Box<str>),
    /// Something that the text does not show: a parameter, a variable, a computed value.
    Unknown,
}

/// How long and for whom a setting is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Session,
    Transaction,
    /// Sessions that begin later.
    Global,
}

impl Collector<'_> {
    /// A statement that changes the session.
    pub(super) fn session_command(&mut self, word: &str, mut scanner: Scanner<'_>) -> Option<()> {
        match (word, self.dialect) {
            ("SET", Dialect::Postgres) => self.set_postgres(scanner),
            ("SET", Dialect::MySql) => self.set_mysql(scanner),
            ("RESET", Dialect::Postgres) => self.reset(scanner),
            ("RESET", Dialect::MySql) => {
                if !scanner.at("PERSIST") {
                    self.effects.push(Effect::ImplicitCommit);
                }
                Some(())
            }
            ("DISCARD", Dialect::Postgres) => {
                let what = ["ALL", "PLANS", "SEQUENCES", "TEMP", "TEMPORARY"];
                if scanner.eat_any(&what)? == "ALL" {
                    self.effects.push(Effect::ResetAll { discard: true });
                }
                Some(())
            }
            ("USE", Dialect::MySql) => {
                let name = scanner.identifier()?;
                self.effects
                    .push(Effect::UseDatabase(self.catalog.fold(name.value).into()));
                Some(())
            }
            ("PRAGMA", Dialect::Sqlite) => self.pragma(scanner),
            ("ATTACH", Dialect::Sqlite) => {
                scanner.eat("DATABASE");
                let file = scanner.until(|ahead| ahead.at("AS"));
                self.expression_tokens(file)?;
                scanner.eat("AS");
                let name = scanner.identifier().map_or("?", |name| name.value);
                let name = format!("attach:{}", self.catalog.fold(name));
                self.taint(&name, false);
                Some(())
            }
            ("DETACH", Dialect::Sqlite) => {
                scanner.eat("DATABASE");
                let name = self.catalog.fold(scanner.identifier()?.value);
                self.effects
                    .push(Effect::Untaint(format!("attach:{name}").into()));
                Some(())
            }
            _ => None,
        }
    }

    fn set_postgres(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        let mut reach = Reach::Session;
        if scanner.eat_all("SESSION CHARACTERISTICS AS TRANSACTION") {
            let modes = self.modes(&mut scanner)?;
            if modes.isolation.is_some() {
                self.set_isolation(IsolationScope::Session, modes.isolation);
            }
            return Some(());
        }
        if scanner.eat("LOCAL") {
            reach = Reach::Transaction;
        } else if !scanner.at_session_authorization() {
            scanner.eat("SESSION");
        }
        if scanner.eat_all("SESSION AUTHORIZATION") {
            let user = given(scanner.rest());
            // The role becomes that user, too.
            let none = Given::Literal("none".into());
            self.apply("session_authorization", user, reach);
            self.apply("role", none, reach);
            return Some(());
        }
        if scanner.eat("CONSTRAINTS") {
            return Some(());
        }
        if scanner.eat("TRANSACTION") {
            if scanner.eat("SNAPSHOT") {
                // The transaction sees what another one saw when it began.
                self.taint("snapshot", true);
                return Some(());
            }
            let modes = self.modes(&mut scanner)?;
            if modes.isolation.is_some() {
                self.set_isolation(IsolationScope::Current, modes.isolation);
            }
            return Some(());
        }
        let alias = [
            ("TIME ZONE", "timezone"),
            ("ROLE", "role"),
            ("NAMES", "client_encoding"),
            ("SCHEMA", "search_path"),
            ("XML OPTION", "xmloption"),
            ("SEED", "seed"),
        ];
        for (words, name) in alias {
            let mut ahead = scanner;
            if ahead.eat_all(words) && !ahead.at("TO") && ahead.peek() != Some(&Token::Eq) {
                let value = match given(ahead.rest()) {
                    Given::Literal(value) if name == "timezone" && is_word(&value, "local") => {
                        Given::Default
                    }
                    _ if ahead.is_end() => Given::Default,
                    value => value,
                };
                self.apply(name, value, reach);
                return Some(());
            }
        }
        let name = self.setting_name(&mut scanner)?;
        if !scanner.eat("TO") && !scanner.eat_token(&Token::Eq) {
            return None;
        }
        self.apply(&name, given(scanner.rest()), reach);
        Some(())
    }

    fn reset(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if scanner.eat("ALL") {
            self.effects.push(Effect::ResetAll { discard: false });
            return scanner.is_end().then_some(());
        }
        if scanner.eat_all("SESSION AUTHORIZATION") {
            self.apply("session_authorization", Given::Default, Reach::Session);
            self.apply("role", Given::Default, Reach::Session);
            return Some(());
        }
        if scanner.eat_all("TIME ZONE") {
            self.apply("timezone", Given::Default, Reach::Session);
            return Some(());
        }
        if scanner.eat_all("TRANSACTION ISOLATION LEVEL") {
            self.set_isolation(IsolationScope::Current, None);
            return Some(());
        }
        let name = self.setting_name(&mut scanner)?;
        self.apply(&name, Given::Default, Reach::Session);
        scanner.is_end().then_some(())
    }

    fn set_mysql(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if scanner.eat_any(&["PASSWORD", "DEFAULT"]).is_some() {
            // SET DEFAULT ROLE
            self.effects.push(Effect::ImplicitCommit);
            self.wide = self.wide.join(Wide::Schema);
            return Some(());
        }
        if scanner.eat("ROLE") {
            self.apply("role", given(scanner.rest()), Reach::Session);
            return Some(());
        }
        if scanner.eat_all("RESOURCE GROUP") {
            return Some(());
        }
        if scanner.eat("STATEMENT") {
            // The settings hold for the one statement (MariaDB).
            let settings = scanner.until(|ahead| ahead.at("FOR"));
            let rereads = |token: &Token| match token {
                Token::Word(word) => {
                    let name = self.catalog.fold(&word.value);
                    matches!(name.as_str(), "autocommit" | "completion_type")
                        || GRAMMAR.contains(&name.as_str())
                }
                _ => false,
            };
            if !scanner.eat("FOR") || settings.iter().any(rereads) {
                return None;
            }
            self.refuse(Uncacheable::NotARead);
            self.one(scanner.rest());
            return Some(());
        }
        let mut reach = None;
        while !scanner.is_end() {
            self.set_one_mysql(Scanner::new(scanner.until_comma()), &mut reach)?;
        }
        Some(())
    }

    /// One of the comma-separated assignments. A word for the scope holds for those that follow.
    fn set_one_mysql(&mut self, mut scanner: Scanner<'_>, reach: &mut Option<Reach>) -> Option<()> {
        if scanner
            .eat_any(&["GLOBAL", "PERSIST", "PERSIST_ONLY"])
            .is_some()
        {
            *reach = Some(Reach::Global);
        } else if scanner.eat_any(&["SESSION", "LOCAL"]).is_some() {
            *reach = Some(Reach::Session);
        }
        if scanner.eat("TRANSACTION") {
            let modes = self.modes(&mut scanner)?;
            if modes.isolation.is_some() {
                match reach {
                    Some(Reach::Global) => self.set_global("transaction_isolation"),
                    Some(_) => self.set_isolation(IsolationScope::Session, modes.isolation),
                    None => self.set_isolation(IsolationScope::Next, modes.isolation),
                }
            }
            return Some(());
        }
        if scanner.eat("NAMES") {
            return self.set_names(scanner);
        }
        if scanner.eat_all("CHARACTER SET") || scanner.eat("CHARSET") {
            let value = given(scanner.rest());
            self.apply("character_set_client", value.clone(), Reach::Session);
            self.apply("character_set_results", value, Reach::Session);
            let connection = Given::Literal("of the database".into());
            self.apply(
                "character_set_connection",
                connection.clone(),
                Reach::Session,
            );
            self.apply("collation_connection", connection, Reach::Session);
            return Some(());
        }
        let is_variable = scanner.eat_token(&Token::AtSign);
        let mut name: Vec<String> = scanner
            .name()?
            .iter()
            .map(|part| self.catalog.fold(part.value))
            .collect();
        if !matches!(scanner.next()?, Token::Eq | Token::Assignment) {
            return None;
        }
        let mut value = given(scanner.rest());
        if value == Given::Unknown {
            self.refuse(Uncacheable::NotARead);
            self.expression_tokens(scanner.rest())?;
            if name.last().is_some_and(|name| name.ends_with("sql_mode")) {
                value = self.longer_sql_mode(scanner).unwrap_or(value);
            }
        }
        let first = name.first_mut()?;
        if is_variable || first.starts_with('@') && !first.starts_with("@@") {
            // Only queries that name the variable see it, and they are not cacheable.
            return Some(());
        }
        let mut reach = reach.unwrap_or(Reach::Session);
        let mut next_transaction = false;
        if let Some(system) = first.strip_prefix("@@").map(str::to_owned) {
            let scoped = name.len() > 1;
            reach = match system.as_str() {
                "global" | "persist" | "persist_only" if scoped => Reach::Global,
                _ => Reach::Session,
            };
            let scopes = ["global", "persist", "persist_only", "session", "local"];
            if scoped && scopes.contains(&system.as_str()) {
                name.remove(0);
            } else {
                next_transaction = true;
                name[0] = system;
            }
        }
        let name = name.join(".");
        if next_transaction && matches!(name.as_str(), "transaction_isolation" | "tx_isolation") {
            self.set_isolation(IsolationScope::Next, self.level(&value));
            return Some(());
        }
        self.apply(&name, value, reach);
        Some(())
    }

    /// `CONCAT(@@sql_mode, ',…')`, perhaps as a query, with modes that the analysis understands.
    fn longer_sql_mode(&self, mut scanner: Scanner<'_>) -> Option<Given> {
        while let Some(inner) = scanner.parenthesised().filter(|_| scanner.is_end()) {
            scanner = Scanner::new(inner);
        }
        scanner.eat("SELECT");
        if !scanner.eat("CONCAT") {
            return None;
        }
        let mut arguments = Scanner::new(scanner.parenthesised()?);
        let mut mode = Scanner::new(arguments.until_comma());
        let scopes = ["@@session", "@@local"];
        let names_mode = if mode.eat_any(&scopes).is_some() {
            mode.eat_token(&Token::Period) && mode.eat("sql_mode")
        } else {
            mode.eat("@@sql_mode")
        };
        let more = arguments.string()?;
        // All values of one SET are computed before the first of them is set.
        let twice = self.effects.iter().any(|effect| {
            matches!(effect, Effect::Set { name, .. } | Effect::Extend { name, .. } if **name == *"sql_mode")
        });
        let understood =
            more.starts_with(',') && setting_to(self.dialect, "sql_mode", more) != Setting::Unknown;
        let whole = mode.is_end() && arguments.is_end() && scanner.is_end();
        (names_mode && understood && whole && !twice).then(|| Given::Longer(more.into()))
    }

    /// `SET NAMES`, as the settings that it stands for: each of them can be set alone, too.
    fn set_names(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        let charset = given(scanner.until(|ahead| ahead.at("COLLATE")));
        let collation = if scanner.eat("COLLATE") {
            given(scanner.rest())
        } else {
            match &charset {
                Given::Literal(charset) => Given::Literal(format!("default of {charset}").into()),
                other => other.clone(),
            }
        };
        let of_charset = [
            "character_set_client",
            "character_set_results",
            "character_set_connection",
        ];
        for name in of_charset {
            self.apply(name, charset.clone(), Reach::Session);
        }
        self.apply("collation_connection", collation, Reach::Session);
        Some(())
    }

    /// A dotted name, folded.
    fn setting_name(&self, scanner: &mut Scanner<'_>) -> Option<String> {
        let parts: Vec<_> = scanner
            .name()?
            .iter()
            .map(|part| part.value.to_ascii_lowercase())
            .collect();
        Some(parts.join("."))
    }

    /// A setting gets a value.
    fn apply(&mut self, name: &str, value: Given, reach: Reach) {
        if reach == Reach::Global {
            return self.set_global(name);
        }
        let value = match value {
            // The default is the one of the server, which the session need not have begun with.
            Given::Default if self.dialect == Dialect::MySql => Given::Unknown,
            value => value,
        };
        let local = reach == Reach::Transaction;
        match name {
            "default_transaction_isolation" | "transaction_isolation" | "tx_isolation" => {
                let scope = match (self.dialect, name) {
                    (Dialect::Postgres, "transaction_isolation") => IsolationScope::Current,
                    // Only transactions that begin later would look at it, and it ends before.
                    (Dialect::Postgres, _) if local => return,
                    _ => IsolationScope::Session,
                };
                return self.set_isolation(scope, self.level(&value));
            }
            "autocommit" if self.dialect == Dialect::MySql => {
                match switch(&value) {
                    Some(on) => self.effects.push(Effect::Autocommit(on)),
                    None => {
                        self.effects.push(Effect::MayCommit);
                        self.taint(name, false);
                    }
                }
                return;
            }
            _ => {}
        }
        if self.changes_grammar(name, &value) {
            self.effects.push(Effect::OpaqueWrites);
            return self.taint(name, local);
        }
        let meaning = match &value {
            Given::Literal(text) => setting_to(self.dialect, name, text),
            Given::Default | Given::Longer(_) | Given::Unknown => setting(self.dialect, name),
        };
        match (meaning, value) {
            (Setting::Harmless, _) => {
                if !local && setting(self.dialect, name) != Setting::Harmless {
                    // It has another value again than the one that tainted.
                    self.effects.push(Effect::Untaint(name.into()));
                }
            }
            (Setting::Key, Given::Longer(value)) => self.effects.push(Effect::Extend {
                name: name.into(),
                value,
            }),
            (Setting::Key, Given::Unknown) => self.taint(name, local),
            (Setting::Key, value) => {
                if !local {
                    self.effects.push(Effect::Untaint(name.into()));
                }
                let value = match value {
                    Given::Literal(value) => Some(value),
                    Given::Default | Given::Longer(_) | Given::Unknown => None,
                };
                self.effects.push(Effect::Set {
                    name: name.into(),
                    value,
                    local,
                });
                self.couple_collation(name, local);
            }
            (_, Given::Default) if !local => self.effects.push(Effect::Untaint(name.into())),
            _ => self.taint(name, local),
        }
    }

    /// MySQL sets the one of the two settings with the other.
    fn couple_collation(&mut self, name: &str, local: bool) {
        let other = match (self.dialect, name) {
            (Dialect::MySql, "character_set_connection") => "collation_connection",
            (Dialect::MySql, "collation_connection") => "character_set_connection",
            _ => return,
        };
        let Some(Effect::Set { value, .. }) = self.effects.last() else {
            return;
        };
        let value = value.as_ref().map(|value| format!("of {value}").into());
        self.effects.push(Effect::Set {
            name: other.into(),
            value,
            local,
        });
    }

    /// Whether the server reads SQL text in another way from now on: quotes, escapes.
    fn changes_grammar(&self, name: &str, value: &Given) -> bool {
        GRAMMAR.contains(&name)
            && match value {
                Given::Literal(text) => setting_to(self.dialect, name, text) == Setting::Unknown,
                Given::Default | Given::Longer(_) => false,
                Given::Unknown => true,
            }
    }

    /// A setting for sessions that begin later: they have another default than those that have
    /// begun, so nothing that was stored under the default may be served.
    fn set_global(&mut self, name: &str) {
        if setting(self.dialect, name) != Setting::Harmless {
            self.wide = self.wide.join(Wide::Schema);
            self.taint(name, false);
        }
    }

    fn level(&self, value: &Given) -> Option<super::Isolation> {
        match value {
            Given::Literal(words) => isolation(self.dialect, words),
            Given::Default | Given::Longer(_) | Given::Unknown => None,
        }
    }

    fn pragma(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        let name = self.catalog.fold(scanner.name()?.last()?.value);
        let value = if scanner.eat_token(&Token::Eq) {
            given(scanner.rest())
        } else if let Some(value) = scanner.parenthesised() {
            if !scanner.is_end() {
                return None;
            }
            given(value)
        } else {
            // It only asks, or does what changes no result.
            return scanner.is_end().then_some(());
        };
        match name.as_str() {
            // These name what they ask about, or keep a number in the file's header.
            "table_info" | "table_xinfo" | "table_list" | "index_info" | "index_xinfo"
            | "index_list" | "foreign_key_list" | "foreign_key_check" | "integrity_check"
            | "quick_check" | "optimize" | "wal_checkpoint" | "incremental_vacuum"
            | "user_version" | "application_id" => {}
            "writable_schema" | "schema_version" => {
                self.wide = Wide::Everything;
                self.taint(&name, false);
            }
            "read_uncommitted" if switch(&value) == Some(false) => {
                self.effects.push(Effect::Untaint(name.into()));
            }
            "read_uncommitted" => self.taint(&name, false),
            _ => self.apply(&name, value, Reach::Session),
        }
        Some(())
    }

    /// `SELECT set_config('name', 'value', false), …` and nothing else: a `SET` in disguise.
    pub(super) fn select_set_config(&mut self, mut scanner: Scanner<'_>) -> bool {
        if self.dialect != Dialect::Postgres {
            return false;
        }
        scanner.next();
        let mut settings = Vec::new();
        while !scanner.is_end() {
            let mut item = Scanner::new(scanner.until_comma());
            let name = item.name().unwrap_or_default();
            let is_call = name
                .last()
                .is_some_and(|it| it.value.eq_ignore_ascii_case("set_config"));
            let Some(arguments) = item.parenthesised().filter(|_| is_call) else {
                return false;
            };
            if item.eat("AS") {
                item.identifier();
            }
            if !item.is_end() {
                return false;
            }
            let mut arguments = Scanner::new(arguments);
            let mut next = || Scanner::new(arguments.until_comma());
            let (name, mut value, local) = (next().string(), next(), switch(&given(next().rest())));
            let (Some(name), Some(value), Some(local)) = (name, value.string(), local) else {
                return false;
            };
            settings.push((name.to_ascii_lowercase(), value, local));
        }
        let all = !settings.is_empty();
        for (name, value, local) in settings {
            let reach = if local {
                Reach::Transaction
            } else {
                Reach::Session
            };
            let value = value.replace('\'', "''");
            self.apply(&name, Given::Literal(format!("'{value}'").into()), reach);
        }
        if all {
            self.refuse(Uncacheable::NotARead);
        }
        all
    }

    /// A call of a function that changes the session, anywhere in a query: it may run, or not, or
    /// with any value. Gives whether the function is one.
    pub(super) fn session_function(
        &mut self,
        folded: &str,
        arguments: Option<&[ast::FunctionArg]>,
    ) -> bool {
        match (self.dialect, folded) {
            (Dialect::Postgres, "set_config") => {
                let name = arguments.and_then(<[_]>::first).and_then(literal);
                match name.map(|name| name.to_ascii_lowercase()) {
                    Some(name) if name.ends_with("transaction_isolation") => {
                        self.set_isolation(IsolationScope::Current, None);
                        self.set_isolation(IsolationScope::Session, None);
                    }
                    Some(name) => self.apply(&name, Given::Unknown, Reach::Session),
                    None => {
                        self.effects.push(Effect::OpaqueWrites);
                        self.taint("set_config", false);
                    }
                }
                true
            }
            (Dialect::Sqlite, "load_extension") => {
                self.wide = Wide::Everything;
                self.taint("load_extension", false);
                true
            }
            _ => false,
        }
    }
}

impl Scanner<'_> {
    /// Whether `SESSION` is the first word of `SESSION AUTHORIZATION`, not a scope.
    fn at_session_authorization(&self) -> bool {
        let mut ahead = *self;
        ahead.eat_all("SESSION AUTHORIZATION")
    }
}

/// Settings that say how the server reads a text.
const GRAMMAR: [&str; 4] = [
    "backslash_quote",
    "character_set_client",
    "sql_mode",
    "standard_conforming_strings",
];

fn given(tokens: &[Token]) -> Given {
    let value: Vec<&Token> = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .collect();
    let is_literal = |token: &&Token| match token {
        Token::Word(word) => word.quote_style.is_some() || !word.value.starts_with('@'),
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::Number(..) => true,
        Token::EscapedStringLiteral(_) | Token::NationalStringLiteral(_) => true,
        Token::Comma | Token::Plus | Token::Minus | Token::Period | Token::SemiColon => true,
        _ => false,
    };
    match value.as_slice() {
        [] => Given::Default,
        [Token::Word(word), rest @ ..]
            if word.quote_style.is_none()
                && word.value.eq_ignore_ascii_case("default")
                && rest.iter().all(|token| **token == Token::SemiColon) =>
        {
            Given::Default
        }
        all if all.iter().all(is_literal) => {
            let end = tokens
                .iter()
                .rposition(|it| !matches!(it, Token::SemiColon | Token::Whitespace(_)));
            Given::Literal(text(&tokens[..end.map_or(0, |end| end + 1)]))
        }
        _ => Given::Unknown,
    }
}

/// Whether a boolean setting is switched on, or `None` if the value is none of the usual words.
fn switch(value: &Given) -> Option<bool> {
    let Given::Literal(value) = value else {
        return None;
    };
    match value
        .trim_matches(['\'', '"'])
        .to_ascii_lowercase()
        .as_str()
    {
        "1" | "on" | "true" | "yes" | "t" | "y" => Some(true),
        "0" | "off" | "false" | "no" | "f" | "n" => Some(false),
        _ => None,
    }
}

fn is_word(value: &str, word: &str) -> bool {
    value.eq_ignore_ascii_case(word)
}

fn literal(argument: &ast::FunctionArg) -> Option<&str> {
    let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::Value(value))) = argument
    else {
        return None;
    };
    match &value.value {
        ast::Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}
