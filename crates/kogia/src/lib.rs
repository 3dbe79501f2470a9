//! A cache of SQL query results that invalidates itself.

mod store;
mod token;

pub use self::store::{
    Abandoned, Backend, Mark, MemoryStore, Store, StoreError, StoreUrl, StoreUrlError, Usage,
};
