//! Rows as a database's driver gives them to Python, to the engine's flat format and back.
//!
//! Only exact types are stored; what is equal but of another type would not come back as itself.
//! A hit makes all objects anew, so that changing one changes nothing for others. Nothing is ever
//! executed: a stored cell names no class to import, and `kogia.values.decode` knows a closed list.

use kogia::core::rows::{Array, Cell, Column, List, ListBuilder, Rows, RowsBuilder};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDate, PyDateTime, PyDelta, PyDeltaAccess, PyDict, PyFloat, PyInt, PyList,
    PyString, PyTime, PyTimeAccess, PyTuple, PyTzInfoAccess,
};

use crate::types::Types;

/// Encodes rows; `None` if one of their values has a type that is not known. The second part is
/// that type's name.
pub(crate) fn encode(rows: &Bound<'_, PyList>) -> PyResult<Result<Vec<u8>, String>> {
    let types = Types::get(rows.py())?;
    let width = match rows.get_item(0) {
        Ok(row) => row.len()?,
        Err(_) => 0,
    };
    let column = Column {
        name: "",
        type_id: 0,
    };
    let mut builder = RowsBuilder::new(std::iter::repeat_n(column, width));
    for row in rows.iter() {
        let Ok(row) = row.cast_into_exact::<PyTuple>() else {
            return Ok(Err("a row that is no tuple".to_owned()));
        };
        for value in row.iter_borrowed() {
            if !push(types, &value, &mut |cell| builder.push(cell))? {
                return Ok(Err(value.get_type().name()?.to_string()));
            }
        }
        builder.end_row();
    }
    Ok(builder.finish().map_err(|error| error.to_string()))
}

/// Decodes rows into a list of tuples, and says whether nothing in them can be changed; `None` if the
/// bytes are not what [`encode`] gave.
pub(crate) fn decode<'py>(
    py: Python<'py>,
    bytes: &[u8],
) -> PyResult<Option<(Bound<'py, PyList>, bool)>> {
    let Ok(rows) = Rows::parse(bytes) else {
        return Ok(None);
    };
    let types = Types::get(py)?;
    let list = PyList::empty(py);
    let mut cells = Vec::new();
    let mut all_frozen = true;
    for row in rows.iter() {
        for cell in row.iter() {
            all_frozen &= is_frozen(&cell);
            cells.push(object(py, types, cell)?);
        }
        list.append(PyTuple::new(py, cells.drain(..))?)?;
    }
    Ok(Some((list, all_frozen)))
}

/// Whether nobody can change a cell's object.
fn is_frozen(cell: &Cell<'_>) -> bool {
    !matches!(
        cell,
        Cell::Array(_) | Cell::Composite(_) | Cell::OtherText { .. } | Cell::OtherBytes { .. }
    )
}

/// Values in one list of bytes; `None` if one of them has a type that is not known.
pub(crate) fn pack(values: &Bound<'_, PyList>) -> PyResult<Option<Vec<u8>>> {
    elements(Types::get(values.py())?, values.iter())
}

/// The values that [`pack`] packed.
pub(crate) fn unpack<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let list = List::parse(bytes)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    let values: PyResult<Vec<_>> = objects(py, Types::get(py)?, list).collect();
    PyList::new(py, values?)
}

/// Gives a value's cell to `push`, and whether there is one.
fn push(types: &Types, value: &Bound<'_, PyAny>, push: &mut dyn FnMut(Cell<'_>)) -> PyResult<bool> {
    let py = value.py();
    if value.is_none() {
        push(Cell::Null);
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        match text.to_str() {
            Ok(text) => push(Cell::Text(text)),
            Err(_) => return Ok(false),
        }
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        match number.extract::<i64>() {
            Ok(number) => push(Cell::I64(number)),
            Err(_) => {
                let text = number.str()?;
                push(other_text("int", text.to_str()?));
            }
        }
    } else if let Ok(value) = value.cast_exact::<PyBool>() {
        push(Cell::Bool(value.is_true()));
    } else if let Ok(value) = value.cast_exact::<PyFloat>() {
        push(Cell::F64(value.value()));
    } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        push(Cell::Bytes(bytes.as_bytes()));
    } else if let Ok(value) = value.cast_exact::<PyDateTime>() {
        return push_datetime(types, value, push);
    } else if let Ok(value) = value.cast_exact::<PyDate>() {
        let (state, _) = pickled(value)?;
        let Some(days) = days(state.as_bytes()) else {
            return Ok(false);
        };
        push(Cell::Date(days));
    } else if let Ok(value) = value.cast_exact::<PyTime>() {
        if value.get_tzinfo().is_some() || value.get_fold() {
            return Ok(false);
        }
        push(Cell::Time(micros(value)));
    } else if let Ok(value) = value.cast_exact::<PyDelta>() {
        push(Cell::Interval {
            months: 0,
            days: value.get_days(),
            micros: i64::from(value.get_seconds()) * SECOND + i64::from(value.get_microseconds()),
        });
    } else {
        let class = value.get_type();
        let is = |known: &Py<pyo3::types::PyType>| class.is(known.bind(py));
        if is(&types.decimal) {
            push(Cell::Decimal(value.str()?.to_str()?));
        } else if is(&types.uuid) {
            push(Cell::Uuid(value.getattr("bytes")?.extract()?));
        } else if is(&types.memoryview) {
            // psycopg2 makes those whose items are bytes objects, and these equal no others.
            let name = match value.getattr("format")?.extract::<String>()?.as_str() {
                "B" => "memoryview",
                "c" => "memoryview c",
                _ => return Ok(false),
            };
            if value.getattr("ndim")?.extract::<u32>()? != 1 {
                return Ok(false);
            }
            let bytes = value.call_method0("tobytes")?;
            push(other_bytes(name, bytes.cast::<PyBytes>()?.as_bytes()));
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            let Some(elements) = elements(types, list.iter())? else {
                return Ok(false);
            };
            let Ok(elements) = List::parse(&elements) else {
                return Ok(false);
            };
            push(Cell::Array(Array {
                element_type: 0,
                lower_bound: 1,
                elements,
            }));
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            let Some(fields) = elements(types, tuple.iter())? else {
                return Ok(false);
            };
            match List::parse(&fields) {
                Ok(fields) => push(Cell::Composite(fields)),
                Err(_) => return Ok(false),
            }
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            let flat = dict.iter().flat_map(|(key, value)| [key, value]);
            let Some(pairs) = elements(types, flat)? else {
                return Ok(false);
            };
            // Not hstore's cell: that has no values but text, and a dictionary of JSON any.
            push(other_bytes("dict", &pairs));
        } else {
            let known: Option<(String, Vec<u8>)> =
                types.encode.bind(py).call1((value,))?.extract()?;
            let Some((name, bytes)) = known else {
                return Ok(false);
            };
            push(other_bytes(&name, &bytes));
        }
    }
    Ok(true)
}

fn elements<'py>(
    types: &Types,
    values: impl Iterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Option<Vec<u8>>> {
    let mut list = ListBuilder::new();
    for value in values {
        if !push(types, &value, &mut |cell| list.push(cell))? {
            return Ok(None);
        }
    }
    Ok(list.finish().ok())
}

/// A time with a zone is the clock on its wall and the zone's name; an offset alone would not
/// give the same object back.
fn push_datetime(
    types: &Types,
    value: &Bound<'_, PyDateTime>,
    push: &mut dyn FnMut(Cell<'_>),
) -> PyResult<bool> {
    let (state, zone) = pickled(value)?;
    // A moment that the clock shows twice has its month's highest bit set the second time.
    let (Some(days), Some(of_day)) = (days(state.as_bytes()), of_day(state.as_bytes())) else {
        return Ok(false);
    };
    let micros = i64::from(days) * DAY + of_day;
    let Some(zone) = zone else {
        push(Cell::DateTime(micros));
        return Ok(true);
    };
    let py = value.py();
    if zone.is(types.utc.bind(py)) {
        push(Cell::TimestampTz(micros));
    } else if zone.get_type().is(types.zone.bind(py)) {
        let Some(key) = zone.getattr("key")?.extract::<Option<String>>()? else {
            return Ok(false);
        };
        push(other_bytes(&format!("zone {key}"), &micros.to_le_bytes()));
    } else if zone.get_type().is(types.fixed.bind(py)) {
        let offset = zone.call_method1("utcoffset", (py.None(),))?;
        let offset = offset.cast_into::<PyDelta>()?;
        // An offset with a name, or one of less than a second, is not what a driver makes.
        let unnamed = types.fixed.bind(py).call1((&offset,))?;
        if offset.get_microseconds() != 0
            || zone.getattr("__class__")?.is(types.zone.bind(py))
            || zone.repr()?.to_str()? != unnamed.repr()?.to_str()?
        {
            return Ok(false);
        }
        let seconds = i64::from(offset.get_days()) * 86_400 + i64::from(offset.get_seconds());
        let name = format!("offset {seconds}");
        push(other_bytes(&name, &micros.to_le_bytes()));
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// A cell's object.
fn object<'py>(py: Python<'py>, types: &Types, cell: Cell<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match cell {
        Cell::Null => py.None().into_bound(py),
        Cell::Text(text) => PyString::new(py, text).into_any(),
        Cell::I64(number) => number.into_pyobject(py)?.into_any(),
        Cell::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
        Cell::F64(value) => PyFloat::new(py, value).into_any(),
        Cell::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Cell::Decimal(text) => types.decimal.bind(py).call1((text,))?,
        Cell::Uuid(bytes) => {
            let bytes = PyBytes::new(py, &bytes);
            types.uuid.bind(py).call1((py.None(), bytes))?
        }
        Cell::Date(days) => date(py, types, i64::from(days))?,
        Cell::Time(micros) => time(py, micros)?,
        Cell::DateTime(micros) => datetime(py, types, micros, None)?,
        Cell::TimestampTz(micros) => datetime(py, types, micros, Some(types.utc.bind(py)))?,
        Cell::Interval { days, micros, .. } => {
            let (seconds, rest) = (micros / SECOND, micros % SECOND);
            PyDelta::new(py, days, seconds as i32, rest as i32, false)?.into_any()
        }
        Cell::Array(array) => {
            let values: PyResult<Vec<_>> = objects(py, types, array.elements).collect();
            PyList::new(py, values?)?.into_any()
        }
        Cell::Composite(fields) => {
            let values: PyResult<Vec<_>> = objects(py, types, fields).collect();
            PyTuple::new(py, values?)?.into_any()
        }
        Cell::OtherText { text, .. } => py.get_type::<PyInt>().call1((text,))?,
        Cell::OtherBytes { type_name, bytes } => other(py, types, type_name, bytes)?,
        // Nothing else is ever stored; a value of another front end is not found under this key.
        _ => {
            return Err(pyo3::exceptions::PyValueError::new_err(
                "a cell of no known kind",
            ));
        }
    })
}

fn objects<'py>(
    py: Python<'py>,
    types: &Types,
    list: List<'_>,
) -> impl Iterator<Item = PyResult<Bound<'py, PyAny>>> {
    list.iter().map(move |cell| object(py, types, cell))
}

fn other<'py>(
    py: Python<'py>,
    types: &Types,
    name: &str,
    bytes: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    let micros = || bytes.try_into().map(i64::from_le_bytes).unwrap_or_default();
    if name == "dict" {
        let dict = PyDict::new(py);
        let pairs = unpack(py, bytes)?;
        let mut pairs = pairs.iter();
        while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
            dict.set_item(key, value)?;
        }
        return Ok(dict.into_any());
    }
    if name == "memoryview" {
        return types.memoryview.bind(py).call1((PyBytes::new(py, bytes),));
    }
    if name == "memoryview c" {
        let view = types
            .memoryview
            .bind(py)
            .call1((PyBytes::new(py, bytes),))?;
        return view.call_method1("cast", ("c",));
    }
    if let Some(key) = name.strip_prefix("zone ") {
        let zone = types.zone.bind(py).call1((key,))?;
        return datetime(py, types, micros(), Some(&zone));
    }
    if let Some(seconds) = name.strip_prefix("offset ") {
        let delta = PyDelta::new(py, 0, seconds.parse().unwrap_or_default(), 0, true)?;
        let zone = types.fixed.bind(py).call1((delta,))?;
        return datetime(py, types, micros(), Some(&zone));
    }
    types.decode.bind(py).call1((name, PyBytes::new(py, bytes)))
}

/// A date, from the bytes of its pickled state: the one constructor that does not take its arguments
/// apart, which is half the price.
fn date<'py>(py: Python<'py>, types: &Types, days: i64) -> PyResult<Bound<'py, PyAny>> {
    let state = PyBytes::new(py, &date_state(days)?);
    types.date.bind(py).call1((state,))
}

/// A date and time in the same way.
fn datetime<'py>(
    py: Python<'py>,
    types: &Types,
    micros: i64,
    zone: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let [high, low, month, day] = date_state(micros.div_euclid(DAY))?;
    let (hour, minute, second, micro) = clock(micros.rem_euclid(DAY));
    let [_, upper, middle, lower] = micro.to_be_bytes();
    let state = [
        high, low, month, day, hour, minute, second, upper, middle, lower,
    ];
    let state = PyBytes::new(py, &state);
    let class = types.datetime.bind(py);
    match zone {
        Some(zone) => class.call1((state, zone)),
        None => class.call1((state,)),
    }
}

fn date_state(days: i64) -> PyResult<[u8; 4]> {
    let (year, month, day) = civil(days);
    // The constructor believes what it is given.
    if !(1..=9_999).contains(&year) {
        return Err(pyo3::exceptions::PyValueError::new_err(
            "a year that Python does not have",
        ));
    }
    let [high, low] = (year as u16).to_be_bytes();
    Ok([high, low, month, day])
}

fn time(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    let (hour, minute, second, micro) = clock(micros);
    Ok(PyTime::new(py, hour, minute, second, micro, None)?.into_any())
}

fn clock(micros: i64) -> (u8, u8, u8, u32) {
    let (seconds, micro) = (micros / SECOND, micros % SECOND);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    (hour as u8, minute as u8, second as u8, micro as u32)
}

fn micros(time: &Bound<'_, PyTime>) -> i64 {
    let (hour, minute) = (i64::from(time.get_hour()), i64::from(time.get_minute()));
    let seconds = (hour * 60 + minute) * 60 + i64::from(time.get_second());
    seconds * SECOND + i64::from(time.get_microsecond())
}

/// The bytes that a date, or a date and time, is pickled as, and its zone: one call, where each
/// of the parts would be one.
fn pickled<'py>(
    value: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyBytes>, Option<Bound<'py, PyAny>>)> {
    let reduced = value.call_method1(intern!(value.py(), "__reduce_ex__"), (4,))?;
    let arguments = reduced.cast_into::<PyTuple>()?.get_item(1)?;
    let arguments = arguments.cast_into::<PyTuple>()?;
    let state = arguments.get_item(0)?.cast_into::<PyBytes>()?;
    let zone = (arguments.len() > 1).then(|| arguments.get_item(1));
    Ok((state, zone.transpose()?))
}

/// Days from 1970-01-01, after Howard Hinnant's "chrono-compatible low-level date algorithms".
fn days(state: &[u8]) -> Option<i32> {
    let &[high, low, month @ 1..=12, day, ..] = state else {
        return None;
    };
    let (month, day) = (i32::from(month), i32::from(day));
    let year = i32::from(u16::from_be_bytes([high, low])) - i32::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Microseconds since midnight.
fn of_day(state: &[u8]) -> Option<i64> {
    let &[_, _, _, _, hour, minute, second, upper, middle, lower] = state else {
        return None;
    };
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Some(seconds * SECOND + i64::from(u32::from_be_bytes([0, upper, middle, lower])))
}

/// The other way.
fn civil(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

fn other_text<'a>(type_name: &'a str, text: &'a str) -> Cell<'a> {
    Cell::OtherText { type_name, text }
}

fn other_bytes<'a>(type_name: &'a str, bytes: &'a [u8]) -> Cell<'a> {
    Cell::OtherBytes { type_name, bytes }
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
