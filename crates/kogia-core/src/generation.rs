//! Generations, and what a store keeps for one tag.

use std::fmt;
use std::time::Duration;

use smallvec::SmallVec;

/// The random token that a tag has now, and the flag that a writer holds it.
///
/// 127 random bits and the flag live in one word, so that they are read, evicted and lost
/// together. The zero word is reserved: it is a generation that is missing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u128);

impl Generation {
    /// No generation. It is current for no stamp, not even for one that holds it too.
    pub const MISSING: Generation = Generation(0);

    /// A clean generation from 16 random bytes of the operating system.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        // All-zero randomness must not become the missing generation.
        Generation((u128::from_le_bytes(bytes) & !1).max(2))
    }

    /// The same token, marked.
    #[must_use]
    pub fn marked(self) -> Self {
        Generation(self.0 | 1)
    }

    /// Whether a transaction about to commit holds the tag.
    pub fn is_marked(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether the store knows no generation of the tag.
    pub fn is_missing(self) -> bool {
        self.0 & !1 == 0
    }

    /// Whether a result may be stored under it: known, and held by no writer.
    pub fn is_clean(self) -> bool {
        !self.is_marked() && !self.is_missing()
    }

    /// Whether an entry that was stamped with this generation is current, given the generation
    /// that the tag has now.
    pub fn is_current(self, now: Generation) -> bool {
        self == now && self.is_clean()
    }

    /// The word, as stores keep it.
    pub fn to_u128(self) -> u128 {
        self.0
    }

    /// A word that a store kept.
    pub fn from_u128(word: u128) -> Self {
        Generation(word)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_missing() {
            return f.write_str("missing");
        }
        let flag = if self.is_marked() { " marked" } else { "" };
        write!(f, "{:08x}{flag}", (self.0 >> 96) as u32)
    }
}

/// Where fresh tokens come from. Production asks the operating system each time; a generator in
/// user space would give two forked workers the same token.
pub trait Tokens {
    /// A clean generation that no tag ever had.
    fn fresh(&mut self) -> Generation;
}

/// One writer: a transaction about to commit, or a write in autocommit. Random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerId(pub u128);

/// A point in time on the store's own clock, since an origin that the store chooses.
///
/// Leases are measured on it. No clock of an application's machine is ever compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreTime(pub Duration);

/// One owner of a mark.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Who holds the mark.
    pub owner: OwnerId,
    /// When the mark is old enough to be resolved.
    pub until: StoreTime,
}

/// What a store keeps for one tag: its generation and the owners of its marks.
///
/// These transitions are the store's half of the protocol. Stores in this repository call them,
/// or repeat them word for word where they run elsewhere (a Lua script); the model checks them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagState {
    generation: Generation,
    owners: SmallVec<[Lease; 2]>,
}

impl Default for TagState {
    fn default() -> Self {
        TagState {
            generation: Generation::MISSING,
            owners: SmallVec::new(),
        }
    }
}

impl TagState {
    /// A state as a store kept it. The flag follows from the owners, whatever the word says.
    pub fn new(generation: Generation, owners: impl IntoIterator<Item = Lease>) -> Self {
        let mut state = TagState {
            generation,
            owners: owners.into_iter().collect(),
        };
        state.set(generation);
        state
    }

    /// Gives the tag a generation if it has none, and returns the one that then stands.
    pub fn ensure(&mut self, fresh: Generation) -> Generation {
        if self.generation.is_missing() {
            self.set(fresh);
        }
        self.generation
    }

    /// `MARK`: adds the owner, or renews its lease, and sets a fresh token. Two owners may hold
    /// the same tag; one slot per tag is not enough.
    pub fn mark(&mut self, owner: OwnerId, until: StoreTime, fresh: Generation) {
        match self.owners.iter_mut().find(|lease| lease.owner == owner) {
            Some(lease) => lease.until = lease.until.max(until),
            None => self.owners.push(Lease { owner, until }),
        }
        self.set(fresh);
    }

    /// `CLEAR`: removes the owner and sets another fresh token, whether or not the owner was
    /// still known: what it wrote may just have become visible.
    pub fn clear(&mut self, owner: OwnerId, fresh: Generation) {
        self.owners.retain(|lease| lease.owner != owner);
        self.set(fresh);
    }

    /// Renews the lease of an owner that a resolver found alive. The token stays.
    pub fn extend(&mut self, owner: OwnerId, until: StoreTime) {
        if let Some(lease) = self.owners.iter_mut().find(|lease| lease.owner == owner) {
            lease.until = lease.until.max(until);
        }
    }

    /// The owners whose lease is over and who must be resolved: alive (extend) or gone (clear).
    pub fn expired(&self, now: StoreTime) -> impl Iterator<Item = OwnerId> + '_ {
        self.owners
            .iter()
            .filter(move |lease| lease.until <= now)
            .map(|lease| lease.owner)
    }

    /// The generation, marked while any owner holds the tag.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The owners of the marks.
    pub fn owners(&self) -> &[Lease] {
        &self.owners
    }

    fn set(&mut self, token: Generation) {
        let clean = Generation(token.0 & !1);
        self.generation = if self.owners.is_empty() {
            clean
        } else {
            clean.marked()
        };
    }
}

/// The generations of an entry's tags, read before its query ran, in the order of the tags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Stamp(pub SmallVec<[Generation; 8]>);
