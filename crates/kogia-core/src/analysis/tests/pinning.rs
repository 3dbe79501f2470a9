//! When a read counts as pinned to key values, and what its rows prove.

use super::*;
use crate::analysis::{Effect, WriteScope};

#[test]
fn comparison_with_a_literal_or_parameter_pins() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE id = 5", "book=5:any"),
            ("SELECT * FROM book WHERE 5 = id", "book=5:any"),
            ("SELECT * FROM book WHERE (id) = (5)", "book=5:any"),
            ("SELECT * FROM book WHERE id = -5", "book=-5:any"),
            ("SELECT * FROM book WHERE id = 9223372036854775808", "book"),
            (
                "SELECT * FROM book WHERE book.id = 5 AND price > 3",
                "book=5:any",
            ),
            (
                "SELECT * FROM book AS b WHERE (price > 3 AND (b.id = 5))",
                "book=5:any",
            ),
            ("SELECT * FROM tag WHERE name = 'sale'", "tag='sale':any"),
        ],
    );
    assert_reads(
        &[Postgres],
        &[("SELECT * FROM book WHERE x = $1 AND id = $2", "book=$2:any")],
    );
    assert_reads(
        &[MySql, Sqlite],
        &[("SELECT * FROM book WHERE x = ? AND id = ?", "book=$2:any")],
    );
}

#[test]
fn other_comparisons_do_not_pin() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE id > 5", "book"),
            ("SELECT * FROM book WHERE id <> 5", "book"),
            ("SELECT * FROM book WHERE id BETWEEN 5 AND 5", "book"),
            ("SELECT * FROM book WHERE id IS NULL", "book"),
            ("SELECT * FROM book WHERE id = NULL", "book"),
            ("SELECT * FROM book WHERE id = price", "book"),
            ("SELECT * FROM book WHERE id = 2 + 3", "book"),
            ("SELECT * FROM book WHERE id + 0 = 5", "book"),
            ("SELECT * FROM book WHERE abs(id) = 5", "book"),
            ("SELECT * FROM book WHERE CAST(id AS char(3)) = 5", "book"),
            ("SELECT * FROM book WHERE id = CAST(5 AS char(3))", "book"),
            ("SELECT * FROM tag WHERE name COLLATE x = 'a'", "tag"),
            ("SELECT * FROM tag WHERE name = 'a' COLLATE x", "tag"),
            ("SELECT * FROM tag WHERE name LIKE 'a'", "tag"),
            ("SELECT * FROM book WHERE (id, price) = (5, 3)", "book"),
            ("SELECT * FROM book WHERE id = (SELECT 5)", "book"),
        ],
    );
    assert_reads(
        &[Postgres],
        &[("SELECT * FROM book WHERE id = 5::int", "book")],
    );
    assert_reads(
        &[Postgres],
        &[("SELECT * FROM book WHERE id IS NOT DISTINCT FROM 5", "book")],
    );
    assert_reads(&[MySql], &[("SELECT * FROM book WHERE id <=> 5", "book")]);
    assert_reads(&[Sqlite], &[("SELECT * FROM book WHERE id IS 5", "book")]);
}

#[test]
fn values_without_a_canonical_form_do_not_pin() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE id = '5'", "book"),
            ("SELECT * FROM book WHERE id = 5.0", "book"),
            ("SELECT * FROM book WHERE id = 5e0", "book"),
            ("SELECT * FROM book WHERE id = 99999999999999999999", "book"),
            ("SELECT * FROM book WHERE id = TRUE", "book"),
            ("SELECT * FROM tag WHERE name = 5", "tag"),
            // What these contain is a matter of settings and drivers.
            (r"SELECT * FROM tag WHERE name = 'a\b'", "tag"),
            ("SELECT * FROM tag WHERE name = 'a%%b'", "tag"),
            ("SELECT * FROM file WHERE hash = 'ab'", "file"),
        ],
    );
    assert_reads(
        &[MySql, Sqlite],
        &[(
            "SELECT * FROM file WHERE hash = x'0aff'",
            "file=[0a, ff]:any",
        )],
    );
    // A string of bits there.
    assert_reads(
        &[Postgres],
        &[("SELECT * FROM file WHERE hash = x'0aff'", "file")],
    );
    assert_reads(
        &[Postgres],
        &[("SELECT * FROM tag WHERE name = E'a'", "tag")],
    );
    assert_reads(
        &[MySql],
        &[("SELECT * FROM tag WHERE name = _utf8mb4'a'", "tag")],
    );
    // Strings there, or columns under another setting.
    assert_reads(&[MySql], &[("SELECT * FROM tag WHERE name = \"a\"", "tag")]);
    assert_reads(&[MySql], &[("SELECT * FROM book WHERE \"id\" = 5", "book")]);
    // A column, or a string if there is none.
    assert_reads(
        &[Sqlite],
        &[("SELECT * FROM tag WHERE name = \"a\"", "tag")],
    );
}

#[test]
fn lists_of_values_pin() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE id IN (1, 2, 2)", "book=1|2:each"),
            ("SELECT * FROM book WHERE id IN (1)", "book=1:any"),
            ("SELECT * FROM book WHERE id IN (1, NULL)", "book"),
            ("SELECT * FROM book WHERE id IN (1, price)", "book"),
            ("SELECT * FROM book WHERE id NOT IN (1, 2)", "book"),
            ("SELECT * FROM book WHERE id IN (SELECT 1)", "book"),
            ("SELECT * FROM book WHERE id = 1 OR id = 2", "book=1|2:each"),
            (
                "SELECT * FROM book WHERE (id = 1 OR (id IN (2, 3))) AND x = 1",
                "book=1|2|3:each",
            ),
        ],
    );
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT * FROM book WHERE id = ANY(ARRAY[1, 2])",
                "book=1|2:each",
            ),
            (
                "SELECT * FROM book WHERE id = SOME (ARRAY[1, $1])",
                "book=1|$1:each",
            ),
            ("SELECT * FROM book WHERE id = ANY($1)", "book"),
            ("SELECT * FROM book WHERE id = ANY('{1,2}')", "book"),
            ("SELECT * FROM book WHERE id = ALL(ARRAY[1, 2])", "book"),
            ("SELECT * FROM book WHERE id > ANY(ARRAY[1, 2])", "book"),
        ],
    );
}

#[test]
fn more_than_64_values_do_not_pin() {
    let list = |last: usize| {
        (1..=last)
            .map(|id| id.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    for &dialect in ALL {
        let sql = format!("SELECT * FROM book WHERE id IN ({})", list(64));
        assert!(reads(dialect, &sql).starts_with("book=1|2|3|"), "{dialect}");
        let sql = format!("SELECT * FROM book WHERE id IN ({})", list(65));
        assert_eq!(reads(dialect, &sql), "book", "{dialect}");
    }
}

#[test]
fn an_or_that_is_not_wholly_on_the_key_does_not_pin() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE id = 1 OR price = 2", "book"),
            (
                "SELECT * FROM book WHERE id = 1 AND price = 1 OR price = 2",
                "book",
            ),
            (
                "SELECT * FROM book WHERE price = 2 OR price = 1 AND id = 1",
                "book",
            ),
            (
                "SELECT * FROM book WHERE (id = 1 OR price = 2) AND x = 3",
                "book",
            ),
            (
                "SELECT * FROM book WHERE (id = 1 AND x = 2) OR id = 2",
                "book",
            ),
        ],
    );
}

#[test]
fn what_stands_under_another_operator_does_not_pin() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE NOT id = 1", "book"),
            ("SELECT * FROM book WHERE NOT (id = 1 AND x = 2)", "book"),
            ("SELECT * FROM book WHERE (id = 1) IS NOT NULL", "book"),
            ("SELECT * FROM book WHERE (id = 1) = (price = 1)", "book"),
            (
                "SELECT * FROM book WHERE CASE WHEN id = 1 THEN 1 ELSE 1 END = 1",
                "book",
            ),
            ("SELECT * FROM book WHERE coalesce(id = 1, 1 = 1)", "book"),
            ("SELECT id = 1 FROM book", "book"),
            (
                "SELECT price FROM book GROUP BY price HAVING max(id) = 1",
                "book",
            ),
            ("SELECT price FROM book ORDER BY id = 1", "book"),
        ],
    );
}

#[test]
fn operators_bind_as_they_do_in_mysql() {
    let pinned = |sql: &str| reads(MySql, &format!("SELECT * FROM book WHERE {sql}"));
    for sql in [
        // (id = 1 AND a) OR b, unless PIPES_AS_CONCAT
        "id = 1 AND a || b",
        "a || b AND id = 1",
        // An expression under PIPES_AS_CONCAT: id = (1 || id) = 2
        "(id = 1 || id = 2)",
        "id = 1 AND a LIKE b || c",
        // (id = 1 AND a) XOR b
        "id = 1 AND a XOR b",
        "a XOR b AND id = 1",
        "a XOR id = 1",
        "id = 1 AND BINARY a = b OR c",
        "id = 1 AND !a OR b",
        // (!id) = 1
        "!id = 1",
        "BINARY id = 1",
        "id = 1 && a OR b",
        "@a := id = 1 AND b",
    ] {
        assert_eq!(pinned(sql), "book", "{sql}");
    }
    for sql in [
        "id = 1 && a",
        "(a || b) AND id = 1",
        "id = 1 AND BINARY a = b",
        "!a AND id = 1",
        "d > e + INTERVAL 1 DAY AND id = 1",
        "id = 1 AND (a XOR b)",
        "a LIKE BINARY b AND id = 1 AND a REGEXP BINARY b",
    ] {
        assert_eq!(pinned(sql), "book=1:any", "{sql}");
    }
    assert_reads(
        &[Postgres, Sqlite],
        &[(
            "SELECT * FROM book WHERE id = 1 AND a || b = 'c'",
            "book=1:any",
        )],
    );
}

#[test]
fn a_statement_in_a_statement_binds_the_same_way() {
    let statement = analyze(
        MySql,
        "PREPARE s FROM 'DELETE FROM book WHERE id = 1 AND a || b'",
    );
    let Some(Effect::Prepare {
        statement: Some(inner),
        ..
    }) = statement.effects.first()
    else {
        panic!("{statement:?}");
    };
    assert!(matches!(inner.writes[0].scope, WriteScope::Broad));
}

#[test]
fn renamed_columns_do_not_pin() {
    assert_reads(
        &[Postgres],
        &[
            ("SELECT * FROM book AS b (a, id) WHERE b.id = 5", "book"),
            ("SELECT * FROM book AS b WHERE b.id = 5", "book=5:any"),
        ],
    );
}

#[test]
fn a_bare_column_pins_only_the_only_relation() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book, author WHERE id = 5", "author book"),
            ("SELECT * FROM book, (SELECT 1 AS x) y WHERE id = 5", "book"),
            (
                "SELECT * FROM book, author WHERE book.id = 5",
                "author book=5:any",
            ),
        ],
    );
    assert_reads(
        &[Postgres],
        &[(
            "SELECT * FROM book, generate_series(1, 3) WHERE id = 5",
            "book",
        )],
    );
}

#[test]
fn a_qualifier_must_be_the_very_alias() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM book b, author a WHERE book.id = 5",
                "author book",
            ),
            // The alias belongs to the query outside.
            (
                "SELECT (SELECT max(s.x) FROM shelf s WHERE b.id = 5) FROM book b",
                "book shelf",
            ),
            (
                "SELECT * FROM author WHERE EXISTS (SELECT 1 FROM book WHERE author.id = 5)",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT (SELECT x FROM book \"B\" WHERE b.id = 5) FROM author b",
                "author book",
            ),
            (
                "SELECT * FROM book AS \"B\" WHERE \"B\".id = 5",
                "book=5:any",
            ),
            ("SELECT * FROM book WHERE \"ID\" = 5", "book"),
            ("SELECT * FROM book WHERE ID = 5", "book=5:any"),
            ("SELECT * FROM book WHERE public.book.id = 5", "book"),
        ],
    );
    assert_reads(
        &[MySql],
        &[
            (
                "SELECT (SELECT x FROM book B WHERE b.id = 5) FROM author b",
                "author book",
            ),
            ("SELECT * FROM book WHERE `ID` = 5", "book=5:any"),
        ],
    );
    assert_reads(
        &[Sqlite],
        &[("SELECT * FROM book WHERE \"Book\".[ID] = 5", "book=5:any")],
    );
}

#[test]
fn an_inner_join_condition_pins_both_sides() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM book b JOIN author a ON b.id = 1 AND a.id = 2",
                "author=2:any book=1:any",
            ),
            (
                "SELECT * FROM book b JOIN author a ON a.id = b.x JOIN shelf s ON b.id = 1",
                "author book=1:any shelf",
            ),
            ("SELECT * FROM book NATURAL JOIN author", "author book"),
            ("SELECT * FROM book JOIN author USING (id)", "author book"),
            // A bare column could be either's.
            (
                "SELECT * FROM book b JOIN author a ON id = 1",
                "author book",
            ),
        ],
    );
    assert_reads(
        &[MySql],
        &[(
            "SELECT * FROM book b STRAIGHT_JOIN author a ON a.id = 2",
            "author=2:any book",
        )],
    );
}

#[test]
fn an_outer_join_condition_pins_the_nullable_side_only() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM book b LEFT JOIN author a ON a.id = 2",
                "author=2:never book",
            ),
            (
                "SELECT * FROM book b LEFT JOIN author a ON b.id = 1",
                "author book",
            ),
            (
                "SELECT * FROM book b RIGHT JOIN author a ON b.id = 1",
                "author book=1:never",
            ),
            (
                "SELECT * FROM book b RIGHT JOIN author a ON a.id = 2",
                "author book",
            ),
            (
                "SELECT * FROM book b LEFT JOIN (author a JOIN shelf s ON a.id = 2) ON s.id = 3",
                "author=2:never book shelf=3:never",
            ),
            // The condition of a later inner join drops the rows that an outer one filled up.
            (
                "SELECT * FROM book b LEFT JOIN author a ON a.x = b.x JOIN shelf s ON a.id = 2",
                "author=2:never book shelf",
            ),
        ],
    );
    assert_reads(
        &[Postgres, Sqlite],
        &[(
            "SELECT * FROM book b FULL JOIN author a ON a.id = 2 AND b.id = 1",
            "author book",
        )],
    );
}

#[test]
fn a_where_condition_pins_tables_on_any_side() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM book b LEFT JOIN author a ON a.id = b.x WHERE b.id = 1",
                "author book=1:any",
            ),
            (
                "SELECT * FROM book b LEFT JOIN author a ON a.id = b.x WHERE a.id = 2",
                "author=2:never book",
            ),
        ],
    );
}

#[test]
fn a_condition_outside_does_not_reach_into_another_block() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM (SELECT * FROM book) b WHERE b.id = 5",
                "book",
            ),
            (
                "SELECT * FROM (SELECT * FROM book) AS book WHERE book.id = 5",
                "book",
            ),
            (
                "SELECT * FROM (SELECT * FROM book LIMIT 3) b WHERE b.id = 5",
                "book",
            ),
            (
                "SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM book) b WHERE b.id = 5",
                "book",
            ),
            (
                "SELECT * FROM (SELECT DISTINCT id FROM book) b WHERE id = 5",
                "book",
            ),
            (
                "SELECT * FROM (SELECT id, count(*) FROM book GROUP BY id) b WHERE id = 5",
                "book",
            ),
            (
                "WITH b AS (SELECT * FROM book) SELECT * FROM b WHERE b.id = 5",
                "book",
            ),
            ("SELECT * FROM cheap WHERE id = 5", "book"),
            (
                "SELECT * FROM author WHERE id IN (SELECT id FROM book) AND author.id = 5",
                "author=5:any book",
            ),
        ],
    );
    assert_reads(
        &[Postgres, Sqlite],
        &[(
            "SELECT * FROM (book JOIN author ON author.id = 2) AS book WHERE book.id = 5",
            "author=2:never book",
        )],
    );
}

#[test]
fn a_condition_pins_inside_its_own_block() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM (SELECT * FROM book WHERE id = 5) b",
                "book=5:never",
            ),
            (
                "WITH b AS (SELECT * FROM book WHERE id = 5) SELECT * FROM b",
                "book=5:never",
            ),
            (
                "SELECT * FROM author WHERE id = 1 AND EXISTS (SELECT 1 FROM book WHERE id = 5)",
                "author=1:any book=5:never",
            ),
            ("SELECT * FROM one_book", "book=1:never"),
        ],
    );
}

#[test]
fn nothing_in_a_recursive_cte_is_pinned() {
    assert_reads(
        ALL,
        &[(
            "WITH RECURSIVE t AS (SELECT id FROM book WHERE id = 1 UNION ALL SELECT t.id FROM t) \
             SELECT * FROM t, author WHERE author.id = 2",
            "author=2:any book",
        )],
    );
}

#[test]
fn every_reference_must_be_pinned_for_the_table_to_be() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM book b, book c WHERE b.id = 1 AND c.id = 2",
                "book=1|2:never",
            ),
            ("SELECT * FROM book b, book c WHERE b.id = 1", "book"),
            (
                "SELECT * FROM book WHERE id = 1 AND x IN (SELECT x FROM book)",
                "book",
            ),
            (
                "SELECT * FROM book WHERE id = 1 AND x IN (SELECT x FROM book WHERE id = 2)",
                "book=2|1:never",
            ),
            ("SELECT * FROM book, cheap WHERE book.id = 1", "book"),
            (
                "SELECT * FROM book WHERE id = 1 UNION SELECT * FROM book WHERE id = 2",
                "book=2|1:never",
            ),
        ],
    );
    let list = |from: usize| {
        (from..from + 40)
            .map(|id| id.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    for &dialect in ALL {
        let sql = format!(
            "SELECT * FROM book b, book c WHERE b.id IN ({}) AND c.id IN ({})",
            list(1),
            list(41)
        );
        assert_eq!(reads(dialect, &sql), "book", "80 values are too many");
    }
}

#[test]
fn the_shortest_pin_of_several_counts() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT * FROM book WHERE id IN (1, 2) AND id = 1",
                "book=1:any",
            ),
            (
                "SELECT * FROM book WHERE id = 1 AND id IN (1, 2)",
                "book=1:any",
            ),
        ],
    );
}

#[test]
fn rows_prove_the_only_key_unless_they_may_come_without_one() {
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE id = 1 LIMIT 1", "book=1:any"),
            ("SELECT DISTINCT title FROM book WHERE id = 1", "book=1:any"),
            (
                "SELECT lower(title), price * 2 FROM book WHERE id = 1",
                "book=1:any",
            ),
            (
                "SELECT b.title FROM book b, author a WHERE b.id = 1",
                "author book=1:any",
            ),
            (
                "SELECT * FROM book WHERE id = 1 LIMIT 1 OFFSET 1",
                "book=1:never",
            ),
            ("SELECT count(*) FROM book WHERE id = 1", "book=1:never"),
            (
                "SELECT coalesce(max(price), 0) FROM book WHERE id = 1",
                "book=1:never",
            ),
            (
                "SELECT title FROM book WHERE id = 1 GROUP BY title",
                "book=1:never",
            ),
            (
                "SELECT 1 FROM book WHERE id = 1 HAVING 1 = 1",
                "book=1:never",
            ),
            (
                "SELECT title FROM book WHERE id = 1 ORDER BY count(*)",
                "book=1:never",
            ),
            // An aggregate of columns from outside belongs to the query outside.
            (
                "SELECT (SELECT max(book.price)) FROM book WHERE id = 1",
                "book=1:never",
            ),
            (
                "SELECT own_immutable(price) FROM book WHERE id = 1",
                "book=1:never",
            ),
            (
                "SELECT title FROM book WHERE id = 1 UNION SELECT 'x'",
                "book=1:never",
            ),
            ("(SELECT title FROM book WHERE id = 1)", "book=1:never"),
        ],
    );
    assert_reads(
        &[MySql, Sqlite],
        &[("SELECT * FROM book WHERE id = 1 LIMIT 1, 1", "book=1:never")],
    );
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT DISTINCT ON (price) title FROM book WHERE id = 1",
                "book=1:never",
            ),
            (
                "SELECT * FROM book WHERE id = 1 FETCH FIRST ROW ONLY",
                "book=1:any",
            ),
            ("SELECT * FROM book WHERE id = 1 OFFSET 1", "book=1:never"),
        ],
    );
}

#[test]
fn a_row_for_each_value_proves_all_only_if_the_table_is_alone() {
    assert_reads(
        ALL,
        &[
            (
                "SELECT id, b.title, 1 FROM book b WHERE id IN (1, 2) ORDER BY title",
                "book=1|2:each",
            ),
            (
                "SELECT id FROM book WHERE id IN (1, 2) LIMIT 2",
                "book=1|2:never",
            ),
            (
                "SELECT DISTINCT title FROM book WHERE id IN (1, 2)",
                "book=1|2:never",
            ),
            (
                "SELECT title FROM book WHERE id IN (1, 2) GROUP BY title",
                "book=1|2:never",
            ),
            (
                "SELECT b.id FROM book b, author a WHERE b.id IN (1, 2)",
                "author book=1|2:never",
            ),
            (
                "SELECT count(*) FROM book WHERE id IN (1, 2)",
                "book=1|2:never",
            ),
        ],
    );
    assert_reads(
        &[Postgres],
        &[
            // A function that gives a set multiplies rows, in either place.
            (
                "SELECT id, generate_series(1, 2) FROM book WHERE id IN (1, 2)",
                "book=1|2:never",
            ),
            (
                "SELECT id FROM book WHERE id IN (1, 2) ORDER BY generate_series(1, 2)",
                "book=1|2:never",
            ),
        ],
    );
}

#[test]
fn placeholders_are_numbered_as_the_driver_binds_them() {
    assert_reads(
        &[MySql],
        &[
            (
                "SELECT '?', \"?\", `a?` /* ? */ FROM book WHERE a = ? AND id = ? -- ?",
                "book=$2:any",
            ),
            ("SELECT * FROM book # ?\n WHERE id = ?", "book=$1:any"),
        ],
    );
    assert_reads(
        &[Sqlite],
        &[
            ("SELECT * FROM book WHERE a = ?2 AND id = ?", "book"),
            ("SELECT * FROM book WHERE a = :a AND id = ?", "book"),
            (
                "SELECT * FROM book WHERE a = :a AND b = :a AND id = ?",
                "book",
            ),
            ("SELECT * FROM book WHERE a = $1 AND id = $2", "book=$2:any"),
            // Bound by number, or by the order of appearance?
            ("SELECT * FROM book WHERE a = $2 AND id = $1", "book"),
            ("SELECT * FROM book WHERE id = :id", "book"),
            ("SELECT * FROM book WHERE id = @id", "book"),
        ],
    );
    assert_reads(
        ALL,
        &[
            ("SELECT * FROM book WHERE a=%s AND id=%s", "book=$2:any"),
            (
                "SELECT * FROM book WHERE a LIKE '%%x' AND b %% 2 = 1 AND id = %s",
                "book=$1:any",
            ),
            ("SELECT * FROM book WHERE id = %(id)s", "book"),
            ("SELECT * FROM book WHERE id IN %s", "book"),
            // The driver fills in these, too.
            ("SELECT * FROM book WHERE a = '%s' AND id = %s", "book"),
            ("SELECT * FROM book /* %s */ WHERE id = %s", "book"),
            (
                "SELECT * FROM book WHERE a LIKE '%%b%%' AND id = %s",
                "book=$1:any",
            ),
            ("SELECT * FROM book WHERE a LIKE '%%%b' AND id = %s", "book"),
            ("SELECT a %s FROM book WHERE id = %s", "book"),
        ],
    );
    assert_reads(
        &[MySql],
        &[(
            "SELECT * FROM book WHERE a LIKE BINARY %s AND id = %s",
            "book=$2:any",
        )],
    );
    assert_reads(
        &[Postgres],
        &[
            ("SELECT * FROM book WHERE id=$1", "book=$1:any"),
            ("SELECT * FROM book WHERE id = ?", "book=$1:any"),
            (
                "SELECT * FROM book WHERE data ? 'a' AND id = $2",
                "book=$2:any",
            ),
            ("SELECT * FROM book WHERE data ? 'a' AND id = ?", "book"),
            ("SELECT * FROM book WHERE a = $1 AND id = ?", "book"),
            ("SELECT * FROM book WHERE id = :id", "book"),
        ],
    );
}

#[test]
fn bare_and_numbered_placeholders_of_sqlite_do_not_mix() {
    // SQLite takes the second parameter for the bare one, sqlx the first.
    let sql = "UPDATE book SET title = ?1 WHERE id = ?";
    let analyzer = crate::Analyzer::new(crate::DatabaseId::new("x"), keyed_book());
    let statement = analyzer.analyze(sql);
    assert!(matches!(
        statement.writes[0].scope,
        crate::WriteScope::Broad
    ));
    let statement = analyzer.analyze("UPDATE book SET title = ?1 WHERE id = ?2");
    assert!(matches!(
        statement.writes[0].scope,
        crate::WriteScope::Keys { .. }
    ));
}

fn keyed_book() -> crate::Schema {
    let column = crate::KeyColumn {
        name: "id".into(),
        kind: crate::KeyKind::Integer,
    };
    let book = crate::Relation {
        key: Some(std::sync::Arc::new(column)),
        ..crate::Relation::table("book")
    };
    crate::Schema {
        relations: vec![book],
        ..crate::Schema::unknown(crate::Dialect::Sqlite)
    }
}
