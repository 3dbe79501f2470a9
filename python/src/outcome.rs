//! What came of this thread's last read: for panels, counters and test helpers.

use std::cell::RefCell;

use kogia::{Event, ReadOutcome};
use pyo3::prelude::pyfunction;

thread_local! {
    static LAST: RefCell<Option<ReadOutcome>> = const { RefCell::new(None) };
}

/// Keeps the outcome of a read, until the thread reads again. It is told of every event.
pub(crate) fn remember(event: &Event<'_>) {
    if let Event::Read { outcome, .. } = event {
        // A thread that is ending keeps nothing.
        let _ = LAST.try_with(|last| last.replace(Some((*outcome).clone())));
    }
}

/// What came of this thread's last look-up: `hit`, `miss`, `stale` or `bypass`, with the reason of
/// a bypass.
#[pyfunction]
pub(crate) fn last_outcome() -> Option<(&'static str, Option<String>)> {
    LAST.with_borrow(|last| {
        Some(match last.as_ref()? {
            ReadOutcome::Hit | ReadOutcome::Shared => ("hit", None),
            ReadOutcome::Miss => ("miss", None),
            ReadOutcome::Stale => ("stale", None),
            ReadOutcome::Bypass(reason) => ("bypass", Some(reason.to_string())),
            _ => return None,
        })
    })
}
