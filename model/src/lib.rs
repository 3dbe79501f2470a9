//! A model of the coherence protocol, checked exhaustively.
//!
//! The model drives the step functions that production runs: [`kogia_core::SessionState`],
//! [`kogia_core::ReadRequest`], [`kogia_core::Fill`], [`kogia_core::Invalidation`],
//! [`kogia_core::written_tags`] and [`kogia_core::TagState`]. What it adds is the world around
//! them: a small multi-version database, a store that forgets, evicts and restarts, messages that
//! are lost or come late, and clients that crash between any two steps.
//!
//! A [`Configuration`] says which clients run which statements and what may go wrong; it is small
//! enough that every order of events is tried. A [`Mutant`] is the protocol with one rule broken.
//! The tests assert that no configuration violates an invariant, and that for each mutant the
//! checker finds a history that does.
//!
//! # How the state stays small
//!
//! Types of production that cannot be compared are not part of the state. A session, a right to
//! fill or an invalidation is built again, in each step, from the inputs that it was given; the
//! state holds those inputs. Tokens are renamed after each step in the order in which the state
//! mentions them, because they are only ever compared with each other.

mod check;
mod client;
mod configuration;
mod database;
mod mutant;
mod narrate;
mod property;
mod protocol;
mod reading;
mod state;
mod statements;
mod store;
mod writing;

pub use self::check::{Findings, History, check, explore, refute, shorten};
pub use self::configuration::{Budget, Configuration, Faults, Program};
pub use self::mutant::Mutant;
pub use self::narrate::narrate;
pub use self::protocol::{Action, Protocol};
pub use self::state::State;
pub use self::statements::Text;
