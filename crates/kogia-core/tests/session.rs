//! What a session's state allows and marks, statement by statement.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::sync::Arc;

use kogia_core::{
    Access, DatabaseId, DatabaseTags, Dialect, Effect, Generation, Isolation, IsolationScope,
    KeyPrefix, Outcome, Read, SessionBypass, SessionConfig, SessionState, Statement, TableTags,
    Tag, Uncacheable, Wide, Write, WriteScope,
};

struct Harness {
    id: DatabaseId,
    tags: DatabaseTags,
    state: SessionState,
    config: SessionConfig,
}

const COMMIT: Effect = Effect::Commit { chain: false };
const ROLLBACK: Effect = Effect::Rollback { chain: false };

fn generation(token: u8) -> Generation {
    Generation::from_random([token; 16])
}

fn nothing() -> Statement {
    Statement {
        digest: [0; 32],
        reads: vec![],
        writes: vec![],
        wide: Wide::Nothing,
        uncacheable: None,
        effects: vec![],
    }
}

impl Harness {
    fn new(dialect: Dialect) -> Self {
        let isolation = match dialect {
            Dialect::Postgres => Isolation::ReadCommitted,
            _ => Isolation::RepeatableRead,
        };
        Harness::with(dialect, isolation, true)
    }

    fn with(dialect: Dialect, isolation: Isolation, catalog: bool) -> Self {
        Harness::of(SessionConfig {
            dialect,
            id: DatabaseId::new("test"),
            database: DatabaseTags::new(&DatabaseId::new("test")),
            isolation,
            autocommit: true,
            catalog,
            prefix: KeyPrefix::new([b"test".as_slice()]),
            altered: Arc::default(),
        })
    }

    /// After the login, somebody changed the setting of this name.
    fn altered(name: &str) -> Self {
        let harness = Harness::new(Dialect::Postgres);
        Harness::of(SessionConfig {
            altered: [name.into()].into(),
            ..harness.config
        })
    }

    fn of(config: SessionConfig) -> Self {
        Harness {
            state: SessionState::new(Arc::new(config.clone())),
            id: config.id.clone(),
            tags: config.database,
            config,
        }
    }

    fn table(&self, name: &str) -> TableTags {
        TableTags::new(&self.id, name)
    }

    fn write(&self, table: &str) -> Arc<Statement> {
        let write = Write {
            table: table.into(),
            tags: self.table(table),
            scope: WriteScope::Broad,
        };
        Arc::new(Statement {
            writes: vec![write],
            ..nothing()
        })
    }

    fn read(&self, table: &str) -> Arc<Statement> {
        let read = Read {
            table: table.into(),
            tags: self.table(table),
            pin: None,
        };
        Arc::new(Statement {
            reads: vec![read],
            ..nothing()
        })
    }

    fn access(&self, table: &str) -> Access {
        let statement = self.read(table);
        let tags = [
            self.tags.database_epoch,
            self.tags.schema_epoch,
            self.table(table).any,
        ];
        self.state.access(&statement, &tags)
    }

    /// Runs a statement as an engine does, and returns what it marked.
    fn run(&mut self, statement: &Arc<Statement>, outcome: Outcome) -> Vec<Tag> {
        if self.state.wants_commit_generation() {
            self.state.commit_generation(Some(generation(1)));
        }
        let execution = self.state.plan(statement, &[]);
        let mark = execution.mark.as_slice().to_vec();
        self.state.finish(execution, outcome);
        mark
    }

    fn effect(&mut self, effect: Effect) -> Vec<Tag> {
        self.run(
            &Arc::new(Statement {
                effects: vec![effect],
                ..nothing()
            }),
            Outcome::Done,
        )
    }

    fn begin(&mut self) {
        self.effect(Effect::Begin { isolation: None });
    }

    fn marks_of(&self, tables: &[&str]) -> Vec<Tag> {
        let tags = tables.iter().map(|table| self.table(table));
        let mut marks: Vec<Tag> = tags.flat_map(|tags| [tags.any, tags.broad]).collect();
        marks.push(self.tags.commit);
        marks.sort_unstable();
        marks
    }
}

#[test]
fn a_write_in_autocommit_is_marked_at_once() {
    for dialect in Dialect::ALL {
        let mut session = Harness::new(dialect);
        let write = session.write("book");
        assert_eq!(
            session.run(&write, Outcome::Done),
            session.marks_of(&["book"])
        );
        assert_eq!(session.access("book"), Access::Shared, "{dialect}");
    }
}

#[test]
fn a_transaction_marks_all_its_writes_when_it_commits() {
    let mut session = Harness::new(Dialect::Postgres);
    session.begin();
    let (book, author) = (session.write("book"), session.write("author"));
    assert_eq!(session.run(&book, Outcome::Done), []);
    assert_eq!(session.run(&author, Outcome::Done), []);
    assert_eq!(session.access("book"), Access::Private);
    assert_eq!(session.access("shop"), Access::Shared);
    assert_eq!(
        session.effect(COMMIT),
        session.marks_of(&["author", "book"])
    );
    assert_eq!(session.access("book"), Access::Shared);
}

#[test]
fn a_rollback_marks_nothing() {
    let mut session = Harness::new(Dialect::Postgres);
    session.begin();
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    assert_eq!(session.effect(ROLLBACK), []);
    assert_eq!(session.access("book"), Access::Shared);
}

#[test]
fn rolling_back_to_a_savepoint_keeps_tags_dirty() {
    let mut session = Harness::new(Dialect::Postgres);
    session.begin();
    session.effect(Effect::Savepoint("s".into()));
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    session.effect(Effect::RollbackTo("s".into()));
    assert_eq!(session.access("book"), Access::Private);
    assert_eq!(session.effect(COMMIT), session.marks_of(&["book"]));
}

#[test]
fn rolling_back_to_a_savepoint_changes_what_the_transaction_itself_sees() {
    let mut session = Harness::new(Dialect::Postgres);
    session.begin();
    session.effect(Effect::Savepoint("s".into()));
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    let rollback = Arc::new(Statement {
        effects: vec![Effect::RollbackTo("s".into())],
        ..nothing()
    });
    let execution = session.state.plan(&rollback, &[]);
    assert_eq!(execution.written.as_slice(), session.marks_of(&["book"]));
    assert!(execution.mark.is_empty());
}

#[test]
fn a_snapshot_transaction_depends_on_the_commit_tag() {
    for dialect in [Dialect::MySql, Dialect::Sqlite] {
        let mut session = Harness::new(dialect);
        session.begin();
        assert!(session.state.wants_commit_generation(), "{dialect}");
        assert_eq!(
            session.access("book"),
            Access::Bypass(SessionBypass::SnapshotMoved)
        );
        let before = generation(7);
        session.state.commit_generation(Some(before));
        assert_eq!(
            session.access("book"),
            Access::Snapshot {
                before,
                begun: false
            }
        );
        let read = session.read("book");
        session.run(&read, Outcome::Failed);
        session.state.observe_transaction(true);
        assert_eq!(
            session.access("book"),
            Access::Snapshot {
                before,
                begun: false
            }
        );
        session.run(&read, Outcome::Done);
        assert_eq!(
            session.access("book"),
            Access::Snapshot {
                before,
                begun: true
            }
        );
        let write = session.write("book");
        session.run(&write, Outcome::Done);
        assert_eq!(session.access("book"), Access::Private);
        assert_eq!(
            session.access("shop"),
            Access::Snapshot {
                before,
                begun: true
            }
        );
    }
}

#[test]
fn only_a_query_of_tables_begins_the_snapshot() {
    let mut session = Harness::new(Dialect::MySql);
    session.begin();
    let before = generation(1);
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    session.run(&Arc::new(nothing()), Outcome::Done);
    assert_eq!(
        session.access("shop"),
        Access::Snapshot {
            before,
            begun: false
        }
    );
}

#[test]
fn a_snapshot_that_began_under_a_mark_leaves_the_cache_alone() {
    for before in [
        Some(generation(7).marked()),
        Some(Generation::MISSING),
        None,
    ] {
        let mut session = Harness::new(Dialect::Sqlite);
        session.begin();
        session.state.commit_generation(before);
        assert_eq!(
            session.access("book"),
            Access::Bypass(SessionBypass::SnapshotMoved)
        );
        assert!(
            !session.state.wants_commit_generation(),
            "it cannot be made good later"
        );
    }
}

#[test]
fn isolation_levels_that_a_transaction_names_count() {
    let mut session = Harness::new(Dialect::Postgres);
    session.effect(Effect::Begin {
        isolation: Some(Isolation::Serializable),
    });
    assert!(session.state.wants_commit_generation());
    session.effect(COMMIT);
    session.effect(Effect::Begin {
        isolation: Some(Isolation::ReadUncommitted),
    });
    assert_eq!(
        session.access("book"),
        Access::Bypass(SessionBypass::ReadUncommitted)
    );
    session.effect(ROLLBACK);
    session.begin();
    let level = Isolation::RepeatableRead;
    session.effect(Effect::SetIsolation {
        scope: IsolationScope::Current,
        level,
    });
    assert!(session.state.wants_commit_generation());
}

#[test]
fn mysql_without_autocommit_opens_transactions_by_itself() {
    let mut session = Harness::new(Dialect::MySql);
    session.effect(Effect::Autocommit(false));
    assert!(session.state.wants_commit_generation());
    let write = session.write("book");
    assert_eq!(session.run(&write, Outcome::Done), []);
    assert_eq!(session.access("book"), Access::Private);
    assert_eq!(session.effect(COMMIT), session.marks_of(&["book"]));
    session.run(&write, Outcome::Done);
    assert_eq!(
        session.effect(Effect::Autocommit(true)),
        session.marks_of(&["book"])
    );
    assert_eq!(session.access("book"), Access::Shared);
}

#[test]
fn mysql_without_autocommit_reads_what_is_committed_at_read_committed() {
    let mut session = Harness::new(Dialect::MySql);
    session.effect(Effect::Autocommit(false));
    assert_eq!(
        session.access("book"),
        Access::Bypass(SessionBypass::SnapshotMoved)
    );
    let level = Isolation::ReadCommitted;
    session.effect(COMMIT);
    session.effect(Effect::SetIsolation {
        scope: IsolationScope::Session,
        level,
    });
    session.effect(COMMIT);
    assert!(!session.state.wants_commit_generation());
    assert_eq!(session.access("book"), Access::Shared);
    session.run(&session.write("book"), Outcome::Done);
    assert_eq!(session.access("book"), Access::Private);
}

#[test]
fn ddl_and_begin_commit_implicitly_on_mysql() {
    for effect in [Effect::ImplicitCommit, Effect::Begin { isolation: None }] {
        let mut session = Harness::new(Dialect::MySql);
        session.begin();
        let write = session.write("book");
        session.run(&write, Outcome::Done);
        assert_eq!(session.effect(effect), session.marks_of(&["book"]));
    }
}

#[test]
fn releasing_the_savepoint_that_began_a_transaction_commits_on_sqlite() {
    let mut session = Harness::new(Dialect::Sqlite);
    session.effect(Effect::Savepoint("outer".into()));
    session.effect(Effect::Savepoint("inner".into()));
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    assert_eq!(session.effect(Effect::Release("inner".into())), []);
    assert!(session.state.in_transaction());
    assert_eq!(
        session.effect(Effect::Release("outer".into())),
        session.marks_of(&["book"])
    );
    assert!(!session.state.in_transaction());
}

#[test]
fn a_failed_postgres_transaction_leaves_the_cache_alone_until_it_is_rolled_back() {
    let mut session = Harness::new(Dialect::Postgres);
    session.begin();
    session.effect(Effect::Savepoint("s".into()));
    let write = session.write("book");
    session.run(&write, Outcome::Failed);
    assert_eq!(
        session.access("shop"),
        Access::Bypass(SessionBypass::TransactionFailed)
    );
    session.effect(Effect::RollbackTo("s".into()));
    assert_eq!(session.access("shop"), Access::Shared);
}

#[test]
fn a_commit_that_fails_may_be_sent_again() {
    let mut session = Harness::new(Dialect::Sqlite);
    session.begin();
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    let commit = Arc::new(Statement {
        effects: vec![COMMIT],
        ..nothing()
    });
    assert_eq!(
        session.run(&commit, Outcome::Failed),
        session.marks_of(&["book"])
    );
    // SQLite was busy: the transaction is still open, and its writes are not committed yet.
    assert_eq!(
        session.access("book"),
        Access::Bypass(SessionBypass::Doubtful)
    );
    assert_eq!(
        session.run(&commit, Outcome::Done),
        session.marks_of(&["book"])
    );
    assert_eq!(session.access("book"), Access::Shared);
}

#[test]
fn a_doubtful_session_counts_as_both() {
    let mut session = Harness::new(Dialect::MySql);
    session.begin();
    let (book, shop) = (session.write("book"), session.write("shop"));
    session.run(&book, Outcome::Failed);
    // A deadlock may have rolled back everything, so this may be autocommit.
    assert_eq!(
        session.run(&shop, Outcome::Done),
        session.marks_of(&["shop"])
    );
    assert_eq!(
        session.access("book"),
        Access::Bypass(SessionBypass::Doubtful)
    );
    session.state.observe_transaction(true);
    assert_eq!(session.run(&shop, Outcome::Done), []);
    assert_eq!(session.effect(COMMIT), session.marks_of(&["book", "shop"]));
}

#[test]
fn without_a_catalog_every_write_renews_the_database_epoch() {
    let mut session = Harness::with(Dialect::Postgres, Isolation::ReadCommitted, false);
    let write = session.write("book");
    assert!(
        session
            .run(&write, Outcome::Done)
            .contains(&session.tags.database_epoch)
    );
}

#[test]
fn without_a_catalog_any_table_of_mysql_may_be_written_before_the_commit() {
    for (dialect, catalog, at_once) in [
        (Dialect::MySql, false, true),
        (Dialect::MySql, true, false),
        (Dialect::Postgres, false, false),
        (Dialect::Sqlite, false, false),
    ] {
        let mut session = Harness::with(dialect, Isolation::ReadCommitted, catalog);
        session.begin();
        let write = session.write("a");
        let marked = session.run(&write, Outcome::Done);
        assert_eq!(
            marked.contains(&session.table("a").any),
            at_once,
            "{dialect}"
        );
        assert_eq!(session.access("a"), Access::Private);
        // The rest may be of another kind.
        let marked = session.effect(COMMIT);
        assert!(marked.contains(&session.table("a").any), "{dialect}");
    }
}

#[test]
fn settings_are_part_of_the_key_and_unknown_ones_taint() {
    let mut session = Harness::new(Dialect::Postgres);
    let plain = *session.state.prefix();
    let set = |value: Option<&str>| Effect::Set {
        name: "search_path".into(),
        value: value.map(Into::into),
        local: false,
    };
    session.effect(set(Some("tenant1")));
    let tenant1 = *session.state.prefix();
    assert_ne!(tenant1, plain);
    assert!(session.state.is_altered());
    session.effect(set(Some("tenant2")));
    assert_ne!(*session.state.prefix(), tenant1);
    session.effect(set(None));
    assert_eq!(*session.state.prefix(), plain);
    session.effect(Effect::Taint {
        name: "mystery".into(),
        local: false,
    });
    assert_eq!(
        session.access("book"),
        Access::Bypass(SessionBypass::Tainted)
    );
    session.effect(Effect::ResetAll { discard: false });
    assert_eq!(session.access("book"), Access::Shared);
}

#[test]
fn a_reset_goes_back_to_the_login_not_to_the_beginning_of_the_session() {
    let reset = |name: &str| Effect::Set {
        name: name.into(),
        value: None,
        local: false,
    };
    let all = |discard| Effect::ResetAll { discard };
    for effect in [reset("search_path"), all(false), all(true)] {
        let mut session = Harness::altered("search_path");
        let tenant = *session.state.prefix();
        session.effect(effect.clone());
        assert_ne!(*session.state.prefix(), tenant, "{effect:?}");
        assert!(session.state.is_altered());
    }
    let mut session = Harness::altered("role");
    let role = *session.state.prefix();
    session.effect(all(false));
    assert_eq!(*session.state.prefix(), role, "RESET ALL leaves the role");
    session.effect(all(true));
    assert_ne!(*session.state.prefix(), role);
    let mut session = Harness::altered("default_transaction_isolation");
    session.effect(all(false));
    session.begin();
    assert_ne!(session.access("book"), Access::Shared);
}

#[test]
fn postgres_undoes_settings_with_the_transaction_and_mysql_does_not() {
    let set = |local| Effect::Set {
        name: "timezone".into(),
        value: Some("utc".into()),
        local,
    };
    for (dialect, kept) in [(Dialect::Postgres, false), (Dialect::MySql, true)] {
        let mut session = Harness::new(dialect);
        let plain = *session.state.prefix();
        session.begin();
        session.effect(set(false));
        session.effect(ROLLBACK);
        assert_eq!(*session.state.prefix() != plain, kept, "{dialect}");
    }
    let mut session = Harness::new(Dialect::Postgres);
    let plain = *session.state.prefix();
    session.begin();
    session.effect(set(true));
    assert_ne!(*session.state.prefix(), plain);
    session.effect(COMMIT);
    assert_eq!(
        *session.state.prefix(),
        plain,
        "SET LOCAL ends with the transaction"
    );
    session.begin();
    session.effect(Effect::Savepoint("s".into()));
    session.effect(set(false));
    session.effect(Effect::RollbackTo("s".into()));
    assert_eq!(*session.state.prefix(), plain);
    session.effect(set(false));
    session.effect(COMMIT);
    assert_ne!(*session.state.prefix(), plain, "SET stays after the commit");
}

#[test]
fn temporary_tables_shadow_and_other_databases_bypass() {
    let mut session = Harness::new(Dialect::MySql);
    session.effect(Effect::CreateTemporary("book".into()));
    assert_eq!(
        session.access("book"),
        Access::Bypass(SessionBypass::TemporaryTable)
    );
    assert_eq!(session.access("shop"), Access::Shared);
    session.effect(Effect::UseDatabase("other".into()));
    assert_eq!(
        session.access("shop"),
        Access::Bypass(SessionBypass::OtherDatabase)
    );
    let write = session.write("shop");
    assert!(
        session
            .run(&write, Outcome::Done)
            .contains(&session.tags.database_epoch)
    );
}

#[test]
fn prepared_statements_write_what_they_were_prepared_for() {
    let mut session = Harness::new(Dialect::Postgres);
    let write = session.write("book");
    session.effect(Effect::Prepare {
        name: "w".into(),
        statement: Some(write),
    });
    assert_eq!(
        session.effect(Effect::Execute("w".into())),
        session.marks_of(&["book"])
    );
    let unknown = session.effect(Effect::Execute("unknown".into()));
    assert!(unknown.contains(&session.tags.database_epoch));
}

#[test]
fn an_execution_with_unknown_outcome_leaves_nothing_certain() {
    let mut session = Harness::new(Dialect::Postgres);
    session.begin();
    let write = session.write("book");
    session.run(&write, Outcome::Unknown);
    assert_eq!(
        session.access("shop"),
        Access::Bypass(SessionBypass::Doubtful)
    );
    session.state.observe_transaction(false);
    assert_eq!(session.access("shop"), Access::Shared);
}

#[test]
fn a_setting_with_unknown_outcome_taints() {
    let name: Box<str> = "role".into();
    let set = Effect::Set {
        name: name.clone(),
        value: Some("clerk".into()),
        local: false,
    };
    let create = Effect::CreateTemporary("book".into());
    for effect in [set, create, Effect::ResetAll { discard: false }] {
        let mut session = Harness::new(Dialect::Postgres);
        let mut statement = Statement::clone(&session.read("shop"));
        statement.effects = vec![effect];
        session.run(&Arc::new(statement), Outcome::Unknown);
        session.state.observe_transaction(false);
        assert_eq!(
            session.access("shop"),
            Access::Bypass(SessionBypass::Tainted)
        );
    }
}

#[test]
fn a_statement_that_may_have_been_prepared_again_may_write_anything() {
    let mut session = Harness::new(Dialect::Postgres);
    let write = session.write("book");
    let prepare = |statement: &Arc<Statement>| Effect::Prepare {
        name: "w".into(),
        statement: Some(Arc::clone(statement)),
    };
    session.effect(prepare(&write));
    let mut again = Statement::clone(&write);
    again.effects = vec![prepare(&session.write("shop"))];
    session.run(&Arc::new(again), Outcome::Unknown);
    session.state.observe_transaction(false);
    let marked = session.effect(Effect::Execute("w".into()));
    assert!(marked.contains(&session.tags.database_epoch));
}

#[test]
fn a_session_that_a_trigger_may_have_changed_is_compared() {
    let taint = |name: &str| Effect::Taint {
        name: name.into(),
        local: false,
    };
    let tainted = Access::Bypass(SessionBypass::Tainted);
    for (is_like_fresh, expected) in [(true, Access::Shared), (false, tainted)] {
        let mut session = Harness::new(Dialect::MySql);
        assert!(!session.state.wants_comparison());
        session.effect(taint("trigger"));
        assert_eq!(session.access("shop"), tainted);
        assert!(session.state.wants_comparison());
        session.state.compared(is_like_fresh);
        assert!(!session.state.wants_comparison());
        assert_eq!(session.access("shop"), expected);
    }
    let set = Effect::Set {
        name: "time_zone".into(),
        value: Some("utc".into()),
        local: false,
    };
    let isolation = Effect::SetIsolation {
        scope: IsolationScope::Session,
        level: Isolation::Serializable,
    };
    let temporary = Effect::CreateTemporary("book".into());
    let elsewhere = Effect::UseDatabase("other".into());
    for other in [set, taint("more"), isolation, temporary, elsewhere] {
        // It is known not to be like a fresh one.
        let mut session = Harness::new(Dialect::MySql);
        session.effect(other);
        session.effect(taint("trigger"));
        assert!(!session.state.wants_comparison());
    }
    let mut session = Harness::new(Dialect::Postgres);
    session.effect(taint("trigger"));
    assert!(!session.state.wants_comparison());
}

#[test]
fn chained_transactions_go_on_with_the_same_isolation() {
    let mut session = Harness::new(Dialect::Postgres);
    session.effect(Effect::Begin {
        isolation: Some(Isolation::RepeatableRead),
    });
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    let marked = session.effect(Effect::Commit { chain: true });
    assert_eq!(marked, session.marks_of(&["book"]));
    assert!(session.state.in_transaction());
    assert!(session.state.wants_commit_generation());
}

#[test]
fn a_text_with_begin_and_a_write_leaves_the_write_dirty() {
    let mut session = Harness::new(Dialect::Postgres);
    let mut text = Statement::clone(&session.write("book"));
    text.effects = vec![Effect::Begin { isolation: None }];
    session.run(&Arc::new(text), Outcome::Done);
    assert_eq!(session.access("book"), Access::Private);
    assert_eq!(session.effect(COMMIT), session.marks_of(&["book"]));
}

#[test]
fn a_procedure_may_commit_and_may_open_a_transaction() {
    let mut session = Harness::new(Dialect::MySql);
    session.begin();
    let write = session.write("book");
    session.run(&write, Outcome::Done);
    assert_eq!(
        session.effect(Effect::MayCommit),
        session.marks_of(&["book"])
    );
    assert_eq!(
        session.access("shop"),
        Access::Bypass(SessionBypass::Doubtful)
    );
    let marks = session.marks_of(&["book"]);
    assert_eq!(
        session.effect(COMMIT),
        marks,
        "it may have left the transaction open"
    );
    assert_eq!(session.access("shop"), Access::Shared);
}

#[test]
fn writes_of_a_session_that_nobody_understands_may_write_anything() {
    let mut session = Harness::new(Dialect::Sqlite);
    session.effect(Effect::OpaqueWrites);
    let write = session.write("book");
    assert!(
        session
            .run(&write, Outcome::Done)
            .contains(&session.tags.database_epoch)
    );
    assert!(session.state.is_altered());
}

#[test]
fn writes_to_another_database_of_the_server_invalidate_it() {
    let other = DatabaseTags::new(&DatabaseId::new("test").sibling("other"));
    let mut session = Harness::new(Dialect::MySql);
    let marks = session.effect(Effect::WritesOtherDatabase("other".into()));
    assert!(marks.contains(&other.database_epoch) && marks.contains(&other.commit));
    let mut session = Harness::new(Dialect::MySql);
    session.effect(Effect::UseDatabase("other".into()));
    let write = session.write("book");
    assert!(
        session
            .run(&write, Outcome::Done)
            .contains(&other.database_epoch)
    );
}

/// A text of several statements.
fn several(effects: Vec<Effect>) -> Arc<Statement> {
    Arc::new(Statement {
        uncacheable: Some(Uncacheable::SeveralStatements),
        effects,
        ..nothing()
    })
}

#[test]
fn a_snapshot_that_began_within_a_text_leaves_the_cache_alone() {
    let moved = Access::Bypass(SessionBypass::SnapshotMoved);
    for dialect in [Dialect::Sqlite, Dialect::MySql] {
        // BEGIN; SELECT …
        let mut session = Harness::new(dialect);
        let begin = several(vec![Effect::Begin { isolation: None }]);
        session.run(&begin, Outcome::Done);
        assert!(!session.state.wants_commit_generation(), "{dialect}");
        assert_eq!(session.access("book"), moved, "{dialect}");
    }
    // COMMIT; SELECT … without autocommit.
    let mut session = Harness::new(Dialect::MySql);
    session.effect(Effect::Autocommit(false));
    session.run(&several(vec![COMMIT]), Outcome::Done);
    assert!(!session.state.wants_commit_generation());
    assert_eq!(session.access("book"), moved);
}

#[test]
fn a_level_for_the_next_transaction_may_be_used_up() {
    let set = |level| Effect::SetIsolation {
        scope: IsolationScope::Next,
        level,
    };
    let mut session = Harness::new(Dialect::MySql);
    session.effect(set(Isolation::ReadUncommitted));
    let uncommitted = Access::Bypass(SessionBypass::ReadUncommitted);
    assert_eq!(session.access("book"), uncommitted);

    // The statement in autocommit was the next transaction; the one after it reads a snapshot.
    let mut session = Harness::new(Dialect::MySql);
    session.effect(set(Isolation::ReadCommitted));
    let read = session.read("book");
    session.run(&read, Outcome::Done);
    session.begin();
    session.run(&read, Outcome::Done);
    assert!(matches!(session.access("book"), Access::Snapshot { .. }));
}

#[test]
fn a_commit_that_may_chain_leaves_a_doubt() {
    let mut session = Harness::new(Dialect::MySql);
    session.effect(Effect::Taint {
        name: "completion_type".into(),
        local: false,
    });
    session.begin();
    session.run(&session.write("book"), Outcome::Done);
    assert_eq!(session.effect(COMMIT), session.marks_of(&["book"]));
    // Whether a transaction is open nobody knows: marked at once, and again by the commit.
    let author = session.marks_of(&["author"]);
    assert_eq!(session.run(&session.write("author"), Outcome::Done), author);
    assert_eq!(session.effect(COMMIT), author);
}

#[test]
fn a_text_that_nobody_understands_may_begin_or_commit() {
    let opaque = Arc::new(Statement {
        wide: Wide::Everything,
        effects: vec![Effect::MayCommit],
        ..nothing()
    });
    for dialect in Dialect::ALL {
        // It held a BEGIN.
        let mut session = Harness::new(dialect);
        session.run(&opaque, Outcome::Done);
        let book = session.marks_of(&["book"]);
        assert_eq!(session.run(&session.write("book"), Outcome::Done), book);
        assert_eq!(
            session.access("book"),
            Access::Bypass(SessionBypass::Doubtful)
        );
        let marked = session.effect(COMMIT);
        assert!(book.iter().all(|tag| marked.contains(tag)), "{dialect}");
        // It held a COMMIT.
        let mut session = Harness::new(dialect);
        session.begin();
        session.run(&session.write("book"), Outcome::Done);
        let marked = session.run(&opaque, Outcome::Done);
        assert!(book.iter().all(|tag| marked.contains(tag)), "{dialect}");
    }
}

#[test]
fn writes_make_attached_databases_stale() {
    let other = DatabaseId::new("other");
    let tags = DatabaseTags::new(&other);
    let all = [tags.database_epoch, tags.schema_epoch, tags.commit];
    let attach = |wide| {
        Arc::new(Statement {
            wide,
            effects: vec![Effect::Taint {
                name: "attach:x".into(),
                local: false,
            }],
            ..nothing()
        })
    };
    let mut session = Harness::new(Dialect::Sqlite);
    assert!(!session.state.wants_attached());
    session.run(&attach(Wide::Nothing), Outcome::Done);
    assert!(session.state.wants_attached());
    assert!(
        session
            .state
            .attached(std::slice::from_ref(&other))
            .is_empty()
    );
    assert!(!session.state.wants_attached());
    let marked = session.run(&session.write("book"), Outcome::Done);
    assert!(all.iter().all(|tag| marked.contains(tag)));
    // In a transaction, when it commits.
    session.begin();
    assert_eq!(session.run(&session.write("book"), Outcome::Done), []);
    let marked = session.effect(COMMIT);
    assert!(all.iter().all(|tag| marked.contains(tag)));
    // Gone again.
    session.effect(Effect::Untaint("attach:x".into()));
    assert!(session.state.wants_attached());
    assert!(session.state.attached(&[]).is_empty());
    let marked = session.run(&session.write("book"), Outcome::Done);
    assert_eq!(marked, session.marks_of(&["book"]));

    // What one text attached and wrote to.
    let mut session = Harness::new(Dialect::Sqlite);
    session.begin();
    session.run(&attach(Wide::Database), Outcome::Done);
    let stale = session.state.attached(&[other]);
    assert!(all.iter().all(|tag| stale.contains(*tag)));
    let marked = session.effect(COMMIT);
    assert!(all.iter().all(|tag| marked.contains(tag)));
}
