//! A connection that invalidates what is written on it.

use std::fmt;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use kogia::core::Outcome;
use kogia::{Marks, Running, Session};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Describe, Either, Error, Execute, Executor, SqlSafeStr, SqlStr};

use crate::arguments::Bound;
use crate::connections::Known;
use crate::driver::{Call, Driver, Step};
use crate::introspect;
use crate::pool::CachedPool;
use crate::transaction::CachedTransaction;

/// A connection of a [`CachedPool`], for as long as one task needs it.
///
/// `&mut CachedConnection` is an `Executor` of sqlx: every statement that runs through it is seen,
/// and what it writes is invalidated. When it is dropped it goes back to the pool; if the task
/// has changed its settings, it is closed instead, because the next one would not know.
pub struct CachedConnection<DB: Driver> {
    pool: CachedPool<DB>,
    live: Option<Live<DB>>,
}

/// A connection and the engine's view of it.
pub(crate) struct Live<DB: Driver> {
    pub(crate) connection: PoolConnection<DB>,
    pub(crate) session: Session,
    /// Whether it is to the server that takes writes.
    primary: bool,
    /// How often a caller gave up where the driver of MySQL then mistakes the answer to one
    /// statement for that to the next.
    disturbed: u32,
    /// Marks of statements whose caller gave up while they were under way.
    unsettled: Vec<Marks>,
}

impl<DB: Driver> CachedConnection<DB> {
    pub(crate) fn new(pool: CachedPool<DB>, connection: PoolConnection<DB>, known: &Known) -> Self {
        let session = known.database.session(known.backend.clone());
        let live = Live {
            connection,
            session,
            primary: known.primary,
            disturbed: 0,
            unsettled: Vec::new(),
        };
        CachedConnection {
            pool,
            live: Some(live),
        }
    }

    /// Begins a transaction, or a savepoint if one is open.
    pub async fn begin(&mut self) -> Result<CachedTransaction<'_, DB>, Error> {
        CachedTransaction::begin(self, None).await
    }

    /// Begins a transaction with a statement of one's own, for instance
    /// `BEGIN ISOLATION LEVEL SERIALIZABLE`.
    pub async fn begin_with(
        &mut self,
        statement: impl SqlSafeStr,
    ) -> Result<CachedTransaction<'_, DB>, Error> {
        CachedTransaction::begin(self, Some(statement.into_sql_str())).await
    }

    /// The pool.
    pub fn pool(&self) -> &CachedPool<DB> {
        &self.pool
    }

    /// Gives the connection to something that is no `Executor`, `COPY` for instance.
    ///
    /// Nobody sees what runs on it, so everything of the database is invalidated, and the
    /// connection is closed afterwards.
    pub async fn with_unseen<T, F>(&mut self, run: F) -> Result<T, Error>
    where
        F: AsyncFnOnce(&mut DB::Connection) -> Result<T, Error>,
    {
        let live = self.live().await?;
        let mut flight = live.start(UNSEEN, None).await?;
        let result = run(flight.connection()).await;
        flight.land(result).await
    }

    /// The connection, once nothing is under way on it any more.
    pub(crate) async fn live(&mut self) -> Result<&mut Live<DB>, Error> {
        let live = self.live.as_mut().ok_or(Error::PoolClosed)?;
        live.settle().await;
        live.learn_attached().await?;
        Ok(live)
    }

    pub(crate) fn live_now(&mut self) -> Option<&mut Live<DB>> {
        self.live.as_mut()
    }

    /// Runs a statement and gives everything that comes back.
    pub(crate) fn stream(
        &mut self,
        call: Result<Call<DB>, Error>,
    ) -> BoxStream<'_, Result<Step<DB>, Error>> {
        Box::pin(async_stream::try_stream! {
            let call = call?;
            let mut flight = self.live().await?.start_call(call).await?;
            let mut failed = None;
            {
                let mut steps = flight.send();
                while let Some(step) = steps.next().await {
                    match step {
                        Ok(step) => yield step,
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            flight.land(failed.map_or(Ok(()), Err)).await?;
        })
    }

    /// Runs a statement for the first row of its answer.
    pub(crate) async fn first(
        &mut self,
        call: Result<Call<DB>, Error>,
    ) -> Result<Option<DB::Row>, Error> {
        let mut flight = self.live().await?.start_call(call?).await?;
        let writes = flight.writes();
        let mut first = Ok(None);
        {
            let mut steps = flight.send();
            while let Some(step) = steps.next().await {
                match step {
                    Ok(Either::Right(row)) if matches!(first, Ok(None)) => first = Ok(Some(row)),
                    Ok(_) => {}
                    Err(error) => first = Err(error),
                }
                // What writes is only over when its answer is.
                if !writes && !matches!(first, Ok(None)) {
                    break;
                }
            }
        }
        flight.land(first).await
    }
}

/// A text that stands for anything.
const UNSEEN: &str = "CALL kogia_unseen()";

impl<DB: Driver> Live<DB> {
    /// Tells the engine that a statement is about to be sent.
    pub(crate) async fn start(
        &mut self,
        sql: &str,
        bound: Option<&Bound>,
    ) -> Result<Flight<'_, DB>, Error> {
        let parameters = bound.map(Bound::parameters).unwrap_or_default();
        let running = self.session.before_async(sql, &parameters).await;
        let running = running.map_err(refused)?;
        Ok(Flight {
            live: self,
            running: Some(running),
            call: None,
        })
    }

    async fn start_call(&mut self, mut call: Call<DB>) -> Result<Flight<'_, DB>, Error> {
        let bound = call.arguments.as_mut().and_then(DB::bound);
        let writes = self.session.analyze(call.sql.as_str()).is_write();
        let mut flight = self.start(call.sql.as_str(), bound.as_ref()).await?;
        flight.call = Some((call, writes));
        Ok(flight)
    }

    /// A caller gave up before the statement was answered.
    ///
    /// The driver of MySQL forgets a statement that it was preparing. What the connection says
    /// from then on may belong to something else: nothing of it is stored, no answer of it counts
    /// as an outcome, and nobody else gets the connection.
    pub(crate) fn disturb(&mut self) {
        if DB::DIALECT == kogia::core::Dialect::MySql {
            self.disturbed += 1;
            self.connection.close_on_drop();
        }
    }

    /// Why an answer of this connection must not be stored.
    pub(crate) fn doubt(&self) -> Option<&'static str> {
        match (self.primary, self.disturbed) {
            (true, 0) => None,
            (true, _) => Some("a query on this connection was given up before it was answered"),
            (false, _) => {
                Some("the connection is to another server than the one that takes writes")
            }
        }
    }

    /// Waits until statements whose caller gave up are over.
    ///
    /// Commands of one connection run in order, so an answer to a later one says that they are. If
    /// there is none the connection is lost, and their marks stay, to be resolved.
    async fn settle(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        // What was disturbed itself was not even sent, or its answer is known to be awaited.
        let over = self.is_over().await && self.disturbed <= 1;
        for marks in self.unsettled.drain(..) {
            if over {
                marks.clear();
            }
        }
    }

    /// Asks which other databases are attached, if that may have changed.
    async fn learn_attached(&mut self) -> Result<(), Error> {
        if !self.session.wants_attached() {
            return Ok(());
        }
        let attached = introspect::attached::<DB>(&mut *self.connection).await?;
        self.session.attached(&attached).map_err(refused)
    }

    /// Whether everything that was sent is over. What SQLite was doing in this process is over in
    /// any case: if its thread is gone, so is its connection.
    async fn is_over(&mut self) -> bool {
        for _ in 0..Self::ANSWERS {
            match self.connection.ping().await {
                Ok(()) => return true,
                // The answer to an earlier statement, which has failed.
                Err(Error::Database(_)) => {}
                Err(_) => break,
            }
        }
        DB::DIALECT == kogia::core::Dialect::Sqlite
    }

    /// More failures than this cannot be waiting to be read.
    const ANSWERS: usize = 8;
}

/// A statement that is under way.
///
/// Dropped before it has landed, because its caller gave up, it leaves its marks to be settled.
pub(crate) struct Flight<'a, DB: Driver> {
    live: &'a mut Live<DB>,
    running: Option<Running>,
    call: Option<(Call<DB>, bool)>,
}

impl<DB: Driver> Flight<'_, DB> {
    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        &mut self.live.connection
    }

    fn writes(&self) -> bool {
        self.call.as_ref().is_some_and(|(_, writes)| *writes)
    }

    fn send(&mut self) -> BoxStream<'_, Result<Step<DB>, Error>> {
        match self.call.take() {
            Some((call, _)) => DB::fetch_many(&mut *self.live.connection, call),
            None => futures::stream::empty().boxed(),
        }
    }

    /// The statement is over, or has failed in some way.
    pub(crate) async fn land<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let outcome = match &result {
            _ if self.live.disturbed > 0 => Outcome::Unknown,
            Ok(_) => Outcome::Done,
            Err(Error::Database(_)) => Outcome::Failed,
            // The connection may have been lost, or only an argument was wrong.
            Err(_) if self.live.is_over().await => Outcome::Failed,
            Err(_) => Outcome::Unknown,
        };
        if let Some(running) = self.running.take() {
            self.live.session.after(running, outcome);
        }
        if outcome != Outcome::Unknown {
            // If it fails now, the next statement asks again, and is refused if that fails, too.
            let _ = self.live.learn_attached().await;
        }
        result
    }
}

impl<DB: Driver> Drop for Flight<'_, DB> {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            self.live.disturb();
            self.live.unsettled.extend(running.detach());
            self.live.session.after(running, Outcome::Unknown);
        }
    }
}

impl<DB: Driver> Drop for CachedConnection<DB> {
    fn drop(&mut self) {
        let Some(mut live) = self.live.take() else {
            return;
        };
        if live.session.is_altered() {
            live.connection.close_on_drop();
        }
        if live.unsettled.is_empty() {
            return;
        }
        // Without a runtime nobody can wait; the marks stay, to be resolved.
        if let Some(runtime) = self.pool.runtime() {
            runtime.spawn(async move { live.settle().await });
        }
    }
}

impl<DB: Driver> fmt::Debug for CachedConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedConnection").finish_non_exhaustive()
    }
}

/// The store did not acknowledge a mark, and the policy is to refuse the write.
pub(crate) fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Io(std::io::Error::other(error))
}

impl<'c, DB: Driver> Executor<'c> for &'c mut CachedConnection<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        self.stream(Call::new(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let call = Call::new(query);
        Box::pin(self.first(call))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'c: 'e,
    {
        Box::pin(
            async move { DB::prepare(&mut *self.live().await?.connection, sql, parameters).await },
        )
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move { DB::describe(&mut *self.live().await?.connection, sql).await })
    }
}
