"""The process's cache, and the databases that connections lead to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from . import _kogia, conf, introspection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_lock = threading.Lock()
_cache: _kogia.Cache | None = None
_databases: dict[Any, _kogia.Database] = {}
# Where a connection with these settings led when one was last opened: hits need none.
_known: dict[Any, _kogia.Database] = {}


def cache() -> _kogia.Cache:
    """The cache of this process; the first call opens its store."""
    global _cache
    if _cache is None:
        with _lock:
            if _cache is None:
                _cache = _kogia.Cache(
                    conf.store_url(),
                    ttl=float(conf.get("TIMEOUT")),
                    strict=conf.get("STRICT"),
                )
    return _cache


def reset() -> None:
    """Forgets the cache and its databases: the settings changed."""
    global _cache
    with _lock:
        _cache = None
        _databases.clear()
        _known.clear()


def identify(wrapper: BaseDatabaseWrapper) -> tuple[_kogia.Database, _kogia.Session]:
    """Asks an open connection where it leads, and begins a session for it."""
    identity = introspection.identify(wrapper)
    isolation = introspection.isolation(wrapper)
    key = (identity.key, isolation)
    database = _databases.get(key)
    if database is None:
        database = cache().database(identity, isolation=isolation)
        database = _databases.setdefault(key, database)
    _known[_settings_key(wrapper)] = database
    return database, database.session(identity)


def known(wrapper: BaseDatabaseWrapper) -> _kogia.Database | None:
    """Where connections with these settings led so far."""
    return _known.get(_settings_key(wrapper))


def _settings_key(wrapper: BaseDatabaseWrapper) -> Any:
    return (wrapper.alias, repr(wrapper.settings_dict))
