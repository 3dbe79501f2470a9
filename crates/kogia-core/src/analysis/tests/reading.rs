//! Which tables a query reads, and why its result may not be kept.

use super::*;
use crate::analysis::{Effect, Wide};

#[test]
fn subqueries_are_found_wherever_they_stand() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT (SELECT max(id) FROM author) FROM book",
                "author book",
            ),
            (
                "SELECT 1 + (SELECT max(id) FROM author) FROM book",
                "author book",
            ),
            (
                "SELECT -(SELECT max(id) FROM author) FROM book",
                "author book",
            ),
            (
                "SELECT lower((SELECT max(x) FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT CASE (SELECT 1 FROM author) WHEN 1 THEN 2 END FROM book",
                "author book",
            ),
            (
                "SELECT CASE WHEN x = (SELECT 1 FROM author) THEN 2 END FROM book",
                "author book",
            ),
            (
                "SELECT CASE WHEN x = 1 THEN (SELECT 1 FROM author) END FROM book",
                "author book",
            ),
            (
                "SELECT CASE WHEN x = 1 THEN 1 ELSE (SELECT 1 FROM author) END FROM book",
                "author book",
            ),
            (
                "SELECT CAST((SELECT 1 FROM author) AS char(3)) FROM book",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE EXISTS (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE NOT EXISTS (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x IN (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x IN (1, (SELECT 1 FROM author))",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE (SELECT 1 FROM author) IN (1, 2)",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x BETWEEN (SELECT 1 FROM author) AND (SELECT 1 FROM shelf)",
                "author book shelf",
            ),
            (
                "SELECT * FROM book WHERE x LIKE (SELECT 1 FROM author) ESCAPE 'x'",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE (SELECT 1 FROM author) IS NULL",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE (x, 1) = ((SELECT 1 FROM author), 2)",
                "author book",
            ),
            (
                "SELECT x FROM book GROUP BY (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT x FROM book GROUP BY x HAVING count(*) > (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT x FROM book ORDER BY (SELECT 1 FROM author) DESC",
                "author book",
            ),
            (
                "SELECT x FROM book LIMIT (SELECT 1 FROM author) OFFSET (SELECT 1 FROM shelf)",
                "author book shelf",
            ),
            (
                "SELECT * FROM book JOIN author ON author.id = (SELECT 1 FROM shelf)",
                "author book shelf",
            ),
            (
                "SELECT * FROM (SELECT * FROM (SELECT * FROM book) x) y",
                "book",
            ),
            (
                "SELECT * FROM (book JOIN author ON book.x = author.x)",
                "author book",
            ),
            (
                "SELECT * FROM book UNION SELECT * FROM author EXCEPT SELECT * FROM shelf",
                "author book shelf",
            ),
            (
                "SELECT * FROM book UNION ALL (SELECT * FROM author ORDER BY 1 LIMIT 2)",
                "author book",
            ),
            ("VALUES (1, (SELECT 1 FROM book))", "book"),
            (
                "SELECT sum(x) OVER (PARTITION BY (SELECT 1 FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT sum(x) OVER (ORDER BY (SELECT 1 FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT sum(x) OVER w FROM book WINDOW w AS (ORDER BY (SELECT 1 FROM author))",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[Postgres, Sqlite],
        &[
            (
                "SELECT count(*) FILTER (WHERE x > (SELECT 1 FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x IS NOT DISTINCT FROM (SELECT 1 FROM author)",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT ARRAY(SELECT id FROM author) FROM book",
                "author book",
            ),
            (
                "SELECT ARRAY[(SELECT 1 FROM author)] FROM book",
                "author book",
            ),
            ("SELECT x[(SELECT 1 FROM author)] FROM book", "author book"),
            (
                "SELECT x[1:(SELECT 1 FROM author)] FROM book",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x = ANY (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x > ALL (SELECT 1 FROM author)",
                "author book",
            ),
            (
                "SELECT string_agg(x, ',' ORDER BY (SELECT 1 FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (SELECT 1 FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT * FROM book, LATERAL (SELECT * FROM author WHERE author.id = book.x) a",
                "author book",
            ),
            (
                "SELECT * FROM book, generate_series(1, (SELECT 1 FROM author))",
                "author book",
            ),
            (
                "SELECT * FROM book, LATERAL generate_series(1, (SELECT 1 FROM author))",
                "author book",
            ),
            (
                "SELECT * FROM book, unnest(ARRAY(SELECT id FROM author))",
                "author book",
            ),
            (
                "SELECT * FROM (VALUES ((SELECT 1 FROM author))) v, book",
                "author book",
            ),
            (
                "SELECT DISTINCT ON ((SELECT 1 FROM author)) x FROM book",
                "author book",
            ),
            (
                "SELECT x FROM book GROUP BY ROLLUP (lower((SELECT 'a' FROM author)))",
                "author book",
            ),
            (
                "SELECT x FROM book GROUP BY GROUPING SETS ((x, (SELECT 1 FROM author)))",
                "author book",
            ),
            (
                "SELECT x AT TIME ZONE (SELECT 'UTC' FROM author) FROM book",
                "author book",
            ),
            (
                "SELECT substring(x FROM (SELECT 1 FROM author) FOR 2) FROM book",
                "author book",
            ),
            (
                "SELECT overlay(x PLACING 'a' FROM (SELECT 1 FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT extract(year FROM (SELECT d FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT position('a' IN (SELECT x FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT trim(both 'a' FROM (SELECT x FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT (SELECT 1 FROM author)::text FROM book",
                "author book",
            ),
            (
                "SELECT sum(x) OVER (ROWS BETWEEN (SELECT 1 FROM author) PRECEDING AND CURRENT ROW) FROM book",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[MySql],
        &[
            (
                "SELECT * FROM book, JSON_TABLE((SELECT x FROM author), '$[*]' COLUMNS (a INT PATH '$')) j",
                "author book",
            ),
            (
                "SELECT GROUP_CONCAT(x ORDER BY (SELECT 1 FROM author) SEPARATOR ',') FROM book",
                "author book",
            ),
            (
                "SELECT d + INTERVAL (SELECT 1 FROM author) DAY FROM book",
                "author book",
            ),
            (
                "SELECT 1 MEMBER OF ((SELECT x FROM author)) FROM book",
                "author book",
            ),
            (
                "SELECT CONVERT((SELECT x FROM author), CHAR) FROM book",
                "author book",
            ),
            (
                "SELECT x RLIKE (SELECT 1 FROM author) FROM book",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[Sqlite],
        &[
            (
                "SELECT * FROM book, json_each((SELECT x FROM author))",
                "author book",
            ),
            (
                "SELECT * FROM book WHERE x IN author AND y NOT IN main.shelf",
                "author book shelf",
            ),
            (
                "SELECT x GLOB (SELECT 1 FROM author) FROM book",
                "author book",
            ),
            (
                "SELECT x IS (SELECT 1 FROM author) FROM book",
                "author book",
            ),
        ],
    );
}

#[test]
fn joins_of_every_kind_are_read() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book, author", "author book"),
            ("SELECT * FROM book CROSS JOIN author", "author book"),
            (
                "SELECT * FROM book LEFT OUTER JOIN author ON 1 = 1",
                "author book",
            ),
            (
                "SELECT * FROM book RIGHT JOIN author ON 1 = 1",
                "author book",
            ),
            ("SELECT * FROM book NATURAL LEFT JOIN author", "author book"),
            (
                "SELECT * FROM book INNER JOIN author USING (id)",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[Postgres],
        &[(
            "SELECT * FROM book FULL JOIN author JOIN shelf ON 1 = 1 ON 2 = 2",
            "author book shelf",
        )],
    );
}

#[test]
fn a_cte_hides_a_table_only_in_its_scope() {
    assert_reads(
        ALL,
        &[
            ("WITH x AS (SELECT * FROM author) SELECT * FROM x", "author"),
            // Its own name means the table outside.
            (
                "WITH book AS (SELECT * FROM book) SELECT * FROM book",
                "book",
            ),
            (
                "WITH a AS (SELECT * FROM book), b AS (SELECT * FROM a) SELECT * FROM b",
                "book",
            ),
            (
                "WITH author AS (SELECT * FROM book) SELECT * FROM author",
                "book",
            ),
            // The scope ends with the query that it belongs to.
            (
                "SELECT * FROM (WITH author AS (SELECT * FROM book) SELECT * FROM author) x, author",
                "author book",
            ),
            // It begins behind the definition.
            (
                "WITH a AS (SELECT * FROM author), author AS (SELECT * FROM book) SELECT * FROM author, a",
                "author book",
            ),
            // An inner one hides an outer one.
            (
                "WITH x AS (SELECT * FROM book) SELECT * FROM (WITH x AS (SELECT * FROM author) SELECT * FROM x) y",
                "author book",
            ),
            (
                "WITH x AS (SELECT * FROM author) SELECT * FROM book WHERE a IN (SELECT 1 FROM x)",
                "author book",
            ),
            ("WITH x AS (SELECT 1) SELECT * FROM book", "book"),
            (
                "WITH RECURSIVE book AS (SELECT 1 FROM author UNION ALL SELECT 1 FROM book) SELECT * FROM book",
                "author",
            ),
        ],
    );
    // A qualified name never means one.
    assert_reads(
        &[Postgres],
        &[("WITH book AS (SELECT 1) SELECT * FROM public.book", "book")],
    );
    assert_reads(
        &[MySql],
        &[("WITH book AS (SELECT 1) SELECT * FROM shop.book", "book")],
    );
    assert_reads(
        &[Sqlite],
        &[("WITH book AS (SELECT 1) SELECT * FROM main.book", "book")],
    );
    // Nor does one that is spelled differently where that may make a difference.
    assert_reads(
        &[Postgres],
        &[
            ("WITH \"Book\" AS (SELECT 1) SELECT * FROM book", "book"),
            (
                "WITH Author AS (SELECT 1 FROM book) SELECT * FROM AUTHOR",
                "book",
            ),
        ],
    );
    assert_reads(
        &[MySql],
        &[("WITH Book AS (SELECT 1) SELECT * FROM book", "book")],
    );
    assert_reads(
        &[Sqlite],
        &[(
            "WITH \"Author\" AS (SELECT 1 FROM book) SELECT * FROM author",
            "book",
        )],
    );
}

#[test]
fn the_scope_of_one_statement_ends_with_it() {
    let statement = analyze(
        Postgres,
        "WITH author AS (SELECT 1) SELECT 1; SELECT * FROM author",
    );
    assert_eq!(shown_reads(&statement), "author");
}

#[test]
fn names_are_folded_and_unquoted() {
    assert_reads(ALL, &[("SELECT * FROM BOOK", "book")]);
    assert_reads(
        &[Postgres],
        &[
            ("SELECT * FROM \"Book\"", "book"),
            ("SELECT * FROM public.\"book\"", "book"),
            ("SELECT * FROM shop.public.book", "book"),
            ("SELECT * FROM ONLY book", "book"),
            ("SELECT * FROM ONLY (public.book) AS b", "book"),
            (
                "SELECT * FROM book AS only_one FETCH FIRST 3 ROWS ONLY",
                "book",
            ),
            ("TABLE book", "book"),
            ("TABLE book UNION TABLE author", "author book"),
            ("SELECT * FROM (TABLE book) b", "book"),
        ],
    );
    assert_reads(
        &[MySql],
        &[
            ("SELECT * FROM `shop`.`book`", "book"),
            ("TABLE book", "book"),
        ],
    );
    assert_reads(
        &[Sqlite],
        &[
            ("SELECT * FROM [book]", "book"),
            ("SELECT * FROM `book`", "book"),
            ("SELECT * FROM 'book'", "book"),
            ("SELECT * FROM Main.\"Book\"", "book"),
            ("SELECT * FROM book INDEXED BY ix", "book"),
            ("SELECT * FROM book AS b NOT INDEXED", "book"),
        ],
    );
}

#[test]
fn postgres_cuts_names_after_63_bytes() {
    let long = "a".repeat(63);
    let analyzer = bare(Postgres);
    let longer = format!("SELECT * FROM {long}b");
    assert_eq!(shown_reads(&analyzer.analyze(&longer)), long);
    let wide = format!("SELECT * FROM \"{}é\"", "a".repeat(62));
    assert_eq!(
        shown_reads(&analyzer.analyze(&wide)),
        "a".repeat(62),
        "not within a character"
    );
}

#[test]
fn a_partition_is_its_root() {
    assert_reads(ALL, &[("SELECT * FROM sale_2024", "sale")]);
}

#[test]
fn views_are_read_to_their_tables() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM cheap", "book"),
            ("SELECT * FROM cheap_authors", "author book"),
            ("SELECT * FROM totals", "totals"),
            // The CTE is not in scope in the view.
            ("WITH book AS (SELECT 1) SELECT * FROM cheap", "book"),
            // A CTE of that name is no view.
            (
                "WITH circle AS (SELECT 1 FROM book) SELECT * FROM circle",
                "book",
            ),
        ],
    );
    assert_refused(
        ALL,
        &[
            ("SELECT * FROM circle", "UnknownTable"),
            ("SELECT * FROM hidden", "UnknownTable(\"hidden\")"),
            ("SELECT * FROM odd", "UnknownTable(\"odd\")"),
            ("SELECT * FROM clock", "Volatile"),
        ],
    );
}

#[test]
fn relations_that_no_entry_can_follow_are_refused_and_still_named() {
    assert_refused(
        ALL,
        &[
            ("SELECT * FROM remote", "ForeignTable(\"remote\")"),
            ("SELECT * FROM scratch", "TemporaryTable(\"scratch\")"),
            ("SELECT * FROM secured", "RowSecurity(\"secured\")"),
            ("SELECT * FROM missing", "UnknownTable(\"missing\")"),
            (
                "SELECT * FROM book WHERE x IN (SELECT 1 FROM remote)",
                "ForeignTable",
            ),
        ],
    );
    assert_eq!(
        reads(Postgres, "SELECT * FROM remote, missing"),
        "missing remote"
    );
    assert_refused(
        &[Postgres],
        &[
            (
                "SELECT * FROM pg_catalog.pg_class",
                "SystemTable(\"pg_catalog.pg_class\")",
            ),
            ("SELECT * FROM pg_stat_activity", "SystemTable"),
            ("SELECT * FROM information_schema.tables", "SystemTable"),
            ("SELECT * FROM pg_temp.book", "TemporaryTable"),
            ("SELECT * FROM pg_temp_3.book", "TemporaryTable"),
            ("SELECT * FROM book TABLESAMPLE SYSTEM (10)", "Sampling"),
            (
                "SELECT * FROM book TABLESAMPLE BERNOULLI (10) REPEATABLE (3)",
                "Sampling",
            ),
            (
                "SELECT * FROM dblink('x', 'SELECT 1') AS t(a int)",
                "Opaque",
            ),
        ],
    );
    assert_refused(
        &[MySql],
        &[
            ("SELECT * FROM information_schema.tables", "SystemTable"),
            ("SELECT * FROM mysql.user", "SystemTable"),
            ("SELECT * FROM other.book", "OtherDatabase(\"other.book\")"),
            // Another database on most servers.
            ("SELECT * FROM Shop.book", "OtherDatabase"),
        ],
    );
    assert_refused(
        &[Sqlite],
        &[
            ("SELECT * FROM sqlite_master", "SystemTable"),
            ("SELECT * FROM pragma_table_info('book')", "SystemTable"),
            ("SELECT * FROM other.book", "OtherDatabase"),
            ("SELECT * FROM temp.book", "TemporaryTable"),
        ],
    );
}

#[test]
fn without_a_catalog_names_are_tables_and_functions_are_volatile() {
    for &dialect in ALL {
        let analyzer = bare(dialect);
        let statement = analyzer.analyze("SELECT * FROM anything WHERE id = 1");
        assert_eq!(
            (shown_reads(&statement), shown_why(&statement)),
            ("anything".into(), "".into())
        );
        let statement = analyzer.analyze("SELECT anything(1) FROM book");
        assert_eq!(
            shown_why(&statement),
            "UnknownFunction(\"anything()\")",
            "{dialect}"
        );
        assert_eq!(statement.wide, Wide::Database, "{dialect}");
    }
    // The name of the current database is not known.
    let statement = bare(MySql).analyze("SELECT * FROM shop.book");
    assert_eq!(shown_why(&statement), "OtherDatabase(\"shop.book\")");
}

#[test]
fn no_table_no_entry() {
    assert_refused(
        ALL,
        &[
            ("SELECT 1", "NoTable"),
            ("SELECT lower('A')", "NoTable"),
            ("SELECT * FROM (SELECT 1 AS x) y", "NoTable"),
            ("VALUES (1)", "NoTable"),
        ],
    );
    assert_refused(&[MySql], &[("SELECT 1 FROM dual", "NoTable")]);
    assert_refused(
        &[Postgres],
        &[("SELECT * FROM generate_series(1, 3)", "NoTable")],
    );
}

#[test]
fn locking_clauses_are_refused() {
    assert_refused(
        &[Postgres],
        &[
            ("SELECT * FROM book FOR UPDATE", "Locks"),
            ("SELECT * FROM book FOR NO KEY UPDATE", "Locks"),
            ("SELECT * FROM book FOR SHARE OF book NOWAIT", "Locks"),
            ("SELECT * FROM book FOR KEY SHARE", "Locks"),
            (
                "SELECT * FROM book b, author a FOR UPDATE OF b, a SKIP LOCKED",
                "Locks",
            ),
            ("SELECT * FROM book FOR UPDATE LIMIT 3", "Locks"),
            ("SELECT * FROM (SELECT * FROM book FOR UPDATE) x", "Locks"),
        ],
    );
    assert_refused(
        &[MySql],
        &[
            ("SELECT * FROM book FOR UPDATE", "Locks"),
            ("SELECT * FROM book FOR SHARE SKIP LOCKED", "Locks"),
            ("SELECT * FROM book LOCK IN SHARE MODE", "Locks"),
        ],
    );
    assert_eq!(
        reads(
            Postgres,
            "SELECT * FROM book, author FOR NO KEY UPDATE OF book"
        ),
        "author book"
    );
}

#[test]
fn variables_are_refused() {
    assert_refused(
        &[MySql],
        &[
            ("SELECT @x FROM book", "UserVariable"),
            ("SELECT @x := id FROM book", "UserVariable"),
            ("SELECT @@sql_mode FROM book", "UserVariable"),
            ("SELECT @@session.sql_mode FROM book", "UserVariable"),
            ("SELECT * FROM book WHERE id > @`x`", "UserVariable"),
            ("SELECT id INTO @x FROM book", "UserVariable"),
        ],
    );
}

#[test]
fn select_into_writes() {
    let statement = analyze(Postgres, "SELECT * INTO copy FROM book");
    assert_eq!(shown_why(&statement), "Writes");
    assert_eq!(statement.wide, Wide::Schema);
    let statement = analyze(Postgres, "SELECT * INTO TEMP Copy FROM book");
    assert_eq!(statement.wide, Wide::Nothing);
    assert!(matches!(&statement.effects[..], [Effect::CreateTemporary(name)] if &**name == "copy"));
    let sql = "SELECT * INTO OUTFILE '/tmp/x' FIELDS TERMINATED BY ',' FROM book WHERE id = 1";
    assert_refused(&[MySql], &[(sql, "External(\"INTO OUTFILE\")")]);
    assert_refused(
        &[MySql],
        &[("SELECT * FROM book INTO DUMPFILE 'x'", "External")],
    );
}

#[test]
fn a_query_that_writes_in_a_cte_is_a_write() {
    let statement = analyze(
        Postgres,
        "WITH gone AS (DELETE FROM author RETURNING *) SELECT * FROM gone, book",
    );
    assert_eq!(shown_why(&statement), "Writes");
    let written: Vec<_> = statement.writes.iter().map(|write| &*write.table).collect();
    assert_eq!(written, ["author"]);
    assert_eq!(shown_reads(&statement), "book");
}

#[test]
fn joins_of_other_databases_are_opaque() {
    assert_refused(
        ALL,
        &[
            (
                "SELECT * FROM book LEFT SEMI JOIN author ON 1 = 1",
                "Opaque",
            ),
            ("SELECT * FROM book CROSS APPLY author", "Opaque"),
            ("SELECT TOP 5 * FROM book", "Opaque"),
            (
                "SELECT * FROM book PIVOT (sum(x) FOR y IN (1, 2))",
                "Opaque",
            ),
            ("SELECT * EXCEPT (x) FROM book", "Opaque"),
        ],
    );
}
