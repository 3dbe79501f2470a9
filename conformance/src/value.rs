//! Parameters and results, the same for all databases.

use std::fmt;

use kogia_core::{Parameter, Value};
use serde::{Deserialize, Serialize};

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// SQL `NULL`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Binary data.
    Blob(Vec<u8>),
}

impl Param {
    /// The parameter as the engine takes it from the driver of SQLite.
    pub fn untyped(&self) -> Parameter<'_> {
        Parameter::untyped(match self {
            Param::Null => Value::Null,
            // SQLite has no booleans; its driver sends a number.
            Param::Bool(value) => Value::Int((*value).into()),
            Param::Int(value) => Value::Int(*value),
            Param::Real(value) => Value::Float(*value),
            Param::Text(text) => Value::Text(text),
            Param::Blob(bytes) => Value::Bytes(bytes),
        })
    }
}

/// As a literal of SQLite, which the case files use for all databases.
impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Param::Null => f.write_str("NULL"),
            Param::Bool(value) => write!(f, "{value}"),
            Param::Int(value) => write!(f, "{value}"),
            Param::Real(value) => write!(f, "{value:?}"),
            Param::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Param::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

/// One value of a result: its type as the driver names it, and its bytes as the driver has them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    kind: String,
    bytes: Option<Vec<u8>>,
}

impl Cell {
    /// A value from the name of its type and its bytes, or no bytes for `NULL`.
    pub fn new(kind: &str, bytes: Option<Vec<u8>>) -> Self {
        Cell {
            kind: kind.to_owned(),
            bytes,
        }
    }

    /// The number that a text says.
    pub fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.bytes.as_ref()?)
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bytes) = &self.bytes else {
            return f.write_str("NULL");
        };
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().all(|c| !c.is_control()) => {
                write!(f, "{}:{text}", self.kind)
            }
            _ => write!(f, "{}:{bytes:02x?}", self.kind),
        }
    }
}

/// One row of a result, without the names of its columns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row(pub Vec<Cell>);

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// What a statement answered: its rows, or the message of its error.
pub type Answer = Result<Vec<Row>, String>;
