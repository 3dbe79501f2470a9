//! A cache of SQL query results that invalidates itself.

mod cache;
mod caller;
mod database;
mod event;
mod flight;
pub mod introspect;
mod later;
mod policy;
mod read;
mod session;
mod store;
mod token;
mod watch;

pub use kogia_core as core;

pub use self::cache::{BuildError, Cache, CacheBuilder, Marks, OnStoreFailure, WriteError};
pub use self::database::{CatalogReload, Database, DatabaseConfig, Resolver, Verdict};
pub use self::event::{BypassReason, Event, Listener, ReadOutcome, Stats};
pub use self::later::Background;
pub use self::policy::{QueryMode, QueryOptions, TableFilter, TablePolicy};
pub use self::read::{Answer, Encoded, Lookup, Permit, Query};
pub use self::session::{Running, Session};
#[cfg(all(feature = "file", target_os = "linux"))]
pub use self::store::FileStore;
pub use self::store::{
    Abandoned, Backend, CopiesStore, Finding, Level, LocalUsage, Mark, MemoryStore, Store,
    StoreError, StoreFuture, StoreUrl, StoreUrlError, TierMode, TieredStore, Usage,
};
#[cfg(feature = "memcached")]
pub use self::store::{MemcachedAddress, MemcachedStore, MemcachedUrl};
#[cfg(feature = "redis")]
pub use self::store::{RedisAddress, RedisCluster, RedisSentinels, RedisStore, RedisUrl};
