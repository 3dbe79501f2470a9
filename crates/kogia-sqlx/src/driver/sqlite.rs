//! SQLite: the database is a file, the writer a thread of this process.

use futures::future::BoxFuture;
use kogia::core::Dialect;
use kogia::core::rows::ListBuilder;
use kogia::introspect::Answer;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Error, Row};

use super::{Sealed, forward_to_connection};
use crate::arguments::{self, Bound};

impl Sealed for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    /// All connections of a pool are to one file, and run in this process.
    const MARKER: Option<&'static str> = None;

    #[allow(private_interfaces)]
    fn bound(arguments: &mut SqliteArguments) -> Option<Bound> {
        arguments::sqlite(arguments)
    }

    fn push_cell(
        row: &SqliteRow,
        column: usize,
        cells: &mut ListBuilder,
    ) -> Result<(), BoxDynError> {
        crate::row::sqlite(row.try_get_raw(column)?, cells)
    }

    fn type_id(_type_info: &sqlx::sqlite::SqliteTypeInfo) -> u32 {
        0
    }

    fn ask<'e>(
        connection: &'e mut SqliteConnection,
        question: &'static str,
    ) -> BoxFuture<'e, Result<Answer, Error>> {
        Box::pin(ask(connection, question))
    }

    /// Nobody writes just now if the write lock can be had.
    fn is_over<'e>(
        connection: &'e mut SqliteConnection,
        _backend: &'e [u8],
    ) -> BoxFuture<'e, Result<Option<bool>, Error>> {
        Box::pin(is_over(connection))
    }

    forward_to_connection!();
}

async fn ask(connection: &mut SqliteConnection, question: &'static str) -> Result<Answer, Error> {
    let rows = sqlx::query(question)
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let text = |row: &SqliteRow, column| row.try_get_unchecked(column);
    super::texts(&rows, text)
}

async fn is_over(connection: &mut SqliteConnection) -> Result<Option<bool>, Error> {
    let timeout: i64 = sqlx::query_scalar("SELECT timeout FROM pragma_busy_timeout")
        .fetch_one(&mut *connection)
        .await?;
    sqlx::raw_sql("PRAGMA busy_timeout = 0")
        .execute(&mut *connection)
        .await?;
    let locked = sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await;
    if locked.is_ok() {
        sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
    }
    let restore = sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {timeout}"));
    sqlx::raw_sql(restore).execute(connection).await?;
    match locked {
        Ok(_) => Ok(Some(true)),
        Err(Error::Database(error)) if is_busy(&*error) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

/// `SQLITE_BUSY` or `SQLITE_LOCKED`, extended or not.
fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use kogia::core::DatabaseId;
    use kogia::introspect::Identity;
    use sqlx::Connection;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;
    use crate::introspect::identify;

    async fn open(path: &std::path::Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    async fn id(connection: &mut SqliteConnection) -> DatabaseId {
        identify::<Sqlite>(connection).await.unwrap().config.id
    }

    #[tokio::test]
    async fn a_file_is_itself_under_every_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut first = open(&path).await;
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            .execute(&mut first)
            .await
            .unwrap();
        std::fs::hard_link(&path, folder.path().join("b.db")).unwrap();
        std::fs::copy(&path, folder.path().join("c.db")).unwrap();
        let mut linked = open(&folder.path().join("b.db")).await;
        let mut copied = open(&folder.path().join("c.db")).await;
        assert_eq!(id(&mut first).await, id(&mut linked).await);
        assert_ne!(id(&mut first).await, id(&mut copied).await);
    }

    #[tokio::test]
    async fn databases_in_memory_are_never_each_other() {
        let mut first = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut second = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        assert_ne!(id(&mut first).await, id(&mut second).await);
    }

    #[tokio::test]
    async fn settings_are_those_of_the_connection() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let setting = |identity: Identity, name: &str| {
            identity
                .config
                .settings
                .into_iter()
                .find(|setting| setting.0 == name)
                .unwrap()
                .1
        };
        let before = identify::<Sqlite>(&mut connection).await.unwrap();
        assert_eq!(setting(before.clone(), "foreign_keys"), "1");
        assert_eq!(setting(before, "like"), "1");
        let change = "PRAGMA foreign_keys = OFF; PRAGMA case_sensitive_like = ON";
        sqlx::raw_sql(change)
            .execute(&mut connection)
            .await
            .unwrap();
        let after = identify::<Sqlite>(&mut connection).await.unwrap();
        assert_eq!(setting(after.clone(), "foreign_keys"), "0");
        assert_eq!(setting(after, "like"), "0");
    }

    #[tokio::test]
    async fn a_writer_is_over_when_the_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut writer = open(&path).await;
        let mut other = open(&path).await;
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            .execute(&mut writer)
            .await
            .unwrap();
        assert_eq!(is_over(&mut other).await.unwrap(), Some(true));
        let write = "BEGIN; INSERT INTO t VALUES (1)";
        sqlx::raw_sql(write).execute(&mut writer).await.unwrap();
        assert_eq!(is_over(&mut other).await.unwrap(), Some(false));
        sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
        assert_eq!(is_over(&mut other).await.unwrap(), Some(true));
        let timeout: i64 = sqlx::query_scalar("SELECT timeout FROM pragma_busy_timeout")
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(timeout, 5_000);
    }
}
