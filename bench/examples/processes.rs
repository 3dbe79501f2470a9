//! How long reads and writes take while four processes share one file store.
//!
//! `cargo run --release -p kogia-bench --example processes`: each process makes ten reads of a few
//! hot entries, then marks and clears the three tags of a write, and so on, for a few seconds.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a benchmark may panic

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{DatabaseId, Dialect, Outcome, Parameter, Relation, Schema, Value};
use kogia::{Backend, Cache, Database, DatabaseConfig, Encoded, Query, QueryOptions, WriteError};

const PROCESSES: usize = 4;
const SECONDS: u64 = 5;
const READS: usize = 10;

struct Failed;

impl From<WriteError> for Failed {
    fn from(_: WriteError) -> Self {
        Failed
    }
}

fn main() {
    if let Some(folder) = std::env::args().nth(1) {
        return play(&folder);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("this program");
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(&program)
                .arg(folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it runs")
        })
        .collect();
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        for line in String::from_utf8(output.stdout).expect("text").lines() {
            let (kind, nanoseconds) = line.split_once(' ').expect("two words");
            let times = if kind == "read" {
                &mut reads
            } else {
                &mut writes
            };
            times.push(nanoseconds.parse::<u64>().expect("a number"));
        }
    }
    println!("{PROCESSES} processes     count   p50 (µs)   p99 (µs)");
    for (name, mut times) in [("read", reads), ("mark and clear", writes)] {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100] as f64 / 1_000.0;
        println!(
            "{name:14} {:>9} {:>10.1} {:>10.1}",
            times.len(),
            at(50),
            at(99)
        );
    }
}

/// Reads and writes for a while, then prints how long each took.
fn play(folder: &str) {
    let url = format!("file://{folder}?capacity=64MB");
    let cache = Cache::builder().url(&url).expect("a URL").build();
    let database = database(&cache);
    let mut session = database.session(Backend::Process);
    let deadline = Instant::now() + Duration::from_secs(SECONDS);
    let mut times = Vec::new();
    let mut number = i64::from(std::process::id());
    while Instant::now() < deadline {
        for _ in 0..READS {
            number = (number + 7) % 100;
            let start = Instant::now();
            read(&database, number);
            times.push(("read", start.elapsed()));
        }
        let start = Instant::now();
        let sql = "UPDATE stock SET number = number + 1 WHERE kind = 'x'";
        let running = session.before(sql, &[]).expect("the store works");
        session.after(running, Outcome::Done);
        times.push(("write", start.elapsed()));
    }
    for (kind, time) in times {
        println!("{kind} {}", time.as_nanos());
    }
}

fn database(cache: &Cache) -> Database {
    let config = DatabaseConfig::new(DatabaseId::new("processes"), Dialect::Postgres);
    let database = cache.database(config);
    let mut schema = Schema::unknown(Dialect::Postgres);
    schema.relations = ["book", "stock"].map(Relation::table).into();
    if let Ok(Some(reload)) = database.reload_catalog() {
        reload.finish(schema);
    }
    database
}

fn read(database: &Database, number: i64) {
    let parameters = [Parameter::untyped(Value::Int(number))];
    let query = Query {
        sql: "SELECT * FROM book WHERE genre = $1",
        parameters: Some(&parameters),
        shape: b"bench",
        options: &QueryOptions::default(),
    };
    let answer = database.read_blocking(
        &query,
        || Ok::<_, Failed>(()),
        |()| {
            Some(Encoded {
                value: Bytes::from(vec![7; 1024]),
                rows: 1,
            })
        },
    );
    assert!(answer.is_ok(), "nothing fails here");
}
