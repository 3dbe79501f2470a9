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
_READING = (MULTI, SINGLE)
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
    cursors.install(_put)
    _put(CursorDebugWrapper, "execute", cursors.execute)
    _put(CursorWrapper, "execute", cursors.execute)
    _put(CursorWrapper, "_execute", cursors.run)
    _hook(CursorWrapper, "_executemany", cursors.run_many)
    _hook(CursorWrapper, "callproc", cursors.callproc)
    _put(CursorWrapper, "__getattr__", cursors.attribute)
    _hook(BaseDatabaseWrapper, "connect", _connect)
    _hook(BaseDatabaseWrapper, "_commit", _commit)
    _hook(BaseDatabaseWrapper, "_rollback", _rollback)
    _hook(BaseDatabaseWrapper, "close", _close)
    _hook(BaseDatabaseWrapper, "set_autocommit", _set_autocommit)
    _hook(BaseDatabaseOperations, "execute_sql_flush", _execute_sql_flush)
    _put(compilers.SQLCompiler, "execute_sql", _execute_sql)
    _hook(compilers.SQLInsertCompiler, "execute_sql", _insert)


def uninstall() -> None:
    """Takes all hooks out."""
    while _originals:
        owner, name, original = _originals.pop()
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def _put(owner: type, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Puts a method in the place of another one, or of none, which `make` is handed."""
    original = owner.__dict__.get(name)
    hooked = make(original)
    if original is not None:
        hooked = functools.wraps(original)(hooked)
    _originals.append((owner, name, original))
    setattr(owner, name, hooked)


def _hook(owner: type, name: str, hook: Callable[..., Any]) -> None:
    """Puts a hook around a method: more convenient than `_put`, and slower by a call."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
            return hook(original, self, *args, **kwargs)

        return hooked

    _put(owner, name, make)


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
    found = link.of(compiler.connection)
    if found is None:
        return original(compiler, *args, **kwargs)
    found.orm += 1
    try:
        return original(compiler, *args, **kwargs)
    finally:
        found.orm -= 1


def _execute_sql(original: Callable[..., Any]) -> Callable[..., Any]:
    """`SQLCompiler.execute_sql`. Each read passes here: what a hit does not need is elsewhere."""
    # Whoever put it there wants to see the queries that run.
    is_foreign = link.is_foreign(original)

    def execute_sql(
        compiler: compilers.SQLCompiler,
        result_type: Any = MULTI,
        chunked_fetch: bool = False,
        chunk_size: int = GET_ITERATOR_CHUNK_SIZE,
    ) -> Any:
        found = link.of(compiler.connection)
        if found is None:
            return original(compiler, result_type, chunked_fetch, chunk_size)
        if result_type not in _READING or isinstance(compiler, _WRITING):
            policy = None
        else:
            # An aggregate over a subquery is a query of its own around the one that was asked.
            query = compiler.query
            own = query.__dict__.get("kogia")
            own = own or getattr(query, "inner_query", query).__dict__.get("kogia")
            policy = conf.policy(own or ())
        if policy is None or (chunked_fetch and not policy.iterators):
            found.orm += 1
            try:
                return original(compiler, result_type, chunked_fetch, chunk_size)
            finally:
                found.orm -= 1
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
        found.expected = None if answer is None else sql
        began = time.perf_counter()
        found.orm += 1
        try:
            if answer is None or chunked_fetch or is_foreign:
                # The statement is made: making it again costs as much as a hit.
                compiler.as_sql = lambda *args, **kwargs: (sql, params)  # type: ignore[method-assign]
                try:
                    result = original(compiler, result_type, chunked_fetch, chunk_size)
                finally:
                    del compiler.as_sql
            else:
                result = _fetch(compiler, result_type, sql, params, width)
        finally:
            found.orm -= 1
        if observe.current.get() is not None:
            observe.ran(found.wrapper.alias, sql, time.perf_counter() - began)
        if answer is None:
            return result
        if result_type == SINGLE:
            found.fill(answer, [] if result is None else [result])
        elif not isinstance(result, list):
            return _fill_at_the_end(found, answer, result)
        else:
            # Some drivers give a chunk as a tuple.
            is_one = len(result) == 1 and isinstance(result[0], list)
            rows = result[0] if is_one else [row for chunk in result for row in chunk]
            found.fill(answer, rows)
        return result

    return execute_sql


def _fetch(
    compiler: compilers.SQLCompiler, result_type: str, sql: str, params: Any, width: int | None
) -> Any:
    """What `SQLCompiler.execute_sql` gives, without its chunks: all rows are wanted at once."""
    cursor = compiler.connection.cursor()
    try:
        cursor.execute(sql, params)
        if result_type == SINGLE:
            row = cursor.fetchone()
            return row if width is None or row is None else row[:width]
        rows = cursor.fetchall()
    finally:
        cursor.close()
    return [rows if width is None else [row[:width] for row in rows]]


@functools.cache
def _shape(result_type: str, width: int | None) -> bytes:
    """What the rows of a statement look like, beyond the statement."""
    return f"{result_type}{'' if width is None else width}".encode()


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
