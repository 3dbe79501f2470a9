//! Cached queries for sqlx, invalidated by the writes that go through the same pool.

mod arguments;
mod cached;
mod catalog;
mod codec;
mod connection;
mod connections;
mod driver;
mod pool;
mod shape;
#[cfg(test)]
mod testing;
mod transaction;

pub use self::cached::{Cached, On, TypedQuery};
pub use self::connection::CachedConnection;
pub use self::driver::Driver;
pub use self::pool::CachedPool;
pub use self::transaction::CachedTransaction;
pub use kogia;
