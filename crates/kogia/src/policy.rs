//! What an application decides about its tables and its queries.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kogia_core::{Statement, Uncacheable};

/// What an application says about one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TablePolicy {
    never: bool,
    ttl: Option<Duration>,
}

impl TablePolicy {
    /// Cache it like any other table.
    pub fn cacheable() -> Self {
        TablePolicy::default()
    }

    /// Never cache a query that reads it. Writes to it still invalidate.
    pub fn never() -> Self {
        TablePolicy {
            never: true,
            ttl: None,
        }
    }

    /// Entries that depend on it live at most this long.
    pub fn ttl(ttl: Duration) -> Self {
        TablePolicy {
            never: false,
            ttl: Some(ttl),
        }
    }
}

/// The policies of a cache, by folded table name.
#[derive(Debug, Default)]
pub(crate) struct Policies(HashMap<Box<str>, TablePolicy>);

impl Policies {
    pub(crate) fn insert(&mut self, table: &str, policy: TablePolicy) {
        self.0.insert(table.to_lowercase().into(), policy);
    }

    /// How long an entry of this statement lives at most, or why it must not exist.
    pub(crate) fn ttl(
        &self,
        statement: &Statement,
        default: Duration,
    ) -> Result<Duration, Uncacheable> {
        if self.0.is_empty() {
            return Ok(default);
        }
        let mut ttl = default;
        for read in &statement.reads {
            match self.0.get(&*read.table) {
                Some(TablePolicy { never: true, .. }) => {
                    return Err(Uncacheable::Policy((*read.table).into()));
                }
                Some(TablePolicy {
                    ttl: Some(limit), ..
                }) => ttl = ttl.min(*limit),
                _ => {}
            }
        }
        Ok(ttl)
    }
}

/// What a call says about its query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// How long the entry lives at most; the shortest of this and the tables' policies counts.
    pub ttl: Option<Duration>,
    /// Whether and how the cache is used.
    pub mode: QueryMode,
    /// Tags of the application's own, to be invalidated by hand
    /// ([`crate::Database::invalidate_tag`]).
    pub tags: Vec<String>,
    /// The caller takes the rows at its own pace while the query runs. Nobody waits for it then:
    /// it runs the query for itself alone, and waits for no other reader either.
    pub streams: bool,
    /// Which tables may be read, beside what the cache's own policies say.
    pub tables: Option<Arc<TableFilter>>,
    /// Whether a query may be cached whose only fault is that it asks for random numbers.
    pub random: bool,
}

/// Which tables a cached query may read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableFilter {
    only: Option<HashSet<Box<str>>>,
    never: HashSet<Box<str>>,
}

impl TableFilter {
    /// Lets a query be cached if it reads tables of `only` alone, where that is given, and none
    /// of `never`. Names count without case and schema.
    pub fn new<'a>(
        only: Option<impl IntoIterator<Item = &'a str>>,
        never: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let folded = |name: &str| -> Box<str> { name.to_lowercase().into() };
        TableFilter {
            only: only.map(|names| names.into_iter().map(folded).collect()),
            never: never.into_iter().map(folded).collect(),
        }
    }

    /// The first table of a statement that must not be cached.
    pub(crate) fn refuses(&self, statement: &Statement) -> Option<Uncacheable> {
        let mut reads = statement.reads.iter().map(|read| &read.table);
        let refused = reads.find(|table| {
            let is_missing = |only: &HashSet<Box<str>>| !only.contains(&***table);
            self.never.contains(&***table) || self.only.as_ref().is_some_and(is_missing)
        });
        refused.map(|table| Uncacheable::Policy((**table).into()))
    }
}

/// Whether and how a query uses the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueryMode {
    /// Answer from the cache, or run and fill.
    #[default]
    Cached,
    /// Run, and leave the cache alone.
    Bypass,
    /// Run, and fill with the result.
    Refresh,
}
