//! The decoding of stored bytes.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use kogia_core::Entry;
use kogia_core::rows::Rows;
use kogia_fuzz::{ENTRY, ROWS, drive};

#[test]
fn entry() {
    drive(&ENTRY, env!("CARGO_TARGET_TMPDIR"));
}

#[test]
fn rows() {
    drive(&ROWS, env!("CARGO_TARGET_TMPDIR"));
}

/// Seeds of another format would be refused at their first byte, and the fuzzing with them.
#[test]
fn seeds_of_stored_bytes_are_of_this_format() {
    for (name, seed) in ENTRY.seeds() {
        assert!(
            Entry::parse(&seed).is_ok(),
            "{name} is old, run the example `seeds`"
        );
    }
    for (name, seed) in ROWS.seeds() {
        assert!(
            Rows::parse(&seed).is_ok(),
            "{name} is old, run the example `seeds`"
        );
    }
}
