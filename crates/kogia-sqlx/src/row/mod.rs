//! Rows without a type of their own.

mod get;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::sync::Arc;

use kogia::Encoded;
use kogia::core::rows::{BuildRowsError, Cell, Column, List, ListBuilder, Rows, RowsBuilder};
use sqlx::{Column as _, Error, Row as _};

pub use self::get::FromCell;
#[cfg(feature = "mysql")]
pub(crate) use self::mysql::mysql;
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::postgres;
#[cfg(feature = "sqlite")]
pub(crate) use self::sqlite::sqlite;

use crate::driver::Driver;
use crate::kept::{Collector, Kept, LARGEST, TOO_LARGE};

/// A row of `sqlx::query(…).cached(…)`.
///
/// sqlx's own rows can only be made by sqlx, out of what a database sent. This one can be kept. It
/// is the same whether it comes from the cache or from the database.
///
/// ```
/// # use kogia_sqlx::{kogia::Cache, CachedPool, TypedQuery};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
/// # sqlx::raw_sql("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT);
/// #     INSERT INTO book VALUES (7, 'Moby-Dick')").execute(&pool).await?;
/// # let db = CachedPool::new(pool, &Cache::builder().build()).await?;
/// let row = sqlx::query("SELECT id, title FROM book").cached(&db).fetch_one().await?;
/// assert_eq!(row.try_get::<i64>("id")?, 7);
/// assert_eq!(row.try_get::<Option<&str>>(1)?, Some("Moby-Dick"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CachedRow {
    columns: Columns,
    /// A list of as many cells as there are columns.
    cells: Box<[u8]>,
}

/// Names and types.
type Columns = Arc<[(Box<str>, u32)]>;

/// Which column of a [`CachedRow`] is meant: its number, counted from 0, or its name.
pub trait ColumnIndex: fmt::Debug {
    #[doc(hidden)]
    fn index(&self, row: &CachedRow) -> Result<usize, Error>;
}

impl ColumnIndex for usize {
    fn index(&self, row: &CachedRow) -> Result<usize, Error> {
        match *self < row.columns.len() {
            true => Ok(*self),
            false => Err(Error::ColumnIndexOutOfBounds {
                index: *self,
                len: row.columns.len(),
            }),
        }
    }
}

impl ColumnIndex for &str {
    /// Of several columns of one name it is the last, as in sqlx.
    fn index(&self, row: &CachedRow) -> Result<usize, Error> {
        let found = row.columns.iter().rposition(|(name, _)| **name == **self);
        found.ok_or_else(|| Error::ColumnNotFound((*self).to_owned()))
    }
}

impl CachedRow {
    /// The value of a column.
    ///
    /// # Panics
    ///
    /// If there is no such column, or if its value is no `T`; [`CachedRow::try_get`] says so
    /// instead.
    #[allow(clippy::panic)] // as sqlx's own rows
    #[track_caller]
    pub fn get<'r, T: FromCell<'r>>(&'r self, index: impl ColumnIndex) -> T {
        match self.try_get(index) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// The value of a column, if it is a `T` without loss.
    pub fn try_get<'r, T: FromCell<'r>>(&'r self, index: impl ColumnIndex) -> Result<T, Error> {
        let cell = self.cell(&index)?;
        T::from_cell(cell).map_err(|source| Error::ColumnDecode {
            index: format!("{index:?}"),
            source,
        })
    }

    /// The value of a column as the database's type has it.
    pub fn cell(&self, index: impl ColumnIndex) -> Result<Cell<'_>, Error> {
        let index = index.index(self)?;
        let cells = List::parse(&self.cells).map_err(|error| Error::Decode(error.into()))?;
        Ok(cells.iter().nth(index).unwrap_or(Cell::Null))
    }

    /// The names of the columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|(name, _)| &**name)
    }

    /// The number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

impl<T: ColumnIndex + ?Sized> ColumnIndex for &T {
    fn index(&self, row: &CachedRow) -> Result<usize, Error> {
        T::index(self, row)
    }
}

impl fmt::Debug for CachedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = (0..self.len()).map(|index| self.cell(index).ok());
        f.debug_map().entries(self.columns().zip(cells)).finish()
    }
}

/// Makes rows of those of sqlx; all rows of an answer share their columns.
#[derive(Default)]
pub(crate) struct RowMaker {
    columns: Option<Columns>,
}

impl RowMaker {
    pub(crate) fn row<DB: Driver>(&mut self, row: &DB::Row) -> Result<CachedRow, Error> {
        let mut cells = ListBuilder::new();
        for index in 0..row.len() {
            DB::push_cell(row, index, &mut cells).map_err(|source| Error::ColumnDecode {
                index: index.to_string(),
                source,
            })?;
        }
        let cells = cells
            .finish()
            .map_err(|error| Error::Decode(error.into()))?;
        Ok(CachedRow {
            columns: self.columns::<DB>(row.columns()),
            cells: cells.into(),
        })
    }

    fn columns<DB: Driver>(&mut self, columns: &[DB::Column]) -> Columns {
        let name = |column: &DB::Column| column.name().to_owned();
        match &self.columns {
            // One call can have several answers.
            Some(known)
                if known.len() == columns.len()
                    && known
                        .iter()
                        .zip(columns)
                        .all(|((known, _), column)| **known == *column.name()) =>
            {
                Arc::clone(known)
            }
            _ => {
                let columns: Columns = columns
                    .iter()
                    .map(|column| (name(column).into(), DB::type_id(column.type_info())))
                    .collect();
                Arc::clone(self.columns.insert(columns))
            }
        }
    }
}

impl Kept for CachedRow {
    type Collector = Untyped;

    fn decode(value: &[u8]) -> Result<Vec<Self>, Error> {
        let rows = Rows::parse(value).map_err(|error| Error::Decode(error.into()))?;
        let columns: Columns = rows
            .columns()
            .map(|column| (column.name.into(), column.type_id))
            .collect();
        let row = |row: kogia::core::rows::Row<'_>| {
            let mut cells = ListBuilder::new();
            row.iter().for_each(|cell| cells.push(cell));
            Ok(CachedRow {
                columns: Arc::clone(&columns),
                cells: cells.finish()?.into(),
            })
        };
        let rows: Result<_, BuildRowsError> = rows.iter().map(row).collect();
        rows.map_err(|error| Error::Decode(error.into()))
    }
}

/// Rows in the format of the engine.
#[derive(Default)]
#[doc(hidden)]
pub struct Untyped {
    rows: Vec<CachedRow>,
    bytes: usize,
}

impl Collector<CachedRow> for Untyped {
    fn push(&mut self, row: &CachedRow) {
        self.bytes += row.cells.len();
        match self.bytes > LARGEST {
            true => self.rows.clear(),
            false => self.rows.push(row.clone()),
        }
    }

    fn finish(&self, _columns: &[String], _ignores_columns: bool) -> Result<Encoded, String> {
        if self.bytes > LARGEST {
            return Err(TOO_LARGE.to_owned());
        }
        let columns = self
            .rows
            .first()
            .map(|row| &*row.columns)
            .unwrap_or_default();
        let mut builder = RowsBuilder::new(columns.iter().map(|(name, type_id)| Column {
            name,
            type_id: *type_id,
        }));
        for row in &self.rows {
            if *row.columns != *columns {
                return Err("the query has answers with different columns".to_owned());
            }
            let cells = List::parse(&row.cells).map_err(|error| error.to_string())?;
            cells.iter().for_each(|cell| builder.push(cell));
            builder.end_row();
        }
        let value = builder.finish().map_err(|error| error.to_string())?;
        Ok(Encoded {
            value: value.into(),
            rows: self.rows.len() as u64,
        })
    }
}
