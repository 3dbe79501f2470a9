//! Any bytes are rows, all of whose cells can be read, or an error.

use std::ops::Bound;

use kogia_core::rows::{Array, Cell, List, ListBuilder, Range, Rows, RowsBuilder};

use crate::Target;

/// Reads the bytes as rows, builds rows of the same cells, and reads those.
pub const ROWS: Target = Target {
    name: "rows",
    run: rows,
    dictionary: &[],
};

fn rows(data: &[u8]) {
    let Ok(rows) = Rows::parse(data) else { return };
    // Rows without columns take no room: four billion of them are fine, but take long to count.
    if rows.columns().len() == 0 && rows.len() > 1_000 {
        return;
    }
    let again = rebuild(&rows);
    assert!(
        again.len() <= data.len(),
        "the same rows take more room than before"
    );
    let reread = Rows::parse(&again).expect("rows that were just built can be read");
    assert_eq!(
        format!("{rows:?}"),
        format!("{reread:?}"),
        "a cell did not come back as it was"
    );
    // Floats print alike whatever a NaN carries; bytes do not.
    assert_eq!(rebuild(&reread), again, "the same rows have two encodings");
}

/// Builds rows of the same cells, with every list taken apart and built again.
fn rebuild(rows: &Rows<'_>) -> Vec<u8> {
    let mut builder = RowsBuilder::new(rows.columns());
    for (index, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let found = rows.row(index).and_then(|row| row.cell(column));
            assert!(
                found.is_some(),
                "a cell of the iterator cannot be found by its index"
            );
            rebuild_cell(cell, &mut |cell| builder.push(cell));
        }
        assert!(
            row.cell(row.iter().len()).is_none(),
            "a row goes on behind its last column"
        );
        builder.end_row();
    }
    assert!(
        rows.row(rows.len()).is_none(),
        "there is a row behind the last one"
    );
    builder.finish().expect("rows that were read can be built")
}

fn rebuild_cell(cell: Cell<'_>, push: &mut dyn FnMut(Cell<'_>)) {
    match cell {
        Cell::Array(array) => rebuild_list(array.elements.iter(), &mut |elements| {
            push(Cell::Array(Array { elements, ..array }));
        }),
        Cell::Range(range) => {
            let bounds = [range.lower(), range.upper()];
            let includes = bounds.map(|bound| matches!(bound, Bound::Included(_)));
            let bounds = bounds.map(|bound| match bound {
                Bound::Included(cell) | Bound::Excluded(cell) => cell,
                Bound::Unbounded => Cell::Null,
            });
            let bounds = if range.is_empty() { &[][..] } else { &bounds };
            rebuild_list(bounds.iter().copied(), &mut |bounds| {
                let range = Range::new(bounds, includes[0], includes[1]);
                push(Cell::Range(range.expect("a range has two bounds or none")));
            });
        }
        Cell::Multirange(list) => {
            rebuild_list(list.iter(), &mut |list| push(Cell::Multirange(list)))
        }
        Cell::Composite(list) => rebuild_list(list.iter(), &mut |list| push(Cell::Composite(list))),
        Cell::Hstore(list) => rebuild_list(list.iter(), &mut |list| push(Cell::Hstore(list))),
        cell => push(cell),
    }
}

fn rebuild_list<'a>(cells: impl Iterator<Item = Cell<'a>>, push: &mut dyn FnMut(List<'_>)) {
    let mut builder = ListBuilder::new();
    cells.for_each(|cell| rebuild_cell(cell, &mut |cell| builder.push(cell)));
    let bytes = builder.finish().expect("a list that was read can be built");
    push(List::parse(&bytes).expect("a list that was just built can be read"));
}
