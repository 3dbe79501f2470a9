//! Pairs of a read and a write: where the write changes the answer of the read, the analysis must
//! say that it renews a tag which the read's entry depends on.
//!
//! Nothing is cached here. The database says which pairs matter, so a list of some hundred reads
//! and writes checks tens of thousands of them in seconds.

use kogia::core::{
    Analyzer, DatabaseId, DatabaseTags, Decision, Dialect, Generation, KeyPrefix, QueryKey,
    ReadRequest, ReadResponse, written_tags,
};

use crate::case::for_dialect;
use crate::connection::{Bare, Server};
use crate::step::Statement;
use crate::value::Answer;

/// The pairs of a file that are for one dialect.
#[derive(Debug, Default)]
pub struct Pairs {
    /// What makes the database.
    pub setup: Vec<String>,
    dialect: Option<Dialect>,
    reads: Vec<Text>,
    writes: Vec<Text>,
}

/// A statement, and the table that it is about where only statements about one table are paired.
#[derive(Debug)]
struct Text {
    sql: String,
    table: String,
}

/// What was tried, and what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    /// Pairs that ran.
    pub pairs: usize,
    /// Pairs whose write changed the answer of the read.
    pub changed: usize,
    /// A paragraph for each read that would have been stale.
    pub stale: Vec<String>,
}

impl Pairs {
    /// Reads a file, or says what is wrong with it. Each line is `setup`, `read` or `write` and a
    /// statement, or `table` or `value` and what stands for `{table}` and `{value}` in statements.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, String> {
        let mut pairs = Pairs {
            dialect: Some(dialect),
            ..Pairs::default()
        };
        let (mut tables, mut values, mut templates) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some(line) = for_dialect(line, dialect)? else {
                continue;
            };
            match line.split_once(' ') {
                Some(("setup", sql)) => pairs.setup.push(sql.to_owned()),
                Some(("table", name)) => tables.push(name),
                Some(("value", value)) => values.push(value),
                Some((kind @ ("read" | "write"), sql)) => templates.push((kind == "read", sql)),
                _ => return Err(format!("{line:?} is no line of pairs")),
            }
        }
        for (is_read, sql) in templates {
            let list = if is_read {
                &mut pairs.reads
            } else {
                &mut pairs.writes
            };
            if !sql.contains('{') {
                list.push(Text {
                    sql: sql.to_owned(),
                    table: String::new(),
                });
                continue;
            }
            for table in &tables {
                list.extend(values.iter().map(|value| Text {
                    sql: sql.replace("{table}", table).replace("{value}", value),
                    table: (*table).to_owned(),
                }));
            }
        }
        Ok(pairs)
    }

    /// Runs all pairs on a connection to a database that was made by the setup, each write in a
    /// transaction that is rolled back.
    pub async fn check<S: Server>(
        &self,
        connection: &mut Bare<S>,
        analyzer: &Analyzer,
        id: &DatabaseId,
    ) -> Result<Report, String> {
        let tags = DatabaseTags::new(id);
        // Plain text has another form for bytes on PostgreSQL. On MySQL a query that is prepared
        // and forgotten again waits for the network each time.
        let query = self.dialect == Some(Dialect::Postgres);
        let mut report = Report::default();
        for write in &self.writes {
            let written = analyzer.analyze(&write.sql);
            let renewed = written_tags(&tags, &written, &[]);
            let reads = self.reads.iter().filter(|read| read.table == write.table);
            let mut before = Vec::new();
            connection.run("BEGIN").await?;
            for read in reads {
                let statement = analyzer.analyze(&read.sql);
                if statement.is_cacheable() {
                    before.push((
                        read,
                        statement,
                        attempt(connection, &read.sql, query).await?,
                    ));
                }
            }
            if attempt(connection, &write.sql, false).await?.is_ok() {
                for (read, statement, before) in before {
                    let Ok(before) = before else { continue };
                    let Ok(after) = attempt(connection, &read.sql, query).await? else {
                        continue;
                    };
                    report.pairs += 1;
                    if sorted(&before) == sorted(&after) {
                        continue;
                    }
                    report.changed += 1;
                    let depends = dependencies(&tags, &statement, before.len() as u64);
                    if !renewed.intersects(&depends) {
                        let texts = format!("{}\n{}", read.sql, write.sql);
                        let answers = format!("before: {before:?}\nafter: {after:?}\n");
                        report.stale.push(format!("{texts}\n{answers}"));
                    }
                }
            }
            connection.run("ROLLBACK").await?;
        }
        Ok(report)
    }
}

/// Runs a statement so that the transaction goes on if it fails.
async fn attempt<S: Server>(
    connection: &mut Bare<S>,
    sql: &str,
    query: bool,
) -> Result<Answer, String> {
    connection.run("SAVEPOINT attempt").await?;
    let answer = if query {
        connection.fetch(&Statement::new(sql), true).await
    } else {
        connection.run(sql).await
    };
    if answer.is_err() {
        connection.run("ROLLBACK TO SAVEPOINT attempt").await?;
    }
    Ok(answer)
}

/// The tags that an entry with this many rows depends on.
fn dependencies(
    database: &DatabaseTags,
    statement: &kogia::core::Statement,
    rows: u64,
) -> Vec<kogia::core::Tag> {
    let key = QueryKey::new(&KeyPrefix::new([]), &statement.digest, b"", &[]);
    let request = ReadRequest::new(key, database, statement, &[]);
    let clean = Generation::from_random([7; 16]);
    let response = ReadResponse::<()> {
        generations: request.tags().iter().map(|_| clean).collect(),
        entry: None,
    };
    let Decision::Miss(fill) = request.decide(response) else {
        return request.tags().to_vec();
    };
    let stamp = fill.entry_stamp(rows);
    let kept = fill.tags().iter().zip(&stamp.0);
    kept.filter(|(_, generation)| !generation.is_missing())
        .map(|(tag, _)| *tag)
        .collect()
}

/// The rows in one order: without ORDER BY it means nothing.
fn sorted(rows: &[crate::value::Row]) -> Vec<String> {
    let mut rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}
