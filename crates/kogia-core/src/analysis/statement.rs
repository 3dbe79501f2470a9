//! What the analysis says about one SQL text.

use std::fmt;
use std::sync::Arc;

use crate::schema::KeyColumn;
use crate::tag::TableTags;

/// What one SQL text reads, writes and does to its session.
///
/// A text may hold several statements; this is their union, with the effects in order.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The digest of the exact text, for keys.
    pub digest: [u8; 32],
    /// The tables that the result depends on, views and partitions resolved. Each table once;
    /// a table that is read pinned in one place and not in another is not pinned.
    pub reads: Vec<Read>,
    /// The tables that may change, cascades and triggers included. Each table may appear with
    /// several scopes.
    pub writes: Vec<Write>,
    /// What it invalidates beyond tables.
    pub wide: Wide,
    /// Why its result must not be kept, or `None` if it is a pure read of known tables.
    pub uncacheable: Option<Uncacheable>,
    /// What it does to the transaction and to the session, in order.
    pub effects: Vec<Effect>,
}

impl Statement {
    /// Whether the statement can change data or schema.
    pub fn is_write(&self) -> bool {
        !self.writes.is_empty() || self.wide != Wide::Nothing
    }

    /// Whether the result may be kept, as far as the text and the schema tell.
    pub fn is_cacheable(&self) -> bool {
        self.uncacheable.is_none()
    }
}

/// What a statement invalidates beyond the tables it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wide {
    /// Nothing.
    Nothing,
    /// The schema epoch: DDL. It makes every entry of the database stale and the catalog outdated.
    Schema,
    /// The database epoch: a statement that may write anything.
    Database,
    /// Both: a statement about which nothing is known may also have changed the schema.
    Everything,
}

impl Wide {
    /// The smallest that covers both.
    #[must_use]
    pub fn join(self, other: Wide) -> Wide {
        match (self, other) {
            (Wide::Schema, Wide::Database) | (Wide::Database, Wide::Schema) => Wide::Everything,
            _ => self.max(other),
        }
    }

    /// Whether the database epoch is renewed.
    pub fn database(self) -> bool {
        matches!(self, Wide::Database | Wide::Everything)
    }

    /// Whether the schema epoch is renewed.
    pub fn schema(self) -> bool {
        matches!(self, Wide::Schema | Wide::Everything)
    }
}

/// One table in a read set.
#[derive(Debug, Clone)]
pub struct Read {
    /// The canonical name, for people: see [`crate::schema::Schema`] for how names are folded.
    pub table: Arc<str>,
    /// The table's tags.
    pub tags: TableTags,
    /// The key values that the read is pinned to, if it is.
    pub pin: Option<Pin>,
}

/// A read pinned by primary key to a finite set of values.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The primary-key column.
    pub column: Arc<KeyColumn>,
    /// The values; at most [`Pin::MAX`].
    pub values: Vec<Operand>,
    /// What the result can prove about the existence of the keys.
    pub proof: Proof,
}

impl Pin {
    /// More values than this make a read unpinned and a write broad.
    pub const MAX: usize = 64;
}

/// What the number of rows of a result says about the existence of a pin's keys, so that the
/// result need not depend on the table's inserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Nothing: an aggregate, the nullable side of an outer join, a subquery.
    Never,
    /// A row proves that the only pinned key exists: every row of the result holds a row of the
    /// table, and one distinct value is pinned.
    AnyRow,
    /// As many rows as distinct pinned values prove that all exist: the table is read alone, each
    /// of its rows gives at most one row of the result.
    RowPerValue,
}

/// A value in a pin or in the keys of a write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operand {
    /// The parameter at this index, counted from 0.
    Parameter(usize),
    /// A literal.
    Literal(Literal),
}

/// An owned literal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A string.
    Text(Box<str>),
    /// A binary string.
    Bytes(Box<[u8]>),
}

/// One table in a write set.
#[derive(Debug, Clone)]
pub struct Write {
    /// The canonical name.
    pub table: Arc<str>,
    /// The table's tags.
    pub tags: TableTags,
    /// Which of its tags are renewed besides [`TableTags::any`].
    pub scope: WriteScope,
}

/// How much of a table a write touches.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteScope {
    /// Rows whose keys are not known: `T:broad`.
    Broad,
    /// New rows whose keys the database generates: `T:ins`.
    Inserts,
    /// Rows whose keys, old and new, are all among these: `T:pk=v…`.
    Keys {
        /// The primary-key column.
        column: Arc<KeyColumn>,
        /// The values; at most [`Pin::MAX`].
        values: Vec<Operand>,
    },
    /// Rows that get these keys: `T:pk=v…`. A value may also make the database generate the key
    /// (`NULL`, and 0 on MySQL), which only the call shows: `T:ins`, then.
    Given {
        /// The primary-key column.
        column: Arc<KeyColumn>,
        /// The values; at most [`Pin::MAX`].
        values: Vec<Operand>,
        /// Whether a row in the way is replaced or updated. It may have the key that is generated,
        /// so that a generated key is `T:broad`.
        overwrites: bool,
    },
}

impl WriteScope {
    /// The key column and the values that are named, if any are.
    pub fn keys(&self) -> Option<(&Arc<KeyColumn>, &[Operand])> {
        match self {
            WriteScope::Broad | WriteScope::Inserts => None,
            WriteScope::Keys { column, values } | WriteScope::Given { column, values, .. } => {
                Some((column, values))
            }
        }
    }
}

/// Why the result of a statement must not be kept.
///
/// [`fmt::Display`] is one sentence that a developer understands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Uncacheable {
    /// The text does not parse or is of a kind that the analysis does not describe.
    Opaque(Box<str>),
    /// It writes.
    Writes,
    /// It only changes the session or the transaction, or gives no rows.
    NotARead,
    /// The text holds several statements.
    SeveralStatements,
    /// It reads no table, so nothing could ever invalidate it.
    NoTable,
    /// It calls a function that can give another answer each time.
    Volatile(Box<str>),
    /// It asks for random numbers, and nothing else is wrong with it.
    Random(Box<str>),
    /// It calls a function that neither the dialect's list nor the catalog knows.
    UnknownFunction(Box<str>),
    /// It locks rows, or would wait for a lock.
    Locks,
    /// It reads a temporary table, which only its own session sees.
    TemporaryTable(Box<str>),
    /// It reads a catalog or statistics of the database itself.
    SystemTable(Box<str>),
    /// It reads a foreign or federated table, whose writers nobody sees.
    ForeignTable(Box<str>),
    /// It reads a table of another database of the server, or of an attached file.
    OtherDatabase(Box<str>),
    /// The catalog does not know this table or view, or could not resolve it.
    UnknownTable(Box<str>),
    /// It samples rows.
    Sampling,
    /// It reads or sets user variables.
    UserVariable,
    /// It reads a table with row-level security whose answer depends on more than the role.
    RowSecurity(Box<str>),
    /// It reads outside the database: files, other servers.
    External(Box<str>),
    /// A policy says that this table is never cached.
    Policy(Box<str>),
}

impl fmt::Display for Uncacheable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uncacheable::Opaque(why) => write!(f, "the statement cannot be analysed: {why}"),
            Uncacheable::Writes => f.write_str("the statement writes"),
            Uncacheable::NotARead => f.write_str("the statement is not a query"),
            Uncacheable::SeveralStatements => {
                f.write_str("the text holds several statements, send the query alone")
            }
            Uncacheable::NoTable => {
                f.write_str("the query reads no table, so no write could ever invalidate it")
            }
            Uncacheable::Volatile(function) | Uncacheable::Random(function) => {
                write!(f, "{function} can give another answer each time")
            }
            Uncacheable::UnknownFunction(function) => {
                write!(
                    f,
                    "nothing is known about the function {function}, so it counts as volatile"
                )
            }
            Uncacheable::Locks => f.write_str("the query locks rows"),
            Uncacheable::TemporaryTable(table) => {
                write!(
                    f,
                    "{table} is a temporary table, which only its own session sees"
                )
            }
            Uncacheable::SystemTable(table) => {
                write!(
                    f,
                    "{table} belongs to the database system, which changes it unseen"
                )
            }
            Uncacheable::ForeignTable(table) => {
                write!(f, "{table} is a foreign table, whose writers are not seen")
            }
            Uncacheable::OtherDatabase(table) => {
                write!(
                    f,
                    "{table} lies in another database, whose writers are not seen"
                )
            }
            Uncacheable::UnknownTable(table) => {
                write!(f, "the catalog does not know what {table} reads")
            }
            Uncacheable::Sampling => f.write_str("the query samples rows at random"),
            Uncacheable::UserVariable => f.write_str("the query uses variables of its session"),
            Uncacheable::RowSecurity(table) => {
                write!(
                    f,
                    "{table} has row-level security that depends on more than the role"
                )
            }
            Uncacheable::External(what) => write!(f, "{what} reads outside the database"),
            Uncacheable::Policy(table) => {
                write!(f, "the policy of {table} says that it is never cached")
            }
        }
    }
}

/// What a statement does to its transaction or session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Effect {
    /// `BEGIN`, `START TRANSACTION`; `isolation` where the statement names one.
    Begin {
        /// The isolation level that the statement names.
        isolation: Option<Isolation>,
    },
    /// `COMMIT`, `END`; with `chain` a new transaction of the same kind begins at once.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `ROLLBACK` of the whole transaction.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `SAVEPOINT name`. Names are folded as the dialect folds identifiers.
    Savepoint(Box<str>),
    /// `ROLLBACK TO name`.
    RollbackTo(Box<str>),
    /// `RELEASE name`.
    Release(Box<str>),
    /// `PREPARE TRANSACTION`: the transaction leaves this session and is neither committed nor
    /// rolled back. (`COMMIT PREPARED` is [`Wide::Database`] and no effect.)
    PrepareTransaction,
    /// The statement commits the open transaction before it runs: DDL on MySQL. If it fails, the
    /// transaction may be committed or not.
    ImplicitCommit,
    /// The statement may commit the open transaction, or leave it open: `CALL` and statements that
    /// nobody knows, on MySQL. What the transaction wrote is invalidated as by a commit, and stays
    /// dirty as if there was none.
    MayCommit,
    /// `SET autocommit = 0 | 1`. Setting it to 1 commits.
    Autocommit(bool),
    /// The isolation level of some transactions changes.
    SetIsolation {
        /// Which.
        scope: IsolationScope,
        /// The level.
        level: Isolation,
    },
    /// A setting that is known to change results: it becomes part of the key.
    Set {
        /// Folded name: `search_path`, `role`, `timezone`, `sql_mode`…
        name: Box<str>,
        /// The new value as written, or `None` for the session's default.
        value: Option<Box<str>>,
        /// Whether it ends with the transaction (`SET LOCAL`).
        local: bool,
    },
    /// A setting that is part of the key gets more behind its value, whatever that is:
    /// `SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')`.
    Extend {
        /// Folded name.
        name: Box<str>,
        /// What is added, as written.
        value: Box<str>,
    },
    /// `RESET ALL`, `DISCARD ALL`, `RESET CONNECTION`: all settings are the session's defaults
    /// again, and, with `discard`, temporary tables and prepared statements are gone. Without
    /// `discard` the settings `role` and `session_authorization` stay as they are.
    ResetAll {
        /// `DISCARD ALL`.
        discard: bool,
    },
    /// The session gets a state that the key cannot hold: an unknown setting, `ATTACH`, a loaded
    /// extension. It bypasses until [`Effect::ResetAll`], or `RESET` of that same name.
    Taint {
        /// The setting or a word for what happened.
        name: Box<str>,
        /// Whether it ends with the transaction.
        local: bool,
    },
    /// One tainting setting has its default again.
    Untaint(Box<str>),
    /// A temporary table exists from now on and shadows a real one of that (folded) name.
    CreateTemporary(Box<str>),
    /// `USE name`: unqualified names now mean another database.
    UseDatabase(Box<str>),
    /// `PREPARE name AS …`: what `EXECUTE name` will do.
    Prepare {
        /// Folded name.
        name: Box<str>,
        /// The inner statement, or `None` if its text is not known (`PREPARE s FROM @v`).
        statement: Option<Arc<Statement>>,
    },
    /// The statement writes to another database of the server, or to an attached file: its
    /// database epoch and its schema epoch are renewed, too. The name is folded.
    WritesOtherDatabase(Box<str>),
    /// From now on every write of this session may write anything, whatever its text says: a
    /// temporary trigger exists, or the session reads SQL text in another way than the analysis.
    OpaqueWrites,
    /// `EXECUTE name`: does what was prepared under that name; opaque if nothing is known.
    Execute(Box<str>),
    /// `DEALLOCATE name`, or of all.
    Deallocate(Option<Box<str>>),
}

/// Which transactions a change of the isolation level concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IsolationScope {
    /// The open transaction (PostgreSQL `SET TRANSACTION`).
    Current,
    /// The next one only (MySQL `SET TRANSACTION`).
    Next,
    /// All later ones of the session.
    Session,
}

/// An isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isolation {
    /// Sees what others have not committed: never uses the cache.
    ReadUncommitted,
    /// Each statement has its own snapshot.
    ReadCommitted,
    /// One snapshot for the transaction.
    RepeatableRead,
    /// One snapshot for the transaction, checked at commit.
    Serializable,
}

impl Isolation {
    /// Whether the whole transaction sees one snapshot.
    pub fn is_snapshot(self) -> bool {
        matches!(self, Isolation::RepeatableRead | Isolation::Serializable)
    }
}
