//! Arguments of PostgreSQL: each in the buffer as a length and its binary form.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments, Type};

use super::{Bound, Held, Reader, Refused, printed};

/// The arguments, or `None` if one of them has no exact form.
///
/// A type whose OID only the server knows stays in the buffer as a hole, to be filled when the
/// query runs. Holes are written by arrays and records; arguments that may have one have no form.
pub(crate) fn bound(arguments: &mut PgArguments) -> Option<Bound> {
    let mut bound = Bound::default();
    let count = arguments.len();
    if count == 0 {
        return Some(bound);
    }
    let text = printed(arguments, Some("PgArgumentBuffer"));
    let mut types = Reader(&text);
    types.expect("PgArguments { types: [")?;
    // The probe always refuses; what sqlx answers says nothing more.
    let _ = arguments.add(Probe(&mut bound.bytes));
    let end = bound.bytes.len();
    let mut at = 0;
    let mut holes_looked_for = false;
    for index in 0..count {
        if index > 0 {
            types.expect(", ")?;
        }
        types.expect("PgTypeInfo(")?;
        let name = declared(&mut types)?;
        let length = i32::from_be_bytes(bound.bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        let kind = kind(name);
        let type_id = match kind {
            Kind::Scalar(oid) | Kind::Array(oid, _) => oid,
            Kind::Unknown => 0,
        };
        if length == -1 && type_id != 0 {
            bound.push(type_id, Held::Null);
            continue;
        }
        let range = at..at + usize::try_from(length.max(0)).ok()?;
        let value = bound.bytes.get(..end)?.get(range.clone())?;
        let held = match kind {
            Kind::Scalar(oid) => scalar(oid, value, &range)?,
            Kind::Array(_, element) if elements_are(element, value) => Held::Other(range.clone()),
            Kind::Array(..) | Kind::Unknown => {
                if !holes_looked_for && !has_no_holes(arguments) {
                    return None;
                }
                holes_looked_for = true;
                match kind {
                    Kind::Unknown => named(&mut bound.bytes, name, length, &range)?,
                    _ => Held::Other(range.clone()),
                }
            }
        };
        at = range.end;
        bound.push(type_id, held);
    }
    types.expect("], buffer: PgArgumentBuffer")?;
    (at == end).then_some(bound)
}

enum Kind {
    /// A built-in type without elements, by its OID.
    Scalar(u32),
    /// An array of such a type: its OID, and that of the elements.
    Array(u32, u32),
    /// Anything else, known by its name.
    Unknown,
}

/// The value of a built-in type in binary form.
fn scalar(oid: u32, value: &[u8], range: &std::ops::Range<usize>) -> Option<Held> {
    Some(match (oid, value) {
        (16, [byte @ (0 | 1)]) => Held::Bool(*byte == 1),
        (21, &[a, b]) => Held::Int(i16::from_be_bytes([a, b]).into()),
        (23, &[a, b, c, d]) => Held::Int(i32::from_be_bytes([a, b, c, d]).into()),
        (20, bytes) if bytes.len() == 8 => Held::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        (700, &[a, b, c, d]) => Held::Float(f32::from_be_bytes([a, b, c, d]).into()),
        (701, bytes) if bytes.len() == 8 => Held::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
        (2950, bytes) if bytes.len() == 16 => Held::Uuid(bytes.try_into().ok()?),
        (25 | 1043, _) => Held::Text(range.clone()),
        (17, _) => Held::Bytes(range.clone()),
        // A widened NaN keeps its sign and payload, but nothing depends on that: the exact bytes
        // of everything else are its form.
        _ => Held::Other(range.clone()),
    })
}

/// The value of a type that is only known by its name: the name and the bytes together, behind
/// all arguments.
fn named(
    bytes: &mut Vec<u8>,
    name: &str,
    length: i32,
    range: &std::ops::Range<usize>,
) -> Option<Held> {
    let start = bytes.len();
    bytes.extend_from_slice(&u32::try_from(name.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_within(range.clone());
    Some(Held::Other(start..bytes.len()))
}

/// The printed name of a declared type, without the parenthesis that ends it.
///
/// Built-in types are a word. Names that users declare are printed without quotes, so only those
/// that cannot be mistaken for something else are taken.
fn declared<'a>(types: &mut Reader<'a>) -> Option<&'a str> {
    let start = types.0;
    let plain = types.until(b"(),")?;
    if types.accept(")") {
        return Some(plain);
    }
    let harmless = match plain {
        "DeclareWithName" => {
            types.expect("(")?;
            types.until(b"(),\"{}[]")?;
            types.expect("))").is_some()
        }
        "DeclareWithOid" => {
            types.expect("(Oid(")?;
            types.until(b"()")?.parse::<u32>().ok()?;
            types.expect(")))").is_some()
        }
        "DeclareArrayOf" => {
            types.expect("(PgArrayOf { elem_name: ")?;
            types.until(b"(),\"{}[]")?;
            types.expect(", name: \"")?;
            types.until(b"\"\\")?;
            types.expect("\" }))").is_some()
        }
        _ => false,
    };
    if !harmless {
        return None;
    }
    let length = start.len() - types.0.len() - 1;
    std::str::from_utf8(start.get(..length)?).ok()
}

/// Whether an array in binary form says that its elements are of this type.
fn elements_are(element: u32, value: &[u8]) -> bool {
    value
        .get(8..12)
        .is_some_and(|oid| oid == element.to_be_bytes())
}

/// Whether nothing in the buffer is to be filled when the query runs.
///
/// This prints the whole buffer, number by number, so it is only asked where it matters.
fn has_no_holes(arguments: &PgArguments) -> bool {
    printed(arguments, None).ends_with(b"hole_offsets: [], hole_types: [] } }")
}

fn kind(name: &str) -> Kind {
    let scalar = |name: &str| {
        Some(match name {
            "Bool" => 16,
            "Bytea" => 17,
            "Char" => 18,
            "Name" => 19,
            "Int8" => 20,
            "Int2" => 21,
            "Int4" => 23,
            "Text" => 25,
            "Oid" => 26,
            "Json" => 114,
            "Point" => 600,
            "Lseg" => 601,
            "Path" => 602,
            "Box" => 603,
            "Polygon" => 604,
            "Line" => 628,
            "Cidr" => 650,
            "Float4" => 700,
            "Float8" => 701,
            "Circle" => 718,
            "Macaddr8" => 774,
            "Money" => 790,
            "Macaddr" => 829,
            "Inet" => 869,
            "Bpchar" => 1042,
            "Varchar" => 1043,
            "Date" => 1082,
            "Time" => 1083,
            "Timestamp" => 1114,
            "Timestamptz" => 1184,
            "Interval" => 1186,
            "Timetz" => 1266,
            "Bit" => 1560,
            "Varbit" => 1562,
            "Numeric" => 1700,
            "Uuid" => 2950,
            "Jsonb" => 3802,
            _ => return None,
        })
    };
    if let Some(oid) = scalar(name) {
        return Kind::Scalar(oid);
    }
    let Some(element) = name.strip_suffix("Array").and_then(scalar) else {
        return Kind::Unknown;
    };
    let oid = match element {
        16 => 1000,
        17 => 1001,
        20 => 1016,
        21 => 1005,
        23 => 1007,
        25 => 1009,
        114 => 199,
        700 => 1021,
        701 => 1022,
        1043 => 1015,
        1082 => 1182,
        1083 => 1183,
        1114 => 1115,
        1184 => 1185,
        1700 => 1231,
        2950 => 2951,
        3802 => 3807,
        _ => return Kind::Unknown,
    };
    Kind::Array(oid, element)
}

/// A value that copies what was bound before it, and refuses.
struct Probe<'a>(&'a mut Vec<u8>);

impl Type<Postgres> for Probe<'_> {
    fn type_info() -> PgTypeInfo {
        <i32 as Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for Probe<'_> {
    fn encode(self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The last four bytes are room for this value's own length.
        let before = buffer.len().saturating_sub(4);
        self.0
            .extend_from_slice(buffer.get(..before).unwrap_or_default());
        Err(Box::new(Refused))
    }

    fn encode_by_ref(&self, _buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Err(Box::new(Refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kogia::core::Value;

    fn arguments(add: impl FnOnce(&mut PgArguments)) -> PgArguments {
        let mut arguments = PgArguments::default();
        add(&mut arguments);
        arguments
    }

    fn add<'q, T: Encode<'q, Postgres> + Type<Postgres>>(arguments: &mut PgArguments, value: T) {
        arguments.add(value).unwrap();
    }

    #[test]
    fn values_are_what_was_bound() {
        let id = uuid::Uuid::from_u128(7);
        let mut given = arguments(|list| {
            add(list, 7_i64);
            add(list, -7_i32);
            add(list, i16::MIN);
            add(list, "PgArgumentBuffer");
            add(list, None::<String>);
            add(list, true);
            add(list, 1.5_f64);
            add(list, 1.5_f32);
            add(list, id);
            add(list, b"\0\xff".as_slice());
            add(list, String::new());
        });
        let bound = bound(&mut given).unwrap();
        let expected = [
            (20, Value::Int(7)),
            (23, Value::Int(-7)),
            (21, Value::Int(i16::MIN.into())),
            (25, Value::Text("PgArgumentBuffer")),
            (25, Value::Null),
            (16, Value::Bool(true)),
            (701, Value::Float(1.5)),
            (700, Value::Float(1.5)),
            (2950, Value::Uuid(id.into_bytes())),
            (17, Value::Bytes(b"\0\xff")),
            (25, Value::Text("")),
        ]
        .map(|(type_id, value)| kogia::core::Parameter { type_id, value });
        assert_eq!(bound.parameters().as_slice(), expected);
    }

    #[test]
    fn looking_changes_nothing() {
        let mut given = arguments(|list| {
            add(list, 7_i64);
            add(list, sqlx::types::Json(vec![1]));
            add(list, vec!["a", "b"]);
        });
        let before = format!("{given:?}");
        bound(&mut given).unwrap();
        bound(&mut given).unwrap();
        assert_eq!(format!("{given:?}"), before);
        assert_eq!(given.len(), 3);
    }

    #[derive(sqlx::Type, Clone, Copy)]
    #[sqlx(type_name = "mood", rename_all = "lowercase")]
    enum Mood {
        Happy,
        Sad,
    }

    #[derive(sqlx::Type, Clone, Copy)]
    #[sqlx(type_name = "temper", rename_all = "lowercase")]
    enum Temper {
        Happy,
    }

    /// All lists have different parameters, and all have some.
    #[test]
    fn different_lists_never_look_equal() {
        use sqlx::types::Json;
        use time::macros::{date, datetime};
        let lists = [
            arguments(|_| {}),
            arguments(|list| add(list, 7_i64)),
            arguments(|list| add(list, 7_i32)),
            arguments(|list| add(list, 7_i16)),
            arguments(|list| add(list, 8_i64)),
            arguments(|list| add(list, "7")),
            arguments(|list| add(list, b"7".as_slice())),
            arguments(|list| add(list, None::<i64>)),
            arguments(|list| add(list, None::<i32>)),
            arguments(|list| add(list, None::<Mood>)),
            arguments(|list| add(list, None::<Temper>)),
            arguments(|list| add(list, None::<Vec<i64>>)),
            arguments(|list| add(list, Vec::<i64>::new())),
            arguments(|list| add(list, Vec::<i32>::new())),
            arguments(|list| add(list, vec![1_i64])),
            arguments(|list| add(list, vec![1_i64, 2])),
            arguments(|list| add(list, vec![Some(1_i64), None])),
            arguments(|list| add(list, vec![1_i32, 2])),
            arguments(|list| add(list, vec!["1", "2"])),
            arguments(|list| add(list, vec!["12"])),
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
            arguments(|list| add(list, Json(serde_json::json!({"a": 2})))),
            arguments(|list| add(list, Mood::Happy)),
            arguments(|list| add(list, Mood::Sad)),
            arguments(|list| add(list, Temper::Happy)),
            arguments(|list| add(list, rust_decimal::Decimal::new(150, 2))),
            arguments(|list| add(list, rust_decimal::Decimal::new(151, 2))),
            arguments(|list| add(list, date!(2024 - 01 - 01))),
            arguments(|list| add(list, date!(2024 - 01 - 02))),
            arguments(|list| add(list, datetime!(2024-01-01 0:00))),
            arguments(|list| add(list, datetime!(2024-01-01 0:00 UTC))),
            arguments(|list| add(list, uuid::Uuid::from_u128(1))),
            arguments(|list| add(list, vec![uuid::Uuid::from_u128(1)])),
            arguments(|list| add(list, f64::NAN)),
            arguments(|list| add(list, 0.0_f64)),
            arguments(|list| add(list, -0.0_f64)),
            arguments(|list| add(list, sqlx::postgres::types::PgRange::from(1_i32..5))),
            arguments(|list| add(list, sqlx::postgres::types::PgRange::from(1_i32..6))),
            arguments(|list| add(list, sqlx::postgres::types::PgRange::from(1_i64..5))),
        ];
        let bound: Vec<_> = lists
            .into_iter()
            .map(|mut list| bound(&mut list).unwrap())
            .collect();
        let keys: Vec<_> = bound.iter().map(|bound| key(&bound.parameters())).collect();
        for (i, one) in keys.iter().enumerate() {
            for (j, other) in keys.iter().enumerate() {
                assert_eq!(one == other, i == j, "{:?} and {:?}", bound[i], bound[j]);
            }
        }
    }

    fn key(parameters: &[kogia::core::Parameter<'_>]) -> kogia::core::QueryKey {
        let prefix = kogia::core::KeyPrefix::new([b"".as_slice()]);
        kogia::core::QueryKey::new(&prefix, &[0; 32], b"", parameters)
    }

    #[test]
    fn arrays_of_types_that_only_the_server_knows_have_no_form() {
        let mut given = arguments(|list| {
            add(list, 1_i64);
            add(list, vec![Mood::Happy, Mood::Sad]);
        });
        assert!(bound(&mut given).is_none());
        let mut empty = arguments(|list| add(list, Vec::<Mood>::new()));
        assert!(bound(&mut empty).is_none());
    }

    #[test]
    fn a_type_name_that_could_be_mistaken_has_no_form() {
        struct Odd;
        impl Type<Postgres> for Odd {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_name("x)), PgTypeInfo(Int8")
            }
        }
        impl<'q> Encode<'q, Postgres> for Odd {
            fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                Ok(IsNull::No)
            }
        }
        let mut given = arguments(|list| {
            add(list, Odd);
            add(list, 1_i64);
        });
        assert!(bound(&mut given).is_none());
    }
}
