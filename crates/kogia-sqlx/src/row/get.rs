//! Rust values of cells.

use kogia::core::rows::Cell;
use sqlx::error::BoxDynError;

/// A Rust type that a cell of a [`CachedRow`](crate::CachedRow) can be read as.
///
/// Integers are read from integers of any width that fit, text from everything that is text, and
/// `Option` from everything that may be null. With the features `uuid`, `chrono`, `rust_decimal`
/// and `json` the types of these crates are read, too.
pub trait FromCell<'r>: Sized {
    /// The value, if the cell holds one of this type without loss.
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError>;
}

fn mismatch<T>(cell: Cell<'_>) -> BoxDynError {
    match cell {
        Cell::Null => Box::new(sqlx::error::UnexpectedNullError),
        _ => format!("{cell:?} is no {}", std::any::type_name::<T>()).into(),
    }
}

impl<'r> FromCell<'r> for Cell<'r> {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        Ok(cell)
    }
}

impl<'r, T: FromCell<'r>> FromCell<'r> for Option<T> {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

fn integer(cell: Cell<'_>) -> Option<i128> {
    Some(match cell {
        Cell::I8(value) => value.into(),
        Cell::I16(value) => value.into(),
        Cell::I32(value) => value.into(),
        Cell::I64(value) => value.into(),
        Cell::U8(value) => value.into(),
        Cell::U16(value) | Cell::Year(value) => value.into(),
        Cell::U32(value) => value.into(),
        Cell::U64(value) => value.into(),
        _ => return None,
    })
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl<'r> FromCell<'r> for $type {
            fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
                let fits = integer(cell).and_then(|value| value.try_into().ok());
                fits.ok_or_else(|| mismatch::<Self>(cell))
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);

impl<'r> FromCell<'r> for bool {
    /// Databases without booleans have integers in their place.
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match (cell, integer(cell)) {
            (Cell::Bool(value), _) => Ok(value),
            (_, Some(value)) => Ok(value != 0),
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

impl<'r> FromCell<'r> for f64 {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::F64(value) => Ok(value),
            Cell::F32(value) => Ok(value.into()),
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

impl<'r> FromCell<'r> for f32 {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::F32(value) => Ok(value),
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

impl<'r> FromCell<'r> for &'r str {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::Text(text)
            | Cell::Decimal(text)
            | Cell::Json(text)
            | Cell::Jsonb(text)
            | Cell::Xml(text)
            | Cell::Enum(text)
            | Cell::Set(text)
            | Cell::OtherText { text, .. } => Ok(text),
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

impl<'r> FromCell<'r> for &'r [u8] {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::Bytes(bytes) | Cell::Geometry(bytes) | Cell::OtherBytes { bytes, .. } => {
                Ok(bytes)
            }
            Cell::Text(text) => Ok(text.as_bytes()),
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

impl<'r> FromCell<'r> for String {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        <&str>::from_cell(cell).map(str::to_owned)
    }
}

impl<'r> FromCell<'r> for Vec<u8> {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        <&[u8]>::from_cell(cell).map(<[u8]>::to_vec)
    }
}

#[cfg(feature = "uuid")]
impl<'r> FromCell<'r> for uuid::Uuid {
    /// From a `uuid`, from sixteen bytes, or from text.
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::Uuid(bytes) => Ok(uuid::Uuid::from_bytes(bytes)),
            Cell::Bytes(bytes) => Ok(uuid::Uuid::from_slice(bytes)?),
            Cell::Text(text) => Ok(text.parse()?),
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

#[cfg(feature = "rust_decimal")]
impl<'r> FromCell<'r> for rust_decimal::Decimal {
    /// From a decimal, or from text. What has more digits than the type is refused.
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::Decimal(text) | Cell::Text(text) => {
                Ok(rust_decimal::Decimal::from_str_exact(text)?)
            }
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

#[cfg(feature = "json")]
impl<'r> FromCell<'r> for serde_json::Value {
    fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
        match cell {
            Cell::Json(text) | Cell::Jsonb(text) | Cell::Text(text) => {
                Ok(serde_json::from_str(text)?)
            }
            _ => Err(mismatch::<Self>(cell)),
        }
    }
}

#[cfg(feature = "chrono")]
mod dates {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

    use super::*;

    impl<'r> FromCell<'r> for NaiveDate {
        fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
            let date = match cell {
                Cell::Date(days) if !matches!(days, i32::MIN | i32::MAX) => {
                    NaiveDate::from_epoch_days(days)
                }
                Cell::Text(text) => Some(text.parse()?),
                _ => None,
            };
            date.ok_or_else(|| mismatch::<Self>(cell))
        }
    }

    impl<'r> FromCell<'r> for NaiveTime {
        fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
            let time = match cell {
                Cell::Time(micros @ 0..86_400_000_000) => {
                    let (time, _) =
                        NaiveTime::MIN.overflowing_add_signed(TimeDelta::microseconds(micros));
                    Some(time)
                }
                Cell::Text(text) => Some(text.parse()?),
                _ => None,
            };
            time.ok_or_else(|| mismatch::<Self>(cell))
        }
    }

    impl<'r> FromCell<'r> for NaiveDateTime {
        fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
            let moment = match cell {
                Cell::DateTime(micros) if !matches!(micros, i64::MIN | i64::MAX) => {
                    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
                }
                Cell::Text(text) => Some(text.replacen(' ', "T", 1).parse()?),
                _ => None,
            };
            moment.ok_or_else(|| mismatch::<Self>(cell))
        }
    }

    impl<'r> FromCell<'r> for DateTime<Utc> {
        /// Also from a moment without a time zone, which is taken for UTC: `TIMESTAMP` of MySQL.
        fn from_cell(cell: Cell<'r>) -> Result<Self, BoxDynError> {
            let moment = match cell {
                Cell::TimestampTz(micros) | Cell::DateTime(micros)
                    if !matches!(micros, i64::MIN | i64::MAX) =>
                {
                    DateTime::from_timestamp_micros(micros)
                }
                Cell::Text(text) => Some(DateTime::parse_from_rfc3339(text)?.to_utc()),
                _ => None,
            };
            moment.ok_or_else(|| mismatch::<Self>(cell))
        }
    }
}

/// The number of a day on the Gregorian calendar, if it is on it.
#[cfg(any(feature = "mysql", test))]
pub(super) fn days_since_1970(year: i32, month: u8, day: u8) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March, so that a leap day is the last one.
    let (year, month) = match month {
        1 | 2 => (year - 1, i32::from(month) + 9),
        _ => (year, i32::from(month) - 3),
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * month + 2) / 5 + i32::from(day) - 1;
    Some(era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let mut day = chrono::NaiveDate::from_ymd_opt(-4, 1, 1).unwrap();
        let last = chrono::NaiveDate::from_ymd_opt(2405, 1, 1).unwrap();
        while day < last {
            use chrono::Datelike;
            let (month, of_month) = (day.month() as u8, day.day() as u8);
            let days = days_since_1970(day.year(), month, of_month);
            assert_eq!(days, Some(day.to_epoch_days()), "{day}");
            day = day.succ_opt().unwrap();
        }
        for (year, month, day) in [(2023, 2, 29), (1900, 2, 29), (2024, 0, 1), (2024, 13, 1)] {
            assert_eq!(days_since_1970(year, month, day), None);
        }
        assert_eq!(days_since_1970(2024, 4, 31), None);
        assert_eq!(days_since_1970(2024, 1, 0), None);
    }

    #[test]
    fn integers_fit_or_are_refused() {
        assert_eq!(u8::from_cell(Cell::I64(255)).unwrap(), 255);
        u8::from_cell(Cell::I64(256)).unwrap_err();
        i64::from_cell(Cell::U64(u64::MAX)).unwrap_err();
        i64::from_cell(Cell::F64(1.0)).unwrap_err();
        i64::from_cell(Cell::Null).unwrap_err();
        assert_eq!(<Option<i64>>::from_cell(Cell::Null).unwrap(), None);
        f32::from_cell(Cell::F64(0.1)).unwrap_err();
        assert_eq!(f64::from_cell(Cell::F32(0.5)).unwrap(), 0.5);
    }
}
