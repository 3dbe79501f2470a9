//! Result sets as flat bytes, for front ends that learn columns and cells as they come.
//!
//! A [`RowsBuilder`] is given the columns once and then cell by cell; [`Rows`] checks such bytes
//! once, completely, and then gives any cell in constant time, borrowed from the bytes. Whatever
//! PostgreSQL, MySQL, MariaDB and SQLite can put in a cell comes back exactly as it was: see
//! [`Cell`].
//!
//! # Format
//!
//! All numbers are little-endian and unsigned; everything together is below 4 GiB.
//!
//! ```text
//! format 1 | number of columns 4 | number of rows 4 | length of the names 4
//!          | columns: type id 4, end of the name in the names 4
//!          | names | block of the cells, row by row
//!
//! block:   nesting depth 4 | number of cells 4 | length of the text 4 | length of the bytes 4
//!          | kinds, 1 a cell | slots, 8 a cell | text | bytes
//! ```
//!
//! A cell is a kind and a slot. What fits in eight bytes is the slot; for the rest, the slot is an
//! offset and a length, in the text for kinds that are UTF-8 and in the bytes for others. Text
//! lies together so that one pass checks all of it. Cells use up text and bytes in order and
//! without gaps. Lists within a cell (arrays, ranges, rows) are blocks again.

mod block;
mod builder;
mod cell;
#[cfg(test)]
mod tests;

pub use self::builder::{BuildRowsError, ListBuilder, RowsBuilder};
pub use self::cell::{Array, Bits, Cell, List, Range};

use self::block::{Block, Cells};

/// A column of a result set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Column<'a> {
    /// The name, as the database gave it.
    pub name: &'a str,
    /// The type in the database's own numbering: an OID on PostgreSQL; the type and flag bytes on
    /// MySQL, as the front end packs them; 0 where there is none.
    pub type_id: u32,
}

/// A result set, borrowed from its bytes and checked.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    columns: Columns<'a>,
    rows: usize,
    cells: Block<'a>,
}

impl<'a> Rows<'a> {
    /// The number of the format: the first byte.
    pub const FORMAT: u8 = 1;

    /// Checks bytes that a [`RowsBuilder`] once built. Every error is a miss.
    ///
    /// Nothing is allocated. Afterwards no access can fail.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RowsError> {
        let (&format, rest) = bytes.split_first().ok_or(RowsError::Length)?;
        if format != Self::FORMAT {
            return Err(RowsError::Format(format));
        }
        let (header, rest) = rest
            .split_first_chunk::<HEADER>()
            .ok_or(RowsError::Length)?;
        let [columns, rows, names] = block::words(header);
        let (columns, rest) = Columns::parse(columns, names, rest)?;
        let cells = Block::parse(rest)?;
        let expected = columns.ends.len() as u64 * u64::from(rows);
        if cells.len() as u64 != expected {
            return Err(RowsError::Length);
        }
        Ok(Rows {
            columns,
            rows: rows as usize,
            cells,
        })
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'a>> + use<'a> {
        let columns = self.columns;
        (0..columns.ends.len()).map(move |index| columns.column(index))
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The row at this index, counted from 0.
    #[inline]
    pub fn row(&self, index: usize) -> Option<Row<'a>> {
        (index < self.rows).then(|| self.row_unchecked(index))
    }

    /// The rows, in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'a>> + use<'a> {
        let rows = *self;
        (0..rows.rows).map(move |index| rows.row_unchecked(index))
    }

    #[inline]
    fn row_unchecked(&self, index: usize) -> Row<'a> {
        let width = self.columns.ends.len();
        Row {
            cells: self.cells.cells(index * width, width),
        }
    }
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("columns", &self.columns().collect::<Vec<_>>())
            .field("rows", &self.iter().collect::<Vec<_>>())
            .finish()
    }
}

/// A row of a result set.
#[derive(Clone)]
pub struct Row<'a> {
    cells: Cells<'a>,
}

impl<'a> Row<'a> {
    /// The cell in the column at this index, counted from 0.
    #[inline]
    pub fn cell(&self, column: usize) -> Option<Cell<'a>> {
        self.cells.get(column)
    }

    /// The cells, in the order of the columns.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cell<'a>> + use<'a> {
        self.cells.clone()
    }
}

impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Why bytes are not rows. Each is a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// Another version of the program wrote them.
    #[error("the rows have the unknown format {0}")]
    Format(u8),
    /// They are cut short or too long.
    #[error("the length of the rows is not what their header says")]
    Length,
    /// A text is not UTF-8, or is cut within a character.
    #[error("a text in the rows is not UTF-8")]
    Text,
    /// A cell is of no known kind.
    #[error("the rows hold a cell of the unknown kind {0}")]
    Kind(u8),
    /// A cell's bytes do not lie behind those of the cell before it, or are left over.
    #[error("the cells of the rows do not follow one another")]
    Order,
    /// The bytes of a cell are not what its kind demands.
    #[error("a cell of the rows is malformed")]
    Cell,
    /// Lists lie within lists too deeply, or their depth is not what the header says.
    #[error("the rows hold lists nested too deeply")]
    Depth,
}

#[derive(Clone, Copy)]
struct Columns<'a> {
    /// Type id and end of the name.
    ends: &'a [[u8; COLUMN]],
    names: &'a str,
}

impl<'a> Columns<'a> {
    fn parse(columns: u32, names: u32, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RowsError> {
        let length = u64::from(columns) * COLUMN as u64;
        let length = usize::try_from(length).map_err(|_| RowsError::Length)?;
        let (ends, rest) = bytes.split_at_checked(length).ok_or(RowsError::Length)?;
        let (names, rest) = rest
            .split_at_checked(names as usize)
            .ok_or(RowsError::Length)?;
        let names = std::str::from_utf8(names).map_err(|_| RowsError::Text)?;
        let columns = Columns {
            ends: ends.as_chunks().0,
            names,
        };
        let mut last = 0;
        for column in columns.ends {
            let [_, end] = block::words(column);
            if end < last || !names.is_char_boundary(end as usize) {
                return Err(RowsError::Order);
            }
            last = end;
        }
        if last as usize != names.len() {
            return Err(RowsError::Order);
        }
        Ok((columns, rest))
    }

    fn column(&self, index: usize) -> Column<'a> {
        let column = |index: usize| self.ends.get(index).map_or([0, 0], block::words);
        let [_, start] = index.checked_sub(1).map_or([0, 0], column);
        let [type_id, end] = column(index);
        let name = self.names.get(start as usize..end as usize);
        Column {
            name: name.unwrap_or_default(),
            type_id,
        }
    }
}

/// The header without the format.
const HEADER: usize = 12;
const COLUMN: usize = 8;
