//! Where a query leaves what it wants, and gets its rows.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use sqlx::{Describe, Either, Error, Execute, Executor, SqlStr};

use crate::driver::{Call, Driver, Step};

/// Where a query leaves what it wants, and gets its rows.
///
/// A query of sqlx gives its text and its arguments only to an executor, and with them itself. So
/// it is given one, a [`Ticket`], which keeps the call at the desk and lets the query wait. If the
/// cache has no answer, the call is run, its rows are delivered, and the query goes on to turn them
/// into values.
pub(crate) struct Desk<DB: Driver> {
    counter: Arc<Mutex<Counter<DB>>>,
    pace: Pace,
}

/// Who says how fast rows are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// They are collected as fast as the database gives them.
    Database,
    /// One at a time, when the one before it was taken.
    Reader,
}

struct Counter<DB: Driver> {
    call: Option<Result<Call<DB>, Error>>,
    rows: VecDeque<DB::Row>,
    over: bool,
}

impl<DB: Driver> Desk<DB> {
    pub(crate) fn open(pace: Pace) -> (Self, Ticket<DB>) {
        let counter = Arc::new(Mutex::new(Counter {
            call: None,
            rows: VecDeque::new(),
            over: false,
        }));
        let ticket = Ticket(Arc::clone(&counter));
        (Desk { counter, pace }, ticket)
    }

    /// Lets a query begin, so that it leaves its call; what it says if it is over at once.
    pub(crate) fn begin<T>(query: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        match query(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(early) => Some(early),
            Poll::Pending => None,
        }
    }

    /// What the query asked for.
    pub(crate) fn call(&self) -> Result<Call<DB>, Error> {
        let asked = lock(&self.counter).call.take();
        asked.ok_or_else(|| Error::Protocol("the query asked for nothing".to_owned()))?
    }

    pub(crate) async fn deliver(&self, row: DB::Row) {
        lock(&self.counter).rows.push_back(row);
        if self.pace == Pace::Reader {
            // Nobody wakes this: whoever takes the row goes on with it himself.
            let taken = |counter: &Counter<DB>| counter.rows.is_empty();
            std::future::poll_fn(|_| match taken(&lock(&self.counter)) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        }
    }

    /// No more rows will come.
    pub(crate) fn close(&self) {
        lock(&self.counter).over = true;
    }
}
/// The executor of a query that may have to wait.
pub(crate) struct Ticket<DB: Driver>(Arc<Mutex<Counter<DB>>>);

impl<DB: Driver> fmt::Debug for Ticket<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl<DB: Driver> Ticket<DB> {
    fn next(&self) -> Poll<Option<DB::Row>> {
        let mut counter = lock(&self.0);
        match counter.rows.pop_front() {
            // Nobody wakes the query: whoever delivers goes on with it himself.
            None if !counter.over => Poll::Pending,
            row => Poll::Ready(row),
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
