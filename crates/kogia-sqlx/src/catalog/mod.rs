//! The schema facts, read from a live connection's catalog.
//!
//! In doubt the facts say too much: a trigger whose body is not understood may write anything, a
//! key whose values may have two forms is none, a table whose content may vanish is foreign.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod token;

#[cfg(feature = "mysql")]
pub(crate) use self::mysql::{load as mysql, text};
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::load as postgres;
#[cfg(feature = "sqlite")]
pub(crate) use self::sqlite::load as sqlite;

use std::sync::Arc;

use kogia::core::{KeyColumn, KeyKind, Trigger, TriggerBody};

/// A name as the engine folds it.
fn folded(name: &str) -> Box<str> {
    name.to_lowercase().into()
}

/// A key column, unless folding its name could make it that of another column.
fn key(name: &str, kind: KeyKind) -> Option<Arc<KeyColumn>> {
    name.is_ascii().then(|| {
        Arc::new(KeyColumn {
            name: folded(name),
            kind,
        })
    })
}

/// Nobody knows what happens on these writes.
fn unknown_trigger(on_insert: bool, on_update: bool, on_delete: bool) -> Trigger {
    Trigger {
        on_insert,
        on_update,
        on_delete,
        body: TriggerBody::Unknown,
    }
}
