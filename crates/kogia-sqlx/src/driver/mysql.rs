//! MySQL and MariaDB: the writer is a connection, known by its number and its account.

use futures::future::BoxFuture;
use kogia::core::rows::ListBuilder;
use kogia::core::{DatabaseId, Dialect, Isolation, Schema};
use kogia::{Backend, DatabaseConfig};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnection};
use sqlx::{Error, Row};

use super::{Identity, Sealed, forward_to_connection};
use crate::arguments::{self, Bound};
use crate::catalog::text;

impl Sealed for MySql {
    const DIALECT: Dialect = Dialect::MySql;

    const MARKER: Option<&'static str> = Some("SELECT 1 AS kogia");

    #[allow(private_interfaces)]
    fn bound(arguments: &mut MySqlArguments) -> Option<Bound> {
        arguments::mysql(arguments)
    }

    fn push_cell(
        row: &sqlx::mysql::MySqlRow,
        column: usize,
        cells: &mut ListBuilder,
    ) -> Result<(), BoxDynError> {
        crate::row::mysql(row.try_get_raw(column)?, cells)
    }

    fn type_id(_type_info: &sqlx::mysql::MySqlTypeInfo) -> u32 {
        0
    }

    #[allow(private_interfaces)]
    fn identify<'e>(connection: &'e mut MySqlConnection) -> BoxFuture<'e, Result<Identity, Error>> {
        Box::pin(identify(connection))
    }

    fn catalog<'e>(connection: &'e mut MySqlConnection) -> BoxFuture<'e, Result<Schema, Error>> {
        Box::pin(crate::catalog::mysql(connection))
    }

    fn is_over<'e>(
        connection: &'e mut MySqlConnection,
        backend: &'e [u8],
    ) -> BoxFuture<'e, Result<Option<bool>, Error>> {
        Box::pin(is_over(connection, backend))
    }

    forward_to_connection!();
}

/// Variables that tell servers apart, or that change what a query answers. A server that does not
/// know one of them leaves it out.
const VARIABLES: &str = "\
    SHOW SESSION VARIABLES WHERE Variable_name IN (\
    'server_uuid', 'server_uid', 'hostname', 'port', 'datadir', \
    'transaction_isolation', 'tx_isolation', 'autocommit', \
    'read_only', 'super_read_only', 'innodb_read_only', 'version', \
    'sql_mode', 'old_mode', 'time_zone', 'system_time_zone', \
    'character_set_client', 'character_set_connection', 'character_set_results', \
    'collation_connection', 'default_week_format', 'div_precision_increment', \
    'group_concat_max_len', 'lc_time_names', 'max_sort_length', 'sql_auto_is_null', \
    'sql_select_limit', 'default_collation_for_utf8mb4', 'character_set_collations', \
    'system_versioning_asof')";

async fn identify(connection: &mut MySqlConnection) -> Result<Identity, Error> {
    let (number, account, schema): (u64, Vec<u8>, Option<Vec<u8>>) = sqlx::query_as(
        "SELECT CONNECTION_ID(), CAST(CURRENT_USER() AS BINARY), CAST(DATABASE() AS BINARY)",
    )
    .persistent(false)
    .fetch_one(&mut *connection)
    .await?;
    let schema = schema.ok_or_else(|| {
        Error::Configuration("the URL of a MySQL database must name the database".into())
    })?;
    let schema = String::from_utf8_lossy(&schema);
    let account = String::from_utf8_lossy(&account);
    let mut variables = Vec::new();
    for row in sqlx::query(VARIABLES)
        .persistent(false)
        .fetch_all(connection)
        .await?
    {
        variables.push((text(&row, 0)?.to_ascii_lowercase(), text(&row, 1)?));
    }
    let variable = |name: &str| {
        variables
            .iter()
            .find(|variable| variable.0 == name)
            .map(|v| &*v.1)
    };
    let server = ["server_uuid", "server_uid", "hostname", "port", "datadir"].map(variable);
    let server = match server {
        // A uuid is the server's own, wherever it runs.
        [Some(uuid), ..] => uuid.to_owned(),
        // MariaDB's is made of the machine and the port, and older ones have none.
        [None, rest @ ..] => rest.map(Option::unwrap_or_default).join("/"),
    };
    let id = DatabaseId::new(format!("mysql:{server}/{schema}"));
    let mut config = DatabaseConfig::new(id, Dialect::MySql);
    config.isolation = match variable("transaction_isolation").or(variable("tx_isolation")) {
        Some("READ-UNCOMMITTED") => Isolation::ReadUncommitted,
        Some("READ-COMMITTED") => Isolation::ReadCommitted,
        Some("SERIALIZABLE") => Isolation::Serializable,
        _ => Isolation::RepeatableRead,
    };
    config.autocommit = !matches!(variable("autocommit"), Some("OFF" | "0"));
    let primary = ["read_only", "super_read_only", "innodb_read_only"]
        .iter()
        .all(|name| matches!(variable(name), None | Some("OFF" | "0")));
    let backend = Backend::Server(format!("{number}/{account}").into_bytes().into());
    config
        .settings
        .push(("account".to_owned(), account.into_owned()));
    variables.retain(|(name, _)| !IDENTITY.contains(&name.as_str()));
    config.settings.append(&mut variables);
    Ok(Identity {
        config,
        backend,
        primary,
    })
}

/// Variables that are not settings of a session.
const IDENTITY: [&str; 11] = [
    "server_uuid",
    "server_uid",
    "hostname",
    "port",
    "datadir",
    "transaction_isolation",
    "tx_isolation",
    "autocommit",
    "read_only",
    "super_read_only",
    "innodb_read_only",
];

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
    use sqlx::Connection;

    use super::*;
    use crate::testing;

    async fn connect() -> MySqlConnection {
        MySqlConnection::connect(&testing::mysql_url())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn connections_to_one_database_are_alike_and_differ_in_their_backend() {
        let first = identify(&mut connect().await).await.unwrap();
        let second = identify(&mut connect().await).await.unwrap();
        assert_eq!(first.config.id, second.config.id);
        assert_eq!(first.config.settings, second.config.settings);
        assert_ne!(first.backend, second.backend);
        assert!(first.primary);
        assert!(first.config.autocommit);
        assert_eq!(first.config.isolation, Isolation::RepeatableRead);
        let mut other = connect().await;
        let create = "CREATE DATABASE IF NOT EXISTS kogia_other; USE kogia_other";
        sqlx::raw_sql(create).execute(&mut other).await.unwrap();
        let other = identify(&mut other).await.unwrap();
        assert_ne!(first.config.id, other.config.id);
    }

    #[tokio::test]
    async fn what_a_session_starts_with_is_in_its_settings() {
        let plain = identify(&mut connect().await).await.unwrap();
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
            let changed = identify(&mut connection).await.unwrap();
            assert_ne!(changed.config.settings, plain.config.settings, "{set}");
        }
        let mut connection = connect().await;
        let change = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET autocommit = 0";
        sqlx::raw_sql(change)
            .execute(&mut connection)
            .await
            .unwrap();
        let changed = identify(&mut connection).await.unwrap();
        assert_eq!(changed.config.isolation, Isolation::ReadCommitted);
        assert!(!changed.config.autocommit);
    }

    #[tokio::test]
    async fn a_writer_is_over_when_its_connection_is_gone() {
        let (mut writer, mut other) = (connect().await, connect().await);
        let identity = identify(&mut writer).await.unwrap();
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
        let identity = identify(&mut admin).await.unwrap();
        let Backend::Server(backend) = identity.backend else {
            panic!("{identity:?}")
        };
        assert_eq!(is_over(&mut plain, &backend).await.unwrap(), None);
        let own = identify(&mut plain).await.unwrap();
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
