//! Redis servers: the one that `scripts/servers` has started, and some of a test's own.

use kogia::{RedisStore, StoreUrl};

/// A store of its own on the server of all tests.
pub(crate) fn store(name: &str) -> RedisStore {
    let server = std::env::var("KOGIA_TEST_REDIS_URL").expect(
        "KOGIA_TEST_REDIS_URL is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\"",
    );
    // Nothing was there before, so nobody relies on marks of it.
    open(&format!("{server}?prefix={}&quarantine=0s", unique(name)))
}

pub(crate) fn open(url: &str) -> RedisStore {
    match url.parse().unwrap() {
        StoreUrl::Redis(url) => RedisStore::new(url),
        other => panic!("{other} is no Redis"),
    }
}

fn unique(name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{name}-{:x}", RandomState::new().hash_one(name))
}
