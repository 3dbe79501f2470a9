//! What differs between the databases: one file per database.

/// The SQL of one database family.
///
/// Complete: a new dialect is a new major version, because every rule of the analysis must be
/// answered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// PostgreSQL 12 and later.
    Postgres,
    /// MySQL 8 and MariaDB 10.6, and later.
    MySql,
    /// SQLite 3.35 and later.
    Sqlite,
}

impl Dialect {
    /// All dialects, for tests and tables.
    pub const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

    /// The lower-case name, as `kogia explain --dialect` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Postgres => "postgres",
            Dialect::MySql => "mysql",
            Dialect::Sqlite => "sqlite",
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Dialect {
    type Err = UnknownDialectError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" | "pg" => Ok(Dialect::Postgres),
            "mysql" | "mariadb" => Ok(Dialect::MySql),
            "sqlite" | "sqlite3" => Ok(Dialect::Sqlite),
            _ => Err(UnknownDialectError(name.to_owned())),
        }
    }
}

/// A name that is none of the dialects.
#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown dialect {0:?}, use postgres, mysql or sqlite")]
pub struct UnknownDialectError(String);
