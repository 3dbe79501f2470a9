//! The statements that were analysed, by text.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::statement::Statement;

/// A bounded memory of analysed texts.
#[derive(Debug)]
pub(super) struct Memo(Cache<Box<str>, Arc<Statement>, Weight, TextHash>);

impl Memo {
    pub(super) fn new() -> Self {
        let lifecycle = DefaultLifecycle::default();
        Memo(Cache::with(
            CAPACITY / TYPICAL,
            CAPACITY as u64,
            Weight,
            TextHash,
            lifecycle,
        ))
    }

    pub(super) fn get(&self, sql: &str) -> Option<Arc<Statement>> {
        if sql.len() > LONGEST {
            None
        } else {
            self.0.get(sql)
        }
    }

    pub(super) fn insert(&self, sql: &str, statement: &Arc<Statement>) {
        if sql.len() <= LONGEST {
            self.0.insert(sql.into(), statement.clone());
        }
    }
}

/// Bytes of texts and of what is known about them.
const CAPACITY: usize = 16 << 20;
/// A guess, to size the tables.
const TYPICAL: usize = 1 << 10;
/// Longer texts are bulk loads and reports; one of them would evict many others.
const LONGEST: usize = 64 << 10;

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Statement>> for Weight {
    fn weight(&self, sql: &Box<str>, statement: &Arc<Statement>) -> u64 {
        let Statement {
            reads,
            writes,
            effects,
            ..
        } = &**statement;
        (sql.len() + 400 + 160 * reads.len() + 160 * writes.len() + 64 * effects.len()) as u64
    }
}

/// Hashes a text in one go, which the streaming form of the same hash does three times slower.
#[derive(Debug, Clone)]
struct TextHash;

impl BuildHasher for TextHash {
    type Hasher = OneGo;

    fn build_hasher(&self) -> OneGo {
        OneGo(0)
    }
}

struct OneGo(u64);

impl Hasher for OneGo {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The end of a string.
    fn write_u8(&mut self, byte: u8) {
        self.0 ^= u64::from(byte);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
