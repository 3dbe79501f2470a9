"""What Django's cursors do: run statements, hand out rows, and pass on what drivers add."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.db.backends.utils import CursorWrapper

from . import conf, link

_RAW = "_kogia_answer"
# What a raw statement that only changes rows begins with.
_CHANGES = frozenset(("INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH", "TRUNCATE"))
_NOTHING_FETCHED = object()


class Column(NamedTuple):
    """A column of `cursor.description`."""

    name: str
    type_code: Any
    display_size: Any = None
    internal_size: Any = None
    precision: Any = None
    scale: Any = None
    null_ok: Any = None


class Answer:
    """Rows that a cursor hands out as if it had just run their query.

    `run` does run it, for what only the driver knows.
    """

    def __init__(
        self,
        description: list[Column],
        rows: list[tuple[Any, ...]],
        vendor: str,
        run: Callable[[], Any],
    ) -> None:
        self.description = description
        self.rowcount = len(rows)
        self.rownumber = 0
        self.arraysize = 1
        self.lastrowid = 0 if vendor == "mysql" else None
        self.run = run
        self._rows = rows
        # MySQL's driver gives its rows in a tuple.
        self._several: Callable[[Any], Any] = tuple if vendor == "mysql" else list

    def fetchone(self) -> Any:
        """The next row, or `None`."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> Any:
        """The next rows."""
        begin = self.rownumber
        rows = self._rows[begin : begin + (self.arraysize if size is None else size)]
        self.rownumber += len(rows)
        return self._several(rows)

    def fetchall(self) -> Any:
        """All rows that are left."""
        return self.fetchmany(self.rowcount)

    def nextset(self) -> None:
        """There are no more results."""

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(1):
            yield rows[0]


def install(put: Callable[[type, str, Callable[..., Any]], None]) -> None:
    """Puts the methods in that take rows, which Django leaves to the driver's cursor."""
    for name in ("fetchone", "fetchmany", "fetchall", "nextset", "close"):
        put(CursorWrapper, name, functools.partial(_taking, name))
    put(CursorWrapper, "__iter__", _iterate)


def run(original: Callable[..., Any]) -> Callable[..., Any]:
    """`CursorWrapper._execute`."""

    def _execute(cursor: CursorWrapper, sql: Any, params: Any, *ignored: Any) -> Any:
        found = link.of(cursor.db)
        if found is None:
            return original(cursor, sql, params, *ignored)
        if found.expected is not None and found.is_expected(sql):
            found.expected = None
            return original(cursor, sql, params, *ignored)
        text = sql if type(sql) is str else _text(cursor, sql)
        if not found.orm and _is_left_alone(text):
            return original(cursor, sql, params, *ignored)
        call = functools.partial(original, cursor, sql, params, *ignored)
        return found.run(text, params, call, cursor.cursor)

    return _execute


def run_many(
    original: Callable[..., Any], cursor: CursorWrapper, sql: Any, param_list: Any, *ignored: Any
) -> Any:
    """`CursorWrapper._executemany`."""
    call = functools.partial(original, cursor, sql, param_list, *ignored)
    # Without parameters the keys of the rows are not known: the whole table is invalidated.
    return _run(cursor, lambda: _text(cursor, sql), None, call)


def callproc(
    original: Callable[..., Any], cursor: CursorWrapper, procname: str, *args: Any, **kwargs: Any
) -> Any:
    """`CursorWrapper.callproc`."""
    call = functools.partial(original, cursor, procname, *args, **kwargs)
    # PostgreSQL's driver calls a function by `SELECT`.
    verb = "SELECT" if cursor.db.vendor == "postgresql" else "CALL"
    return _run(cursor, lambda: f"{verb} {procname}()", None, call)


def execute(original: Callable[..., Any]) -> Callable[..., Any]:
    """`execute` of both kinds of cursors: a raw query may have its answer in the cache."""

    def execute(cursor: CursorWrapper, sql: Any, params: Any = None) -> Any:
        attributes = cursor.__dict__
        if _RAW in attributes:
            del attributes[_RAW]
        found = link.of(cursor.db)
        if (
            found is None
            or found.orm
            or not conf.get("CACHE_RAW")
            or not conf.get("ENABLED")
            or "_kogia_asked" in attributes
            or getattr(cursor.cursor, "name", None) is not None
        ):
            return original(cursor, sql, params)
        return _execute_raw(original, found, cursor, sql, params)

    return execute


def _execute_raw(
    original: Callable[..., Any], found: link.Link, cursor: CursorWrapper, sql: Any, params: Any
) -> Any:
    def run() -> Any:
        cursor.__dict__["_kogia_asked"] = True
        try:
            return original(cursor, sql, params)
        finally:
            del cursor.__dict__["_kogia_asked"]

    # Without parameters `%%` is two signs, and with an empty list of them it is one.
    shape = b"raw without parameters" if params is None else b"raw"
    answer = found.look_up(_text(cursor, sql), () if params is None else params, shape)
    if isinstance(answer, list):
        found.finished(cursor.cursor)
        head, *rows = answer
        description = [Column(*column) for column in head[0]]
        cursor.__dict__[_RAW] = Answer(description, rows, found.vendor, run)
        return _result(cursor, len(rows))
    result = run()
    if answer is None or not cursor.cursor.description:
        return result
    description = [Column(*tuple(column)[:7]) for column in cursor.cursor.description]
    rows = list(cursor.fetchall())
    head = (tuple(tuple(column) for column in description), *([None] * (len(description) - 1)))
    found.fill(answer, [head, *rows], head=1)
    cursor.__dict__[_RAW] = Answer(description, rows, found.vendor, run)
    return result


def _result(cursor: CursorWrapper, count: int) -> Any:
    """What the driver's own `execute` returns."""
    if cursor.db.vendor == "mysql":
        return count
    return None if type(cursor.cursor).__module__.startswith("psycopg2") else cursor


def attribute(original: Callable[..., Any]) -> Callable[..., Any]:
    """What Django's cursor passes on: some methods of drivers run statements of their own."""

    def __getattr__(cursor: CursorWrapper, name: str) -> Any:
        attributes = cursor.__dict__
        if _RAW in attributes and name != "cursor" and not name.startswith("__"):
            answer = attributes[_RAW]
            if name in _OF_ANSWERS:
                return getattr(answer, name)
            if name not in _OF_CONNECTIONS:
                # Only the driver knows: the query runs after all, up to where the rows were taken.
                del attributes[_RAW]
                answer.run()
                for _ in range(answer.rownumber):
                    cursor.cursor.fetchone()
        found = original(cursor, name)
        hook = _DRIVERS.get(name)
        if hook is None or not callable(found) or link.of(cursor.db) is None:
            return found
        return functools.partial(hook, cursor, found)

    return __getattr__


def _run(
    cursor: CursorWrapper, text: Callable[[], str], params: Any, call: Callable[[], Any]
) -> Any:
    found = link.of(cursor.db)
    if found is None:
        return call()
    sql = text()
    if not found.orm and _is_left_alone(sql):
        return call()
    return found.run(sql, params, call, cursor.cursor)


def _is_left_alone(sql: str) -> bool:
    # What changes the schema or the transaction is always followed, or nothing else would hold.
    return (
        not conf.get("INVALIDATE_RAW")
        and sql.split(None, 1)[:1] != []
        and (sql.split(None, 1)[0].upper() in _CHANGES)
    )


def _taking(name: str, _: Any) -> Callable[..., Any]:
    """A method that takes rows, or gives up the rest."""
    wraps_errors = name in CursorWrapper.WRAP_ERROR_ATTRS

    def take(cursor: CursorWrapper, *args: Any, **kwargs: Any) -> Any:
        answer = cursor.__dict__.get(_RAW)
        if answer is not None:
            if name != "close":
                return getattr(answer, name)(*args, **kwargs)
            del cursor.__dict__[_RAW]
        method = getattr(cursor.cursor, name)
        # One that there is not has nothing unfinished.
        found = cursor.db.__dict__.get(link.PLACE)
        if found is None or not found.has_unfinished:
            if not wraps_errors:
                return method(*args, **kwargs)
            with cursor.db.wrap_database_errors:
                return method(*args, **kwargs)
        result: Any = _NOTHING_FETCHED
        try:
            with cursor.db.wrap_database_errors if wraps_errors else contextlib.nullcontext():
                result = method(*args, **kwargs)
            return result
        finally:
            if _is_over(cursor, name, args, result):
                found.finished(cursor.cursor)

    take.__name__ = name
    return take


def _is_over(cursor: CursorWrapper, name: str, args: tuple[Any, ...], result: Any) -> bool:
    """Whether a call has shown that the cursor's statement is over."""
    if name == "close" or result is _NOTHING_FETCHED:
        return True
    if cursor.db.vendor == "mysql":
        # What comes after the rows may still be under way.
        return name == "nextset" and not result
    if name == "fetchmany":
        return bool(len(result) < (args[0] if args else cursor.cursor.arraysize))
    return name == "fetchall" or result is None


def _iterate(original: Callable[..., Any]) -> Callable[..., Any]:
    def __iter__(cursor: CursorWrapper) -> Iterator[Any]:
        answer = cursor.__dict__.get(_RAW)
        if answer is not None:
            yield from answer
            return
        yield from original(cursor)
        found = link.of(cursor.db)
        if found is not None and cursor.db.vendor != "mysql":
            found.finished(cursor.cursor)

    return __iter__


def _copy(cursor: CursorWrapper, method: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
    """psycopg 3's `copy`, which runs until its block ends."""

    @contextlib.contextmanager
    def copying() -> Iterator[Any]:
        with contextlib.ExitStack() as stack, link.running(cursor.db, _text(cursor, statement)):
            with cursor.db.wrap_database_errors:
                copy = stack.enter_context(method(statement, *args, **kwargs))
            yield copy
            with cursor.db.wrap_database_errors:
                stack.close()

    return copying()


def _stream(cursor: CursorWrapper, method: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
    """psycopg 3's `stream`, which runs until its rows are all taken."""
    with link.running(cursor.db, _text(cursor, query)), cursor.db.wrap_database_errors:
        yield from method(query, *args, **kwargs)


def _copy_expert(cursor: CursorWrapper, method: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
    call = functools.partial(method, sql, *args, **kwargs)
    return _run(cursor, lambda: _text(cursor, sql), None, call)


def _copy_from(
    cursor: CursorWrapper, method: Any, file: Any, table: str, *args: Any, **kw: Any
) -> Any:
    name = table.replace('"', '""')
    call = functools.partial(method, file, table, *args, **kw)
    return _run(cursor, lambda: f'COPY "{name}" FROM STDIN', None, call)


def _executescript(cursor: CursorWrapper, method: Any, script: str) -> Any:
    # The driver of SQLite commits first.
    if cursor.db.connection.in_transaction:
        cursor.db._commit()
    return _run(cursor, lambda: script, None, functools.partial(method, script))


_OF_ANSWERS = frozenset(("description", "rowcount", "rownumber", "arraysize", "lastrowid"))
# What a driver's cursor says without having run anything.
_OF_CONNECTIONS = frozenset(
    ("connection", "closed", "name", "itersize", "row_factory", "adapters", "mogrify", "format")
)
_DRIVERS: dict[str, Callable[..., Any]] = {
    "copy": _copy,
    "stream": _stream,
    "copy_expert": _copy_expert,
    "copy_from": _copy_from,
    "executescript": _executescript,
}


def _text(cursor: CursorWrapper, sql: Any) -> str:
    """The text of a statement; psycopg composes some of objects."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    try:
        return str(sql.as_string(cursor.cursor))
    except AttributeError:
        return link.ANYTHING
