//! One database connection's life, and the two drivers of a read.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kogia_core::{
    DatabaseId, Effect, Execution, Fill, Generation, Outcome, Parameter, QueryKey, SessionState,
    Stamp, Statement, StoredEntry, Tag, TagSet,
};

use crate::cache::{Marking, Marks, WriteError};
use crate::caller::{Caller, at_once};
use crate::database::{Database, LoadedCatalog};
use crate::event::BypassReason;
use crate::read::{Answer, Encoded, Lookup, Permit, Planned, Query, Reader, Step};
use crate::store::{Backend, StoreError};

/// One database connection's life.
///
/// A front end keeps one beside each connection and tells it of every statement, in this order:
///
/// - a query that might be cached: [`Session::read`] or [`Session::read_blocking`], which run it
///   on the connection when they must;
/// - anything else: [`Session::before`], send the statement, [`Session::after`].
///
/// A statement that runs without the session's knowledge makes later answers wrong.
#[derive(Debug)]
pub struct Session {
    database: Database,
    state: SessionState,
    /// The catalog that the session follows.
    catalog: Arc<LoadedCatalog>,
    private: PrivateEntries,
    backend: Backend,
    waits: bool,
    /// The catalog that the open transaction's first write was analysed by.
    written_under: Option<Option<Generation>>,
    catalogs_mixed: bool,
    era: Era,
}

/// What a result must not have on both sides, its look-up and its end: a write, the end of a
/// transaction that has written, whatever changes the session, or another session. No two are equal.
///
/// An edge of a transaction that has written nothing is none. Drivers that begin one by themselves
/// make it seem to end and to begin again before its first query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Era(u64);

impl Era {
    fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Era(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// A statement that is about to be sent, or under way; see [`Session::before`].
#[derive(Debug)]
#[must_use = "hand it to Session::after when the outcome is known"]
pub struct Running {
    execution: Option<Execution>,
    marks: Option<Marks>,
    /// The schema epoch's generation when the statement was about to be sent.
    schema: Option<Generation>,
    renews_schema: bool,
}

impl Running {
    /// Takes the marks, to clear them when the outcome is known after all: for a statement whose
    /// caller gave up while it was under way.
    pub fn detach(&mut self) -> Option<Marks> {
        self.marks.take()
    }

    /// What the statement reads, writes and does; `None` if nothing of it matters to a session.
    pub fn statement(&self) -> Option<&Arc<Statement>> {
        self.execution.as_ref().map(Execution::statement)
    }

    /// Whether the statement commits something, and holds marks for that.
    pub fn is_marked(&self) -> bool {
        self.marks.is_some()
    }

    /// Whether the statement may still be sent; false when too much time has passed since
    /// [`Session::before`] for its marks to be relied on. Then call that again.
    pub fn may_send(&self) -> bool {
        self.marks.as_ref().is_none_or(Marks::may_commit)
    }
}

impl Session {
    pub(crate) fn new(database: Database, backend: Backend) -> Self {
        let catalog = Arc::clone(&database.catalog());
        let mut state = SessionState::new(Arc::clone(&catalog.session));
        // Nothing was written yet.
        let _ = state.attached(&database.config().attached);
        Session {
            state,
            private: PrivateEntries::default(),
            catalog,
            database,
            backend,
            waits: false,
            written_under: None,
            catalogs_mixed: false,
            era: Era::new(),
        }
    }

    /// Answers a query from the cache, or by running it on the session's connection.
    ///
    /// `run` runs it; `encode` makes of its result what is to be stored, or `None` if it must not
    /// be. Dropping the future is fine at any time. A statement that is no query is run, with its
    /// effects on the transaction and on other entries.
    pub async fn read<T, E, F>(
        &mut self,
        query: &Query<'_>,
        run: impl FnOnce() -> F,
        encode: impl FnOnce(&T) -> Option<Encoded>,
    ) -> Result<Answer<T>, E>
    where
        F: Future<Output = Result<T, E>>,
        E: From<WriteError>,
    {
        drive(self, query, run, encode).await
    }

    /// [`Session::read`] for a connection that blocks.
    pub fn read_blocking<T, E>(
        &mut self,
        query: &Query<'_>,
        run: impl FnOnce() -> Result<T, E>,
        encode: impl FnOnce(&T) -> Option<Encoded>,
    ) -> Result<Answer<T>, E>
    where
        E: From<WriteError>,
    {
        drive_blocking(self, query, run, encode)
    }

    /// The first half of a read, for a front end that runs queries in its own way: what the cache
    /// knows, without waiting for other readers of this process.
    ///
    /// A query that must run is then a statement like any other ([`Session::before`],
    /// [`Session::after`]); its result goes to [`Session::fill`].
    pub fn look_up(&mut self, query: &Query<'_>) -> Lookup {
        let waits = std::mem::take(&mut self.waits);
        let mut step = self.step_blocking(query, true);
        if let Step::Watch(watch) = step {
            step = match watch.wait() {
                Some(value) => Step::Answer(value),
                None => self.step_blocking(query, false),
            };
        }
        self.waits = waits;
        match step {
            Step::Answer(value) => Lookup::Cached(value),
            Step::Run(permit) => Lookup::Run(permit.of(self.era, *self.state.prefix())),
            // A session that does not wait is never told to.
            Step::Wait(_) | Step::Watch(_) => Lookup::Run(Permit::bypass(&self.database)),
        }
    }

    /// The second half: stores the result of a query that [`Session::look_up`] permitted to run.
    ///
    /// Its rows may have been read one by one, and not if the session has written, begun or ended a
    /// transaction, or changed in another way meanwhile: then they may be what nobody else sees, or
    /// what the session itself no longer does.
    pub fn fill(&mut self, permit: Permit, result: Encoded) {
        if !permit.is_of(self.era, *self.state.prefix()) {
            return;
        }
        if let Some((fill, result)) = permit.finish(result) {
            self.private.insert(&fill, result);
        }
    }

    /// Prepares for a statement: what it is about to commit is marked, and acknowledged, when
    /// this returns. Send the statement at once, then call [`Session::after`].
    ///
    /// Fails only under [`crate::OnStoreFailure::Strict`]; then the statement must not be sent,
    /// and a transaction must be rolled back.
    pub fn before(
        &mut self,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Running, WriteError> {
        at_once(self.prepare(sql, parameters, Caller::Blocking))
    }

    /// [`Session::before`] for a caller that has other things to do with its thread than to wait for
    /// a store behind a network.
    ///
    /// Dropping the future is fine at any time: then the statement is not sent, and what may be
    /// marked for it is cleared.
    pub async fn before_async(
        &mut self,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Running, WriteError> {
        self.prepare(sql, parameters, Caller::Async).await
    }

    async fn prepare(
        &mut self,
        sql: &str,
        parameters: &[Parameter<'_>],
        caller: Caller,
    ) -> Result<Running, WriteError> {
        self.follow_catalog();
        self.read_commit_generation(caller).await;
        let statement = self.catalog.analyzer.analyze(sql);
        let mut execution = self.state.plan(&statement, parameters);
        let ends_era = |effect: &Effect| match effect {
            Effect::Savepoint(_) | Effect::Release(_) => false,
            Effect::Begin { .. } | Effect::Commit { .. } | Effect::Rollback { .. } => {
                self.state.holds_writes()
            }
            _ => true,
        };
        if statement.is_write() || statement.effects.iter().any(ends_era) {
            self.era = Era::new();
        }
        let undoes = |effect: &Effect| matches!(effect, Effect::RollbackTo(_) | Effect::Execute(_));
        if statement.effects.iter().any(undoes) {
            // Nobody knows which of the transaction's own entries saw what is undone.
            self.private.clear();
        }
        self.private.remove(&execution.written);
        if !execution.written.is_empty() {
            let under = *self.written_under.get_or_insert(self.catalog.generation);
            self.catalogs_mixed |= under != self.catalog.generation;
        }
        let mut running = Running {
            execution: None,
            marks: None,
            schema: None,
            renews_schema: false,
        };
        if !execution.mark.is_empty() {
            let epoch = self.database.0.tags.schema_epoch;
            let cache = self.database.inner_cache();
            let marking = Marking {
                backend: &self.backend,
                watched: epoch,
                caller,
            };
            let (mut marks, schema) = cache.mark(execution.mark.clone(), &marking).await?;
            // Every entry depends on the schema epoch: a statement that renews it is wide enough.
            running.renews_schema = execution.mark.contains(epoch);
            if !running.renews_schema && (self.catalogs_mixed || !self.is_catalog_current(schema)) {
                // A trigger or a cascade may have come up that the analysis did not know of.
                let everything = self.everything();
                execution.mark.extend(&everything);
                marks = marks.widened(&everything, &marking).await?;
            }
            (running.marks, running.schema) = (Some(marks), schema);
        }
        running.execution = Some(execution);
        Ok(running)
    }

    /// The statement is over. With [`Outcome::Unknown`] its marks stay, to be resolved.
    pub fn after(&mut self, running: Running, outcome: Outcome) {
        let Running {
            execution,
            marks,
            schema,
            renews_schema,
        } = running;
        if let Some(execution) = execution {
            self.state.finish(execution, outcome);
        }
        if !self.state.in_transaction() {
            self.written_under = None;
            self.catalogs_mixed = false;
        }
        if !self.state.in_transaction() || outcome != Outcome::Done {
            self.private.clear();
        }
        let Some(marks) = marks else { return };
        if outcome == Outcome::Unknown {
            return;
        }
        let (cache, everything) = (Arc::clone(self.database.inner_cache()), self.everything());
        let epoch = self.database.0.tags.schema_epoch;
        let worker = Arc::clone(&cache);
        worker.later.work(move || {
            let now = marks.clear_watching(epoch);
            if now != schema && !renews_schema {
                // The schema changed while the statement ran: it may have set off a new trigger.
                cache.renew_surely(&everything);
            }
        });
    }

    /// What a text reads, writes and does, by the present catalog.
    pub fn analyze(&self, sql: &str) -> Arc<Statement> {
        self.database.analyze(sql)
    }

    /// Lets the session's reads wait for another reader that is running the same query; off
    /// unless told otherwise, and never inside a transaction. Only for a connection that no other
    /// reader could be waiting for, so not for one that was taken from a pool.
    pub fn wait_for_flights(&mut self, wait: bool) {
        self.waits = wait;
    }

    /// What the driver itself knows about the connection's transaction, where it can tell.
    pub fn observe_transaction(&mut self, open: bool) {
        if self.state.holds_writes() && !open || !self.state.in_transaction() && open {
            self.era = Era::new();
        }
        self.state.observe_transaction(open);
        if !open {
            self.private.clear();
        }
    }

    /// Whether the connection must be asked which other databases are attached to it: after
    /// `ATTACH`, and after what nobody understands (SQLite). Ask at once, and then say so by
    /// [`Session::attached`]. Until then writes to them make nothing stale.
    pub fn wants_attached(&self) -> bool {
        self.state.wants_attached()
    }

    /// Says which databases are attached to the connection beside its own; at its beginning, those
    /// of [`crate::DatabaseConfig::attached`] are. Each write of the session makes their entries
    /// stale, too.
    pub fn attached(&mut self, databases: &[DatabaseId]) -> Result<(), StoreError> {
        let stale = self.state.attached(databases);
        if stale.is_empty() {
            return Ok(());
        }
        self.database.inner_cache().renew(&stale)
    }

    /// Whether the connection must be looked at, because a trigger may have changed its session: ask
    /// [`crate::introspect::identity_questions`] again and
    /// [`crate::introspect::temporary_question`], and then say by [`Session::compared`] whether it is
    /// like a fresh one. Until then its queries bypass (MySQL).
    pub fn wants_comparison(&self) -> bool {
        self.state.wants_comparison()
    }

    /// Says whether the connection is like a fresh one.
    pub fn compared(&mut self, is_like_fresh: bool) {
        self.state.compared(is_like_fresh);
    }

    /// Says that the connection has a temporary table already: a pool handed it on, with what its
    /// last user left in it.
    pub fn has_temporary(&mut self, name: &str) {
        self.state.has_temporary(name);
    }

    /// Whether the connection differs from a fresh one, so that a pool must not hand it to
    /// somebody else as such.
    pub fn is_altered(&self) -> bool {
        self.state.is_altered()
    }

    /// Whether a read that runs now, by itself, changes nothing that is known of the session.
    pub fn is_settled(&self) -> bool {
        self.state.is_settled()
    }

    /// Whether a transaction is open, or may be.
    pub fn in_transaction(&self) -> bool {
        self.state.in_transaction()
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Follows a catalog that was loaded again.
    fn follow_catalog(&mut self) {
        let catalog = self.database.catalog();
        if !Arc::ptr_eq(&catalog, &self.catalog) {
            self.catalog = Arc::clone(&catalog);
            self.state.set_config(Arc::clone(&catalog.session));
        }
    }

    /// A statement that begins a snapshot needs the commit tag's generation from before.
    async fn read_commit_generation(&mut self, caller: Caller) {
        if self.state.wants_commit_generation() {
            let commit = self.database.0.tags.commit;
            let generation = self.database.generation(commit, caller).await;
            self.state.commit_generation(generation.ok());
        }
    }

    /// Whether the catalog that the session follows is the present one, given the schema epoch's
    /// generation.
    fn is_catalog_current(&self, now: Option<Generation>) -> bool {
        let Some(loaded) = self.catalog.generation else {
            // Without a catalog, every write renews the database epoch anyway.
            return true;
        };
        let current = now.is_some_and(|now| loaded.is_current(now));
        if !current {
            self.database.catalog_is_outdated();
        }
        current
    }

    /// The tags that make every entry of the database stale.
    fn everything(&self) -> TagSet {
        let tags = self.database.0.tags;
        [tags.database_epoch, tags.commit].into_iter().collect()
    }
}

/// Something that reads go through: a session, or a database in autocommit.
trait Source {
    /// Whether the store is behind a network.
    fn waits_for_store(&self) -> bool;

    /// Takes one read as far as it goes without running the query or waiting for another reader;
    /// `watches` says whether it may be told to wait for another process.
    fn step(&mut self, query: &Query<'_>, watches: bool) -> impl Future<Output = Step> + Send;

    /// [`Source::step`] for a caller that blocks.
    fn step_blocking(&mut self, query: &Query<'_>, watches: bool) -> Step;

    /// The query is about to run.
    fn before(
        &mut self,
        query: &Query<'_>,
        caller: Caller,
    ) -> impl Future<Output = Result<Running, WriteError>> + Send;

    /// It has run.
    fn after(&mut self, running: Running, succeeded: bool);

    /// A result that only the transaction itself may see.
    fn keep(&mut self, fill: &Fill, result: Encoded);
}

async fn drive<S: Source, T, E, F>(
    source: &mut S,
    query: &Query<'_>,
    run: impl FnOnce() -> F,
    encode: impl FnOnce(&T) -> Option<Encoded>,
) -> Result<Answer<T>, E>
where
    F: Future<Output = Result<T, E>>,
    E: From<WriteError>,
{
    let mut watches = true;
    loop {
        // A store in this process is asked at once: it has nothing that could be awaited.
        let step = match source.waits_for_store() {
            true => Box::pin(source.step(query, watches)).await,
            false => source.step_blocking(query, watches),
        };
        match step {
            Step::Answer(value) => return Ok(Answer::Cached(value)),
            Step::Wait(waiter) => {
                watches = false;
                if let Some(value) = waiter.await {
                    return Ok(Answer::Cached(value));
                }
            }
            Step::Watch(watch) => {
                watches = false;
                if let Some(waiter) = watch.depart()
                    && let Some(value) = waiter.await
                {
                    return Ok(Answer::Cached(value));
                }
            }
            // In a box: a future is copied when it is moved, and a hit has no use for this part.
            Step::Run(permit) => {
                let missed = async {
                    let running = source.before(query, Caller::Async).await?;
                    let result = run().await;
                    finish(source, permit, running, result, encode)
                };
                return Box::pin(missed).await;
            }
        }
    }
}

/// [`drive`] where waiting blocks the thread; nothing but the places that wait differs.
fn drive_blocking<S: Source, T, E>(
    source: &mut S,
    query: &Query<'_>,
    run: impl FnOnce() -> Result<T, E>,
    encode: impl FnOnce(&T) -> Option<Encoded>,
) -> Result<Answer<T>, E>
where
    E: From<WriteError>,
{
    let mut watches = true;
    loop {
        match source.step_blocking(query, watches) {
            Step::Answer(value) => return Ok(Answer::Cached(value)),
            Step::Wait(waiter) => {
                watches = false;
                if let Some(value) = waiter.wait() {
                    return Ok(Answer::Cached(value));
                }
            }
            Step::Watch(watch) => {
                watches = false;
                if let Some(value) = watch.wait() {
                    return Ok(Answer::Cached(value));
                }
            }
            Step::Run(permit) => {
                let running = at_once(source.before(query, Caller::Blocking))?;
                let result = run();
                return finish(source, permit, running, result, encode);
            }
        }
    }
}

fn finish<S: Source, T, E>(
    source: &mut S,
    permit: Box<Permit>,
    running: Running,
    result: Result<T, E>,
    encode: impl FnOnce(&T) -> Option<Encoded>,
) -> Result<Answer<T>, E> {
    source.after(running, result.is_ok());
    let result = result?;
    if permit.wants_result()
        && let Some(encoded) = encode(&result)
        && let Some((fill, encoded)) = permit.finish(encoded)
    {
        source.keep(&fill, encoded);
    }
    Ok(Answer::Fresh(result))
}

/// What an error says about a statement that may have written: nothing, if the connection was
/// lost. Its marks then stay until they are resolved.
fn outcome(succeeded: bool, marked: bool) -> Outcome {
    match (succeeded, marked) {
        (true, _) => Outcome::Done,
        (false, false) => Outcome::Failed,
        (false, true) => Outcome::Unknown,
    }
}

impl Session {
    #[inline]
    fn plan(&self, query: &Query<'_>, watches: bool) -> Result<Planned, BypassReason> {
        let reader = Reader {
            database: &self.database,
            catalog: &self.catalog,
            prefix: self.state.prefix(),
            waits: self.waits && !self.state.in_transaction(),
            watches: watches && !self.state.in_transaction(),
        };
        let statement = self.catalog.analyzer.analyze(query.sql);
        let access = |statement: &Statement, tags: &[Tag]| self.state.access(statement, tags);
        reader.plan(query, &statement, &access)
    }
}

impl Source for Session {
    fn waits_for_store(&self) -> bool {
        self.database.inner_cache().store.waits()
    }

    async fn step(&mut self, query: &Query<'_>, watches: bool) -> Step {
        self.follow_catalog();
        self.read_commit_generation(Caller::Async).await;
        let private = |key: &QueryKey| self.private.get(key);
        let decided = match self.plan(query, watches) {
            Ok(planned) => planned.step(&self.database, query, &private).await,
            Err(reason) => {
                self.database.look_for_catalog(&reason, Caller::Async).await;
                Err(reason)
            }
        };
        Step::of(decided, &self.database, query)
    }

    fn step_blocking(&mut self, query: &Query<'_>, watches: bool) -> Step {
        self.follow_catalog();
        at_once(self.read_commit_generation(Caller::Blocking));
        let private = |key: &QueryKey| self.private.get(key);
        let decided = match self.plan(query, watches) {
            Ok(planned) => planned.step_blocking(&self.database, query, &private),
            Err(reason) => {
                self.database.look_for_catalog_blocking(&reason);
                Err(reason)
            }
        };
        Step::of(decided, &self.database, query)
    }

    async fn before(&mut self, query: &Query<'_>, caller: Caller) -> Result<Running, WriteError> {
        let parameters = query.parameters.unwrap_or_default();
        self.prepare(query.sql, parameters, caller).await
    }

    fn after(&mut self, running: Running, succeeded: bool) {
        let outcome = outcome(succeeded, running.marks.is_some());
        Session::after(self, running, outcome);
    }

    fn keep(&mut self, fill: &Fill, result: Encoded) {
        self.private.insert(fill, result);
    }
}

impl Source for &Database {
    fn waits_for_store(&self) -> bool {
        self.inner_cache().store.waits()
    }

    async fn step(&mut self, query: &Query<'_>, watches: bool) -> Step {
        let decided = match self.plan(query, watches) {
            Ok(planned) => planned.step(self, query, &|_| None).await,
            Err(reason) => {
                self.look_for_catalog(&reason, Caller::Async).await;
                Err(reason)
            }
        };
        Step::of(decided, self, query)
    }

    fn step_blocking(&mut self, query: &Query<'_>, watches: bool) -> Step {
        let decided = match self.plan(query, watches) {
            Ok(planned) => planned.step_blocking(self, query, &|_| None),
            Err(reason) => {
                self.look_for_catalog_blocking(&reason);
                Err(reason)
            }
        };
        Step::of(decided, self, query)
    }

    async fn before(&mut self, query: &Query<'_>, caller: Caller) -> Result<Running, WriteError> {
        if !self.analyze(query.sql).is_write() {
            return Ok(Running {
                execution: None,
                marks: None,
                schema: None,
                renews_schema: false,
            });
        }
        let parameters = query.parameters.unwrap_or_default();
        self.session(Backend::Unknown)
            .prepare(query.sql, parameters, caller)
            .await
    }

    fn after(&mut self, running: Running, succeeded: bool) {
        if running.marks.is_some() {
            let outcome = outcome(succeeded, true);
            self.session(Backend::Unknown).after(running, outcome);
        }
    }

    fn keep(&mut self, _fill: &Fill, _result: Encoded) {}
}

impl Database {
    /// Answers a query in autocommit, on a connection that `run` takes from a pool when it must.
    ///
    /// For connections that are all alike: of the database's role and settings, outside any
    /// transaction. Like [`Session::read`] otherwise, but concurrent equal misses run once.
    pub async fn read<T, E, F>(
        &self,
        query: &Query<'_>,
        run: impl FnOnce() -> F,
        encode: impl FnOnce(&T) -> Option<Encoded>,
    ) -> Result<Answer<T>, E>
    where
        F: Future<Output = Result<T, E>>,
        E: From<WriteError>,
    {
        drive(&mut &*self, query, run, encode).await
    }

    /// [`Database::read`] for connections that block.
    pub fn read_blocking<T, E>(
        &self,
        query: &Query<'_>,
        run: impl FnOnce() -> Result<T, E>,
        encode: impl FnOnce(&T) -> Option<Encoded>,
    ) -> Result<Answer<T>, E>
    where
        E: From<WriteError>,
    {
        drive_blocking(&mut &*self, query, run, encode)
    }

    #[inline]
    fn plan(&self, query: &Query<'_>, watches: bool) -> Result<Planned, BypassReason> {
        let catalog = self.catalog();
        let statement = catalog.analyzer.analyze(query.sql);
        let reader = Reader {
            database: self,
            catalog: &catalog,
            prefix: &catalog.session.prefix,
            waits: true,
            watches,
        };
        let access = catalog.session.access();
        reader.plan(query, &statement, &|_, _| access)
    }
}

/// What a transaction has read since it wrote: never in the shared store, because nobody else
/// may see it. Dropped entry by entry as it writes, and altogether when it ends.
#[derive(Debug, Default)]
struct PrivateEntries {
    entries: HashMap<QueryKey, PrivateEntry>,
    bytes: usize,
}

#[derive(Debug)]
struct PrivateEntry {
    tags: Box<[Tag]>,
    stamp: Stamp,
    value: Bytes,
}

impl PrivateEntries {
    /// A transaction that reads more than this after it wrote goes to the database.
    const CAPACITY: usize = 4 << 20;

    fn get(&self, key: &QueryKey) -> Option<StoredEntry<Bytes>> {
        let entry = self.entries.get(key)?;
        Some(StoredEntry {
            stamp: entry.stamp.clone(),
            value: entry.value.clone(),
            remaining: None,
        })
    }

    fn insert(&mut self, fill: &Fill, result: Encoded) {
        if self.bytes + result.value.len() > Self::CAPACITY {
            return;
        }
        self.bytes += result.value.len();
        let entry = PrivateEntry {
            tags: fill.tags().into(),
            stamp: fill.entry_stamp(result.rows),
            value: result.value,
        };
        self.entries.insert(*fill.key(), entry);
    }

    /// The transaction writes these tags.
    fn remove(&mut self, written: &TagSet) {
        if !written.is_empty() {
            self.entries
                .retain(|_, entry| !written.intersects(&entry.tags));
            self.bytes = self.entries.values().map(|entry| entry.value.len()).sum();
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}
