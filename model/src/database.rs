//! A small multi-version database.

use kogia_core::Isolation;
use smallvec::SmallVec;

use crate::statements::{Cells, TagMask, Text};

/// The version of each part of the database that a query reads: how many commits there had been
/// when it last changed. That is the answer of the query, and its proof of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Answer(pub(crate) [u8; Cells::COUNT]);

impl Answer {
    /// Added to the number of a transaction's own uncommitted writes to a cell.
    pub(crate) const OWN: u8 = 0x80;

    /// How many rows with the key the answer holds, where it reads that row alone.
    pub(crate) fn key_rows(self) -> u64 {
        u64::from(self.0[Cells::KEY_INDEX] != 0)
    }
}

/// What has been committed, and the connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Database {
    pub(crate) commits: SmallVec<[Commit; 4]>,
    pub(crate) connections: Vec<Connection>,
    /// Whether the row with the key exists before anything is committed.
    pub(crate) key_exists: bool,
}

/// What one commit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Commit {
    cells: [bool; Cells::COUNT],
    /// The tags that its statements write, whatever was marked for it.
    pub(crate) tags: TagMask,
}

/// The server's side of a client's connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Connection {
    /// A transaction is open.
    pub(crate) open: bool,
    /// The version that the open transaction reads, once it has begun one.
    pub(crate) snapshot: Option<u8>,
    /// How often the open transaction has written each cell.
    own: [u8; Cells::COUNT],
    own_tags: TagMask,
    savepoint: Option<([u8; Cells::COUNT], TagMask)>,
    /// A statement that commits, on its way or waiting to be executed.
    pub(crate) wire: Option<Wire>,
    /// The transaction, or the write, for which marks were set last is over.
    pub(crate) over: bool,
    /// The client is gone; so will be the connection when nothing is on the wire.
    pub(crate) closed: bool,
}

/// A statement that commits, sent and not executed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    pub(crate) text: Text,
    /// The client's clock when it was sent.
    pub(crate) sent: u8,
}

impl Database {
    pub(crate) fn new(connections: usize, key_exists: bool) -> Self {
        Database {
            commits: SmallVec::new(),
            connections: vec![Connection::default(); connections],
            key_exists,
        }
    }

    /// Runs a statement that commits nothing.
    pub(crate) fn run(&mut self, client: usize, text: Text, tags: TagMask, isolation: Isolation) {
        if !matches!(text, Text::Begin | Text::Savepoint | Text::RollbackTo) {
            self.take_snapshot(client, isolation);
        }
        match text {
            Text::Commit => {
                self.commit(client);
            }
            _ => self.write(client, text, tags),
        }
    }

    /// Executes what is on the wire of a connection, and commits it or rolls it back.
    pub(crate) fn execute(&mut self, client: usize, tags: TagMask, succeeds: bool) {
        let Some(wire) = self.connections[client].wire.take() else {
            return;
        };
        if succeeds {
            if wire.text != Text::Commit {
                self.write(client, wire.text, tags);
            }
            self.commit(client);
        } else {
            self.roll_back(client);
        }
        self.connections[client].over = true;
    }

    pub(crate) fn roll_back(&mut self, client: usize) {
        let connection = &mut self.connections[client];
        *connection = Connection {
            wire: connection.wire,
            over: connection.over,
            closed: connection.closed,
            ..Connection::default()
        };
    }

    /// The client is gone. What it has not sent to be committed is rolled back.
    pub(crate) fn close(&mut self, client: usize) {
        self.connections[client].closed = true;
        if self.connections[client].wire.is_none() {
            self.roll_back(client);
        }
    }

    /// Answers a query on a connection, and begins its snapshot if the level has one.
    pub(crate) fn query(&mut self, client: usize, text: Text, isolation: Isolation) -> Answer {
        self.take_snapshot(client, isolation);
        let connection = &self.connections[client];
        let version = connection.snapshot.unwrap_or(self.version());
        self.answer(text.cells(), version, &connection.own)
    }

    /// The answer of a query to somebody who has written nothing.
    pub(crate) fn committed(&self, text: Text, version: u8) -> Answer {
        self.answer(text.cells(), version, &[0; Cells::COUNT])
    }

    /// The answer of a query to a client that sees this version and its own writes.
    pub(crate) fn answer_to(&self, client: usize, text: Text, version: u8) -> Answer {
        self.answer(text.cells(), version, &self.connections[client].own)
    }

    /// How many commits there have been.
    pub(crate) fn version(&self) -> u8 {
        self.commits.len() as u8
    }

    /// How many commits have written a tag.
    pub(crate) fn version_of(&self, tag: usize) -> u8 {
        let wrote = |commit: &&Commit| commit.tags.contains(tag);
        self.commits.iter().filter(wrote).count() as u8
    }

    /// Whether the client's open transaction has written any of the cells.
    pub(crate) fn has_written(&self, client: usize, cells: Cells) -> bool {
        let own = &self.connections[client].own;
        (0..Cells::COUNT).any(|cell| cells.contains(cell) && own[cell] > 0)
    }

    fn answer(&self, cells: Cells, version: u8, own: &[u8; Cells::COUNT]) -> Answer {
        let mut answer = Answer::default();
        for cell in (0..Cells::COUNT).filter(|cell| cells.contains(*cell)) {
            answer.0[cell] = match own[cell] {
                0 => self.last_change(cell, version),
                writes => Answer::OWN + writes,
            };
        }
        answer
    }

    /// The commit that last changed a cell, as of a version. 0 means never; for the row with the
    /// key, if it existed at first, 0 is taken by its absence.
    fn last_change(&self, cell: usize, version: u8) -> u8 {
        let seen = &self.commits[..usize::from(version)];
        match seen.iter().rposition(|commit| commit.cells[cell]) {
            Some(last) => last as u8 + 2,
            None if cell == Cells::KEY_INDEX => u8::from(self.key_exists),
            None => 0,
        }
    }

    fn write(&mut self, client: usize, text: Text, tags: TagMask) {
        let version = self.version();
        let exists = self.last_change(Cells::KEY_INDEX, version) != 0
            || self.connections[client].own[Cells::KEY_INDEX] != 0;
        let connection = &mut self.connections[client];
        match text {
            Text::Begin => connection.open = true,
            Text::Savepoint => connection.savepoint = Some((connection.own, connection.own_tags)),
            Text::RollbackTo => {
                if let Some((own, tags)) = connection.savepoint {
                    (connection.own, connection.own_tags) = (own, tags);
                }
            }
            _ => {
                for cell in (0..Cells::COUNT).filter(|cell| text.cells().contains(*cell)) {
                    if cell != Cells::KEY_INDEX || exists || text == Text::InsertKey {
                        connection.own[cell] += 1;
                    }
                }
                connection.own_tags = connection.own_tags.join(tags);
            }
        }
    }

    fn commit(&mut self, client: usize) {
        let connection = &self.connections[client];
        if !connection.own_tags.is_empty() {
            self.commits.push(Commit {
                cells: connection.own.map(|writes| writes > 0),
                tags: connection.own_tags,
            });
        }
        self.roll_back(client);
    }

    pub(crate) fn take_snapshot(&mut self, client: usize, isolation: Isolation) {
        let version = self.version();
        let connection = &mut self.connections[client];
        if connection.open && isolation.is_snapshot() {
            connection.snapshot.get_or_insert(version);
        }
    }
}
