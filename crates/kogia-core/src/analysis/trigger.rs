//! The bodies of triggers and rules.

use sqlparser::ast;
use sqlparser::tokenizer::{Token, Word};

use crate::catalog::Facts;
use crate::dialect::Dialect;
use crate::schema::TriggerBody;

use super::collector::Collector;
use super::prepare;
use super::scan::{Name, Scanner};
use super::statement::{Effect, Wide, WriteScope};
use super::target::Change;

impl Collector<'_> {
    /// A trigger of the table that a change fires.
    ///
    /// What its statements do is added to the write set. A body with a statement that cannot be
    /// described may write anything, and change the session if any function of the database does.
    pub(super) fn fire(&mut self, table: &Facts, change: &Change, body: &TriggerBody) {
        let tokens = match body {
            TriggerBody::Statements(text) => prepare::tokens(self.dialect, text),
            TriggerBody::Unknown => None,
            TriggerBody::ChangesSession => {
                self.taint("trigger", false);
                None
            }
        };
        let Some(tokens) = tokens else {
            return self.undescribed();
        };
        let mut inner = Collector::new(self.database, self.catalog);
        // What looks like the key may be a variable of that name.
        inner.unpinned = true;
        // One list of open changes for all levels, so that circles of triggers end.
        std::mem::swap(&mut inner.reach, &mut self.reach);
        let mut body = Body {
            collector: &mut inner,
            table,
            change,
        };
        let mut described = body.run(&tokens).is_some();
        std::mem::swap(&mut inner.reach, &mut self.reach);

        for write in inner.writes {
            self.write_table(write.table, write.scope);
        }
        for effect in inner.effects {
            match effect {
                Effect::WritesOtherDatabase(name) => self.elsewhere(&name),
                _ => described = false,
            }
        }
        if described {
            self.wide = self.wide.join(inner.wide);
        } else {
            self.undescribed();
        }
    }

    fn undescribed(&mut self) {
        self.wide = self.wide.join(Wide::Database);
        if self.catalog.may_change_session() {
            self.taint("trigger", false);
        }
    }
}

/// Walks one body. The control flow of MySQL and PL/pgSQL is read as far as common triggers need
/// it: all branches count. Each step gives `None` where the body cannot be described.
struct Body<'c, 'a, 'f> {
    collector: &'c mut Collector<'a>,
    table: &'f Facts,
    change: &'f Change,
}

impl Body<'_, '_, '_> {
    fn run(&mut self, tokens: &[Token]) -> Option<()> {
        // A parameter would be one of the function, not of the statement that fires the trigger.
        if tokens
            .iter()
            .any(|token| matches!(token, Token::Placeholder(_)))
        {
            return None;
        }
        let mut scanner = Scanner::new(tokens);
        if let Some(inner) = scanner.parenthesised() {
            // The actions of a rule.
            return if scanner.is_end() {
                self.run(inner)
            } else {
                None
            };
        }
        while !scanner.is_end() {
            if !scanner.eat_token(&Token::SemiColon) {
                self.step(&mut scanner)?;
            }
        }
        Some(())
    }

    fn step(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        if scanner
            .eat_any(&["BEGIN", "ELSE", "EXCEPTION", "NULL"])
            .is_some()
        {
            return Some(());
        }
        if scanner.eat("END") {
            scanner.eat("IF");
            return Some(());
        }
        if scanner.eat_any(&["IF", "ELSIF", "ELSEIF"]).is_some() {
            let condition = scanner.until(|ahead| ahead.at("THEN"));
            self.collector.expression_tokens(condition)?;
            return scanner.eat("THEN").then_some(());
        }
        if scanner.eat("WHEN") {
            // The names of exceptions.
            scanner.until(|ahead| ahead.at("THEN"));
            return scanner.eat("THEN").then_some(());
        }
        if scanner.eat("DECLARE") {
            return self.declarations(scanner);
        }
        let statement = scanner.until(|ahead| ahead.peek() == Some(&Token::SemiColon));
        self.statement(statement)
    }

    /// `DECLARE x type DEFAULT value;` of MySQL, or all up to `BEGIN` (PL/pgSQL).
    fn declarations(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        loop {
            let mut declaration =
                Scanner::new(scanner.until(|ahead| ahead.peek() == Some(&Token::SemiColon)));
            let is_value = |ahead: &Scanner<'_>| {
                ahead.at("DEFAULT") || matches!(ahead.peek(), Some(Token::Assignment | Token::Eq))
            };
            let head = Scanner::new(declaration.until(is_value));
            let is_plain = |token: &Token| {
                !is_word(token, "CURSOR") && !is_word(token, "HANDLER") && *token != Token::EOF
            };
            if !head.rest().iter().all(is_plain) {
                return None;
            }
            if declaration.next().is_some() {
                self.collector.expression_tokens(declaration.rest())?;
            }
            scanner.eat_token(&Token::SemiColon);
            if self.collector.dialect != Dialect::Postgres || scanner.at("BEGIN") {
                return Some(());
            }
            if scanner.is_end() {
                return None;
            }
        }
    }

    fn statement(&mut self, tokens: &[Token]) -> Option<()> {
        let mut scanner = Scanner::new(tokens);
        let has_call = || tokens.contains(&Token::LParen);
        if scanner.eat("RETURN") {
            return self.returned(scanner.rest());
        }
        if scanner.eat_any(&["RAISE", "SIGNAL", "RESIGNAL"]).is_some() {
            return (!has_call()).then_some(());
        }
        if scanner.eat("SET") {
            while !scanner.is_end() {
                self.assignment(Scanner::new(scanner.until_comma()))?;
            }
            return Some(());
        }
        let select = [
            "SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "MERGE",
        ];
        if scanner.at_any(&select) {
            let statement = match aligned_index(tokens) {
                Some(write) if self.collector.dialect == Dialect::Sqlite => write,
                _ => self.without_into(tokens)?,
            };
            self.collector.one(&statement);
            return Some(());
        }
        if scanner.eat("PERFORM") {
            let select = Token::make_keyword("SELECT");
            let statement: Vec<Token> = std::iter::once(select)
                .chain(scanner.rest().iter().cloned())
                .collect();
            self.collector.one(&statement);
            return Some(());
        }
        self.assignment(scanner)
    }

    /// What a PL/pgSQL trigger returns is the row that is written, if it is no more than `NEW` or
    /// `OLD`; anything else may have another key.
    fn returned(&mut self, tokens: &[Token]) -> Option<()> {
        let mut scanner = Scanner::new(tokens);
        while let Some(token) = scanner.next() {
            let known = ["NEW", "OLD", "NULL", "COALESCE"]
                .iter()
                .any(|word| is_word(token, word));
            if !known && !matches!(token, Token::LParen | Token::RParen | Token::Comma) {
                return None;
            }
        }
        Some(())
    }

    /// `NEW.x = value`, or a variable.
    fn assignment(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        let name = scanner.name()?;
        if !matches!(scanner.next()?, Token::Eq | Token::Assignment) {
            return None;
        }
        self.assigned(&name)?;
        self.collector.expression_tokens(scanner.rest())
    }

    fn assigned(&mut self, name: &[Name<'_>]) -> Option<()> {
        let [first, rest @ ..] = name else {
            return None;
        };
        if first.value.starts_with("@@") {
            return None;
        }
        if !first.value.eq_ignore_ascii_case("new") {
            return rest.is_empty().then_some(());
        }
        let [column] = rest else { return None };
        let column = self.collector.catalog.fold(column.value);
        let table = &self.table.name;
        if self
            .table
            .key
            .as_ref()
            .is_some_and(|key| *key.name == *column)
        {
            self.collector.write_table(table.clone(), WriteScope::Broad);
        }
        if matches!(self.change, Change::Update(_)) {
            self.collector
                .changed(table.clone(), Change::Update(Some(vec![column])));
        }
        Some(())
    }

    /// The statement without `INTO variable, …`, which the parser takes for a new table, and
    /// without `RAISE(…)` of SQLite, which only gives up.
    fn without_into(&mut self, tokens: &[Token]) -> Option<Vec<Token>> {
        let mut plain = Vec::with_capacity(tokens.len());
        let mut scanner = Scanner::new(tokens);
        let mut depth = 0_usize;
        while let Some(token) = scanner.peek() {
            let follows_insert = plain.last().is_some_and(|last| {
                ["INSERT", "REPLACE", "MERGE", "IGNORE"]
                    .iter()
                    .any(|word| is_word(last, word))
            });
            if depth == 0 && !follows_insert && scanner.at("INTO") {
                scanner.next();
                scanner.eat("STRICT");
                loop {
                    let name = scanner.name()?;
                    self.assigned(&name)?;
                    if !scanner.eat_token(&Token::Comma) {
                        break;
                    }
                }
                continue;
            }
            scanner.next();
            if self.collector.dialect == Dialect::Sqlite
                && is_word(token, "RAISE")
                && scanner.parenthesised().is_some()
            {
                plain.push(Token::make_keyword("NULL"));
                continue;
            }
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            plain.push(token.clone());
        }
        Some(plain)
    }
}

impl Collector<'_> {
    /// An expression outside of a query. `None` if it cannot be read.
    pub(super) fn expression_tokens(&mut self, tokens: &[Token]) -> Option<()> {
        let mut parser = prepare::parser(self.dialect, tokens.to_vec());
        let expression: ast::Expr = parser.parse_expr().ok()?;
        if parser.peek_token_ref().token != Token::EOF {
            return None;
        }
        self.expression(&expression);
        Some(())
    }
}

/// What `SELECT RTreeAlign('index', …)` comes to, by which SpatiaLite's triggers keep the index of a
/// column of geometries: a write to that index, and to nothing else.
fn aligned_index(tokens: &[Token]) -> Option<Vec<Token>> {
    let [
        select,
        function,
        Token::LParen,
        Token::SingleQuotedString(index),
        arguments @ ..,
        Token::RParen,
    ] = tokens
    else {
        return None;
    };
    let is_plain = is_word(select, "SELECT")
        && is_word(function, "RTreeAlign")
        && !arguments.contains(&Token::LParen);
    is_plain.then(|| {
        vec![
            Token::make_keyword("DELETE"),
            Token::make_keyword("FROM"),
            Token::make_word(index, Some('"')),
        ]
    })
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(
        token,
        Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word)
    )
}
