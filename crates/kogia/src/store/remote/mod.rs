//! What stores behind a network share.

pub(super) mod backend;
mod breaker;
mod connections;
pub(super) mod entry;
pub(super) mod options;
mod pool;

pub(super) use self::breaker::Breaker;
pub(super) use self::connections::{Connections, Dial, Refused};
pub(super) use self::pool::Pool;

use std::time::Duration;

use kogia_core::Generation;

use super::StoreError;

/// Generations that nobody asks for are forgotten after a week; entries live for less.
pub(super) const GENERATION_TTL: Duration = Duration::from_secs(7 * 86_400);

/// How often a call begins anew because the incarnation has changed under it.
pub(super) const ATTEMPTS: usize = 3;

/// A generation as the engine sees it: current in the incarnation that has this token, and in no
/// other one.
pub(super) fn in_incarnation(token: &[u8; 16], stored: Generation) -> Generation {
    if stored.is_missing() {
        return stored;
    }
    // The lowest bit is the mark.
    let token = u128::from_le_bytes(*token) & !1;
    Generation::from_u128(stored.to_u128() ^ token)
}

/// A generation as it stands in the server.
pub(super) fn stored_generation(bytes: Option<&[u8]>) -> Generation {
    let word = bytes.and_then(|bytes| bytes.try_into().ok());
    word.map_or(Generation::MISSING, |word| {
        Generation::from_u128(u128::from_le_bytes(word))
    })
}

/// Counts what a server refused because it is full and may not evict.
pub(super) fn count_out_of_memory() {
    metrics::counter!("kogia_store_out_of_memory_total").increment(1);
}

pub(super) fn failed<E: std::fmt::Display>(
    operation: &'static str,
    refused: &Refused<E>,
) -> StoreError {
    StoreError::Failed {
        operation,
        reason: refused.to_string(),
    }
}
