//! Answering a query from the cache, or from the database.

use std::pin::pin;
use std::task::Poll;

use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use kogia::core::Outcome;
use kogia::{Answer, Encoded, Query, QueryOptions, WriteError};
use smallvec::SmallVec;
use sqlx::{Column, Either, Error, Row};

use crate::arguments::Bound;
use crate::cached::On;
use crate::connection::{CachedConnection, Live, refused};
use crate::desk::Desk;
use crate::driver::{Call, Driver, Step};
use crate::kept::{Collector, Kept};
use crate::shape::Rows;

/// How a query is asked.
pub(crate) struct Asked<'c, DB: Driver> {
    pub(crate) on: On<'c, DB>,
    pub(crate) rows: Rows,
    pub(crate) shape: SmallVec<[u8; 128]>,
    pub(crate) options: QueryOptions,
    pub(crate) ignores_columns: bool,
}

/// What came from the database.
struct Fetched<F> {
    got: F,
    /// The names of the columns, if there was a row.
    columns: Vec<String>,
    /// Why it must not be stored.
    doubt: Option<&'static str>,
}

/// Answers the query that has left its call at the desk.
///
/// If it must run, its rows are delivered at the desk, and `finish` tells what became of them;
/// `encode` makes a value of that, or says in a sentence why none is to be stored.
pub(crate) async fn answer<DB: Driver, F: Send>(
    asked: Asked<'_, DB>,
    desk: &Desk<DB>,
    finish: impl Future<Output = Result<F, Error>> + Send,
    encode: impl FnOnce(&F, &[String]) -> Result<Encoded, String> + Send,
) -> Result<Answer<F>, Error> {
    let mut call = desk.call()?;
    let bound = match &mut call.arguments {
        Some(arguments) => DB::bound(arguments),
        None => Some(Bound::default()),
    };
    let sql = call.sql.clone();
    let parameters = bound.as_ref().map(Bound::parameters);
    let query = Query {
        sql: sql.as_str(),
        parameters: parameters.as_deref(),
        shape: &asked.shape,
        options: &asked.options,
    };
    let encoded = |fetched: &Fetched<F>, database: &kogia::Database| {
        let encoded = match fetched.doubt {
            None => encode(&fetched.got, &fetched.columns),
            Some(why) => Err(why.to_owned()),
        };
        encoded
            .map_err(|why| database.not_stored(sql.as_str(), &why))
            .ok()
    };
    let answer = match asked.on {
        On::Pool(pool) => {
            let database = pool.current_database().await;
            if !only_reads(&database.analyze(query.sql)) {
                let write = async {
                    let mut connection = pool.acquire().await?;
                    let steps = written(&mut connection, call, asked.rows);
                    deliver(steps, desk, asked.rows, &mut Over::Begun).await
                };
                Box::pin(write).await?;
                return Ok(Answer::Fresh(finish.await?));
            }
            let run = || async {
                let mut connection = pool.acquire().await?;
                let mut attended = Attended::new(connection.live().await?);
                // Only a connection like those that the key speaks of may fill.
                let config = attended.live.session.database().config();
                let same = config.id == database.config().id
                    && config.settings == database.config().settings;
                let doubt = match same {
                    true => attended.live.doubt(),
                    false => Some("the connection has another database, or other settings"),
                };
                let steps = read(&mut *attended.live.connection, call, asked.rows);
                let columns = deliver(steps, desk, asked.rows, &mut attended.over).await?;
                drop(attended);
                drop(connection);
                let got = finish.await?;
                Ok::<_, Failure>(Fetched {
                    got,
                    columns,
                    doubt,
                })
            };
            database
                .read(&query, run, |fetched| encoded(fetched, &database))
                .await
        }
        On::Connection(connection) => {
            // Not in a transaction: loading the catalog could wait for its locks.
            if !connection.live().await?.session.in_transaction() {
                connection.pool().clone().current_database().await;
            }
            let statement = connection.live().await?.session.analyze(query.sql);
            if !only_reads(&statement) {
                let steps = written(connection, call, asked.rows);
                deliver(steps, desk, asked.rows, &mut Over::Begun).await?;
                return Ok(Answer::Fresh(finish.await?));
            }
            let mut attended = Attended::new(connection.live().await?);
            let doubt = attended.live.doubt();
            let Live {
                connection,
                session,
                ..
            } = &mut *attended.live;
            let database = session.database().clone();
            let over = &mut attended.over;
            let run = || async {
                let steps = read::<DB>(&mut **connection, call, asked.rows);
                let columns = deliver(steps, desk, asked.rows, over).await?;
                let got = finish.await?;
                Ok::<_, Failure>(Fetched {
                    got,
                    columns,
                    doubt,
                })
            };
            let answer = session
                .read(&query, run, |fetched| encoded(fetched, &database))
                .await;
            attended.over = Over::Read;
            answer
        }
    };
    match answer {
        Ok(Answer::Fresh(fetched)) => Ok(Answer::Fresh(fetched.got)),
        Ok(Answer::Cached(value)) => Ok(Answer::Cached(value)),
        Err(Failure(error)) => Err(error),
    }
}

/// Answers a query whose rows are wanted one by one. `values` turns each row at the desk into a
/// value.
///
/// The answer and the values take turns: a row is only asked for when the one before it was taken
/// from the stream. So nothing has to be woken, and nothing goes on when the stream is dropped.
pub(crate) fn streamed<'e, DB: Driver, T: Kept>(
    asked: Asked<'e, DB>,
    desk: Desk<DB>,
    mut values: BoxStream<'e, Result<T, Error>>,
) -> BoxStream<'e, Result<T, Error>> {
    Box::pin(async_stream::try_stream! {
        if let Some(Some(early)) = Desk::<DB>::begin(|context| values.poll_next_unpin(context)) {
            early?;
        }
        let ignores_columns = asked.ignores_columns;
        let collector = std::sync::Mutex::new(T::Collector::default());
        let finish = async { Ok(()) };
        let encode = |(): &(), columns: &[String]| {
            crate::desk::lock(&collector).finish(columns, ignores_columns)
        };
        let mut answer = pin!(answer(asked, &desk, finish, encode));
        loop {
            let next = std::future::poll_fn(|context| {
                if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                    return Poll::Ready(Either::Left(answer));
                }
                values.poll_next_unpin(context).map(Either::Right)
            });
            match next.await {
                Either::Right(Some(value)) => {
                    let value = value?;
                    crate::desk::lock(&collector).push(&value);
                    yield value;
                }
                Either::Right(None) => break,
                Either::Left(answer) => {
                    if let Answer::Cached(value) = answer? {
                        for value in T::decode(&value)? {
                            yield value;
                        }
                    }
                    break;
                }
            }
        }
    })
}

fn only_reads(statement: &kogia::core::Statement) -> bool {
    !statement.is_write() && statement.effects.is_empty()
}

/// Hands the rows of an answer over at the desk; gives the names of their columns.
async fn deliver<DB: Driver>(
    mut steps: BoxStream<'_, Result<Step<DB>, Error>>,
    desk: &Desk<DB>,
    wanted: Rows,
    over: &mut Over,
) -> Result<Vec<String>, Error> {
    let mut columns = None;
    loop {
        let step = steps.try_next().await;
        if !matches!(step, Err(ref error) if !matches!(error, Error::Database(_))) {
            *over = Over::Answered;
        }
        let Some(step) = step? else { break };
        let Either::Right(row) = step else { continue };
        columns.get_or_insert_with(|| {
            let name = |column: &DB::Column| column.name().to_owned();
            row.columns().iter().map(name).collect()
        });
        desk.deliver(row).await;
        if wanted == Rows::First {
            break;
        }
    }
    desk.close();
    Ok(columns.unwrap_or_default())
}

/// Runs a query that only reads.
fn read<DB: Driver>(
    connection: &mut DB::Connection,
    call: Call<DB>,
    wanted: Rows,
) -> BoxStream<'_, Result<Step<DB>, Error>> {
    match wanted {
        Rows::All => DB::fetch_many(connection, call),
        Rows::First => {
            let first = DB::fetch_first(connection, call);
            let row =
                first.map_ok(|row| futures::stream::iter(row.map(|row| Ok(Either::Right(row)))));
            row.try_flatten_stream().boxed()
        }
    }
}

/// Runs a statement that writes, or changes the session.
fn written<DB: Driver>(
    connection: &mut CachedConnection<DB>,
    call: Call<DB>,
    wanted: Rows,
) -> BoxStream<'_, Result<Step<DB>, Error>> {
    match wanted {
        Rows::All => connection.stream(Ok(call)),
        Rows::First => Box::pin(async_stream::try_stream! {
            if let Some(row) = connection.first(Ok(call)).await? {
                yield Either::Right(row);
            }
        }),
    }
}

/// A read on a connection. If its caller gives up, nobody knows whether it has begun a snapshot,
/// and before it is answered, not even what the next answer belongs to.
struct Attended<'a, DB: Driver> {
    live: &'a mut Live<DB>,
    over: Over,
}

/// How far a read has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Begun,
    /// The driver has seen the beginning of the answer, and passes over the rest if it must.
    Answered,
    /// The session knows how it ended.
    Read,
}

impl<'a, DB: Driver> Attended<'a, DB> {
    fn new(live: &'a mut Live<DB>) -> Self {
        let over = Over::Begun;
        Attended { live, over }
    }
}

impl<DB: Driver> Drop for Attended<'_, DB> {
    fn drop(&mut self) {
        if self.over == Over::Begun {
            self.live.disturb();
        }
        let session = &mut self.live.session;
        if self.over != Over::Read
            && session.in_transaction()
            && let Ok(running) = session.before("SELECT 1", &[])
        {
            session.after(running, Outcome::Unknown);
        }
    }
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
