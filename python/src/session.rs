//! A connection's session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kogia::core::{Outcome, Statement, Wide};
use kogia::{Encoded, Lookup, Query, QueryMode, QueryOptions, TableFilter};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::{cache, parameters, rows};

/// One database connection's life.
///
/// A connection is used by one thread at a time, so the lock is never waited for.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Session(Mutex<kogia::Session>);

impl Session {
    pub(crate) fn new(session: kogia::Session) -> Self {
        Session(Mutex::new(session))
    }

    fn lock(&self) -> MutexGuard<'_, kogia::Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Session {
    /// Looks a query up. A list of rows is the answer; a `Permit` says to run the query and may
    /// want its rows.
    #[pyo3(signature = (sql, parameters, *, shape=b"".as_slice(), options=None))]
    fn look_up<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        parameters: Option<&Bound<'py, PyAny>>,
        shape: &[u8],
        options: Option<&Options>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let held = parameters::Bound::new(parameters)?;
        let parameters = held.as_ref().map(parameters::Bound::parameters);
        let usual = QueryOptions::default();
        let options = options.map_or(&usual, |options| &options.0);
        let query = Query {
            sql,
            parameters: parameters.as_deref(),
            shape,
            options,
        };
        let found = self.lock().look_up(&query);
        if let Lookup::Cached(bytes) = &found
            && let Some(rows) = rows::decode(py, bytes)?
        {
            return Ok(rows.into_any());
        }
        let permit = match found {
            Lookup::Run(permit) => Some(permit),
            // Bytes that are no rows: run the query, and leave the entry to its TTL.
            Lookup::Cached(_) => None,
        };
        Ok(Bound::new(py, Permit(Mutex::new(permit)))?.into_any())
    }

    /// Stores the rows of a query that ran. Answers the name of the type that cannot be stored.
    fn fill(&self, permit: &Permit, rows: &Bound<'_, PyList>) -> PyResult<Option<String>> {
        let Some(permit) = permit.take() else {
            return Ok(None);
        };
        if !permit.wants_result() {
            return Ok(None);
        }
        let encoded = match rows::encode(rows)? {
            Ok(bytes) => Encoded {
                value: bytes.into(),
                rows: rows.len() as u64,
            },
            Err(why) => return Ok(Some(why)),
        };
        self.lock().fill(permit, encoded);
        Ok(None)
    }

    /// Prepares for a statement; what it is about to commit is marked when this returns.
    fn before(
        &self,
        py: Python<'_>,
        sql: &str,
        parameters: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Running> {
        let held = parameters::Bound::new(parameters)?;
        let parameters = held
            .as_ref()
            .map(parameters::Bound::parameters)
            .unwrap_or_default();
        // Another process may hold the store's lock for a moment.
        let (running, written) = py.detach(|| {
            let mut session = self.lock();
            let running = session.before(sql, &parameters);
            let statement = session.analyze(sql);
            (running, statement.is_write().then_some(statement))
        });
        let running = running.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Running {
            running: Mutex::new(Some(running)),
            written,
        })
    }

    /// The statement is over: `True` if it succeeded, `False` if it failed, `None` if nobody
    /// knows, because the connection was lost.
    fn after(&self, py: Python<'_>, running: &Running, succeeded: Option<bool>) {
        let outcome = match succeeded {
            Some(true) => Outcome::Done,
            Some(false) => Outcome::Failed,
            None => Outcome::Unknown,
        };
        if let Some(running) = running.take() {
            py.detach(|| self.lock().after(running, outcome));
        }
    }

    /// What the driver itself knows about the connection's transaction.
    fn observe_transaction(&self, open: bool) {
        self.lock().observe_transaction(open);
    }

    /// Whether a transaction is open, or may be.
    fn in_transaction(&self) -> bool {
        self.lock().in_transaction()
    }
}

/// The right to store the rows of a query that runs now.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Permit(Mutex<Option<kogia::Permit>>);

impl Permit {
    fn take(&self) -> Option<kogia::Permit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[pymethods]
impl Permit {
    /// Whether the rows are wanted.
    fn wants_rows(&self) -> bool {
        let permit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        permit.as_ref().is_some_and(kogia::Permit::wants_result)
    }
}

/// A statement that is under way.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Running {
    running: Mutex<Option<kogia::Running>>,
    written: Option<Arc<Statement>>,
}

impl Running {
    fn take(&self) -> Option<kogia::Running> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.take()
    }
}

#[pymethods]
impl Running {
    /// The tables that the statement may change, and whether it may change others, too; `None`
    /// for one that changes none.
    #[getter]
    fn written(&self) -> Option<(Vec<&str>, bool)> {
        let statement = self.written.as_ref()?;
        let tables = statement.writes.iter().map(|write| &*write.table);
        Some((tables.collect(), statement.wide != Wide::Nothing))
    }
}

/// What a call says about its queries, made once for many of them.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Options(QueryOptions);

#[pymethods]
impl Options {
    /// `ttl` is in seconds; `only` and `never` say which tables a cached query may read;
    /// `random` lets results of `random()` be cached.
    #[new]
    #[pyo3(signature = (*, ttl=None, mode=None, tags=Vec::new(), only=None, never=Vec::new(), random=false))]
    fn new(
        ttl: Option<f64>,
        mode: Option<&str>,
        tags: Vec<String>,
        only: Option<Vec<String>>,
        never: Vec<String>,
        random: bool,
    ) -> PyResult<Self> {
        let mode = match mode {
            None => QueryMode::Cached,
            Some("bypass") => QueryMode::Bypass,
            Some("refresh") => QueryMode::Refresh,
            Some(other) => {
                return Err(PyValueError::new_err(format!(
                    "{other} is no mode; there are bypass and refresh"
                )));
            }
        };
        let tables = (only.is_some() || !never.is_empty()).then(|| {
            let only = only.as_ref().map(|names| names.iter().map(String::as_str));
            Arc::new(TableFilter::new(only, never.iter().map(String::as_str)))
        });
        Ok(Options(QueryOptions {
            ttl: ttl.map(cache::duration).transpose()?,
            mode,
            tags,
            tables,
            random,
            ..QueryOptions::default()
        }))
    }
}

/// Rows through the format and back: what a hit would give.
#[pyfunction]
pub(crate) fn round_trip<'py>(rows: &Bound<'py, PyList>) -> PyResult<Option<Bound<'py, PyList>>> {
    match rows::encode(rows)? {
        Ok(bytes) => rows::decode(rows.py(), &bytes),
        Err(_) => Ok(None),
    }
}

/// Parameters as bytes, different for different ones; `None` if one of them has no known type.
#[pyfunction]
pub(crate) fn describe(parameters: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    parameters::describe(parameters)
}
