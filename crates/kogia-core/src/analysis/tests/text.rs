//! From characters to statements: what is a string, a comment, a placeholder, a statement.

use super::*;
use crate::analysis::lexer::lex;
use crate::analysis::{Effect, Wide};

fn tokens(dialect: Dialect, sql: &str) -> String {
    match lex(dialect, sql) {
        Ok(lexed) => {
            let tokens: Vec<_> = lexed.iter().map(ToString::to_string).collect();
            tokens.join(" ")
        }
        Err(error) => format!("error: {}", error.0),
    }
}

#[test]
fn comments_are_no_tokens() {
    for &dialect in ALL {
        assert_eq!(
            tokens(dialect, "a -- ' b\n /* ' c */ d"),
            "a d",
            "{dialect}"
        );
        assert_eq!(tokens(dialect, "a -- b"), "a", "{dialect}");
        assert_eq!(
            tokens(dialect, "'-- a' '/* b'"),
            "'-- a' '/* b'",
            "{dialect}"
        );
    }
    assert_eq!(tokens(Postgres, "a /* b /* c */ d */ e"), "a e");
    assert_eq!(tokens(MySql, "a /* b /* c */ d"), "a d");
    assert_eq!(tokens(Sqlite, "a /* b /* c */ d"), "a d");
    assert_eq!(tokens(MySql, "a # ' b\nc"), "a c");
    assert_eq!(tokens(MySql, "a--1"), "a - - 1");
    assert_eq!(tokens(Postgres, "a--1"), "a");
    assert_eq!(tokens(Postgres, "a /* b"), "error: a comment does not end");
    assert_eq!(tokens(Sqlite, "a /* b"), "a");
    assert_eq!(tokens(Postgres, "a -- b\rc"), "a c");
    assert_eq!(tokens(MySql, "a -- b\rc"), "a");
}

#[test]
fn comments_that_the_server_executes_are_opaque() {
    for sql in [
        "SELECT /*!50000 1 */ FROM book",
        "/*M!100000 DROP TABLE book */",
        "SELECT /*! 1 */",
    ] {
        let statement = analyze(MySql, sql);
        assert_eq!(
            shown_why(&statement),
            "Opaque(\"it holds a comment that the server executes\")"
        );
        assert_eq!(statement.wide, Wide::Everything, "{sql}");
        assert!(
            matches!(statement.effects[0], Effect::Taint { .. }),
            "{sql}"
        );
    }
    assert_reads(
        &[Postgres, Sqlite],
        &[("SELECT /*! x */ * FROM book", "book")],
    );
    assert_reads(
        &[MySql],
        &[("SELECT /*+ MAX_EXECUTION_TIME(5) */ * FROM book", "book")],
    );
    assert_refused(
        &[MySql],
        &[("SELECT /*+ SET_VAR(sql_mode='') */ * FROM book", "Opaque")],
    );
}

#[test]
fn strings_end_where_the_database_ends_them() {
    assert_eq!(tokens(Postgres, "'a''b' 'c\\' d"), "'a'b' 'c\\' d");
    assert_eq!(tokens(MySql, "'a\\'b' c"), "'a\\'b' c");
    assert_eq!(tokens(Sqlite, "'a\\' b"), "'a\\' b");
    assert_eq!(tokens(Postgres, "E'a\\'b' c"), "E'a\\'b' c");
    assert_eq!(
        tokens(Postgres, "$$a'b$$ $x$ $$ $x$ c"),
        "$$a'b$$ $x$ $$ $x$ c"
    );
    assert_eq!(tokens(Postgres, "'a'\n 'b'"), "'ab'");
    assert_eq!(tokens(Postgres, "'a"), "error: a quote does not end");
    assert_eq!(tokens(Postgres, "a$1$b"), "a$1$b");
    assert_eq!(
        tokens(Postgres, "U&\"a\""),
        "error: an identifier is written with Unicode escapes"
    );
}

#[test]
fn a_backslash_that_could_mean_two_things_is_opaque() {
    let ambiguous = "error: a backslash in a string reads differently under other settings";
    // One string, or a string and a comment.
    assert_eq!(tokens(MySql, r"'a\' -- '"), ambiguous);
    assert_eq!(tokens(Postgres, r"'a\' -- '"), ambiguous);
    assert_eq!(tokens(MySql, "\"a\\\" -- \""), ambiguous);
    assert_eq!(tokens(Sqlite, r"'a\' -- '"), r"'a\'");
    assert_eq!(tokens(MySql, r"'a\' OR b = '"), r"'a\' OR b = '");
    assert_eq!(
        tokens(MySql, r"'a\' OR b = ' c '"),
        "error: a quote does not end"
    );
    // No other reading makes sense.
    assert_eq!(tokens(MySql, r"'it\'s' a"), r"'it\'s' a");
    assert_eq!(tokens(MySql, r"'a\nb' c"), r"'a\nb' c");
    assert_eq!(tokens(Postgres, r"'C:\' a"), r"'C:\' a");
}

#[test]
fn numbers_and_names_do_not_run_together() {
    for &dialect in ALL {
        assert_eq!(
            tokens(dialect, "1.5e-3, .5 + 1., t1.x a1"),
            "1.5e-3 , .5 + 1. , t1 . x a1",
            "{dialect}"
        );
        assert_eq!(
            tokens(dialect, "1a"),
            "error: a name starts with a digit",
            "{dialect}"
        );
    }
    assert_eq!(tokens(Postgres, "0x1F"), "0x1F");
    assert_eq!(tokens(MySql, "0x1F"), "X'1F'");
}

#[test]
fn characters_outside_of_ascii_are_letters() {
    for &dialect in ALL {
        // A space to Unicode, a letter to the databases.
        assert_eq!(tokens(dialect, "book\u{a0}x"), "book\u{a0}x", "{dialect}");
        assert_eq!(tokens(dialect, "ſelect 'é'"), "ſelect 'é'", "{dialect}");
    }
}

#[test]
fn operators_of_postgres_are_cut_by_its_rule() {
    assert_eq!(tokens(Postgres, "a=-1"), "a = - 1");
    assert_eq!(tokens(Postgres, "a*-1"), "a * - 1");
    assert_eq!(tokens(Postgres, "a@-1"), "a @- 1");
    assert_eq!(tokens(Postgres, "a->>'b'"), "a ->> 'b'");
    assert_eq!(tokens(Postgres, "a=--b\nc"), "a = c");
    assert_eq!(tokens(Postgres, "a::int[1:2]"), "a :: int [ 1 : 2 ]");
}

#[test]
fn several_statements_are_united() {
    for &dialect in ALL {
        let statement = analyze(dialect, "SELECT * FROM book; DELETE FROM author;");
        assert_eq!(shown_why(&statement), "SeveralStatements", "{dialect}");
        assert_eq!(shown_reads(&statement), "book");
        assert_eq!(statement.writes.len(), 1);
        let alone = analyze(dialect, ";; SELECT * FROM book ;; -- end");
        assert_eq!(
            (shown_reads(&alone), shown_why(&alone)),
            ("book".into(), "".into())
        );
    }
}

#[test]
fn nothing_behind_a_statement_is_passed_over() {
    for &dialect in ALL {
        // The parser's own loop stops at END.
        let statement = analyze(dialect, "SELECT * FROM book END; DELETE FROM author");
        assert_eq!(statement.wide, Wide::Database, "{dialect}");
        let statement = analyze(dialect, "SELECT * FROM book SELECT 1");
        assert_eq!(statement.wide, Wide::Database, "{dialect}");
        // The parser swallows two tokens behind TABLE.
        let statement = analyze(dialect, "INSERT INTO book TABLE author ; DROP TABLE shelf");
        assert_eq!(statement.wide, Wide::Everything, "{dialect}");
    }
}

#[test]
fn empty_texts_are_no_reads() {
    assert_refused(
        ALL,
        &[("", "NotARead"), (" ; ", "NotARead"), ("-- x", "NotARead")],
    );
}

#[test]
fn statements_that_do_not_parse_are_opaque() {
    let taints = |statement: &Statement| {
        statement
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Taint { .. }))
    };
    for &dialect in ALL {
        let rows = analyze(dialect, "SELECT FROM WHERE FROM");
        assert_eq!(
            (rows.wide, taints(&rows)),
            (Wide::Database, false),
            "{dialect}"
        );
        let rows = analyze(dialect, "(SELECT FROM WHERE FROM)");
        assert_eq!(
            (rows.wide, taints(&rows)),
            (Wide::Database, false),
            "{dialect}"
        );
        let unknown = analyze(dialect, "FROBNICATE book");
        assert_eq!(
            (unknown.wide, taints(&unknown)),
            (Wide::Everything, true),
            "{dialect}"
        );
        let ddl = analyze(dialect, "CREATE FROB book");
        assert_eq!((ddl.wide, taints(&ddl)), (Wide::Schema, false), "{dialect}");
        // No tokens: nobody knows where a statement ends.
        let broken = analyze(dialect, "SELECT 1a; x");
        assert_eq!(
            (broken.wide, taints(&broken)),
            (Wide::Everything, true),
            "{dialect}"
        );
        let broken = analyze(dialect, "/* x */ SELECT 1a ;");
        assert_eq!(
            (broken.wide, taints(&broken)),
            (Wide::Database, false),
            "{dialect}"
        );
    }
    let temporary = analyze(Postgres, "SELECT FROM WHERE INTO TEMP x");
    assert_eq!(
        (temporary.wide, taints(&temporary)),
        (Wide::Everything, true)
    );
    let setting = analyze(Postgres, "SELECT set_config('a', 'b', true) FROM WHERE");
    assert!(taints(&setting));
    let block = analyze(Postgres, "DO LANGUAGE x $$ SET a = b $$");
    assert!(taints(&block));
}

#[test]
fn what_is_not_understood_may_begin_or_commit() {
    let doubts = |statement: &Statement| {
        let found = |effect: &Effect| matches!(effect, Effect::MayCommit);
        statement.effects.iter().any(found)
    };
    let long = format!("COMMIT -- {}", "x".repeat(1 << 20));
    for &dialect in ALL {
        for sql in [
            "COMMIT PROMPTLY AND WITHOUT FUSS",
            "SELECT 'a; COMMIT",
            "FROB; COMMIT",
            long.as_str(),
        ] {
            assert!(doubts(&analyze(dialect, sql)), "{dialect}: {sql:.40}");
        }
        for sql in [
            "SELECT frob FROM",
            "SELECT 'a",
            "CREATE TABLE x (id INTEGER)",
        ] {
            let doubtful = doubts(&analyze(dialect, sql));
            assert!(dialect == MySql || !doubtful, "{dialect}: {sql}");
        }
    }
    // The words that end a block or a transaction stand in a block here.
    for sql in [
        "BEGIN NOT ATOMIC IF 0 THEN COMMIT; END IF; END",
        "IF 0 THEN SET @x = 1; COMMIT; END IF",
        "again: LOOP COMMIT; END LOOP",
        "again:WHILE 1 DO COMMIT; END WHILE",
        "END",
    ] {
        let statement = analyze(MySql, sql);
        let ends = |effect: &Effect| matches!(effect, Effect::Commit { .. });
        assert!(!statement.effects.iter().any(ends), "{sql}");
        assert!(doubts(&statement), "{sql}");
        assert_eq!(statement.wide, Wide::Everything, "{sql}");
    }
}

#[test]
fn the_body_of_a_trigger_of_sqlite_ends_with_it() {
    let body = "CREATE TRIGGER x AFTER UPDATE ON book WHEN new.id > 1 BEGIN \
                UPDATE author SET n = CASE WHEN n = 1 THEN (SELECT CASE 1 WHEN 1 THEN 2 END) ELSE 3 END; \
                DELETE FROM shelf; END";
    for (prefix, text) in [("", body), ("", &format!("{body};"))] {
        let statement = analyze(Sqlite, &format!("{prefix}{text}"));
        assert_eq!(shown_why(&statement), "NotARead", "{text}");
        assert_eq!(statement.wide, Wide::Schema, "{text}");
        assert!(statement.effects.is_empty(), "{:?}", statement.effects);
    }
    // What follows is a statement of its own.
    let statement = analyze(Sqlite, &format!("{body}; BEGIN; UPDATE book SET n = 1"));
    assert_eq!(shown_why(&statement), "SeveralStatements");
    assert_eq!(statement.wide, Wide::Schema);
    assert!(matches!(statement.effects[..], [Effect::Begin { .. }]));
    assert_eq!(&*statement.writes[0].table, "book");
    let temporary = body.replace("CREATE", "CREATE TEMP");
    let statement = analyze(Sqlite, &format!("{temporary}; {body}"));
    assert!(matches!(statement.effects[..], [Effect::OpaqueWrites]));
    // The END in it ends no transaction.
    for prefix in ["EXPLAIN ", "EXPLAIN QUERY PLAN "] {
        let statement = analyze(Sqlite, &format!("{prefix}{body}"));
        assert!(statement.effects.is_empty(), "{:?}", statement.effects);
    }
    // Not the end of a trigger, or not of this dialect.
    for (dialect, sql) in [
        (Sqlite, "CREATE TRIGGER x BEGIN SELECT 1; END x; COMMIT"),
        (Sqlite, "CREATE TRIGGER x BEGIN SELECT 1; SELECT 2"),
        (MySql, body),
        (MySql, "CREATE PROCEDURE p() BEGIN SELECT 1; END; COMMIT"),
    ] {
        let statement = analyze(dialect, sql);
        assert_eq!(statement.wide, Wide::Everything, "{sql}");
        assert!(
            matches!(statement.effects[0], Effect::Taint { .. }),
            "{sql}"
        );
    }
    // A column of that name.
    let statement = analyze(Sqlite, "CREATE TABLE x (trigger, function); COMMIT");
    assert!(matches!(statement.effects[..], [Effect::Commit { .. }]));
}

#[test]
fn unknown_statements_of_mysql_may_commit() {
    let has =
        |sql: &str, expected: fn(&Effect) -> bool| analyze(MySql, sql).effects.iter().any(expected);
    assert!(has("FROBNICATE book", |effect| matches!(
        effect,
        Effect::MayCommit
    )));
    let commits = |effect: &Effect| matches!(effect, Effect::ImplicitCommit | Effect::MayCommit);
    assert!(has("CREATE FROB book", commits));
    assert!(!has("SELECT FROM WHERE FROM", commits));
}

#[test]
fn long_and_deep_texts_are_opaque_and_no_trouble() {
    let conditions = vec!["a = 1"; 30_000].join(" OR ");
    let sums = vec!["1"; 100_000].join(" + ");
    let unions = vec!["SELECT a FROM book"; 5_000].join(" UNION ALL ");
    let suffixes = " IS NULL".repeat(20_000);
    for &dialect in ALL {
        let chain = analyze(dialect, &format!("SELECT * FROM book WHERE {conditions}"));
        assert_eq!(shown_reads(&chain), "book", "{dialect}");
        let chain = analyze(dialect, &format!("SELECT {sums} FROM book"));
        assert_eq!(shown_reads(&chain), "book", "{dialect}");
        assert_eq!(shown_reads(&analyze(dialect, &unions)), "book", "{dialect}");
        let chain = analyze(dialect, &format!("SELECT * FROM book WHERE a{suffixes}"));
        assert_eq!(shown_reads(&chain), "book", "{dialect}");
        for opener in [
            "(",
            "SELECT (",
            "SELECT * FROM (",
            "NOT ",
            "CASE WHEN ",
            "f(",
            "- ",
            "x[",
        ] {
            let statement = analyze(dialect, &format!("SELECT {}", opener.repeat(50_000)));
            assert!(statement.uncacheable.is_some(), "{dialect}: {opener}");
        }
        let long = format!("SELECT * FROM book WHERE title = '{}'", "x".repeat(1 << 20));
        assert_refused(&[dialect], &[(&long, "Opaque")]);
    }
}

#[test]
fn queries_may_be_nested_as_deeply_as_generators_do() {
    let nest = |depth: usize| {
        (0..depth).fold("SELECT * FROM book".to_owned(), |inner, _| {
            format!("SELECT * FROM author WHERE id IN ({inner})")
        })
    };
    for &dialect in ALL {
        assert_eq!(reads(dialect, &nest(20)), "author book", "{dialect}");
        assert_eq!(why(dialect, &nest(20)), "", "{dialect}");
        assert!(
            why(dialect, &nest(2_000)).starts_with("Opaque"),
            "{dialect}"
        );
    }
}

#[test]
fn texts_are_remembered() {
    let analyzer = shop(Sqlite);
    let first = analyzer.analyze("SELECT * FROM book");
    assert!(Arc::ptr_eq(&first, &analyzer.analyze("SELECT * FROM book")));
    assert!(!Arc::ptr_eq(
        &first,
        &analyzer.analyze("SELECT * FROM author")
    ));
}

#[test]
fn digests_are_of_the_exact_text_and_the_dialect() {
    let digest = |dialect, sql: &str| analyze(dialect, sql).digest;
    let one = digest(Sqlite, "SELECT * FROM book");
    assert_eq!(one, digest(Sqlite, "SELECT * FROM book"));
    assert_ne!(one, digest(Sqlite, "SELECT * FROM  book"));
    assert_ne!(one, digest(MySql, "SELECT * FROM book"));
}

#[test]
fn clauses_that_the_parser_does_not_know_are_rewritten() {
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT sum(x) OVER (ORDER BY y ROWS 1 PRECEDING EXCLUDE CURRENT ROW) FROM book",
                "book",
            ),
            (
                "SELECT a BETWEEN SYMMETRIC 2 AND 1, d AT LOCAL, (meta).*, x ISNULL FROM book",
                "book",
            ),
            (
                "WITH RECURSIVE t AS (SELECT 1 FROM book UNION ALL SELECT 1 FROM t) \
                 SEARCH DEPTH FIRST BY id SET o CYCLE id SET c USING p SELECT * FROM t",
                "book",
            ),
        ],
    );
    assert_reads(
        &[MySql],
        &[
            (
                "SELECT d + INTERVAL '1:2' MINUTE_SECOND, a MOD 2, MOD(a, 2), !a FROM book",
                "book",
            ),
            (
                "SELECT DISTINCTROW x FROM book WHERE a SOUNDS LIKE b",
                "book",
            ),
        ],
    );
    assert_reads(
        &[Sqlite],
        &[
            (
                "WITH a AS NOT MATERIALIZED (SELECT 1 FROM book) SELECT * FROM a",
                "book",
            ),
            (
                "SELECT x << 1, x >> 2, x IS 1, x IS NOT y, x ISNULL FROM book",
                "book",
            ),
        ],
    );
    for dialect in [Postgres, Sqlite] {
        for sql in [
            "INSERT INTO book (id) VALUES (1) ON CONFLICT (id) WHERE x > (1) DO UPDATE SET x = 2",
            "INSERT INTO book (id) VALUES (1) ON CONFLICT (lower(x), (y + 1)) DO NOTHING",
            "INSERT INTO book (id) VALUES (1) ON CONFLICT (id) DO NOTHING",
        ] {
            let statement = analyze(dialect, sql);
            assert_eq!(shown_why(&statement), "Writes", "{dialect}: {sql}");
            assert_eq!(statement.wide, Wide::Nothing, "{dialect}: {sql}");
        }
    }
}
