//! The bytes of a stored entry.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::generation::{Generation, Stamp, StoreTime};
use crate::key::QueryKey;

/// An entry on its way into a store that keeps bytes.
///
/// # Format
///
/// All numbers are little-endian.
///
/// ```text
/// format 1 | number of generations 2 | length of the value 4 | deadline 8 | key 32
///          | generations, 16 each | value | checksum 8
/// ```
///
/// The checksum covers everything before it. It finds accidents, not attackers: whoever can write
/// to a store can make it answer what they like. The deadline is in nanoseconds of the store's
/// clock; a store that expires entries itself may put [`Entry::NEVER`] there.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The whole key, compared on a hit.
    pub key: &'a QueryKey,
    /// The generations of the entry's tags; [`Generation::MISSING`] where the entry does not
    /// depend on the tag.
    pub stamp: &'a Stamp,
    /// When the entry has expired.
    pub expires: StoreTime,
    /// The encoded result.
    pub value: &'a [u8],
}

impl Entry<'_> {
    /// The number of the format. An entry with another one is a miss.
    pub const FORMAT: u8 = 1;

    /// A deadline that no clock reaches.
    pub const NEVER: StoreTime = StoreTime(Duration::from_nanos(u64::MAX));

    /// Reads an entry without copying it. Every error is a miss.
    pub fn parse(bytes: &[u8]) -> Result<EntryRef<'_>, EntryError> {
        let header = EntryHeader::parse(bytes)?;
        if bytes.len() != header.entry_len() {
            return Err(EntryError::Length);
        }
        let (covered, checksum) = bytes.split_last_chunk().ok_or(EntryError::Length)?;
        if u64::from_le_bytes(*checksum) != xxh3_64(covered) {
            return Err(EntryError::Checksum);
        }
        let body = covered.get(EntryHeader::LEN..).ok_or(EntryError::Length)?;
        let (stamp, value) = body
            .split_at_checked(header.stamp_len())
            .ok_or(EntryError::Length)?;
        Ok(EntryRef {
            header,
            stamp: stamp.as_chunks().0,
            value,
        })
    }

    /// The exact number of bytes that [`Entry::encode_into`] writes.
    pub fn encoded_len(&self) -> Result<usize, EncodeEntryError> {
        Ok(self.header()?.entry_len())
    }

    /// Writes the entry into a buffer of exactly [`Entry::encoded_len`] bytes.
    pub fn encode_into(&self, out: &mut [u8]) -> Result<(), EncodeEntryError> {
        let header = self.header()?;
        if out.len() != header.entry_len() {
            return Err(EncodeEntryError::Buffer {
                needed: header.entry_len(),
                given: out.len(),
            });
        }
        let mut rest = &mut *out;
        let mut put = |bytes: &[u8]| {
            if let Some(place) = rest.split_off_mut(..bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        put(&[Self::FORMAT]);
        put(&header.generations.to_le_bytes());
        put(&header.value_len.to_le_bytes());
        put(&nanoseconds(self.expires).to_le_bytes());
        put(self.key.as_bytes());
        for generation in &self.stamp.0 {
            put(&generation.to_u128().to_le_bytes());
        }
        put(self.value);
        if let Some((covered, checksum)) = out.split_last_chunk_mut() {
            *checksum = xxh3_64(covered).to_le_bytes();
        }
        Ok(())
    }

    /// The entry's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeEntryError> {
        let mut out = vec![0; self.encoded_len()?];
        self.encode_into(&mut out)?;
        Ok(out)
    }

    fn header(&self) -> Result<EntryHeader, EncodeEntryError> {
        Ok(EntryHeader {
            key: *self.key,
            expires: self.expires,
            generations: u16::try_from(self.stamp.0.len()).map_err(|_| EncodeEntryError::Stamp)?,
            value_len: u32::try_from(self.value.len()).map_err(|_| EncodeEntryError::Value)?,
        })
    }
}

/// What stands before an entry's stamp and value.
///
/// A store that keeps an entry in several pieces reads it from the first of them, to learn whether
/// the rest is worth fetching. Only [`Entry::parse`] checks the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHeader {
    key: QueryKey,
    expires: StoreTime,
    generations: u16,
    value_len: u32,
}

impl EntryHeader {
    /// The number of bytes that it takes at the beginning of an entry.
    pub const LEN: usize = 1 + 2 + 4 + 8 + 32;

    /// Reads the header at the beginning of an entry's bytes.
    pub fn parse(bytes: &[u8]) -> Result<EntryHeader, EntryError> {
        let (&format, _) = bytes.split_first().ok_or(EntryError::Length)?;
        if format != Entry::FORMAT {
            return Err(EntryError::Format(format));
        }
        let header: &[u8; Self::LEN] = bytes.first_chunk().ok_or(EntryError::Length)?;
        let [_, g0, g1, v0, v1, v2, v3, rest @ ..] = header;
        let (expires, key) = rest.split_first_chunk().ok_or(EntryError::Length)?;
        let expires = Duration::from_nanos(u64::from_le_bytes(*expires));
        Ok(EntryHeader {
            key: QueryKey::from_bytes(*key.first_chunk().ok_or(EntryError::Length)?),
            expires: StoreTime(expires),
            generations: u16::from_le_bytes([*g0, *g1]),
            value_len: u32::from_le_bytes([*v0, *v1, *v2, *v3]),
        })
    }

    /// The entry's key.
    pub fn key(&self) -> &QueryKey {
        &self.key
    }

    /// When the entry has expired.
    pub fn expires(&self) -> StoreTime {
        self.expires
    }

    /// The number of bytes of the whole entry, at least.
    pub fn entry_len(&self) -> usize {
        // A length that no address space holds is no entry's: saturated, it fits no bytes.
        (Self::LEN + self.stamp_len() + CHECKSUM_LEN).saturating_add(self.value_len as usize)
    }

    fn stamp_len(&self) -> usize {
        usize::from(self.generations) * GENERATION_LEN
    }
}

/// An entry as a store kept it, checked.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    header: EntryHeader,
    stamp: &'a [[u8; GENERATION_LEN]],
    value: &'a [u8],
}

impl<'a> EntryRef<'a> {
    /// The whole key, to be compared with the one that was asked for.
    pub fn key(&self) -> &QueryKey {
        &self.header.key
    }

    /// When the entry has expired.
    pub fn expires(&self) -> StoreTime {
        self.header.expires
    }

    /// The generations that the entry's tags had before its query ran, in the order of the tags.
    pub fn generations(&self) -> impl ExactSizeIterator<Item = Generation> + use<'a> {
        let word = |bytes: &[u8; GENERATION_LEN]| u128::from_le_bytes(*bytes);
        self.stamp
            .iter()
            .map(move |bytes| Generation::from_u128(word(bytes)))
    }

    /// The same as a stamp of its own.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.generations().collect())
    }

    /// The encoded result.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }
}

/// Why bytes are not an entry. Each is a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Another version of the program wrote them.
    #[error("the entry has the unknown format {0}")]
    Format(u8),
    /// They are cut short or too long.
    #[error("the entry's length is not what its header says")]
    Length,
    /// They were damaged.
    #[error("the entry's checksum is wrong")]
    Checksum,
}

/// Why an entry cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeEntryError {
    /// The stamp has more than 65,535 generations.
    #[error("the entry depends on more than 65,535 tags")]
    Stamp,
    /// The value has 4 GiB or more.
    #[error("the value has 4 GiB or more")]
    Value,
    /// The buffer has another length than [`Entry::encoded_len`] says.
    #[error("the entry takes {needed} bytes, not the {given} of the buffer")]
    Buffer {
        /// What [`Entry::encoded_len`] says.
        needed: usize,
        /// The length of the buffer.
        given: usize,
    },
}

const GENERATION_LEN: usize = 16;
const CHECKSUM_LEN: usize = 8;

/// A later point than the number holds (the year 2554, if the clock counts from 1970) becomes the
/// last that it holds: expiring early is only a miss.
fn nanoseconds(time: StoreTime) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn stamp(words: &[u128]) -> Stamp {
        Stamp(
            words
                .iter()
                .map(|word| Generation::from_u128(*word))
                .collect(),
        )
    }

    fn sample(value: &[u8]) -> Vec<u8> {
        let entry = Entry {
            key: &QueryKey::from_bytes([5; 32]),
            stamp: &stamp(&[1 << 64, 0, 3]),
            expires: StoreTime(Duration::from_nanos(1_234_567_890_123)),
            value,
        };
        entry.encode().unwrap()
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = sample(b"rows");
        assert_eq!(bytes.len(), 47 + 3 * 16 + 4 + 8);
        assert_eq!(bytes[..7], [1, 3, 0, 4, 0, 0, 0]);
        assert_eq!(bytes[7..15], 1_234_567_890_123_u64.to_le_bytes());
        assert_eq!(bytes[15..47], [5; 32]);
        assert_eq!(&bytes[95..99], b"rows");
    }

    #[test]
    fn the_header_is_read_from_the_first_piece() {
        let bytes = sample(&[7; 10_000]);
        let header = EntryHeader::parse(&bytes[..EntryHeader::LEN]).unwrap();
        assert_eq!(header.entry_len(), bytes.len());
        assert_eq!(header.key(), &QueryKey::from_bytes([5; 32]));
        assert_eq!(
            header.expires(),
            StoreTime(Duration::from_nanos(1_234_567_890_123))
        );
        assert_eq!(EntryHeader::parse(&bytes[..46]), Err(EntryError::Length));
    }

    #[test]
    fn another_format_is_told_apart_from_damage() {
        let mut bytes = sample(b"rows");
        bytes[0] = 2;
        assert_eq!(Entry::parse(&bytes).unwrap_err(), EntryError::Format(2));
        assert_eq!(Entry::parse(&[2]).unwrap_err(), EntryError::Format(2));
        assert_eq!(Entry::parse(&[]).unwrap_err(), EntryError::Length);
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let bytes = sample(b"some rows");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Entry::parse(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_other_length_is_noticed() {
        let mut bytes = sample(b"some rows");
        for length in 0..bytes.len() {
            assert!(Entry::parse(&bytes[..length]).is_err(), "length {length}");
        }
        bytes.push(0);
        assert_eq!(Entry::parse(&bytes).unwrap_err(), EntryError::Length);
    }

    #[test]
    fn lengths_that_no_memory_holds_are_noticed() {
        let mut bytes = sample(b"");
        bytes[1..7].fill(0xff);
        assert_eq!(Entry::parse(&bytes).unwrap_err(), EntryError::Length);
    }

    #[test]
    fn a_stamp_that_its_field_cannot_count_is_refused() {
        let (key, stamp) = (QueryKey::from_bytes([0; 32]), stamp(&vec![2; 1 << 16]));
        let entry = Entry {
            key: &key,
            stamp: &stamp,
            expires: Entry::NEVER,
            value: b"",
        };
        assert_eq!(entry.encoded_len(), Err(EncodeEntryError::Stamp));
    }

    #[test]
    fn a_buffer_of_another_length_is_refused_untouched() {
        let (key, stamp) = (QueryKey::from_bytes([0; 32]), stamp(&[2]));
        let entry = Entry {
            key: &key,
            stamp: &stamp,
            expires: Entry::NEVER,
            value: b"rows",
        };
        let needed = entry.encoded_len().unwrap();
        for given in [0, needed - 1, needed + 1] {
            let mut buffer = vec![0xaa; given];
            let refused = EncodeEntryError::Buffer { needed, given };
            assert_eq!(entry.encode_into(&mut buffer), Err(refused));
            assert!(buffer.iter().all(|byte| *byte == 0xaa));
        }
    }

    #[test]
    fn a_deadline_beyond_the_field_comes_early() {
        let (key, stamp) = (QueryKey::from_bytes([0; 32]), stamp(&[]));
        let expires = StoreTime(Duration::MAX);
        let bytes = Entry {
            key: &key,
            stamp: &stamp,
            expires,
            value: b"",
        }
        .encode()
        .unwrap();
        assert_eq!(Entry::parse(&bytes).unwrap().expires(), Entry::NEVER);
    }

    proptest! {
        #[test]
        fn an_entry_comes_back_as_it_was_stored(
            key: [u8; 32],
            words in vec(any::<u128>(), 0..20),
            nanoseconds: u64,
            value in vec(any::<u8>(), 0..600),
        ) {
            let (key, stamp) = (QueryKey::from_bytes(key), stamp(&words));
            let expires = StoreTime(Duration::from_nanos(nanoseconds));
            let entry = Entry { key: &key, stamp: &stamp, expires, value: &value };
            let bytes = entry.encode().unwrap();
            let parsed = Entry::parse(&bytes).unwrap();
            prop_assert_eq!(parsed.key(), &key);
            prop_assert_eq!(parsed.stamp(), stamp);
            prop_assert_eq!(parsed.expires(), expires);
            prop_assert_eq!(parsed.value(), value);
        }

        /// What an attacker could store: everything is as it should be, but nobody meant it.
        #[test]
        fn any_bytes_with_the_right_lengths_and_checksum_are_an_entry(
            mut bytes in vec(any::<u8>(), EntryHeader::LEN + CHECKSUM_LEN..200),
            generations in 0_usize..8,
        ) {
            let body = bytes.len() - EntryHeader::LEN - CHECKSUM_LEN;
            let generations = generations.min(body / GENERATION_LEN);
            let value = body - generations * GENERATION_LEN;
            bytes[..7].copy_from_slice(&[1, generations as u8, 0, value as u8, 0, 0, 0]);
            let (covered, checksum) = bytes.split_last_chunk_mut().unwrap();
            *checksum = xxh3_64(covered).to_le_bytes();
            let parsed = Entry::parse(&bytes).unwrap();
            let again = Entry {
                key: parsed.key(),
                stamp: &parsed.stamp(),
                expires: parsed.expires(),
                value: parsed.value(),
            };
            prop_assert_eq!(again.encode().unwrap(), bytes);
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(Entry::parse(&bytes).is_err());
        }
    }
}
