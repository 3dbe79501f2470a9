"""What an open connection says about its database, asked of the driver itself.

The questions are the engine's. They go past Django's cursors, so that no query log shows them.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from django.apps import apps

from . import _kogia

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}

TextRows = list[list[str | None]]

# psycopg2 counts levels in another order than psycopg 3; 0 and 5 are the server's default.
_PSYCOPG2_LEVELS = {
    1: "READ COMMITTED",
    2: "REPEATABLE READ",
    3: "SERIALIZABLE",
    4: "READ UNCOMMITTED",
}


def identify(
    wrapper: BaseDatabaseWrapper,
    *,
    idle: bool,
    memory: str | None = None,
    primary: str | None = None,
) -> tuple[_kogia.Identity, bool]:
    """Which database a connection leads to, and what a fresh session of it is like.

    With `primary`, the connection leads to a replica of the database of that name. The second
    answer is whether it is one that the server itself keeps, as a copy of the primary's log.
    """
    dialect = DIALECTS[wrapper.vendor]
    answers = _ask(wrapper, _kogia.identity_questions(dialect), idle=idle)
    settings = _python_settings(wrapper)
    identity = _kogia.Identity(dialect, answers, settings=settings, memory=memory)
    if primary is None:
        return identity, False
    is_standby = identity.name == primary and not identity.primary
    return _kogia.Identity(dialect, answers, settings=settings, primary=primary), is_standby


def written_to(wrapper: BaseDatabaseWrapper) -> int:
    """How far the log of a server of PostgreSQL goes: every commit so far stands before."""
    idle = is_open(wrapper.vendor, wrapper.connection) is False
    [[[position]]] = _ask(wrapper, [_WRITTEN], idle=idle)
    return int(position or "")


def replayed_to(wrapper: BaseDatabaseWrapper) -> int:
    """Up to where a standby has replayed its primary's log; -1 if it is none any more."""
    [[[position]]] = _ask(wrapper, [_REPLAYED], idle=True)
    return -1 if position is None else int(position)


_WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text"
_REPLAYED = (
    "SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text WHERE pg_is_in_recovery() "
    "UNION ALL SELECT NULL WHERE NOT pg_is_in_recovery()"
)


def catalog(wrapper: BaseDatabaseWrapper) -> list[TextRows]:
    """The facts of the schema, as `CatalogReload.finish` takes them, where nothing is open."""
    return _ask(wrapper, _kogia.catalog_questions(DIALECTS[wrapper.vendor]), idle=True)


def attached(wrapper: BaseDatabaseWrapper) -> TextRows:
    """Which databases are attached, as `Session.attached` takes them."""
    question = _kogia.attached_question(DIALECTS[wrapper.vendor])
    if question is None:
        return []
    return _ask(wrapper, [question], idle=False)[0]


def creates_temporary(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether a temporary table may have been created on a connection since it was opened."""
    question = _kogia.temporary_question(DIALECTS[wrapper.vendor])
    return question is None or _kogia.creates_temporary(_ask(wrapper, [question], idle=False)[0])


def is_over(wrapper: BaseDatabaseWrapper, backend: str | None) -> bool:
    """Whether the transaction of a writer is over for certain, where nothing is open here.

    Gone is over. A server process that is still there is not, even if it is idle: a statement may
    be on its way to it.
    """
    if wrapper.vendor == "sqlite":
        return _takes_write_lock(wrapper.connection)
    number, _, rest = (backend or "").partition("/")
    if not number.isdecimal():
        return False
    question = (_BACKEND if wrapper.vendor == "postgresql" else _CONNECTION).format(number)
    [rows] = _ask(wrapper, [question], idle=True)
    if wrapper.vendor == "postgresql":
        # When it began only its own role sees, or one that may read statistics.
        return not rows or (rows[0][0] is not None and rows[0][0] != rest)
    [[listed, account, sees_all]] = rows
    return listed == "0" and (account == rest or sees_all != "0")


_BACKEND = (
    "SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') "
    "FROM pg_stat_activity WHERE pid = {}"
)
# A connection of another account is only listed for those who have the privilege PROCESS.
_CONNECTION = (
    "SELECT (SELECT COUNT(*) FROM information_schema.processlist WHERE id = {}), "
    "CAST(CURRENT_USER() AS CHAR), "
    "(SELECT COUNT(*) FROM information_schema.user_privileges "
    "WHERE privilege_type = 'PROCESS' AND grantee = CONCAT(\"'\", "
    "SUBSTRING_INDEX(CURRENT_USER(), '@', 1), \"'@'\", "
    "SUBSTRING_INDEX(CURRENT_USER(), '@', -1), \"'\"))"
)


def _takes_write_lock(raw: Any) -> bool:
    """Whether nobody holds the write lock of SQLite's database."""
    [timeout] = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        raw.execute(f"PRAGMA busy_timeout = {timeout:d}").fetchall()
    return True


def begin(raw: Any) -> str:
    """The statement that psycopg begins a transaction with."""
    level = getattr(raw, "isolation_level", None)
    if isinstance(level, int) and not hasattr(level, "name"):
        name = _PSYCOPG2_LEVELS.get(level)
    else:
        name = getattr(level, "name", None)
    return f"BEGIN ISOLATION LEVEL {name.replace('_', ' ')}" if name else "BEGIN"


def is_open(vendor: str, raw: Any) -> bool | None:
    """Whether the driver knows of an open transaction; `None` where it cannot tell."""
    if vendor == "sqlite":
        return bool(raw.in_transaction)
    if vendor != "postgresql":
        return None
    try:
        status = raw.pgconn.transaction_status
    except AttributeError:
        return _IS_OPEN.get(raw.get_transaction_status())
    return None if in_pipeline(raw) else _IS_OPEN.get(status)


def in_pipeline(raw: Any) -> bool:
    """Whether psycopg 3 sends statements before it has the answers to earlier ones.

    Until the pipeline is over, nobody knows what became of them, and the status that libpq tells is
    the one from before.
    """
    return bool(getattr(getattr(raw, "pgconn", None), "pipeline_status", 0))


# What libpq says of a connection: idle, in a transaction, in one that has failed. Otherwise it is busy
# or lost.
_IS_OPEN = {0: False, 2: True, 3: True}


def commits_alone(vendor: str, raw: Any) -> bool:
    """Whether statements outside a transaction commit by themselves."""
    if vendor == "postgresql":
        return bool(raw.autocommit)
    if vendor == "sqlite":
        return raw.isolation_level is None
    return True  # The engine follows MySQL's own variable.


def _python_settings(wrapper: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    """What a driver's answer depends on beside the database."""
    database: Any = getattr(wrapper, "Database")  # noqa: B009  (each backend has its own)
    options = wrapper.settings_dict.get("OPTIONS") or {}
    return [
        ("driver", f"{database.__name__} {getattr(database, '__version__', '')}"),
        ("driver options", repr(sorted(options.items(), key=lambda item: str(item[0])))),
        ("driver time zone", str(wrapper.timezone)),
        # It tells the driver of each new connection how to read hstore and citext.
        ("driver types", str(apps.is_installed("django.contrib.postgres"))),
    ]


def _ask(wrapper: BaseDatabaseWrapper, questions: list[str], *, idle: bool) -> list[TextRows]:
    connection: Any = wrapper.connection
    cursor = connection.cursor()
    try:
        answers = []
        for question in questions:
            cursor.execute(question)
            answers.append([[_text(value) for value in row] for row in cursor.fetchall()])
    finally:
        cursor.close()
        if idle and not wrapper.autocommit:
            # The driver began a transaction for the questions.
            connection.rollback()
    return answers


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
