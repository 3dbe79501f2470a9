//! The differential test on SQLite: random cases through a cache and without one.
//!
//! `KOGIA_CASES` is the number of cases, `KOGIA_SEED` the first seed.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use kogia::{Cache, CacheBuilder};
use kogia_conformance::differential::{Search, Statistics};
use kogia_conformance::mutant::Mutant;
use kogia_conformance::sqlite::Through;

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// Looks for a wrong answer, and for a test that tests nothing.
fn search(cache: &(dyn Fn() -> CacheBuilder + Sync), through: Through, share: u64) -> Statistics {
    let first = number("KOGIA_SEED", 1);
    let search = Search {
        seeds: first..first + number("KOGIA_CASES", 2000) / share,
        cache,
        through,
        shrinks: true,
    };
    println!("seeds {:?}", search.seeds);
    match search.run() {
        Ok(statistics) => {
            println!("{statistics}");
            statistics
        }
        Err(found) => panic!("{found}"),
    }
}

#[test]
fn the_memory_store_gives_no_wrong_answer() {
    let statistics = search(&Cache::builder, Through::Engine(None), 1);
    let (pinned, open) = (&statistics.kinds["pinned"], &statistics.kinds["not pinned"]);
    // A cache that always goes to the database would pass otherwise.
    assert!(pinned.again.ratio() > 0.6, "{statistics}");
    assert!(open.again.ratio() > 0.5, "{statistics}");
    // What a pinned read depends on outlives writes to other rows of its table.
    assert!(
        pinned.later.ratio() > open.later.ratio() * 1.1,
        "{statistics}"
    );
}

#[test]
fn connections_of_kogia_sqlx_give_no_wrong_answer() {
    let statistics = search(&Cache::builder, Through::Connections, 4);
    assert!(
        statistics.kinds["pinned"].again.ratio() > 0.6,
        "{statistics}"
    );
}

#[test]
fn pools_of_kogia_sqlx_give_no_wrong_answer() {
    let statistics = search(&Cache::builder, Through::Pool, 4);
    assert!(
        statistics.kinds["pinned"].again.ratio() > 0.6,
        "{statistics}"
    );
}

#[test]
fn every_mutant_of_the_rules_is_caught() {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let search = Search {
            seeds: 1..number("KOGIA_MUTANT_CASES", 3000),
            cache: &Cache::builder,
            through: Through::Engine(Some(mutant)),
            shrinks: std::env::var_os("KOGIA_SHOW_MUTANTS").is_some(),
        };
        match search.run() {
            Ok(_) => survivors.push(mutant),
            Err(found) if search.shrinks => println!("== {mutant:?}\n{found}\n"),
            Err(found) => println!("{mutant:?} is caught by seed {}", found.seed),
        }
    }
    assert!(survivors.is_empty(), "nobody notices {survivors:?}");
}

#[test]
fn the_file_store_gives_no_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU64::new(0);
    let cache = || {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(number.to_string());
        let url = format!("file://{}?capacity=64MB", path.display());
        Cache::builder().url(&url).unwrap()
    };
    let statistics = search(&cache, Through::Engine(None), 4);
    assert!(
        statistics.kinds["pinned"].again.ratio() > 0.6,
        "{statistics}"
    );
}
