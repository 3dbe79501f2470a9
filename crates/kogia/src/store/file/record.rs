//! What is stored for one entry.
//!
//! ```text
//! checksum 8 | format 1, number of generations 2, length of the value 4, deadline 8, key 32
//!            | generations, 16 each | value
//! ```
//!
//! The checksum covers all that follows. A record is kept in parts of [`PART`] bytes at most, each
//! of which fits in one page: LMDB would keep a longer value in pages that lie side by side, and
//! looking for such a run among scattered free pages takes ever longer.

use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Generation, QueryKey, Stamp, StoreTime, StoredEntry};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::Reader;
use super::machine;

/// The longest part of a record: a page without its header.
pub(super) const PART: usize = 4096 - 16;

const FORMAT: u8 = 1;
const CHECKSUM: usize = 8;
const HEAD: usize = CHECKSUM + 1 + 2 + 4 + 8 + 32;

/// The number of parts that a record of this many bytes takes.
pub(super) fn parts(length: usize) -> u32 {
    u32::try_from(length.div_ceil(PART)).unwrap_or(u32::MAX)
}

/// An entry's bytes; `None` if a length does not fit its field.
pub(super) fn encode(
    key: &QueryKey,
    stamp: &Stamp,
    deadline: StoreTime,
    value: &[u8],
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(HEAD + 16 * stamp.0.len() + value.len());
    out.extend([0; CHECKSUM]);
    out.push(FORMAT);
    out.extend(u16::try_from(stamp.0.len()).ok()?.to_le_bytes());
    out.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
    out.extend(machine::nanoseconds(deadline).to_le_bytes());
    out.extend(key.as_bytes());
    for generation in &stamp.0 {
        out.extend(generation.to_u128().to_le_bytes());
    }
    out.extend_from_slice(value);
    let checksum = xxh3_64(&out[CHECKSUM..]);
    out[..CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    Some(out)
}

/// The first bytes of a record, which lie in its first part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    generations: usize,
    value: usize,
    pub(super) deadline: u64,
    pub(super) key: &'a [u8],
}

impl<'a> Head<'a> {
    pub(super) fn decode(first: &'a [u8]) -> Option<Head<'a>> {
        let mut rest = Reader(first.get(CHECKSUM..)?);
        if rest.u8()? != FORMAT {
            return None;
        }
        Some(Head {
            generations: usize::from(rest.u16()?),
            value: rest.u32()? as usize,
            deadline: rest.u64()?,
            key: rest.take(32)?,
        })
    }

    pub(super) fn length(&self) -> usize {
        HEAD + 16 * self.generations + self.value
    }

    pub(super) fn has_expired(&self, now: StoreTime) -> bool {
        self.remaining(now).is_zero()
    }

    fn remaining(&self, now: StoreTime) -> Duration {
        Duration::from_nanos(self.deadline.saturating_sub(machine::nanoseconds(now)))
    }
}

/// The entry in a whole record, unless it is damaged. `value` cuts a range out of the record.
pub(super) fn decode(
    record: &[u8],
    now: StoreTime,
    value: impl FnOnce(std::ops::Range<usize>) -> Bytes,
) -> Option<StoredEntry<Bytes>> {
    let head = Head::decode(record)?;
    let mut rest = Reader(record);
    if head.length() != record.len() || rest.u64()? != xxh3_64(rest.0) {
        return None;
    }
    let mut stamp = Reader(record.get(HEAD..)?);
    let stamp = (0..head.generations)
        .map(|_| stamp.u128().map(Generation::from_u128))
        .collect::<Option<_>>()?;
    Some(StoredEntry {
        stamp: Stamp(stamp),
        value: value(record.len() - head.value..record.len()),
        remaining: Some(head.remaining(now)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &[u8]) -> Vec<u8> {
        let stamp = Stamp((1..=3).map(|n| Generation::from_u128(n << 64)).collect());
        let deadline = StoreTime(Duration::from_secs(9));
        encode(&QueryKey::from_bytes([5; 32]), &stamp, deadline, value).unwrap()
    }

    fn entry(record: &[u8]) -> Option<StoredEntry<Bytes>> {
        let now = StoreTime(Duration::from_secs(2));
        decode(record, now, |range| Bytes::copy_from_slice(&record[range]))
    }

    #[test]
    fn an_entry_comes_back_as_it_was_stored() {
        for value in [&b""[..], b"rows", &[7; 10_000]] {
            let record = record(value);
            let entry = entry(&record).unwrap();
            assert_eq!(entry.value, value);
            assert_eq!(entry.stamp.0.len(), 3);
            assert_eq!(entry.remaining, Some(Duration::from_secs(7)));
            assert_eq!(entry.stamp.0[2].to_u128(), 3 << 64);
            let head = Head::decode(&record).unwrap();
            assert_eq!((head.key, head.length()), (&[5; 32][..], record.len()));
            assert!(head.has_expired(StoreTime(Duration::from_secs(9))));
            assert!(!head.has_expired(StoreTime(Duration::from_millis(8_999))));
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let record = record(b"some rows");
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(entry(&damaged).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn every_other_length_is_noticed() {
        let mut record = record(b"some rows");
        for length in 0..record.len() {
            assert!(entry(&record[..length]).is_none());
        }
        record.push(0);
        assert!(entry(&record).is_none());
    }
}
