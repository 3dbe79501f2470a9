//! A cursor over the tokens of one statement.

use sqlparser::tokenizer::{Token, Word};

/// Walks the tokens of a statement that the parser is not asked about. White space and comments do
/// not count; words are compared without case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'t> {
    tokens: &'t [Token],
}

impl<'t> Scanner<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        let mut scanner = Scanner { tokens };
        scanner.skip_space();
        scanner
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        self.skip_space();
        Some(first)
    }

    /// Takes this word if it is next and not quoted.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.at(word);
        if found {
            self.next();
        }
        found
    }

    /// Takes these words, separated by one space each, if all of them are next.
    pub(super) fn eat_all(&mut self, words: &str) -> bool {
        let mut ahead = *self;
        let found = words.split(' ').all(|word| ahead.eat(word));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes the first of these words that is next.
    pub(super) fn eat_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| self.eat(word))
    }

    /// Takes this token if it is next.
    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.next();
        }
        found
    }

    /// Takes an identifier: a word, or a string where the databases accept one as a name.
    pub(super) fn identifier(&mut self) -> Option<Name<'t>> {
        let name = match self.peek()? {
            Token::Word(word) => Name {
                value: &word.value,
                quoted: word.quote_style.is_some(),
            },
            Token::SingleQuotedString(value) | Token::DoubleQuotedString(value) => Name {
                value,
                quoted: true,
            },
            _ => return None,
        };
        self.next();
        Some(name)
    }

    /// Takes a dotted name.
    pub(super) fn name(&mut self) -> Option<Vec<Name<'t>>> {
        let mut name = vec![self.identifier()?];
        while self.eat_token(&Token::Period) {
            name.push(self.identifier()?);
        }
        Some(name)
    }

    /// Takes a string.
    pub(super) fn string(&mut self) -> Option<&'t str> {
        let value = match self.peek()? {
            Token::SingleQuotedString(value) | Token::DoubleQuotedString(value) => value,
            Token::EscapedStringLiteral(value) | Token::NationalStringLiteral(value) => value,
            Token::DollarQuotedString(value) => &value.value,
            _ => return None,
        };
        self.next();
        Some(value)
    }

    /// Takes everything up to a comma outside of parentheses, and that comma.
    pub(super) fn until_comma(&mut self) -> &'t [Token] {
        let taken = self.until(|ahead| ahead.peek() == Some(&Token::Comma));
        self.next();
        taken
    }

    /// Takes everything up to where `end` says, outside of parentheses, or to the end.
    pub(super) fn until(&mut self, end: impl Fn(&Scanner<'t>) -> bool) -> &'t [Token] {
        let all = self.tokens;
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            if depth == 0 && end(self) {
                break;
            }
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.next();
        }
        &all[..all.len() - self.tokens.len()]
    }

    /// Takes what stands in parentheses, if they are next and closed.
    pub(super) fn parenthesised(&mut self) -> Option<&'t [Token]> {
        let mut ahead = *self;
        if !ahead.eat_token(&Token::LParen) {
            return None;
        }
        let inner = ahead.until(|ahead| ahead.peek() == Some(&Token::RParen));
        if !ahead.eat_token(&Token::RParen) {
            return None;
        }
        *self = ahead;
        Some(inner)
    }

    /// The next token.
    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.first()
    }

    /// The next token, if it is a word that is not quoted.
    pub(super) fn word(&self) -> Option<&'t str> {
        match self.peek()? {
            Token::Word(Word {
                value,
                quote_style: None,
                ..
            }) => Some(value),
            _ => None,
        }
    }

    /// Whether this word is next and not quoted.
    pub(super) fn at(&self, word: &str) -> bool {
        self.word()
            .is_some_and(|next| next.eq_ignore_ascii_case(word))
    }

    /// Whether one of these words is next.
    pub(super) fn at_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.at(word))
    }

    /// Whether nothing is left but semicolons.
    pub(super) fn is_end(&self) -> bool {
        let mut ahead = *self;
        while ahead.eat_token(&Token::SemiColon) {}
        ahead.peek().is_none_or(|token| *token == Token::EOF)
    }

    /// The tokens that are left.
    pub(super) fn rest(&self) -> &'t [Token] {
        self.tokens
    }

    fn skip_space(&mut self) {
        while let Some((Token::Whitespace(_), rest)) = self.tokens.split_first() {
            self.tokens = rest;
        }
    }
}

/// One identifier of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'t> {
    pub(super) value: &'t str,
    pub(super) quoted: bool,
}

/// The tokens as text, with one space between them: equal only for statements that mean the same.
pub(super) fn text(tokens: &[Token]) -> Box<str> {
    let mut text = String::new();
    for token in tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
    {
        if !text.is_empty() {
            text.push(' ');
        }
        match token {
            // The parser's own form of a string does not double the quotes in it.
            Token::SingleQuotedString(value) => {
                text.push_str(&format!("'{}'", value.replace('\'', "''")));
            }
            token => text.push_str(&token.to_string()),
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn tokens(sql: &str) -> Vec<Token> {
        Tokenizer::new(&PostgreSqlDialect {}, sql)
            .tokenize()
            .unwrap()
    }

    #[test]
    fn words_are_taken_without_case_and_quotes_count() {
        let tokens = tokens("Set /* c */ local \"LOCAL\" x.y = 1");
        let mut scanner = Scanner::new(&tokens);
        assert!(scanner.eat_all("SET LOCAL"));
        assert!(!scanner.eat("LOCAL"));
        assert_eq!(
            scanner.identifier(),
            Some(Name {
                value: "LOCAL",
                quoted: true
            })
        );
        let name = scanner.name().unwrap();
        assert_eq!(
            name.iter().map(|part| part.value).collect::<Vec<_>>(),
            ["x", "y"]
        );
        assert_eq!(&*text(scanner.rest()), "= 1");
    }

    #[test]
    fn parentheses_hide_what_is_in_them() {
        let tokens = tokens("f(a, (b)), c; ;");
        let mut scanner = Scanner::new(&tokens);
        assert_eq!(&*text(scanner.until_comma()), "f ( a , ( b ) )");
        assert!(scanner.eat("c") && scanner.is_end());
        let mut scanner = Scanner::new(&tokens[1..]);
        assert_eq!(&*text(scanner.parenthesised().unwrap()), "a , ( b )");
    }

    #[test]
    fn an_open_parenthesis_takes_nothing() {
        let tokens = tokens("(a, b");
        let mut scanner = Scanner::new(&tokens);
        assert_eq!(scanner.parenthesised(), None);
        assert_eq!(scanner.peek(), Some(&Token::LParen));
    }
}
