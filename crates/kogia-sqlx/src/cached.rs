//! Typed queries that are answered from the cache.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use kogia::core::Outcome;
use kogia::{Answer, Encoded, Query, QueryMode, QueryOptions, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::query::{Map, QueryAs, QueryScalar};
use sqlx::{
    Column, Decode, Describe, Either, Error, Execute, Executor, FromRow, IntoArguments, Row,
    SqlStr, Type,
};

use crate::arguments::Bound;
use crate::codec::{self, Encoder};
use crate::connection::{CachedConnection, Live, refused};
use crate::driver::{Call, Driver, Step};
use crate::pool::CachedPool;
use crate::shape::{self, Rows};
use crate::transaction::CachedTransaction;

/// A query of sqlx whose rows have a type: what `query_as`, `query_scalar`, `try_map` and the
/// macros give.
pub trait TypedQuery<DB: Driver>: Send + Sized {
    /// The type of a row.
    type Output: Send + Unpin;

    /// Answers the query from the cache, or from the database, and keeps the answer.
    ///
    /// On a pool, or on `&mut` of a connection or a transaction of one. The type of the rows must
    /// come back as it was from serde; see [`Cached`].
    fn cached<'c>(self, on: impl Into<On<'c, DB>>) -> Cached<'c, DB, Self> {
        Cached {
            query: self,
            on: on.into(),
            options: QueryOptions::default(),
            ignores_columns: false,
        }
    }

    #[doc(hidden)]
    fn run_all<'e, E>(self, executor: E) -> BoxFuture<'e, Result<Vec<Self::Output>, Error>>
    where
        E: 'e + Executor<'e, Database = DB>,
        Self: 'e;

    #[doc(hidden)]
    fn run_first<'e, E>(self, executor: E) -> BoxFuture<'e, Result<Option<Self::Output>, Error>>
    where
        E: 'e + Executor<'e, Database = DB>,
        Self: 'e;
}

macro_rules! run {
    () => {
        fn run_all<'e, E>(self, executor: E) -> BoxFuture<'e, Result<Vec<Self::Output>, Error>>
        where
            E: 'e + Executor<'e, Database = DB>,
            Self: 'e,
        {
            Box::pin(self.fetch_all(executor))
        }

        fn run_first<'e, E>(self, executor: E) -> BoxFuture<'e, Result<Option<Self::Output>, Error>>
        where
            E: 'e + Executor<'e, Database = DB>,
            Self: 'e,
        {
            Box::pin(self.fetch_optional(executor))
        }
    };
}

impl<'q, DB, O, A> TypedQuery<DB> for QueryAs<'q, DB, O, A>
where
    DB: Driver,
    A: 'q + IntoArguments<DB>,
    O: Send + Unpin + for<'r> FromRow<'r, DB::Row> + 'static,
{
    type Output = O;

    run!();
}

impl<'q, DB, O, A> TypedQuery<DB> for QueryScalar<'q, DB, O, A>
where
    DB: Driver,
    A: 'q + IntoArguments<DB>,
    O: Send + Unpin + Type<DB> + for<'r> Decode<'r, DB> + 'static,
    (O,): Send + Unpin + for<'r> FromRow<'r, DB::Row>,
{
    type Output = O;

    run!();
}

impl<'q, DB, F, O, A> TypedQuery<DB> for Map<'q, DB, F, A>
where
    DB: Driver,
    F: FnMut(DB::Row) -> Result<O, Error> + Send,
    O: Send + Unpin + 'static,
    A: 'q + Send + IntoArguments<DB>,
{
    type Output = O;

    run!();
}

/// Where a cached query runs if it must.
#[derive(Debug)]
pub enum On<'c, DB: Driver> {
    /// On any connection, in autocommit.
    Pool(&'c CachedPool<DB>),
    /// On this connection, in its transaction if one is open.
    Connection(&'c mut CachedConnection<DB>),
}

impl<'c, DB: Driver> From<&'c CachedPool<DB>> for On<'c, DB> {
    fn from(pool: &'c CachedPool<DB>) -> Self {
        On::Pool(pool)
    }
}

impl<'c, DB: Driver> From<&'c mut CachedConnection<DB>> for On<'c, DB> {
    fn from(connection: &'c mut CachedConnection<DB>) -> Self {
        On::Connection(connection)
    }
}

impl<'c, DB: Driver> From<&'c mut CachedTransaction<'_, DB>> for On<'c, DB> {
    fn from(transaction: &'c mut CachedTransaction<'_, DB>) -> Self {
        On::Connection(transaction)
    }
}

/// A typed query that is about to be answered from the cache, or from the database.
///
/// # Rows must come back as they were
///
/// A row is kept as serde writes it. A field that serde leaves out (`#[serde(skip)]`) would come
/// back as its default, so a result is only kept if every column of it is found among the names
/// that serde writes, apart from case and underscores; [`Cached::ignoring_columns`] says that the
/// type leaves columns out on purpose. What `serialize_with` and the like make coarser comes back
/// coarser.
#[must_use = "a query does nothing until it is fetched"]
pub struct Cached<'c, DB: Driver, Q> {
    query: Q,
    on: On<'c, DB>,
    options: QueryOptions,
    ignores_columns: bool,
}

impl<DB: Driver, Q> Cached<'_, DB, Q> {
    /// Keeps the answer at most this long. The tables' policies and the cache's own limit count,
    /// too; the shortest wins.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl = Some(ttl);
        self
    }

    /// Leaves the cache alone.
    pub fn bypass(mut self) -> Self {
        self.options.mode = QueryMode::Bypass;
        self
    }

    /// Runs the query and keeps its answer, whatever is kept already.
    pub fn refresh(mut self) -> Self {
        self.options.mode = QueryMode::Refresh;
        self
    }

    /// Gives the entry a tag of one's own, to be invalidated by hand
    /// ([`kogia::Database::invalidate_tag`]).
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.options.tags.push(tag.into());
        self
    }

    /// Keeps the answer although the type of the rows leaves out some of its columns.
    pub fn ignoring_columns(mut self) -> Self {
        self.ignores_columns = true;
        self
    }
}

impl<'c, DB, Q> Cached<'c, DB, Q>
where
    DB: Driver,
    Q: TypedQuery<DB>,
    Q::Output: Serialize + DeserializeOwned + 'static,
{
    /// All rows.
    pub async fn fetch_all(self) -> Result<Vec<Q::Output>, Error> {
        let (desk, ticket) = Desk::open();
        let Cached {
            query,
            on,
            options,
            ignores_columns,
        } = self;
        let run = query.run_all(ticket);
        let ask = Ask {
            rows: Rows::All,
            options: &options,
            ignores_columns,
        };
        answer(on, ask, desk, run).await
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(self) -> Result<Option<Q::Output>, Error> {
        let (desk, ticket) = Desk::open();
        let Cached {
            query,
            on,
            options,
            ignores_columns,
        } = self;
        let first = query.run_first(ticket);
        let run = async { Ok(first.await?.into_iter().collect()) };
        let ask = Ask {
            rows: Rows::First,
            options: &options,
            ignores_columns,
        };
        let mut rows = answer(on, ask, desk, run).await?;
        Ok(rows.pop())
    }

    /// The first row, or [`Error::RowNotFound`].
    pub async fn fetch_one(self) -> Result<Q::Output, Error> {
        self.fetch_optional().await?.ok_or(Error::RowNotFound)
    }

    /// All rows as a stream. It begins when the last row has come, because only a whole answer can
    /// be kept.
    pub fn fetch<'e>(self) -> BoxStream<'e, Result<Q::Output, Error>>
    where
        'c: 'e,
        Q: 'e,
    {
        futures::stream::once(self.fetch_all())
            .map_ok(|rows| futures::stream::iter(rows).map(Ok))
            .try_flatten()
            .boxed()
    }
}

impl<DB: Driver, Q> fmt::Debug for Cached<'_, DB, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// How a query is asked.
struct Ask<'a> {
    rows: Rows,
    options: &'a QueryOptions,
    ignores_columns: bool,
}

/// What came from the database.
struct Fetched<T> {
    rows: Vec<T>,
    /// The names of the columns, if there was a row.
    columns: Vec<String>,
    storable: bool,
}

/// Answers a query. `run` turns the rows at the desk into values, once they are there; before that
/// it only tells the desk what it wants.
async fn answer<DB, T>(
    on: On<'_, DB>,
    ask: Ask<'_>,
    desk: Desk<DB>,
    run: impl Future<Output = Result<Vec<T>, Error>> + Send,
) -> Result<Vec<T>, Error>
where
    DB: Driver,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let mut pending = pin!(run);
    if let Poll::Ready(early) = pending
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return early;
    }
    let asked = desk.call();
    let nothing = || Error::Protocol("the query asked for nothing".to_owned());
    let mut call = asked.ok_or_else(nothing)??;
    let bound = match &mut call.arguments {
        Some(arguments) => DB::bound(arguments),
        None => Some(Bound::default()),
    };
    let sql = call.sql.clone();
    let parameters = bound.as_ref().map(Bound::parameters);
    let shape = shape::of::<T>(ask.rows);
    let query = Query {
        sql: sql.as_str(),
        parameters: parameters.as_deref(),
        shape: &shape,
        options: ask.options,
    };
    let encode = |fetched: &Fetched<T>| encode(fetched, ask.ignores_columns);
    let finish = async |rows: Vec<DB::Row>, storable: bool| {
        let column = |column: &DB::Column| column.name().to_owned();
        let columns = rows
            .first()
            .map(|row| row.columns().iter().map(column).collect());
        desk.deliver(rows);
        let columns = columns.unwrap_or_default();
        Ok::<_, Failure>(Fetched {
            rows: pending.await?,
            columns,
            storable,
        })
    };
    let answer = match on {
        On::Pool(pool) => {
            let database = pool.current_database().await;
            if !only_reads(&database.analyze(query.sql)) {
                let mut connection = pool.acquire().await?;
                let rows = collect(&mut connection, call, ask.rows).await?;
                return Ok(finish(rows, false).await?.rows);
            }
            let run = || async {
                let mut connection = pool.acquire().await?;
                let live = connection.live().await?;
                // Only a connection like those that the key speaks of may fill.
                let same = live.session.database().config().id == database.config().id
                    && live.session.database().config().settings == database.config().settings;
                let storable = same && live.primary;
                let rows = fetch::<DB>(&mut *live.connection, call, ask.rows).await?;
                drop(connection);
                finish(rows, storable).await
            };
            database.read(&query, run, encode).await
        }
        On::Connection(connection) => {
            // Not in a transaction: loading the catalog could wait for its locks.
            if !connection.live().await?.session.in_transaction() {
                connection.pool().clone().current_database().await;
            }
            let statement = connection.live().await?.session.analyze(query.sql);
            if !only_reads(&statement) {
                let rows = collect(connection, call, ask.rows).await?;
                return Ok(finish(rows, false).await?.rows);
            }
            let mut attended = Attended {
                live: connection.live().await?,
                over: false,
            };
            let Live {
                connection,
                session,
                primary,
                ..
            } = &mut *attended.live;
            let storable = *primary;
            let run = || async {
                let rows = fetch::<DB>(&mut **connection, call, ask.rows).await?;
                finish(rows, storable).await
            };
            let answer = session.read(&query, run, encode).await;
            attended.over = true;
            answer
        }
    };
    match answer {
        Ok(Answer::Fresh(fetched)) => Ok(fetched.rows),
        Ok(Answer::Cached(value)) => decoded(&value),
        Err(Failure(error)) => Err(error),
    }
}

/// The rows of a value that the store gave.
///
/// The key says that this very program wrote them for this very type, and a first row was read back
/// before they were kept. What still cannot be read is a bug of the type, and the caller's to know.
fn decoded<T: DeserializeOwned>(value: &Bytes) -> Result<Vec<T>, Error> {
    codec::decode(value).map_err(|error| Error::Decode(Box::new(error)))
}

fn only_reads(statement: &kogia::core::Statement) -> bool {
    !statement.is_write() && statement.effects.is_empty()
}

/// Runs a query on a connection that nobody follows.
async fn fetch<DB: Driver>(
    connection: &mut DB::Connection,
    call: Call<DB>,
    wanted: Rows,
) -> Result<Vec<DB::Row>, Error> {
    let mut rows = Vec::new();
    let mut steps = DB::fetch_many(connection, call);
    while let Some(step) = steps.try_next().await? {
        if let Either::Right(row) = step {
            rows.push(row);
            if wanted == Rows::First {
                break;
            }
        }
    }
    Ok(rows)
}

/// Runs a statement that writes, or changes the session.
async fn collect<DB: Driver>(
    connection: &mut CachedConnection<DB>,
    call: Call<DB>,
    wanted: Rows,
) -> Result<Vec<DB::Row>, Error> {
    match wanted {
        Rows::First => Ok(connection.first(Ok(call)).await?.into_iter().collect()),
        Rows::All => {
            let rows = connection.stream(Ok(call));
            rows.try_filter_map(async |step| Ok(step.right()))
                .try_collect()
                .await
        }
    }
}

/// A read on a session. If its caller gives up, nobody knows whether it has begun a snapshot.
struct Attended<'a, DB: Driver> {
    live: &'a mut Live<DB>,
    over: bool,
}

impl<DB: Driver> Drop for Attended<'_, DB> {
    fn drop(&mut self) {
        let session = &mut self.live.session;
        if !self.over
            && session.in_transaction()
            && let Ok(running) = session.before("SELECT 1", &[])
        {
            session.after(running, Outcome::Unknown);
        }
    }
}

/// The rows as bytes, or `None` if they would not come back as they are.
fn encode<T: Serialize + DeserializeOwned>(
    fetched: &Fetched<T>,
    ignores_columns: bool,
) -> Option<Encoded> {
    if !fetched.storable {
        return None;
    }
    let refuse = |why: &dyn fmt::Display| {
        let row = std::any::type_name::<T>();
        tracing::warn!(row, "a result is not kept: {why}");
    };
    let mut encoder = Encoder::default();
    for row in &fetched.rows {
        if let Err(error) = encoder.push(row) {
            refuse(&error);
            return None;
        }
    }
    if let Some(first) = fetched.rows.first()
        && let Err(why) = comes_back(first, &encoder, &fetched.columns, ignores_columns)
    {
        refuse(&why);
        return None;
    }
    let rows = encoder.rows();
    Some(Encoded {
        value: encoder.finish().into(),
        rows,
    })
}

/// Whether a row can be read again, and holds all that the columns gave.
fn comes_back<T: Serialize + DeserializeOwned>(
    row: &T,
    encoder: &Encoder,
    columns: &[String],
    ignores_columns: bool,
) -> Result<(), String> {
    let bytes = |row: &T| {
        let mut encoder = Encoder::default();
        encoder.push(row).map(|()| encoder.finish())
    };
    let written = bytes(row).map_err(|error| error.to_string())?;
    let read: Vec<T> = codec::decode(&written).map_err(|error| error.to_string())?;
    let again = read.first().and_then(|row| bytes(row).ok());
    if again.as_ref() != Some(&written) {
        return Err("serde does not give back what it takes".to_owned());
    }
    let names = encoder.names();
    if ignores_columns || names.is_empty() {
        return Ok(());
    }
    let lost = columns
        .iter()
        .find(|column| !names.iter().any(|name| is_same_name(name, column)));
    match lost {
        None => Ok(()),
        Some(column) => Err(format!(
            "serde writes no field for the column {column}; if the type leaves it out on purpose, \
             say .ignoring_columns()"
        )),
    }
}

/// Whether two names differ in case and underscores at most.
fn is_same_name(one: &str, other: &str) -> bool {
    let letters = |name: &str| -> Vec<char> {
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    letters(one) == letters(other)
}

/// What goes wrong in the middle of a read.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Failure(refused(error))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// Where a query leaves what it wants, and gets its rows.
///
/// A query of sqlx gives its text and its arguments only to an executor, and with them itself. So
/// it is given one, a [`Ticket`], which keeps the call at the desk and lets the query wait. If the
/// cache has no answer, the call is run, its rows are delivered, and the query goes on to turn them
/// into values.
struct Desk<DB: Driver>(Arc<Mutex<Counter<DB>>>);

struct Counter<DB: Driver> {
    call: Option<Result<Call<DB>, Error>>,
    rows: Option<VecDeque<DB::Row>>,
}

impl<DB: Driver> Desk<DB> {
    fn open() -> (Self, Ticket<DB>) {
        let counter = Arc::new(Mutex::new(Counter {
            call: None,
            rows: None,
        }));
        (Desk(Arc::clone(&counter)), Ticket(counter))
    }

    fn call(&self) -> Option<Result<Call<DB>, Error>> {
        lock(&self.0).call.take()
    }

    fn deliver(&self, rows: Vec<DB::Row>) {
        lock(&self.0).rows = Some(rows.into());
    }
}

/// The executor of a query that may have to wait.
struct Ticket<DB: Driver>(Arc<Mutex<Counter<DB>>>);

impl<DB: Driver> fmt::Debug for Ticket<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl<DB: Driver> Ticket<DB> {
    fn next(&self) -> Poll<Option<DB::Row>> {
        match &mut lock(&self.0).rows {
            // Nobody wakes the query: whoever delivers goes on with it himself.
            None => Poll::Pending,
            Some(rows) => Poll::Ready(rows.pop_front()),
        }
    }
}

impl<'c, DB: Driver> Executor<'c> for Ticket<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        lock(&self.0).call = Some(Call::new(query));
        futures::stream::poll_fn(move |_| {
            self.next().map(|row| row.map(|row| Ok(Either::Right(row))))
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        lock(&self.0).call = Some(Call::new(query));
        Box::pin(std::future::poll_fn(move |_| self.next().map(Ok)))
    }

    fn prepare_with<'e>(
        self,
        _sql: SqlStr,
        _parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async {
            Err(Error::Protocol(
                "a cached query prepares nothing".to_owned(),
            ))
        })
    }

    fn describe<'e>(self, _sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async {
            Err(Error::Protocol(
                "a cached query describes nothing".to_owned(),
            ))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
