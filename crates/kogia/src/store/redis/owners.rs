//! Owners of marks, as the scripts write them.

use kogia_core::{OwnerId, Tag};

use crate::store::remote::backend;
use crate::store::{Abandoned, Backend};

const LENGTH_AT: usize = 32;
const BACKEND_AT: usize = 36;

/// An owner's 16 bytes.
pub(super) fn name(owner: OwnerId) -> [u8; 16] {
    owner.0.to_be_bytes()
}

/// The owners whose lease is over at a time on the server's clock, given what it keeps for each of
/// the tags.
///
/// A lease that goes on for longer than the longest was given before the clock was set back. Its owner
/// is resolved if somebody can tell whether it is over; one of whom nobody can tell has nothing but its
/// lease.
pub(super) fn abandoned(
    tags: &[Tag],
    held: &[Vec<u8>],
    now: u64,
    longest: Option<u64>,
) -> Vec<Abandoned> {
    let latest = longest.map(|longest| now.saturating_add(longest));
    let mut found: Vec<Abandoned> = Vec::new();
    for (tag, owners) in tags.iter().zip(held) {
        let mut rest = &owners[..];
        while let Some((owner, until, backend, tail)) = split(rest) {
            rest = tail;
            let backend = backend::decode(backend);
            let was_set_back = latest.is_some_and(|latest| until > latest);
            if until > now && !(was_set_back && backend != Backend::Unknown) {
                continue;
            }
            match found.iter_mut().find(|known| known.owner == owner) {
                Some(known) => known.tags.insert(*tag),
                None => found.push(Abandoned {
                    owner,
                    tags: [*tag].into_iter().collect(),
                    backend,
                    process_alive: None,
                }),
            };
        }
    }
    found
}

/// The first owner: its name, the end of its lease, its backend, and the owners that follow.
fn split(owners: &[u8]) -> Option<(OwnerId, u64, &[u8], &[u8])> {
    let owner = OwnerId(u128::from_be_bytes(*owners.first_chunk()?));
    let until = number(owners.get(16..LENGTH_AT)?)?;
    let length = number(owners.get(LENGTH_AT..BACKEND_AT)?)?;
    let end = BACKEND_AT + usize::try_from(length).ok()?;
    Some((
        owner,
        until,
        owners.get(BACKEND_AT..end)?,
        owners.get(end..)?,
    ))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    fn owner(number: u128, until: u64, backend: &Backend) -> Vec<u8> {
        let backend = backend::encode(backend);
        let mut bytes = name(OwnerId(number)).to_vec();
        bytes.extend_from_slice(format!("{until:016}{:04}", backend.len()).as_bytes());
        bytes.extend_from_slice(&backend);
        bytes
    }

    #[test]
    fn owners_whose_lease_is_over_are_found() {
        let tag = Tag::custom(&kogia_core::DatabaseId::new("test"), "tag");
        let server = Backend::Server(Bytes::from_static(b"4711"));
        let held = [owner(1, 10, &Backend::Process), owner(2, 20, &server)].concat();
        let found = |now| abandoned(&[tag], std::slice::from_ref(&held), now, None);
        assert_eq!(found(9), []);
        assert_eq!(found(10).len(), 1);
        let both = found(20);
        assert_eq!(
            (both[0].owner, &both[0].backend),
            (OwnerId(1), &Backend::Process)
        );
        assert_eq!((both[1].owner, &both[1].backend), (OwnerId(2), &server));
    }

    #[test]
    fn owners_are_found_whose_lease_is_longer_than_any() {
        let tag = Tag::custom(&kogia_core::DatabaseId::new("test"), "tag");
        let held = [
            owner(1, 50, &Backend::Process),
            owner(2, 51, &Backend::Process),
            owner(3, 51, &Backend::Unknown),
        ];
        let found = abandoned(&[tag], &[held.concat()], 20, Some(30));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].owner, OwnerId(2));
    }

    #[test]
    fn bytes_that_are_no_owners_end_the_list() {
        let tag = Tag::custom(&kogia_core::DatabaseId::new("test"), "tag");
        let good = owner(1, 10, &Backend::Unknown);
        for length in 0..good.len() {
            let torn = [&good[..], &good[..length]].concat();
            assert_eq!(abandoned(&[tag], &[torn], 10, None).len(), 1);
        }
        let bad = b"ownerownerownero................9999".to_vec();
        assert_eq!(abandoned(&[tag], &[bad], 10, None), []);
    }
}
