//! Random schemas: tables with keys of every kind, foreign keys, triggers, views.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::mutant::{Mutant, NOCASE_TABLE};
use crate::value::Param;

/// Something to read, and perhaps to write.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// As statements write it, quotes included.
    pub(crate) name: String,
    /// The column that a pin would be on.
    pub(crate) id: &'static str,
    pub(crate) key: Key,
    pub(crate) view: bool,
    /// The table that its column `r` refers to.
    pub(crate) parent: Option<usize>,
}

/// How a table's key column is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Rowid,
    Autoincrement,
    /// Of integer affinity, but no alias of the rowid, so it may be `NULL` more than once.
    Int,
    IntDefault,
    Text,
    TextDefault,
    Nocase,
    Blob,
    Real,
    /// Together with `v`.
    Pair,
    /// No key; the column exists nevertheless.
    None,
}

impl Key {
    const ALL: [Key; 11] = [
        Key::Rowid,
        Key::Autoincrement,
        Key::Int,
        Key::IntDefault,
        Key::Text,
        Key::TextDefault,
        Key::Nocase,
        Key::Blob,
        Key::Real,
        Key::Pair,
        Key::None,
    ];

    fn declaration(self) -> &'static str {
        match self {
            Key::Rowid => "INTEGER PRIMARY KEY",
            Key::Autoincrement => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Key::Int => "INT PRIMARY KEY",
            Key::IntDefault => "BIGINT PRIMARY KEY DEFAULT 3",
            Key::Text => "TEXT PRIMARY KEY",
            Key::TextDefault => "VARCHAR(9) PRIMARY KEY DEFAULT 'b'",
            Key::Nocase => "TEXT COLLATE NOCASE PRIMARY KEY",
            Key::Blob => "BLOB PRIMARY KEY",
            Key::Real => "REAL PRIMARY KEY",
            Key::Pair | Key::None => "INTEGER",
        }
    }

    fn column_type(self) -> &'static str {
        match self {
            Key::Text | Key::TextDefault => "TEXT",
            Key::Nocase => "TEXT COLLATE NOCASE",
            Key::Blob => "BLOB",
            Key::Real => "REAL",
            _ => "INTEGER",
        }
    }

    fn is_unique(self) -> bool {
        !matches!(self, Key::Pair | Key::None)
    }

    fn is_rowid(self) -> bool {
        matches!(self, Key::Rowid | Key::Autoincrement)
    }

    /// A value for the column; now and then one of another type that looks like it.
    pub(crate) fn value(self, rng: &mut StdRng) -> Param {
        let odd = rng.random_ratio(1, 14);
        let number = rng.random_range(0..7);
        if rng.random_ratio(1, 40) {
            return Param::Null;
        }
        match self {
            Key::Text | Key::TextDefault | Key::Nocase if odd => [
                Param::Int(1),
                Param::Blob(b"a".to_vec()),
                Param::Text("a ".to_owned()),
                Param::Real(1.0),
            ][number as usize % 4]
                .clone(),
            Key::Text | Key::TextDefault | Key::Nocase => {
                let texts = ["a", "A", "b", "B", "c", "1", ""];
                Param::Text(texts[number as usize].to_owned())
            }
            Key::Blob if odd => Param::Text("a".to_owned()),
            Key::Blob => Param::Blob(
                [&b"a"[..], b"b", b"c", b"1", b"", b"\0", b"A"][number as usize].to_vec(),
            ),
            _ if odd => [
                Param::Text(number.to_string()),
                Param::Real(number as f64),
                Param::Text(format!("0{number}")),
                Param::Bool(true),
                Param::Int(-1),
                Param::Int(i64::MIN),
            ][number as usize % 6]
                .clone(),
            _ => Param::Int(number),
        }
    }

    /// A value that no row has.
    pub(crate) fn never(self) -> Param {
        match self {
            Key::Text | Key::TextDefault | Key::Nocase => Param::Text("never".to_owned()),
            Key::Blob => Param::Blob(b"never".to_vec()),
            _ => Param::Int(987_654),
        }
    }
}

/// A schema: the statements that make it, and what there is to read and to write.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) setup: Vec<String>,
    /// Tables first, then views.
    pub(crate) relations: Vec<Relation>,
}

impl Schema {
    pub(crate) fn random(rng: &mut StdRng, focus: Option<Mutant>) -> Self {
        let mut schema = Schema {
            setup: Vec::new(),
            relations: Vec::new(),
        };
        for index in 0..rng.random_range(2..=4) {
            schema.add_table(index, rng, focus);
        }
        if rng.random_ratio(1, 3) {
            schema.add_index(rng);
        }
        for index in 0..rng.random_range(0..=2) {
            schema.add_view(index, rng);
        }
        for index in 0..rng.random_range(0..=2) {
            schema.add_trigger(index, rng);
        }
        schema
    }

    fn add_table(&mut self, index: usize, rng: &mut StdRng, focus: Option<Mutant>) {
        let key = match rng.random_range(0..10) {
            _ if index == 0 && focus == Some(Mutant::NocaseComparesBytes) => Key::Nocase,
            0..3 => Key::Rowid,
            _ => *Key::ALL.choose(rng).unwrap_or(&Key::Rowid),
        };
        let name = match (key, rng.random_range(0..8)) {
            (Key::Nocase, _)
                if self
                    .relations
                    .iter()
                    .all(|table| table.name != NOCASE_TABLE) =>
            {
                NOCASE_TABLE.to_owned()
            }
            (_, 0) => format!("\"Order {index}\""),
            (_, 1) => format!("Book{index}"),
            _ => format!("t{index}"),
        };
        let id = if rng.random_ratio(1, 8) && key != Key::Nocase {
            "Code"
        } else {
            "id"
        };
        let suits = matches!(
            focus,
            Some(Mutant::OtherUniqueForgotten | Mutant::ReplacePinned | Mutant::UpsertPinned)
        );
        let unique = if suits || rng.random_ratio(1, 3) {
            " UNIQUE"
        } else {
            ""
        };
        let collation = if rng.random_ratio(1, 4) {
            " COLLATE NOCASE"
        } else {
            ""
        };
        let check = if rng.random_ratio(1, 6) {
            " CHECK (v < 6)"
        } else {
            ""
        };
        let (parent, reference) = self.reference(rng);
        let mut columns = format!(
            "{id} {}, v INTEGER{check}, w TEXT{collation}, u INTEGER{unique}, r {reference}",
            key.declaration()
        );
        if key == Key::Pair {
            columns.push_str(&format!(", PRIMARY KEY ({id}, v)"));
        }
        let has_key = !matches!(key, Key::None | Key::Autoincrement);
        let options = match rng.random_range(0..5) {
            0 if has_key => " WITHOUT ROWID",
            1 if collation.is_empty()
                && reference.starts_with("INTEGER")
                && !matches!(key, Key::IntDefault | Key::TextDefault) =>
            {
                " STRICT"
            }
            _ => "",
        };
        self.setup
            .push(format!("CREATE TABLE {name} ({columns}){options}"));
        self.relations.push(Relation {
            name: name.clone(),
            id,
            key,
            view: false,
            parent,
        });
        for _ in 0..rng.random_range(1..6) {
            // Generated keys, which come next, are to be among those that are asked for.
            let value = match key.value(rng) {
                Param::Int(number) if number > 4 => Param::Int(number - 4),
                value => value,
            };
            let v = rng.random_range(0..6);
            let (w, u) = (["x", "y", "X"][v % 3], rng.random_range(0..9));
            let r = match parent {
                Some(parent) => self.relations[parent].key.value(rng),
                None => Param::Null,
            };
            self.setup.push(format!(
                "INSERT OR IGNORE INTO {name} ({id}, v, w, u, r) VALUES ({value}, {v}, '{w}', {u}, {r})"
            ));
        }
    }

    fn reference(&self, rng: &mut StdRng) -> (Option<usize>, String) {
        let parents: Vec<usize> = (0..self.relations.len())
            .filter(|&table| self.relations[table].key.is_unique())
            .collect();
        let Some(&parent) = parents.choose(rng) else {
            return (None, "INTEGER".to_owned());
        };
        let kind = self.relations[parent].key.column_type();
        if rng.random_ratio(1, 4) {
            return (Some(parent), kind.to_owned());
        }
        let actions = [
            "CASCADE",
            "SET NULL",
            "NO ACTION",
            "RESTRICT",
            "SET DEFAULT",
        ];
        let mut action = || *actions.choose(rng).unwrap_or(&"CASCADE");
        let (delete, update) = (action(), action());
        let deferred = ["", "", " DEFERRABLE INITIALLY DEFERRED"]
            .choose(rng)
            .unwrap_or(&"");
        let Relation { name, id, .. } = &self.relations[parent];
        let column = if rng.random_ratio(1, 4) {
            String::new()
        } else {
            format!("({id})")
        };
        (
            Some(parent),
            format!(
                "{kind} REFERENCES {name}{column} ON DELETE {delete} ON UPDATE {update}{deferred}"
            ),
        )
    }

    fn add_index(&mut self, rng: &mut StdRng) {
        let Some(table) = self.relations.choose(rng) else {
            return;
        };
        let on = ["(v)", "(u) WHERE u > 3", "(v % 5)", "(w, v)"]
            .choose(rng)
            .unwrap_or(&"(v)");
        let name = &table.name;
        self.setup.push(format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS extra ON {name} {on}"
        ));
    }

    fn add_view(&mut self, index: usize, rng: &mut StdRng) {
        let pick = |rng: &mut StdRng| self.relations.choose(rng).cloned();
        let (Some(a), Some(b)) = (pick(rng), pick(rng)) else {
            return;
        };
        let (from, id, other, other_id) = (&a.name, a.id, &b.name, b.id);
        let mut columns = "";
        let (key, query) = match rng.random_range(0..10) {
            0..3 => (
                a.key,
                format!("SELECT {id} AS id, v, w, u, r FROM {from} WHERE v < 5"),
            ),
            3 => (
                a.key,
                format!(
                    "SELECT x.{id} AS id, x.v, y.w, y.u, x.r FROM {from} AS x LEFT JOIN {other} AS y ON y.{other_id} = x.r"
                ),
            ),
            4 => (
                a.key,
                format!(
                    "SELECT {id} AS id, count(*) AS v, max(w) AS w, min(u) AS u, NULL AS r FROM {from} GROUP BY {id}"
                ),
            ),
            5 => (
                a.key,
                format!(
                    "SELECT {id} AS id, row_number() OVER (ORDER BY v, u, {id}) AS v, w, u, r FROM {from}"
                ),
            ),
            6 => (
                a.key,
                format!("SELECT {id} AS id, v, w, u, r FROM {from} ORDER BY v, u, {id} LIMIT 3"),
            ),
            7 => (
                a.key,
                format!(
                    "SELECT {id} AS id, v, w, u, r FROM {from} UNION ALL SELECT {other_id}, v, w, u, r FROM {other}"
                ),
            ),
            8 => {
                // The view's `id` is another column than that of its table.
                columns = " (v, id, w, u, r)";
                (Key::None, format!("SELECT {id}, v, w, u, r FROM {from}"))
            }
            _ => (
                b.key,
                format!(
                    "WITH q AS (SELECT * FROM {other}) SELECT {other_id} AS id, v, w, u, (SELECT count(*) FROM {from}) AS r FROM q"
                ),
            ),
        };
        let name = format!("v{index}");
        self.setup
            .push(format!("CREATE VIEW {name}{columns} AS {query}"));
        self.relations.push(Relation {
            name,
            id: "id",
            key,
            view: true,
            parent: None,
        });
    }

    fn add_trigger(&mut self, index: usize, rng: &mut StdRng) {
        let tables: Vec<&Relation> = self.relations.iter().filter(|r| !r.view).collect();
        let (Some(a), Some(b)) = (self.relations.choose(rng), tables.choose(rng)) else {
            return;
        };
        let event = *["INSERT", "UPDATE", "DELETE", "UPDATE OF v"]
            .choose(rng)
            .unwrap_or(&"INSERT");
        let row = if event == "DELETE" { "OLD" } else { "NEW" };
        let (on, id, to, to_id) = (&a.name, a.id, &b.name, b.id);
        let when = *["", "", " WHEN {row}.v > 2"].choose(rng).unwrap_or(&"");
        let timing = if a.view {
            "INSTEAD OF"
        } else {
            ["AFTER", "AFTER", "BEFORE"][rng.random_range(0..3)]
        };
        let body = match rng.random_range(0..12) {
            0 | 1 => format!("UPDATE {to} SET v = v + 1 WHERE {to_id} = {row}.{id};"),
            2 => format!("UPDATE {to} SET w = 'tr;END';"),
            3 => format!("DELETE FROM {to} WHERE {to_id} = {row}.v;"),
            4 => format!("INSERT OR IGNORE INTO {to} ({to_id}, v) VALUES ({row}.v, 1);"),
            5 => format!("UPDATE {to} SET {to_id} = {to_id} + 1 WHERE {to_id} = {row}.v;"),
            6 => format!("REPLACE INTO {to} ({to_id}, v, u) VALUES ({row}.v, 2, 3);"),
            7 => format!("SELECT RAISE(ABORT, 'three') WHERE {row}.v = 3;"),
            8 => format!(
                "SELECT RAISE(IGNORE) WHERE {row}.v = 3; UPDATE {to} SET v = 4 WHERE {to_id} = 1;"
            ),
            9 => format!(
                "UPDATE {to} SET v = CASE WHEN v > 3 THEN 0 ELSE v END WHERE u = {row}.u; DELETE FROM {to} WHERE v = 5;"
            ),
            10 => format!("INSERT INTO {to} (v, w) SELECT v, w FROM {on} LIMIT 1;"),
            _ if event == "DELETE" => format!("SELECT RAISE(ROLLBACK, 'back') WHERE {row}.v = 4;"),
            _ => format!(
                "INSERT INTO {to} ({to_id}, v) VALUES ({row}.{id}, 0) ON CONFLICT DO UPDATE SET v = v + 1;"
            ),
        };
        let when = when.replace("{row}", row);
        self.setup.push(format!(
            "CREATE TRIGGER tr{index} {timing} {event} ON {on}{when} BEGIN {body} END"
        ));
    }

    pub(crate) fn is_rowid(relation: &Relation) -> bool {
        relation.key.is_rowid()
    }
}
