//! Tags: what an entry depends on and a write touches.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The identity of a database, never an application's alias for it.
///
/// PostgreSQL: system identifier, timeline and database OID. MySQL and MariaDB: server uuid, a
/// slash, and the schema in lower case. SQLite: identity of the file. Two front ends that give the same name share entries.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DatabaseId {
    name: Box<str>,
    seed: u128,
}

impl DatabaseId {
    /// An identity from its full name, for instance `postgres:7312…/1/16384`.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        let name = name.into();
        let seed = xxh3_128_with_seed(name.as_bytes(), 0);
        DatabaseId { name, seed }
    }

    /// The identity of another database of the same server: what stands behind the last slash
    /// is the database (MySQL).
    pub fn sibling(&self, database: &str) -> DatabaseId {
        let server = self.name.rsplit_once('/').map_or("", |(server, _)| server);
        DatabaseId::new(format!("{server}/{database}"))
    }

    /// The full name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseId({})", self.name)
    }
}

/// Something that an entry depends on and a write touches, in one database.
///
/// A 128-bit digest. Two tags that collide are invalidated together, which is never stale, so the
/// digest need not resist an attacker. The lowest bit says whether the tag is pinned to a key
/// value ([`Tag::is_pinned`]): a store may keep the unbounded number of those in shared slots.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u128);

impl Tag {
    /// The tag that every entry of a database depends on: opaque writes, restore, `invalidate all`.
    pub fn database_epoch(database: &DatabaseId) -> Tag {
        Tag::wide(database, 0, "")
    }

    /// The tag that every entry of a database depends on and every change of its schema renews.
    pub fn schema_epoch(database: &DatabaseId) -> Tag {
        Tag::wide(database, 1, "")
    }

    /// The tag that every write to a database renews and only snapshot transactions look at.
    pub fn commit(database: &DatabaseId) -> Tag {
        Tag::wide(database, 2, "")
    }

    /// A tag that an application names itself.
    pub fn custom(database: &DatabaseId, name: &str) -> Tag {
        Tag::wide(database, 3, name)
    }

    /// Whether the tag stands for one key value of a table; there is no bound on their number.
    pub fn is_pinned(self) -> bool {
        self.0 & 1 == 1
    }

    /// The tag of a digest that a store has kept.
    pub fn from_bytes(bytes: [u8; 16]) -> Tag {
        Tag(u128::from_le_bytes(bytes))
    }

    /// The digest, as stores keep it.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The digest as a number, for tables of slots.
    pub fn to_u128(self) -> u128 {
        self.0
    }

    fn wide(database: &DatabaseId, kind: u8, name: &str) -> Tag {
        let mut input = Vec::with_capacity(17 + name.len());
        input.extend_from_slice(&database.seed.to_le_bytes());
        input.push(kind);
        input.extend_from_slice(name.as_bytes());
        Tag(xxh3_128_with_seed(&input, 0) & !1)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:032x})", self.0)
    }
}

/// The tags of one table, computed once when a statement is analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableTags {
    /// A read that is not pinned depends on it; every write renews it.
    pub any: Tag,
    /// A pinned read depends on it; a write whose keys are not known renews it.
    pub broad: Tag,
    /// A pinned read that found nothing depends on it; an INSERT with generated keys renews it.
    pub inserts: Tag,
    seed: u64,
}

impl TableTags {
    /// The tags of the table with this canonical (folded) name.
    pub fn new(database: &DatabaseId, table: &str) -> Self {
        let any = Tag::wide(database, 4, table);
        TableTags {
            any,
            broad: Tag::wide(database, 5, table),
            inserts: Tag::wide(database, 6, table),
            seed: (any.0 >> 64) as u64,
        }
    }

    /// The tag of one key value, from its canonical bytes (see [`crate::canonical`]).
    pub fn key(&self, canonical: &[u8]) -> Tag {
        Tag(xxh3_128_with_seed(canonical, self.seed) | 1)
    }
}
