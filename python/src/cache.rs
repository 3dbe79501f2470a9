//! The cache and its databases.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kogia::core::{DatabaseId, Dialect, UnknownDialectError, Value};
use kogia::{
    Backend, Background, BuildError, OnStoreFailure, Resolver, StoreError, StoreUrl, TablePolicy,
    Verdict, introspect,
};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::faults::{Faults, Listening};
use crate::resolve::{Abandoned, Waiting};
use crate::session::Session;
use crate::{outcome, parameters};

/// A cache over the store that a URL names.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Cache {
    cache: kogia::Cache,
    faults: Arc<Faults>,
}

#[pymethods]
impl Cache {
    /// Opens the store. `never` lists tables that are not cached; `ttl` and `lease` are in
    /// seconds.
    #[new]
    #[pyo3(signature = (url, *, ttl=None, never=Vec::new(), strict=false, lease=None))]
    fn new(
        py: Python<'_>,
        url: &str,
        ttl: Option<f64>,
        never: Vec<String>,
        strict: bool,
        lease: Option<f64>,
    ) -> PyResult<Self> {
        let mut builder = py
            .detach(|| kogia::Cache::builder().url(url))
            .map_err(|error| match error {
                BuildError::Url(error) => PyValueError::new_err(error.to_string()),
                error => PyRuntimeError::new_err(error.to_string()),
            })?;
        if let Some(ttl) = ttl {
            builder = builder.ttl(duration(ttl)?);
        }
        if let Some(lease) = lease {
            builder = builder.lease(duration(lease)?);
        }
        if let Ok(StoreUrl::File { .. }) = url.parse() {
            // A result takes as long to store as all else that Kogia does about a query.
            builder = builder.background(Background::Fills);
        }
        if strict {
            builder = builder.on_store_failure(OnStoreFailure::Strict);
        }
        builder = builder.listener(outcome::remember);
        for table in &never {
            builder = builder.table(table, TablePolicy::never());
        }
        let faults = Arc::<Faults>::default();
        let builder = builder.listener(Listening(Arc::clone(&faults)));
        Ok(Cache {
            cache: builder.build(),
            faults,
        })
    }

    /// The database that an identity names.
    fn database(&self, identity: &Identity) -> Database {
        let database = self.cache.database(identity.0.config.clone());
        let waiting = Arc::<Waiting>::default();
        database.set_resolver(Arc::clone(&waiting) as Arc<dyn Resolver>);
        Database {
            database,
            waiting,
            faults: Arc::clone(&self.faults),
        }
    }

    /// How often each thing happened in this process.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        py.detach(|| self.cache.catch_up());
        let stats = self.cache.stats();
        let usage = self.cache.usage();
        let dict = PyDict::new(py);
        for (name, value) in [
            ("hits", stats.hits + stats.shared),
            ("misses", stats.misses),
            ("stale", stats.stale),
            ("bypasses", stats.bypasses),
            ("fills", stats.fills),
            ("invalidations", stats.invalidations),
            ("store_errors", stats.store_errors),
            ("entries", usage.entries),
            ("bytes", usage.bytes),
            ("capacity", usage.capacity),
        ] {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    /// Waits until the store has all that it was told.
    fn catch_up(&self, py: Python<'_>) {
        py.detach(|| self.cache.catch_up());
    }

    /// Catches up, and ends the thread that this takes; it starts again when there is something to do.
    fn rest(&self, py: Python<'_>) {
        py.detach(|| self.cache.rest());
    }

    /// Forgets all entries of all databases.
    fn invalidate_everything(&self) -> PyResult<()> {
        self.cache.invalidate_everything().map_err(store_error)
    }
}

/// A database whose queries the cache keeps.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Database {
    database: kogia::Database,
    waiting: Arc<Waiting>,
    faults: Arc<Faults>,
}

#[pymethods]
impl Database {
    /// A session for the connection that gave the identity, or for one that is still to be opened.
    #[pyo3(signature = (identity=None))]
    fn session(&self, identity: Option<&Identity>) -> Session {
        let backend = identity.map_or(Backend::Unknown, |identity| identity.0.backend.clone());
        let mut session = self.database.session(backend);
        for name in identity.map_or(&[][..], |identity| &identity.0.temporary) {
            session.has_temporary(name);
        }
        Session::new(session, Arc::clone(&self.waiting), Arc::clone(&self.faults))
    }

    /// The database's name, never an application's alias.
    #[getter]
    fn name(&self) -> &str {
        self.database.config().id.name()
    }

    /// Whether the catalog must be loaded, for the first time or again.
    fn is_catalog_outdated(&self) -> bool {
        self.database.is_catalog_outdated()
    }

    /// Permission to load the catalog: read it now, then hand it to `CatalogReload.finish`.
    /// `None` while somebody is changing the schema.
    fn reload_catalog(&self) -> PyResult<Option<CatalogReload>> {
        let reload = self.database.reload_catalog().map_err(store_error)?;
        Ok(reload.map(|reload| CatalogReload(Mutex::new(Some(reload)))))
    }

    /// Writers to ask the database about, and then to `resolve`.
    fn abandoned(&self) -> Vec<Abandoned> {
        self.waiting.take().into_iter().map(Abandoned).collect()
    }

    /// Says whether a writer's transaction is over.
    fn resolve(&self, py: Python<'_>, writer: &Abandoned, is_over: bool) {
        let verdict = if is_over {
            Verdict::Over
        } else {
            Verdict::Running
        };
        py.detach(|| {
            self.database
                .resolved(writer.0.owner, &writer.0.tags, verdict);
        });
        self.faults.report(py);
    }

    /// Invalidates everything that depends on a table or view.
    fn invalidate_table(&self, table: &str) -> PyResult<()> {
        self.database.invalidate_table(table).map_err(store_error)
    }

    /// Invalidates what depends on one row of a table, by its primary key.
    fn invalidate_key(&self, table: &str, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let keys = pyo3::types::PyTuple::new(key.py(), [key])?;
        let held = parameters::Bound::new(Some(&keys))?;
        let parameters = held.as_ref().map(parameters::Bound::parameters);
        let value = parameters
            .as_ref()
            .and_then(|parameters| parameters.first())
            .map_or(Value::Null, |parameter| parameter.value);
        self.database
            .invalidate_key(table, &value)
            .map_err(store_error)
    }

    /// Invalidates what was given a tag of the application's own.
    fn invalidate_tag(&self, name: &str) -> PyResult<()> {
        self.database.invalidate_tag(name).map_err(store_error)
    }

    /// Invalidates all entries of this database; the schema is the same.
    fn invalidate_entries(&self) -> PyResult<()> {
        self.database.invalidate_entries().map_err(store_error)
    }

    /// Invalidates everything of this database.
    fn invalidate_all(&self) -> PyResult<()> {
        self.database.invalidate_all().map_err(store_error)
    }

    /// The tables and views of the database in lower case, as far as a catalog tells.
    fn tables(&self) -> Option<Vec<String>> {
        let analyzer = self.database.analyzer();
        let schema = analyzer.schema();
        let names = schema.relations.iter().map(|it| it.name.to_lowercase());
        schema.loaded.then(|| names.collect())
    }

    /// What a text reads, what it writes, and why it is not cacheable, if so.
    fn analyze(&self, sql: &str) -> (Vec<String>, Vec<String>, Option<String>) {
        let statement = self.database.analyze(sql);
        let reads = statement.reads.iter().map(|read| read.table.to_string());
        let writes = statement.writes.iter().map(|write| write.table.to_string());
        let why = statement.uncacheable.as_ref().map(ToString::to_string);
        (reads.collect(), writes.collect(), why)
    }
}

/// The permission to load a catalog.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct CatalogReload(Mutex<Option<kogia::CatalogReload>>);

#[pymethods]
impl CatalogReload {
    /// Uses the catalog that the answers to `catalog_questions` describe.
    fn finish(&self, answers: Vec<Vec<Vec<Option<String>>>>) {
        let reload = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reload) = reload {
            let schema = introspect::catalog(reload.dialect(), &rows(answers));
            reload.finish(schema);
        }
    }
}

/// Which database a connection leads to, and what a fresh session of it is like.
#[pyclass(frozen, module = "kogia._kogia")]
pub struct Identity(introspect::Identity);

#[pymethods]
impl Identity {
    /// Understands the answers to `identity_questions`. `settings` is what else a result depends
    /// on; `memory` tells databases in memory apart, where the caller knows better than SQLite;
    /// `primary` is the name of the database that this one is a replica of.
    #[new]
    #[pyo3(signature = (dialect, answers, *, settings=Vec::new(), memory=None, primary=None))]
    fn new(
        dialect: &str,
        answers: Vec<Vec<Vec<Option<String>>>>,
        settings: Vec<(String, String)>,
        memory: Option<&str>,
        primary: Option<&str>,
    ) -> PyResult<Self> {
        let mut identity = introspect::identity(parse_dialect(dialect)?, &rows(answers))
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let config = &mut identity.config;
        if let Some(memory) = memory
            && config.id.name().starts_with(MEMORY)
        {
            config.id = DatabaseId::new(format!("{MEMORY}{memory}"));
        }
        config.settings.extend(settings);
        if let Some(primary) = primary {
            config.id = DatabaseId::new(primary);
            config.predecessors.clear();
            // Nobody can ask the primary about a process of another server.
            identity.backend = Backend::Unknown;
            identity.primary = false;
        }
        Ok(Identity(identity))
    }

    /// Equal for connections to one database whose fresh sessions are alike.
    #[getter]
    fn key(&self) -> String {
        let config = &self.0.config;
        format!(
            "{} {:?} {:?}",
            config.id.name(),
            config.isolation,
            config.settings
        )
    }

    /// The database's name, never an application's alias.
    #[getter]
    fn name(&self) -> &str {
        self.0.config.id.name()
    }

    /// Whether the database lives in this process alone.
    #[getter]
    fn in_memory(&self) -> bool {
        self.0.config.id.name().starts_with(MEMORY)
    }

    /// Whether this is the server that takes writes.
    #[getter]
    fn primary(&self) -> bool {
        self.0.primary
    }
}

/// What to ask a connection for its `Identity`.
#[pyfunction]
pub(crate) fn identity_questions(dialect: &str) -> PyResult<Vec<&'static str>> {
    Ok(introspect::identity_questions(parse_dialect(dialect)?).to_vec())
}

/// What to ask a connection for `Session.attached`, where there is anything to ask.
#[pyfunction]
pub(crate) fn attached_question(dialect: &str) -> PyResult<Option<&'static str>> {
    Ok(introspect::attached_question(parse_dialect(dialect)?))
}

/// What to ask a connection for `creates_temporary`, where there is anything to ask.
#[pyfunction]
pub(crate) fn temporary_question(dialect: &str) -> PyResult<Option<&'static str>> {
    Ok(introspect::temporary_question(parse_dialect(dialect)?))
}

/// Whether a temporary table may have been created on a connection since it was opened.
#[pyfunction]
pub(crate) fn creates_temporary(answer: Vec<Vec<Option<String>>>) -> bool {
    introspect::creates_temporary(&answer.into_iter().map(introspect::TextRow).collect())
}

/// What to ask a connection for `CatalogReload.finish`.
#[pyfunction]
pub(crate) fn catalog_questions(dialect: &str) -> PyResult<Vec<&'static str>> {
    Ok(introspect::catalog_questions(parse_dialect(dialect)?).to_vec())
}

fn rows(answers: Vec<Vec<Vec<Option<String>>>>) -> Vec<introspect::Answer> {
    let answers = answers.into_iter();
    answers
        .map(|rows| rows.into_iter().map(introspect::TextRow).collect())
        .collect()
}

fn parse_dialect(name: &str) -> PyResult<Dialect> {
    name.parse()
        .map_err(|error: UnknownDialectError| PyValueError::new_err(error.to_string()))
}

/// How the names of SQLite's databases in memory begin.
const MEMORY: &str = "sqlite:memory:";

pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| {
        PyValueError::new_err(format!("{seconds} is no number of seconds: {error}"))
    })
}

pub(crate) fn store_error(error: StoreError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}
