//! Parameters of a statement as the engine's values, for keys and pins.
//!
//! The exact type of a Python object takes part in the key. A type that is not known goes to
//! `kogia.values.describe`, which answers with bytes or with `None`; then the query bypasses.

use kogia::core::{Parameter, Value};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyList, PyNone, PyString, PyTuple, PyType,
};
use smallvec::SmallVec;

use crate::types::Types;

/// Parameters, converted.
pub(crate) struct Bound {
    held: SmallVec<[(u32, Held); 8]>,
}

enum Held {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Uuid([u8; 16]),
    Text(String),
    Bytes(Vec<u8>),
    Other(Vec<u8>),
}

/// What the type numbers of parameters mean.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Kind {
    Null = 1,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Uuid,
    Decimal,
    DateTime,
    Date,
    Time,
    Timedelta,
    List,
    Tuple,
    Other,
    Int2,
    Int4,
    Int8,
    IntNumeric,
    ByteArray,
    MemoryView,
}

impl Bound {
    /// Converts the parameters of a call: `None`, or a sequence of them. `None` comes back if one
    /// of them cannot take part in a key, as the names of a mapping cannot.
    pub(crate) fn new(parameters: Option<&pyo3::Bound<'_, PyAny>>) -> PyResult<Option<Self>> {
        let mut held = SmallVec::new();
        let Some(parameters) = parameters else {
            return Ok(Some(Bound { held }));
        };
        if !parameters.is_instance_of::<PyTuple>() && !parameters.is_instance_of::<PyList>() {
            return Ok(None);
        }
        let types = Types::get(parameters.py())?;
        for parameter in parameters.try_iter()? {
            let Some(converted) = convert(types, &parameter?)? else {
                return Ok(None);
            };
            held.push(converted);
        }
        Ok(Some(Bound { held }))
    }

    /// The parameters as the engine takes them.
    pub(crate) fn parameters(&self) -> SmallVec<[Parameter<'_>; 8]> {
        let parameters = self.held.iter().map(|(type_id, held)| Parameter {
            type_id: *type_id,
            value: held.value(),
        });
        parameters.collect()
    }
}

impl Held {
    fn value(&self) -> Value<'_> {
        match self {
            Held::Null => Value::Null,
            Held::Bool(value) => Value::Bool(*value),
            Held::Int(value) => Value::Int(*value),
            Held::UInt(value) => Value::UInt(*value),
            Held::Float(value) => Value::Float(*value),
            Held::Uuid(value) => Value::Uuid(*value),
            Held::Text(text) => Value::Text(text),
            Held::Bytes(bytes) => Value::Bytes(bytes),
            Held::Other(bytes) => Value::Other(bytes),
        }
    }
}

fn convert(types: &Types, value: &pyo3::Bound<'_, PyAny>) -> PyResult<Option<(u32, Held)>> {
    let py = value.py();
    let class = value.get_type();
    let is = |known: &Py<pyo3::types::PyType>| class.is(known.bind(py));
    let text = |value: pyo3::Bound<'_, PyAny>| -> PyResult<Vec<u8>> {
        Ok(value.extract::<String>()?.into_bytes())
    };
    let (kind, held) = if let Ok(number) = value.cast_exact::<PyInt>() {
        (Kind::Int, integer(number)?)
    } else if let Ok(string) = value.cast_exact::<PyString>() {
        match string.to_str() {
            Ok(string) => (Kind::Text, Held::Text(string.to_owned())),
            // Half a surrogate pair: no driver can send it.
            Err(_) => return Ok(None),
        }
    } else if value.is_instance_of::<PyNone>() {
        (Kind::Null, Held::Null)
    } else if let Ok(value) = value.cast_exact::<PyBool>() {
        (Kind::Bool, Held::Bool(value.is_true()))
    } else if let Ok(value) = value.cast_exact::<PyFloat>() {
        (Kind::Float, Held::Float(value.value()))
    } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        (Kind::Bytes, Held::Bytes(bytes.as_bytes().to_vec()))
    } else if value.is_exact_instance_of::<PyByteArray>() || is(&types.memoryview) {
        let bytes: Vec<u8> = value
            .call_method0("__bytes__")
            .or_else(|_| {
                // `bytearray` has the method since Python 3.11 only.
                py.get_type::<PyBytes>().call1((value,))
            })?
            .extract()?;
        // MySQL's driver sends their `str()`: they are no bytes to it, and no key's value.
        let kind = match is(&types.memoryview) {
            true => Kind::MemoryView,
            false => Kind::ByteArray,
        };
        (kind, Held::Other(bytes))
    } else if is(&types.safe_string) {
        (Kind::Text, Held::Text(value.extract()?))
    } else if is(&types.uuid) {
        (Kind::Uuid, Held::Uuid(value.getattr("bytes")?.extract()?))
    } else if is(&types.decimal) {
        (Kind::Decimal, Held::Other(text(value.str()?.into_any())?))
    } else if is(&types.datetime) {
        (
            Kind::DateTime,
            Held::Other(text(value.call_method0("isoformat")?)?),
        )
    } else if is(&types.date) {
        (
            Kind::Date,
            Held::Other(text(value.call_method0("isoformat")?)?),
        )
    } else if is(&types.time) {
        (
            Kind::Time,
            Held::Other(text(value.call_method0("isoformat")?)?),
        )
    } else if is(&types.timedelta) {
        (
            Kind::Timedelta,
            Held::Other(text(value.repr()?.into_any())?),
        )
    } else if let Ok(number) = value.cast::<PyInt>()
        && let Some(kind) = driver_integer(&class)
    {
        (kind, integer(number)?)
    } else if value.is_exact_instance_of::<PyList>() {
        return sequence(types, value, Kind::List);
    } else if value.is_exact_instance_of::<PyTuple>() {
        return sequence(types, value, Kind::Tuple);
    } else {
        let described: Option<Vec<u8>> = types.describe.bind(py).call1((value,))?.extract()?;
        let Some(bytes) = described else {
            return Ok(None);
        };
        (Kind::Other, Held::Other(bytes))
    };
    Ok(Some((kind as u32, held)))
}

/// Which of psycopg's integers a class is: Django gives it the size of the field.
fn driver_integer(class: &pyo3::Bound<'_, PyType>) -> Option<Kind> {
    // A class may say anything of itself, nothing and what is no text included.
    if class.module().ok()? != "psycopg.types.numeric" {
        return None;
    }
    match class.name().ok()?.to_str().ok()? {
        "Int2" => Some(Kind::Int2),
        "Int4" => Some(Kind::Int4),
        "Int8" => Some(Kind::Int8),
        "IntNumeric" => Some(Kind::IntNumeric),
        _ => None,
    }
}

/// An integer of any size.
fn integer(number: &pyo3::Bound<'_, PyInt>) -> PyResult<Held> {
    if let Ok(value) = number.extract::<i64>() {
        return Ok(Held::Int(value));
    }
    if let Ok(value) = number.extract::<u64>() {
        return Ok(Held::UInt(value));
    }
    Ok(Held::Other(number.str()?.to_str()?.as_bytes().to_vec()))
}

/// A list or tuple: its elements, each with its kind and its length, so that no two lists have
/// the same bytes. Text stays readable in it, because PostgreSQL may take `now` for a time.
fn sequence(
    types: &Types,
    value: &pyo3::Bound<'_, PyAny>,
    kind: Kind,
) -> PyResult<Option<(u32, Held)>> {
    let mut bytes = Vec::new();
    for element in value.try_iter()? {
        let Some((kind, held)) = convert(types, &element?)? else {
            return Ok(None);
        };
        let element: Vec<u8> = match held {
            Held::Null => Vec::new(),
            Held::Bool(value) => vec![b'0' + u8::from(value)],
            Held::Int(value) => value.to_string().into_bytes(),
            Held::UInt(value) => value.to_string().into_bytes(),
            Held::Float(value) => format!("{:016x}", value.to_bits()).into_bytes(),
            Held::Uuid(value) => hex(&value),
            Held::Bytes(bytes) => hex(&bytes),
            Held::Text(text) => text.into_bytes(),
            Held::Other(bytes) => bytes,
        };
        bytes.extend_from_slice(format!("{kind}:{}:", element.len()).as_bytes());
        bytes.extend_from_slice(&element);
        bytes.push(b',');
    }
    Ok(Some((kind as u32, Held::Other(bytes))))
}

/// A sequence as bytes, for what is made of several values.
pub(crate) fn describe(value: &pyo3::Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    let types = Types::get(value.py())?;
    Ok(match sequence(types, value, Kind::List)? {
        Some((_, Held::Other(bytes))) => Some(bytes),
        _ => None,
    })
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[half as usize]);
    bytes.iter().flat_map(digit).collect()
}
