//! What an examination of a store finds out.

use std::fmt;

/// Something about a store that who runs it may want to know.
///
/// Sentences are whole, begin with a small letter and have no full stop, as error messages do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What is the case.
    pub what: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// It is as it should be.
    Fine,
    /// It is worth knowing.
    Note,
    /// It will go wrong one day, or is slower than it need be.
    Warning,
    /// The store cannot be used like this.
    Error,
}

impl Finding {
    /// Something that is as it should be.
    pub fn fine(what: impl Into<String>) -> Self {
        Finding::new(Level::Fine, what, None)
    }

    /// Something worth knowing.
    pub fn note(what: impl Into<String>) -> Self {
        Finding::new(Level::Note, what, None)
    }

    /// Something that will go wrong one day, and what to do about it.
    pub fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding::new(Level::Warning, what, Some(advice.into()))
    }

    /// Something for which the store cannot be used, and what to do about it.
    pub fn error(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding::new(Level::Error, what, Some(advice.into()))
    }

    fn new(level: Level, what: impl Into<String>, advice: Option<String>) -> Self {
        Finding {
            level,
            what: what.into(),
            advice,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Fine => "fine",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}
