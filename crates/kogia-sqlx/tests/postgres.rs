//! The suite on PostgreSQL, and what only PostgreSQL has.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod suite;

use sqlx::postgres::{PgPool, PgPoolOptions, Postgres};

/// An empty database of its own.
async fn pool(name: &str) -> PgPool {
    let url = std::env::var("KOGIA_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("KOGIA_TEST_POSTGRES_URL is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\"")
    });
    let admin = PgPool::connect(&url).await.unwrap();
    for statement in [
        format!("DROP DATABASE IF EXISTS kogia_suite_{name} WITH (FORCE)"),
        format!("CREATE DATABASE kogia_suite_{name}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&admin)
            .await
            .unwrap();
    }
    let (server, _) = url.rsplit_once('/').unwrap();
    let options = PgPoolOptions::new().max_connections(4);
    options
        .connect(&format!("{server}/kogia_suite_{name}"))
        .await
        .unwrap()
}

suite!(Postgres, "postgres", pool);
rows_suite!(Postgres, "postgres");
faults_suite!(Postgres, "postgres");

#[tokio::test]
async fn a_connection_with_other_settings_has_other_entries() {
    let (cache, db) = open("settings").await;
    let price = "SELECT to_char(price, '9D9L') FROM book";
    insert(&db, 1, "a").await;
    sqlx::raw_sql("CREATE SCHEMA other; CREATE TABLE other.book (LIKE public.book)")
        .execute(&db)
        .await
        .unwrap();
    assert_eq!(all(&db).await, [book(1, "a")]);
    let mut connection = db.acquire().await.unwrap();
    sqlx::raw_sql("SET search_path = other")
        .execute(&mut connection)
        .await
        .unwrap();
    for _ in 0..2 {
        let query = sqlx::query_as::<Postgres, Book>("SELECT * FROM book ORDER BY id");
        assert_eq!(query.cached(&mut connection).fetch_all().await.unwrap(), []);
        assert_eq!(all(&db).await, [book(1, "a")]);
    }
    drop(connection);
    // The connection was closed, so that nobody gets it with this path.
    for _ in 0..8 {
        let path: String = sqlx::query_scalar("SHOW search_path")
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(path, "\"$user\", public");
    }
    let _ = (cache, price);
}

#[tokio::test]
async fn a_snapshot_is_not_shared() {
    let (_cache, db) = open("snapshot").await;
    insert(&db, 1, "a").await;
    let mut snapshot = db
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    assert_eq!(one(&mut snapshot, 1).await, Some(book(1, "a")));
    sqlx::query::<Postgres>("UPDATE book SET title = 'b'")
        .execute(&db)
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(one(&mut snapshot, 1).await, Some(book(1, "a")));
        assert_eq!(one(&db, 1).await, Some(book(1, "b")));
    }
    snapshot.commit().await.unwrap();
    assert_eq!(one(&db, 1).await, Some(book(1, "b")));
}
