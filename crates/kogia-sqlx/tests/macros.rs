//! The macros of sqlx, which check their SQL when the program is compiled.
//!
//! What they need to know is in the folder `.sqlx`, as `cargo sqlx prepare` writes it; no server
//! takes part. `DATABASE_URL` must not be set, or be that of a database with the table.

#![allow(clippy::unwrap_used)] // a test may panic

use futures::TryStreamExt;
use kogia::Cache;
use kogia_sqlx::{CachedPool, TypedQuery};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Book {
    id: i64,
    title: String,
}

#[tokio::test]
async fn queries_of_the_macros_are_cached() {
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    let create = "CREATE TABLE book (id INTEGER PRIMARY KEY NOT NULL, title TEXT NOT NULL); \
                  INSERT INTO book VALUES (1, 'a'), (2, 'b')";
    sqlx::raw_sql(create).execute(&pool).await.unwrap();
    let cache = Cache::builder().build();
    let db = CachedPool::new(pool, &cache).await.unwrap();
    let expected = |first: &str| {
        let book = |id, title: &str| Book {
            id,
            title: title.to_owned(),
        };
        [book(1, first), book(2, "b")]
    };
    for (round, title) in [(0, "a"), (1, "a"), (2, "c")] {
        if round == 2 {
            sqlx::query("UPDATE book SET title = 'c' WHERE id = 1")
                .execute(&db)
                .await
                .unwrap();
        }
        let before = cache.stats();
        let books = sqlx::query_as!(
            Book,
            "SELECT id, title FROM book WHERE id >= ? ORDER BY id",
            1_i64
        );
        let books = books.cached(&db).fetch_all().await.unwrap();
        assert_eq!(books, expected(title));
        let scalar = sqlx::query_scalar!("SELECT title FROM book WHERE id = ?", 1_i64);
        assert_eq!(scalar.cached(&db).fetch_one().await.unwrap(), title);
        // A record of `query!` has no name and no serde; what is made of it can be kept.
        let records = sqlx::query!(
            "SELECT id, title FROM book WHERE id >= ? ORDER BY id",
            1_i64
        );
        let pairs = records.map(|record| (record.id, record.title));
        let pairs: Vec<_> = pairs.cached(&db).fetch().try_collect().await.unwrap();
        assert_eq!(pairs[0], (1, title.to_owned()));
        let hits = cache.stats().hits - before.hits;
        assert_eq!(hits, if round == 1 { 3 } else { 0 });
    }
}
