//! Keys: everything that a result depends on besides the data.

use std::fmt;

use smallvec::SmallVec;

use crate::value::Parameter;

/// The number of the protocol and of the stored format. It is part of every key and of every
/// store's name, so that programs of different versions never read each other's entries.
pub const FORMAT_VERSION: u32 = 1;

/// The part of a key that a whole session shares: database identity, catalog, role, search path
/// and every other setting that can change a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPrefix([u8; 32]);

impl KeyPrefix {
    /// A prefix from its parts, in order. Each is length-prefixed, so that `("a", "bc")` and
    /// `("ab", "c")` differ.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("kogia 2026-11 key prefix");
        hasher.update(&FORMAT_VERSION.to_le_bytes());
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        KeyPrefix(*hasher.finalize().as_bytes())
    }

    /// The digest, to extend it by further parts.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPrefix({})", Hex(&self.0[..4]))
    }
}

/// The identity of a query: prefix, statement, result shape and typed parameters.
///
/// A 256-bit keyed digest. Parameters come from users, so it resists collisions; a store compares
/// the whole of it on a hit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryKey([u8; 32]);

impl QueryKey {
    /// The key of one query.
    ///
    /// `statement` is [`crate::Statement::digest`]; `shape` says how the front end encodes the
    /// rows (its own name, and the Rust type or the wire format), so that two front ends never
    /// read each other's values.
    pub fn new(
        prefix: &KeyPrefix,
        statement: &[u8; 32],
        shape: &[u8],
        parameters: &[Parameter<'_>],
    ) -> Self {
        let mut input: SmallVec<[u8; 256]> = SmallVec::new();
        input.extend_from_slice(statement);
        input.extend_from_slice(&(shape.len() as u64).to_le_bytes());
        input.extend_from_slice(shape);
        input.extend_from_slice(&(parameters.len() as u64).to_le_bytes());
        for parameter in parameters {
            input.extend_from_slice(&parameter.type_id.to_le_bytes());
            parameter
                .value
                .encode(&mut |bytes| input.extend_from_slice(bytes));
        }
        QueryKey(*blake3::keyed_hash(&prefix.0, &input).as_bytes())
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key that a store kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        QueryKey(bytes)
    }
}

impl fmt::Debug for QueryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueryKey({})", Hex(&self.0[..4]))
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn key(shape: &[u8], parameters: &[Parameter<'_>]) -> QueryKey {
        QueryKey::new(
            &KeyPrefix::new([b"db".as_slice()]),
            &[7; 32],
            shape,
            parameters,
        )
    }

    #[test]
    fn values_that_look_alike_have_different_keys() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Int(1),
            Value::Int(0),
            Value::UInt(u64::MAX),
            Value::Int(-1),
            Value::Float(1.0),
            Value::Float(0.0),
            Value::Float(-0.0),
            Value::Text("1"),
            Value::Text(""),
            Value::Bytes(b"1"),
            Value::Bytes(b""),
            Value::Other(b"1"),
            Value::Uuid([0; 16]),
        ];
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                let same =
                    key(b"", &[Parameter::untyped(*a)]) == key(b"", &[Parameter::untyped(*b)]);
                assert_eq!(same, i == j, "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn boundaries_between_parts_are_part_of_the_key() {
        let text = |s| Parameter::untyped(Value::Text(s));
        assert_ne!(
            key(b"", &[text("ab"), text("c")]),
            key(b"", &[text("a"), text("bc")])
        );
        assert_ne!(key(b"", &[text("a"), text("")]), key(b"", &[text("a")]));
        assert_ne!(key(b"x", &[]), key(b"", &[]));
        assert_ne!(
            KeyPrefix::new([b"ab".as_slice(), b"c"]),
            KeyPrefix::new([b"a".as_slice(), b"bc"])
        );
    }

    #[test]
    fn the_declared_type_is_part_of_the_key() {
        let typed = |type_id| Parameter {
            type_id,
            value: Value::Int(1),
        };
        assert_ne!(key(b"", &[typed(20)]), key(b"", &[typed(23)]));
    }
}
