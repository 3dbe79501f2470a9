//! How a client runs statements that are not queries: [`kogia_core::SessionState::plan`] says what
//! to mark, [`Invalidation`] when the commit may be sent.

use kogia_core::Invalidation;

use crate::client::{Clearing, Ended, Event, Phase};
use crate::database::Wire;
use crate::mutant::Mutant;
use crate::protocol::Protocol;
use crate::reading::seen_since;
use crate::state::State;
use crate::statements::{TagMask, Text};
use crate::store::{LEASE, owner_id, ticks};

impl Protocol {
    /// The client runs its next statements, up to the first one that others can notice.
    pub(crate) fn begin_statement(&self, state: &mut State, index: usize) {
        while let Some(text) = self.text(state.clients[index].at, index) {
            if text.is_query() || self.session(state, index).wants_commit_generation() {
                return;
            }
            let (mark, written) = self.plan(state, index, text);
            state.clients[index].private.retain(|private| {
                let reads = self.vocabulary.request(private.text).tags();
                self.is(Mutant::PrivateKept) || (self.vocabulary.mask(reads).0 & written.0) == 0
            });
            if !mark.is_empty() {
                let sent = state.store.now;
                state.database.connections[index].over = false;
                let client = &mut state.clients[index];
                client.owners += 1;
                client.marked = mark;
                client.phase = Phase::Marking { sent, next: 0 };
                return;
            }
            self.run_unseen(state, index, text);
        }
    }

    /// The client's mark goes on: the store marks the next tags, or all are marked and the client
    /// may send its commit, or has waited too long and marks again.
    pub(crate) fn go_on_marking(&self, state: &mut State, index: usize) {
        let Phase::Marking { sent, next } = state.clients[index].phase else {
            return;
        };
        let owner = state.clients[index].owner(index);
        let mark = state.clients[index].marked;
        if let Some(next) = self.apply(mark, next, |tag| {
            state.store.mark(tag, owner, self.mutant);
        }) {
            state.clients[index].phase = Phase::Marking { sent, next };
            return;
        }
        let mut invalidation =
            Invalidation::new(owner_id(owner), self.vocabulary.set(mark), ticks(LEASE));
        invalidation.acknowledged(ticks(sent));
        if invalidation.may_commit(ticks(state.store.now)) || self.is(Mutant::CommitLate) {
            self.send(state, index);
            return;
        }
        // A new owner: somebody may be about to clear the old one, because its lease is over.
        let client = &mut state.clients[index];
        if !self.is(Mutant::SameOwnerAgain) {
            client.clearing.push(Clearing {
                owner,
                tags: mark,
                next: 0,
            });
            client.owners += 1;
        }
        let sent = state.store.now;
        client.phase = Phase::Marking { sent, next: 0 };
    }

    /// The mark, or its acknowledgement, was lost.
    pub(crate) fn lose_mark(&self, state: &mut State, index: usize) {
        if self.configuration.faults.available || self.is(Mutant::CommitUnacknowledged) {
            self.send(state, index);
            return;
        }
        state.database.roll_back(index);
        state.database.connections[index].over = true;
        self.clear_later(state, index);
        let client = &mut state.clients[index];
        client.private.clear();
        client.seen = None;
        client.phase = Phase::Over;
    }

    /// The database has executed what the client sent, and the client learns it. (It may learn it
    /// later, but it does nothing meanwhile that anybody notices. An answer that gets lost is lost
    /// before the database executes, which comes to the same.)
    pub(crate) fn take_answer(&self, state: &mut State, index: usize, succeeded: bool) {
        let Some(text) = self.text(state.clients[index].at, index) else {
            return;
        };
        let ended = match succeeded {
            true => Ended::Done,
            false => Ended::Failed,
        };
        self.ran(state, index, text, ended);
        if !self.is(Mutant::InvalidateBeforeOnly) {
            self.clear_later(state, index);
        }
        match succeeded {
            true => self.next_statement(state, index),
            false => state.clients[index].phase = Phase::Over,
        }
    }

    /// The connection was lost while the client waited for the answer.
    pub(crate) fn lose_answer(&self, state: &mut State, index: usize) {
        if let Some(text) = self.text(state.clients[index].at, index) {
            self.ran(state, index, text, Ended::Unknown);
        }
        state.database.close(index);
        if self.is(Mutant::ClearOnUnknown) {
            self.clear_later(state, index);
        }
        state.clients[index].phase = Phase::Over;
    }

    /// The store clears the next tags of the marks that a client wants cleared.
    pub(crate) fn go_on_clearing(&self, state: &mut State, index: usize) {
        let State { clients, store, .. } = state;
        let clearing = &mut clients[index].clearing;
        let Some(Clearing { owner, tags, next }) = clearing.first().cloned() else {
            return;
        };
        let done = self.apply(tags, next, |tag| store.clear(tag, owner, self.mutant));
        match done {
            Some(next) if usize::from(next) < tags.indices().count() => clearing[0].next = next,
            _ => {
                clearing.remove(0);
            }
        }
    }

    /// The client's present statement, and what its connection was about, are gone.
    pub(crate) fn crash(&self, state: &mut State, index: usize) {
        state.database.close(index);
        let waiters: smallvec::SmallVec<[usize; 4]> = state.waiters(index).collect();
        for waiter in waiters {
            // The flight gave nothing: they start again.
            state.clients[waiter].phase = Phase::Ready;
        }
        let client = &mut state.clients[index];
        client.session.clear();
        client.clearing.clear();
        client.private.clear();
        client.seen = None;
        client.phase = Phase::Crashed;
    }

    /// A statement was run on the connection.
    pub(crate) fn ran(&self, state: &mut State, index: usize, text: Text, ended: Ended) {
        let client = &mut state.clients[index];
        client.session.push(Event::Ran(text, ended));
        if text == Text::RollbackTo && self.is(Mutant::DirtyForgotten) {
            let writes = |event: &mut Event| !matches!(event, Event::Ran(text, _) if !self.vocabulary.written(*text).is_empty());
            client.session.retain(writes);
        }
        let session = client.session(&self.vocabulary, &self.fresh[index]);
        if !session.is_altered() {
            client.session.clear();
        }
        if !session.in_transaction() || ended != Ended::Done {
            client.private.clear();
            client.seen = None;
        }
    }

    /// The client goes on to its next statement.
    pub(crate) fn next_statement(&self, state: &mut State, index: usize) {
        let client = &mut state.clients[index];
        client.at += 1;
        client.phase = match self.text(client.at, index) {
            Some(_) => Phase::Ready,
            None => Phase::Over,
        };
    }

    /// What to mark for a statement, and what it changes for its own transaction.
    fn plan(&self, state: &State, index: usize, text: Text) -> (TagMask, TagMask) {
        let mut session = self.session(state, index);
        let execution = session.plan(self.vocabulary.statement(text), &[]);
        let mut mark = self.vocabulary.mask(execution.mark.as_slice());
        let table = &self.vocabulary.tables[0];
        let forgotten = match (self.mutant, text) {
            (Some(Mutant::PinnedWriteKeepsAny), Text::UpdateKey) => table.any,
            (Some(Mutant::BroadWriteKeepsBroad), Text::UpdateA) => table.broad,
            (Some(Mutant::InsertKeepsInserts), Text::InsertKey) => table.inserts,
            _ => return (mark, self.vocabulary.mask(execution.written.as_slice())),
        };
        mark.0 &= !self.vocabulary.mask(&[forgotten]).0;
        (mark, self.vocabulary.mask(execution.written.as_slice()))
    }

    /// Runs a statement that commits nothing, which nobody else can notice.
    fn run_unseen(&self, state: &mut State, index: usize, text: Text) {
        let isolation = self.configuration.programs[index].isolation;
        let written = self.vocabulary.written(text);
        state.database.run(index, text, written, isolation);
        self.ran(state, index, text, Ended::Done);
        if text == Text::Begin && isolation.is_snapshot() {
            let version = state.database.version();
            state.clients[index].seen = Some(seen_since(version));
            if self.is(Mutant::SnapshotAtBegin) {
                state.database.take_snapshot(index, isolation);
            }
        }
        self.next_statement(state, index);
    }

    fn send(&self, state: &mut State, index: usize) {
        if let Some(text) = self.text(state.clients[index].at, index) {
            let sent = state.store.now;
            state.database.connections[index].wire = Some(Wire { text, sent });
            state.clients[index].phase = Phase::Sent;
        }
    }

    fn clear_later(&self, state: &mut State, index: usize) {
        let client = &mut state.clients[index];
        let owner = client.owner(index);
        let tags = client.marked;
        client.clearing.push(Clearing {
            owner,
            tags,
            next: 0,
        });
    }

    /// Applies a change to the tags from the `next` one on, one by one if the store is torn.
    /// Returns how many are changed now, or `None` if all were before.
    fn apply(&self, tags: TagMask, next: u8, mut change: impl FnMut(usize)) -> Option<u8> {
        let mut order: smallvec::SmallVec<[usize; 8]> = tags.indices().collect();
        if self.configuration.faults.backwards {
            order.reverse();
        }
        let rest = order.get(usize::from(next)..)?;
        let at_once = if self.configuration.faults.torn {
            1
        } else {
            rest.len()
        };
        let changed = &rest[..at_once.min(rest.len())];
        changed.iter().for_each(|tag| change(*tag));
        (!changed.is_empty()).then_some(next + changed.len() as u8)
    }
}
