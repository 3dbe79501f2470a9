//! Which rows a write names by their keys, and which tags a call of it renews.

use super::*;
use crate::invalidation::written_tags;
use crate::lookup::DatabaseTags;
use crate::schema::{Cascade, Trigger, TriggerBody};
use crate::tag_names::TagNames;
use crate::value::{Parameter, Value};

/// The kind of an integer key as the catalog of the database gives it.
fn integer(dialect: Dialect) -> KeyKind {
    match dialect {
        MySql => KeyKind::BoundedInteger {
            min: -128,
            max: 127,
        },
        Postgres | Sqlite => KeyKind::Integer,
    }
}

fn keyed(name: &str, kind: KeyKind) -> Relation {
    let key = KeyColumn {
        name: "id".into(),
        kind,
    };
    Relation {
        key: Some(Arc::new(key)),
        ..Relation::table(name)
    }
}

/// `book`, whose keys the database generates, `plain`, whose keys it does not, and `unique`, which
/// has another unique index.
fn catalog(dialect: Dialect) -> Vec<Relation> {
    let book = Relation {
        generated_key: true,
        ..keyed("book", integer(dialect))
    };
    let unique = Relation {
        other_unique: true,
        ..keyed("unique", integer(dialect))
    };
    vec![book, keyed("plain", integer(dialect)), unique]
}

/// The tags besides `any` that a call renews, such as `book:id=7`.
fn renews(
    dialect: Dialect,
    relations: Vec<Relation>,
    sql: &str,
    parameters: &[Value<'_>],
) -> String {
    let mut schema = Schema::unknown(dialect);
    schema.loaded = true;
    schema.database = Some(if dialect == Sqlite { "main" } else { "shop" }.into());
    schema.relations = relations;
    let id = DatabaseId::new("shop");
    let statement = Analyzer::new(id.clone(), schema).analyze(sql);
    let database = DatabaseTags::new(&id);
    let parameters: Vec<_> = parameters
        .iter()
        .map(|value| Parameter::untyped(*value))
        .collect();
    let names = TagNames::new(&database, &statement, &parameters);
    let tags = written_tags(&database, &statement, &parameters);
    let mut shown: Vec<String> = tags
        .as_slice()
        .iter()
        .map(|tag| names.name(*tag))
        .filter(|name| name != "commit" && !name.ends_with(":any"))
        .collect();
    shown.sort();
    shown.join(" ")
}

/// Checks what calls renew in [`catalog`].
#[track_caller]
fn assert_renews(dialects: &[Dialect], cases: &[(&str, &[Value<'_>], &str)]) {
    for &dialect in dialects {
        for (sql, parameters, expected) in cases {
            let sql = if dialect == Postgres {
                sql.replacen('?', "$1", 1).replacen('?', "$2", 1)
            } else {
                (*sql).to_owned()
            };
            assert_eq!(
                renews(dialect, catalog(dialect), &sql, parameters),
                *expected,
                "{dialect}: {sql} {parameters:?}"
            );
        }
    }
}

#[test]
fn keys_that_are_given_are_named() {
    let (seven, text) = (Value::Int(7), Value::Text("x"));
    assert_renews(
        ALL,
        &[
            ("INSERT INTO book (id, v) VALUES (7, 1)", &[], "book:id=7"),
            (
                "INSERT INTO book (v, id) VALUES (?, ?)",
                &[text, seven],
                "book:id=7",
            ),
            (
                "INSERT INTO book (id) VALUES (7), (?)",
                &[Value::Int(8)],
                "book:id=7 book:id=8",
            ),
            (
                "UPDATE book SET v = ? WHERE id = ?",
                &[text, seven],
                "book:id=7",
            ),
            ("DELETE FROM book WHERE id = ?", &[seven], "book:id=7"),
            (
                "DELETE FROM book WHERE id IN (?, ?)",
                &[seven, Value::Int(8)],
                "book:id=7 book:id=8",
            ),
            ("INSERT INTO book (v) VALUES (1)", &[], "book:ins"),
            (
                "UPDATE book SET id = ? WHERE id = 1",
                &[seven],
                "book:id=1 book:id=7",
            ),
        ],
    );
}

#[test]
fn keys_that_are_not_known_are_broad() {
    let many: Vec<String> = (0..65).map(|id| format!("({id})")).collect();
    let many = format!("INSERT INTO book (id) VALUES {}", many.join(", "));
    assert_renews(
        ALL,
        &[
            ("INSERT INTO book VALUES (7, 1)", &[], "book:broad"),
            (
                "INSERT INTO book (id) SELECT id FROM plain",
                &[],
                "book:broad",
            ),
            ("INSERT INTO book (id) VALUES (3 + 4)", &[], "book:broad"),
            (
                "INSERT INTO book (id) VALUES (7), (3 + 4)",
                &[],
                "book:broad",
            ),
            ("INSERT INTO plain (v) VALUES (1)", &[], "plain:broad"),
            (
                "INSERT INTO book (id) VALUES (?)",
                &[Value::Text("7")],
                "book:broad",
            ),
            (
                "INSERT INTO book (id) VALUES (?)",
                &[Value::Float(7.0)],
                "book:broad",
            ),
            ("INSERT INTO book (id) VALUES ('7')", &[], "book:broad"),
            (&many, &[], "book:broad"),
            (
                "UPDATE book SET id = id + 1 WHERE id = 7",
                &[],
                "book:broad",
            ),
            (
                "UPDATE book SET id = DEFAULT WHERE id = 7",
                &[],
                "book:broad",
            ),
            ("UPDATE book SET v = 1", &[], "book:broad"),
        ],
    );
}

#[test]
fn a_key_that_is_given_twice_is_broad() {
    assert_renews(
        ALL,
        &[
            (
                "INSERT INTO book (id, id, v) VALUES (1, 2, 3)",
                &[],
                "book:broad",
            ),
            (
                "UPDATE book SET id = 7, id = 8 WHERE id = 1",
                &[],
                "book:broad",
            ),
        ],
    );
    assert_renews(
        &[MySql],
        &[("INSERT INTO book SET id = 1, id = 2", &[], "book:broad")],
    );
}

#[test]
fn null_and_zero_may_make_the_database_generate_the_key() {
    assert_renews(
        ALL,
        &[
            ("INSERT INTO book (id) VALUES (NULL)", &[], "book:ins"),
            (
                "INSERT INTO book (id) VALUES (?), (7)",
                &[Value::Null],
                "book:id=7 book:ins",
            ),
        ],
    );
    let zero = Value::Int(0);
    let insert = "INSERT INTO book (id) VALUES (?)";
    assert_renews(&[Postgres, Sqlite], &[(insert, &[zero], "book:id=0")]);
    assert_renews(
        &[MySql],
        &[
            (insert, &[zero], "book:id=0 book:ins"),
            (
                "INSERT INTO book (id) VALUES (0)",
                &[],
                "book:id=0 book:ins",
            ),
            ("INSERT INTO book SET id = 0", &[], "book:id=0 book:ins"),
            // The generated key may be that of a row which was moved there.
            (
                "REPLACE INTO book (id) VALUES (?)",
                &[zero],
                "book:broad book:id=0",
            ),
            (
                "REPLACE INTO book (id) VALUES (?)",
                &[Value::Null],
                "book:broad",
            ),
            ("REPLACE INTO book (v) VALUES (1)", &[], "book:broad"),
            (
                "INSERT INTO book (id) VALUES (?) ON DUPLICATE KEY UPDATE v = 1",
                &[Value::Null],
                "book:broad",
            ),
        ],
    );
}

#[test]
fn what_mysql_makes_fit_its_column_is_broad() {
    for verb in ["INSERT", "INSERT IGNORE", "REPLACE"] {
        let sql = format!("{verb} INTO plain (id, v) VALUES (?, 1)");
        assert_renews(
            &[MySql],
            &[
                (&sql, &[Value::Int(127)], "plain:id=127"),
                (&sql, &[Value::Int(-128)], "plain:id=-128"),
                (&sql, &[Value::Int(128)], "plain:broad"),
                (&sql, &[Value::Int(-129)], "plain:broad"),
                (&sql, &[Value::UInt(u64::MAX)], "plain:broad"),
            ],
        );
    }
    assert_renews(
        &[MySql],
        &[
            (
                "UPDATE IGNORE plain SET id = 300 WHERE id = 1",
                &[],
                "plain:broad plain:id=1",
            ),
            (
                "UPDATE IGNORE plain SET id = 3 WHERE id = 1",
                &[],
                "plain:id=1 plain:id=3",
            ),
            (
                "UPDATE plain SET id = '3x' WHERE id = 1",
                &[],
                "plain:broad plain:id=1",
            ),
            (
                "INSERT IGNORE INTO plain (id) VALUES (400) ON DUPLICATE KEY UPDATE v = 3",
                &[],
                "plain:broad",
            ),
            (
                "INSERT INTO plain (id) VALUES (4) ON DUPLICATE KEY UPDATE v = 3",
                &[],
                "plain:id=4",
            ),
            (
                "LOAD DATA INFILE 'x' IGNORE INTO TABLE plain",
                &[],
                "plain:broad",
            ),
            ("DELETE QUICK FROM plain WHERE id = 3", &[], "plain:id=3"),
            (
                "DELETE LOW_PRIORITY QUICK IGNORE FROM plain WHERE id = 3",
                &[],
                "plain:id=3",
            ),
            (
                "UPDATE LOW_PRIORITY IGNORE plain SET v = 1 WHERE id = 3",
                &[],
                "plain:id=3",
            ),
            (
                "INSERT LOW_PRIORITY IGNORE INTO plain (id) VALUES (3)",
                &[],
                "plain:id=3",
            ),
        ],
    );
}

#[test]
fn texts_and_bytes_of_mysql_must_fit_their_column() {
    let text = |value| (KeyKind::BoundedText(3), Value::Text(value));
    let cases = [
        (text("abc"), "plain:id=abc"),
        (text("abcd"), "plain:broad"),
        // Of blanks that do not fit nothing is left.
        (text("abc  "), "plain:id=abc"),
        // The column's character set may not have it.
        (text("é"), "plain:broad"),
        (text(""), "plain:broad"),
        (
            (KeyKind::BoundedBytes(2), Value::Bytes(b"ab")),
            "plain:id=0x6162",
        ),
        (
            (KeyKind::BoundedBytes(2), Value::Bytes(b"abc")),
            "plain:broad",
        ),
        (
            (KeyKind::FixedBytes(2), Value::Bytes(b"ab")),
            "plain:id=0x6162",
        ),
        // It is padded with zero bytes.
        ((KeyKind::FixedBytes(2), Value::Bytes(b"a")), "plain:broad"),
        ((KeyKind::Uuid, Value::Text("abc")), "plain:broad"),
    ];
    for ((kind, value), expected) in cases {
        let relations = vec![keyed("plain", kind)];
        let sql = "REPLACE INTO plain (id) VALUES (?)";
        let renewed = renews(MySql, relations, sql, &[value]);
        assert_eq!(renewed, expected, "{kind:?} {value:?}");
    }
    let same = |one: &str, other: &str, kind| {
        let key = KeyColumn {
            name: "id".into(),
            kind,
        };
        let form = |text| crate::canonical::canonical(&key, &Value::Text(text)).unwrap();
        form(one) == form(other)
    };
    assert!(same("ab", "ab ", KeyKind::BoundedText(3)));
    assert!(same("ab", "ab ", KeyKind::PaddedText));
    assert!(!same("ab", "ab ", KeyKind::Text));
}

#[test]
fn integers_that_sqlite_takes_for_floats_have_no_form() {
    let sql = "UPDATE plain SET v = 2 WHERE id = 9223372036854775809";
    assert_renews(&[Sqlite, Postgres], &[(sql, &[], "plain:broad")]);
    let sql = "INSERT INTO plain (id) VALUES (?)";
    assert_renews(&[Sqlite], &[(sql, &[Value::UInt(1 << 63)], "plain:broad")]);
}

#[test]
fn the_row_id_has_several_names() {
    assert_renews(
        &[Sqlite],
        &[
            (
                "INSERT INTO book (rowid, v) VALUES (7, 1)",
                &[],
                "book:broad",
            ),
            (
                "INSERT INTO book (oid, id) VALUES (7, 8)",
                &[],
                "book:broad",
            ),
            (
                "UPDATE book SET _rowid_ = 8 WHERE id = 7",
                &[],
                "book:broad",
            ),
            ("UPDATE book SET v = 8 WHERE rowid = 7", &[], "book:broad"),
            ("DELETE FROM book WHERE oid = 7", &[], "book:broad"),
        ],
    );
}

#[test]
fn identities_of_postgres_may_override_what_is_given() {
    for clause in ["OVERRIDING USER VALUE", "OVERRIDING SYSTEM VALUE"] {
        // The parser does not know them.
        let sql = format!("INSERT INTO book (id, v) {clause} VALUES (77, 9)");
        assert_renews(&[Postgres], &[(&sql, &[], "database")]);
    }
    assert_renews(
        &[Postgres, MySql],
        &[
            (
                "INSERT INTO book (id, v) VALUES (DEFAULT, 9)",
                &[],
                "book:ins",
            ),
            (
                "INSERT INTO plain (id, v) VALUES (DEFAULT, 9)",
                &[],
                "plain:broad",
            ),
        ],
    );
}

#[test]
fn an_upsert_names_its_row_only_by_the_primary_key() {
    assert_renews(
        &[Postgres, Sqlite],
        &[
            (
                "INSERT INTO unique (id, v) VALUES (7, 1) ON CONFLICT (id) DO UPDATE SET v = 1",
                &[],
                "unique:id=7",
            ),
            (
                "INSERT INTO unique (id, v) VALUES (7, 1) ON CONFLICT (v) DO UPDATE SET v = 1",
                &[],
                "unique:broad",
            ),
            (
                "INSERT INTO book (id, v) VALUES (7, 1) ON CONFLICT (id) DO UPDATE SET id = 8",
                &[],
                "book:broad",
            ),
            (
                "INSERT INTO unique (id, v) VALUES (7, 1) ON CONFLICT DO NOTHING",
                &[],
                "unique:id=7",
            ),
        ],
    );
    assert_renews(
        &[MySql],
        &[
            (
                "INSERT INTO unique (id) VALUES (7) ON DUPLICATE KEY UPDATE v = 1",
                &[],
                "unique:broad",
            ),
            (
                "INSERT INTO book (id) VALUES (7) ON DUPLICATE KEY UPDATE id = 8",
                &[],
                "book:broad",
            ),
        ],
    );
    assert_renews(
        &[MySql, Sqlite],
        &[
            ("REPLACE INTO book (id) VALUES (7)", &[], "book:id=7"),
            ("REPLACE INTO unique (id) VALUES (7)", &[], "unique:broad"),
        ],
    );
    assert_renews(
        &[Sqlite],
        &[(
            "UPDATE OR REPLACE unique SET v = 1 WHERE id = 7",
            &[],
            "unique:broad",
        )],
    );
}

#[test]
fn a_changed_key_cascades() {
    for &dialect in ALL {
        let mut relations = catalog(dialect);
        relations[0].cascades = vec![Cascade {
            table: "plain".into(),
            on_delete: false,
            on_update: true,
            columns: vec!["id".into()],
        }];
        let moved = renews(
            dialect,
            relations.clone(),
            "UPDATE book SET id = 8 WHERE id = 7",
            &[],
        );
        assert_eq!(moved, "book:id=7 book:id=8 plain:broad", "{dialect}");
        let sql = "UPDATE book SET v = 8 WHERE id = 7";
        assert_eq!(renews(dialect, relations, sql, &[]), "book:id=7");
    }
}

#[test]
fn a_view_may_give_the_key_another_name() {
    for &dialect in ALL {
        let mut relations = catalog(dialect);
        relations[0].cascades = vec![Cascade {
            table: "plain".into(),
            on_delete: false,
            on_update: true,
            columns: vec!["id".into()],
        }];
        relations.push(Relation {
            kind: RelationKind::View(Some("SELECT id AS number, v FROM book".into())),
            ..Relation::table("shelf")
        });
        let renewed = renews(
            dialect,
            relations,
            "UPDATE shelf SET number = 8 WHERE number = 7",
            &[],
        );
        assert_eq!(renewed, "book:broad plain:broad", "{dialect}");
    }
}

#[test]
fn a_trigger_may_mean_a_variable_by_the_name_of_the_key() {
    let body = "DECLARE id INT DEFAULT 7; UPDATE plain SET v = 1 WHERE id = 7";
    let mut relations = catalog(MySql);
    relations[0].triggers = vec![Trigger {
        on_insert: true,
        on_update: false,
        on_delete: false,
        body: TriggerBody::Statements(format!("BEGIN {body}; END").into()),
    }];
    let renewed = renews(MySql, relations, "INSERT INTO book (id) VALUES (1)", &[]);
    assert_eq!(renewed, "book:id=1 plain:broad");
}

#[test]
fn triggers_of_spatialite_write_to_the_index_that_they_name() {
    let cases = [
        (
            "SELECT RTreeAlign('plain', NEW.ROWID, NEW.\"g\")",
            "book:id=1 plain:broad",
        ),
        (
            "SELECT RTreeAlign('plain', f(NEW.ROWID), 1)",
            "book:id=1 database",
        ),
        (
            "SELECT RTreeAlign(NEW.v, NEW.ROWID, 1)",
            "book:id=1 database",
        ),
        (
            "SELECT RTreeAlign('plain', 1, 1) FROM plain",
            "book:id=1 database",
        ),
    ];
    for (body, expected) in cases {
        let mut relations = catalog(Sqlite);
        relations[0].triggers = vec![Trigger {
            on_insert: true,
            on_update: false,
            on_delete: false,
            body: TriggerBody::Statements(format!("BEGIN {body}; END").into()),
        }];
        let renewed = renews(Sqlite, relations, "INSERT INTO book (id) VALUES (1)", &[]);
        assert_eq!(renewed, expected, "{body}");
    }
    // By hand it is a function that nobody knows.
    let statement = analyze(Sqlite, "SELECT RTreeAlign('plain', 1, 1)");
    assert!(!statement.is_cacheable() && statement.wide.database());
}

#[test]
fn sequences_are_tables_to_whoever_knows_no_catalog() {
    for sql in ["SELECT nextval('s')", "SELECT setval('s', 7)"] {
        let statement = bare(Postgres).analyze(sql);
        assert!(statement.wide.database(), "{sql}");
    }
    assert!(
        bare(Postgres)
            .analyze("SELECT last_value FROM s")
            .is_cacheable()
    );
    assert!(!analyze(Postgres, "SELECT nextval('s')").is_write());
    assert!(!analyze(Postgres, "SELECT last_value FROM s").is_cacheable());
}

#[test]
fn functions_of_users_count_as_the_worse_of_both() {
    let mut schema = shop(Postgres).schema().clone();
    let volatile = Function {
        volatility: Volatility::Volatile,
        changes_session: false,
    };
    schema.functions.insert("lower".into(), volatile);
    let analyzer = Analyzer::new(DatabaseId::new("shop"), schema);
    let statement = analyzer.analyze("SELECT lower(title) FROM book");
    assert!(!statement.is_cacheable() && statement.is_write());
    // Stored functions of MySQL have other names, or are qualified.
    let statement = analyze(MySql, "SELECT shop.lower(title) FROM book");
    assert!(!statement.is_cacheable());
}

#[test]
fn triggers_that_change_the_key_or_do_more_than_is_known() {
    let trigger = |body| Trigger {
        on_insert: true,
        on_update: true,
        on_delete: false,
        body,
    };
    let plpgsql = |text: &str| TriggerBody::Statements(format!("BEGIN {text} END").into());
    let cases = [
        (plpgsql("NEW.v := 1; RETURN NEW;"), "book:id=1"),
        (plpgsql("NEW.id := 7; RETURN NEW;"), "book:broad"),
        (plpgsql("NEW := f(NEW); RETURN NEW;"), "book:id=1 database"),
        (plpgsql("RETURN other;"), "book:id=1 database"),
        (
            plpgsql("SELECT 1, 7 INTO NEW; RETURN NEW;"),
            "book:id=1 database",
        ),
        // A rewrite rule.
        (TriggerBody::Unknown, "book:id=1 database"),
    ];
    for (body, expected) in cases {
        let mut relations = catalog(Postgres);
        relations[0].triggers = vec![trigger(body.clone())];
        let sql = "INSERT INTO book (id) VALUES (1)";
        let renewed = renews(Postgres, relations, sql, &[]);
        assert_eq!(renewed, expected, "{body:?}");
    }
}

#[test]
fn triggers_may_change_the_session() {
    // By a function that does, or by themselves.
    let cases = [
        (true, TriggerBody::Unknown, true),
        (false, TriggerBody::Unknown, false),
        (false, TriggerBody::ChangesSession, true),
    ];
    for (changes_session, body, expected) in cases {
        let mut relations = catalog(Postgres);
        relations[0].triggers = vec![Trigger {
            on_insert: true,
            on_update: true,
            on_delete: true,
            body: body.clone(),
        }];
        let mut schema = shop(Postgres).schema().clone();
        schema.relations = relations;
        let function = Function {
            volatility: Volatility::Volatile,
            changes_session,
        };
        schema.functions.insert("f".into(), function);
        let analyzer = Analyzer::new(DatabaseId::new("shop"), schema);
        let statement = analyzer.analyze("DELETE FROM book WHERE id = 1");
        assert_eq!(statement.wide, crate::Wide::Database);
        let is_taint = |effect: &crate::Effect| matches!(effect, crate::Effect::Taint { .. });
        assert_eq!(statement.effects.iter().any(is_taint), expected, "{body:?}");
    }
}
