//! Arguments of SQLite: a list of values, which only printing shows.

use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

use super::{Bound, Held, Reader, printed};

/// The arguments, or `None` if they are printed in a way that is not known.
pub(crate) fn bound(arguments: &SqliteArguments) -> Option<Bound> {
    let mut bound = Bound::default();
    let count = arguments.len();
    if count == 0 {
        return Some(bound);
    }
    let text = printed(arguments, None);
    let mut reader = Reader(&text);
    reader.expect("SqliteArguments { values: SqliteArgumentsBuffer([")?;
    for index in 0..count {
        if index > 0 {
            reader.expect(", ")?;
        }
        let held = value(&mut reader, &mut bound.bytes)?;
        // SQLite declares no types. `Int` and `Int64` are one to it, so are the kinds of text.
        bound.push(0, held);
    }
    reader.expect("]) }")?;
    reader.0.is_empty().then_some(bound)
}

fn value(reader: &mut Reader<'_>, bytes: &mut Vec<u8>) -> Option<Held> {
    let start = bytes.len();
    let held = match reader.until(b"(,]")? {
        "Null" => return Some(Held::Null),
        "Int64" | "Int" => {
            reader.expect("(")?;
            Held::Int(reader.until(b")")?.parse().ok()?)
        }
        "Double" => {
            reader.expect("(")?;
            Held::Float(reader.until(b")")?.parse().ok()?)
        }
        "Text" | "TextSlice" => {
            reader.expect("(\"")?;
            string(reader, bytes)?;
            Held::Text(start..bytes.len())
        }
        "Blob" => {
            reader.expect("([")?;
            reader.bytes(bytes)?;
            Held::Bytes(start..bytes.len())
        }
        _ => return None,
    };
    reader.expect(")")?;
    Some(held)
}

/// Takes a printed string, from after its first quote to after its last, without its escapes.
fn string(reader: &mut Reader<'_>, bytes: &mut Vec<u8>) -> Option<()> {
    loop {
        bytes.extend_from_slice(reader.until(b"\"\\")?.as_bytes());
        if reader.accept("\"") {
            return Some(());
        }
        reader.expect("\\")?;
        let (&escape, rest) = reader.0.split_first()?;
        reader.0 = rest;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'"' | b'\\' | b'\'' => escape,
            b'u' => {
                reader.expect("{")?;
                let code = u32::from_str_radix(reader.until(b"}")?, 16).ok()?;
                reader.expect("}")?;
                let mut utf8 = [0; 4];
                bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes());
                continue;
            }
            _ => return None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kogia::core::Value;
    use sqlx::encode::Encode;
    use sqlx::{Sqlite, Type};

    fn arguments(add: impl FnOnce(&mut SqliteArguments)) -> SqliteArguments {
        let mut arguments = SqliteArguments::default();
        add(&mut arguments);
        arguments
    }

    fn add<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(arguments: &mut SqliteArguments, value: T) {
        arguments.add(value).unwrap();
    }

    /// Text comes back as it was bound, whatever is in it.
    #[test]
    fn text_is_what_was_bound() {
        let mut texts: Vec<String> = (0..=0x2ff_u32)
            .chain([0x200b, 0x2028, 0xfeff, 0xfffd, 0x1f600, 0xe0001, 0x10ffff])
            .filter_map(char::from_u32)
            .map(|c| format!("a{c}b"))
            .collect();
        texts.extend(
            [
                "",
                "\"",
                "\\",
                "\\\"",
                "'",
                "\"), Int64(7",
                "]) }",
                "\\u{41}",
                "e\u{301}",
            ]
            .map(String::from),
        );
        for text in texts {
            let given = arguments(|list| {
                add(list, text.clone());
                add(list, 7_i64);
            });
            let bound = bound(&given).unwrap();
            let values: Vec<_> = bound
                .parameters()
                .iter()
                .map(|parameter| parameter.value)
                .collect();
            assert_eq!(values, [Value::Text(&text), Value::Int(7)]);
        }
    }

    #[test]
    fn numbers_are_what_was_bound() {
        for number in [
            0.0,
            -0.0,
            1.0,
            0.1,
            f64::MIN,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            1e21,
        ] {
            let bound = bound(&arguments(|list| add(list, number))).unwrap();
            let parameters = bound.parameters();
            let Value::Float(value) = parameters[0].value else {
                panic!("{parameters:?}")
            };
            assert_eq!(value.to_bits(), number.to_bits());
        }
        for number in [i64::MIN, -1, 0, 1, i64::MAX] {
            let bound = bound(&arguments(|list| add(list, number))).unwrap();
            assert_eq!(bound.parameters()[0].value, Value::Int(number));
        }
        let infinite = bound(&arguments(|list| add(list, f64::INFINITY))).unwrap();
        assert_eq!(infinite.parameters()[0].value, Value::Float(f64::INFINITY));
    }

    /// All lists have different parameters, and all have some.
    #[test]
    fn different_lists_never_look_equal() {
        let lists = [
            arguments(|_| {}),
            arguments(|list| add(list, 7_i64)),
            arguments(|list| add(list, 7.0_f64)),
            arguments(|list| add(list, "7")),
            arguments(|list| add(list, b"7".as_slice())),
            arguments(|list| add(list, Vec::<u8>::new())),
            arguments(|list| add(list, "")),
            arguments(|list| add(list, "Null")),
            arguments(|list| add(list, None::<i64>)),
            arguments(|list| {
                add(list, None::<i64>);
                add(list, None::<i64>);
            }),
            arguments(|list| {
                add(list, "a");
                add(list, "bc");
            }),
            arguments(|list| {
                add(list, "ab");
                add(list, "c");
            }),
            arguments(|list| add(list, "a\"), Text(\"bc")),
            arguments(|list| add(list, vec![0_u8, 255, 7])),
            arguments(|list| add(list, vec![0_u8, 25, 57])),
            arguments(|list| add(list, f64::NAN)),
            arguments(|list| add(list, f64::NEG_INFINITY)),
            arguments(|list| add(list, true)),
            arguments(|list| add(list, false)),
            arguments(|list| add(list, uuid::Uuid::from_u128(1))),
            arguments(|list| add(list, sqlx::types::Json(serde_json::json!([1])))),
            arguments(|list| add(list, time::macros::datetime!(2024-01-01 0:00 UTC))),
        ];
        let prefix = kogia::core::KeyPrefix::new([b"".as_slice()]);
        let key = |list: &SqliteArguments| {
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
}
