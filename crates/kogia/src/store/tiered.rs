//! A tier in this process's memory in front of a shared store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use bytes::Bytes;
use kogia_core::{
    Fill, Generation, OwnerId, ReadRequest, ReadResponse, Stamp, StoredEntry, Tag, TagSet,
};
use smallvec::SmallVec;

use super::entries::{Entries, Entry, deadline};
use super::pushed::{Life, Listener, News, Pushing, Watch};
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
/// # Where the shared store tells
///
/// A server that tells which tags change ([`crate::TierMode::Pushed`]) need not be asked about a copy
/// that it has called current, until it tells otherwise or tells nothing for too long. A thread
/// listens to it while there are reads. A copy of what this process has filled is asked about once,
/// because between its query and its filling anything may have been told.
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
    pushing: Option<(Arc<dyn Pushing>, Duration)>,
    local: ArcSwap<Local>,
    capacity: u64,
    seen: LastSeen,
}

/// The copies that one process keeps.
#[derive(Debug)]
struct Local {
    process: u32,
    entries: Entries,
    listener: Option<Arc<Listener>>,
}

impl Local {
    fn new(capacity: u64, pushing: Option<&(Arc<dyn Pushing>, Duration)>) -> Arc<Self> {
        let listen = |(source, staleness): &(Arc<dyn Pushing>, Duration)| {
            Listener::new(Arc::clone(source), *staleness)
        };
        Arc::new(Local {
            process: std::process::id(),
            entries: Entries::new(capacity),
            listener: pushing.map(listen),
        })
    }

    /// What the shared store has told, where a read may rely on it.
    fn news(&self, request: &ReadRequest) -> Option<&News> {
        // What a snapshot can see was decided by the generations of one moment, which those of a
        // moment ago are not to be compared with.
        let listener = self.listener.as_ref()?;
        (!request.guards_snapshot()).then(|| listener.news())
    }
}

/// Generations of some tags.
type Generations = SmallVec<[Generation; 8]>;

/// What a process knows of a read by itself.
enum Here {
    /// An answer that is current by what the shared store has told.
    Current(ReadResponse<Bytes>),
    /// A copy that the shared store has to be asked about.
    Copy(Arc<Entry>, StoredEntry<Bytes>),
    Nothing,
}

/// What is asked of a store that tells what changes.
impl Caller {
    async fn read_in_life(
        self,
        store: &Arc<dyn Pushing>,
        request: &ReadRequest,
    ) -> Result<(ReadResponse<Bytes>, Life), StoreError> {
        match self.if_async(|| store.read_in_life_async(request)) {
            Some(response) => response.await,
            None => {
                let request = request.clone();
                self.ask(store, move |store| store.read_in_life(&request))
                    .await
            }
        }
    }

    async fn generations_in_life(
        self,
        store: &Arc<dyn Pushing>,
        tags: &[Tag],
    ) -> Result<(Generations, Life), StoreError> {
        match self.if_async(|| store.generations_in_life_async(tags)) {
            Some(generations) => generations.await,
            None => {
                let tags: SmallVec<[Tag; 8]> = tags.into();
                self.ask(store, move |store| store.generations_in_life(&tags))
                    .await
            }
        }
    }
}

impl TieredStore {
    /// A tier of at most `capacity` bytes, overhead included, in front of a shared store.
    pub fn new(shared: Arc<dyn Store>, capacity: u64) -> Self {
        Self::with(shared, capacity, None)
    }

    /// A tier in front of a server that tells what changes, whose answers are at most so old.
    #[cfg(feature = "redis")]
    pub fn pushed(shared: super::RedisStore, capacity: u64, staleness: Duration) -> Self {
        let shared = Arc::new(shared);
        let pushing: Arc<dyn Pushing> = Arc::clone(&shared) as Arc<dyn Pushing>;
        Self::with(shared, capacity, Some((pushing, staleness)))
    }

    pub(super) fn with(
        shared: Arc<dyn Store>,
        capacity: u64,
        pushing: Option<(Arc<dyn Pushing>, Duration)>,
    ) -> Self {
        TieredStore {
            shared,
            local: ArcSwap::new(Local::new(capacity, pushing.as_ref())),
            pushing,
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
        self.local
            .store(Local::new(self.capacity, self.pushing.as_ref()));
        self.local.load()
    }

    /// What this process knows of a read by itself.
    fn look(&self, request: &ReadRequest) -> Here {
        let local = self.local();
        let news = local.news(request);
        let Some(copy) = local.entries.get(request.key()) else {
            return Here::Nothing;
        };
        if let Some(entry) = copy.stored() {
            if let (Some(news), Some(watch)) = (news, &copy.watch)
                && let Some(watch) = &*watch.load()
                && news.vouch_for(watch, request.tags(), &entry.stamp)
            {
                return Here::Current(ReadResponse {
                    generations: entry.stamp.0.clone(),
                    entry: Some(entry),
                });
            }
            if !self.seen.contradicts(request.tags(), &entry.stamp) {
                return Here::Copy(copy, entry);
            }
        }
        // What was stale or has expired once will never be of use again.
        local.entries.remove(request.key(), &copy);
        Here::Nothing
    }

    /// The watch of what the shared store is asked about next.
    fn watch(&self, request: &ReadRequest) -> Option<(&Arc<dyn Pushing>, Watch)> {
        let (pushing, _) = self.pushing.as_ref()?;
        let watch = self.local().news(request)?.watch(request.tags())?;
        Some((pushing, watch))
    }

    /// The generations that the shared store says, and the watch that was begun before.
    async fn watched_generations(
        &self,
        caller: Caller,
        request: &ReadRequest,
    ) -> Result<(Generations, Option<Arc<Watch>>), StoreError> {
        let tags = request.tags();
        let Some((pushing, watch)) = self.watch(request) else {
            return Ok((self.generations_for(caller, tags).await?, None));
        };
        let (generations, life) = caller.generations_in_life(pushing, tags).await?;
        self.seen.note(tags, &generations);
        Ok((generations, watch.confirmed_in(life)))
    }

    /// What the shared store answers, and the watch that was begun before.
    async fn watched_read(
        &self,
        caller: Caller,
        request: &ReadRequest,
    ) -> Result<(ReadResponse<Bytes>, Option<Arc<Watch>>), StoreError> {
        let (response, watch) = match self.watch(request) {
            Some((pushing, watch)) => {
                let (response, life) = caller.read_in_life(pushing, request).await?;
                (response, watch.confirmed_in(life))
            }
            None => (
                caller.read_with_lifetime(&self.shared, request).await?,
                None,
            ),
        };
        self.seen.note(request.tags(), &response.generations);
        Ok((response, watch))
    }

    /// A place for the watch of a copy.
    fn place(&self, watch: Option<Arc<Watch>>) -> Option<ArcSwapOption<Watch>> {
        self.pushing.as_ref().map(|_| ArcSwapOption::new(watch))
    }

    /// This process has changed tags, which no read that begins now may miss.
    fn renewed(&self, tags: &TagSet) {
        self.seen.renew(tags);
        if let Some(listener) = &self.local().listener {
            listener.changed(tags.as_slice());
        }
    }

    /// The answer to a read from the copy, if it is current by what the shared store has told, or by
    /// its generations; otherwise what the shared store answers.
    async fn read_for(
        &self,
        caller: Caller,
        request: &ReadRequest,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        match self.look(request) {
            Here::Nothing => {}
            Here::Current(response) => return Ok(response),
            Here::Copy(copy, entry) => {
                let (generations, watch) = self.watched_generations(caller, request).await?;
                if request.is_current(&entry.stamp, &generations) {
                    if let Some(place) = &copy.watch {
                        place.store(watch);
                    }
                    return Ok(ReadResponse {
                        generations,
                        entry: Some(entry),
                    });
                }
                // What was stale once will never be of use again.
                self.local().entries.remove(request.key(), &copy);
            }
        }
        let sent = Instant::now();
        let (response, watch) = self.watched_read(caller, request).await?;
        if let Some(entry) = &response.entry
            && let Some(remaining) = entry.remaining
            && request.is_current(&entry.stamp, &response.generations)
        {
            let copy = Entry {
                stamp: entry.stamp.clone(),
                // The value may be a part of a much larger buffer.
                value: Bytes::copy_from_slice(&entry.value),
                expires: deadline(sent, remaining),
                watch: self.place(watch),
            };
            self.local().entries.insert(*request.key(), copy);
        }
        Ok(response)
    }

    async fn generations_for(
        &self,
        caller: Caller,
        tags: &[Tag],
    ) -> Result<Generations, StoreError> {
        let generations = caller.generations(&self.shared, tags).await?;
        self.seen.note(tags, &generations);
        Ok(generations)
    }

    async fn mark_watching_for(
        &self,
        caller: Caller,
        mark: &Mark<'_>,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        let marked = caller.mark_watching(&self.shared, mark, watched).await;
        self.renewed(mark.tags);
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
                // It is known to be current once the store has said so of this very copy.
                watch: self.place(None),
            };
            self.local().entries.insert(*fill.key(), copy);
        }
        filled
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        self.shared.claim(fill)
    }

    fn claim_async<'a>(&'a self, fill: &'a Fill) -> Option<StoreFuture<'a, Option<Duration>>> {
        self.shared.claim_async(fill)
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let marked = self.shared.mark(mark);
        self.renewed(mark.tags);
        marked
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        let cleared = self.shared.clear(owner, tags);
        self.renewed(tags);
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
        self.renewed(tags);
        cleared.inspect(|generation| self.seen.note(&[watched], &[*generation]))
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.shared.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.shared.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        let local = self.local();
        local.entries.clear();
        let invalidated = self.shared.invalidate_everything();
        if let Some(listener) = &local.listener {
            listener.all_changed();
        }
        invalidated
    }

    fn rest(&self) {
        if let Some(listener) = &self.local().listener {
            listener.rest();
        }
        self.shared.rest();
    }

    /// What the shared store holds, and in [`Usage::local`] what is kept of it here.
    fn usage(&self) -> Usage {
        let tier = self.local();
        let local = tier.entries.usage();
        let is_told = |listener: &Arc<Listener>| listener.is_told();
        Usage {
            local: Some(LocalUsage {
                entries: local.entries,
                bytes: local.bytes,
                capacity: local.capacity,
                evicted: local.evicted,
                is_told: tier.listener.as_ref().is_some_and(is_told),
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
        if let Some((pushing, staleness)) = &self.pushing {
            found.push(match pushing.try_to_listen() {
                Ok(()) => Finding::note(format!(
                    "the server tells what changes: answers may be {} ms old",
                    staleness.as_millis()
                )),
                Err(error) => Finding::warning(
                    error.to_string(),
                    "use Redis 6 or later, or Valkey, and let the user run CLIENT TRACKING; until then \
                     each read asks the server",
                ),
            });
        }
        found
    }
}

impl Drop for TieredStore {
    fn drop(&mut self) {
        let local = self.local.load();
        if let Some(listener) = &local.listener
            && local.process == std::process::id()
        {
            listener.close();
        }
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
