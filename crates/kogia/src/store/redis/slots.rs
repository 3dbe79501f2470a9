//! The slots of a cluster, and who has them.

use std::fmt;

use redis::{RedisError, RedisResult, Value};

/// How many slots every cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// The slot of a key: of what stands in its first braces, if anything does, else of all of it.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    crc16(tag_in(key).unwrap_or(key)) % SLOTS
}

fn tag_in(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let rest = key.get(open + 1..)?;
    let close = rest.iter().position(|byte| *byte == b'}')?;
    rest.get(..close).filter(|tag| !tag.is_empty())
}

/// CRC-16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, byte| {
        (sum << 8) ^ TABLE[usize::from((sum >> 8) ^ u16::from(*byte))]
    })
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum << 1) ^ (if sum & 0x8000 == 0 { 0 } else { 0x1021 });
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

/// A primary of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Primary {
    /// What the cluster calls it.
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A cluster as one of its nodes sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// Those that have slots, by their names.
    pub(super) primaries: Vec<Primary>,
    /// The first and the last slot of each range, and the number of its primary; in their order.
    ranges: Vec<(u16, u16, usize)>,
}

impl View {
    /// What a node that was asked at a host says (`CLUSTER SLOTS`).
    pub(super) fn parse(said: &Value, asked_at: &str) -> RedisResult<Self> {
        let rows = items(said).ok_or_else(|| unknown(said))?;
        let mut named = rows
            .iter()
            .map(|row| range(row, asked_at).ok_or_else(|| unknown(row)))
            .collect::<RedisResult<Vec<_>>>()?;
        named.sort_by_key(|(first, ..)| *first);
        let mut primaries: Vec<Primary> = named.iter().map(|(.., owner)| owner.clone()).collect();
        primaries.sort_by(|one, other| one.name.cmp(&other.name));
        primaries.dedup_by(|one, other| one.name == other.name);
        let number = |name: &str| primaries.iter().position(|primary| primary.name == name);
        let ranges = named
            .iter()
            .filter_map(|(first, last, owner)| Some((*first, *last, number(&owner.name)?)))
            .collect();
        Ok(View { primaries, ranges })
    }

    /// The number of the primary that has a slot.
    pub(super) fn owner_of(&self, slot: u16) -> Option<usize> {
        let after = self.ranges.partition_point(|(first, ..)| *first <= slot);
        let (_, last, owner) = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= *last).then_some(*owner)
    }

    /// Whether another node sees the same primaries, and the same one with a slot.
    pub(super) fn agrees(&self, other: &View, slot: u16) -> bool {
        let names = |view: &View| -> Vec<String> {
            let names = view.primaries.iter().map(|primary| primary.name.clone());
            names.collect()
        };
        names(self) == names(other) && self.owner_of(slot) == other.owner_of(slot)
    }

    /// How many slots somebody has.
    pub(super) fn covered(&self) -> u64 {
        let length = |(first, last, _): &(u16, u16, usize)| u64::from(last.abs_diff(*first)) + 1;
        self.ranges.iter().map(length).sum()
    }
}

/// One row: the first slot, the last, the primary, its replicas. A node that does not know its own
/// host is where it was asked.
fn range(row: &Value, asked_at: &str) -> Option<(u16, u16, Primary)> {
    let [first, last, primary, ..] = items(row)? else {
        return None;
    };
    let [host, port, name, ..] = items(primary)? else {
        return None;
    };
    let host = text(host).filter(|host| !host.is_empty());
    let primary = Primary {
        name: text(name)?,
        host: host.unwrap_or_else(|| asked_at.to_owned()),
        port: number(port)?,
    };
    Some((number(first)?, number(last)?, primary))
}

fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value_ref::<Option<String>>(value)
        .ok()
        .flatten()
}

fn unknown(said: &Value) -> RedisError {
    let kind = redis::ErrorKind::UnexpectedReturnType;
    RedisError::from((
        kind,
        "CLUSTER SLOTS says something else",
        format!("{said:?}"),
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"{foo}bar"), slot_of(b"foo"));
        assert_eq!(slot_of(b"a{foo}{bar}"), slot_of(b"foo"));
        assert_eq!(slot_of(b"{}foo"), crc16(b"{}foo") % SLOTS);
        assert_eq!(slot_of(b"foo{bar"), crc16(b"foo{bar") % SLOTS);
        assert_eq!(slot_of(b"{{foo}}"), slot_of(b"{foo"));
    }

    fn row(first: i64, last: i64, host: Value, name: &str) -> Value {
        let name = Value::BulkString(name.into());
        let primary = Value::Array(vec![host, Value::Int(7000), name]);
        Value::Array(vec![Value::Int(first), Value::Int(last), primary])
    }

    #[test]
    fn a_view_tells_who_has_a_slot() {
        let host = || Value::BulkString(b"10.0.0.1".to_vec());
        let said = Value::Array(vec![
            row(200, 300, host(), "b"),
            row(0, 99, host(), "b"),
            row(100, 150, Value::Nil, "a"),
        ]);
        let view = View::parse(&said, "there").unwrap();
        let hosts: Vec<_> = view
            .primaries
            .iter()
            .map(|primary| &*primary.host)
            .collect();
        assert_eq!(hosts, ["there", "10.0.0.1"]);
        for (slot, owner) in [
            (0, Some(1)),
            (99, Some(1)),
            (100, Some(0)),
            (151, None),
            (300, Some(1)),
            (301, None),
        ] {
            assert_eq!(view.owner_of(slot), owner, "{slot}");
        }
        assert_eq!(view.covered(), 252);
    }

    #[test]
    fn views_agree_about_a_slot_and_the_primaries() {
        let view = |rows: &[(i64, i64, &str)]| {
            let row = |(first, last, name): &(i64, i64, &str)| row(*first, *last, Value::Nil, name);
            View::parse(&Value::Array(rows.iter().map(row).collect()), "").unwrap()
        };
        let one = view(&[(0, 9, "a"), (10, 19, "b")]);
        let moved = view(&[(0, 8, "a"), (9, 19, "b")]);
        assert!(one.agrees(&moved, 5));
        assert!(!one.agrees(&moved, 9));
        let grown = view(&[(0, 9, "a"), (10, 18, "b"), (19, 19, "c")]);
        assert!(!one.agrees(&grown, 5));
    }

    #[test]
    fn what_is_no_view_is_an_error() {
        let name = Value::BulkString(b"a".to_vec());
        for said in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])]),
            Value::Array(vec![row(-1, 5, name.clone(), "a")]),
            Value::Array(vec![row(0, 99_999, name, "a")]),
        ] {
            View::parse(&said, "").unwrap_err();
        }
    }
}
