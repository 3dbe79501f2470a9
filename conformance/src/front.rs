//! Front ends: what opens sessions whose queries go through a cache.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use kogia::{CacheBuilder, Event, ReadOutcome};

use crate::connection::Connection;
use crate::step::Expect;

/// Opens sessions on one database.
pub trait FrontEnd {
    /// One session.
    type Session: Connection;

    /// Opens a session.
    fn connect(&self) -> impl Future<Output = Self::Session>;

    /// Who notes what comes of the reads.
    fn recorder(&self) -> &Recorder;
}

/// Notes what comes of the reads of a cache.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<(String, ReadOutcome)>>>);

impl Recorder {
    /// Listens to a cache.
    #[must_use]
    pub fn attach(&self, builder: CacheBuilder) -> CacheBuilder {
        let noted = self.clone();
        builder.listener(move |event: &Event<'_>| {
            if let Event::Read { sql, outcome } = event {
                noted.lock().push(((*sql).to_owned(), (*outcome).clone()));
            }
        })
    }

    /// What has come of the reads since the last call, with their texts.
    pub fn take(&self) -> Vec<(String, ReadOutcome)> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, ReadOutcome)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an outcome is to a case.
pub fn outcome_kind(outcome: &ReadOutcome) -> Expect {
    match outcome {
        ReadOutcome::Hit | ReadOutcome::Shared => Expect::Hit,
        ReadOutcome::Miss | ReadOutcome::Stale => Expect::Miss,
        _ => Expect::Bypass,
    }
}
