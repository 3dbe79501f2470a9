//! `kogia explain`: what a statement reads and writes, and whether it can be cached.

use std::io::{BufRead, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use kogia::core::{
    Analyzer, DatabaseId, DatabaseTags, Dialect, KeyPrefix, Parameter, QueryKey, ReadRequest,
    Schema, Statement, TagNames, Uncacheable, Value, WriteScope, written_tags,
};
use serde::{Deserialize, Serialize};

use crate::database_url::DatabaseUrl;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The statement to explain.
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    sql: Option<String>,

    /// The SQL dialect: postgres, mysql (also for MariaDB) or sqlite. Taken from the database's
    /// URL if there is one.
    #[arg(long, value_name = "NAME")]
    dialect: Option<Dialect>,

    /// A database whose catalog says what is a view, what cascades, and which keys there are.
    /// Without it every name counts as a plain table.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,

    /// The parameters of the statement, as a JSON list.
    #[arg(long, value_name = "JSON", conflicts_with = "batch")]
    params: Option<String>,

    /// Read JSON lines with `sql`, and optionally `id` and `params`, from standard input, and
    /// answer a line each.
    #[arg(long)]
    batch: bool,

    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = r#"Examples:
  kogia explain "SELECT title FROM book WHERE id = 7" --dialect sqlite
  kogia explain 'SELECT * FROM book WHERE id = $1' --params '[7]' --database-url postgres://localhost/shop
  kogia explain --json "DELETE FROM author WHERE id = 1" --dialect mysql
  echo '{"id": 1, "sql": "SELECT * FROM book WHERE id = ?", "params": [7]}' | kogia explain --batch --dialect sqlite

In JSON, `tags` are what a read depends on, or what a write renews: a write invalidates the reads
that share a tag with it. Parameters are JSON values; {"bytes": "00ff"} is a binary string and
{"uuid": "…"} a UUID."#;

/// A line of `--batch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: serde_json::Value,
    sql: String,
    #[serde(default)]
    params: Vec<serde_json::Value>,
}

/// The answer for one statement.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    id: serde_json::Value,
    reads: Vec<&'a str>,
    writes: Vec<&'a str>,
    tags: Vec<String>,
    cacheable: bool,
    why: Option<String>,
}

/// Analyses statements by one catalog.
struct Explainer {
    analyzer: Arc<Analyzer>,
    tags: DatabaseTags,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let explainer = Explainer::new(&arguments)?;
    if arguments.batch {
        explainer.batch()?;
        return Ok(ExitCode::SUCCESS);
    }
    let sql = arguments.sql.unwrap_or_default();
    let values: Vec<serde_json::Value> = match &arguments.params {
        Some(json) => serde_json::from_str(json)
            .map_err(|error| format!("--params is no JSON list, such as '[7, \"a\"]': {error}"))?,
        None => Vec::new(),
    };
    if arguments.json {
        let line = Line {
            id: serde_json::Value::Null,
            sql,
            params: values,
        };
        let answer = explainer.answer_json(&line)?;
        anstream::println!("{answer}");
    } else {
        explainer.print(&sql, &values)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Explainer {
    fn new(arguments: &Arguments) -> Result<Self, String> {
        let analyzer = match (&arguments.database_url, arguments.dialect) {
            (Some(url), dialect) => {
                let url: DatabaseUrl = url.parse()?;
                if let Some(dialect) = dialect.filter(|dialect| *dialect != url.dialect) {
                    return Err(format!(
                        "--dialect says {dialect}, and --database-url {url}"
                    ));
                }
                crate::catalog::load(&url)?
            }
            (None, Some(dialect)) => Arc::new(Analyzer::new(
                DatabaseId::new("explain"),
                Schema::unknown(dialect),
            )),
            (None, None) => {
                return Err(
                    "say which SQL it is: --dialect postgres, mysql or sqlite, or \
                            --database-url with a database"
                        .to_owned(),
                );
            }
        };
        Ok(Explainer {
            tags: DatabaseTags::new(analyzer.database()),
            analyzer,
        })
    }

    fn batch(&self) -> Result<(), String> {
        let mut output = std::io::BufWriter::new(std::io::stdout().lock());
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let line = line.map_err(|error| format!("cannot read standard input: {error}"))?;
            if line.trim().is_empty() {
                continue;
            }
            let answer = serde_json::from_str(&line)
                .map_err(|error| error.to_string())
                .and_then(|line: Line| self.answer_json(&line))
                .map_err(|error| format!("line {} of standard input: {error}", number + 1))?;
            // A reader that closes its end early, such as `head`, has had enough.
            if writeln!(output, "{answer}").is_err() {
                return Ok(());
            }
        }
        output.flush().or(Ok(()))
    }

    fn answer_json(&self, line: &Line) -> Result<String, String> {
        let owned = owned_parameters(&line.params)?;
        let parameters: Vec<Parameter<'_>> = owned.iter().map(OwnedValue::parameter).collect();
        let statement = self.analyzer.analyze(&line.sql);
        let uncacheable = self.why_not(&statement, &parameters);
        let answer = Answer {
            id: line.id.clone(),
            reads: sorted(statement.reads.iter().map(|read| &*read.table)),
            writes: sorted(statement.writes.iter().map(|write| &*write.table)),
            tags: self.tags(&statement, &parameters),
            cacheable: uncacheable.is_none(),
            why: uncacheable.as_ref().map(ToString::to_string),
        };
        serde_json::to_string(&answer).map_err(|error| error.to_string())
    }

    /// Why the result of this call is not cacheable.
    fn why_not(&self, statement: &Statement, parameters: &[Parameter<'_>]) -> Option<Uncacheable> {
        let why = statement.uncacheable.clone();
        why.or_else(|| self.analyzer.refuses(parameters))
    }

    /// What a write renews, or what a read depends on.
    fn tags(&self, statement: &Statement, parameters: &[Parameter<'_>]) -> Vec<String> {
        let names = TagNames::new(&self.tags, statement, parameters);
        if statement.is_write() {
            let tags = written_tags(&self.tags, statement, parameters);
            return sorted(tags.as_slice().iter().map(|tag| names.name(*tag)));
        }
        if statement.reads.is_empty() {
            return Vec::new();
        }
        let prefix = KeyPrefix::new([]);
        let key = QueryKey::new(&prefix, &statement.digest, b"explain", parameters);
        let request = ReadRequest::new(key, &self.tags, statement, parameters);
        sorted(request.tags().iter().map(|tag| names.name(*tag)))
    }

    fn print(&self, sql: &str, values: &[serde_json::Value]) -> Result<(), String> {
        let owned = owned_parameters(values)?;
        let parameters: Vec<Parameter<'_>> = owned.iter().map(OwnedValue::parameter).collect();
        let statement = self.analyzer.analyze(sql);
        let (bold, plain) = (BOLD.render(), BOLD.render_reset());
        match &self.why_not(&statement, &parameters) {
            None => anstream::println!("{bold}cacheable{plain}"),
            Some(why) => anstream::println!("{bold}not cacheable{plain}: {why}."),
        }
        for read in &statement.reads {
            let pinned = read.pin.as_ref().map(|pin| {
                let values: Vec<String> = pin.values.iter().map(|value| value.display()).collect();
                format!(
                    ", only where {} is {}",
                    pin.column.name,
                    values.join(" or ")
                )
            });
            anstream::println!("  reads   {}{}", read.table, pinned.unwrap_or_default());
        }
        for write in &statement.writes {
            let scope = match &write.scope {
                WriteScope::Broad => ", any rows".to_owned(),
                WriteScope::Inserts => ", new rows with generated keys".to_owned(),
                WriteScope::Keys { column, values } | WriteScope::Given { column, values, .. } => {
                    let values: Vec<String> = values.iter().map(|value| value.display()).collect();
                    format!(", only where {} is {}", column.name, values.join(" or "))
                }
            };
            anstream::println!("  writes  {}{scope}", write.table);
        }
        if statement.wide.database() {
            anstream::println!("  writes  anything: it invalidates the whole database");
        }
        if statement.wide.schema() {
            anstream::println!("  changes the schema: it invalidates the whole database");
        }
        let tags = self.tags(&statement, &parameters);
        if !tags.is_empty() {
            let verb = if statement.is_write() {
                "renews "
            } else {
                "depends"
            };
            anstream::println!("  {verb} {}", tags.join(", "));
        }
        if !self.analyzer.schema().loaded {
            anstream::println!(
                "Every name counts as a plain table; give --database-url to have views, keys, \
                 cascades and triggers looked up."
            );
        }
        Ok(())
    }
}

/// A parameter that came as JSON.
enum OwnedValue {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
}

impl OwnedValue {
    fn from_json(value: &serde_json::Value) -> Option<Self> {
        Some(match value {
            serde_json::Value::Null => OwnedValue::Null,
            serde_json::Value::Bool(value) => OwnedValue::Bool(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => OwnedValue::Int(value),
                (None, Some(value)) => OwnedValue::UInt(value),
                (None, None) => OwnedValue::Float(number.as_f64()?),
            },
            serde_json::Value::String(text) => OwnedValue::Text(text.clone()),
            serde_json::Value::Object(map) if map.len() == 1 => {
                let (kind, value) = map.iter().next()?;
                let digits = value.as_str()?.replace('-', "");
                match kind.as_str() {
                    "bytes" => OwnedValue::Bytes(bytes_of(&digits)?),
                    "uuid" => OwnedValue::Uuid(bytes_of(&digits)?.try_into().ok()?),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn parameter(&self) -> Parameter<'_> {
        Parameter::untyped(match self {
            OwnedValue::Null => Value::Null,
            OwnedValue::Bool(value) => Value::Bool(*value),
            OwnedValue::Int(value) => Value::Int(*value),
            OwnedValue::UInt(value) => Value::UInt(*value),
            OwnedValue::Float(value) => Value::Float(*value),
            OwnedValue::Text(text) => Value::Text(text),
            OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
            OwnedValue::Uuid(bytes) => Value::Uuid(*bytes),
        })
    }
}

fn owned_parameters(values: &[serde_json::Value]) -> Result<Vec<OwnedValue>, String> {
    let owned = |value| {
        OwnedValue::from_json(value).ok_or_else(|| {
            format!(
                "the parameter {value} is none of null, a boolean, a number, a string, \
                 {{\"bytes\": \"00ff\"}} and {{\"uuid\": \"…\"}}"
            )
        })
    };
    values.iter().map(owned).collect()
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn sorted<T: Ord>(names: impl Iterator<Item = T>) -> Vec<T> {
    let mut names: Vec<T> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

const BOLD: anstyle::Style = anstyle::Style::new().bold();
