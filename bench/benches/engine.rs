//! The engine by itself: hits, misses and writes on the embedded stores, and the analysis.
//!
//! `cargo bench -p kogia-bench --bench engine`; the million entries of the file store take a while
//! to write. Under `cargo test` everything is small.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::cell::OnceCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kogia::core::{Analyzer, DatabaseId, Dialect, Outcome, Parameter, Relation, Schema, Value};
use kogia::{Answer, Backend, Cache, Database, DatabaseConfig, Encoded, Query, QueryOptions};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// A query of two tables, so that an entry has two tags besides the epochs.
const QUERY: &str = "SELECT b.id, b.title, b.price, a.name FROM book b JOIN author a ON a.id = \
                     b.author_id WHERE b.genre = $1 ORDER BY b.title LIMIT 20";

/// A transaction's worth of tables: three tags and the commit tag.
const WRITE: &str = "UPDATE book SET price = price + 1 WHERE genre = 'x'";

/// Whether figures are wanted, not only that everything runs: criterion's own rule.
fn measures() -> bool {
    let given = |option: &str| std::env::args().any(|argument| argument == option);
    given("--bench") && !given("--test")
}

struct Failed;

impl From<kogia::WriteError> for Failed {
    fn from(_: kogia::WriteError) -> Self {
        Failed
    }
}

fn database(cache: &Cache) -> Database {
    let config = DatabaseConfig::new(DatabaseId::new("bench"), Dialect::Postgres);
    let database = cache.database(config);
    let mut schema = Schema::unknown(Dialect::Postgres);
    schema.relations = ["book", "author", "review"].map(Relation::table).into();
    match database.reload_catalog() {
        Ok(Some(reload)) => reload.finish(schema),
        other => panic!("no catalog: {other:?}"),
    }
    database
}

fn read(database: &Database, options: &QueryOptions, number: i64, value: &Bytes) -> Bytes {
    let parameters = [Parameter::untyped(Value::Int(number))];
    let query = Query {
        sql: QUERY,
        parameters: Some(&parameters),
        shape: b"bench",
        options,
    };
    let answer = database.read_blocking(
        &query,
        || Ok::<_, Failed>(value.clone()),
        |value| {
            Some(Encoded {
                value: value.clone(),
                rows: 1,
            })
        },
    );
    match answer {
        Ok(Answer::Cached(value) | Answer::Fresh(value)) => value,
        Err(Failed) => unreachable!("nothing fails here"),
    }
}

fn memory_cache(capacity: &str) -> Cache {
    let url = format!("memory:?capacity={capacity}");
    Cache::builder().url(&url).expect("a URL").build()
}

fn file_cache(folder: &std::path::Path, capacity: &str) -> Cache {
    let url = format!("file://{}?capacity={capacity}", folder.display());
    match Cache::builder().url(&url) {
        Ok(builder) => builder.build(),
        Err(error) => panic!("{error}"),
    }
}

fn hits(c: &mut Criterion) {
    let value = Bytes::from(vec![7; 1024]);
    let options = QueryOptions::default();
    let mut group = c.benchmark_group("hit 1 KiB");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (sizes, capacity) = if measures() {
        ([1_000_i64, 1_000_000], "4GB")
    } else {
        ([10, 100], "64MB")
    };
    for entries in sizes {
        for name in ["memory", "file"] {
            // Filled only if this benchmark is among those that were asked for.
            let filled = OnceCell::new();
            let fill = || {
                let cache = match name {
                    "memory" => memory_cache(capacity),
                    _ => file_cache(&folder.path().join(entries.to_string()), capacity),
                };
                let database = database(&cache);
                for number in 0..entries {
                    read(&database, &options, number, &value);
                }
                (cache.stats().misses, database)
            };
            let mut number = 0;
            group.bench_function(BenchmarkId::new(name, entries), |b| {
                let (_, database) = filled.get_or_init(fill);
                b.iter(|| {
                    // A stride that visits all entries in an order that no prefetcher knows.
                    number = (number + 611_953) % entries;
                    black_box(read(database, &options, number, &value))
                });
            });
            if let Some((misses, database)) = filled.into_inner() {
                let after = database.cache().stats().misses;
                assert_eq!(after, misses, "every read of {name} was a hit");
            }
        }
    }
    group.finish();
}

/// Two threads on one memory store, against one: the time of one hit of each thread.
///
/// Each thread reads keys of its own, or both read the same one. Two threads with a cache each
/// share nothing: what they reach is what the machine can give.
fn scaling(c: &mut Criterion) {
    const ENTRIES: i64 = 5_000;
    let options = QueryOptions::default();
    let filled = || {
        let database = database(&memory_cache("1GB"));
        for number in 0..2 * ENTRIES {
            // Values of their own, as a database's rows are.
            read(&database, &options, number, &Bytes::from(vec![7; 1024]));
        }
        database
    };
    let databases = [filled(), filled()];
    let mut group = c.benchmark_group("hits by threads");
    for (name, threads, caches, hot) in [
        ("own keys", 1, 1, false),
        ("own keys", 2, 1, false),
        ("own caches", 2, 2, false),
        ("one key", 2, 1, true),
    ] {
        group.throughput(Throughput::Elements(threads));
        group.bench_function(BenchmarkId::new(name, threads), |b| {
            b.iter_custom(|iterations| {
                let barrier = Barrier::new(threads as usize);
                let longest = AtomicU64::new(0);
                std::thread::scope(|scope| {
                    for thread in 0..threads as usize {
                        let (barrier, longest) = (&barrier, &longest);
                        let (options, database) = (&options, &databases[thread % caches]);
                        scope.spawn(move || {
                            let nothing = Bytes::new();
                            let first = thread as i64 * ENTRIES;
                            let mut number = 0;
                            barrier.wait();
                            let start = Instant::now();
                            for _ in 0..iterations {
                                number = (number + 1_979) % ENTRIES;
                                let number = if hot { 7 } else { first + number };
                                black_box(read(database, options, number, &nothing));
                            }
                            let nanos = start.elapsed().as_nanos() as u64;
                            longest.fetch_max(nanos, Ordering::SeqCst);
                        });
                    }
                });
                Duration::from_nanos(longest.into_inner())
            });
        });
    }
    group.finish();
}

fn misses(c: &mut Criterion) {
    let value = Bytes::from(vec![7; 1024]);
    let options = QueryOptions::default();
    let mut group = c.benchmark_group("miss and fill 1 KiB");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = memory_cache("64MB");
    for (name, cache) in [
        ("memory", memory),
        ("file", file_cache(folder.path(), "64MB")),
    ] {
        let database = database(&cache);
        let mut number = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                number += 1;
                black_box(read(&database, &options, number, &value))
            });
        });
    }
    group.finish();
}

fn writes(c: &mut Criterion) {
    let mut group = c.benchmark_group("mark and clear 3 tags");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = memory_cache("64MB");
    for (name, cache) in [
        ("memory", memory),
        ("file", file_cache(folder.path(), "64MB")),
    ] {
        let database = database(&cache);
        let mut session = database.session(Backend::Process);
        group.bench_function(name, |b| {
            b.iter(|| {
                let running = session.before(WRITE, &[]).expect("the store works");
                session.after(running, Outcome::Done);
            });
        });
    }
    group.finish();
}

fn analysis(c: &mut Criterion) {
    let mut sql = String::from(
        "SELECT b.id, b.title, b.isbn, b.price, b.stock, b.published, a.id, a.name, a.born, \
         p.id, p.name, (SELECT count(*) FROM review r WHERE r.book_id = b.id) AS reviews, \
         (SELECT avg(r.stars) FROM review r WHERE r.book_id = b.id AND r.stars > $1) AS stars \
         FROM book b INNER JOIN author a ON a.id = b.author_id LEFT OUTER JOIN publisher p ON \
         p.id = b.publisher_id WHERE b.id IN ($2, $3, $4) AND (a.name LIKE $5 OR a.name IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM ban WHERE ban.book_id = b.id)",
    );
    sql.push_str(
        &" ORDER BY b.title ASC, b.id DESC LIMIT 21"[..500_usize.saturating_sub(sql.len()).min(40)],
    );
    let known = Analyzer::new(DatabaseId::new("bench"), Schema::unknown(Dialect::Postgres));
    let mut group = c.benchmark_group("analysis of 500 characters");
    let mut number = 0;
    group.bench_function("first time", |b| {
        b.iter_batched_ref(
            || {
                number += 1;
                format!("{sql} OFFSET {number}")
            },
            |unknown| black_box(known.analyze(unknown)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("sqlparser alone", |b| {
        b.iter(|| black_box(Parser::parse_sql(&PostgreSqlDialect {}, &sql)));
    });
    group.bench_function("again", |b| b.iter(|| black_box(known.analyze(&sql))));
    group.finish();
}

/// Single-flight under contention is a matter of tests; this is what a write costs while others
/// read.
fn contended(c: &mut Criterion) {
    let value = Bytes::from(vec![7; 1024]);
    let options = QueryOptions::default();
    let cache = memory_cache("64MB");
    let database = database(&cache);
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (database, stop) = (database.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number = (number + 1) % 1_000;
                black_box(read(&database, &options, number, &value));
            }
        })
    };
    let mut session = database.session(Backend::Process);
    c.bench_function("mark and clear 3 tags, memory, one thread reading", |b| {
        b.iter(|| {
            let running = session.before(WRITE, &[]).expect("the store works");
            session.after(running, Outcome::Done);
        });
    });
    stop.store(true, Ordering::Relaxed);
    reader.join().expect("the reader ends");
}

criterion_group!(benches, hits, scaling, misses, writes, contended, analysis);
criterion_main!(benches);
