"""The process's cache, and the databases that connections lead to."""

from __future__ import annotations

import atexit
import os
import secrets
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from . import _kogia, conf, faults, introspection, stores

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from . import replicas

# A store that could not be opened is tried again after this many seconds.
RETRY = 5.0
# No entry lives longer than these seconds, whatever `TIMEOUT` says; each query brings its own.
LONGEST = 365.0 * 86_400

_lock = threading.RLock()
_cache: _kogia.Cache | None = None
# The URL of the store that was last opened.
url: str | None = None
_databases: dict[Any, _kogia.Database] = {}
# Where a connection with these settings led when one was last opened: hits need none.
_known: dict[Any, tuple[_kogia.Database, Any]] = {}
# Connections of pools that were in use.
_pooled: weakref.WeakSet[Any] = weakref.WeakSet()
# When the store may be tried again, and whether this process wrote without one.
_retry_at = 0.0
_was_without = False
# SQLite's databases in memory that connections share: name, token, who has it open.
_shared_memory: dict[str, tuple[str, weakref.WeakSet[BaseDatabaseWrapper]]] = {}
# How many forks lie between this process and the one that imported the module.
forks = 0


def cache() -> _kogia.Cache | None:
    """The cache of this process; the first call opens its store. `None` if that fails."""
    global _cache, _retry_at, _was_without, url
    if _cache is None and time.monotonic() >= _retry_at:
        with _lock:
            if _cache is None and time.monotonic() >= _retry_at:
                url = stores.choose().url
                try:
                    opened = _kogia.Cache(url, ttl=LONGEST, strict=conf.get("STRICT"))
                    if _was_without:
                        # Other processes may have kept entries that this one's writes made stale.
                        opened.invalidate_everything()
                except (RuntimeError, ValueError) as error:
                    _retry_at = time.monotonic() + RETRY
                    _was_without = True
                    faults.once(
                        "open",
                        "The store cannot be opened, so nothing is cached. As long as this lasts, "
                        "processes that do have it open may serve what this one has changed: %s",
                        error,
                    )
                else:
                    _cache, _was_without = opened, False
    return _cache


def is_without_store() -> bool:
    """Whether the store could not be opened."""
    return _cache is None


def opened() -> _kogia.Cache | None:
    """The cache of this process, if its store is open."""
    return _cache


def reset() -> None:
    """Forgets the cache and its databases: the settings changed."""
    global _cache, _retry_at, _was_without
    with _lock:
        _rest()
        _cache = None
        _retry_at = 0.0
        _was_without = False
        _databases.clear()
        _known.clear()


def identify(
    wrapper: BaseDatabaseWrapper,
    opened: _kogia.Cache,
    *,
    idle: bool,
    by_hand: bool = False,
    following: replicas.Following | None = None,
) -> tuple[_kogia.Database, _kogia.Session, _kogia.Identity]:
    """Asks an open connection where it leads, and begins a session for it."""
    memory = _memory_token(wrapper)
    primary = None if following is None else following.primary
    identity, is_standby = introspection.identify(
        wrapper, idle=idle, memory=memory, primary=primary
    )
    if following is not None:
        following.is_standby = is_standby
    with _lock:
        database = _databases.get(identity.key)
        if database is None:
            database = _databases.setdefault(identity.key, opened.database(identity))
        answers = identity.primary or primary is not None
        is_fresh = not by_hand and _is_new(wrapper)
        if answers and not identity.in_memory and is_fresh:
            _known[_settings_key(wrapper)] = (database, _file_of(wrapper))
    return database, database.session(identity), identity


def _is_new(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether a connection was not in use before: a pool hands out what its last user left."""
    if not getattr(wrapper, "pool", None):
        return True
    raw: Any = wrapper.connection
    is_new = raw not in _pooled
    _pooled.add(raw)
    return is_new


def known(wrapper: BaseDatabaseWrapper) -> _kogia.Database | None:
    """Where connections with these settings led so far, if that is where they still lead."""
    found = _known.get(_settings_key(wrapper))
    if found is None or found[1] != _file_of(wrapper):
        return None
    return found[0]


def _settings_key(wrapper: BaseDatabaseWrapper) -> Any:
    settings = wrapper.settings_dict
    return (
        wrapper.vendor,
        settings.get("NAME"),
        settings.get("HOST"),
        settings.get("PORT"),
        settings.get("USER"),
        settings.get("TIME_ZONE"),
        settings.get("AUTOCOMMIT"),
        repr(settings.get("OPTIONS")),
        str(wrapper.timezone),
        conf.primary_of(wrapper.alias),
    )


def _file_of(wrapper: BaseDatabaseWrapper) -> Any:
    """Which file SQLite would open now: somebody may have put another one in its place."""
    if wrapper.vendor != "sqlite":
        return None
    try:
        found = os.stat(wrapper.settings_dict["NAME"])
    except (OSError, TypeError, ValueError):
        return ()
    return found.st_dev, found.st_ino


def _memory_token(wrapper: BaseDatabaseWrapper) -> str | None:
    """A name for a database in memory that several connections of the process share.

    It lives as long as one of them has it open, and the next one of its name is another one.
    """
    if wrapper.vendor != "sqlite":
        return None
    name = str(wrapper.settings_dict["NAME"])
    if not (name.startswith("file:") and "mode=memory" in name and "cache=shared" in name):
        # Every connection has its own, which the engine names at random.
        return None
    key = name.partition("?")[0]
    with _lock:
        token, holders = _shared_memory.get(key, ("", weakref.WeakSet()))
        if not any(holder.connection is not None for holder in holders if holder is not wrapper):
            token, holders = secrets.token_hex(16), weakref.WeakSet()
        holders.add(wrapper)
        _shared_memory[key] = (token, holders)
    return token


def _forked() -> None:
    # The child has copies of all databases in memory, which are other databases from now on.
    global forks, _lock
    forks += 1
    _lock = threading.RLock()
    _shared_memory.clear()


def _rest() -> None:
    # Python warns of forks while another thread runs; and a process that ends leaves nothing undone.
    if _cache is not None:
        _cache.rest()


os.register_at_fork(before=_rest, after_in_child=_forked)
atexit.register(_rest)
