//! Mutants: rules of the protocol broken on purpose, which the differential test must notice.
//!
//! Production code carries no switches for them. A mutant of a rule about statements is what the
//! session is told instead of the text that runs; a mutant of a fact of the schema is a catalog
//! without it; a mutant of the protocol is a front end that misuses the engine.

use kogia_core::{KeyColumn, KeyKind, RelationKind, Schema};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mutant {
    /// `id = 1 OR v = 2` pins.
    OrPins,
    /// `NOT id = 1`, or a comparison inside of an expression, pins.
    ExpressionPins,
    /// A pin above a window function in a derived table counts.
    PinAboveWindow,
    /// A pin above `LIMIT` or `DISTINCT` in a derived table counts.
    PinAboveLimit,
    /// A pin above `GROUP BY` in a derived table counts.
    PinAboveGroup,
    /// The `ON` of an outer join pins its preserved side.
    PreservedSidePins,
    /// A pin on one of two occurrences of a table pins the table.
    OneOccurrencePins,
    /// A column of a derived table that is called like the key pins.
    AliasPins,
    /// The key column of an outer query pins inside a subquery, or the other way round.
    OuterColumnPins,
    /// A string given for an integer key has a canonical form of its own.
    TextPinsInteger,
    /// A pinned read that found nothing does not depend on inserts.
    GapNeedsNoInserts,
    /// An INSERT forgets the reads that found nothing.
    InsertForgetsGaps,
    /// A change of the key forgets the new one.
    KeyUpdateForgetsNew,
    /// A change of the key forgets the old one.
    KeyUpdateForgetsOld,
    /// A write that is not pinned forgets the pinned reads.
    BroadForgetsKeys,
    /// `REPLACE` touches only the key that it names, whatever other unique indexes exist.
    ReplacePinned,
    /// The same for an upsert over another unique index.
    UpsertPinned,
    /// A write whose `WHERE` holds an `OR` is pinned.
    OrPinsWrite,
    /// Only the first of several statements in a text counts.
    FirstStatementOnly,
    /// The tables of an `INSERT … SELECT`, `UPDATE … FROM` or CTE before the write are read, and
    /// the first one named counts as written.
    WrongTarget,
    /// Foreign keys do not act.
    CascadesForgotten,
    /// Triggers do not run.
    TriggersForgotten,
    /// A view is a table.
    ViewsAreTables,
    /// Unique indexes other than the primary key do not exist.
    OtherUniqueForgotten,
    /// Keys under a case-insensitive collation compare byte by byte.
    NocaseComparesBytes,
    /// The stamp is read after the query ran.
    StampAfterQuery,
    /// Tags are invalidated before the write, and not after.
    InvalidateBefore,
    /// A commit marks nothing.
    CommitForgets,
    /// Rolling back to a savepoint forgets what was written before it.
    RollbackToForgets,
    /// The transaction's own reads do not know of its writes.
    OwnWritesUnknown,
    /// A snapshot transaction reads and fills like anybody else.
    SnapshotsShare,
    /// Parameters take part in the key as text.
    UntypedKeys,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 32] = [
        Mutant::OrPins,
        Mutant::ExpressionPins,
        Mutant::PinAboveWindow,
        Mutant::PinAboveLimit,
        Mutant::PinAboveGroup,
        Mutant::PreservedSidePins,
        Mutant::OneOccurrencePins,
        Mutant::AliasPins,
        Mutant::OuterColumnPins,
        Mutant::TextPinsInteger,
        Mutant::GapNeedsNoInserts,
        Mutant::InsertForgetsGaps,
        Mutant::KeyUpdateForgetsNew,
        Mutant::KeyUpdateForgetsOld,
        Mutant::BroadForgetsKeys,
        Mutant::ReplacePinned,
        Mutant::UpsertPinned,
        Mutant::OrPinsWrite,
        Mutant::FirstStatementOnly,
        Mutant::WrongTarget,
        Mutant::CascadesForgotten,
        Mutant::TriggersForgotten,
        Mutant::ViewsAreTables,
        Mutant::OtherUniqueForgotten,
        Mutant::NocaseComparesBytes,
        Mutant::StampAfterQuery,
        Mutant::InvalidateBefore,
        Mutant::CommitForgets,
        Mutant::RollbackToForgets,
        Mutant::OwnWritesUnknown,
        Mutant::SnapshotsShare,
        Mutant::UntypedKeys,
    ];

    /// The catalog as the mutant sees it.
    pub fn distort(self, schema: &mut Schema) {
        for relation in &mut schema.relations {
            match self {
                Mutant::CascadesForgotten => relation.cascades.clear(),
                Mutant::TriggersForgotten => relation.triggers.clear(),
                Mutant::OtherUniqueForgotten => relation.other_unique = false,
                Mutant::ViewsAreTables if matches!(relation.kind, RelationKind::View(_)) => {
                    relation.kind = RelationKind::Table;
                }
                // The generator calls the key of such a table so.
                Mutant::NocaseComparesBytes if &*relation.name == NOCASE_TABLE => {
                    relation.key = Some(Arc::new(KeyColumn {
                        name: "id".into(),
                        kind: KeyKind::Text,
                    }));
                }
                _ => {}
            }
        }
    }
}

/// The name of the generator's table whose key compares without regard to case.
pub(crate) const NOCASE_TABLE: &str = "nocase";
