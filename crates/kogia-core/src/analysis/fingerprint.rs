//! A digest of the schema facts that does not depend on the order they were listed in.

use crate::schema::{
    Cascade, Function, KeyColumn, KeyKind, Relation, RelationKind, Schema, Trigger, TriggerBody,
    Volatility,
};

/// The number of the rules of the analysis. It changes whenever a statement may be described
/// differently than before, so that two versions of the program share no entries.
const RULES: u32 = 2;

/// The digest of these facts, under the present rules.
pub(super) fn fingerprint(schema: &Schema) -> [u8; 32] {
    // Every field is named, so that a new one cannot be forgotten.
    let Schema {
        dialect,
        loaded,
        database,
        relations,
        functions,
    } = schema;
    let mut whole = Facts::new();
    whole.number(u64::from(RULES));
    whole.text(dialect.name());
    whole.flag(*loaded);
    whole.optional(database.as_deref());
    let mut digests: Vec<_> = relations.iter().map(relation).collect();
    digests.sort_unstable();
    whole.number(digests.len() as u64);
    for digest in digests {
        whole.0.update(&digest);
    }
    whole.number(functions.len() as u64);
    for (
        name,
        Function {
            volatility,
            changes_session,
        },
    ) in functions
    {
        whole.text(name);
        whole.flag(*changes_session);
        whole.number(match volatility {
            Volatility::Immutable => 0,
            Volatility::Stable => 1,
            Volatility::Volatile => 2,
        });
    }
    whole.digest()
}

fn relation(relation: &Relation) -> [u8; 32] {
    let Relation {
        schema,
        name,
        kind,
        key,
        other_unique,
        generated_key,
        cascades,
        triggers,
        parents,
        row_security,
    } = relation;
    let mut facts = Facts::new();
    facts.optional(schema.as_deref());
    facts.text(name);
    match kind {
        RelationKind::Table => facts.number(0),
        RelationKind::Partition => facts.number(1),
        RelationKind::View(definition) => {
            facts.number(2);
            facts.optional(definition.as_deref());
        }
        RelationKind::MaterializedView => facts.number(3),
        RelationKind::Foreign => facts.number(4),
        RelationKind::Temporary => facts.number(5),
    }
    facts.flag(key.is_some());
    if let Some(KeyColumn { name, kind }) = key.as_deref() {
        facts.text(name);
        let (number, bounds) = match *kind {
            KeyKind::Integer => (0, [0, 0]),
            KeyKind::Uuid => (1, [0, 0]),
            KeyKind::Bytes => (2, [0, 0]),
            KeyKind::Text => (3, [0, 0]),
            KeyKind::PaddedText => (4, [0, 0]),
            KeyKind::BoundedInteger { min, max } => (5, [min.cast_unsigned(), max]),
            KeyKind::BoundedBytes(length) => (6, [length.into(), 0]),
            KeyKind::FixedBytes(length) => (7, [length.into(), 0]),
            KeyKind::BoundedText(length) => (8, [length.into(), 0]),
        };
        facts.number(number);
        bounds.iter().for_each(|bound| facts.number(*bound));
    }
    for flag in [other_unique, generated_key, row_security] {
        facts.flag(*flag);
    }
    facts.number(cascades.len() as u64);
    for Cascade {
        table,
        on_delete,
        on_update,
        columns,
    } in cascades
    {
        facts.text(table);
        facts.flag(*on_delete);
        facts.flag(*on_update);
        facts.number(columns.len() as u64);
        columns.iter().for_each(|column| facts.text(column));
    }
    facts.number(triggers.len() as u64);
    for Trigger {
        on_insert,
        on_update,
        on_delete,
        body,
    } in triggers
    {
        for flag in [on_insert, on_update, on_delete] {
            facts.flag(*flag);
        }
        match body {
            TriggerBody::Statements(text) => facts.optional(Some(text)),
            TriggerBody::Unknown => facts.optional(None),
            // No body of statements is empty.
            TriggerBody::ChangesSession => facts.optional(Some("")),
        }
    }
    facts.number(parents.len() as u64);
    parents.iter().for_each(|parent| facts.text(parent));
    facts.digest()
}

/// Facts in an encoding that no two different lists share.
struct Facts(blake3::Hasher);

impl Facts {
    fn new() -> Self {
        Facts(blake3::Hasher::new())
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.number(u64::from(flag));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        self.text(text.unwrap_or_default());
    }

    fn digest(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn the_order_of_relations_does_not_count_and_every_fact_does() {
        let mut schema = Schema::unknown(Dialect::Sqlite);
        schema.relations = vec![Relation::table("a"), Relation::table("b")];
        let before = fingerprint(&schema);
        schema.relations.reverse();
        assert_eq!(fingerprint(&schema), before);
        schema.relations[0].row_security = true;
        let secured = fingerprint(&schema);
        assert_ne!(secured, before);
        schema.functions.insert(
            "f".into(),
            Function {
                volatility: Volatility::Stable,
                changes_session: false,
            },
        );
        assert_ne!(fingerprint(&schema), secured);
        assert_ne!(
            fingerprint(&Schema::unknown(Dialect::Postgres)),
            fingerprint(&Schema::unknown(Dialect::MySql))
        );
    }
}
