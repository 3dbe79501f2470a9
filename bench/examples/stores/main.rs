//! What the stores behind a network cost beside bare clients.
//!
//! `eval "$(scripts/servers start DIR)"; cargo run --release -p kogia-bench --example stores`: a hit of
//! 1 KiB beside a bare fetch of as many keys of the same lengths, a mark beside a bare write of as many
//! keys, by turns on one thread; for Redis both on 64 threads and in 64 tasks, and a server that is not
//! there, too.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a benchmark may panic

mod memcached;
mod redis;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{
    DatabaseId, DatabaseTags, Decision, OwnerId, QueryKey, ReadRequest, Statement, TableTags, Tag,
    TagSet, Wide,
};
use kogia::{Backend, Mark, Store};

const ROUNDS: usize = 20_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn main() {
    let server = std::env::var("KOGIA_TEST_REDIS_URL")
        .expect("KOGIA_TEST_REDIS_URL is not set: eval \"$(scripts/servers start DIR)\"");
    redis::run(&server);
    memcached::run();
}

fn open(url: &str) -> Arc<dyn Store> {
    let cache = kogia::Cache::builder().url(url).unwrap().build();
    Arc::clone(cache.store())
}

/// Two tags beside the two epochs, as a query of two tables has.
fn request() -> ([Tag; 2], ReadRequest) {
    let database = DatabaseId::new("bench");
    let tags = ["book", "shop"].map(|name| TableTags::new(&database, name).any);
    let statement = Statement {
        digest: [0; 32],
        reads: Vec::new(),
        writes: Vec::new(),
        wide: Wide::Nothing,
        uncacheable: None,
        effects: Vec::new(),
    };
    let key = QueryKey::from_bytes([7; 32]);
    let mut request = ReadRequest::new(key, &DatabaseTags::new(&database), &statement, &[]);
    tags.iter().for_each(|tag| request.add_tag(*tag));
    (tags, request)
}

fn fill(store: &dyn Store, request: &ReadRequest) {
    let response = store.read(request).unwrap();
    if let Decision::Miss(right) | Decision::Stale(right) = request.decide(response) {
        // Nothing that would be compressed.
        let value: Vec<u8> = (0..1024_u32).map(|i| ((i * i * 31) >> 3) as u8).collect();
        store.fill(&right, 1, Bytes::from(value), HOUR).unwrap();
    }
}

/// A hit, which it must be.
fn hit(store: &dyn Store, request: &ReadRequest) {
    let response = store.read(request).unwrap();
    assert!(matches!(request.decide(response), Decision::Hit(_)));
}

/// Marks tags as a write of one transaction does, and clears them after the time was taken.
fn mark(store: &dyn Store, owner: OwnerId, tags: &TagSet) {
    let mark = Mark {
        owner,
        tags,
        lease: HOUR,
        backend: &Backend::Unknown,
    };
    store.mark(&mark).unwrap();
}

/// Times of calls that are made by turns.
#[derive(Default)]
struct Times(Vec<u64>);

impl Times {
    fn take(&mut self, call: impl FnOnce()) {
        let begun = Instant::now();
        call();
        self.0.push(begun.elapsed().as_nanos() as u64);
    }

    /// In microseconds.
    fn median(&mut self) -> f64 {
        self.0.sort_unstable();
        self.0[self.0.len() / 2] as f64 / 1_000.0
    }
}

fn report(what: &str, ours: &mut Times, bare_name: &str, bare: &mut Times) {
    let (ours, bare) = (ours.median(), bare.median());
    let ratio = ours / bare;
    println!("{what:<22} {ours:6.1} µs, bare {bare_name:<10} {bare:6.1} µs, {ratio:.2} ×");
}
