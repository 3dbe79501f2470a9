//! Several processes, or threads, on one database and one store: every answer must have been right
//! at some instant between question and answer, also when processes are killed.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod stage;

use std::os::unix::process::ExitStatusExt;

use kogia::Cache;
use kogia::core::Dialect;
use kogia_conformance::connection::Locks;
use kogia_conformance::engine::Point;
use kogia_conformance::front::Recorder;
use kogia_conformance::mix;
use kogia_conformance::mutant::Mutant;
use kogia_conformance::process::Death;
use kogia_conformance::wrapped::Wrapped;
use sqlx::{MySql, Postgres, Sqlite};

use stage::{Stage, program};

#[tokio::test]
async fn processes_that_drive_the_engine() {
    Stage::sqlite(true).await.mix::<Sqlite>(3000).await;
}

#[tokio::test]
async fn processes_with_kogia_sqlx_on_sqlite() {
    Stage::sqlite(false).await.mix::<Sqlite>(2000).await;
}

#[tokio::test]
async fn processes_with_kogia_sqlx_on_postgres() {
    let mut stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_mix").await;
    stage.mix::<Postgres>(1500).await;
}

#[tokio::test]
async fn processes_with_kogia_sqlx_on_mysql() {
    let mut stage = Stage::server::<MySql>(Dialect::MySql, "kogia_mix").await;
    stage.mix::<MySql>(1500).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment_on_sqlite() {
    Stage::sqlite(true).await.kill::<Sqlite>(6).await;
    Stage::sqlite(false).await.kill::<Sqlite>(6).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment_on_postgres() {
    let mut stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_kill").await;
    stage.kill::<Postgres>(5).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_any_moment_on_mysql() {
    let mut stage = Stage::server::<MySql>(Dialect::MySql, "kogia_kill").await;
    stage.kill::<MySql>(5).await;
}

#[tokio::test]
async fn processes_that_are_killed_at_every_point() {
    let mut stage = Stage::sqlite(true).await;
    let points = [
        (Point::BeforeMark, "COMMIT"),
        (Point::Marked, "COMMIT"),
        (Point::Executed, "COMMIT"),
        (Point::Cleared, "COMMIT"),
        (Point::Executed, "UPDATE"),
        (Point::Marked, "ROLLBACK"),
        (Point::Executed, "ROLLBACK"),
        (Point::BeforeQuery, "SELECT"),
        (Point::BeforeFill, "SELECT"),
        (Point::Filled, "SELECT"),
    ];
    for (point, word) in points {
        for times in [1, 5] {
            let death = Death::At {
                point,
                word: word.to_owned(),
                times,
            };
            let other = stage.orders(150, 20, None);
            let victim = stage.orders(5000, 50, Some(death));
            let mut other = other.start(program()).unwrap();
            let mut victim = victim.start(program()).unwrap();
            let status = victim.wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{point:?} of {word}: {status}");
            assert!(other.wait().unwrap().success());
            stage.settles::<Sqlite>().await;
            stage.check(&format!("killed at {point:?} of {word}"));
        }
    }
}

#[tokio::test]
async fn processes_without_a_common_store_are_noticed() {
    let mut stage = Stage::sqlite(true).await;
    let mut children = Vec::new();
    for writes in [2, 10] {
        let mut orders = stage.orders(2000, writes, None);
        orders.store = "memory:?capacity=16MB".to_owned();
        children.push(orders.start(program()).unwrap());
    }
    for mut child in children {
        child.wait().unwrap();
    }
    assert!(stage.history().check().is_err());
}

#[tokio::test]
async fn a_process_whose_commits_mark_nothing_is_noticed() {
    let mut stage = Stage::sqlite(true).await;
    let mut children = vec![stage.orders(2000, 2, None).start(program()).unwrap()];
    let mut orders = stage.orders(2000, 10, None);
    orders.mutant = Some(Mutant::CommitForgets);
    children.push(orders.start(program()).unwrap());
    for mut child in children {
        child.wait().unwrap();
    }
    assert!(stage.history().check().is_err());
}

/// Callers that give up leave statements behind that still run, and marks to be settled.
#[tokio::test]
async fn callers_that_give_up() {
    let mut stage = Stage::sqlite(false).await;
    let mut children = Vec::new();
    for writes in [5, 30, 30] {
        let mut orders = stage.orders(1500, writes, None);
        orders.job.impatience = 30;
        children.push(orders.start(program()).unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    stage.check("in the end");
    assert!(stage.history().writes > 300);
    stage.settles::<Sqlite>().await;
}

/// Readers of one process share flights: those of the pool wait for each other.
#[tokio::test]
async fn threads_that_share_a_store_in_memory() {
    let mut stage = Stage::sqlite(false).await;
    let recorder = Recorder::default();
    let cache = recorder.attach(Cache::builder()).build();
    let mut threads = Vec::new();
    for (writes, on_pool) in [(0, true), (0, true), (10, false), (30, false)] {
        let mut job = stage.job(2000, writes);
        job.transactions = !on_pool;
        let (cache, url, recorder) = (cache.clone(), stage.database.clone(), recorder.clone());
        threads.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let wrapped =
                    Wrapped::<Sqlite>::new(&cache, &url, Locks::Wait, &recorder, on_pool).await;
                mix::run(&wrapped.unwrap(), Dialect::Sqlite, &job).await
            })
        }));
    }
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    stage.check("in the end");
    let history = stage.history();
    assert!(history.checked() > 5000 && history.writes > 300);
    assert!(history.hits * 8 > history.reads);
}
