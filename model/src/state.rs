//! The state of the world.

use kogia_core::{Generation, TagState};
use smallvec::SmallVec;

use crate::client::{Client, How, Phase};
use crate::configuration::Budget;
use crate::database::Database;
use crate::store::{ABSENT, Store};

/// Everything that decides what can happen next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) clients: Vec<Client>,
    /// What somebody found out about a writer whose lease is over, and tells the store: at once,
    /// unless the lease alone decides.
    pub(crate) verdict: Option<Verdict>,
    /// How reads ended in the last step.
    pub(crate) ended: SmallVec<[How; 2]>,
    /// What may still go wrong.
    pub(crate) left: Budget,
    /// What a reader was given that it must not be given.
    pub(crate) wrong: Option<Wrong>,
}

/// Whether a writer is over, as the database said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Verdict {
    pub(crate) owner: u8,
    pub(crate) over: bool,
}

/// An answer that breaks an invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wrong {
    /// It was the database's at no instant of the request.
    Answer,
    /// It does not show what the reader's own transaction has written.
    OwnWrites,
    /// It fits no snapshot that shows the transaction's other answers.
    Snapshot,
}

impl State {
    /// Renames the tokens in the order in which the state mentions them. Tokens are only compared
    /// with each other, so states that differ by their names alone are one state.
    pub(crate) fn rename_tokens(&mut self) {
        let mut names: SmallVec<[u128; 24]> = SmallVec::new();
        let mut rename = |generation: &mut Generation| {
            let token = generation.to_u128() >> 1;
            if generation.is_missing() || token == ABSENT {
                return;
            }
            let name = match names.iter().position(|known| *known == token) {
                Some(name) => name,
                None => {
                    names.push(token);
                    names.len() - 1
                }
            };
            let flag = generation.to_u128() & 1;
            *generation = Generation::from_u128(((name as u128 + 1) << 1) | flag);
        };
        for tag in &mut self.store.tags {
            let mut generation = tag.generation();
            rename(&mut generation);
            if generation != tag.generation() {
                *tag = TagState::new(generation, tag.owners().iter().cloned());
            }
        }
        let entries = self.store.entries.iter_mut().flatten();
        entries.for_each(|entry| entry.stamp.0.iter_mut().for_each(&mut rename));
        for client in &mut self.clients {
            client.generations_mut(&mut rename);
        }
        if let Some(replica) = &mut self.store.replica {
            for tag in &mut replica.tags {
                let mut generation = tag.generation();
                rename(&mut generation);
                *tag = TagState::new(generation, tag.owners().iter().cloned());
            }
            let entries = replica.entries.iter_mut().flatten();
            entries.for_each(|entry| entry.stamp.0.iter_mut().for_each(&mut rename));
        }
        self.store.issued = names.len() as u64;
    }

    /// Forgets what the time is while nothing depends on it.
    pub(crate) fn forget_time(&mut self) {
        let wires = self.database.connections.iter().any(|c| c.wire.is_some());
        let marking = |client: &Client| matches!(client.phase, Phase::Marking { .. });
        if !wires && !self.store.is_marked() && !self.clients.iter().any(marking) {
            self.store.now = 0;
        }
    }

    /// Who waits for the result of a client's query.
    pub(crate) fn waiters(&self, leader: usize) -> impl Iterator<Item = usize> + '_ {
        let waits = move |client: &Client| match client.phase {
            Phase::Waiting {
                leader: awaited, ..
            } => usize::from(awaited) == leader,
            _ => false,
        };
        (0..self.clients.len()).filter(move |client| waits(&self.clients[*client]))
    }
}
