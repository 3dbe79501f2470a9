//! From a text to statements: the tokens are rewritten where `sqlparser` has holes, then parsed.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use crate::dialect::Dialect;

use super::grammar::grammar;
use super::lexer::{LexError, Lexed, lex};

/// Longer texts are opaque.
pub(super) const LONGEST_TEXT: usize = 1 << 20;

/// A text that was cut into tokens and may now be parsed.
pub(super) struct Prepared {
    tokens: Vec<Token>,
    /// See [`Lexed::loose_operators`].
    pub(super) loose_operators: bool,
    /// `INTO OUTFILE` or `INTO DUMPFILE` was cut out.
    pub(super) into_file: bool,
}

impl Prepared {
    pub(super) fn new(dialect: Dialect, text: &str) -> Result<Self, LexError> {
        if text.len() > LONGEST_TEXT {
            return Err(LexError("the text is longer than a mebibyte"));
        }
        let Lexed {
            tokens,
            loose_operators,
        } = lex(dialect, text)?;
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
        Ok(Prepared {
            tokens,
            loose_operators,
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
        (256 << 10) + operators.min(LONGEST_TEXT / 8) * 512 + deepest.min(RECURSION) * (32 << 10)
    }

    /// The statements of the text, each by its tokens.
    ///
    /// A body of a trigger or a routine holds semicolons of its own, and where it ends only its
    /// own grammar says: a definition of one takes all the rest of the text.
    pub(super) fn statements(&self) -> Vec<&[Token]> {
        let mut statements = Vec::new();
        let mut rest = self.tokens.as_slice();
        while !rest.is_empty() {
            let semicolon = rest.iter().position(|token| *token == Token::SemiColon);
            let end = match semicolon {
                Some(end) if !defines_routine(&rest[..end]) => end,
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
                matches!(
                    word.keyword,
                    Keyword::ONLY
                        | Keyword::TABLE
                        | Keyword::FOR
                        | Keyword::LOCK
                        | Keyword::CONFLICT
                        | Keyword::PRAGMA
                        | Keyword::INTO
                ) || ["INDEXED", "ISNULL"]
                    .iter()
                    .any(|other| word.value.eq_ignore_ascii_case(other))
            }
            _ => false,
        })
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
        let Some(Token::Word(word)) = self.tokens.get(self.at) else {
            return false;
        };
        if word.quote_style.is_some() {
            return false;
        }
        let postgres = self.dialect == Dialect::Postgres;
        match word.keyword {
            Keyword::ONLY if postgres => self.only(),
            Keyword::TABLE => self.table(),
            Keyword::FOR => self.lock(),
            Keyword::LOCK if self.dialect == Dialect::MySql => self.lock_in_share_mode(),
            Keyword::CONFLICT => self.conflict(),
            Keyword::PRAGMA if self.dialect == Dialect::Sqlite => self.pragma(),
            Keyword::INTO if self.dialect == Dialect::MySql => self.into_file(),
            Keyword::NOT if self.dialect == Dialect::Sqlite && self.is(1, "INDEXED") => {
                self.at += 2;
                true
            }
            _ if self.dialect == Dialect::Sqlite && self.is(0, "INDEXED") && self.is(1, "BY") => {
                self.at += 3;
                true
            }
            _ if self.is(0, "ISNULL") && self.token(1) != Some(&Token::LParen) => {
                self.at += 1;
                self.put("IS");
                self.put("NULL");
                true
            }
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
                Some(Token::Comma) => at % 2 == 0,
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
    fn into_file(&mut self) -> bool {
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
