//! The arguments of a query as values of the engine, for keys and pins.
//!
//! sqlx keeps a query's arguments encoded and private. Two of its doors are used here. A value
//! that is bound gets the buffer to encode itself into; a probe that refuses to be encoded sees
//! what is in it, and sqlx then restores the buffer. And the arguments can be printed for
//! debugging, which tells the types.
//!
//! Both are read with suspicion: whatever does not look exactly as expected gives `None`, and the
//! query is not cached.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "mysql")]
pub(crate) use self::mysql::bound as mysql;
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::bound as postgres;
#[cfg(feature = "sqlite")]
pub(crate) use self::sqlite::bound as sqlite;

use std::fmt::{self, Debug, Write};
use std::ops::Range;

use kogia::core::{Parameter, Value};
use smallvec::SmallVec;

/// The arguments of one execution, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    bytes: Vec<u8>,
    arguments: SmallVec<[Argument; 8]>,
}

#[derive(Debug)]
struct Argument {
    type_id: u32,
    value: Held,
}

/// A value, or where its bytes are in [`Bound::bytes`].
#[derive(Debug)]
enum Held {
    Null,
    Bool(bool),
    Int(i64),
    #[cfg(feature = "mysql")]
    UInt(u64),
    Float(f64),
    Uuid([u8; 16]),
    Text(Range<usize>),
    Bytes(Range<usize>),
    Other(Range<usize>),
}

impl Bound {
    /// The arguments as the engine takes them.
    pub(crate) fn parameters(&self) -> SmallVec<[Parameter<'_>; 8]> {
        let slice = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        let parameter = |argument: &Argument| Parameter {
            type_id: argument.type_id,
            value: match &argument.value {
                Held::Null => Value::Null,
                Held::Bool(value) => Value::Bool(*value),
                Held::Int(value) => Value::Int(*value),
                #[cfg(feature = "mysql")]
                Held::UInt(value) => Value::UInt(*value),
                Held::Float(value) => Value::Float(*value),
                Held::Uuid(value) => Value::Uuid(*value),
                // Text that is not UTF-8 has no canonical form.
                Held::Text(range) => std::str::from_utf8(slice(range))
                    .map_or(Value::Other(slice(range)), Value::Text),
                Held::Bytes(range) => Value::Bytes(slice(range)),
                Held::Other(range) => Value::Other(slice(range)),
            },
        };
        self.arguments.iter().map(parameter).collect()
    }

    fn push(&mut self, type_id: u32, value: Held) {
        self.arguments.push(Argument { type_id, value });
    }

    /// An unsigned integer, as [`Value`] wants it.
    #[cfg(feature = "mysql")]
    fn unsigned(value: u64) -> Held {
        i64::try_from(value).map_or(Held::UInt(value), Held::Int)
    }
}

/// Prints a value for debugging, up to a piece that equals `stop`.
fn printed(value: &dyn Debug, stop: Option<&str>) -> SmallVec<[u8; 512]> {
    let mut printer = Printer {
        text: SmallVec::new(),
        stop,
    };
    // An error is the printer's own way to stop early.
    let _ = write!(printer, "{value:?}");
    printer.text
}

struct Printer<'a> {
    text: SmallVec<[u8; 512]>,
    stop: Option<&'a str>,
}

impl Write for Printer<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.text.extend_from_slice(piece.as_bytes());
        if Some(piece) == self.stop {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// Reads printed text from its beginning.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Takes a literal, or gives `None`.
    fn expect(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal.as_bytes())?;
        Some(())
    }

    /// Takes a literal if it is there.
    fn accept(&mut self, literal: &str) -> bool {
        self.expect(literal).is_some()
    }

    /// Takes everything up to the first of some bytes, which stays.
    fn until(&mut self, ends: &[u8]) -> Option<&'a str> {
        let length = self.0.iter().position(|byte| ends.contains(byte))?;
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }

    /// Takes a list of bytes, from after its `[` to after its `]`.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    fn bytes(&mut self, out: &mut Vec<u8>) -> Option<()> {
        if self.accept("]") {
            return Some(());
        }
        loop {
            out.push(self.until(b",]")?.parse().ok()?);
            if self.accept("]") {
                return Some(());
            }
            self.expect(", ")?;
        }
    }
}

/// The refusal of a probe. It has no content, so that nothing is allocated for it.
#[cfg(any(feature = "mysql", feature = "postgres"))]
#[derive(Debug, thiserror::Error)]
#[error("a probe is never encoded")]
struct Refused;
