//! The statements that the model's clients run, and what the protocol knows of them.

use std::sync::Arc;

use kogia_core::{
    DatabaseId, DatabaseTags, Effect, KeyColumn, KeyKind, KeyPrefix, Literal, Operand, Pin, Proof,
    QueryKey, Read, ReadRequest, Statement, TableTags, Tag, TagSet, Uncacheable, Wide, Write,
    WriteScope, written_tags,
};

/// A statement, over two tables. Table `a` has a row with the key 1, which may be missing at
/// first, and other rows; table `b` has one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their SQL says it, see Text::sql")]
pub enum Text {
    Begin,
    Commit,
    Savepoint,
    RollbackTo,
    UpdateA,
    UpdateB,
    UpdateKey,
    InsertKey,
    ReadA,
    ReadB,
    ReadBoth,
    ReadKey,
}

impl Text {
    pub(crate) const ALL: [Text; 12] = [
        Text::Begin,
        Text::Commit,
        Text::Savepoint,
        Text::RollbackTo,
        Text::UpdateA,
        Text::UpdateB,
        Text::UpdateKey,
        Text::InsertKey,
        Text::ReadA,
        Text::ReadB,
        Text::ReadBoth,
        Text::ReadKey,
    ];

    /// The SQL, for people.
    pub fn sql(self) -> &'static str {
        match self {
            Text::Begin => "BEGIN",
            Text::Commit => "COMMIT",
            Text::Savepoint => "SAVEPOINT s",
            Text::RollbackTo => "ROLLBACK TO s",
            Text::UpdateA => "UPDATE a SET n = n + 1",
            Text::UpdateB => "UPDATE b SET n = n + 1",
            Text::UpdateKey => "UPDATE a SET n = n + 1 WHERE id = 1",
            Text::InsertKey => "INSERT INTO a (n) VALUES (1)",
            Text::ReadA => "SELECT * FROM a",
            Text::ReadB => "SELECT * FROM b",
            Text::ReadBoth => "SELECT * FROM a, b",
            Text::ReadKey => "SELECT * FROM a WHERE id = 1",
        }
    }

    /// Whether it is one of the queries that the cache may answer.
    pub fn is_query(self) -> bool {
        self >= Text::ReadA
    }

    /// The parts of the database that it reads or writes.
    pub(crate) fn cells(self) -> Cells {
        match self {
            Text::UpdateA | Text::ReadA => Cells::A,
            Text::UpdateB | Text::ReadB => Cells::B,
            Text::UpdateKey | Text::InsertKey | Text::ReadKey => Cells::KEY,
            Text::ReadBoth => Cells::ALL,
            Text::Begin | Text::Commit | Text::Savepoint | Text::RollbackTo => Cells::NONE,
        }
    }
}

/// Some of the three parts of the database: the row of `a` with the key 1, the other rows of `a`,
/// and `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cells(u8);

impl Cells {
    pub(crate) const NONE: Cells = Cells(0);
    pub(crate) const KEY: Cells = Cells(1);
    pub(crate) const A: Cells = Cells(3);
    pub(crate) const B: Cells = Cells(4);
    pub(crate) const ALL: Cells = Cells(7);
    pub(crate) const COUNT: usize = 3;
    /// The place of the row with the key among the cells.
    pub(crate) const KEY_INDEX: usize = 0;

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }
}

/// Some of the tags of a [`Vocabulary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct TagMask(pub(crate) u16);

impl TagMask {
    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The indices of the tags, in the order in which a store meets them.
    pub(crate) fn indices(self) -> impl Iterator<Item = usize> {
        (0..u16::BITS as usize).filter(move |index| self.contains(*index))
    }

    pub(crate) fn join(self, other: TagMask) -> TagMask {
        TagMask(self.0 | other.0)
    }
}

/// All statements, analysed by hand, and the tags that some of them use.
#[derive(Debug, Clone)]
pub(crate) struct Vocabulary {
    pub(crate) database: DatabaseTags,
    pub(crate) prefix: KeyPrefix,
    /// The tags in use, in order, so that an index stands for a tag.
    pub(crate) tags: Vec<Tag>,
    pub(crate) tables: [TableTags; 2],
    pub(crate) key: Tag,
    statements: Vec<Arc<Statement>>,
    requests: Vec<ReadRequest>,
}

impl Vocabulary {
    /// The vocabulary, with the tags that a reader could look at when only these statements run.
    pub(crate) fn new(used: &[Text]) -> Self {
        let id = DatabaseId::new("model");
        let database = DatabaseTags::new(&id);
        let prefix = KeyPrefix::new([b"model".as_slice()]);
        let tables = [TableTags::new(&id, "a"), TableTags::new(&id, "b")];
        let statements: Vec<_> = Text::ALL
            .iter()
            .map(|text| Arc::new(statement(*text, &tables)))
            .collect();
        let requests: Vec<_> = statements
            .iter()
            .map(|statement| {
                let key = QueryKey::new(&prefix, &statement.digest, b"model", &[]);
                ReadRequest::new(key, &database, statement, &[])
            })
            .collect();
        let tags: TagSet = used
            .iter()
            .filter(|text| text.is_query())
            .flat_map(|text| requests[*text as usize].tags().to_vec())
            .chain([database.commit])
            .collect();
        Vocabulary {
            key: tables[0].key(&canonical_one()),
            database,
            prefix,
            tags: tags.as_slice().to_vec(),
            tables,
            statements,
            requests,
        }
    }

    pub(crate) fn statement(&self, text: Text) -> &Arc<Statement> {
        &self.statements[text as usize]
    }

    pub(crate) fn request(&self, text: Text) -> &ReadRequest {
        &self.requests[text as usize]
    }

    /// The index of a tag, if any reader looks at it.
    pub(crate) fn index(&self, tag: Tag) -> Option<usize> {
        self.tags.binary_search(&tag).ok()
    }

    /// Those of the tags that a reader looks at.
    pub(crate) fn mask<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> TagMask {
        let bits = tags.into_iter().filter_map(|tag| self.index(*tag));
        TagMask(bits.fold(0, |mask, index| mask | 1 << index))
    }

    /// The tags that a statement renews.
    pub(crate) fn written(&self, text: Text) -> TagMask {
        let written = written_tags(&self.database, self.statement(text), &[]);
        self.mask(written.as_slice())
    }

    pub(crate) fn set(&self, mask: TagMask) -> TagSet {
        mask.indices().map(|index| self.tags[index]).collect()
    }

    /// The name of a tag, for people.
    pub(crate) fn name(&self, index: usize) -> &'static str {
        let [a, b] = &self.tables;
        let named = [
            (self.database.database_epoch, "the database epoch"),
            (self.database.schema_epoch, "the schema epoch"),
            (self.database.commit, "the commit tag"),
            (a.any, "a:any"),
            (a.broad, "a:broad"),
            (a.inserts, "a:ins"),
            (self.key, "a:id=1"),
            (b.any, "b:any"),
            (b.broad, "b:broad"),
            (b.inserts, "b:ins"),
        ];
        let found = named.iter().find(|(tag, _)| *tag == self.tags[index]);
        found.map_or("a tag", |(_, name)| name)
    }
}

fn key_column() -> Arc<KeyColumn> {
    Arc::new(KeyColumn {
        name: "id".into(),
        kind: KeyKind::Integer,
    })
}

fn canonical_one() -> Vec<u8> {
    let bytes = kogia_core::canonical(&key_column(), &kogia_core::Value::Int(1));
    bytes.map(|bytes| bytes.to_vec()).unwrap_or_default()
}

/// What the analysis says about a statement.
fn statement(text: Text, tables: &[TableTags; 2]) -> Statement {
    let one = || vec![Operand::Literal(Literal::Int(1))];
    let read = |table: usize, pin| Read {
        table: ["a", "b"][table].into(),
        tags: tables[table],
        pin,
    };
    let write = |table: usize, scope| Write {
        table: ["a", "b"][table].into(),
        tags: tables[table],
        scope,
    };
    let pin = Pin {
        column: key_column(),
        values: one(),
        proof: Proof::AnyRow,
    };
    let keys = WriteScope::Keys {
        column: key_column(),
        values: one(),
    };
    let reads = match text {
        Text::ReadA => vec![read(0, None)],
        Text::ReadB => vec![read(1, None)],
        Text::ReadBoth => vec![read(0, None), read(1, None)],
        Text::ReadKey => vec![read(0, Some(pin))],
        _ => vec![],
    };
    let writes = match text {
        Text::UpdateA => vec![write(0, WriteScope::Broad)],
        Text::UpdateB => vec![write(1, WriteScope::Broad)],
        Text::UpdateKey => vec![write(0, keys)],
        Text::InsertKey => vec![write(0, WriteScope::Inserts)],
        _ => vec![],
    };
    let effects = match text {
        Text::Begin => vec![Effect::Begin { isolation: None }],
        Text::Commit => vec![Effect::Commit { chain: false }],
        Text::Savepoint => vec![Effect::Savepoint("s".into())],
        Text::RollbackTo => vec![Effect::RollbackTo("s".into())],
        _ => vec![],
    };
    Statement {
        digest: [text as u8; 32],
        uncacheable: match text {
            _ if text.is_query() => None,
            _ if writes.is_empty() => Some(Uncacheable::NotARead),
            _ => Some(Uncacheable::Writes),
        },
        reads,
        writes,
        wide: Wide::Nothing,
        effects,
    }
}
