//! The model: what can happen next, and what becomes of it.

use kogia_core::SessionState;
use stateright::{Model, Property};

use crate::client::{Client, Event, How, Phase, fresh_session};
use crate::configuration::Configuration;
use crate::database::{Answer, Database};
use crate::mutant::Mutant;
use crate::narrate::narrate;
use crate::property;
use crate::state::{State, Verdict};
use crate::statements::{TagMask, Text, Vocabulary};
use crate::store::{COLD, Entry, Replica, Store};

/// A configuration, under the protocol or under a mutant of it.
#[derive(Debug, Clone)]
pub struct Protocol {
    pub(crate) configuration: Configuration,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) vocabulary: Vocabulary,
    /// The queries that somebody runs; the store has a place for the entry of each.
    pub(crate) queries: Vec<Text>,
    /// The session of each client when its connection is opened.
    pub(crate) fresh: Vec<SessionState>,
}

/// Something that can happen next. Clients are counted from 0, in the order of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A client takes its next step.
    Step(u8),
    /// The store clears marks that a client wants cleared.
    Clear(u8),
    /// The database executes what is on the wire of a client.
    Execute(u8),
    /// Somebody finds a mark of this owner whose lease is over, and asks the database about it.
    Look(u8),
    /// Who asked tells the store.
    Settle,
    /// Half a lease passes.
    Tick,
    /// The database refuses to commit what is on the wire of a client.
    Refuse(u8),
    /// The message that a client waits for is lost.
    Lose(u8),
    /// A client crashes.
    Crash(u8),
    /// The last mark of a client reaches the store once more.
    LateMark(u8),
    /// The store evicts the generation of a tag.
    EvictGeneration(u8),
    /// The store evicts the entry of a query.
    EvictEntry(u8),
    /// The store loses everything.
    Restart,
    /// A replica of the store catches up (only where a mutant falls back on it).
    Replicate,
    /// A client's query runs on a replica of the database that is at this version (a mutant).
    Lag(u8, u8),
}

impl Protocol {
    /// The model of a configuration.
    pub fn new(configuration: Configuration, mutant: Option<Mutant>) -> Self {
        let programs = &configuration.programs;
        let texts: Vec<Text> = programs.iter().flat_map(|p| p.texts.clone()).collect();
        let vocabulary = Vocabulary::new(&texts);
        let mut queries: Vec<Text> = texts.into_iter().filter(|text| text.is_query()).collect();
        queries.sort_unstable();
        queries.dedup();
        let fresh = programs
            .iter()
            .map(|program| fresh_session(&vocabulary, program.isolation))
            .collect();
        Protocol {
            fresh,
            configuration,
            mutant,
            vocabulary,
            queries,
        }
    }

    /// The configuration.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn query_index(&self, text: Text) -> usize {
        self.queries
            .iter()
            .position(|query| *query == text)
            .unwrap_or_default()
    }

    /// The statement that a client is at.
    pub(crate) fn text(&self, at: u8, client: usize) -> Option<Text> {
        let texts = &self.configuration.programs[client].texts;
        texts.get(usize::from(at)).copied()
    }

    /// Whether nothing more will happen unless something goes wrong.
    pub(crate) fn is_at_rest(&self, state: &State) -> bool {
        if !state.clients.iter().all(Client::is_over) {
            return false;
        }
        let mut actions = Vec::new();
        self.progress(state, &mut actions);
        actions.is_empty()
    }

    /// Whether the marks that are left go away by themselves, once all writers are over.
    pub(crate) fn becomes_clean(&self, state: &State) -> bool {
        // Enough for every tag's last owner to be met, asked about and cleared.
        const STEPS: usize = 24;
        let writes = |index: usize| {
            let client = &state.clients[index];
            let wire = state.database.connections[index].wire.is_some();
            !client.is_over() || !client.clearing.is_empty() || wire
        };
        if !state.store.is_marked() || (0..state.clients.len()).any(writes) {
            return true;
        }
        let mut state = state.clone();
        let mut actions = Vec::new();
        for _ in 0..STEPS {
            actions.clear();
            self.progress(&state, &mut actions);
            let next = actions
                .first()
                .and_then(|action| self.next_state(&state, *action));
            match next {
                Some(next) => state = next,
                None => break,
            }
        }
        actions.is_empty() && !state.store.is_marked()
    }

    /// What happens by itself.
    fn progress(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, client) in state.clients.iter().enumerate() {
            let connection = &state.database.connections[index];
            let steps = !matches!(
                client.phase,
                Phase::Over | Phase::Crashed | Phase::Waiting { .. } | Phase::Sent
            );
            if steps {
                actions.push(Action::Step(index as u8));
            }
            if !client.clearing.is_empty() {
                actions.push(Action::Clear(index as u8));
            }
            if connection.wire.is_some() {
                actions.push(Action::Execute(index as u8));
            }
        }
        if state.verdict.is_some() && self.configuration.faults.lease_only {
            actions.push(Action::Settle);
        } else if !self.is(Mutant::NoResolver) {
            actions.extend(state.store.expired().map(Action::Look));
        }
        // Time goes on by itself only when everybody waits for it.
        let expired = state.store.expired().next().is_some();
        if actions.is_empty() && state.store.is_marked() && !expired {
            actions.push(Action::Tick);
        }
    }

    /// What may go wrong.
    fn faults(&self, state: &State, actions: &mut Vec<Action>) {
        let left = &state.left;
        if left.ticks > 0 && self.may_tick(state) && !actions.contains(&Action::Tick) {
            actions.push(Action::Tick);
        }
        for (index, client) in state.clients.iter().enumerate() {
            let number = index as u8;
            let connection = &state.database.connections[index];
            if left.refusals > 0 && connection.wire.is_some() {
                actions.push(Action::Refuse(number));
            }
            let may_lose = match client.phase {
                Phase::Marking { .. } => true,
                // A lost answer after a lost mark leaves nothing but the lifetime of entries.
                Phase::Sent => !self.configuration.faults.available,
                _ => false,
            };
            if left.losses > 0 && may_lose {
                actions.push(Action::Lose(number));
            }
            if left.crashes > 0 && self.may_crash(state, index) {
                actions.push(Action::Crash(number));
            }
            let sent = client.owners > 0 && !matches!(client.phase, Phase::Marking { next: 0, .. });
            if left.late_marks > 0 && sent {
                actions.push(Action::LateMark(number));
            }
            let runs = matches!(client.phase, Phase::Running { .. });
            if self.is(Mutant::LaggingReplica) && runs {
                actions.extend((0..state.database.version()).map(|at| Action::Lag(number, at)));
            }
        }
        if left.evicted_generations > 0 {
            let evictable = state.store.evictable().indices();
            actions.extend(evictable.map(|tag| Action::EvictGeneration(tag as u8)));
        }
        if left.evicted_entries > 0 {
            let entries = state.store.entries.iter().enumerate();
            let stored = entries.filter(|(_, entry)| entry.is_some());
            actions.extend(stored.map(|(query, _)| Action::EvictEntry(query as u8)));
        }
        if left.restarts > 0 {
            actions.push(Action::Restart);
            if self.is(Mutant::NoIncarnation) && state.store.replica.is_none() {
                actions.push(Action::Replicate);
            }
        }
    }

    /// Where nobody can ask the database, commits take effect within half a lease.
    fn may_tick(&self, state: &State) -> bool {
        let in_time = |wire: &crate::database::Wire| wire.sent >= state.store.now;
        let mut wires = state.database.connections.iter().flat_map(|c| &c.wire);
        !self.configuration.faults.lease_only || wires.all(in_time)
    }

    /// The crash of a client that only reads changes nothing unless somebody waits for it; and a
    /// client that has not begun might as well not exist.
    fn may_crash(&self, state: &State, index: usize) -> bool {
        let client = &state.clients[index];
        let begun = client.at > 0 || client.phase != Phase::Ready;
        let busy = !client.is_over() || !client.clearing.is_empty();
        let matters =
            self.configuration.programs[index].writes() || state.waiters(index).next().is_some();
        begun && busy && matters && client.phase != Phase::Crashed
    }

    fn step(&self, state: &mut State, index: usize) {
        let Some(text) = self.text(state.clients[index].at, index) else {
            return;
        };
        match &state.clients[index].phase {
            Phase::Ready => {
                if self.session(state, index).wants_commit_generation() {
                    let commit = self.vocabulary.index(self.vocabulary.database.commit);
                    let generation = commit.map(|tag| state.store.generation(tag, self.mutant));
                    let read = generation.map(Event::CommitGeneration);
                    state.clients[index].session.extend(read);
                } else if text.is_query() {
                    self.begin_read(state, index, text);
                } else {
                    self.begin_statement(state, index);
                }
            }
            Phase::Reading(_) => self.fetch_generations(state, index, text),
            Phase::Running { .. } => self.run_query(state, index, text, None),
            Phase::Filling { .. } => self.store_result(state, index, text),
            Phase::Marking { .. } => self.go_on_marking(state, index),
            Phase::Sent | Phase::Waiting { .. } | Phase::Over | Phase::Crashed => {}
        }
    }

    /// What the database says about a writer whose lease is over.
    fn look(&self, state: &State, owner: u8) -> Verdict {
        let over = if owner >= COLD || self.configuration.faults.lease_only {
            true
        } else {
            let client = usize::from(owner / 16);
            let connection = &state.database.connections[client];
            let latest = state.clients[client].owner(client) == owner;
            let gone = connection.closed && connection.wire.is_none();
            let idle = self.is(Mutant::IdleIsOver) && !connection.open;
            !latest || connection.over || gone || idle || self.is(Mutant::BlindExpiry)
        };
        Verdict { owner, over }
    }

    fn restart(&self, state: &mut State) {
        state.left.restarts -= 1;
        state.store.restart(&self.vocabulary, self.mutant);
        for index in 0..state.clients.len() {
            let text = self.text(state.clients[index].at, index);
            if let (Phase::Reading(_), Some(text)) = (&state.clients[index].phase, text) {
                // The store did not answer.
                self.bypass(state, index, text, How::Bypass);
            }
        }
    }

    fn late_mark(&self, state: &mut State, index: usize) {
        state.left.late_marks -= 1;
        let owner = state.clients[index].owner(index);
        for tag in state.clients[index].marked.indices() {
            state.store.mark(tag, owner, self.mutant);
        }
    }

    /// What follows from every step: which generations are clean since when, which entries are
    /// invalid, and the names of tokens.
    fn settle(&self, before: &State, state: &mut State) {
        let epoch = self
            .vocabulary
            .index(self.vocabulary.database.database_epoch);
        let State {
            store, database, ..
        } = state;
        if let Some(epoch) = epoch {
            store.note_clean(&before.store.tags, epoch, |tag| database.version_of(tag));
        }
        for (index, query) in self.queries.iter().enumerate() {
            if state.store.entries[index].is_some() && self.current_entry(state, *query).is_none() {
                let entry = state.store.entries[index].as_mut();
                entry.into_iter().for_each(|entry| entry.was_invalid = true);
            }
        }
        if !self.is(Mutant::Counters) {
            state.rename_tokens();
        }
        state.forget_time();
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let clients = self.configuration.programs.len();
        let faults = &self.configuration.faults;
        let mut state = State {
            database: Database::new(clients, !faults.key_missing),
            store: Store::new(self.vocabulary.tags.len(), self.queries.len()),
            clients: vec![Client::new(); clients],
            verdict: None,
            ended: Default::default(),
            left: self.configuration.budget,
            wrong: None,
        };
        if faults.warm {
            for tag in 0..self.vocabulary.tags.len() {
                state.store.generation(tag, self.mutant);
            }
            for (index, query) in self.queries.iter().enumerate() {
                let request = self.vocabulary.request(*query);
                let tags = request.tags().iter();
                let stamp = tags
                    .filter_map(|tag| self.vocabulary.index(*tag))
                    .map(|tag| state.store.tags[tag].generation())
                    .collect();
                let value: Answer = state.database.committed(*query, 0);
                state.store.entries[index] = Some(Entry {
                    stamp: kogia_core::Stamp(stamp),
                    value,
                    was_invalid: false,
                });
            }
        }
        let before = state.clone();
        self.settle(&before, &mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.progress(state, actions);
        self.faults(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        state.ended.clear();
        if !self.configuration.faults.lease_only {
            state.verdict = None;
        }
        match action {
            Action::Step(client) => self.step(&mut state, client.into()),
            Action::Clear(client) => self.go_on_clearing(&mut state, client.into()),
            Action::Execute(client) | Action::Refuse(client) => {
                let succeeds = matches!(action, Action::Execute(_));
                state.left.refusals -= u8::from(!succeeds);
                let index = usize::from(client);
                let wire = state.database.connections[index].wire;
                let tags = wire.map_or(TagMask::default(), |wire| {
                    self.vocabulary.written(wire.text)
                });
                state.database.execute(index, tags, succeeds);
                if !state.database.connections[index].closed {
                    self.take_answer(&mut state, index, succeeds);
                }
            }
            Action::Look(owner) => {
                let verdict = self.look(&state, owner);
                state.verdict = Some(verdict);
                if !self.configuration.faults.lease_only {
                    state.store.resolve(owner, verdict.over, self.mutant);
                }
            }
            Action::Settle => {
                let verdict = before.verdict?;
                let (owner, over) = (verdict.owner, verdict.over);
                state.store.resolve(owner, over, self.mutant);
                state.verdict = None;
            }
            Action::Tick => {
                state.left.ticks = state.left.ticks.saturating_sub(1);
                state.store.now += 1;
            }
            Action::Lose(client) => {
                state.left.losses -= 1;
                match state.clients[usize::from(client)].phase {
                    Phase::Sent => self.lose_answer(&mut state, client.into()),
                    _ => self.lose_mark(&mut state, client.into()),
                }
            }
            Action::Crash(client) => {
                state.left.crashes -= 1;
                self.crash(&mut state, client.into());
            }
            Action::LateMark(client) => self.late_mark(&mut state, client.into()),
            Action::EvictGeneration(tag) => {
                state.left.evicted_generations -= 1;
                state.store.tags[usize::from(tag)] = Default::default();
            }
            Action::EvictEntry(query) => {
                state.left.evicted_entries -= 1;
                state.store.entries[usize::from(query)] = None;
            }
            Action::Restart => self.restart(&mut state),
            Action::Replicate => {
                state.store.replica = Some(Box::new(Replica {
                    tags: state.store.tags.clone(),
                    entries: state.store.entries.clone(),
                }));
            }
            Action::Lag(client, version) => {
                let index = usize::from(client);
                let text = self.text(state.clients[index].at, index)?;
                self.run_query(&mut state, index, text, Some(version));
            }
        }
        self.settle(before, &mut state);
        Some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        format!("{action:?}")
    }

    fn format_step(&self, before: &State, action: Action) -> Option<String> {
        let after = self.next_state(before, action)?;
        Some(narrate(self, before, action, &after))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        property::all(&self.configuration)
    }
}
