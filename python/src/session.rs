//! A connection's session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kogia::core::{Outcome, Statement, Uncacheable, Wide};
use kogia::{Encoded, Lookup, Marks, Query, QueryMode, QueryOptions, TableFilter, introspect};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList};

use crate::faults::Faults;
use crate::resolve::Waiting;
use crate::{cache, decoded, parameters, rows};

pyo3::create_exception!(
    kogia._kogia,
    WriteRefused,
    PyRuntimeError,
    "The cache cannot be invalidated, and the policy is to refuse the write."
);

/// One database connection's life.
///
/// A connection is used by one thread at a time, so the lock is hardly ever waited for.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Session {
    inner: Mutex<Inner>,
    /// Statements whose objects Python threw away without saying how they ended, as it does when
    /// a signal's exception comes up between two lines.
    dropped: Dropped,
    waiting: Arc<Waiting>,
    faults: Arc<Faults>,
    cache: kogia::Cache,
    /// Whether the store is behind a network: then other threads of Python run meanwhile. For a
    /// look that takes a microsecond, letting them would cost more.
    lets_go: bool,
}

type Dropped = Arc<Mutex<Vec<kogia::Running>>>;

struct Inner {
    session: kogia::Session,
    /// Of statements whose outcome nobody knows. Whatever runs on the connection later and
    /// succeeds proves that they are over.
    unresolved: Vec<Marks>,
}

impl Inner {
    fn after(&mut self, mut running: kogia::Running, outcome: Outcome) {
        if outcome == Outcome::Unknown {
            self.unresolved.extend(running.detach());
        }
        self.session.after(running, outcome);
        if outcome == Outcome::Done {
            self.resolve();
        }
    }

    /// A transaction ended, and nobody saw how.
    fn end_unseen(&mut self) {
        // Refused by the policy for failures: then the engine keeps on trying.
        if let Ok(running) = self.session.before("COMMIT", &[]) {
            self.after(running, Outcome::Done);
        }
    }

    fn resolve(&mut self) {
        self.unresolved.drain(..).for_each(Marks::clear);
    }
}

impl Session {
    pub(crate) fn new(session: kogia::Session, waiting: Arc<Waiting>, faults: Arc<Faults>) -> Self {
        Session {
            lets_go: session.database().cache().store().waits(),
            cache: session.database().cache().clone(),
            inner: Mutex::new(Inner {
                session,
                unresolved: Vec::new(),
            }),
            dropped: Dropped::default(),
            waiting,
            faults,
        }
    }

    /// Does something that may wait for the store.
    fn wait<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Inner) -> T + Send) -> T {
        match self.lets_go || self.cache.is_behind() {
            true => py.detach(|| work(&mut self.lock())),
            false => work(&mut self.lock()),
        }
    }

    /// Whether there is a catalog to load or a writer to ask about, and no transaction is in the way.
    fn has_work(&self, inner: &Inner) -> bool {
        !inner.session.in_transaction()
            && (inner.session.database().is_catalog_outdated() || self.waiting.is_waiting())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = std::mem::take(&mut *lock(&self.dropped));
        for running in dropped {
            inner.after(running, Outcome::Unknown);
        }
        inner
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Session {
    /// Looks a query up. A list of rows is the answer; a `Permit` says to run the query and wants its
    /// rows; `None` says to run it and no more.
    #[pyo3(signature = (sql, parameters, shape=b"".as_slice(), options=None))]
    fn look_up<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        parameters: Option<&Bound<'py, PyAny>>,
        shape: &[u8],
        options: Option<&Options>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let held = parameters::Bound::new(parameters)?;
        let parameters = held.as_ref().map(parameters::Bound::parameters);
        // Python runs queries in its own time, so nobody waits for it.
        let usual = QueryOptions {
            streams: true,
            ..QueryOptions::default()
        };
        let options = options.map_or(&usual, |options| &options.0);
        let query = Query {
            sql,
            parameters: parameters.as_deref(),
            shape,
            options,
        };
        let found = self.wait(py, |inner| inner.session.look_up(&query));
        self.faults.report(py);
        match found {
            Lookup::Cached(bytes) => {
                // A zone may be known to the machine that stored the rows and not to this one. Then,
                // and for bytes that are no rows: run the query, and leave the entry to its TTL.
                let rows = decoded::rows(py, &bytes).unwrap_or(None);
                Ok(rows.map(Bound::into_any))
            }
            Lookup::Run(permit) if permit.wants_result() => {
                let permit = Permit(Mutex::new(Some(permit)));
                Ok(Some(Bound::new(py, permit)?.into_any()))
            }
            Lookup::Run(_) => Ok(None),
        }
    }

    /// `observe`, and then `look_up`, where there is nothing to be done in between; `False` if there is.
    #[pyo3(signature = (sql, parameters, shape, options, open))]
    fn look_up_at_once<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        parameters: Option<&Bound<'py, PyAny>>,
        shape: &[u8],
        options: Option<&Options>,
        open: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let not_now = || Ok(Some(PyBool::new(py, false).to_owned().into_any()));
        {
            let mut inner = self.lock();
            if let Some(open) = open {
                if !open && inner.session.in_transaction() {
                    return not_now();
                }
                inner.session.observe_transaction(open);
            }
            if self.has_work(&inner) || inner.session.wants_comparison() {
                return not_now();
            }
        }
        let found = self.look_up(py, sql, parameters, shape, options)?;
        if found.is_none() {
            let session = &self.lock().session;
            if !session.in_transaction() && session.database().is_catalog_outdated() {
                // The look-up has shown that the schema has changed.
                return not_now();
            }
        }
        Ok(found)
    }

    /// Stores the rows of a query that ran; the first `head` of them describe the others. Answers
    /// the name of the type that cannot be stored.
    #[pyo3(signature = (permit, rows, *, head=0))]
    fn fill(
        &self,
        permit: &Permit,
        rows: &Bound<'_, PyList>,
        head: usize,
    ) -> PyResult<Option<String>> {
        let Some(permit) = permit.take() else {
            return Ok(None);
        };
        if !permit.wants_result() {
            return Ok(None);
        }
        let encoded = rows::encode(rows).unwrap_or_else(|error| Err(error.to_string()));
        let encoded = match encoded {
            Ok(bytes) => Encoded {
                value: bytes.into(),
                rows: rows.len().saturating_sub(head) as u64,
            },
            Err(why) => {
                let inner = self.lock();
                inner.session.database().not_stored("", &why);
                return Ok(Some(why));
            }
        };
        self.wait(rows.py(), |inner| inner.session.fill(permit, encoded));
        self.faults.report(rows.py());
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
        let running = py.detach(|| self.lock().session.before(sql, &parameters));
        self.faults.report(py);
        let running = running.map_err(|error| WriteRefused::new_err(error.to_string()))?;
        let statement = running.statement();
        let written = statement.filter(|statement| statement.is_write()).cloned();
        Ok(Running {
            running: Mutex::new(Some(running)),
            written,
            dropped: Arc::clone(&self.dropped),
        })
    }

    /// The statement is over: `True` if it succeeded, `False` if it failed, `None` if nobody
    /// knows, because the connection was lost. Answers whether a transaction is open thereafter.
    fn after(&self, py: Python<'_>, running: &Running, succeeded: Option<bool>) -> bool {
        let outcome = match succeeded {
            Some(true) => Outcome::Done,
            Some(false) => Outcome::Failed,
            None => Outcome::Unknown,
        };
        if let Some(running) = running.take() {
            py.detach(|| self.lock().after(running, outcome));
            self.faults.report(py);
        }
        self.lock().session.in_transaction()
    }

    /// Says what the driver itself knows about the connection's transaction: that one is open, that
    /// none is, or nothing. One that ended unseen may have been committed, so what it wrote is
    /// invalidated now.
    ///
    /// Answers `None` if a transaction is open; otherwise whether there is a catalog to load or a
    /// writer to ask about. Every hit asks, so it keeps Python's lock as long as nothing is to be done.
    fn observe(&self, py: Python<'_>, open: Option<bool>) -> Option<bool> {
        let mut inner = self.lock();
        if let Some(open) = open {
            if !open && inner.session.in_transaction() {
                drop(inner);
                py.detach(|| self.lock().end_unseen());
                self.faults.report(py);
                inner = self.lock();
            }
            inner.session.observe_transaction(open);
        }
        (!inner.session.in_transaction()).then(|| self.has_work(&inner))
    }

    /// Whether a read that runs now, by itself, changes nothing that is known of the session.
    fn is_settled(&self) -> bool {
        self.lock().session.is_settled()
    }

    /// Whether a transaction is open, or may be.
    fn in_transaction(&self) -> bool {
        self.lock().session.in_transaction()
    }

    /// The connection was closed, which ends its statements where they run in this process.
    fn closed(&self, py: Python<'_>) {
        py.detach(|| self.lock().resolve());
    }

    /// Whether the connection must be compared with a fresh one, by its `Identity` and
    /// `creates_temporary`.
    fn wants_comparison(&self) -> bool {
        self.lock().session.wants_comparison()
    }

    /// Says whether it is like a fresh one.
    fn compared(&self, is_like_fresh: bool) {
        self.lock().session.compared(is_like_fresh);
    }

    /// Whether the connection must be asked `attached_question`.
    fn wants_attached(&self) -> bool {
        self.lock().session.wants_attached()
    }

    /// Understands the answer to `attached_question`.
    fn attached(&self, answer: Vec<Vec<Option<String>>>) -> PyResult<()> {
        let answer = answer.into_iter().map(introspect::TextRow).collect();
        let databases = introspect::attached(&answer)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let mut inner = self.lock();
        inner
            .session
            .attached(&databases)
            .map_err(cache::store_error)
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
    /// The tags of the query with their generations, as bytes; `None` if the rows are not wanted.
    fn stamp<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let permit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        for (tag, generation) in permit.as_ref()?.stamped()? {
            bytes.extend(tag.to_u128().to_le_bytes());
            bytes.extend(generation.to_u128().to_le_bytes());
        }
        Some(PyBytes::new(py, &bytes))
    }
}

/// A statement that is under way.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Running {
    running: Mutex<Option<kogia::Running>>,
    written: Option<Arc<Statement>>,
    dropped: Dropped,
}

impl Running {
    fn take(&self) -> Option<kogia::Running> {
        lock(&self.running).take()
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

    /// Whether nobody can say what the statement does, so that all entries of the database count as
    /// changed by it.
    #[getter]
    fn is_opaque(&self) -> bool {
        let uncacheable = self
            .written
            .as_ref()
            .and_then(|found| found.uncacheable.as_ref());
        matches!(uncacheable, Some(Uncacheable::Opaque(_)))
    }

    /// Whether the statement holds marks, because it commits something.
    fn marks(&self) -> bool {
        lock(&self.running)
            .as_ref()
            .is_some_and(kogia::Running::is_marked)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(running) = self.take() {
            lock(&self.dropped).push(running);
        }
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
            streams: true,
        }))
    }
}

/// Rows through the format and back: what a hit would give.
#[pyfunction]
pub(crate) fn round_trip<'py>(rows: &Bound<'py, PyList>) -> PyResult<Option<Bound<'py, PyList>>> {
    match rows::encode(rows)? {
        Ok(bytes) => Ok(rows::decode(rows.py(), &bytes)?.map(|(rows, _)| rows)),
        Err(_) => Ok(None),
    }
}

/// A value that is made of several ones, as bytes; `None` if one of them has no known type.
#[pyfunction]
pub(crate) fn pack(values: &Bound<'_, PyList>) -> PyResult<Option<Vec<u8>>> {
    rows::pack(values)
}

/// The values that [`pack`] made these bytes of.
#[pyfunction]
pub(crate) fn unpack<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyList>> {
    rows::unpack(py, bytes)
}

/// Parameters as bytes, different for different ones; `None` if one of them has no known type.
#[pyfunction]
pub(crate) fn describe(parameters: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    parameters::describe(parameters)
}
