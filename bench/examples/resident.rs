//! What a store takes of the machine's memory under ten times more data than its capacity, and
//! whether the hot set survives.
//!
//! `cargo run --release -p kogia-bench --example resident`: each line is a process of its own.
//! Two threads fill, and each reads one entry of a hot set (a twentieth of the capacity) between
//! two fills. Of the file store the pages of its file are counted apart: the kernel takes them
//! back whenever it wants.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a benchmark may panic

use std::process::Command;

use bytes::Bytes;
use kogia::core::{DatabaseId, Dialect, Parameter, Relation, Schema, Value};
use kogia::{Answer, Cache, Database, DatabaseConfig, Encoded, Query, QueryOptions, WriteError};

const CAPACITY: u64 = 64 << 20;
const TIMES: u64 = 10;
const THREADS: u64 = 2;

struct Failed;

impl From<WriteError> for Failed {
    fn from(_: WriteError) -> Self {
        Failed
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [store, size] = &arguments[..] {
        return measure(store, size.parse().expect("a number of bytes"));
    }
    println!(
        "capacity {} MB, bound on memory {} MB",
        mb(CAPACITY),
        bound()
    );
    println!("store     value  memory  file pages  entries   used  hot set hits");
    for store in ["memory", "file"] {
        for size in ["100", "1024", "16384"] {
            let program = std::env::current_exe().expect("this program");
            let status = Command::new(program).args([store, size]).status();
            assert!(status.expect("it runs").success());
        }
    }
}

/// 1.3 times the capacity and 30 MB.
fn bound() -> u64 {
    mb(CAPACITY * 13 / 10) + 30
}

fn mb(bytes: u64) -> u64 {
    bytes >> 20
}

fn measure(store: &str, size: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = match store {
        "memory" => format!("memory:?capacity={CAPACITY}"),
        _ => format!("file://{}?capacity={CAPACITY}", folder.path().display()),
    };
    let cache = Cache::builder().url(&url).expect("a URL").build();
    let database = database(&cache);
    let fills = CAPACITY * TIMES / size as u64;
    let hot = CAPACITY / 20 / size as u64;
    let run = |thread: u64| {
        let (mut hits, mut reads) = (0, 0);
        for number in (thread..fills).step_by(THREADS as usize) {
            read(&database, hot + number, size);
            let hit = read(&database, number % hot, size);
            // The first half fills the store.
            if number > fills / 2 {
                hits += u64::from(hit);
                reads += 1;
            }
        }
        (hits, reads)
    };
    let counts: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || run(n))).collect();
        threads
            .into_iter()
            .map(|n| n.join().expect("no panic"))
            .collect()
    });
    let (hits, reads) = counts
        .iter()
        .fold((0, 0), |(h, r), (hits, reads)| (h + hits, r + reads));
    let usage = cache.usage();
    let (private, pages) = resident();
    println!(
        "{store:8} {size:6} {:4} MB     {:4} MB {:8} {:3} MB {:12.1} %{}",
        mb(private),
        mb(pages),
        usage.entries,
        mb(usage.bytes),
        100.0 * hits as f64 / reads as f64,
        if mb(private) <= bound() {
            ""
        } else {
            "  above the bound"
        },
    );
}

/// Memory of this process alone, and the pages of files that it has mapped.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        number.map_or(0, |number| number.parse::<u64>().unwrap_or(0) << 10)
    };
    (field("RssAnon:"), field("RssFile:") + field("RssShmem:"))
}

fn database(cache: &Cache) -> Database {
    let database = cache.database(DatabaseConfig::new(
        DatabaseId::new("bench"),
        Dialect::Sqlite,
    ));
    let mut schema = Schema::unknown(Dialect::Sqlite);
    schema.relations = vec![Relation::table("book")];
    match database.reload_catalog() {
        Ok(Some(reload)) => reload.finish(schema),
        other => panic!("no catalog: {other:?}"),
    }
    database
}

/// Whether it was a hit.
fn read(database: &Database, number: u64, size: usize) -> bool {
    let parameters = [Parameter::untyped(Value::Int(number as i64))];
    let query = Query {
        sql: "SELECT * FROM book WHERE id = ?1",
        parameters: Some(&parameters),
        shape: b"bench",
        options: &QueryOptions::default(),
    };
    let answer = database.read_blocking(
        &query,
        || Ok::<_, Failed>(Bytes::from(vec![7; size])),
        |value| {
            Some(Encoded {
                value: value.clone(),
                rows: 1,
            })
        },
    );
    matches!(answer, Ok(Answer::Cached(_)))
}
