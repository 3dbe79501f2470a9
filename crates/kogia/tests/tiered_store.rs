//! The tier: what it asks the shared store, how long its copies live, and that it serves nothing
//! without the shared store.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{Decision, Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use kogia::{Abandoned, Backend, Mark, MemoryStore, Store, StoreError, TieredStore, Usage};
use smallvec::SmallVec;
use store_support::*;

const CAPACITY: u64 = 4_000_000;

/// A shared store that counts what it is asked, fails when it is told to, and says how long
/// entries still live as a test wants it.
#[derive(Debug)]
struct Shared {
    store: MemoryStore,
    reads: AtomicU64,
    checks: AtomicU64,
    fails: AtomicBool,
    remaining: Mutex<Option<Duration>>,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Shared {
            store: MemoryStore::new(CAPACITY),
            reads: AtomicU64::new(0),
            checks: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            remaining: Mutex::new(Some(HOUR)),
        })
    }

    /// The reads of entries and of generations alone since the last call.
    fn asked(&self) -> (u64, u64) {
        let taken = |count: &AtomicU64| count.swap(0, Ordering::SeqCst);
        (taken(&self.reads), taken(&self.checks))
    }

    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<&MemoryStore, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Failed {
                operation: "answer",
                reason: "the test says so".to_owned(),
            });
        }
        Ok(&self.store)
    }
}

impl Store for Shared {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let mut response = self.answer()?.read(request)?;
        if let Some(entry) = &mut response.entry {
            entry.remaining = *self.remaining.lock().unwrap();
        }
        Ok(response)
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        self.answer()?.generations(tags)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.answer()?.fill(fill, rows, value, ttl)
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.answer()?.mark(mark)
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.answer()?.clear(owner, tags)
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.answer()?.mark_watching(mark, watched)
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.answer()?.clear_watching(owner, tags, watched)
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.answer()?.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.answer()?.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.answer()?.invalidate_everything()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }
}

/// The tier of one process; several over one store are several processes.
fn tier(shared: &Arc<Shared>) -> TieredStore {
    TieredStore::new(Arc::clone(shared) as Arc<dyn Store>, CAPACITY)
}

fn copies(tier: &TieredStore) -> u64 {
    tier.usage().local.unwrap().entries
}

const READ: (u64, u64) = (1, 0);
const CHECK: (u64, u64) = (0, 1);

#[test]
fn a_copy_costs_a_check_of_its_generations() {
    let shared = Shared::new();
    let tier = tier(&shared);
    let tags = [table("book")];
    assert_eq!(hit(&tier, 1, &tags), None);
    assert_eq!(shared.asked(), READ);
    fill(&tier, 1, &tags, b"rows");
    shared.asked();
    for _ in 0..3 {
        assert_eq!(hit(&tier, 1, &tags).unwrap(), "rows");
        assert_eq!(shared.asked(), CHECK);
    }
}

#[test]
fn what_another_process_filled_is_copied() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    fill(&one, 1, &tags, b"rows");
    shared.asked();
    assert_eq!(hit(&other, 1, &tags).unwrap(), "rows");
    assert_eq!(shared.asked(), READ);
    assert_eq!(hit(&other, 1, &tags).unwrap(), "rows");
    assert_eq!(shared.asked(), CHECK);
}

#[test]
fn what_another_process_invalidates_is_stale_at_the_next_read() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    fill(&one, 1, &tags, b"old");
    assert!(hit(&other, 1, &tags).is_some());
    mark(&one, 1, &tags);
    assert!(matches!(decide(&other, 1, &tags), Decision::Bypass(_)));
    clear(&one, 1, &tags);
    assert!(matches!(decide(&other, 1, &tags), Decision::Stale(_)));
    fill(&one, 1, &tags, b"new");
    assert_eq!(hit(&other, 1, &tags).unwrap(), "new");
}

#[test]
fn a_stale_entry_is_not_copied() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    fill(&one, 1, &tags, b"old");
    clear(&one, 1, &tags);
    assert!(matches!(decide(&other, 1, &tags), Decision::Stale(_)));
    assert_eq!(copies(&other), 0);
    // The one that made it stale forgets its copy, too, once it is asked for.
    assert!(matches!(decide(&one, 1, &tags), Decision::Stale(_)));
    assert_eq!(copies(&one), 0);
}

#[test]
fn one_read_finds_out_what_another_process_wrote() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    for key in 0..10 {
        fill(&one, key, &tags, b"old");
    }
    clear(&other, 1, &tags);
    shared.asked();
    assert!(hit(&one, 0, &tags).is_none());
    assert_eq!(shared.asked(), (1, 1));
    for key in 1..10 {
        assert!(hit(&one, key, &tags).is_none());
        assert_eq!(shared.asked(), READ);
    }
}

#[test]
fn a_process_does_not_ask_about_what_it_wrote_itself() {
    let shared = Shared::new();
    let tier = tier(&shared);
    let tags = [table("book")];
    fill(&tier, 1, &tags, b"old");
    mark(&tier, 1, &tags);
    shared.asked();
    assert!(hit(&tier, 1, &tags).is_none());
    assert_eq!(shared.asked(), READ);
    clear(&tier, 1, &tags);
    fill(&tier, 1, &tags, b"new");
    shared.asked();
    assert_eq!(hit(&tier, 1, &tags).unwrap(), "new");
    assert_eq!(shared.asked(), CHECK);
}

#[test]
fn a_mark_that_watches_a_tag_is_one_call_of_the_shared_store() {
    let shared = Shared::new();
    let tier = tier(&shared);
    let (tags, watched) = ([table("book")], table("schema"));
    fill(&tier, 1, &tags, b"old");
    fill(&tier, 2, &[watched], b"rows");
    let before = generation(&tier, watched);
    shared.asked();
    let mark = Mark {
        owner: OwnerId(1),
        tags: &set(&tags),
        lease: HOUR,
        backend: &Backend::Process,
    };
    assert_eq!(tier.mark_watching(&mark, watched).unwrap(), before);
    let cleared = tier.clear_watching(OwnerId(1), mark.tags, watched);
    assert_eq!(cleared.unwrap(), before);
    assert_eq!(shared.asked(), (0, 0));
    // What was written is known to have moved, and what was watched is not.
    assert!(hit(&tier, 1, &tags).is_none());
    assert_eq!(shared.asked(), READ);
    assert!(hit(&tier, 2, &[watched]).is_some());
    assert_eq!(shared.asked(), CHECK);
    fill(&tier, 1, &tags, b"new");
    tier.clear_watching(OwnerId(1), mark.tags, watched).unwrap();
    shared.asked();
    assert!(hit(&tier, 1, &tags).is_none());
    assert_eq!(shared.asked(), READ);
    let renewed = tier.clear_watching(OwnerId(2), &set(&[watched]), watched);
    assert_ne!(renewed.unwrap(), before);
    assert!(hit(&tier, 2, &[watched]).is_none());
    assert_eq!(shared.asked(), READ);
}

#[test]
fn a_fill_that_came_too_late_replaces_no_current_copy() {
    let shared = Shared::new();
    let tier = tier(&shared);
    let tags = [table("book")];
    let late = miss(&tier, 1, &tags);
    clear(&tier, 1, &tags);
    fill(&tier, 1, &tags, b"new");
    let old = Bytes::from_static(b"old");
    tier.fill(&late, 1, old, HOUR).unwrap();
    shared.asked();
    assert_eq!(hit(&tier, 1, &tags).unwrap(), "new");
    assert_eq!(shared.asked(), CHECK);
}

#[test]
fn nothing_is_served_without_the_shared_store() {
    let shared = Shared::new();
    let tier = tier(&shared);
    let tags = [table("book")];
    fill(&tier, 1, &tags, b"rows");
    shared.fail(true);
    tier.read(&request(1, &tags)).unwrap_err();
    tier.generations(&tags).unwrap_err();
    tier.invalidate_everything().unwrap_err();
    shared.fail(false);
    assert_eq!(hit(&tier, 1, &tags).unwrap(), "rows");
}

#[test]
fn a_copy_lives_as_long_as_the_entry_it_was_made_of() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    let right = miss(&one, 1, &tags);
    let rows = Bytes::from_static(b"rows");
    one.fill(&right, 1, rows.clone(), HOUR).unwrap();
    let remaining = |tier: &TieredStore| {
        let entry = tier.read(&request(1, &tags)).unwrap().entry.unwrap();
        entry.remaining.unwrap()
    };
    assert!(remaining(&one) <= HOUR && remaining(&one) > HOUR / 2);
    // By the shared store's clock most of the hour is over.
    let minute = Duration::from_secs(60);
    *shared.remaining.lock().unwrap() = Some(minute);
    assert_eq!(remaining(&other), minute);
    assert_eq!(copies(&other), 1);
    assert!(remaining(&other) <= minute && remaining(&other) > minute / 2);
    // Nothing remains: what is given out at this moment is no copy in the next one.
    let third = tier(&shared);
    *shared.remaining.lock().unwrap() = Some(Duration::ZERO);
    assert_eq!(hit(&third, 1, &tags).unwrap(), "rows");
    shared.asked();
    assert_eq!(hit(&third, 1, &tags).unwrap(), "rows");
    assert_eq!(shared.asked(), READ);
}

#[test]
fn an_entry_of_unknown_lifetime_is_not_copied() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    fill(&one, 1, &tags, b"rows");
    *shared.remaining.lock().unwrap() = None;
    assert_eq!(hit(&other, 1, &tags).unwrap(), "rows");
    assert_eq!(copies(&other), 0);
}

#[test]
fn an_answer_with_a_generation_too_few_makes_nothing_current() {
    let shared = Shared::new();
    let tags = [table("book")];
    fill(&*shared, 1, &tags, b"rows");
    let request = request(1, &tags);
    let response = shared.read(&request).unwrap();
    let (stamp, generations) = (response.entry.unwrap().stamp, response.generations);
    assert!(request.is_current(&stamp, &generations));
    let (_, too_few) = generations.split_last().unwrap();
    assert!(!request.is_current(&stamp, too_few));
}

#[test]
fn usage_tells_both_tiers_apart() {
    let shared = Shared::new();
    let (one, other) = (tier(&shared), tier(&shared));
    let tags = [table("book")];
    fill(&one, 1, &tags, &[1; 1000]);
    fill(&one, 2, &tags, &[1; 1000]);
    assert!(hit(&other, 1, &tags).is_some());
    assert_eq!((one.usage().entries, other.usage().entries), (2, 2));
    assert_eq!((copies(&one), copies(&other)), (2, 1));
    other.invalidate_everything().unwrap();
    assert_eq!((one.usage().entries, copies(&other)), (0, 0));
    assert_eq!(hit(&one, 1, &tags), None);
}

#[test]
fn the_stamps_of_copies_count_for_their_size() {
    let shared = Shared::new();
    let tier = tier(&shared);
    let tags: Vec<Tag> = (0..1000).map(pinned).collect();
    for key in 0..500 {
        fill(&tier, key, &tags, b"rows");
    }
    let local = tier.usage().local.unwrap();
    assert!(local.entries > 100, "{local:?}");
    // There is room for half of the stamps, of 16 kB each.
    assert!(local.entries <= 250, "{local:?}");
}

/// The stores whose entries can be copied: they say how long an entry still lives.
fn is_copied_from(shared: Arc<dyn Store>) {
    let tier = || TieredStore::new(Arc::clone(&shared), CAPACITY);
    let (one, other) = (tier(), tier());
    let tags = [table("book")];
    fill(&one, 1, &tags, b"rows");
    assert_eq!(hit(&other, 1, &tags).unwrap(), "rows");
    assert_eq!(copies(&other), 1);
    // From now on it is the copy that is read.
    for _ in 0..3 {
        let entry = other.read(&request(1, &tags)).unwrap().entry.unwrap();
        let remaining = entry.remaining.unwrap();
        assert!(remaining <= HOUR && remaining > HOUR / 2, "{remaining:?}");
    }
    clear(&one, 1, &tags);
    assert!(matches!(decide(&other, 1, &tags), Decision::Stale(_)));
    assert_eq!(copies(&other), 0);
}

#[test]
fn entries_of_the_memory_store_are_copied() {
    is_copied_from(Arc::new(MemoryStore::new(CAPACITY)));
}

#[cfg(all(feature = "file", target_os = "linux"))]
#[test]
fn entries_of_the_file_store_are_copied() {
    let folder = tempfile::tempdir().unwrap();
    is_copied_from(Arc::new(
        kogia::FileStore::open(folder.path(), CAPACITY).unwrap(),
    ));
}

#[cfg(feature = "redis")]
#[test]
fn entries_in_redis_are_copied() {
    is_copied_from(Arc::new(store_support::redis::store("copied")));
}
