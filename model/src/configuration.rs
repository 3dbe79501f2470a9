//! Who runs what, and what may go wrong.

use kogia_core::Isolation;

use crate::property;
use crate::statements::Text;

/// One small world that is checked exhaustively.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub about: &'static str,
    /// The clients.
    pub programs: Vec<Program>,
    /// How often each thing may go wrong.
    pub budget: Budget,
    /// What else is out of the ordinary.
    pub faults: Faults,
    /// The examples that the checker must find, so that nothing holds for want of events.
    pub examples: Vec<&'static str>,
}

/// What one client runs, on a connection of its own.
#[derive(Debug, Clone)]
pub struct Program {
    /// Who it is, for people.
    pub name: &'static str,
    /// The isolation level of its transactions.
    pub isolation: Isolation,
    /// Its statements, in order.
    pub texts: Vec<Text>,
}

/// How often each thing may happen, over all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Half a lease passes, while something else could still happen. When nothing else can, time
    /// goes on until all leases are over.
    pub ticks: u8,
    /// A client that writes, or is waited for, crashes.
    pub crashes: u8,
    /// A message gets lost: a mark, its acknowledgement, or the answer to a commit.
    pub losses: u8,
    /// The database refuses to commit.
    pub refusals: u8,
    /// A mark that was sent reaches the store again, however late.
    pub late_marks: u8,
    /// The store evicts a clean generation.
    pub evicted_generations: u8,
    /// The store evicts an entry.
    pub evicted_entries: u8,
    /// The store loses everything and comes back as a new incarnation.
    pub restarts: u8,
}

/// How the world differs from the ordinary one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    /// The store neither reads nor marks nor clears several tags at one instant.
    pub torn: bool,
    /// It goes through the tags of a mark the other way round.
    pub backwards: bool,
    /// Nobody can ask the database whether a writer is over, so the lease alone decides. Then a
    /// commit must take effect within half a lease of being sent.
    pub lease_only: bool,
    /// A commit is sent even if the store did not acknowledge the mark (the policy `available`).
    pub available: bool,
    /// The store has all generations and a current entry for each query at first.
    pub warm: bool,
    /// The row with the key 1 does not exist at first.
    pub key_missing: bool,
}

impl Program {
    fn new(name: &'static str, texts: &[Text]) -> Self {
        Program {
            name,
            isolation: Isolation::ReadCommitted,
            texts: texts.to_vec(),
        }
    }

    fn snapshot(name: &'static str, texts: &[Text]) -> Self {
        Program {
            isolation: Isolation::RepeatableRead,
            ..Program::new(name, texts)
        }
    }

    /// Whether the client writes anything.
    pub(crate) fn writes(&self) -> bool {
        let writes =
            |text: &Text| text.cells() != crate::statements::Cells::NONE && !text.is_query();
        self.texts.iter().any(writes)
    }
}

impl Configuration {
    /// All configurations.
    pub fn all() -> Vec<Configuration> {
        vec![
            Configuration::autocommit(),
            Configuration::two_writers(),
            Configuration::transaction(),
            Configuration::savepoint(),
            Configuration::snapshot(),
            Configuration::snapshot_writer(),
            Configuration::eviction(),
            Configuration::lease(),
            Configuration::restart(),
            Configuration::available(),
            Configuration::pinned(),
            Configuration::torn(),
            Configuration::torn_snapshot(),
            Configuration::torn_backwards(),
        ]
    }

    /// The configuration of this name.
    pub fn named(name: &str) -> Option<Configuration> {
        Configuration::all()
            .into_iter()
            .find(|configuration| configuration.name == name)
    }

    fn autocommit() -> Self {
        Configuration {
            name: "autocommit",
            about: "A writer in autocommit that reads what it wrote, and two readers that may share a flight.",
            programs: vec![
                Program::new("the writer", &[Text::UpdateA, Text::ReadA]),
                Program::new("reader 1", &[Text::ReadA]),
                Program::new("reader 2", &[Text::ReadA, Text::ReadA]),
            ],
            budget: Budget {
                ticks: 2,
                crashes: 1,
                losses: 1,
                refusals: 1,
                late_marks: 1,
                ..Budget::default()
            },
            faults: Faults::default(),
            examples: vec![
                property::HIT,
                property::STALE,
                property::JOINED,
                property::MARKED,
                property::RESOLVED,
                property::EXTENDED,
                property::LATE_COMMIT,
            ],
        }
    }

    fn two_writers() -> Self {
        Configuration {
            name: "two-writers",
            about: "Two writers whose marks of one tag overlap, one of them in a transaction over both tables, and a reader of both.",
            programs: vec![
                Program::new("writer 1", &[Text::UpdateA]),
                Program::new(
                    "writer 2",
                    &[Text::Begin, Text::UpdateB, Text::UpdateA, Text::Commit],
                ),
                Program::new("the reader", &[Text::ReadBoth]),
            ],
            budget: Budget {
                ticks: 1,
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults {
                warm: true,
                ..Faults::default()
            },
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::RESOLVED,
                property::LATE_COMMIT,
                property::TWO_OWNERS,
            ],
        }
    }

    fn transaction() -> Self {
        Configuration {
            name: "transaction",
            about: "A transaction that reads what it and others have written, beside a writer and a reader.",
            programs: vec![
                Program::new(
                    "the transaction",
                    &[
                        Text::Begin,
                        Text::ReadA,
                        Text::UpdateA,
                        Text::ReadBoth,
                        Text::ReadB,
                        Text::ReadBoth,
                        Text::ReadA,
                        Text::Commit,
                    ],
                ),
                Program::new("the writer", &[Text::UpdateB]),
                Program::new("the reader", &[Text::ReadA, Text::ReadBoth]),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults::default(),
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::PRIVATE_HIT,
            ],
        }
    }

    fn savepoint() -> Self {
        Configuration {
            name: "savepoint",
            about: "A transaction that rolls back to a savepoint and reads its own writes before and after.",
            programs: vec![
                Program::new(
                    "the transaction",
                    &[
                        Text::Begin,
                        Text::UpdateA,
                        Text::Savepoint,
                        Text::UpdateA,
                        Text::ReadA,
                        Text::RollbackTo,
                        Text::ReadA,
                        Text::ReadA,
                        Text::Commit,
                    ],
                ),
                Program::new("the reader", &[Text::ReadA, Text::ReadA]),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults::default(),
            examples: vec![property::HIT, property::MARKED, property::PRIVATE_HIT],
        }
    }

    fn snapshot() -> Self {
        Configuration {
            name: "snapshot",
            about: "A transaction that reads one snapshot, a writer of both tables, and a reader that fills what the transaction could hit.",
            programs: vec![
                Program::snapshot(
                    "the transaction",
                    &[
                        Text::Begin,
                        Text::ReadA,
                        Text::ReadB,
                        Text::ReadA,
                        Text::Commit,
                    ],
                ),
                Program::new(
                    "the writer",
                    &[Text::Begin, Text::UpdateA, Text::UpdateB, Text::Commit],
                ),
                Program::new("the reader", &[Text::ReadA, Text::ReadB]),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                evicted_generations: 1,
                ..Budget::default()
            },
            faults: Faults::default(),
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::SNAPSHOT_HIT,
                property::SNAPSHOT_MOVED,
            ],
        }
    }

    fn snapshot_writer() -> Self {
        Configuration {
            name: "snapshot-writer",
            about: "A transaction that reads one snapshot and writes, beside a writer and a reader.",
            programs: vec![
                Program::snapshot(
                    "the transaction",
                    &[
                        Text::Begin,
                        Text::ReadA,
                        Text::UpdateB,
                        Text::ReadBoth,
                        Text::ReadA,
                        Text::ReadBoth,
                        Text::Commit,
                    ],
                ),
                Program::new("the writer", &[Text::UpdateA]),
                Program::new("the reader", &[Text::ReadBoth, Text::ReadA]),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults::default(),
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::SNAPSHOT_HIT,
                property::PRIVATE_HIT,
            ],
        }
    }

    fn eviction() -> Self {
        Configuration {
            name: "eviction",
            about: "The store evicts generations and entries while a writer and readers are at work.",
            programs: vec![
                Program::new("writer 1", &[Text::UpdateA]),
                Program::new("writer 2", &[Text::UpdateA]),
                Program::new("the reader", &[Text::ReadA, Text::ReadA]),
            ],
            budget: Budget {
                crashes: 1,
                evicted_generations: 2,
                evicted_entries: 1,
                ..Budget::default()
            },
            faults: Faults {
                warm: true,
                ..Faults::default()
            },
            examples: vec![property::HIT, property::STALE, property::MARKED],
        }
    }

    fn lease() -> Self {
        Configuration {
            name: "lease",
            about: "Nobody can ask the database about writers; the lease decides, and commits take effect within half a lease.",
            programs: vec![
                Program::new("the writer", &[Text::UpdateA]),
                Program::new("the reader", &[Text::ReadA, Text::ReadA]),
            ],
            budget: Budget {
                ticks: 4,
                crashes: 1,
                losses: 1,
                late_marks: 1,
                ..Budget::default()
            },
            faults: Faults {
                lease_only: true,
                warm: true,
                ..Faults::default()
            },
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::RESOLVED,
                property::MARKED_AGAIN,
            ],
        }
    }

    fn restart() -> Self {
        Configuration {
            name: "restart",
            about: "The store loses everything, marks included, and comes back as a new incarnation.",
            programs: vec![
                Program::new("the writer", &[Text::UpdateA]),
                Program::snapshot(
                    "the transaction",
                    &[Text::Begin, Text::ReadA, Text::ReadA, Text::Commit],
                ),
                Program::new("the reader", &[Text::ReadA, Text::ReadA]),
            ],
            budget: Budget {
                ticks: 1,
                crashes: 1,
                restarts: 2,
                ..Budget::default()
            },
            faults: Faults {
                lease_only: true,
                warm: true,
                ..Faults::default()
            },
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::RESOLVED,
                property::COLD_START,
            ],
        }
    }

    fn available() -> Self {
        Configuration {
            name: "available",
            about: "Commits do not wait for a store that does not answer: stale until it does, never for ever.",
            programs: vec![
                Program::new("writer 1", &[Text::UpdateA]),
                Program::new("writer 2", &[Text::Begin, Text::UpdateA, Text::Commit]),
                Program::new("the reader", &[Text::ReadA, Text::ReadA]),
            ],
            budget: Budget {
                losses: 2,
                late_marks: 1,
                ..Budget::default()
            },
            faults: Faults {
                available: true,
                warm: true,
                ..Faults::default()
            },
            examples: vec![property::HIT, property::STALE, property::MARKED],
        }
    }

    fn pinned() -> Self {
        Configuration {
            name: "pinned",
            about: "Reads of one row by its key and of the whole table, beside an insert and updates of that row and of all.",
            programs: vec![
                Program::new("the inserter", &[Text::InsertKey]),
                Program::new("the updater", &[Text::UpdateKey, Text::UpdateA]),
                Program::new("reader 1", &[Text::ReadKey, Text::ReadKey]),
                Program::new("reader 2", &[Text::ReadA]),
            ],
            budget: Budget {
                crashes: 1,
                ..Budget::default()
            },
            faults: Faults {
                key_missing: true,
                ..Faults::default()
            },
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::WAIVED,
            ],
        }
    }

    fn torn() -> Self {
        Configuration {
            name: "torn",
            about: "A store that reads, marks and clears one tag after the other, as the store contract permits.",
            programs: vec![
                Program::new(
                    "writer 1",
                    &[Text::Begin, Text::UpdateA, Text::UpdateB, Text::Commit],
                ),
                Program::new("writer 2", &[Text::UpdateB]),
                Program::new("the reader", &[Text::ReadBoth]),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults {
                torn: true,
                warm: true,
                ..Faults::default()
            },
            examples: vec![property::HIT, property::STALE, property::MARKED],
        }
    }

    fn torn_snapshot() -> Self {
        Configuration {
            name: "torn-snapshot",
            about: "The same store under a transaction that reads one snapshot.",
            programs: vec![
                Program::new(
                    "the writer",
                    &[Text::Begin, Text::UpdateA, Text::UpdateB, Text::Commit],
                ),
                Program::new("the reader", &[Text::ReadBoth]),
                Program::snapshot(
                    "the transaction",
                    &[Text::Begin, Text::ReadBoth, Text::ReadBoth, Text::Commit],
                ),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults {
                torn: true,
                warm: true,
                ..Faults::default()
            },
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::SNAPSHOT_HIT,
                property::SNAPSHOT_MOVED,
            ],
        }
    }

    fn torn_backwards() -> Self {
        Configuration {
            name: "torn-backwards",
            about: "The same, and the store goes through the tags of a mark the other way round.",
            programs: vec![
                Program::new(
                    "the writer",
                    &[Text::Begin, Text::UpdateA, Text::UpdateB, Text::Commit],
                ),
                Program::new("the reader", &[Text::ReadBoth]),
                Program::snapshot(
                    "the transaction",
                    &[Text::Begin, Text::ReadBoth, Text::ReadBoth, Text::Commit],
                ),
            ],
            budget: Budget {
                crashes: 1,
                losses: 1,
                ..Budget::default()
            },
            faults: Faults {
                torn: true,
                backwards: true,
                warm: true,
                ..Faults::default()
            },
            examples: vec![
                property::HIT,
                property::STALE,
                property::MARKED,
                property::SNAPSHOT_HIT,
                property::SNAPSHOT_MOVED,
            ],
        }
    }
}
