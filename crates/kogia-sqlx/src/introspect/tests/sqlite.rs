//! Catalogs of SQLite.

use kogia::core::{Cascade, KeyKind, RelationKind, Schema, Trigger, TriggerBody};
use sqlx::Connection;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::{kind, relation, unknown_trigger};
use crate::introspect::catalog_of;

async fn catalog(sql: &'static str) -> Schema {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let schema = catalog_of::<Sqlite>(&mut connection).await.unwrap();
    assert_eq!(schema, catalog_of::<Sqlite>(&mut connection).await.unwrap());
    schema
}

#[tokio::test]
async fn keys() {
    let schema = catalog(
        "CREATE TABLE rowid (Id INTEGER PRIMARY KEY, x UNIQUE);
         CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT);
         CREATE TABLE plain (id INT PRIMARY KEY);
         CREATE TABLE text_key (k TEXT PRIMARY KEY) WITHOUT ROWID;
         CREATE TABLE nocase (k TEXT COLLATE NOCASE PRIMARY KEY);
         CREATE TABLE odd_key (k TEXT COLLATE NOCASE, PRIMARY KEY (k COLLATE BINARY));
         CREATE TABLE jealous (id INTEGER PRIMARY KEY, x UNIQUE ON CONFLICT REPLACE);
         CREATE TABLE blob_key (k BLOB PRIMARY KEY);
         CREATE TABLE real_key (k REAL PRIMARY KEY);
         CREATE TABLE pair (a INTEGER, b INTEGER, PRIMARY KEY (a, b));
         CREATE TABLE none (a TEXT);
         CREATE UNIQUE INDEX none_a ON none (a) WHERE a > '';
         CREATE TABLE strict_key (id INTEGER PRIMARY KEY) STRICT;",
    )
    .await;
    assert!(schema.loaded);
    assert_eq!(kind(&schema, "rowid"), Some(KeyKind::Integer));
    assert_eq!(
        &*relation(&schema, "rowid").key.as_ref().unwrap().name,
        "id"
    );
    assert!(relation(&schema, "rowid").generated_key);
    assert!(relation(&schema, "rowid").other_unique);
    assert!(relation(&schema, "auto").generated_key);
    assert!(!relation(&schema, "auto").other_unique);
    assert_eq!(kind(&schema, "plain"), Some(KeyKind::Integer));
    assert!(!relation(&schema, "plain").generated_key);
    assert_eq!(kind(&schema, "text_key"), Some(KeyKind::Text));
    assert_eq!(kind(&schema, "nocase"), None);
    assert_eq!(kind(&schema, "odd_key"), None);
    let unknown = unknown_trigger(true, true, false);
    assert_eq!(relation(&schema, "jealous").triggers, [unknown]);
    assert_eq!(relation(&schema, "plain").triggers, []);
    assert_eq!(kind(&schema, "blob_key"), Some(KeyKind::Bytes));
    assert_eq!(kind(&schema, "real_key"), None);
    assert_eq!(kind(&schema, "pair"), None);
    assert!(!relation(&schema, "pair").other_unique);
    assert_eq!(kind(&schema, "none"), None);
    assert!(relation(&schema, "none").other_unique);
    assert_eq!(kind(&schema, "strict_key"), Some(KeyKind::Integer));
}

#[tokio::test]
async fn cascades() {
    let schema = catalog(
        "CREATE TABLE author (id INTEGER PRIMARY KEY);
         CREATE TABLE Book (id INTEGER PRIMARY KEY, author REFERENCES AUTHOR ON DELETE CASCADE);
         CREATE TABLE prize (author REFERENCES author (Id) ON UPDATE SET NULL);
         CREATE TABLE note (author REFERENCES author ON DELETE RESTRICT);",
    )
    .await;
    let cascade = |table: &str, on_delete, on_update, columns: &[&str]| Cascade {
        table: table.into(),
        on_delete,
        on_update,
        columns: columns.iter().map(|column| (*column).into()).collect(),
    };
    let expected = [
        cascade("book", true, false, &[]),
        cascade("prize", false, true, &["id"]),
    ];
    assert_eq!(relation(&schema, "author").cascades, expected);
}

#[tokio::test]
async fn views_triggers_and_virtual_tables() {
    let schema = catalog(
        "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT);
         CREATE TABLE log (x);
         CREATE VIEW \"as\" (\"as\", b) AS SELECT id, (SELECT 1 AS x) FROM book;
         CREATE VIRTUAL TABLE search USING fts5 (title);
         CREATE TRIGGER \"insert\" AFTER DELETE ON book WHEN OLD.title <> 'BEGIN SELECT' BEGIN
           INSERT INTO log VALUES ('END'); DELETE FROM log WHERE x = CASE WHEN 1 THEN 2 END;
         END;
         CREATE TRIGGER t INSTEAD OF UPDATE OF b ON \"as\" BEGIN SELECT 1; END;",
    )
    .await;
    let view = relation(&schema, "as");
    let query = "SELECT id, (SELECT 1 AS x) FROM book";
    assert_eq!(view.kind, RelationKind::View(Some(query.into())));
    let body = "INSERT INTO log VALUES ('END'); DELETE FROM log WHERE x = CASE WHEN 1 THEN 2 END;";
    let expected = Trigger {
        on_insert: false,
        on_update: false,
        on_delete: true,
        body: TriggerBody::Statements(body.into()),
    };
    assert_eq!(relation(&schema, "book").triggers, [expected]);
    assert!(view.triggers[0].on_update);
    assert_eq!(relation(&schema, "search").kind, RelationKind::Foreign);
    assert!(
        schema
            .relations
            .iter()
            .all(|relation| !relation.name.starts_with("sqlite_"))
    );
}
