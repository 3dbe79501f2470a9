//! SQLite: the schema table of the main file, and the pragmas that describe tables.

use std::collections::{HashMap, HashSet};

use kogia_core::{
    Cascade, DatabaseId, Dialect, Isolation, KeyKind, Relation, RelationKind, Schema, Trigger,
    TriggerBody, key_kind,
};

use super::token::Tokens;
use super::{Answer, Identity, IdentityError, folded, key, unknown_trigger};
use crate::database::DatabaseConfig;
use crate::store::Backend;

pub(super) const IDENTITY: &[&str] = &[FILES, SETTINGS];

pub(super) const CATALOG: &[&str] = &[OBJECTS, KEYS, INDEXES, REFERENCES];

/// The statement itself, unlike the table of that name, never begins a snapshot.
pub(super) const FILES: &str = "PRAGMA database_list";

/// What a connection may have been opened with and what changes answers.
const SETTINGS: &str = "\
    SELECT 'sqlite_version', sqlite_version() \
    UNION ALL SELECT 'encoding', CAST(encoding AS TEXT) FROM pragma_encoding \
    UNION ALL SELECT 'foreign_keys', CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys \
    UNION ALL SELECT 'recursive_triggers', CAST(recursive_triggers AS TEXT) \
        FROM pragma_recursive_triggers \
    UNION ALL SELECT 'read_uncommitted', CAST(read_uncommitted AS TEXT) \
        FROM pragma_read_uncommitted \
    UNION ALL SELECT 'reverse_unordered_selects', CAST(reverse_unordered_selects AS TEXT) \
        FROM pragma_reverse_unordered_selects \
    UNION ALL SELECT 'full_column_names', CAST(full_column_names AS TEXT) \
        FROM pragma_full_column_names \
    UNION ALL SELECT 'short_column_names', CAST(short_column_names AS TEXT) \
        FROM pragma_short_column_names \
    UNION ALL SELECT 'like', CAST('a' LIKE 'A' AS TEXT)";

/// The database of a connection.
pub(super) fn identity(files: &Answer, settings: &Answer) -> Result<Identity, IdentityError> {
    let main = files.iter().find(|row| row.text(1) == "main");
    let file = main.map_or("", |row| row.text(2));
    let name = if file.is_empty() {
        // A database in memory, or a temporary one: nobody else ever meets it.
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
        format!("sqlite:memory:{:032x}", u128::from_le_bytes(random))
    } else {
        file_identity(file)?
    };
    let mut config = DatabaseConfig::new(DatabaseId::new(name), Dialect::Sqlite);
    // By whoever opened the connection.
    config.attached = attached(files)?;
    for row in settings {
        let (name, value) = (row.text(0).to_owned(), row.text(1).to_owned());
        if name == "read_uncommitted" && value != "0" {
            config.isolation = Isolation::ReadUncommitted;
        }
        config.settings.push((name, value));
    }
    Ok(Identity {
        config,
        backend: Backend::Process,
        primary: true,
        temporary: Vec::new(),
    })
}

/// The files that are attached. Those in memory belong to the connection alone, and one that was
/// deleted can be opened by nobody else.
pub(super) fn attached(files: &Answer) -> Result<Vec<DatabaseId>, IdentityError> {
    let mut attached = Vec::new();
    for row in files {
        let (name, file) = (row.text(1), row.text(2));
        if name == "main" || file.is_empty() {
            continue;
        }
        match file_identity(file) {
            Ok(name) => attached.push(DatabaseId::new(name)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(attached)
}

/// The identity of a file: not its path, because the same file may have several, and a new file
/// may have the path of an old one.
#[cfg(unix)]
fn file_identity(path: &str) -> std::io::Result<String> {
    use std::os::unix::fs::MetadataExt;

    let file = std::fs::metadata(path)?;
    // File systems use the number of a deleted file again at once. The time of birth tells the
    // two apart; where it is not known, deleting a database and making a new one needs an
    // `invalidate_all`.
    let born = file
        .created()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_nanos());
    Ok(format!("sqlite:{:x}/{:x}/{born:x}", file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn file_identity(path: &str) -> std::io::Result<String> {
    Ok(format!("sqlite:{}", std::fs::canonicalize(path)?.display()))
}

/// Tables and views of the main file. Those of attached and temporary ones are not listed, so
/// that what reads them is not cached.
pub(super) fn catalog(answers: &[Answer]) -> Schema {
    let [objects, key_columns, unique, references] = answers else {
        return Schema::unknown(Dialect::Sqlite);
    };
    let mut schema = Schema {
        loaded: true,
        database: Some("main".into()),
        ..Schema::unknown(Dialect::Sqlite)
    };
    let mut tables = Named::default();
    let mut collating = HashSet::new();
    for row in objects {
        let (kind, name, table, sql) = (row.text(0), row.text(1), row.text(2), row.text(3));
        match kind {
            "trigger" => tables.add_trigger(table, trigger(sql)),
            "view" => tables.add(name, RelationKind::View(view_query(sql))),
            // A virtual table is a view of something that its module keeps.
            _ if row.text(4) == "0" => tables.add(name, RelationKind::Foreign),
            _ => {
                tables.add(name, RelationKind::Table);
                let words = words(sql);
                if words.as_ref().is_none_or(|words| words.replaces) {
                    tables.add_trigger(name, unknown_trigger(true, true, false));
                }
                if words.is_none_or(|words| words.collates) {
                    collating.insert(name);
                }
            }
        }
    }
    add_keys(&mut tables, key_columns, unique, &collating);
    add_cascades(&mut tables, references);
    schema.relations = tables.finish();
    schema
}

/// Primary keys and unique indexes. Values in the tables of `collating` compare in a way that no
/// pragma tells.
fn add_keys(tables: &mut Named, key_columns: &Answer, unique: &Answer, collating: &HashSet<&str>) {
    let mut keys: HashMap<&str, Vec<Column>> = HashMap::new();
    for row in key_columns {
        let column = Column {
            name: row.text(1).to_owned(),
            declared: row.text(2).to_owned(),
        };
        keys.entry(row.text(0)).or_default().push(column);
    }
    let mut indexes: HashMap<&str, Index> = HashMap::new();
    for row in unique {
        let (table, origin) = (row.text(0), row.text(1));
        let index = indexes.entry(table).or_default();
        match origin {
            "pk" => index.key_collation = Some(row.text(2).to_owned()),
            _ => index.other_unique = true,
        }
    }
    for (table, columns) in &keys {
        let Some(relation) = tables.get(table) else {
            continue;
        };
        let index = indexes.get(table);
        relation.other_unique = index.is_some_and(|index| index.other_unique);
        let [column] = columns.as_slice() else {
            continue;
        };
        let collation = index.and_then(|index| index.key_collation.as_deref());
        // Without an index of its own, an INTEGER PRIMARY KEY is the number of the row.
        let is_rowid = collation.is_none() && column.declared.eq_ignore_ascii_case("integer");
        relation.generated_key = is_rowid;
        let kind = if is_rowid {
            Some(KeyKind::Integer)
        } else {
            key_kind(Dialect::Sqlite, &column.declared, collation, true)
        };
        // Values compare as the column says, which the collation of its index need not.
        let kind = kind.filter(|kind| *kind != KeyKind::Text || !collating.contains(table));
        relation.key = kind.and_then(|kind| key(&column.name, kind));
    }
    for (table, index) in indexes {
        if let Some(relation) = tables.get(table) {
            relation.other_unique |= index.other_unique;
        }
    }
}

fn add_cascades(tables: &mut Named, references: &Answer) {
    for row in references {
        let (table, referenced, column) = (row.text(0), row.text(1), row.optional(4));
        let (on_update, on_delete) = (row.text(2), row.text(3));
        // A later column of the key that the row before began.
        let continues = row.text(5) != "0";
        let is_plain = row.optional(6) == Some("0");
        let acts = |action: &str| !matches!(action, "NO ACTION" | "RESTRICT");
        let (on_delete, on_update) = (acts(on_delete), acts(on_update));
        let Some(relation) = tables.get(referenced).filter(|_| on_delete || on_update) else {
            continue;
        };
        if !continues {
            let (table, columns) = (folded(table), Vec::new());
            relation.cascades.push(Cascade {
                table,
                on_delete,
                on_update,
                columns,
            });
        }
        let Some(cascade) = relation.cascades.last_mut() else {
            continue;
        };
        match column {
            Some(column) if is_plain && cascade.columns.len() == usize::from(continues) => {
                cascade.columns.push(folded(column));
            }
            _ => cascade.columns.clear(),
        }
    }
}

/// Names of SQLite differ in more than the case of ASCII letters. The order makes two loads of
/// one catalog equal.
const OBJECTS: &str = "\
    SELECT type, name, tbl_name, sql, CAST(rootpage AS TEXT) FROM main.sqlite_schema \
     WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     ORDER BY type = 'trigger', name";

const KEYS: &str = "\
    SELECT s.name, c.name, c.type FROM main.sqlite_schema AS s, pragma_table_xinfo(s.name) AS c \
     WHERE s.type = 'table' AND s.rootpage > 0 AND c.pk > 0 ORDER BY s.name, c.pk";

const INDEXES: &str = "\
    SELECT s.name, i.origin, COALESCE(c.coll, 'BINARY') \
      FROM main.sqlite_schema AS s, pragma_index_list(s.name) AS i, pragma_index_xinfo(i.name) AS c \
     WHERE s.type = 'table' AND s.rootpage > 0 AND i.\"unique\" = 1 AND c.seqno = 0 AND c.key = 1 \
     ORDER BY s.name, i.name";

/// A reference without columns is one to the primary key, whose columns it does not name; it
/// counts as one to columns that are not known.
const REFERENCES: &str = "\
    SELECT s.name, f.\"table\", f.on_update, f.on_delete, f.\"to\", CAST(f.seq AS TEXT), \
           (SELECT CAST(c.hidden AS TEXT) FROM pragma_table_xinfo(f.\"table\") AS c \
             WHERE c.name = f.\"to\" COLLATE NOCASE) \
      FROM main.sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f \
     WHERE s.type = 'table' AND s.rootpage > 0 ORDER BY s.name, f.id, f.seq";

struct Column {
    name: String,
    declared: String,
}

#[derive(Default)]
struct Index {
    key_collation: Option<String>,
    other_unique: bool,
}

/// Relations by folded name, in the order of their addition.
#[derive(Default)]
struct Named {
    relations: Vec<Relation>,
    places: HashMap<Box<str>, usize>,
}

impl Named {
    fn add(&mut self, name: &str, kind: RelationKind) {
        self.places.insert(folded(name), self.relations.len());
        self.relations.push(Relation {
            kind,
            ..Relation::table(name)
        });
    }

    fn get(&mut self, name: &str) -> Option<&mut Relation> {
        self.relations.get_mut(*self.places.get(&folded(name))?)
    }

    fn add_trigger(&mut self, table: &str, trigger: Trigger) {
        if let Some(relation) = self.get(table) {
            relation.triggers.push(trigger);
        }
    }

    fn finish(self) -> Vec<Relation> {
        self.relations
    }
}

/// What the definition of a table says that no pragma tells.
struct Words {
    /// Some constraint deletes the rows in its way, whatever statement violates it.
    replaces: bool,
    /// Some column or constraint names a collation.
    collates: bool,
}

fn words(sql: &str) -> Option<Words> {
    let tokens = Tokens::new(sql)?;
    let has = |words: &[&str]| {
        (0..tokens.len()).any(|start| {
            let mut words = words.iter().enumerate();
            words.all(|(offset, word)| tokens.is_word(start + offset, word))
        })
    };
    Some(Words {
        replaces: has(&["CONFLICT", "REPLACE"]),
        collates: has(&["COLLATE"]),
    })
}

/// The query of `CREATE VIEW name (columns) AS query`.
fn view_query(sql: &str) -> Option<Box<str>> {
    let tokens = Tokens::new(sql)?;
    let mut depth = 0_u32;
    // The view's own name may be `as`; the word that counts is behind it.
    let view = (0..tokens.len()).find(|index| tokens.is_word(*index, "VIEW"))?;
    for index in view + 2..tokens.len() {
        if tokens.is_symbol(index, b'(') {
            depth += 1;
        } else if tokens.is_symbol(index, b')') {
            depth = depth.checked_sub(1)?;
        } else if depth == 0 && tokens.is_word(index, "AS") {
            return Some(tokens.slice(index + 1..tokens.len()).into());
        }
    }
    None
}

/// What `CREATE TRIGGER … BEGIN statements END` says.
fn trigger(sql: &str) -> Trigger {
    parse_trigger(sql).unwrap_or_else(|| unknown_trigger(true, true, true))
}

fn parse_trigger(sql: &str) -> Option<Trigger> {
    let tokens = Tokens::new(sql)?;
    // A column may be called `begin`; what begins the body is followed by a statement.
    let starts = ["INSERT", "UPDATE", "DELETE", "SELECT", "REPLACE", "WITH"];
    let begin = (1..tokens.len()).find(|&index| {
        tokens.is_word(index, "BEGIN")
            && !tokens.is_symbol(index - 1, b'.')
            && tokens.is_one_of(index + 1, &starts)
    })?;
    let end = tokens.len().checked_sub(1)?;
    let end = if tokens.is_symbol(end, b';') {
        end.checked_sub(1)?
    } else {
        end
    };
    if !tokens.is_word(end, "END") || end <= begin {
        return None;
    }
    let events = ["INSERT", "UPDATE", "DELETE"];
    let trigger = (0..begin).find(|index| tokens.is_word(*index, "TRIGGER"))?;
    // Behind `TRIGGER` there is a name at least, which may itself look like an event.
    let event = (trigger + 2..begin).find(|index| tokens.is_one_of(*index, &events))?;
    Some(Trigger {
        on_insert: tokens.is_word(event, "INSERT"),
        on_update: tokens.is_word(event, "UPDATE"),
        on_delete: tokens.is_word(event, "DELETE"),
        body: TriggerBody::Statements(tokens.slice(begin + 1..end).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_that_is_not_understood_may_do_anything() {
        for sql in [
            "",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN 'SELECT 1; END",
        ] {
            assert_eq!(trigger(sql), unknown_trigger(true, true, true), "{sql}");
        }
    }
}
