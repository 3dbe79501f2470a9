//! What statements that change the session are found to do.

use crate::analysis::{Analyzer, Effect, Isolation, IsolationScope, Wide};
use crate::dialect::Dialect;
use crate::schema::Schema;
use crate::tag::DatabaseId;

use Dialect::{MySql, Postgres, Sqlite};

/// The effects in short, and what becomes stale beside tables.
fn shown(dialect: Dialect, sql: &str) -> String {
    let schema = Schema::unknown(dialect);
    let statement = Analyzer::new(DatabaseId::new("test"), schema).analyze(sql);
    let mut shown: Vec<String> = statement.effects.iter().map(effect).collect();
    if statement.wide != Wide::Nothing {
        shown.push(format!("{:?}", statement.wide));
    }
    shown.join(" ")
}

fn effect(effect: &Effect) -> String {
    let local = |local: &bool| if *local { " local" } else { "" };
    match effect {
        Effect::Set {
            name,
            value,
            local: is,
        } => {
            let value = value.as_deref().unwrap_or("default");
            format!("[{name}={value}{}]", local(is))
        }
        Effect::Extend { name, value } => format!("[{name}+{value}]"),
        Effect::Taint { name, local: is } => format!("taint[{name}{}]", local(is)),
        Effect::Untaint(name) => format!("untaint[{name}]"),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn assert_shown(dialect: Dialect, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(shown(dialect, sql), *expected, "{dialect}: {sql}");
    }
}

#[test]
fn a_value_that_the_text_does_not_show_taints() {
    assert_shown(
        MySql,
        &[
            ("SET time_zone = @zone", "taint[time_zone]"),
            ("SET time_zone = (SELECT '+00:00')", "taint[time_zone]"),
            ("SET time_zone = CONCAT('+00', ':00')", "taint[time_zone]"),
            ("SET @x = (SELECT 1)", ""),
            ("SET @@wait_timeout = 5 + 5", ""),
            ("SET sql_mode = (SELECT @x)", "OpaqueWrites taint[sql_mode]"),
            (
                "SET sql_mode = CONCAT(@@sql_mode, @x)",
                "OpaqueWrites taint[sql_mode]",
            ),
            (
                "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
                "OpaqueWrites taint[sql_mode]",
            ),
            // The last mode would get another name.
            (
                "SET sql_mode = CONCAT(@@sql_mode, 'STRICT_ALL_TABLES')",
                "OpaqueWrites taint[sql_mode]",
            ),
            (
                "SET sql_mode = CONCAT(@@global.sql_mode, ',STRICT_ALL_TABLES')",
                "OpaqueWrites taint[sql_mode]",
            ),
        ],
    );
    assert_shown(
        Postgres,
        &[(
            "SELECT set_config('TimeZone', $1, false)",
            "taint[timezone]",
        )],
    );
}

#[test]
fn a_mode_that_is_added_is_part_of_the_key() {
    let longer = "untaint[time_zone] [time_zone='+00:00']";
    let names = "untaint[character_set_client] [character_set_client=utf8mb4] \
                 untaint[character_set_results] [character_set_results=utf8mb4] \
                 untaint[character_set_connection] [character_set_connection=utf8mb4] \
                 [collation_connection=of utf8mb4] \
                 untaint[collation_connection] [collation_connection=utf8mb4_unicode_ci] \
                 [character_set_connection=of utf8mb4_unicode_ci]";
    // What sqlx sends at every connection.
    let connect = "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),\
                   time_zone='+00:00',NAMES utf8mb4 COLLATE utf8mb4_unicode_ci;";
    let shown_connect =
        format!("[sql_mode+,PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION] {longer} {names}");
    assert_shown(
        MySql,
        &[
            (connect, &shown_connect),
            (
                "SET @@SESSION.sql_mode = CONCAT(@@session.sql_mode, ',STRICT_ALL_TABLES')",
                "[sql_mode+,STRICT_ALL_TABLES]",
            ),
            // The second is computed before the first is set.
            (
                "SET sql_mode = '', sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
                "untaint[sql_mode] [sql_mode=''] OpaqueWrites taint[sql_mode]",
            ),
        ],
    );
}

#[test]
fn the_default_of_mysql_is_the_servers_and_not_the_sessions() {
    assert_shown(
        MySql,
        &[
            ("SET time_zone = DEFAULT", "taint[time_zone]"),
            ("SET sql_mode = DEFAULT", "OpaqueWrites taint[sql_mode]"),
            ("SET wait_timeout = DEFAULT", ""),
        ],
    );
    assert_shown(
        Postgres,
        &[(
            "SET TimeZone TO DEFAULT",
            "untaint[timezone] [timezone=default]",
        )],
    );
}

#[test]
fn the_time_zone_of_postgres_is_part_of_the_key() {
    assert_shown(
        Postgres,
        &[
            // Django's.
            (
                "SELECT set_config('TimeZone', 'Europe/Berlin', false)",
                "untaint[timezone] [timezone='Europe/Berlin']",
            ),
            (
                "SELECT set_config('TimeZone', 'Europe/Berlin', true)",
                "[timezone='Europe/Berlin' local]",
            ),
            ("SET TIME ZONE 'UTC'", "untaint[timezone] [timezone='UTC']"),
            (
                "SET TIME ZONE LOCAL",
                "untaint[timezone] [timezone=default]",
            ),
            ("SET LOCAL TIME ZONE 'UTC'", "[timezone='UTC' local]"),
            ("SET LOCAL TimeZone = 'UTC'", "[timezone='UTC' local]"),
            (
                "SET SESSION timezone TO 'UTC'",
                "untaint[timezone] [timezone='UTC']",
            ),
            ("RESET TimeZone", "untaint[timezone] [timezone=default]"),
            ("RESET TIME ZONE", "untaint[timezone] [timezone=default]"),
            ("RESET ALL", "ResetAll { discard: false }"),
            ("DISCARD ALL", "ResetAll { discard: true }"),
            ("DISCARD PLANS", ""),
        ],
    );
}

#[test]
fn settings_of_one_statement() {
    let unknown = "MayCommit taint[unknown statement] Everything";
    assert_shown(
        MySql,
        &[
            ("SET STATEMENT max_statement_time = 1 FOR SELECT 1", ""),
            (
                "SET STATEMENT max_statement_time = 1 FOR COMMIT",
                "Commit { chain: false }",
            ),
            (
                "SET STATEMENT sql_mode = 'NO_BACKSLASH_ESCAPES' FOR UPDATE book SET v = 1",
                unknown,
            ),
            ("SET STATEMENT completion_type = CHAIN FOR COMMIT", unknown),
        ],
    );
}

#[test]
fn levels_of_isolation() {
    let set = |scope, level| format!("{:?}", Effect::SetIsolation { scope, level });
    let session = |level| set(IsolationScope::Session, level);
    let next = |level| set(IsolationScope::Next, level);
    assert_shown(
        MySql,
        &[
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                &session(Isolation::ReadCommitted),
            ),
            (
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                &next(Isolation::Serializable),
            ),
            (
                "SET transaction_isolation = 'READ-COMMITTED'",
                &session(Isolation::ReadCommitted),
            ),
            (
                "SET @@transaction_isolation = 'READ-COMMITTED'",
                &next(Isolation::ReadCommitted),
            ),
            (
                "SET @@session.tx_isolation = 'READ-UNCOMMITTED'",
                &session(Isolation::ReadUncommitted),
            ),
            (
                "SET transaction_isolation = @level",
                &session(Isolation::ReadUncommitted),
            ),
        ],
    );
    assert_shown(
        Postgres,
        &[
            (
                "SET default_transaction_isolation TO 'repeatable read'",
                &session(Isolation::RepeatableRead),
            ),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                &session(Isolation::Serializable),
            ),
            (
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                &set(IsolationScope::Current, Isolation::RepeatableRead),
            ),
            (
                "SET transaction_isolation = 'serializable'",
                &set(IsolationScope::Current, Isolation::Serializable),
            ),
        ],
    );
    assert_shown(
        Sqlite,
        &[
            ("PRAGMA read_uncommitted = 1", "taint[read_uncommitted]"),
            ("PRAGMA read_uncommitted = on", "taint[read_uncommitted]"),
            ("PRAGMA main.read_uncommitted(1)", "taint[read_uncommitted]"),
            ("PRAGMA read_uncommitted = 0", "untaint[read_uncommitted]"),
            ("PRAGMA read_uncommitted", ""),
        ],
    );
}

#[test]
fn autocommit_and_what_commit_does() {
    assert_shown(
        MySql,
        &[
            ("SET autocommit = 0", "Autocommit(false)"),
            ("SET autocommit = ON", "Autocommit(true)"),
            ("SET @@autocommit := 0", "Autocommit(false)"),
            ("SET @@session.autocommit = 1", "Autocommit(true)"),
            ("SET autocommit = @x", "MayCommit taint[autocommit]"),
            ("SET autocommit = DEFAULT", "MayCommit taint[autocommit]"),
            ("SET completion_type = CHAIN", "taint[completion_type]"),
            ("SET completion_type = 'RELEASE'", "taint[completion_type]"),
            ("SET completion_type = 2", "taint[completion_type]"),
            ("SET completion_type = NO_CHAIN", "untaint[completion_type]"),
        ],
    );
}

#[test]
fn a_snapshot_that_begins_with_its_transaction_never_uses_the_cache() {
    for sql in [
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        "start transaction read only, with consistent snapshot",
    ] {
        let shown = shown(MySql, sql);
        assert!(
            shown.contains("Begin { isolation: Some(ReadUncommitted) }"),
            "{shown}"
        );
    }
}
