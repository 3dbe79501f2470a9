//! Writers whose end nobody saw, waiting for a connection that can ask the database about them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kogia::{Backend, Resolver, Verdict};
use pyo3::prelude::*;

/// Writers to ask about. Python asks when one of its connections has nothing else to do.
#[derive(Default)]
pub(crate) struct Waiting {
    is_waiting: AtomicBool,
    writers: Mutex<Vec<kogia::Abandoned>>,
}

impl Waiting {
    /// Whether there is one.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// Takes all of them. One that is not settled then comes again.
    pub(crate) fn take(&self) -> Vec<kogia::Abandoned> {
        if !self.is_waiting() {
            return Vec::new();
        }
        let mut writers = self.lock();
        self.is_waiting.store(false, Ordering::Relaxed);
        std::mem::take(&mut *writers)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<kogia::Abandoned>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Waiting {
    fn resolve(&self, database: &kogia::Database, abandoned: kogia::Abandoned) {
        // A writer in a process that lives clears its marks itself, however long it takes.
        if abandoned.backend == Backend::Process && abandoned.process_alive == Some(true) {
            return database.resolved(abandoned.owner, &abandoned.tags, Verdict::Running);
        }
        let mut writers = self.lock();
        if !writers.iter().any(|known| known.owner == abandoned.owner) {
            writers.push(abandoned);
        }
        self.is_waiting.store(true, Ordering::Relaxed);
    }
}

/// A writer that nobody has heard of for a lease.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Abandoned(pub(crate) kogia::Abandoned);

#[pymethods]
impl Abandoned {
    /// The server process of its transaction, in the words of `Identity`; `None` where the
    /// transaction has none.
    #[getter]
    fn backend(&self) -> Option<String> {
        match &self.0.backend {
            Backend::Server(name) => Some(String::from_utf8_lossy(name).into_owned()),
            _ => None,
        }
    }
}
