//! Reading.

use serde::Deserializer as _;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use smallvec::SmallVec;

use super::{CodecError, DEPTH, tag};

/// Bytes that are being read, and the names that were read already.
pub(super) struct Input<'de> {
    bytes: &'de [u8],
    names: SmallVec<[&'de str; 16]>,
}

impl<'de> Input<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Input {
            bytes,
            names: SmallVec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline]
    pub(super) fn peek(&self) -> Result<u8, CodecError> {
        self.bytes.first().copied().ok_or_else(CodecError::damaged)
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'de [u8], CodecError> {
        let (head, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or_else(CodecError::damaged)?;
        self.bytes = rest;
        Ok(head)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        let (&byte, rest) = self.bytes.split_first().ok_or_else(CodecError::damaged)?;
        self.bytes = rest;
        Ok(byte)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or_else(CodecError::damaged)?;
        self.bytes = rest;
        Ok(*head)
    }

    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, CodecError> {
        let mut length = 0_u64;
        if let &[byte @ 0..0x80, ref rest @ ..] = self.bytes {
            self.bytes = rest;
            return Ok(byte.into());
        }
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(length).map_err(|_| CodecError::damaged());
            }
        }
        Err(CodecError::damaged())
    }

    #[inline]
    pub(super) fn sized(&mut self) -> Result<&'de [u8], CodecError> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, CodecError> {
        std::str::from_utf8(self.sized()?).map_err(|_| CodecError::damaged())
    }

    /// A name, or `None` at the end of a struct.
    #[inline]
    pub(super) fn name(&mut self) -> Result<Option<&'de str>, CodecError> {
        let Some(index) = self.length()?.checked_sub(1) else {
            return Ok(None);
        };
        if let Some(name) = self.names.get(index) {
            return Ok(Some(name));
        }
        if index > self.names.len() {
            return Err(CodecError::damaged());
        }
        let name = self.text()?;
        self.names.push(name);
        Ok(Some(name))
    }

    pub(super) fn variant(&mut self) -> Result<&'de str, CodecError> {
        self.name()?.ok_or_else(CodecError::damaged)
    }

    #[inline]
    fn end(&mut self) -> Result<(), CodecError> {
        if self.byte()? == tag::END {
            Ok(())
        } else {
            Err(CodecError::damaged())
        }
    }
}

/// Reads one value.
pub(super) struct Deserializer<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: u8,
}

impl<'a, 'de> Deserializer<'a, 'de> {
    pub(super) fn new(input: &'a mut Input<'de>) -> Self {
        Deserializer {
            input,
            depth: DEPTH,
        }
    }

    fn nested(self) -> Result<Self, CodecError> {
        let depth = self.depth.checked_sub(1).ok_or_else(CodecError::too_deep)?;
        Ok(Deserializer {
            input: self.input,
            depth,
        })
    }

    fn sequence<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let hint = self.input.length()?;
        self.elements(hint, visitor)
    }

    fn elements<V: Visitor<'de>>(self, hint: usize, visitor: V) -> Result<V::Value, CodecError> {
        let Deserializer { input, depth } = self.nested()?;
        let value = visitor.visit_seq(Elements { input, depth, hint })?;
        input.end()?;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let hint = self.input.length()?;
        let Deserializer { input, depth } = self.nested()?;
        let value = visitor.visit_map(Elements { input, depth, hint })?;
        input.end()?;
        Ok(value)
    }

    fn fields<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let Deserializer { input, depth } = self.nested()?;
        let value = visitor.visit_map(Fields { input, depth })?;
        input.end()?;
        Ok(value)
    }
}

impl<'de> serde::Deserializer<'de> for Deserializer<'_, 'de> {
    type Error = CodecError;

    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let tag = self.input.byte()?;
        match tag {
            tag::NONE => visitor.visit_none(),
            tag::SOME => {
                let inner = self.nested()?;
                match inner.input.peek()? {
                    // Only where it makes a difference does the option itself show. Elsewhere it
                    // is left out, as in every other format that describes itself.
                    tag::NONE | tag::SOME | tag::UNIT => visitor.visit_some(inner),
                    _ => inner.deserialize_any(visitor),
                }
            }
            tag::UNIT => visitor.visit_unit(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::I8 => visitor.visit_i8(i8::from_le_bytes(self.input.fixed()?)),
            tag::I16 => visitor.visit_i16(i16::from_le_bytes(self.input.fixed()?)),
            tag::I32 => visitor.visit_i32(i32::from_le_bytes(self.input.fixed()?)),
            tag::I64 => visitor.visit_i64(i64::from_le_bytes(self.input.fixed()?)),
            tag::I128 => visitor.visit_i128(i128::from_le_bytes(self.input.fixed()?)),
            tag::U8 => visitor.visit_u8(u8::from_le_bytes(self.input.fixed()?)),
            tag::U16 => visitor.visit_u16(u16::from_le_bytes(self.input.fixed()?)),
            tag::U32 => visitor.visit_u32(u32::from_le_bytes(self.input.fixed()?)),
            tag::U64 => visitor.visit_u64(u64::from_le_bytes(self.input.fixed()?)),
            tag::U128 => visitor.visit_u128(u128::from_le_bytes(self.input.fixed()?)),
            tag::SMALL_I32 => visitor.visit_i32(i8::from_le_bytes(self.input.fixed()?).into()),
            tag::SMALL_I64 => visitor.visit_i64(i8::from_le_bytes(self.input.fixed()?).into()),
            tag::SMALL_U32 => visitor.visit_u32(self.input.byte()?.into()),
            tag::SMALL_U64 => visitor.visit_u64(self.input.byte()?.into()),
            tag::F32 => visitor.visit_f32(f32::from_le_bytes(self.input.fixed()?)),
            tag::F64 => visitor.visit_f64(f64::from_le_bytes(self.input.fixed()?)),
            tag::CHAR => {
                let code = u32::from_le_bytes(self.input.fixed()?);
                visitor.visit_char(char::from_u32(code).ok_or_else(CodecError::damaged)?)
            }
            tag::TEXT => visitor.visit_borrowed_str(self.input.text()?),
            tag::BYTES => visitor.visit_borrowed_bytes(self.input.sized()?),
            tag::SEQUENCE => self.sequence(visitor),
            tag::MAP => self.map(visitor),
            tag::STRUCT => self.fields(visitor),
            // Variants look like those of other formats to who does not know that they are some.
            tag::UNIT_VARIANT => visitor.visit_borrowed_str(self.input.variant()?),
            tag::NEWTYPE_VARIANT | tag::TUPLE_VARIANT | tag::STRUCT_VARIANT => {
                let Deserializer { input, depth } = self.nested()?;
                let name = Some(input.variant()?);
                visitor.visit_map(OneVariant {
                    input,
                    depth,
                    tag,
                    name,
                })
            }
            _ => Err(CodecError::damaged()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.input.peek()? {
            tag::NONE | tag::UNIT => {
                self.input.byte()?;
                visitor.visit_none()
            }
            tag::SOME => {
                self.input.byte()?;
                visitor.visit_some(self.nested()?)
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self.nested()?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        match self.input.peek()? {
            tag::UNIT_VARIANT | tag::NEWTYPE_VARIANT | tag::TUPLE_VARIANT | tag::STRUCT_VARIANT => {
                let Deserializer { input, depth } = self.nested()?;
                visitor.visit_enum(Variant {
                    input,
                    depth,
                    tag: tag::END,
                })
            }
            tag::SOME => {
                self.input.byte()?;
                self.nested()?.deserialize_enum(_name, _variants, visitor)
            }
            // What was not written as a variant may still be meant as one.
            tag::TEXT => {
                self.input.byte()?;
                visitor.visit_enum(self.input.text()?.into_deserializer())
            }
            tag::MAP => {
                self.input.byte()?;
                let hint = self.input.length()?;
                let Deserializer { input, depth } = self.nested()?;
                let elements = Elements { input, depth, hint };
                let value = visitor.visit_enum(MapAccessDeserializer::new(elements))?;
                input.end()?;
                Ok(value)
            }
            tag::STRUCT => {
                self.input.byte()?;
                let Deserializer { input, depth } = self.nested()?;
                let fields = Fields { input, depth };
                let value = visitor.visit_enum(MapAccessDeserializer::new(fields))?;
                input.end()?;
                Ok(value)
            }
            _ => Err(CodecError::custom("expected a variant")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The elements of a sequence, or the keys and values of a map.
struct Elements<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: u8,
    hint: usize,
}

impl<'de> Elements<'_, 'de> {
    fn next<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, CodecError> {
        if self.input.peek()? == tag::END {
            return Ok(None);
        }
        self.hint = self.hint.saturating_sub(1);
        self.value(seed).map(Some)
    }

    fn value<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, CodecError> {
        seed.deserialize(Deserializer {
            input: self.input,
            depth: self.depth,
        })
    }

    /// No more than there are bytes, whatever the hint says.
    fn hint(&self) -> usize {
        self.hint.min(self.input.bytes.len())
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, CodecError> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CodecError> {
        self.next(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, CodecError> {
        self.value(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

/// The fields of a struct. Its end is taken by whoever reads the struct, so the number that says
/// it is only looked at.
struct Fields<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: u8,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CodecError> {
        if self.input.peek()? == tag::END {
            return Ok(None);
        }
        let name = self.input.variant()?;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, CodecError> {
        seed.deserialize(Deserializer {
            input: self.input,
            depth: self.depth,
        })
    }
}

/// A variant as a map of one entry.
struct OneVariant<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: u8,
    tag: u8,
    name: Option<&'de str>,
}

impl<'de> MapAccess<'de> for OneVariant<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CodecError> {
        let Some(name) = self.name.take() else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, CodecError> {
        seed.deserialize(Content {
            input: self.input,
            depth: self.depth,
            tag: self.tag,
        })
    }
}

/// What is in a variant, without a tag of its own.
struct Content<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: u8,
    tag: u8,
}

impl<'de> Content<'_, 'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let inner = Deserializer {
            input: self.input,
            depth: self.depth,
        };
        match self.tag {
            tag::TUPLE_VARIANT => inner.elements(0, visitor),
            tag::STRUCT_VARIANT => inner.fields(visitor),
            _ => inner.deserialize_any(visitor),
        }
    }
}

impl<'de> serde::Deserializer<'de> for Content<'_, 'de> {
    type Error = CodecError;

    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.tag {
            tag::NEWTYPE_VARIANT => Deserializer {
                input: self.input,
                depth: self.depth,
            }
            .deserialize_option(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        let inner = Deserializer {
            input: self.input,
            depth: self.depth,
        };
        inner.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant of an enum.
struct Variant<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: u8,
    tag: u8,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), CodecError> {
        self.tag = self.input.byte()?;
        let name = self.input.variant()?;
        let value = seed.deserialize(BorrowedStrDeserializer::<CodecError>::new(name))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Result<(), CodecError> {
        match self.tag {
            tag::UNIT_VARIANT => Ok(()),
            _ => Err(CodecError::custom("expected a variant without content")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, CodecError> {
        match self.tag {
            tag::UNIT_VARIANT => Err(CodecError::custom("expected a variant with content")),
            tag::NEWTYPE_VARIANT => seed.deserialize(Deserializer {
                input: self.input,
                depth: self.depth,
            }),
            tag => seed.deserialize(Content {
                input: self.input,
                depth: self.depth,
                tag,
            }),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.content(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.content(visitor)
    }
}

impl<'de> Variant<'_, 'de> {
    fn content<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.tag {
            tag::UNIT_VARIANT => Err(CodecError::custom("expected a variant with content")),
            tag => Content {
                input: self.input,
                depth: self.depth,
                tag,
            }
            .visit(visitor),
        }
    }
}
