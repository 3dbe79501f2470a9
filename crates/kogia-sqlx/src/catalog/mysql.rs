//! MySQL and MariaDB: the information schema, over the current database.

use std::collections::{BTreeMap, HashMap};

use kogia::core::{
    Cascade, Dialect, Function, Relation, RelationKind, Schema, Trigger, TriggerBody, Volatility,
    key_kind,
};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Error, Row};

use super::{folded, key, unknown_trigger};

/// The schema facts. They are read in several queries; a change of the schema between them moves
/// the schema epoch, and then the catalog is loaded again.
pub(crate) async fn load(connection: &mut MySqlConnection) -> Result<Schema, Error> {
    let current = rows(connection, CURRENT, 2).await?;
    let [database, sees_triggers] = current
        .first()
        .cloned()
        .unwrap_or_default()
        .try_into()
        .unwrap_or_else(|_| [String::new(), String::new()]);
    let mut tables: HashMap<String, Relation> = HashMap::new();
    let mut order = Vec::new();
    for row in rows(connection, TABLES, 4).await? {
        let [name, kind, engine, definition] = row.as_slice() else {
            continue;
        };
        let kind = match kind.as_str() {
            "VIEW" => RelationKind::View(
                Some(&**definition)
                    .filter(|text| !text.is_empty())
                    .map(Into::into),
            ),
            "BASE TABLE" | "SYSTEM VERSIONED" => table_kind(engine),
            // A sequence, or something that a later server has: not listed, so never cached.
            _ => continue,
        };
        order.push(name.clone());
        let relation = Relation {
            schema: Some(database.as_str().into()),
            kind,
            ..Relation::table(name)
        };
        tables.insert(name.clone(), relation);
    }
    for row in rows(connection, UNIQUE, 8).await? {
        let [
            table,
            index,
            columns,
            name,
            of,
            collation,
            extra,
            expression,
        ] = row.as_slice()
        else {
            continue;
        };
        let Some(relation) = tables.get_mut(table) else {
            continue;
        };
        if index != "PRIMARY" {
            relation.other_unique = true;
        } else if columns == "1" && expression.is_empty() {
            let collation = Some(&**collation).filter(|name| !name.is_empty());
            relation.key =
                key_kind(Dialect::MySql, of, collation, true).and_then(|kind| key(name, kind));
            relation.generated_key = extra.contains("auto_increment");
        }
    }
    for row in rows(connection, CASCADES, 6).await? {
        let [table, referenced, on_delete, on_update, columns, schema] = row.as_slice() else {
            continue;
        };
        let acts = |action: &str| !matches!(action, "NO ACTION" | "RESTRICT");
        if *schema != database {
            // A foreign key of another database of the server: what it does there counts as done
            // by a trigger.
            let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
            let write = format!("DELETE FROM {}.{}", quoted(schema), quoted(table));
            let trigger = Trigger {
                body: TriggerBody::Statements(write.into()),
                ..unknown_trigger(false, acts(on_update), acts(on_delete))
            };
            if let Some(relation) = tables.get_mut(referenced) {
                relation.triggers.push(trigger);
            }
            continue;
        }
        let cascade = Cascade {
            table: folded(table),
            on_delete: acts(on_delete),
            on_update: acts(on_update),
            columns: columns
                .split('\n')
                .filter(|column| !column.is_empty())
                .map(folded)
                .collect(),
        };
        if let Some(relation) = tables
            .get_mut(referenced)
            .filter(|_| cascade.on_delete || cascade.on_update)
        {
            relation.cascades.push(cascade);
        }
    }
    for row in rows(connection, TRIGGERS, 4).await? {
        let [table, event, body, mode] = row.as_slice() else {
            continue;
        };
        if let Some(relation) = tables.get_mut(table) {
            relation.triggers.push(trigger(event, body, mode));
        }
    }
    if sees_triggers != "1" {
        tracing::warn!(
            database,
            "the account may not see triggers, so every write counts as one that may change any \
             table: grant it TRIGGER on the database"
        );
        for relation in tables.values_mut() {
            relation.triggers.push(unknown_trigger(true, true, true));
        }
    }
    let mut functions: BTreeMap<Box<str>, Function> = BTreeMap::new();
    for row in rows(connection, FUNCTIONS, 4).await? {
        let [name, kind, deterministic, access] = row.as_slice() else {
            continue;
        };
        let volatility = match (kind.as_str(), deterministic.as_str(), access.as_str()) {
            ("FUNCTION", "YES", "NO SQL") => Volatility::Immutable,
            ("FUNCTION", _, "NO SQL" | "READS SQL DATA") => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        let function = functions
            .entry(folded(name))
            .or_insert(Function { volatility });
        function.volatility = function.volatility.max(volatility);
    }
    Ok(Schema {
        loaded: true,
        database: Some(database.into()),
        relations: order
            .into_iter()
            .filter_map(|name| tables.remove(&name))
            .collect(),
        functions,
        ..Schema::unknown(Dialect::MySql)
    })
}

/// A column as text. The information schema gives text in many types, some of them binary.
pub(crate) fn text(row: &MySqlRow, index: usize) -> Result<String, Error> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(index)?;
    Ok(String::from_utf8(bytes.unwrap_or_default())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

async fn rows(
    connection: &mut MySqlConnection,
    sql: &'static str,
    columns: usize,
) -> Result<Vec<Vec<String>>, Error> {
    let rows = sqlx::query(sql)
        .persistent(false)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| (0..columns).map(|index| text(row, index)).collect())
        .collect()
}

/// What a table of this engine is. Without transactions its writes show before they are
/// committed, or survive a rollback, or it is empty after a restart: never cached.
fn table_kind(engine: &str) -> RelationKind {
    match engine.to_ascii_lowercase().as_str() {
        "innodb" | "rocksdb" | "tokudb" | "ndb" | "ndbcluster" => RelationKind::Table,
        _ => RelationKind::Foreign,
    }
}

fn trigger(event: &str, body: &str, mode: &str) -> Trigger {
    // Under these modes a text means something else than the analysis reads.
    let misread = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ORACLE", "MSSQL"];
    let mut trigger = unknown_trigger(event == "INSERT", event == "UPDATE", event == "DELETE");
    if !mode.split(',').any(|mode| misread.contains(&mode)) {
        trigger.body = TriggerBody::Statements(body.into());
    }
    trigger
}

/// The database, and whether the account holds the privilege to see its triggers.
const CURRENT: &str = r"
SELECT DATABASE(), CAST(EXISTS (
  SELECT 1 FROM (
    SELECT grantee, privilege_type FROM information_schema.user_privileges
    UNION ALL
    SELECT grantee, privilege_type FROM information_schema.schema_privileges
     WHERE DATABASE() LIKE table_schema
  ) AS granted
  WHERE privilege_type = 'TRIGGER'
    AND grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''',
                         SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')) AS CHAR)
";

const TABLES: &str = r"
SELECT t.table_name, t.table_type, t.engine, v.view_definition
  FROM information_schema.tables AS t
  LEFT JOIN information_schema.views AS v
    ON v.table_schema = t.table_schema AND v.table_name = t.table_name
 WHERE t.table_schema = DATABASE()
 ORDER BY t.table_name
";

/// Unique indexes with their first column. A key on a prefix of a column names no row, and one that
/// is generated from other columns changes without being assigned.
const UNIQUE: &str = r"
SELECT s.table_name, s.index_name, CAST(MAX(s.seq_in_index) + COALESCE(MAX(s.sub_part), 0) AS CHAR),
       MAX(CASE WHEN s.seq_in_index = 1 THEN c.column_name END),
       MAX(CASE WHEN s.seq_in_index = 1 THEN c.column_type END),
       MAX(CASE WHEN s.seq_in_index = 1 THEN c.collation_name END),
       MAX(CASE WHEN s.seq_in_index = 1 THEN c.extra END),
       MAX(CASE WHEN s.seq_in_index = 1 THEN c.generation_expression END)
  FROM information_schema.statistics AS s
  LEFT JOIN information_schema.columns AS c
    ON c.table_schema = s.table_schema AND c.table_name = s.table_name AND c.column_name = s.column_name
 WHERE s.table_schema = DATABASE() AND s.non_unique = 0
 GROUP BY s.table_name, s.index_name
 ORDER BY s.table_name, s.index_name
";

/// The referenced columns are empty if one of them is generated from others.
const CASCADES: &str = r"
SELECT r.table_name, r.referenced_table_name, r.delete_rule, r.update_rule,
       CASE WHEN SUM(COALESCE(c.extra, '') LIKE '%GENERATED%') = 0
            THEN GROUP_CONCAT(DISTINCT k.referenced_column_name ORDER BY 1 SEPARATOR '\n')
       END, r.constraint_schema
  FROM information_schema.referential_constraints AS r
  JOIN information_schema.key_column_usage AS k
    ON k.constraint_schema = r.constraint_schema AND k.constraint_name = r.constraint_name
   AND k.table_name = r.table_name
  LEFT JOIN information_schema.columns AS c
    ON c.table_schema = k.referenced_table_schema AND c.table_name = k.referenced_table_name
   AND c.column_name = k.referenced_column_name
 WHERE r.unique_constraint_schema = DATABASE()
 GROUP BY r.constraint_schema, r.constraint_name, r.table_name, r.referenced_table_name,
          r.delete_rule, r.update_rule
 ORDER BY r.table_name, r.constraint_name
";

const TRIGGERS: &str = r"
SELECT event_object_table, event_manipulation, action_statement, sql_mode
  FROM information_schema.triggers
 WHERE event_object_schema = DATABASE()
 ORDER BY event_object_table, trigger_name
";

const FUNCTIONS: &str = r"
SELECT routine_name, routine_type, is_deterministic, sql_data_access
  FROM information_schema.routines
 WHERE routine_schema = DATABASE()
";

#[cfg(test)]
mod tests {
    use kogia::core::{KeyKind, TriggerBody};
    use sqlx::Connection;

    use super::*;
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
    async fn an_account_that_may_not_see_triggers_takes_each_table_to_have_one() {
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
        let schema = load(&mut blind).await.unwrap();
        assert_eq!(
            relation(&schema, "a").triggers,
            [unknown_trigger(true, true, true)]
        );
    }
}
