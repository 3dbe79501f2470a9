//! What is stored for one tag, or for the tags of one slot: the generation and its owners.
//!
//! ```text
//! word: 16 bytes | for each owner: id 16, lease end 8, process 20, backend 1 (length 2, bytes)
//! ```

use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Generation, Lease, OwnerId, StoreTime, TagState};
use smallvec::SmallVec;

use super::bytes::Reader;
use super::machine::{self, Process};
use crate::store::Backend;

/// The token that all generations are combined with.
///
/// Words are stored exclusive-or'ed with it, and a tag that nobody wrote to has the word zero, so
/// its generation is the incarnation itself. That way a tag needs no word before its first write,
/// and a new incarnation renews all generations at once. Its lowest bit is zero, so the flag of
/// a mark passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incarnation(pub(super) Generation);

impl Incarnation {
    /// An incarnation as it was stored, and the transaction that stored it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut rest = Reader(bytes);
        let token = Generation::from_u128(rest.u128()?);
        let transaction = usize::try_from(rest.u64()?).ok()?;
        let is_whole = token.is_clean() && rest.0.is_empty();
        is_whole.then_some((Incarnation(token), transaction))
    }

    pub(super) fn to_bytes(self, transaction: usize) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.0.to_u128().to_le_bytes());
        bytes[16..].copy_from_slice(&(transaction as u64).to_le_bytes());
        bytes
    }

    /// The generation in a stored cell, or that of a tag without one.
    pub(super) fn generation(self, cell: Option<&[u8]>) -> Option<Generation> {
        match cell {
            None => Some(self.0),
            Some(bytes) => Reader(bytes).u128().map(|word| self.combine(word)),
        }
    }

    /// Its own inverse.
    fn combine(self, word: u128) -> Generation {
        Generation::from_u128(word ^ self.0.to_u128())
    }
}

/// A decoded cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) state: TagState,
    writers: SmallVec<[(OwnerId, Writer); 2]>,
}

/// What is known of an owner besides its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) process: Option<Process>,
    pub(super) backend: Backend,
}

impl Cell {
    /// A cell as it was stored, if the bytes are whole.
    pub(super) fn decode(bytes: Option<&[u8]>, incarnation: Incarnation) -> Option<Cell> {
        let mut leases: SmallVec<[Lease; 2]> = SmallVec::new();
        let mut writers = SmallVec::new();
        if let Some(bytes) = bytes {
            let mut rest = Reader(bytes.get(16..)?);
            while !rest.0.is_empty() {
                let owner = OwnerId(rest.u128()?);
                let until = StoreTime(Duration::from_nanos(rest.u64()?));
                leases.push(Lease { owner, until });
                writers.push((owner, Writer::decode(&mut rest)?));
            }
        }
        Some(Cell {
            state: TagState::new(incarnation.generation(bytes)?, leases),
            writers,
        })
    }

    pub(super) fn encode(&self, incarnation: Incarnation, out: &mut Vec<u8>) {
        let word = self.state.generation().to_u128();
        out.clear();
        out.extend(incarnation.combine(word).to_u128().to_le_bytes());
        for lease in self.state.owners() {
            out.extend(lease.owner.0.to_le_bytes());
            out.extend(machine::nanoseconds(lease.until).to_le_bytes());
            self.writer(lease.owner).encode(out);
        }
    }

    /// `MARK`: see [`TagState::mark`].
    pub(super) fn mark(
        &mut self,
        owner: OwnerId,
        until: StoreTime,
        writer: &Writer,
        fresh: Generation,
    ) {
        self.state.mark(owner, until, fresh);
        self.writers.retain(|(known, _)| *known != owner);
        self.writers.push((owner, writer.clone()));
    }

    /// `CLEAR`: see [`TagState::clear`].
    pub(super) fn clear(&mut self, owner: OwnerId, fresh: Generation) {
        self.state.clear(owner, fresh);
        self.writers.retain(|(known, _)| *known != owner);
    }

    pub(super) fn writer(&self, owner: OwnerId) -> &Writer {
        static UNKNOWN: Writer = Writer {
            process: None,
            backend: Backend::Unknown,
        };
        let known = self.writers.iter().find(|(known, _)| *known == owner);
        known.map_or(&UNKNOWN, |(_, writer)| writer)
    }
}

impl Writer {
    fn decode(rest: &mut Reader<'_>) -> Option<Writer> {
        let process = Process {
            id: rest.u32()?,
            started: rest.u64()?,
            namespace: rest.u64()?,
        };
        let backend = match rest.u8()? {
            0 => Backend::Process,
            1 => {
                let length = rest.u16()?;
                Backend::Server(Bytes::copy_from_slice(rest.take(usize::from(length))?))
            }
            _ => Backend::Unknown,
        };
        Some(Writer {
            // No process has the id zero.
            process: (process.id != 0).then_some(process),
            backend,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let process = self.process.unwrap_or(Process {
            id: 0,
            started: 0,
            namespace: 0,
        });
        out.extend(process.id.to_le_bytes());
        out.extend(process.started.to_le_bytes());
        out.extend(process.namespace.to_le_bytes());
        match &self.backend {
            Backend::Process => out.push(0),
            Backend::Server(name) => match u16::try_from(name.len()) {
                Ok(length) => {
                    out.push(1);
                    out.extend(length.to_le_bytes());
                    out.extend(name);
                }
                // No front end names a backend in 64 KiB; what is cut short names nothing.
                Err(_) => out.push(2),
            },
            Backend::Unknown => out.push(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation() -> Incarnation {
        Incarnation(fresh(7))
    }

    fn fresh(number: u128) -> Generation {
        Generation::from_u128(number << 1)
    }

    fn writer(backend: Backend) -> Writer {
        Writer {
            process: Some(Process {
                id: 1,
                started: 2,
                namespace: 3,
            }),
            backend,
        }
    }

    #[test]
    fn a_cell_comes_back_as_it_was_stored() {
        let mut cell = Cell::decode(None, incarnation()).unwrap();
        assert!(cell.state.generation().is_clean());
        let server = writer(Backend::Server(Bytes::from_static(b"pid 77")));
        let until = StoreTime(Duration::from_secs(5));
        cell.mark(OwnerId(1), until, &server, fresh(10));
        cell.mark(OwnerId(2), until, &writer(Backend::Process), fresh(11));
        let mut bytes = Vec::new();
        cell.encode(incarnation(), &mut bytes);
        let stored = Cell::decode(Some(&bytes), incarnation()).unwrap();
        assert_eq!(stored.state, cell.state);
        assert_eq!(stored.writer(OwnerId(1)), &server);
        assert_eq!(stored.writer(OwnerId(2)).backend, Backend::Process);
        assert_eq!(stored.writer(OwnerId(3)).process, None);
        assert!(stored.state.generation().is_marked());
        assert_eq!(
            incarnation().generation(Some(&bytes)),
            Some(stored.state.generation())
        );
    }

    #[test]
    fn another_incarnation_renews_the_generation_and_keeps_the_owners() {
        let mut cell = Cell::decode(None, incarnation()).unwrap();
        cell.mark(
            OwnerId(1),
            StoreTime::default(),
            &writer(Backend::Unknown),
            fresh(9),
        );
        let mut bytes = Vec::new();
        cell.encode(incarnation(), &mut bytes);
        let other = Incarnation(fresh(8));
        let renewed = Cell::decode(Some(&bytes), other).unwrap();
        assert_ne!(renewed.state.generation(), cell.state.generation());
        assert!(renewed.state.generation().is_marked());
        assert_eq!(renewed.state.owners(), cell.state.owners());
    }

    #[test]
    fn bytes_that_are_cut_short_are_no_cell() {
        let mut cell = Cell::decode(None, incarnation()).unwrap();
        let server = writer(Backend::Server(Bytes::from_static(b"x")));
        cell.mark(OwnerId(1), StoreTime::default(), &server, fresh(9));
        let mut bytes = Vec::new();
        cell.encode(incarnation(), &mut bytes);
        for length in (0..bytes.len()).filter(|length| *length != 16) {
            assert!(Cell::decode(Some(&bytes[..length]), incarnation()).is_none());
        }
        let stored = incarnation().to_bytes(5);
        assert_eq!(Incarnation::from_bytes(&stored), Some((incarnation(), 5)));
        assert_eq!(Incarnation::from_bytes(&stored[..23]), None);
        assert_eq!(Incarnation::from_bytes(&[0; 24]), None);
    }
}
