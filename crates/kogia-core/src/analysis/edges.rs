//! Transaction edges and isolation levels.

use crate::dialect::Dialect;

use super::collector::Collector;
use super::scan::Scanner;
use super::statement::{Effect, Isolation, IsolationScope, Uncacheable, Wide};

/// What the modes of a transaction say; [`Isolation::ReadUncommitted`] also stands for a
/// transaction that must never use the cache.
pub(super) struct Modes {
    pub(super) isolation: Option<Isolation>,
}

impl Collector<'_> {
    /// A statement that begins or ends a transaction or a part of one.
    pub(super) fn transaction_edge(&mut self, word: &str, mut scanner: Scanner<'_>) -> Option<()> {
        match word {
            "BEGIN" => self.begin(scanner),
            "START" => {
                if scanner.eat("TRANSACTION") {
                    return self.begin(scanner);
                }
                self.replication(&scanner)
            }
            // To MySQL it is the end of a block that began in what stands before.
            "END" if self.dialect == Dialect::MySql => None,
            "COMMIT" | "END" => self.commit(scanner),
            "ROLLBACK" | "ABORT" => self.rollback(scanner),
            "SAVEPOINT" => {
                let name = self.identifier(&mut scanner)?;
                self.edge(scanner, Effect::Savepoint(name))
            }
            "RELEASE" => {
                scanner.eat("SAVEPOINT");
                let name = self.identifier(&mut scanner)?;
                self.edge(scanner, Effect::Release(name))
            }
            "XA" if self.dialect == Dialect::MySql => self.distributed(scanner),
            _ => None,
        }
    }

    fn begin(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        match self.dialect {
            Dialect::Sqlite => {
                scanner.eat_any(&["DEFERRED", "IMMEDIATE", "EXCLUSIVE"]);
                if scanner.eat("TRANSACTION") {
                    scanner.identifier();
                }
            }
            Dialect::MySql => {
                // A transaction that is open is committed.
                self.effects.push(Effect::ImplicitCommit);
                scanner.eat("WORK");
            }
            Dialect::Postgres => {
                scanner.eat_any(&["WORK", "TRANSACTION"]);
            }
        }
        let isolation = self.modes(&mut scanner)?.isolation;
        self.edge(scanner, Effect::Begin { isolation })
    }

    /// The modes that stand after `START TRANSACTION` or `SET TRANSACTION`.
    pub(super) fn modes(&self, scanner: &mut Scanner<'_>) -> Option<Modes> {
        let mut modes = Modes { isolation: None };
        while !scanner.is_end() {
            if scanner.eat_all("ISOLATION LEVEL") {
                modes.isolation = Some(self.isolation(scanner)?);
            } else if scanner.eat_all("WITH CONSISTENT SNAPSHOT") {
                // The snapshot begins at once, before anybody has read the commit tag.
                modes.isolation = Some(Isolation::ReadUncommitted);
            } else if !["READ ONLY", "READ WRITE", "NOT DEFERRABLE", "DEFERRABLE"]
                .iter()
                .any(|words| scanner.eat_all(words))
            {
                return None;
            }
            scanner.eat_token(&sqlparser::tokenizer::Token::Comma);
        }
        Some(modes)
    }

    fn isolation(&self, scanner: &mut Scanner<'_>) -> Option<Isolation> {
        [
            "READ UNCOMMITTED",
            "READ COMMITTED",
            "REPEATABLE READ",
            "SERIALIZABLE",
        ]
        .into_iter()
        .find(|words| scanner.eat_all(words))
        .and_then(|words| isolation(self.dialect, words))
    }

    fn commit(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if self.dialect == Dialect::Postgres && scanner.eat("PREPARED") {
            scanner.string()?;
            // Another session may have prepared it; nothing is known about what it did.
            self.refuse(Uncacheable::Writes);
            self.wide = Wide::Everything;
            return Some(());
        }
        let chain = self.ending(&mut scanner)?;
        self.edge(scanner, Effect::Commit { chain })
    }

    fn rollback(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        if self.dialect == Dialect::Postgres && scanner.eat("PREPARED") {
            // Nobody ever saw what it did.
            return scanner.string().map(|_| ());
        }
        let chain = self.ending(&mut scanner)?;
        if scanner.eat("TO") {
            scanner.eat("SAVEPOINT");
            let name = self.identifier(&mut scanner)?;
            return self.edge(scanner, Effect::RollbackTo(name));
        }
        self.edge(scanner, Effect::Rollback { chain })
    }

    /// What stands after `COMMIT` and `ROLLBACK`; gives whether another transaction begins.
    fn ending(&self, scanner: &mut Scanner<'_>) -> Option<bool> {
        if scanner.eat_any(&["WORK", "TRANSACTION"]).is_some()
            && self.dialect == Dialect::Sqlite
            && !scanner.at("TO")
        {
            scanner.identifier();
        }
        let mut chain = false;
        if scanner.eat("AND") {
            chain = !scanner.eat("NO");
            if !scanner.eat("CHAIN") {
                return None;
            }
        }
        if self.dialect == Dialect::MySql && !scanner.eat_all("NO RELEASE") {
            scanner.eat("RELEASE");
        }
        Some(chain)
    }

    /// `XA`: transactions over several databases (MySQL).
    fn distributed(&mut self, mut scanner: Scanner<'_>) -> Option<()> {
        let word = scanner.eat_any(&[
            "START", "BEGIN", "END", "PREPARE", "COMMIT", "ROLLBACK", "RECOVER",
        ])?;
        match word {
            "START" | "BEGIN" => self.effects.push(Effect::Begin { isolation: None }),
            "PREPARE" => self.effects.push(Effect::PrepareTransaction),
            "COMMIT" => {
                let mut one_phase = false;
                while scanner.peek().is_some() {
                    one_phase |= scanner.eat_all("ONE PHASE");
                    scanner.next();
                }
                if one_phase {
                    self.effects.push(Effect::Commit { chain: false });
                } else {
                    self.refuse(Uncacheable::Writes);
                    self.wide = Wide::Everything;
                }
            }
            "ROLLBACK" => self.effects.push(Effect::Rollback { chain: false }),
            _ => {}
        }
        Some(())
    }

    /// `START REPLICA` and its like: from now on writes come that no session sees.
    fn replication(&mut self, scanner: &Scanner<'_>) -> Option<()> {
        if self.dialect != Dialect::MySql
            || !scanner.at_any(&["REPLICA", "SLAVE", "ALL", "GROUP_REPLICATION"])
        {
            return None;
        }
        self.effects.push(Effect::ImplicitCommit);
        self.wide = Wide::Everything;
        Some(())
    }

    fn edge(&mut self, scanner: Scanner<'_>, effect: Effect) -> Option<()> {
        self.effects.push(effect);
        scanner.is_end().then_some(())
    }

    /// The level of some transactions changes. A level that cannot be read counts as the one that
    /// never uses the cache.
    pub(super) fn set_isolation(&mut self, scope: IsolationScope, level: Option<Isolation>) {
        let level = level.unwrap_or(Isolation::ReadUncommitted);
        self.effects.push(Effect::SetIsolation { scope, level });
    }
}

/// The level that these words name, in any of the forms that statements and settings have.
pub(super) fn isolation(dialect: Dialect, words: &str) -> Option<Isolation> {
    let words = words
        .trim_matches(['\'', '"', ' '])
        .to_ascii_lowercase()
        .replace([' ', '_'], "-");
    match words.as_str() {
        // To PostgreSQL it is another name of the next one.
        "read-uncommitted" if dialect == Dialect::Postgres => Some(Isolation::ReadCommitted),
        "read-uncommitted" | "0" => Some(Isolation::ReadUncommitted),
        "read-committed" | "1" => Some(Isolation::ReadCommitted),
        "repeatable-read" | "2" => Some(Isolation::RepeatableRead),
        "serializable" | "3" => Some(Isolation::Serializable),
        _ => None,
    }
}
