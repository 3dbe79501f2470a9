//! The differential test: random cases, with a cache and without, on all processors.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use kogia::{CacheBuilder, ReadOutcome};

use crate::case::Case;
use crate::front::outcome_kind;
use crate::generate::{Recipe, generate};
use crate::run::{Difference, Outcomes};
use crate::shrink::shrink;
use crate::sqlite::{Lab, Through};
use crate::step::Expect;

/// A search for a wrong answer.
pub struct Search<'a> {
    /// The seeds of the cases.
    pub seeds: Range<u64>,
    /// Makes the cache of each thread.
    pub cache: &'a (dyn Fn() -> CacheBuilder + Sync),
    /// What the cases go through; a mutant ought to be found.
    pub through: Through,
    /// Whether a case that fails is made small.
    pub shrinks: bool,
}

/// A wrong answer.
pub struct Found {
    /// The seed of the case.
    pub seed: u64,
    /// The case, made small if that was wanted.
    pub case: Case,
    /// What is wrong.
    pub difference: Difference,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a wrong answer, with seed {}:\n", self.seed)?;
        writeln!(f, "{}", self.case)?;
        match self.case.steps.get(self.difference.step) {
            Some(step) => writeln!(f, "the last step that ran was\n  {step}")?,
            None => writeln!(f, "no step ran")?,
        }
        write!(f, "{}", self.difference)
    }
}

impl Search<'_> {
    /// Runs the cases until one fails. Gives the failure with the smallest seed of those that
    /// were under way, or the statistics of all.
    pub fn run(&self) -> Result<Statistics, Box<Found>> {
        let next = AtomicU64::new(self.seeds.start);
        let found: Mutex<Option<Box<Found>>> = Mutex::new(None);
        let statistics = Mutex::new(Statistics::default());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&next, &found, &statistics));
            }
        });
        let found = found
            .into_inner()
            .unwrap_or_else(|error| error.into_inner());
        match found {
            Some(found) => Err(found),
            None => Ok(statistics
                .into_inner()
                .unwrap_or_else(|error| error.into_inner())),
        }
    }

    #[allow(
        clippy::expect_used,
        reason = "a test cannot go on without its folders and locks"
    )]
    fn work(
        &self,
        next: &AtomicU64,
        found: &Mutex<Option<Box<Found>>>,
        statistics: &Mutex<Statistics>,
    ) {
        let lab = Lab::new((self.cache)(), self.through).expect("a temporary folder can be made");
        let recipe = match self.through {
            Through::Engine(focus) => Recipe {
                focus,
                ..Recipe::default()
            },
            Through::Connections => Recipe::default(),
            Through::Pool => Recipe {
                first_is_pool: true,
                ..Recipe::default()
            },
        };
        let mut own = Statistics::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !self.seeds.contains(&seed) || found.lock().expect("no thread panicked").is_some() {
                break;
            }
            let case = generate(seed, &recipe);
            match lab.run(&case, false) {
                Ok(outcomes) => own.count(&case, &outcomes),
                Err(difference) => {
                    let failure = self.small(&lab, seed, case, difference);
                    let mut found = found.lock().expect("no thread panicked");
                    if found.as_ref().is_none_or(|found| failure.seed < found.seed) {
                        *found = Some(Box::new(failure));
                    }
                    break;
                }
            }
        }
        statistics.lock().expect("no thread panicked").add(&own);
    }

    fn small(&self, lab: &Lab, seed: u64, case: Case, difference: Difference) -> Found {
        let case = if self.shrinks {
            shrink(&case, |case| lab.run(case, false).is_err())
        } else {
            case
        };
        let difference = lab.run(&case, false).err().unwrap_or(difference);
        Found {
            seed,
            case,
            difference,
        }
    }
}

/// How the reads of many cases went.
#[derive(Debug, Default, Clone)]
pub struct Statistics {
    /// How many cases ran.
    pub cases: u64,
    /// By kind of statement.
    pub kinds: BTreeMap<&'static str, Counts>,
    /// Why reads bypassed.
    pub bypasses: BTreeMap<String, u64>,
}

/// How the reads of one kind went.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// All of them.
    pub reads: u64,
    /// Those that came again at once.
    pub again: Share,
    /// Those that came again after something else.
    pub later: Share,
}

/// How many of some reads were hits.
#[derive(Debug, Default, Clone, Copy)]
pub struct Share {
    /// The reads.
    pub reads: u64,
    /// The hits among them.
    pub hits: u64,
}

impl Share {
    /// From 0 to 1.
    pub fn ratio(self) -> f64 {
        self.hits as f64 / self.reads.max(1) as f64
    }

    fn count(&mut self, hit: bool) {
        self.reads += 1;
        self.hits += u64::from(hit);
    }

    fn add(&mut self, other: Share) {
        self.reads += other.reads;
        self.hits += other.hits;
    }
}

impl Statistics {
    fn count(&mut self, case: &Case, outcomes: &Outcomes) {
        self.cases += 1;
        let mut seen = HashSet::new();
        for (step, outcome) in case.steps.iter().zip(outcomes) {
            let Some(outcome) = outcome else { continue };
            let counts = self.kinds.entry(step.statement.kind).or_default();
            counts.reads += 1;
            if let ReadOutcome::Bypass(reason) = outcome {
                let reason: String = reason.to_string().chars().take(90).collect();
                *self.bypasses.entry(reason).or_default() += 1;
            }
            let hit = outcome_kind(outcome) == Expect::Hit;
            if step.again {
                counts.again.count(hit);
            } else if !seen.insert(step.statement.to_string()) {
                counts.later.count(hit);
            }
        }
    }

    fn add(&mut self, other: &Statistics) {
        self.cases += other.cases;
        for (kind, counts) in &other.kinds {
            let mine = self.kinds.entry(kind).or_default();
            mine.reads += counts.reads;
            mine.again.add(counts.again);
            mine.later.add(counts.later);
        }
        for (reason, count) in &other.bypasses {
            *self.bypasses.entry(reason.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases", self.cases)?;
        for (kind, counts) in &self.kinds {
            writeln!(
                f,
                "{kind}: {} reads, of {} that came again at once {:.0} % were hits, of {} later ones {:.0} %",
                counts.reads,
                counts.again.reads,
                counts.again.ratio() * 100.0,
                counts.later.reads,
                counts.later.ratio() * 100.0,
            )?;
        }
        let mut reasons: Vec<_> = self.bypasses.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in reasons.iter().take(20) {
            writeln!(f, "{count} bypasses: {reason}")?;
        }
        Ok(())
    }
}
