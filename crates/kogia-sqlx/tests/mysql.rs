//! The suite on MySQL or MariaDB.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod suite;

use sqlx::mysql::{MySql, MySqlPool, MySqlPoolOptions};

/// An empty database of its own.
async fn pool(name: &str) -> MySqlPool {
    let url = std::env::var("KOGIA_TEST_MYSQL_URL").unwrap_or_else(|_| {
        panic!("KOGIA_TEST_MYSQL_URL is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\"")
    });
    let admin = MySqlPool::connect(&url).await.unwrap();
    let create =
        format!("DROP DATABASE IF EXISTS kogia_suite_{name}; CREATE DATABASE kogia_suite_{name}");
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&admin)
        .await
        .unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    let options = MySqlPoolOptions::new().max_connections(4);
    options
        .connect(&format!("{server}/kogia_suite_{name}"))
        .await
        .unwrap()
}

suite!(MySql, "mysql", pool);
rows_suite!(MySql, "mysql");
faults_suite!(MySql, "mysql");

#[tokio::test]
async fn cells_are_what_the_database_has() {
    use kogia::core::rows::Cell;
    let (_cache, db) = open("cells").await;
    let create = "SET sql_mode = ''; \
        CREATE TABLE cells (a TINYINT(1), b TINYINT UNSIGNED, c BIGINT UNSIGNED, d BIT(10), \
        e YEAR, f TIME(6), g DATE, h DATE, i DATETIME, j ENUM('x', 'y'), k SET('x', 'y'), \
        l CHAR(3) COLLATE utf8mb4_bin, m BLOB, n INT, o DATETIME(3), p DATE) \
        CHARACTER SET utf8mb4; \
        INSERT INTO cells VALUES (-7, 255, 18446744073709551615, 513, 2024, '-838:59:58.5', \
        '1969-12-31', '2024-00-00', '2000-03-01', 'y', 'x,y', 'ab', x'ff', -1, \
        '1900-02-28 23:59:59.999', '0000-00-00')";
    let mut connection = db.acquire().await.unwrap();
    sqlx::raw_sql(create)
        .execute(&mut connection)
        .await
        .unwrap();
    drop(connection);
    db.reload_catalog().await.unwrap();
    for _ in 0..2 {
        let query = sqlx::query("SELECT * FROM cells").cached(&db);
        let row = query.fetch_one().await.unwrap();
        let cells: Vec<_> = (0..row.len())
            .map(|index| row.cell(index).unwrap())
            .collect();
        let day = 86_400_000_000;
        let expected = [
            Cell::I64(-7),
            Cell::U64(255),
            Cell::U64(u64::MAX),
            Cell::U64(513),
            Cell::Year(2024),
            Cell::Time(-((838 * 3600 + 59 * 60 + 58) * 1_000_000 + 500_000)),
            Cell::Date(-1),
            Cell::PartialDate {
                year: 2024,
                month: 0,
                day: 0,
            },
            Cell::DateTime(11_017 * day),
            Cell::Enum("y"),
            // The protocol says SET in a flag that sqlx keeps to itself.
            Cell::Text("x,y"),
            Cell::Text("ab"),
            Cell::Bytes(&[255]),
            Cell::I64(-1),
            Cell::DateTime(-25_509 * day + day - 1_000),
            Cell::Null,
        ];
        assert_eq!(cells, expected);
    }
}

/// sqlx takes the answer to a statement that was given up for that to the next one.
#[tokio::test]
async fn nothing_is_stored_from_a_connection_on_which_a_query_was_given_up() {
    let (cache, db) = open("desynchronized").await;
    insert(&db, 1, "a").await;
    let mut connection = db.acquire().await.unwrap();
    let given_up = sqlx::query_as::<MySql, Book>("SELECT * FROM book WHERE id = 1");
    let mut given_up = Box::pin(given_up.cached(&mut connection).fetch_all());
    assert!(!poll_once(given_up.as_mut()).await);
    drop(given_up);
    let next = sqlx::query_as::<MySql, Book>("SELECT * FROM book WHERE id = 2");
    // Whatever sqlx makes of it.
    let _ = next.cached(&mut connection).fetch_all().await;
    assert_eq!(cache.stats().fills, 0);
    drop(connection);
    assert_eq!(one(&db, 2).await, None);
    assert_eq!(one(&db, 1).await, Some(book(1, "a")));
}
