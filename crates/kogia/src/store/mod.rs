//! Stores: where entries and generations live.

mod copies;
mod entries;
// LMDB and the boot's name are there on other systems, too, but nobody has tried them.
#[cfg(all(feature = "file", target_os = "linux"))]
mod file;
mod finding;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "only Redis pushes"))]
mod pushed;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod remote;
mod tiered;
mod url;

pub use self::copies::CopiesStore;
#[cfg(all(feature = "file", target_os = "linux"))]
pub use self::file::FileStore;
pub use self::finding::{Finding, Level};
#[cfg(feature = "memcached")]
pub use self::memcached::{MemcachedAddress, MemcachedStore, MemcachedUrl};
pub use self::memory::MemoryStore;
#[cfg(feature = "redis")]
pub use self::redis::{RedisAddress, RedisCluster, RedisSentinels, RedisStore, RedisUrl};
pub use self::tiered::TieredStore;
pub(crate) use self::url::DEFAULT_CAPACITY;
pub use self::url::{StoreUrl, StoreUrlError, TierMode};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use smallvec::SmallVec;

/// Opens the store that a URL names.
pub(crate) fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, StoreError> {
    match url {
        StoreUrl::Memory { capacity } => Ok(Arc::new(MemoryStore::new(*capacity))),
        #[cfg(all(feature = "file", target_os = "linux"))]
        StoreUrl::File { path, capacity } => Ok(Arc::new(FileStore::open(path, *capacity)?)),
        #[cfg(feature = "redis")]
        StoreUrl::Redis(url) => Ok(Arc::new(RedisStore::new(url.clone()))),
        #[cfg(feature = "redis")]
        StoreUrl::Copies(urls) => {
            let [first, second] = urls.as_ref().clone().map(RedisStore::new);
            Ok(Arc::new(CopiesStore::new(
                Arc::new(first),
                Arc::new(second),
            )))
        }
        #[cfg(feature = "memcached")]
        StoreUrl::Memcached(url) => Ok(Arc::new(MemcachedStore::new(url.clone()))),
        #[cfg(not(all(feature = "file", target_os = "linux")))]
        StoreUrl::File { .. } => Err(StoreError::Open {
            url: url.to_string(),
            reason: "this program was built without the file store, which there is for Linux"
                .to_owned(),
        }),
        StoreUrl::Tiered {
            shared,
            local,
            mode,
        } => tiered(shared, *local, *mode, open),
    }
}

/// Opens a tier in front of the store that a URL names.
fn tiered(
    shared: &StoreUrl,
    local: u64,
    mode: TierMode,
    open: impl FnOnce(&StoreUrl) -> Result<Arc<dyn Store>, StoreError>,
) -> Result<Arc<dyn Store>, StoreError> {
    match (mode, shared) {
        (TierMode::Strict, _) => Ok(Arc::new(TieredStore::new(open(shared)?, local))),
        #[cfg(feature = "redis")]
        (TierMode::Pushed { staleness }, StoreUrl::Redis(url)) => {
            let shared = RedisStore::new(url.clone());
            Ok(Arc::new(TieredStore::pushed(shared, local, staleness)))
        }
        (TierMode::Pushed { .. }, _) => Err(StoreError::Open {
            url: shared.to_string(),
            reason: StoreUrlError::Pushed.to_string(),
        }),
    }
}

impl StoreUrl {
    /// Opens the store to look at it: a file store has to be there already, and keeps the capacity
    /// that it has.
    pub fn open_existing(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            #[cfg(all(feature = "file", target_os = "linux"))]
            StoreUrl::File { path, .. } => Ok(Arc::new(FileStore::open_existing(path)?)),
            StoreUrl::Tiered {
                shared,
                local,
                mode,
            } => tiered(shared, *local, *mode, StoreUrl::open_existing),
            other => open(other),
        }
    }
}

/// Something that keeps entries and generations.
///
/// # What a store must do
///
/// - [`Store::read`] gives the generations as they stand after the call began. It reads the entry
///   first and the tags in the order of the request; it need not read them at one instant,
///   because a generation that is seen twice has not changed in between.
/// - After [`Store::mark`] has returned, every read that begins gives the tags as marked, until
///   the last owner is cleared. The marks of several owners add up.
/// - [`Store::mark`] and [`Store::clear`] give every tag a generation that it never had.
/// - A generation that was lost comes back as one that never was, never as one that was.
/// - An entry and its stamp are given back as they were filled, or not at all.
/// - The generations alone tell whether an entry that was given earlier still is current: another
///   incarnation of the store shows in each of them. A [`TieredStore`] keeps copies of entries and
///   asks for nothing else.
///
/// One store promises less, because it is told to ([`TierMode::Pushed`]): what [`Store::read`] gives
/// with an entry that is a hit may be what it would have given at a moment before the call began, and
/// that moment is no longer ago than the URL says. It still sees at once what its own process has
/// marked and cleared. [`Store::generations`], and a read that guards a snapshot
/// ([`ReadRequest::guard_snapshot`]), are as with any other store.
///
/// # The wrong answers it may give
///
/// - It may forget any entry and any clean generation at any time. That costs a miss.
/// - It may invalidate tags that nobody touched, for instance because tags share a slot. That
///   costs a miss, too.
/// - It may fail. That costs a bypass for a read, and what [`crate::OnStoreFailure`] says for a
///   write.
///
/// It must not forget a mark while its owner may still commit, unless its incarnation changes:
/// then everything that it ever gave out is no longer current.
///
/// # Concurrent calls
///
/// All methods may be called from any number of threads.
pub trait Store: Send + Sync + fmt::Debug {
    /// The entry under a key and the generations of all its tags. Tags without a generation get
    /// one.
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError>;

    /// [`Store::read`], and how long the entry still lives ([`kogia_core::StoredEntry::remaining`]),
    /// which costs some stores more than the read alone.
    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.read(request)
    }

    /// [`Store::read`] for a caller that has other things to do with its thread than to wait. `None`
    /// if the store cannot do without it here: then one that waits ([`Store::waits`]) is asked on
    /// another thread.
    ///
    /// Dropping the future is fine at any time.
    fn read_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, ReadResponse<Bytes>>> {
        let _ = request;
        None
    }

    /// [`Store::read_with_lifetime`], as [`Store::read_async`] is [`Store::read`].
    fn read_with_lifetime_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, ReadResponse<Bytes>>> {
        self.read_async(request)
    }

    /// The generations of some tags, in their order. Tags without a generation get one.
    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError>;

    /// [`Store::generations`], as [`Store::read_async`] is [`Store::read`].
    fn generations_async<'a>(
        &'a self,
        tags: &'a [Tag],
    ) -> Option<StoreFuture<'a, SmallVec<[Generation; 8]>>> {
        let _ = tags;
        None
    }

    /// Stores a value with the right to fill that a miss handed out. `rows` is the number of rows
    /// of the result; `ttl` is how long the entry lives at most.
    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError>;

    /// Claims to run the query of a miss, so that other processes wait for its entry instead of
    /// running it, too. If one of them has claimed it, how long to wait for that entry.
    ///
    /// Two claims are one if they are of the same query and stamp: whoever waits is given nothing
    /// that is older than what it would have read itself. A store that knows no claims lets
    /// everybody run.
    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        let _ = fill;
        Ok(None)
    }

    /// [`Store::claim`], as [`Store::read_async`] is [`Store::read`].
    fn claim_async<'a>(&'a self, fill: &'a Fill) -> Option<StoreFuture<'a, Option<Duration>>> {
        let _ = fill;
        None
    }

    /// Marks tags for an owner and renews their generations. Returning means acknowledged.
    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError>;

    /// Removes an owner from tags and renews their generations, whether or not it held them.
    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError>;

    /// [`Store::mark`], and then the generation of one more tag. A store behind a network does
    /// both in one round trip.
    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.mark(mark)?;
        one_generation(self, watched)
    }

    /// [`Store::mark_watching`], as [`Store::read_async`] is [`Store::read`]. Whoever drops the future
    /// before it has an output cannot tell whether the tags are marked, or will be.
    fn mark_watching_async<'a>(
        &'a self,
        mark: &'a Mark<'a>,
        watched: Tag,
    ) -> Option<StoreFuture<'a, Generation>> {
        let _ = (mark, watched);
        None
    }

    /// [`Store::clear`], and then the generation of one more tag.
    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.clear(owner, tags)?;
        one_generation(self, watched)
    }

    /// [`Store::generations`], and something else that is done once at most: while the answer is on
    /// its way, where the store waits for one. A [`CopiesStore`] asks another store meanwhile.
    fn generations_meanwhile(
        &self,
        tags: &[Tag],
        meanwhile: &mut (dyn FnMut() + Send),
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        meanwhile();
        self.generations(tags)
    }

    /// [`Store::mark_watching`], and something else meanwhile, as for
    /// [`Store::generations_meanwhile`].
    fn mark_meanwhile(
        &self,
        mark: &Mark<'_>,
        watched: Tag,
        meanwhile: &mut (dyn FnMut() + Send),
    ) -> Result<Generation, StoreError> {
        meanwhile();
        self.mark_watching(mark, watched)
    }

    /// [`Store::clear_watching`], and something else meanwhile, as for
    /// [`Store::generations_meanwhile`].
    fn clear_meanwhile(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
        meanwhile: &mut (dyn FnMut() + Send),
    ) -> Result<Generation, StoreError> {
        meanwhile();
        self.clear_watching(owner, tags, watched)
    }

    /// Renews the lease of an owner that a resolver found alive.
    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError>;

    /// Owners of marks on these tags who ought to be resolved: their lease is over, or their
    /// process is known to be gone.
    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError>;

    /// Forgets all entries and renews all generations.
    fn invalidate_everything(&self) -> Result<(), StoreError>;

    /// Whether a call waits for a network, so that whoever makes it had better hold no lock that
    /// others need.
    fn waits(&self) -> bool {
        false
    }

    /// The longest lease that the store can honour, if there is a bound.
    fn longest_lease(&self) -> Option<Duration> {
        None
    }

    /// Ends what the store does by itself, until it is used again: for the end of a process, and
    /// before it forks.
    fn rest(&self) {}

    /// What the store holds, as far as it can tell cheaply.
    fn usage(&self) -> Usage;

    /// What an expert would look at: whether the settings of the store are those that a cache
    /// needs, how much room is left, what will go wrong. It may take long, and changes nothing.
    fn examine(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// The answer of a store to come.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The generation of one tag.
pub(crate) fn one_generation<S: Store + ?Sized>(
    store: &S,
    tag: Tag,
) -> Result<Generation, StoreError> {
    let generations = store.generations(&[tag])?;
    Ok(generations.first().copied().unwrap_or(Generation::MISSING))
}

/// A request to mark tags.
#[derive(Debug, Clone)]
pub struct Mark<'a> {
    /// Who marks.
    pub owner: OwnerId,
    /// What.
    pub tags: &'a TagSet,
    /// How long until the mark may be resolved, on the store's clock.
    pub lease: Duration,
    /// Where the owner's transaction runs, to be resolved by.
    pub backend: &'a Backend,
}

/// Where a writer's transaction runs, which decides who can tell whether it is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Backend {
    /// In the writer's own process (SQLite): it is over when the process is gone.
    Process,
    /// In a database server. The bytes name the server process, in the front end's own encoding;
    /// its [`crate::Resolver`] asks the database.
    Server(Bytes),
    /// Nobody can tell. When the lease is over the mark is cleared, which is only right if no
    /// commit takes longer than a lease.
    Unknown,
}

/// An owner whose mark ought to be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// The owner.
    pub owner: OwnerId,
    /// Those of the asked tags that it holds.
    pub tags: TagSet,
    /// Where its transaction runs.
    pub backend: Backend,
    /// Whether its process still runs, where the store can tell.
    pub process_alive: Option<bool>,
}

/// What a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Entries, current or not.
    pub entries: u64,
    /// Their bytes, with overhead.
    pub bytes: u64,
    /// The bound on `bytes`.
    pub capacity: u64,
    /// Entries evicted since the store was opened.
    pub evicted: u64,
    /// What this process keeps in front of a shared store; see [`TieredStore`].
    pub local: Option<LocalUsage>,
}

/// What the local tier of a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalUsage {
    /// Copies of entries, current or not.
    pub entries: u64,
    /// Their bytes, with overhead.
    pub bytes: u64,
    /// The bound on `bytes`.
    pub capacity: u64,
    /// Copies evicted, replaced or forgotten since the store was opened.
    pub evicted: u64,
    /// Whether the shared store tells what changes at this moment, so that hits need not ask it; see
    /// [`TierMode::Pushed`].
    pub is_told: bool,
}

/// What went wrong in a store. A failing store never fails a query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random(#[from] getrandom::Error),
    /// The store could not be opened.
    #[error("cannot open the store {url}: {reason}")]
    Open {
        /// The URL, without secrets.
        url: String,
        /// What happened and what to do.
        reason: String,
    },
    /// An operation failed.
    #[error("the store failed to {operation}: {reason}")]
    Failed {
        /// The operation.
        operation: &'static str,
        /// What happened.
        reason: String,
    },
}
