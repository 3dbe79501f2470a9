//! MySQL and MariaDB: the information schema, over the current database.

use kogia_core::{
    Cascade, DatabaseId, Dialect, Isolation, Relation, RelationKind, Schema, Trigger, TriggerBody,
    Volatility, key_kind,
};

use super::routine::{Body, Routine, functions, may_change_session};
use super::{Answer, Identity, IdentityError, Tables, TextRow, folded, key, unknown_trigger};
use crate::database::DatabaseConfig;
use crate::store::Backend;

pub(super) const IDENTITY: &[&str] = &[SESSION, VARIABLES];

pub(super) const CATALOG: &[&str] = &[CURRENT, TABLES, UNIQUE, CASCADES, TRIGGERS, FUNCTIONS];

const SESSION: &str = "SELECT CAST(CONNECTION_ID() AS CHAR), CURRENT_USER(), DATABASE()";

/// Variables that tell servers apart, or that change what a query answers. A server that does not
/// know one of them leaves it out.
const VARIABLES: &str = "\
    SHOW SESSION VARIABLES WHERE Variable_name IN (\
    'server_uuid', 'server_uid', 'hostname', 'port', 'datadir', \
    'transaction_isolation', 'tx_isolation', 'autocommit', \
    'read_only', 'super_read_only', 'innodb_read_only', 'version', \
    'sql_mode', 'old_mode', 'time_zone', 'system_time_zone', \
    'character_set_client', 'character_set_connection', 'character_set_results', \
    'collation_connection', 'default_week_format', 'div_precision_increment', \
    'group_concat_max_len', 'lc_time_names', 'max_sort_length', 'sql_auto_is_null', \
    'sql_select_limit', 'default_collation_for_utf8mb4', 'character_set_collations', \
    'system_versioning_asof', 'completion_type')";

/// How often the session has created a table. MySQL counts temporary ones with the others.
pub(super) const TEMPORARY: &str = "\
    SHOW SESSION STATUS WHERE Variable_name IN ('Com_create_table', 'Com_create_temporary_table')";

pub(super) fn creates_temporary(answer: &Answer) -> bool {
    let counted = |name: &str| {
        answer
            .iter()
            .find(|row| row.text(0).eq_ignore_ascii_case(name))
    };
    let count = counted("Com_create_temporary_table").or_else(|| counted("Com_create_table"));
    count.is_none_or(|row| row.text(1) != "0")
}

/// The database of a connection.
pub(super) fn identity(session: &Answer, variables: &Answer) -> Result<Identity, IdentityError> {
    let [session] = session.as_slice() else {
        return Err(IdentityError::Answer("not one row about the session"));
    };
    let (number, account) = (session.text(0), session.text(1));
    // A connection to none of the server's databases still writes to them, by their names.
    let schema = session.text(2);
    let mut variables: Vec<_> = variables
        .iter()
        .map(|row| (row.text(0).to_ascii_lowercase(), row.text(1).to_owned()))
        .collect();
    let variable = |name: &str| {
        variables
            .iter()
            .find(|variable| variable.0 == name)
            .map(|v| &*v.1)
    };
    let server = ["server_uuid", "server_uid", "hostname", "port", "datadir"].map(variable);
    let server = match server {
        // A uuid is the server's own, wherever it runs.
        [Some(uuid), ..] => uuid.to_owned(),
        // MariaDB's is made of the machine and the port, and older ones have none.
        [None, rest @ ..] => rest.map(Option::unwrap_or_default).join("/"),
    };
    // Statements name other databases in any case, so databases whose names differ in nothing else
    // share their tags. The name among the settings keeps their keys apart.
    let id = DatabaseId::new(format!("mysql:{server}/{}", folded(schema)));
    let mut config = DatabaseConfig::new(id, Dialect::MySql);
    config.isolation = match variable("transaction_isolation").or(variable("tx_isolation")) {
        Some("READ-UNCOMMITTED") => Isolation::ReadUncommitted,
        Some("READ-COMMITTED") => Isolation::ReadCommitted,
        Some("SERIALIZABLE") => Isolation::Serializable,
        _ => Isolation::RepeatableRead,
    };
    config.autocommit = !matches!(variable("autocommit"), Some("OFF" | "0"));
    let primary = ["read_only", "super_read_only", "innodb_read_only"]
        .iter()
        .all(|name| matches!(variable(name), None | Some("OFF" | "0")));
    let backend = Backend::Server(format!("{number}/{account}").into_bytes().into());
    for (name, value) in [("account", account), ("database", schema)] {
        config.settings.push((name.to_owned(), value.to_owned()));
    }
    variables.retain(|(name, _)| !NO_SETTINGS.contains(&name.as_str()));
    config.settings.append(&mut variables);
    Ok(Identity {
        config,
        backend,
        primary,
        temporary: Vec::new(),
    })
}

/// Variables that are not settings of a session.
const NO_SETTINGS: [&str; 11] = [
    "server_uuid",
    "server_uid",
    "hostname",
    "port",
    "datadir",
    "transaction_isolation",
    "tx_isolation",
    "autocommit",
    "read_only",
    "super_read_only",
    "innodb_read_only",
];

/// The facts of the current database's schema.
pub(super) fn catalog(answers: &[Answer]) -> Schema {
    let [current, listed, unique, cascades, triggers, routines] = answers else {
        return Schema::unknown(Dialect::MySql);
    };
    let current = current.first();
    let database = current.map_or("", |row| row.text(0));
    let sees_triggers = current.is_some_and(|row| row.is(1));
    let mut tables = Tables::default();
    for row in listed {
        let Some(kind) = relation_kind(row) else {
            continue;
        };
        let relation = Relation {
            schema: Some(database.into()),
            kind,
            ..Relation::table(row.text(0))
        };
        tables.add(row.text(0), relation);
    }
    add_keys(&mut tables, unique);
    add_cascades(&mut tables, cascades, database);
    for row in triggers {
        if let Some(relation) = tables.get(row.text(0)) {
            let trigger = trigger(row.text(1), row.text(2), row.text(3));
            relation.triggers.push(trigger);
        }
    }
    if !sees_triggers {
        tracing::warn!(
            database,
            "the account may not see triggers, so every write counts as one that may change any \
             table, and its session is asked about its settings thereafter: grant it TRIGGER on the \
             database"
        );
        for relation in tables.all() {
            relation.triggers.push(Trigger {
                body: TriggerBody::ChangesSession,
                ..unknown_trigger(true, true, true)
            });
        }
    }
    let routines = routines.iter().map(|row| Routine {
        name: row.text(0),
        volatility: match (row.text(1), row.text(2), row.text(3)) {
            ("FUNCTION", "YES", "NO SQL") => Volatility::Immutable,
            ("FUNCTION", _, "NO SQL" | "READS SQL DATA") => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        // An account without the right to see it is shown none.
        body: match row.text(4) {
            "" => Body::Unknown,
            text => Body::Text(text),
        },
    });
    Schema {
        loaded: true,
        database: Some(database.into()),
        relations: tables.finish(),
        functions: functions(Dialect::MySql, routines),
        ..Schema::unknown(Dialect::MySql)
    }
}

/// What something listed is. A sequence, or what a later server has, is not a relation: what reads
/// it is never cached.
fn relation_kind(row: &TextRow) -> Option<RelationKind> {
    let (kind, engine, definition) = (row.text(1), row.text(2), row.optional(3));
    match kind {
        "VIEW" => {
            let definition = definition.filter(|text| !text.is_empty());
            Some(RelationKind::View(definition.map(Into::into)))
        }
        "BASE TABLE" | "SYSTEM VERSIONED" => Some(table_kind(engine)),
        _ => None,
    }
}

fn add_keys(tables: &mut Tables<'_>, unique: &Answer) {
    for row in unique {
        let (index, columns, name, of) = (row.text(1), row.text(2), row.text(3), row.text(4));
        let (collation, extra, expression) = (row.optional(5), row.text(6), row.text(7));
        let Some(relation) = tables.get(row.text(0)) else {
            continue;
        };
        if index != "PRIMARY" {
            relation.other_unique = true;
        } else if columns == "1" && expression.is_empty() {
            let kind = key_kind(Dialect::MySql, of, collation, true);
            relation.key = kind.and_then(|kind| key(name, kind));
            relation.generated_key = extra.contains("auto_increment");
        }
    }
}

fn add_cascades(tables: &mut Tables<'_>, cascades: &Answer, database: &str) {
    for row in cascades {
        let (table, referenced, columns) = (row.text(0), row.text(1), row.text(4));
        let acts = |column| !matches!(row.text(column), "NO ACTION" | "RESTRICT");
        let (on_delete, on_update, schema) = (acts(2), acts(3), row.text(5));
        let relation = tables.get(referenced);
        let Some(relation) = relation.filter(|_| on_delete || on_update) else {
            continue;
        };
        if schema == database {
            let columns = columns.split('\n').filter(|column| !column.is_empty());
            relation.cascades.push(Cascade {
                table: folded(table),
                on_delete,
                on_update,
                columns: columns.map(folded).collect(),
            });
        } else {
            // A foreign key of another database of the server: what it does there counts as done
            // by a trigger.
            let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
            let write = format!("DELETE FROM {}.{}", quoted(schema), quoted(table));
            relation.triggers.push(Trigger {
                body: TriggerBody::Statements(write.into()),
                ..unknown_trigger(false, on_update, on_delete)
            });
        }
    }
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
    let is_misread = mode.split(',').any(|mode| misread.contains(&mode));
    let body = match is_misread || may_change_session(Dialect::MySql, body) {
        true => TriggerBody::ChangesSession,
        false => TriggerBody::Statements(body.into()),
    };
    Trigger {
        body,
        ..unknown_trigger(event == "INSERT", event == "UPDATE", event == "DELETE")
    }
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
SELECT routine_name, routine_type, is_deterministic, sql_data_access, routine_definition
  FROM information_schema.routines
 WHERE routine_schema = DATABASE()
";
