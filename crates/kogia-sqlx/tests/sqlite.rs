//! The suite on SQLite, and what only SQLite has.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod suite;

use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

/// A file that nobody else has. The folder stays until the program ends: the pool outlives this.
async fn pool(_name: &str) -> SqlitePool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    std::mem::forget(folder);
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .unwrap()
}

suite!(Sqlite, "sqlite", pool);
rows_suite!(Sqlite, "sqlite");
faults_suite!(Sqlite, "sqlite");

#[tokio::test]
async fn a_pool_of_one_connection_does_not_wait_for_itself() {
    let cache = Cache::builder().build();
    let plain = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    sqlx::raw_sql(TABLE).execute(&plain).await.unwrap();
    let db = CachedPool::new(plain, &cache).await.unwrap();
    let mut transaction = db.begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE other (id INTEGER PRIMARY KEY)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(one(&mut transaction, 1).await, None);
    transaction.commit().await.unwrap();
    assert_eq!(one(&db, 1).await, None);
}
