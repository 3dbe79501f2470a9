//! How a client reads: [`ReadRequest::decide`] and [`Fill`], with the steps between them.

use kogia_core::{
    Access, Decision, Fill, Generation, ReadBypass, ReadRequest, ReadResponse, SessionBypass,
    SessionState, StoredEntry,
};

use crate::client::{Ended, Event, How, Phase, Private, Reading, Right, Seen, Use};
use crate::database::Answer;
use crate::mutant::Mutant;
use crate::protocol::Protocol;
use crate::state::{State, Wrong};
use crate::statements::Text;
use crate::store::Entry;

impl Protocol {
    /// The client begins to read: it asks its session, then the store for the entry.
    pub(crate) fn begin_read(&self, state: &mut State, index: usize, text: Text) {
        let session = self.session(state, index);
        let start = state.database.version();
        let request = self.vocabulary.request(text);
        let access = session.access(self.vocabulary.statement(text), request.tags());
        let access = self.mutate_access(state, index, access);
        let (guard, access) = match access {
            Access::Shared => (None, Use::Shared),
            Access::Snapshot { before, begun } => {
                let access = if begun { Use::Shared } else { Use::FillOnly };
                (Some(before), access)
            }
            Access::Private => (None, Use::Private),
            Access::Bypass(why) => {
                let how = match why {
                    SessionBypass::SnapshotMoved => How::SnapshotMoved,
                    _ => How::Bypass,
                };
                self.bypass(state, index, text, how);
                return;
            }
        };
        let entry = match access {
            Use::Shared => state.store.entries[self.query_index(text)]
                .as_ref()
                .map(|entry| (entry.stamp.clone(), entry.value)),
            Use::FillOnly => None,
            Use::Private => state.clients[index]
                .private_entry(text)
                .map(|entry| (entry.stamp, entry.value)),
        };
        let reading = Reading {
            start,
            guard,
            access,
            incarnation: state.store.incarnation,
            entry,
            generations: Default::default(),
        };
        state.clients[index].phase = Phase::Reading(reading);
        self.fetch_generations(state, index, text);
    }

    /// The client fetches the generations, all at once or the next one, and with the last one
    /// decides how the read goes on.
    pub(crate) fn fetch_generations(&self, state: &mut State, index: usize, text: Text) {
        let State { clients, store, .. } = state;
        let Phase::Reading(reading) = &mut clients[index].phase else {
            return;
        };
        let request = self.request(text, reading.guard);
        loop {
            let tag = request.tags()[reading.generations.len()];
            let generation = match self.vocabulary.index(tag) {
                Some(tag) => store.generation(tag, self.mutant),
                None => Generation::MISSING,
            };
            reading.generations.push(generation);
            if reading.generations.len() == request.tags().len() {
                break;
            }
            if self.configuration.faults.torn {
                return;
            }
        }
        let reading = reading.clone();
        self.decide(state, index, text, request, reading);
    }

    fn decide(
        &self,
        state: &mut State,
        index: usize,
        text: Text,
        request: ReadRequest,
        reading: Reading,
    ) {
        let Reading {
            start,
            guard,
            access,
            incarnation,
            entry,
            mut generations,
        } = reading;
        if self.is(Mutant::IgnoreMarks) {
            for generation in &mut generations {
                *generation = Generation::from_u128(generation.to_u128() & !1);
            }
        }
        let response = ReadResponse {
            generations: generations.clone(),
            entry: entry.map(|(stamp, value)| StoredEntry {
                stamp,
                value,
                remaining: None,
            }),
        };
        let mut right = Right {
            guard,
            generations,
            private: access == Use::Private && !self.is(Mutant::DirtyFills),
            incarnation,
        };
        let how = match request.decide(response) {
            Decision::Hit(value) => {
                let how = match (access, guard) {
                    (Use::Private, _) => How::PrivateHit,
                    (_, Some(_)) => How::SnapshotHit,
                    (_, None) => How::Hit,
                };
                self.end_read(state, index, start, value, how);
                return;
            }
            Decision::Miss(_) => How::Miss,
            Decision::Stale(_) => How::Stale,
            Decision::Bypass(why) => {
                let how = match why {
                    ReadBypass::Marked => How::Marked,
                    ReadBypass::SnapshotMoved => How::SnapshotMoved,
                    _ => How::Bypass,
                };
                if !self.is(Mutant::OldSnapshotFill) || why != ReadBypass::SnapshotMoved {
                    self.bypass(state, index, text, how);
                    return;
                }
                right.guard = None;
                right.generations.pop();
                how
            }
        };
        let leader = match right.private || state.database.connections[index].open {
            true => None,
            false => self.flight(state, text, &right),
        };
        state.clients[index].phase = match leader {
            Some(leader) => Phase::Waiting { start, leader },
            None => Phase::Running { start, how, right },
        };
    }

    /// The client leaves the cache alone. Its query runs at once: nobody else can tell when.
    pub(crate) fn bypass(&self, state: &mut State, index: usize, text: Text, how: How) {
        let start = state.database.version();
        let isolation = self.configuration.programs[index].isolation;
        let value = state.database.query(index, text, isolation);
        self.ran(state, index, text, Ended::Done);
        self.end_read(state, index, start, value, how);
    }

    /// The database answers the client's query, as of the present or, by a mutant, of an earlier
    /// version.
    pub(crate) fn run_query(
        &self,
        state: &mut State,
        index: usize,
        text: Text,
        lagging: Option<u8>,
    ) {
        let phase = std::mem::replace(&mut state.clients[index].phase, Phase::Ready);
        let Phase::Running { start, how, right } = phase else {
            return;
        };
        let isolation = self.configuration.programs[index].isolation;
        let value = match lagging {
            Some(version) => state.database.committed(text, version),
            None => state.database.query(index, text, isolation),
        };
        self.ran(state, index, text, Ended::Done);
        match right.private {
            true => {
                if let Some(fill) = self.fill(text, &right) {
                    let stamp = fill.entry_stamp(self.rows(text, value));
                    let private = &mut state.clients[index].private;
                    private.retain(|private| private.text != text);
                    private.push(Private { text, stamp, value });
                }
                self.end_read(state, index, start, value, how);
            }
            false => {
                state.clients[index].phase = Phase::Filling {
                    start,
                    how,
                    right,
                    value,
                };
            }
        }
    }

    /// The client stores its result, and those who waited for it have it.
    pub(crate) fn store_result(&self, state: &mut State, index: usize, text: Text) {
        let phase = std::mem::replace(&mut state.clients[index].phase, Phase::Ready);
        let Phase::Filling {
            start,
            how,
            mut right,
            value,
        } = phase
        else {
            return;
        };
        if self.is(Mutant::StampAfterQuery) {
            let request = self.request(text, right.guard);
            let tags = request.tags().iter();
            right.generations = tags
                .filter_map(|tag| self.vocabulary.index(*tag))
                .map(|tag| state.store.generation(tag, self.mutant))
                .collect();
        }
        // An entry of an earlier incarnation is stored where nobody looks any more.
        let reachable =
            right.incarnation == state.store.incarnation || self.is(Mutant::NoIncarnation);
        if let (Some(fill), true) = (self.fill(text, &right), reachable) {
            let rows = match self.is(Mutant::InsertsAlwaysWaived) {
                true => 1,
                false => self.rows(text, value),
            };
            state.store.entries[self.query_index(text)] = Some(Entry {
                stamp: fill.entry_stamp(rows),
                value,
                was_invalid: false,
            });
        }
        let waiters: smallvec::SmallVec<[usize; 4]> = state.waiters(index).collect();
        self.end_read(state, index, start, value, how);
        for waiter in waiters {
            if let Phase::Waiting { start, .. } = state.clients[waiter].phase {
                self.end_read(state, waiter, start, value, How::Joined);
            }
        }
    }

    /// The entry of a query, if a request that begins and ends now would hit it.
    pub(crate) fn current_entry<'a>(&self, state: &'a State, text: Text) -> Option<&'a Entry> {
        let entry = state.store.entries[self.query_index(text)].as_ref()?;
        let request = self.request(text, None);
        let generation = |tag: &kogia_core::Tag| {
            let tag = self.vocabulary.index(*tag)?;
            let generation = state.store.tags[tag].generation();
            let generation = match self.mutant {
                Some(Mutant::IgnoreMarks) => Generation::from_u128(generation.to_u128() & !1),
                Some(Mutant::MissingEqualsMissing) if generation.is_missing() => {
                    crate::store::absent()
                }
                _ => generation,
            };
            Some(generation)
        };
        let response = ReadResponse {
            generations: request.tags().iter().filter_map(generation).collect(),
            entry: Some(StoredEntry {
                stamp: entry.stamp.clone(),
                value: (),
                remaining: None,
            }),
        };
        match request.decide(response) {
            Decision::Hit(()) => Some(entry),
            _ => None,
        }
    }

    /// How many rows a result has, as far as it matters: the row with the key, or any.
    pub(crate) fn rows(&self, text: Text, value: Answer) -> u64 {
        match text {
            Text::ReadKey => value.key_rows(),
            _ => 1,
        }
    }

    fn request(&self, text: Text, guard: Option<Generation>) -> ReadRequest {
        let mut request = self.vocabulary.request(text).clone();
        if let Some(before) = guard {
            request.guard_snapshot(self.vocabulary.database.commit, before);
        }
        request
    }

    /// The right to fill that these inputs gave, and give again.
    fn fill(&self, text: Text, right: &Right) -> Option<Fill> {
        let response = ReadResponse::<()> {
            generations: right.generations.clone(),
            entry: None,
        };
        match self.request(text, right.guard).decide(response) {
            Decision::Miss(fill) => Some(fill),
            _ => None,
        }
    }

    /// The client whose flight a reader with this right may join.
    fn flight(&self, state: &State, text: Text, right: &Right) -> Option<u8> {
        let own = self.fill(text, right)?;
        let leads = |index: &usize| {
            let client = &state.clients[*index];
            let (Phase::Running { right: other, .. } | Phase::Filling { right: other, .. }) =
                &client.phase
            else {
                return false;
            };
            let same = self.text(client.at, *index) == Some(text) && !other.private;
            let fill = self.fill(text, other);
            same && fill
                .is_some_and(|fill| fill.stamp() == own.stamp() || self.is(Mutant::JoinByQuery))
        };
        let leader = (0..state.clients.len()).find(leads)?;
        Some(leader as u8)
    }

    /// The read ends with a value, which is checked against what the database was meanwhile.
    fn end_read(&self, state: &mut State, index: usize, start: u8, value: Answer, how: How) {
        let Some(text) = self.text(state.clients[index].at, index) else {
            return;
        };
        let wrote = state.database.has_written(index, text.cells());
        if let (Some(seen), false) = (&mut state.clients[index].seen, wrote) {
            seen.reads.push((text, value));
        }
        state.wrong = state.wrong.or(wrong(state, index, text, start, value));
        state.ended.push(how);
        self.next_statement(state, index);
    }

    fn mutate_access(&self, state: &State, index: usize, access: Access) -> Access {
        let announced = || {
            state.clients[index]
                .session
                .iter()
                .find_map(|event| match event {
                    Event::CommitGeneration(before) if before.is_clean() => Some(*before),
                    _ => None,
                })
        };
        match (self.mutant, access) {
            (
                Some(Mutant::NoCommitTagCheck),
                Access::Snapshot { .. } | Access::Bypass(SessionBypass::SnapshotMoved),
            ) => Access::Shared,
            (Some(Mutant::OldSnapshotFill), Access::Bypass(SessionBypass::SnapshotMoved)) => {
                Access::Shared
            }
            (Some(Mutant::HitBeforeSnapshot), Access::Snapshot { .. }) => match announced() {
                Some(before) => Access::Snapshot {
                    before,
                    begun: true,
                },
                None => access,
            },
            (Some(Mutant::DirtyHits), Access::Private) => Access::Shared,
            _ => access,
        }
    }

    pub(crate) fn session(&self, state: &State, index: usize) -> SessionState {
        state.clients[index].session(&self.vocabulary, &self.fresh[index])
    }
}

/// What is wrong with an answer, if anything: it must be what the database would have said to
/// this client at some instant of the request, or as of some snapshot that fits all that the
/// transaction has read.
fn wrong(state: &State, index: usize, text: Text, start: u8, value: Answer) -> Option<Wrong> {
    let database = &state.database;
    let answered = |version| database.answer_to(index, text, version) == value;
    let wrote = database.has_written(index, text.cells());
    match &state.clients[index].seen {
        // Its own writes lie over the snapshot, and its own snapshot is as good as any.
        Some(seen) if !wrote => {
            let fits = |version: u8| {
                let mut reads = seen.reads.iter();
                reads.all(|(text, value)| database.committed(*text, version) == *value)
            };
            let known = (seen.since..=database.version()).any(fits);
            (!known).then_some(Wrong::Snapshot)
        }
        Some(seen) if (seen.since..=database.version()).any(answered) => None,
        None if (start..=database.version()).any(answered) => None,
        _ if wrote => Some(Wrong::OwnWrites),
        _ => Some(Wrong::Answer),
    }
}

/// What a transaction that reads one snapshot sees begins here.
pub(crate) fn seen_since(version: u8) -> Seen {
    Seen {
        since: version,
        reads: Default::default(),
    }
}
