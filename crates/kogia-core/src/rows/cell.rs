//! What one place of a result set can hold.

use std::fmt;
use std::net::IpAddr;
use std::ops::Bound;

use super::RowsError;
use super::block::Block;

/// One cell of a result set.
///
/// A front end picks the variant that gives back exactly what its driver gave, so that a cached
/// result and a fresh one cannot be told apart; what no variant holds exactly goes in
/// [`Cell::OtherText`] or [`Cell::OtherBytes`]. In particular text that is not UTF-8 (SQLite does
/// not check, PostgreSQL's `SQL_ASCII` neither) is no [`Cell::Text`].
///
/// Equality is that of the parts: a `NaN` is not equal to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Cell<'a> {
    /// SQL `NULL`.
    Null,
    /// A boolean of a database that has them: PostgreSQL.
    Bool(bool),
    /// `TINYINT` of MySQL; `"char"` of PostgreSQL.
    I8(i8),
    /// `smallint`.
    I16(i16),
    /// `integer`, `MEDIUMINT`.
    I32(i32),
    /// `bigint`; any integer of SQLite.
    I64(i64),
    /// `TINYINT UNSIGNED`.
    U8(u8),
    /// `SMALLINT UNSIGNED`.
    U16(u16),
    /// `INT UNSIGNED`, `oid`.
    U32(u32),
    /// `BIGINT UNSIGNED`; `BIT(n)` of MySQL where the driver gives a number.
    U64(u64),
    /// `real`, `FLOAT`: bit by bit, with the sign of zero and whatever a `NaN` carries.
    F32(f32),
    /// `double precision`, `DOUBLE`, `REAL` of SQLite: bit by bit.
    F64(f64),
    /// `numeric`, `DECIMAL` as the database writes it, digits behind the point included:
    /// `1.10`, `NaN`, `-Infinity`.
    Decimal(&'a str),
    /// Any character type.
    Text(&'a str),
    /// `json`, as written.
    Json(&'a str),
    /// `jsonb` of PostgreSQL, in its text form.
    Jsonb(&'a str),
    /// `xml`.
    Xml(&'a str),
    /// The label of an enum.
    Enum(&'a str),
    /// `SET` of MySQL: its members, separated by commas.
    Set(&'a str),
    /// `bytea`, `BLOB`, `BINARY`.
    Bytes(&'a [u8]),
    /// A geometry as the driver gave it: for MySQL the SRID, then WKB; for PostGIS EWKB.
    Geometry(&'a [u8]),
    /// `uuid`, in the order in which it is written.
    Uuid([u8; 16]),
    /// A day that is on the proleptic Gregorian calendar, years before 1 included: days since
    /// 1970-01-01. `i32::MAX` is `infinity` and `i32::MIN` is `-infinity`.
    Date(i32),
    /// A date of MySQL that is on no calendar, because its month or day is 0: `0000-00-00`.
    PartialDate {
        /// 0 to 9999.
        year: u16,
        /// 0 to 12.
        month: u8,
        /// 0 to 31.
        day: u8,
    },
    /// `YEAR` of MySQL: 0, or 1901 to 2155.
    Year(u16),
    /// `time`: microseconds since midnight; `24:00:00` is 86,400,000,000. `TIME` of MySQL is a
    /// span: it can be negative, and up to 838:59:59.
    Time(i64),
    /// `timetz`.
    TimeTz {
        /// Microseconds since midnight.
        micros: i64,
        /// Seconds east of UTC. (The wire format of PostgreSQL counts west.)
        offset: i32,
    },
    /// `timestamp`, `DATETIME`, and `TIMESTAMP` of MySQL, which comes in the session's time zone:
    /// microseconds since 1970-01-01 00:00:00 of the clock on the wall. `i64::MAX` is `infinity`
    /// and `i64::MIN` is `-infinity`.
    DateTime(i64),
    /// A `DATETIME` of MySQL that is on no calendar: `0000-00-00 00:00:00`.
    PartialDateTime {
        /// 0 to 9999.
        year: u16,
        /// 0 to 12.
        month: u8,
        /// 0 to 31.
        day: u8,
        /// Microseconds since midnight.
        micros: u64,
    },
    /// `timestamptz`: microseconds since 1970-01-01 00:00:00 UTC. `i64::MAX` is `infinity` and
    /// `i64::MIN` is `-infinity`.
    TimestampTz(i64),
    /// `interval`; all three at their largest (smallest) are `infinity` (`-infinity`).
    Interval {
        /// Months; a year is twelve.
        months: i32,
        /// Days, which need not have 24 hours.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
    /// `inet`; `INET4` and `INET6` of MariaDB with a full prefix.
    Inet {
        /// The host's address.
        address: IpAddr,
        /// The length of the network's prefix, in bits.
        prefix: u8,
    },
    /// `cidr`.
    Cidr {
        /// The network's address.
        address: IpAddr,
        /// The length of its prefix, in bits.
        prefix: u8,
    },
    /// `macaddr`.
    MacAddr([u8; 6]),
    /// `macaddr8`.
    MacAddr8([u8; 8]),
    /// `bit`, `bit varying`.
    Bits(Bits<'a>),
    /// An array of PostgreSQL.
    Array(Array<'a>),
    /// A range of PostgreSQL.
    Range(Range<'a>),
    /// A multirange of PostgreSQL: its ranges, in order.
    Multirange(List<'a>),
    /// A value of a composite type of PostgreSQL: its fields, in order.
    Composite(List<'a>),
    /// `hstore`: key, value, key, value… Keys are [`Cell::Text`], values also [`Cell::Null`].
    Hstore(List<'a>),
    /// Anything else that the driver gives as text.
    OtherText {
        /// The type's name in the database.
        type_name: &'a str,
        /// The text.
        text: &'a str,
    },
    /// Anything else, as the driver gave it.
    OtherBytes {
        /// The type's name in the database, and what else tells how to read the bytes.
        type_name: &'a str,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// A string of bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bits<'a> {
    length: u32,
    bytes: &'a [u8],
}

impl<'a> Bits<'a> {
    /// This many bits, eight a byte, the first one highest; `None` if the bytes are not as many as
    /// the bits need.
    pub fn new(length: u32, bytes: &'a [u8]) -> Option<Self> {
        (length.div_ceil(8) as usize == bytes.len()).then_some(Bits { length, bytes })
    }

    /// The number of bits.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bits, eight a byte, the first one highest.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Bits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bit = |index: usize| {
            let byte = self.bytes.get(index / 8).copied().unwrap_or_default();
            byte >> (7 - index % 8) & 1
        };
        f.write_str("Bits(")?;
        (0..self.len()).try_for_each(|index| write!(f, "{}", bit(index)))?;
        f.write_str(")")
    }
}

/// Cells within a cell, encoded and checked.
///
/// A [`super::ListBuilder`] builds the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a>(&'a [u8]);

impl<'a> List<'a> {
    /// Checks bytes that a [`super::ListBuilder`] once built.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RowsError> {
        Block::parse(bytes)?;
        Ok(List(bytes))
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.block().len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells, in order. To begin takes time that grows with the list.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cell<'a>> + use<'a> {
        let block = self.block();
        block.cells(0, block.len())
    }

    /// A list whose cells the caller checks, or has checked.
    pub(super) fn unchecked(bytes: &'a [u8]) -> Self {
        List(bytes)
    }

    pub(super) fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn block(&self) -> Block<'a> {
        Block::split(self.0).unwrap_or_default()
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One dimension of an array. Elements of an array of more dimensions are arrays themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array<'a> {
    /// The type of the innermost elements in the database's own numbering.
    pub element_type: u32,
    /// The index of the first element; 1 unless someone said otherwise.
    pub lower_bound: i32,
    /// The elements.
    pub elements: List<'a>,
}

/// A range between two bounds, or an empty one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Range<'a> {
    pub(super) bounds: List<'a>,
    pub(super) lower_inclusive: bool,
    pub(super) upper_inclusive: bool,
}

impl<'a> Range<'a> {
    /// A range from its bounds: a list of the lower and the upper one, [`Cell::Null`] where there
    /// is no bound, or an empty list for an empty range; `None` for any other number of cells.
    pub fn new(bounds: List<'a>, lower_inclusive: bool, upper_inclusive: bool) -> Option<Self> {
        matches!(bounds.len(), 0 | 2).then_some(Range {
            bounds,
            lower_inclusive,
            upper_inclusive,
        })
    }

    /// Whether no value lies in the range.
    pub fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    /// The lower bound; of an empty range, none.
    pub fn lower(&self) -> Bound<Cell<'a>> {
        bound(self.bounds.iter().next(), self.lower_inclusive)
    }

    /// The upper bound; of an empty range, none.
    pub fn upper(&self) -> Bound<Cell<'a>> {
        bound(self.bounds.iter().nth(1), self.upper_inclusive)
    }
}

impl fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("Range(empty)");
        }
        f.debug_tuple("Range")
            .field(&self.lower())
            .field(&self.upper())
            .finish()
    }
}

fn bound(cell: Option<Cell<'_>>, inclusive: bool) -> Bound<Cell<'_>> {
    match cell {
        None | Some(Cell::Null) => Bound::Unbounded,
        Some(cell) if inclusive => Bound::Included(cell),
        Some(cell) => Bound::Excluded(cell),
    }
}
