//! The analysis of SQL.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use kogia_fuzz::{ANALYSE, drive};

#[test]
fn analyse() {
    drive(&ANALYSE, env!("CARGO_TARGET_TMPDIR"));
}

/// Whatever can be repeated makes a deep tree in some parser. A stack that overflows ends the
/// process; what takes the square of the length never ends.
#[test]
fn pieces_that_nest_or_chain_are_survived() {
    const AROUND: [(&str, &str); 4] = [
        ("SELECT a FROM b", ""),
        ("SELECT a FROM b WHERE a", ""),
        ("SELECT a FROM b WHERE a", " DIV a GLOB a"),
        ("", " a FROM b"),
    ];
    for piece in PIECES {
        for (before, after) in AROUND {
            for choice in ['3', '4', '5'] {
                for times in [50, 3_000] {
                    println!("{choice} {before:?} {times} times {piece:?} {after:?}");
                    let text = format!("{choice}{before}{}{after}", piece.repeat(times));
                    (ANALYSE.run)(text.as_bytes());
                }
            }
        }
    }
}

const PIECES: &[&str] = &[
    " JOIN b",
    " JOIN b ON a",
    " NATURAL JOIN b",
    ", b",
    " UNION SELECT 1",
    " EXCEPT (SELECT 1",
    " IS a",
    " IS NOT a",
    " IS NULL",
    " + a",
    " - a",
    " OR a",
    " AND a",
    " || a",
    " DIV a",
    " GLOB a",
    " REGEXP a",
    " MATCH a",
    " LIKE a",
    " NOT IN (1)",
    " BETWEEN a AND a",
    " COLLATE c",
    "::c",
    " AT TIME ZONE a",
    "[1]",
    ".a",
    " -> 'a'",
    " = ANY (a",
    " IN (SELECT a",
    " OR NOT a",
    " - (a",
    "SELECT ",
    "SELECT (",
    "SELECT * FROM (",
    "SELECT a FROM b;",
    "SELECT NOT ",
    "SELECT - ",
    "EXPLAIN ",
    "PREPARE p AS ",
    "WITH a AS (",
    "BEGIN;",
    "CASE WHEN ",
    "EXISTS (",
    "CAST(",
    "f(",
    "ARRAY[",
    "INTERVAL ",
    "(",
    "((SELECT ",
    "{fn ",
    "/*",
    "'",
    "$a$",
    "VALUES (1), ",
    "CREATE VIEW a AS ",
];
