//! Database URLs, as the command takes them.

use std::fmt;
use std::str::FromStr;

use kogia::core::Dialect;

/// A database's URL, whose display hides the password.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    pub(crate) dialect: Dialect,
    /// As sqlx takes it.
    pub(crate) url: String,
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        let (dialect, scheme) = match scheme {
            "sqlite" => (Dialect::Sqlite, "sqlite"),
            "postgres" | "postgresql" => (Dialect::Postgres, "postgres"),
            "mysql" | "mariadb" => (Dialect::MySql, "mysql"),
            _ => {
                return Err(format!(
                    "--database-url: {scheme:?} is no database known here, write for instance \
                     postgres://user@host/name, mysql://user@host/name or sqlite:///path/file.db"
                ));
            }
        };
        Ok(DatabaseUrl {
            dialect,
            url: format!("{scheme}:{rest}"),
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return f.write_str(&self.url);
        };
        // Options may hold passwords, too.
        let rest = rest.split_once('?').map_or(rest, |(address, _)| address);
        match rest.rsplit_once('@') {
            Some((user, address)) => {
                let user = user.split_once(':').map_or(user, |(user, _)| user);
                write!(f, "{scheme}://{user}@{address}")
            }
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}
