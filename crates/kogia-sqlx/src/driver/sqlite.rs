//! SQLite: the database is a file, the writer a thread of this process.

use futures::future::BoxFuture;
use kogia::core::rows::ListBuilder;
use kogia::core::{DatabaseId, Dialect, Isolation, Schema};
use kogia::{Backend, DatabaseConfig};
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{Error, Row};

use super::{Identity, Sealed, forward_to_connection};
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
        row: &sqlx::sqlite::SqliteRow,
        column: usize,
        cells: &mut ListBuilder,
    ) -> Result<(), BoxDynError> {
        crate::row::sqlite(row.try_get_raw(column)?, cells)
    }

    fn type_id(_type_info: &sqlx::sqlite::SqliteTypeInfo) -> u32 {
        0
    }

    #[allow(private_interfaces)]
    fn identify<'e>(
        connection: &'e mut SqliteConnection,
    ) -> BoxFuture<'e, Result<Identity, Error>> {
        Box::pin(identify(connection))
    }

    fn attached<'e>(
        connection: &'e mut SqliteConnection,
    ) -> BoxFuture<'e, Result<Vec<DatabaseId>, Error>> {
        Box::pin(attached(connection))
    }

    fn catalog<'e>(connection: &'e mut SqliteConnection) -> BoxFuture<'e, Result<Schema, Error>> {
        Box::pin(crate::catalog::sqlite(connection))
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

async fn identify(connection: &mut SqliteConnection) -> Result<Identity, Error> {
    let file: Option<String> =
        sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
            .fetch_one(&mut *connection)
            .await?;
    let name = match file.filter(|file| !file.is_empty()) {
        Some(file) => file_identity(&file).map_err(Error::Io)?,
        // A database in memory, or a temporary one: nobody else ever meets it.
        None => {
            let mut random = [0; 16];
            getrandom::fill(&mut random).map_err(|error| Error::Io(error.into()))?;
            format!("sqlite:memory:{:032x}", u128::from_le_bytes(random))
        }
    };
    let mut config = DatabaseConfig::new(DatabaseId::new(name), Dialect::Sqlite);
    // By a callback of the pool, for instance.
    config.attached = attached(connection).await?;
    for row in sqlx::query(SETTINGS).fetch_all(connection).await? {
        let (name, value): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if name == "read_uncommitted" && value != "0" {
            config.isolation = Isolation::ReadUncommitted;
        }
        config.settings.push((name, value));
    }
    Ok(Identity {
        config,
        backend: Backend::Process,
        primary: true,
    })
}

/// The files that are attached. Those in memory belong to the connection alone, and one that was
/// deleted can be opened by nobody else.
async fn attached(connection: &mut SqliteConnection) -> Result<Vec<DatabaseId>, Error> {
    // The statement itself, unlike the table of that name, never begins a snapshot.
    let listed: Vec<(i64, String, Option<String>)> = sqlx::query_as("PRAGMA database_list")
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let mut attached = Vec::new();
    for (_, name, file) in listed {
        let Some(file) = file.filter(|file| name != "main" && !file.is_empty()) else {
            continue;
        };
        match file_identity(&file) {
            Ok(name) => attached.push(DatabaseId::new(name)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Io(error)),
        }
    }
    Ok(attached)
}

/// What a connection may have been opened with and what changes answers.
const SETTINGS: &str = "\
    SELECT 'sqlite_version', sqlite_version() \
    UNION ALL SELECT 'encoding', CAST(encoding AS TEXT) FROM pragma_encoding \
    UNION ALL SELECT 'foreign_keys', CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys \
    UNION ALL SELECT 'recursive_triggers', CAST(recursive_triggers AS TEXT) \
        FROM pragma_recursive_triggers \
    UNION ALL SELECT 'read_uncommitted', CAST(read_uncommitted AS TEXT) \
        FROM pragma_read_uncommitted \
    UNION ALL SELECT 'reverse_unordered_selects', CAST(reverse_unordered_selects AS TEXT) \
        FROM pragma_reverse_unordered_selects \
    UNION ALL SELECT 'full_column_names', CAST(full_column_names AS TEXT) \
        FROM pragma_full_column_names \
    UNION ALL SELECT 'short_column_names', CAST(short_column_names AS TEXT) \
        FROM pragma_short_column_names \
    UNION ALL SELECT 'like', CAST('a' LIKE 'A' AS TEXT)";

/// The identity of a file: not its path, because the same file may have several, and a new file
/// may have the path of an old one.
#[cfg(unix)]
fn file_identity(path: &str) -> std::io::Result<String> {
    use std::os::unix::fs::MetadataExt;

    let file = std::fs::metadata(path)?;
    // File systems use the number of a deleted file again at once. The time of birth tells the
    // two apart; where it is not known, deleting a database and making a new one needs an
    // `invalidate_all`.
    let born = file
        .created()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_nanos());
    Ok(format!("sqlite:{:x}/{:x}/{born:x}", file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn file_identity(path: &str) -> std::io::Result<String> {
    Ok(format!("sqlite:{}", std::fs::canonicalize(path)?.display()))
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
    use sqlx::Connection;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    async fn open(path: &std::path::Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    async fn id(connection: &mut SqliteConnection) -> DatabaseId {
        identify(connection).await.unwrap().config.id
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
        let before = identify(&mut connection).await.unwrap();
        assert_eq!(setting(before.clone(), "foreign_keys"), "1");
        assert_eq!(setting(before, "like"), "1");
        let change = "PRAGMA foreign_keys = OFF; PRAGMA case_sensitive_like = ON";
        sqlx::raw_sql(change)
            .execute(&mut connection)
            .await
            .unwrap();
        let after = identify(&mut connection).await.unwrap();
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
