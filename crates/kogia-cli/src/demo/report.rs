//! What the processes of the demo saw, and the table that it ends with.

use serde::{Deserialize, Serialize};

use super::Arguments;
use crate::database_url::DatabaseUrl;

/// What one process saw.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WorkerReport {
    pub(super) reads: Vec<ReadReport>,
    pub(super) writes: u64,
    /// Operations that the database refused because it was busy or had found a deadlock.
    pub(super) refused: u64,
    pub(super) write_nanos: Vec<u64>,
}

/// What one process saw of one kind of query.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct ReadReport {
    pub(super) name: String,
    pub(super) hits: u64,
    pub(super) misses: u64,
    /// Entries that were found stale: invalidations that mattered.
    pub(super) invalidated: u64,
    pub(super) bypasses: u64,
    /// Hits that were checked against the database.
    pub(super) checked: u64,
    /// Hits that were not what the database held.
    pub(super) stale_answers: u64,
    pub(super) hit_nanos: Vec<u64>,
    pub(super) bare_nanos: Vec<u64>,
}

impl ReadReport {
    fn add(&mut self, other: ReadReport) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.invalidated += other.invalidated;
        self.bypasses += other.bypasses;
        self.checked += other.checked;
        self.stale_answers += other.stale_answers;
        self.hit_nanos.extend(other.hit_nanos);
        self.bare_nanos.extend(other.bare_nanos);
    }

    fn reads(&self) -> u64 {
        self.hits + self.misses + self.invalidated + self.bypasses
    }
}

/// What all processes saw.
pub(super) struct Report {
    reads: Vec<ReadReport>,
    writes: u64,
    refused: u64,
    write_nanos: Vec<u64>,
}

/// A line of the table, as JSON has it.
#[derive(Serialize)]
struct Line<'a> {
    statement: &'a str,
    reads: u64,
    hits: u64,
    misses: u64,
    invalidated: u64,
    bypasses: u64,
    checked: u64,
    stale_answers: u64,
    hit_median_us: Option<f64>,
    database_median_us: Option<f64>,
}

impl Report {
    pub(super) fn new(workers: Vec<WorkerReport>) -> Self {
        let mut report = Report {
            reads: Vec::new(),
            writes: 0,
            refused: 0,
            write_nanos: Vec::new(),
        };
        for worker in workers {
            report.writes += worker.writes;
            report.refused += worker.refused;
            report.write_nanos.extend(worker.write_nanos);
            for read in worker.reads {
                match report
                    .reads
                    .iter_mut()
                    .find(|known| known.name == read.name)
                {
                    Some(known) => known.add(read),
                    None => report.reads.push(read),
                }
            }
        }
        report.reads.iter_mut().for_each(|read| {
            read.hit_nanos.sort_unstable();
            read.bare_nanos.sort_unstable();
        });
        report.write_nanos.sort_unstable();
        report
    }

    pub(super) fn stale_answers(&self) -> u64 {
        self.reads.iter().map(|read| read.stale_answers).sum()
    }

    pub(super) fn to_json(&self) -> Result<String, String> {
        fn line(read: &ReadReport) -> Line<'_> {
            let ReadReport {
                name,
                hits,
                misses,
                invalidated,
                bypasses,
                ..
            } = read;
            Line {
                statement: name,
                reads: read.reads(),
                hits: *hits,
                misses: *misses,
                invalidated: *invalidated,
                bypasses: *bypasses,
                checked: read.checked,
                stale_answers: read.stale_answers,
                hit_median_us: micros(&read.hit_nanos, 50),
                database_median_us: micros(&read.bare_nanos, 50),
            }
        }
        let statements: Vec<Line<'_>> = self.reads.iter().map(line).collect();
        let json = serde_json::json!({
            "statements": statements,
            "writes": self.writes,
            "refused": self.refused,
            "write_median_us": micros(&self.write_nanos, 50),
            "write_p99_us": micros(&self.write_nanos, 99),
            "stale_answers": self.stale_answers(),
        });
        serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
    }

    pub(super) fn print(&self, arguments: &Arguments, database: &DatabaseUrl, store: &str) {
        let total: u64 = self.reads.iter().map(ReadReport::reads).sum();
        anstream::println!(
            "{} processes, {} s, {database}, store {store}",
            arguments.processes,
            arguments.seconds,
        );
        anstream::println!(
            "{total} reads, {} writes ({} refused by the busy database)\n",
            self.writes,
            self.refused
        );
        anstream::println!(
            "{:26} {:>9} {:>9} {:>8} {:>11} {:>6} {:>10} {:>11} {:>7} {:>8} {:>6}",
            "statement",
            "reads",
            "hits",
            "misses",
            "invalidated",
            "ratio",
            "hit (µs)",
            "database",
            "faster",
            "checked",
            "stale",
        );
        for read in &self.reads {
            let (hit, bare) = (micros(&read.hit_nanos, 50), micros(&read.bare_nanos, 50));
            let show = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
            let faster = hit.zip(bare);
            let faster = faster.map_or("-".into(), |(hit, bare)| format!("{:.1}x", bare / hit));
            anstream::println!(
                "{:26} {:>9} {:>9} {:>8} {:>11} {:>5}% {:>10} {:>11} {:>7} {:>8} {:>6}",
                read.name,
                read.reads(),
                read.hits,
                read.misses + read.bypasses,
                read.invalidated,
                read.hits * 100 / read.reads().max(1),
                show(hit),
                show(bare),
                faster,
                read.checked,
                read.stale_answers,
            );
        }
        if let (Some(median), Some(slow)) =
            (micros(&self.write_nanos, 50), micros(&self.write_nanos, 99))
        {
            anstream::println!("\nwrites: {median:.0} µs in the median, {slow:.0} µs at p99");
        }
        let checked: u64 = self.reads.iter().map(|read| read.checked).sum();
        let stale = self.stale_answers();
        let style = if stale == 0 { GOOD } else { BAD };
        anstream::println!(
            "{}{stale} stale answers{} in {checked} hits that were checked against the database",
            style.render(),
            style.render_reset(),
        );
    }
}

/// A percentile of sorted nanoseconds, in microseconds.
fn micros(sorted: &[u64], percent: usize) -> Option<f64> {
    let index = (sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?);
    sorted.get(index).map(|nanos| *nanos as f64 / 1000.0)
}

const fn bold(color: anstyle::AnsiColor) -> anstyle::Style {
    anstyle::Style::new()
        .bold()
        .fg_color(Some(anstyle::Color::Ansi(color)))
}

const GOOD: anstyle::Style = bold(anstyle::AnsiColor::Green);
const BAD: anstyle::Style = bold(anstyle::AnsiColor::Red);
