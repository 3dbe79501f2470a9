//! PostgreSQL: the system catalogs, over all schemas of users.

use std::collections::{BTreeMap, HashMap};

use kogia::core::{
    Cascade, Dialect, Function, Relation, RelationKind, Schema, Trigger, TriggerBody, Volatility,
    key_kind,
};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, FromRow};

use super::{folded, key, unknown_trigger};

/// The schema facts. They are read in several queries; a change of the schema between them moves
/// the schema epoch, and then the catalog is loaded again.
pub(crate) async fn load(connection: &mut PgConnection) -> Result<Schema, Error> {
    let mut tables: HashMap<i64, Relation> = HashMap::new();
    let mut order = Vec::new();
    for row in rows::<RelationRow>(connection, RELATIONS).await? {
        order.push(row.oid);
        tables.insert(row.oid, row.relation());
    }
    for (child, parent) in rows::<(i64, i64)>(connection, PARENTS).await? {
        let parent = tables.get(&parent).map(|parent| folded(&parent.name));
        if let (Some(child), Some(parent)) = (tables.get_mut(&child), parent) {
            child.parents.push(parent);
        }
    }
    for row in rows::<CascadeRow>(connection, CASCADES).await? {
        let table = tables
            .get(&row.referencing)
            .map(|table| folded(&table.name));
        if let (Some(relation), Some(table)) = (tables.get_mut(&row.referenced), table) {
            let columns = row.columns.iter().map(|column| folded(column)).collect();
            let (on_delete, on_update) = (row.on_delete, row.on_update);
            relation.cascades.push(Cascade {
                table,
                on_delete,
                on_update,
                columns,
            });
        }
    }
    for row in rows::<TriggerRow>(connection, TRIGGERS).await? {
        if let Some(relation) = tables.get_mut(&row.table) {
            relation.triggers.extend(row.trigger());
        }
    }
    for (oid, events) in rows::<(i64, String)>(connection, UNKNOWN).await? {
        if let Some(relation) = tables.get_mut(&oid) {
            let on = |event: char| events.contains(event);
            relation
                .triggers
                .push(unknown_trigger(on('i'), on('u'), on('d')));
        }
    }
    let mut functions: BTreeMap<Box<str>, Function> = BTreeMap::new();
    for (name, declared) in rows::<(String, String)>(connection, FUNCTIONS).await? {
        let volatility = match declared.as_str() {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        let function = functions
            .entry(folded(&name))
            .or_insert(Function { volatility });
        // A call does not show which of several functions of a name is meant.
        function.volatility = function.volatility.max(volatility);
    }
    Ok(Schema {
        loaded: true,
        relations: order
            .into_iter()
            .filter_map(|oid| tables.remove(&oid))
            .collect(),
        functions,
        ..Schema::unknown(Dialect::Postgres)
    })
}

async fn rows<T>(connection: &mut PgConnection, sql: &'static str) -> Result<Vec<T>, Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(sql)
        .persistent(false)
        .fetch_all(connection)
        .await
}

/// `pg_index` has one row for each key; only one column counts, and only a plain one: a generated
/// column changes without being assigned, and a name with capitals folds to that of another.
const RELATIONS: &str = r"
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
       c.relkind::text AS kind, c.relpersistence::text AS persistence,
       c.relrowsecurity AS row_security, c.relispartition AS partition,
       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition,
       a.attname::text AS key_name,
       format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END,
                   CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS key_type,
       COALESCE(l.collname, '')::text AS key_collation,
       COALESCE(l.collisdeterministic, true) AS key_deterministic,
       COALESCE(a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~
           '^(nextval\(|(\w+\.)?(gen_random_uuid|uuid_generate_v(1|1mc|4))\(\)$)', false) AS generated,
       EXISTS (SELECT FROM pg_index u
                WHERE u.indrelid = c.oid AND NOT u.indisprimary
                  AND (u.indisunique OR u.indisexclusion)) AS other_unique
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indnkeyatts = 1
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                          AND a.attgenerated = '' AND a.attname = lower(a.attname)
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY n.nspname, c.relname
";

#[derive(FromRow)]
struct RelationRow {
    oid: i64,
    schema: String,
    name: String,
    kind: String,
    persistence: String,
    row_security: bool,
    partition: bool,
    definition: Option<String>,
    key_name: Option<String>,
    key_type: Option<String>,
    key_collation: String,
    key_deterministic: bool,
    generated: bool,
    other_unique: bool,
}

impl RelationRow {
    fn relation(self) -> Relation {
        let kind = match self.kind.as_str() {
            "v" => RelationKind::View(self.definition.map(Into::into)),
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::Foreign,
            // After a crash an unlogged table is empty, and nobody says so.
            _ if self.persistence == "u" => RelationKind::Foreign,
            _ if self.partition => RelationKind::Partition,
            _ => RelationKind::Table,
        };
        let collation = Some(&*self.key_collation).filter(|name| !matches!(*name, "" | "default"));
        let key = self.key_name.zip(self.key_type).and_then(|(name, of)| {
            key_kind(Dialect::Postgres, &of, collation, self.key_deterministic)
                .and_then(|kind| key(&name, kind))
        });
        Relation {
            schema: Some(self.schema.into()),
            kind,
            key,
            other_unique: self.other_unique,
            generated_key: self.generated,
            row_security: self.row_security,
            ..Relation::table(&self.name)
        }
    }
}

const PARENTS: &str = r"
SELECT inhrelid::int8, inhparent::int8 FROM pg_inherits ORDER BY inhrelid, inhseqno
";

const CASCADES: &str = r"
SELECT c.conrelid::int8 AS referencing, c.confrelid::int8 AS referenced,
       c.confdeltype IN ('c', 'n', 'd') AS on_delete, c.confupdtype IN ('c', 'n', 'd') AS on_update,
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) AS k (number)
               JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number
              WHERE NOT EXISTS (SELECT FROM pg_attribute g
                                 WHERE g.attrelid = c.confrelid AND g.attnum = ANY (c.confkey)
                                   AND g.attgenerated <> '')
              ORDER BY a.attname) AS columns
  FROM pg_constraint c
 WHERE c.contype = 'f' AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
 ORDER BY c.conrelid::regclass::text, c.conname
";

#[derive(FromRow)]
struct CascadeRow {
    referencing: i64,
    referenced: i64,
    on_delete: bool,
    on_update: bool,
    columns: Vec<String>,
}

const TRIGGERS: &str = r"
SELECT t.tgrelid::int8 AS table, t.tgtype::int4 AS events, p.proname::text AS function,
       l.lanname::text AS language, p.prosrc AS source, n.nspname = 'pg_catalog' AS built_in
  FROM pg_trigger t
  JOIN pg_proc p ON p.oid = t.tgfoid
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
 ORDER BY t.tgrelid, t.tgname
";

#[derive(FromRow)]
struct TriggerRow {
    table: i64,
    events: i32,
    function: String,
    language: String,
    source: String,
    built_in: bool,
}

impl TriggerRow {
    /// The trigger, unless it is known to write nothing but the new row, and not its key.
    fn trigger(self) -> Option<Trigger> {
        let harmless = self.built_in
            && matches!(
                self.function.as_str(),
                "suppress_redundant_updates_trigger"
                    | "tsvector_update_trigger"
                    | "tsvector_update_trigger_column"
            );
        if harmless || self.language == "c" && self.source == "moddatetime" {
            return None;
        }
        let on = |bit: i32| self.events & bit != 0;
        // TRUNCATE (32) deletes all rows, without a trigger for each.
        let (on_insert, on_delete, on_update) = (on(4), on(8) || on(32), on(16));
        let body = match self.language.as_str() {
            "plpgsql" => TriggerBody::Statements(self.source.into()),
            _ => TriggerBody::Unknown,
        };
        Some(Trigger {
            on_insert,
            on_update,
            on_delete,
            body,
        })
    }
}

/// Rewrite rules, and defaults that call a function which may do anything.
const UNKNOWN: &str = r"
SELECT ev_class::int8, CASE ev_type WHEN '2' THEN 'u' WHEN '3' THEN 'i' WHEN '4' THEN 'd' ELSE 'iud' END
  FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_enabled <> 'D'
UNION
SELECT a.adrelid::int8, 'iu'
  FROM pg_attrdef a
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
                  AND d.refclassid = 'pg_proc'::regclass
  JOIN pg_proc p ON p.oid = d.refobjid
  JOIN pg_language l ON l.oid = p.prolang
 WHERE p.provolatile = 'v' AND l.lanname NOT IN ('c', 'internal')
 ORDER BY 1, 2
";

const FUNCTIONS: &str = r"
SELECT p.proname::text, CASE WHEN p.prokind = 'p' THEN 'v' ELSE p.provolatile::text END
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
";

#[cfg(test)]
mod tests {
    use kogia::core::KeyKind;
    use sqlx::Connection;

    use super::*;
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
        let schema = load(&mut connection).await.unwrap();
        assert_eq!(schema, load(&mut connection).await.unwrap());
        schema
    }

    fn relation<'a>(schema: &'a Schema, name: &str) -> &'a Relation {
        schema
            .relations
            .iter()
            .find(|relation| &*relation.name == name)
            .unwrap()
    }

    fn kind(schema: &Schema, name: &str) -> Option<KeyKind> {
        relation(schema, name).key.as_ref().map(|key| key.kind)
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
        assert_eq!(relation(&schema, "child").parents, ["parent".into()]);
        assert_eq!(relation(&schema, "part_1").parents, ["part".into()]);
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
                "\n               BEGIN NEW.updated = now(); RETURN NEW; END ".into(),
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
}
