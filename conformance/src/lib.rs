//! Cases as data that every front end of Kogia runs, random ones included.
//!
//! The oracle is an uncached connection: a case runs on two databases, one with a cache before it
//! and one without, step by step, and every answer must be the same. [`case`] says how a case is
//! written, [`generate`] makes random ones, [`shrink`] makes a failing one small, and [`mutant`]
//! lists the broken rules that the random ones must notice.

pub mod accident;
pub mod case;
pub mod connection;
pub mod differential;
pub mod engine;
pub mod front;
pub mod generate;
pub mod history;
pub mod mix;
pub mod mutant;
pub mod pairs;
pub mod process;
pub mod run;
pub mod servers;
pub mod shrink;
pub mod sqlite;
pub mod step;
pub mod stores;
pub mod value;
pub mod wrapped;
