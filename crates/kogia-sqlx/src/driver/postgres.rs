//! PostgreSQL: the writer is a server process, known by its id and when it began.

use futures::future::BoxFuture;
use kogia::core::Dialect;
use kogia::core::rows::ListBuilder;
use kogia::introspect::{Answer, GRANT_HINT};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::{Error, Row};

use super::{Sealed, forward_to_connection};
use crate::arguments::{self, Bound};

impl Sealed for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;

    const MARKER: Option<&'static str> = Some("SELECT 1 AS kogia");

    #[allow(private_interfaces)]
    fn bound(arguments: &mut PgArguments) -> Option<Bound> {
        arguments::postgres(arguments)
    }

    fn push_cell(row: &PgRow, column: usize, cells: &mut ListBuilder) -> Result<(), BoxDynError> {
        crate::row::postgres(row.try_get_raw(column)?, cells)
    }

    fn type_id(type_info: &sqlx::postgres::PgTypeInfo) -> u32 {
        type_info.oid().map_or(0, |oid| oid.0)
    }

    fn ask<'e>(
        connection: &'e mut PgConnection,
        question: &'static str,
    ) -> BoxFuture<'e, Result<Answer, Error>> {
        Box::pin(ask(connection, question))
    }

    /// A role may have been refused what tells databases apart.
    fn explain_refusal(error: Error) -> Error {
        let refused = error.as_database_error().and_then(|error| error.code());
        if refused.as_deref() != Some("42501") {
            return error;
        }
        Error::Configuration(format!("{GRANT_HINT} ({error})").into())
    }

    fn is_over<'e>(
        connection: &'e mut PgConnection,
        backend: &'e [u8],
    ) -> BoxFuture<'e, Result<Option<bool>, Error>> {
        Box::pin(is_over(connection, backend))
    }

    forward_to_connection!();
}

async fn ask(connection: &mut PgConnection, question: &'static str) -> Result<Answer, Error> {
    let rows = sqlx::query(question)
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let text = |row: &PgRow, column| row.try_get(column);
    super::texts(&rows, text)
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
    use kogia::Backend;
    use kogia::core::Isolation;
    use sqlx::Connection;

    use super::*;
    use crate::introspect::identify;
    use crate::testing;

    async fn connect() -> PgConnection {
        PgConnection::connect(&testing::postgres_url())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn connections_to_one_database_are_alike_and_differ_in_their_backend() {
        let first = identify::<Postgres>(&mut connect().await).await.unwrap();
        let second = identify::<Postgres>(&mut connect().await).await.unwrap();
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
        let plain = identify::<Postgres>(&mut connection).await.unwrap();
        for (set, reset) in [
            ("SET search_path = pg_temp", "RESET search_path"),
            ("SET TIME ZONE 'Asia/Tokyo'", "RESET TIME ZONE"),
            ("SET DateStyle = 'German'", "RESET DateStyle"),
            ("SET ROLE pg_monitor", "RESET ROLE"),
            ("SET lc_monetary = 'POSIX'", "RESET lc_monetary"),
            ("SET array_nulls = off", "RESET array_nulls"),
        ] {
            sqlx::raw_sql(set).execute(&mut connection).await.unwrap();
            let changed = identify::<Postgres>(&mut connection).await.unwrap();
            assert_ne!(changed.config.settings, plain.config.settings, "{set}");
            let name = reset.rsplit(' ').next().unwrap().to_lowercase();
            let name = name.replace("zone", "timezone");
            let altered: Vec<_> = changed
                .config
                .altered
                .iter()
                .map(|it| it.to_lowercase())
                .collect();
            assert_eq!(altered, [name]);
            sqlx::raw_sql(reset).execute(&mut connection).await.unwrap();
        }
        let harmless = "SET statement_timeout = 70000; SET work_mem = '7MB'";
        sqlx::raw_sql(harmless)
            .execute(&mut connection)
            .await
            .unwrap();
        let same = identify::<Postgres>(&mut connect().await).await.unwrap();
        assert_eq!(same.config.settings, plain.config.settings);
        let serializable = "SET default_transaction_isolation = 'serializable'";
        sqlx::raw_sql(serializable)
            .execute(&mut connection)
            .await
            .unwrap();
        let changed = identify::<Postgres>(&mut connection).await.unwrap();
        assert_eq!(changed.config.isolation, Isolation::Serializable);
        assert_eq!(changed.config.altered, ["default_transaction_isolation"]);
        assert_eq!(plain.config.altered, [""; 0]);
    }

    #[tokio::test]
    async fn a_role_without_rights_is_told_apart_or_told_what_to_grant() {
        let mut admin = connect().await;
        let create = "DO $$ BEGIN CREATE ROLE kogia_plain LOGIN; EXCEPTION WHEN duplicate_object \
                      THEN NULL; WHEN unique_violation THEN NULL; END $$";
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        let url = testing::postgres_url().replace("//kogia@", "//kogia_plain@");
        let mut plain = PgConnection::connect(&url).await.unwrap();
        let identity = identify::<Postgres>(&mut plain).await.unwrap();
        let same = identify::<Postgres>(&mut admin).await.unwrap();
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
        let identity = identify::<Postgres>(&mut writer).await.unwrap();
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
