//! Tokens of a SQL text, cut where the database itself cuts them.
//!
//! The tokenizer of `sqlparser` is not used: which characters are a string, a comment or a
//! placeholder decides what a statement reads, so it is answered here once, per dialect, with
//! placeholders of every driver style numbered on the way.

use std::collections::HashMap;

use sqlparser::ast::DollarQuotedString;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

use crate::dialect::Dialect;

/// Why a text has no tokens, in words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LexError(pub(super) &'static str);

impl LexError {
    /// MySQL runs what stands in `/*! … */` and takes any other comment for white space.
    pub(super) const EXECUTABLE_COMMENT: LexError =
        LexError("it holds a comment that the server executes");
}

/// A text as tokens, without white space and comments.
///
/// A placeholder is `?` and its number from 1, whatever its style was, where it is certain which
/// parameter it stands for; any other placeholder is named.
pub(super) fn lex(dialect: Dialect, text: &str) -> Result<Vec<Token>, LexError> {
    let usual = match dialect {
        Dialect::MySql => Escapes {
            single: true,
            double: true,
        },
        Dialect::Postgres | Dialect::Sqlite => Escapes {
            single: false,
            double: false,
        },
    };
    let mut lexer = Lexer::new(dialect, text, usual);
    lexer.run()?;
    if lexer.backslash_in_string {
        // A setting (`sql_mode`, `standard_conforming_strings`) decides whether a backslash
        // escapes. If the text is well formed under both readings and they cut it differently,
        // nobody knows what it says.
        for other in usual.others(dialect) {
            let mut reading = Lexer::new(dialect, text, other);
            if reading.run().is_ok() && reading.is_plausible() && !lexer.cuts_like(&reading) {
                return Err(LexError(
                    "a backslash in a string reads differently under other settings",
                ));
            }
        }
    }
    lexer.settle_placeholders();
    Ok(lexer.tokens)
}

/// The first word of a text, behind comments and parentheses, for one that has no tokens.
pub(super) fn first_word(dialect: Dialect, text: &str) -> Option<&str> {
    let mut lexer = Lexer::new(
        dialect,
        text,
        Escapes {
            single: false,
            double: false,
        },
    );
    while lexer.skip_blank().ok()? && lexer.peek(0) == b'(' {
        lexer.at += 1;
    }
    let length = lexer.identifier_length(lexer.at);
    Some(&text[lexer.at..lexer.at + length])
}

/// In which strings a backslash escapes the next character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Escapes {
    single: bool,
    /// Double-quoted text is a string in MySQL, or an identifier under `ANSI_QUOTES`.
    double: bool,
}

impl Escapes {
    fn others(self, dialect: Dialect) -> impl Iterator<Item = Escapes> {
        let all: &[(bool, bool)] = match dialect {
            Dialect::MySql => &[(false, false), (true, false)],
            Dialect::Postgres => &[(true, false)],
            Dialect::Sqlite => &[],
        };
        all.iter()
            .map(|&(single, double)| Escapes { single, double })
    }
}

/// How drivers write placeholders; a text that mixes styles has no certain numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Styles {
    question: bool,
    percent: bool,
    dollar: bool,
    named: bool,
    /// A `?` without a number beside one with a number or a name (SQLite).
    bare: bool,
    given: bool,
}

struct Lexer<'t> {
    dialect: Dialect,
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    escapes: Escapes,
    tokens: Vec<Token>,
    /// Where each token ends.
    ends: Vec<usize>,
    styles: Styles,
    /// The number of the last positional placeholder; on SQLite the largest given so far.
    last_number: usize,
    /// Numbers that SQLite gave to named parameters.
    names: HashMap<&'t str, usize>,
    /// Whether something looked like a placeholder and was not counted, or the other way round.
    doubtful_numbers: bool,
    backslash_in_string: bool,
    percent_in_quotes: bool,
}

impl<'t> Lexer<'t> {
    fn new(dialect: Dialect, text: &'t str, escapes: Escapes) -> Self {
        Lexer {
            dialect,
            text,
            bytes: text.as_bytes(),
            at: 0,
            escapes,
            tokens: Vec::with_capacity(text.len() / 4 + 8),
            ends: Vec::with_capacity(text.len() / 4 + 8),
            styles: Styles::default(),
            last_number: 0,
            names: HashMap::new(),
            doubtful_numbers: false,
            backslash_in_string: false,
            percent_in_quotes: false,
        }
    }

    fn run(&mut self) -> Result<(), LexError> {
        while self.skip_blank()? {
            self.token()?;
            self.ends.push(self.at);
        }
        Ok(())
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, token: Token, length: usize) {
        self.tokens.push(token);
        self.at += length;
    }

    /// Skips white space and comments; false at the end of the text.
    fn skip_blank(&mut self) -> Result<bool, LexError> {
        loop {
            match self.peek(0) {
                0 if self.at >= self.bytes.len() => return Ok(false),
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => self.at += 1,
                0x0b if self.dialect != Dialect::Sqlite => self.at += 1,
                b'-' if self.peek(1) == b'-' && self.is_dash_comment() => self.skip_line(),
                b'#' if self.dialect == Dialect::MySql => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block_comment()?,
                _ => return Ok(true),
            }
        }
    }

    /// MySQL wants white space or a control character after the two dashes.
    fn is_dash_comment(&self) -> bool {
        self.dialect != Dialect::MySql || self.peek(2) <= b' ' || self.peek(2) == 0x7f
    }

    fn skip_line(&mut self) {
        let start = self.at;
        let ends = |byte: u8| byte == b'\n' || (byte == b'\r' && self.dialect == Dialect::Postgres);
        let length = self.bytes[start..].iter().position(|&byte| ends(byte));
        self.at = length.map_or(self.bytes.len(), |length| start + length);
        self.note_percent(start, self.at);
    }

    fn skip_block_comment(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let first = self.peek(2);
        if self.dialect == Dialect::MySql
            && (first == b'!' || (first == b'M' && self.peek(3) == b'!'))
        {
            return Err(LexError::EXECUTABLE_COMMENT);
        }
        let mut depth = 0usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') if depth == 0 || self.dialect == Dialect::Postgres => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        break;
                    }
                }
                _ if self.at >= self.bytes.len() => {
                    // SQLite takes a comment that never ends as one that ends with the text.
                    if self.dialect == Dialect::Sqlite {
                        break;
                    }
                    return Err(LexError("a comment does not end"));
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.bytes.len());
        self.note_percent(start, self.at);
        if self.dialect == Dialect::MySql
            && first == b'+'
            && contains_word(&self.text[start..self.at], "set_var")
        {
            return Err(LexError("an optimizer hint changes settings"));
        }
        Ok(())
    }

    /// Drivers of the `%s` style replace placeholders inside quotes and comments, too.
    fn note_percent(&mut self, start: usize, end: usize) {
        let mut bytes = self.bytes[start..end].iter();
        while bytes.by_ref().any(|&byte| byte == b'%') {
            // Of two percent signs the driver makes one.
            self.percent_in_quotes |= matches!(bytes.next(), Some(b's' | b'b' | b't' | b'('));
        }
    }

    fn token(&mut self) -> Result<(), LexError> {
        let byte = self.peek(0);
        let next = self.peek(1);
        match byte {
            b'\'' => self.single_quoted(),
            b'"' if self.dialect == Dialect::MySql => {
                let text = self.quoted(b'"', self.escapes.double)?;
                self.tokens.push(Token::DoubleQuotedString(text));
                Ok(())
            }
            b'"' => self.quoted_identifier(b'"'),
            b'`' if self.dialect != Dialect::Postgres => self.quoted_identifier(b'`'),
            b'[' if self.dialect == Dialect::Sqlite => self.bracketed_identifier(),
            b'0'..=b'9' => self.number(),
            b'.' if next.is_ascii_digit() && !self.ends_operand() => self.number(),
            b'$' if self.dialect != Dialect::MySql => self.dollar(),
            b'?' => self.question(),
            b'%' if self.percent_placeholder() => Ok(()),
            b':' if next == b':' && self.dialect == Dialect::Postgres => {
                self.fixed(Token::DoubleColon, 2)
            }
            b':' if next == b'=' => self.fixed(Token::Assignment, 2),
            b':' => self.colon(),
            b'@' if self.dialect != Dialect::Postgres => self.at_sign(),
            b',' => self.fixed(Token::Comma, 1),
            b'(' => self.fixed(Token::LParen, 1),
            b')' => self.fixed(Token::RParen, 1),
            b'[' => self.fixed(Token::LBracket, 1),
            b']' => self.fixed(Token::RBracket, 1),
            b'{' => self.fixed(Token::LBrace, 1),
            b'}' => self.fixed(Token::RBrace, 1),
            b';' => self.fixed(Token::SemiColon, 1),
            b'.' => self.fixed(Token::Period, 1),
            b'\\' => self.fixed(Token::Backslash, 1),
            _ if is_identifier_start(byte) || (byte == b'$' && self.dialect == Dialect::MySql) => {
                self.word()
            }
            _ if self.dialect == Dialect::Postgres => self.postgres_operator(),
            _ => self.operator(),
        }
    }

    fn fixed(&mut self, token: Token, length: usize) -> Result<(), LexError> {
        self.push(token, length);
        Ok(())
    }

    /// Words, and the strings that start with a letter: `E'…'`, `N'…'`, `X'…'`, `B'…'`, `U&'…'`.
    fn word(&mut self) -> Result<(), LexError> {
        let postgres = self.dialect == Dialect::Postgres;
        match (self.peek(0).to_ascii_lowercase(), self.peek(1)) {
            (b'e', b'\'') if postgres => {
                self.at += 1;
                let text = self.quoted(b'\'', true)?;
                self.tokens.push(Token::EscapedStringLiteral(text));
                return Ok(());
            }
            (b'n', b'\'') if self.dialect != Dialect::Sqlite => {
                self.at += 1;
                let text = self.quoted(b'\'', self.escapes.single)?;
                self.tokens.push(Token::NationalStringLiteral(text));
                return Ok(());
            }
            (b'x', b'\'') => {
                self.at += 1;
                let text = self.quoted(b'\'', false)?;
                self.tokens.push(Token::HexStringLiteral(text));
                return Ok(());
            }
            (b'b', b'\'') if self.dialect != Dialect::Sqlite => {
                self.at += 1;
                let text = self.quoted(b'\'', false)?;
                self.tokens.push(Token::SingleQuotedByteStringLiteral(text));
                return Ok(());
            }
            (b'u', b'&') if postgres && self.peek(2) == b'\'' => {
                self.at += 2;
                let text = self.quoted(b'\'', false)?;
                self.tokens.push(Token::UnicodeStringLiteral(text));
                return Ok(());
            }
            (b'u', b'&') if postgres && self.peek(2) == b'"' => {
                return Err(LexError("an identifier is written with Unicode escapes"));
            }
            _ => {}
        }
        let start = self.at;
        self.at += self.identifier_length(start);
        let token = Token::make_word(self.name(start, self.at), None);
        self.tokens.push(token);
        Ok(())
    }

    fn identifier_length(&self, start: usize) -> usize {
        self.bytes[start..]
            .iter()
            .take_while(|&&byte| is_identifier_part(byte))
            .count()
    }

    /// PostgreSQL cuts identifiers to 63 bytes, at the boundary of a character.
    fn name(&self, start: usize, end: usize) -> &'t str {
        clip(self.dialect, &self.text[start..end])
    }

    fn single_quoted(&mut self) -> Result<(), LexError> {
        let mut text = self.quoted(b'\'', self.escapes.single)?;
        // PostgreSQL joins strings with a line break between them.
        while self.dialect == Dialect::Postgres {
            let blank = self.bytes[self.at..]
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace());
            let (length, broken) = blank.fold((0, false), |(n, line), &byte| {
                (n + 1, line || byte == b'\n' || byte == b'\r')
            });
            if !broken || self.peek(length) != b'\'' {
                break;
            }
            self.at += length;
            text.push_str(&self.quoted(b'\'', self.escapes.single)?);
        }
        self.tokens.push(Token::SingleQuotedString(text));
        Ok(())
    }

    /// The text between quotes: doubled quotes become one, backslashes stay as written, because
    /// what they stand for is a matter of settings.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Result<String, LexError> {
        let start = self.at;
        let mut text = String::new();
        let mut from = self.at + 1;
        self.at += 1;
        loop {
            if self.at >= self.bytes.len() {
                return Err(LexError("a quote does not end"));
            }
            let byte = self.peek(0);
            if byte == b'\\' {
                self.backslash_in_string = true;
            }
            if byte == b'\\' && escapes {
                self.at += 2;
            } else if byte == quote && self.peek(1) == quote {
                text.push_str(&self.text[from..=self.at]);
                self.at += 2;
                from = self.at;
            } else if byte == quote {
                break;
            } else {
                self.at += 1;
            }
        }
        text.push_str(&self.text[from..self.at]);
        self.at += 1;
        self.note_percent(start, self.at);
        Ok(text)
    }

    fn quoted_identifier(&mut self, quote: u8) -> Result<(), LexError> {
        let strings = self.backslash_in_string;
        let text = self.quoted(quote, false)?;
        self.backslash_in_string = strings;
        if text.is_empty() && self.dialect != Dialect::Sqlite {
            return Err(LexError("an identifier is empty"));
        }
        self.identifier(&text, char::from(quote));
        Ok(())
    }

    fn bracketed_identifier(&mut self) -> Result<(), LexError> {
        let start = self.at + 1;
        let length = self.bytes[start..].iter().position(|&byte| byte == b']');
        let end = start + length.ok_or(LexError("a bracket does not end"))?;
        self.note_percent(start, end);
        self.identifier(&self.text[start..end], '[');
        self.at = end + 1;
        Ok(())
    }

    fn identifier(&mut self, name: &str, quote: char) {
        self.tokens.push(Token::Word(Word {
            value: clip(self.dialect, name).to_owned(),
            quote_style: Some(quote),
            keyword: Keyword::NoKeyword,
        }));
    }

    fn number(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let prefixed =
            self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X' | b'b' | b'B' | b'o' | b'O');
        if prefixed {
            self.at += 2;
            self.take_while(|byte| byte.is_ascii_hexdigit() || byte == b'_');
        } else {
            self.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
            if self.peek(0) == b'.' && self.peek(1) != b'.' {
                self.at += 1;
                self.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
            }
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if matches!(self.peek(0), b'e' | b'E') && self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.take_while(|byte| byte.is_ascii_digit());
            }
        }
        if is_identifier_start(self.peek(0))
            || (self.peek(0) == b'$' && self.dialect == Dialect::MySql)
        {
            return Err(LexError("a name starts with a digit"));
        }
        let text = &self.text[start..self.at];
        self.tokens
            .push(if prefixed && self.dialect == Dialect::MySql {
                // A binary string there, an integer elsewhere.
                Token::HexStringLiteral(text[2..].to_owned())
            } else {
                Token::Number(text.to_owned(), false)
            });
        Ok(())
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.at < self.bytes.len() && wanted(self.peek(0)) {
            self.at += 1;
        }
    }

    /// `$1`, `$name` (SQLite) and `$tag$…$tag$` (PostgreSQL).
    fn dollar(&mut self) -> Result<(), LexError> {
        let start = self.at;
        self.at += 1;
        if self.peek(0).is_ascii_digit() {
            self.take_while(|byte| byte.is_ascii_digit());
            if is_identifier_start(self.peek(0)) {
                return Err(LexError("a letter follows a numbered parameter"));
            }
            let number = self.text[start + 1..self.at].parse().ok();
            return self.dollar_number(start, number);
        }
        if self.dialect == Dialect::Sqlite {
            self.at += self.identifier_length(self.at);
            if self.at == start + 1 || self.peek(0) == b':' || self.peek(0) == b'(' {
                return Err(LexError("a parameter has no plain name"));
            }
            return self.named(start);
        }
        self.take_while(|byte| is_identifier_start(byte) || byte.is_ascii_digit());
        if self.peek(0) != b'$' {
            return Err(LexError("a dollar sign stands alone"));
        }
        self.at += 1;
        let tag = &self.text[start..self.at];
        let length = self.text[self.at..]
            .find(tag)
            .ok_or(LexError("a dollar quote does not end"))?;
        let value = self.text[self.at..self.at + length].to_owned();
        self.at += length + tag.len();
        self.note_percent(start, self.at);
        let name = tag.trim_matches('$');
        let tag = (!name.is_empty()).then(|| name.to_owned());
        self.tokens
            .push(Token::DollarQuotedString(DollarQuotedString { value, tag }));
        Ok(())
    }

    /// `$2` is the second parameter on PostgreSQL. On SQLite it is a name, which some drivers bind
    /// by its number and others by the order of its first appearance: it counts if both agree.
    fn dollar_number(&mut self, start: usize, number: Option<usize>) -> Result<(), LexError> {
        let number = number.filter(|&number| number > 0 && number <= 0xffff);
        if self.dialect == Dialect::Postgres {
            self.styles.dollar = true;
            let number = number.ok_or(LexError("a parameter has no usable number"))?;
            self.tokens.push(Token::Placeholder(format!("?{number}")));
            return Ok(());
        }
        let given = self.sqlite_number(&self.text[start..self.at]);
        self.styles.question = true;
        self.styles.given = true;
        self.tokens.push(match number {
            Some(number) if number == given => Token::Placeholder(format!("?{number}")),
            _ => Token::Placeholder(self.text[start..self.at].to_owned()),
        });
        Ok(())
    }

    /// The number that SQLite gives to a named parameter.
    fn sqlite_number(&mut self, name: &'t str) -> usize {
        let next = self.last_number + 1;
        let number = *self.names.entry(name).or_insert(next);
        self.last_number = self.last_number.max(number);
        number
    }

    /// A placeholder with a name, from `start` up to here.
    fn named(&mut self, start: usize) -> Result<(), LexError> {
        let name = &self.text[start..self.at];
        if self.dialect == Dialect::Sqlite {
            self.sqlite_number(name);
            self.styles.question = true;
            self.styles.given = true;
        } else {
            self.styles.named = true;
        }
        self.tokens.push(Token::Placeholder(name.to_owned()));
        Ok(())
    }

    fn question(&mut self) -> Result<(), LexError> {
        match self.dialect {
            // The operators of jsonb are written with question marks: one that follows an operand
            // is an operator, unless a driver knows better, so then no number is certain.
            Dialect::Postgres if self.ends_operand() => {
                self.doubtful_numbers = true;
                self.postgres_operator()
            }
            Dialect::Sqlite if self.peek(1).is_ascii_digit() => {
                let start = self.at;
                self.at += 1;
                self.take_while(|byte| byte.is_ascii_digit());
                let number = self.text[start + 1..self.at].parse().ok();
                let number = number.filter(|&number: &usize| number > 0 && number <= 0x7fff);
                let number = number.ok_or(LexError("a parameter has no usable number"))?;
                self.last_number = self.last_number.max(number);
                self.styles.question = true;
                self.styles.given = true;
                self.tokens.push(Token::Placeholder(format!("?{number}")));
                Ok(())
            }
            _ => {
                self.styles.question = true;
                self.styles.bare = true;
                self.positional(1)
            }
        }
    }

    fn positional(&mut self, length: usize) -> Result<(), LexError> {
        self.last_number += 1;
        let token = Token::Placeholder(format!("?{}", self.last_number));
        self.fixed(token, length)
    }

    /// `%s`, `%b`, `%t`, `%(name)s` and `%%`, as the Python drivers write them. Anything else with
    /// a percent sign is the modulo operator.
    fn percent_placeholder(&mut self) -> bool {
        let next = self.peek(1);
        if next == b'%' && self.dialect != Dialect::Postgres {
            self.push(Token::Mod, 2);
            return true;
        }
        let name = match next {
            b's' | b'b' | b't' if !is_identifier_part(self.peek(2)) => None,
            b'(' => match self.bytes[self.at..].iter().position(|&byte| byte == b')') {
                Some(end) if matches!(self.peek(end + 1), b's' | b'b' | b't') => Some(end + 2),
                _ => return false,
            },
            _ => return false,
        };
        if self.ends_operand() {
            self.doubtful_numbers = true;
            return false;
        }
        match name {
            None => {
                self.styles.percent = true;
                self.last_number += 1;
                self.push(Token::Placeholder(format!("?{}", self.last_number)), 2);
            }
            Some(length) => {
                self.styles.named = true;
                let name = self.text[self.at..self.at + length].to_owned();
                self.push(Token::Placeholder(name), length);
            }
        }
        true
    }

    /// `:name`, or the colon of an array slice or of `json_object`.
    fn colon(&mut self) -> Result<(), LexError> {
        let names = is_identifier_start(self.peek(1))
            || (self.dialect == Dialect::Sqlite && self.peek(1).is_ascii_digit());
        if !names || (self.dialect == Dialect::Postgres && self.ends_operand()) {
            return self.fixed(Token::Colon, 1);
        }
        let start = self.at;
        self.at += 1;
        self.at += self.identifier_length(self.at);
        self.named(start)
    }

    /// `@name`: a parameter on SQLite, a variable on MySQL.
    fn at_sign(&mut self) -> Result<(), LexError> {
        let start = self.at;
        self.at += 1;
        if self.dialect == Dialect::Sqlite {
            self.at += self.identifier_length(self.at);
            if self.at == start + 1 {
                return Err(LexError("a parameter has no name"));
            }
            return self.named(start);
        }
        if self.peek(0) == b'@' {
            self.at += 1;
        }
        let length = self.identifier_length(self.at);
        if length == 0 {
            // A quoted name follows, of a variable or of a host.
            self.at = start + 1;
            self.tokens.push(Token::AtSign);
            return Ok(());
        }
        self.at += length;
        self.tokens
            .push(Token::make_word(&self.text[start..self.at], None));
        Ok(())
    }

    /// The longest run of operator characters, as the lexer of PostgreSQL takes it.
    fn postgres_operator(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let mut end = start;
        while let Some(&byte) = self.bytes.get(end) {
            let next = self.bytes.get(end + 1).copied().unwrap_or(0);
            let comment = matches!((byte, next), (b'-', b'-') | (b'/', b'*'));
            // A placeholder right behind an operator: `=?`, `=%s`.
            let placeholder = end > start
                && ((byte == b'?' && &self.text[start..=end] != "@?")
                    || (byte == b'%' && matches!(next, b's' | b'(')));
            if comment || placeholder || !b"+-*/<>=~!@#%^&|`?".contains(&byte) {
                break;
            }
            end += 1;
        }
        // A run may end in a sign only if it holds a character that no standard operator has.
        while end > start + 1
            && matches!(self.bytes[end - 1], b'+' | b'-')
            && !self.bytes[start..end]
                .iter()
                .any(|byte| b"~!@#%^&|`?".contains(byte))
        {
            end -= 1;
        }
        if end == start {
            return Err(LexError("a character has no meaning"));
        }
        let percent = &self.text[start..end] == "%%";
        let token = if percent {
            Token::Mod
        } else {
            postgres_operator(&self.text[start..end])
        };
        self.fixed(token, end - start)
    }

    /// The operators of MySQL and SQLite.
    fn operator(&mut self) -> Result<(), LexError> {
        let mysql = self.dialect == Dialect::MySql;
        let (token, length) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'<', b'=', b'>') if mysql => (Token::Spaceship, 3),
            (b'<', b'=', _) => (Token::LtEq, 2),
            (b'<', b'>', _) => (Token::Neq, 2),
            (b'<', b'<', _) => (Token::ShiftLeft, 2),
            (b'<', ..) => (Token::Lt, 1),
            (b'>', b'=', _) => (Token::GtEq, 2),
            (b'>', b'>', _) => (Token::ShiftRight, 2),
            (b'>', ..) => (Token::Gt, 1),
            (b'!', b'=', _) => (Token::Neq, 2),
            (b'!', ..) if mysql => (Token::ExclamationMark, 1),
            (b'=', b'=', _) if !mysql => (Token::DoubleEq, 2),
            (b'=', ..) => (Token::Eq, 1),
            (b'|', b'|', _) => (Token::StringConcat, 2),
            (b'|', ..) => (Token::Pipe, 1),
            (b'&', b'&', _) if mysql => (Token::Overlap, 2),
            (b'&', ..) => (Token::Ampersand, 1),
            (b'-', b'>', b'>') => (Token::LongArrow, 3),
            (b'-', b'>', _) => (Token::Arrow, 2),
            (b'-', ..) => (Token::Minus, 1),
            (b'+', ..) => (Token::Plus, 1),
            (b'*', ..) => (Token::Mul, 1),
            (b'/', ..) => (Token::Div, 1),
            (b'%', ..) => (Token::Mod, 1),
            (b'^', ..) if mysql => (Token::Caret, 1),
            (b'~', ..) => (Token::Tilde, 1),
            _ => return Err(LexError("a character has no meaning")),
        };
        self.fixed(token, length)
    }

    /// Whether the last token ends an operand, so that what follows is an operator.
    fn ends_operand(&self) -> bool {
        match self.tokens.last() {
            Some(Token::Word(word)) => {
                let operator = BEFORE_OPERAND.contains(&word.keyword)
                    || (word.keyword == Keyword::BINARY && self.dialect == Dialect::MySql);
                word.quote_style.is_some() || !operator
            }
            Some(
                Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::DoubleQuotedString(_)
                | Token::EscapedStringLiteral(_)
                | Token::NationalStringLiteral(_)
                | Token::UnicodeStringLiteral(_)
                | Token::HexStringLiteral(_)
                | Token::SingleQuotedByteStringLiteral(_)
                | Token::DollarQuotedString(_)
                | Token::Placeholder(_)
                | Token::RParen
                | Token::RBracket
                | Token::RBrace,
            ) => true,
            _ => false,
        }
    }

    /// Whether a server could take this reading: a backslash outside of strings is an error
    /// everywhere, but for the `\N` of older servers.
    fn is_plausible(&self) -> bool {
        let mut tokens = self.tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            let null = matches!(tokens.peek(), Some(Token::Word(word)) if word.value == "N");
            if *token == Token::Backslash && !null {
                return false;
            }
        }
        true
    }

    /// Whether two readings differ in nothing but what strings contain.
    fn cuts_like(&self, other: &Lexer<'_>) -> bool {
        self.ends == other.ends
    }

    /// Takes the numbers away where it is not certain which parameter a placeholder stands for.
    fn settle_placeholders(&mut self) {
        let Styles {
            question,
            percent,
            dollar,
            named,
            bare,
            given,
        } = self.styles;
        let styles = [question, percent, dollar, named]
            .into_iter()
            .filter(|&used| used)
            .count();
        let question_in_postgres = self.dialect == Dialect::Postgres && question;
        let doubtful = self.doubtful_numbers && (percent || question_in_postgres);
        // SQLite counts on from the largest number, and sqlx from the last bare one.
        let mixed = bare && given;
        if styles > 1 || mixed || doubtful || (percent && self.percent_in_quotes) {
            for token in &mut self.tokens {
                if let Token::Placeholder(name) = token
                    && name.starts_with('?')
                {
                    *name = "?".to_owned();
                }
            }
        }
    }
}

/// An identifier as the database keeps it: PostgreSQL cuts it to 63 bytes.
fn clip(dialect: Dialect, name: &str) -> &str {
    const LONGEST: usize = 63;
    if dialect != Dialect::Postgres || name.len() <= LONGEST {
        return name;
    }
    let end = (0..=LONGEST)
        .rev()
        .find(|&end| name.is_char_boundary(end))
        .unwrap_or(0);
    &name[..end]
}

/// Every byte above 127 may be part of a name, in all three databases.
fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Whether a word occurs in a text, whatever its case, not as a part of a longer one.
pub(super) fn contains_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let part = |at: Option<&u8>| at.is_some_and(|&byte| is_identifier_part(byte));
    text.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word)
            && !part(at.checked_sub(1).and_then(|before| text.get(before)))
            && !part(text.get(at + word.len()))
    })
}

fn postgres_operator(text: &str) -> Token {
    match text {
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "=" => Token::Eq,
        "~" => Token::Tilde,
        "!" => Token::ExclamationMark,
        "@" => Token::AtSign,
        "#" => Token::Sharp,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "&" => Token::Ampersand,
        "|" => Token::Pipe,
        "?" => Token::Question,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<>" | "!=" => Token::Neq,
        "=>" => Token::RArrow,
        "||" => Token::StringConcat,
        "&&" => Token::Overlap,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "#>" => Token::HashArrow,
        "#>>" => Token::HashLongArrow,
        "@>" => Token::AtArrow,
        "<@" => Token::ArrowAt,
        "#-" => Token::HashMinus,
        "@?" => Token::AtQuestion,
        "@@" => Token::AtAt,
        "?|" => Token::QuestionPipe,
        "?&" => Token::QuestionAnd,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "&<" => Token::AmpersandLeftAngleBracket,
        "&>" => Token::AmpersandRightAngleBracket,
        "&<|" => Token::AmpersandLeftAngleBracketVerticalBar,
        "|&>" => Token::VerticalBarAmpersandRightAngleBracket,
        "<->" => Token::TwoWayArrow,
        "<^" => Token::LeftAngleBracketCaret,
        ">^" => Token::RightAngleBracketCaret,
        "?#" => Token::QuestionMarkSharp,
        "?-" => Token::QuestionMarkDash,
        "?-|" => Token::QuestionMarkDashVerticalBar,
        "?||" => Token::QuestionMarkDoubleVerticalBar,
        "~=" => Token::TildeEqual,
        "<<|" => Token::ShiftLeftVerticalBar,
        "|>>" => Token::VerticalBarShiftRight,
        "@-@" => Token::AtDashAt,
        "##" => Token::DoubleSharp,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "!!" => Token::DoubleExclamationMark,
        "^@" => Token::CaretAt,
        _ => Token::CustomBinaryOperator(text.to_owned()),
    }
}

/// Keywords after which an operand starts.
const BEFORE_OPERAND: &[Keyword] = &[
    Keyword::ALL,
    Keyword::AND,
    Keyword::ANY,
    Keyword::ARRAY,
    Keyword::BETWEEN,
    Keyword::BY,
    Keyword::CASE,
    Keyword::DEFAULT,
    Keyword::DISTINCT,
    Keyword::DIV,
    Keyword::ELSE,
    Keyword::ESCAPE,
    Keyword::FETCH,
    Keyword::FIRST,
    Keyword::FOR,
    Keyword::FROM,
    Keyword::GLOB,
    Keyword::GROUPS,
    Keyword::HAVING,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::INTERVAL,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::LIMIT,
    Keyword::MATCH,
    Keyword::NEXT,
    Keyword::NOT,
    Keyword::OFFSET,
    Keyword::ON,
    Keyword::OR,
    Keyword::PLACING,
    Keyword::RANGE,
    Keyword::REGEXP,
    Keyword::RETURNING,
    Keyword::RLIKE,
    Keyword::ROWS,
    Keyword::SELECT,
    Keyword::SEPARATOR,
    Keyword::SET,
    Keyword::SOME,
    Keyword::THEN,
    Keyword::TO,
    Keyword::USING,
    Keyword::VALUES,
    Keyword::WHEN,
    Keyword::WHERE,
    Keyword::XOR,
    Keyword::ZONE,
];
