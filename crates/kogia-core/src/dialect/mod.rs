//! What differs between the databases, as data: one file per database.

mod mysql;
mod postgres;
mod sqlite;

use crate::schema::KeyKind;

/// The SQL of one database family.
///
/// Complete: a new dialect is a new major version, because every rule of the analysis must be
/// answered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// PostgreSQL 12 and later.
    Postgres,
    /// MySQL 8 and MariaDB 10.6, and later.
    MySql,
    /// SQLite 3.35 and later.
    Sqlite,
}

impl Dialect {
    /// All dialects, for tests and tables.
    pub const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

    /// The lower-case name, as `kogia explain --dialect` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Postgres => "postgres",
            Dialect::MySql => "mysql",
            Dialect::Sqlite => "sqlite",
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Dialect {
    type Err = UnknownDialectError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" | "pg" => Ok(Dialect::Postgres),
            "mysql" | "mariadb" => Ok(Dialect::MySql),
            "sqlite" | "sqlite3" => Ok(Dialect::Sqlite),
            _ => Err(UnknownDialectError(name.to_owned())),
        }
    }
}

/// A name that is none of the dialects.
#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown dialect {0:?}, use postgres, mysql or sqlite")]
pub struct UnknownDialectError(String);

/// What calling a built-in function means for the result of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FunctionKind {
    /// The answer depends on the arguments, on the tables that the query reads and on settings
    /// that are part of the key.
    Pure,
    /// Another answer each time, or one that depends on the session; nothing is written.
    /// Sequences belong here: no entry depends on one.
    Volatile,
    /// It changes the state of the session.
    Session,
    /// It may write anything, or runs SQL text that the analysis does not see.
    Writes,
    /// It reads outside the tables: files, other servers, statistics.
    External,
    /// It takes, gives back or looks at an advisory lock.
    Locks,
    /// It tells about the server, the catalog or the storage, which change unseen.
    System,
    /// A date function of SQLite: pure, unless it has no argument, or one that
    /// [`means_the_clock`].
    SqliteTime,
}

/// What is known about a built-in function or one of a common extension, by its name in lower
/// case and without a schema; `None` if nothing is.
///
/// Names that are written without parentheses (`current_timestamp`) and constructs that a parser
/// may report as functions (`coalesce`, `array`, `exists`) are listed, too. Where overloads
/// differ, the worst wins: `age(x, y)` would be pure, `age(x)` is not.
///
/// On PostgreSQL and SQLite users can define functions of the same name. If the catalog lists
/// one, the caller takes the worse of both.
pub(crate) fn function_kind(dialect: Dialect, folded_name: &str) -> Option<FunctionKind> {
    let functions = match dialect {
        Dialect::Postgres => postgres::FUNCTIONS,
        Dialect::MySql => mysql::FUNCTIONS,
        Dialect::Sqlite => sqlite::FUNCTIONS,
    };
    functions
        .iter()
        .find(|(_, names)| contains(names, folded_name))
        .map(|(kind, _)| *kind)
}

/// Whether an operator of PostgreSQL is built in or of a common extension, and so depends on its
/// operands alone. Under the Python drivers a per cent sign in it is doubled.
pub(crate) fn is_known_operator(name: &str) -> bool {
    contains(postgres::OPERATORS, name) || contains(postgres::OPERATORS, &name.replace("%%", "%"))
}

/// Whether a text can mean the present, or depend on the process that reads it, where the
/// database turns it into a date or a time: `'now'`, `'today'`, `'[now,)'`; on SQLite also the
/// modifiers that consult the time zone of the machine.
///
/// PostgreSQL converts literals and parameters without a word in the SQL text
/// (`WHERE created < 'today'`), SQLite only in its date functions, MySQL never.
pub(crate) fn means_the_clock(dialect: Dialect, text: &str) -> bool {
    let words = match dialect {
        Dialect::Postgres => postgres::TIME_WORDS,
        Dialect::MySql => return false,
        Dialect::Sqlite => sqlite::TIME_WORDS,
    };
    text.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// What changing a setting means for the results of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Setting {
    /// It cannot change what a query returns, or only into an error.
    Harmless,
    /// It can, so that its value is part of the key.
    Key,
    /// Nothing is known about it, or the analysis would misread texts under it: it taints the
    /// session.
    Unknown,
    /// The isolation level of some transactions.
    Isolation,
    /// Whether statements commit at once.
    Autocommit,
    /// Whether transactions may write.
    ReadOnly,
}

/// What a setting (a pragma on SQLite) means, by its name in lower case, whatever its value.
///
/// `SET NAMES` has the name `names` on MySQL and `client_encoding` on PostgreSQL, `SET TIME ZONE`
/// is `timezone`, `SET SCHEMA` is `search_path`.
pub(crate) fn setting(dialect: Dialect, folded_name: &str) -> Setting {
    let (harmless, key) = match dialect {
        Dialect::Postgres => (postgres::HARMLESS, postgres::KEY),
        Dialect::MySql => (mysql::HARMLESS, mysql::KEY),
        Dialect::Sqlite => (sqlite::HARMLESS, sqlite::KEY),
    };
    if contains(harmless, folded_name) {
        return Setting::Harmless;
    }
    if contains(key, folded_name) {
        return Setting::Key;
    }
    match dialect {
        Dialect::Postgres => postgres::setting(folded_name),
        Dialect::MySql => mysql::setting(folded_name),
        Dialect::Sqlite => sqlite::setting(folded_name),
    }
}

/// What setting it to this value, as written, means: [`setting`], refined where the value
/// decides.
///
/// `standard_conforming_strings = on` is harmless because the analysis assumes it, `off` taints;
/// `sql_mode = 'ANSI_QUOTES'` taints although other modes are part of the key.
pub(crate) fn setting_to(dialect: Dialect, folded_name: &str, value: &str) -> Setting {
    let by_name = setting(dialect, folded_name);
    let value = value.trim().trim_matches(['\'', '"']).to_ascii_lowercase();
    match dialect {
        Dialect::Postgres => postgres::setting_to(folded_name, &value, by_name),
        Dialect::MySql => mysql::setting_to(folded_name, &value, by_name),
        Dialect::Sqlite => sqlite::setting_to(folded_name, &value, by_name),
    }
}

/// Whether a relation belongs to the database system, which changes it unseen: catalogs,
/// statistics, large objects. The names are folded.
pub(crate) fn is_system_relation(dialect: Dialect, schema: Option<&str>, name: &str) -> bool {
    match dialect {
        Dialect::Postgres => postgres::is_system_relation(schema, name),
        Dialect::MySql => mysql::is_system_relation(schema, name),
        Dialect::Sqlite => sqlite::is_system_relation(name),
    }
}

/// Whether a statement of MySQL that begins with these words, in upper case, commits the open
/// transaction before it runs. Six words are enough.
pub(crate) fn implicitly_commits(words: &[&str]) -> bool {
    mysql::implicitly_commits(words)
}

/// How the values of a key column compare, by the type as the catalog names it, its collation and
/// whether that collation is deterministic; `None` if they have no canonical form.
///
/// PostgreSQL: the type as `format_type` gives it. MySQL: `COLUMN_TYPE`, with its length. SQLite:
/// the declared type. The collation is `None` for the default of PostgreSQL and SQLite and for
/// types that have none.
pub fn key_kind(
    dialect: Dialect,
    type_name: &str,
    collation: Option<&str>,
    collation_deterministic: bool,
) -> Option<KeyKind> {
    let type_name = type_name.trim().to_ascii_lowercase();
    match dialect {
        Dialect::Postgres => postgres::key_kind(&type_name, collation_deterministic),
        Dialect::MySql => mysql::key_kind(&type_name, collation),
        Dialect::Sqlite => sqlite::key_kind(&type_name, collation),
    }
}

/// Whether a sorted table has the name.
fn contains(table: &[&str], name: &str) -> bool {
    table.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(dialect: Dialect) -> Vec<&'static [&'static str]> {
        let (functions, harmless, key) = match dialect {
            Dialect::Postgres => (postgres::FUNCTIONS, postgres::HARMLESS, postgres::KEY),
            Dialect::MySql => (mysql::FUNCTIONS, mysql::HARMLESS, mysql::KEY),
            Dialect::Sqlite => (sqlite::FUNCTIONS, sqlite::HARMLESS, sqlite::KEY),
        };
        functions
            .iter()
            .map(|(_, names)| *names)
            .chain([harmless, key])
            .collect()
    }

    #[test]
    fn tables_are_sorted_folded_and_without_duplicates() {
        let further = [
            mysql::SAFE_CHARSETS,
            mysql::UNDERSTOOD_MODES,
            postgres::GEOMETRY_VIEWS,
            postgres::OPERATORS,
        ];
        for table in Dialect::ALL.into_iter().flat_map(tables).chain(further) {
            assert!(!table.is_empty());
            for pair in table.windows(2) {
                assert!(
                    pair[0] < pair[1],
                    "{:?} stands before {:?}",
                    pair[0],
                    pair[1]
                );
            }
            for name in table {
                assert_eq!(*name, name.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn no_name_has_two_meanings() {
        for dialect in Dialect::ALL {
            let (settings, functions) = {
                let mut all = tables(dialect);
                (all.split_off(all.len() - 2), all)
            };
            for group in [functions, settings] {
                let mut names: Vec<_> = group.concat();
                let total = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), total, "{dialect}");
            }
        }
    }

    #[test]
    fn functions_have_their_kinds() {
        use Dialect::{MySql, Postgres, Sqlite};
        use FunctionKind::{External, Locks, Pure, Session, SqliteTime, System, Volatile, Writes};
        let cases = [
            (Postgres, "lower", Some(Pure)),
            (Postgres, "count", Some(Pure)),
            (Postgres, "row_number", Some(Pure)),
            (Postgres, "coalesce", Some(Pure)),
            (Postgres, "jsonb_build_object", Some(Pure)),
            (Postgres, "date_trunc", Some(Pure)),
            (Postgres, "to_tsvector", Some(Pure)),
            (Postgres, "generate_series", Some(Pure)),
            (Postgres, "starts_with", Some(Pure)),
            (Postgres, "jsonb_exists", Some(Pure)),
            (Postgres, "st_dwithin", Some(Pure)),
            (Postgres, "unaccent", Some(Pure)),
            (Postgres, "now", Some(Volatile)),
            (Postgres, "current_timestamp", Some(Volatile)),
            (Postgres, "current_user", Some(Volatile)),
            (Postgres, "nextval", Some(Volatile)),
            (Postgres, "current_setting", Some(Volatile)),
            (Postgres, "age", Some(Volatile)),
            (Postgres, "gen_random_uuid", Some(Volatile)),
            (Postgres, "st_generatepoints", Some(Volatile)),
            (Postgres, "set_config", Some(Session)),
            (Postgres, "query_to_xml", Some(Writes)),
            (Postgres, "ts_stat", Some(Writes)),
            (Postgres, "crosstab", Some(Writes)),
            (Postgres, "dblink", Some(Writes)),
            (Postgres, "lo_unlink", Some(Writes)),
            (Postgres, "pg_read_file", Some(External)),
            (Postgres, "pg_stat_get_live_tuples", Some(External)),
            (Postgres, "pg_try_advisory_xact_lock", Some(Locks)),
            (Postgres, "pg_total_relation_size", Some(System)),
            (Postgres, "to_regclass", Some(System)),
            (Postgres, "has_table_privilege", Some(System)),
            (Postgres, "version", Some(System)),
            (Postgres, "tally_up", None),
            (MySql, "ifnull", Some(Pure)),
            (MySql, "group_concat", Some(Pure)),
            (MySql, "date_format", Some(Pure)),
            (MySql, "json_unquote", Some(Pure)),
            (MySql, "st_distance_sphere", Some(Pure)),
            (MySql, "unix_timestamp", Some(Volatile)),
            (MySql, "uuid", Some(Volatile)),
            (MySql, "last_insert_id", Some(Volatile)),
            (MySql, "default", Some(Volatile)),
            (MySql, "load_file", Some(External)),
            (MySql, "get_lock", Some(Locks)),
            (MySql, "database", Some(System)),
            (MySql, "sys_exec", Some(Writes)),
            (MySql, "tally_up", None),
            (Sqlite, "json_each", Some(Pure)),
            (Sqlite, "django_datetime_trunc", Some(Pure)),
            (Sqlite, "stddev_pop", Some(Pure)),
            (Sqlite, "iif", Some(Pure)),
            (Sqlite, "asewkb", Some(Pure)),
            (Sqlite, "transform", Some(External)),
            (Sqlite, "addgeometrycolumn", None),
            (Sqlite, "strftime", Some(SqliteTime)),
            (Sqlite, "unixepoch", Some(SqliteTime)),
            (Sqlite, "random", Some(Volatile)),
            (Sqlite, "rand", Some(Volatile)),
            (Sqlite, "changes", Some(Volatile)),
            (Sqlite, "load_extension", Some(Session)),
            (Sqlite, "readfile", Some(External)),
            (Sqlite, "optimize", Some(Writes)),
            (Sqlite, "sqlite_version", Some(System)),
            (Sqlite, "tally_up", None),
        ];
        for (dialect, name, kind) in cases {
            assert_eq!(function_kind(dialect, name), kind, "{dialect} {name}");
        }
    }

    #[test]
    fn known_operators() {
        for name in ["-|-", "<->", "<<->", "%>", "%%>", "@>", "<=>"] {
            assert!(is_known_operator(name), "{name}");
        }
        for name in ["===", "<<<<", "", "%s"] {
            assert!(!is_known_operator(name), "{name}");
        }
    }

    #[test]
    fn no_clock_or_random_source_is_pure() {
        let clocks = [
            "now",
            "random",
            "rand",
            "uuid",
            "sysdate",
            "curdate",
            "clock_timestamp",
        ];
        for dialect in Dialect::ALL {
            for name in clocks
                .into_iter()
                .chain(["current_date", "current_time", "sleep"])
            {
                if (dialect, name) == (Dialect::Postgres, "uuid") {
                    continue; // A cast written as a function.
                }
                assert_ne!(
                    function_kind(dialect, name),
                    Some(FunctionKind::Pure),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn words_that_mean_the_clock() {
        for text in [
            "now",
            " Today ",
            "tomorrow 10:00",
            "[now,)",
            "{yesterday,2020-01-01}",
        ] {
            assert!(means_the_clock(Dialect::Postgres, text), "{text}");
            assert!(!means_the_clock(Dialect::MySql, text), "{text}");
        }
        for text in [
            "knowhow",
            "2024-01-01",
            "",
            "localtime",
            "epoch",
            "infinity",
        ] {
            assert!(!means_the_clock(Dialect::Postgres, text), "{text}");
        }
        for text in ["now", "NOW", "localtime", "utc", "subsec"] {
            assert!(means_the_clock(Dialect::Sqlite, text), "{text}");
        }
        for text in [
            "2024-01-01",
            "+1 day",
            "start of month",
            "unixepoch",
            "today",
        ] {
            assert!(!means_the_clock(Dialect::Sqlite, text), "{text}");
        }
    }

    #[test]
    fn settings_have_their_kinds() {
        use Dialect::{MySql, Postgres, Sqlite};
        let cases = [
            (Postgres, "application_name", Setting::Harmless),
            (Postgres, "statement_timeout", Setting::Harmless),
            (Postgres, "enable_seqscan", Setting::Harmless),
            (Postgres, "search_path", Setting::Key),
            (Postgres, "timezone", Setting::Key),
            (Postgres, "row_security", Setting::Key),
            (Postgres, "app.tenant", Setting::Key),
            (Postgres, "pg_trgm.similarity_threshold", Setting::Key),
            (Postgres, "session_replication_role", Setting::Key),
            (
                Postgres,
                "default_transaction_isolation",
                Setting::Isolation,
            ),
            (Postgres, "transaction_read_only", Setting::ReadOnly),
            (Postgres, "standard_conforming_strings", Setting::Unknown),
            (Postgres, "gin_fuzzy_search_limit", Setting::Unknown),
            (Postgres, "session_preload_libraries", Setting::Unknown),
            (MySql, "wait_timeout", Setting::Harmless),
            (MySql, "foreign_key_checks", Setting::Harmless),
            (MySql, "sql_mode", Setting::Key),
            (MySql, "group_concat_max_len", Setting::Key),
            (MySql, "time_zone", Setting::Key),
            (MySql, "sql_select_limit", Setting::Key),
            (MySql, "autocommit", Setting::Autocommit),
            (MySql, "tx_isolation", Setting::Isolation),
            (MySql, "transaction_read_only", Setting::ReadOnly),
            (MySql, "sql_auto_is_null", Setting::Unknown),
            (MySql, "completion_type", Setting::Unknown),
            (MySql, "hot.key_buffer_size", Setting::Unknown),
            (Sqlite, "journal_mode", Setting::Harmless),
            (Sqlite, "foreign_keys", Setting::Harmless),
            (Sqlite, "table_info", Setting::Harmless),
            (Sqlite, "case_sensitive_like", Setting::Key),
            (Sqlite, "query_only", Setting::ReadOnly),
            (Sqlite, "read_uncommitted", Setting::Unknown),
            (Sqlite, "writable_schema", Setting::Unknown),
            (Sqlite, "schema_version", Setting::Unknown),
        ];
        for (dialect, name, kind) in cases {
            assert_eq!(setting(dialect, name), kind, "{dialect} {name}");
        }
    }

    #[test]
    fn values_refine_settings() {
        use Dialect::{MySql, Postgres, Sqlite};
        let cases = [
            (
                Postgres,
                "standard_conforming_strings",
                "on",
                Setting::Harmless,
            ),
            (
                Postgres,
                "standard_conforming_strings",
                "off",
                Setting::Unknown,
            ),
            (Postgres, "client_encoding", "'UTF8'", Setting::Key),
            (Postgres, "client_encoding", "SJIS", Setting::Unknown),
            (Postgres, "search_path", "tenant7", Setting::Key),
            (Postgres, "work_mem", "'4MB'", Setting::Harmless),
            (MySql, "sql_mode", "'STRICT_TRANS_TABLES'", Setting::Key),
            (
                MySql,
                "sql_mode",
                "'ANSI_QUOTES,STRICT_TRANS_TABLES'",
                Setting::Unknown,
            ),
            (MySql, "names", "utf8mb4", Setting::Key),
            (
                MySql,
                "names",
                "'utf8mb4' COLLATE 'utf8mb4_bin'",
                Setting::Key,
            ),
            (MySql, "names", "gbk", Setting::Unknown),
            (MySql, "sql_auto_is_null", "0", Setting::Harmless),
            (MySql, "sql_auto_is_null", "1", Setting::Unknown),
            (MySql, "completion_type", "'NO_CHAIN'", Setting::Harmless),
            (MySql, "completion_type", "CHAIN", Setting::Unknown),
            (Sqlite, "read_uncommitted", "0", Setting::Harmless),
            (Sqlite, "read_uncommitted", "true", Setting::Unknown),
            (Sqlite, "cache_size", "-2000", Setting::Harmless),
        ];
        for (dialect, name, value, kind) in cases {
            assert_eq!(
                setting_to(dialect, name, value),
                kind,
                "{dialect} {name} = {value}"
            );
        }
    }

    #[test]
    fn sql_modes_that_change_how_texts_read_are_not_understood() {
        for mode in [
            "",
            "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
            "traditional",
            "(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION'))",
        ] {
            assert!(mysql::sql_mode_is_understood(mode), "{mode}");
        }
        for mode in [
            "ANSI",
            "ansi_quotes",
            "NO_BACKSLASH_ESCAPES",
            "ORACLE",
            "4",
            "NEWEST_MODE",
        ] {
            assert!(!mysql::sql_mode_is_understood(mode), "{mode}");
        }
    }

    #[test]
    fn system_relations() {
        use Dialect::{MySql, Postgres, Sqlite};
        let cases = [
            (Postgres, None, "pg_class", true),
            (Postgres, Some("pg_catalog"), "pg_class", true),
            (Postgres, Some("information_schema"), "tables", true),
            (Postgres, Some("public"), "pg_stat_statements", true),
            (Postgres, Some("public"), "book", false),
            (Postgres, None, "tables", false),
            (Postgres, Some("pg_temp"), "book", false),
            (MySql, Some("INFORMATION_SCHEMA"), "tables", true),
            (MySql, Some("mysql"), "user", true),
            (MySql, Some("shop"), "user", false),
            (MySql, None, "user", false),
            (Sqlite, None, "sqlite_master", true),
            (Sqlite, Some("main"), "sqlite_sequence", true),
            (Sqlite, None, "pragma_table_info", true),
            (Sqlite, None, "dbstat", true),
            (Sqlite, None, "book", false),
        ];
        for (dialect, schema, name, expected) in cases {
            assert_eq!(
                is_system_relation(dialect, schema, name),
                expected,
                "{dialect} {name}"
            );
        }
    }

    #[test]
    fn statements_that_commit_implicitly() {
        for text in [
            "CREATE TABLE BOOK",
            "CREATE OR REPLACE VIEW V",
            "DROP TABLE IF EXISTS BOOK",
            "ANALYZE TABLE BOOK",
            "ANALYZE NO_WRITE_TO_BINLOG TABLE BOOK",
            "OPTIMIZE LOCAL TABLE BOOK",
            "SET PASSWORD = X",
            "LOCK TABLES BOOK READ",
            "START TRANSACTION",
            "BEGIN",
            "TRUNCATE BOOK",
        ] {
            let words: Vec<_> = text.split(' ').collect();
            assert!(implicitly_commits(&words), "{text}");
        }
        for text in [
            "CREATE TEMPORARY TABLE T",
            "CREATE OR REPLACE TEMPORARY TABLE T",
            "DROP TEMPORARY TABLE T",
            "DROP PREPARE S",
            "ANALYZE SELECT 1",
            "CHECKSUM TABLE BOOK",
            "UNLOCK TABLES",
            "SET NAMES UTF8MB4",
            "START SLAVE",
            "BEGIN NOT ATOMIC",
            "INSERT INTO BOOK",
            "",
        ] {
            let words: Vec<_> = text.split(' ').collect();
            assert!(!implicitly_commits(&words), "{text}");
        }
        assert!(mysql::IMPLICIT_COMMIT.is_sorted());
    }

    #[test]
    fn key_kinds() {
        use Dialect::{MySql, Postgres, Sqlite};
        use KeyKind::{
            BoundedBytes, BoundedText, Bytes, FixedBytes, Integer, PaddedText, Text, Uuid,
        };
        let bounded = |min, max| Some(KeyKind::BoundedInteger { min, max });
        let cases = [
            (Postgres, "bigint", None, Some(Integer)),
            (Postgres, "int4", None, Some(Integer)),
            (Postgres, "uuid", None, Some(Uuid)),
            (Postgres, "bytea", None, Some(Bytes)),
            (Postgres, "text", None, Some(Text)),
            (Postgres, "character varying", None, Some(Text)),
            (
                Postgres,
                "character varying(20)",
                Some("C"),
                Some(PaddedText),
            ),
            (Postgres, "character(3)", None, None),
            (Postgres, "citext", None, None),
            (Postgres, "numeric", None, None),
            (Postgres, "name", None, None),
            (Postgres, "oid", None, None),
            (MySql, "bigint(20) unsigned", None, bounded(0, u64::MAX)),
            (
                MySql,
                "bigint",
                None,
                bounded(i64::MIN, i64::MAX.unsigned_abs()),
            ),
            (MySql, "int", None, bounded(-2_147_483_648, 2_147_483_647)),
            (
                MySql,
                "int(10) unsigned zerofill",
                None,
                bounded(0, 4_294_967_295),
            ),
            (MySql, "mediumint(9)", None, bounded(-8_388_608, 8_388_607)),
            (MySql, "smallint unsigned", None, bounded(0, 65_535)),
            (MySql, "tinyint(4)", None, bounded(-128, 127)),
            (MySql, "uuid", None, Some(Uuid)),
            (MySql, "varbinary(16)", None, Some(BoundedBytes(16))),
            (MySql, "varbinary", None, None),
            (MySql, "binary(16)", None, Some(FixedBytes(16))),
            (
                MySql,
                "varchar(20)",
                Some("utf8mb4_bin"),
                Some(BoundedText(20)),
            ),
            (MySql, "varchar(20)", Some("swe7_bin"), None),
            (
                MySql,
                "varchar(20)",
                Some("utf8mb4_0900_bin"),
                Some(BoundedText(20)),
            ),
            (MySql, "char(32)", Some("ascii_bin"), Some(BoundedText(32))),
            (MySql, "varchar(20)", Some("utf8mb4_general_ci"), None),
            (MySql, "varchar(20)", Some("utf8mb4_0900_as_cs"), None),
            (MySql, "varchar(20)", None, None),
            (MySql, "text", Some("utf8mb4_bin"), None),
            (MySql, "decimal(10,0)", None, None),
            (MySql, "interval", None, None),
            (Sqlite, "INTEGER", None, Some(Integer)),
            (Sqlite, "unsigned big int", None, Some(Integer)),
            (Sqlite, "varchar(20)", None, Some(Text)),
            (Sqlite, "TEXT", Some("binary"), Some(Text)),
            (Sqlite, "TEXT", Some("NOCASE"), None),
            (Sqlite, "TEXT", Some("RTRIM"), None),
            (Sqlite, "BLOB", None, Some(Bytes)),
            (Sqlite, "uuid", None, None),
            (Sqlite, "NUMERIC", None, None),
            (Sqlite, "REAL", None, None),
            (Sqlite, "", None, None),
        ];
        for (dialect, type_name, collation, kind) in cases {
            assert_eq!(
                key_kind(dialect, type_name, collation, true),
                kind,
                "{dialect} {type_name}"
            );
        }
        for text in ["text", "character varying(20)"] {
            assert_eq!(key_kind(Dialect::Postgres, text, Some("ci"), false), None);
        }
    }
}
