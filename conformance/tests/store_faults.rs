//! A network between an application and its store that is cut and slow, while the application reads
//! and writes through every database: nothing is stale, the application meets no error, and nothing
//! that was acknowledged is lost.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

#[path = "../../crates/kogia/tests/store_support/proxy.rs"]
#[allow(dead_code)] // other tests use the rest of it
mod proxy;
mod stage;

use std::thread;
use std::time::Duration;

use kogia::core::Dialect;
use kogia::{Cache, Stats};
use kogia_conformance::connection::{Locks, Server};
use kogia_conformance::mix;
use kogia_conformance::stores::Kind;
use kogia_conformance::value::Row;
use kogia_conformance::wrapped::Wrapped;
use kogia_sqlx::Driver;
use sqlx::{FromRow, IntoArguments, MySql, Postgres, Sqlite};

use proxy::Proxy;
use stage::Stage;

const TIMEOUT: Duration = Duration::from_millis(50);

/// Sessions of one process: who cannot reach the store must not be stale himself, and tells others as
/// soon as it is there again.
async fn fails<S>(stage: Stage, kind: Kind, has_tier: bool)
where
    S: Server + Driver,
    S::Arguments: IntoArguments<S>,
    Row: for<'r> FromRow<'r, S::Row>,
{
    let mut stage = stage.behind(kind, has_tier, Duration::from_secs(5));
    let proxy = Proxy::to(stage.port_of_store());
    let direct = stage.through(proxy.port(), TIMEOUT);
    let (cache, recorder) = stage.cache();
    let (url, dialect) = (stage.database.clone(), stage.dialect);
    let player = &|job: &mix::Job| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let wrapped = Wrapped::<S>::new(&cache, &url, Locks::Wait, &recorder, false).await;
            mix::run(&wrapped.unwrap(), dialect, job).await
        })
    };
    let mut faults = 0;
    // How much is answered between two faults is up to the breaker, so it goes on until that is enough.
    for _ in 0..30 {
        let jobs = [0, 10, 20, 30].map(|writes| stage.job(400, writes));
        thread::scope(|scope| {
            let play = |job| scope.spawn(move || player(job));
            let players: Vec<_> = jobs.iter().map(play).collect();
            faults += disturb(&proxy, &cache, || {
                players.iter().all(thread::ScopedJoinHandle::is_finished)
            });
            for player in players {
                player.join().unwrap().unwrap();
            }
        });
        if faults > 9 && stage.history().hits > 200 {
            break;
        }
    }
    stage.settles::<S>().await;
    // And others find nothing stale behind it.
    stage.store = direct;
    stage.settles::<S>().await;
    stage.check("after all faults");
    let history = stage.history();
    let (hits, writes) = (history.hits, history.writes);
    assert!(
        hits > 200 && writes > 50 && faults > 9,
        "{hits} hits, {writes} writes and {faults} faults show little"
    );
}

/// Lets the network fail until the work is over; how often.
fn disturb(proxy: &Proxy, cache: &Cache, is_over: impl Fn() -> bool) -> u32 {
    let wait = |count: fn(&Stats) -> u64, more| {
        let until = count(&cache.stats()) + more;
        while !is_over() && count(&cache.stats()) < until {
            thread::sleep(Duration::from_millis(1));
        }
    };
    let mut faults = 0;
    while !is_over() {
        wait(|stats| stats.hits, 30);
        match faults % 3 {
            // Some calls are over in time, and some are given up though the server has heard them.
            0 => {
                proxy.delay(TIMEOUT * 2);
                wait(|stats| stats.store_errors, 3);
                proxy.delay(Duration::ZERO);
            }
            1 => {
                proxy.delay(TIMEOUT / 10);
                wait(|stats| stats.hits, 10);
                proxy.delay(Duration::ZERO);
            }
            _ => proxy.cut(),
        }
        faults += 1;
    }
    faults
}

#[tokio::test]
async fn fails_on_sqlite_before_redis() {
    fails::<Sqlite>(Stage::sqlite(false).await, Kind::Redis, true).await;
}

#[tokio::test]
async fn fails_on_postgres_before_memcached() {
    let stage = Stage::server::<Postgres>(Dialect::Postgres, "kogia_network").await;
    fails::<Postgres>(stage, Kind::Memcached, false).await;
}

#[tokio::test]
async fn fails_on_mysql_before_redis() {
    let stage = Stage::server::<MySql>(Dialect::MySql, "kogia_network").await;
    fails::<MySql>(stage, Kind::Redis, false).await;
}
