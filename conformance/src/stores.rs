//! Stores, as the sessions of a test share them.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All sessions have one in memory.
    Memory,
    /// Each session has one of its own in memory, which nobody tells of writes: a mistake that must
    /// be noticed.
    Apart,
    /// Files.
    File,
    /// The Redis server of the tests.
    Redis,
    /// The Memcached server of the tests.
    Memcached,
}

impl Kind {
    /// The URL of a store that nobody has used yet, with or without a tier; or what to do to have
    /// a server.
    pub fn url(self, folder: &Path, has_tier: bool) -> Result<String, String> {
        let server = |variable: &str| {
            let url = std::env::var(variable).map_err(|_| {
                format!(
                    "{variable} is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\""
                )
            })?;
            let prefix = RandomState::new().hash_one(folder);
            // Nothing was there before, so nobody relies on marks of it.
            Ok::<_, String>(format!(
                "{url}?prefix=conformance-{prefix:x}&quarantine=0s&timeout=5s"
            ))
        };
        let url = match self {
            Kind::Memory | Kind::Apart => "memory:?capacity=16MB".to_owned(),
            Kind::File => format!("file://{}?capacity=16MB", folder.join("store").display()),
            Kind::Redis => server("KOGIA_TEST_REDIS_URL")?,
            Kind::Memcached => server("KOGIA_TEST_MEMCACHED_URL")?,
        };
        let tier = if has_tier { "&local=4MB" } else { "" };
        Ok(format!("{url}{tier}"))
    }
}
