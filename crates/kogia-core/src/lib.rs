//! What a SQL statement reads and writes, and the coherence protocol of the Kogia cache.
//!
//! This crate does no I/O: no sockets, no clock, no locks, no randomness. Time and tokens are
//! arguments, requests and responses are data.

mod analysis;
mod canonical;
mod catalog;
mod dialect;
mod entry;
mod generation;
mod invalidation;
mod key;
mod lookup;
pub mod rows;
mod schema;
mod session;
mod settings;
mod tag;
mod tag_names;
mod transaction;
mod value;

pub use self::analysis::{
    Analyzer, Effect, Isolation, IsolationScope, Literal, Operand, Pin, Proof, Read, Statement,
    Table, Uncacheable, Wide, Write, WriteScope,
};
pub use self::canonical::canonical;
pub use self::catalog::{Catalog, FactKind, Facts};
pub use self::dialect::{Dialect, UnknownDialectError, key_kind};
pub use self::entry::{EncodeEntryError, Entry, EntryError, EntryHeader, EntryRef};
pub use self::generation::{Generation, Lease, OwnerId, Stamp, StoreTime, TagState, Tokens};
pub use self::invalidation::{Invalidation, TagSet, written_tags};
pub use self::key::{FORMAT_VERSION, KeyPrefix, QueryKey};
pub use self::lookup::{
    DatabaseTags, Decision, Fill, ReadBypass, ReadRequest, ReadResponse, StoredEntry,
};
pub use self::schema::{
    Cascade, Function, KeyColumn, KeyKind, Relation, RelationKind, Schema, Trigger, TriggerBody,
    Volatility,
};
pub use self::session::{Access, Execution, Outcome, SessionBypass, SessionConfig, SessionState};
pub use self::tag::{DatabaseId, TableTags, Tag};
pub use self::tag_names::TagNames;
pub use self::value::{Parameter, Value};
