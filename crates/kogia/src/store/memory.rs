//! The store in this process's memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia_core::{
    Fill, Generation, OwnerId, ReadRequest, ReadResponse, StoreTime, Tag, TagSet, TagState,
};
use smallvec::SmallVec;

use super::entries::{Entries, Entry, deadline};
use super::{Abandoned, Backend, Finding, Mark, Store, StoreError, Usage};

/// Keeps entries and generations in this process, bounded by bytes.
///
/// Only for a process that is the only one to write to its databases: another process neither
/// sees its invalidations nor can make any. Entries are evicted; generations never are, they live
/// in a bounded table of slots that tags share once it is full.
///
/// # Why generations are counted here
///
/// Elsewhere they are random, because a shared store can lose them, and a counter that starts
/// again repeats itself. This store lives and dies with its process, and so does the one counter
/// from which all its generations are taken: none ever comes back.
#[derive(Debug)]
pub struct MemoryStore {
    entries: Entries,
    slots: Slots,
    started: Instant,
}

impl MemoryStore {
    /// A store that holds at most this many bytes, overhead included.
    pub fn new(capacity: u64) -> Self {
        MemoryStore {
            entries: Entries::new(capacity),
            slots: Slots::new(Entries::expected(capacity)),
            started: Instant::now(),
        }
    }

    fn now(&self) -> StoreTime {
        StoreTime(self.started.elapsed())
    }
}

impl Store for MemoryStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let entry = self.entries.get(request.key());
        Ok(ReadResponse {
            entry: entry.and_then(|entry| entry.stored()),
            generations: self.slots.generations(request.tags()),
        })
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        Ok(self.slots.generations(tags))
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let now = self.slots.generations(fill.tags());
        if fill.stamp().0[..now.len()] != now[..] {
            // Stale before it is stored; it might replace an entry that is not.
            return Ok(());
        }
        let entry = Entry {
            stamp: fill.entry_stamp(rows),
            value,
            expires: deadline(Instant::now(), ttl),
            watch: None,
        };
        self.entries.insert(*fill.key(), entry);
        Ok(())
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let until = StoreTime(self.now().0 + mark.lease);
        for tag in mark.tags.as_slice() {
            self.slots.update(*tag, |held, fresh| {
                held.state.mark(mark.owner, until, fresh);
                held.backends.insert(mark.owner, mark.backend.clone());
            });
        }
        Ok(())
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        for tag in tags.as_slice() {
            self.slots.update(*tag, |held, fresh| {
                held.state.clear(owner, fresh);
                held.backends.remove(&owner);
            });
        }
        Ok(())
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        let until = StoreTime(self.now().0 + lease);
        for tag in tags.as_slice() {
            self.slots
                .inspect(*tag, |held| held.state.extend(owner, until));
        }
        Ok(())
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        let now = self.now();
        let mut found: HashMap<OwnerId, (Backend, Vec<Tag>)> = HashMap::new();
        for tag in tags {
            self.slots.inspect(*tag, |held| {
                for owner in held.state.expired(now) {
                    let backend = held
                        .backends
                        .get(&owner)
                        .unwrap_or(&Backend::Unknown)
                        .clone();
                    found
                        .entry(owner)
                        .or_insert((backend, Vec::new()))
                        .1
                        .push(*tag);
                }
            });
        }
        let abandoned = |(owner, (backend, tags)): (_, (_, Vec<Tag>))| Abandoned {
            owner,
            tags: tags.into_iter().collect(),
            backend,
            // Whoever marks in this store runs in this process.
            process_alive: Some(true),
        };
        Ok(found.into_iter().map(abandoned).collect())
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.slots.renew_all();
        self.entries.clear();
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.entries.usage()
    }

    fn examine(&self) -> Vec<Finding> {
        vec![Finding::note(
            "each process has a memory store of its own and sees no other one's writes, so it is \
             right for a program that runs in one process; this is not that of a running program",
        )]
    }
}

/// The generations: a table of slots, allocated in chunks as tags come up.
///
/// A tag takes the first slot among a few that is free or its own. When all of them are taken it
/// shares its first one for good: slots are never freed, so the choice never changes. Sharing
/// only makes tags stale together.
#[derive(Debug)]
struct Slots {
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
    held: Box<[Mutex<HashMap<usize, Held>>]>,
    counter: AtomicU64,
}

/// The generation of the tags of a slot. The flag of a mark is the lowest bit of the word.
#[derive(Debug, Default)]
struct Slot {
    tag: AtomicU64,
    generation: AtomicU64,
}

/// A slot with owners.
#[derive(Debug, Default)]
struct Held {
    state: TagState,
    backends: HashMap<OwnerId, Backend>,
}

const CHUNK: usize = 256;
const PROBES: usize = 8;
const STRIPES: usize = 64;

impl Slots {
    fn new(estimate: usize) -> Self {
        // Four slots an entry: a hot set pinned to keys has several tags an entry.
        let slots = (estimate * 4).next_power_of_two().clamp(1 << 14, 1 << 22);
        Slots {
            chunks: (0..slots / CHUNK).map(|_| OnceLock::new()).collect(),
            held: (0..STRIPES).map(|_| Mutex::default()).collect(),
            counter: AtomicU64::new(2),
        }
    }

    fn generations(&self, tags: &[Tag]) -> SmallVec<[Generation; 8]> {
        tags.iter().map(|tag| self.generation(*tag)).collect()
    }

    fn generation(&self, tag: Tag) -> Generation {
        let slot = self.slot(self.index(tag));
        let word = match slot.generation.load(Ordering::SeqCst) {
            0 => {
                let fresh = self.fresh();
                let stood =
                    slot.generation
                        .compare_exchange(0, fresh, Ordering::SeqCst, Ordering::SeqCst);
                stood.err().unwrap_or(fresh)
            }
            word => word,
        };
        Generation::from_u128(u128::from(word))
    }

    /// Changes what is kept for a tag, and publishes the generation that results.
    fn update(&self, tag: Tag, change: impl FnOnce(&mut Held, Generation)) {
        let index = self.index(tag);
        let mut stripe = self.stripe(index);
        let held = stripe.entry(index).or_default();
        change(held, Generation::from_u128(u128::from(self.fresh())));
        // Generations of this store are taken from a 64-bit counter.
        let word = held.state.generation().to_u128() as u64;
        self.slot(index).generation.store(word, Ordering::SeqCst);
        if held.state.owners().is_empty() {
            stripe.remove(&index);
        }
    }

    /// Looks at a slot that owners hold.
    fn inspect(&self, tag: Tag, look: impl FnOnce(&mut Held)) {
        let index = self.index(tag);
        if let Some(held) = self.stripe(index).get_mut(&index) {
            look(held);
        }
    }

    fn renew_all(&self) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            let Some(chunk) = chunk.get() else { continue };
            for (offset, slot) in chunk.iter().enumerate() {
                // Under the stripe's lock, so that no mark set meanwhile loses its flag.
                let _stripe = self.stripe(number * CHUNK + offset);
                let flag = slot.generation.load(Ordering::SeqCst) & 1;
                if slot.tag.load(Ordering::SeqCst) != 0 {
                    slot.generation.store(self.fresh() | flag, Ordering::SeqCst);
                }
            }
        }
    }

    fn fresh(&self) -> u64 {
        self.counter.fetch_add(2, Ordering::Relaxed)
    }

    fn index(&self, tag: Tag) -> usize {
        let word = tag.to_u128();
        // The low half chooses the place and the high half is the name in it; zero is no name.
        let place = (word as u64 >> 1) as usize;
        let name = ((word >> 64) as u64).max(1);
        let mask = self.chunks.len() * CHUNK - 1;
        for probe in 0..PROBES {
            let index = (place + probe) & mask;
            let slot = self.slot(index);
            let mut taken = slot.tag.load(Ordering::SeqCst);
            if taken == 0 {
                taken = slot
                    .tag
                    .compare_exchange(0, name, Ordering::SeqCst, Ordering::SeqCst)
                    .err()
                    .unwrap_or(name);
            }
            if taken == name {
                return index;
            }
        }
        place & mask
    }

    fn slot(&self, index: usize) -> &Slot {
        let chunk = self.chunks[index / CHUNK]
            .get_or_init(|| (0..CHUNK).map(|_| Slot::default()).collect());
        &chunk[index % CHUNK]
    }

    fn stripe(&self, index: usize) -> MutexGuard<'_, HashMap<usize, Held>> {
        // A panic while the lock was held leaves a state that is still consistent.
        self.held[index % STRIPES]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
