//! What the analysis says about texts: one rule, one test.

mod functions;
mod pinning;
mod random;
mod reading;
mod text;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::schema::{Function, KeyColumn, KeyKind, Relation, RelationKind, Schema, Volatility};
use crate::tag::DatabaseId;

use super::{Analyzer, Literal, Operand, Pin, Proof, Statement};

use Dialect::{MySql, Postgres, Sqlite};

const ALL: &[Dialect] = &Dialect::ALL;

/// An analyzer with the catalog of a bookshop.
fn shop(dialect: Dialect) -> Analyzer {
    let key = |name: &str, kind| {
        Some(Arc::new(KeyColumn {
            name: name.into(),
            kind,
        }))
    };
    let table = |name: &str| Relation {
        key: key("id", KeyKind::Integer),
        ..Relation::table(name)
    };
    let view = |name: &str, text: Option<&str>| Relation {
        kind: RelationKind::View(text.map(Into::into)),
        ..Relation::table(name)
    };
    let kind = |name: &str, kind| Relation {
        kind,
        ..Relation::table(name)
    };
    let create = if dialect == Sqlite {
        "CREATE VIEW cheap AS "
    } else {
        ""
    };
    let mut schema = Schema::unknown(dialect);
    schema.loaded = true;
    schema.database = Some(if dialect == Sqlite { "main" } else { "shop" }.into());
    schema.relations = vec![
        table("book"),
        table("author"),
        table("shelf"),
        table("sale"),
        Relation {
            key: key("name", KeyKind::Text),
            ..Relation::table("tag")
        },
        Relation {
            key: key("hash", KeyKind::Bytes),
            ..Relation::table("file")
        },
        Relation {
            kind: RelationKind::Partition,
            parents: vec!["sale".into()],
            ..Relation::table("sale_2024")
        },
        view(
            "cheap",
            Some(&format!("{create}SELECT * FROM book WHERE price < 5;")),
        ),
        view("one_book", Some("SELECT * FROM book WHERE id = 1")),
        view(
            "cheap_authors",
            Some("SELECT a.* FROM cheap c JOIN author a ON a.id = c.author_id"),
        ),
        view("circle", Some("SELECT * FROM circle_too")),
        view("circle_too", Some("SELECT * FROM circle")),
        view("hidden", None),
        view("odd", Some("SELECT (")),
        view("clock", Some("SELECT id, CURRENT_TIMESTAMP AS t FROM book")),
        kind("totals", RelationKind::MaterializedView),
        kind("remote", RelationKind::Foreign),
        kind("scratch", RelationKind::Temporary),
        Relation {
            row_security: true,
            ..table("secured")
        },
    ];
    let function = |volatility| Function {
        volatility,
        changes_session: false,
    };
    schema.functions = BTreeMap::from([
        ("own_immutable".into(), function(Volatility::Immutable)),
        ("own_stable".into(), function(Volatility::Stable)),
        ("own_volatile".into(), function(Volatility::Volatile)),
    ]);
    Analyzer::new(DatabaseId::new("shop"), schema)
}

/// An analyzer that knows no catalog.
fn bare(dialect: Dialect) -> Analyzer {
    Analyzer::new(DatabaseId::new("shop"), Schema::unknown(dialect))
}

fn analyze(dialect: Dialect, sql: &str) -> Arc<Statement> {
    shop(dialect).analyze(sql)
}

/// The read set in alphabetical order: `author book=1|$2 any`, where `$1` is the first parameter.
fn reads(dialect: Dialect, sql: &str) -> String {
    shown_reads(&analyze(dialect, sql))
}

fn shown_reads(statement: &Statement) -> String {
    let mut reads: Vec<String> = statement
        .reads
        .iter()
        .map(|read| match &read.pin {
            None => read.table.to_string(),
            Some(pin) => format!("{}={}", read.table, shown_pin(pin)),
        })
        .collect();
    reads.sort();
    reads.join(" ")
}

fn shown_pin(pin: &Pin) -> String {
    let values: Vec<String> = pin
        .values
        .iter()
        .map(|value| match value {
            Operand::Parameter(index) => format!("${}", index + 1),
            Operand::Literal(Literal::Int(number)) => number.to_string(),
            Operand::Literal(Literal::UInt(number)) => format!("{number}u"),
            Operand::Literal(Literal::Text(text)) => format!("'{text}'"),
            Operand::Literal(Literal::Bytes(bytes)) => format!("{bytes:02x?}"),
        })
        .collect();
    let proof = match pin.proof {
        Proof::Never => "never",
        Proof::AnyRow => "any",
        Proof::RowPerValue => "each",
    };
    format!("{}:{proof}", values.join("|"))
}

/// Why it is not cacheable, as the name of the variant and what is in it; empty if it is.
fn why(dialect: Dialect, sql: &str) -> String {
    shown_why(&analyze(dialect, sql))
}

fn shown_why(statement: &Statement) -> String {
    statement
        .uncacheable
        .as_ref()
        .map(|why| format!("{why:?}"))
        .unwrap_or_default()
}

/// Checks the read set of each text under each of the dialects, and that it is cacheable.
#[track_caller]
fn assert_reads(dialects: &[Dialect], cases: &[(&str, &str)]) {
    for &dialect in dialects {
        let analyzer = shop(dialect);
        for (sql, expected) in cases {
            let statement = analyzer.analyze(sql);
            assert_eq!(shown_reads(&statement), *expected, "{dialect}: {sql}");
            assert_eq!(shown_why(&statement), "", "{dialect}: {sql}");
        }
    }
}

/// Checks why each text is not cacheable under each of the dialects.
#[track_caller]
fn assert_refused(dialects: &[Dialect], cases: &[(&str, &str)]) {
    for &dialect in dialects {
        let analyzer = shop(dialect);
        for (sql, expected) in cases {
            let why = shown_why(&analyzer.analyze(sql));
            let matches = why == *expected || why.split('(').next() == Some(*expected);
            assert!(matches, "{dialect}: {sql}\nis {why}\nnot {expected}");
        }
    }
}
