//! Entries in this process's memory: what the memory store keeps besides its generations, and all
//! that a tier keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use kogia_core::{QueryKey, Stamp, StoredEntry};
use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;

use super::Usage;
use super::pushed::Watch;

/// Entries by key, bounded by bytes. They are evicted by a policy of the W-TinyLFU class
/// (`quick_cache`).
#[derive(Debug)]
pub(super) struct Entries {
    kept: QuickCache<QueryKey, Arc<Entry>, EntryWeighter, KeyHasher>,
    capacity: u64,
    /// Entries that were filled, less those that were removed; see [`Usage::evicted`].
    filled: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) value: Bytes,
    /// On a clock that a suspended machine stops.
    pub(super) expires: Instant,
    /// Where changes are pushed: by what the entry was last found to be current.
    pub(super) watch: Option<ArcSwapOption<Watch>>,
}

impl Entry {
    /// The entry as a store gives it, unless it has expired.
    pub(super) fn stored(&self) -> Option<StoredEntry<Bytes>> {
        let remaining = self.expires.saturating_duration_since(Instant::now());
        (!remaining.is_zero()).then(|| StoredEntry {
            stamp: self.stamp.clone(),
            value: self.value.clone(),
            remaining: Some(remaining),
        })
    }
}

impl Entries {
    /// Room for this many bytes, overhead included.
    pub(super) fn new(capacity: u64) -> Self {
        let expected = Self::expected(capacity);
        let options = quick_cache::OptionsBuilder::new()
            .estimated_items_capacity(expected)
            .weight_capacity(capacity)
            .build();
        let kept = match options {
            Ok(options) => QuickCache::with_options(
                options,
                EntryWeighter,
                KeyHasher::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            Err(_) => QuickCache::with(
                expected,
                capacity,
                EntryWeighter,
                KeyHasher::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
        };
        Entries {
            kept,
            capacity,
            filled: AtomicU64::new(0),
        }
    }

    /// About how many entries have room in this many bytes.
    pub(super) fn expected(capacity: u64) -> usize {
        const TYPICAL_ENTRY: u64 = 1024;
        let expected = usize::try_from(capacity / TYPICAL_ENTRY).unwrap_or(usize::MAX);
        expected.clamp(64, 1 << 24)
    }

    pub(super) fn get(&self, key: &QueryKey) -> Option<Arc<Entry>> {
        self.kept.get(key)
    }

    pub(super) fn insert(&self, key: QueryKey, entry: Entry) {
        self.filled.fetch_add(1, Ordering::Relaxed);
        self.kept.insert(key, Arc::new(entry));
    }

    /// Removes an entry, unless another one took its place meanwhile.
    pub(super) fn remove(&self, key: &QueryKey, entry: &Arc<Entry>) {
        if self
            .kept
            .remove_if(key, |kept| Arc::ptr_eq(kept, entry))
            .is_some()
        {
            self.filled.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn clear(&self) {
        self.kept.clear();
    }

    pub(super) fn usage(&self) -> Usage {
        let entries = self.kept.len() as u64;
        Usage {
            entries,
            bytes: self.kept.weight(),
            capacity: self.capacity,
            evicted: self.filled.load(Ordering::Relaxed).saturating_sub(entries),
            local: None,
        }
    }
}

/// The lifetime from `sent` on, which a call began at: on this process's clock an entry then
/// expires before, not after, it does on its store's.
pub(super) fn deadline(sent: Instant, ttl: Duration) -> Instant {
    /// No clock counts forever: longer than any process lives.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
    sent.checked_add(ttl.min(LONGEST)).unwrap_or(sent)
}

/// An entry's key, its headers and the cache's own bookkeeping, on top of the value.
const ENTRY_OVERHEAD: u64 = 224;

#[derive(Debug, Clone)]
struct EntryWeighter;

impl Weighter<QueryKey, Arc<Entry>> for EntryWeighter {
    fn weight(&self, _key: &QueryKey, entry: &Arc<Entry>) -> u64 {
        let stamp = &entry.stamp.0;
        // A short one is part of the overhead; one of many key values has no bound.
        let spilled = if stamp.spilled() { stamp.capacity() } else { 0 };
        let watch = entry
            .watch
            .as_ref()
            .map_or(0, |_| Watch::weight(stamp.len()));
        ENTRY_OVERHEAD + entry.value.len() as u64 + 16 * spilled as u64 + watch
    }
}

/// Keys are digests: any eight bytes of one are a hash.
#[derive(Debug, Clone, Default)]
struct KeyHasher(u64);

impl std::hash::BuildHasher for KeyHasher {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(0)
    }
}

impl std::hash::Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    /// The length of an array that precedes it says nothing.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
