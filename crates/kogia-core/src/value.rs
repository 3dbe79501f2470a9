//! Values of parameters and literals, as keys and pins see them.

/// One value given to a statement.
///
/// Only what the protocol has to tell apart is a variant of its own; everything else is
/// [`Value::Other`], which takes part in keys and never pins.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// SQL `NULL`.
    Null,
    /// A boolean that the driver sends as one; a driver that sends 0 or 1 gives [`Value::Int`].
    Bool(bool),
    /// An integer that fits 64 signed bits.
    Int(i64),
    /// An unsigned integer above `i64::MAX`.
    UInt(u64),
    /// A binary floating-point number. Keys hold its bits.
    Float(f64),
    /// Text in UTF-8.
    Text(&'a str),
    /// Binary data.
    Bytes(&'a [u8]),
    /// A UUID that the driver sends as one.
    Uuid([u8; 16]),
    /// Anything else, in the driver's own encoding.
    Other(&'a [u8]),
}

/// A typed parameter of a statement.
///
/// The type takes part in the key: the same bytes with another type may choose another operator
/// or another result type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter<'a> {
    /// The type as the driver declares it to the database: an OID on PostgreSQL, the type and
    /// flag bytes on MySQL, 0 where the driver declares none.
    pub type_id: u32,
    /// The value.
    pub value: Value<'a>,
}

impl<'a> Parameter<'a> {
    /// A parameter whose driver declares no type.
    pub fn untyped(value: Value<'a>) -> Self {
        Parameter { type_id: 0, value }
    }
}

impl Value<'_> {
    /// Appends the value to a key: a byte for the variant, then the length where it varies, then
    /// the bytes, so that no two different lists of values have the same encoding.
    pub(crate) fn encode(&self, out: &mut impl FnMut(&[u8])) {
        let mut sized = |kind: u8, bytes: &[u8]| {
            out(&[kind]);
            out(&(bytes.len() as u64).to_le_bytes());
            out(bytes);
        };
        match *self {
            Value::Null => out(&[0]),
            Value::Bool(value) => out(&[1, u8::from(value)]),
            Value::Int(value) => {
                out(&[2]);
                out(&value.to_le_bytes());
            }
            Value::UInt(value) => {
                out(&[3]);
                out(&value.to_le_bytes());
            }
            Value::Float(value) => {
                out(&[4]);
                out(&value.to_bits().to_le_bytes());
            }
            Value::Text(text) => sized(5, text.as_bytes()),
            Value::Bytes(bytes) => sized(6, bytes),
            Value::Uuid(bytes) => {
                out(&[7]);
                out(&bytes);
            }
            Value::Other(bytes) => sized(8, bytes),
        }
    }
}
