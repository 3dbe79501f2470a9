//! What the tests of all databases look for in a catalog.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use kogia::core::{KeyKind, Relation, Schema, Trigger, TriggerBody};

/// The relation of this name.
fn relation<'a>(schema: &'a Schema, name: &str) -> &'a Relation {
    schema
        .relations
        .iter()
        .find(|relation| &*relation.name == name)
        .unwrap()
}

/// The kind of a relation's key.
fn kind(schema: &Schema, name: &str) -> Option<KeyKind> {
    relation(schema, name).key.as_ref().map(|key| key.kind)
}

/// A trigger of which nothing is known but when it fires.
fn unknown_trigger(on_insert: bool, on_update: bool, on_delete: bool) -> Trigger {
    Trigger {
        on_insert,
        on_update,
        on_delete,
        body: TriggerBody::Unknown,
    }
}
