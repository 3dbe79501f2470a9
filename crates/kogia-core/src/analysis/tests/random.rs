//! Whatever the text, the analysis answers.

use proptest::prelude::*;

use super::*;

/// Pieces of statements, valid and broken.
const PIECES: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "book",
    "author",
    "id",
    "*",
    ",",
    "(",
    ")",
    "=",
    "5",
    "$1",
    "?",
    "%s",
    ":name",
    "'text'",
    "'it''s'",
    "\"quoted\"",
    "`ticked`",
    "[bracketed]",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "BETWEEN",
    "JOIN",
    "LEFT",
    "ON",
    "USING",
    "NATURAL",
    "UNION",
    "ALL",
    "EXCEPT",
    "WITH",
    "RECURSIVE",
    "AS",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FIRST",
    "ROWS",
    "ONLY",
    "FOR",
    "UPDATE",
    "NO",
    "KEY",
    "SHARE",
    "OF",
    "LOCK",
    "MODE",
    "INSERT",
    "INTO",
    "VALUES",
    "CONFLICT",
    "DO",
    "NOTHING",
    "SET",
    "DELETE",
    "RETURNING",
    "TABLE",
    "DISTINCT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "EXISTS",
    "ARRAY",
    "[",
    "]",
    "::",
    "int",
    "CAST",
    "INTERVAL",
    "DAY",
    "LATERAL",
    "OVER",
    "PARTITION",
    "WINDOW",
    "FILTER",
    "EXCLUDE",
    "TIES",
    "INDEXED",
    "PRAGMA",
    "ON",
    "OUTFILE",
    ";",
    ".",
    "-",
    "+",
    "||",
    "->>",
    "@>",
    "?|",
    "%%",
    "%",
    "@x",
    "@@y",
    ":=",
    "<=>",
    "/* c */",
    "-- c\n",
    "#",
    "$$",
    "$a$",
    "E'\\n'",
    "X'00'",
    "\\",
    "'",
    "\"",
    "é",
    "\u{0}",
    "now()",
    "date('now')",
    "CYCLE",
    "SEARCH",
    "DEPTH",
    "MATERIALIZED",
    "SYMMETRIC",
    "AT",
    "LOCAL",
    "BINARY",
    "XOR",
    "MOD",
    "ISNULL",
    "cheap",
    "1.5",
    "0x1F",
    "{",
    "}",
    "EXPLAIN",
    "ANALYZE",
    "CREATE",
    "DROP",
    "COPY",
    "MERGE",
    "CALL",
];

fn soup() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(PIECES);
    let space = proptest::sample::select(&[" ", " ", " ", ""][..]);
    proptest::collection::vec((piece, space), 0..60).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, space)| [piece, space])
            .collect()
    })
}

fn query_soup() -> impl Strategy<Value = String> {
    soup().prop_map(|soup| format!("SELECT * FROM book WHERE {soup}"))
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for dialect in Dialect::ALL {
        let statement = shop(dialect).analyze(text);
        if statement.is_write() {
            prop_assert!(
                !statement.is_cacheable(),
                "{dialect} would keep what writes: {text}"
            );
        }
        if statement.is_cacheable() {
            prop_assert!(
                !statement.reads.is_empty(),
                "{dialect} could never invalidate: {text}"
            );
            prop_assert!(
                statement.effects.is_empty(),
                "{dialect} would pass over an effect: {text}"
            );
        }
        for pin in statement.reads.iter().filter_map(|read| read.pin.as_ref()) {
            prop_assert!(
                (1..=Pin::MAX).contains(&pin.values.len()),
                "{dialect}: {text}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_soup_of_tokens_has_an_answer(text in soup()) {
        check(&text)?;
    }

    #[test]
    fn a_soup_behind_where_has_an_answer(text in query_soup()) {
        check(&text)?;
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }
}
