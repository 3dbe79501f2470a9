//! What the front end asks of each database of sqlx.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use kogia::core::Dialect;
use kogia::core::rows::ListBuilder;
use kogia::introspect::{Answer, TextRow};
use sqlx::error::BoxDynError;
use sqlx::{Database, Describe, Either, Error, Execute, Row, SqlStr};

use crate::arguments::Bound;

/// A database that can be cached: `sqlx::Sqlite`, `sqlx::Postgres` and `sqlx::MySql`, each behind
/// the feature of its name.
///
/// Sealed: what it asks for changes with sqlx and with the engine.
pub trait Driver: Database + Sealed {}

impl<DB: Database + Sealed> Driver for DB {}

/// What a connection sends, and what comes back.
pub(crate) type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

/// What a database must offer behind the scenes.
pub trait Sealed: Database {
    #[doc(hidden)]
    const DIALECT: Dialect;

    /// A statement whose preparation tells connections apart; see [`crate::connections`].
    #[doc(hidden)]
    const MARKER: Option<&'static str>;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn bound(arguments: &mut Self::Arguments) -> Option<Bound>;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn fetch_many<'e>(
        connection: &'e mut Self::Connection,
        call: Call<Self>,
    ) -> BoxStream<'e, Result<Step<Self>, Error>>;

    /// The first row, where sqlx has a cheaper way to it than to all.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn fetch_first<'e>(
        connection: &'e mut Self::Connection,
        call: Call<Self>,
    ) -> BoxFuture<'e, Result<Option<Self::Row>, Error>>;

    /// Adds the cell in a column of a row; see [`crate::CachedRow`].
    #[doc(hidden)]
    fn push_cell(
        row: &Self::Row,
        column: usize,
        cells: &mut ListBuilder,
    ) -> Result<(), BoxDynError>;

    /// A type in the database's own numbering, or 0.
    #[doc(hidden)]
    fn type_id(type_info: &Self::TypeInfo) -> u32;

    #[doc(hidden)]
    fn prepare<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
        parameters: &'e [Self::TypeInfo],
    ) -> BoxFuture<'e, Result<Self::Statement, Error>>;

    #[doc(hidden)]
    fn describe<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
    ) -> BoxFuture<'e, Result<Describe<Self>, Error>>;

    /// The rows that answer a question about the database, as text.
    #[doc(hidden)]
    fn ask<'e>(
        connection: &'e mut Self::Connection,
        question: &'static str,
    ) -> BoxFuture<'e, Result<Answer, Error>>;

    /// What to do where the database refuses to say which one it is.
    #[doc(hidden)]
    fn explain_refusal(error: Error) -> Error {
        error
    }

    /// Whether the writer that a mark names can no longer commit anything; `None` if the database
    /// does not tell.
    #[doc(hidden)]
    fn is_over<'e>(
        connection: &'e mut Self::Connection,
        backend: &'e [u8],
    ) -> BoxFuture<'e, Result<Option<bool>, Error>>;
}

/// Rows as text, given how to take a column's.
fn texts<R: Row>(
    rows: &[R],
    text: impl Fn(&R, usize) -> Result<Option<String>, Error>,
) -> Result<Answer, Error> {
    let row = |row: &R| {
        let columns = (0..row.len()).map(|column| text(row, column));
        columns.collect::<Result<_, _>>().map(TextRow)
    };
    rows.iter().map(row).collect()
}

/// A statement on its way to a connection, taken apart.
pub(crate) struct Call<DB: Database> {
    pub(crate) sql: SqlStr,
    pub(crate) arguments: Option<DB::Arguments>,
    pub(crate) persistent: bool,
}

impl<DB: Database> Call<DB> {
    /// Takes a query of sqlx apart.
    ///
    /// A statement that was prepared by hand goes by its text: a connection finds it in its own
    /// cache of statements again.
    pub(crate) fn new<'q>(mut query: impl Execute<'q, DB>) -> Result<Self, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        let persistent = query.persistent();
        Ok(Call {
            arguments,
            persistent,
            sql: query.sql(),
        })
    }
}

impl<DB: Database> Execute<'_, DB> for Call<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

/// The methods that are the same for every database and cannot be written for all at once,
/// because sqlx implements `Executor` for each connection type separately.
macro_rules! forward_to_connection {
    () => {
        #[allow(private_interfaces)]
        fn fetch_many<'e>(
            connection: &'e mut Self::Connection,
            call: $crate::driver::Call<Self>,
        ) -> futures::stream::BoxStream<'e, Result<$crate::driver::Step<Self>, sqlx::Error>> {
            sqlx::Executor::fetch_many(connection, call)
        }

        #[allow(private_interfaces)]
        fn fetch_first<'e>(
            connection: &'e mut Self::Connection,
            call: $crate::driver::Call<Self>,
        ) -> futures::future::BoxFuture<'e, Result<Option<Self::Row>, sqlx::Error>> {
            sqlx::Executor::fetch_optional(connection, call)
        }

        fn prepare<'e>(
            connection: &'e mut Self::Connection,
            sql: sqlx::SqlStr,
            parameters: &'e [Self::TypeInfo],
        ) -> futures::future::BoxFuture<'e, Result<Self::Statement, sqlx::Error>> {
            sqlx::Executor::prepare_with(connection, sql, parameters)
        }

        fn describe<'e>(
            connection: &'e mut Self::Connection,
            sql: sqlx::SqlStr,
        ) -> futures::future::BoxFuture<'e, Result<sqlx::Describe<Self>, sqlx::Error>> {
            sqlx::Executor::describe(connection, sql)
        }
    };
}
pub(crate) use forward_to_connection;
