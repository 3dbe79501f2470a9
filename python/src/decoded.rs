//! Rows that were made of the same bytes before.
//!
//! Making a thousand rows costs as much as all the rest of a hit. They are tuples, and where all that
//! is in them can never change either, whoever gets them may as well get those that somebody else
//! has. What is current is not decided here: the store gives the bytes, each time.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use crate::rows;

/// About how many bytes of objects a process keeps.
const CAPACITY: u64 = 32 << 20;

/// Objects take about so many times the bytes of what they are made of.
const BLOAT: u64 = 6;

/// The rows of a stored result, in a list of the caller's own; `None` if the bytes are no rows.
pub(crate) fn rows<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Option<Bound<'py, PyList>>> {
    let name = *blake3::hash(bytes).as_bytes();
    // The list is made when the lock is free again: Python may collect garbage whenever it makes an
    // object, and what is run then may come by here.
    let found = {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.as_mut().and_then(|kept| kept.get(&name));
        found.map(|kept| kept.rows.clone_ref(py))
    };
    if let Some(rows) = found {
        return rows.bind(py).as_sequence().to_list().map(Some);
    }
    let Some((rows, is_frozen)) = rows::decode(py, bytes)? else {
        return Ok(None);
    };
    if is_frozen {
        let kept = Kept {
            rows: rows.to_tuple().unbind(),
            weight: (bytes.len() as u64).max(64) * BLOAT,
        };
        let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_with(|| Cache::with_weighter(4_096, CAPACITY, Weight));
        all.insert(name, kept);
    }
    Ok(Some(rows))
}

/// Taken for moments in which Python's lock is held, so never while another thread forks.
static KEPT: Mutex<Option<Cache<[u8; 32], Kept, Weight>>> = Mutex::new(None);

struct Kept {
    rows: Py<PyTuple>,
    weight: u64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<[u8; 32], Kept> for Weight {
    fn weight(&self, _: &[u8; 32], kept: &Kept) -> u64 {
        kept.weight
    }
}
