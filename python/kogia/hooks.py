"""Where Django is hooked: its cursors, its connections and its query compiler."""

from __future__ import annotations

import copy
import datetime
import decimal
import functools
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.db.models.sql import compiler as compilers
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE, MULTI, SINGLE

from . import conf, cursors, faults, link, observe

_WRITING = (
    compilers.SQLInsertCompiler,
    compilers.SQLUpdateCompiler,
    compilers.SQLDeleteCompiler,
)
# Types whose values nobody can change.
_FROZEN = frozenset(
    (type(None), bool, int, float, str, bytes, decimal.Decimal, uuid.UUID, datetime.datetime)
    + (datetime.date, datetime.time, datetime.timedelta)
)
# An iterator is for results that do not fit in memory.
_LONGEST_ITERATOR = 10_000

# The class, the name, and what stood there; `None` if nothing did.
_originals: list[tuple[type, str, Callable[..., Any] | None]] = []


def install() -> None:
    """Hooks everything; does nothing if that is done."""
    if _originals:
        return
    cursors.install(_hook)
    _hook(CursorDebugWrapper, "execute", cursors.execute)
    _hook(CursorWrapper, "execute", cursors.execute)
    _hook(CursorWrapper, "_execute", cursors.run)
    _hook(CursorWrapper, "_executemany", cursors.run_many)
    _hook(CursorWrapper, "callproc", cursors.callproc)
    _hook(CursorWrapper, "__getattr__", cursors.attribute)
    _hook(BaseDatabaseWrapper, "connect", _connect)
    _hook(BaseDatabaseWrapper, "_commit", _commit)
    _hook(BaseDatabaseWrapper, "_rollback", _rollback)
    _hook(BaseDatabaseWrapper, "close", _close)
    _hook(BaseDatabaseWrapper, "set_autocommit", _set_autocommit)
    _hook(BaseDatabaseOperations, "execute_sql_flush", _execute_sql_flush)
    _hook(compilers.SQLCompiler, "execute_sql", _execute_sql)
    _hook(compilers.SQLInsertCompiler, "execute_sql", _insert)


def uninstall() -> None:
    """Takes all hooks out."""
    while _originals:
        owner, name, original = _originals.pop()
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def _hook(owner: type, name: str, hook: Callable[..., Any]) -> None:
    """Puts a hook around a method, or in the place of one that there is not."""
    original = owner.__dict__.get(name)
    hooked: Callable[..., Any]
    if original is None:
        hooked = hook
    else:

        @functools.wraps(original)
        def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
            return hook(original, self, *args, **kwargs)

    _originals.append((owner, name, original))
    setattr(owner, name, hooked)


def _connect(original: Callable[..., Any], wrapper: BaseDatabaseWrapper) -> Any:
    found = link.of(wrapper)
    if found is None:
        return original(wrapper)
    found.closed()
    found.connecting = True
    try:
        result = original(wrapper)
    except BaseException:
        found.connecting = False
        found.closed()
        raise
    if found.connecting:
        found.connected()
    return result


def _commit(original: Callable[..., Any], wrapper: BaseDatabaseWrapper) -> Any:
    try:
        return _end(original, wrapper, "COMMIT")
    except faults.InvalidationRefused:
        # The commit was not sent, and nothing of the transaction may be left.
        wrapper._rollback()  # type: ignore[attr-defined]
        raise


def _rollback(original: Callable[..., Any], wrapper: BaseDatabaseWrapper) -> Any:
    return _end(original, wrapper, "ROLLBACK")


def _end(original: Callable[..., Any], wrapper: BaseDatabaseWrapper, sql: str) -> Any:
    found = link.of(wrapper)
    if found is None or wrapper.connection is None:
        return original(wrapper)
    return found.run(sql, None, functools.partial(original, wrapper))


def _close(original: Callable[..., Any], wrapper: BaseDatabaseWrapper) -> Any:
    try:
        return original(wrapper)
    finally:
        found = link.of(wrapper)
        # Inside of `atomic` Django keeps the closed connection until the block ends.
        if found is not None and (wrapper.connection is None or wrapper.closed_in_transaction):
            found.closed()


def _set_autocommit(
    original: Callable[..., Any],
    wrapper: BaseDatabaseWrapper,
    autocommit: bool,
    *args: Any,
    **kwargs: Any,
) -> Any:
    call = functools.partial(original, wrapper, autocommit, *args, **kwargs)
    found = link.of(wrapper)
    return call() if found is None else found.set_autocommit(autocommit, call)


def _execute_sql_flush(
    original: Callable[..., Any], operations: BaseDatabaseOperations, *args: Any, **kwargs: Any
) -> Any:
    found = link.of(operations.connection)
    with link.orm(found):
        return original(operations, *args, **kwargs)


def _insert(original: Callable[..., Any], compiler: Any, *args: Any, **kwargs: Any) -> Any:
    with link.orm(link.of(compiler.connection)):
        return original(compiler, *args, **kwargs)


def _execute_sql(
    original: Callable[..., Any],
    compiler: compilers.SQLCompiler,
    result_type: Any = MULTI,
    chunked_fetch: bool = False,
    chunk_size: int = GET_ITERATOR_CHUNK_SIZE,
) -> Any:
    found = link.of(compiler.connection)
    policy = _policy(compiler, result_type, chunked_fetch) if found is not None else None
    if found is None or policy is None:
        with link.orm(found):
            return original(compiler, result_type, chunked_fetch, chunk_size)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        sql, params = "", ()
    if not sql:
        return original(compiler, result_type, chunked_fetch, chunk_size)
    # Columns that only the order needs are cut off, and of a single row only the first is read.
    # An aggregate over a subquery has no such columns, nor the attribute.
    width = compiler.col_count if getattr(compiler, "has_extra_select", False) else None
    answer = found.look_up(sql, params, _shape(result_type, width), policy)
    if isinstance(answer, list):
        if result_type == SINGLE:
            return answer[0] if answer else None
        return iter([answer]) if chunked_fetch else [answer]
    # The statement is made: making it again costs as much as a hit.
    compiler.as_sql = lambda *args, **kwargs: (sql, params)  # type: ignore[method-assign]
    if answer is not None:
        found.expect(sql, answer)
    began = time.perf_counter()
    found.orm += 1
    try:
        result = original(compiler, result_type, chunked_fetch, chunk_size)
    finally:
        found.orm -= 1
        del compiler.as_sql
    observe.ran(found.wrapper.alias, sql, time.perf_counter() - began)
    if answer is None or not answer.wants_rows():
        return result
    if result_type == SINGLE:
        found.fill(answer, [] if result is None else [result])
        return result
    if isinstance(result, list):
        found.fill(answer, [row for chunk in result for row in chunk])
        return result
    return _fill_at_the_end(found, answer, result)


@functools.cache
def _shape(result_type: str, width: int | None) -> bytes:
    """What the rows of a statement look like, beyond the statement."""
    return f"{result_type}{'' if width is None else width}".encode()


def _policy(
    compiler: compilers.SQLCompiler, result_type: Any, chunked_fetch: bool
) -> conf.Policy | None:
    """By which settings the cache may answer a compiler's statement; `None` if it is no read."""
    if result_type not in (MULTI, SINGLE) or isinstance(compiler, _WRITING):
        return None
    query = compiler.query
    # An aggregate over a subquery is a query of its own around the one that was asked.
    own = query.__dict__.get("kogia") or getattr(query, "inner_query", query).__dict__.get("kogia")
    policy = conf.policy(own or ())
    return None if chunked_fetch and not policy.iterators else policy


def _fill_at_the_end(
    found: link.Link, permit: Any, chunks: Iterator[list[tuple[Any, ...]]]
) -> Iterator[list[tuple[Any, ...]]]:
    """Passes an iterator's chunks on, and stores them if it is read to its end."""
    rows: list[tuple[Any, ...]] | None = []
    for chunk in chunks:
        if rows is not None and len(rows) + len(chunk) > _LONGEST_ITERATOR:
            rows = None
        if rows is not None:
            # Whoever gets the chunk may change the lists and dictionaries in it.
            frozen = all(type(cell) in _FROZEN for row in chunk for cell in row)
            rows.extend(chunk if frozen else copy.deepcopy(chunk))
        yield chunk
    if rows is not None:
        found.fill(permit, rows)
