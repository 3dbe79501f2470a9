//! Accidents of a writer, at every moment of its way through the store: killed there, or stopped for
//! longer than its marks stand. Others read and write on, nothing is stale, the application meets no
//! error that the database does not make, nothing that was acknowledged is lost, and nothing stays
//! marked.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod stage;

use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use kogia::ReadOutcome;
use kogia::core::Dialect;
use kogia_conformance::accident::{Accident, Blow, Moment};
use kogia_conformance::connection::{Bare, Connection, Locks, Server};
use kogia_conformance::front::FrontEnd;
use kogia_conformance::stores::Kind;
use kogia_conformance::value::Row;
use kogia_conformance::wrapped::Wrapped;
use kogia_sqlx::Driver;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use sqlx::{FromRow, IntoArguments, MySql, Postgres, Sqlite};

use stage::{Stage, all_queries, program};

/// How long marks stand.
const LEASE: Duration = Duration::from_millis(800);

/// A writer is killed at every moment, while another process reads and writes on.
async fn killed<S>(stage: Stage, kind: Kind, has_tier: bool)
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let mut stage = stage.behind(kind, has_tier, LEASE);
    for moment in Moment::ALL {
        let when = format!("killed at {moment:?} over {kind:?}");
        let mut orders = stage.orders(u64::MAX, 50, None);
        orders.accident = Some(Accident {
            moment,
            times: 4,
            blow: Blow::Killed,
        });
        let mut other = stage.orders(150, 20, None).start(program()).unwrap();
        let mut victim = orders.start(program()).unwrap();
        let status = victim.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{when}: {status}");
        assert!(other.wait().unwrap().success(), "{when}");
        stage.settles::<S>().await;
        stage.check(&when);
    }
}

/// A writer is stopped for longer than its marks stand, before its commit and after it, and goes on.
async fn stopped<S>(stage: Stage, kind: Kind, has_tier: bool)
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let mut stage = stage.behind(kind, has_tier, LEASE);
    for moment in [Moment::Marked, Moment::BeforeClear] {
        let when = format!("stopped at {moment:?} over {kind:?}");
        let mut orders = stage.orders(80, 50, None);
        orders.accident = Some(Accident {
            moment,
            times: 3,
            blow: Blow::Stopped,
        });
        let mut victim = orders.start(program()).unwrap();
        let pid = wait_until_stopped(&victim);
        let mut readers = stage.orders(200, 0, None).start(program()).unwrap();
        let outcomes = read_on::<S>(&stage, LEASE * 5 / 2, &when).await;
        assert!(readers.wait().unwrap().success(), "{when}");
        if moment == Moment::Marked {
            // The database says that the writer is still at it, however long that takes.
            let is_hit =
                |outcome: &ReadOutcome| matches!(outcome, ReadOutcome::Hit | ReadOutcome::Shared);
            assert!(!outcomes.iter().any(is_hit), "{when}: the mark was cleared");
        }
        kill_process(pid, Signal::CONT).unwrap();
        assert!(victim.wait().unwrap().success(), "{when}");
        stage.settles::<S>().await;
        stage.check(&when);
    }
}

/// Waits until a process has stopped itself.
fn wait_until_stopped(child: &Child) -> Pid {
    let pid = Pid::from_child(child);
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped(), "{status:?}");
    pid
}

/// Reads again and again for a while in which nobody writes: every answer is the database's. What
/// comes of the reads of the whole table.
async fn read_on<S>(stage: &Stage, time: Duration, when: &str) -> Vec<ReadOutcome>
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let (cache, recorder) = stage.cache();
    let url = &stage.database;
    let wrapped = Wrapped::<S>::new(&cache, url, Locks::Wait, &recorder, false).await;
    let wrapped = wrapped.unwrap();
    let mut session = wrapped.connect().await;
    let mut bare = Bare::<S>::open(url, Locks::Wait).await.unwrap();
    let queries = all_queries();
    let mut outcomes = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time {
        for query in &queries {
            recorder.take();
            let cached = session.read(query, async || {}).await;
            assert_eq!(cached, bare.fetch(query, true).await, "{when}: {query}");
        }
        // The last one is of the whole table.
        outcomes.extend(recorder.take().into_iter().map(|(_, outcome)| outcome));
    }
    drop(session);
    wrapped.close().await;
    bare.close().await;
    outcomes
}

#[tokio::test]
async fn killed_on_sqlite_over_redis() {
    killed::<Sqlite>(Stage::sqlite(false).await, Kind::Redis, false).await;
}

#[tokio::test]
async fn killed_on_sqlite_over_memcached() {
    killed::<Sqlite>(Stage::sqlite(false).await, Kind::Memcached, true).await;
}

#[tokio::test]
async fn killed_on_postgres_over_redis() {
    let stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_killed").await;
    killed::<Postgres>(stage, Kind::Redis, true).await;
}

#[tokio::test]
async fn killed_on_mysql_over_memcached() {
    let stage = Stage::server::<MySql>(Dialect::MySql, "kogia_killed").await;
    killed::<MySql>(stage, Kind::Memcached, false).await;
}

#[tokio::test]
async fn stopped_on_sqlite() {
    for (kind, has_tier) in [(Kind::File, false), (Kind::Redis, false)] {
        stopped::<Sqlite>(Stage::sqlite(false).await, kind, has_tier).await;
    }
}

#[tokio::test]
async fn stopped_on_postgres() {
    for (kind, has_tier) in [(Kind::Redis, true), (Kind::Memcached, false)] {
        let stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_stopped").await;
        stopped::<Postgres>(stage, kind, has_tier).await;
    }
}

#[tokio::test]
async fn stopped_on_mysql() {
    for (kind, has_tier) in [(Kind::Redis, false), (Kind::Memcached, true)] {
        let stage = Stage::server::<MySql>(Dialect::MySql, "kogia_stopped").await;
        stopped::<MySql>(stage, kind, has_tier).await;
    }
}
