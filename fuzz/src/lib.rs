//! Fuzz targets, and a driver for them that needs no nightly compiler.
//!
//! A target takes any bytes and panics if a property does not hold. `tests/` runs every target
//! over the seeds in `corpus/` and over mutations of them, 20,000 by default:
//!
//! ```text
//! KOGIA_FUZZ_ITERATIONS=10000000 cargo test --release -p kogia-fuzz rows
//! ```
//!
//! A failure prints the command that repeats it. `examples/seeds.rs` writes the seeds of stored
//! bytes again when their format has changed.
//!
//! With a nightly compiler, `cargo-fuzz/` (a workspace of its own) runs the same targets guided
//! by coverage: see its `Cargo.toml`.

// To panic is how a target says that a property does not hold.
#![allow(clippy::expect_used)]

mod analyse;
mod driver;
mod entry;
mod rows;

pub use self::analyse::ANALYSE;
pub use self::driver::{Target, drive};
pub use self::entry::ENTRY;
pub use self::rows::ROWS;
