//! MySQL and MariaDB: the writer is a connection, known by its number and its account.

use futures::future::BoxFuture;
use kogia::core::Dialect;
use kogia::core::rows::ListBuilder;
use kogia::introspect::Answer;
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::{Error, Row};

use super::{Sealed, forward_to_connection};
use crate::arguments::{self, Bound};

impl Sealed for MySql {
    const DIALECT: Dialect = Dialect::MySql;

    const MARKER: Option<&'static str> = Some("SELECT 1 AS kogia");

    #[allow(private_interfaces)]
    fn bound(arguments: &mut MySqlArguments) -> Option<Bound> {
        arguments::mysql(arguments)
    }

    fn push_cell(
        row: &MySqlRow,
        column: usize,
        cells: &mut ListBuilder,
    ) -> Result<(), BoxDynError> {
        crate::row::mysql(row.try_get_raw(column)?, cells)
    }

    fn type_id(_type_info: &sqlx::mysql::MySqlTypeInfo) -> u32 {
        0
    }

    fn ask<'e>(
        connection: &'e mut MySqlConnection,
        question: &'static str,
    ) -> BoxFuture<'e, Result<Answer, Error>> {
        Box::pin(ask(connection, question))
    }

    fn is_over<'e>(
        connection: &'e mut MySqlConnection,
        backend: &'e [u8],
    ) -> BoxFuture<'e, Result<Option<bool>, Error>> {
        Box::pin(is_over(connection, backend))
    }

    forward_to_connection!();
}

/// The information schema gives text in many types, some of them binary.
///
/// No statement is prepared: giving one up costs the next one a delayed acknowledgement, forty
/// milliseconds.
async fn ask(connection: &mut MySqlConnection, question: &'static str) -> Result<Answer, Error> {
    let rows = sqlx::raw_sql(question).fetch_all(connection).await?;
    super::texts(&rows, |row: &MySqlRow, column| {
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(column)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    })
}

/// Gone is over. A connection that is still there is not, even if it is idle: a statement may be
/// on its way to it. Its owner clears its marks itself, and when the owner dies, so does the
/// connection.
async fn is_over(connection: &mut MySqlConnection, backend: &[u8]) -> Result<Option<bool>, Error> {
    let Some((number, account)) = std::str::from_utf8(backend)
        .ok()
        .and_then(|name| name.split_once('/'))
    else {
        return Ok(None);
    };
    let Ok(number) = number.parse::<u64>() else {
        return Ok(None);
    };
    // A connection of another account is only listed for those who have the privilege PROCESS.
    let (listed, own, sees_all): (i64, Vec<u8>, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?), \
                CAST(CURRENT_USER() AS BINARY), \
                (SELECT COUNT(*) FROM information_schema.user_privileges \
                  WHERE privilege_type = 'PROCESS' \
                    AND grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', \
                                         SUBSTRING_INDEX(CURRENT_USER(), '@', -1), ''''))",
    )
    .bind(number)
    .fetch_one(connection)
    .await?;
    Ok(match listed {
        0 if own == account.as_bytes() || sees_all > 0 => Some(true),
        0 => None,
        _ => Some(false),
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

    async fn connect() -> MySqlConnection {
        MySqlConnection::connect(&testing::mysql_url())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn connections_to_one_database_are_alike_and_differ_in_their_backend() {
        let first = identify::<MySql>(&mut connect().await).await.unwrap();
        let second = identify::<MySql>(&mut connect().await).await.unwrap();
        assert_eq!(first.config.id, second.config.id);
        assert_eq!(first.config.settings, second.config.settings);
        assert_ne!(first.backend, second.backend);
        assert!(first.primary);
        assert!(first.config.autocommit);
        assert_eq!(first.config.isolation, Isolation::RepeatableRead);
        let mut other = connect().await;
        let create = "CREATE DATABASE IF NOT EXISTS kogia_other; USE kogia_other";
        sqlx::raw_sql(create).execute(&mut other).await.unwrap();
        let other = identify::<MySql>(&mut other).await.unwrap();
        assert_ne!(first.config.id, other.config.id);
    }

    #[tokio::test]
    async fn what_a_session_starts_with_is_in_its_settings() {
        let plain = identify::<MySql>(&mut connect().await).await.unwrap();
        for set in [
            "SET time_zone = '+07:00'",
            "SET sql_mode = 'ANSI_QUOTES'",
            "SET NAMES latin1",
            "SET group_concat_max_len = 77",
            "SET sql_select_limit = 77",
            "SET default_week_format = 3",
        ] {
            let mut connection = connect().await;
            sqlx::raw_sql(set).execute(&mut connection).await.unwrap();
            let changed = identify::<MySql>(&mut connection).await.unwrap();
            assert_ne!(changed.config.settings, plain.config.settings, "{set}");
        }
        let mut connection = connect().await;
        let change = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET autocommit = 0";
        sqlx::raw_sql(change)
            .execute(&mut connection)
            .await
            .unwrap();
        let changed = identify::<MySql>(&mut connection).await.unwrap();
        assert_eq!(changed.config.isolation, Isolation::ReadCommitted);
        assert!(!changed.config.autocommit);
    }

    #[tokio::test]
    async fn a_writer_is_over_when_its_connection_is_gone() {
        let (mut writer, mut other) = (connect().await, connect().await);
        let identity = identify::<MySql>(&mut writer).await.unwrap();
        let Backend::Server(backend) = identity.backend else {
            panic!("{identity:?}")
        };
        assert_eq!(is_over(&mut other, &backend).await.unwrap(), Some(false));
        writer.close().await.unwrap();
        testing::eventually(async || is_over(&mut other, &backend).await.unwrap() == Some(true))
            .await;
        assert_eq!(is_over(&mut other, b"nonsense").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_account_without_rights_does_not_take_what_it_cannot_see_for_gone() {
        let mut admin = connect().await;
        let create = "CREATE USER IF NOT EXISTS kogia_plain@'%' IDENTIFIED BY 'kogia'; \
                      GRANT SELECT ON kogia.* TO kogia_plain@'%'";
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        let url = testing::mysql_url().replace("//kogia:", "//kogia_plain:");
        let mut plain = MySqlConnection::connect(&url).await.unwrap();
        let identity = identify::<MySql>(&mut admin).await.unwrap();
        let Backend::Server(backend) = identity.backend else {
            panic!("{identity:?}")
        };
        assert_eq!(is_over(&mut plain, &backend).await.unwrap(), None);
        let own = identify::<MySql>(&mut plain).await.unwrap();
        let Backend::Server(own) = own.backend else {
            panic!("{own:?}")
        };
        assert_eq!(is_over(&mut plain, &own).await.unwrap(), Some(false));
        let gone = String::from_utf8(own.to_vec())
            .unwrap()
            .replacen('/', "99/", 1);
        assert_eq!(
            is_over(&mut plain, gone.as_bytes()).await.unwrap(),
            Some(true)
        );
    }
}
