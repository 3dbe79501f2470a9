//! Writes the seeds of stored bytes: `cargo run -p kogia-fuzz --example seeds`.

// Nobody but the developer who runs it sees it panic.
#![allow(clippy::expect_used)]

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use kogia_core::rows::{Array, Bits, Cell, Column, List, ListBuilder, Range, RowsBuilder};
use kogia_core::{Entry, Generation, QueryKey, Stamp, StoreTime};
use kogia_fuzz::{ENTRY, ROWS, Target};

fn main() {
    let list = |cells: &[Cell<'_>]| {
        let mut builder = ListBuilder::new();
        cells.iter().for_each(|cell| builder.push(*cell));
        builder.finish().expect("a seed is small")
    };
    let names = list(&[Cell::Text("Ada"), Cell::Null, Cell::Text("Øre")]);
    let numbers = list(&[Cell::I32(1), Cell::I32(2)]);
    let (names, numbers) = (parse(&names), parse(&numbers));
    let array = |elements| {
        Cell::Array(Array {
            element_type: 23,
            lower_bound: 1,
            elements,
        })
    };
    let range = Range::new(numbers, true, false).expect("there are two bounds");
    let nested = list(&[array(numbers), Cell::Range(range), Cell::Composite(names)]);
    let nested = parse(&nested);

    write(&ROWS, "empty", &rows(0, &[]));
    write(&ROWS, "scalars", &rows(4, &scalars()));
    write(&ROWS, "texts", &rows(3, &texts()));
    write(&ROWS, "bytes", &rows(2, &bytes()));
    let lists = [
        array(names),
        Cell::Range(range),
        Cell::Multirange(nested),
        Cell::Composite(nested),
        Cell::Hstore(names),
        array(nested),
    ];
    write(&ROWS, "lists", &rows(2, &lists));

    write(&ENTRY, "bare", &entry(&[], b""));
    write(&ENTRY, "stamped", &entry(&[2, 0, 1 << 127], b"value"));
    write(&ENTRY, "rows", &entry(&[1 << 64; 9], &rows(3, &texts())));
}

fn scalars() -> [Cell<'static>; 20] {
    [
        Cell::Null,
        Cell::Bool(true),
        Cell::I8(-1),
        Cell::I16(i16::MIN),
        Cell::I32(7),
        Cell::I64(i64::MAX),
        Cell::U8(255),
        Cell::U16(1),
        Cell::U32(u32::MAX),
        Cell::U64(u64::MAX),
        Cell::F32(f32::NAN),
        Cell::F64(-0.0),
        Cell::Date(20_000),
        Cell::PartialDate {
            year: 0,
            month: 0,
            day: 0,
        },
        Cell::Year(2026),
        Cell::Time(86_400_000_000),
        Cell::DateTime(i64::MIN),
        Cell::TimestampTz(1_763_889_606_000_000),
        Cell::MacAddr([1, 2, 3, 4, 5, 6]),
        Cell::MacAddr8([8; 8]),
    ]
}

fn texts() -> [Cell<'static>; 9] {
    [
        Cell::Text("Ada"),
        Cell::Text(""),
        Cell::Text("Øre"),
        Cell::Decimal("1.10"),
        Cell::Json("{\"a\": [1]}"),
        Cell::Jsonb("null"),
        Cell::Xml("<a/>"),
        Cell::Enum("en"),
        Cell::Set("a,b"),
    ]
}

fn bytes() -> [Cell<'static>; 12] {
    let v4 = IpAddr::from([127, 0, 0, 1]);
    let v6 = IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]);
    [
        Cell::Bytes(&[0xff, 0]),
        Cell::Bytes(&[]),
        Cell::Geometry(&[0, 0, 0, 0, 1]),
        Cell::Uuid([7; 16]),
        Cell::TimeTz {
            micros: 1,
            offset: -3600,
        },
        Cell::PartialDateTime {
            year: 2026,
            month: 0,
            day: 0,
            micros: 0,
        },
        Cell::Interval {
            months: 1,
            days: -1,
            micros: 1,
        },
        Cell::Inet {
            address: v4,
            prefix: 8,
        },
        Cell::Cidr {
            address: v6,
            prefix: 128,
        },
        Cell::Bits(Bits::new(9, &[0xaa, 0x80]).expect("two bytes hold nine bits")),
        Cell::OtherText {
            type_name: "money",
            text: "$1.00",
        },
        Cell::OtherBytes {
            type_name: "tsvector",
            bytes: &[0, 0, 0, 0],
        },
    ]
}

fn rows(width: usize, cells: &[Cell<'_>]) -> Vec<u8> {
    let columns = ["id", "", "été", "x"].iter().take(width);
    let mut builder = RowsBuilder::new(columns.map(|name| Column { name, type_id: 25 }));
    for row in cells.chunks(width.max(1)) {
        row.iter().for_each(|cell| builder.push(*cell));
        builder.end_row();
    }
    builder.finish().expect("a seed is small")
}

fn entry(words: &[u128], value: &[u8]) -> Vec<u8> {
    let stamp = Stamp(
        words
            .iter()
            .map(|word| Generation::from_u128(*word))
            .collect(),
    );
    let expires = StoreTime(Duration::from_secs(3600));
    let entry = Entry {
        key: &QueryKey::from_bytes([7; 32]),
        stamp: &stamp,
        expires,
        value,
    };
    entry.encode().expect("a seed is small")
}

fn parse(bytes: &[u8]) -> List<'_> {
    List::parse(bytes).expect("it was just built")
}

fn write(target: &Target, name: &str, bytes: &[u8]) {
    let path = target.corpus().join(name);
    fs::write(&path, bytes).expect("the folder of the corpus is there");
}
