//! What MySQL and MariaDB give.

use kogia::core::rows::{Cell, ListBuilder};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySql, MySqlTypeInfo, MySqlValueRef};
use sqlx::{Decode, Type, TypeInfo, ValueRef};

use super::get::days_since_1970;

/// Adds the cell of a value. Zero dates are null, as for sqlx.
pub(crate) fn mysql(value: MySqlValueRef<'_>, cells: &mut ListBuilder) -> Result<(), BoxDynError> {
    if value.is_null() {
        cells.push(Cell::Null);
        return Ok(());
    }
    let type_info = value.type_info().into_owned();
    let bytes = <&[u8] as Decode<MySql>>::decode(value.clone())?;
    let type_name = type_info.name();
    let cell = match type_name {
        "FLOAT" => Cell::F32(Decode::<MySql>::decode(value)?),
        "DOUBLE" => Cell::F64(Decode::<MySql>::decode(value)?),
        "YEAR" => Cell::Year(Decode::<MySql>::decode(value)?),
        "BIT" => Cell::U64(Decode::<MySql>::decode(value)?),
        _ if <i64 as Type<MySql>>::compatible(&type_info) => {
            Cell::I64(Decode::<MySql>::decode(value)?)
        }
        _ if <u64 as Type<MySql>>::compatible(&type_info) => {
            Cell::U64(Decode::<MySql>::decode(value)?)
        }
        "DATE" | "DATETIME" | "TIMESTAMP" | "TIME" => {
            temporal(type_name, bytes).unwrap_or(other(type_name, bytes))
        }
        "GEOMETRY" => Cell::Geometry(bytes),
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            blob(&type_info, bytes)
        }
        _ => match (type_name, std::str::from_utf8(bytes)) {
            (_, Err(_)) => other(type_name, bytes),
            ("DECIMAL", Ok(text)) => Cell::Decimal(text),
            ("JSON", Ok(text)) => Cell::Json(text),
            ("ENUM", Ok(text)) => Cell::Enum(text),
            ("SET", Ok(text)) => Cell::Set(text),
            ("CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT", Ok(text)) => {
                Cell::Text(text)
            }
            _ => other(type_name, bytes),
        },
    };
    cells.push(cell);
    Ok(())
}

fn other<'a>(type_name: &'a str, bytes: &'a [u8]) -> Cell<'a> {
    Cell::OtherBytes { type_name, bytes }
}

/// The flag of binary columns is also that of text in a binary collation; sqlx's `String` knows
/// which is which.
fn blob<'a>(type_info: &MySqlTypeInfo, bytes: &'a [u8]) -> Cell<'a> {
    match std::str::from_utf8(bytes) {
        Ok(text) if <str as Type<MySql>>::compatible(type_info) => Cell::Text(text),
        _ => Cell::Bytes(bytes),
    }
}

/// A date or time in the binary protocol: its length, then its parts from the largest on, those
/// that are zero at the end left out.
fn temporal(type_name: &str, bytes: &[u8]) -> Option<Cell<'static>> {
    let (&length, parts) = bytes.split_first()?;
    if usize::from(length) != parts.len() || length > 12 {
        return None;
    }
    let byte = |index: usize| parts.get(index).copied().unwrap_or(0);
    let word = |index: usize| u32::from_le_bytes([0, 1, 2, 3].map(|offset| byte(index + offset)));
    let clock = |index: usize| {
        let seconds = i64::from(byte(index)) * 3600
            + i64::from(byte(index + 1)) * 60
            + i64::from(byte(index + 2));
        seconds * 1_000_000 + i64::from(word(index + 3))
    };
    if type_name == "TIME" {
        let micros = i64::from(word(1)) * 86_400_000_000 + clock(5);
        return Some(Cell::Time(if byte(0) == 0 { micros } else { -micros }));
    }
    let (year, month, day) = (u16::from_le_bytes([byte(0), byte(1)]), byte(2), byte(3));
    let micros = clock(4);
    Some(
        match (days_since_1970(year.into(), month, day), type_name) {
            (Some(days), "DATE") => Cell::Date(days),
            (Some(days), _) => Cell::DateTime(i64::from(days) * 86_400_000_000 + micros),
            (None, "DATE") => Cell::PartialDate { year, month, day },
            (None, _) => Cell::PartialDateTime {
                year,
                month,
                day,
                micros: micros.unsigned_abs(),
            },
        },
    )
}
