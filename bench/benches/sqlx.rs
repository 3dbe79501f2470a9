//! Typed queries of sqlx: answered by the cache, and by the database itself.
//!
//! `cargo bench -p kogia-bench --bench sqlx`, with `KOGIA_TEST_POSTGRES_URL` set (see
//! `scripts/servers`) for PostgreSQL beside SQLite.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kogia::Cache;
use kogia_sqlx::{CachedPool, TypedQuery};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool, Postgres, Sqlite, SqlitePool};
use tokio::runtime::Runtime;

#[derive(Debug, Clone, Serialize, Deserialize, FromRow)]
struct Book {
    id: i64,
    title: String,
    author_id: i64,
    genre: String,
    pages: i64,
    rating: f64,
    published: String,
    in_stock: i64,
    isbn: Option<String>,
    shelf: Option<i64>,
}

const TABLE: &str = "CREATE TABLE book (id BIGINT PRIMARY KEY, title TEXT NOT NULL, \
                     author_id BIGINT NOT NULL, genre TEXT NOT NULL, pages BIGINT NOT NULL, \
                     rating DOUBLE PRECISION NOT NULL, published TEXT NOT NULL, \
                     in_stock BIGINT NOT NULL, isbn TEXT, shelf BIGINT)";

const ROW: &str = "SELECT * FROM book WHERE id = $1";
const PAGE: &str = "SELECT * FROM book WHERE genre = $1 ORDER BY id LIMIT 50";
const UPDATE: &str = "UPDATE book SET pages = pages + 1 WHERE id = $1";

fn insert(id: usize) -> String {
    format!(
        "INSERT INTO book VALUES ({id}, 'The Title of Book {id}', {}, 'genre {}', 300, 4.5, \
         '2020-02-02', {}, '978-3-16-148410-0', NULL)",
        id * 7,
        id % 20,
        id % 9
    )
}

/// The benchmarks of one database.
macro_rules! database {
    ($criterion:expr, $runtime:expr, $name:literal, $database:ty, $db:expr) => {
        let db: CachedPool<$database> = $db;
        let mut group = $criterion.benchmark_group(concat!("sqlx ", $name));
        let row = || sqlx::query_as::<$database, Book>(ROW).bind(7_i64);
        let page = || sqlx::query_as::<$database, Book>(PAGE).bind("genre 7");
        let run = $runtime;
        group.bench_function("1 row, cached", |bencher| {
            bencher.iter(|| run.block_on(async { black_box(row().cached(&db).fetch_one().await) }));
        });
        group.bench_function("1 row, bare", |bencher| {
            let pool = db.uncached();
            bencher.iter(|| run.block_on(async { black_box(row().fetch_one(pool).await) }));
        });
        group.bench_function("1 row, miss", |bencher| {
            let ask = || async { black_box(row().cached(&db).refresh().fetch_one().await) };
            bencher.iter(|| run.block_on(ask()));
        });
        group.bench_function("50 rows, cached", |bencher| {
            bencher
                .iter(|| run.block_on(async { black_box(page().cached(&db).fetch_all().await) }));
        });
        group.bench_function("50 rows, bare", |bencher| {
            let pool = db.uncached();
            bencher.iter(|| run.block_on(async { black_box(page().fetch_all(pool).await) }));
        });
        let update = || sqlx::query::<$database>(UPDATE).bind(7_i64);
        group.bench_function("update, followed", |bencher| {
            bencher.iter(|| run.block_on(async { black_box(update().execute(&db).await) }));
        });
        group.bench_function("update, bare", |bencher| {
            let pool = db.uncached();
            bencher.iter(|| run.block_on(async { black_box(update().execute(pool).await) }));
        });
        group.finish();
    };
}

fn sqlite(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("bench.db").display()
    );
    let db = runtime.block_on(async {
        let pool = SqlitePool::connect(&url).await.unwrap();
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF";
        sqlx::raw_sql(settings).execute(&pool).await.unwrap();
        sqlx::raw_sql(TABLE).execute(&pool).await.unwrap();
        let mut transaction = pool.begin().await.unwrap();
        for id in 0..2_000 {
            let insert = sqlx::AssertSqlSafe(insert(id));
            sqlx::raw_sql(insert)
                .execute(&mut *transaction)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        CachedPool::new(pool, &Cache::builder().build())
            .await
            .unwrap()
    });
    database!(criterion, &runtime, "sqlite", Sqlite, db);
}

fn postgres(criterion: &mut Criterion) {
    let Ok(url) = std::env::var("KOGIA_TEST_POSTGRES_URL") else {
        println!("KOGIA_TEST_POSTGRES_URL is not set, so PostgreSQL is left out");
        return;
    };
    let runtime = Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let pool = PgPool::connect(&url).await.unwrap();
        sqlx::raw_sql("DROP TABLE IF EXISTS book")
            .execute(&pool)
            .await
            .unwrap();
        sqlx::raw_sql(TABLE).execute(&pool).await.unwrap();
        let mut transaction = pool.begin().await.unwrap();
        for id in 0..2_000 {
            let insert = sqlx::AssertSqlSafe(insert(id));
            sqlx::raw_sql(insert)
                .execute(&mut *transaction)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        CachedPool::new(pool, &Cache::builder().build())
            .await
            .unwrap()
    });
    database!(criterion, &runtime, "postgres", Postgres, db);
}

criterion_group!(benches, sqlite, postgres);
criterion_main!(benches);
