//! The numbers at one moment, and how they change.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What processes have counted, and what a store holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Numbers {
    /// By [`Count`].
    pub(super) counts: [u64; COUNTS],
    pub(super) entries: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) capacity: Option<u64>,
    /// Which sources did not answer, and why.
    pub(super) failures: Vec<String>,
}

/// What processes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Hits,
    Misses,
    Stale,
    Bypasses,
    Fills,
    Invalidations,
    StoreErrors,
}

const COUNTS: usize = 7;

impl Count {
    pub(super) const ALL: [Count; COUNTS] = [
        Count::Hits,
        Count::Misses,
        Count::Stale,
        Count::Bypasses,
        Count::Fills,
        Count::Invalidations,
        Count::StoreErrors,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Count::Hits => "hits",
            Count::Misses => "misses",
            Count::Stale => "stale",
            Count::Bypasses => "bypasses",
            Count::Fills => "fills",
            Count::Invalidations => "invalidations",
            Count::StoreErrors => "store errors",
        }
    }
}

impl Numbers {
    pub(super) fn of(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// Adds what a process exports in the text format of Prometheus.
    pub(super) fn add_metrics(&mut self, text: &str) {
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            // Counters beyond what a float counts exactly are wrong by less than one in a million.
            let value = value as u64;
            if let Some(count) = counted(name) {
                self.counts[count as usize] += value;
            }
            // All processes see the same store.
            let most = |seen: Option<u64>| Some(seen.unwrap_or(0).max(value));
            match name {
                "kogia_entries" => self.entries = most(self.entries),
                "kogia_bytes" => self.bytes = most(self.bytes),
                _ => {}
            }
        }
    }
}

/// What a metric counts. The engine's exporter and that of Django name outcomes in their own way.
fn counted(name: &str) -> Option<Count> {
    let (name, labels) = name.split_once('{').unwrap_or((name, ""));
    match name {
        "kogia_reads_total" => {
            let outcome = labels.split_once("outcome=\"")?.1.split_once('"')?.0;
            match outcome {
                "hit" | "hits" | "shared" => Some(Count::Hits),
                "miss" | "misses" => Some(Count::Misses),
                "stale" => Some(Count::Stale),
                "bypass" | "bypasses" => Some(Count::Bypasses),
                _ => None,
            }
        }
        "kogia_fills_total" => Some(Count::Fills),
        "kogia_invalidations_total" => Some(Count::Invalidations),
        "kogia_store_errors_total" => Some(Count::StoreErrors),
        _ => None,
    }
}

/// The last looks, the newest at the end.
#[derive(Debug, Default)]
pub(super) struct History {
    looks: VecDeque<(Instant, Numbers)>,
}

/// As many as fit on a wide terminal.
const LOOKS: usize = 300;

impl History {
    pub(super) fn add(&mut self, at: Instant, numbers: Numbers) {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back((at, numbers));
    }

    pub(super) fn now(&self) -> Option<&Numbers> {
        self.looks.back().map(|(_, numbers)| numbers)
    }

    /// How many a second there were between the last two looks.
    pub(super) fn rate(&self, count: Count) -> f64 {
        let mut newest = self.looks.iter().rev();
        match (newest.next(), newest.next()) {
            (Some(last), Some(before)) => rate(before, last, &[count]),
            _ => 0.0,
        }
    }

    /// Reads a second, look by look.
    pub(super) fn reads(&self) -> Vec<u64> {
        let rates = self.looks.iter().zip(self.looks.iter().skip(1));
        rates
            .map(|(before, last)| rate(before, last, &READS).round() as u64)
            .collect()
    }

    /// The share of hits among the reads since the look before the last, or since ever if nothing
    /// was read meanwhile; `None` without any read.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let rates = READS.map(|count| self.rate(count));
        let now = self.now()?;
        let counts = READS.map(|count| now.of(count) as f64);
        let share = |reads: [f64; 4]| {
            let all: f64 = reads.iter().sum();
            (all > 0.0).then(|| reads[0] / all)
        };
        share(rates).or_else(|| share(counts))
    }
}

/// The hits come first.
const READS: [Count; 4] = [Count::Hits, Count::Misses, Count::Stale, Count::Bypasses];

fn rate(before: &(Instant, Numbers), last: &(Instant, Numbers), counts: &[Count]) -> f64 {
    let seconds = last.0.saturating_duration_since(before.0);
    let seconds = seconds.max(Duration::from_millis(1)).as_secs_f64();
    // A process that was started again counts from 0: what it had counted is not taken off.
    let more = |count: &Count| last.1.of(*count).saturating_sub(before.1.of(*count));
    counts.iter().map(more).sum::<u64>() as f64 / seconds
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;

    const ENGINE: &str = "\
# TYPE kogia_reads_total counter
kogia_reads_total{outcome=\"hit\"} 90
kogia_reads_total{outcome=\"shared\"} 5
kogia_reads_total{outcome=\"bypass\"} 3
kogia_fills_total 2
other_total 1000
kogia_store_errors_total nonsense
";
    const DJANGO: &str = "\
kogia_reads_total{outcome=\"hits\"} 5.0
kogia_reads_total{outcome=\"misses\",app=\"a b\"} 1.0
kogia_reads_total{outcome=\"stale\"} 1e1
kogia_invalidations_total 7.0
kogia_entries 12.0
kogia_bytes 3400.0
";

    #[test]
    fn processes_of_both_kinds_are_added_up() {
        let mut numbers = Numbers::default();
        for text in [ENGINE, DJANGO, "kogia_entries 11.0"] {
            numbers.add_metrics(text);
        }
        assert_eq!(numbers.counts, [100, 1, 10, 3, 2, 7, 0]);
        assert_eq!((numbers.entries, numbers.bytes), (Some(12), Some(3400)));
    }

    fn reads(hits: u64, misses: u64) -> Numbers {
        let mut numbers = Numbers::default();
        numbers.counts[Count::Hits as usize] = hits;
        numbers.counts[Count::Misses as usize] = misses;
        numbers
    }

    #[test]
    fn rates_are_those_between_two_looks() {
        let mut history = History::default();
        let start = Instant::now();
        assert_eq!(history.hit_ratio(), None);
        history.add(start, reads(100, 100));
        assert_eq!(history.rate(Count::Hits), 0.0);
        assert_eq!(history.hit_ratio(), Some(0.5));
        history.add(start + Duration::from_secs(2), reads(130, 110));
        assert_eq!(history.rate(Count::Hits), 15.0);
        assert_eq!(history.hit_ratio(), Some(0.75));
        // A process began again.
        history.add(start + Duration::from_secs(3), reads(4, 120));
        assert_eq!(history.rate(Count::Hits), 0.0);
        assert_eq!(history.hit_ratio(), Some(0.0));
        assert_eq!(history.reads(), [20, 10]);
    }

    #[test]
    fn a_long_look_needs_no_more_room() {
        let mut history = History::default();
        let start = Instant::now();
        for second in 0..1000 {
            history.add(start + Duration::from_secs(second), reads(second * 7, 0));
        }
        assert_eq!(history.reads(), vec![7; LOOKS - 1]);
    }
}
