//! Cached queries for [sqlx], invalidated by the writes that go through the same pool.
//!
//! ```
//! use kogia_sqlx::kogia::Cache;
//! use kogia_sqlx::{CachedPool, TypedQuery};
//!
//! #[derive(serde::Serialize, serde::Deserialize, sqlx::FromRow)]
//! struct Book {
//!     id: i64,
//!     title: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = Cache::builder().url("memory:?capacity=64MB")?.build();
//! let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
//! # sqlx::raw_sql("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT)").execute(&pool).await?;
//! let db = CachedPool::new(pool, &cache).await?;
//!
//! // Writes go through the wrapped pool as they went through the pool.
//! sqlx::query("INSERT INTO book (id, title) VALUES (7, 'Moby-Dick')").execute(&db).await?;
//!
//! // A read says that it may be cached.
//! let book = sqlx::query_as::<_, Book>("SELECT id, title FROM book WHERE id = $1")
//!     .bind(7)
//!     .cached(&db)
//!     .fetch_one()
//!     .await?;
//! assert_eq!(book.title, "Moby-Dick");
//!
//! // Transactions, too; the write is invalidated for others when it commits.
//! let mut transaction = db.begin().await?;
//! sqlx::query("UPDATE book SET title = 'The Whale' WHERE id = 7").execute(&mut *transaction).await?;
//! transaction.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The primary types are [`CachedPool`], [`CachedConnection`] and [`CachedTransaction`], which take
//! the places of sqlx's `Pool`, `PoolConnection` and `Transaction`, and [`Cached`], a query on
//! its way to the cache.
//!
//! # What it does
//!
//! - It sees every statement that runs through these types, transactions and savepoints included,
//!   and invalidates what they write, exactly as far as it can tell and broadly where it cannot.
//! - It reads the catalog: views, foreign keys that cascade, triggers, partitions, primary keys.
//! - It tells connections apart: one that reaches another server, or has other settings, has other
//!   entries. A connection whose settings a task changed is closed and not given to another one.
//! - A write whose future is dropped halfway is invalidated when the connection answers again.
//!
//! - It answers `fetch_all`, `fetch_one`, `fetch_optional` and streams (`fetch`) of `query_as`,
//!   `query_scalar`, `try_map`, of the macros (`query!` with `map`), and of `query`, whose rows
//!   become [`CachedRow`]s.
//! - It reads every value back before it is kept. What does not come back as it was, what is
//!   larger than 16 MiB, and what a replica answered is delivered and not kept;
//!   [`kogia::Event::NotStored`] says why, and [`kogia::Event::Read`] why a query bypasses.
//!
//! # What it does not
//!
//! - Queries without `.cached(…)` are not cached, only followed.
//! - Writes of other programs, and on [`CachedPool::uncached`], are not seen. They show when entries
//!   expire, after an hour unless told otherwise.
//! - A change of the schema that it cannot see is to be told: [`CachedPool::reload_catalog`].
//! - Variants of an untagged enum that write the same cannot be told apart: such a value comes back
//!   as the first of them, as from any format of serde.
//! - `sqlx::Acquire` is not implemented, because it promises a transaction that nobody follows.
//!
//! # Features
//!
//! `sqlite`, `postgres` and `mysql` (which is MariaDB, too) add a database each; without one there
//! is nothing to wrap. `migrate` adds `CachedPool::migrate`. `chrono`, `json`, `rust_decimal` and
//! `uuid` let a [`CachedRow`] give values of these crates; typed rows need no feature.

mod answer;
mod arguments;
mod cached;
mod codec;
mod connection;
mod connections;
mod desk;
mod driver;
mod introspect;
mod kept;
mod pool;
mod row;
mod shape;
#[cfg(test)]
mod testing;
mod transaction;

pub use self::cached::{Cached, On, TypedQuery};
pub use self::connection::CachedConnection;
pub use self::driver::Driver;
pub use self::kept::Kept;
pub use self::pool::CachedPool;
pub use self::row::{CachedRow, ColumnIndex, FromCell};
pub use self::transaction::CachedTransaction;
pub use kogia;
