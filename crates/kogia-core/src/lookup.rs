//! One read: from a request and what the store answered to a hit, a miss or a bypass.

use std::time::Duration;

use smallvec::SmallVec;

use crate::analysis::{Operand, Proof, Read, Statement};
use crate::canonical::canonical;
use crate::generation::{Generation, Stamp};
use crate::key::QueryKey;
use crate::tag::{DatabaseId, Tag};
use crate::value::Parameter;

/// The tags that belong to a database as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseTags {
    /// See [`Tag::database_epoch`].
    pub database_epoch: Tag,
    /// See [`Tag::schema_epoch`].
    pub schema_epoch: Tag,
    /// See [`Tag::commit`].
    pub commit: Tag,
}

impl DatabaseTags {
    /// The tags of one database.
    pub fn new(database: &DatabaseId) -> Self {
        DatabaseTags {
            database_epoch: Tag::database_epoch(database),
            schema_epoch: Tag::schema_epoch(database),
            commit: Tag::commit(database),
        }
    }
}

/// What one read asks of a store: the entry and the generations of all its tags, in one round
/// trip and read at one instant.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    key: QueryKey,
    tags: SmallVec<[Tag; 8]>,
    waivers: SmallVec<[Waiver; 2]>,
    guards: SmallVec<[Guard; 2]>,
}

/// A tag that the entry need not depend on if the result proves that the pinned keys exist.
#[derive(Debug, Clone, Copy)]
struct Waiver {
    index: usize,
    rows: u64,
    exact: bool,
}

/// A generation that must still stand, or the cache is left alone.
#[derive(Debug, Clone, Copy)]
struct Guard {
    index: usize,
    expected: Generation,
    otherwise: ReadBypass,
}

impl ReadRequest {
    /// The request of a query that the analysis found cacheable.
    ///
    /// The entry depends on the two epochs of the database and on the tags of the read set:
    /// `T:any` for a table that is not pinned, `T:broad`, `T:pk=v…` and `T:ins` for one that is.
    pub fn new(
        key: QueryKey,
        database: &DatabaseTags,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Self {
        let mut request = ReadRequest {
            key,
            tags: SmallVec::new(),
            waivers: SmallVec::new(),
            guards: SmallVec::new(),
        };
        request.tags.push(database.database_epoch);
        request.tags.push(database.schema_epoch);
        for read in &statement.reads {
            request.add_read(read, parameters);
        }
        request
    }

    /// Adds a tag that the application names itself.
    pub fn add_tag(&mut self, tag: Tag) {
        self.tags.push(tag);
    }

    /// Demands that the catalog by which the statement was analysed is still the present one:
    /// `loaded` is the schema epoch that was read before the catalog was.
    pub fn guard_schema(&mut self, loaded: Generation) {
        self.guards.push(Guard {
            index: 1,
            expected: loaded,
            otherwise: ReadBypass::SchemaChanged,
        });
    }

    /// Demands that nothing was committed since before the reader's snapshot began: `before` is
    /// the commit tag's generation that was read then.
    pub fn guard_snapshot(&mut self, commit: Tag, before: Generation) {
        self.guards.push(Guard {
            index: self.tags.len(),
            expected: before,
            otherwise: ReadBypass::SnapshotMoved,
        });
        self.tags.push(commit);
    }

    /// Whether [`ReadRequest::guard_snapshot`] was asked for.
    pub fn guards_snapshot(&self) -> bool {
        self.dependencies() < self.tags.len()
    }

    /// The key of the query.
    pub fn key(&self) -> &QueryKey {
        &self.key
    }

    /// The tags whose generations are asked for, in the order of the answer.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Whether an entry with this stamp is current, given the generations of the request's tags.
    pub fn is_current(&self, stamp: &Stamp, generations: &[Generation]) -> bool {
        if generations.len() != self.tags.len() {
            return false;
        }
        let depended = self.dependencies();
        // The commit tag is no dependency of the entry: a stamp is as long as the tags that are.
        stamp.0.len() == depended
            && stamp
                .0
                .iter()
                .zip(generations)
                .enumerate()
                .all(|(index, (stamped, now))| {
                    let waived = *stamped == Generation::MISSING
                        && self.waivers.iter().any(|waiver| waiver.index == index);
                    waived || stamped.is_current(*now)
                })
    }

    /// Decides the read, given what the store answered.
    pub fn decide<V>(&self, response: ReadResponse<V>) -> Decision<V> {
        let ReadResponse { generations, entry } = response;
        if generations.len() != self.tags.len() {
            return Decision::Bypass(ReadBypass::Forgotten);
        }
        for guard in &self.guards {
            if !guard.expected.is_current(generations[guard.index]) {
                return Decision::Bypass(guard.otherwise);
            }
        }
        let stale = match entry {
            // A tag that the entry does not depend on may be marked: an INSERT beside a row.
            Some(entry) if self.is_current(&entry.stamp, &generations) => {
                return Decision::Hit(entry.value);
            }
            Some(_) => true,
            None => false,
        };
        if generations.iter().any(|generation| generation.is_marked()) {
            return Decision::Bypass(ReadBypass::Marked);
        }
        if generations.iter().any(|generation| generation.is_missing()) {
            return Decision::Bypass(ReadBypass::Forgotten);
        }
        let fill = Fill {
            stamp: Stamp(generations),
            request: self.clone(),
        };
        if stale {
            Decision::Stale(fill)
        } else {
            Decision::Miss(fill)
        }
    }

    /// How many of the tags the entry depends on: all but the guards' own at the end.
    fn dependencies(&self) -> usize {
        let guarded = |guard: &&Guard| guard.otherwise == ReadBypass::SnapshotMoved;
        self.tags.len() - self.guards.iter().filter(guarded).count()
    }

    fn add_read(&mut self, read: &Read, parameters: &[Parameter<'_>]) {
        let Some((keys, proof)) = pinned_keys(read, parameters) else {
            self.tags.push(read.tags.any);
            return;
        };
        self.tags.push(read.tags.broad);
        let distinct = keys.len() as u64;
        self.tags.extend(keys);
        let waiver = |rows, exact| Waiver {
            index: self.tags.len(),
            rows,
            exact,
        };
        match proof {
            Proof::AnyRow if distinct == 1 => self.waivers.push(waiver(1, false)),
            Proof::RowPerValue => self.waivers.push(waiver(distinct, true)),
            Proof::AnyRow | Proof::Never => {}
        }
        self.tags.push(read.tags.inserts);
    }
}

/// The tags of the distinct key values that a read is pinned to, if all have a canonical form.
fn pinned_keys(read: &Read, parameters: &[Parameter<'_>]) -> Option<(SmallVec<[Tag; 4]>, Proof)> {
    let pin = read.pin.as_ref()?;
    let mut keys = SmallVec::new();
    for operand in &pin.values {
        let value = operand.value(parameters)?;
        let key = read.tags.key(&canonical(&pin.column, &value)?);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    (!keys.is_empty()).then_some((keys, pin.proof))
}

/// What a store answers to a [`ReadRequest`].
#[derive(Debug, Clone)]
pub struct ReadResponse<V> {
    /// The generation of each tag of the request, in its order. The store gives a tag that had
    /// none a fresh one; only a store that cannot leaves it missing.
    pub generations: SmallVec<[Generation; 8]>,
    /// The entry under the key, current or not; an entry that has expired is not given.
    pub entry: Option<StoredEntry<V>>,
}

/// An entry as a store gives it.
#[derive(Debug, Clone)]
pub struct StoredEntry<V> {
    /// The generations that its tags had before its query ran.
    pub stamp: Stamp,
    /// The encoded result.
    pub value: V,
    /// How long it still lived when the store answered, by the store's own clock. A store that
    /// cannot tell leaves it out; a tier then keeps no copy, which might outlive the entry.
    pub remaining: Option<Duration>,
}

/// How a read goes on.
#[derive(Debug)]
pub enum Decision<V> {
    /// The entry is current: the answer.
    Hit(V),
    /// There is no entry. Run the query now, then store its result with the right to fill.
    Miss(Fill),
    /// There is an entry and it is stale. Otherwise like a miss.
    Stale(Fill),
    /// Run the query, return its rows, store nothing.
    Bypass(ReadBypass),
}

/// Why a store's answer allows neither a hit nor a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadBypass {
    /// A transaction about to commit holds one of the tags.
    Marked,
    /// Something was committed since the reader's snapshot began.
    SnapshotMoved,
    /// The schema changed since the catalog was loaded.
    SchemaChanged,
    /// The store could not give every tag a generation.
    Forgotten,
}

/// The right to fill: handed out by a miss, with the stamp that was read before the query runs.
///
/// There is no other way to make one, and the stamp is never read again.
#[derive(Debug, Clone)]
pub struct Fill {
    request: ReadRequest,
    stamp: Stamp,
}

impl Fill {
    /// The key to store under.
    pub fn key(&self) -> &QueryKey {
        &self.request.key
    }

    /// What a single flight is joined by, besides the key: a waiter whose stamp differs might get
    /// data that is older than its own start.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The tags of the entry, in the order of [`Fill::entry_stamp`].
    pub fn tags(&self) -> &[Tag] {
        &self.request.tags[..self.request.dependencies()]
    }

    /// The stamp to store with a result of this many rows. A tag that the rows prove needless
    /// (`T:ins` where every pinned key was found) has [`Generation::MISSING`] in its place.
    pub fn entry_stamp(&self, rows: u64) -> Stamp {
        let mut generations: SmallVec<[Generation; 8]> =
            self.stamp.0[..self.request.dependencies()].into();
        for waiver in &self.request.waivers {
            if if waiver.exact {
                rows == waiver.rows
            } else {
                rows >= waiver.rows
            } {
                generations[waiver.index] = Generation::MISSING;
            }
        }
        Stamp(generations)
    }
}

impl Operand {
    /// The value of the operand, given the parameters of the call.
    pub(crate) fn value<'a>(&'a self, parameters: &[Parameter<'a>]) -> Option<crate::Value<'a>> {
        use crate::analysis::Literal;
        use crate::value::Value;
        Some(match self {
            Operand::Parameter(index) => parameters.get(*index)?.value,
            Operand::Literal(Literal::Int(value)) => Value::Int(*value),
            Operand::Literal(Literal::UInt(value)) => Value::UInt(*value),
            Operand::Literal(Literal::Text(text)) => Value::Text(text),
            Operand::Literal(Literal::Bytes(bytes)) => Value::Bytes(bytes),
        })
    }
}
