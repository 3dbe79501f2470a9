//! A client: one process with one database connection, running its program.

use std::sync::Arc;

use kogia_core::{Generation, Isolation, Outcome, SessionConfig, SessionState, Stamp, StoredEntry};
use smallvec::SmallVec;

use crate::database::Answer;
use crate::statements::{TagMask, Text, Vocabulary};

/// The state of a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// The statement of its program that it is at.
    pub(crate) at: u8,
    pub(crate) phase: Phase,
    /// What its session went through since it was last as good as new.
    pub(crate) session: SmallVec<[Event; 8]>,
    /// How many owners of marks it has been.
    pub(crate) owners: u8,
    /// What it marked last.
    pub(crate) marked: TagMask,
    /// Marks that it still has to clear, first in, first out.
    pub(crate) clearing: SmallVec<[Clearing; 2]>,
    /// What its transaction has read since it wrote.
    pub(crate) private: SmallVec<[Private; 2]>,
    /// The version of the database when its transaction began, and what that has read, if it
    /// reads one snapshot.
    pub(crate) seen: Option<Seen>,
}

/// Where a client stands with its present statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// It has not begun with it.
    Ready,
    /// It has the entry, if there is one, and some of the generations.
    Reading(Reading),
    /// It waits for another client's flight.
    Waiting {
        /// The version of the database when the request began.
        start: u8,
        leader: u8,
    },
    /// Its query is on its way to the database.
    Running { start: u8, how: How, right: Right },
    /// It has the result and is about to store it.
    Filling {
        start: u8,
        how: How,
        right: Right,
        value: Answer,
    },
    /// Its mark is on its way: `next` of the tags are marked.
    Marking { sent: u8, next: u8 },
    /// A statement that commits is on its way, or its answer is.
    Sent,
    /// It has nothing more to run.
    Over,
    /// It crashed.
    Crashed,
}

/// A read whose generations are being fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    pub(crate) start: u8,
    pub(crate) guard: Option<Generation>,
    pub(crate) access: Use,
    pub(crate) incarnation: u8,
    pub(crate) entry: Option<(Stamp, Answer)>,
    pub(crate) generations: SmallVec<[Generation; 8]>,
}

/// What a read may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Use {
    /// The shared store.
    Shared,
    /// The shared store, but the query must run.
    FillOnly,
    /// What the transaction keeps to itself.
    Private,
}

/// The inputs of a right to fill, from which [`kogia_core::Fill`] is built again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Right {
    pub(crate) guard: Option<Generation>,
    pub(crate) generations: SmallVec<[Generation; 8]>,
    pub(crate) private: bool,
    pub(crate) incarnation: u8,
}

/// How a read ends, or is going to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Hit,
    SnapshotHit,
    PrivateHit,
    Joined,
    Miss,
    Stale,
    Marked,
    SnapshotMoved,
    Bypass,
}

/// Something that happened to a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// It read the commit tag.
    CommitGeneration(Generation),
    /// It ran a statement on the connection.
    Ran(Text, Ended),
}

/// [`Outcome`], comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    Done,
    Failed,
    Unknown,
}

/// Marks to clear: `next` of the tags are cleared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Clearing {
    pub(crate) owner: u8,
    pub(crate) tags: TagMask,
    pub(crate) next: u8,
}

/// A result that a transaction keeps to itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Private {
    pub(crate) text: Text,
    pub(crate) stamp: Stamp,
    pub(crate) value: Answer,
}

/// What a snapshot transaction has seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) since: u8,
    pub(crate) reads: SmallVec<[(Text, Answer); 4]>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Client {
            at: 0,
            phase: Phase::Ready,
            session: SmallVec::new(),
            owners: 0,
            marked: TagMask::default(),
            clearing: SmallVec::new(),
            private: SmallVec::new(),
            seen: None,
        }
    }

    /// The session, built from what it went through.
    pub(crate) fn session(&self, vocabulary: &Vocabulary, fresh: &SessionState) -> SessionState {
        let mut state = fresh.clone();
        for event in &self.session {
            match event {
                Event::CommitGeneration(generation) => state.commit_generation(Some(*generation)),
                Event::Ran(text, ended) => {
                    let execution = state.plan(vocabulary.statement(*text), &[]);
                    state.finish(execution, (*ended).into());
                }
            }
        }
        state
    }

    /// Its present owner id. Each mark has its own.
    pub(crate) fn owner(&self, index: usize) -> u8 {
        (index as u8) * 16 + self.owners
    }

    /// Whether it runs nothing any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over | Phase::Crashed)
    }

    pub(crate) fn private_entry(&self, text: Text) -> Option<StoredEntry<Answer>> {
        let private = self.private.iter().find(|private| private.text == text)?;
        Some(StoredEntry {
            stamp: private.stamp.clone(),
            value: private.value,
            remaining: None,
        })
    }

    /// Visits all generations that it remembers.
    pub(crate) fn generations_mut(&mut self, visit: &mut impl FnMut(&mut Generation)) {
        match &mut self.phase {
            Phase::Reading(reading) => {
                reading.guard.iter_mut().for_each(&mut *visit);
                reading.generations.iter_mut().for_each(&mut *visit);
                if let Some((stamp, _)) = &mut reading.entry {
                    stamp.0.iter_mut().for_each(&mut *visit);
                }
            }
            Phase::Running { right, .. } | Phase::Filling { right, .. } => {
                right.guard.iter_mut().for_each(&mut *visit);
                right.generations.iter_mut().for_each(&mut *visit);
            }
            _ => {}
        }
        for event in &mut self.session {
            if let Event::CommitGeneration(generation) = event {
                visit(generation);
            }
        }
        for private in &mut self.private {
            private.stamp.0.iter_mut().for_each(&mut *visit);
        }
    }
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Outcome {
        match ended {
            Ended::Done => Outcome::Done,
            Ended::Failed => Outcome::Failed,
            Ended::Unknown => Outcome::Unknown,
        }
    }
}

/// A session of a connection that was just opened.
pub(crate) fn fresh_session(vocabulary: &Vocabulary, isolation: Isolation) -> SessionState {
    SessionState::new(Arc::new(SessionConfig {
        dialect: kogia_core::Dialect::Postgres,
        id: kogia_core::DatabaseId::new("model"),
        database: vocabulary.database,
        isolation,
        autocommit: true,
        catalog: true,
        altered: Arc::default(),
        prefix: vocabulary.prefix,
    }))
}
