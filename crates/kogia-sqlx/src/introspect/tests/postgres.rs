//! Catalogs of PostgreSQL.

use kogia::core::{
    Cascade, KeyKind, Relation, RelationKind, Schema, Trigger, TriggerBody, Volatility,
};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, Postgres};

use super::{kind, relation, unknown_trigger};
use crate::introspect::catalog_of;
use crate::testing;

/// The catalog of a database of its own.
async fn catalog(name: &str, sql: &'static str) -> Schema {
    let url = testing::postgres_url();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    for statement in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
        let statement = sqlx::AssertSqlSafe(format!("{statement} {name}"));
        sqlx::raw_sql(statement).execute(&mut admin).await.unwrap();
    }
    let (server, _) = url.rsplit_once('/').unwrap();
    let mut connection = PgConnection::connect(&format!("{server}/{name}"))
        .await
        .unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let schema = catalog_of::<Postgres>(&mut connection).await.unwrap();
    assert_eq!(
        schema,
        catalog_of::<Postgres>(&mut connection).await.unwrap()
    );
    schema
}

#[tokio::test]
async fn relations() {
    let schema = catalog(
        "kogia_catalog_relations",
        "CREATE TABLE capital_key (\"Id\" int PRIMARY KEY, id int);
         CREATE TABLE twice_key (v int, id int GENERATED ALWAYS AS (v * 2) STORED PRIMARY KEY);
         CREATE TABLE serial_key (id bigserial PRIMARY KEY, x int UNIQUE);
         CREATE TABLE identity_key (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
         CREATE TABLE uuid_key (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
         CREATE TABLE text_key (k text PRIMARY KEY);
         CREATE TABLE short_key (k varchar(5) COLLATE \"C\" PRIMARY KEY);
         CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE loose_key (k text COLLATE loose PRIMARY KEY);
         CREATE TABLE char_key (k char(3) PRIMARY KEY);
         CREATE TABLE numeric_key (k numeric PRIMARY KEY);
         CREATE DOMAIN small_int AS smallint CHECK (value > 0);
         CREATE TABLE domain_key (k small_int PRIMARY KEY);
         CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b));
         CREATE TABLE parent (id int PRIMARY KEY);
         CREATE TABLE child (extra int) INHERITS (parent);
         CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
         CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
         CREATE SCHEMA tenant;
         CREATE TABLE tenant.text_key (id int PRIMARY KEY);
         CREATE VIEW v AS SELECT k FROM text_key;
         CREATE MATERIALIZED VIEW m AS SELECT k FROM text_key;
         CREATE TEMPORARY TABLE mine (id int);
         ALTER TABLE pair ENABLE ROW LEVEL SECURITY;",
    )
    .await;
    let table = relation(&schema, "serial_key");
    assert_eq!(table.schema.as_deref(), Some("public"));
    assert_eq!(&*table.key.as_ref().unwrap().name, "id");
    assert!(table.generated_key && table.other_unique);
    assert_eq!(kind(&schema, "identity_key"), Some(KeyKind::Integer));
    assert!(relation(&schema, "identity_key").generated_key);
    assert_eq!(kind(&schema, "uuid_key"), Some(KeyKind::Uuid));
    assert!(relation(&schema, "uuid_key").generated_key);
    let text = |schema_name: &str| {
        let is_it = |relation: &&Relation| {
            &*relation.name == "text_key" && relation.schema.as_deref() == Some(schema_name)
        };
        schema
            .relations
            .iter()
            .find(is_it)
            .unwrap()
            .key
            .as_ref()
            .unwrap()
            .kind
    };
    assert_eq!(text("public"), KeyKind::Text);
    assert_eq!(text("tenant"), KeyKind::Integer);
    assert_eq!(kind(&schema, "short_key"), Some(KeyKind::PaddedText));
    for table in [
        "capital_key",
        "twice_key",
        "loose_key",
        "char_key",
        "numeric_key",
        "pair",
        "child",
    ] {
        assert_eq!(kind(&schema, table), None, "{table}");
    }
    assert_eq!(kind(&schema, "domain_key"), Some(KeyKind::Integer));
    assert!(relation(&schema, "pair").row_security);
    assert_eq!(
        relation(&schema, "child").parents,
        [Box::<str>::from("parent")]
    );
    assert_eq!(
        relation(&schema, "part_1").parents,
        [Box::<str>::from("part")]
    );
    assert_eq!(relation(&schema, "part_1").kind, RelationKind::Partition);
    assert_eq!(relation(&schema, "part").kind, RelationKind::Table);
    assert_eq!(kind(&schema, "part"), Some(KeyKind::Integer));
    assert_eq!(kind(&schema, "part_1"), Some(KeyKind::Integer));
    assert_eq!(relation(&schema, "scratch").kind, RelationKind::Foreign);
    let RelationKind::View(Some(query)) = &relation(&schema, "v").kind else {
        panic!()
    };
    assert!(query.contains("FROM text_key"), "{query}");
    assert_eq!(relation(&schema, "m").kind, RelationKind::MaterializedView);
    assert!(
        schema
            .relations
            .iter()
            .all(|relation| &*relation.name != "mine")
    );
}

#[tokio::test]
async fn what_happens_behind_a_write() {
    let schema = catalog(
        "kogia_catalog_effects",
        "CREATE TABLE author (id int PRIMARY KEY, updated timestamptz);
         CREATE TABLE book (id int PRIMARY KEY, author int REFERENCES author ON DELETE CASCADE,
                            words tsvector, title text);
         CREATE TABLE prize (author int REFERENCES author ON UPDATE SET NULL);
         CREATE TABLE note (author int REFERENCES author);
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.updated = now(); RETURN NEW; END $$;
         CREATE FUNCTION renumber() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.id = 7; RETURN NEW; END $$;
         CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON author FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE TRIGGER renumber BEFORE INSERT ON book FOR EACH ROW EXECUTE FUNCTION renumber();
         CREATE TRIGGER words BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION
           tsvector_update_trigger(words, 'pg_catalog.english', title);
         CREATE TRIGGER off BEFORE DELETE ON book FOR EACH ROW EXECUTE FUNCTION renumber();
         ALTER TABLE book DISABLE TRIGGER off;
         CREATE RULE archive AS ON DELETE TO prize DO ALSO DELETE FROM note;
         CREATE FUNCTION worst(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
         CREATE FUNCTION worst(text) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
         CREATE FUNCTION stable() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
         CREATE PROCEDURE act() LANGUAGE sql AS 'SELECT 1';
         CREATE TABLE sly (id int PRIMARY KEY, x int DEFAULT worst('a'));",
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
        on_insert: true,
        on_update: true,
        on_delete: false,
        body: TriggerBody::Statements(
            "\n           BEGIN NEW.updated = now(); RETURN NEW; END ".into(),
        ),
    };
    assert_eq!(author.triggers, [touch]);
    let [renumber] = relation(&schema, "book").triggers.as_slice() else {
        panic!()
    };
    assert!(renumber.on_insert && !renumber.on_update && !renumber.on_delete);
    assert_eq!(
        relation(&schema, "prize").triggers,
        [unknown_trigger(false, false, true)]
    );
    assert_eq!(
        relation(&schema, "sly").triggers,
        [unknown_trigger(true, true, false)]
    );
    let volatility = |name: &str| schema.functions[name].volatility;
    assert_eq!(volatility("worst"), Volatility::Volatile);
    assert_eq!(volatility("stable"), Volatility::Stable);
    assert_eq!(volatility("act"), Volatility::Volatile);
}
