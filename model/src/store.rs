//! The store: generations, owners of marks and entries, moved by [`TagState`]'s own transitions.

use std::time::Duration;

use kogia_core::{Generation, OwnerId, Stamp, StoreTime, TagState};

use crate::database::Answer;
use crate::mutant::Mutant;
use crate::statements::{TagMask, Vocabulary};

/// A lease, in ticks of the clocks.
pub(crate) const LEASE: u8 = 2;

/// What a mutant takes a missing generation for.
pub(crate) fn absent() -> Generation {
    Generation::from_u128(ABSENT << 1)
}

/// Its token, which is never renamed.
pub(crate) const ABSENT: u128 = 1 << 100;

/// How long a number of ticks is, for the types of production.
pub(crate) fn ticks(number: u8) -> Duration {
    Duration::from_secs(u64::from(number))
}

/// What the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    /// Its clock. The clients' clocks go as fast.
    pub(crate) now: u8,
    /// How often it has lost everything.
    pub(crate) incarnation: u8,
    pub(crate) tags: Vec<TagState>,
    /// For each tag, how many commits had written it when its present generation was first clean
    /// and readable; `None` while it is not.
    pub(crate) clean_since: Vec<Option<u8>>,
    /// The entry of each of the queries.
    pub(crate) entries: Vec<Option<Entry>>,
    /// What a lagging replica of the store holds, where a mutant may fall back on it.
    pub(crate) replica: Option<Box<Replica>>,
    /// The highest number of a token that is in use anywhere.
    pub(crate) issued: u64,
}

/// A stored result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) stamp: Stamp,
    pub(crate) value: Answer,
    /// It has not been current at some time.
    pub(crate) was_invalid: bool,
}

/// A copy of the store from some time ago.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) tags: Vec<TagState>,
    pub(crate) entries: Vec<Option<Entry>>,
}

/// The owners that stand for what an earlier incarnation may have forgotten.
pub(crate) const COLD: u8 = 0xF0;

impl Store {
    pub(crate) fn new(tags: usize, queries: usize) -> Self {
        Store {
            now: 0,
            incarnation: 0,
            tags: vec![TagState::default(); tags],
            clean_since: vec![None; tags],
            entries: vec![None; queries],
            replica: None,
            issued: 0,
        }
    }

    /// The generation of a tag; one that is missing is created.
    pub(crate) fn generation(&mut self, tag: usize, mutant: Option<Mutant>) -> Generation {
        if mutant == Some(Mutant::MissingEqualsMissing) {
            return match self.tags[tag].generation() {
                // A token like any other, as a reader would have it that compares what is absent.
                missing if missing.is_missing() => absent(),
                generation => generation,
            };
        }
        let fresh = self.fresh(tag, mutant);
        self.tags[tag].ensure(fresh)
    }

    pub(crate) fn mark(&mut self, tag: usize, owner: u8, mutant: Option<Mutant>) {
        let fresh = self.fresh(tag, mutant);
        let until = StoreTime(ticks(self.now + LEASE));
        let state = &mut self.tags[tag];
        let before = state.generation();
        if mutant == Some(Mutant::OneMarkSlot) {
            *state = TagState::new(before, []);
        }
        state.mark(owner_id(owner), until, fresh);
        match mutant {
            Some(Mutant::MarkKeepsToken) if !before.is_missing() => {
                *state = TagState::new(before, state.owners().iter().cloned());
            }
            Some(Mutant::InvalidateBeforeOnly) => {
                let fresh = self.fresh(tag, mutant);
                self.tags[tag].clear(owner_id(owner), fresh);
            }
            _ => {}
        }
    }

    /// A writer clears its own mark.
    pub(crate) fn clear(&mut self, tag: usize, owner: u8, mutant: Option<Mutant>) {
        let fresh = self.fresh(tag, mutant);
        let state = &mut self.tags[tag];
        let before = state.generation();
        state.clear(owner_id(owner), fresh);
        if mutant == Some(Mutant::ClearKeepsToken) && !before.is_missing() {
            *state = TagState::new(before, state.owners().iter().cloned());
        }
    }

    /// A mark whose lease is over is cleared, or its lease renewed.
    pub(crate) fn resolve(&mut self, owner: u8, over: bool, mutant: Option<Mutant>) {
        for tag in 0..self.tags.len() {
            let holds = |state: &TagState| {
                let mut owners = state.owners().iter();
                owners.any(|lease| lease.owner == owner_id(owner))
            };
            if !holds(&self.tags[tag]) {
                continue;
            }
            if !over {
                let until = StoreTime(ticks(self.now + LEASE));
                self.tags[tag].extend(owner_id(owner), until);
                continue;
            }
            let fresh = self.fresh(tag, mutant);
            let state = &mut self.tags[tag];
            let before = state.generation();
            state.clear(owner_id(owner), fresh);
            if mutant == Some(Mutant::MarkKeepsToken) {
                *state = TagState::new(before, state.owners().iter().cloned());
            }
        }
    }

    /// The owners whose lease is over, each once.
    pub(crate) fn expired(&self) -> impl Iterator<Item = u8> {
        let now = StoreTime(ticks(self.now));
        let expired = self.tags.iter().flat_map(move |tag| tag.expired(now));
        let mut owners: smallvec::SmallVec<[u8; 4]> = expired.map(|owner| owner.0 as u8).collect();
        owners.sort_unstable();
        owners.dedup();
        owners.into_iter()
    }

    /// Whether anybody holds a mark.
    pub(crate) fn is_marked(&self) -> bool {
        self.tags.iter().any(|tag| !tag.owners().is_empty())
    }

    /// Loses everything and comes back. Whoever had marked a tag may still be about to commit, and
    /// is known no more; so the wide tags that every reader looks at begin with a mark.
    pub(crate) fn restart(&mut self, vocabulary: &Vocabulary, mutant: Option<Mutant>) {
        let incarnation = self.incarnation + 1;
        let cold = Store {
            now: self.now,
            incarnation,
            issued: self.issued,
            ..Store::new(self.tags.len(), self.entries.len())
        };
        let replica = std::mem::replace(self, cold).replica;
        if let (Some(Mutant::NoIncarnation), Some(replica)) = (mutant, replica) {
            (self.tags, self.entries) = (replica.tags, replica.entries);
        }
        if let Some(Mutant::ColdStoreUnmarked | Mutant::NoIncarnation) = mutant {
            return;
        }
        let wide = [
            vocabulary.database.database_epoch,
            vocabulary.database.commit,
        ];
        for tag in vocabulary.mask(&wide).indices() {
            self.mark(tag, COLD + incarnation, None);
        }
    }

    /// Notes for each tag since when its generation is clean and readable. A reader also looks at
    /// the database epoch, so what is clean under a marked epoch is not readable as such.
    pub(crate) fn note_clean(
        &mut self,
        before: &[TagState],
        epoch: usize,
        version_of: impl Fn(usize) -> u8,
    ) {
        let epoch_now = self.tags[epoch].generation();
        let epoch_changed = before[epoch].generation() != epoch_now;
        for tag in 0..self.tags.len() {
            let now = self.tags[tag].generation();
            let clean = now.is_clean() && epoch_now.is_clean();
            let changed = epoch_changed || before[tag].generation() != now;
            if !clean {
                self.clean_since[tag] = None;
            } else if changed || self.clean_since[tag].is_none() {
                self.clean_since[tag] = Some(version_of(tag));
            }
        }
    }

    /// The tags that may be evicted.
    pub(crate) fn evictable(&self) -> TagMask {
        let clean = |tag: &usize| self.tags[*tag].generation().is_clean();
        let bits = (0..self.tags.len()).filter(clean).map(|tag| 1 << tag);
        TagMask(bits.fold(0, |mask, bit| mask | bit))
    }

    /// A token that is in use nowhere.
    fn fresh(&mut self, tag: usize, mutant: Option<Mutant>) -> Generation {
        if mutant == Some(Mutant::Counters) {
            let count = self.tags[tag].generation().to_u128() >> 1;
            return Generation::from_u128((count + 1) << 1);
        }
        self.issued += 1;
        Generation::from_u128(u128::from(self.issued) << 1)
    }
}

pub(crate) fn owner_id(owner: u8) -> OwnerId {
    OwnerId(u128::from(owner))
}
