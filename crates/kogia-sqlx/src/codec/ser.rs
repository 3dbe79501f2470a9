//! Writing.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{CodecError, DEPTH, tag};

/// Where values are written, and the names that were written already.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    names: Vec<&'static str>,
    /// Where the next name is looked for first: rows repeat their names in order.
    expected: usize,
}

impl Output {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// A name: its number, counted from 1, and the first time the name itself.
    fn name(&mut self, name: &'static str) {
        let is_it = |known: &&'static str| std::ptr::eq(*known, name) || *known == name;
        let known = match self.names.get(self.expected) {
            Some(candidate) if is_it(candidate) => Some(self.expected),
            _ => self.names.iter().position(|known| is_it(&known)),
        };
        let index = known.unwrap_or(self.names.len());
        self.length(index + 1);
        if known.is_none() {
            self.names.push(name);
            self.length(name.len());
            self.bytes.extend_from_slice(name.as_bytes());
        }
        self.expected = index + 1;
        if self.expected == self.names.len() {
            self.expected = 0;
        }
    }

    /// A number in as many bytes as it needs, seven bits each.
    fn length(&mut self, mut length: usize) {
        while length >= 0x80 {
            self.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.bytes.push(length as u8);
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) {
        self.bytes.push(tag);
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn fixed<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&bytes);
    }
}

/// Writes one value.
pub(super) struct Serializer<'a> {
    output: &'a mut Output,
    depth: u8,
}

impl<'a> Serializer<'a> {
    pub(super) fn new(output: &'a mut Output) -> Self {
        Serializer {
            output,
            depth: DEPTH,
        }
    }

    fn nested(self, tag: u8) -> Result<Compound<'a>, CodecError> {
        let depth = self.depth.checked_sub(1).ok_or_else(CodecError::too_deep)?;
        self.output.bytes.push(tag);
        Ok(Compound {
            output: self.output,
            depth,
        })
    }

    fn variant(self, tag: u8, name: &'static str) -> Result<Compound<'a>, CodecError> {
        let compound = self.nested(tag)?;
        compound.output.name(name);
        Ok(compound)
    }
}

impl<'a> serde::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    /// Serde's own buffer for untagged and flattened types says so, too; types that look
    /// different to people and to machines must look the same inside and outside of it.
    fn is_human_readable(&self) -> bool {
        true
    }

    fn serialize_bool(self, value: bool) -> Result<(), CodecError> {
        self.output
            .bytes
            .push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), CodecError> {
        self.output.fixed(tag::I8, value.to_le_bytes());
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Result<(), CodecError> {
        self.output.fixed(tag::I16, value.to_le_bytes());
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), CodecError> {
        match i8::try_from(value) {
            Ok(small) => self.output.fixed(tag::SMALL_I32, small.to_le_bytes()),
            Err(_) => self.output.fixed(tag::I32, value.to_le_bytes()),
        }
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), CodecError> {
        match i8::try_from(value) {
            Ok(small) => self.output.fixed(tag::SMALL_I64, small.to_le_bytes()),
            Err(_) => self.output.fixed(tag::I64, value.to_le_bytes()),
        }
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), CodecError> {
        self.output.fixed(tag::I128, value.to_le_bytes());
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), CodecError> {
        self.output.fixed(tag::U8, value.to_le_bytes());
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Result<(), CodecError> {
        self.output.fixed(tag::U16, value.to_le_bytes());
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Result<(), CodecError> {
        match u8::try_from(value) {
            Ok(small) => self.output.fixed(tag::SMALL_U32, small.to_le_bytes()),
            Err(_) => self.output.fixed(tag::U32, value.to_le_bytes()),
        }
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), CodecError> {
        match u8::try_from(value) {
            Ok(small) => self.output.fixed(tag::SMALL_U64, small.to_le_bytes()),
            Err(_) => self.output.fixed(tag::U64, value.to_le_bytes()),
        }
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), CodecError> {
        self.output.fixed(tag::U128, value.to_le_bytes());
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), CodecError> {
        self.output.fixed(tag::F32, value.to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), CodecError> {
        self.output.fixed(tag::F64, value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), CodecError> {
        self.output.fixed(tag::CHAR, u32::from(value).to_le_bytes());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), CodecError> {
        self.output.sized(tag::TEXT, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), CodecError> {
        self.output.sized(tag::BYTES, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), CodecError> {
        self.output.bytes.push(tag::NONE);
        Ok(())
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), CodecError> {
        value.serialize(self.nested(tag::SOME)?.inner())
    }

    fn serialize_unit(self) -> Result<(), CodecError> {
        self.output.bytes.push(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CodecError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), CodecError> {
        self.variant(tag::UNIT_VARIANT, variant).map(drop)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        let depth = self.depth.checked_sub(1).ok_or_else(CodecError::too_deep)?;
        value.serialize(Serializer {
            output: self.output,
            depth,
        })
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self.variant(tag::NEWTYPE_VARIANT, variant)?.inner())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'a>, CodecError> {
        let compound = self.nested(tag::SEQUENCE)?;
        // How many are announced is a hint for the reader; what ends the sequence is its end.
        compound.output.length(length.unwrap_or(0));
        Ok(compound)
    }

    fn serialize_tuple(self, length: usize) -> Result<Compound<'a>, CodecError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, CodecError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>, CodecError> {
        self.variant(tag::TUPLE_VARIANT, variant)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Compound<'a>, CodecError> {
        let compound = self.nested(tag::MAP)?;
        compound.output.length(length.unwrap_or(0));
        Ok(compound)
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>, CodecError> {
        self.nested(tag::STRUCT)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>, CodecError> {
        self.variant(tag::STRUCT_VARIANT, variant)
    }
}

/// Writes what is inside a value.
pub(super) struct Compound<'a> {
    output: &'a mut Output,
    depth: u8,
}

impl Compound<'_> {
    fn inner(&mut self) -> Serializer<'_> {
        Serializer {
            output: self.output,
            depth: self.depth,
        }
    }

    fn element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(self.inner())
    }

    fn field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.output.name(name);
        self.element(value)
    }

    fn finish(self) -> Result<(), CodecError> {
        self.output.bytes.push(tag::END);
        Ok(())
    }
}

impl SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CodecError> {
        self.element(value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

impl SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CodecError> {
        self.element(value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

impl SerializeTupleStruct for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CodecError> {
        self.element(value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

impl SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CodecError> {
        self.element(value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), CodecError> {
        self.element(key)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CodecError> {
        self.element(value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

impl SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

impl SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}
