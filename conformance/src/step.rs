//! Steps: what sessions do, one after the other.

use std::fmt;

use crate::mutant::Mutant;
use crate::value::Param;

/// A statement with its parameters.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    /// The SQL text.
    pub sql: String,
    /// Its parameters.
    pub parameters: Vec<Param>,
    /// What mutants of the rules take the statement for.
    pub careless: Vec<(Mutant, String)>,
    /// A name for statistics.
    pub kind: &'static str,
    /// Whether the connection keeps it prepared, which is only right while no schema changes. One
    /// that is given up costs MySQL a delayed acknowledgement each time, forty milliseconds.
    pub is_kept: bool,
}

impl Statement {
    /// A statement without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Statement {
            sql: sql.into(),
            ..Statement::default()
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql.replace('\n', "\n    "))?;
        for (index, parameter) in self.parameters.iter().enumerate() {
            write!(f, "{}{parameter}", if index == 0 { " | " } else { ", " })?;
        }
        Ok(())
    }
}

/// What a session does.
#[derive(Debug, Clone)]
pub struct Step {
    /// The session, counted from 0 and written as a letter.
    pub session: usize,
    /// Whether it is a query, to be answered from the cache if possible.
    pub read: bool,
    /// What is run.
    pub statement: Statement,
    /// What another session does in the middle of it.
    pub meanwhile: Option<Box<Step>>,
    /// What must come of a read.
    pub expect: Option<Expect>,
    /// Whether the same read came just before, so that this one should be a hit.
    pub again: bool,
}

impl Step {
    /// A query.
    pub fn read(session: usize, statement: Statement) -> Self {
        Step {
            session,
            read: true,
            statement,
            meanwhile: None,
            expect: None,
            again: false,
        }
    }

    /// Anything else.
    pub fn execute(session: usize, statement: Statement) -> Self {
        Step {
            read: false,
            ..Step::read(session, statement)
        }
    }
}

/// As a line of a case file.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = session_name(self.session);
        let sign = if self.read { '>' } else { ':' };
        write!(f, "{session}{sign} {}", self.statement)?;
        if let Some(expect) = self.expect {
            write!(f, " => {expect}")?;
        }
        if let Some(meanwhile) = &self.meanwhile {
            write!(f, "\n  meanwhile {meanwhile}")?;
        }
        Ok(())
    }
}

/// The letter of a session.
pub fn session_name(session: usize) -> char {
    char::from(b'a' + (session % 26) as u8)
}

/// What must come of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It is answered from the cache.
    Hit,
    /// There is no entry, or a stale one.
    Miss,
    /// The cache is not asked.
    Bypass,
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expect::Hit => "hit",
            Expect::Miss => "miss",
            Expect::Bypass => "bypass",
        })
    }
}

impl std::str::FromStr for Expect {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "hit" => Ok(Expect::Hit),
            "miss" => Ok(Expect::Miss),
            "bypass" => Ok(Expect::Bypass),
            _ => Err(format!("a read is a hit, a miss or a bypass, not {word:?}")),
        }
    }
}
