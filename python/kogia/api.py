"""What applications call: `invalidate`, `get_last_invalidation`, `disabled`, `options`."""

from __future__ import annotations

import contextlib
import difflib
import warnings
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.models import Model, QuerySet

from . import conf, engine, invalidations, link
from ._kogia import Database

__all__ = ("cachalot_disabled", "disabled", "get_last_invalidation", "invalidate", "options")

Table = str | type[Model]


def invalidate(
    *tables_or_models: Table, cache_alias: str | None = None, db_alias: str | None = None
) -> None:
    """Forgets the results of queries that read certain tables.

    A table is given by its name, by its model, or by the model's label (`"shop.Book"`). Without
    any, everything is forgotten. `db_alias` names one database, otherwise all of them are meant.
    A name that stands for nothing is warned of.

    Needed only after changes that nobody could see: made by a program without Kogia, or by raw
    statements under `INVALIDATE_RAW = False`.

    Inside a transaction, other connections stop using the results at once and once more when it
    commits, so that they cannot fetch the old rows in between for ever.

    `cache_alias` is there for code that was written for django-cachalot. There is one store, so
    results are forgotten whatever it says; it tells `get_last_invalidation` apart.
    """
    tables = _names(tables_or_models)
    for alias in _databases(db_alias):
        _invalidate(alias, tables, cache_alias)
    _warn_of_unknown(tables, _databases(db_alias))


def get_last_invalidation(
    *tables_or_models: Table, cache_alias: str | None = None, db_alias: str | None = None
) -> float:
    """When one of these tables, or any, was last invalidated: seconds since 1970, or 0.0.

    It knows of all processes of this machine that use the same file store; with a store in
    memory, of this process alone. An invalidation for another `cache_alias` does not count.
    """
    tables = _names(tables_or_models)
    found = 0.0
    for alias in _databases(db_alias):
        connection = link.of(connections[alias])
        database = None if connection is None else _database(connection)
        if connection is None or database is None:
            continue
        names = tables or connection.wrapper.introspection.table_names()
        canonical = [conf.canonical(name) for name in names]
        found = max(found, invalidations.last(database.name, canonical, cache_alias))
    return found


@contextlib.contextmanager
def disabled(all_queries: bool = False) -> Iterator[None]:
    """A block in which this thread or task neither asks nor fills the cache.

    What it writes invalidates as ever. With `all_queries`, querysets that already hold their rows
    ask the database again, too.
    """
    with conf.override(ENABLED=False):
        if not all_queries:
            yield
            return
        _hook_querysets()
        token = _refetch.set(True)
        try:
            yield
        finally:
            _refetch.reset(token)


cachalot_disabled = disabled


def options(**changes: Any) -> contextlib.AbstractContextManager[None]:
    """A block with other settings, in this thread or task alone: `options(TIMEOUT=60)`."""
    return conf.override(**changes)


def _invalidate(alias: str, tables: list[str], cache_alias: str | None) -> None:
    wrapper = connections[alias]
    found = link.of(wrapper)
    database = None if found is None else _database(found)
    if found is None or database is None:
        return
    if tables:
        for table in tables:
            database.invalidate_table(conf.canonical(table))
    else:
        database.invalidate_entries()
    names = tables or wrapper.introspection.table_names()
    changed = {conf.canonical(name): "kogia.api.invalidate" for name in names}
    invalidations.note(
        database.name,
        changed if tables else {invalidations.EVERYTHING: "kogia.api.invalidate"},
        cache_alias,
    )
    session = found.ready()
    if session is not None and (session.in_transaction() or not wrapper.autocommit):
        # As if the transaction had written the tables: it commits what made this necessary. Where
        # the driver has not begun it yet, there is nothing to commit; that of MySQL does not tell.
        quote = wrapper.ops.quote_name
        is_open = session.in_transaction() or wrapper.vendor == "mysql"
        for name in names if is_open else ():
            table = name if name.startswith(('"', "`")) else quote(name)
            found.assume(session, f"UPDATE {table} SET kogia = kogia")
        found.changed |= changed
    else:
        found.untold |= changed
        found.tell()


def _warn_of_unknown(tables: list[str], aliases: Iterable[str]) -> None:
    """Warns of tables that no model and no database has: what was meant is still in the cache."""
    models = apps.get_models(include_auto_created=True)
    known = {conf.canonical(model._meta.db_table) for model in models}
    unknown = [name for name in tables if conf.canonical(name) not in known]
    for alias in aliases if unknown else ():
        found = link.of(connections[alias])
        if found is None:
            continue
        database = found.database or engine.known(found.wrapper)
        names = None if database is None else database.tables()
        if database is None or names is None or database.is_catalog_outdated():
            # Without a catalog nobody can tell.
            return
        known.update(conf.canonical(name) for name in names)
    for name in unknown:
        if conf.canonical(name) in known:
            continue
        near = difflib.get_close_matches(name, known.union(model._meta.label for model in models))
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        warnings.warn(f"{name!r} is neither a table nor a model{hint}", stacklevel=3)


def _database(found: link.Link) -> Database | None:
    """The database that a connection leads to; it is opened if nobody knows that yet."""
    database = found.database or engine.known(found.wrapper)
    if database is None:
        try:
            found.wrapper.ensure_connection()
        except AssertionError:
            # A test that does not use this database forbids to connect to it.
            return None
    return database or found.database


def _databases(db_alias: str | None) -> Iterable[str]:
    return settings.DATABASES if db_alias is None else (db_alias,)


def _names(tables_or_models: Iterable[Table]) -> list[str]:
    names = []
    for table in tables_or_models:
        if isinstance(table, str) and "." in table:
            with contextlib.suppress(LookupError, ValueError):
                table = apps.get_model(table)
        facts = getattr(table, "_meta", None)
        name = table if isinstance(table, str) else getattr(facts, "db_table", "")
        if not name:
            raise TypeError(f"{table!r} is neither the name of a table nor a model")
        names.append(name)
    return names


_refetch: ContextVar[bool] = ContextVar("kogia_refetch", default=False)


def _hook_querysets() -> None:
    """Lets querysets forget their rows where they are asked for them; `len` asks `list`, too."""
    if _hooked:
        return
    for name in ("__iter__", "__getitem__", "__bool__"):
        original = getattr(QuerySet, name)
        _hooked.append(name)

        def hooked(self: QuerySet[Any], *args: Any, original: Any = original) -> Any:
            if _refetch.get():
                self._result_cache = None
                self._prefetch_done = False  # type: ignore[attr-defined]
            return original(self, *args)

        setattr(QuerySet, name, hooked)


_hooked: list[str] = []
