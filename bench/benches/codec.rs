//! The stored bytes: entries and rows, encoded and read.
//!
//! `cargo bench -p kogia-bench --bench codec`

// Nobody but the developer who runs it sees it panic.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kogia_core::rows::{Cell, Column, Rows, RowsBuilder};
use kogia_core::{Entry, Generation, QueryKey, Stamp, StoreTime};

/// One row, the page of a list, an export.
const ROWS: [usize; 3] = [1, 50, 10_000];

const COLUMNS: [&str; 10] = [
    "id",
    "title",
    "language",
    "price",
    "added",
    "pages",
    "available",
    "rating",
    "uuid",
    "subtitle",
];

/// What a driver has read, so that only the encoding is measured.
struct Book {
    id: i64,
    title: String,
    price: String,
    rating: f64,
    uuid: [u8; 16],
    subtitle: Option<String>,
}

impl Book {
    fn new(id: i64) -> Self {
        Book {
            id,
            title: format!("The art of computing, volume {id}"),
            price: format!("{}.90", id % 90 + 5),
            rating: (id % 50) as f64 / 10.0,
            uuid: (id as u128 * 0x9e37_79b9_7f4a_7c15).to_le_bytes(),
            subtitle: (id % 3 == 0).then(|| "with corrections".to_owned()),
        }
    }

    fn encode(&self, rows: &mut RowsBuilder) {
        rows.push(Cell::I64(self.id));
        rows.push(Cell::Text(&self.title));
        rows.push(Cell::Enum("en"));
        rows.push(Cell::Decimal(&self.price));
        rows.push(Cell::TimestampTz(1_763_889_606_000_000 + self.id));
        rows.push(Cell::I32(320));
        rows.push(Cell::Bool(self.id % 2 == 0));
        rows.push(Cell::F64(self.rating));
        rows.push(Cell::Uuid(self.uuid));
        rows.push(self.subtitle.as_deref().map_or(Cell::Null, Cell::Text));
        rows.end_row();
    }
}

fn encode(books: &[Book]) -> Vec<u8> {
    let mut builder = RowsBuilder::new(COLUMNS.map(|name| Column { name, type_id: 25 }));
    books.iter().for_each(|book| book.encode(&mut builder));
    builder.finish().expect("books fit")
}

fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("rows");
    for rows in ROWS {
        let books: Vec<_> = (0..rows as i64).map(Book::new).collect();
        let bytes = encode(&books);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("encode", rows), |b| {
            b.iter(|| encode(black_box(&books)));
        });
        group.bench_function(BenchmarkId::new("parse", rows), |b| {
            b.iter(|| Rows::parse(black_box(&bytes)).map(|rows| rows.len()));
        });
        let parsed = Rows::parse(&bytes).expect("they were just encoded");
        group.bench_function(BenchmarkId::new("read every cell", rows), |b| {
            b.iter(|| {
                for row in black_box(&parsed).iter() {
                    for cell in row.iter() {
                        black_box(cell);
                    }
                }
            });
        });
    }
    group.finish();
}

fn entry(c: &mut Criterion) {
    let mut group = c.benchmark_group("entry");
    let key = QueryKey::from_bytes([7; 32]);
    let stamp = Stamp(
        (1..=4)
            .map(|word| Generation::from_u128(word << 64))
            .collect(),
    );
    let values = ROWS.map(|rows| (0..rows as i64).map(Book::new).collect::<Vec<_>>());
    let values = values
        .map(|books| encode(&books))
        .into_iter()
        .chain([vec![7; 1024]]);
    for value in values {
        let expires = StoreTime(Duration::from_secs(3600));
        let entry = Entry {
            key: &key,
            stamp: &stamp,
            expires,
            value: &value,
        };
        let mut bytes = entry.encode().expect("the value fits");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("parse", value.len()), |b| {
            b.iter(|| Entry::parse(black_box(&bytes)).map(|entry| entry.value().len()));
        });
        group.bench_function(BenchmarkId::new("encode", value.len()), |b| {
            b.iter(|| black_box(&entry).encode_into(black_box(&mut bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, rows, entry);
criterion_main!(benches);
