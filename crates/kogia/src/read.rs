//! One read: what is asked of the store, and what comes of its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kogia_core::{
    Access, Decision, Fill, Generation, KeyPrefix, Parameter, QueryKey, ReadBypass, ReadRequest,
    ReadResponse, Statement, StoredEntry, Tag, Uncacheable,
};
use smallvec::SmallVec;

use crate::caller::Caller;
use crate::database::{Database, LoadedCatalog};
use crate::event::{BypassReason, ReadOutcome};
use crate::flight::{Boarding, Leader, Waiter};
use crate::policy::{QueryMode, QueryOptions};
use crate::session::Era;
use crate::store::StoreError;
use crate::watch::Watch;

/// A query as a front end asks it.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// The SQL text.
    pub sql: &'a str,
    /// Its parameters, or `None` if one of them cannot take part in a key; then the query
    /// bypasses.
    pub parameters: Option<&'a [Parameter<'a>]>,
    /// How the front end encodes the result; see [`QueryKey::new`].
    pub shape: &'a [u8],
    /// What the call says.
    pub options: &'a QueryOptions,
}

/// A result, encoded to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes.
    pub value: Bytes,
    /// How many rows the result has.
    pub rows: u64,
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// From the cache: the encoded result.
    Cached(Bytes),
    /// From the database: what the call's closure returned.
    Fresh(T),
}

/// How a session may use the cache; autocommit reads without a connection use it freely.
pub(crate) struct Reader<'a> {
    pub(crate) database: &'a Database,
    pub(crate) catalog: &'a LoadedCatalog,
    pub(crate) prefix: &'a KeyPrefix,
    /// Whether the reader may wait for another one's flight. It must not while it holds what the
    /// other may need: a transaction's locks, a pool's connection.
    pub(crate) waits: bool,
    /// Whether it may wait for another process, which it does once at most.
    pub(crate) watches: bool,
}

/// A read that is to ask the store.
pub(crate) struct Planned {
    request: ReadRequest,
    access: Access,
    place: Place,
    ttl: Duration,
    waits: bool,
    /// Whether other processes are to wait for the entry, or this one for theirs.
    claims: bool,
}

/// Where the entry of a read may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Store,
    /// The transaction keeps it to itself.
    Transaction,
    /// None is wanted.
    Nowhere,
}

/// What to do next. What is large is in a box: a hit is moved as far as a miss, and sooner.
pub(crate) enum Step {
    /// The answer.
    Answer(Bytes),
    /// Wait for another reader; if that gives nothing, start again.
    Wait(Waiter),
    /// Wait for another process; if that gives nothing, start again, and watch no more.
    Watch(Box<Watch>),
    /// Run the query, then [`Permit::finish`].
    Run(Box<Permit>),
}

/// What comes of a read, or why it bypasses.
pub(crate) type Decided = Result<(ReadOutcome, Step), BypassReason>;

/// What a session knows about a query without running it; see [`crate::Session::look_up`].
#[derive(Debug)]
pub enum Lookup {
    /// The answer: the encoded result.
    Cached(Bytes),
    /// Run the query, and hand the result to [`crate::Session::fill`] if it is wanted.
    Run(Permit),
}

/// What a reader may do with the result of the query that it runs now.
///
/// It holds the stamp that was read before the query runs; dropped, nothing is stored.
pub struct Permit {
    database: Database,
    fill: Option<Fill>,
    leader: Option<Leader>,
    ttl: Duration,
    private: bool,
    /// That of the session which looked the query up, where its result may come late.
    era: Option<(Era, KeyPrefix)>,
}

impl Permit {
    /// Whether the result is wanted, for the store or for the transaction's own cache.
    pub fn wants_result(&self) -> bool {
        self.fill.is_some()
    }

    /// The tags that the result depends on, with their generations from before the query runs;
    /// `None` if the result is not wanted. Equal ones mean that nothing was committed in between.
    pub fn stamped(&self) -> Option<impl Iterator<Item = (Tag, Generation)> + '_> {
        let fill = self.fill.as_ref()?;
        Some(
            fill.tags()
                .iter()
                .copied()
                .zip(fill.stamp().0.iter().copied()),
        )
    }

    /// Stores the result. Gives it back with the right to fill if it is for the transaction's
    /// own cache.
    pub(crate) fn finish(self, result: Encoded) -> Option<(Fill, Encoded)> {
        let fill = self.fill?;
        if self.private {
            return Some((fill, result));
        }
        let cache = self.database.inner_cache();
        if let Some(leader) = &self.leader {
            leader.land(result.value.clone());
        }
        let (cache, ttl) = (Arc::clone(cache), self.ttl);
        let worker = Arc::clone(&cache);
        worker.later.fill(*fill.key(), move || {
            let bytes = result.value.len();
            match cache.store.fill(&fill, result.rows, result.value, ttl) {
                Ok(()) => cache.events.filled(bytes),
                Err(error) => cache.events.store_failed(&error),
            }
        });
        None
    }

    /// Only to run: nothing is stored.
    pub(crate) fn bypass(database: &Database) -> Permit {
        Permit {
            database: database.clone(),
            fill: None,
            leader: None,
            ttl: Duration::ZERO,
            private: false,
            era: None,
        }
    }

    /// The permit, for a result that ends in this era, and where the session is like this.
    pub(crate) fn of(self, era: Era, session: KeyPrefix) -> Permit {
        let era = Some((era, session));
        Permit { era, ..self }
    }

    pub(crate) fn is_of(&self, era: Era, session: KeyPrefix) -> bool {
        self.era == Some((era, session))
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit")
            .field("database", &self.database)
            .field("wants_result", &self.wants_result())
            .finish_non_exhaustive()
    }
}

/// A value that a transaction keeps to itself, by key.
pub(crate) type PrivateValue<'a> = &'a (dyn Fn(&QueryKey) -> Option<StoredEntry<Bytes>> + Sync);

impl Reader<'_> {
    /// Takes one read as far as it goes without the store.
    ///
    /// `access` says how the session may use the cache, given the tags of the read.
    // In line: what it returns would be copied, which takes a hit of a store in memory a twentieth.
    #[inline(always)]
    pub(crate) fn plan(
        &self,
        query: &Query<'_>,
        statement: &Arc<Statement>,
        access: &dyn Fn(&Statement, &[Tag]) -> Access,
    ) -> Result<Planned, BypassReason> {
        let cache = self.database.inner_cache();
        if query.options.mode == QueryMode::Bypass {
            return Err(BypassReason::Requested);
        }
        match &statement.uncacheable {
            None => {}
            Some(Uncacheable::Random(_)) if query.options.random => {}
            Some(why) => return Err(BypassReason::Statement(why.clone())),
        }
        if let Some(tables) = &query.options.tables
            && let Some(why) = tables.refuses(statement)
        {
            return Err(BypassReason::Statement(why));
        }
        let parameters = query.parameters.ok_or(BypassReason::Parameter)?;
        if let Some(why) = self.catalog.analyzer.refuses(parameters) {
            return Err(BypassReason::Statement(why));
        }
        let ttl = cache
            .policies
            .ttl(statement, cache.ttl)
            .map_err(BypassReason::Statement)?;
        let ttl = query.options.ttl.map_or(ttl, |limit| limit.min(ttl));
        // Filled in where it is: what is written and copied at once is slow to read.
        let mut planned = Planned {
            request: self.request(query, statement, parameters),
            access: Access::Shared,
            place: Place::Store,
            ttl,
            waits: self.waits,
            claims: self.watches && query.options.mode == QueryMode::Cached,
        };
        planned.access = access(statement, planned.request.tags());
        match planned.access {
            Access::Bypass(why) => return Err(BypassReason::Session(why)),
            Access::Snapshot { before, .. } => {
                let commit = self.database.0.tags.commit;
                planned.request.guard_snapshot(commit, before);
            }
            Access::Private => {
                planned.place = Place::Transaction;
                planned.claims = false;
            }
            Access::Shared => {}
        }
        if query.options.mode == QueryMode::Refresh
            || matches!(planned.access, Access::Snapshot { begun: false, .. })
        {
            planned.place = Place::Nowhere;
        }
        Ok(planned)
    }

    fn request(
        &self,
        query: &Query<'_>,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> ReadRequest {
        let tags = &query.options.tags;
        let key = if tags.is_empty() {
            QueryKey::new(self.prefix, &statement.digest, query.shape, parameters)
        } else {
            // Calls with other tags are other queries: their stamps have other places.
            let mut shape = query.shape.to_vec();
            for tag in tags {
                shape.extend_from_slice(&(tag.len() as u64).to_le_bytes());
                shape.extend_from_slice(tag.as_bytes());
            }
            QueryKey::new(self.prefix, &statement.digest, &shape, parameters)
        };
        let database = &self.database.0;
        let mut request = ReadRequest::new(key, &database.tags, statement, parameters);
        for tag in tags {
            request.add_tag(Tag::custom(&database.config.id, tag));
        }
        if let Some(generation) = self.catalog.generation {
            request.guard_schema(generation);
        }
        request
    }
}

impl Planned {
    /// Takes the read as far as it goes without running the query or waiting for another reader;
    /// `private` is what the session's transaction keeps to itself.
    pub(crate) async fn step(
        &self,
        database: &Database,
        query: &Query<'_>,
        private: PrivateValue<'_>,
    ) -> Decided {
        let caller = Caller::Async;
        let cache = database.inner_cache();
        caller.catch_up_with(&cache.later, self.request.key()).await;
        if cache.is_pending_for(caller, self.request.tags()).await {
            return Err(BypassReason::InvalidationPending);
        }
        let response = match self.place {
            Place::Store => caller.read(&cache.store, &self.request).await,
            // What takes an entry's place is stamped: a tier has to ask for that.
            Place::Transaction | Place::Nowhere => caller
                .generations(&cache.store, self.request.tags())
                .await
                .map(without_entry),
        };
        let mut decided = self.answered(response, database, query, private);
        if let Some(permit) = self.to_claim(&mut decided)
            && let Some(fill) = &permit.fill
        {
            let claimed = caller.claim(&cache.store, fill).await;
            if let Some(watch) = self.watch(claimed, permit) {
                decided = Ok((ReadOutcome::Shared, Step::Watch(Box::new(watch))));
            }
        }
        decided
    }

    /// [`Planned::step`] for a caller that blocks. It is no future: those are copied when they are
    /// moved, and a hit of a store in this process takes no longer than that.
    pub(crate) fn step_blocking(
        &self,
        database: &Database,
        query: &Query<'_>,
        private: PrivateValue<'_>,
    ) -> Decided {
        let cache = database.inner_cache();
        cache.later.catch_up_with(self.request.key());
        if cache.is_pending(self.request.tags()) {
            return Err(BypassReason::InvalidationPending);
        }
        let response = match self.place {
            Place::Store => cache.store.read(&self.request),
            Place::Transaction | Place::Nowhere => cache
                .store
                .generations(self.request.tags())
                .map(without_entry),
        };
        let mut decided = self.answered(response, database, query, private);
        if let Some(permit) = self.to_claim(&mut decided)
            && let Some(fill) = &permit.fill
        {
            let claimed = cache.store.claim(fill);
            if let Some(watch) = self.watch(claimed, permit) {
                decided = Ok((ReadOutcome::Shared, Step::Watch(Box::new(watch))));
            }
        }
        decided
    }

    fn answered(
        &self,
        response: Result<ReadResponse<Bytes>, StoreError>,
        database: &Database,
        query: &Query<'_>,
        private: PrivateValue<'_>,
    ) -> Decided {
        let cache = database.inner_cache();
        let mut response = response.map_err(|error| {
            cache.events.store_failed(&error);
            BypassReason::StoreFailed
        })?;
        let request = &self.request;
        if self.place == Place::Transaction {
            response.entry = private(request.key());
        }
        let (outcome, fill) = match request.decide(response) {
            Decision::Hit(value) => return Ok((ReadOutcome::Hit, Step::Answer(value))),
            Decision::Miss(fill) => (ReadOutcome::Miss, fill),
            Decision::Stale(fill) => (ReadOutcome::Stale, fill),
            Decision::Bypass(why) => {
                look_into(database, why, request.tags());
                return Err(BypassReason::Read(why));
            }
        };
        let mut permit = Permit {
            database: database.clone(),
            ttl: jittered(self.ttl, request.key()),
            private: self.access == Access::Private,
            leader: None,
            fill: None,
            era: None,
        };
        let options = query.options;
        if !permit.private && options.mode == QueryMode::Cached {
            let boarding = (!options.streams).then(|| cache.flights.board(&fill));
            match boarding {
                Some(Boarding::Leader(leader)) => permit.leader = Some(leader),
                Some(Boarding::Waiter(waiter)) if self.waits => {
                    return Ok((ReadOutcome::Shared, Step::Wait(waiter)));
                }
                Some(Boarding::Waiter(_)) | None => {}
            }
        }
        permit.fill = Some(fill);
        Ok((outcome, Step::Run(Box::new(permit))))
    }

    /// The permit of a query that is to be claimed before it runs.
    fn to_claim<'a>(&self, decided: &'a mut Decided) -> Option<&'a mut Permit> {
        match decided {
            Ok((_, Step::Run(permit))) if self.claims => Some(permit),
            _ => None,
        }
    }

    /// What becomes of the permit where another process runs the query already.
    fn watch(
        &self,
        claimed: Result<Option<Duration>, StoreError>,
        permit: &mut Permit,
    ) -> Option<Watch> {
        let events = &permit.database.inner_cache().events;
        // Without an answer nobody is waited for.
        let patience = claimed
            .inspect_err(|error| events.store_failed(error))
            .ok()??;
        let stamp = permit.fill.as_ref()?.stamp().clone();
        let (database, leader) = (permit.database.clone(), permit.leader.take());
        let request = self.request.clone();
        Some(Watch::new(database, request, stamp, leader, patience))
    }
}

impl Step {
    /// What comes of a read that was planned, unless it bypasses.
    pub(crate) fn of(decided: Decided, database: &Database, query: &Query<'_>) -> Step {
        let events = &database.inner_cache().events;
        match decided {
            Ok((outcome, step)) => {
                events.read(query.sql, &outcome);
                step
            }
            Err(reason) => {
                events.read(query.sql, &ReadOutcome::Bypass(reason));
                Step::Run(Box::new(Permit::bypass(database)))
            }
        }
    }
}

fn without_entry(generations: SmallVec<[Generation; 8]>) -> ReadResponse<Bytes> {
    ReadResponse {
        generations,
        entry: None,
    }
}

fn look_into(database: &Database, why: ReadBypass, tags: &[Tag]) {
    match why {
        ReadBypass::Marked => database.resolve_marks(tags),
        ReadBypass::SchemaChanged => database.schema_changed(),
        _ => {}
    }
}

/// Up to a tenth less than the TTL, so that entries filled together do not expire together.
fn jittered(ttl: Duration, key: &QueryKey) -> Duration {
    let share = u32::from(key.as_bytes()[31]);
    ttl - ttl / 10 * share / 255
}
