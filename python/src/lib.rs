//! The engine as a Python module: `kogia._kogia`.
//!
//! Thin on purpose. Python keeps what Django decides (settings, hooks, which driver is in use); this
//! module turns Python values into the engine's and back, and never takes a caching decision.

mod cache;
mod decoded;
mod faults;
mod outcome;
mod parameters;
mod resolve;
mod rows;
mod session;
mod types;

use pyo3::prelude::pymodule;

/// The engine.
#[pymodule(gil_used = true)]
mod _kogia {
    #[pymodule_export]
    use super::cache::{
        Cache, CatalogReload, Database, Identity, attached_question, catalog_questions,
        creates_temporary, identity_questions, temporary_question,
    };
    #[pymodule_export]
    use super::outcome::last_outcome;
    #[pymodule_export]
    use super::resolve::Abandoned;
    #[pymodule_export]
    use super::session::{
        Options, Permit, Running, Session, WriteRefused, describe, pack, round_trip, unpack,
    };
}
