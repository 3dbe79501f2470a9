//! The sales counter: the bookshop's statements as a Rust program writes them with sqlx.
//!
//! Each database has its own types in sqlx; the same code serves all three.

use std::time::Duration;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_sqlx::{CachedPool, TypedQuery};
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePoolOptions};

use super::statements::{BIOGRAPHY, GENRES, READS, REPRINT, REVIEW, SELL, WITHDRAW};
use super::worker::Bind;

type Page = (String, String, String, String, i64, i64, i64);
type Numbers = (i64, i64, i64);
type Author = (String, String, i64);
type Named = (String, i64, i64);

/// What a worker of the shop can do. Answers are printed, so that any two can be compared.
pub(super) trait SalesCounter {
    /// Asks through the cache.
    async fn cached(&self, kind: usize, bind: Bind) -> Result<String, sqlx::Error>;
    /// Asks the database itself.
    async fn bare(&self, kind: usize, bind: Bind) -> Result<String, sqlx::Error>;
    async fn sell(&self, book: i64, price: i64) -> Result<(), sqlx::Error>;
    async fn review(&self, book: i64, serial: i64) -> Result<(), sqlx::Error>;
    /// Sells and reviews, in one transaction.
    async fn order(&self, book: i64, serial: i64) -> Result<(), sqlx::Error>;
    async fn biography(&self, author: i64, serial: i64) -> Result<(), sqlx::Error>;
    /// Takes a book out of the shop, with its reviews, and puts a new edition in.
    async fn reprint(&self, book: i64, author: i64, serial: i64) -> Result<(), sqlx::Error>;
}

/// A text with the placeholders of a dialect. There is a handful of texts, made once each.
fn text(dialect: Dialect, sql: &'static str) -> &'static str {
    if dialect != Dialect::MySql {
        return sql;
    }
    let mut text = sql.to_owned();
    for number in 1..=7 {
        text = text.replace(&format!("${number}"), "?");
    }
    Box::leak(text.into_boxed_str())
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident, $database:ty, $options:ty, $pool:ty, $dialect:expr, $prepare:expr) => {
        $(#[$doc])*
        pub(super) struct $name {
            db: CachedPool<$database>,
            reads: Vec<&'static str>,
            sell: &'static str,
            review: &'static str,
            biography: &'static str,
            withdraw: &'static str,
            reprint: &'static str,
        }

        impl $name {
            pub(super) async fn open(url: &str, cache: &Cache) -> Result<Self, sqlx::Error> {
                let prepare: fn($options) -> $options = $prepare;
                let options = prepare(url.parse()?);
                let pool = <$pool>::new().max_connections(4).connect_with(options).await?;
                let text = |sql| text($dialect, sql);
                Ok($name {
                    db: CachedPool::new(pool, cache).await?,
                    reads: READS.iter().map(|kind| text(kind.sql)).collect(),
                    sell: text(SELL),
                    review: text(REVIEW),
                    biography: text(BIOGRAPHY),
                    withdraw: text(WITHDRAW),
                    reprint: text(REPRINT),
                })
            }
        }

        impl SalesCounter for $name {
            async fn cached(&self, kind: usize, bind: Bind) -> Result<String, sqlx::Error> {
                macro_rules! ask {
                    ($row:ty) => {{
                        let query = sqlx::query_as::<$database, $row>(self.reads[kind]);
                        let rows = match bind {
                            Bind::Number(id) => query.bind(id).cached(&self.db).fetch_all().await,
                            Bind::Text(text) => query.bind(text).cached(&self.db).fetch_all().await,
                            Bind::Nothing => query.cached(&self.db).fetch_all().await,
                        };
                        format!("{:?}", rows?)
                    }};
                }
                Ok(match kind {
                    0 => ask!(Page),
                    1 | 4 => ask!(Numbers),
                    2 => ask!(Author),
                    _ => ask!(Named),
                })
            }

            async fn bare(&self, kind: usize, bind: Bind) -> Result<String, sqlx::Error> {
                macro_rules! ask {
                    ($row:ty) => {{
                        let query = sqlx::query_as::<$database, $row>(self.reads[kind]);
                        let rows = match bind {
                            Bind::Number(id) => query.bind(id).fetch_all(self.db.uncached()).await,
                            Bind::Text(text) => query.bind(text).fetch_all(self.db.uncached()).await,
                            Bind::Nothing => query.fetch_all(self.db.uncached()).await,
                        };
                        format!("{:?}", rows?)
                    }};
                }
                Ok(match kind {
                    0 => ask!(Page),
                    1 | 4 => ask!(Numbers),
                    2 => ask!(Author),
                    _ => ask!(Named),
                })
            }

            async fn sell(&self, book: i64, price: i64) -> Result<(), sqlx::Error> {
                sqlx::query(self.sell).bind(price).bind(book).execute(&self.db).await?;
                Ok(())
            }

            async fn review(&self, book: i64, serial: i64) -> Result<(), sqlx::Error> {
                sqlx::query(self.review)
                    .bind(book)
                    .bind(serial % 5 + 1)
                    .bind(format!("Review {serial}: a whale of a book."))
                    .execute(&self.db)
                    .await?;
                Ok(())
            }

            async fn order(&self, book: i64, serial: i64) -> Result<(), sqlx::Error> {
                let mut transaction = self.db.begin().await?;
                // The book before its review, like everybody: no two orders wait for each other.
                sqlx::query(self.sell).bind(serial).bind(book).execute(&mut *transaction).await?;
                sqlx::query(self.review)
                    .bind(book)
                    .bind(serial % 5 + 1)
                    .bind(format!("Review {serial}: it came by sea."))
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await
            }

            async fn biography(&self, author: i64, serial: i64) -> Result<(), sqlx::Error> {
                sqlx::query(self.biography)
                    .bind(format!("Edition {serial} of a long life."))
                    .bind(author)
                    .execute(&self.db)
                    .await?;
                Ok(())
            }

            async fn reprint(&self, book: i64, author: i64, serial: i64) -> Result<(), sqlx::Error> {
                let mut transaction = self.db.begin().await?;
                sqlx::query(self.withdraw).bind(book).execute(&mut *transaction).await?;
                sqlx::query(self.reprint)
                    .bind(book)
                    .bind(format!("The {book}th book, edition {serial}"))
                    .bind(author)
                    .bind(1_i64)
                    .bind(GENRES[(book % GENRES.len() as i64) as usize])
                    .bind(serial)
                    .bind(100_i64)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await
            }
        }
    };
}

counter!(
    /// The counter on SQLite, which waits for other writers.
    SqliteCounter,
    Sqlite,
    SqliteConnectOptions,
    SqlitePoolOptions,
    Dialect::Sqlite,
    |options| options.busy_timeout(Duration::from_secs(10))
);
counter!(
    /// The counter on PostgreSQL.
    PostgresCounter,
    Postgres,
    PgConnectOptions,
    PgPoolOptions,
    Dialect::Postgres,
    |options| options
);
counter!(
    /// The counter on MySQL or MariaDB.
    MySqlCounter,
    MySql,
    MySqlConnectOptions,
    MySqlPoolOptions,
    Dialect::MySql,
    |options| options
);
