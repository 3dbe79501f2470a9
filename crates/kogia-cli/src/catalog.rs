//! The catalog of a database that `kogia explain` asks about.

use std::sync::Arc;

use kogia::Cache;
use kogia::core::{Analyzer, Dialect};
use kogia_sqlx::{CachedPool, Driver};
use sqlx::Pool;

use crate::database_url::DatabaseUrl;

/// Connects and loads it.
pub(crate) fn load(url: &DatabaseUrl) -> Result<Arc<Analyzer>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let analyzer = runtime.block_on(async {
        match url.dialect {
            Dialect::Sqlite => analyzer::<sqlx::Sqlite>(&url.url).await,
            Dialect::Postgres => analyzer::<sqlx::Postgres>(&url.url).await,
            Dialect::MySql => analyzer::<sqlx::MySql>(&url.url).await,
        }
    });
    analyzer.map_err(|error| format!("--database-url: cannot read the catalog of {url}: {error}"))
}

async fn analyzer<DB: Driver>(url: &str) -> Result<Arc<Analyzer>, sqlx::Error> {
    let pool = Pool::<DB>::connect(url).await?;
    let db = CachedPool::new(pool, &Cache::builder().build()).await?;
    let analyzer = db.database().analyzer();
    db.close().await;
    Ok(analyzer)
}
