//! Histories: what many sessions saw and wrote at which time, and whether that can be.
//!
//! Every row has a version that only grows. All processes of a machine share one monotonic clock,
//! so that of a write and a read it is known which ended before the other began.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A time on the clock that all processes share, in nanoseconds.
pub type Nanos = u64;

/// The time now.
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// Some rows are about to get a version.
    Writes {
        /// When the statement that commits them was sent.
        start: Nanos,
        /// The rows, all to have the same version.
        rows: Vec<u64>,
        /// The version.
        version: u64,
    },
    /// The last write was committed.
    Wrote {
        /// When that was known.
        end: Nanos,
    },
    /// The last write has failed for certain.
    Failed,
    /// A transaction or a query saw rows at one instant.
    Saw {
        /// The text of the query.
        query: String,
        /// When it began.
        start: Nanos,
        /// When it ended.
        end: Nanos,
        /// Row and version.
        rows: Vec<(u64, u64)>,
        /// Whether it may have seen what was not committed.
        is_dirty: bool,
    },
    /// A query saw the sum of all versions.
    SawSum {
        /// When it began.
        start: Nanos,
        /// When it ended.
        end: Nanos,
        /// The sum.
        sum: u64,
    },
    /// A statement was refused.
    Refused {
        /// The statement.
        statement: String,
        /// What the error says.
        error: String,
    },
    /// How many of the session's reads were hits.
    Hits {
        /// The hits.
        hits: u64,
        /// All reads.
        reads: u64,
    },
}

/// A log that loses nothing when its process is killed.
pub struct Log(File);

impl Log {
    /// Goes on with a log, or begins one.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Log(file))
    }

    /// Adds a line, in one system call.
    pub fn add(&mut self, record: &Record) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(record).map_err(std::io::Error::other)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }

    /// The lines of a log. A last one that was cut off is left out.
    pub fn read(path: &Path) -> std::io::Result<Vec<Record>> {
        let lines = BufReader::new(File::open(path)?).lines();
        let records = lines.map(|line| Ok(serde_json::from_str(&line?).ok()));
        Ok(records
            .collect::<std::io::Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

#[derive(Debug, Clone, Copy)]
struct Version {
    start: Nanos,
    /// `None` if nobody knows whether it was ever committed.
    end: Option<Nanos>,
}

/// What a query saw at one instant.
#[derive(Debug)]
struct Seen {
    session: String,
    query: String,
    start: Nanos,
    end: Nanos,
    rows: Vec<(u64, u64)>,
    is_dirty: bool,
}

/// All that some sessions wrote and saw.
#[derive(Debug, Default)]
pub struct History {
    versions: BTreeMap<u64, BTreeMap<u64, Version>>,
    seen: Vec<Seen>,
    sums: Vec<(String, Nanos, Nanos, u64)>,
    /// The errors that sessions met, with their statements.
    pub refusals: Vec<String>,
    /// Hits among the reads.
    pub hits: u64,
    /// All reads.
    pub reads: u64,
    /// Writes that are known to be committed.
    pub writes: u64,
}

/// A read that saw what it cannot have seen.
#[derive(Debug, PartialEq, Eq)]
pub struct Impossible(String);

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl History {
    /// Adds the log of a session, which has a name.
    pub fn add(&mut self, session: &str, records: Vec<Record>) {
        let mut last: Option<(Nanos, Vec<u64>, u64)> = None;
        for record in records {
            match record {
                Record::Writes {
                    start,
                    rows,
                    version,
                } => {
                    // Nobody knows what became of the one before.
                    self.write(last.take(), None);
                    last = Some((start, rows, version));
                }
                Record::Wrote { end } => {
                    self.writes += 1;
                    self.write(last.take(), Some(end));
                }
                Record::Failed => last = None,
                Record::Saw {
                    query,
                    start,
                    end,
                    rows,
                    is_dirty,
                } => self.seen.push(Seen {
                    session: session.to_owned(),
                    query,
                    start,
                    end,
                    rows,
                    is_dirty,
                }),
                Record::SawSum { start, end, sum } => {
                    self.sums.push((session.to_owned(), start, end, sum));
                }
                Record::Refused { statement, error } => {
                    self.refusals
                        .push(format!("{session}: {statement}: {error}"));
                }
                Record::Hits { hits, reads } => {
                    self.hits += hits;
                    self.reads += reads;
                }
            }
        }
        self.write(last, None);
    }

    fn write(&mut self, write: Option<(Nanos, Vec<u64>, u64)>, end: Option<Nanos>) {
        let Some((start, rows, number)) = write else {
            return;
        };
        for row in rows {
            let versions = self.versions.entry(row).or_default();
            // A version that somebody else certainly wrote was not written by who was killed.
            if end.is_some() || !versions.contains_key(&number) {
                versions.insert(number, Version { start, end });
            }
        }
    }

    /// How many reads there are to check.
    pub fn checked(&self) -> usize {
        self.seen.len() + self.sums.len()
    }

    /// Whether every read saw, of each row, a version that was current at some instant between
    /// its start and its end. Rows of a pair (0 and 1, 2 and 3…) are only written together.
    ///
    /// A read that may see what is not committed must still see what is.
    pub fn check(&self) -> Result<(), Impossible> {
        for seen in &self.seen {
            self.check_seen(seen)?;
        }
        for (session, start, end, sum) in &self.sums {
            let bounds = self
                .versions
                .keys()
                .map(|row| self.possible(*row, *start, *end));
            let (least, most) = bounds.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
            if *sum < least || *sum > most {
                return Err(Impossible(format!(
                    "{session}: a read between {start} and {end} saw the sum {sum}, which was \
                     between {least} and {most}"
                )));
            }
        }
        Ok(())
    }

    fn check_seen(&self, seen: &Seen) -> Result<(), Impossible> {
        let (start, end) = (seen.start, seen.end);
        let read = format!(
            "{}: {:?}, a read between {start} and {end},",
            seen.session, seen.query
        );
        for (row, version) in &seen.rows {
            let (oldest, newest) = self.possible(*row, start, end);
            let is_future = *version > newest || !self.existed(*row, *version, end);
            if *version < oldest || is_future && !seen.is_dirty {
                return Err(Impossible(format!(
                    "{read} saw version {version} of row {row}, but {oldest} was committed before \
                     it began and {newest} is the newest that can have been by its end; {version} {}",
                    self.story(*row, *version)
                )));
            }
        }
        for (row, version) in &seen.rows {
            let twin = seen.rows.iter().find(|(other, _)| *other == row ^ 1);
            if let Some((other, twin)) = twin
                && version != twin
                && !seen.is_dirty
            {
                return Err(Impossible(format!(
                    "{read} saw version {version} of row {row} and {twin} of row {other}, which are \
                     only written together"
                )));
            }
        }
        Ok(())
    }

    /// What is known of a version.
    fn story(&self, row: u64, version: u64) -> String {
        match self.versions.get(&row).and_then(|of| of.get(&version)) {
            None => "was never committed".to_owned(),
            Some(Version { start, end: None }) => {
                format!("was perhaps committed, after {start}")
            }
            Some(Version {
                start,
                end: Some(end),
            }) => format!("was committed between {start} and {end}"),
        }
    }

    /// The newest version that was committed before `start`, and the newest that can have been
    /// by `end`.
    fn possible(&self, row: u64, start: Nanos, end: Nanos) -> (u64, u64) {
        let Some(versions) = self.versions.get(&row) else {
            return (0, 0);
        };
        let before = |version: &Version| version.end.is_some_and(|end| end < start);
        let oldest = versions.iter().rev().find(|(_, version)| before(version));
        let newest = versions
            .iter()
            .rev()
            .find(|(_, version)| version.start < end);
        (
            oldest.map_or(0, |(version, _)| *version),
            newest.map_or(0, |(version, _)| *version),
        )
    }

    fn existed(&self, row: u64, version: u64, end: Nanos) -> bool {
        let versions = self.versions.get(&row);
        let found = versions.and_then(|versions| versions.get(&version));
        version == 0 || found.is_some_and(|version| version.start < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(reads: &[Record]) -> History {
        let mut history = History::default();
        let write = |start, version| Record::Writes {
            start,
            rows: vec![0, 1],
            version,
        };
        history.add(
            "a writer",
            vec![
                write(10, 1),
                Record::Wrote { end: 20 },
                write(30, 2),
                Record::Wrote { end: 40 },
                write(50, 3),
                Record::Failed,
                write(60, 3),
            ],
        );
        history.add("a reader", reads.to_vec());
        history
    }

    fn saw(start: Nanos, end: Nanos, versions: &[u64]) -> Record {
        let rows = (0..).zip(versions.iter().copied()).collect();
        Record::Saw {
            query: "SELECT".to_owned(),
            start,
            end,
            rows,
            is_dirty: false,
        }
    }

    #[test]
    fn who_may_see_what_is_not_committed_still_sees_what_is() {
        let dirty = |version| {
            let mut saw = saw(41, 45, &[version]);
            if let Record::Saw { is_dirty, .. } = &mut saw {
                *is_dirty = true;
            }
            history(&[saw]).check()
        };
        assert_eq!(dirty(99), Ok(()));
        assert!(dirty(1).is_err());
    }

    #[test]
    fn what_can_have_been_seen_is_accepted() {
        for (start, end, version) in [
            (0, 5, 0),
            (0, 15, 0),
            (0, 15, 1),
            (21, 25, 1),
            (21, 35, 2),
            (35, 38, 1),
            (41, 45, 2),
            (61, 70, 2),
            (61, 70, 3),
        ] {
            let history = history(&[saw(start, end, &[version, version])]);
            assert_eq!(
                history.check(),
                Ok(()),
                "{version} between {start} and {end}"
            );
        }
    }

    #[test]
    fn what_cannot_have_been_seen_is_found() {
        for (start, end, version) in [(21, 25, 0), (0, 9, 1), (41, 45, 1), (41, 55, 3), (0, 99, 9)]
        {
            let history = history(&[saw(start, end, &[version])]);
            assert!(
                history.check().is_err(),
                "{version} between {start} and {end}"
            );
        }
        assert!(history(&[saw(35, 38, &[1, 2])]).check().is_err());
        let sum = |sum| Record::SawSum {
            start: 41,
            end: 45,
            sum,
        };
        assert_eq!(history(&[sum(4)]).check(), Ok(()));
        assert!(history(&[sum(3)]).check().is_err());
        assert!(history(&[sum(5)]).check().is_err());
    }
}
