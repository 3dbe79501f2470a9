//! What SQLite gives: five types, whatever a column was declared as.

use kogia::core::rows::{Cell, ListBuilder};
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite, SqliteValueRef};
use sqlx::{Decode, TypeInfo, ValueRef};

/// Adds the cell of a value.
pub(crate) fn sqlite(
    value: SqliteValueRef<'_>,
    cells: &mut ListBuilder,
) -> Result<(), BoxDynError> {
    if value.is_null() {
        cells.push(Cell::Null);
        return Ok(());
    }
    let type_info = value.type_info().into_owned();
    match type_info.name() {
        "INTEGER" => cells.push(Cell::I64(Decode::<Sqlite>::decode(value)?)),
        "REAL" => cells.push(Cell::F64(Decode::<Sqlite>::decode(value)?)),
        type_name => {
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value)?;
            match (type_name, std::str::from_utf8(bytes)) {
                ("BLOB", _) => cells.push(Cell::Bytes(bytes)),
                ("TEXT", Ok(text)) => cells.push(Cell::Text(text)),
                // SQLite does not check what it is told is text.
                _ => cells.push(Cell::OtherBytes { type_name, bytes }),
            }
        }
    }
    Ok(())
}
