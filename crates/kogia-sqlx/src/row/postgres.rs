//! What PostgreSQL gives, in its binary format.

use kogia::core::rows::{Cell, ListBuilder};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeKind, PgValueFormat, PgValueRef};
use sqlx::{TypeInfo, ValueRef};

/// Adds the cell of a value. What has no cell of its own is kept as it came.
pub(crate) fn postgres(value: PgValueRef<'_>, cells: &mut ListBuilder) -> Result<(), BoxDynError> {
    if value.is_null() {
        cells.push(Cell::Null);
        return Ok(());
    }
    let type_info = value.type_info().into_owned();
    let type_name = type_info.name();
    let bytes = value.as_bytes()?;
    let text = std::str::from_utf8(bytes);
    if value.format() == PgValueFormat::Text {
        cells.push(match text {
            Ok(text) => Cell::OtherText { type_name, text },
            Err(_) => Cell::OtherBytes { type_name, bytes },
        });
        return Ok(());
    }
    if let PgTypeKind::Enum(_) = type_info.kind()
        && let Ok(label) = text
    {
        cells.push(Cell::Enum(label));
        return Ok(());
    }
    let oid = type_info.oid().map_or(0, |oid| oid.0);
    if oid == 1700
        && let Some(decimal) = decimal(bytes)
    {
        cells.push(Cell::Decimal(&decimal));
        return Ok(());
    }
    cells.push(
        fixed(oid, bytes)
            .or_else(|| texts(oid, bytes))
            .unwrap_or(Cell::OtherBytes { type_name, bytes }),
    );
    Ok(())
}

/// Types of one length.
fn fixed(oid: u32, bytes: &[u8]) -> Option<Cell<'static>> {
    Some(match oid {
        16 => Cell::Bool(bytes.first()? != &0),
        18 => Cell::I8(i8::from_be_bytes(bytes.try_into().ok()?)),
        21 => Cell::I16(i16::from_be_bytes(bytes.try_into().ok()?)),
        23 => Cell::I32(i32::from_be_bytes(bytes.try_into().ok()?)),
        20 => Cell::I64(i64::from_be_bytes(bytes.try_into().ok()?)),
        26 => Cell::U32(u32::from_be_bytes(bytes.try_into().ok()?)),
        700 => Cell::F32(f32::from_be_bytes(bytes.try_into().ok()?)),
        701 => Cell::F64(f64::from_be_bytes(bytes.try_into().ok()?)),
        2950 => Cell::Uuid(bytes.try_into().ok()?),
        1082 => Cell::Date(match i32::from_be_bytes(bytes.try_into().ok()?) {
            infinite @ (i32::MIN | i32::MAX) => infinite,
            days => days.checked_add(DAYS_TO_2000)?,
        }),
        1083 => Cell::Time(i64::from_be_bytes(bytes.try_into().ok()?)),
        1114 => Cell::DateTime(moment(bytes)?),
        1184 => Cell::TimestampTz(moment(bytes)?),
        _ => return None,
    })
}

fn moment(bytes: &[u8]) -> Option<i64> {
    match i64::from_be_bytes(bytes.try_into().ok()?) {
        infinite @ (i64::MIN | i64::MAX) => Some(infinite),
        micros => micros.checked_add(i64::from(DAYS_TO_2000) * 86_400_000_000),
    }
}

/// PostgreSQL counts from 2000.
const DAYS_TO_2000: i32 = 10_957;

/// Types whose binary format is their text.
fn texts(oid: u32, bytes: &[u8]) -> Option<Cell<'_>> {
    if oid == 17 {
        return Some(Cell::Bytes(bytes));
    }
    Some(match oid {
        // "name", text, char(n), varchar(n), and strings whose type nobody knows
        19 | 25 | 1042 | 1043 | 705 => Cell::Text(std::str::from_utf8(bytes).ok()?),
        114 => Cell::Json(std::str::from_utf8(bytes).ok()?),
        142 => Cell::Xml(std::str::from_utf8(bytes).ok()?),
        3802 => match bytes.split_first()? {
            (1, text) => Cell::Jsonb(std::str::from_utf8(text).ok()?),
            _ => return None,
        },
        _ => return None,
    })
}

/// `numeric` as the database writes it: digits in base 10,000, the weight of the first one, the
/// sign, and how many decimal digits behind the point are shown.
fn decimal(bytes: &[u8]) -> Option<String> {
    let (words, []) = bytes.as_chunks::<2>() else {
        return None;
    };
    let word = |index: usize| words.get(index).copied().map(u16::from_be_bytes);
    let (count, weight) = (usize::from(word(0)?), i16::from_be_bytes(*words.get(1)?));
    let sign = match word(2)? {
        0 => "",
        0x4000 => "-",
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let scale = usize::from(word(3)?);
    if words.len() != 4 + count {
        return None;
    }
    // The digit that stands for this power of 10,000.
    let digit = |power: i32| {
        let index = usize::try_from(i32::from(weight) - power).ok();
        let index = index.filter(|index| *index < count);
        index.and_then(|index| word(4 + index)).unwrap_or(0)
    };
    let mut text = String::from(sign);
    let first = i32::from(weight).max(0);
    for power in (0..=first).rev() {
        match power == first {
            true => text.push_str(&digit(power).to_string()),
            false => text.push_str(&format!("{:04}", digit(power))),
        }
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut power = -1;
        while text.len() < end {
            text.push_str(&format!("{:04}", digit(power)));
            power -= 1;
        }
        text.truncate(end);
    }
    Some(text)
}
