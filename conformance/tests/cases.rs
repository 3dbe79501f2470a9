//! The cases, through the engine.

use std::path::Path;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::case::{Case, parse};
use kogia_conformance::sqlite::Lab;

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

#[test]
fn sqlite_through_the_engine() {
    let lab = Lab::new(Cache::builder(), None).unwrap();
    let cases = cases(Dialect::Sqlite);
    let mut failures = Vec::new();
    for case in &cases {
        if let Err(difference) = lab.run(case, true) {
            let step = case.steps.get(difference.step);
            let step = step.map_or_else(String::new, ToString::to_string);
            failures.push(format!("== {}\n{step}\n{difference}\n", case.title));
        }
    }
    println!("{} cases", cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
