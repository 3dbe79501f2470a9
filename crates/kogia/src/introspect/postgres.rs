//! PostgreSQL: the system catalogs, over all schemas of users.

use kogia_core::{
    Cascade, DatabaseId, Dialect, Isolation, Relation, RelationKind, Schema, Trigger, TriggerBody,
    Volatility, key_kind,
};

use super::routine::{Body, Routine, functions};
use super::{Answer, Identity, IdentityError, Tables, TextRow, folded, key, unknown_trigger};
use crate::database::DatabaseConfig;
use crate::store::Backend;

pub(super) const IDENTITY: &[&str] = &[SERVER, SETTINGS];

pub(super) const CATALOG: &[&str] = &[RELATIONS, PARENTS, CASCADES, TRIGGERS, UNKNOWN, FUNCTIONS];

/// Entries of timelines before so many promotions are long gone.
const MOST_PREDECESSORS: u32 = 32;

/// The timeline of a primary is that of the log it writes; the last checkpoint may lag behind a
/// promotion.
const SERVER: &str = r"
SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
       CASE WHEN pg_is_in_recovery()
            THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
       END::text AS timeline,
       (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       (NOT pg_is_in_recovery())::text AS writable,
       current_setting('default_transaction_isolation') AS isolation,
       current_user::text AS role,
       session_user::text AS login,
       pg_backend_pid()::text AS pid,
       (SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
          FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS start,
       (SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_isolation') AS reset,
       array_to_string(ARRAY(SELECT relname::text FROM pg_class
                              WHERE relnamespace = pg_my_temp_schema() AND pg_my_temp_schema() <> 0
                                AND relkind IN ('r', 'p', 'v')), E'\n') AS temporary
";

/// The settings are those which the documentation lists as defaults of client connections and of
/// compatibility. Those that applications make up for themselves are not listed; only functions
/// and policies read them, and what does is not cached.
const SETTINGS: &str = r"
SELECT name::text, setting::text, reset_val::text FROM pg_settings
 WHERE (category = 'Client Connection Defaults / Statement Behavior'
     OR category = 'Client Connection Defaults / Locale and Formatting'
     OR category LIKE 'Version and Platform Compatibility / %'
     OR name = 'server_version_num')
   AND name !~ '(timeout|vacuum|tablespace|transaction_|pending_list_limit|min_messages|^check_|default_to|default_table)'
 ORDER BY name
";

/// The database of a connection.
pub(super) fn identity(server: &Answer, settings: &Answer) -> Result<Identity, IdentityError> {
    let [server] = server.as_slice() else {
        return Err(IdentityError::Answer("not one row about the server"));
    };
    let (system, timeline, database) = (server.text(0), server.text(1), server.text(2));
    let id = |timeline: &str| DatabaseId::new(format!("postgres:{system}/{timeline}/{database}"));
    let mut config = DatabaseConfig::new(id(timeline), Dialect::Postgres);
    let primary = server.is(3);
    if let (true, Ok(timeline)) = (primary, timeline.parse::<u32>()) {
        let first = timeline.saturating_sub(MOST_PREDECESSORS).max(1);
        config.predecessors = (first..timeline).map(|it| id(&it.to_string())).collect();
    }
    config.isolation = match server.text(4) {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        // PostgreSQL does as if `read uncommitted` were this one.
        _ => Isolation::ReadCommitted,
    };
    config.settings = ["role", "login"]
        .into_iter()
        .zip([5, 6])
        .map(|(name, column)| (name.to_owned(), server.text(column).to_owned()))
        .collect();
    for row in settings {
        let (name, value, reset) = (row.text(0), row.text(1), row.text(2));
        config.settings.push((name.to_owned(), value.to_owned()));
        if value != reset {
            config.altered.push(name.to_owned());
            config
                .settings
                .push((format!("{name} at login"), reset.to_owned()));
        }
    }
    if server.text(5) != server.text(6) {
        config.altered.push("role".to_owned());
    }
    if server.text(4) != server.text(9) {
        config
            .altered
            .push("default_transaction_isolation".to_owned());
    }
    let backend = match server.optional(8) {
        Some(start) => Backend::Server(format!("{}/{start}", server.text(7)).into_bytes().into()),
        None => Backend::Unknown,
    };
    Ok(Identity {
        config,
        backend,
        primary,
        temporary: lines(server.text(10)).map(str::to_owned).collect(),
    })
}

/// The names in a column that holds several of them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|name| !name.is_empty())
}

/// The facts of all schemas of users.
pub(super) fn catalog(answers: &[Answer]) -> Schema {
    let [relations, parents, cascades, triggers, unknown, routines] = answers else {
        return Schema::unknown(Dialect::Postgres);
    };
    let mut tables = Tables::default();
    for row in relations {
        tables.add(row.text(0), relation(row));
    }
    for row in parents {
        let parent = tables.get(row.text(1)).map(|parent| folded(&parent.name));
        if let (Some(child), Some(parent)) = (tables.get(row.text(0)), parent) {
            child.parents.push(parent);
        }
    }
    for row in cascades {
        let table = tables.get(row.text(0)).map(|table| folded(&table.name));
        if let (Some(relation), Some(table)) = (tables.get(row.text(1)), table) {
            let columns = lines(row.text(4));
            relation.cascades.push(Cascade {
                table,
                on_delete: row.is(2),
                on_update: row.is(3),
                columns: columns.map(folded).collect(),
            });
        }
    }
    for row in triggers {
        if let Some(relation) = tables.get(row.text(0)) {
            relation.triggers.extend(trigger(row));
        }
    }
    for row in unknown {
        if let Some(relation) = tables.get(row.text(0)) {
            let on = |event: char| row.text(1).contains(event);
            relation
                .triggers
                .push(unknown_trigger(on('i'), on('u'), on('d')));
        }
    }
    let routines = routines.iter().map(|row| Routine {
        name: row.text(0),
        volatility: match row.text(1) {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        body: match row.text(2) {
            "c" | "internal" => Body::Harmless,
            // One in the standard's form has no text here.
            "sql" | "plpgsql" if !row.text(3).is_empty() => Body::Text(row.text(3)),
            _ => Body::Unknown,
        },
    });
    Schema {
        loaded: true,
        relations: tables.finish(),
        functions: functions(Dialect::Postgres, routines),
        ..Schema::unknown(Dialect::Postgres)
    }
}

/// `pg_index` has one row for each key; only one column counts, and only a plain one: a generated
/// column changes without being assigned, and a name with capitals folds to that of another.
const RELATIONS: &str = r"
SELECT c.oid::text AS oid, n.nspname::text AS schema, c.relname::text AS name,
       c.relkind::text AS kind, c.relpersistence::text AS persistence,
       c.relrowsecurity::text AS row_security, c.relispartition::text AS partition,
       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition,
       a.attname::text AS key_name,
       format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END,
                   CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS key_type,
       COALESCE(l.collname, '')::text AS key_collation,
       COALESCE(l.collisdeterministic, true)::text AS key_deterministic,
       COALESCE(a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~
           '^(nextval\(|(\w+\.)?(gen_random_uuid|uuid_generate_v(1|1mc|4))\(\)$)', false)::text AS generated,
       EXISTS (SELECT FROM pg_index u
                WHERE u.indrelid = c.oid AND NOT u.indisprimary
                  AND (u.indisunique OR u.indisexclusion))::text AS other_unique
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

fn relation(row: &TextRow) -> Relation {
    let (schema, name, kind, persistence) = (row.text(1), row.text(2), row.text(3), row.text(4));
    let kind = match kind {
        "v" => RelationKind::View(row.optional(7).map(Into::into)),
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::Foreign,
        // After a crash an unlogged table is empty, and nobody says so.
        _ if persistence == "u" => RelationKind::Foreign,
        _ if row.is(6) => RelationKind::Partition,
        _ => RelationKind::Table,
    };
    let collation = Some(row.text(10)).filter(|name| !matches!(*name, "" | "default"));
    let key = row.optional(8).zip(row.optional(9)).and_then(|(name, of)| {
        key_kind(Dialect::Postgres, of, collation, row.is(11)).and_then(|kind| key(name, kind))
    });
    Relation {
        schema: Some(schema.into()),
        kind,
        key,
        other_unique: row.is(13),
        generated_key: row.is(12),
        row_security: row.is(5),
        ..Relation::table(name)
    }
}

const PARENTS: &str = r"
SELECT inhrelid::text, inhparent::text FROM pg_inherits ORDER BY inhrelid, inhseqno
";

const CASCADES: &str = r"
SELECT c.conrelid::text AS referencing, c.confrelid::text AS referenced,
       (c.confdeltype IN ('c', 'n', 'd'))::text AS on_delete,
       (c.confupdtype IN ('c', 'n', 'd'))::text AS on_update,
       array_to_string(ARRAY(SELECT a.attname::text FROM unnest(c.confkey) AS k (number)
               JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number
              WHERE NOT EXISTS (SELECT FROM pg_attribute g
                                 WHERE g.attrelid = c.confrelid AND g.attnum = ANY (c.confkey)
                                   AND g.attgenerated <> '')
              ORDER BY a.attname), E'\n') AS columns
  FROM pg_constraint c
 WHERE c.contype = 'f' AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
 ORDER BY c.conrelid::regclass::text, c.conname
";

const TRIGGERS: &str = r"
SELECT t.tgrelid::text AS table, t.tgtype::text AS events, p.proname::text AS function,
       l.lanname::text AS language, p.prosrc AS source, (n.nspname = 'pg_catalog')::text AS built_in
  FROM pg_trigger t
  JOIN pg_proc p ON p.oid = t.tgfoid
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
 ORDER BY t.tgrelid, t.tgname
";

/// A trigger, unless it is known to write nothing but the new row, and not its key.
fn trigger(row: &TextRow) -> Option<Trigger> {
    let (function, language, source) = (row.text(2), row.text(3), row.text(4));
    let harmless = row.is(5)
        && matches!(
            function,
            "suppress_redundant_updates_trigger"
                | "tsvector_update_trigger"
                | "tsvector_update_trigger_column"
        );
    if harmless || language == "c" && source == "moddatetime" {
        return None;
    }
    // What is no number has every bit set.
    let events: i32 = row.text(1).parse().unwrap_or(-1);
    let on = |bit: i32| events & bit != 0;
    // TRUNCATE (32) deletes all rows, without a trigger for each.
    let (on_insert, on_delete, on_update) = (on(4), on(8) || on(32), on(16));
    let body = match language {
        "plpgsql" => TriggerBody::Statements(source.into()),
        _ => TriggerBody::Unknown,
    };
    Some(Trigger {
        on_insert,
        on_update,
        on_delete,
        body,
    })
}

/// Rewrite rules, and defaults that call a function which may do anything.
const UNKNOWN: &str = r"
SELECT ev_class::text, CASE ev_type WHEN '2' THEN 'u' WHEN '3' THEN 'i' WHEN '4' THEN 'd' ELSE 'iud' END
  FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_enabled <> 'D'
UNION
SELECT a.adrelid::text, 'iu'
  FROM pg_attrdef a
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
                  AND d.refclassid = 'pg_proc'::regclass
  JOIN pg_proc p ON p.oid = d.refobjid
  JOIN pg_language l ON l.oid = p.prolang
 WHERE p.provolatile = 'v' AND l.lanname NOT IN ('c', 'internal')
 ORDER BY 1, 2
";

/// A stable function may read tables that the text does not show, unless it is known not to:
/// `unaccent` is stable because of its dictionary, which only DDL changes, as `to_tsvector` is.
const FUNCTIONS: &str = r"
SELECT p.proname::text,
       CASE WHEN p.prokind = 'p' THEN 'v'
            WHEN p.prosrc = 'unaccent_dict' AND p.probin = '$libdir/unaccent' THEN 'i'
            ELSE p.provolatile::text END,
       l.lanname::text, p.prosrc
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
";

#[cfg(test)]
mod tests {
    use super::*;

    fn predecessors(timeline: &str, writable: &str) -> Vec<String> {
        let server = [
            "7",
            timeline,
            "5",
            writable,
            "read committed",
            "me",
            "me",
            "1",
        ];
        let server = TextRow(server.iter().map(|&it| Some(it.into())).collect());
        let identity = identity(&vec![server], &Vec::new()).expect("an identity");
        let known = identity.config.predecessors.iter();
        known.map(|id| id.name().to_owned()).collect()
    }

    #[test]
    fn a_primary_has_been_what_its_earlier_timelines_were() {
        assert!(predecessors("1", "true").is_empty());
        assert_eq!(
            predecessors("3", "true"),
            ["postgres:7/1/5", "postgres:7/2/5"]
        );
        assert!(predecessors("3", "false").is_empty());
        assert_eq!(predecessors("100", "true").len(), 32);
    }
}
