//! Typed rows as bytes: whatever serde makes of a type, and back exactly.
//!
//! The format describes itself, because many types need that (`serde_json::Value`, untagged and
//! flattened ones, decimals), and unlike the usual formats that do, it tells everything apart
//! that Rust does: `None` from `Some(None)`, a unit from nothing, the widths of integers, and it
//! keeps the bits of floats. Names of fields and variants are written once for all rows.
//!
//! Only the same program reads what it has written ([`crate::shape`]), so there are no versions
//! of a type to reconcile.

mod canonical;
mod de;
mod ser;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows that are being encoded.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    output: ser::Output,
    rows: u64,
}

/// A row that cannot be kept, or bytes that no encoder wrote.
#[derive(Debug)]
pub(crate) struct CodecError(Box<str>);

impl Encoder {
    /// Adds a row. After an error the encoder is of no use any more.
    pub(crate) fn push<T: Serialize>(&mut self, row: &T) -> Result<(), CodecError> {
        self.rows += 1;
        row.serialize(ser::Serializer::new(&mut self.output))
    }

    /// The names of fields that the rows have, in the order of their first appearance.
    pub(crate) fn names(&self) -> &[&'static str] {
        self.output.names()
    }

    /// How many bytes the rows take.
    pub(crate) fn len(&self) -> usize {
        self.output.bytes().len()
    }

    /// How many rows were added.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes: the format, the number of rows, the rows.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let rows = self.output.bytes();
        let mut bytes = Vec::with_capacity(rows.len() + HEADER);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(rows);
        bytes
    }
}

/// The rows that an [`Encoder`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, CodecError> {
    let (header, rows) = bytes
        .split_at_checked(HEADER)
        .ok_or_else(CodecError::damaged)?;
    let [FORMAT, count @ ..] = header else {
        return Err(CodecError::damaged());
    };
    let count: [u8; 8] = count.try_into().map_err(|_| CodecError::damaged())?;
    let count = usize::try_from(u64::from_le_bytes(count)).map_err(|_| CodecError::damaged())?;
    // A damaged count must not reserve more than the bytes could hold.
    let mut values = Vec::with_capacity(count.min(rows.len()));
    let mut input = de::Input::new(rows);
    for _ in 0..count {
        values.push(T::deserialize(de::Deserializer::new(&mut input))?);
    }
    if input.is_empty() {
        Ok(values)
    } else {
        Err(CodecError::damaged())
    }
}

/// Checks that what was written is read back as it was: written once more it is the same.
///
/// This is as much as can be known of a type without `PartialEq`. What two values write alike (two
/// variants of an untagged enum with the same content, say) it cannot tell apart.
pub(crate) fn check<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<(), CodecError> {
    let rows: Vec<T> = decode(bytes)?;
    let mut encoder = Encoder::default();
    rows.iter().try_for_each(|row| encoder.push(row))?;
    let again = encoder.finish();
    if again == bytes || canonical::canonical(&again)? == canonical::canonical(bytes)? {
        return Ok(());
    }
    Err(CodecError::new("written once more it is another value"))
}

impl CodecError {
    fn new(message: impl fmt::Display) -> Self {
        CodecError(message.to_string().into())
    }

    fn damaged() -> Self {
        CodecError::new("the bytes are damaged")
    }

    fn too_deep() -> Self {
        CodecError::new("the value is nested too deeply")
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        CodecError::new(message)
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        CodecError::new(message)
    }
}

/// The number of the format. Another number is a miss.
const FORMAT: u8 = 1;

/// The format and the number of rows.
const HEADER: usize = 9;

/// Values may be nested this deep, so that neither a type nor damaged bytes exhaust the stack.
const DEPTH: u8 = 120;

/// What stands before each value, and between them.
mod tag {
    /// The end of a sequence, map or struct; where a name is expected, no name has this number.
    pub(super) const END: u8 = 0;
    pub(super) const NONE: u8 = 1;
    pub(super) const SOME: u8 = 2;
    pub(super) const UNIT: u8 = 3;
    pub(super) const FALSE: u8 = 4;
    pub(super) const TRUE: u8 = 5;
    pub(super) const I8: u8 = 6;
    pub(super) const I16: u8 = 7;
    pub(super) const I32: u8 = 8;
    pub(super) const I64: u8 = 9;
    pub(super) const I128: u8 = 10;
    pub(super) const U8: u8 = 11;
    pub(super) const U16: u8 = 12;
    pub(super) const U32: u8 = 13;
    pub(super) const U64: u8 = 14;
    pub(super) const U128: u8 = 15;
    pub(super) const F32: u8 = 16;
    pub(super) const F64: u8 = 17;
    pub(super) const CHAR: u8 = 18;
    pub(super) const TEXT: u8 = 19;
    pub(super) const BYTES: u8 = 20;
    pub(super) const SEQUENCE: u8 = 21;
    pub(super) const MAP: u8 = 22;
    pub(super) const STRUCT: u8 = 23;
    pub(super) const UNIT_VARIANT: u8 = 24;
    pub(super) const NEWTYPE_VARIANT: u8 = 25;
    pub(super) const TUPLE_VARIANT: u8 = 26;
    pub(super) const STRUCT_VARIANT: u8 = 27;
    /// An `i32`, `i64`, `u32` or `u64` that one byte holds.
    pub(super) const SMALL_I32: u8 = 28;
    pub(super) const SMALL_I64: u8 = 29;
    pub(super) const SMALL_U32: u8 = 30;
    pub(super) const SMALL_U64: u8 = 31;
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Debug;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn encode<T: Serialize>(rows: &[T]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        rows.iter().for_each(|row| encoder.push(row).unwrap());
        assert_eq!(encoder.rows(), rows.len() as u64);
        encoder.finish()
    }

    /// The rows come back, printed alike to the last bit of them.
    #[track_caller]
    fn round_trip<T: Serialize + DeserializeOwned + Debug>(rows: &[T]) {
        let bytes = encode(rows);
        let decoded: Vec<T> = decode(&bytes).unwrap_or_else(|error| panic!("{rows:?}: {error}"));
        assert_eq!(format!("{decoded:?}"), format!("{rows:?}"));
        assert_eq!(encode(&decoded), bytes);
    }

    #[test]
    fn primitives() {
        round_trip(&[i8::MIN, -1, 0, 1, i8::MAX]);
        round_trip(&[i16::MIN, -1, 0, 1, i16::MAX]);
        round_trip(&[i32::MIN, -129, -128, -1, 0, 1, 127, 128, i32::MAX]);
        round_trip(&[i64::MIN, -129, -128, -1, 0, 1, 127, 128, i64::MAX]);
        round_trip(&[i128::MIN, -1, 0, i128::MAX]);
        round_trip(&[0, u8::MAX]);
        round_trip(&[0, u16::MAX]);
        round_trip(&[0, 255, 256, u32::MAX]);
        round_trip(&[0, 255, 256, u64::MAX]);
        round_trip(&[0, u128::MAX]);
        round_trip(&[true, false]);
        round_trip(&['a', '\0', 'ß', '\u{10ffff}']);
        round_trip(&["", "a", "\0", "ß\u{10ffff}"].map(String::from));
        round_trip(&["x".repeat(127), "y".repeat(128), "z".repeat(70_000)]);
        round_trip::<()>(&[(), ()]);
        round_trip::<i64>(&[]);
    }

    #[test]
    fn floats_keep_their_bits() {
        let values = [
            0.0,
            -0.0,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::MIN_POSITIVE,
            5e-324,
            0.1,
        ];
        let decoded: Vec<f64> = decode(&encode(&values)).unwrap();
        assert_eq!(decoded.map_bits(), values.map_bits());
        let values = [f32::NAN, -0.0, f32::INFINITY, 0.1];
        let decoded: Vec<f32> = decode(&encode(&values)).unwrap();
        assert_eq!(decoded.map_bits(), values.map_bits());
    }

    trait Bits {
        fn map_bits(&self) -> Vec<u64>;
    }

    impl Bits for [f64] {
        fn map_bits(&self) -> Vec<u64> {
            self.iter().map(|value| value.to_bits()).collect()
        }
    }

    impl Bits for [f32] {
        fn map_bits(&self) -> Vec<u64> {
            self.iter().map(|value| value.to_bits().into()).collect()
        }
    }

    #[test]
    fn options_of_options() {
        round_trip(&[None, Some(None), Some(Some(1))]);
        round_trip(&[
            None,
            Some(None),
            Some(Some(None)),
            Some(Some(Some("a".to_owned()))),
        ]);
        round_trip(&[None, Some(())]);
        round_trip(&[Some(vec![None, Some(1_i64)]), None, Some(vec![])]);
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Unit;

    #[derive(Debug, Serialize, Deserialize)]
    struct Newtype(i64);

    #[derive(Debug, Serialize, Deserialize)]
    struct Pair(i64, Option<String>);

    #[derive(Debug, Serialize, Deserialize)]
    enum External {
        Unit,
        Newtype(Option<Option<i64>>),
        Tuple(i64, String),
        Struct { a: i64, b: Vec<u8> },
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Internal {
        Unit,
        Struct { a: i64, b: Option<String> },
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "value")]
    enum Adjacent {
        Unit,
        Newtype(i64),
        Tuple(i64, String),
        Struct { a: i64 },
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Float(f64),
        Text(String),
        Pair(i64, String),
        Struct { a: i64 },
        Id { id: uuid::Uuid },
        Nested { inner: External },
    }

    fn externals() -> Vec<External> {
        vec![
            External::Unit,
            External::Newtype(None),
            External::Newtype(Some(None)),
            External::Newtype(Some(Some(1))),
            External::Tuple(1, "a".into()),
            External::Struct {
                a: 1,
                b: vec![0, 255],
            },
        ]
    }

    #[test]
    fn structs_and_enums() {
        round_trip(&[Unit]);
        round_trip(&[Newtype(7)]);
        round_trip(&[Pair(7, None), Pair(7, Some(String::new()))]);
        round_trip(&externals());
        round_trip(&[
            Internal::Unit,
            Internal::Struct { a: 1, b: None },
            Internal::Struct {
                a: 1,
                b: Some("b".into()),
            },
        ]);
        round_trip(&[
            Adjacent::Unit,
            Adjacent::Newtype(1),
            Adjacent::Tuple(1, "a".into()),
            Adjacent::Struct { a: 1 },
        ]);
        round_trip(&[
            Untagged::Number(1),
            Untagged::Float(1.5),
            Untagged::Text("1".into()),
            Untagged::Pair(1, "a".into()),
            Untagged::Struct { a: 1 },
            Untagged::Id {
                id: uuid::Uuid::from_u128(7),
            },
            Untagged::Nested {
                inner: External::Tuple(1, "a".into()),
            },
            Untagged::Nested {
                inner: External::Struct { a: 1, b: vec![] },
            },
            Untagged::Nested {
                inner: External::Unit,
            },
        ]);
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Inner {
        x: i64,
        y: Option<External>,
        id: uuid::Uuid,
        z: Option<Option<i64>>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Flat {
        own_name: String,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sometimes: Option<i64>,
    }

    #[test]
    fn flattened_and_left_out_fields() {
        let flat = |sometimes, y, z| Flat {
            own_name: "a".into(),
            inner: Inner {
                x: 1,
                y,
                id: uuid::Uuid::from_u128(7),
                z,
            },
            rest: BTreeMap::from([("more".to_owned(), json!([1, null, "x"]))]),
            sometimes,
        };
        let mut rows = vec![flat(None, None, None), flat(Some(1), None, Some(Some(2)))];
        rows.extend(
            externals()
                .into_iter()
                .map(|external| flat(None, Some(external), None)),
        );
        rows.push(flat(Some(2), None, Some(None)));
        round_trip(&rows);
    }

    #[test]
    fn maps_with_any_keys() {
        round_trip(&[BTreeMap::from([
            (1_i64, "a".to_owned()),
            (-1, String::new()),
        ])]);
        round_trip(&[BTreeMap::from([((1_i64, Some('x')), 1.5)])]);
        round_trip(&[BTreeMap::from([
            (Some("k".to_owned()), None),
            (None, Some(1_i64)),
        ])]);
        round_trip(&[HashMap::from([(true, vec![1_u8])])]);
        round_trip(&[BTreeMap::<String, i64>::new()]);
    }

    #[test]
    fn values_of_other_crates() {
        use time::macros::{date, datetime, time};
        round_trip(&[
            rust_decimal::Decimal::new(1_230, 3),
            rust_decimal::Decimal::MIN,
        ]);
        round_trip(&[
            json!(null),
            json!({"a": [1, -1, 1.5, u64::MAX, "x", null, {"b": {}}], "c": []}),
        ]);
        round_trip(&[uuid::Uuid::from_u128(7)]);
        round_trip(&[datetime!(2024-02-29 23:59:59.123456789)]);
        round_trip(&[datetime!(2024-02-29 23:59:59.123456 +02:00)]);
        round_trip(&[date!(2024 - 02 - 29)]);
        round_trip(&[time!(1:02:03.5)]);
        let utc = chrono::DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        round_trip(&[utc, chrono::DateTime::UNIX_EPOCH]);
        round_trip(&[utc.naive_utc()]);
        round_trip(&[utc.date_naive()]);
        round_trip(&[utc.time()]);
        round_trip(&[std::net::IpAddr::from([127, 0, 0, 1])]);
        round_trip(&[std::time::Duration::new(1, 2)]);
        round_trip(&[sqlx::types::Json(vec![Some(1), None])]);
        round_trip(&[(1_i64, Some("a".to_owned()), 1.5, [1_u8, 2], vec![(true,)])]);
        round_trip(std::slice::from_ref(&(1..3)));
        round_trip::<Result<i64, String>>(&[Ok(1), Err("no".to_owned())]);
    }

    /// What decides whether a value is kept says yes.
    #[track_caller]
    fn kept<T: Serialize + DeserializeOwned + Debug>(rows: &[T]) {
        check::<T>(&encode(rows)).unwrap_or_else(|error| panic!("{rows:?}: {error}"));
    }

    #[test]
    fn a_value_that_does_not_come_back_is_refused_wherever_it_is() {
        fn is_zero(value: &i64) -> bool {
            *value == 0
        }
        fn five() -> i64 {
            5
        }
        #[derive(Debug, Serialize, Deserialize)]
        struct Wrong {
            #[serde(skip_serializing_if = "is_zero", default = "five")]
            value: i64,
        }
        kept(&[Wrong { value: 1 }, Wrong { value: 5 }]);
        // Not the first row.
        check::<Wrong>(&encode(&[Wrong { value: 1 }, Wrong { value: 0 }])).unwrap_err();

        /// Writes what it does not read.
        #[derive(Debug, Deserialize)]
        struct OneWay(#[allow(dead_code)] i64);
        impl Serialize for OneWay {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        check::<OneWay>(&encode(&[OneWay(7)])).unwrap_err();

        /// Comes back rounded, once.
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Number {
            Small(f32),
            Large(f64),
        }
        check::<Number>(&encode(&[Number::Small(0.5), Number::Large(0.1)])).unwrap_err();

        /// Two fields of one name in a flattened struct.
        #[derive(Debug, Serialize, Deserialize)]
        struct Outer {
            id: i64,
            #[serde(flatten)]
            inner: OuterInner,
        }
        #[derive(Debug, Serialize, Deserialize)]
        struct OuterInner {
            id: i64,
        }
        let twice = Outer {
            id: 1,
            inner: OuterInner { id: 2 },
        };
        check::<Outer>(&encode(&[twice])).unwrap_err();
    }

    #[test]
    fn maps_without_an_order_are_kept() {
        let map = |count: i64| -> HashMap<String, External> {
            let entry = |key: i64| (key.to_string(), External::Tuple(key, "x".into()));
            (0..count).map(entry).collect()
        };
        kept(&[map(0), map(1), map(40), map(3)]);
        kept(&[HashMap::from([(1_i64, map(7)), (2, map(9))])]);
    }

    #[test]
    fn whatever_is_kept_is_kept_together() {
        kept(&externals());
        kept(&[Some(f32::NAN), None, Some(-0.0)]);
        kept(&[Some(None), None, Some(Some(u128::MAX)), Some(Some(0))]);
        kept(&[json!({"a": [u64::MAX, i64::MIN, 0.1, 1e300, null], "b": {"": {}}})]);
        kept(&[BTreeMap::from([(('x', i128::MIN), Some(()))])]);
        kept(&[(
            Internal::Struct { a: 1, b: None },
            Adjacent::Tuple(1, "a".into()),
        )]);
        kept(&[vec![
            Untagged::Float(1.5),
            Untagged::Number(1),
            Untagged::Text("1".into()),
        ]]);
        kept(&[
            rust_decimal::Decimal::MAX,
            rust_decimal::Decimal::new(-1, 28),
        ]);
        kept(&[uuid::Uuid::from_u128(u128::MAX)]);
        kept(&[Some(chrono::DateTime::<chrono::Utc>::MIN_UTC), None]);
        kept(&[std::borrow::Cow::<'static, str>::Borrowed("x")]);
    }

    struct Raw(Vec<u8>);

    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Raw {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Raw;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                    Ok(Raw(bytes.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Visitor)
        }
    }

    #[test]
    fn bytes() {
        let decoded: Vec<Raw> = decode(&encode(&[Raw(vec![0, 255]), Raw(vec![])])).unwrap();
        assert_eq!(decoded[0].0, [0, 255]);
        assert!(decoded[1].0.is_empty());
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Chain(Option<Box<Chain>>);

    #[test]
    fn too_deep_a_value_is_refused() {
        let mut chain = Chain(None);
        for _ in 0..20 {
            chain = Chain(Some(Box::new(chain)));
        }
        round_trip(&[chain]);
        let mut chain = Chain(None);
        for _ in 0..1_000 {
            chain = Chain(Some(Box::new(chain)));
        }
        Encoder::default().push(&chain).unwrap_err();
        // Bytes of that depth, which no encoder wrote.
        let mut bytes = vec![FORMAT, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(std::iter::repeat_n(tag::SOME, 1_000_000));
        decode::<Chain>(&bytes).unwrap_err();
        decode::<serde_json::Value>(&bytes).unwrap_err();
        let sequences = [tag::SEQUENCE, 0].repeat(1_000_000);
        bytes.truncate(HEADER);
        bytes.extend(sequences);
        decode::<serde_json::Value>(&bytes).unwrap_err();
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_without_a_panic() {
        let rows = externals();
        let bytes = encode(&rows);
        for length in 0..bytes.len() {
            decode::<External>(&bytes[..length]).unwrap_err();
        }
        for index in 0..bytes.len() {
            for value in 0..=255 {
                let mut damaged = bytes.clone();
                damaged[index] = value;
                // Any answer will do; a store that gives such bytes is caught by its digest.
                let _ = decode::<External>(&damaged);
                let _ = decode::<serde_json::Value>(&damaged);
            }
        }
        let mut longer = bytes.clone();
        longer.push(0);
        decode::<External>(&longer).unwrap_err();
        decode::<External>(&[FORMAT, 255, 255, 255, 255, 255, 255, 255, 255]).unwrap_err();
    }

    #[test]
    fn names_are_written_once() {
        #[derive(Serialize)]
        struct Row {
            quite_a_long_name: i64,
        }
        let one = encode(&[Row {
            quite_a_long_name: 1,
        }])
        .len();
        let two = encode(&[
            Row {
                quite_a_long_name: 1,
            },
            Row {
                quite_a_long_name: 2,
            },
        ])
        .len();
        assert_eq!(two - one, 5);
    }
}
