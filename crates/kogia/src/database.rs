//! One database that a cache serves: its identity, its catalog, its writers.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use kogia_core::{
    Analyzer, DatabaseId, DatabaseTags, Dialect, Generation, Isolation, KeyPrefix, OwnerId, Schema,
    SessionConfig, Statement, Tag, TagSet, Uncacheable, Value, canonical,
};

use crate::cache::{Cache, CacheInner};
use crate::caller::{Caller, at_once};
use crate::event::{BypassReason, Event};
use crate::session::Session;
use crate::store::{Abandoned, Backend, StoreError};

/// What a front end knows about a database before it has loaded its catalog.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Its identity, never an application's alias.
    pub id: DatabaseId,
    /// Its SQL.
    pub dialect: Dialect,
    /// The isolation level of transactions that name none.
    pub isolation: Isolation,
    /// Whether statements outside a transaction commit by themselves.
    pub autocommit: bool,
    /// Everything else that a fresh session has and that can change a result: user, role, search
    /// path, time zone…, as names and values.
    pub settings: Vec<(String, String)>,
    /// The databases that are attached to a fresh connection beside this one (SQLite).
    pub attached: Vec<DatabaseId>,
    /// Settings that somebody changed after the login of a connection and before its session
    /// began, so that `RESET` goes back to other values (PostgreSQL).
    pub altered: Vec<String>,
    /// What this database was before servers were promoted to primaries (PostgreSQL). Their entries
    /// become stale, because a process that has only hits does not notice the promotion.
    pub predecessors: Vec<DatabaseId>,
}

impl DatabaseConfig {
    /// A database in its dialect's default configuration.
    pub fn new(id: DatabaseId, dialect: Dialect) -> Self {
        let isolation = match dialect {
            Dialect::Postgres => Isolation::ReadCommitted,
            Dialect::MySql => Isolation::RepeatableRead,
            Dialect::Sqlite => Isolation::Serializable,
        };
        DatabaseConfig {
            id,
            dialect,
            isolation,
            autocommit: true,
            settings: Vec::new(),
            attached: Vec::new(),
            altered: Vec::new(),
            predecessors: Vec::new(),
        }
    }
}

/// Who can tell whether a writer's transaction is over; a front end, which can ask the database.
pub trait Resolver: Send + Sync {
    /// Finds out whether the owner's transaction is over, without blocking the caller, and says
    /// so by [`Database::resolved`]. A resolver that cannot reach the database says
    /// [`Verdict::Running`].
    fn resolve(&self, database: &Database, abandoned: Abandoned);
}

/// Whether a writer's transaction is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Committed or rolled back, and nothing of it is still under way: clear its marks.
    Over,
    /// Still running, or nobody knows: extend its lease.
    Running,
}

/// A database whose queries a [`Cache`] keeps. Cheap to clone.
#[derive(Clone)]
pub struct Database(pub(crate) Arc<DatabaseInner>);

pub(crate) struct DatabaseInner {
    pub(crate) cache: Cache,
    pub(crate) config: DatabaseConfig,
    pub(crate) tags: DatabaseTags,
    catalog: ArcSwap<LoadedCatalog>,
    outdated: AtomicBool,
    resolver: Mutex<Option<Arc<dyn Resolver>>>,
    started: Instant,
    /// When marks were last looked at, in milliseconds since `started`.
    resolved_at: AtomicU64,
}

/// The catalog that statements are analysed by.
#[derive(Debug)]
pub(crate) struct LoadedCatalog {
    pub(crate) analyzer: Arc<Analyzer>,
    /// The schema epoch that was read before the catalog was; `None` without a catalog.
    pub(crate) generation: Option<Generation>,
    pub(crate) session: Arc<SessionConfig>,
}

/// The permission to load a catalog: the schema epoch was read before.
#[derive(Debug)]
#[must_use]
pub struct CatalogReload {
    database: Database,
    generation: Generation,
}

impl CatalogReload {
    /// The database's SQL.
    pub fn dialect(&self) -> Dialect {
        self.database.0.config.dialect
    }

    /// Uses a catalog that was read from the database after the reload began.
    pub fn finish(self, schema: Schema) {
        let inner = &self.database.0;
        let schema = Schema {
            loaded: true,
            ..schema
        };
        let loaded = LoadedCatalog::new(&inner.config, &inner.tags, schema, Some(self.generation));
        inner.catalog.store(Arc::new(loaded));
        inner.outdated.store(false, Ordering::SeqCst);
    }
}

impl LoadedCatalog {
    fn new(
        config: &DatabaseConfig,
        tags: &DatabaseTags,
        schema: Schema,
        generation: Option<Generation>,
    ) -> Self {
        let analyzer = Analyzer::new(config.id.clone(), schema);
        let fingerprint = analyzer.fingerprint();
        let head = [config.id.name().as_bytes(), fingerprint.as_slice()];
        let settings = config.settings.iter();
        let settings = settings.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let altered = config.altered.iter();
        let altered = altered.map(|name| name.to_lowercase().into_boxed_str());
        let session = SessionConfig {
            dialect: config.dialect,
            id: config.id.clone(),
            database: *tags,
            isolation: config.isolation,
            autocommit: config.autocommit,
            catalog: generation.is_some(),
            prefix: KeyPrefix::new(head.into_iter().chain(settings)),
            altered: altered.collect(),
        };
        LoadedCatalog {
            analyzer: Arc::new(analyzer),
            generation,
            session: Arc::new(session),
        }
    }
}

impl Database {
    pub(crate) fn new(cache: Cache, config: DatabaseConfig) -> Self {
        let tags = DatabaseTags::new(&config.id);
        let catalog = LoadedCatalog::new(&config, &tags, Schema::unknown(config.dialect), None);
        if !config.predecessors.is_empty() {
            let epochs = config.predecessors.iter().map(DatabaseTags::new);
            let stale = epochs.flat_map(|tags| [tags.database_epoch, tags.commit]);
            cache.0.renew_surely(&stale.collect());
        }
        Database(Arc::new(DatabaseInner {
            cache,
            tags,
            catalog: ArcSwap::from_pointee(catalog),
            outdated: AtomicBool::new(true),
            resolver: Mutex::new(None),
            started: Instant::now(),
            resolved_at: AtomicU64::new(0),
            config,
        }))
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// What the database was described as.
    pub fn config(&self) -> &DatabaseConfig {
        &self.0.config
    }

    /// A session for a connection that was just opened, or reset.
    pub fn session(&self, backend: Backend) -> Session {
        Session::new(self.clone(), backend)
    }

    /// Who resolves the marks of writers that died.
    pub fn set_resolver(&self, resolver: Arc<dyn Resolver>) {
        *self
            .0
            .resolver
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(resolver);
    }

    /// What a text reads, writes and does, by the present catalog.
    pub fn analyze(&self, sql: &str) -> Arc<Statement> {
        self.0.catalog.load().analyzer.analyze(sql)
    }

    /// The analyzer by the present catalog.
    pub fn analyzer(&self) -> Arc<Analyzer> {
        Arc::clone(&self.0.catalog.load().analyzer)
    }

    /// Whether the catalog must be loaded, for the first time or again, because the schema
    /// changed. Until then queries bypass and writes invalidate the whole database.
    pub fn is_catalog_outdated(&self) -> bool {
        self.0.outdated.load(Ordering::SeqCst)
    }

    /// Begins to load the catalog: read it from the database now, then
    /// [`CatalogReload::finish`]. Fails with `None` while somebody is changing the schema.
    pub fn reload_catalog(&self) -> Result<Option<CatalogReload>, StoreError> {
        at_once(self.begin_reload(Caller::Blocking))
    }

    /// [`Database::reload_catalog`] for a caller that has other things to do with its thread than to
    /// wait for a store behind a network.
    pub async fn reload_catalog_async(&self) -> Result<Option<CatalogReload>, StoreError> {
        self.begin_reload(Caller::Async).await
    }

    async fn begin_reload(&self, caller: Caller) -> Result<Option<CatalogReload>, StoreError> {
        let epoch = self.0.tags.schema_epoch;
        let generation = self.generation(epoch, caller).await?;
        if !generation.is_clean() {
            self.resolve_marks(&[epoch]);
            return Ok(None);
        }
        Ok(Some(CatalogReload {
            database: self.clone(),
            generation,
        }))
    }

    /// Invalidates everything that depends on a table, or on what a view reads.
    pub fn invalidate_table(&self, table: &str) -> Result<(), StoreError> {
        let analyzer = self.analyzer();
        let tables = analyzer.tables_of(table);
        let tags = tables
            .iter()
            .flat_map(|table| [table.tags.any, table.tags.broad, table.tags.inserts])
            .chain([self.0.tags.commit]);
        self.inner_cache().renew(&tags.collect())
    }

    /// Invalidates what depends on one row of a table, by its primary key. A value without a
    /// canonical form invalidates the table.
    pub fn invalidate_key(&self, table: &str, key: &Value<'_>) -> Result<(), StoreError> {
        let analyzer = self.analyzer();
        let tables = analyzer.tables_of(table);
        let mut tags = vec![self.0.tags.commit];
        for table in &tables {
            let value = table.key.as_ref().and_then(|column| canonical(column, key));
            let Some(value) = value else {
                return self.invalidate_table(&table.name);
            };
            tags.extend([table.tags.any, table.tags.key(&value)]);
        }
        self.inner_cache().renew(&tags.into_iter().collect())
    }

    /// Invalidates what was given this tag ([`crate::QueryOptions::tags`]).
    pub fn invalidate_tag(&self, name: &str) -> Result<(), StoreError> {
        let tags = [Tag::custom(&self.0.config.id, name), self.0.tags.commit];
        self.inner_cache().renew(&tags.into_iter().collect())
    }

    /// Invalidates all entries of this database, for data that changed unseen under the same
    /// schema.
    pub fn invalidate_entries(&self) -> Result<(), StoreError> {
        let tags = [self.0.tags.database_epoch, self.0.tags.commit];
        self.inner_cache().renew(&tags.into_iter().collect())
    }

    /// Invalidates everything of this database, for instance after a restore from a backup.
    pub fn invalidate_all(&self) -> Result<(), StoreError> {
        let tags = [
            self.0.tags.database_epoch,
            self.0.tags.schema_epoch,
            self.0.tags.commit,
        ];
        self.inner_cache().renew(&tags.into_iter().collect())
    }

    /// Tells listeners that a result cannot be stored, and why: for a front end whose `encode` says
    /// so.
    pub fn not_stored(&self, sql: &str, reason: &str) {
        self.inner_cache().events.not_stored(sql, reason);
    }

    /// A resolver found out about a writer.
    pub fn resolved(&self, owner: OwnerId, tags: &TagSet, verdict: Verdict) {
        let (cache, tags) = (Arc::clone(self.inner_cache()), tags.clone());
        let worker = Arc::clone(&cache);
        worker.later.work(move || {
            let result = match verdict {
                Verdict::Over => cache.store.clear(owner, &tags),
                Verdict::Running => cache.store.extend(owner, &tags, cache.lease()),
            };
            if let Err(error) = result {
                cache.events.store_failed(&error);
            }
        });
    }

    pub(crate) fn inner_cache(&self) -> &Arc<CacheInner> {
        &self.0.cache.0
    }

    pub(crate) fn catalog(&self) -> arc_swap::Guard<Arc<LoadedCatalog>> {
        self.0.catalog.load()
    }

    /// The schema changed: say so once.
    pub(crate) fn catalog_is_outdated(&self) {
        if !self.0.outdated.swap(true, Ordering::SeqCst) {
            self.inner_cache().events.tell(&Event::CatalogOutdated);
        }
    }

    /// The generation of one tag.
    pub(crate) async fn generation(
        &self,
        tag: Tag,
        caller: Caller,
    ) -> Result<Generation, StoreError> {
        let cache = self.inner_cache();
        caller.catch_up_with_marks(&cache.later).await;
        caller.generation(&cache.store, tag).await
    }

    /// What the catalog does not know may have been created since it was loaded: looks, for a query
    /// that bypasses.
    pub(crate) async fn look_for_catalog(&self, reason: &BypassReason, caller: Caller) {
        let BypassReason::Statement(Uncacheable::UnknownTable(_) | Uncacheable::UnknownFunction(_)) =
            reason
        else {
            return;
        };
        let now = self.generation(self.0.tags.schema_epoch, caller).await;
        if let (Some(loaded), Ok(now)) = (self.catalog().generation, now)
            && !loaded.is_current(now)
        {
            self.schema_changed();
        }
    }

    /// [`Database::look_for_catalog`] for a caller that blocks. Apart, because it would be copied into
    /// each reader, and slow down their hits.
    #[cold]
    pub(crate) fn look_for_catalog_blocking(&self, reason: &BypassReason) {
        at_once(self.look_for_catalog(reason, Caller::Blocking));
    }

    /// The schema is another one than the catalog says, or will be.
    pub(crate) fn schema_changed(&self) {
        self.catalog_is_outdated();
        self.resolve_marks(&[self.0.tags.schema_epoch]);
    }

    /// A reader met marks: looks, not too often, whether their owners are still there.
    pub(crate) fn resolve_marks(&self, tags: &[Tag]) {
        self.0.resolve_marks(self, tags);
    }
}

impl DatabaseInner {
    /// Looking at marks may take a system call for each owner, so readers do it this seldom.
    const RESOLVE_EVERY: Duration = Duration::from_millis(20);

    fn resolve_marks(&self, database: &Database, tags: &[Tag]) {
        let now = self.started.elapsed().as_millis() as u64;
        let last = self.resolved_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= Self::RESOLVE_EVERY.as_millis() as u64;
        let claim = |next| {
            self.resolved_at
                .compare_exchange(last, next, Ordering::Relaxed, Ordering::Relaxed)
        };
        if !due || claim(now).is_err() {
            return;
        }
        let (database, tags) = (database.clone(), tags.to_vec());
        let cache = Arc::clone(database.inner_cache());
        cache.later.work(move || {
            let cache = database.inner_cache();
            match cache.store.abandoned(&tags) {
                Ok(abandoned) => {
                    for writer in abandoned {
                        database.0.resolve(&database, writer);
                    }
                }
                Err(error) => cache.events.store_failed(&error),
            }
        });
    }

    fn resolve(&self, database: &Database, writer: Abandoned) {
        let resolver = self
            .resolver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let verdict = match (&writer.backend, writer.process_alive, resolver) {
            // The database died with the process.
            (Backend::Process, Some(false), _) => Verdict::Over,
            // The process clears its marks itself, however long its transaction takes.
            (Backend::Process, Some(true), None) => Verdict::Running,
            (Backend::Unknown, ..) | (_, _, None) => Verdict::Over,
            (_, _, Some(resolver)) => return resolver.resolve(database, writer),
        };
        database.resolved(writer.owner, &writer.tags, verdict);
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.0.config.id).finish()
    }
}
