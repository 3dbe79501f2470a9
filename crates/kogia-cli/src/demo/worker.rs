//! One process of the demo: it serves customers and checks what the cache told it.

use std::time::{Duration, Instant};

use kogia::core::Dialect;
use kogia::{Cache, Stats};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Zipf};

use super::Arguments;
use super::counter::{MySqlCounter, PostgresCounter, SalesCounter, SqliteCounter};
use super::report::{ReadReport, WorkerReport};
use super::shop::Size;
use super::statements::{GENRES, READS, ReadKind, Subject};
use crate::database_url::DatabaseUrl;

/// How a process is told which database it serves.
pub(super) const DATABASE_URL: &str = "KOGIA_DEMO_DATABASE_URL";

/// One in so many hits is checked against the database.
const CHECK: u64 = 20;

/// One in so many reads also runs without the cache, for comparison.
const COMPARE: u64 = 25;

/// Samples of a latency that are kept.
const SAMPLES: usize = 20_000;

/// A value for the one parameter of a query.
#[derive(Clone, Copy)]
pub(super) enum Bind {
    Number(i64),
    Text(&'static str),
    Nothing,
}

pub(super) fn run(arguments: &Arguments, number: u64) -> Result<(), String> {
    let url = std::env::var(DATABASE_URL)
        .map_err(|_| "--worker is for the demo itself, run `kogia demo` without it".to_owned())?;
    let database: DatabaseUrl = url.parse()?;
    let store = arguments.store.as_deref().unwrap_or("memory:");
    let cache = Cache::builder()
        .url(store)
        .map_err(|error| format!("--store: {error}"))?
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let report = runtime.block_on(async {
        match database.dialect {
            Dialect::Sqlite => {
                Worker::new(
                    SqliteCounter::open(&database.url, &cache).await?,
                    arguments,
                    number,
                )
                .serve(&cache)
                .await
            }
            Dialect::Postgres => {
                Worker::new(
                    PostgresCounter::open(&database.url, &cache).await?,
                    arguments,
                    number,
                )
                .serve(&cache)
                .await
            }
            Dialect::MySql => {
                Worker::new(
                    MySqlCounter::open(&database.url, &cache).await?,
                    arguments,
                    number,
                )
                .serve(&cache)
                .await
            }
        }
    });
    let report = report
        .map_err(|error: sqlx::Error| format!("process {number} failed on {database}: {error}"))?;
    println!(
        "{}",
        serde_json::to_string(&report).map_err(|error| error.to_string())?
    );
    Ok(())
}

/// Serves customers one after the other.
struct Worker<C> {
    counter: C,
    random: SmallRng,
    popularity: Zipf<f64>,
    size: Size,
    writes: u64,
    until: Instant,
    /// Makes every text that is written different from every other: two states of a row never
    /// look alike, so a check cannot mistake one for the other.
    serial: i64,
    report: WorkerReport,
}

impl<C: SalesCounter> Worker<C> {
    fn new(counter: C, arguments: &Arguments, number: u64) -> Self {
        let size = Size::default();
        let named = |kind: &ReadKind| ReadReport {
            name: kind.name.into(),
            ..Default::default()
        };
        Worker {
            counter,
            random: SmallRng::seed_from_u64(number),
            // Half of the customers come for a hundredth of the books.
            popularity: Zipf::new(size.books as f64, 1.05).unwrap_or_else(|_| unreachable!()),
            size,
            writes: arguments.writes,
            until: Instant::now() + arguments.open_for(),
            serial: number as i64 * 1_000_000_000,
            report: WorkerReport {
                reads: READS.iter().map(named).collect(),
                ..Default::default()
            },
        }
    }

    async fn serve(mut self, cache: &Cache) -> Result<WorkerReport, sqlx::Error> {
        let mut told = Instant::now();
        while Instant::now() < self.until {
            let result = if self.random.random_range(0..100) < self.writes {
                self.write().await
            } else {
                self.read(cache).await
            };
            match result {
                Ok(()) => {}
                // A customer whose database is busy, or whose transaction lost a deadlock, comes
                // again.
                Err(error) if is_refusal(&error) => self.report.refused += 1,
                Err(error) => return Err(error),
            }
            if told.elapsed() >= Duration::from_millis(200) {
                told = Instant::now();
                println!();
            }
        }
        Ok(self.report)
    }

    async fn read(&mut self, cache: &Cache) -> Result<(), sqlx::Error> {
        let index = self.choose();
        let bind = match READS[index].parameter {
            Subject::Book => Bind::Number(self.book()),
            Subject::Author => Bind::Number(self.author()),
            Subject::Genre => Bind::Text(GENRES[self.random.random_range(0..GENRES.len())]),
            Subject::Nothing => Bind::Nothing,
        };
        let check = self.random.random_range(0..CHECK) == 0;
        let before = match check {
            true => Some(self.counter.bare(index, bind).await?),
            false => None,
        };
        let stats = cache.stats();
        let start = Instant::now();
        let answer = self.counter.cached(index, bind).await?;
        let nanos = start.elapsed().as_nanos() as u64;
        let now = cache.stats();
        let hit = self.count(index, &stats, &now, nanos);
        if let (Some(before), true) = (before, hit) {
            // The same before and after: this is what the database held at the instant of the
            // hit. Otherwise somebody wrote meanwhile, and nothing can be said.
            if before == self.counter.bare(index, bind).await? {
                let report = &mut self.report.reads[index];
                report.checked += 1;
                if answer != before {
                    report.stale_answers += 1;
                    eprintln!("stale: {}: {answer} instead of {before}", READS[index].sql);
                }
            }
        }
        if self.random.random_range(0..COMPARE) == 0 {
            let start = Instant::now();
            self.counter.bare(index, bind).await?;
            sample(
                &mut self.report.reads[index].bare_nanos,
                start.elapsed().as_nanos() as u64,
            );
        }
        Ok(())
    }

    /// Counts what the cache says of the read that just ran; this process runs one at a time.
    fn count(&mut self, index: usize, before: &Stats, now: &Stats, nanos: u64) -> bool {
        let report = &mut self.report.reads[index];
        let hit = now.hits > before.hits;
        report.hits += u64::from(hit);
        report.misses += now.misses - before.misses;
        report.invalidated += now.stale - before.stale;
        report.bypasses += now.bypasses - before.bypasses;
        if hit {
            sample(&mut report.hit_nanos, nanos);
        }
        hit
    }

    async fn write(&mut self) -> Result<(), sqlx::Error> {
        self.serial += 1;
        let (serial, book) = (self.serial, self.book());
        let author = self.author();
        let start = Instant::now();
        match self.random.random_range(0..100) {
            0..50 => self.counter.sell(book, serial).await?,
            50..83 => self.counter.review(book, serial).await?,
            83..93 => self.counter.order(book, serial).await?,
            93..97 => self.counter.biography(author, serial).await?,
            _ => self.counter.reprint(book, author, serial).await?,
        }
        self.report.writes += 1;
        sample(
            &mut self.report.write_nanos,
            start.elapsed().as_nanos() as u64,
        );
        Ok(())
    }

    fn choose(&mut self) -> usize {
        let total: u32 = READS.iter().map(|kind| kind.weight).sum();
        let mut ticket = self.random.random_range(0..total);
        let position = READS
            .iter()
            .position(|kind| match ticket.checked_sub(kind.weight) {
                Some(rest) => {
                    ticket = rest;
                    false
                }
                None => true,
            });
        position.unwrap_or_default()
    }

    fn book(&mut self) -> i64 {
        self.popularity.sample(&mut self.random) as i64
    }

    fn author(&mut self) -> i64 {
        self.book() % self.size.authors + 1
    }
}

fn sample(samples: &mut Vec<u64>, nanos: u64) {
    if samples.len() < SAMPLES {
        samples.push(nanos);
    }
}

/// Whether the database refused for the moment: busy, or a deadlock.
fn is_refusal(error: &sqlx::Error) -> bool {
    let text = error.to_string().to_lowercase();
    [
        "locked",
        "busy",
        "deadlock",
        "could not serialize",
        "foreign key",
        "lock wait timeout",
    ]
    .iter()
    .any(|reason| text.contains(reason))
}
