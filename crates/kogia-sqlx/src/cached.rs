//! Queries that are answered from the cache.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use kogia::{Answer, QueryMode, QueryOptions};
use sqlx::query::{Map, Query, QueryAs, QueryScalar};
use sqlx::{Decode, Error, Executor, FromRow, IntoArguments, Type};

use crate::answer::{Asked, answer, streamed};
use crate::connection::CachedConnection;
use crate::desk::{Desk, Pace};
use crate::driver::Driver;
use crate::kept::{Collector, Kept};
use crate::pool::CachedPool;
use crate::row::{CachedRow, RowMaker};
use crate::shape::{self, Rows};
use crate::transaction::CachedTransaction;

/// A query of sqlx that can be cached: what `query_as`, `query_scalar`, `try_map` and the macros
/// give, whose rows have a type, and what `query` gives, whose rows become [`CachedRow`]s.
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

    #[doc(hidden)]
    fn run_stream<'e, E>(self, executor: E) -> BoxStream<'e, Result<Self::Output, Error>>
    where
        E: 'e + Executor<'e, Database = DB>,
        Self: 'e;
}

macro_rules! run {
    ($typed:ident => $query:expr) => {
        fn run_all<'e, E>(self, executor: E) -> BoxFuture<'e, Result<Vec<Self::Output>, Error>>
        where
            E: 'e + Executor<'e, Database = DB>,
            Self: 'e,
        {
            let $typed = self;
            Box::pin($query.fetch_all(executor))
        }

        fn run_first<'e, E>(self, executor: E) -> BoxFuture<'e, Result<Option<Self::Output>, Error>>
        where
            E: 'e + Executor<'e, Database = DB>,
            Self: 'e,
        {
            let $typed = self;
            Box::pin($query.fetch_optional(executor))
        }

        fn run_stream<'e, E>(self, executor: E) -> BoxStream<'e, Result<Self::Output, Error>>
        where
            E: 'e + Executor<'e, Database = DB>,
            Self: 'e,
        {
            let $typed = self;
            $query.fetch(executor)
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

    run!(typed => typed);
}

impl<'q, DB, O, A> TypedQuery<DB> for QueryScalar<'q, DB, O, A>
where
    DB: Driver,
    A: 'q + IntoArguments<DB>,
    O: Send + Unpin + Type<DB> + for<'r> Decode<'r, DB> + 'static,
    (O,): Send + Unpin + for<'r> FromRow<'r, DB::Row>,
{
    type Output = O;

    run!(typed => typed);
}

impl<'q, DB, F, O, A> TypedQuery<DB> for Map<'q, DB, F, A>
where
    DB: Driver,
    F: FnMut(DB::Row) -> Result<O, Error> + Send,
    O: Send + Unpin + 'static,
    A: 'q + Send + IntoArguments<DB>,
{
    type Output = O;

    run!(typed => typed);
}

impl<'q, DB, A> TypedQuery<DB> for Query<'q, DB, A>
where
    DB: Driver,
    A: 'q + Send + IntoArguments<DB>,
{
    type Output = CachedRow;

    run!(untyped => {
        let mut rows = RowMaker::default();
        untyped.try_map(move |row: DB::Row| rows.row::<DB>(&row))
    });
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

/// A query that is about to be answered from the cache, or from the database.
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
    Q::Output: Kept,
{
    /// All rows.
    pub async fn fetch_all(self) -> Result<Vec<Q::Output>, Error> {
        let (desk, ticket) = Desk::open(Pace::Database);
        let (query, asked) = self.take(Rows::All);
        rows(asked, &desk, query.run_all(ticket)).await
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(self) -> Result<Option<Q::Output>, Error> {
        let (desk, ticket) = Desk::open(Pace::Database);
        let (query, asked) = self.take(Rows::First);
        let first = query.run_first(ticket);
        let run = async { Ok(first.await?.into_iter().collect()) };
        Ok(rows(asked, &desk, run).await?.pop())
    }

    /// The first row, or [`Error::RowNotFound`].
    pub async fn fetch_one(self) -> Result<Q::Output, Error> {
        self.fetch_optional().await?.ok_or(Error::RowNotFound)
    }

    /// All rows as a stream.
    ///
    /// What the cache does not have comes as the database sends it, and is kept when the last row
    /// has come. A stream that is dropped before keeps nothing. Because a slow reader of a stream
    /// would keep others waiting, each stream that misses runs its query by itself.
    pub fn fetch<'e>(self) -> BoxStream<'e, Result<Q::Output, Error>>
    where
        'c: 'e,
        Q: 'e,
    {
        let (desk, ticket) = Desk::open(Pace::Reader);
        let (query, mut asked) = self.take(Rows::All);
        asked.options.streams = true;
        streamed(asked, desk, query.run_stream(ticket))
    }

    fn take(self, rows: Rows) -> (Q, Asked<'c, DB>) {
        let asked = Asked {
            on: self.on,
            rows,
            shape: shape::of::<Q::Output>(rows),
            options: self.options,
            ignores_columns: self.ignores_columns,
        };
        (self.query, asked)
    }
}

/// Answers a query whose rows are wanted together. `run` turns the rows at the desk into values,
/// once they are there; before that it only tells the desk what it wants.
async fn rows<DB: Driver, T: Kept>(
    asked: Asked<'_, DB>,
    desk: &Desk<DB>,
    run: impl Future<Output = Result<Vec<T>, Error>> + Send,
) -> Result<Vec<T>, Error> {
    let mut run = pin!(run);
    if let Some(early) = Desk::<DB>::begin(|context| run.as_mut().poll(context)) {
        return early;
    }
    let ignores_columns = asked.ignores_columns;
    let encode = |rows: &Vec<T>, columns: &[String]| {
        let mut collector = T::Collector::default();
        rows.iter().for_each(|row| collector.push(row));
        collector.finish(columns, ignores_columns)
    };
    match answer(asked, desk, run, encode).await? {
        Answer::Fresh(rows) => Ok(rows),
        Answer::Cached(value) => T::decode(&value),
    }
}

impl<DB: Driver, Q> fmt::Debug for Cached<'_, DB, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
