//! The tokens of SQL text, as far as catalogs need them to cut texts in the right places.

use std::ops::Range;

use kogia::core::Dialect;

/// A piece of SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, a name or a number, without quotes.
    Word,
    /// A quoted name or a string.
    Quoted,
    /// One character of anything else.
    Symbol(u8),
}

/// A text with its tokens.
pub(super) struct Tokens<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Tokens<'a> {
    /// The tokens, without comments; `None` if a quote or comment does not end, or if a comment is
    /// one that MySQL executes.
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get(at..).unwrap_or_default();
            let start = at;
            let kind = match byte {
                byte if byte.is_ascii_whitespace() => {
                    at += 1;
                    continue;
                }
                b'-' if rest.starts_with(b"--") => {
                    at = line_end(bytes, at);
                    continue;
                }
                b'#' if dialect == Dialect::MySql => {
                    at = line_end(bytes, at);
                    continue;
                }
                b'/' if rest.starts_with(b"/*") => {
                    at = comment_end(bytes, at, dialect)?;
                    continue;
                }
                b'\'' => {
                    let escapes = dialect == Dialect::MySql
                        || dialect == Dialect::Postgres && is_escape_string(bytes, at);
                    at = quote_end(bytes, at, escapes)?;
                    Kind::Quoted
                }
                b'"' => {
                    at = quote_end(bytes, at, dialect == Dialect::MySql)?;
                    Kind::Quoted
                }
                b'`' => {
                    at = quote_end(bytes, at, false)?;
                    Kind::Quoted
                }
                b'[' if dialect == Dialect::Sqlite => {
                    at += 1 + rest.iter().position(|byte| *byte == b']')?;
                    Kind::Quoted
                }
                b'$' if dialect == Dialect::Postgres && dollar_quote(rest).is_some() => {
                    let quote = dollar_quote(rest)?;
                    let body = rest.get(quote.len()..)?;
                    let length = body.windows(quote.len()).position(|window| window == quote)?;
                    at += 2 * quote.len() + length;
                    Kind::Quoted
                }
                byte if is_word(byte) => {
                    at += rest.iter().take_while(|byte| is_word(**byte)).count();
                    Kind::Word
                }
                byte => {
                    at += 1;
                    Kind::Symbol(byte)
                }
            };
            tokens.push(Token { kind, range: start..at });
        }
        Some(Tokens { text, tokens })
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the token at an index is this keyword, in any case.
    pub(super) fn is_word(&self, index: usize, word: &str) -> bool {
        self.word(index).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    /// Whether the token at an index is one of these keywords.
    pub(super) fn is_one_of(&self, index: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(index, word))
    }

    /// Whether the token at an index is this character.
    pub(super) fn is_symbol(&self, index: usize, symbol: u8) -> bool {
        self.tokens.get(index).is_some_and(|token| token.kind == Kind::Symbol(symbol))
    }

    /// The word at an index.
    pub(super) fn word(&self, index: usize) -> Option<&'a str> {
        let token = self.tokens.get(index)?;
        (token.kind == Kind::Word).then(|| self.slice(index..index + 1))
    }

    /// The name at an index, without quotes.
    pub(super) fn name(&self, index: usize) -> Option<String> {
        let token = self.tokens.get(index)?;
        let text = self.slice(index..index + 1);
        match token.kind {
            Kind::Word => Some(text.to_owned()),
            Kind::Quoted => {
                let quote = text.chars().next_back()?;
                let inner = text.get(1..text.len() - 1)?;
                Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
            }
            Kind::Symbol(_) => None,
        }
    }

    /// The text from one token to before another, with what stands between them.
    pub(super) fn slice(&self, tokens: Range<usize>) -> &'a str {
        let Some(first) = self.tokens.get(tokens.start).filter(|_| !tokens.is_empty()) else {
            return "";
        };
        let last = self.tokens.get(tokens.end - 1).unwrap_or(first);
        self.text.get(first.range.start..last.range.end).unwrap_or_default()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn comment_end(bytes: &[u8], start: usize, dialect: Dialect) -> Option<usize> {
    let executed = |rest: &[u8]| rest.starts_with(b"/*!") || rest.starts_with(b"/*M!");
    let mut at = start;
    let mut depth = 0_u32;
    loop {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(b"/*") && (depth == 0 || dialect == Dialect::Postgres) {
            if dialect == Dialect::MySql && executed(rest) {
                return None;
            }
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
}

/// Where a quoted text ends whose quote is at `at`; a doubled quote does not end it.
fn quote_end(bytes: &[u8], at: usize, escapes: bool) -> Option<usize> {
    let quote = *bytes.get(at)?;
    let mut at = at + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if escapes => at += 2,
            byte if byte == quote => {
                if bytes.get(at + 1) != Some(&quote) {
                    return Some(at + 1);
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// Whether a string of PostgreSQL is `E'…'`, in which backslashes escape.
fn is_escape_string(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|index| bytes.get(index));
    matches!(before(1), Some(b'e' | b'E')) && before(2).is_none_or(|byte| !is_word(*byte))
}

/// `$$` or `$tag$` at the beginning.
fn dollar_quote(rest: &[u8]) -> Option<&[u8]> {
    let tag = rest.get(1..)?;
    let length = tag.iter().position(|byte| *byte == b'$')?;
    let tag = tag.get(..length)?;
    let is_tag = tag.iter().all(|byte| is_word(*byte))
        && tag.first().is_none_or(|byte| !byte.is_ascii_digit());
    if is_tag { rest.get(..length + 2) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, dialect: Dialect) -> Option<Vec<&str>> {
        let tokens = Tokens::new(text, dialect)?;
        Some((0..tokens.len()).map(|index| tokens.slice(index..index + 1)).collect())
    }

    #[test]
    fn quotes_and_comments() {
        use Dialect::{MySql, Postgres, Sqlite};
        let cases = [
            (Sqlite, "a--b\n c", Some(vec!["a", "c"])),
            (Sqlite, "'it''s' \"a\"\"b\" [x y] `z`", Some(vec!["'it''s'", "\"a\"\"b\"", "[x y]", "`z`"])),
            (Sqlite, r"'\' b", Some(vec![r"'\'", "b"])),
            (MySql, r"'\'' b", Some(vec![r"'\''", "b"])),
            (MySql, "a # b\nc", Some(vec!["a", "c"])),
            (MySql, "a /*! b */ c", None),
            (MySql, "a /*M! b */ c", None),
            (Postgres, r"E'\'' e'\'' 'a\' b", Some(vec!["E", r"'\''", "e", r"'\''", r"'a\'", "b"])),
            (Postgres, r"name'\' b", Some(vec!["name", r"'\'", "b"])),
            (Postgres, "$$ ; $$ $a$ $$ $a$ x", Some(vec!["$$ ; $$", "$a$ $$ $a$", "x"])),
            (Postgres, "a /* /* */ */ b", Some(vec!["a", "b"])),
            (Sqlite, "a /* /* */ b", Some(vec!["a", "b"])),
            (Sqlite, "a /* b", None),
            (Sqlite, "'a", None),
            (Postgres, "$$ a", None),
            (Postgres, "$1 + a$b", Some(vec!["$1", "+", "a$b"])),
            (MySql, "'a\\", None),
        ];
        for (dialect, text, expected) in cases {
            assert_eq!(pieces(text, dialect), expected, "{text}");
        }
    }
}
