"""When tables were last invalidated, and who is told.

The times stand beside a file store, one empty file for each table whose time of change they are,
so every process of the machine sees them; with a store in memory, each process knows its own.
They are for people, templates and HTTP headers: no decision about freshness asks for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.apps import apps

from . import conf, engine, observe, signals, stores

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# The name that stands for all tables of a database.
EVERYTHING = "*"

_in_memory: dict[str, float] = {}


def note(database: str, tables: Iterable[str], cache_alias: str | None = None) -> None:
    """Notes that tables of a database were invalidated now."""
    now = time.time()
    folder = _folder()
    for table in tables:
        key = _key(database, table, cache_alias)
        if folder is None:
            _in_memory[key] = now
        else:
            _touch(folder / key, now)


def last(database: str, tables: Iterable[str], cache_alias: str | None = None) -> float:
    """When one of these tables was last invalidated, in seconds since 1970; 0 if never."""
    folder = _folder()
    found = 0.0
    for table in {*tables, EVERYTHING}:
        for alias in {None, cache_alias}:
            key = _key(database, table, alias)
            if folder is None:
                found = max(found, _in_memory.get(key, 0.0))
            else:
                with contextlib.suppress(OSError):
                    found = max(found, (folder / key).stat().st_mtime)
    return found


def tell(wrapper: BaseDatabaseWrapper, tables: Iterable[str]) -> None:
    """Sends the signal for tables by their canonical names."""
    if observe.current.get() is None and not signals.post_invalidation.receivers:
        return
    names = _names()
    for table in sorted(tables):
        if table == EVERYTHING:
            continue
        name = names.get(table, table)
        observe.invalidated(wrapper.alias, name)
        signals.post_invalidation.send_robust(name, db_alias=wrapper.alias)


def forget() -> None:
    """Forgets what this process knows by itself."""
    _in_memory.clear()


def _names() -> dict[str, str]:
    """How the models call their tables."""
    models = apps.get_models(include_auto_created=True)
    return {conf.canonical(model._meta.db_table): model._meta.db_table for model in models}


def _folder() -> pathlib.Path | None:
    store = stores.folder(engine.url or stores.choose().url)
    return None if store is None else store.with_name(store.name + ".times")


def _key(database: str, table: str, cache_alias: str | None) -> str:
    text = f"{database}\0{table}\0{cache_alias or ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _touch(path: pathlib.Path, now: float) -> None:
    times = (now, now)
    # A folder that cannot be written costs the times, not the write.
    with contextlib.suppress(OSError):
        try:
            os.utime(path, times)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            os.utime(path, times)
