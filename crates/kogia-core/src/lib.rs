//! What a SQL statement reads and writes, and the coherence protocol of the Kogia cache.
//!
//! This crate does no I/O: no sockets, no clock, no locks, no randomness. Time and tokens are
//! arguments, requests and responses are data.

mod analysis;
mod canonical;
mod catalog;
mod dialect;
mod generation;
mod schema;
mod tag;
mod value;

pub use self::analysis::{
    Analyzer, Effect, Isolation, IsolationScope, Literal, Operand, Pin, Proof, Read, Statement,
    Uncacheable, Wide, Write, WriteScope,
};
pub use self::canonical::canonical;
pub use self::catalog::{Catalog, FactKind, Facts};
pub use self::dialect::{Dialect, UnknownDialectError};
pub use self::generation::{Generation, Lease, OwnerId, Stamp, StoreTime, TagState, Tokens};
pub use self::schema::{
    Cascade, Function, KeyColumn, KeyKind, Relation, RelationKind, Schema, Trigger, TriggerBody,
    Volatility,
};
pub use self::tag::{DatabaseId, TableTags, Tag};
pub use self::value::{Parameter, Value};
