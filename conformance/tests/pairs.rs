//! Reads and writes in pairs, on each database.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::path::Path;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::connection::{Bare, Locks, Server};
use kogia_conformance::pairs::Pairs;
use kogia_conformance::servers::{fresh_database, server_url};
use kogia_sqlx::{CachedPool, Driver};
use sqlx::Pool;

async fn check<S: Server + Driver>(dialect: Dialect, server: Option<&str>) {
    for (file, at_least) in [("relations", 5_000), ("keys", 5_000)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("pairs/{file}.txt"));
        let text = std::fs::read_to_string(path).unwrap();
        let pairs = Pairs::parse(&text, dialect).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = match server {
            Some(server) => {
                let name = format!("kogia_pairs_{file}");
                let made = fresh_database::<S>(dialect, server, &name, &pairs.setup).await;
                made.unwrap()
            }
            None => format!("sqlite:{}?mode=rwc", folder.path().join("a.db").display()),
        };
        let mut connection = Bare::<S>::open(&url, Locks::Wait).await.unwrap();
        if server.is_none() {
            for sql in &pairs.setup {
                connection.run(sql).await.unwrap();
            }
        }
        let pool = Pool::<S>::connect(&url).await.unwrap();
        let db = CachedPool::new(pool, &Cache::builder().build())
            .await
            .unwrap();
        let (analyzer, id) = (db.database().analyzer(), db.database().config().id.clone());
        db.close().await;
        let report = pairs.check(&mut connection, &analyzer, &id).await.unwrap();
        connection.close().await;
        assert!(report.stale.is_empty(), "{}", report.stale.join("\n"));
        let counts = (report.pairs, report.changed);
        assert!(
            report.pairs > at_least && report.changed > 500,
            "{counts:?}"
        );
        println!("{dialect}, {file}: {counts:?}");
    }
}

#[tokio::test]
async fn sqlite() {
    check::<sqlx::Sqlite>(Dialect::Sqlite, None).await;
}

#[tokio::test]
async fn postgres() {
    let server = server_url(Dialect::Postgres).unwrap();
    check::<sqlx::Postgres>(Dialect::Postgres, Some(&server)).await;
}

#[tokio::test]
async fn mysql() {
    let server = server_url(Dialect::MySql).unwrap();
    check::<sqlx::MySql>(Dialect::MySql, Some(&server)).await;
}
