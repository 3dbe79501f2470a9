//! One write: which tags it renews, and when its transaction may commit.

use std::time::Duration;

use smallvec::SmallVec;

use crate::analysis::{Operand, Statement, WriteScope};
use crate::canonical::canonical;
use crate::generation::OwnerId;
use crate::lookup::DatabaseTags;
use crate::schema::{KeyColumn, KeyKind};
use crate::tag::Tag;
use crate::value::{Parameter, Value};

/// A set of tags, sorted and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TagSet(SmallVec<[Tag; 8]>);

impl TagSet {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags, in order.
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// Whether the tag is in it.
    pub fn contains(&self, tag: Tag) -> bool {
        self.0.binary_search(&tag).is_ok()
    }

    /// Adds a tag.
    pub fn insert(&mut self, tag: Tag) {
        if let Err(position) = self.0.binary_search(&tag) {
            self.0.insert(position, tag);
        }
    }

    /// Adds all tags of another set.
    pub fn extend(&mut self, other: &TagSet) {
        other.0.iter().for_each(|tag| self.insert(*tag));
    }

    /// Whether any of the tags is in the set.
    pub fn intersects(&self, tags: &[Tag]) -> bool {
        !self.0.is_empty() && tags.iter().any(|tag| self.contains(*tag))
    }
}

impl FromIterator<Tag> for TagSet {
    fn from_iter<I: IntoIterator<Item = Tag>>(tags: I) -> Self {
        let mut sorted: SmallVec<[Tag; 8]> = tags.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        TagSet(sorted)
    }
}

/// The tags that one execution of a statement renews; empty for a pure read.
///
/// Every write renews the commit tag of its database, which is what snapshot transactions watch.
pub fn written_tags(
    database: &DatabaseTags,
    statement: &Statement,
    parameters: &[Parameter<'_>],
) -> TagSet {
    let mut tags: SmallVec<[Tag; 8]> = SmallVec::new();
    for write in &statement.writes {
        tags.push(write.tags.any);
        match &write.scope {
            WriteScope::Broad => tags.push(write.tags.broad),
            WriteScope::Inserts => tags.push(write.tags.inserts),
            WriteScope::Keys { column, values } => {
                let key = |operand: &Operand| {
                    let value = operand.value(parameters)?;
                    Some(write.tags.key(&canonical(column, &value)?))
                };
                let keys: Option<SmallVec<[Tag; 4]>> = values.iter().map(key).collect();
                match keys {
                    Some(keys) => tags.extend(keys),
                    None => tags.push(write.tags.broad),
                }
            }
            WriteScope::Given {
                column,
                values,
                overwrites,
            } => {
                let generated = if *overwrites {
                    write.tags.broad
                } else {
                    write.tags.inserts
                };
                for operand in values {
                    let value = operand.value(parameters);
                    if value.is_some_and(|value| may_generate(column, &value)) {
                        tags.push(generated);
                    }
                    match value {
                        // No key that a pinned read could name.
                        Some(Value::Null) => {}
                        Some(value) => match canonical(column, &value) {
                            Some(bytes) => tags.push(write.tags.key(&bytes)),
                            None => tags.push(write.tags.broad),
                        },
                        None => tags.push(write.tags.broad),
                    }
                }
            }
        }
    }
    if statement.wide.database() {
        tags.push(database.database_epoch);
    }
    if statement.wide.schema() {
        tags.push(database.schema_epoch);
    }
    if !tags.is_empty() {
        tags.push(database.commit);
    }
    tags.into_iter().collect()
}

/// Whether a database that is given this value for a key may choose another one: for `NULL`, which
/// is 0 where MySQL is not strict, and on MySQL for 0 (`AUTO_INCREMENT`).
fn may_generate(column: &KeyColumn, value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Int(0) | Value::UInt(0) => matches!(column.kind, KeyKind::BoundedInteger { .. }),
        _ => false,
    }
}

/// The marks of one transaction that is about to commit.
///
/// ```text
/// new ── mark acknowledged ──> may commit, while less than half the lease has passed
///   └─ not acknowledged: the caller's policy decides
/// outcome known ──> clear; outcome not known ──> the lease and the resolver decide
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalidation {
    owner: OwnerId,
    tags: TagSet,
    lease: Duration,
    marked: Option<Duration>,
}

impl Invalidation {
    /// An invalidation of tags that nothing has marked yet. `owner` is random and never used
    /// twice.
    pub fn new(owner: OwnerId, tags: TagSet, lease: Duration) -> Self {
        Invalidation {
            owner,
            tags,
            lease,
            marked: None,
        }
    }

    /// The owner of the marks.
    pub fn owner(&self) -> OwnerId {
        self.owner
    }

    /// The tags to mark and to clear.
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// How long the store keeps the marks before they may be resolved.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// The store acknowledged a mark that was sent at `sent`, on the caller's monotonic clock.
    pub fn acknowledged(&mut self, sent: Duration) {
        self.marked = Some(sent);
    }

    /// Whether the commit may be sent at `now`: the mark stands, and less than half its lease has
    /// passed since it was sent. Otherwise mark again first.
    pub fn may_commit(&self, now: Duration) -> bool {
        self.marked
            .is_some_and(|sent| now.saturating_sub(sent) < self.lease / 2)
    }
}
