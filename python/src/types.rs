//! The Python types whose values are told apart, looked up once in each process.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDate, PyDateTime, PyDelta, PyTime, PyType, PyTzInfo};

/// Types and functions of the standard library and of Django.
pub(crate) struct Types {
    pub(crate) decimal: Py<PyType>,
    pub(crate) uuid: Py<PyType>,
    pub(crate) datetime: Py<PyType>,
    pub(crate) date: Py<PyType>,
    pub(crate) time: Py<PyType>,
    pub(crate) timedelta: Py<PyType>,
    pub(crate) memoryview: Py<PyType>,
    /// `datetime.timezone.utc`.
    pub(crate) utc: Py<PyTzInfo>,
    pub(crate) zone: Py<PyType>,
    /// `datetime.timezone`.
    pub(crate) fixed: Py<PyType>,
    /// Django's text that is marked as safe HTML; drivers send it as text.
    pub(crate) safe_string: Py<PyType>,
    /// `kogia.values.encode`, for values of other types.
    pub(crate) encode: Py<PyAny>,
    /// `kogia.values.decode`, the other way.
    pub(crate) decode: Py<PyAny>,
    /// `kogia.values.describe`, for parameters of other types.
    pub(crate) describe: Py<PyAny>,
}

impl Types {
    /// The types; the first call imports them.
    pub(crate) fn get(py: Python<'_>) -> PyResult<&Types> {
        static TYPES: PyOnceLock<Types> = PyOnceLock::new();
        TYPES.get_or_try_init(py, || {
            let class = |module: &str, name: &str| -> PyResult<Py<PyType>> {
                let class = py.import(module)?.getattr(name)?;
                Ok(class.cast_into::<PyType>()?.unbind())
            };
            let values = py.import("kogia.values")?;
            Ok(Types {
                decimal: class("decimal", "Decimal")?,
                uuid: class("uuid", "UUID")?,
                datetime: py.get_type::<PyDateTime>().unbind(),
                date: py.get_type::<PyDate>().unbind(),
                time: py.get_type::<PyTime>().unbind(),
                timedelta: py.get_type::<PyDelta>().unbind(),
                memoryview: class("builtins", "memoryview")?,
                utc: PyTzInfo::utc(py)?.to_owned().unbind(),
                zone: class("zoneinfo", "ZoneInfo")?,
                fixed: class("datetime", "timezone")?,
                safe_string: class("django.utils.safestring", "SafeString")?,
                encode: values.getattr("encode")?.unbind(),
                decode: values.getattr("decode")?.unbind(),
                describe: values.getattr("describe")?.unbind(),
            })
        })
    }
}
