//! The cases, through the engine.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::path::Path;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::case::{Case, parse};
use kogia_conformance::connection::Server;
use kogia_conformance::run::{Difference, Outcomes};
use kogia_conformance::servers::{run_case, server_url};
use kogia_conformance::sqlite::{Lab, Through};
use kogia_conformance::value::Row;
use kogia_sqlx::Driver;
use sqlx::{FromRow, IntoArguments};

/// The cases of all files that are for a dialect.
fn cases(dialect: Dialect) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        match parse(&text, dialect) {
            Ok(found) => cases.extend(found),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    cases
}

/// Runs all cases and says of each that fails why.
fn check(dialect: Dialect, run: impl Fn(&Case) -> Result<Outcomes, Difference>) {
    let cases = cases(dialect);
    let mut failures = Vec::new();
    for case in &cases {
        if let Err(difference) = run(case) {
            let step = case.steps.get(difference.step);
            let step = step.map_or_else(String::new, ToString::to_string);
            failures.push(format!("== {}\n{step}\n{difference}\n", case.title));
        }
    }
    assert!(cases.len() > 90, "the cases are not there");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs all cases of a server.
fn check_server<S>(dialect: Dialect)
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let server = server_url(dialect).unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    check(dialect, |case| {
        runtime.block_on(run_case::<S>(dialect, &server, case))
    });
}

#[test]
fn sqlite_through_the_engine() {
    let lab = Lab::new(Cache::builder(), Through::Engine(None)).unwrap();
    check(Dialect::Sqlite, |case| lab.run(case, true));
}

#[test]
fn sqlite_through_kogia_sqlx() {
    let lab = Lab::new(Cache::builder(), Through::Connections).unwrap();
    check(Dialect::Sqlite, |case| lab.run(case, true));
}

#[test]
fn postgres_through_kogia_sqlx() {
    check_server::<sqlx::Postgres>(Dialect::Postgres);
}

#[test]
fn mysql_through_kogia_sqlx() {
    check_server::<sqlx::MySql>(Dialect::MySql);
}
