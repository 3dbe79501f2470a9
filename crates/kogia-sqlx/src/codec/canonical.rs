//! Bytes in which maps have one order, to compare what was written with what is written again.

use super::de::Input;
use super::{CodecError, DEPTH, HEADER, tag};

/// The same values with the entries of maps sorted and names written out. A `HashMap` that was
/// read back has another order than the one that was written, and still is the same.
pub(super) fn canonical(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let rows = bytes.get(HEADER..).ok_or_else(CodecError::damaged)?;
    let mut input = Input::new(rows);
    let mut output = Vec::with_capacity(bytes.len());
    while !input.is_empty() {
        value(&mut input, &mut output, DEPTH)?;
    }
    Ok(output)
}

fn value(input: &mut Input<'_>, output: &mut Vec<u8>, depth: u8) -> Result<(), CodecError> {
    let depth = depth.checked_sub(1).ok_or_else(CodecError::too_deep)?;
    let tag = input.byte()?;
    output.push(tag);
    match tag {
        tag::NONE | tag::UNIT | tag::FALSE | tag::TRUE => {}
        tag::SOME => value(input, output, depth)?,
        tag::I8 | tag::U8 | tag::SMALL_I32 | tag::SMALL_I64 | tag::SMALL_U32 | tag::SMALL_U64 => {
            output.extend_from_slice(input.take(1)?);
        }
        tag::I16 | tag::U16 => output.extend_from_slice(input.take(2)?),
        tag::I32 | tag::U32 | tag::F32 | tag::CHAR => output.extend_from_slice(input.take(4)?),
        tag::I64 | tag::U64 | tag::F64 => output.extend_from_slice(input.take(8)?),
        tag::I128 | tag::U128 => output.extend_from_slice(input.take(16)?),
        tag::TEXT | tag::BYTES => sized(input.sized()?, output),
        tag::SEQUENCE => {
            input.length()?;
            elements(input, output, depth)?;
        }
        tag::MAP => {
            input.length()?;
            entries(input, output, depth)?;
        }
        tag::STRUCT => fields(input, output, depth)?,
        tag::UNIT_VARIANT => sized(input.variant()?.as_bytes(), output),
        tag::NEWTYPE_VARIANT => {
            sized(input.variant()?.as_bytes(), output);
            value(input, output, depth)?;
        }
        tag::TUPLE_VARIANT => {
            sized(input.variant()?.as_bytes(), output);
            elements(input, output, depth)?;
        }
        tag::STRUCT_VARIANT => {
            sized(input.variant()?.as_bytes(), output);
            fields(input, output, depth)?;
        }
        _ => return Err(CodecError::damaged()),
    }
    Ok(())
}

fn sized(bytes: &[u8], output: &mut Vec<u8>) {
    output.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    output.extend_from_slice(bytes);
}

fn elements(input: &mut Input<'_>, output: &mut Vec<u8>, depth: u8) -> Result<(), CodecError> {
    while input.peek()? != tag::END {
        value(input, output, depth)?;
    }
    output.push(input.byte()?);
    Ok(())
}

fn entries(input: &mut Input<'_>, output: &mut Vec<u8>, depth: u8) -> Result<(), CodecError> {
    let mut entries = Vec::new();
    while input.peek()? != tag::END {
        let mut entry = Vec::new();
        value(input, &mut entry, depth)?;
        value(input, &mut entry, depth)?;
        entries.push(entry);
    }
    entries.sort_unstable();
    entries
        .iter()
        .for_each(|entry| output.extend_from_slice(entry));
    output.push(input.byte()?);
    Ok(())
}

fn fields(input: &mut Input<'_>, output: &mut Vec<u8>, depth: u8) -> Result<(), CodecError> {
    while let Some(name) = input.name()? {
        sized(name.as_bytes(), output);
        value(input, output, depth)?;
    }
    output.push(tag::END);
    Ok(())
}
