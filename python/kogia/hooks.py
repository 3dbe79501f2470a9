"""Where Django is hooked: its cursors, its connections and its query compiler."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.sql import compiler as compilers
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE, MULTI, SINGLE

from . import conf, link

_WRITING = (
    compilers.SQLInsertCompiler,
    compilers.SQLUpdateCompiler,
    compilers.SQLDeleteCompiler,
)
# An iterator is for results that do not fit in memory.
_LONGEST_ITERATOR = 10_000

_originals: list[tuple[type, str, Callable[..., Any]]] = []


def install() -> None:
    """Hooks everything; does nothing if that is done."""
    if _originals:
        return
    _hook(CursorWrapper, "_execute", _execute)
    _hook(CursorWrapper, "_executemany", _executemany)
    _hook(CursorWrapper, "callproc", _callproc)
    _hook(BaseDatabaseWrapper, "connect", _connect)
    _hook(BaseDatabaseWrapper, "_commit", _commit)
    _hook(BaseDatabaseWrapper, "_rollback", _rollback)
    _hook(BaseDatabaseWrapper, "_close", _close)
    _hook(BaseDatabaseWrapper, "set_autocommit", _set_autocommit)
    _hook(compilers.SQLCompiler, "execute_sql", _execute_sql)


def uninstall() -> None:
    """Takes all hooks out."""
    while _originals:
        owner, name, original = _originals.pop()
        setattr(owner, name, original)


def _hook(owner: type, name: str, hook: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        return hook(original, self, *args, **kwargs)

    _originals.append((owner, name, original))
    setattr(owner, name, hooked)


def _execute(
    original: Callable[..., Any], cursor: CursorWrapper, sql: Any, params: Any, *ignored: Any
) -> Any:
    found = link.of(cursor.db)
    if found is None:
        return original(cursor, sql, params, *ignored)
    call = functools.partial(original, cursor, sql, params, *ignored)
    return found.run(_text(cursor, sql), params, call)


def _executemany(
    original: Callable[..., Any], cursor: CursorWrapper, sql: Any, param_list: Any, *ignored: Any
) -> Any:
    found = link.of(cursor.db)
    if found is None:
        return original(cursor, sql, param_list, *ignored)
    call = functools.partial(original, cursor, sql, param_list, *ignored)
    # Without parameters the keys of the rows are not known: the whole table is invalidated.
    return found.run(_text(cursor, sql), None, call)


def _callproc(
    original: Callable[..., Any], cursor: CursorWrapper, procname: str, *args: Any, **kwargs: Any
) -> Any:
    found = link.of(cursor.db)
    if found is None:
        return original(cursor, procname, *args, **kwargs)
    call = functools.partial(original, cursor, procname, *args, **kwargs)
    return found.run(f"CALL {procname}()", None, call)


def _connect(original: Callable[..., Any], wrapper: BaseDatabaseWrapper) -> Any:
    found = link.of(wrapper)
    if found is None:
        return original(wrapper)
    found.connecting = True
    try:
        result = original(wrapper)
    except BaseException:
        found.connecting = False
        found.closed()
        raise
    found.connected()
    return result


def _commit(original: Callable[..., Any], wrapper: BaseDatabaseWrapper) -> Any:
    return _end(original, wrapper, "COMMIT")


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
        if found is not None:
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


def _execute_sql(
    original: Callable[..., Any],
    compiler: compilers.SQLCompiler,
    result_type: Any = MULTI,
    chunked_fetch: bool = False,
    chunk_size: int = GET_ITERATOR_CHUNK_SIZE,
) -> Any:
    run = functools.partial(original, compiler, result_type, chunked_fetch, chunk_size)
    found = _reads(compiler, result_type, chunked_fetch)
    if found is None:
        return run()
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return run()
    if not sql:
        return run()
    # Columns that only the order needs are cut off, and of a single row only the first is read.
    width = compiler.col_count if compiler.has_extra_select else ""
    shape = f"{result_type}{width}".encode()
    answer = found.look_up(sql, params, shape)
    if isinstance(answer, list):
        if result_type == SINGLE:
            return answer[0] if answer else None
        return iter([answer]) if chunked_fetch else [answer]
    # The statement is made: making it again costs as much as a hit.
    compiler.as_sql = lambda *args, **kwargs: (sql, params)
    try:
        result = run()
    finally:
        del compiler.as_sql
    if answer is None or not answer.wants_rows():
        return result
    if result_type == SINGLE:
        found.fill(answer, [] if result is None else [result])
        return result
    if isinstance(result, list):
        found.fill(answer, [row for chunk in result for row in chunk])
        return result
    return _fill_at_the_end(found, answer, result)


def _reads(
    compiler: compilers.SQLCompiler, result_type: Any, chunked_fetch: bool
) -> link.Link | None:
    """The link through which a compiler's statement may be answered, if it is a read."""
    if result_type not in (MULTI, SINGLE) or isinstance(compiler, _WRITING):
        return None
    if not conf.get("ENABLED") or (chunked_fetch and not conf.get("CACHE_ITERATORS")):
        return None
    return link.of(compiler.connection)


def _fill_at_the_end(
    found: link.Link, permit: Any, chunks: Iterator[list[tuple[Any, ...]]]
) -> Iterator[list[tuple[Any, ...]]]:
    """Passes an iterator's chunks on, and stores them if it is read to its end."""
    rows: list[tuple[Any, ...]] | None = []
    found.unfinished += 1
    try:
        for chunk in chunks:
            if rows is not None:
                rows.extend(chunk)
                if len(rows) > _LONGEST_ITERATOR:
                    rows = None
            yield chunk
    finally:
        found.unfinished -= 1
    if rows is not None:
        found.fill(permit, rows)


def _text(cursor: CursorWrapper, sql: Any) -> str:
    """The text of a statement; psycopg composes some of objects."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    return sql.as_string(cursor.cursor)
