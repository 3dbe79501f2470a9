//! kogia-sqlx, as its users use it.

use std::cell::Cell;

use kogia::Cache;
use kogia_sqlx::{CachedConnection, CachedPool, Driver, TypedQuery};
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Executor, FromRow, IntoArguments};

use crate::connection::{Connection, Locks, Server, message};
use crate::front::{FrontEnd, Recorder};
use crate::step::Statement;
use crate::value::{Answer, Row};

/// A pool of kogia-sqlx.
pub struct Wrapped<S: Server + Driver> {
    pool: CachedPool<S>,
    recorder: Recorder,
    /// Whether the next session uses the pool itself instead of a connection of its own.
    pool_next: Cell<bool>,
}

impl<S: Server + Driver> Wrapped<S> {
    /// Wraps a pool for this many sessions. The cache must tell the recorder what happens. With
    /// `pool_first`, the first session uses the pool itself.
    pub async fn new(
        cache: &Cache,
        url: &str,
        locks: Locks,
        recorder: &Recorder,
        pool_first: bool,
    ) -> Result<Self, sqlx::Error> {
        let options =
            PoolOptions::<S>::new()
                .max_connections(8)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        S::fetch(connection, &Statement::new(S::greeting(locks)), false)
                            .await
                            .map_err(sqlx::Error::Protocol)?;
                        Ok(())
                    })
                });
        Ok(Wrapped {
            pool: CachedPool::new(options.connect(url).await?, cache).await?,
            recorder: recorder.clone(),
            pool_next: Cell::new(pool_first),
        })
    }

    /// The pool inside.
    pub fn into_pool(self) -> CachedPool<S> {
        self.pool
    }

    /// Closes the pool, once all sessions are dropped.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl<S> FrontEnd for Wrapped<S>
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    type Session = WrappedSession<S>;

    #[allow(
        clippy::expect_used,
        reason = "a test cannot go on without its database"
    )]
    async fn connect(&self) -> WrappedSession<S> {
        if self.pool_next.replace(false) {
            return WrappedSession::Pool(self.pool.clone());
        }
        let connection = self.pool.acquire().await;
        WrappedSession::Connection(connection.expect("the pool has a connection"))
    }

    fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

/// A session of kogia-sqlx.
pub enum WrappedSession<S: Server + Driver> {
    /// On a connection of its own.
    Connection(CachedConnection<S>),
    /// On any connection of the pool, in autocommit.
    Pool(CachedPool<S>),
}

impl<S> Connection for WrappedSession<S>
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    async fn read(&mut self, query: &Statement, meanwhile: impl AsyncFnOnce()) -> Answer {
        let sql = AssertSqlSafe(query.sql.clone());
        let arguments = S::arguments(&query.parameters);
        let typed = sqlx::query_as_with::<S, Row, _>(sql, arguments).persistent(query.is_kept);
        let cached = match self {
            WrappedSession::Connection(connection) => typed.cached(connection),
            WrappedSession::Pool(pool) => typed.cached(&*pool),
        };
        // A row of a case has no names of columns.
        let answer = cached.ignoring_columns().fetch_all().await;
        meanwhile().await;
        answer.map_err(message)
    }

    async fn execute(&mut self, statement: &Statement, meanwhile: impl AsyncFnOnce()) -> Answer {
        meanwhile().await;
        let sql = AssertSqlSafe(statement.sql.clone());
        let rows = if statement.parameters.is_empty() {
            let text = sqlx::raw_sql(sql);
            match self {
                WrappedSession::Connection(connection) => connection.fetch_all(text).await,
                WrappedSession::Pool(pool) => (&*pool).fetch_all(text).await,
            }
        } else {
            let arguments = S::arguments(&statement.parameters);
            let query = sqlx::query_with::<S, _>(sql, arguments).persistent(statement.is_kept);
            match self {
                WrappedSession::Connection(connection) => connection.fetch_all(query).await,
                WrappedSession::Pool(pool) => (&*pool).fetch_all(query).await,
            }
        };
        let rows = rows.map_err(message)?;
        Ok(rows.iter().map(S::row).collect())
    }
}
