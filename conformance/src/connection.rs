//! Connections: what a session of any front end can do, and the uncached one.

use std::future::Future;

use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _,
    TypeInfo as _, ValueRef as _,
};

use crate::step::Statement;
use crate::value::{Answer, Cell, Param, Row};

/// One session: it reads, and it does anything else.
///
/// Each takes something that another session does meanwhile. A front end that cannot let it happen
/// in the middle does it afterwards (of a read) or before (of anything else): the database gives
/// the same answers then.
pub trait Connection {
    /// Answers a query. `meanwhile` happens after the database has answered, before the answer
    /// is stored.
    fn read(
        &mut self,
        query: &Statement,
        meanwhile: impl AsyncFnOnce(),
    ) -> impl Future<Output = Answer>;

    /// Runs a statement. `meanwhile` happens when it is announced and not sent yet.
    fn execute(
        &mut self,
        statement: &Statement,
        meanwhile: impl AsyncFnOnce(),
    ) -> impl Future<Output = Answer>;
}

/// A database that sqlx speaks to.
pub trait Server: sqlx::Database + sqlx::database::HasStatementCache {
    /// Runs a statement on a connection. Without parameters and not as a query, its text may hold
    /// several ones.
    fn fetch(
        connection: &mut Self::Connection,
        statement: &Statement,
        query: bool,
    ) -> impl Future<Output = Answer> + Send;

    /// Opens a connection.
    fn open(url: &str, locks: Locks)
    -> impl Future<Output = Result<Self::Connection, sqlx::Error>>;

    /// What a connection is told when it was opened.
    fn greeting(locks: Locks) -> &'static str;

    /// The parameters as sqlx takes them.
    fn arguments(parameters: &[Param]) -> Self::Arguments;

    /// A row as the driver gives it.
    fn row(row: &Self::Row) -> Row;
}

/// What a statement does that meets a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// It fails, because sessions take turns on one thread: it would wait for ever.
    Fail,
    /// It waits.
    Wait,
}

/// A connection without a cache: the oracle.
pub struct Bare<S: Server>(S::Connection);

impl<S: Server> Bare<S> {
    /// Opens a connection.
    pub async fn open(url: &str, locks: Locks) -> Result<Self, sqlx::Error> {
        Ok(Bare(S::open(url, locks).await?))
    }

    /// Runs a text that may hold several statements.
    pub async fn run(&mut self, sql: &str) -> Answer {
        S::fetch(&mut self.0, &Statement::new(sql), false).await
    }

    /// Runs a statement.
    pub async fn fetch(&mut self, statement: &Statement, query: bool) -> Answer {
        S::fetch(&mut self.0, statement, query).await
    }

    /// Closes the connection, and waits until it is.
    pub async fn close(self) {
        // The driver closes it one way or the other.
        drop(self.0.close().await);
    }

    /// The driver's connection.
    pub fn driver(&mut self) -> &mut S::Connection {
        &mut self.0
    }
}

impl<S: Server> Connection for Bare<S> {
    async fn read(&mut self, query: &Statement, meanwhile: impl AsyncFnOnce()) -> Answer {
        let answer = self.fetch(query, true).await;
        meanwhile().await;
        answer
    }

    async fn execute(&mut self, statement: &Statement, meanwhile: impl AsyncFnOnce()) -> Answer {
        meanwhile().await;
        self.fetch(statement, false).await
    }
}

macro_rules! server {
    ($database:ty, $connection:ty, $arguments:ty, $row:ty, $fail:expr, $wait:expr) => {
        impl Server for $database {
            async fn fetch(
                connection: &mut $connection,
                statement: &Statement,
                query: bool,
            ) -> Answer {
                let sql = AssertSqlSafe(statement.sql.clone());
                let rows = if statement.parameters.is_empty() && !query {
                    connection.fetch_all(sqlx::raw_sql(sql)).await
                } else {
                    let arguments = Self::arguments(&statement.parameters);
                    let query = sqlx::query_with::<$database, _>(sql, arguments);
                    let query = query.persistent(statement.is_kept);
                    connection.fetch_all(query).await
                };
                match rows {
                    Ok(rows) => Ok(rows.iter().map(Self::row).collect()),
                    Err(error) => Err(message(error)),
                }
            }

            async fn open(url: &str, locks: Locks) -> Result<$connection, sqlx::Error> {
                let mut connection = <$connection>::connect(url).await?;
                connection
                    .execute(sqlx::raw_sql(Self::greeting(locks)))
                    .await?;
                Ok(connection)
            }

            fn greeting(locks: Locks) -> &'static str {
                match locks {
                    Locks::Fail => $fail,
                    Locks::Wait => $wait,
                }
            }

            fn arguments(parameters: &[Param]) -> $arguments {
                let mut arguments = <$arguments>::default();
                for parameter in parameters {
                    let added = match parameter {
                        Param::Null => arguments.add(None::<i64>),
                        Param::Bool(value) => arguments.add(*value),
                        Param::Int(value) => arguments.add(*value),
                        Param::Real(value) => arguments.add(*value),
                        Param::Text(text) => arguments.add(text.clone()),
                        Param::Blob(bytes) => arguments.add(bytes.clone()),
                    };
                    #[allow(clippy::expect_used, reason = "these types always encode")]
                    added.expect("a plain value encodes");
                }
                arguments
            }

            fn row(row: &$row) -> Row {
                let cell = |index| {
                    #[allow(clippy::expect_used, reason = "the index comes from the row itself")]
                    let value = row.try_get_raw(index).expect("the column exists");
                    let kind = value.type_info().name().to_owned();
                    let bytes = row.try_get_unchecked::<Option<Vec<u8>>, _>(index);
                    Cell::new(&kind, bytes.ok().flatten())
                };
                Row(row
                    .columns()
                    .iter()
                    .map(|column| cell(column.ordinal()))
                    .collect())
            }
        }

        impl sqlx::FromRow<'_, $row> for Row {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                Ok(<$database>::row(row))
            }
        }
    };
}

/// What an error says, without what only the driver adds.
pub(crate) fn message(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}

server!(
    sqlx::Sqlite,
    sqlx::SqliteConnection,
    sqlx::sqlite::SqliteArguments,
    sqlx::sqlite::SqliteRow,
    "PRAGMA busy_timeout = 0; PRAGMA synchronous = OFF",
    "PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF"
);
server!(
    sqlx::Postgres,
    sqlx::PgConnection,
    sqlx::postgres::PgArguments,
    sqlx::postgres::PgRow,
    "SET lock_timeout = '100ms'",
    "SET lock_timeout = '10s'"
);
server!(
    sqlx::MySql,
    sqlx::MySqlConnection,
    sqlx::mysql::MySqlArguments,
    sqlx::mysql::MySqlRow,
    "SET innodb_lock_wait_timeout = 1",
    "SET innodb_lock_wait_timeout = 10"
);
