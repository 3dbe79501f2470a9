//! Names of tags, for people.

use std::collections::HashMap;

use crate::analysis::{Literal, Operand, Statement};
use crate::canonical::canonical;
use crate::lookup::DatabaseTags;
use crate::schema::{KeyColumn, KeyKind};
use crate::tag::{TableTags, Tag};
use crate::value::{Parameter, Value};

/// The names of the tags that one statement can touch: `book:any`, `book:broad`, `book:ins`,
/// `book:id=7`, and `database`, `schema`, `commit` for those of the whole database.
///
/// It only names. Which of them a statement depends on or renews is for
/// [`crate::ReadRequest::tags`] and [`crate::written_tags`] to say.
#[derive(Debug)]
pub struct TagNames(HashMap<Tag, String>);

impl TagNames {
    /// The names for one statement and its parameters.
    pub fn new(
        database: &DatabaseTags,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Self {
        let mut names = TagNames(HashMap::from([
            (database.database_epoch, "database".to_owned()),
            (database.schema_epoch, "schema".to_owned()),
            (database.commit, "commit".to_owned()),
        ]));
        for read in &statement.reads {
            names.add_table(&read.table, &read.tags);
            if let Some(pin) = &read.pin {
                names.add_keys(
                    &read.table,
                    &read.tags,
                    &pin.column,
                    &pin.values,
                    parameters,
                );
            }
        }
        for write in &statement.writes {
            names.add_table(&write.table, &write.tags);
            if let Some((column, values)) = write.scope.keys() {
                names.add_keys(&write.table, &write.tags, column, values, parameters);
            }
        }
        names
    }

    /// The name of a tag.
    pub fn name(&self, tag: Tag) -> String {
        self.0
            .get(&tag)
            .cloned()
            .unwrap_or_else(|| format!("{tag:?}"))
    }

    fn add_table(&mut self, table: &str, tags: &TableTags) {
        self.0.insert(tags.any, format!("{table}:any"));
        self.0.insert(tags.broad, format!("{table}:broad"));
        self.0.insert(tags.inserts, format!("{table}:ins"));
    }

    fn add_keys(
        &mut self,
        table: &str,
        tags: &TableTags,
        column: &KeyColumn,
        values: &[Operand],
        parameters: &[Parameter<'_>],
    ) {
        for operand in values {
            let Some(value) = operand.value(parameters) else {
                continue;
            };
            if let Some(bytes) = canonical(column, &value) {
                let value = display(&value);
                // Where blanks at the end do not count, there is one tag and one name.
                let value = match column.kind {
                    KeyKind::PaddedText | KeyKind::BoundedText(_) => value.trim_end_matches(' '),
                    _ => &value,
                };
                let name = format!("{table}:{}={value}", column.name);
                self.0.insert(tags.key(&bytes), name);
            }
        }
    }
}

fn display(value: &Value<'_>) -> String {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    match value {
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Text(text) => (*text).to_owned(),
        Value::Bytes(bytes) => format!("0x{}", hex(bytes)),
        Value::Uuid(bytes) => hex(bytes),
        other => format!("{other:?}"),
    }
}

impl Operand {
    /// The operand as it stands in a text: `$1`, `7`, `'a'`.
    pub fn display(&self) -> String {
        match self {
            Operand::Parameter(index) => format!("${}", index + 1),
            Operand::Literal(Literal::Int(value)) => value.to_string(),
            Operand::Literal(Literal::UInt(value)) => value.to_string(),
            Operand::Literal(Literal::Text(text)) => format!("{text:?}"),
            Operand::Literal(Literal::Bytes(bytes)) => display(&Value::Bytes(bytes)),
        }
    }
}
