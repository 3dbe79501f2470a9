"""What Kogia keeps beside each of Django's connections: the engine's session of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DatabaseError, InterfaceError

from . import conf, engine, introspection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ._kogia import Database, Permit, Session

T = TypeVar("T")
Rows = list[tuple[Any, ...]]


class Link:
    """A connection's way to the engine.

    Every statement and every end of a transaction passes through `run`, at the lowest place where
    Django still sees it.
    """

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper
        self.database: Database | None = engine.known(wrapper)
        # Without a connection, the session of a fresh one: it is enough for hits.
        self.session: Session | None = self.database.session() if self.database else None
        self.connecting = False
        # Cursors whose rows nobody has fetched to the end; on SQLite they hold an old snapshot.
        self.unfinished = 0

    def connected(self) -> None:
        """A connection was opened."""
        self.connecting = False
        self.unfinished = 0
        self.database, self.session = engine.identify(self.wrapper)
        self.load_catalog()

    def closed(self) -> None:
        """The connection is gone, and whatever was open in it."""
        self.unfinished = 0
        self.session = self.database.session() if self.database else None

    def look_up(self, sql: str, params: Any, shape: bytes) -> Rows | Permit | None:
        """The rows of a query, or the right to store them, or `None` if neither may be."""
        session = self.session
        if session is None or self.unfinished or self.connecting:
            return None
        if self.wrapper.connection is not None:
            self._begin_if_due(session)
            self.load_catalog()
        return session.look_up(sql, params, shape=shape)

    def fill(self, permit: Permit, rows: Rows) -> None:
        """Stores the rows of a query that ran."""
        if self.session is not None:
            self.session.fill(permit, rows)

    def run(self, sql: str, params: Any, call: Callable[[], T]) -> T:
        """Runs a statement, or an end of a transaction."""
        if self.connecting and not _only_sets(sql):
            # Something else than Django's own preparations: it may write.
            self.connected()
        session = self.session
        if session is None or self.connecting:
            return call()
        self._begin_if_due(session)
        running = session.before(sql, params)
        try:
            result = call()
        except BaseException as error:
            session.after(running, self._outcome(error))
            raise
        session.after(running, True)
        return result

    def set_autocommit(self, autocommit: bool, call: Callable[[], T]) -> T:
        """Turns autocommit on or off; on MySQL and SQLite, turning it on commits."""
        if self.session is None or self.connecting or self.wrapper.connection is None:
            return call()
        vendor = self.wrapper.vendor
        if vendor == "mysql":
            return self.run(f"SET autocommit = {int(autocommit)}", None, call)
        if vendor == "sqlite" and autocommit and self.session.in_transaction():
            return self.run("COMMIT", None, call)
        return call()

    def load_catalog(self) -> None:
        """Loads the schema's facts if they changed, where no transaction is open."""
        database, session = self.database, self.session
        if database is None or session is None or not database.is_catalog_outdated():
            return
        if session.in_transaction() or not self.wrapper.get_autocommit():
            return
        reload = database.reload_catalog()
        if reload is not None:
            reload.finish(introspection.catalog(self.wrapper))

    def _begin_if_due(self, session: Session) -> None:
        # With autocommit off, drivers begin a transaction by themselves.
        wrapper = self.wrapper
        if wrapper.autocommit or wrapper.vendor == "mysql" or session.in_transaction():
            return
        session.after(session.before("BEGIN", None), True)

    def _outcome(self, error: BaseException) -> bool | None:
        """What an error says about the statement: that it failed, or nothing."""
        if not isinstance(error, (DatabaseError, InterfaceError)):
            return None
        wrapper = self.wrapper
        if wrapper.vendor == "sqlite":
            return False
        connection = wrapper.connection
        if connection is None:
            return None
        if wrapper.vendor == "postgresql":
            return None if connection.closed else False
        code = error.args[0] if error.args else None
        # Codes of the client library, not of the server: the connection is in trouble.
        return False if isinstance(code, int) and 1000 <= code < 2000 else None


def of(wrapper: BaseDatabaseWrapper) -> Link | None:
    """The link of a connection, or `None` if its database is not to be cached."""
    try:
        return wrapper.__dict__["_kogia_link"]
    except KeyError:
        link = Link(wrapper) if _is_supported(wrapper) else None
        wrapper.__dict__["_kogia_link"] = link
        return link


def _is_supported(wrapper: BaseDatabaseWrapper) -> bool:
    if wrapper.vendor not in introspection.DIALECTS:
        return False
    databases = conf.get("DATABASES")
    return databases == "supported_only" or wrapper.alias in databases


def _only_sets(sql: str) -> bool:
    word = sql.lstrip().split(None, 1)[0].upper() if sql.strip() else ""
    return word in {"SELECT", "SET", "PRAGMA", "SHOW"}
