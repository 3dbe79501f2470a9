//! A catalog loader for SQLite, until kogia-sqlx has one.

use std::sync::Arc;

use kogia_core::*;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use crate::engine::Catalog;

impl Catalog for sqlx::Sqlite {
    async fn load(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
        let mut schema = Schema::unknown(Dialect::Sqlite);
        schema.loaded = true;
        schema.database = Some("main".into());
        let rows = sqlx::query("SELECT type, name, tbl_name, sql FROM sqlite_schema")
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        let mut triggers = Vec::new();
        for row in &rows {
            let kind: String = row.get(0);
            let name: String = row.get(1);
            let table: String = row.get(2);
            let sql: Option<String> = row.get(3);
            let sql = sql.unwrap_or_default();
            match kind.as_str() {
                "view" => {
                    let mut view = Relation::table(&name);
                    let upper = sql.to_uppercase();
                    let at = upper.find(" AS ").map_or(0, |at| at + 4);
                    view.kind = RelationKind::View(Some(sql[at..].into()));
                    schema.relations.push(view);
                }
                "trigger" => triggers.push((table, sql)),
                "table" => {
                    let relation = table_facts(connection, &name, &sql).await?;
                    schema.relations.push(relation);
                }
                _ => {}
            }
        }
        let tables: Vec<String> = schema
            .relations
            .iter()
            .map(|r| r.name.to_string())
            .collect();
        for child in &tables {
            let rows = sqlx::query(AssertSqlSafe(format!(
                "PRAGMA foreign_key_list(\"{child}\")"
            )))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
            for row in rows {
                let parent: String = row.get("table");
                let acts = |action: String| action != "NO ACTION" && action != "RESTRICT";
                let cascade = Cascade {
                    table: child.to_lowercase().into(),
                    on_delete: acts(row.get("on_delete")),
                    on_update: acts(row.get("on_update")),
                    columns: row
                        .get::<Option<String>, _>("to")
                        .map(|column| column.to_lowercase().into())
                        .into_iter()
                        .collect(),
                };
                for relation in &mut schema.relations {
                    if relation.name.eq_ignore_ascii_case(&parent) {
                        relation.cascades.push(cascade.clone());
                    }
                }
            }
        }
        for (table, sql) in triggers {
            let begin = sql.find(" BEGIN ").unwrap_or(0);
            let (head, body) = sql.split_at(begin);
            let body = body
                .trim_start_matches(" BEGIN ")
                .trim()
                .trim_end_matches("END");
            for relation in &mut schema.relations {
                if relation.name.eq_ignore_ascii_case(&table) {
                    relation.triggers.push(Trigger {
                        on_insert: head.contains(" INSERT "),
                        on_update: head.contains(" UPDATE "),
                        on_delete: head.contains(" DELETE "),
                        body: TriggerBody::Statements(body.into()),
                    });
                }
            }
        }
        Ok(schema)
    }
}

async fn table_facts(
    connection: &mut SqliteConnection,
    name: &str,
    sql: &str,
) -> Result<Relation, sqlx::Error> {
    let mut relation = Relation::table(name);
    let mut pragma = async |what: &str| {
        sqlx::query(AssertSqlSafe(format!("PRAGMA {what}(\"{name}\")")))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
    };
    let columns = pragma("table_xinfo").await?;
    let keys: Vec<_> = columns
        .iter()
        .filter(|row| row.get::<i64, _>("pk") > 0)
        .collect();
    if let [key] = keys.as_slice() {
        let declared: String = key.get::<String, _>("type").to_uppercase();
        let kind = if declared.contains("INT") {
            Some(KeyKind::Integer)
        } else if declared.contains("TEXT") || declared.contains("CHAR") {
            (!sql.contains("COLLATE NOCASE PRIMARY")).then_some(KeyKind::Text)
        } else if declared == "BLOB" {
            Some(KeyKind::Bytes)
        } else {
            None
        };
        relation.generated_key = declared == "INTEGER" && !sql.contains("WITHOUT ROWID");
        relation.key = kind.map(|kind| {
            Arc::new(KeyColumn {
                name: key.get::<String, _>("name").to_lowercase().into(),
                kind,
            })
        });
    }
    let indexes = pragma("index_list").await?;
    relation.other_unique = indexes
        .iter()
        .any(|row| row.get::<i64, _>("unique") == 1 && row.get::<String, _>("origin") != "pk");
    Ok(relation)
}
