//! Failures of the store, on their way to Python's log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use kogia::{Event, Listener};
use pyo3::prelude::*;

/// The last failure that nobody has been told of.
///
/// The engine meets failures in the middle of its work, where nothing of Python may run; they are
/// reported when it is done.
#[derive(Default)]
pub(crate) struct Faults {
    is_waiting: AtomicBool,
    message: Mutex<String>,
}

impl Faults {
    /// Tells `kogia.faults` of a failure, if there was one.
    pub(crate) fn report(&self, py: Python<'_>) {
        if !self.is_waiting.load(Ordering::Relaxed)
            || !self.is_waiting.swap(false, Ordering::SeqCst)
        {
            return;
        }
        let message = self
            .message
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let told = py
            .import("kogia.faults")
            .and_then(|faults| faults.call_method1("store_failed", (message,)));
        if let Err(error) = told {
            error.write_unraisable(py, None);
        }
    }
}

/// What the engine tells.
pub(crate) struct Listening(pub(crate) std::sync::Arc<Faults>);

impl Listener for Listening {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::StoreFailed { error } = event {
            let mut message = self
                .0
                .message
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *message = error.to_string();
            self.0.is_waiting.store(true, Ordering::SeqCst);
        }
    }
}
