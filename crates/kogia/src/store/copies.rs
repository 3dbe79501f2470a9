//! Two stores that do not know each other, each with its own copy of all generations.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Fill, Generation, OwnerId, QueryKey, ReadRequest, ReadResponse, Tag, TagSet};
use smallvec::SmallVec;

use super::{Abandoned, Finding, Mark, Store, StoreError, Usage, one_generation};

/// Keeps each generation in two stores: what one of them loses or never hears of makes nothing
/// stale, and a write is acknowledged while one of them answers.
///
/// All processes name the two in the same order; otherwise they share no entries.
///
/// # Freshness
///
/// The generation of a tag is made of the two that the copies have, and is marked if one of those
/// is. A read needs both of them, and fails, so that its query goes to the database, while one
/// of the copies does not answer. So a writer is on the safe side as soon as one of the copies,
/// whichever, has acknowledged its mark: no reader passes that copy by, and the pair has changed
/// for ever, whatever the other one still has, has lost, or gets back. No process has to know
/// which copies the others reach, and a network that is split makes nothing stale.
///
/// A mark that one copy alone has acknowledged is as safe as in a single store: if that copy loses
/// it, its own quarantine begins.
///
/// # What the loss of a copy costs
///
/// While it does not answer, reads bypass. When it is back without what it had, nothing that was
/// stored before is current, in neither of them: nobody can tell which writes it has missed. When
/// it is back with its marks, those that were cleared meanwhile are cleared there, too, by the
/// process that had set them, or when their leases are over.
///
/// # Entries
///
/// Each is in one of the copies, chosen by its key, so that filling costs what it does with one
/// store, and the copies share the load. The generations of its stamp are no copy's own: a
/// [`super::MemoryStore`] would take it for stale and not keep it.
#[derive(Debug)]
pub struct CopiesStore {
    copies: [Arc<dyn Store>; 2],
    /// The copy that did not answer when it was last asked, if any.
    failed: AtomicUsize,
    missed: Missed,
}

/// No copy has failed.
const NEITHER: usize = 2;

/// A generation of each tag.
type Generations = SmallVec<[Generation; 8]>;

impl CopiesStore {
    /// A store that keeps its generations in two others.
    pub fn new(first: Arc<dyn Store>, second: Arc<dyn Store>) -> Self {
        CopiesStore {
            copies: [first, second],
            failed: AtomicUsize::new(NEITHER),
            missed: Missed::default(),
        }
    }

    /// The place of the copy that has the entry of a key.
    fn place(key: &QueryKey) -> usize {
        usize::from(key.as_bytes()[0] & 1)
    }

    /// The generations of some tags, and what the copy at a place answers to a read.
    fn read_both<T: Send>(
        &self,
        tags: &[Tag],
        place: usize,
        read: impl Fn(&dyn Store) -> Result<(Generations, T), StoreError> + Sync,
    ) -> Result<(Generations, T), StoreError> {
        let other = 1 - place;
        let read = || self.noted(place, read(&*self.copies[place]));
        let (others, (own, answer)) = match self.failed.load(Ordering::Relaxed) {
            // A copy that is down refuses at once, and then the other one need not be asked.
            failed if failed == place => {
                let answer = read()?;
                let others = self.noted(other, self.copies[other].generations(tags))?;
                (others, answer)
            }
            failed if failed == other => {
                let others = self.noted(other, self.copies[other].generations(tags))?;
                (others, read()?)
            }
            _ => {
                let mut answer = None;
                let others =
                    self.copies[other].generations_meanwhile(tags, &mut || answer = Some(read()));
                let others = self.noted(other, others)?;
                (others, answer.unwrap_or_else(read)?)
            }
        };
        let (first, second) = match place {
            0 => (own, others),
            _ => (others, own),
        };
        Ok((paired(&first, &second), answer))
    }

    fn read_entry(
        &self,
        request: &ReadRequest,
        read: impl Fn(&dyn Store) -> Result<ReadResponse<Bytes>, StoreError> + Sync,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        let place = Self::place(request.key());
        let (generations, entry) = self.read_both(request.tags(), place, |copy| {
            read(copy).map(|response| (response.generations, response.entry))
        })?;
        Ok(ReadResponse { generations, entry })
    }

    /// Has both copies change something. One that does is enough.
    fn change<T: Send>(
        &self,
        first: impl FnOnce(&dyn Store, &mut (dyn FnMut() + Send)) -> Result<T, StoreError>,
        second: impl Fn(&dyn Store) -> Result<T, StoreError> + Sync,
    ) -> Result<Changed<T>, StoreError> {
        let second = || self.noted(1, second(&*self.copies[1]));
        let mut answer = None;
        let first = first(&*self.copies[0], &mut || answer = Some(second()));
        let first = self.noted(0, first);
        match (first, answer.unwrap_or_else(second)) {
            (Err(error), Err(_)) => Err(error),
            (first, second) => Ok(Changed {
                first: first.ok(),
                second: second.ok(),
            }),
        }
    }

    /// Has both copies change something, one after the other.
    fn change_in_turn<T: Send>(
        &self,
        change: impl Fn(&dyn Store) -> Result<T, StoreError> + Sync,
    ) -> Result<Changed<T>, StoreError> {
        self.change(|copy, _| change(copy), &change)
    }

    /// Notes whether a copy has answered.
    fn noted<T>(&self, place: usize, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let failed = self.failed.load(Ordering::Relaxed);
        if answer.is_err() {
            let copy = if place == 0 { "first" } else { "second" };
            metrics::counter!("kogia_store_copy_failed_total", "copy" => copy).increment(1);
            if failed != place {
                self.failed.store(place, Ordering::Relaxed);
            }
        } else {
            if failed == place {
                self.failed.store(NEITHER, Ordering::Relaxed);
            }
            self.catch_up(place);
        }
        answer
    }

    /// Sends a copy that answers what it has missed.
    fn catch_up(&self, place: usize) {
        while let Some(missed) = self.missed.take(place) {
            if self.copies[place]
                .clear(missed.owner, &missed.tags)
                .is_err()
            {
                self.missed.add(missed);
                return;
            }
        }
    }
}

/// Clears that one of the copies has not acknowledged. They are of use only until the leases of
/// their marks are over, so a few are enough.
#[derive(Debug, Default)]
struct Missed {
    clears: Mutex<VecDeque<MissedClear>>,
    are_some: AtomicBool,
}

#[derive(Debug)]
struct MissedClear {
    place: usize,
    owner: OwnerId,
    tags: TagSet,
}

impl Missed {
    const MOST: usize = 64;

    fn add(&self, clear: MissedClear) {
        if let Some(mut clears) = self.lock() {
            if clears.len() >= Self::MOST {
                clears.pop_front();
            }
            clears.push_back(clear);
            self.are_some.store(true, Ordering::Relaxed);
        }
    }

    fn take(&self, place: usize) -> Option<MissedClear> {
        if !self.are_some.load(Ordering::Relaxed) {
            return None;
        }
        let mut clears = self.lock()?;
        let at = clears.iter().position(|clear| clear.place == place)?;
        let clear = clears.remove(at);
        self.are_some.store(!clears.is_empty(), Ordering::Relaxed);
        clear
    }

    /// An owner that marks again is not to be cleared by what is late.
    fn forget(&self, owner: OwnerId) {
        if self.are_some.load(Ordering::Relaxed)
            && let Some(mut clears) = self.lock()
        {
            clears.retain(|clear| clear.owner != owner);
        }
    }

    /// Never waits: in the child of a fork nobody may be left to release the lock.
    fn lock(&self) -> Option<MutexGuard<'_, VecDeque<MissedClear>>> {
        match self.clears.try_lock() {
            Ok(clears) => Some(clears),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What the copies answered that have changed something: at least one of them.
struct Changed<T> {
    first: Option<T>,
    second: Option<T>,
}

impl<T> Changed<T> {
    /// The copy that has not answered, if any.
    fn missing(&self) -> Option<usize> {
        match (&self.first, &self.second) {
            (None, _) => Some(0),
            (_, None) => Some(1),
            _ => None,
        }
    }
}

impl Changed<Generation> {
    /// The generation that a watched tag has thereafter, if both have told theirs.
    fn watched(self) -> Generation {
        match (self.first, self.second) {
            (Some(first), Some(second)) => pair(first, second),
            _ => Generation::MISSING,
        }
    }
}

impl Store for CopiesStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.read_entry(request, |copy| copy.read(request))
    }

    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.read_entry(request, |copy| copy.read_with_lifetime(request))
    }

    fn generations(&self, tags: &[Tag]) -> Result<Generations, StoreError> {
        let read = |copy: &dyn Store| copy.generations(tags).map(|found| (found, ()));
        self.read_both(tags, 1, read).map(|(found, ())| found)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let place = Self::place(fill.key());
        self.noted(place, self.copies[place].fill(fill, rows, value, ttl))
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        self.copies[Self::place(fill.key())].claim(fill)
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        match mark.tags.as_slice().first() {
            Some(watched) => self.mark_watching(mark, *watched).map(|_| ()),
            None => Ok(()),
        }
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        match tags.as_slice().first() {
            Some(watched) => self.clear_watching(owner, tags, *watched).map(|_| ()),
            None => Ok(()),
        }
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.missed.forget(mark.owner);
        self.change(
            |copy, meanwhile| copy.mark_meanwhile(mark, watched, meanwhile),
            |copy| copy.mark_watching(mark, watched),
        )
        .map(Changed::watched)
    }

    /// A copy that does not answer may keep the mark: it is cleared when it answers again.
    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        let cleared = self.change(
            |copy, meanwhile| copy.clear_meanwhile(owner, tags, watched, meanwhile),
            |copy| copy.clear_watching(owner, tags, watched),
        )?;
        if let Some(place) = cleared.missing() {
            let tags = tags.clone();
            self.missed.add(MissedClear { place, owner, tags });
        }
        Ok(cleared.watched())
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.change_in_turn(|copy| copy.extend(owner, tags, lease))
            .map(|_| ())
    }

    /// Those that either copy reports: a mark may be in one of them alone.
    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        let answers = self.change_in_turn(|copy| copy.abandoned(tags))?;
        let mut found = answers.first.unwrap_or_default();
        for other in answers.second.unwrap_or_default() {
            match found.iter_mut().find(|known| known.owner == other.owner) {
                Some(known) => known.tags.extend(&other.tags),
                None => found.push(other),
            }
        }
        Ok(found)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.change_in_turn(|copy| copy.invalidate_everything())
            .map(|_| ())
    }

    fn waits(&self) -> bool {
        self.copies.iter().any(|copy| copy.waits())
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.copies
            .iter()
            .filter_map(|copy| copy.longest_lease())
            .min()
    }

    /// Of both together.
    fn usage(&self) -> Usage {
        let [first, second] = [self.copies[0].usage(), self.copies[1].usage()];
        Usage {
            entries: first.entries + second.entries,
            bytes: first.bytes.saturating_add(second.bytes),
            capacity: first.capacity.saturating_add(second.capacity),
            evicted: first.evicted + second.evicted,
            local: None,
        }
    }

    fn examine(&self) -> Vec<Finding> {
        let names = ["the first copy", "the second copy"];
        let mut found: Vec<Finding> = Vec::new();
        for (copy, name) in self.copies.iter().zip(names) {
            found.extend(copy.examine().into_iter().map(|finding| Finding {
                what: format!("{name}: {}", finding.what),
                ..finding
            }));
        }
        found.extend(self.examine_together());
        found
    }
}

impl CopiesStore {
    /// Whether the two are two.
    fn examine_together(&self) -> Option<Finding> {
        // A tag of nothing: its generations are random where there are two of them.
        let tag = Tag::custom(&kogia_core::DatabaseId::new("kogia"), "copies");
        let first = one_generation(&*self.copies[0], tag).ok()?;
        let second = one_generation(&*self.copies[1], tag).ok()?;
        if first.is_missing() || second.is_missing() {
            return None;
        }
        Some(match first == second {
            true => Finding::error(
                "both copies are one and the same store, whose loss is the loss of both",
                "name two servers, each with its own data",
            ),
            false => Finding::fine(
                "the two copies are two stores; while one of them does not answer, queries go to \
                 the database",
            ),
        })
    }
}

fn paired(first: &[Generation], second: &[Generation]) -> Generations {
    let pairs = first.iter().zip(second);
    pairs.map(|(first, second)| pair(*first, *second)).collect()
}

/// The generation of a tag, given those that the copies have. It is another one as soon as one of
/// them is: they are random, so no two pairs give the same.
fn pair(first: Generation, second: Generation) -> Generation {
    let token = |generation: Generation| generation.to_u128() & !1;
    let pair = match first.is_missing() || second.is_missing() {
        true => Generation::MISSING,
        // Turned, so that one store that is taken for two has generations as well.
        false => {
            let mixed = token(first) ^ token(second).rotate_left(64);
            Generation::from_random(mixed.to_le_bytes())
        }
    };
    match first.is_marked() || second.is_marked() {
        true => pair.marked(),
        false => pair,
    }
}
