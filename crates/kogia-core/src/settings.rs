//! The settings of a session that take part in its keys, and what taints it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::analysis::Effect;

/// What a session has set, and what makes its answers impossible to share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    /// Settings that are part of the key; an absent one has the session's default.
    values: BTreeMap<Box<str>, Box<str>>,
    /// Unknown settings, attached files and the like: the session bypasses.
    taints: BTreeSet<Box<str>>,
}

impl Settings {
    pub(crate) fn is_default(&self) -> bool {
        self.values.is_empty() && self.taints.is_empty()
    }

    pub(crate) fn is_tainted(&self) -> bool {
        !self.taints.is_empty()
    }

    /// Whether this is the only difference from the default.
    pub(crate) fn is_only_tainted_by(&self, name: &str) -> bool {
        self.values.is_empty() && self.taints.len() == 1 && self.is_tainted_by(name)
    }

    /// Whether this is one of the reasons.
    pub(crate) fn is_tainted_by(&self, name: &str) -> bool {
        self.taints.contains(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (&**name, &**value))
    }

    /// `altered` are settings whose value at the beginning is not what a reset goes back to.
    fn apply(&mut self, effect: &Effect, altered: &[Box<str>]) {
        let reset = |name: &str| (Box::from(name), Box::from(RESET));
        let altered = altered.iter().map(|name| &**name);
        match effect {
            Effect::Set {
                name,
                value: Some(value),
                ..
            } => {
                self.values.insert(name.clone(), value.clone());
            }
            Effect::Set {
                name, value: None, ..
            } => {
                self.values.remove(name);
                self.values
                    .extend(altered.filter(|it| **it == **name).map(reset));
            }
            Effect::Extend { name, value } => {
                let mut longer = String::from(self.values.get(name).map_or("", |known| known));
                longer.push('+');
                longer.push_str(value);
                self.values.insert(name.clone(), longer.into());
            }
            Effect::Taint { name, .. } => {
                self.taints.insert(name.clone());
            }
            Effect::Untaint(name) => {
                self.taints.remove(name);
            }
            Effect::ResetAll { discard: true } => {
                *self = Settings::default();
                self.values.extend(altered.map(reset));
            }
            // `RESET ALL` leaves who the session is.
            Effect::ResetAll { discard: false } => {
                self.values.retain(|name, _| is_identity(name));
                self.taints.clear();
                let altered = altered.filter(|name| !is_identity(name));
                self.values.extend(altered.map(reset));
            }
            _ => {}
        }
    }
}

/// Who the session is, as opposed to how it behaves.
fn is_identity(name: &str) -> bool {
    matches!(name, "role" | "session_authorization")
}

/// The value of a setting that went back to what it is without the login's changes. No server
/// takes it for a value.
const RESET: &str = "\0reset";

/// The settings of a session whose database undoes `SET` when its transaction rolls back
/// (PostgreSQL), or does not (MySQL, SQLite).
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopedSettings {
    /// What holds now.
    now: Settings,
    /// What will hold after a commit: `SET LOCAL` is not in it.
    kept: Settings,
    /// What held when the transaction began, with its savepoints; empty outside of one.
    saved: Vec<(Option<Box<str>>, Settings, Settings)>,
    transactional: bool,
    altered: Arc<[Box<str>]>,
}

impl ScopedSettings {
    pub(crate) fn new(transactional: bool, altered: Arc<[Box<str>]>) -> Self {
        ScopedSettings {
            transactional,
            altered,
            ..Default::default()
        }
    }

    pub(crate) fn now(&self) -> &Settings {
        &self.now
    }

    /// Applies an effect of a statement; `true` if the key changes.
    pub(crate) fn apply(&mut self, effect: &Effect) -> bool {
        let before = self.now.clone();
        self.now.apply(effect, &self.altered);
        let local = matches!(
            effect,
            Effect::Set { local: true, .. } | Effect::Taint { local: true, .. }
        );
        if !(local && self.transactional) {
            self.kept.apply(effect, &self.altered);
        }
        self.now != before
    }

    /// Whether committing the open transaction would leave other settings than rolling it back.
    pub(crate) fn depends_on_outcome(&self) -> bool {
        self.transactional
            && self
                .saved
                .first()
                .is_some_and(|(_, now, _)| *now != self.kept)
    }

    pub(crate) fn begin(&mut self) {
        self.saved = vec![(None, self.now.clone(), self.kept.clone())];
    }

    pub(crate) fn savepoint(&mut self, name: &str) {
        self.saved
            .push((Some(name.into()), self.now.clone(), self.kept.clone()));
    }

    pub(crate) fn commit(&mut self) {
        self.saved.clear();
        if self.transactional {
            self.now = self.kept.clone();
        }
    }

    pub(crate) fn rollback(&mut self) {
        if let (true, Some((_, now, kept))) = (self.transactional, self.saved.first()) {
            (self.now, self.kept) = (now.clone(), kept.clone());
        }
        self.saved.clear();
    }

    /// Rolls back to a savepoint, which stays. An unknown name was refused by the database too.
    pub(crate) fn rollback_to(&mut self, name: &str) {
        let named = |saved: &(Option<Box<str>>, _, _)| saved.0.as_deref() == Some(name);
        let Some(position) = self.saved.iter().rposition(named) else {
            return;
        };
        self.saved.truncate(position + 1);
        if self.transactional {
            let (_, now, kept) = &self.saved[position];
            (self.now, self.kept) = (now.clone(), kept.clone());
        }
    }

    pub(crate) fn release(&mut self, name: &str) {
        let named = |saved: &(Option<Box<str>>, _, _)| saved.0.as_deref() == Some(name);
        if let Some(position) = self.saved.iter().rposition(named) {
            self.saved.truncate(position);
        }
    }
}
