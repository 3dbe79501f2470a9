//! Every statement of the corpus is understood, and classified as the corpus says.
//!
//! The corpus is what Django, SeaORM, Diesel and sqlx send; each block of a file begins with the
//! statement's name and the expectations (see `corpus/generate_django.py`).

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::collections::BTreeSet;
use std::fmt::Write;

use kogia_core::{Analyzer, DatabaseId, Dialect, Schema, Statement, Uncacheable};

/// One statement and what is expected of it.
#[derive(Debug, Default)]
struct Case<'a> {
    name: &'a str,
    sql: &'a str,
    reads: Option<BTreeSet<&'a str>>,
    writes: Option<BTreeSet<&'a str>>,
    cacheable: Option<bool>,
    schema: bool,
    database: bool,
    session: bool,
}

impl<'a> Case<'a> {
    fn parse(block: &'a str) -> Self {
        let mut case = Case::default();
        let mut rest = block.trim_start_matches('\n');
        while let Some(line) = rest.strip_prefix("-- ") {
            let (line, after) = line.split_once('\n').expect("a statement follows");
            rest = after;
            match line.split_once(": ") {
                _ if case.name.is_empty() => case.name = line,
                Some(("reads", tables)) => case.reads = Some(names(tables)),
                Some(("writes", tables)) => case.writes = Some(names(tables)),
                _ => match line {
                    "cacheable" => case.cacheable = Some(true),
                    "uncacheable" => case.cacheable = Some(false),
                    "schema" => case.schema = true,
                    "database" => case.database = true,
                    "session" => case.session = true,
                    other => panic!("{}: what is {other:?}?", case.name),
                },
            }
        }
        case.sql = rest.trim_end_matches('\n');
        assert!(!case.sql.is_empty(), "{} has no statement", case.name);
        case
    }

    /// What is wrong with the analysis, or nothing.
    fn check(&self, statement: &Statement) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |right: bool, what: String| {
            if !right {
                wrong.push(what);
            }
        };
        if let Some(Uncacheable::Opaque(why)) = &statement.uncacheable {
            expect(false, format!("is opaque: {why}"));
        }
        let reads: BTreeSet<_> = statement.reads.iter().map(|read| &*read.table).collect();
        let writes: BTreeSet<_> = statement.writes.iter().map(|write| &*write.table).collect();
        if let Some(expected) = &self.reads {
            expect(
                reads == *expected,
                format!("reads {reads:?}, not {expected:?}"),
            );
        }
        if let Some(expected) = &self.writes {
            expect(
                writes == *expected,
                format!("writes {writes:?}, not {expected:?}"),
            );
        }
        if let Some(expected) = self.cacheable {
            let why = &statement.uncacheable;
            expect(
                statement.is_cacheable() == expected,
                format!("cacheable? {why:?}"),
            );
        }
        let wide = statement.wide;
        // A new schema makes every entry stale, so that the database's own epoch adds nothing.
        let as_expected = match self.schema {
            true => wide.schema(),
            false => !wide.schema() && wide.database() == self.database,
        };
        expect(as_expected, format!("wide is {wide:?}"));
        if self.schema {
            expect(
                !statement.is_cacheable(),
                "a change of the schema is cacheable".to_owned(),
            );
        }
        if self.session {
            expect(writes.is_empty(), format!("writes {writes:?}"));
            expect(
                !statement.is_cacheable(),
                "a change of the session is cacheable".to_owned(),
            );
        }
        wrong
    }
}

fn names(list: &str) -> BTreeSet<&str> {
    list.split(", ").filter(|name| *name != "-").collect()
}

fn check(dialect: Dialect, corpus: &str, at_least: usize) {
    let mut schema = Schema::unknown(dialect);
    schema.database = match dialect {
        Dialect::Postgres => None,
        Dialect::MySql => Some("shop".into()),
        Dialect::Sqlite => Some("main".into()),
    };
    let analyzer = Analyzer::new(DatabaseId::new("corpus"), schema);
    // The first line says where the file comes from.
    let cases: Vec<_> = corpus.split("\n-- ;\n").skip(1).map(Case::parse).collect();
    assert!(cases.len() >= at_least, "{} statements", cases.len());
    let mut report = String::new();
    let mut failures = 0;
    for case in cases {
        for wrong in case.check(&analyzer.analyze(case.sql)) {
            failures += 1;
            let _ = writeln!(report, "{}: {wrong}\n    {}", case.name, case.sql.trim());
        }
    }
    assert!(
        failures == 0,
        "{failures} expectations fail on {dialect}:\n{report}"
    );
}

macro_rules! corpus {
    ($($test:ident: $dialect:ident, $file:literal, $at_least:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check(Dialect::$dialect, include_str!(concat!("corpus/", $file)), $at_least);
            }
        )*
    };
}

corpus! {
    django_on_postgres: Postgres, "django.postgres.sql", 500;
    django_on_mysql: MySql, "django.mysql.sql", 500;
    django_on_sqlite: Sqlite, "django.sqlite.sql", 500;
    seaorm_on_postgres: Postgres, "seaorm.postgres.sql", 100;
    seaorm_on_mysql: MySql, "seaorm.mysql.sql", 100;
    seaorm_on_sqlite: Sqlite, "seaorm.sqlite.sql", 100;
    diesel_on_postgres: Postgres, "diesel.postgres.sql", 80;
    diesel_on_mysql: MySql, "diesel.mysql.sql", 80;
    diesel_on_sqlite: Sqlite, "diesel.sqlite.sql", 80;
    sqlx_on_postgres: Postgres, "sqlx.postgres.sql", 90;
    sqlx_on_mysql: MySql, "sqlx.mysql.sql", 90;
    sqlx_on_sqlite: Sqlite, "sqlx.sqlite.sql", 90;
}
