//! Canonical key values: equal to the database, equal in bytes, or no canonical form at all.

use smallvec::SmallVec;

use crate::schema::{KeyColumn, KeyKind};
use crate::value::Value;

/// The canonical bytes of a value given for a key column, or `None` if there are none.
///
/// `None` makes a read unpinned and a write broad. Two values that the database may find equal, or
/// store as the same, must never get different bytes: integers given as integers, UUIDs, binary
/// strings and text under binary collations have a form; strings against integer columns
/// (`id = '1abc'` matches 1 on MySQL), floats, numerics, case-insensitive text and what MySQL
/// would make fit the column have none.
pub fn canonical(column: &KeyColumn, value: &Value<'_>) -> Option<SmallVec<[u8; 24]>> {
    let mut bytes = SmallVec::new();
    let mut form = |kind: u8, value: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(value);
    };
    let longest = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    match (column.kind, *value) {
        // Above the signed integers SQLite has floats, which are equal to their neighbours.
        (KeyKind::Integer, Value::Int(value)) => form(b'i', &i128::from(value).to_le_bytes()),
        (KeyKind::BoundedInteger { min, max }, Value::Int(value))
            if value >= min && i128::from(value) <= i128::from(max) =>
        {
            form(b'i', &i128::from(value).to_le_bytes());
        }
        (KeyKind::BoundedInteger { max, .. }, Value::UInt(value)) if value <= max => {
            form(b'i', &i128::from(value).to_le_bytes());
        }
        (KeyKind::Uuid, Value::Uuid(value)) => form(b'u', &value),
        (KeyKind::Bytes, Value::Bytes(value)) => form(b'b', value),
        (KeyKind::BoundedBytes(length), Value::Bytes(value)) if value.len() <= longest(length) => {
            form(b'b', value);
        }
        (KeyKind::FixedBytes(length), Value::Bytes(value)) if value.len() == longest(length) => {
            form(b'b', value);
        }
        (KeyKind::Text, Value::Text(value)) => form(b't', value.as_bytes()),
        (KeyKind::PaddedText, Value::Text(value)) => {
            form(b't', value.trim_end_matches(' ').as_bytes());
        }
        // The empty text is `NULL` under a mode of MariaDB.
        (KeyKind::BoundedText(length), Value::Text(value))
            if value.is_ascii() && !value.is_empty() =>
        {
            let value = value.trim_end_matches(' ');
            if value.len() > longest(length) {
                return None;
            }
            form(b't', value.as_bytes());
        }
        _ => return None,
    }
    Some(bytes)
}
