//! Any text has a meaning to the analysis, always the same one.

use std::sync::{Arc, OnceLock};

use kogia_core::{
    Analyzer, Cascade, DatabaseId, Dialect, KeyColumn, KeyKind, Relation, RelationKind, Schema,
    Statement, Trigger, TriggerBody, Wide,
};

use crate::Target;

/// The first byte chooses dialect and catalog (`0` PostgreSQL, `1` MySQL, `2` SQLite; `3`, `4`
/// and `5` the same with a catalog), the rest is the text to be analysed.
pub const ANALYSE: Target = Target {
    name: "analyse",
    run: analyse,
    dictionary: DICTIONARY,
};

fn analyse(data: &[u8]) {
    static ANALYZERS: OnceLock<[Vec<Analyzer>; 2]> = OnceLock::new();
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let sql = String::from_utf8_lossy(text);
    let [first, second] = ANALYZERS.get_or_init(|| [analyzers(), analyzers()]);
    let choice = usize::from(*choice) % first.len();
    let statement = first[choice].analyze(&sql);
    let told = format!("{statement:?}");
    assert_eq!(
        told,
        format!("{:?}", first[choice].analyze(&sql)),
        "it remembers it wrongly"
    );
    assert_eq!(
        told,
        format!("{:?}", second[choice].analyze(&sql)),
        "another analyzer differs"
    );
    check(&sql, &statement);
}

fn check(sql: &str, statement: &Statement) {
    if statement.is_cacheable() {
        assert!(!statement.is_write(), "cacheable, but it may write: {sql}");
        assert!(
            !statement.reads.is_empty(),
            "cacheable, but nothing invalidates it: {sql}"
        );
        assert!(
            statement.effects.is_empty(),
            "cacheable, but changes the session: {sql}"
        );
    }
    assert_eq!(
        statement.is_write(),
        !statement.writes.is_empty() || statement.wide != Wide::Nothing,
        "it writes something, but is no write: {sql}"
    );
    for read in &statement.reads {
        let others = statement
            .reads
            .iter()
            .filter(|other| other.table == read.table);
        assert_eq!(others.count(), 1, "{} is read twice: {sql}", read.table);
    }
    if let Some(word) = first_word_that_writes(sql) {
        // A MERGE may do nothing in every case.
        let writes = statement.is_write() || word.eq_ignore_ascii_case("MERGE");
        assert!(writes, "{word} does not write: {sql}");
        assert!(
            !statement.is_cacheable(),
            "the result of {word} is cacheable: {sql}"
        );
    }
}

/// The word that begins one of the statements of a text and says that it writes.
///
/// Only texts that need no lexer: nothing is quoted, no comment, no escape. Temporary tables are
/// left out, because nobody else sees what is written to them.
fn first_word_that_writes(sql: &str) -> Option<&str> {
    if sql.contains(['\'', '"', '`', '$', '[', '-', '/', '#', '\\', '{']) {
        return None;
    }
    if sql.to_ascii_lowercase().contains("temp") {
        return None;
    }
    let words = sql
        .split(';')
        .filter_map(|statement| statement.split_ascii_whitespace().next());
    let writes = |word: &&str| {
        WRITING
            .iter()
            .any(|writing| word.eq_ignore_ascii_case(writing))
    };
    words.into_iter().find(writes)
}

const WRITING: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE"];

/// Without a catalog, then with one, in each dialect.
fn analyzers() -> Vec<Analyzer> {
    let schemas = Dialect::ALL
        .map(Schema::unknown)
        .into_iter()
        .chain(Dialect::ALL.map(catalog));
    schemas
        .map(|schema| Analyzer::new(DatabaseId::new("fuzz"), schema))
        .collect()
}

/// Something of everything that a catalog can say.
fn catalog(dialect: Dialect) -> Schema {
    let key = |kind| {
        Some(Arc::new(KeyColumn {
            name: "id".into(),
            kind,
        }))
    };
    let view = |text: &str| RelationKind::View(Some(text.into()));
    let trigger = |body| Trigger {
        on_insert: true,
        on_update: true,
        on_delete: false,
        body,
    };
    let cascade = Cascade {
        table: "review".into(),
        on_delete: true,
        on_update: true,
        columns: vec!["id".into()],
    };
    let log = "INSERT INTO log (book) VALUES (NEW.id); UPDATE author SET books = books + 1";
    Schema {
        loaded: true,
        database: (dialect == Dialect::MySql).then(|| "shop".into()),
        relations: vec![
            Relation {
                key: key(KeyKind::Integer),
                generated_key: true,
                cascades: vec![cascade],
                triggers: vec![trigger(TriggerBody::Statements(log.into()))],
                ..Relation::table("book")
            },
            Relation {
                key: key(KeyKind::Uuid),
                other_unique: true,
                triggers: vec![trigger(TriggerBody::Unknown)],
                ..Relation::table("author")
            },
            Relation {
                key: key(KeyKind::Text),
                ..Relation::table("review")
            },
            Relation {
                parents: vec!["log".into()],
                ..Relation::table("log_2026")
            },
            Relation {
                row_security: true,
                ..Relation::table("log")
            },
            Relation {
                kind: view("SELECT b.* FROM book b JOIN author a ON a.id = b.author_id"),
                ..Relation::table("shelf")
            },
            Relation {
                kind: view("SELECT * FROM circle"),
                ..Relation::table("circle")
            },
            Relation {
                kind: view("not a query ("),
                ..Relation::table("broken")
            },
            Relation {
                kind: RelationKind::View(None),
                ..Relation::table("secret")
            },
            Relation {
                kind: RelationKind::MaterializedView,
                ..Relation::table("top")
            },
            Relation {
                kind: RelationKind::Foreign,
                ..Relation::table("abroad")
            },
            Relation {
                kind: RelationKind::Temporary,
                ..Relation::table("scratch")
            },
        ],
        ..Schema::unknown(dialect)
    }
}

const DICTIONARY: &[&str] = &[
    " SELECT ",
    " * ",
    " FROM ",
    " book ",
    " author ",
    " shelf ",
    " circle ",
    " broken ",
    " WHERE ",
    " id = 1 ",
    " id = $1 ",
    " id = ? ",
    " id IN (1, 2) ",
    " AND ",
    " OR ",
    " NOT ",
    " JOIN ",
    " LEFT JOIN ",
    " ON ",
    " USING (id) ",
    " LATERAL ",
    " UNION ALL ",
    " EXCEPT ",
    " WITH ",
    " WITH RECURSIVE x AS (",
    " GROUP BY ",
    " HAVING ",
    " ORDER BY ",
    " LIMIT 1 ",
    " FOR UPDATE ",
    " INSERT INTO ",
    " VALUES ",
    " DEFAULT VALUES ",
    " ON CONFLICT DO NOTHING ",
    " REPLACE INTO ",
    " ON DUPLICATE KEY UPDATE ",
    " UPDATE ",
    " SET ",
    " DELETE FROM ",
    " RETURNING * ",
    " MERGE ",
    " TRUNCATE ",
    " CREATE TABLE ",
    " DROP ",
    " ALTER ",
    " BEGIN ",
    " COMMIT ",
    " ROLLBACK ",
    " SAVEPOINT s ",
    " PREPARE p AS ",
    " EXECUTE p ",
    " EXPLAIN ANALYZE ",
    " CALL f() ",
    " COPY ",
    " count(*) ",
    " now() ",
    " random() ",
    " CASE WHEN ",
    " END ",
    " EXISTS (",
    "(",
    ")",
    ",",
    ";",
    "'",
    "\"",
    "`",
    "$$",
    "$tag$",
    "--",
    "/*",
    "*/",
    "/*!40000 ",
    "#",
    "\\",
    "::int",
    "@v",
    "@@x",
    "%s",
    ":name",
    "1e309",
    "0x",
    "x'",
    "e'\\",
    "U&'",
    "N'",
    "\u{0}",
    "\u{feff}",
    "\u{a0}",
    "İ",
];
