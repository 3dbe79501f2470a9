//! A tier in this process's memory in front of a shared store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use kogia_core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Stamp, Tag, TagSet};
use smallvec::SmallVec;

use super::entries::{Entries, Entry, deadline};
use super::{Abandoned, Finding, LocalUsage, Mark, Store, StoreError, StoreFuture, Usage};
use crate::caller::{Caller, at_once};

/// Keeps copies of a shared store's entries in this process, and asks the shared store on each
/// read whether they still are current.
///
/// A read that is answered from here costs one round trip for the generations of a few tags,
/// however long the value is. Generations and marks live in the shared store alone, so what one
/// process invalidates is gone for every other one at its next read, as without the tier. Where
/// the shared store does not answer nothing is served from here either.
///
/// # What it costs
///
/// A copy that another process made stale is found out by a read that then asks the shared store
/// for its entry: one more round trip. That is the exception, because each answer of the shared
/// store tells which tags have moved on, and a copy that depends on one of them is passed over.
///
/// The shared store does not see the reads that are answered here, and may evict their entries
/// before others.
///
/// # Expiry
///
/// A copy never lives longer than its entry would have. It is measured on this process's monotonic
/// clock, from before the shared store was asked; only a machine that is suspended keeps copies
/// for as much longer.
///
/// Who refreshes an entry that is current ([`crate::QueryMode::Refresh`]), because of what Kogia
/// was not told, replaces the shared entry and the own copy. Other processes keep theirs until
/// they expire.
///
/// # `fork()`
///
/// A child begins with no copies: another thread of its parent might have held a lock on them.
#[derive(Debug)]
pub struct TieredStore {
    shared: Arc<dyn Store>,
    local: ArcSwap<Local>,
    capacity: u64,
    seen: LastSeen,
}

/// The copies that one process keeps.
#[derive(Debug)]
struct Local {
    process: u32,
    entries: Entries,
}

impl Local {
    fn new(capacity: u64) -> Arc<Self> {
        Arc::new(Local {
            process: std::process::id(),
            entries: Entries::new(capacity),
        })
    }
}

impl TieredStore {
    /// A tier of at most `capacity` bytes, overhead included, in front of a shared store.
    pub fn new(shared: Arc<dyn Store>, capacity: u64) -> Self {
        TieredStore {
            shared,
            local: ArcSwap::new(Local::new(capacity)),
            capacity,
            seen: LastSeen::new(),
        }
    }

    fn local(&self) -> Guard<Arc<Local>> {
        let local = self.local.load();
        if local.process == std::process::id() {
            return local;
        }
        drop(local);
        self.local.store(Local::new(self.capacity));
        self.local.load()
    }

    /// The answer to a read from the copy, if the shared store's generations say that it is
    /// current.
    async fn read_copy(
        &self,
        caller: Caller,
        request: &ReadRequest,
        copy: &Entry,
    ) -> Result<Option<ReadResponse<Bytes>>, StoreError> {
        let Some(entry) = copy.stored() else {
            return Ok(None);
        };
        if self.seen.contradicts(request.tags(), &entry.stamp) {
            return Ok(None);
        }
        let generations = self.generations_for(caller, request.tags()).await?;
        let is_current = request.is_current(&entry.stamp, &generations);
        Ok(is_current.then_some(ReadResponse {
            generations,
            entry: Some(entry),
        }))
    }

    async fn read_for(
        &self,
        caller: Caller,
        request: &ReadRequest,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        let copy = self.local().entries.get(request.key());
        if let Some(copy) = copy {
            if let Some(response) = self.read_copy(caller, request, &copy).await? {
                return Ok(response);
            }
            // What was stale or has expired once will never be of use again.
            self.local().entries.remove(request.key(), &copy);
        }
        let sent = Instant::now();
        let response = caller.read_with_lifetime(&*self.shared, request).await?;
        self.seen.note(request.tags(), &response.generations);
        if let Some(entry) = &response.entry
            && let Some(remaining) = entry.remaining
            && request.is_current(&entry.stamp, &response.generations)
        {
            let copy = Entry {
                stamp: entry.stamp.clone(),
                // The value may be a part of a much larger buffer.
                value: Bytes::copy_from_slice(&entry.value),
                expires: deadline(sent, remaining),
            };
            self.local().entries.insert(*request.key(), copy);
        }
        Ok(response)
    }

    async fn generations_for(
        &self,
        caller: Caller,
        tags: &[Tag],
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        let generations = caller.generations(&*self.shared, tags).await?;
        self.seen.note(tags, &generations);
        Ok(generations)
    }

    async fn mark_watching_for(
        &self,
        caller: Caller,
        mark: &Mark<'_>,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        let marked = caller.mark_watching(&*self.shared, mark, watched).await;
        self.seen.renew(mark.tags);
        marked.inspect(|generation| self.seen.note(&[watched], &[*generation]))
    }
}

impl Store for TieredStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        at_once(self.read_for(Caller::Blocking, request))
    }

    fn read_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, ReadResponse<Bytes>>> {
        let waits = self.waits();
        waits.then(|| Box::pin(self.read_for(Caller::Async, request)) as _)
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        at_once(self.generations_for(Caller::Blocking, tags))
    }

    fn generations_async<'a>(
        &'a self,
        tags: &'a [Tag],
    ) -> Option<StoreFuture<'a, SmallVec<[Generation; 8]>>> {
        let waits = self.waits();
        waits.then(|| Box::pin(self.generations_for(Caller::Async, tags)) as _)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let expires = deadline(Instant::now(), ttl);
        let filled = self.shared.fill(fill, rows, value.clone(), ttl);
        let stamp = fill.entry_stamp(rows);
        // A copy that is known to be stale might replace one that is current.
        if !self.seen.contradicts(fill.tags(), &stamp) {
            let copy = Entry {
                stamp,
                value,
                expires,
            };
            self.local().entries.insert(*fill.key(), copy);
        }
        filled
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let marked = self.shared.mark(mark);
        self.seen.renew(mark.tags);
        marked
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        let cleared = self.shared.clear(owner, tags);
        self.seen.renew(tags);
        cleared
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        at_once(self.mark_watching_for(Caller::Blocking, mark, watched))
    }

    fn mark_watching_async<'a>(
        &'a self,
        mark: &'a Mark<'a>,
        watched: Tag,
    ) -> Option<StoreFuture<'a, Generation>> {
        let waits = self.waits();
        waits.then(|| Box::pin(self.mark_watching_for(Caller::Async, mark, watched)) as _)
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        let cleared = self.shared.clear_watching(owner, tags, watched);
        self.seen.renew(tags);
        cleared.inspect(|generation| self.seen.note(&[watched], &[*generation]))
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.shared.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.shared.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.local().entries.clear();
        self.shared.invalidate_everything()
    }

    /// What the shared store holds, and in [`Usage::local`] what is kept of it here.
    fn usage(&self) -> Usage {
        let local = self.local().entries.usage();
        Usage {
            local: Some(LocalUsage {
                entries: local.entries,
                bytes: local.bytes,
                capacity: local.capacity,
                evicted: local.evicted,
            }),
            ..self.shared.usage()
        }
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.shared.longest_lease()
    }

    fn waits(&self) -> bool {
        self.shared.waits()
    }

    fn examine(&self) -> Vec<Finding> {
        let mut found = self.shared.examine();
        found.push(Finding::note(format!(
            "each process takes up to {} bytes for copies",
            self.capacity
        )));
        found
    }
}

/// The generations that were last seen of some tags: a hint which copies are not worth asking
/// about.
///
/// It never says that a copy is current. It may be out of date, and torn by threads that write
/// at once; then a read asks the shared store for an entry that is already here. Tags that share a
/// place forget each other, so it takes the same room for any number of tags.
#[derive(Debug)]
struct LastSeen(Box<[Place]>);

#[derive(Debug, Default)]
struct Place {
    tag: AtomicU64,
    generation: AtomicU64,
}

/// The generation of a tag that this process has renewed: that of no stamp.
const RENEWED: u64 = 0;

impl LastSeen {
    /// 128 KiB: the tags of some thousand tables and hot rows.
    const PLACES: usize = 1 << 13;

    fn new() -> Self {
        LastSeen((0..Self::PLACES).map(|_| Place::default()).collect())
    }

    /// Whether an entry with this stamp is stale by what was last seen.
    fn contradicts(&self, tags: &[Tag], stamp: &Stamp) -> bool {
        tags.iter().zip(&stamp.0).any(|(tag, stamped)| {
            let (place, name) = self.place(*tag);
            let is_known = place.tag.load(Ordering::Relaxed) == name;
            let last = place.generation.load(Ordering::Relaxed);
            // An entry does not depend on a tag whose generation its stamp leaves out.
            is_known && !stamped.is_missing() && last != folded(*stamped)
        })
    }

    fn note(&self, tags: &[Tag], generations: &[Generation]) {
        for (tag, generation) in tags.iter().zip(generations) {
            self.set(*tag, folded(*generation));
        }
    }

    fn renew(&self, tags: &TagSet) {
        for tag in tags.as_slice() {
            self.set(*tag, RENEWED);
        }
    }

    fn set(&self, tag: Tag, generation: u64) {
        let (place, name) = self.place(tag);
        // Hot tags are seen by all threads all the time, and hardly ever change.
        if place.tag.load(Ordering::Relaxed) != name {
            place.tag.store(name, Ordering::Relaxed);
        }
        if place.generation.load(Ordering::Relaxed) != generation {
            place.generation.store(generation, Ordering::Relaxed);
        }
    }

    fn place(&self, tag: Tag) -> (&Place, u64) {
        let word = tag.to_u128();
        // The low half chooses the place and the high half is the name in it; zero is no name.
        let place = (word as u64 >> 1) as usize % Self::PLACES;
        (&self.0[place], ((word >> 64) as u64).max(1))
    }
}

/// Enough of a generation to tell it from others, and never [`RENEWED`].
fn folded(generation: Generation) -> u64 {
    let word = generation.to_u128();
    ((word >> 64) as u64 ^ word as u64).max(1)
}
