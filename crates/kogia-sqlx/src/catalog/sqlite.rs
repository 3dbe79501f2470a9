//! SQLite: the schema table of the main file, and the pragmas that describe tables.

use std::collections::{HashMap, HashSet};

use kogia::core::{
    Cascade, Dialect, KeyKind, Relation, RelationKind, Schema, Trigger, TriggerBody, key_kind,
};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Error, Row};

use super::token::Tokens;
use super::{folded, key, unknown_trigger};

/// Tables and views of the main file. Those of attached and temporary ones are not listed, so
/// that what reads them is not cached.
pub(crate) async fn load(connection: &mut SqliteConnection) -> Result<Schema, Error> {
    let mut schema = Schema {
        loaded: true,
        database: Some("main".into()),
        ..Schema::unknown(Dialect::Sqlite)
    };
    let mut tables = Tables::default();
    let mut collating = HashSet::new();
    for row in sqlx::query(OBJECTS).fetch_all(&mut *connection).await? {
        let text = |index| {
            row.try_get::<Option<String>, _>(index)
                .map(Option::unwrap_or_default)
        };
        let (kind, name, table, sql) = (text(0)?, text(1)?, text(2)?, text(3)?);
        match kind.as_str() {
            "trigger" => tables.add_trigger(&table, trigger(&sql)),
            "view" => tables.add(&name, RelationKind::View(view_query(&sql))),
            // A virtual table is a view of something that its module keeps.
            _ if row.try_get::<i64, _>(4)? == 0 => tables.add(&name, RelationKind::Foreign),
            _ => {
                tables.add(&name, RelationKind::Table);
                let words = words(&sql);
                if words.as_ref().is_none_or(|words| words.replaces) {
                    tables.add_trigger(&name, unknown_trigger(true, true, false));
                }
                if words.is_none_or(|words| words.collates) {
                    collating.insert(name);
                }
            }
        }
    }
    let mut keys: HashMap<String, Vec<Column>> = HashMap::new();
    for row in sqlx::query(KEYS).fetch_all(&mut *connection).await? {
        let column = Column {
            name: row.try_get(1)?,
            declared: row.try_get(2)?,
        };
        keys.entry(row.try_get(0)?).or_default().push(column);
    }
    let mut indexes: HashMap<String, Index> = HashMap::new();
    for row in sqlx::query(INDEXES).fetch_all(&mut *connection).await? {
        let (table, origin): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let index = indexes.entry(table).or_default();
        match origin.as_str() {
            "pk" => index.key_collation = Some(row.try_get(2)?),
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
        if let Some(relation) = tables.get(&table) {
            relation.other_unique |= index.other_unique;
        }
    }
    for row in sqlx::query(REFERENCES).fetch_all(&mut *connection).await? {
        let text = |index| row.try_get::<String, _>(index);
        let (table, referenced, on_update, on_delete) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let column: Option<String> = row.try_get(4)?;
        // A later column of the key that the row before began.
        let continues = row.try_get::<i64, _>(5)? > 0;
        let is_plain = row.try_get::<Option<i64>, _>(6)? == Some(0);
        let acts = |action: &str| !matches!(action, "NO ACTION" | "RESTRICT");
        let (on_delete, on_update) = (acts(&on_delete), acts(&on_update));
        let Some(relation) = tables.get(&referenced).filter(|_| on_delete || on_update) else {
            continue;
        };
        if !continues {
            let (table, columns) = (folded(&table), Vec::new());
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
                cascade.columns.push(folded(&column));
            }
            _ => cascade.columns.clear(),
        }
    }
    schema.relations = tables.finish();
    Ok(schema)
}

/// Names of SQLite differ in more than the case of ASCII letters. The order makes two loads of
/// one catalog equal.
const OBJECTS: &str = "\
    SELECT type, name, tbl_name, sql, rootpage FROM main.sqlite_schema \
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
    SELECT s.name, f.\"table\", f.on_update, f.on_delete, f.\"to\", f.seq, \
           (SELECT c.hidden FROM pragma_table_xinfo(f.\"table\") AS c \
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
struct Tables {
    relations: Vec<Relation>,
    places: HashMap<Box<str>, usize>,
}

impl Tables {
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
    use sqlx::Connection;

    use super::*;

    async fn catalog(sql: &'static str) -> Schema {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
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
        let body =
            "INSERT INTO log VALUES ('END'); DELETE FROM log WHERE x = CASE WHEN 1 THEN 2 END;";
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
