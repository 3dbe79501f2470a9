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
