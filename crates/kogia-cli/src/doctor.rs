//! `kogia doctor`: whether a store is as a cache needs it, and what will go wrong with it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{
    DatabaseId, DatabaseTags, Decision, KeyPrefix, OwnerId, QueryKey, ReadRequest, Statement,
    TableTags, Tag, TagSet, Wide,
};
use kogia::{Backend, Finding, Level, Mark, Store, StoreError, StoreUrl};
use serde::Serialize;

use crate::shown::shown;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The store to examine, as it is given to the application.
    #[arg(long, value_name = "URL", env = "KOGIA_STORE", hide_env_values = true)]
    store: String,

    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  kogia doctor --store file:///var/cache/app
  kogia doctor --store 'file:///var/cache/app?local=64MB' --json

Run it as the user that the application runs as. It writes an entry and a tag of its own, reads them
a thousand times and invalidates them again; what the application keeps stays as it is.

Exits with 1 if the store cannot be used as it is.";

/// All that was found out.
#[derive(Serialize)]
struct Report {
    store: String,
    findings: Vec<Line>,
    /// Half of the reads of a short entry took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    median_read_nanoseconds: Option<u64>,
}

#[derive(Serialize)]
struct Line {
    level: String,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let url: StoreUrl = arguments
        .store
        .parse()
        .map_err(|error| format!("--store: {error}"))?;
    let (findings, median) = examine(&url);
    let is_usable = findings.iter().all(|found| found.level < Level::Error);
    if arguments.json {
        let report = Report {
            store: shown(&arguments.store),
            findings: findings.into_iter().map(Line::from).collect(),
            median_read_nanoseconds: median.map(|time| time.as_nanos() as u64),
        };
        let json = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        anstream::println!("{json}");
    } else {
        anstream::println!("{}", shown(&arguments.store));
        findings.iter().for_each(print);
    }
    Ok(if is_usable {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl From<Finding> for Line {
    fn from(found: Finding) -> Self {
        Line {
            level: found.level.to_string(),
            what: found.what,
            advice: found.advice,
        }
    }
}

/// What the store says about itself, and what a trial says about it.
fn examine(url: &StoreUrl) -> (Vec<Finding>, Option<Duration>) {
    let store = match url.open_existing() {
        Ok(store) => store,
        Err(error) => {
            let advice = "check the URL, and that the user who runs this may open it";
            return (vec![Finding::error(error.to_string(), advice)], None);
        }
    };
    let mut found = store.examine();
    found.extend(other_capacity(url, store.usage().capacity));
    if found.iter().any(|found| found.level == Level::Error) {
        return (found, None);
    }
    let median = match Trial::new(&*store).run(&mut found) {
        Ok(median) => median,
        Err(error) => {
            let advice = "until this is mended, queries go to the database";
            found.push(Finding::error(error.to_string(), advice));
            None
        }
    };
    found.push(Finding::fine(
        "no clocks need to agree: leases and lifetimes are measured by the store alone",
    ));
    (found, median)
}

/// Whether an application that is started with the URL would make a store of another size.
fn other_capacity(url: &StoreUrl, actual: u64) -> Option<Finding> {
    let asked = match url {
        StoreUrl::File { capacity, .. } => *capacity,
        StoreUrl::Tiered { shared, .. } => return other_capacity(shared, actual),
        _ => return None,
    };
    (asked != actual).then(|| {
        Finding::warning(
            format!("its capacity is {actual} bytes, and the URL says {asked}"),
            "give all processes one URL: the first that has the store to itself makes it anew, \
             with its own capacity",
        )
    })
}

/// An entry and a tag of the doctor's own, by which the store is tried.
struct Trial<'a> {
    store: &'a dyn Store,
    request: ReadRequest,
    tags: TagSet,
    owner: OwnerId,
}

/// How often the entry is read, and how long it lives if the doctor is killed.
const READS: usize = 1000;
const LIFETIME: Duration = Duration::from_secs(60);

/// A read that takes longer than this costs as much as many a query does.
const SLOW: Duration = Duration::from_millis(1);

impl<'a> Trial<'a> {
    fn new(store: &'a dyn Store) -> Self {
        let database = DatabaseId::new("kogia doctor");
        let tag: Tag = TableTags::new(&database, "trial").any;
        let statement = Statement {
            digest: rand::random(),
            reads: Vec::new(),
            writes: Vec::new(),
            wide: Wide::Nothing,
            uncacheable: None,
            effects: Vec::new(),
        };
        let key = QueryKey::new(&KeyPrefix::new([]), &statement.digest, b"doctor", &[]);
        let mut request = ReadRequest::new(key, &DatabaseTags::new(&database), &statement, &[]);
        request.add_tag(tag);
        Trial {
            store,
            request,
            tags: [tag].into_iter().collect(),
            owner: OwnerId(rand::random()),
        }
    }

    /// Goes once through the life of an entry, and measures reads of it.
    fn run(&self, found: &mut Vec<Finding>) -> Result<Option<Duration>, StoreError> {
        let marked = self.mark()?;
        self.store.clear(self.owner, &self.tags)?;
        let mut decision = self.decide()?;
        if matches!(decision, Decision::Bypass(_)) {
            // As the engine does that meets a mark: the store may find that nobody relies on it.
            self.store.abandoned(self.request.tags())?;
            decision = self.decide()?;
        }
        let fill = match decision {
            Decision::Miss(fill) | Decision::Stale(fill) => fill,
            Decision::Hit(_) | Decision::Bypass(_) if self.is_marked()? => {
                found.push(Finding::warning(
                    "a tag that nobody holds counts as marked, so nothing is cached",
                    "try again after the quarantine (10 s, unless the URL says otherwise): a server \
                     that may have lost marks begins with one",
                ));
                return Ok(None);
            }
            Decision::Hit(_) | Decision::Bypass(_) => {
                found.push(Finding::error(
                    "it gives generations that cannot be stamped with",
                    "nothing is cached like this; is it out of memory?",
                ));
                return Ok(None);
            }
        };
        self.store
            .fill(&fill, 1, b"trial".as_slice().into(), LIFETIME)?;
        let median = self.measure()?;
        let kept = self.is_hit()?;
        self.store.clear(self.owner, &self.tags)?;
        if !marked || self.is_hit()? {
            let what = "it gives an entry that was invalidated, or takes no mark";
            found.push(Finding::error(
                what,
                "do not use it: answers would be stale",
            ));
        } else if kept {
            found.push(Finding::fine(
                "it keeps what it is given, and forgets what is invalidated",
            ));
        } else {
            found.push(Finding::warning(
                "it does not keep what it is given, so there are no hits",
                "is it full, and set not to evict anything?",
            ));
        }
        found.push(time(median));
        Ok(Some(median))
    }

    /// Whether the tag is seen as marked.
    fn mark(&self) -> Result<bool, StoreError> {
        self.store.mark(&Mark {
            owner: self.owner,
            tags: &self.tags,
            lease: LIFETIME,
            backend: &Backend::Process,
        })?;
        self.is_marked()
    }

    fn is_marked(&self) -> Result<bool, StoreError> {
        let seen = self.store.generations(self.tags.as_slice())?;
        Ok(seen.iter().all(|generation| generation.is_marked()))
    }

    fn decide(&self) -> Result<Decision<Bytes>, StoreError> {
        let response = self.store.read(&self.request)?;
        Ok(self.request.decide(response))
    }

    fn is_hit(&self) -> Result<bool, StoreError> {
        Ok(matches!(self.decide()?, Decision::Hit(_)))
    }

    /// The median time of a read.
    fn measure(&self) -> Result<Duration, StoreError> {
        let mut times = Vec::with_capacity(READS);
        for _ in 0..READS {
            let sent = Instant::now();
            self.store.read(&self.request)?;
            times.push(sent.elapsed());
        }
        times.sort_unstable();
        Ok(times[READS / 2])
    }
}

fn time(median: Duration) -> Finding {
    let what = format!("a read takes {median:.1?} (the median of {READS})");
    if median > SLOW {
        let advice = "many queries are faster: use a store that is nearer, or a local tier";
        return Finding::warning(what, advice);
    }
    Finding::fine(what)
}

fn print(found: &Finding) {
    let color = match found.level {
        Level::Error => anstyle::AnsiColor::Red,
        Level::Warning => anstyle::AnsiColor::Yellow,
        Level::Note => anstyle::AnsiColor::Blue,
        _ => anstyle::AnsiColor::Green,
    };
    let style = anstyle::Style::new().fg_color(Some(color.into()));
    let (on, off) = (style.render(), style.render_reset());
    anstream::println!("  {on}{:8}{off} {}", found.level, found.what);
    if let Some(advice) = &found.advice {
        anstream::println!("           {advice}");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use kogia::core::{Fill, Generation, ReadResponse};
    use kogia::{Abandoned, MemoryStore, Usage};
    use smallvec::SmallVec;

    use super::*;

    /// A store with a fault.
    #[derive(Debug)]
    struct Faulty {
        store: MemoryStore,
        fault: Fault,
    }

    #[derive(Debug, PartialEq)]
    enum Fault {
        KeepsNothing,
        InvalidatesNothing,
        TakesNoMark,
        StaysMarked,
        GivesNoGenerations,
    }

    impl Store for Faulty {
        fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
            let mut response = self.store.read(request)?;
            if self.fault == Fault::GivesNoGenerations {
                response.generations.fill(Generation::MISSING);
            }
            Ok(response)
        }

        fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
            self.store.generations(tags)
        }

        fn fill(
            &self,
            fill: &Fill,
            rows: u64,
            value: Bytes,
            ttl: Duration,
        ) -> Result<(), StoreError> {
            if self.fault == Fault::KeepsNothing {
                return Ok(());
            }
            self.store.fill(fill, rows, value, ttl)
        }

        fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
            if matches!(self.fault, Fault::InvalidatesNothing | Fault::TakesNoMark) {
                return Ok(());
            }
            self.store.mark(mark)
        }

        fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
            if matches!(self.fault, Fault::InvalidatesNothing | Fault::StaysMarked) {
                return Ok(());
            }
            self.store.clear(owner, tags)
        }

        fn extend(&self, _: OwnerId, _: &TagSet, _: Duration) -> Result<(), StoreError> {
            Ok(())
        }

        fn abandoned(&self, _: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
            Ok(Vec::new())
        }

        fn invalidate_everything(&self) -> Result<(), StoreError> {
            Ok(())
        }

        fn usage(&self) -> Usage {
            self.store.usage()
        }
    }

    /// The worst that a trial of a store with the fault finds.
    fn worst(fault: Fault) -> Finding {
        let store = MemoryStore::new(1_000_000);
        let mut found = Vec::new();
        Trial::new(&Faulty { store, fault })
            .run(&mut found)
            .unwrap();
        found.into_iter().max_by_key(|found| found.level).unwrap()
    }

    #[test]
    fn a_trial_finds_what_is_wrong() {
        let found = worst(Fault::KeepsNothing);
        assert_eq!(found.level, Level::Warning);
        assert!(found.what.contains("no hits"), "{found:?}");
        for fault in [Fault::InvalidatesNothing, Fault::TakesNoMark] {
            let found = worst(fault);
            assert_eq!(found.level, Level::Error);
            assert!(found.what.contains("invalidated"), "{found:?}");
        }
        let found = worst(Fault::StaysMarked);
        assert_eq!(found.level, Level::Warning);
        assert!(found.what.contains("counts as marked"), "{found:?}");
        let found = worst(Fault::GivesNoGenerations);
        assert_eq!(found.level, Level::Error);
        assert!(found.what.contains("cannot be stamped"), "{found:?}");
    }

    #[test]
    fn a_slow_store_is_a_warning() {
        assert_eq!(time(Duration::from_micros(900)).level, Level::Fine);
        assert_eq!(time(Duration::from_millis(2)).level, Level::Warning);
    }
}
