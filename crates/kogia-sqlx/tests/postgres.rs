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

/// What PostgreSQL writes itself is the oracle for cells that are decoded by hand.
#[tokio::test]
async fn cells_are_what_the_database_writes() {
    let (_cache, db) = open("cells").await;
    let numbers = "SELECT v AS cell, v::text AS text FROM (VALUES ('0'::numeric), ('-0.00010'), \
                   ('1'), ('9999'), ('10000'), ('100000000'), ('12345678901234567890.5'), \
                   ('1e-20'), ('-1e30'), ('0.0001'), ('0.12345'), ('10000.00000001'), ('NaN'), \
                   ('Infinity'), ('-Infinity'), ('1.10'), ('5e-5')) AS t(v)";
    let rows = sqlx::query(numbers).cached(&db).fetch_all().await.unwrap();
    assert_eq!(rows.len(), 17);
    for row in rows {
        assert_eq!(row.get::<&str>("cell"), row.get::<&str>("text"));
    }
    sqlx::raw_sql("CREATE TYPE mood AS ENUM ('happy', 'sad')")
        .execute(&db)
        .await
        .unwrap();
    let others = "SELECT 'sad'::mood, 'infinity'::date, '-infinity'::timestamptz, \
                  '0044-03-15 BC'::date, 'x'::\"char\", ARRAY[1, 2], 'a'::char(3), \
                  '<a/>'::xml, 4294967295::oid, '24:00'::time";
    let row = sqlx::query(others).cached(&db).fetch_one().await.unwrap();
    use kogia::core::rows::Cell;
    let cell = |index: usize| row.cell(index).unwrap();
    assert_eq!(cell(0), Cell::Enum("sad"));
    assert_eq!(cell(1), Cell::Date(i32::MAX));
    row.try_get::<chrono::NaiveDate>(1).unwrap_err();
    assert_eq!(cell(2), Cell::TimestampTz(i64::MIN));
    row.try_get::<chrono::DateTime<chrono::Utc>>(2).unwrap_err();
    let ides = chrono::NaiveDate::from_ymd_opt(-43, 3, 15).unwrap();
    assert_eq!(row.get::<chrono::NaiveDate>(3), ides);
    assert_eq!(cell(4), Cell::I8(b'x' as i8));
    assert!(
        matches!(cell(5), Cell::OtherBytes { type_name: "INT4[]", bytes } if bytes.len() == 36)
    );
    assert_eq!(cell(6), Cell::Text("a  "));
    assert_eq!(cell(7), Cell::Xml("<a/>"));
    assert_eq!(row.get::<u32>(8), u32::MAX);
    assert_eq!(cell(9), Cell::Time(86_400_000_000));
    row.try_get::<chrono::NaiveTime>(9).unwrap_err();
}
