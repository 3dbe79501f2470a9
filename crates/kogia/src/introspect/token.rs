//! The tokens of SQLite's SQL, as far as its catalog needs them to cut texts in the right places.

use std::ops::Range;

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
    /// The tokens, without comments; `None` if a quote does not end.
    pub(super) fn new(text: &'a str) -> Option<Self> {
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
                b'/' if rest.starts_with(b"/*") => {
                    // A comment that does not end goes to the end of the text.
                    let inner = rest.get(2..)?;
                    let end = inner.windows(2).position(|window| window == b"*/");
                    at = end.map_or(bytes.len(), |end| at + 2 + end + 2);
                    continue;
                }
                b'\'' | b'"' | b'`' => {
                    at = quote_end(bytes, at)?;
                    Kind::Quoted
                }
                b'[' => {
                    at += 1 + rest.iter().position(|byte| *byte == b']')?;
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
            tokens.push(Token {
                kind,
                range: start..at,
            });
        }
        Some(Tokens { text, tokens })
    }

    /// How many tokens there are.
    /// The tokens with their texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Kind, &'a str)> + '_ {
        let text = |token: &Token| (token.kind, self.text.get(token.range.clone()).unwrap_or(""));
        self.tokens.iter().map(text)
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the token at an index is this keyword, in any case.
    pub(super) fn is_word(&self, index: usize, word: &str) -> bool {
        self.word(index)
            .is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    /// Whether the token at an index is one of these keywords.
    pub(super) fn is_one_of(&self, index: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(index, word))
    }

    /// Whether the token at an index is this character.
    pub(super) fn is_symbol(&self, index: usize, symbol: u8) -> bool {
        self.tokens
            .get(index)
            .is_some_and(|token| token.kind == Kind::Symbol(symbol))
    }

    fn word(&self, index: usize) -> Option<&'a str> {
        let token = self.tokens.get(index)?;
        (token.kind == Kind::Word).then(|| self.slice(index..index + 1))
    }

    /// The text from one token to before another, with what stands between them.
    pub(super) fn slice(&self, tokens: Range<usize>) -> &'a str {
        let Some(first) = self.tokens.get(tokens.start).filter(|_| !tokens.is_empty()) else {
            return "";
        };
        let last = self.tokens.get(tokens.end - 1).unwrap_or(first);
        self.text
            .get(first.range.start..last.range.end)
            .unwrap_or_default()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len())
}

/// Where a quoted text ends whose quote is at `at`; a doubled quote does not end it.
fn quote_end(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = *bytes.get(at)?;
    let mut at = at + 1;
    loop {
        if *bytes.get(at)? != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Option<Vec<&str>> {
        let tokens = Tokens::new(text)?;
        Some(
            (0..tokens.len())
                .map(|index| tokens.slice(index..index + 1))
                .collect(),
        )
    }

    #[test]
    fn quotes_and_comments() {
        let cases = [
            ("a--b\n c", Some(vec!["a", "c"])),
            (
                "'it''s' \"a\"\"b\" [x y] `z`",
                Some(vec!["'it''s'", "\"a\"\"b\"", "[x y]", "`z`"]),
            ),
            (r"'\' b", Some(vec![r"'\'", "b"])),
            ("a /* /* */ b", Some(vec!["a", "b"])),
            ("a /* b", Some(vec!["a"])),
            ("x=ä$1", Some(vec!["x", "=", "ä$1"])),
            ("'a", None),
            ("[a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }
}
