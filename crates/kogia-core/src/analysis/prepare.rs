//! From a text to statements: the tokens are rewritten where `sqlparser` has holes, then parsed.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use crate::dialect::Dialect;

use super::grammar::grammar;
use super::lexer::{LexError, lex};

/// Longer texts are opaque.
pub(super) const LONGEST_TEXT: usize = 1 << 20;

/// A text that was cut into tokens and may now be parsed.
pub(super) struct Prepared {
    dialect: Dialect,
    tokens: Vec<Token>,
    /// `INTO OUTFILE` or `INTO DUMPFILE` was cut out.
    pub(super) into_file: bool,
}

impl Prepared {
    pub(super) fn new(dialect: Dialect, text: &str) -> Result<Self, LexError> {
        if text.len() > LONGEST_TEXT {
            return Err(LexError("the text is longer than a mebibyte"));
        }
        let tokens = lex(dialect, text)?;
        let mut rewrite = Rewrite {
            dialect,
            at: 0,
            output: Vec::new(),
            into_file: false,
            tokens,
        };
        if rewrite.is_needed() {
            rewrite.run();
        }
        let Rewrite {
            tokens, into_file, ..
        } = rewrite;
        if open_joins(&tokens) > RECURSION {
            return Err(LexError("joins without conditions follow one another"));
        }
        if copying_operators(dialect, &tokens) > COPIES {
            return Err(LexError("it holds too many operators of one kind"));
        }
        Ok(Prepared {
            dialect,
            tokens,
            into_file,
        })
    }

    /// How many bytes of stack the parser, the walk and the drop of the tree may take.
    ///
    /// Operators make trees that are deep to the left, whatever the parser's limit of recursion.
    pub(super) fn stack(&self) -> usize {
        let (mut operators, mut depth, mut deepest) = (0usize, 0usize, 0usize);
        for token in &self.tokens {
            match token {
                Token::LParen | Token::LBracket => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                Token::Comma | Token::Period | Token::SemiColon | Token::Number(..) => {}
                Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {}
                Token::Placeholder(_) => {}
                Token::Word(word) if word.keyword == Keyword::NoKeyword => {}
                _ => operators += 1,
            }
        }
        let recursion = deepest.min(RECURSION) + open_joins(&self.tokens);
        (256 << 10) + operators.min(LONGEST_TEXT / 8) * FRAME + recursion * (32 << 10)
    }

    /// The statements of the text, each by its tokens.
    ///
    /// A body of a trigger or a routine holds semicolons of its own. Where one ends is certain for
    /// SQLite only; elsewhere it takes all the rest of the text.
    pub(super) fn statements(&self) -> Vec<&[Token]> {
        let mut statements = Vec::new();
        let mut rest = self.tokens.as_slice();
        while !rest.is_empty() {
            let semicolon = rest.iter().position(|token| *token == Token::SemiColon);
            let end = match semicolon {
                Some(end) if !has_body(self.dialect, &rest[..end]) => end,
                Some(_) if self.dialect == Dialect::Sqlite => {
                    trigger_length(rest).unwrap_or(rest.len())
                }
                _ => rest.len(),
            };
            if end > 0 {
                statements.push(&rest[..end]);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        statements
    }
}

/// How many operators have a left side that the parser copies, which takes the square of their
/// number if they are chained.
fn copying_operators(dialect: Dialect, tokens: &[Token]) -> usize {
    let copies = |token: &&Token| match token {
        Token::Word(word) => match dialect {
            Dialect::MySql => word.keyword == Keyword::DIV,
            Dialect::Sqlite => {
                matches!(
                    word.keyword,
                    Keyword::GLOB | Keyword::MATCH | Keyword::REGEXP
                )
            }
            Dialect::Postgres => false,
        },
        _ => false,
    };
    tokens.iter().filter(copies).count()
}

/// How many joins wait for their conditions at once.
///
/// The parser nests `a JOIN b JOIN c ON … ON …` to the right without regard to its limit.
fn open_joins(tokens: &[Token]) -> usize {
    // A condition belongs to a join within the same parentheses.
    let (mut outer, mut level) = (Vec::new(), 0_usize);
    let (mut open, mut most) = (0_usize, 0_usize);
    for token in tokens {
        match token {
            Token::LParen => outer.push(std::mem::take(&mut level)),
            Token::RParen => {
                if let Some(before) = outer.pop() {
                    open -= level;
                    level = before;
                }
            }
            Token::Word(word) => match word.keyword {
                Keyword::JOIN | Keyword::STRAIGHT_JOIN => {
                    level += 1;
                    open += 1;
                    most = most.max(open);
                }
                Keyword::ON | Keyword::USING if level > 0 => {
                    level -= 1;
                    open -= 1;
                }
                _ => {}
            },
            _ => {}
        }
    }
    most
}

/// The tokens of a text, rewritten for the parser. `None` if it cannot be read.
pub(super) fn tokens(dialect: Dialect, text: &str) -> Option<Vec<Token>> {
    Prepared::new(dialect, text)
        .ok()
        .map(|prepared| prepared.tokens)
}

/// A parser of rewritten tokens.
pub(super) fn parser(dialect: Dialect, tokens: Vec<Token>) -> Parser<'static> {
    let spanned = |token| TokenWithSpan {
        token,
        span: Span::empty(),
    };
    Parser::new(grammar(dialect))
        .with_recursion_limit(RECURSION)
        .with_tokens_with_locations(tokens.into_iter().map(spanned).collect())
}

/// How long a definition of a trigger of SQLite is at the head of these tokens: each statement of
/// its body ends with a semicolon, and none begins with `END`, which ends the body.
pub(super) fn trigger_length(tokens: &[Token]) -> Option<usize> {
    let is_end = |pair: &[Token]| pair[0] == Token::SemiColon && is_word(pair.get(1), "END");
    let end = tokens.windows(2).position(is_end)? + 2;
    matches!(tokens.get(end), None | Some(Token::SemiColon)).then_some(end)
}

/// Whether the tokens begin a statement whose body may hold semicolons.
fn has_body(dialect: Dialect, tokens: &[Token]) -> bool {
    let at = |at: usize, words: &[&str]| words.iter().any(|word| is_word(tokens.get(at), word));
    match dialect {
        Dialect::Sqlite => {
            let mut next = 0;
            if at(0, &["EXPLAIN"]) {
                next = if at(1, &["QUERY"]) { 3 } else { 1 };
            }
            let temporary = usize::from(at(next + 1, &["TEMP", "TEMPORARY"]));
            at(next, &["CREATE"]) && at(next + 1 + temporary, &["TRIGGER"])
        }
        // MariaDB takes the statements of a routine outside of one, too.
        Dialect::MySql => {
            let blocks = ["IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"];
            let labelled = match tokens.get(1) {
                Some(Token::Colon) => true,
                // `again:LOOP` looks like a named parameter.
                Some(Token::Placeholder(name)) => name.starts_with(':'),
                _ => false,
            };
            at(0, &blocks)
                || labelled
                || at(0, &["BEGIN"]) && at(1, &["NOT"])
                || defines_routine(tokens)
        }
        Dialect::Postgres => defines_routine(tokens),
    }
}

/// Whether the tokens begin a definition whose body may hold semicolons.
fn defines_routine(tokens: &[Token]) -> bool {
    const ROUTINES: [&str; 6] = [
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "PACKAGE",
        "RULE",
    ];
    let starts = ["CREATE", "ALTER"]
        .iter()
        .any(|word| is_word(tokens.first(), word));
    starts
        && tokens
            .iter()
            .any(|token| ROUTINES.iter().any(|word| is_word(Some(token), word)))
}

/// The parser's limit of recursion: its default of 50 is too low for generated queries.
const RECURSION: usize = 200;

/// The stack that a function takes for one level of an expression. The greatest is the parser's
/// `clone`.
const FRAME: usize = 4 << 10;

/// The most operators of which the parser copies the left side.
const COPIES: usize = 200;

/// `(value).*`
const WHOLE_COMPOSITE: &[Token] = &[Token::RParen, Token::Period, Token::Mul];

/// Keywords that may have to be rewritten.
const KEYWORDS: &[Keyword] = &[
    Keyword::ONLY,
    Keyword::TABLE,
    Keyword::FOR,
    Keyword::LOCK,
    Keyword::CONFLICT,
    Keyword::PRAGMA,
    Keyword::INTO,
    Keyword::IN,
    Keyword::EXCLUDE,
    Keyword::CYCLE,
    Keyword::SEARCH,
    Keyword::MATERIALIZED,
    Keyword::SYMMETRIC,
    Keyword::MOD,
    Keyword::AT,
    Keyword::UPDATE,
    Keyword::CHARACTER,
    Keyword::CHARSET,
    Keyword::USING,
];

/// Words that may have to be rewritten and are no keywords of the parser.
const WORDS: &[&str] = &[
    "DISTINCTROW",
    "IGNORE",
    "INDEXED",
    "ISNULL",
    "LOW_PRIORITY",
    "QUICK",
    "SOUNDS",
];

/// Units of intervals that the parser does not know. Which unit it is changes no table.
const COMPOUND_UNITS: &[&str] = &[
    "DAY_HOUR",
    "DAY_MICROSECOND",
    "DAY_MINUTE",
    "DAY_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_MINUTE",
    "HOUR_SECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "SECOND_MICROSECOND",
    "YEAR_MONTH",
];

/// One pass over the tokens that puts what the parser knows for what it does not, wherever that
/// says the same or more.
struct Rewrite {
    dialect: Dialect,
    tokens: Vec<Token>,
    at: usize,
    output: Vec<Token>,
    into_file: bool,
}

impl Rewrite {
    /// Most texts hold none of the words and stay as they are.
    fn is_needed(&self) -> bool {
        self.tokens.iter().any(|token| match token {
            Token::Word(word) if word.quote_style.is_none() => {
                KEYWORDS.contains(&word.keyword)
                    || (word.keyword == Keyword::IS && self.dialect == Dialect::Sqlite)
                    || WORDS
                        .iter()
                        .chain(COMPOUND_UNITS)
                        .any(|other| word.value.eq_ignore_ascii_case(other))
            }
            _ => false,
        }) || (self.dialect == Dialect::Postgres
            && self
                .tokens
                .windows(3)
                .any(|tokens| tokens == WHOLE_COMPOSITE))
    }

    fn run(&mut self) {
        self.output.reserve(self.tokens.len() + 8);
        while self.at < self.tokens.len() {
            if !self.rewritten() {
                self.keep();
            }
        }
        std::mem::swap(&mut self.tokens, &mut self.output);
    }

    /// Whether something was put for the tokens that stand here.
    fn rewritten(&mut self) -> bool {
        if self.dialect == Dialect::Postgres
            && self.output.last() == Some(&Token::RParen)
            && self.token(0) == Some(&Token::Period)
            && self.token(1) == Some(&Token::Mul)
        {
            // All fields of a composite value are no more than the value.
            return self.skip(2);
        }
        let Some(Token::Word(word)) = self.tokens.get(self.at) else {
            return false;
        };
        if word.quote_style.is_some() {
            return false;
        }
        match (word.keyword, self.dialect) {
            (Keyword::ONLY, Dialect::Postgres) => self.only(),
            (Keyword::TABLE, _) => self.table(),
            (Keyword::FOR, _) => self.lock(),
            (Keyword::LOCK, Dialect::MySql) => self.lock_in_share_mode(),
            (Keyword::CONFLICT, _) => self.conflict(),
            (Keyword::PRAGMA, Dialect::Sqlite) => self.pragma(),
            (Keyword::INTO, Dialect::MySql) => self.cut_into_file(),
            (Keyword::IN, _) => self.in_list(),
            (Keyword::EXCLUDE, _) => self.frame_exclusion(),
            (Keyword::CYCLE | Keyword::SEARCH, Dialect::Postgres) => self.search_or_cycle(),
            // Whether a CTE is kept as a table is the planner's affair.
            (Keyword::MATERIALIZED, Dialect::Sqlite) if is_word(self.output.last(), "AS") => {
                self.skip(1)
            }
            (Keyword::NOT, Dialect::Sqlite) if self.is(1, "MATERIALIZED") => self.skip(2),
            (Keyword::NOT, Dialect::Sqlite) if self.is(1, "INDEXED") => self.skip(2),
            (Keyword::IS, Dialect::Sqlite) => self.is_comparison(),
            (_, Dialect::Sqlite) if self.is(0, "INDEXED") && self.is(1, "BY") => self.skip(3),
            (Keyword::SYMMETRIC, _) if is_word(self.output.last(), "BETWEEN") => self.skip(1),
            // The parser would take it for the table. A value that does not fit has no canonical form
            // anyway, whether it is an error or not.
            (_, Dialect::MySql) if self.is_modifier() => self.skip(1),
            (_, Dialect::MySql) if self.is(0, "SOUNDS") && self.is(1, "LIKE") => self.skip(1),
            (_, Dialect::MySql) if self.is(0, "DISTINCTROW") => self.replace(1, &["DISTINCT"]),
            (Keyword::MOD, Dialect::MySql) if self.follows_operand() => {
                self.output.push(Token::Mod);
                self.skip(1)
            }
            (Keyword::UPDATE, Dialect::MySql) => self.update_list(),
            (Keyword::CHARACTER | Keyword::CHARSET, Dialect::MySql) => self.cast_charset(),
            (Keyword::USING, Dialect::MySql) => self.char_using(),
            (_, Dialect::MySql) if COMPOUND_UNITS.iter().any(|unit| self.is(0, unit)) => {
                self.follows_operand() && self.replace(1, &["DAY"])
            }
            (Keyword::AT, Dialect::Postgres) if self.is(1, "LOCAL") => {
                self.replace(2, &["AT", "TIME", "ZONE"]);
                self.output
                    .push(Token::SingleQuotedString("local".to_owned()));
                true
            }
            _ if self.is(0, "ISNULL") && self.token(1) != Some(&Token::LParen) => {
                self.replace(1, &["IS", "NULL"])
            }
            _ => false,
        }
    }

    /// `a IS b` and `a IS NOT b` compare any two operands on SQLite.
    fn is_comparison(&mut self) -> bool {
        let negated = self.is(1, "NOT");
        let length = 1 + usize::from(negated);
        let tests = ["NULL", "TRUE", "FALSE", "DISTINCT"];
        if tests.iter().any(|test| self.is(length, test)) {
            return false;
        }
        let same: &[_] = if negated {
            &["IS", "DISTINCT", "FROM"]
        } else {
            &["IS", "NOT", "DISTINCT", "FROM"]
        };
        self.replace(length, same)
    }

    fn skip(&mut self, length: usize) -> bool {
        self.at += length;
        true
    }

    fn replace(&mut self, length: usize, keywords: &[&str]) -> bool {
        for keyword in keywords {
            self.put(keyword);
        }
        self.skip(length)
    }

    /// Whether the last token may end an operand, so that this one is an operator or a unit.
    fn follows_operand(&self) -> bool {
        match self.output.last() {
            Some(Token::Word(word)) => word.keyword == Keyword::NoKeyword,
            Some(Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_)) => true,
            Some(Token::RParen) => true,
            _ => false,
        }
    }

    /// `UPDATE IGNORE t`, `DELETE QUICK FROM t`.
    fn is_modifier(&self) -> bool {
        let is_any = |token, words: &[&str]| words.iter().any(|word| is_word(token, word));
        is_any(self.output.last(), &["UPDATE", "DELETE"])
            && is_any(self.token(0), &["IGNORE", "LOW_PRIORITY", "QUICK"])
    }

    /// `UPDATE a, b SET …`: the commas become joins, which name the same tables.
    fn update_list(&mut self) -> bool {
        let before = self.output.last();
        if ["FOR", "KEY", "ON"]
            .iter()
            .any(|word| is_word(before, word))
        {
            return false;
        }
        let mut depth = 0usize;
        for token in &mut self.tokens[self.at + 1..] {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => *token = Token::make_word("JOIN", None),
                Token::SemiColon => break,
                Token::Word(word) if matches!(word.keyword, Keyword::SET | Keyword::UPDATE) => {
                    break;
                }
                _ => {}
            }
        }
        false
    }

    /// `CAST(x AS CHAR CHARACTER SET utf8mb4)`: the set changes no table.
    fn cast_charset(&mut self) -> bool {
        let set = usize::from(self.is(1, "SET"));
        let ends = self.token(set + 2) == Some(&Token::RParen);
        let named = matches!(self.token(set + 1), Some(Token::Word(_)));
        (ends && named) && self.skip(set + 2)
    }

    /// `CHAR(65 USING utf8mb4)`, but not `CONVERT(x USING utf8mb4)`, which the parser knows.
    fn char_using(&mut self) -> bool {
        if self.token(2) != Some(&Token::RParen) {
            return false;
        }
        let mut depth = 0usize;
        // The limit keeps the time linear; nobody writes longer arguments.
        let opening = self.output.iter().rev().take(256).position(|token| {
            match token {
                Token::RParen => depth += 1,
                Token::LParen if depth == 0 => return true,
                Token::LParen => depth -= 1,
                _ => {}
            }
            false
        });
        let function = opening.and_then(|after| self.output.iter().rev().nth(after + 1));
        is_word(function, "CHAR") && self.skip(2)
    }

    /// `x IN t` (SQLite), where a table stands for its rows, and `x IN %s`, where a driver puts a
    /// list for one parameter.
    fn in_list(&mut self) -> bool {
        match self.token(1) {
            Some(Token::Placeholder(_)) => {
                self.keep();
                self.output.extend([
                    Token::LParen,
                    // Not a number: the parameter is no single value.
                    Token::Placeholder("?".to_owned()),
                    Token::RParen,
                ]);
                self.skip(1)
            }
            Some(Token::Word(_)) if self.dialect == Dialect::Sqlite => {
                let dotted = self.token(2) == Some(&Token::Period);
                let length = if dotted { 3 } else { 1 };
                if self.token(1 + length) == Some(&Token::LParen) {
                    return false;
                }
                self.keep();
                self.output.push(Token::LParen);
                self.replace(0, &["SELECT"]);
                self.output.push(Token::Mul);
                self.put("FROM");
                for _ in 0..length {
                    self.keep();
                }
                self.output.push(Token::RParen);
                true
            }
            _ => false,
        }
    }

    /// The end of a window frame: `EXCLUDE CURRENT ROW`, `GROUP`, `TIES` or `NO OTHERS`.
    fn frame_exclusion(&mut self) -> bool {
        let two = (self.is(1, "CURRENT") && self.is(2, "ROW"))
            || (self.is(1, "NO") && self.is(2, "OTHERS"));
        let length = if two {
            3
        } else if self.is(1, "GROUP") || self.is(1, "TIES") {
            2
        } else {
            return false;
        };
        self.token(length) == Some(&Token::RParen) && self.skip(length)
    }

    /// `SEARCH … SET column` and `CYCLE … USING column` behind a recursive CTE.
    fn search_or_cycle(&mut self) -> bool {
        let last = if self.is(0, "SEARCH") && (self.is(1, "DEPTH") || self.is(1, "BREADTH")) {
            "SET"
        } else if self.is(0, "CYCLE") {
            "USING"
        } else {
            return false;
        };
        let plain = |token: &Token| {
            matches!(
                token,
                Token::Word(_) | Token::Comma | Token::SingleQuotedString(_) | Token::Number(..)
            )
        };
        let behind = self.output.last() == Some(&Token::RParen);
        let length = (1..)
            .take_while(|&ahead| self.token(ahead).is_some_and(plain))
            .find(|&ahead| self.is(ahead, last));
        match length {
            Some(length) if behind => self.skip(length + 2),
            _ => false,
        }
    }

    /// `ONLY t` and `ONLY (t)`: all of the inheritance tree is more than a part of it. The parser
    /// would take `ONLY` for the table and the table for its alias.
    fn only(&mut self) -> bool {
        let before = self.output.last();
        if ["ROW", "ROWS", "READ", "TIES", "PERCENT"]
            .iter()
            .any(|word| is_word(before, word))
        {
            return false;
        }
        self.at += 1;
        if self.token(0) != Some(&Token::LParen) {
            return true;
        }
        let length = (1..).step_by(2).find(|&part| {
            !matches!(self.token(part), Some(Token::Word(_)))
                || self.token(part + 1) != Some(&Token::Period)
        });
        let end = length.unwrap_or(1) + 1;
        if self.token(end) == Some(&Token::RParen) {
            self.at += 1;
            for _ in 1..end {
                self.keep();
            }
            self.at += 1;
        }
        true
    }

    /// `TABLE t` is `SELECT * FROM t`. The parser would swallow the two tokens behind the name.
    fn table(&mut self) -> bool {
        let starts = match self.output.last() {
            None | Some(Token::LParen | Token::SemiColon) => true,
            before => [
                "UNION",
                "EXCEPT",
                "INTERSECT",
                "ALL",
                "DISTINCT",
                "AS",
                "EXPLAIN",
                "ANALYZE",
                "VERBOSE",
            ]
            .iter()
            .any(|word| is_word(before, word)),
        };
        // `FROM (TABLE …` is a table function only with another parenthesis.
        if !starts
            || !matches!(
                self.token(1),
                Some(Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
            )
        {
            return false;
        }
        if ["ANALYZE", "EXPLAIN"]
            .iter()
            .any(|word| is_word(self.output.last(), word))
            && self.dialect == Dialect::MySql
        {
            // `ANALYZE TABLE t`, `EXPLAIN TABLE t`.
            return false;
        }
        self.at += 1;
        self.put("SELECT");
        self.output.push(Token::Mul);
        self.put("FROM");
        true
    }

    /// `FOR NO KEY UPDATE`, `FOR KEY SHARE`, and `OF` with several tables.
    fn lock(&mut self) -> bool {
        let words = |words: &[&str]| {
            words
                .iter()
                .enumerate()
                .all(|(at, word)| self.is(1 + at, word))
        };
        let length = if words(&["NO", "KEY", "UPDATE"]) {
            4
        } else if words(&["KEY", "SHARE"]) {
            3
        } else if words(&["UPDATE"]) || words(&["SHARE"]) {
            2
        } else {
            return false;
        };
        self.at += length;
        self.put("FOR");
        self.put("UPDATE");
        if self.is(0, "OF") {
            loop {
                // `OF` or a comma, then a name with its qualifiers.
                self.at += 2;
                while self.token(0) == Some(&Token::Period) {
                    self.at += 2;
                }
                if self.token(0) != Some(&Token::Comma) {
                    break;
                }
            }
        }
        true
    }

    fn lock_in_share_mode(&mut self) -> bool {
        if !["IN", "SHARE", "MODE"]
            .iter()
            .enumerate()
            .all(|(at, word)| self.is(1 + at, word))
        {
            return false;
        }
        self.at += 4;
        self.put("FOR");
        self.put("SHARE");
        true
    }

    /// `ON CONFLICT (…) WHERE … DO`: the predicate chooses an index and changes nothing else. A
    /// target that is not a list of columns goes, too: without one, any unique index may conflict.
    fn conflict(&mut self) -> bool {
        if !is_word(self.output.last(), "ON") {
            return false;
        }
        self.keep();
        if self.token(0) == Some(&Token::LParen) {
            let end = self.closing();
            let plain = |at: usize| match self.token(at) {
                Some(Token::Word(_)) => at % 2 == 1,
                Some(Token::Comma) => at.is_multiple_of(2),
                _ => false,
            };
            if (1..end).all(plain) {
                for _ in 0..=end {
                    self.keep();
                }
            } else {
                self.at = (self.at + end + 1).min(self.tokens.len());
            }
        }
        if self.is(0, "WHERE") {
            let mut depth = 0usize;
            while let Some(token) = self.token(0) {
                match token {
                    Token::LParen => depth += 1,
                    Token::RParen => depth = depth.saturating_sub(1),
                    _ if depth == 0 && self.is(0, "DO") => break,
                    _ => {}
                }
                self.at += 1;
            }
        }
        true
    }

    /// How far the parenthesis is that closes the one that stands here.
    fn closing(&self) -> usize {
        let mut depth = 0usize;
        let rest = &self.tokens[self.at..];
        let end = rest.iter().position(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        end.unwrap_or(rest.len())
    }

    /// `PRAGMA x = ON`, `PRAGMA x = -5`, `PRAGMA x(name)`: the value becomes a string.
    fn pragma(&mut self) -> bool {
        self.keep();
        while matches!(self.token(0), Some(Token::Word(_) | Token::Period)) {
            self.keep();
        }
        if !matches!(self.token(0), Some(Token::Eq | Token::LParen)) {
            return true;
        }
        self.keep();
        let minus = usize::from(self.token(0) == Some(&Token::Minus));
        let value = match self.token(minus) {
            Some(Token::Word(word)) if minus == 0 => word.value.clone(),
            Some(Token::Number(number, _)) if minus == 1 => format!("-{number}"),
            _ => return true,
        };
        self.at += 1 + minus;
        self.output.push(Token::SingleQuotedString(value));
        true
    }

    /// `INTO OUTFILE …` ends with the text, or before the rest of the query.
    fn cut_into_file(&mut self) -> bool {
        if !self.is(1, "OUTFILE") && !self.is(1, "DUMPFILE") {
            return false;
        }
        self.into_file = true;
        while let Some(token) = self.token(0) {
            let ends = ["FROM", "FOR", "LOCK", "UNION"]
                .iter()
                .any(|word| self.is(0, word));
            if ends || matches!(token, Token::SemiColon | Token::RParen) {
                break;
            }
            self.at += 1;
        }
        true
    }

    fn keep(&mut self) {
        if let Some(token) = self.tokens.get_mut(self.at) {
            self.output.push(std::mem::replace(token, Token::EOF));
            self.at += 1;
        }
    }

    fn put(&mut self, keyword: &str) {
        self.output.push(Token::make_word(keyword, None));
    }

    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn is(&self, ahead: usize, word: &str) -> bool {
        is_word(self.token(ahead), word)
    }
}

/// Whether a token is this word, unquoted.
pub(super) fn is_word(token: Option<&Token>, expected: &str) -> bool {
    matches!(token, Some(Token::Word(word))
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}
