//! The cases, through the engine.

use std::path::Path;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::case::{Case, parse};
use kogia_conformance::sqlite::{Lab, Through};

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
fn run(through: Through) {
    let lab = Lab::new(Cache::builder(), through).unwrap();
    let cases = cases(Dialect::Sqlite);
    let mut failures = Vec::new();
    for case in &cases {
        if let Err(difference) = lab.run(case, true) {
            let step = case.steps.get(difference.step);
            let step = step.map_or_else(String::new, ToString::to_string);
            failures.push(format!("== {}\n{step}\n{difference}\n", case.title));
        }
    }
    assert!(cases.len() > 90, "the cases are not there");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn sqlite_through_the_engine() {
    run(Through::Engine(None));
}

#[test]
fn sqlite_through_kogia_sqlx() {
    run(Through::Connections);
}
