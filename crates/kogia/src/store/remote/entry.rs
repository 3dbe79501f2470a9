//! Entries as they stand in the server.
//!
//! One byte for the compression, and the entry in the engine's own format (`kogia_core::Entry`),
//! compressed if that pays.

use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Entry, Fill, QueryKey, StoredEntry};

/// Shorter entries gain nothing.
const WORTH_COMPRESSING: usize = 1024;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// What a claim of a query is known by: its key, and the stamp of its result.
pub(in crate::store) fn claim(fill: &Fill) -> Vec<u8> {
    let generations = fill.stamp().0.iter();
    let stamp = generations.fold(0_u128, |mixed, generation| {
        mixed.rotate_left(1) ^ generation.to_u128()
    });
    [&fill.key().as_bytes()[..], &stamp.to_le_bytes()].concat()
}

/// The bytes of an entry; `None` if it is longer than `longest`, or has no encoding.
pub(in crate::store) fn encode(
    fill: &Fill,
    rows: u64,
    value: &[u8],
    longest: usize,
) -> Option<Vec<u8>> {
    let stamp = fill.entry_stamp(rows);
    let entry = Entry {
        key: fill.key(),
        stamp: &stamp,
        expires: Entry::NEVER,
        value,
    };
    let plain = entry.encode().ok()?;
    let compressed = (plain.len() >= WORTH_COMPRESSING)
        .then(|| lz4_flex::compress_prepend_size(&plain))
        .filter(|compressed| compressed.len() < plain.len() / 8 * 7);
    let (kind, body) = match &compressed {
        Some(compressed) => (LZ4, compressed),
        None => (PLAIN, &plain),
    };
    if body.len() > longest {
        return None;
    }
    let mut bytes = Vec::with_capacity(1 + body.len());
    bytes.push(kind);
    bytes.extend_from_slice(body);
    Some(bytes)
}

/// The entry, if the bytes are one of this key. Everything else is a miss.
pub(in crate::store) fn decode(
    bytes: Vec<u8>,
    key: &QueryKey,
    remaining: Option<Duration>,
) -> Option<StoredEntry<Bytes>> {
    let (kind, body) = bytes.split_first()?;
    let plain = match *kind {
        PLAIN => Bytes::from(bytes).slice(1..),
        LZ4 => Bytes::from(decompress(body)?),
        _ => return None,
    };
    let entry = Entry::parse(&plain).ok()?;
    (entry.key() == key).then(|| StoredEntry {
        stamp: entry.stamp(),
        value: plain.slice_ref(entry.value()),
        remaining,
    })
}

fn decompress(body: &[u8]) -> Option<Vec<u8>> {
    /// Nobody fills more; a length that is not true must not take all memory.
    const LONGEST: usize = 1 << 30;
    /// LZ4 cannot do better.
    const RATIO: usize = 255;
    let length = u32::from_le_bytes(*body.first_chunk()?) as usize;
    if length > LONGEST.min(body.len().saturating_mul(RATIO)) {
        return None;
    }
    lz4_flex::decompress_size_prepended(body).ok()
}
