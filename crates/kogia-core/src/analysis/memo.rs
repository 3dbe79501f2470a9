//! The statements that were analysed, by text.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::statement::Statement;

/// A bounded memory of analysed texts.
///
/// A text that every thread runs is one entry under one lock, with one count of references: its
/// cache lines would travel from core to core with every query. So threads keep copies of the
/// statements they run in a place of their own, in front of the memory they share.
#[derive(Debug)]
pub(super) struct Memo {
    shared: Cache<Box<str>, Arc<Statement>, Weight, TextHash>,
    near: Box<[Near]>,
}

impl Memo {
    pub(super) fn new() -> Self {
        let lifecycle = DefaultLifecycle::default();
        Memo {
            shared: Cache::with(
                CAPACITY / TYPICAL,
                CAPACITY as u64,
                Weight,
                TextHash,
                lifecycle,
            ),
            near: (0..PLACES).map(|_| Near::default()).collect(),
        }
    }

    pub(super) fn get(&self, sql: &str) -> Option<Arc<Statement>> {
        if sql.len() > LONGEST {
            return None;
        }
        if sql.len() > LONGEST_NEAR {
            return self.shared.get(sql);
        }
        // Whoever shares the place of a thread shares the lock, and goes on without it.
        let mut near = match self.near[place()].0.try_lock() {
            Ok(near) => near,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return self.shared.get(sql),
        };
        near.get(sql, || self.shared.get(sql))
    }

    pub(super) fn insert(&self, sql: &str, statement: &Arc<Statement>) {
        if sql.len() <= LONGEST {
            self.shared.insert(sql.into(), statement.clone());
        }
    }
}

/// The copies of one thread, or of a few, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Near(Mutex<Copies>);

/// Copies of statements, each in the slot of its text's hash.
#[derive(Debug, Default)]
struct Copies {
    slots: Vec<Option<(Box<str>, Arc<Statement>)>>,
    missed: u32,
}

impl Copies {
    fn get(
        &mut self,
        sql: &str,
        shared: impl FnOnce() -> Option<Arc<Statement>>,
    ) -> Option<Arc<Statement>> {
        let index = xxh3_64_with_seed(sql.as_bytes(), 0) as usize % SLOTS;
        if let Some(Some((text, statement))) = self.slots.get(index)
            && **text == *sql
        {
            return Some(Arc::clone(statement));
        }
        let statement = shared()?;
        // Texts that want the same slot replace one another now and then only.
        self.missed = self.missed.wrapping_add(1);
        if self.missed.is_multiple_of(REPLACED) {
            self.slots.resize(SLOTS, None);
            let copy = Arc::new(Statement::clone(&statement));
            self.slots[index] = Some((sql.into(), copy));
        }
        Some(statement)
    }
}

/// The place of this thread's copies.
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
    }
    // A thread that is ending has no place any more; it shares the first.
    PLACE.try_with(|place| *place).unwrap_or(0)
}

/// Threads beyond this many share places.
const PLACES: usize = 16;
/// Copies of a place.
const SLOTS: usize = 128;
/// A copy is made for one in so many texts that had none.
const REPLACED: u32 = 8;
/// Longer texts cost more to run than two cores take to agree.
const LONGEST_NEAR: usize = 4 << 10;

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

#[cfg(test)]
mod tests {
    use super::super::statement::Wide;
    use super::*;

    #[test]
    fn texts_that_want_the_same_slot_are_told_apart() {
        let memo = Memo::new();
        let texts: Vec<String> = (0..8 * SLOTS).map(|n| format!("SELECT {n}")).collect();
        let digest = |text: &str| *blake3::hash(text.as_bytes()).as_bytes();
        for text in &texts {
            let statement = Statement {
                digest: digest(text),
                reads: Vec::new(),
                writes: Vec::new(),
                wide: Wide::Nothing,
                uncacheable: None,
                effects: Vec::new(),
            };
            memo.insert(text, &Arc::new(statement));
        }
        for text in texts.iter().chain(&texts).chain(&texts) {
            let found = memo.get(text).map(|statement| statement.digest);
            assert_eq!(found, Some(digest(text)), "{text}");
        }
        let copies = memo.near.iter().map(|near| match near.0.lock() {
            Ok(copies) => copies.slots.iter().flatten().count(),
            Err(_) => 0,
        });
        assert!(copies.sum::<usize>() > 0, "some are answered by copies");
    }
}
