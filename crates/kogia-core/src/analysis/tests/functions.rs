//! Which functions a query may call and still be kept, and what they do to the session.

use super::*;
use crate::analysis::{Effect, Wide};
use crate::value::{Parameter, Value};

#[test]
fn volatile_functions_are_refused() {
    assert_refused(
        ALL,
        &[
            ("SELECT CURRENT_TIMESTAMP FROM book", "Volatile"),
            ("SELECT current_date FROM book", "Volatile"),
            (
                "SELECT * FROM book WHERE x > (SELECT max(y) FROM author WHERE z < Current_Timestamp)",
                "Volatile",
            ),
        ],
    );
    assert_refused(
        &[Postgres],
        &[
            ("SELECT now() FROM book", "Volatile(\"now()\")"),
            ("SELECT pg_catalog.now() FROM book", "Volatile"),
            ("SELECT random() FROM book", "Random"),
            ("SELECT random(), now() FROM book", "Volatile"),
            ("SELECT now(), random() FROM book", "Volatile"),
            ("SELECT random()", "NoTable"),
            ("SELECT nextval('s') FROM book", "Volatile"),
            ("SELECT current_setting('x') FROM book", "Volatile"),
            ("SELECT LOCALTIME, LOCALTIMESTAMP FROM book", "Volatile"),
            ("SELECT CURRENT_TIMESTAMP(3) FROM book", "Volatile"),
            ("SELECT x FROM book ORDER BY gen_random_uuid()", "Volatile"),
            ("SELECT age(d) FROM book", "Volatile"),
            ("SELECT current_role FROM book", "Volatile"),
            ("SELECT user FROM book", "Volatile"),
            ("SELECT pg_advisory_lock(1) FROM book", "Locks"),
            ("SELECT pg_read_file('x') FROM book", "External"),
            ("SELECT version() FROM book", "SystemTable"),
        ],
    );
    assert_reads(
        &[Postgres],
        &[(
            "SELECT age(d, e), \"user\", \"current_date\" FROM book",
            "book",
        )],
    );
    assert_refused(
        &[MySql],
        &[
            ("SELECT NOW(6) FROM book", "Volatile"),
            ("SELECT UTC_DATE FROM book", "Volatile"),
            ("SELECT UUID() FROM book", "Volatile"),
            ("SELECT UNIX_TIMESTAMP() FROM book", "Volatile"),
            ("SELECT LOAD_FILE('x') FROM book", "External"),
            ("SELECT seq.nextval FROM book", "Volatile"),
            ("SELECT SQL_CALC_FOUND_ROWS * FROM book LIMIT 1", "Volatile"),
        ],
    );
    assert_reads(
        &[MySql],
        &[("SELECT UNIX_TIMESTAMP(d), user FROM book", "book")],
    );
    assert_refused(
        &[Sqlite],
        &[
            ("SELECT random() FROM book", "Random"),
            ("SELECT CURRENT_TIME FROM book", "Volatile"),
            ("SELECT last_insert_rowid() FROM book", "Volatile"),
        ],
    );
    assert_reads(&[Sqlite], &[("SELECT \"current_date\" FROM book", "book")]);
}

#[test]
fn date_functions_of_sqlite_are_pure_but_for_now() {
    assert_reads(
        &[Sqlite],
        &[
            (
                "SELECT date(d), datetime(d, '+1 day'), strftime('%Y', d), julianday('2020-01-01') FROM book",
                "book",
            ),
            (
                "SELECT date(datetime(d)), time(b.d), unixepoch(5), timediff(d, e) FROM book b",
                "book",
            ),
        ],
    );
    assert_refused(
        &[Sqlite],
        &[
            ("SELECT date('now') FROM book", "Volatile(\"date()\")"),
            ("SELECT datetime(' NOW ') FROM book", "Volatile"),
            ("SELECT datetime(\"now\") FROM book", "Volatile"),
            ("SELECT strftime('%s', 'now') FROM book", "Volatile"),
            ("SELECT strftime('%s') FROM book", "Volatile"),
            ("SELECT date() FROM book", "Volatile"),
            ("SELECT timediff(d, 'now') FROM book", "Volatile"),
            ("SELECT timediff(d) FROM book", "Volatile"),
            ("SELECT date(?) FROM book", "Volatile"),
            ("SELECT date('n' || 'ow') FROM book", "Volatile"),
            ("SELECT date(lower('NOW')) FROM book", "Volatile"),
            ("SELECT date((SELECT 'now')) FROM book", "Volatile"),
            ("SELECT datetime(d, 'localtime') FROM book", "Volatile"),
        ],
    );
}

#[test]
fn literals_that_postgres_may_take_for_the_present_are_refused() {
    assert_refused(
        &[Postgres],
        &[
            (
                "SELECT * FROM book WHERE d > 'now'::timestamp",
                "Volatile(\"'now'\")",
            ),
            ("SELECT * FROM book WHERE d > 'today'", "Volatile"),
            ("SELECT * FROM book WHERE d > DATE 'Tomorrow'", "Volatile"),
            (
                "SELECT * FROM book WHERE d > timestamp 'yesterday'",
                "Volatile",
            ),
            (
                "SELECT * FROM book WHERE d <@ '[now,)'::tstzrange",
                "Volatile",
            ),
            (
                "SELECT * FROM book WHERE d = CAST($$now$$ AS date)",
                "Volatile",
            ),
            ("SELECT * FROM book WHERE d = E'\\nnow'", "Volatile"),
            ("SELECT * FROM book WHERE d = E'\\x6eow'", "Volatile"),
            ("SELECT * FROM book WHERE d = U&'\\006eow'", "Volatile"),
            ("SELECT '10:00'::timetz FROM book", "Volatile"),
            ("SELECT TIME WITH TIME ZONE '10:00' FROM book", "Volatile"),
        ],
    );
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT * FROM book WHERE title = 'knowhow' AND d > '2020-01-01'::date",
                "book",
            ),
            (
                "SELECT interval '1 day', d AT TIME ZONE 'UTC', $1::timestamptz FROM book",
                "book",
            ),
        ],
    );
    assert_reads(
        &[MySql, Sqlite],
        &[("SELECT * FROM book WHERE d > 'now'", "book")],
    );
}

#[test]
fn parameters_that_postgres_may_take_for_the_present_are_refused() {
    let text = |text| [Parameter::untyped(Value::Text(text))];
    for dialect in Dialect::ALL {
        let refuses = |parameters: &[Parameter<'_>]| shop(dialect).refuses(parameters).is_some();
        assert_eq!(refuses(&text("now")), dialect == Postgres, "{dialect}");
        assert_eq!(refuses(&text("{Today 10:00}")), dialect == Postgres);
        assert!(!refuses(&text("knowhow")) && !refuses(&[]));
        let other = [Parameter::untyped(Value::Other(b"tomorrow"))];
        assert_eq!(refuses(&other), dialect == Postgres);
        assert!(!refuses(&[Parameter::untyped(Value::Bytes(b"now"))]));
    }
}

#[test]
fn casts_that_ask_the_catalog_are_refused() {
    assert_refused(
        &[Postgres],
        &[
            (
                "SELECT 'book'::regclass FROM book",
                "SystemTable(\"regclass\")",
            ),
            ("SELECT CAST(x AS regtype) FROM book", "SystemTable"),
            ("SELECT x::regproc[] FROM book", "SystemTable"),
        ],
    );
    assert_reads(
        &[Postgres],
        &[(
            "SELECT to_tsvector('english'::regconfig, title) FROM book",
            "book",
        )],
    );
}

#[test]
fn the_catalog_decides_about_own_functions() {
    assert_reads(ALL, &[("SELECT own_immutable(x) FROM book", "book")]);
    for &dialect in ALL {
        let stable = analyze(dialect, "SELECT own_stable(x) FROM book");
        assert_eq!(
            shown_why(&stable),
            "UnknownFunction(\"own_stable()\")",
            "{dialect}"
        );
        assert_eq!(stable.wide, Wide::Nothing, "{dialect}");
        for function in ["own_volatile", "never_heard_of"] {
            let volatile = analyze(dialect, &format!("SELECT {function}(x) FROM book"));
            assert_eq!(
                shown_why(&volatile),
                format!("UnknownFunction(\"{function}()\")")
            );
            assert_eq!(volatile.wide, Wide::Database, "{dialect}");
        }
    }
    assert_refused(
        &[Postgres],
        &[
            ("SELECT * FROM own_volatile(1), book", "UnknownFunction"),
            (
                "SELECT * FROM book, LATERAL own_volatile(1)",
                "UnknownFunction",
            ),
            // The same as own_volatile(book).
            ("SELECT book.own_volatile FROM book", "UnknownFunction"),
            ("SELECT (book).own_volatile FROM book", "UnknownFunction"),
            // A built-in name in another schema is another function.
            ("SELECT other.lower(x) FROM book", "UnknownFunction"),
            (
                "SELECT a OPERATOR(public.+) b FROM book",
                "UnknownFunction(\"operator public.+\")",
            ),
            ("SELECT a %=> b FROM book", "UnknownFunction"),
            ("SELECT a <==> b FROM book", "UnknownFunction"),
            ("SELECT x FROM book ORDER BY x USING %=>", "UnknownFunction"),
        ],
    );
    assert_reads(
        &[Postgres],
        &[
            (
                "SELECT book.own_immutable, a OPERATOR(pg_catalog.+) b FROM book ORDER BY x USING <",
                "book",
            ),
            (
                "SELECT a <-> b, a @> b, a ?| c, a #>> d, -a, @a, |/ a FROM book",
                "book",
            ),
        ],
    );
    assert_refused(
        &[MySql],
        &[("SELECT shop.lower(x) FROM book", "UnknownFunction")],
    );
}

#[test]
fn a_user_may_overload_a_built_in_function() {
    let mut schema = Schema::unknown(Postgres);
    schema.functions.insert(
        "lower".into(),
        Function {
            volatility: Volatility::Volatile,
            changes_session: false,
        },
    );
    let analyzer = Analyzer::new(DatabaseId::new("x"), schema);
    let statement = analyzer.analyze("SELECT lower(x) FROM book");
    assert_eq!(shown_why(&statement), "UnknownFunction(\"lower()\")");
}

#[test]
fn functions_that_change_the_session_taint_it() {
    let statement = analyze(Postgres, "SELECT set_config('search_path', 'x', false)");
    let sets =
        |effect: &Effect| matches!(effect, Effect::Set { name, .. } if &**name == "search_path");
    assert!(statement.effects.iter().any(sets));
    // In a query of a table it runs for each row, with any value.
    let statement = analyze(
        Postgres,
        "SELECT set_config('search_path', title, false) FROM book",
    );
    let taints =
        |effect: &Effect| matches!(effect, Effect::Taint { name, .. } if &**name == "search_path");
    assert!(statement.effects.iter().any(taints));
    assert!(!statement.is_cacheable());
}

#[test]
fn functions_of_users_may_change_the_session() {
    let mut schema = shop(Postgres).schema().clone();
    for (name, changes_session) in [("set_tenant", true), ("touch", false)] {
        let volatility = Volatility::Volatile;
        let function = Function {
            volatility,
            changes_session,
        };
        schema.functions.insert(name.into(), function);
    }
    let analyzer = Analyzer::new(DatabaseId::new("shop"), schema);
    let taints = |sql: &str| {
        let effects = &analyzer.analyze(sql).effects;
        let is_taint = |effect: &Effect| matches!(effect, Effect::Taint { .. });
        effects.iter().any(is_taint)
    };
    for sql in [
        "SELECT set_tenant('a')",
        "SELECT public.set_tenant('a')",
        "SELECT * FROM set_tenant('a')",
        "SELECT id FROM book WHERE set_tenant(title) = 1",
        "WITH t AS (SELECT set_tenant('a')) SELECT * FROM t",
        "UPDATE book SET title = set_tenant(title) WHERE id = 1",
        "SELECT pg_temp.anything()",
        "SELECT elsewhere.unknown()",
    ] {
        assert!(taints(sql), "{sql}");
    }
    for sql in [
        "SELECT touch(1)",
        "SELECT pg_catalog.pg_backend_pid()",
        "SELECT lower(title) FROM book",
    ] {
        assert!(!taints(sql), "{sql}");
    }
}
