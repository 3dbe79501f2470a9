"""An engine that inherits from none of Django's: it has SQLite's methods, but not its class."""

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3 import base

_METHODS = {
    name: value
    for name, value in base.DatabaseWrapper.__dict__.items()
    if name not in ("__dict__", "__weakref__", "__module__")
}
DatabaseWrapper = type("DatabaseWrapper", (BaseDatabaseWrapper,), _METHODS)
DatabaseWrapper.__module__ = __name__
