//! Whatever a database can put in a cell comes back; whatever lies in a store does not panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A cell that owns what it holds.
#[derive(Debug, Clone)]
enum Sample {
    Plain(Cell<'static>),
    Text(fn(&str) -> Cell<'_>, String),
    Bytes(fn(&[u8]) -> Cell<'_>, Vec<u8>),
    Bits(u32, Vec<u8>),
    OtherText(String, String),
    OtherBytes(String, Vec<u8>),
    List(fn(List<'_>) -> Cell<'_>, Vec<Sample>),
    Array(u32, i32, Vec<Sample>),
    Range(Option<[Box<Sample>; 2]>, bool, bool),
}

impl Sample {
    fn with<R>(&self, look: impl FnOnce(Cell<'_>) -> R) -> R {
        match self {
            Sample::Plain(cell) => look(*cell),
            Sample::Text(kind, text) => look(kind(text)),
            Sample::Bytes(kind, bytes) => look(kind(bytes)),
            Sample::Bits(length, bytes) => look(Cell::Bits(Bits::new(*length, bytes).unwrap())),
            Sample::OtherText(type_name, text) => look(Cell::OtherText { type_name, text }),
            Sample::OtherBytes(type_name, bytes) => look(Cell::OtherBytes { type_name, bytes }),
            Sample::List(kind, cells) => look(kind(List::parse(&list(cells)).unwrap())),
            Sample::Array(element_type, lower_bound, cells) => look(Cell::Array(Array {
                element_type: *element_type,
                lower_bound: *lower_bound,
                elements: List::parse(&list(cells)).unwrap(),
            })),
            Sample::Range(bounds, lower_inclusive, upper_inclusive) => {
                let bounds: Vec<Sample> = bounds
                    .iter()
                    .flatten()
                    .map(|bound| (**bound).clone())
                    .collect();
                let bounds = list(&bounds);
                let bounds = List::parse(&bounds).unwrap();
                look(Cell::Range(
                    Range::new(bounds, *lower_inclusive, *upper_inclusive).unwrap(),
                ))
            }
        }
    }
}

fn list(cells: &[Sample]) -> Vec<u8> {
    let mut builder = ListBuilder::new();
    cells
        .iter()
        .for_each(|cell| cell.with(|cell| builder.push(cell)));
    builder.finish().unwrap()
}

fn rows(columns: &[(String, u32)], cells: &[Sample]) -> Vec<u8> {
    let width = columns.len();
    let column = |(name, type_id)| Column { name, type_id };
    let columns = columns
        .iter()
        .map(|(name, type_id)| column((name.as_str(), *type_id)));
    let mut builder = RowsBuilder::new(columns);
    for row in cells.chunks_exact(width) {
        row.iter()
            .for_each(|cell| cell.with(|cell| builder.push(cell)));
        builder.end_row();
    }
    builder.finish().unwrap()
}

/// One column of one cell in every row.
fn column(cells: &[Cell<'_>]) -> Vec<u8> {
    let mut builder = RowsBuilder::new([Column {
        name: "c",
        type_id: 7,
    }]);
    for cell in cells {
        builder.push(*cell);
        builder.end_row();
    }
    builder.finish().unwrap()
}

fn plain() -> impl Strategy<Value = Sample> {
    let time = prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        Just(86_400_000_000)
    ];
    let prefix = any::<(std::net::IpAddr, u8)>();
    prop_oneof![
        Just(Cell::Null),
        any::<bool>().prop_map(Cell::Bool),
        any::<i8>().prop_map(Cell::I8),
        any::<i16>().prop_map(Cell::I16),
        any::<i32>().prop_map(Cell::I32),
        any::<i64>().prop_map(Cell::I64),
        any::<u8>().prop_map(Cell::U8),
        any::<u16>().prop_map(Cell::U16),
        any::<u32>().prop_map(Cell::U32),
        any::<u64>().prop_map(Cell::U64),
        any::<u32>().prop_map(|bits| Cell::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Cell::F64(f64::from_bits(bits))),
        any::<[u8; 16]>().prop_map(Cell::Uuid),
        any::<i32>().prop_map(Cell::Date),
        any::<(u16, u8, u8)>().prop_map(|(year, month, day)| Cell::PartialDate {
            year,
            month,
            day
        }),
        any::<u16>().prop_map(Cell::Year),
        time.clone().prop_map(Cell::Time),
        any::<(i64, i32)>().prop_map(|(micros, offset)| Cell::TimeTz { micros, offset }),
        time.clone().prop_map(Cell::DateTime),
        any::<(u16, u8, u8, u64)>().prop_map(|(year, month, day, micros)| {
            Cell::PartialDateTime {
                year,
                month,
                day,
                micros,
            }
        }),
        time.prop_map(Cell::TimestampTz),
        any::<(i32, i32, i64)>().prop_map(|(months, days, micros)| Cell::Interval {
            months,
            days,
            micros
        }),
        prefix
            .clone()
            .prop_map(|(address, prefix)| Cell::Inet { address, prefix }),
        prefix.prop_map(|(address, prefix)| Cell::Cidr { address, prefix }),
        any::<[u8; 6]>().prop_map(Cell::MacAddr),
        any::<[u8; 8]>().prop_map(Cell::MacAddr8),
    ]
    .prop_map(Sample::Plain)
}

fn sample() -> impl Strategy<Value = Sample> {
    let texts: [fn(&str) -> Cell<'_>; 7] = [
        |text| Cell::Text(text),
        |text| Cell::Decimal(text),
        |text| Cell::Json(text),
        |text| Cell::Jsonb(text),
        |text| Cell::Xml(text),
        |text| Cell::Enum(text),
        |text| Cell::Set(text),
    ];
    let bytes: [fn(&[u8]) -> Cell<'_>; 2] =
        [|bytes| Cell::Bytes(bytes), |bytes| Cell::Geometry(bytes)];
    let lists: [fn(List<'_>) -> Cell<'_>; 3] = [
        |list| Cell::Multirange(list),
        |list| Cell::Composite(list),
        |list| Cell::Hstore(list),
    ];
    let text = prop_oneof![any::<String>(), "[a-z]{0,12}"];
    let blob = vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        4 => plain(),
        3 => (prop::sample::select(texts.to_vec()), text.clone())
            .prop_map(|(kind, text)| Sample::Text(kind, text)),
        1 => (prop::sample::select(bytes.to_vec()), blob.clone())
            .prop_map(|(kind, bytes)| Sample::Bytes(kind, bytes)),
        1 => (blob.clone(), 0_u32..8).prop_map(|(bytes, spare)| {
            Sample::Bits((bytes.len() as u32 * 8).saturating_sub(spare), bytes)
        }),
        1 => (text.clone(), text.clone()).prop_map(|(name, text)| Sample::OtherText(name, text)),
        1 => (text, blob).prop_map(|(name, bytes)| Sample::OtherBytes(name, bytes)),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let cells = vec(inner.clone(), 0..4);
        let bounds = prop::option::of([inner.clone().prop_map(Box::new), inner.prop_map(Box::new)]);
        prop_oneof![
            (prop::sample::select(lists.to_vec()), cells.clone())
                .prop_map(|(kind, cells)| Sample::List(kind, cells)),
            (any::<u32>(), any::<i32>(), cells)
                .prop_map(|(kind, lower, cells)| Sample::Array(kind, lower, cells)),
            (bounds, any::<bool>(), any::<bool>())
                .prop_map(|(bounds, lower, upper)| Sample::Range(bounds, lower, upper)),
        ]
    })
}

fn result_set() -> impl Strategy<Value = (Vec<(String, u32)>, Vec<Sample>)> {
    (1_usize..5, 0_usize..6).prop_flat_map(|(width, height)| {
        (
            vec(any::<(String, u32)>(), width),
            vec(sample(), width * height),
        )
    })
}

/// Looks at every cell, and builds the same again.
fn rebuild(rows: &Rows<'_>) -> Vec<u8> {
    let mut builder = RowsBuilder::new(rows.columns());
    for row in rows.iter() {
        for cell in row.iter() {
            builder.push(rebuilt(cell).as_cell());
        }
        builder.end_row();
    }
    builder.finish().unwrap()
}

/// A cell whose lists were taken apart and built again.
enum Rebuilt<'a> {
    Cell(Cell<'a>),
    List(fn(List<'_>) -> Cell<'_>, Vec<u8>),
    Array(u32, i32, Vec<u8>),
    Range(Vec<u8>, bool, bool),
}

impl Rebuilt<'_> {
    fn as_cell(&self) -> Cell<'_> {
        match self {
            Rebuilt::Cell(cell) => *cell,
            Rebuilt::List(kind, bytes) => kind(List::parse(bytes).unwrap()),
            Rebuilt::Array(element_type, lower_bound, bytes) => Cell::Array(Array {
                element_type: *element_type,
                lower_bound: *lower_bound,
                elements: List::parse(bytes).unwrap(),
            }),
            Rebuilt::Range(bytes, lower, upper) => {
                Cell::Range(Range::new(List::parse(bytes).unwrap(), *lower, *upper).unwrap())
            }
        }
    }
}

// A constructor by itself is not general over the lifetime.
#[allow(clippy::redundant_closure)]
fn rebuilt(cell: Cell<'_>) -> Rebuilt<'_> {
    let again = |list: List<'_>| {
        let mut builder = ListBuilder::new();
        assert_eq!(list.iter().len(), list.len());
        list.iter()
            .for_each(|cell| builder.push(rebuilt(cell).as_cell()));
        builder.finish().unwrap()
    };
    match cell {
        Cell::Multirange(list) => Rebuilt::List(|list| Cell::Multirange(list), again(list)),
        Cell::Composite(list) => Rebuilt::List(|list| Cell::Composite(list), again(list)),
        Cell::Hstore(list) => Rebuilt::List(|list| Cell::Hstore(list), again(list)),
        Cell::Array(Array {
            element_type,
            lower_bound,
            elements,
        }) => Rebuilt::Array(element_type, lower_bound, again(elements)),
        Cell::Range(range) => Rebuilt::Range(
            again(range.bounds),
            range.lower_inclusive,
            range.upper_inclusive,
        ),
        cell => Rebuilt::Cell(cell),
    }
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were((columns, cells) in result_set()) {
        let bytes = rows(&columns, &cells);
        let parsed = Rows::parse(&bytes).unwrap();
        let names: Vec<_> =
            parsed.columns().map(|column| (column.name.to_owned(), column.type_id)).collect();
        prop_assert_eq!(&names, &columns);
        prop_assert_eq!(parsed.len() * columns.len(), cells.len());
        for (index, sample) in cells.iter().enumerate() {
            let row = parsed.row(index / columns.len()).unwrap();
            let cell = row.cell(index % columns.len()).unwrap();
            // What cells print tells all but what a NaN carries.
            let (found, stored) =
                (format!("{cell:?}"), sample.with(|cell| format!("{cell:?}")));
            prop_assert_eq!(found, stored);
        }
        prop_assert_eq!(rebuild(&parsed), bytes);
    }

    #[test]
    fn rows_cut_short_are_refused((columns, cells) in result_set(), length: prop::sample::Index) {
        let bytes = rows(&columns, &cells);
        let length = length.index(bytes.len());
        prop_assert!(Rows::parse(&bytes[..length]).is_err());
    }

    #[test]
    fn damaged_rows_are_refused_or_read(
        (columns, cells) in result_set(),
        damages in vec(any::<(prop::sample::Index, u8)>(), 1..4),
    ) {
        let mut bytes = rows(&columns, &cells);
        for (place, value) in damages {
            let place = place.index(bytes.len());
            bytes[place] ^= value;
        }
        if let Ok(parsed) = Rows::parse(&bytes) {
            // Bits that no kind looks at may be gone; what can be read has to stay.
            let again = rebuild(&parsed);
            let reparsed = Rows::parse(&again).unwrap();
            prop_assert_eq!(format!("{parsed:?}"), format!("{reparsed:?}"));
            prop_assert_eq!(rebuild(&reparsed), again);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in vec(any::<u8>(), 0..120)) {
        if let Some(first) = bytes.first_mut() {
            *first = Rows::FORMAT;
        }
        if let Ok(parsed) = Rows::parse(&bytes) {
            prop_assert!(Rows::parse(&rebuild(&parsed)).is_ok());
        }
    }
}

#[test]
fn the_layout_is_the_documented_one() {
    let mut builder =
        RowsBuilder::new([("id", 23), ("é", 25)].map(|(name, type_id)| Column { name, type_id }));
    for (id, name) in [(1, "Ada"), (-2, "Øre")] {
        builder.push(Cell::I32(id));
        builder.push(Cell::Text(name));
        builder.end_row();
    }
    builder.push(Cell::Null);
    builder.push(Cell::Bytes(&[0xff, 0xfe]));
    builder.end_row();
    let expected: &[&[u8]] = &[
        &[1],                                  // format
        &[2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0], // columns, rows, length of the names
        &[23, 0, 0, 0, 2, 0, 0, 0],            // type and end of the first name
        &[25, 0, 0, 0, 4, 0, 0, 0],
        "idé".as_bytes(),
        &[0, 0, 0, 0, 6, 0, 0, 0], // depth, cells
        &[7, 0, 0, 0, 2, 0, 0, 0], // length of the text, of the bytes
        &[4, 64, 4, 64, 0, 128],   // kinds
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 3, 0, 0, 0],
        &[0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        &[3, 0, 0, 0, 4, 0, 0, 0],
        &[0; 8],
        &[0, 0, 0, 0, 2, 0, 0, 0],
        "AdaØre".as_bytes(),
        &[0xff, 0xfe],
    ];
    assert_eq!(builder.finish().unwrap(), expected.concat());
}

#[test]
fn values_at_the_edge_are_kept_exactly() {
    let cells = [
        Cell::Decimal("1.10"),
        Cell::Decimal("-Infinity"),
        Cell::Decimal("NaN"),
        Cell::F64(-0.0),
        Cell::F64(f64::INFINITY),
        Cell::F32(f32::MIN_POSITIVE / 2.0),
        Cell::Time(86_400_000_000),
        Cell::Time(-(838 * 3600 + 59 * 60 + 59) * 1_000_000),
        Cell::TimeTz {
            micros: 86_400_000_000,
            offset: -15 * 3600 - 59 * 60 - 59,
        },
        Cell::Date(i32::MIN),
        Cell::Date(-2_440_588 - 1_721_060),
        Cell::DateTime(i64::MAX),
        Cell::TimestampTz(-210_866_803_200_000_000),
        Cell::PartialDate {
            year: 0,
            month: 0,
            day: 0,
        },
        Cell::PartialDateTime {
            year: 2024,
            month: 2,
            day: 0,
            micros: 86_399_999_999,
        },
        Cell::Interval {
            months: -14,
            days: 31,
            micros: -1,
        },
        Cell::Interval {
            months: i32::MAX,
            days: i32::MAX,
            micros: i64::MAX,
        },
        Cell::I64(i64::MIN),
        Cell::U64(u64::MAX),
        Cell::Year(2155),
        Cell::Text(""),
        Cell::Bytes(b""),
        Cell::Null,
    ];
    let bytes = column(&cells);
    let parsed = Rows::parse(&bytes).unwrap();
    let found: Vec<_> = parsed.iter().map(|row| row.cell(0).unwrap()).collect();
    assert_eq!(found, cells);
    assert!(matches!(found[3], Cell::F64(zero) if zero.is_sign_negative()));
}

#[test]
fn what_a_nan_carries_is_kept() {
    let (double, single) = (0xfff8_dead_beef_0001, 0x7fc0_1234);
    let bytes = column(&[
        Cell::F64(f64::from_bits(double)),
        Cell::F32(f32::from_bits(single)),
    ]);
    let parsed = Rows::parse(&bytes).unwrap();
    let cell = |row| parsed.row(row).unwrap().cell(0).unwrap();
    assert!(matches!(cell(0), Cell::F64(value) if value.to_bits() == double));
    assert!(matches!(cell(1), Cell::F32(value) if value.to_bits() == single));
}

#[test]
fn rows_without_columns_are_counted() {
    let mut builder = RowsBuilder::new([]);
    (0..3).for_each(|_| builder.end_row());
    let bytes = builder.finish().unwrap();
    let parsed = Rows::parse(&bytes).unwrap();
    assert_eq!((parsed.len(), parsed.columns().len()), (3, 0));
    assert!(parsed.row(2).unwrap().cell(0).is_none());
    assert!(parsed.row(3).is_none());
}

#[test]
fn a_row_ends_where_the_next_one_begins() {
    let bytes = column(&[Cell::I8(1), Cell::I8(2)]);
    let parsed = Rows::parse(&bytes).unwrap();
    let row = parsed.row(0).unwrap();
    assert_eq!(row.cell(0), Some(Cell::I8(1)));
    assert_eq!(row.cell(1), None);
    assert_eq!(row.cell(usize::MAX), None);
    assert_eq!(row.iter().nth(usize::MAX), None);
}

#[test]
fn rows_of_another_width_are_refused() {
    let wide = || {
        RowsBuilder::new(
            [Column {
                name: "a",
                type_id: 0,
            }; 2],
        )
    };
    let mut short = wide();
    short.push(Cell::Null);
    short.end_row();
    short.push(Cell::Null);
    short.push(Cell::Null);
    short.push(Cell::Null);
    short.end_row();
    assert_eq!(
        short.finish(),
        Err(BuildRowsError::Row {
            expected: 2,
            found: 1
        })
    );
    let mut open = wide();
    open.push(Cell::Null);
    open.push(Cell::Null);
    assert_eq!(
        open.finish(),
        Err(BuildRowsError::Row {
            expected: 2,
            found: 2
        })
    );
}

#[test]
fn bounds_of_ranges_say_whether_they_belong_to_it() {
    use std::ops::Bound;

    let mut bounds = ListBuilder::new();
    bounds.push(Cell::I32(3));
    bounds.push(Cell::Null);
    let bounds = bounds.finish().unwrap();
    let empty = ListBuilder::new().finish().unwrap();
    let from_three = Range::new(List::parse(&bounds).unwrap(), true, false).unwrap();
    let nothing = Range::new(List::parse(&empty).unwrap(), false, false).unwrap();
    let bytes = column(&[Cell::Range(from_three), Cell::Range(nothing)]);
    let parsed = Rows::parse(&bytes).unwrap();
    let ranges: Vec<_> = parsed
        .iter()
        .flat_map(|row| row.iter().collect::<Vec<_>>())
        .collect();
    let [Cell::Range(from_three), Cell::Range(nothing)] = ranges[..] else {
        panic!("not ranges: {ranges:?}")
    };
    assert_eq!(from_three.lower(), Bound::Included(Cell::I32(3)));
    assert_eq!(from_three.upper(), Bound::Unbounded);
    assert!(nothing.is_empty() && !from_three.is_empty());

    let mut one = ListBuilder::new();
    one.push(Cell::I32(3));
    let one = one.finish().unwrap();
    assert!(Range::new(List::parse(&one).unwrap(), true, true).is_none());
}

fn nested(depth: u32) -> Result<Vec<u8>, BuildRowsError> {
    let mut bytes = ListBuilder::new().finish()?;
    for _ in 0..depth {
        let mut outer = ListBuilder::new();
        outer.push(Cell::Composite(List::unchecked(&bytes)));
        bytes = outer.finish()?;
    }
    Ok(bytes)
}

#[test]
fn lists_nest_sixteen_deep_and_no_deeper() {
    assert!(List::parse(&nested(16).unwrap()).is_ok());
    assert_eq!(nested(17), Err(BuildRowsError::TooDeep));
}

#[test]
fn a_depth_that_lies_is_refused() {
    let mut bytes = nested(3).unwrap();
    bytes[0] = 2;
    assert_eq!(List::parse(&bytes), Err(RowsError::Depth));
    bytes[0] = 17;
    assert_eq!(List::parse(&bytes), Err(RowsError::Depth));
}

#[test]
fn text_cut_within_a_character_is_refused() {
    let mut builder = ListBuilder::new();
    builder.push(Cell::Text("é"));
    builder.push(Cell::Text(""));
    let mut bytes = builder.finish().unwrap();
    let slots = 16 + 2;
    // The first cell ends, and the second begins, after the first of two bytes.
    bytes[slots + 4] = 1;
    bytes[slots + 8] = 1;
    bytes[slots + 12] = 1;
    assert_eq!(List::parse(&bytes), Err(RowsError::Text));
}

#[test]
fn text_that_cells_share_or_leave_out_is_refused() {
    let mut builder = ListBuilder::new();
    builder.push(Cell::Text("ab"));
    builder.push(Cell::Text("cd"));
    let bytes = builder.finish().unwrap();
    let slots = 16 + 2;
    for (place, value) in [(slots, 1), (slots + 4, 1), (slots + 8, 0), (slots + 12, 1)] {
        let mut damaged = bytes.clone();
        damaged[place] = value;
        assert_eq!(List::parse(&damaged), Err(RowsError::Order), "byte {place}");
    }
}

#[test]
fn formats_and_kinds_of_later_versions_are_told() {
    let mut bytes = column(&[Cell::Null]);
    let kind = bytes.len() - 9;
    bytes[kind] = 255;
    assert_eq!(Rows::parse(&bytes).unwrap_err(), RowsError::Kind(255));
    bytes[0] = 2;
    assert_eq!(Rows::parse(&bytes).unwrap_err(), RowsError::Format(2));
    assert_eq!(Rows::parse(&[]).unwrap_err(), RowsError::Length);
}

#[test]
fn lengths_that_no_memory_holds_are_refused() {
    let bytes = column(&[Cell::Text("a")]);
    for place in 1..bytes.len() - 4 {
        let mut damaged = bytes.clone();
        damaged[place..place + 4].fill(0xff);
        let refused = Rows::parse(&damaged).is_err();
        // Only a type id may be any number.
        assert_eq!(refused, place != 13, "byte {place}");
    }
}
