//! The contract of stores: one suite, which every store passes.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{
    Decision, Fill, Generation, OwnerId, ReadBypass, ReadRequest, ReadResponse, Tag, TagSet,
};
use kogia::{
    Abandoned, Backend, CopiesStore, Mark, MemoryStore, Store, StoreError, TieredStore, Usage,
};
use smallvec::SmallVec;
use store_support::*;

/// Runs each function on a new store of every kind, also as several processes see it.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            on_local_stores!($name);
            on_servers!($name);
            on_copies!($name);
            by_several_processes!($name);
        })*
    };
}

/// Runs each function on a new store of every kind, as one process sees it.
macro_rules! contract_with_one_process {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            on_local_stores!($name);
            on_servers!($name);
            on_copies!($name);
        })*
    };
}

/// Runs each function on a new store of those whose capacity is their own.
macro_rules! contract_of_local_stores {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            on_local_stores!($name);
        })*
    };
}

macro_rules! on_local_stores {
    ($name:ident) => {
        #[test]
        fn memory() {
            super::$name(&super::MemoryStore::new(super::CAPACITY));
        }

        #[cfg(all(feature = "file", target_os = "linux"))]
        #[test]
        fn file() {
            let folder = tempfile::tempdir().unwrap();
            super::$name(&kogia::FileStore::open(folder.path(), super::CAPACITY).unwrap());
        }

        #[cfg(all(feature = "file", target_os = "linux"))]
        #[test]
        fn tier_over_file() {
            let folder = tempfile::tempdir().unwrap();
            let shared = kogia::FileStore::open(folder.path(), super::CAPACITY).unwrap();
            super::$name(&super::tier(std::sync::Arc::new(shared)));
        }
    };
}

macro_rules! on_servers {
    ($name:ident) => {
        #[cfg(feature = "redis")]
        #[test]
        fn redis() {
            super::$name(&super::store_support::redis::store(stringify!($name)));
        }

        #[cfg(feature = "redis")]
        #[test]
        fn tier_over_redis() {
            let shared = super::store_support::redis::store(stringify!($name));
            super::$name(&super::tier(std::sync::Arc::new(shared)));
        }

        #[cfg(all(feature = "redis", feature = "tokio"))]
        #[test]
        fn redis_async() {
            let store = super::store_support::redis::store(stringify!($name));
            super::$name(&super::store_support::awaited::Awaited::over(store));
        }

        #[cfg(all(feature = "redis", feature = "tokio"))]
        #[test]
        fn tier_over_redis_async() {
            let shared = super::store_support::redis::store(stringify!($name));
            let tier = super::tier(std::sync::Arc::new(shared));
            super::$name(&super::store_support::awaited::Awaited::over(tier));
        }

        #[cfg(feature = "redis")]
        #[test]
        fn redis_cluster() {
            super::$name(&super::store_support::cluster::store(stringify!($name)));
        }

        #[cfg(feature = "redis")]
        #[test]
        fn tier_that_redis_tells() {
            let shared = super::store_support::redis::store(stringify!($name));
            super::$name(&super::told(shared));
        }

        #[cfg(all(feature = "redis", feature = "tokio"))]
        #[test]
        fn tier_that_redis_tells_async() {
            let shared = super::store_support::redis::store(stringify!($name));
            let tier = super::told(shared);
            super::$name(&super::store_support::awaited::Awaited::over(tier));
        }

        #[cfg(feature = "memcached")]
        #[test]
        fn memcached() {
            super::$name(&super::store_support::memcached::store(stringify!($name)));
        }

        #[cfg(feature = "memcached")]
        #[test]
        fn tier_over_memcached() {
            let shared = super::store_support::memcached::store(stringify!($name));
            super::$name(&super::tier(std::sync::Arc::new(shared)));
        }
    };
}

macro_rules! on_copies {
    ($name:ident) => {
        #[cfg(all(feature = "file", target_os = "linux"))]
        #[test]
        fn copies_in_files() {
            let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
            let copy = |at: usize| {
                let copy = kogia::FileStore::open(folders[at].path(), super::CAPACITY);
                std::sync::Arc::new(copy.unwrap())
            };
            super::$name(&super::CopiesStore::new(copy(0), copy(1)));
        }

        #[cfg(feature = "redis")]
        #[test]
        fn copies_in_redis() {
            super::$name(&super::copies(stringify!($name)));
        }
    };
}

macro_rules! by_several_processes {
    ($name:ident) => {
        #[cfg(all(feature = "file", target_os = "linux"))]
        #[test]
        fn tiers_over_file() {
            let folder = tempfile::tempdir().unwrap();
            let shared = kogia::FileStore::open(folder.path(), super::CAPACITY).unwrap();
            super::$name(&super::InTurn::new(std::sync::Arc::new(shared)));
        }

        #[cfg(feature = "redis")]
        #[test]
        fn tiers_over_redis() {
            let shared = super::store_support::redis::store(stringify!($name));
            super::$name(&super::InTurn::new(std::sync::Arc::new(shared)));
        }

        #[cfg(feature = "redis")]
        #[test]
        fn tiers_over_copies() {
            let shared = super::copies(stringify!($name));
            super::$name(&super::InTurn::new(std::sync::Arc::new(shared)));
        }

        #[cfg(feature = "memcached")]
        #[test]
        fn tiers_over_memcached() {
            let shared = super::store_support::memcached::store(stringify!($name));
            super::$name(&super::InTurn::new(std::sync::Arc::new(shared)));
        }
    };
}

const CAPACITY: u64 = 4_000_000;
const LOCAL: u64 = 1_000_000;

fn tier(shared: Arc<dyn Store>) -> TieredStore {
    TieredStore::new(shared, LOCAL)
}

/// A tier that has been told what changes for a moment.
#[cfg(feature = "redis")]
fn told(shared: kogia::RedisStore) -> TieredStore {
    let tier = TieredStore::pushed(shared, LOCAL, Duration::from_secs(10));
    until(|| tier.read(&request(u64::MAX, &[])).is_ok() && tier.usage().local.unwrap().is_told);
    tier
}

/// Two copies, which know nothing of each other although one server has both.
#[cfg(feature = "redis")]
fn copies(name: &str) -> CopiesStore {
    let copy = || Arc::new(store_support::redis::store(name));
    CopiesStore::new(copy(), copy())
}

/// What several processes see of one store: each call goes to the tier of the next one.
#[derive(Debug)]
struct InTurn {
    tiers: [TieredStore; 2],
    turn: AtomicUsize,
}

impl InTurn {
    fn new(shared: Arc<dyn Store>) -> Self {
        InTurn {
            tiers: [tier(Arc::clone(&shared)), tier(shared)],
            turn: AtomicUsize::new(0),
        }
    }

    fn next(&self) -> &TieredStore {
        &self.tiers[self.turn.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

impl Store for InTurn {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.next().read(request)
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.next().generations(tags)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.next().fill(fill, rows, value, ttl)
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.next().mark(mark)
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.next().clear(owner, tags)
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.next().extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.next().abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.next().invalidate_everything()
    }

    fn usage(&self) -> Usage {
        self.next().usage()
    }
}

contract!(
    a_tag_that_nobody_wrote_has_a_clean_generation,
    generations_come_in_the_order_of_the_tags,
    a_mark_is_seen_by_every_read_that_begins_after_it,
    clearing_renews_the_generation,
    the_marks_of_two_owners_add_up,
    marking_twice_is_one_mark,
    a_transaction_may_write_any_number_of_tags,
    clearing_what_was_not_marked_renews_too,
    watching_gives_the_generation_that_stands_thereafter,
    no_generation_ever_comes_back,
    a_write_leaves_other_tags_alone,
    what_was_filled_is_read,
    a_value_of_any_length_comes_back,
    an_entry_is_stale_after_a_write,
    a_fill_with_an_old_stamp_is_never_a_hit,
    nothing_is_filled_while_a_mark_is_seen,
    an_entry_without_time_to_live_is_not_given,
    an_entry_lives_no_longer_than_it_was_given,
    a_lease_that_is_over_is_reported,
    a_lease_that_is_extended_is_not_reported,
    a_cleared_mark_is_not_reported,
    invalidating_everything_forgets_entries_and_keeps_marks,
    key_tags_without_end_work,
    wide_tags_without_end_work,
    threads_mark_the_same_tags,
    threads_never_read_what_was_invalidated,
);

contract_with_one_process!(
    // Another process may keep a copy of the first, which is as right: they have one stamp.
    a_second_fill_replaces_the_first,
);

contract_of_local_stores!(
    a_value_that_is_too_long_is_not_kept,
    a_second_fill_takes_no_more_room,
    usage_tells_what_there_is,
    invalidating_everything_makes_room,
    capacity_bounds_the_bytes_and_the_hot_set_survives,
);

fn a_tag_that_nobody_wrote_has_a_clean_generation(store: &dyn Store) {
    for tag in [table("book"), pinned(1)] {
        let first = generation(store, tag);
        assert!(first.is_clean());
        assert_eq!(generation(store, tag), first);
    }
}

fn generations_come_in_the_order_of_the_tags(store: &dyn Store) {
    clear(store, 1, &[table("a")]);
    clear(store, 1, &[pinned(1)]);
    clear(store, 1, &[table("b")]);
    let tags = [table("b"), pinned(1), table("a"), pinned(1), table("b")];
    let together = store.generations(&tags).unwrap();
    let one_by_one: Vec<_> = tags.iter().map(|tag| generation(store, *tag)).collect();
    assert_eq!(together.as_slice(), one_by_one);
    let different: HashSet<_> = one_by_one.into_iter().collect();
    assert_eq!(different.len(), 3);
    assert!(store.generations(&[]).unwrap().is_empty());
}

fn a_mark_is_seen_by_every_read_that_begins_after_it(store: &dyn Store) {
    let tags = [table("book"), pinned(1)];
    let before = store.generations(&tags).unwrap();
    mark(store, 1, &tags);
    let marked = store.generations(&tags).unwrap();
    for (before, marked) in before.iter().zip(&marked) {
        assert!(marked.is_marked());
        // A crash of the writer must not bring the old token back.
        assert_ne!(before.marked(), *marked);
    }
    let bypass = decide(store, 1, &tags);
    assert!(matches!(bypass, Decision::Bypass(ReadBypass::Marked)));
}

fn clearing_renews_the_generation(store: &dyn Store) {
    let tag = table("book");
    let before = generation(store, tag);
    mark(store, 1, &[tag]);
    let marked = generation(store, tag);
    clear(store, 1, &[tag]);
    let after = generation(store, tag);
    assert!(after.is_clean());
    assert_ne!(after, before);
    assert_ne!(after.marked(), marked);
}

fn the_marks_of_two_owners_add_up(store: &dyn Store) {
    for tag in [table("book"), pinned(1)] {
        mark(store, 1, &[tag]);
        mark(store, 2, &[tag]);
        clear(store, 1, &[tag]);
        assert!(generation(store, tag).is_marked());
        clear(store, 2, &[tag]);
        assert!(generation(store, tag).is_clean());
    }
}

fn marking_twice_is_one_mark(store: &dyn Store) {
    let tag = table("book");
    mark(store, 1, &[tag]);
    let first = generation(store, tag);
    mark(store, 1, &[tag]);
    assert_ne!(generation(store, tag), first);
    clear(store, 1, &[tag]);
    assert!(generation(store, tag).is_clean());
}

fn a_transaction_may_write_any_number_of_tags(store: &dyn Store) {
    let tags: Vec<Tag> = (0..2_500).map(pinned).collect();
    let before = store.generations(&tags).unwrap();
    mark(store, 1, &tags);
    mark(store, 2, &tags[..1]);
    let marked = store.generations(&tags).unwrap();
    assert!(marked.iter().all(|generation| generation.is_marked()));
    clear(store, 1, &tags);
    let after = store.generations(&tags).unwrap();
    assert!(after[0].is_marked());
    assert!(after[1..].iter().all(|generation| generation.is_clean()));
    let renewed = |(before, after)| before != after;
    assert!(before.iter().zip(&marked).all(renewed));
    assert!(marked.iter().zip(&after).all(renewed));
}

fn clearing_what_was_not_marked_renews_too(store: &dyn Store) {
    let tag = table("book");
    let before = generation(store, tag);
    clear(store, 1, &[tag]);
    assert_ne!(generation(store, tag), before);
    assert!(generation(store, tag).is_clean());
}

fn no_generation_ever_comes_back(store: &dyn Store) {
    for tag in [table("book"), pinned(1)] {
        let mut seen = HashSet::from([generation(store, tag)]);
        for round in 0..200 {
            mark(store, round, &[tag]);
            assert!(seen.insert(generation(store, tag)));
            clear(store, round, &[tag]);
            assert!(seen.insert(generation(store, tag)));
            if round % 50 == 0 {
                store.invalidate_everything().unwrap();
                assert!(seen.insert(generation(store, tag)));
            }
        }
    }
}

fn a_write_leaves_other_tags_alone(store: &dyn Store) {
    let other = generation(store, table("shop"));
    mark(store, 1, &[table("book"), pinned(1)]);
    assert_eq!(generation(store, table("shop")), other);
    assert!(generation(store, pinned(2)).is_clean());
}

fn what_was_filled_is_read(store: &dyn Store) {
    let tags = [table("book"), pinned(1)];
    assert_eq!(hit(store, 1, &tags), None);
    fill(store, 1, &tags, b"rows");
    assert_eq!(hit(store, 1, &tags).unwrap(), "rows");
    assert_eq!(hit(store, 2, &tags), None);
}

fn a_value_of_any_length_comes_back(store: &dyn Store) {
    let tags = [table("book")];
    // About the sizes at which a file store starts another page.
    let lengths = [
        0, 1, 1000, 1900, 2000, 2038, 3900, 3970, 4000, 4080, 4100, 8100, 8200, 100_000,
    ];
    for (key, length) in lengths.into_iter().enumerate() {
        let value: Vec<u8> = (0..length).map(|byte| (byte * 31 / 7) as u8).collect();
        fill(store, key as u64, &tags, &value);
        assert_eq!(hit(store, key as u64, &tags).unwrap(), value);
    }
}

fn a_second_fill_replaces_the_first(store: &dyn Store) {
    let tags = [table("book")];
    let (first, second) = (miss(store, 1, &tags), miss(store, 1, &tags));
    for length in [10, 9000, 20, 5000, 5000] {
        store
            .fill(&first, 1, Bytes::from(vec![1; length]), HOUR)
            .unwrap();
        store
            .fill(&second, 1, Bytes::from(vec![2; length / 2]), HOUR)
            .unwrap();
        assert_eq!(hit(store, 1, &tags).unwrap(), vec![2; length / 2]);
    }
}

fn a_second_fill_takes_no_more_room(store: &dyn Store) {
    for _ in 0..3 {
        fill(store, 1, &[table("book")], &[1; 1000]);
        clear(store, 1, &[table("book")]);
    }
    assert_eq!(store.usage().entries, 1);
}

fn an_entry_is_stale_after_a_write(store: &dyn Store) {
    for tag in [table("book"), pinned(1)] {
        fill(store, 1, &[tag], b"old");
        mark(store, 1, &[tag]);
        assert_eq!(hit(store, 1, &[tag]), None);
        clear(store, 1, &[tag]);
        assert!(matches!(decide(store, 1, &[tag]), Decision::Stale(_)));
        fill(store, 1, &[tag], b"new");
        assert_eq!(hit(store, 1, &[tag]).unwrap(), "new");
    }
}

fn a_fill_with_an_old_stamp_is_never_a_hit(store: &dyn Store) {
    let tags = [table("book")];
    let old = miss(store, 1, &tags);
    clear(store, 1, &tags);
    store
        .fill(&old, 1, Bytes::from_static(b"old"), HOUR)
        .unwrap();
    assert_eq!(hit(store, 1, &tags), None);
}

fn nothing_is_filled_while_a_mark_is_seen(store: &dyn Store) {
    let tags = [table("book")];
    fill(store, 1, &tags, b"old");
    mark(store, 1, &tags);
    for _ in 0..3 {
        let bypass = decide(store, 1, &tags);
        assert!(matches!(bypass, Decision::Bypass(ReadBypass::Marked)));
    }
}

fn an_entry_without_time_to_live_is_not_given(store: &dyn Store) {
    let tags = [table("book")];
    let right = miss(store, 1, &tags);
    let value = Bytes::from_static(b"rows");
    store
        .fill(&right, 1, value.clone(), Duration::ZERO)
        .unwrap();
    let response = store.read(&request(1, &tags)).unwrap();
    assert!(response.entry.is_none());
    store.fill(&right, 1, value, HOUR).unwrap();
    assert!(hit(store, 1, &tags).is_some());
}

fn an_entry_lives_no_longer_than_it_was_given(store: &dyn Store) {
    let tags = [table("book")];
    fill(store, 1, &tags, b"rows");
    for _ in 0..4 {
        let response = store.read_with_lifetime(&request(1, &tags)).unwrap();
        // A store that cannot tell says nothing.
        if let Some(remaining) = response.entry.unwrap().remaining {
            assert!(remaining <= HOUR, "{remaining:?}");
            assert!(remaining > HOUR / 2, "{remaining:?}");
        }
    }
}

fn a_lease_that_is_over_is_reported(store: &dyn Store) {
    let tags = [table("book"), pinned(1), table("shop")];
    let backend = Backend::Server(Bytes::from_static(b"pid 77"));
    mark(store, 1, &tags);
    mark_for(store, 2, &tags[..2], Duration::ZERO, &backend);
    assert_eq!(store.abandoned(&tags[2..]).unwrap(), []);
    // Only what was asked about.
    for (asked, held) in [(&tags[..], &tags[..2]), (&tags[1..], &tags[1..2])] {
        let found = store.abandoned(asked).unwrap();
        let expected = Abandoned {
            owner: OwnerId(2),
            tags: set(held),
            backend: backend.clone(),
            // A store of one machine can tell.
            process_alive: found[0].process_alive.and(Some(true)),
        };
        assert_eq!(found, [expected]);
    }
}

fn a_lease_that_is_extended_is_not_reported(store: &dyn Store) {
    let tags = [table("book"), pinned(1)];
    mark_for(store, 1, &tags, Duration::ZERO, &Backend::Unknown);
    let before = store.generations(&tags).unwrap();
    store.extend(OwnerId(2), &set(&tags), HOUR).unwrap();
    assert_eq!(store.abandoned(&tags).unwrap().len(), 1);
    store.extend(OwnerId(1), &set(&tags), HOUR).unwrap();
    assert_eq!(store.abandoned(&tags).unwrap(), []);
    assert_eq!(store.generations(&tags).unwrap(), before);
}

fn a_cleared_mark_is_not_reported(store: &dyn Store) {
    let tags = [table("book"), pinned(1)];
    mark_for(store, 1, &tags, Duration::ZERO, &Backend::Process);
    clear(store, 1, &tags);
    assert_eq!(store.abandoned(&tags).unwrap(), []);
}

fn invalidating_everything_forgets_entries_and_keeps_marks(store: &dyn Store) {
    let marked = [table("book"), pinned(1)];
    let others = [table("shop"), pinned(2)];
    for key in 0..1000 {
        fill(store, key, &others, &[1; 100]);
    }
    mark(store, 1, &marked);
    let late = miss(store, 1001, &others);
    let before = store.generations(&[&marked[..], &others].concat()).unwrap();
    store.invalidate_everything().unwrap();
    let after = store.generations(&[&marked[..], &others].concat()).unwrap();
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before != after)
    );
    assert!(after[..2].iter().all(|generation| generation.is_marked()));
    store.fill(&late, 1, Bytes::new(), HOUR).unwrap();
    assert!((0..=1001).all(|key| hit(store, key, &others).is_none()));
    clear(store, 1, &marked);
    assert!(generation(store, marked[0]).is_clean());
    fill(store, 1, &marked, b"again");
    assert!(hit(store, 1, &marked).is_some());
}

fn invalidating_everything_makes_room(store: &dyn Store) {
    for key in 0..1000 {
        fill(store, key, &[table("book")], &[1; 100]);
    }
    store.invalidate_everything().unwrap();
    assert_eq!(store.usage().entries, 0);
}

fn watching_gives_the_generation_that_stands_thereafter(store: &dyn Store) {
    let (marked, watched) = ([table("a"), pinned(1)], table("b"));
    let stands = generation(store, watched);
    let mark = Mark {
        owner: OwnerId(1),
        tags: &set(&marked),
        lease: HOUR,
        backend: &Backend::Process,
    };
    assert_eq!(store.mark_watching(&mark, watched).unwrap(), stands);
    let own = store.mark_watching(&mark, marked[0]).unwrap();
    assert!(own.is_marked());
    assert_eq!(own, generation(store, marked[0]));
    let stands = store.clear_watching(OwnerId(1), &set(&marked), watched);
    assert_eq!(stands.unwrap(), generation(store, watched));
    let own = store.clear_watching(OwnerId(1), &set(&marked), marked[1]);
    let own = own.unwrap();
    assert!(own.is_clean());
    assert_eq!(own, generation(store, marked[1]));
}

fn usage_tells_what_there_is(store: &dyn Store) {
    let empty = store.usage();
    assert_eq!((empty.entries, empty.evicted), (0, 0));
    assert_eq!(empty.capacity, CAPACITY);
    for key in 0..100 {
        fill(store, key, &[table("book")], &[1; 1000]);
    }
    let usage = store.usage();
    assert_eq!(usage.entries, 100);
    assert!(usage.bytes >= 100_000 && usage.bytes < 400_000, "{usage:?}");
}

fn capacity_bounds_the_bytes_and_the_hot_set_survives(store: &dyn Store) {
    let tags = [table("book")];
    let hot: Vec<u64> = (0..200).collect();
    hot.iter()
        .for_each(|key| fill(store, *key, &tags, &[1; 1000]));
    let mut lost = 0;
    // Ten times the capacity, and every hot entry is read from time to time.
    for key in 1000..41_000 {
        fill(store, key, &tags, &[2; 1000]);
        let hot = hot[key as usize * 7 % hot.len()];
        if hit(store, hot, &tags).is_none() {
            lost += 1;
            fill(store, hot, &tags, &[1; 1000]);
        }
        if key % 1000 == 0 {
            assert!(store.usage().bytes <= CAPACITY, "{:?}", store.usage());
        }
    }
    let usage = store.usage();
    assert!(usage.entries > 1000 && usage.evicted > 30_000, "{usage:?}");
    assert!(
        lost < 400,
        "{lost} of 40000 reads of the hot set were misses"
    );
}

fn a_value_that_is_too_long_is_not_kept(store: &dyn Store) {
    let tags = [table("book")];
    fill(store, 1, &tags, b"small");
    fill(store, 2, &tags, &vec![1; CAPACITY as usize * 2]);
    assert!(store.usage().bytes <= CAPACITY);
    assert_eq!(hit(store, 2, &tags), None);
    fill(store, 3, &tags, b"small");
    assert!(hit(store, 3, &tags).is_some());
}

fn tags_without_end_work(store: &dyn Store, tag: impl Fn(u64) -> Tag) {
    fill(store, 1, &[tag(0)], b"rows");
    for number in 1..20_000 {
        clear(store, 1, &[tag(number)]);
    }
    mark(store, 2, &[tag(0), tag(5), tag(19_999)]);
    for number in [0, 5, 19_999] {
        assert!(generation(store, tag(number)).is_marked());
    }
    clear(store, 2, &[tag(0), tag(5), tag(19_999)]);
    assert!(generation(store, tag(0)).is_clean());
    assert_eq!(hit(store, 1, &[tag(0)]), None);
    // There still is room for entries.
    for key in 0..1000 {
        fill(store, key, &[tag(key)], &[1; 500]);
    }
    assert!((900..1000).all(|key| hit(store, key, &[tag(key)]).is_some()));
    let usage = store.usage();
    // A server's capacity is its own affair.
    assert!(usage.capacity == 0 || usage.bytes <= usage.capacity.max(CAPACITY));
}

fn key_tags_without_end_work(store: &dyn Store) {
    tags_without_end_work(store, pinned);
}

fn wide_tags_without_end_work(store: &dyn Store) {
    tags_without_end_work(store, |number| table(&format!("table {number}")));
}

fn threads_mark_the_same_tags(store: &dyn Store) {
    const THREADS: u128 = 4;
    let tags = [table("book"), pinned(1), pinned(2)];
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (tags, start) = (&tags, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..300 {
                    let owner = thread << 64 | round;
                    mark(store, owner, tags);
                    let seen = store.generations(tags).unwrap();
                    assert!(seen.iter().all(|generation| generation.is_marked()));
                    clear(store, owner, tags);
                }
            });
        }
    });
    let after = store.generations(&tags).unwrap();
    assert!(after.iter().all(|generation| generation.is_clean()));
}

/// Each thread writes to a number that it alone owns, and reads the others'.
fn threads_never_read_what_was_invalidated(store: &dyn Store) {
    use std::sync::atomic::{AtomicU64, Ordering};
    const THREADS: usize = 3;
    let numbers: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for own in 0..THREADS {
            let (numbers, start) = (&numbers, &start);
            let tag = |number: usize| table(&format!("number {number}"));
            scope.spawn(move || {
                start.wait();
                for round in 0..2000 {
                    if round % 20 == 0 {
                        let owner = (own as u128) << 64 | round;
                        mark(store, owner, &[tag(own)]);
                        numbers[own].fetch_add(1, Ordering::SeqCst);
                        clear(store, owner, &[tag(own)]);
                    }
                    let asked = round as usize % THREADS;
                    let (key, tags) = (asked as u64, [tag(asked)]);
                    let before = numbers[asked].load(Ordering::SeqCst);
                    match decide(store, key, &tags) {
                        Decision::Hit(value) => {
                            let value = u64::from_le_bytes(value[..].try_into().unwrap());
                            assert!(value >= before, "read {value} after {before}");
                        }
                        Decision::Miss(fill) | Decision::Stale(fill) => {
                            let value = numbers[asked].load(Ordering::SeqCst).to_le_bytes();
                            let value = Bytes::copy_from_slice(&value);
                            store.fill(&fill, 1, value, HOUR).unwrap();
                        }
                        Decision::Bypass(_) => {}
                    }
                }
            });
        }
    });
}
