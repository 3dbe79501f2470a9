//! Pairs of databases on a PostgreSQL or a MySQL server, for cases.

use kogia::Cache;
use kogia::core::Dialect;
use kogia_sqlx::Driver;
use sqlx::{FromRow, IntoArguments};

use crate::case::Case;
use crate::connection::{Bare, Locks, Server};
use crate::front::{FrontEnd, Recorder};
use crate::run::{BARE, CACHED, Difference, Outcomes, Wrong, run_steps};
use crate::value::Row;
use crate::wrapped::Wrapped;

/// The URL of the test server of a dialect, or what to do to have one.
pub fn server_url(dialect: Dialect) -> Result<String, String> {
    let variable = match dialect {
        Dialect::Postgres => "KOGIA_TEST_POSTGRES_URL",
        Dialect::MySql => "KOGIA_TEST_MYSQL_URL",
        Dialect::Sqlite => return Err("SQLite has no server".to_owned()),
    };
    std::env::var(variable).map_err(|_| {
        format!(
            "{variable} is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\""
        )
    })
}

/// A database on a server that is made anew, and is gone when a next one is made.
pub async fn fresh_database<S: Server>(
    dialect: Dialect,
    server: &str,
    name: &str,
    setup: &[String],
) -> Result<String, String> {
    let url = match server.rsplit_once('/') {
        Some((head, _)) => format!("{head}/{name}"),
        None => return Err(format!("{server:?} is no URL of a server")),
    };
    let force = match dialect {
        Dialect::Postgres => " WITH (FORCE)",
        _ => "",
    };
    let make = [
        format!("DROP DATABASE IF EXISTS {name}{force}"),
        format!("CREATE DATABASE {name}"),
    ];
    for (url, statements) in [(server, &make[..]), (&url, setup)] {
        let opened = Bare::<S>::open(url, Locks::Wait).await;
        let mut connection = opened.map_err(|error| error.to_string())?;
        for sql in statements {
            let answer = connection.run(sql).await;
            answer.map_err(|error| format!("{sql}: {error}"))?;
        }
        connection.close().await;
    }
    Ok(url)
}

/// Runs a case through kogia-sqlx, on two databases of a server.
pub async fn run_case<S>(
    dialect: Dialect,
    server: &str,
    case: &Case,
) -> Result<Outcomes, Difference>
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let trouble = |error: String| Difference {
        step: usize::MAX,
        what: Wrong::Setup(error),
        outcome: None,
    };
    let fresh = async |name: &str| fresh_database::<S>(dialect, server, name, &case.setup).await;
    let bare = fresh(BARE).await.map_err(trouble)?;
    let cached = fresh(CACHED).await.map_err(trouble)?;
    let mut sessions = Vec::new();
    for _ in 0..case.sessions() {
        let opened = Bare::<S>::open(&bare, Locks::Fail).await;
        sessions.push(opened.map_err(|error| trouble(error.to_string()))?);
    }
    let recorder = Recorder::default();
    let cache = recorder.attach(Cache::builder()).build();
    let wrapped = Wrapped::<S>::new(&cache, &cached, Locks::Fail, &recorder, false).await;
    let wrapped = wrapped.map_err(|error| trouble(error.to_string()))?;
    let mut through = Vec::new();
    for _ in 0..case.sessions() {
        through.push(wrapped.connect().await);
    }
    let result = run_steps(case, &mut sessions, &mut through, &wrapped).await;
    drop(through);
    wrapped.close().await;
    for session in sessions {
        session.close().await;
    }
    result
}
