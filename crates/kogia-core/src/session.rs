//! One database connection's life as the protocol sees it: transaction, settings, taint.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::analysis::{Effect, Isolation, IsolationScope, Statement, Uncacheable};
use crate::dialect::Dialect;
use crate::generation::Generation;
use crate::invalidation::{TagSet, written_tags};
use crate::key::KeyPrefix;
use crate::lookup::DatabaseTags;
use crate::settings::ScopedSettings;
use crate::tag::{DatabaseId, Tag};
use crate::transaction::{Snapshot, Transaction};
use crate::value::Parameter;

/// Whether a prepared statement runs a prepared statement, which no database allows.
fn runs_another(statement: &Statement) -> bool {
    statement
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Execute(_)))
}

/// Whether other databases may be attached after the effect than before it. A text that nobody
/// understands taints.
fn may_attach(effect: &Effect) -> bool {
    match effect {
        Effect::Taint { .. } => true,
        Effect::Untaint(name) => name.starts_with("attach:"),
        _ => false,
    }
}

/// What makes every entry of a database stale.
fn epochs(database: &DatabaseId) -> [Tag; 3] {
    let tags = DatabaseTags::new(database);
    [tags.database_epoch, tags.schema_epoch, tags.commit]
}

/// The taint of a session whose write may have set off a trigger that changes it.
const TRIGGER: &str = "trigger";

/// The taint of a session which such a trigger has changed.
const CHANGED: &str = "a setting that a trigger made";

/// The taint of a session that may have a setting which no statement is known to have left.
const UNKNOWN_OUTCOME: &str = "a setting whose outcome is unknown";

/// What a session starts with.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The dialect of the connection.
    pub dialect: Dialect,
    /// The identity of its database.
    pub id: DatabaseId,
    /// The tags of its database.
    pub database: DatabaseTags,
    /// The isolation level of transactions that name none.
    pub isolation: Isolation,
    /// Whether statements outside a transaction commit by themselves.
    pub autocommit: bool,
    /// Whether a catalog was loaded. Without one, cascades, triggers and views are not known, so
    /// every write renews the database epoch.
    pub catalog: bool,
    /// The key prefix of a session that has not changed any setting.
    pub prefix: KeyPrefix,
    /// Settings, in lower case, that somebody changed after the login and before the session began:
    /// `RESET` goes back to another value than the session has at its beginning (PostgreSQL).
    pub altered: Arc<[Box<str>]>,
}

impl SessionConfig {
    /// How a cacheable query may use the cache on a fresh connection, outside any transaction.
    pub fn access(&self) -> Access {
        access_in_autocommit(self.isolation, self.autocommit)
    }
}

fn access_in_autocommit(isolation: Isolation, autocommit: bool) -> Access {
    if isolation == Isolation::ReadUncommitted {
        Access::Bypass(SessionBypass::ReadUncommitted)
    } else if !autocommit && isolation.is_snapshot() {
        // The query would open a transaction, whose snapshot nobody prepared for. At READ
        // COMMITTED there is none: each statement has its own.
        Access::Bypass(SessionBypass::SnapshotMoved)
    } else {
        Access::Shared
    }
}

/// The state of one session, moved on by every statement that runs on its connection.
///
/// Before a statement: [`SessionState::wants_commit_generation`], then
/// [`SessionState::access`] for a query, or [`SessionState::plan`] for anything that is sent to
/// the database; afterwards [`SessionState::finish`] with what `plan` gave.
#[derive(Debug, Clone)]
pub struct SessionState {
    config: Arc<SessionConfig>,
    autocommit: bool,
    isolation: Isolation,
    next_isolation: Option<Isolation>,
    /// A statement has run since that was set, in autocommit: it may be used up.
    next_isolation_used: bool,
    transaction: Option<Transaction>,
    settings: ScopedSettings,
    prefix: KeyPrefix,
    temporary: BTreeSet<Box<str>>,
    prepared: BTreeMap<Box<str>, Arc<Statement>>,
    /// `USE` moved the session there.
    other_database: Option<Box<str>>,
    /// See [`Effect::OpaqueWrites`].
    opaque_writes: bool,
    /// What makes every entry of the attached databases stale (SQLite).
    attached: TagSet,
    /// Other databases may be attached than those that are known.
    attaches: bool,
    /// One of them may have been written to since.
    attached_unseen: bool,
}

/// How a cacheable query may use the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Use the shared store and fill it.
    Shared,
    /// The same, while the commit tag still has the generation that it had before the
    /// transaction's snapshot began.
    Snapshot {
        /// That generation.
        before: Generation,
        /// Whether the snapshot has begun. Otherwise the query must run, because it begins it;
        /// its result may be stored.
        begun: bool,
    },
    /// The transaction has written one of the tags: only a cache private to it may serve.
    Private,
    /// Leave the cache alone.
    Bypass(SessionBypass),
}

/// Why a session leaves the cache alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Copy)]
#[non_exhaustive]
pub enum SessionBypass {
    /// It set something that is neither known to be harmless nor part of the key.
    Tainted,
    /// It reads what others have not committed.
    ReadUncommitted,
    /// Something may have been committed since its snapshot began.
    SnapshotMoved,
    /// Its transaction has failed: the database refuses the query, and so must we.
    TransactionFailed,
    /// It is not known whether its transaction is still open.
    Doubtful,
    /// Its transaction has changed the schema, which the catalog does not show yet.
    SchemaChanged,
    /// A temporary table of the session shadows a table of the query.
    TemporaryTable,
    /// The session moved to another database.
    OtherDatabase,
}

impl fmt::Display for SessionBypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SessionBypass::Tainted => "the session has a setting that no key can hold",
            SessionBypass::ReadUncommitted => "the session reads uncommitted data",
            SessionBypass::SnapshotMoved => {
                "something was committed since the snapshot of the transaction began"
            }
            SessionBypass::TransactionFailed => "the transaction has failed",
            SessionBypass::SchemaChanged => "the transaction has changed the schema",
            SessionBypass::Doubtful => "it is not known whether the transaction is still open",
            SessionBypass::TemporaryTable => "a temporary table of the session has this name",
            SessionBypass::OtherDatabase => "the session moved to another database",
        })
    }
}

/// What must happen around one execution of a statement; see [`SessionState::plan`].
#[derive(Debug, Clone)]
pub struct Execution {
    /// The tags to mark, and to have acknowledged, before the statement is sent; to be cleared
    /// once its outcome is known. Empty: nothing to do.
    pub mark: TagSet,
    /// The tags whose data the statement itself changes for its transaction, by writing or by
    /// undoing what was written, to drop what a private cache holds.
    pub written: TagSet,
    statement: Arc<Statement>,
}

impl Execution {
    /// The statement.
    pub fn statement(&self) -> &Arc<Statement> {
        &self.statement
    }
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The database said that it succeeded.
    Done,
    /// The database said that it failed.
    Failed,
    /// The connection was lost, or nobody waited for the answer.
    Unknown,
}

impl SessionState {
    /// The state of a connection that was just opened, or reset.
    pub fn new(config: Arc<SessionConfig>) -> Self {
        SessionState {
            autocommit: config.autocommit,
            isolation: config.isolation,
            next_isolation: None,
            next_isolation_used: false,
            transaction: None,
            settings: ScopedSettings::new(
                config.dialect == Dialect::Postgres,
                Arc::clone(&config.altered),
            ),
            prefix: config.prefix,
            temporary: BTreeSet::new(),
            prepared: BTreeMap::new(),
            other_database: None,
            opaque_writes: false,
            attached: TagSet::default(),
            attaches: false,
            attached_unseen: false,
            config,
        }
    }

    /// Follows a catalog that was loaded again. Which settings the session has stays.
    pub fn set_config(&mut self, config: Arc<SessionConfig>) {
        self.config = config;
        self.prefix = self.compute_prefix();
    }

    /// The commit tag's generation, read from the store because of
    /// [`SessionState::wants_commit_generation`]; `None` if the store could not tell.
    pub fn commit_generation(&mut self, generation: Option<Generation>) {
        self.open_implicitly();
        if let Some(transaction) = &mut self.transaction {
            transaction.snapshot = match generation {
                Some(before) if before.is_clean() => Snapshot::After {
                    before,
                    begun: false,
                },
                _ => Snapshot::Lost,
            };
        }
    }

    /// Says what must happen around the execution of a statement, which must follow at once.
    pub fn plan(&mut self, statement: &Arc<Statement>, parameters: &[Parameter<'_>]) -> Execution {
        self.open_implicitly();
        let mut written = self.written(statement, parameters);
        let undoes = |effect: &Effect| matches!(effect, Effect::RollbackTo(_) | Effect::Execute(_));
        if let (true, Some(transaction)) = (statement.effects.iter().any(undoes), &self.transaction)
        {
            // Which of its writes a savepoint holds is not tracked: all of them may be undone.
            written.extend(&transaction.dirty);
        }
        let mut mark = TagSet::default();
        // Tables of MyISAM and the like are written at once, and no rollback undoes that. The
        // catalog says which they are, and they are not cached; without one any may be.
        let shows_at_once = self.config.dialect == Dialect::MySql && !self.config.catalog;
        let commits_alone = match &mut self.transaction {
            None => true,
            Some(transaction) => {
                transaction.dirty.extend(&written);
                transaction.doubtful || shows_at_once
            }
        };
        let commits = statement.effects.iter().any(|effect| self.commits(effect));
        if commits_alone || commits {
            mark.extend(&written);
        }
        if let (true, Some(transaction)) = (commits, &self.transaction) {
            mark.extend(&transaction.dirty);
        }
        Execution {
            mark,
            written,
            statement: Arc::clone(statement),
        }
    }

    /// Moves on after the execution, whatever its outcome was.
    pub fn finish(&mut self, execution: Execution, outcome: Outcome) {
        let Execution {
            statement, written, ..
        } = execution;
        if self.config.dialect == Dialect::Sqlite && statement.effects.iter().any(may_attach) {
            self.attaches = true;
            self.attached_unseen |= statement.is_write();
        }
        match outcome {
            Outcome::Done => {
                for effect in &statement.effects {
                    self.apply(effect);
                }
                self.snapshot_begins(&statement);
                self.snapshot_began_unseen(&statement);
                // A text such as `BEGIN; UPDATE …` leaves its writes uncommitted.
                if let Some(transaction) = &mut self.transaction {
                    transaction.dirty.extend(&written);
                }
            }
            Outcome::Failed => {
                self.apply_failure(&statement);
                // Of several statements the first may have written before another one failed.
                if let Some(transaction) = &mut self.transaction {
                    transaction.dirty.extend(&written);
                }
            }
            Outcome::Unknown => {
                // The connection is useless; whoever goes on with it knows nothing about it.
                let mut lost = self.new_transaction(None);
                lost.doubtful = true;
                lost.dirty = match self.transaction.take() {
                    Some(transaction) => transaction.dirty,
                    None => TagSet::default(),
                };
                lost.dirty.extend(&written);
                self.transaction = Some(lost);
                self.doubt_settings(&statement);
            }
        }
        let sets = |effect: &Effect| matches!(effect, Effect::SetIsolation { .. });
        if self.transaction.is_none()
            && (!statement.effects.iter().any(sets)
                || statement.uncacheable == Some(Uncacheable::SeveralStatements))
        {
            self.next_isolation_used = true;
        }
        self.prefix = self.compute_prefix();
    }

    /// What the driver itself knows about the connection, where it can tell (`ReadyForQuery`,
    /// `sqlite3_get_autocommit`, the status flags of MySQL). Settles every doubt.
    pub fn observe_transaction(&mut self, open: bool) {
        match (&mut self.transaction, open) {
            (Some(transaction), true) => transaction.doubtful = false,
            (Some(_), false) => {
                self.transaction = None;
                let unknown = self.settings.depends_on_outcome();
                self.settings.rollback();
                if unknown {
                    let name = UNKNOWN_OUTCOME.into();
                    self.settings.apply(&Effect::Taint { name, local: false });
                }
                self.prefix = self.compute_prefix();
            }
            (None, true) => {
                let mut transaction = self.new_transaction(None);
                // It began unseen, so nobody knows what it has read or written.
                transaction.snapshot = Snapshot::Lost;
                transaction.doubtful = true;
                self.transaction = Some(transaction);
            }
            (None, false) => {}
        }
    }

    /// Whether the connection must be asked which other databases are attached to it, before the
    /// next statement and best at once: SQLite writes to them through this session.
    pub fn wants_attached(&self) -> bool {
        self.attaches
    }

    /// Says which databases are attached beside the session's own, and gives what must be made
    /// stale now, because the statement that attached them may have written to them, too.
    #[must_use]
    pub fn attached(&mut self, databases: &[DatabaseId]) -> TagSet {
        self.attaches = false;
        self.attached = databases.iter().flat_map(epochs).collect();
        if !std::mem::take(&mut self.attached_unseen) {
            return TagSet::default();
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.dirty.extend(&self.attached);
        }
        self.attached.clone()
    }

    /// Whether nothing but a trigger that may have changed the session keeps it from the cache: then
    /// to look is enough, because it should be like a fresh one (MySQL). Elsewhere a rollback may yet
    /// change what one sees.
    pub fn wants_comparison(&self) -> bool {
        self.config.dialect == Dialect::MySql
            && self.settings.now().is_only_tainted_by(TRIGGER)
            && self.temporary.is_empty()
            && self.isolation == self.config.isolation
            && self.other_database.is_none()
    }

    /// Says whether the connection is still like a fresh one; see
    /// [`SessionState::wants_comparison`].
    pub fn compared(&mut self, is_like_fresh: bool) {
        if !is_like_fresh {
            let name = CHANGED.into();
            self.settings.apply(&Effect::Taint { name, local: false });
        }
        self.settings.apply(&Effect::Untaint(TRIGGER.into()));
        self.prefix = self.compute_prefix();
    }

    /// The connection has a temporary table already, which somebody else created on it.
    pub fn has_temporary(&mut self, name: &str) {
        self.temporary.insert(name.to_lowercase().into());
    }

    /// Whether the commit tag must be read before the next statement is sent: it will begin a
    /// snapshot.
    pub fn wants_commit_generation(&self) -> bool {
        match &self.transaction {
            Some(transaction) => transaction.snapshot == Snapshot::Unread,
            None => !self.autocommit && self.new_transaction(None).snapshot == Snapshot::Unread,
        }
    }

    /// How a cacheable query that depends on these tags may use the cache.
    pub fn access(&self, statement: &Statement, tags: &[Tag]) -> Access {
        if self.settings.now().is_tainted() {
            return Access::Bypass(SessionBypass::Tainted);
        }
        if self.other_database.is_some() {
            return Access::Bypass(SessionBypass::OtherDatabase);
        }
        let shadowed = |name: &str| self.temporary.contains(name);
        if !self.temporary.is_empty() && statement.reads.iter().any(|read| shadowed(&read.table)) {
            return Access::Bypass(SessionBypass::TemporaryTable);
        }
        let Some(transaction) = &self.transaction else {
            return access_in_autocommit(self.isolation_of_next(), self.autocommit);
        };
        if transaction.doubtful {
            return Access::Bypass(SessionBypass::Doubtful);
        }
        if transaction.failed {
            return Access::Bypass(SessionBypass::TransactionFailed);
        }
        if transaction.isolation == Isolation::ReadUncommitted {
            return Access::Bypass(SessionBypass::ReadUncommitted);
        }
        if transaction
            .dirty
            .contains(self.config.database.schema_epoch)
        {
            // What the names stand for now, no catalog says before the commit.
            return Access::Bypass(SessionBypass::SchemaChanged);
        }
        if transaction.dirty.intersects(tags) {
            return Access::Private;
        }
        match transaction.snapshot {
            Snapshot::PerStatement => Access::Shared,
            Snapshot::After { before, begun } => Access::Snapshot { before, begun },
            Snapshot::Unread | Snapshot::Lost => Access::Bypass(SessionBypass::SnapshotMoved),
        }
    }

    /// The prefix of the session's keys, with everything that it has set.
    pub fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// The tags of the database.
    pub fn database(&self) -> &DatabaseTags {
        &self.config.database
    }

    /// Whether a transaction is open, or may be.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether the open transaction may have written something.
    pub fn holds_writes(&self) -> bool {
        let transaction = self.transaction.as_ref();
        transaction.is_some_and(|open| open.doubtful || !open.dirty.is_empty())
    }

    /// Whether a read that runs now, by itself, changes nothing that is known of the session: no
    /// transaction is open, and nothing was said for the next one alone.
    pub fn is_settled(&self) -> bool {
        let is_said = self.next_isolation.is_some() && !self.next_isolation_used;
        self.transaction.is_none() && !is_said
    }

    /// Whether the connection differs from a fresh one, so that a pool must not hand it to
    /// somebody else as such.
    pub fn is_altered(&self) -> bool {
        self.transaction.is_some()
            || !self.settings.now().is_default()
            || !self.temporary.is_empty()
            || !self.prepared.is_empty()
            || self.other_database.is_some()
            || self.opaque_writes
            || self.attaches
            || self.autocommit != self.config.autocommit
            || self.isolation != self.config.isolation
            || self.next_isolation.is_some()
    }

    /// What the statement writes, with what `EXECUTE` of a prepared one does.
    fn written(&self, statement: &Statement, parameters: &[Parameter<'_>]) -> TagSet {
        let database = &self.config.database;
        let mut tags = written_tags(database, statement, parameters);
        let mut everything = !self.config.catalog || self.opaque_writes;
        let mut elsewhere = self.other_database.as_deref();
        for effect in &statement.effects {
            match effect {
                // Its parameters are not those of this call, so keys are not known.
                Effect::Execute(name) => match self.prepared.get(name) {
                    Some(inner) if !runs_another(inner) => {
                        tags.extend(&self.written(inner, &[]));
                    }
                    _ => tags.insert(database.database_epoch),
                },
                Effect::WritesOtherDatabase(name) => {
                    tags.extend(&self.epochs_of(name));
                    elsewhere = elsewhere.filter(|other| *other != &**name);
                }
                _ => {}
            }
        }
        everything |= elsewhere.is_some();
        if everything && !tags.is_empty() {
            tags.insert(database.database_epoch);
            elsewhere
                .iter()
                .for_each(|name| tags.extend(&self.epochs_of(name)));
        }
        if !tags.is_empty() {
            tags.insert(database.commit);
            // An unqualified name, or a trigger, may lead to any of them.
            tags.extend(&self.attached);
        }
        tags
    }

    /// What makes every entry of another database of the server stale.
    fn epochs_of(&self, database: &str) -> TagSet {
        epochs(&self.config.id.sibling(database))
            .into_iter()
            .collect()
    }

    /// Whether the effect commits what the open transaction has written.
    fn commits(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Commit { .. }
            | Effect::ImplicitCommit
            | Effect::MayCommit
            | Effect::Autocommit(true) => true,
            Effect::Release(name) => self
                .transaction
                .as_ref()
                .is_some_and(|open| open.doubtful || open.release_commits(name)),
            // MySQL commits the open transaction when another one begins.
            Effect::Begin { .. } => self.config.dialect == Dialect::MySql,
            Effect::Execute(name) => match self.prepared.get(name) {
                Some(inner) => inner.effects.iter().any(|effect| match effect {
                    Effect::Execute(_) => true,
                    effect => self.commits(effect),
                }),
                None => true,
            },
            _ => false,
        }
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Begin { isolation } => {
                // PostgreSQL only warns of a BEGIN inside a transaction; MySQL has just committed
                // the old one; SQLite would have refused, so there was none.
                if self.transaction.is_none() || self.config.dialect != Dialect::Postgres {
                    self.begin(*isolation);
                }
            }
            Effect::Commit { chain } => self.end(true, *chain),
            Effect::Rollback { chain } => self.end(false, *chain),
            Effect::PrepareTransaction => self.end(true, false),
            Effect::ImplicitCommit => self.end(true, false),
            Effect::Savepoint(name) => {
                // SQLite's SAVEPOINT outside a transaction begins one.
                if self.transaction.is_none() && self.config.dialect == Dialect::Sqlite {
                    self.begin(None);
                    self.transaction
                        .iter_mut()
                        .for_each(|begun| begun.begun_by_savepoint = true);
                }
                if let Some(transaction) = &mut self.transaction {
                    transaction.savepoints.push(name.clone());
                }
                self.settings.savepoint(name);
            }
            Effect::RollbackTo(name) => {
                self.settings.rollback_to(name);
                if let Some(transaction) = &mut self.transaction {
                    transaction.failed = false;
                    transaction.rollback_to(name);
                }
            }
            Effect::Release(name) => self.release(name),
            Effect::Autocommit(on) => {
                if *on {
                    self.end(true, false);
                }
                self.autocommit = *on;
            }
            Effect::SetIsolation { scope, level } => self.set_isolation(*scope, *level),
            Effect::Set { .. }
            | Effect::Extend { .. }
            | Effect::Taint { .. }
            | Effect::Untaint(_) => {
                self.settings.apply(effect);
            }
            Effect::ResetAll { discard } => {
                self.settings.apply(effect);
                self.isolation = self.config.isolation;
                let altered = |name: &str| self.config.altered.iter().any(|it| **it == *name);
                if altered("default_transaction_isolation") {
                    // To what is not known; this level asks the most.
                    self.isolation = Isolation::Serializable;
                }
                if *discard {
                    self.temporary.clear();
                    self.prepared.clear();
                }
            }
            Effect::CreateTemporary(name) => {
                self.temporary.insert(name.clone());
            }
            Effect::UseDatabase(name) => self.other_database = Some(name.clone()),
            Effect::OpaqueWrites => self.opaque_writes = true,
            Effect::MayCommit => self.doubt(),
            Effect::WritesOtherDatabase(_) => {}
            Effect::Prepare { name, statement } => {
                match statement {
                    Some(statement) => self.prepared.insert(name.clone(), Arc::clone(statement)),
                    None => self.prepared.remove(name),
                };
            }
            Effect::Execute(name) => {
                // The effects of the inner statement are the session's too.
                match self.prepared.get(name).cloned() {
                    Some(inner) => inner
                        .effects
                        .iter()
                        .filter(|effect| !matches!(effect, Effect::Execute(_)))
                        .for_each(|effect| self.apply(effect)),
                    None => self.doubt(),
                }
            }
            Effect::Deallocate(Some(name)) => {
                self.prepared.remove(name);
            }
            Effect::Deallocate(None) => self.prepared.clear(),
        }
    }

    /// A plain query of tables begins the snapshot on every database. Writes do not on MySQL,
    /// and a query without tables does not on SQLite.
    fn snapshot_begins(&mut self, statement: &Statement) {
        if let Some(Transaction {
            snapshot: Snapshot::After { begun, .. },
            ..
        }) = &mut self.transaction
            && statement.is_cacheable()
            && !statement.reads.is_empty()
        {
            *begun = true;
        }
    }

    /// Of several statements in one text, a later one may have begun the snapshot of a transaction
    /// that an earlier one opened, before anybody could read the commit tag.
    fn snapshot_began_unseen(&mut self, statement: &Statement) {
        if statement.uncacheable != Some(Uncacheable::SeveralStatements) {
            return;
        }
        self.open_implicitly();
        if let Some(transaction) = &mut self.transaction
            && transaction.snapshot == Snapshot::Unread
        {
            transaction.snapshot = Snapshot::Lost;
        }
    }

    fn apply_failure(&mut self, statement: &Statement) {
        let several = statement.effects.len() > 1
            || statement.uncacheable == Some(Uncacheable::SeveralStatements);
        let Some(transaction) = &mut self.transaction else {
            // A text of several statements may have failed after its first parts took effect.
            let opens = |effect: &Effect| {
                matches!(
                    effect,
                    Effect::Begin { .. }
                        | Effect::Savepoint(_)
                        | Effect::Autocommit(false)
                        | Effect::Execute(_)
                )
            };
            if several && statement.effects.iter().any(opens) {
                self.doubt();
            }
            // Settings of its first parts may hold now. Which ones nobody knows.
            if several && !statement.effects.is_empty() {
                self.settings.apply(&Effect::Taint {
                    name: UNKNOWN_OUTCOME.into(),
                    local: false,
                });
            }
            return;
        };
        if self.config.dialect == Dialect::Postgres {
            transaction.failed = true;
        }
        let ends = |effect: &Effect| {
            !matches!(
                effect,
                Effect::Set { .. }
                    | Effect::Extend { .. }
                    | Effect::Taint { .. }
                    | Effect::Savepoint(_)
            )
        };
        // SQLite's COMMIT may fail and leave the transaction open, PostgreSQL's ends it; MySQL
        // rolls back on a deadlock. Whoever cannot tell counts as both.
        if self.config.dialect != Dialect::Postgres || statement.effects.iter().any(ends) {
            self.doubt();
        }
    }

    /// A statement may have changed the session, or not.
    fn doubt_settings(&mut self, statement: &Statement) {
        for effect in &statement.effects {
            match effect {
                Effect::Set { .. }
                | Effect::Extend { .. }
                | Effect::Taint { .. }
                | Effect::Untaint(_)
                | Effect::ResetAll { .. }
                | Effect::SetIsolation { .. }
                | Effect::CreateTemporary(_)
                | Effect::UseDatabase(_)
                | Effect::Execute(_) => {
                    let name = UNKNOWN_OUTCOME.into();
                    self.settings.apply(&Effect::Taint { name, local: false });
                }
                Effect::Prepare { name, .. } => {
                    self.prepared.remove(name);
                }
                _ => {}
            }
        }
    }

    /// It is not known whether a transaction is open.
    fn doubt(&mut self) {
        let mut fresh = self.new_transaction(None);
        // If there is one, it began unseen.
        fresh.snapshot = Snapshot::Lost;
        self.transaction.get_or_insert(fresh).doubtful = true;
    }

    fn begin(&mut self, isolation: Option<Isolation>) {
        self.transaction = Some(self.new_transaction(isolation));
        self.next_isolation = None;
        self.settings.begin();
    }

    fn new_transaction(&self, isolation: Option<Isolation>) -> Transaction {
        let isolation = isolation.unwrap_or_else(|| self.isolation_of_next());
        Transaction::new(isolation, self.config.dialect == Dialect::Sqlite)
    }

    /// The isolation of a transaction that names none. What `SET TRANSACTION` says may have been
    /// for a statement in autocommit that ran meanwhile. Then both levels are possible, and the one
    /// that allows less counts.
    fn isolation_of_next(&self) -> Isolation {
        match self.next_isolation {
            Some(level) if !self.next_isolation_used => level,
            Some(Isolation::ReadUncommitted) => Isolation::ReadUncommitted,
            Some(_) if self.isolation == Isolation::ReadUncommitted => self.isolation,
            Some(level) => level.max(self.isolation),
            None => self.isolation,
        }
    }

    /// With autocommit off, the first statement after a commit opens the next transaction.
    fn open_implicitly(&mut self) {
        if !self.autocommit && self.transaction.is_none() {
            self.begin(None);
        }
    }

    fn end(&mut self, committed: bool, chain: bool) {
        let ended = self.transaction.take();
        // A PostgreSQL transaction that has failed is rolled back by COMMIT, too.
        let failed = ended.as_ref().is_some_and(|transaction| transaction.failed);
        if committed && !failed {
            self.settings.commit();
        } else {
            self.settings.rollback();
        }
        if let (true, Some(ended)) = (chain, ended) {
            self.begin(Some(ended.isolation));
        }
        if self.settings.now().is_tainted_by("completion_type") {
            // MySQL may have chained another transaction.
            self.doubt();
        }
    }

    fn release(&mut self, name: &str) {
        self.settings.release(name);
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        if transaction.release_commits(name) {
            self.end(true, false);
        } else {
            transaction.release(name);
        }
    }

    fn set_isolation(&mut self, scope: IsolationScope, level: Isolation) {
        match scope {
            IsolationScope::Session => self.isolation = level,
            IsolationScope::Next => {
                self.next_isolation = Some(level);
                self.next_isolation_used = false;
            }
            IsolationScope::Current => {
                let fresh = self.new_transaction(Some(level));
                if let Some(transaction) = &mut self.transaction {
                    transaction.isolation = level;
                    if transaction.snapshot == Snapshot::PerStatement {
                        transaction.snapshot = fresh.snapshot;
                    }
                }
            }
        }
    }

    fn compute_prefix(&self) -> KeyPrefix {
        let settings = self.settings.now();
        if settings.is_default() {
            return self.config.prefix;
        }
        let parts = settings
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        KeyPrefix::new(std::iter::once(self.config.prefix.as_bytes()).chain(parts))
    }
}
