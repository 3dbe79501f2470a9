//! Arguments of MySQL and MariaDB: values one after another as the types say, nulls in a bitmap.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySql, MySqlArguments, MySqlTypeInfo};
use sqlx::{Arguments, Type};

use super::{Bound, Held, Reader, Refused, printed};

/// The arguments, or `None` if one of them has no exact form.
pub(crate) fn bound(arguments: &MySqlArguments) -> Option<Bound> {
    let mut bound = Bound::default();
    let count = arguments.len();
    if count == 0 {
        return Some(bound);
    }
    // The values are printed before the types, number by number. A copy without them is quicker.
    let mut copy = arguments.clone();
    let _ = copy.add(Probe(&mut bound.bytes));
    let text = printed(&copy, None);
    let mut reader = Reader(&text);
    reader.expect("MySqlArguments { values: [], types: [")?;
    let mut types = smallvec::SmallVec::<[(u8, bool); 8]>::new();
    for index in 0..count {
        if index > 0 {
            reader.expect(", ")?;
        }
        types.push(declared(&mut reader)?);
    }
    reader.expect("], null_bitmap: NullBitMap { bytes: [")?;
    let mut nulls = Vec::new();
    reader.bytes(&mut nulls)?;
    reader.expect(", length: ")?;
    let length: usize = reader.until(b" ")?.parse().ok()?;
    if length != count || !reader.accept(" } }") || !reader.0.is_empty() {
        return None;
    }
    let mut at = 0;
    for (index, (code, unsigned)) in types.into_iter().enumerate() {
        // What the server is told: the type and a flag.
        let type_id = u32::from(code) | u32::from(unsigned) << 15;
        if nulls.get(index / 8)? >> (index % 8) & 1 == 1 {
            bound.push(type_id, Held::Null);
            continue;
        }
        let (held, end) = value(code, unsigned, &bound.bytes, at)?;
        at = end;
        bound.push(type_id, held);
    }
    (at == bound.bytes.len()).then_some(bound)
}

/// The value of a type that begins at `at`, and where the next one begins.
fn value(code: u8, unsigned: bool, bytes: &[u8], at: usize) -> Option<(Held, usize)> {
    let fixed = |length: usize| bytes.get(at..at + length);
    let integer = |signed: i64, raw: u64| {
        if unsigned {
            Bound::unsigned(raw)
        } else {
            Held::Int(signed)
        }
    };
    Some(match code {
        TINY => {
            let raw = *bytes.get(at)?;
            (integer(raw.cast_signed().into(), raw.into()), at + 1)
        }
        SHORT => {
            let raw = u16::from_le_bytes(fixed(2)?.try_into().ok()?);
            (integer(raw.cast_signed().into(), raw.into()), at + 2)
        }
        LONG => {
            let raw = u32::from_le_bytes(fixed(4)?.try_into().ok()?);
            (integer(raw.cast_signed().into(), raw.into()), at + 4)
        }
        LONG_LONG => {
            let raw = u64::from_le_bytes(fixed(8)?.try_into().ok()?);
            (integer(raw.cast_signed(), raw), at + 8)
        }
        FLOAT => {
            let value = f32::from_le_bytes(fixed(4)?.try_into().ok()?);
            (Held::Float(value.into()), at + 4)
        }
        DOUBLE => (
            Held::Float(f64::from_le_bytes(fixed(8)?.try_into().ok()?)),
            at + 8,
        ),
        // A length byte, then so many bytes.
        DATE | TIME | DATETIME | TIMESTAMP => {
            let end = at + 1 + usize::from(*bytes.get(at)?);
            bytes.get(at..end)?;
            (Held::Other(at..end), end)
        }
        VAR_STRING | STRING | VAR_CHAR => {
            let range = sized(bytes, at)?;
            (Held::Text(range.clone()), range.end)
        }
        BLOB | TINY_BLOB | MEDIUM_BLOB | LONG_BLOB => {
            let range = sized(bytes, at)?;
            (Held::Bytes(range.clone()), range.end)
        }
        NEW_DECIMAL | JSON => {
            let range = sized(bytes, at)?;
            (Held::Other(range.clone()), range.end)
        }
        _ => return None,
    })
}

/// Where the content of a length-encoded string is.
fn sized(bytes: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let (width, start) = match *bytes.get(at)? {
        length @ 0..=250 => return range(bytes, at + 1, length.into()),
        252 => (2, at + 1),
        253 => (3, at + 1),
        254 => (8, at + 1),
        _ => return None,
    };
    let mut length = [0; 8];
    length
        .get_mut(..width)?
        .copy_from_slice(bytes.get(start..start + width)?);
    range(bytes, start + width, u64::from_le_bytes(length))
}

fn range(bytes: &[u8], start: usize, length: u64) -> Option<std::ops::Range<usize>> {
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

/// A printed type: its code and whether it is unsigned.
fn declared(reader: &mut Reader<'_>) -> Option<(u8, bool)> {
    reader.expect("MySqlTypeInfo { type: ")?;
    let code = match reader.until(b",")? {
        "Tiny" => TINY,
        "Short" => SHORT,
        "Long" => LONG,
        "LongLong" => LONG_LONG,
        "Float" => FLOAT,
        "Double" => DOUBLE,
        "Date" => DATE,
        "Time" => TIME,
        "Datetime" => DATETIME,
        "Timestamp" => TIMESTAMP,
        "VarString" => VAR_STRING,
        "String" => STRING,
        "VarChar" => VAR_CHAR,
        "Blob" => BLOB,
        "TinyBlob" => TINY_BLOB,
        "MediumBlob" => MEDIUM_BLOB,
        "LongBlob" => LONG_BLOB,
        "NewDecimal" => NEW_DECIMAL,
        "Json" => JSON,
        _ => return None,
    };
    reader.expect(", flags: ColumnFlags(")?;
    let unsigned = reader
        .until(b")")?
        .split(" | ")
        .any(|flag| flag == "UNSIGNED");
    reader.expect("), collation: Collation(")?;
    reader.until(b")")?;
    reader.expect("), max_size: ")?;
    reader.until(b" ")?;
    reader.expect(" }")?;
    Some((code, unsigned))
}

const TINY: u8 = 0x01;
const SHORT: u8 = 0x02;
const LONG: u8 = 0x03;
const FLOAT: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const TIMESTAMP: u8 = 0x07;
const LONG_LONG: u8 = 0x08;
const DATE: u8 = 0x0a;
const TIME: u8 = 0x0b;
const DATETIME: u8 = 0x0c;
const VAR_CHAR: u8 = 0x0f;
const JSON: u8 = 0xf5;
const NEW_DECIMAL: u8 = 0xf6;
const TINY_BLOB: u8 = 0xf9;
const MEDIUM_BLOB: u8 = 0xfa;
const LONG_BLOB: u8 = 0xfb;
const BLOB: u8 = 0xfc;
const VAR_STRING: u8 = 0xfd;
const STRING: u8 = 0xfe;

/// A value that takes what was bound before it, and refuses. Only for a copy of the arguments.
struct Probe<'a>(&'a mut Vec<u8>);

impl Type<MySql> for Probe<'_> {
    fn type_info() -> MySqlTypeInfo {
        <i32 as Type<MySql>>::type_info()
    }
}

impl<'q> Encode<'q, MySql> for Probe<'_> {
    fn encode(self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        *self.0 = std::mem::take(buffer);
        Err(Box::new(Refused))
    }

    fn encode_by_ref(&self, _buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        Err(Box::new(Refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kogia::core::Value;

    fn arguments(add: impl FnOnce(&mut MySqlArguments)) -> MySqlArguments {
        let mut arguments = MySqlArguments::default();
        add(&mut arguments);
        arguments
    }

    fn add<'q, T: Encode<'q, MySql> + Type<MySql>>(arguments: &mut MySqlArguments, value: T) {
        arguments.add(value).unwrap();
    }

    #[test]
    fn values_are_what_was_bound() {
        let long = "x".repeat(70_000);
        let given = arguments(|list| {
            add(list, 7_i64);
            add(list, -7_i32);
            add(list, i16::MIN);
            add(list, -1_i8);
            add(list, u64::MAX);
            add(list, 255_u8);
            add(list, "], types: [");
            add(list, None::<String>);
            add(list, true);
            add(list, 1.5_f64);
            add(list, 1.5_f32);
            add(list, b"\0\xff".as_slice());
            add(list, long.as_str());
            add(list, "y".repeat(300));
            add(list, String::new());
        });
        let bound = bound(&given).unwrap();
        let values: Vec<_> = bound
            .parameters()
            .iter()
            .map(|parameter| parameter.value)
            .collect();
        let medium = "y".repeat(300);
        let expected = [
            Value::Int(7),
            Value::Int(-7),
            Value::Int(i16::MIN.into()),
            Value::Int(-1),
            Value::UInt(u64::MAX),
            Value::Int(255),
            Value::Text("], types: ["),
            Value::Null,
            Value::Int(1),
            Value::Float(1.5),
            Value::Float(1.5),
            Value::Bytes(b"\0\xff"),
            Value::Text(&long),
            Value::Text(&medium),
            Value::Text(""),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn looking_changes_nothing() {
        let given = arguments(|list| {
            add(list, 7_i64);
            add(list, "text");
        });
        let before = format!("{given:?}");
        bound(&given).unwrap();
        assert_eq!(format!("{given:?}"), before);
    }

    /// All lists have different parameters, and all have some.
    #[test]
    fn different_lists_never_look_equal() {
        use sqlx::types::Json;
        use time::macros::{date, datetime, time};
        let mut lists = vec![
            arguments(|_| {}),
            arguments(|list| add(list, 7_i64)),
            arguments(|list| add(list, 7_u64)),
            arguments(|list| add(list, 7_i32)),
            arguments(|list| add(list, 7_i16)),
            arguments(|list| add(list, 7_i8)),
            arguments(|list| add(list, 8_i64)),
            arguments(|list| add(list, "7")),
            arguments(|list| add(list, b"7".as_slice())),
            arguments(|list| add(list, None::<i64>)),
            arguments(|list| add(list, None::<i32>)),
            arguments(|list| add(list, None::<String>)),
            arguments(|list| {
                add(list, "a");
                add(list, "bc");
            }),
            arguments(|list| {
                add(list, "ab");
                add(list, "c");
            }),
            arguments(|list| {
                add(list, None::<i64>);
                add(list, 1_i64);
            }),
            arguments(|list| {
                add(list, 1_i64);
                add(list, None::<i64>);
            }),
            arguments(|list| add(list, Json(serde_json::json!({"a": 1})))),
            arguments(|list| add(list, rust_decimal::Decimal::new(150, 2))),
            arguments(|list| add(list, rust_decimal::Decimal::new(151, 2))),
            arguments(|list| add(list, date!(2024 - 01 - 01))),
            arguments(|list| add(list, datetime!(2024-01-01 0:00))),
            arguments(|list| add(list, datetime!(2024-01-01 0:00:01))),
            arguments(|list| add(list, datetime!(2024-01-01 0:00 UTC))),
            arguments(|list| add(list, time!(1:00))),
            arguments(|list| add(list, uuid::Uuid::from_u128(1))),
            arguments(|list| add(list, 0.0_f64)),
            arguments(|list| add(list, -0.0_f64)),
            arguments(|list| add(list, 0.0_f32)),
        ];
        // More than a byte of nulls.
        for null in 0..10 {
            lists.push(arguments(|list| {
                (0..10).for_each(|index| add(list, (index != null).then_some(1_i64)));
            }));
        }
        let prefix = kogia::core::KeyPrefix::new([b"".as_slice()]);
        let key = |list: &MySqlArguments| {
            let bound = bound(list).unwrap();
            kogia::core::QueryKey::new(&prefix, &[0; 32], b"", &bound.parameters())
        };
        let keys: Vec<_> = lists.iter().map(key).collect();
        for (i, one) in keys.iter().enumerate() {
            for (j, other) in keys.iter().enumerate() {
                assert_eq!(one == other, i == j, "{:?} and {:?}", lists[i], lists[j]);
            }
        }
    }

    #[test]
    fn bytes_that_do_not_match_their_type_have_no_form() {
        struct Short;
        impl Type<MySql> for Short {
            fn type_info() -> MySqlTypeInfo {
                <i64 as Type<MySql>>::type_info()
            }
        }
        impl<'q> Encode<'q, MySql> for Short {
            fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
                buffer.push(1);
                Ok(IsNull::No)
            }
        }
        assert!(bound(&arguments(|list| add(list, Short))).is_none());
    }
}
