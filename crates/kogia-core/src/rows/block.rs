//! Cells as bytes: the block that a result set and every list within a cell consist of.

use std::net::IpAddr;

use super::RowsError;
use super::cell::{Array, Bits, Cell, List, Range};

/// The deepest nesting of lists.
pub(super) const MAX_DEPTH: u32 = 16;

/// A block, cut into its parts.
#[derive(Clone, Copy, Default)]
pub(super) struct Block<'a> {
    /// How deeply lists are nested in the cells: 0 if there is none.
    depth: u32,
    kinds: &'a [u8],
    slots: &'a [Slot],
    text: &'a str,
    bytes: &'a [u8],
}

/// The value of a cell, or where it lies: an offset and a length.
type Slot = [u8; 8];

impl<'a> Block<'a> {
    /// Cuts a block and checks all of it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, RowsError> {
        let block = Self::split(bytes)?;
        if block.depth > MAX_DEPTH {
            return Err(RowsError::Depth);
        }
        block.check()?;
        Ok(block)
    }

    /// Cuts a block without a look at its cells.
    pub(super) fn split(bytes: &'a [u8]) -> Result<Self, RowsError> {
        let (header, rest) = bytes
            .split_first_chunk::<HEADER>()
            .ok_or(RowsError::Length)?;
        let [depth, cells, text, bytes] = words(header);
        let length =
            u64::from(cells) * (1 + size_of::<Slot>() as u64) + u64::from(text) + u64::from(bytes);
        if rest.len() as u64 != length {
            return Err(RowsError::Length);
        }
        // None of these numbers is above the length of a slice from here on.
        let cells = cells as usize;
        let (kinds, rest) = rest.split_at_checked(cells).ok_or(RowsError::Length)?;
        let (slots, rest) = rest
            .split_at_checked(cells * size_of::<Slot>())
            .ok_or(RowsError::Length)?;
        let (text, bytes) = rest
            .split_at_checked(text as usize)
            .ok_or(RowsError::Length)?;
        let text = std::str::from_utf8(text).map_err(|_| RowsError::Text)?;
        Ok(Block {
            depth,
            kinds,
            slots: slots.as_chunks().0,
            text,
            bytes,
        })
    }

    /// The number of cells.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// Some of the cells.
    pub(super) fn cells(&self, start: usize, length: usize) -> Cells<'a> {
        Cells {
            block: *self,
            next: start,
            end: start + length,
        }
    }

    /// The cell at an index that the block has.
    #[inline]
    fn cell(&self, index: usize) -> Cell<'a> {
        let (Some(&kind), Some(slot)) = (self.kinds.get(index), self.slots.get(index)) else {
            return Cell::Null;
        };
        let (offset, length) = place(slot);
        let range = offset as usize..(offset as usize).saturating_add(length as usize);
        match class(kind) {
            Class::Inline => inline(kind, *slot),
            Class::Text => text(kind, self.text.get(range).unwrap_or_default()),
            // A checked block has no such cell as could not be read.
            Class::Bytes => {
                bytes(kind, self.bytes.get(range).unwrap_or_default()).unwrap_or(Cell::Null)
            }
            Class::Unknown => Cell::Null,
        }
    }

    /// Checks that every cell can be read, and that they use up text and bytes in order.
    fn check(&self) -> Result<(), RowsError> {
        let (mut text_end, mut bytes_end) = (0, 0);
        for (&kind, slot) in self.kinds.iter().zip(self.slots) {
            let (offset, length) = place(slot);
            match class(kind) {
                Class::Inline => {}
                Class::Text => {
                    if u64::from(offset) != text_end {
                        return Err(RowsError::Order);
                    }
                    // Also false if the offset lies beyond the text.
                    if !self.text.is_char_boundary(offset as usize) {
                        return Err(RowsError::Text);
                    }
                    text_end += u64::from(length);
                }
                Class::Bytes => {
                    if u64::from(offset) != bytes_end {
                        return Err(RowsError::Order);
                    }
                    bytes_end += u64::from(length);
                    let rest = self.bytes.get(offset as usize..).ok_or(RowsError::Order)?;
                    let value = rest.get(..length as usize).ok_or(RowsError::Order)?;
                    self.check_bytes(kind, value)?;
                }
                Class::Unknown => return Err(RowsError::Kind(kind)),
            }
        }
        if text_end != self.text.len() as u64 || bytes_end != self.bytes.len() as u64 {
            return Err(RowsError::Order);
        }
        Ok(())
    }

    fn check_bytes(&self, kind: u8, value: &[u8]) -> Result<(), RowsError> {
        match bytes(kind, value).ok_or(RowsError::Cell)? {
            Cell::Array(Array { elements: list, .. })
            | Cell::Range(Range { bounds: list, .. })
            | Cell::Multirange(list)
            | Cell::Composite(list)
            | Cell::Hstore(list) => {
                let block = Block::split(list.as_bytes())?;
                // Every level has a smaller number, so this ends.
                if block.depth >= self.depth {
                    return Err(RowsError::Depth);
                }
                block.check()
            }
            _ => Ok(()),
        }
    }
}

/// Cells of a checked block, one after another.
#[derive(Clone)]
pub(super) struct Cells<'a> {
    block: Block<'a>,
    next: usize,
    end: usize,
}

impl<'a> Cells<'a> {
    /// The cell at this distance from the next one.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<Cell<'a>> {
        let index = self.next.checked_add(index)?;
        (index < self.end).then(|| self.block.cell(index))
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cell<'a>;

    #[inline]
    fn next(&mut self) -> Option<Cell<'a>> {
        self.nth(0)
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<Cell<'a>> {
        let cell = self.get(n);
        self.next = self.next.saturating_add(n).saturating_add(1).min(self.end);
        cell
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Cells<'_> {}

/// Builds a block.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
    depth: u32,
    kinds: Vec<u8>,
    slots: Vec<u64>,
    text: Vec<u8>,
    bytes: Vec<u8>,
    is_too_large: bool,
}

impl BlockBuilder {
    /// A builder with room for some cells.
    pub(super) fn with_capacity(cells: usize) -> Self {
        BlockBuilder {
            kinds: Vec::with_capacity(cells),
            slots: Vec::with_capacity(cells),
            // Growing again and again from nothing would take as long as all the rest.
            text: Vec::with_capacity(cells * size_of::<Slot>()),
            bytes: Vec::with_capacity(cells),
            ..BlockBuilder::default()
        }
    }

    /// Adds a cell. What is too large to be stored is noted and no longer collected.
    ///
    /// Always inlined: a front end that knows the variant then writes a kind and a number.
    #[inline(always)]
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        let (kind, slot) = match cell {
            Cell::Null => (kind::NULL, 0),
            Cell::Bool(value) => (kind::BOOL, u64::from(value)),
            Cell::I8(value) => (kind::I8, u64::from(value as u8)),
            Cell::I16(value) => (kind::I16, u64::from(value as u16)),
            Cell::I32(value) => (kind::I32, u64::from(value as u32)),
            Cell::I64(value) => (kind::I64, value as u64),
            Cell::U8(value) => (kind::U8, u64::from(value)),
            Cell::U16(value) => (kind::U16, u64::from(value)),
            Cell::U32(value) => (kind::U32, u64::from(value)),
            Cell::U64(value) => (kind::U64, value),
            Cell::F32(value) => (kind::F32, u64::from(value.to_bits())),
            Cell::F64(value) => (kind::F64, value.to_bits()),
            Cell::Date(value) => (kind::DATE, u64::from(value as u32)),
            Cell::Year(value) => (kind::YEAR, u64::from(value)),
            Cell::Time(value) => (kind::TIME, value as u64),
            Cell::DateTime(value) => (kind::DATE_TIME, value as u64),
            Cell::TimestampTz(value) => (kind::TIMESTAMP_TZ, value as u64),
            Cell::PartialDate { year, month, day } => {
                let [y0, y1] = year.to_le_bytes();
                (
                    kind::PARTIAL_DATE,
                    u64::from_le_bytes([y0, y1, month, day, 0, 0, 0, 0]),
                )
            }
            Cell::MacAddr([a, b, c, d, e, f]) => {
                (kind::MAC_ADDR, u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
            }
            Cell::MacAddr8(value) => (kind::MAC_ADDR_8, u64::from_le_bytes(value)),
            Cell::Text(value) => return self.push_text(kind::TEXT, value),
            Cell::Decimal(value) => return self.push_text(kind::DECIMAL, value),
            Cell::Json(value) => return self.push_text(kind::JSON, value),
            Cell::Jsonb(value) => return self.push_text(kind::JSONB, value),
            Cell::Xml(value) => return self.push_text(kind::XML, value),
            Cell::Enum(value) => return self.push_text(kind::ENUM, value),
            Cell::Set(value) => return self.push_text(kind::SET, value),
            other => return self.push_other(other),
        };
        self.push_slot(kind, slot);
    }

    /// The number of cells.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// How deeply lists are nested in the cells.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// The length of the block, unless it is too large to be stored.
    pub(super) fn encoded_len(&self) -> Option<u32> {
        let cells = self.kinds.len() as u64 * (1 + size_of::<Slot>() as u64);
        let length = HEADER as u64 + cells + (self.text.len() + self.bytes.len()) as u64;
        u32::try_from(length).ok().filter(|_| !self.is_too_large)
    }

    /// Appends the block. Only if [`BlockBuilder::encoded_len`] is known are the numbers in it
    /// right.
    pub(super) fn finish_into(&self, out: &mut Vec<u8>) {
        let lengths = [self.kinds.len(), self.text.len(), self.bytes.len()];
        out.extend_from_slice(&self.depth.to_le_bytes());
        for length in lengths {
            out.extend_from_slice(&(length as u32).to_le_bytes());
        }
        out.extend_from_slice(&self.kinds);
        let slots = out.len();
        out.resize(slots + self.slots.len() * size_of::<Slot>(), 0);
        let (places, _) = out[slots..].as_chunks_mut();
        for (place, slot) in places.iter_mut().zip(&self.slots) {
            *place = slot.to_le_bytes();
        }
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&self.bytes);
    }

    #[inline]
    fn push_text(&mut self, kind: u8, value: &str) {
        let Some(slot) = self.slot(self.text.len(), value.len()) else {
            return;
        };
        self.text.extend_from_slice(value.as_bytes());
        self.push_slot(kind, slot);
    }

    /// Everything whose place is in the bytes.
    fn push_other(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Bytes(value) => self.push_bytes(kind::BYTES, &[value]),
            Cell::Geometry(value) => self.push_bytes(kind::GEOMETRY, &[value]),
            Cell::Uuid(value) => self.push_bytes(kind::UUID, &[&value]),
            Cell::TimeTz { micros, offset } => {
                self.push_bytes(
                    kind::TIME_TZ,
                    &[&micros.to_le_bytes(), &offset.to_le_bytes()],
                );
            }
            Cell::PartialDateTime {
                year,
                month,
                day,
                micros,
            } => {
                let date = [&year.to_le_bytes()[..], &[month, day]];
                self.push_bytes(
                    kind::PARTIAL_DATE_TIME,
                    &[date[0], date[1], &micros.to_le_bytes()],
                );
            }
            Cell::Interval {
                months,
                days,
                micros,
            } => {
                let (months, days) = (months.to_le_bytes(), days.to_le_bytes());
                self.push_bytes(kind::INTERVAL, &[&months, &days, &micros.to_le_bytes()]);
            }
            Cell::Inet { address, prefix } => self.push_address(kind::INET, address, prefix),
            Cell::Cidr { address, prefix } => self.push_address(kind::CIDR, address, prefix),
            Cell::Bits(bits) => {
                let length = (bits.len() as u32).to_le_bytes();
                self.push_bytes(kind::BITS, &[&length, bits.as_bytes()]);
            }
            Cell::Array(Array {
                element_type,
                lower_bound,
                elements,
            }) => {
                let (element_type, lower_bound) =
                    (element_type.to_le_bytes(), lower_bound.to_le_bytes());
                self.push_list(kind::ARRAY, &[element_type, lower_bound].concat(), elements);
            }
            Cell::Range(Range {
                bounds,
                lower_inclusive,
                upper_inclusive,
            }) => {
                let flags = u8::from(lower_inclusive) | u8::from(upper_inclusive) << 1;
                self.push_list(kind::RANGE, &[flags], bounds);
            }
            Cell::Multirange(list) => self.push_list(kind::MULTIRANGE, &[], list),
            Cell::Composite(list) => self.push_list(kind::COMPOSITE, &[], list),
            Cell::Hstore(list) => self.push_list(kind::HSTORE, &[], list),
            Cell::OtherText { type_name, text } => {
                self.push_named(kind::OTHER_TEXT, type_name, text.as_bytes());
            }
            Cell::OtherBytes { type_name, bytes } => {
                self.push_named(kind::OTHER_BYTES, type_name, bytes);
            }
            // These never come here; they are listed so that no new kind is forgotten.
            Cell::Null
            | Cell::Bool(_)
            | Cell::I8(_)
            | Cell::I16(_)
            | Cell::I32(_)
            | Cell::I64(_)
            | Cell::U8(_)
            | Cell::U16(_)
            | Cell::U32(_)
            | Cell::U64(_)
            | Cell::F32(_)
            | Cell::F64(_)
            | Cell::Decimal(_)
            | Cell::Text(_)
            | Cell::Json(_)
            | Cell::Jsonb(_)
            | Cell::Xml(_)
            | Cell::Enum(_)
            | Cell::Set(_)
            | Cell::Date(_)
            | Cell::PartialDate { .. }
            | Cell::Year(_)
            | Cell::Time(_)
            | Cell::DateTime(_)
            | Cell::TimestampTz(_)
            | Cell::MacAddr(_)
            | Cell::MacAddr8(_) => {}
        }
    }

    fn push_address(&mut self, kind: u8, address: IpAddr, prefix: u8) {
        match address {
            IpAddr::V4(address) => self.push_bytes(kind, &[&[prefix], &address.octets()]),
            IpAddr::V6(address) => self.push_bytes(kind, &[&[prefix], &address.octets()]),
        }
    }

    fn push_list(&mut self, kind: u8, header: &[u8], list: List<'_>) {
        self.depth = self.depth.max(list.block().depth() + 1);
        self.push_bytes(kind, &[header, list.as_bytes()]);
    }

    fn push_named(&mut self, kind: u8, name: &str, value: &[u8]) {
        // If the length does not fit, the cell as a whole does not either.
        let length = (name.len() as u32).to_le_bytes();
        self.push_bytes(kind, &[&length, name.as_bytes(), value]);
    }

    fn push_bytes(&mut self, kind: u8, parts: &[&[u8]]) {
        let length = parts.iter().map(|part| part.len()).sum();
        let Some(slot) = self.slot(self.bytes.len(), length) else {
            return;
        };
        parts
            .iter()
            .for_each(|part| self.bytes.extend_from_slice(part));
        self.push_slot(kind, slot);
    }

    #[inline]
    fn push_slot(&mut self, kind: u8, slot: u64) {
        self.kinds.push(kind);
        self.slots.push(slot);
    }

    /// A place in the text or the bytes, if it can be stored.
    fn slot(&mut self, offset: usize, length: usize) -> Option<u64> {
        let end = offset
            .checked_add(length)
            .and_then(|end| u32::try_from(end).ok());
        self.is_too_large |= end.is_none();
        end?;
        Some(offset as u64 | (length as u64) << 32)
    }
}

/// Consecutive numbers.
pub(super) fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u32; WORDS] {
    const { assert!(BYTES == 4 * WORDS) };
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|index| words.get(index).map_or(0, |word| u32::from_le_bytes(*word)))
}

#[inline]
fn place(slot: &Slot) -> (u32, u32) {
    let slot = u64::from_le_bytes(*slot);
    (slot as u32, (slot >> 32) as u32)
}

#[inline]
fn inline(kind: u8, slot: Slot) -> Cell<'static> {
    let word = u64::from_le_bytes(slot);
    match kind {
        kind::NULL => Cell::Null,
        kind::BOOL => Cell::Bool(word != 0),
        kind::I8 => Cell::I8(word as i8),
        kind::I16 => Cell::I16(word as i16),
        kind::I32 => Cell::I32(word as i32),
        kind::I64 => Cell::I64(word as i64),
        kind::U8 => Cell::U8(word as u8),
        kind::U16 => Cell::U16(word as u16),
        kind::U32 => Cell::U32(word as u32),
        kind::U64 => Cell::U64(word),
        kind::F32 => Cell::F32(f32::from_bits(word as u32)),
        kind::F64 => Cell::F64(f64::from_bits(word)),
        kind::DATE => Cell::Date(word as i32),
        kind::YEAR => Cell::Year(word as u16),
        kind::TIME => Cell::Time(word as i64),
        kind::DATE_TIME => Cell::DateTime(word as i64),
        kind::TIMESTAMP_TZ => Cell::TimestampTz(word as i64),
        kind::PARTIAL_DATE => {
            let [y0, y1, month, day, ..] = slot;
            Cell::PartialDate {
                year: u16::from_le_bytes([y0, y1]),
                month,
                day,
            }
        }
        kind::MAC_ADDR => {
            let [a, b, c, d, e, f, ..] = slot;
            Cell::MacAddr([a, b, c, d, e, f])
        }
        kind::MAC_ADDR_8 => Cell::MacAddr8(slot),
        _ => Cell::Null,
    }
}

#[inline]
fn text(kind: u8, value: &str) -> Cell<'_> {
    match kind {
        kind::TEXT => Cell::Text(value),
        kind::DECIMAL => Cell::Decimal(value),
        kind::JSON => Cell::Json(value),
        kind::JSONB => Cell::Jsonb(value),
        kind::XML => Cell::Xml(value),
        kind::ENUM => Cell::Enum(value),
        kind::SET => Cell::Set(value),
        _ => Cell::Null,
    }
}

/// The cell that lies in these bytes. The cells of a list in it are not looked at.
fn bytes(kind: u8, mut value: &[u8]) -> Option<Cell<'_>> {
    Some(match kind {
        kind::BYTES => Cell::Bytes(value),
        kind::GEOMETRY => Cell::Geometry(value),
        kind::UUID => Cell::Uuid(value.try_into().ok()?),
        kind::TIME_TZ => {
            let micros = i64::from_le_bytes(*take(&mut value)?);
            Cell::TimeTz {
                micros,
                offset: i32::from_le_bytes(value.try_into().ok()?),
            }
        }
        kind::PARTIAL_DATE_TIME => {
            let [y0, y1, month, day] = *take(&mut value)?;
            let micros = u64::from_le_bytes(value.try_into().ok()?);
            Cell::PartialDateTime {
                year: u16::from_le_bytes([y0, y1]),
                month,
                day,
                micros,
            }
        }
        kind::INTERVAL => Cell::Interval {
            months: i32::from_le_bytes(*take(&mut value)?),
            days: i32::from_le_bytes(*take(&mut value)?),
            micros: i64::from_le_bytes(value.try_into().ok()?),
        },
        kind::INET => {
            let [prefix] = *take(&mut value)?;
            Cell::Inet {
                address: address(value)?,
                prefix,
            }
        }
        kind::CIDR => {
            let [prefix] = *take(&mut value)?;
            Cell::Cidr {
                address: address(value)?,
                prefix,
            }
        }
        kind::BITS => {
            let length = u32::from_le_bytes(*take(&mut value)?);
            Cell::Bits(Bits::new(length, value)?)
        }
        kind::ARRAY => Cell::Array(Array {
            element_type: u32::from_le_bytes(*take(&mut value)?),
            lower_bound: i32::from_le_bytes(*take(&mut value)?),
            elements: List::unchecked(value),
        }),
        kind::RANGE => {
            let [flags] = *take(&mut value)?;
            Cell::Range(Range::new(
                List::unchecked(value),
                flags & 1 != 0,
                flags & 2 != 0,
            )?)
        }
        kind::MULTIRANGE => Cell::Multirange(List::unchecked(value)),
        kind::COMPOSITE => Cell::Composite(List::unchecked(value)),
        kind::HSTORE => Cell::Hstore(List::unchecked(value)),
        kind::OTHER_TEXT => {
            let type_name = name(&mut value)?;
            Cell::OtherText {
                type_name,
                text: std::str::from_utf8(value).ok()?,
            }
        }
        kind::OTHER_BYTES => Cell::OtherBytes {
            type_name: name(&mut value)?,
            bytes: value,
        },
        _ => return None,
    })
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
        .ok()
}

fn name<'a>(value: &mut &'a [u8]) -> Option<&'a str> {
    let length = u32::from_le_bytes(*take(value)?);
    let name = value.split_off(..length as usize)?;
    std::str::from_utf8(name).ok()
}

fn take<'a, const N: usize>(value: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    value.split_off(..N)?.first_chunk()
}

/// Where the value of a cell lies.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Inline,
    Text,
    Bytes,
    Unknown,
}

#[inline]
fn class(kind: u8) -> Class {
    CLASSES[usize::from(kind)]
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Unknown; 256];
    let mut kind = 0;
    while kind < classes.len() {
        classes[kind] = match kind as u8 {
            kind::NULL..=kind::MAC_ADDR_8 => Class::Inline,
            kind::TEXT..=kind::SET => Class::Text,
            kind::BYTES..=kind::OTHER_BYTES => Class::Bytes,
            _ => Class::Unknown,
        };
        kind += 1;
    }
    classes
};

/// The numbers of the kinds. They are part of the format: a change of one changes
/// [`super::Rows::FORMAT`].
mod kind {
    // In the slot.
    pub(super) const NULL: u8 = 0;
    pub(super) const BOOL: u8 = 1;
    pub(super) const I8: u8 = 2;
    pub(super) const I16: u8 = 3;
    pub(super) const I32: u8 = 4;
    pub(super) const I64: u8 = 5;
    pub(super) const U8: u8 = 6;
    pub(super) const U16: u8 = 7;
    pub(super) const U32: u8 = 8;
    pub(super) const U64: u8 = 9;
    pub(super) const F32: u8 = 10;
    pub(super) const F64: u8 = 11;
    pub(super) const DATE: u8 = 12;
    pub(super) const PARTIAL_DATE: u8 = 13;
    pub(super) const YEAR: u8 = 14;
    pub(super) const TIME: u8 = 15;
    pub(super) const DATE_TIME: u8 = 16;
    pub(super) const TIMESTAMP_TZ: u8 = 17;
    pub(super) const MAC_ADDR: u8 = 18;
    pub(super) const MAC_ADDR_8: u8 = 19;
    // In the text.
    pub(super) const TEXT: u8 = 64;
    pub(super) const DECIMAL: u8 = 65;
    pub(super) const JSON: u8 = 66;
    pub(super) const JSONB: u8 = 67;
    pub(super) const XML: u8 = 68;
    pub(super) const ENUM: u8 = 69;
    pub(super) const SET: u8 = 70;
    // In the bytes.
    pub(super) const BYTES: u8 = 128;
    pub(super) const GEOMETRY: u8 = 129;
    pub(super) const UUID: u8 = 130;
    pub(super) const TIME_TZ: u8 = 131;
    pub(super) const PARTIAL_DATE_TIME: u8 = 132;
    pub(super) const INTERVAL: u8 = 133;
    pub(super) const INET: u8 = 134;
    pub(super) const CIDR: u8 = 135;
    pub(super) const BITS: u8 = 136;
    pub(super) const ARRAY: u8 = 137;
    pub(super) const RANGE: u8 = 138;
    pub(super) const MULTIRANGE: u8 = 139;
    pub(super) const COMPOSITE: u8 = 140;
    pub(super) const HSTORE: u8 = 141;
    pub(super) const OTHER_TEXT: u8 = 142;
    pub(super) const OTHER_BYTES: u8 = 143;
}

const HEADER: usize = 16;
