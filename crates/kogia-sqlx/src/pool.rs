//! The pool.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use kogia::{Abandoned, Backend, Cache, Database, Resolver, Verdict};
use sqlx::pool::PoolConnection;
use sqlx::{Describe, Error, Execute, Executor, Pool, SqlSafeStr, SqlStr};
use tokio::runtime::Handle;

use crate::connection::CachedConnection;
use crate::connections::{Connections, Known};
use crate::driver::{Call, Driver, Step};
use crate::introspect;
use crate::shape;
use crate::transaction::CachedTransaction;

/// A pool of connections whose queries are cached and whose writes invalidate. Cheap to clone.
///
/// `&CachedPool` is an `Executor` of sqlx, so that it takes the place of a `Pool` in existing code.
/// All writes to the database must go through it or through another front end of the same store;
/// what is written on [`CachedPool::uncached`] or by other programs shows when entries expire.
pub struct CachedPool<DB: Driver>(Arc<Shared<DB>>);

struct Shared<DB: Driver> {
    pool: Pool<DB>,
    connections: Connections<DB>,
    /// The database that new connections were last found to be connected to.
    database: ArcSwap<Database>,
    reloading: tokio::sync::Mutex<()>,
    runtime: Handle,
    started: Instant,
    /// When somebody last looked which database the pool reaches, in milliseconds.
    looked_at: AtomicU64,
}

/// A program that is answered by the cache alone does not notice by itself that another server has
/// taken over; it looks this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Loading a catalog takes milliseconds, unless it waits for somebody's locks.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(5);

impl<DB: Driver> CachedPool<DB> {
    /// Wraps a pool: finds out which database it is connected to, and loads its catalog.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn new(pool: Pool<DB>, cache: &Cache) -> Result<Self, Error> {
        // Hashing the program takes some milliseconds, better now than at the first query.
        let program = tokio::task::spawn_blocking(shape::program);
        let runtime = Handle::current();
        let resolver = PoolResolver {
            pool: pool.clone(),
            runtime: runtime.clone(),
        };
        let connections = Connections::new(cache.clone(), Arc::new(resolver));
        let mut connection = pool.acquire().await?;
        let known = connections.know(&mut *connection).await?;
        let database = ArcSwap::from_pointee(known.database.clone());
        let reloading = tokio::sync::Mutex::new(());
        let (started, looked_at) = (Instant::now(), AtomicU64::new(0));
        let shared = Shared {
            pool,
            connections,
            database,
            reloading,
            runtime,
            started,
            looked_at,
        };
        let pool = CachedPool(Arc::new(shared));
        pool.load_catalog(&known.database, &mut *connection).await?;
        program.await.map_err(|error| Error::Io(error.into()))?;
        Ok(pool)
    }

    /// Takes a connection.
    pub async fn acquire(&self) -> Result<CachedConnection<DB>, Error> {
        let connection = self.0.pool.acquire().await?;
        self.wrap(connection).await
    }

    /// Begins a transaction on a connection of its own.
    pub async fn begin(&self) -> Result<CachedTransaction<'static, DB>, Error> {
        CachedTransaction::begin(self.acquire().await?, None).await
    }

    /// Begins a transaction with a statement of one's own, for instance
    /// `BEGIN ISOLATION LEVEL SERIALIZABLE`.
    pub async fn begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<CachedTransaction<'static, DB>, Error> {
        let statement = Some(statement.into_sql_str());
        CachedTransaction::begin(self.acquire().await?, statement).await
    }

    /// Runs migrations, and invalidates everything.
    #[cfg(feature = "migrate")]
    pub async fn migrate(&self, migrator: &sqlx::migrate::Migrator) -> Result<(), Error>
    where
        DB::Connection: sqlx::migrate::Migrate,
    {
        let mut connection = self.acquire().await?;
        let run = async |connection: &mut DB::Connection| {
            migrator
                .run_direct(None, connection, false)
                .await
                .map_err(|error| Error::Migrate(Box::new(error)))
        };
        connection.with_unseen(run).await?;
        drop(connection);
        self.reload_catalog().await
    }

    /// Loads the catalog again. This happens by itself after every change of the schema that goes
    /// through a front end; say it after one that did not.
    pub async fn reload_catalog(&self) -> Result<(), Error> {
        let mut connection = self.0.pool.acquire().await?;
        let known = self.know(&mut connection).await?;
        self.load_catalog(&known.database, &mut *connection).await
    }

    /// The engine's view of the database, to invalidate by hand.
    pub fn database(&self) -> Arc<Database> {
        self.0.database.load_full()
    }

    /// The pool inside. What is written on it is not seen.
    pub fn uncached(&self) -> &Pool<DB> {
        &self.0.pool
    }

    /// Closes all connections and waits until they are.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }

    pub(crate) fn runtime(&self) -> Option<Handle> {
        Handle::try_current()
            .ok()
            .or_else(|| Some(self.0.runtime.clone()))
    }

    pub(crate) async fn wrap(
        &self,
        mut connection: PoolConnection<DB>,
    ) -> Result<CachedConnection<DB>, Error> {
        let known = self.know(&mut connection).await?;
        Ok(CachedConnection::new(self.clone(), connection, &known))
    }

    /// What is known about a connection. A new one tells which database the pool reaches now.
    async fn know(&self, connection: &mut PoolConnection<DB>) -> Result<Arc<Known>, Error> {
        let known = self.0.connections.know(&mut *connection).await?;
        if known.database.config().id != self.database().config().id {
            // After a failover for instance.
            self.0.database.store(Arc::new(known.database.clone()));
        }
        Ok(known)
    }

    /// Looks, not too often and without waiting, which database the pool reaches.
    fn look_around(&self) {
        if DB::MARKER.is_none() {
            return;
        }
        let now = self.0.started.elapsed().as_millis() as u64;
        let last = self.0.looked_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= LOOK_EVERY.as_millis() as u64;
        let claim = |next| {
            self.0
                .looked_at
                .compare_exchange(last, next, Ordering::Relaxed, Ordering::Relaxed)
        };
        if !due || claim(now).is_err() {
            return;
        }
        let pool = self.clone();
        self.0.runtime.spawn(async move {
            // What cannot be reached has not been taken over yet.
            if let Ok(mut connection) = pool.0.pool.acquire().await {
                let _ = pool.know(&mut connection).await;
            }
        });
    }

    /// The database, with a catalog as new as can be had without waiting for anybody.
    pub(crate) async fn current_database(&self) -> Arc<Database> {
        self.look_around();
        let database = self.database();
        if database.is_catalog_outdated() {
            // In a box, so that the future of a hit stays small.
            Box::pin(self.refresh_catalog(&database)).await;
            return self.database();
        }
        database
    }

    /// Loads an outdated catalog, once however many readers meet it, and only if a connection is
    /// free: the caller may hold the last one.
    async fn refresh_catalog(&self, database: &Database) {
        let _alone = self.0.reloading.lock().await;
        if !database.is_catalog_outdated() {
            return;
        }
        let Some(mut connection) = self.free_connection().await else {
            return;
        };
        let loaded = async {
            let known = self.know(&mut connection).await?;
            self.load_catalog(&known.database, &mut *connection).await
        };
        // Somebody may hold locks on what the catalog tells about.
        let why = match tokio::time::timeout(CATALOG_TIMEOUT, loaded).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                connection.close_on_drop();
                "it takes too long".to_owned()
            }
        };
        tracing::warn!(
            why,
            "the catalog is not loaded; until it is, queries bypass the cache"
        );
    }

    /// A connection, if that is sure not to wait for another task to give one back.
    async fn free_connection(&self) -> Option<PoolConnection<DB>> {
        let pool = &self.0.pool;
        if let Some(connection) = pool.try_acquire() {
            return Some(connection);
        }
        if pool.size() >= pool.options().get_max_connections() {
            return None;
        }
        let opened = tokio::time::timeout(CATALOG_TIMEOUT, pool.acquire()).await;
        opened.ok()?.ok()
    }

    async fn load_catalog(
        &self,
        database: &Database,
        connection: &mut DB::Connection,
    ) -> Result<(), Error> {
        let reload = match database.reload_catalog_async().await {
            Ok(Some(reload)) => reload,
            // Somebody is changing the schema; the next reader tries again.
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!(%error, "the store fails, so that the catalog is not loaded");
                return Ok(());
            }
        };
        reload.finish(introspect::catalog_of::<DB>(connection).await?);
        Ok(())
    }

    /// Whether a statement does nothing but read, so that nobody needs to follow it. On MySQL
    /// somebody must notice if its caller gives up, whatever it does.
    fn only_reads(&self, sql: &str) -> bool {
        if DB::DIALECT == kogia::core::Dialect::MySql {
            return false;
        }
        let statement = self.0.database.load().analyze(sql);
        !statement.is_write() && statement.effects.is_empty()
    }
}

impl<DB: Driver> Clone for CachedPool<DB> {
    fn clone(&self) -> Self {
        CachedPool(Arc::clone(&self.0))
    }
}

impl<DB: Driver> fmt::Debug for CachedPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedPool")
            .field("database", &self.database())
            .finish_non_exhaustive()
    }
}

impl<'p, DB: Driver> Executor<'p> for &'_ CachedPool<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, Error>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let pool = self.clone();
        let call = Call::new(query);
        Box::pin(async_stream::try_stream! {
            let call = call?;
            if pool.only_reads(call.sql.as_str()) {
                let mut connection = pool.0.pool.acquire().await?;
                let mut steps = DB::fetch_many(&mut *connection, call);
                while let Some(step) = steps.try_next().await? {
                    yield step;
                }
            } else {
                let mut connection = pool.acquire().await?;
                let mut steps = connection.stream(Ok(call));
                while let Some(step) = steps.next().await {
                    yield step?;
                }
            }
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let pool = self.clone();
        let call = Call::new(query);
        Box::pin(async move { pool.acquire().await?.first(call).await })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut connection = pool.0.pool.acquire().await?;
            DB::prepare(&mut *connection, sql, parameters).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut connection = pool.0.pool.acquire().await?;
            DB::describe(&mut *connection, sql).await
        })
    }
}

/// Asks the database about writers that nobody has heard of for a lease.
struct PoolResolver<DB: Driver> {
    pool: Pool<DB>,
    runtime: Handle,
}

impl<DB: Driver> PoolResolver<DB> {
    const TIMEOUT: Duration = Duration::from_secs(5);
}

impl<DB: Driver> Resolver for PoolResolver<DB> {
    fn resolve(&self, database: &Database, abandoned: Abandoned) {
        // A writer in a process that lives clears its marks itself, however long it takes.
        if abandoned.backend == Backend::Process && abandoned.process_alive == Some(true) {
            return database.resolved(abandoned.owner, &abandoned.tags, Verdict::Running);
        }
        let (pool, database) = (self.pool.clone(), database.clone());
        self.runtime.spawn(async move {
            let asked = async {
                let backend = match &abandoned.backend {
                    Backend::Server(backend) => backend.clone(),
                    _ => bytes::Bytes::new(),
                };
                let mut connection = pool.acquire().await?;
                DB::is_over(&mut *connection, &backend).await
            };
            let verdict = match tokio::time::timeout(Self::TIMEOUT, asked).await {
                Ok(Ok(Some(true))) => Verdict::Over,
                // Running, or nobody knows.
                _ => Verdict::Running,
            };
            database.resolved(abandoned.owner, &abandoned.tags, verdict);
        });
    }
}
