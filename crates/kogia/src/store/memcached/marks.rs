//! All marks of a store, in one item.
//!
//! Memcached may evict any item. Were the marks of a tag beside its generation, an eviction would
//! leave a tag that nobody has marked. So they are all in one place, which every read looks at: when
//! it is lost, everyone knows that marks were lost.
//!
//! The item: a token, the second of the server's clock until which nobody may fill because of lost
//! marks, and the marks: a tag, its owner, the second in which the lease ends, the length of the
//! backend, the backend.

use kogia_core::{OwnerId, Tag, TagSet};

use crate::store::Abandoned;
use crate::store::remote::backend;

/// The item, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    /// Of the incarnation: another one after each loss.
    pub(super) token: [u8; 16],
    /// When nobody relies on lost marks any more, in seconds; 0 if none were lost.
    pub(super) quarantined_until: u64,
    held: Vec<Held>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    tag: [u8; 16],
    owner: OwnerId,
    until: u64,
    backend: Vec<u8>,
}

const HEAD: usize = 24;

impl Marks {
    pub(super) fn new(token: [u8; 16], quarantined_until: u64) -> Self {
        Marks {
            token,
            quarantined_until,
            held: Vec::new(),
        }
    }

    /// `None` if the bytes are no marks.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (token, rest) = bytes.split_first_chunk()?;
        let (quarantined_until, mut rest) = number(rest)?;
        let mut held = Vec::new();
        while !rest.is_empty() {
            let (tag, tail) = rest.split_first_chunk()?;
            let (owner, tail) = tail.split_first_chunk()?;
            let (until, tail) = number(tail)?;
            let (length, tail) = tail.split_first_chunk()?;
            let (backend, tail) =
                tail.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            rest = tail;
            held.push(Held {
                tag: *tag,
                owner: OwnerId(u128::from_le_bytes(*owner)),
                until,
                backend: backend.to_vec(),
            });
        }
        Some(Marks {
            token: *token,
            quarantined_until,
            held,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.held.len() * 64);
        bytes.extend_from_slice(&self.token);
        bytes.extend_from_slice(&self.quarantined_until.to_le_bytes());
        for held in &self.held {
            bytes.extend_from_slice(&held.tag);
            bytes.extend_from_slice(&held.owner.0.to_le_bytes());
            bytes.extend_from_slice(&held.until.to_le_bytes());
            // `backend::encode` gives fewer than ten thousand bytes.
            bytes.extend_from_slice(&(held.backend.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&held.backend);
        }
        bytes
    }

    /// Whether a tag counts as marked at a second of the server's clock.
    pub(super) fn is_marked(&self, tag: Tag, now: u64) -> bool {
        let tag = tag.to_bytes();
        self.is_quarantined(now) || self.held.iter().any(|held| held.tag == tag)
    }

    /// Whether marks were lost that somebody may still rely on.
    pub(super) fn is_quarantined(&self, now: u64) -> bool {
        now < self.quarantined_until
    }

    /// Adds an owner to tags, or prolongs its lease.
    pub(super) fn mark(&mut self, owner: OwnerId, tags: &TagSet, until: u64, backend: &[u8]) {
        for tag in tags.as_slice() {
            let tag = tag.to_bytes();
            let is_it = |held: &&mut Held| held.tag == tag && held.owner == owner;
            match self.held.iter_mut().find(is_it) {
                Some(held) => held.until = held.until.max(until),
                None => self.held.push(Held {
                    tag,
                    owner,
                    until,
                    backend: backend.to_vec(),
                }),
            }
        }
    }

    /// Removes an owner from tags.
    pub(super) fn clear(&mut self, owner: OwnerId, tags: &TagSet) {
        let cleared: Vec<_> = tags.as_slice().iter().map(|tag| tag.to_bytes()).collect();
        self.held
            .retain(|held| held.owner != owner || !cleared.contains(&held.tag));
    }

    /// Prolongs the leases that an owner has on tags.
    pub(super) fn extend(&mut self, owner: OwnerId, tags: &TagSet, until: u64) {
        for tag in tags.as_slice() {
            let tag = tag.to_bytes();
            for held in &mut self.held {
                if held.owner == owner && held.tag == tag {
                    held.until = held.until.max(until);
                }
            }
        }
    }

    /// The owners of marks on tags whose lease is over.
    pub(super) fn abandoned(&self, tags: &[Tag], now: u64) -> Vec<Abandoned> {
        let mut found: Vec<Abandoned> = Vec::new();
        for tag in tags {
            let name = tag.to_bytes();
            let over = |held: &&Held| held.tag == name && held.until <= now;
            for held in self.held.iter().filter(over) {
                match found.iter_mut().find(|known| known.owner == held.owner) {
                    Some(known) => known.tags.insert(*tag),
                    None => found.push(Abandoned {
                        owner: held.owner,
                        tags: [*tag].into_iter().collect(),
                        backend: backend::decode(&held.backend),
                        process_alive: None,
                    }),
                };
            }
        }
        found
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use kogia_core::DatabaseId;

    use super::*;

    fn tag(name: &str) -> Tag {
        Tag::custom(&DatabaseId::new("test"), name)
    }

    fn tags(names: &[&str]) -> TagSet {
        names.iter().map(|name| tag(name)).collect()
    }

    #[test]
    fn bytes_and_back() {
        let mut marks = Marks::new([7; 16], 9);
        assert_eq!(Marks::parse(&marks.encode()), Some(marks.clone()));
        marks.mark(OwnerId(1), &tags(&["a", "b"]), 10, &[1, 2, 3]);
        marks.mark(OwnerId(2), &tags(&["a"]), 20, &[]);
        let bytes = marks.encode();
        assert_eq!(Marks::parse(&bytes), Some(marks));
        // Torn anywhere but between two marks it is nothing.
        let whole = |length| (0..4).any(|n| n * 42 + HEAD + 3 * n.min(2) == length);
        for length in 0..bytes.len() {
            assert_eq!(
                Marks::parse(&bytes[..length]).is_some(),
                whole(length),
                "{length}"
            );
        }
    }

    #[test]
    fn a_tag_is_marked_until_its_last_owner_is_cleared() {
        let mut marks = Marks::new([0; 16], 0);
        marks.mark(OwnerId(1), &tags(&["a", "b"]), 10, &[]);
        marks.mark(OwnerId(2), &tags(&["a"]), 10, &[]);
        marks.clear(OwnerId(1), &tags(&["a", "b", "c"]));
        assert!(marks.is_marked(tag("a"), 0) && !marks.is_marked(tag("b"), 0));
        marks.clear(OwnerId(2), &tags(&["a"]));
        assert!(!marks.is_marked(tag("a"), 0));
    }

    #[test]
    fn leases_end_and_are_prolonged() {
        let mut marks = Marks::new([0; 16], 0);
        marks.mark(OwnerId(1), &tags(&["a"]), 10, &[]);
        marks.mark(OwnerId(1), &tags(&["a"]), 5, &[]);
        assert_eq!(marks.abandoned(&[tag("a")], 9), []);
        assert_eq!(marks.abandoned(&[tag("b")], 10), []);
        assert_eq!(marks.abandoned(&[tag("a")], 10)[0].owner, OwnerId(1));
        marks.extend(OwnerId(1), &tags(&["a"]), 20);
        marks.extend(OwnerId(2), &tags(&["a"]), 30);
        assert_eq!(marks.abandoned(&[tag("a")], 19), []);
        assert!(!marks.abandoned(&[tag("a")], 20).is_empty());
    }

    #[test]
    fn everything_is_marked_in_a_quarantine() {
        let marks = Marks::new([0; 16], 10);
        assert!(marks.is_marked(tag("a"), 9));
        assert!(!marks.is_marked(tag("a"), 10));
    }
}
