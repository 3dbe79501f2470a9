//! PostgreSQL: the writer is a server process, known by its id and when it began.

use futures::future::BoxFuture;
use kogia::core::rows::ListBuilder;
use kogia::core::{DatabaseId, Dialect, Isolation, Schema};
use kogia::{Backend, DatabaseConfig};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::{Error, Row};

use super::{Identity, Sealed, forward_to_connection};
use crate::arguments::{self, Bound};

impl Sealed for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;

    const MARKER: Option<&'static str> = Some("SELECT 1 AS kogia");

    #[allow(private_interfaces)]
    fn bound(arguments: &mut PgArguments) -> Option<Bound> {
        arguments::postgres(arguments)
    }

    fn push_cell(
        row: &sqlx::postgres::PgRow,
        column: usize,
        cells: &mut ListBuilder,
    ) -> Result<(), BoxDynError> {
        crate::row::postgres(row.try_get_raw(column)?, cells)
    }

    fn type_id(type_info: &sqlx::postgres::PgTypeInfo) -> u32 {
        type_info.oid().map_or(0, |oid| oid.0)
    }

    #[allow(private_interfaces)]
    fn identify<'e>(connection: &'e mut PgConnection) -> BoxFuture<'e, Result<Identity, Error>> {
        Box::pin(identify(connection))
    }

    fn catalog<'e>(connection: &'e mut PgConnection) -> BoxFuture<'e, Result<Schema, Error>> {
        Box::pin(crate::catalog::postgres(connection))
    }

    fn is_over<'e>(
        connection: &'e mut PgConnection,
        backend: &'e [u8],
    ) -> BoxFuture<'e, Result<Option<bool>, Error>> {
        Box::pin(is_over(connection, backend))
    }

    forward_to_connection!();
}

/// The timeline of a primary is that of the log it writes; the last checkpoint may lag behind a
/// promotion. The settings are those which the documentation lists as defaults of client
/// connections and of compatibility. Those that applications make up for themselves are not
/// listed; only functions and policies read them, and what does is not cached.
const IDENTIFY: &str = r"
SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
       CASE WHEN pg_is_in_recovery()
            THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
       END::text AS timeline,
       (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       NOT pg_is_in_recovery() AS writable,
       current_setting('default_transaction_isolation') AS isolation,
       current_user::text AS role,
       session_user::text AS login,
       pg_backend_pid() AS pid,
       (SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
          FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS start,
       (SELECT array_agg(name ORDER BY name) FROM kogia) AS names,
       (SELECT array_agg(setting ORDER BY name) FROM kogia) AS settings
";

const SETTINGS: &str = r"
WITH kogia AS MATERIALIZED (
    SELECT name::text, setting::text FROM pg_settings
     WHERE (category = 'Client Connection Defaults / Statement Behavior'
         OR category = 'Client Connection Defaults / Locale and Formatting'
         OR category LIKE 'Version and Platform Compatibility / %'
         OR name = 'server_version_num')
       AND name !~ '(timeout|vacuum|tablespace|transaction_|pending_list_limit|min_messages|^check_|default_to|default_table)'
)";

async fn identify(connection: &mut PgConnection) -> Result<Identity, Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SETTINGS}{IDENTIFY}"));
    let row = sqlx::query(sql)
        .persistent(false)
        .fetch_one(connection)
        .await
        .map_err(explain_refusal)?;
    let part = |name: &str| row.try_get::<String, _>(name);
    let name = format!(
        "postgres:{}/{}/{}",
        part("system")?,
        part("timeline")?,
        part("database")?
    );
    let mut config = DatabaseConfig::new(DatabaseId::new(name), Dialect::Postgres);
    config.isolation = match part("isolation")?.as_str() {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        // PostgreSQL does as if `read uncommitted` were this one.
        _ => Isolation::ReadCommitted,
    };
    config.settings = settings(&row)?;
    for name in ["role", "login"] {
        config.settings.push((name.to_owned(), part(name)?));
    }
    let pid: i32 = row.try_get("pid")?;
    let backend = match row.try_get::<Option<String>, _>("start")? {
        Some(start) => Backend::Server(format!("{pid}/{start}").into_bytes().into()),
        None => Backend::Unknown,
    };
    Ok(Identity {
        config,
        backend,
        primary: row.try_get("writable")?,
    })
}

fn settings(row: &PgRow) -> Result<Vec<(String, String)>, Error> {
    let names: Vec<String> = row.try_get("names")?;
    let values: Vec<Option<String>> = row.try_get("settings")?;
    let values = values.into_iter().map(Option::unwrap_or_default);
    Ok(names.into_iter().zip(values).collect())
}

/// A role may have been refused what tells databases apart.
fn explain_refusal(error: Error) -> Error {
    let refused = error.as_database_error().and_then(|error| error.code());
    if refused.as_deref() != Some("42501") {
        return error;
    }
    let grant = "kogia cannot tell this database from others: grant the role EXECUTE on the functions \
                 pg_control_system(), pg_control_checkpoint(), pg_current_wal_insert_lsn() and \
                 pg_walfile_name(pg_lsn)";
    Error::Configuration(format!("{grant} ({error})").into())
}

/// Gone is over. A process that is still there is not, even if it is idle: a statement may be on
/// its way to it. Its owner clears its marks itself, and when the owner dies, so does the process.
async fn is_over(connection: &mut PgConnection, backend: &[u8]) -> Result<Option<bool>, Error> {
    let Some((pid, start)) = std::str::from_utf8(backend)
        .ok()
        .and_then(|name| name.split_once('/'))
    else {
        return Ok(None);
    };
    let Ok(pid) = pid.parse::<i32>() else {
        return Ok(None);
    };
    // Everybody sees which processes there are; when they began only their own role does, or one
    // that may read statistics.
    let found: Option<(Option<String>,)> = sqlx::query_as(
        "SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') \
           FROM pg_stat_activity WHERE pid = $1",
    )
    .bind(pid)
    .fetch_optional(connection)
    .await?;
    Ok(match found {
        None => Some(true),
        Some((Some(began),)) => Some(began != start),
        Some((None,)) => None,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;
    use crate::testing;

    async fn connect() -> PgConnection {
        PgConnection::connect(&testing::postgres_url())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn connections_to_one_database_are_alike_and_differ_in_their_backend() {
        let first = identify(&mut connect().await).await.unwrap();
        let second = identify(&mut connect().await).await.unwrap();
        assert!(first.config.id.name().starts_with("postgres:"), "{first:?}");
        assert_eq!(first.config.id.name().split('/').nth(1), Some("1"));
        assert_eq!(first.config.id, second.config.id);
        assert_eq!(first.config.settings, second.config.settings);
        assert_ne!(first.backend, second.backend);
        assert!(first.primary);
        assert_eq!(first.config.isolation, Isolation::ReadCommitted);
    }

    #[tokio::test]
    async fn what_a_session_starts_with_is_in_its_settings() {
        let mut connection = connect().await;
        let plain = identify(&mut connection).await.unwrap();
        for (set, reset) in [
            ("SET search_path = pg_temp", "RESET search_path"),
            ("SET TIME ZONE 'Asia/Tokyo'", "RESET TIME ZONE"),
            ("SET DateStyle = 'German'", "RESET DateStyle"),
            ("SET ROLE pg_monitor", "RESET ROLE"),
            ("SET lc_monetary = 'POSIX'", "RESET lc_monetary"),
            ("SET array_nulls = off", "RESET array_nulls"),
        ] {
            sqlx::raw_sql(set).execute(&mut connection).await.unwrap();
            let changed = identify(&mut connection).await.unwrap();
            assert_ne!(changed.config.settings, plain.config.settings, "{set}");
            sqlx::raw_sql(reset).execute(&mut connection).await.unwrap();
        }
        let harmless = "SET statement_timeout = 70000; SET work_mem = '7MB'";
        sqlx::raw_sql(harmless)
            .execute(&mut connection)
            .await
            .unwrap();
        let same = identify(&mut connect().await).await.unwrap();
        assert_eq!(same.config.settings, plain.config.settings);
        let serializable = "SET default_transaction_isolation = 'serializable'";
        sqlx::raw_sql(serializable)
            .execute(&mut connection)
            .await
            .unwrap();
        let changed = identify(&mut connection).await.unwrap();
        assert_eq!(changed.config.isolation, Isolation::Serializable);
    }

    #[tokio::test]
    async fn a_role_without_rights_is_told_apart_or_told_what_to_grant() {
        let mut admin = connect().await;
        let create = "DO $$ BEGIN CREATE ROLE kogia_plain LOGIN; EXCEPTION WHEN duplicate_object \
                      THEN NULL; WHEN unique_violation THEN NULL; END $$";
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        let url = testing::postgres_url().replace("//kogia@", "//kogia_plain@");
        let mut plain = PgConnection::connect(&url).await.unwrap();
        let identity = identify(&mut plain).await.unwrap();
        let same = identify(&mut admin).await.unwrap();
        assert_eq!(identity.config.id, same.config.id);
        assert_ne!(identity.config.settings, same.config.settings);
        // It sees that the other process is there, and not since when.
        let Backend::Server(backend) = &same.backend else {
            panic!("{same:?}")
        };
        assert_eq!(is_over(&mut plain, backend).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_writer_is_over_when_its_process_is_gone() {
        let (mut writer, mut other) = (connect().await, connect().await);
        let identity = identify(&mut writer).await.unwrap();
        let Backend::Server(backend) = identity.backend else {
            panic!("{identity:?}")
        };
        assert_eq!(is_over(&mut other, &backend).await.unwrap(), Some(false));
        let mut another = backend.to_vec();
        another.pop();
        assert_eq!(is_over(&mut other, &another).await.unwrap(), Some(true));
        writer.close().await.unwrap();
        testing::eventually(async || is_over(&mut other, &backend).await.unwrap() == Some(true))
            .await;
        assert_eq!(is_over(&mut other, b"nonsense").await.unwrap(), None);
    }
}
