//! Catalogs of MySQL and MariaDB.

use kogia::core::{Cascade, KeyKind, RelationKind, Schema, Trigger, TriggerBody, Volatility};
use sqlx::Connection;
use sqlx::mysql::{MySql, MySqlConnection};

use super::{relation, unknown_trigger};
use crate::introspect::catalog_of;
use crate::testing;

/// The catalog of a database of its own.
async fn catalog(name: &str, sql: &'static str) -> Schema {
    let mut connection = MySqlConnection::connect(&testing::mysql_url())
        .await
        .unwrap();
    let create = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}; USE {name}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let schema = catalog_of::<MySql>(&mut connection).await.unwrap();
    assert_eq!(schema, catalog_of::<MySql>(&mut connection).await.unwrap());
    schema
}

#[tokio::test]
async fn relations() {
    let schema = catalog(
        "kogia_catalog_relations",
        "CREATE TABLE auto_key (Id bigint unsigned AUTO_INCREMENT PRIMARY KEY, x int UNIQUE);
         CREATE TABLE bin_key (k varchar(20) COLLATE utf8mb4_bin PRIMARY KEY);
         CREATE TABLE loose_key (k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY);
         CREATE TABLE bytes_key (k varbinary(16) PRIMARY KEY);
         CREATE TABLE uuid_key (k binary(16) PRIMARY KEY DEFAULT (unhex(replace(uuid(), '-', ''))));
         CREATE TABLE prefix_key (k varchar(20) COLLATE utf8mb4_bin, PRIMARY KEY (k(3)));
         CREATE TABLE decimal_key (k decimal(10, 2) PRIMARY KEY);
         CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b));
         CREATE TABLE old (id int PRIMARY KEY) ENGINE = MyISAM;
         CREATE VIEW v AS SELECT k FROM bin_key WHERE k <> 'ä';",
    )
    .await;
    let key = |name: &str| relation(&schema, name).key.as_ref().map(|key| key.kind);
    let unsigned = KeyKind::BoundedInteger {
        min: 0,
        max: u64::MAX,
    };
    assert_eq!(schema.database.as_deref(), Some("kogia_catalog_relations"));
    let table = relation(&schema, "auto_key");
    assert!(table.generated_key && table.other_unique);
    assert_eq!(&*table.key.as_ref().unwrap().name, "id");
    assert_eq!(key("auto_key"), Some(unsigned));
    assert_eq!(key("bin_key"), Some(KeyKind::BoundedText(20)));
    assert!(!relation(&schema, "bin_key").other_unique);
    assert_eq!(key("bytes_key"), Some(KeyKind::BoundedBytes(16)));
    assert_eq!(key("uuid_key"), Some(KeyKind::FixedBytes(16)));
    for table in ["loose_key", "prefix_key", "decimal_key", "pair"] {
        assert_eq!(key(table), None, "{table}");
    }
    assert_eq!(relation(&schema, "old").kind, RelationKind::Foreign);
    let RelationKind::View(Some(query)) = &relation(&schema, "v").kind else {
        panic!()
    };
    assert!(query.contains("`bin_key`"), "{query}");
}

#[tokio::test]
async fn what_happens_behind_a_write() {
    let schema = catalog(
        "kogia_catalog_effects",
        "CREATE TABLE author (id int PRIMARY KEY, updated datetime);
         CREATE TABLE book (id int PRIMARY KEY, author int, FOREIGN KEY (author) REFERENCES author (id) ON DELETE CASCADE);
         CREATE TABLE prize (author int, FOREIGN KEY (author) REFERENCES author (id) ON UPDATE SET NULL);
         CREATE TABLE note (author int, FOREIGN KEY (author) REFERENCES author (id));
         CREATE TRIGGER touch BEFORE UPDATE ON author FOR EACH ROW SET NEW.updated = NOW();
         CREATE TRIGGER renumber BEFORE INSERT ON book FOR EACH ROW SET NEW.id = 7;
         CREATE FUNCTION pure_one() RETURNS int DETERMINISTIC NO SQL RETURN 1;
         CREATE FUNCTION reads_one() RETURNS int DETERMINISTIC READS SQL DATA RETURN 1;
         CREATE FUNCTION other_one() RETURNS int DETERMINISTIC RETURN 1;
         CREATE PROCEDURE act() SELECT 1;",
    )
    .await;
    let author = relation(&schema, "author");
    let cascade = |table: &str, on_delete, on_update| Cascade {
        table: table.into(),
        on_delete,
        on_update,
        columns: vec!["id".into()],
    };
    let expected = [cascade("book", true, false), cascade("prize", false, true)];
    assert_eq!(author.cascades, expected);
    let touch = Trigger {
        on_insert: false,
        on_update: true,
        on_delete: false,
        body: TriggerBody::Statements("SET NEW.updated = NOW()".into()),
    };
    assert_eq!(author.triggers, [touch]);
    let [renumber] = relation(&schema, "book").triggers.as_slice() else {
        panic!()
    };
    assert!(renumber.on_insert && !renumber.on_update && !renumber.on_delete);
    let volatility = |name: &str| schema.functions[name].volatility;
    assert_eq!(volatility("pure_one"), Volatility::Immutable);
    assert_eq!(volatility("reads_one"), Volatility::Stable);
    assert_eq!(volatility("other_one"), Volatility::Volatile);
    assert_eq!(volatility("act"), Volatility::Volatile);
}

#[tokio::test]
async fn foreign_keys_of_another_database_act_like_triggers() {
    let schema = catalog(
        "kogia_catalog_parent",
        "CREATE TABLE author (id int PRIMARY KEY);
         DROP DATABASE IF EXISTS kogia_catalog_child;
         CREATE DATABASE kogia_catalog_child;
         CREATE TABLE kogia_catalog_child.`b``k` (author int, FOREIGN KEY (author)
           REFERENCES kogia_catalog_parent.author (id) ON DELETE CASCADE);",
    )
    .await;
    let mut admin = MySqlConnection::connect(&testing::mysql_url())
        .await
        .unwrap();
    sqlx::raw_sql("DROP DATABASE kogia_catalog_child")
        .execute(&mut admin)
        .await
        .unwrap();
    let author = relation(&schema, "author");
    assert_eq!(author.cascades, []);
    let deletes = Trigger {
        body: TriggerBody::Statements("DELETE FROM `kogia_catalog_child`.`b``k`".into()),
        ..unknown_trigger(false, false, true)
    };
    assert_eq!(author.triggers, [deletes]);
    // The analysis sees that the other database is written.
    let id = kogia::core::DatabaseId::new("test");
    let statement = kogia::core::Analyzer::new(id, schema).analyze("DELETE FROM author");
    assert!(statement.effects.iter().any(|effect| matches!(
        effect,
        kogia::core::Effect::WritesOtherDatabase(name) if &**name == "kogia_catalog_child"
    )));
}

#[tokio::test]
async fn an_account_that_may_not_see_triggers_takes_each_table_to_have_one_that_may_do_anything() {
    catalog("kogia_catalog_blind", "CREATE TABLE a (id int PRIMARY KEY)").await;
    let mut admin = MySqlConnection::connect(&testing::mysql_url())
        .await
        .unwrap();
    let create = "CREATE USER IF NOT EXISTS kogia_blind@'%' IDENTIFIED BY 'kogia'; \
                  GRANT SELECT, INSERT ON kogia_catalog_blind.* TO kogia_blind@'%'";
    sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
    let url = testing::mysql_url().replace("//kogia:", "//kogia_blind:");
    let (server, _) = url.rsplit_once('/').unwrap();
    let url = format!("{server}/kogia_catalog_blind");
    let mut blind = MySqlConnection::connect(&url).await.unwrap();
    let schema = catalog_of::<MySql>(&mut blind).await.unwrap();
    let anything = Trigger {
        body: TriggerBody::ChangesSession,
        ..unknown_trigger(true, true, true)
    };
    assert_eq!(relation(&schema, "a").triggers, [anything]);
}
