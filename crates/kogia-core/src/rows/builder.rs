//! Building the bytes of rows and lists.

use super::block::{BlockBuilder, MAX_DEPTH};
use super::{Cell, Column, HEADER, Rows};

/// Builds the bytes of a result set.
///
/// What goes wrong on the way is only told at the end, by [`RowsBuilder::finish`].
#[derive(Debug)]
pub struct RowsBuilder {
    columns: Vec<[u8; 8]>,
    names: Vec<u8>,
    rows: usize,
    cells: BlockBuilder,
    wrong_row: Option<BuildRowsError>,
}

impl RowsBuilder {
    /// A builder for rows of these columns.
    pub fn new<'a>(columns: impl IntoIterator<Item = Column<'a>>) -> Self {
        let mut names = Vec::new();
        let columns: Vec<_> = columns
            .into_iter()
            .map(|column| {
                names.extend_from_slice(column.name.as_bytes());
                // Names that are too long are noticed at the end.
                let end = names.len() as u64;
                (u64::from(column.type_id) | end << 32).to_le_bytes()
            })
            .collect();
        let cells = BlockBuilder::with_capacity(columns.len() * TYPICAL_ROWS);
        RowsBuilder {
            columns,
            names,
            rows: 0,
            cells,
            wrong_row: None,
        }
    }

    /// Adds a cell to the row, in the order of the columns. It is fastest where the variant is
    /// known, as in `rows.push(Cell::I64(id))`.
    #[inline]
    pub fn push(&mut self, cell: Cell<'_>) {
        self.cells.push(cell);
    }

    /// Ends a row, which must have as many cells as there are columns.
    pub fn end_row(&mut self) {
        let before = self.rows * self.columns.len();
        self.rows += 1;
        let (expected, found) = (self.columns.len(), self.cells.len().wrapping_sub(before));
        if expected != found {
            self.wrong_row
                .get_or_insert(BuildRowsError::Row { expected, found });
        }
    }

    /// The bytes, which [`Rows::parse`] reads.
    pub fn finish(self) -> Result<Vec<u8>, BuildRowsError> {
        let cells = finished_len(&self.cells)?;
        if let Some(error) = self.wrong_row {
            return Err(error);
        }
        let expected = self.columns.len();
        let found = self.cells.len() - self.rows * expected;
        if found != 0 {
            return Err(BuildRowsError::Row { expected, found });
        }
        let head = 1 + HEADER + self.columns.as_flattened().len() + self.names.len();
        let length = u32::try_from(head)
            .ok()
            .and_then(|head| head.checked_add(cells));
        // Rows without columns take no room, so their number is not bounded by the length.
        let rows = u32::try_from(self.rows).map_err(|_| BuildRowsError::TooLarge)?;
        let mut out = Vec::with_capacity(length.ok_or(BuildRowsError::TooLarge)? as usize);
        out.push(Rows::FORMAT);
        out.extend_from_slice(&(self.columns.len() as u32).to_le_bytes());
        out.extend_from_slice(&rows.to_le_bytes());
        out.extend_from_slice(&(self.names.len() as u32).to_le_bytes());
        out.extend_from_slice(self.columns.as_flattened());
        out.extend_from_slice(&self.names);
        self.cells.finish_into(&mut out);
        Ok(out)
    }
}

/// Builds the bytes of a [`super::List`].
#[derive(Debug, Default)]
pub struct ListBuilder(BlockBuilder);

impl ListBuilder {
    /// A builder of an empty list.
    pub fn new() -> Self {
        ListBuilder::default()
    }

    /// Adds a cell.
    pub fn push(&mut self, cell: Cell<'_>) {
        self.0.push(cell);
    }

    /// The bytes, which [`super::List::parse`] reads.
    pub fn finish(self) -> Result<Vec<u8>, BuildRowsError> {
        let mut out = Vec::with_capacity(finished_len(&self.0)? as usize);
        self.0.finish_into(&mut out);
        Ok(out)
    }
}

/// Why a result set cannot be encoded. Its query bypasses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildRowsError {
    /// It would take 4 GiB or more.
    #[error("the rows take 4 GiB or more")]
    TooLarge,
    /// Lists lie within lists too deeply.
    #[error("the rows hold lists nested more than 16 deep")]
    TooDeep,
    /// A row has another number of cells than there are columns, or was not ended.
    #[error("a row has {found} cells instead of {expected}, end each with end_row")]
    Row {
        /// The number of columns.
        expected: usize,
        /// The number of cells.
        found: usize,
    },
}

/// Room for the result of one page of a list is there from the start.
const TYPICAL_ROWS: usize = 16;

fn finished_len(cells: &BlockBuilder) -> Result<u32, BuildRowsError> {
    if cells.depth() > MAX_DEPTH {
        return Err(BuildRowsError::TooDeep);
    }
    cells.encoded_len().ok_or(BuildRowsError::TooLarge)
}
