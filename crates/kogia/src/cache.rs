//! The cache: a store, its policies, and what happens in it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kogia_core::{Generation, Invalidation, OwnerId, Tag, TagSet};

use crate::caller::Caller;
use crate::database::{Database, DatabaseConfig};
use crate::event::{Event, Events, Listener, Stats};
use crate::flight::Flights;
use crate::later::{Background, Later};
use crate::policy::{Policies, TablePolicy};
use crate::store::{self, Backend, Mark, Store, StoreError, StoreUrlError, Usage};
use crate::token::fresh_owner;

/// A cache of query results. Cheap to clone; all clones are one cache.
///
/// ```
/// use std::time::Duration;
///
/// let cache = kogia::Cache::builder()
///     .url("memory:?capacity=64MB")?
///     .ttl(Duration::from_secs(600))
///     .build();
/// assert_eq!(cache.stats().hits, 0);
/// # Ok::<(), kogia::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cache(pub(crate) Arc<CacheInner>);

#[derive(Debug)]
pub(crate) struct CacheInner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) events: Events,
    pub(crate) flights: Arc<Flights>,
    pub(crate) later: Later,
    pub(crate) policies: Policies,
    pub(crate) ttl: Duration,
    lease: Duration,
    on_failure: OnStoreFailure,
    started: Instant,
    pending: Pending,
}

/// What a write does when the store does not acknowledge its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStoreFailure {
    /// Commit, and go on invalidating until the store answers. Until then this process bypasses
    /// what it wrote; other processes may serve it stale, at most for the entries' TTL.
    #[default]
    Available,
    /// Refuse the write: the front end rolls back and raises.
    Strict,
}

/// The store did not acknowledge a mark, and the policy is [`OnStoreFailure::Strict`].
#[derive(Debug, thiserror::Error)]
#[error("the write was refused because the cache cannot be invalidated: {0}")]
pub struct WriteError(#[from] StoreError);

/// Builds a [`Cache`].
#[derive(Default)]
pub struct CacheBuilder {
    store: Option<Arc<dyn Store>>,
    listeners: Vec<Arc<dyn Listener>>,
    policies: Policies,
    ttl: Option<Duration>,
    lease: Option<Duration>,
    on_failure: OnStoreFailure,
    background: Option<Background>,
}

/// A cache could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL names no store.
    #[error(transparent)]
    Url(#[from] StoreUrlError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long entries live unless told otherwise: the bound on what writes that bypass Kogia can
/// hide.
const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// How long a mark stands before it may be resolved: longer than any commit ought to take, short
/// enough that nobody minds the tags of a writer that died bypassing meanwhile.
const DEFAULT_LEASE: Duration = Duration::from_secs(10);

impl CacheBuilder {
    /// Uses the store that a URL names; see [`crate::StoreUrl`].
    pub fn url(self, url: &str) -> Result<Self, BuildError> {
        Ok(self.store(store::open(&url.parse()?)?))
    }

    /// Uses a store.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// How long entries live at most; one hour unless told otherwise. It bounds what writes that
    /// bypass Kogia (another program, a person at a prompt) can hide.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How long a mark stands before it may be resolved; ten seconds unless told otherwise, and no
    /// longer than the store can honour ([`Store::longest_lease`]). A commit is only sent while less
    /// than half of it has passed.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// What a write does when the store does not acknowledge its mark.
    #[must_use]
    pub fn on_store_failure(mut self, policy: OnStoreFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// What a thread of the process does while callers go on. Unless told otherwise that is
    /// [`Background::Everything`] where the store is behind a network ([`Store::waits`]), and callers
    /// would wait for a round trip, and [`Background::Nothing`] for other stores.
    ///
    /// What the process does next finds that done, as without the thread; other processes find it a
    /// moment later. Before it ends it ought to call [`Cache::rest`]: marks that it leaves behind make
    /// their tags bypass until somebody finds out that it is gone.
    #[must_use]
    pub fn background(mut self, background: Background) -> Self {
        self.background = Some(background);
        self
    }

    /// A policy for one table, by its bare name.
    #[must_use]
    pub fn table(mut self, table: &str, policy: TablePolicy) -> Self {
        self.policies.insert(table, policy);
        self
    }

    /// Tells a listener of every event.
    #[must_use]
    pub fn listener(mut self, listener: impl Listener + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// The cache; in this process's memory unless told otherwise.
    pub fn build(self) -> Cache {
        let store = self
            .store
            .unwrap_or_else(|| Arc::new(store::MemoryStore::new(store::DEFAULT_CAPACITY)));
        let lease = self.lease.unwrap_or(DEFAULT_LEASE);
        let longest = store.longest_lease().unwrap_or(lease);
        if longest < lease {
            tracing::warn!(
                ?lease,
                ?longest,
                "the store honours no such lease; a shorter one is used"
            );
        }
        let background = self.background.unwrap_or(match store.waits() {
            true => Background::Everything,
            false => Background::Nothing,
        });
        Cache(Arc::new(CacheInner {
            store,
            events: Events::new(self.listeners),
            flights: Arc::default(),
            later: Later::new(background),
            policies: self.policies,
            ttl: self.ttl.unwrap_or(DEFAULT_TTL),
            lease: lease.min(longest),
            on_failure: self.on_failure,
            started: Instant::now(),
            pending: Pending::default(),
        }))
    }
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// Starts building a cache.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    /// A database whose queries this cache keeps. Its catalog is still to be loaded
    /// ([`Database::reload_catalog`]).
    pub fn database(&self, config: DatabaseConfig) -> Database {
        Database::new(self.clone(), config)
    }

    /// Forgets all entries of all databases.
    pub fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.0.store.invalidate_everything()
    }

    /// How often each thing happened, in this process.
    pub fn stats(&self) -> Stats {
        self.0.events.stats()
    }

    /// What the store holds.
    pub fn usage(&self) -> Usage {
        self.0.store.usage()
    }

    /// Whether something that the cache was told has not reached the store yet; see
    /// [`CacheBuilder::background`].
    pub fn is_behind(&self) -> bool {
        self.0.later.is_behind()
    }

    /// Waits until the store has all that the cache was told.
    pub fn catch_up(&self) {
        self.0.later.catch_up();
    }

    /// [`Cache::catch_up`], and ends the threads of the cache and its store until there is something
    /// to do again: for the end of a process, and before it forks.
    pub fn rest(&self) {
        self.0.later.rest();
        self.0.store.rest();
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }
}

impl CacheInner {
    /// Marks tags for a transaction that is about to commit, and tells the generation that
    /// another tag then has, if the store says so.
    pub(crate) async fn mark(
        self: &Arc<Self>,
        tags: TagSet,
        marking: &Marking<'_>,
    ) -> Result<(Marks, Option<Generation>), WriteError> {
        if self.has_pending() {
            let cache = Arc::clone(self);
            marking.caller.run(move || cache.settle_pending()).await;
        }
        match fresh_owner() {
            Ok(owner) => self.mark_as(owner, tags, marking).await,
            // Without an owner nothing is marked; the policy decides as for any failure.
            Err(error) => self
                .unmarked(OwnerId(0), tags, error.into())
                .map(|marks| (marks, None)),
        }
    }

    async fn mark_as(
        self: &Arc<Self>,
        owner: OwnerId,
        tags: TagSet,
        marking: &Marking<'_>,
    ) -> Result<(Marks, Option<Generation>), WriteError> {
        let mut marks = Marks {
            cache: Arc::clone(self),
            invalidation: Invalidation::new(owner, tags, self.lease),
            standing: Standing::Asked,
        };
        match self.acknowledge(&mut marks.invalidation, marking).await {
            Ok(generation) => {
                marks.standing = Standing::Marked;
                Ok((marks, Some(generation)))
            }
            Err(error) => {
                marks.standing = Standing::Over;
                self.unmarked(owner, marks.invalidation.tags().clone(), error)
                    .map(|marks| (marks, None))
            }
        }
    }

    /// The store has not acknowledged the marks: what the policy says.
    fn unmarked(
        self: &Arc<Self>,
        owner: OwnerId,
        tags: TagSet,
        error: StoreError,
    ) -> Result<Marks, WriteError> {
        self.events.store_failed(&error);
        // Some of the tags may have been marked before the store failed.
        let is_strict = self.on_failure == OnStoreFailure::Strict;
        self.postpone(owner, &tags, !is_strict);
        if is_strict {
            return Err(error.into());
        }
        // From here on this process bypasses the tags, and clears them once it can.
        Ok(Marks {
            cache: Arc::clone(self),
            invalidation: Invalidation::new(owner, tags, self.lease),
            standing: Standing::Postponed,
        })
    }

    /// Renews the generations of tags that nobody marked: an invalidation by hand.
    pub(crate) fn renew(&self, tags: &TagSet) -> Result<(), StoreError> {
        self.settle_pending();
        let owner = fresh_owner()?;
        self.store
            .clear(owner, tags)
            .inspect_err(|error| self.events.store_failed(error))?;
        self.events.invalidated(tags.as_slice().len());
        Ok(())
    }

    /// Whether an invalidation of one of the tags has not reached the store yet.
    pub(crate) fn is_pending(&self, tags: &[Tag]) -> bool {
        if !self.has_pending() {
            return false;
        }
        self.settle_pending();
        self.pending
            .lock()
            .waiting
            .iter()
            .any(|postponed| postponed.tags.intersects(tags))
    }

    /// [`CacheInner::is_pending`], which tries to send what the store has not acknowledged.
    pub(crate) async fn is_pending_for(self: &Arc<Self>, caller: Caller, tags: &[Tag]) -> bool {
        if !self.has_pending() {
            return false;
        }
        let (cache, tags) = (Arc::clone(self), tags.to_vec());
        let is_pending = caller.run(move || cache.is_pending(&tags)).await;
        is_pending.unwrap_or(true)
    }

    fn has_pending(&self) -> bool {
        self.pending.count.load(Ordering::SeqCst) > 0
    }

    /// Has a mark acknowledged while at least half of its lease remains, so that the commit may
    /// be sent at once.
    async fn acknowledge(
        &self,
        invalidation: &mut Invalidation,
        marking: &Marking<'_>,
    ) -> Result<Generation, StoreError> {
        const ATTEMPTS: usize = 3;
        for _ in 0..ATTEMPTS {
            let sent = self.started.elapsed();
            let mark = Mark {
                owner: invalidation.owner(),
                tags: invalidation.tags(),
                lease: invalidation.lease(),
                backend: marking.backend,
            };
            let generation = marking
                .caller
                .mark_watching(&self.store, &mark, marking.watched)
                .await?;
            invalidation.acknowledged(sent);
            if invalidation.may_commit(self.started.elapsed()) {
                return Ok(generation);
            }
        }
        Err(StoreError::Failed {
            operation: "mark",
            reason: "it takes longer than half a lease".to_owned(),
        })
    }

    /// Sends what the store has not acknowledged yet.
    fn settle_pending(&self) {
        if !self.has_pending() {
            return;
        }
        // The lock is held until the tags are cleared, so that no reader misses them meanwhile.
        let mut is_reached = true;
        self.pending.lock().waiting.retain(|postponed| {
            let Postponed { owner, tags, open } = postponed;
            // A store that fails once is not asked again for each of the others.
            let acknowledged = !open && is_reached && self.store.clear(*owner, tags).is_ok();
            is_reached &= *open || acknowledged;
            if acknowledged {
                self.pending.count.fetch_sub(1, Ordering::SeqCst);
                self.events.invalidated(tags.as_slice().len());
            }
            !acknowledged
        });
    }

    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// Keeps an invalidation that the store has not acknowledged, and tries again until it does.
    ///
    /// Every later call tries, too; the thread is for a process that makes none, so that others do
    /// not go on serving what it has changed. It lives only as long as something is left to be
    /// sent, and a child of a fork, in which it does not live, starts its own.
    ///
    /// What is still `open`, because its commit is yet to be sent, only makes this process bypass
    /// the tags: sent before the commit, the invalidation would be too early.
    fn postpone(self: &Arc<Self>, owner: OwnerId, tags: &TagSet, open: bool) {
        let must_start = self.pending.add(owner, tags, open);
        if !must_start {
            return;
        }
        let cache = Arc::downgrade(self);
        let retry = move || {
            let mut pause = RETRY_FIRST;
            loop {
                std::thread::sleep(pause);
                pause = (pause * 2).min(RETRY_LAST);
                let Some(cache) = cache.upgrade() else { return };
                cache.settle_pending();
                if cache.pending.is_over() {
                    return;
                }
            }
        };
        let started = std::thread::Builder::new()
            .name("kogia-retry".to_owned())
            .spawn(retry);
        if let Err(error) = started {
            self.pending.lock().retrying = None;
            tracing::warn!(%error, "invalidations are only sent again at the next call");
        }
    }

    /// The store answers what `clear` asks of it, or is asked again later.
    fn clear<T>(
        self: &Arc<Self>,
        owner: OwnerId,
        tags: &TagSet,
        clear: impl FnOnce(&dyn Store) -> Result<T, StoreError>,
    ) -> Option<T> {
        match clear(&*self.store) {
            Ok(answer) => {
                self.pending.forget(owner, tags);
                self.events.invalidated(tags.as_slice().len());
                Some(answer)
            }
            Err(error) => {
                self.events.store_failed(&error);
                self.postpone(owner, tags, false);
                None
            }
        }
    }

    /// [`CacheInner::renew`] that is tried again until the store acknowledges it.
    pub(crate) fn renew_surely(self: &Arc<Self>, tags: &TagSet) {
        if let Err(error) = self.renew(tags) {
            tracing::warn!(%error, "tags that were found out late could not be invalidated");
            // The owner of marks that there are not: any number will do.
            self.postpone(OwnerId(0), tags, false);
        }
    }
}

/// How long until an invalidation that the store did not acknowledge is sent again, first and at
/// last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(1);

/// Invalidations that the store has not acknowledged.
#[derive(Debug, Default)]
struct Pending {
    count: AtomicUsize,
    list: Mutex<PendingList>,
}

#[derive(Debug, Default)]
struct PendingList {
    waiting: Vec<Postponed>,
    /// The process whose thread sends them again.
    retrying: Option<u32>,
}

#[derive(Debug)]
struct Postponed {
    owner: OwnerId,
    tags: TagSet,
    open: bool,
}

impl Pending {
    /// Adds one, or closes the one that is there; whether a thread must be started to send it.
    fn add(&self, owner: OwnerId, tags: &TagSet, open: bool) -> bool {
        let mut list = self.lock();
        match list.position(owner, tags) {
            Some(known) => list.waiting[known].open = open,
            None => {
                self.count.fetch_add(1, Ordering::SeqCst);
                let tags = tags.clone();
                list.waiting.push(Postponed { owner, tags, open });
            }
        }
        let process = Some(std::process::id());
        !open && std::mem::replace(&mut list.retrying, process) != process
    }

    /// The store has acknowledged it after all.
    fn forget(&self, owner: OwnerId, tags: &TagSet) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut list = self.lock();
        if let Some(known) = list.position(owner, tags) {
            list.waiting.swap_remove(known);
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether nothing is left to be sent, so that the thread may end.
    fn is_over(&self) -> bool {
        let mut list = self.lock();
        let is_over = list.waiting.iter().all(|postponed| postponed.open);
        if is_over {
            list.retrying = None;
        }
        is_over
    }

    fn lock(&self) -> MutexGuard<'_, PendingList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingList {
    fn position(&self, owner: OwnerId, tags: &TagSet) -> Option<usize> {
        let same = |known: &Postponed| known.owner == owner && known.tags == *tags;
        self.waiting.iter().position(same)
    }
}

/// Tags that are marked for a transaction whose outcome is not known yet.
///
/// [`Marks::clear`] when it is. Dropped without, the marks stay until their lease is over and
/// somebody resolves them.
#[derive(Debug)]
#[must_use = "marks that are never cleared make their tags bypass until the lease is over"]
pub struct Marks {
    cache: Arc<CacheInner>,
    invalidation: Invalidation,
    standing: Standing,
}

/// How far marks have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The store was asked for them, and nothing that relies on them was sent.
    Asked,
    /// They are acknowledged.
    Marked,
    /// The store did not acknowledge them; this process alone bypasses the tags.
    Postponed,
    /// Nothing is left to be done.
    Over,
}

/// How a transaction's tags are marked.
pub(crate) struct Marking<'a> {
    pub(crate) backend: &'a Backend,
    /// The tag whose generation is wanted, too.
    pub(crate) watched: Tag,
    pub(crate) caller: Caller,
}

impl Marks {
    /// The transaction is over, committed or rolled back: the tags become clean, with fresh
    /// generations.
    pub fn clear(mut self) {
        self.standing = Standing::Over;
        self.clear_later();
    }

    fn clear_later(&self) {
        let (owner, tags) = (self.invalidation.owner(), self.invalidation.tags().clone());
        let cache = Arc::clone(&self.cache);
        self.cache.later.work(move || {
            cache.clear(owner, &tags, |store| store.clear(owner, &tags));
        });
    }

    /// [`Marks::clear`], and the generation that another tag has thereafter, if the store says so.
    pub(crate) fn clear_watching(mut self, watched: Tag) -> Option<Generation> {
        self.standing = Standing::Over;
        let (owner, tags) = (self.invalidation.owner(), self.invalidation.tags());
        self.cache.clear(owner, tags, |store| {
            store.clear_watching(owner, tags, watched)
        })
    }

    /// Marks more tags for the same transaction, because something was found out meanwhile.
    pub(crate) async fn widened(
        mut self,
        tags: &TagSet,
        marking: &Marking<'_>,
    ) -> Result<Marks, WriteError> {
        let standing = std::mem::replace(&mut self.standing, Standing::Over);
        let (owner, held) = (self.invalidation.owner(), self.invalidation.tags());
        if standing == Standing::Postponed {
            self.cache.pending.forget(owner, held);
        }
        let mut all = held.clone();
        all.extend(tags);
        let (marks, _) = self.cache.mark_as(owner, all, marking).await?;
        Ok(marks)
    }

    /// Whether the commit may still be sent: less than half of the lease has passed.
    pub fn may_commit(&self) -> bool {
        self.invalidation.may_commit(self.cache.started.elapsed())
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        let standing = std::mem::replace(&mut self.standing, Standing::Over);
        let (owner, tags) = (self.invalidation.owner(), self.invalidation.tags());
        match standing {
            Standing::Over => {}
            Standing::Asked => {
                // Whoever waited for the store has given up. A mark that overtakes its clearing is
                // left to its lease.
                self.clear_later();
            }
            Standing::Marked | Standing::Postponed => {
                let count = tags.as_slice().len();
                self.cache.events.tell(&Event::Abandoned { tags: count });
                if standing == Standing::Postponed {
                    // There is no mark whose lease could end.
                    self.cache.postpone(owner, tags, false);
                }
            }
        }
    }
}
