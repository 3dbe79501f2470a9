//! Canonical key values: equal to the database, equal in bytes, or no canonical form at all.

use smallvec::SmallVec;

use crate::schema::{KeyColumn, KeyKind};
use crate::value::Value;

/// The canonical bytes of a value given for a key column, or `None` if there are none.
///
/// `None` makes a read unpinned and a write broad. Two values that the database may find equal
/// must never get different bytes: integers given as integers, UUIDs, binary strings and text
/// under binary collations have a form; strings against integer columns (`id = '1abc'` matches 1
/// on MySQL), floats, numerics and case-insensitive text have none.
pub fn canonical(column: &KeyColumn, value: &Value<'_>) -> Option<SmallVec<[u8; 24]>> {
    let mut bytes = SmallVec::new();
    match (column.kind, value) {
        (KeyKind::Integer, Value::Int(value)) => {
            bytes.push(b'i');
            bytes.extend_from_slice(&i128::from(*value).to_le_bytes());
        }
        (KeyKind::Integer, Value::UInt(value)) => {
            bytes.push(b'i');
            bytes.extend_from_slice(&i128::from(*value).to_le_bytes());
        }
        (KeyKind::Uuid, Value::Uuid(value)) => {
            bytes.push(b'u');
            bytes.extend_from_slice(value);
        }
        (KeyKind::Bytes, Value::Bytes(value)) => {
            bytes.push(b'b');
            bytes.extend_from_slice(value);
        }
        (KeyKind::Text, Value::Text(value)) => {
            bytes.push(b't');
            bytes.extend_from_slice(value.as_bytes());
        }
        (KeyKind::PaddedText, Value::Text(value)) => {
            bytes.push(b't');
            bytes.extend_from_slice(value.trim_end_matches(' ').as_bytes());
        }
        _ => return None,
    }
    Some(bytes)
}
