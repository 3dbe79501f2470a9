"""What Kogia keeps beside each of Django's connections: the engine's session of it."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DatabaseError, InterfaceError
from django.db.backends.signals import connection_created
from django.utils.connection import ConnectionProxy

from . import _kogia, conf, engine, faults, introspection, invalidations, observe, replicas, signals

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ._kogia import Database, Options, Permit, Running, Session

T = TypeVar("T")
Rows = list[tuple[Any, ...]]

# Words that statements begin with which write nothing, whatever follows.
_HARMLESS = frozenset(
    ("SELECT", "SET", "PRAGMA", "SHOW", "BEGIN", "START", "SAVEPOINT", "RELEASE", "ROLLBACK")
)
# Where a connection keeps its link.
PLACE = "_kogia_link"
# A statement that nobody understands, so it may do anything.
ANYTHING = "UNKNOWN TO KOGIA"
# Errors of MySQL that leave the transaction open: constraints, and what it does not understand.
_STATEMENT_ERRORS = frozenset(
    (1048, 1054, 1062, 1064, 1146, 1216, 1217, 1264, 1292, 1364, 1366, 1406, 1451, 1452)
    + (1690, 3819, 4025)
)


class Link:
    """A connection's way to the engine.

    Every statement and every end of a transaction passes through `run`, at the lowest place where
    Django still sees it.
    """

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper
        self.vendor: str = wrapper.vendor
        # What may go wrong when a connection is asked something. A signal's exception passes.
        driver: Any = getattr(wrapper, "Database")  # noqa: B009  (each backend has its own)
        self._errors = (driver.Error, DatabaseError, InterfaceError, RuntimeError, ValueError)
        self.database: Database | None = None
        self.session: Session | None = None
        # The driver's connection that the session belongs to.
        self.raw: Any = None
        self.zone: Any = None
        self.forks = engine.forks
        # Whether the cache may answer and be filled, beside being invalidated.
        self.reads = False
        self.in_memory = False
        # Whether all that a look-up needs is known, but for what changes with each statement.
        self.is_plain = False
        # What a fresh session on the connection is like.
        self.fresh = ""
        # Whether the connection leads to the server that takes the writes.
        self.is_primary = False
        # What is known of the primary, if the connection leads to a replica.
        self.following: replicas.Following | None = None
        # Whether nobody could find out where the connection leads.
        self.is_unknown = False
        self.connecting = False
        # Whether opening a cursor may do something that is not Django's own.
        self.prepares = any(is_foreign(getattr(type(wrapper), name)) for name in _OPENING)
        # Whether the connection may lead elsewhere than the settings say.
        self.by_hand = False
        # Queries that ran before anybody knew where the connection leads.
        self.unseen: list[tuple[str, Any]] = []
        # How many calls of the ORM are under way: what they send is not raw SQL.
        self.orm = 0
        # The text of a read that was looked up, and whose rows may be stored: it comes next.
        self.expected: str | None = None
        # Whether the last look-up got as far as the engine.
        self.is_fit = True
        # The code of the last error of MySQL.
        self.failure: int | None = None
        # Tables that the open transaction has changed, and those of which nobody was told yet,
        # each with the last statement that changed it.
        self.changed: dict[str, str] = {}
        self.untold: dict[str, str] = {}
        # Cursors whose statement is not over, because its rows were not fetched to the end: on
        # SQLite they hold an old snapshot, and a write among them has not been committed.
        self.unfinished: weakref.WeakKeyDictionary[Any, tuple[Session, Running, str] | None] = (
            weakref.WeakKeyDictionary()
        )
        # False where there are none for certain; asking the dictionary takes longer.
        self.has_unfinished = False

    def connected(self, *, by_hand: bool = False) -> None:
        """A connection was opened, or somebody put one in by hand."""
        self.connecting = False
        self.by_hand = by_hand
        self.unfinished.clear()
        self.session, self.database, self.reads = None, None, False
        self.is_unknown, self.is_plain = False, False
        self.raw = self.wrapper.connection
        self.forks = engine.forks
        self._identify(fresh=True)
        unseen, self.unseen = self.unseen, []
        if self.session is None or self.database is None:
            return
        for sql, params in unseen:
            _, writes, why = self.database.analyze(sql)
            if writes or why is not None:
                # It may have written. What was stored before is stale, if late by a moment.
                self.session.after(self.session.before(sql, params), True)

    def closed(self) -> None:
        """The connection is gone, and whatever was open in it."""
        unfinished = [found for found in self.unfinished.values() if found is not None]
        self.unfinished.clear()
        for session, running, _ in unfinished:
            session.after(running, True if self.vendor == "sqlite" else None)
        if self.session is not None and self.raw is not None and self.vendor == "sqlite":
            self.session.closed()
        self.raw = None
        self.session, self.database, self.is_plain = None, None, False
        self.unseen = []
        self.changed.clear()

    def look_up(
        self, sql: str, params: Any, shape: bytes, policy: conf.Policy | None = None
    ) -> Rows | Permit | None:
        """The rows of a query, or the right to store them, or `None` if neither may be."""
        if policy is None:
            policy = conf.policy()
        if observe.current.get() is not None:
            return self._look_up_recorded(sql, params, shape, policy)
        wrapper, raw = self.wrapper, self.raw
        if not policy.enabled or wrapper.alias not in policy.aliases:
            return None
        # The common case at once. Where one of these does not hold, there is more to think of.
        if (
            self.is_plain
            and self.reads
            and raw is wrapper.connection
            and self.session is not None
            and self.zone == wrapper.timezone
            and not (self.connecting or wrapper.needs_rollback or wrapper.closed_in_transaction)
            and not self.has_unfinished
        ):
            is_open = introspection.is_open(self.vendor, raw)
            if (
                is_open
                or self.vendor == "mysql"
                or (is_open is False and introspection.commits_alone(self.vendor, raw))
            ):
                found = self.session.look_up_at_once(sql, params, shape, policy.options, is_open)
                if found is not False:
                    return found
        return self._look_up_with_care(sql, params, shape, policy.options)

    def _look_up_recorded(
        self, sql: str, params: Any, shape: bytes, policy: conf.Policy
    ) -> Rows | Permit | None:
        """`look_up` while somebody watches."""
        recording = observe.current.get()
        token = observe.current.set(None)
        began = time.perf_counter()
        self.is_fit = True
        try:
            found = self.look_up(sql, params, shape, policy)
        finally:
            observe.current.reset(token)
        alias = self.wrapper.alias
        if not policy.enabled or alias not in policy.aliases:
            outcome: tuple[str, str | None] = ("bypass", "the settings say not to cache it")
        elif self.is_fit:
            outcome = observe.last_outcome()
        else:
            outcome = ("bypass", "the connection is not fit for it just now")
        if recording is not None:
            recording.read(alias, sql, outcome, began)
        return found

    def _look_up_with_care(
        self, sql: str, params: Any, shape: bytes, options: Options
    ) -> Rows | Permit | None:
        self.is_fit = False
        wrapper = self.wrapper
        if self.connecting or wrapper.needs_rollback:
            return None
        if self.prepares:
            # The way of django-tenants: the session gets its `search_path` when it is needed.
            wrapper.cursor().close()
        if wrapper.connection is None and _has_listeners():
            # What they set in a new session is part of the key.
            wrapper.ensure_connection()
        if wrapper.connection is None:
            rows = self._look_up_unconnected(sql, params, shape, options)
            if rows is not None:
                self.is_fit = True
                return rows
            # The right to store belongs to the connection that runs the query.
            wrapper.ensure_connection()
        session = self.ready()
        self.has_unfinished = bool(self.unfinished)
        if session is None or not self.reads or self.has_unfinished or self._is_piped():
            return None
        following = self.following
        if following is None and session.wants_comparison():
            self._compare(session)
        if following is not None and session.in_transaction():
            # What the transaction has read before may be older than what the cache says.
            return None
        self.is_fit = True
        found = session.look_up(sql, params, shape, options)
        if found is None and self._has_learned(session):
            # The same query may be cached now.
            found = session.look_up(sql, params, shape, options)
        if found is None or isinstance(found, list) or following is None:
            return found
        self.is_fit = following.may_fill(found)
        return found if self.is_fit else None

    def _has_learned(self, session: Session) -> bool:
        """Whether a look-up has shown that the schema has changed, and what it is now is known."""
        if session.in_transaction() or self.database is None:
            return False
        if not self.database.is_catalog_outdated():
            return False
        self._load_catalog()
        return True

    def fill(self, permit: Permit, rows: Rows, *, head: int = 0) -> None:
        """Stores the rows of a query that ran."""
        if self.session is None:
            return
        unknown = self.session.fill(permit, rows, head=head)
        if unknown is not None:
            faults.not_cached(unknown)

    def is_expected(self, sql: str) -> bool:
        """Whether a statement is the read that was looked up, and nothing came in between.

        A result that may be stored is that of a pure read: outside of transactions it changes nothing
        that the session keeps, so there is nothing to tell it. SQLite's cursors hold snapshots, though.
        """
        return (
            self.expected is sql
            and self.vendor != "sqlite"
            and self.wrapper.autocommit
            and self.raw is self.wrapper.connection
            and self.session is not None
            and self.session.is_settled()
        )

    def run(self, sql: str, params: Any, call: Callable[[], T], cursor: Any = None) -> T:
        """Runs a statement, or an end of a transaction. `cursor` is the driver's."""
        self.expected = None
        if self.connecting:
            word = _first_word(sql)
            if word in ("SELECT", "SET", "PRAGMA", "SHOW"):
                if word == "SELECT":
                    self.unseen.append((sql, params))
                return call()
            # Something else than Django's own preparations: it may write.
            self.connected()
        session, running = self.begin(sql, params, cursor)
        if session is None or running is None:
            return call()
        outcome: bool | None = None
        try:
            result = call()
            # In a pipeline it was sent, and that is all.
            outcome = None if self._is_piped() else True
            return result
        except BaseException as error:
            outcome = self.outcome(error)
            raise
        finally:
            self.end(session, running, sql, outcome, cursor)

    def begin(
        self, sql: str, params: Any = None, cursor: Any = None
    ) -> tuple[Session | None, Running | None]:
        """A statement is about to be sent: the first half of `run`."""
        session = self.ready()
        if session is None:
            self._refuse_without_store(sql)
            return None, None
        if cursor is not None and self.has_unfinished:
            self.finished(cursor)
        try:
            return session, session.before(sql, params)
        except _kogia.WriteRefused as error:
            raise faults.InvalidationRefused(str(error)) from error

    def end(
        self,
        session: Session,
        running: Running,
        sql: str,
        outcome: bool | None,
        cursor: Any = None,
    ) -> None:
        """The second half of `run`: the driver is back."""
        if (
            outcome
            and cursor is not None
            and self.vendor != "postgresql"
            and self._is_unfinished(running, sql, cursor)
        ):
            self.has_unfinished = True
            if running.marks():
                # Its commit is yet to come.
                self.unfinished[cursor] = (session, running, sql)
                return
            self.unfinished[cursor] = None
        in_transaction = session.after(running, outcome)
        if outcome is False:
            self._settle_failure(session, sql)
            in_transaction = session.in_transaction()
        written = running.written
        if written is not None or self.changed:
            self._note(written, outcome, sql, in_transaction)
            if outcome and written is not None and written[1] and running.is_opaque:
                faults.not_understood(_first_word(sql))
        if self.vendor == "sqlite" and session.wants_attached():
            self._ask_attached(session)

    def finished(self, cursor: Any) -> None:
        """A cursor's statement is over."""
        found = self.unfinished.pop(cursor, None)
        self.has_unfinished = bool(self.unfinished)
        if found is not None:
            session, running, sql = found
            in_transaction = session.after(running, True)
            self._note(running.written, True, sql, in_transaction)

    def _note(
        self,
        written: tuple[list[str], bool] | None,
        outcome: bool | None,
        sql: str,
        in_transaction: bool,
    ) -> None:
        """Notes what a statement has changed, and tells of it when that is committed."""
        if written is not None and outcome is not False:
            tables, is_wide = written
            for table in tables:
                self.changed[table] = sql
            if is_wide and not tables:
                self.changed[invalidations.EVERYTHING] = sql
        if self.changed and not in_transaction:
            changed, self.changed = self.changed, {}
            is_undone = written is None and _first_word(sql).rstrip(";") == "ROLLBACK"
            if outcome is not False and not is_undone:
                self.invalidated(changed)

    def invalidated(self, changed: dict[str, str]) -> None:
        """Tables were invalidated: notes when, and sends the signal as soon as that may be."""
        if self.database is not None:
            invalidations.note(self.database.name, changed)
        if observe.current.get() is None and not signals.post_invalidation.receivers:
            return
        self.untold |= changed
        if self.wrapper.autocommit:
            self.tell()

    def tell(self) -> None:
        """Sends the signal for what was committed; Django runs `on_commit` functions then, too."""
        untold, self.untold = self.untold, {}
        if untold:
            invalidations.tell(self.wrapper, untold)

    def set_autocommit(self, autocommit: bool, call: Callable[[], T]) -> T:
        """Turns autocommit on or off; on MySQL and SQLite, turning it on commits."""
        result = self._set_autocommit(autocommit, call)
        if autocommit:
            self.tell()
        return result

    def _set_autocommit(self, autocommit: bool, call: Callable[[], T]) -> T:
        if self.vendor == "mysql" and not self.connecting:
            # The connection that `call` would open must be known before it is told.
            self.wrapper.ensure_connection()
        if self.connecting or self.wrapper.connection is None:
            return call()
        if self.vendor == "mysql":
            return self.run(f"SET autocommit = {int(autocommit)}", None, call)
        if self.vendor == "sqlite" and autocommit and self.wrapper.connection.in_transaction:
            return self.run("COMMIT", None, call)
        return call()

    def _look_up_unconnected(
        self, sql: str, params: Any, shape: bytes, options: Options
    ) -> Rows | None:
        if self.raw is not None:
            # Somebody took the connection out, and its session's state with it.
            self.closed()
        # The session of a fresh connection is enough for hits.
        database = engine.known(self.wrapper)
        if database is None or self.wrapper.in_atomic_block:
            return None
        if self.session is None or self.database is not database:
            self.database, self.session = database, database.session()
        found = self.session.look_up(sql, params, shape, options)
        return found if isinstance(found, list) else None

    def ready(self) -> Session | None:
        """The session of the open connection, up to date with what the driver knows."""
        raw = self.wrapper.connection
        if self.wrapper.closed_in_transaction:
            return None
        if raw is not self.raw:
            # Somebody put another connection in, or took this one out.
            self.closed()
            if raw is not None:
                self.connected(by_hand=True)
        elif (
            raw is not None
            and not (self.is_plain and self.session is not None)
            and self._must_identify()
        ):
            self._identify(fresh=False)
        session = self.session
        if session is None or raw is None:
            return None
        if self.vendor == "postgresql" and self.zone != self.wrapper.timezone:
            # The driver makes other objects now.
            self.connected(by_hand=self.by_hand)
            session = self.session
            if session is None:
                return None
        waiting = session.observe(introspection.is_open(self.vendor, raw))
        if waiting is not None:
            if waiting:
                self._load_catalog()
                self._ask_about_writers()
            if self.vendor != "mysql" and not introspection.commits_alone(self.vendor, raw):
                # The driver begins a transaction by itself.
                self.assume(session, introspection.begin(raw))
        return session

    def assume(self, session: Session, sql: str) -> None:
        """Takes a statement for one that ran, although nobody sends it."""
        session.after(session.before(sql, None), None if self._is_piped() else True)

    def _is_piped(self) -> bool:
        """Whether nobody knows yet what became of the statements that were sent before."""
        is_postgres = self.vendor == "postgresql" and self.raw is not None
        return is_postgres and introspection.in_pipeline(self.raw)

    def _must_identify(self) -> bool:
        if self.in_memory and self.forks != engine.forks:
            # A child of a fork has a copy of the database, which is another one from now on.
            return True
        if self.following is not None and self.following.is_outdated():
            return self.session is None or not self.session.in_transaction()
        # The store may have come back.
        return self.session is None and not self.is_unknown

    def _identify(self, *, fresh: bool) -> None:
        self.forks = engine.forks
        opened = engine.cache()
        if opened is None:
            return
        wrapper = self.wrapper
        is_open = introspection.is_open(self.vendor, self.raw)
        idle = fresh or is_open is False
        self._follow()
        try:
            self.database, self.session, identity = engine.identify(
                wrapper, opened, idle=idle, by_hand=self.by_hand, following=self.following
            )
        except self._errors as error:
            self._not_identified(error)
            return
        self.zone = wrapper.timezone
        self.fresh = identity.key
        self.is_primary, self.in_memory = identity.primary, identity.in_memory
        self.reads = identity.primary
        if self.following is not None:
            self.reads = self.following.primary is not None
        self.is_plain = not (self.in_memory or self.prepares) and self.following is None
        if idle:
            self._load_catalog()
        else:
            # A transaction may be open, and may have written anything.
            self.session.observe(True)
            self.assume(self.session, ANYTHING)

    def _follow(self) -> None:
        """Finds the primary, if the connection leads to a replica."""
        alias = conf.primary_of(self.wrapper.alias)
        self.following = None
        if alias is not None and alias != self.wrapper.alias:
            self.following = replicas.Following(self.wrapper, alias, self._errors)
            self.following.find()

    def _not_identified(self, error: Exception) -> None:
        # What connections with these settings led to before is at least invalidated.
        self.database = engine.known(self.wrapper)
        self.session = self.database.session() if self.database else None
        self.reads, self.is_primary, self.is_unknown = False, False, True
        faults.once(
            f"identify {self.wrapper.alias}",
            "The database %r cannot be told from others, so its queries are not cached%s: %s",
            self.wrapper.alias,
            "" if self.database else ", and writes through it invalidate nothing",
            error,
        )

    def _load_catalog(self) -> None:
        """Loads the schema's facts if they changed, where no transaction is open."""
        database = self.database
        if database is None or not database.is_catalog_outdated() or self.unfinished:
            return
        source = self._idle_primary()
        if source is None:
            return
        try:
            reload = database.reload_catalog()
            if reload is not None:
                reload.finish(introspection.catalog(source))
        except self._errors as error:
            # Without a catalog nothing is cached, and every write invalidates everything.
            faults.once(f"catalog {database}", "The catalog cannot be read: %s", error)

    def _idle_primary(self) -> BaseDatabaseWrapper | None:
        """Who knows the schema as it is: a replica may know an older one."""
        if self.following is None:
            return self.wrapper if self.is_primary else None
        wrapper = self.following.connected()
        found = None if wrapper is None else of(wrapper)
        if found is None or found.session is None or found.session.in_transaction():
            return None
        return wrapper

    def _ask_about_writers(self) -> None:
        """Finds out about writers whose end nobody saw."""
        if self.database is None or self.unfinished or not self.is_primary:
            # A replica does not know the primary's connections.
            return
        for writer in self.database.abandoned():
            try:
                is_over = introspection.is_over(self.wrapper, writer.backend)
            except self._errors as error:
                is_over = False
                faults.once("writers", "Nobody can say whether a writer is over: %s", error)
            self.database.resolve(writer, is_over)

    def _compare(self, session: Session) -> None:
        """Finds out whether a trigger has changed the session."""
        try:
            identity, _ = introspection.identify(self.wrapper, idle=False)
            is_like_fresh = identity.key == self.fresh
            session.compared(is_like_fresh and not introspection.creates_temporary(self.wrapper))
        except self._errors as error:
            session.compared(False)
            faults.once("compare", "What a trigger has changed cannot be found out: %s", error)

    def _ask_attached(self, session: Session) -> None:
        try:
            session.attached(introspection.attached(self.wrapper))
        except self._errors as error:
            self.reads = False
            faults.once("attached", "The attached databases cannot be told apart: %s", error)

    def _refuse_without_store(self, sql: str) -> None:
        if engine.is_without_store() and conf.get("STRICT") and _first_word(sql) not in _HARMLESS:
            raise faults.InvalidationRefused("the store of the cache cannot be opened")

    def _is_unfinished(self, running: Running, sql: str, cursor: Any) -> bool:
        """Whether the statement that a cursor has executed is still under way."""
        if self.vendor == "sqlite":
            return cursor.description is not None and not (
                running.marks() and self.raw.in_transaction
            )
        if self.vendor == "mysql":
            # The server goes on with later statements while the client takes the first answer.
            several = ";" in sql.rstrip("; \t\r\n") or _first_word(sql) in ("CALL", "EXECUTE")
            return several and running.marks()
        return False

    def _settle_failure(self, session: Session, sql: str) -> None:
        """What the driver cannot say about the transaction after an error, the error may."""
        if self.vendor != "mysql" or not session.in_transaction():
            return
        if self.failure in _STATEMENT_ERRORS and _first_word(sql) in (
            ("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "SAVEPOINT")
        ):
            session.observe(True)

    def outcome(self, error: BaseException) -> bool | None:
        """What an error says about the statement: that it is over, or nothing."""
        raw = self.wrapper.connection
        self.failure = None
        if raw is None:
            return None
        if self.vendor == "postgresql":
            # Over as soon as the connection waits for another one.
            return None if introspection.is_open("postgresql", raw) is None else False
        # What drivers add to Django's cursors raises the driver's own errors.
        if not isinstance(error, (DatabaseError, InterfaceError, self._errors[0])):
            return None
        if self.vendor == "sqlite":
            return False
        code = error.args[0] if error.args else None
        self.failure = code if isinstance(code, int) else None
        # Codes of the client library, not of the server: the connection is in trouble. So it is
        # when the server says that it ends it.
        known = isinstance(code, int) and (1000 <= code < 2000 or 3000 <= code < 5000)
        return False if known and code not in (1053, 1158, 1159, 1160, 1161, 1317) else None


@contextlib.contextmanager
def running(wrapper: BaseDatabaseWrapper, sql: str) -> Iterator[None]:
    """A statement that runs as long as a block does."""
    found = of(wrapper)
    if found is None:
        yield
        return
    # `run` is handed the block's outcome instead of a call.
    session, statement = found.begin(sql)
    outcome: bool | None = None
    try:
        yield
        outcome = True
    except GeneratorExit:
        # The rest of the rows is not wanted; the driver has ended the statement.
        outcome = found.outcome(GeneratorExit())
        raise
    except BaseException as error:
        outcome = found.outcome(error)
        raise
    finally:
        if session is not None and statement is not None:
            found.end(session, statement, sql, outcome)


@contextlib.contextmanager
def orm(found: Link | None) -> Iterator[None]:
    """A block in which the statements of a connection are the ORM's own."""
    if found is None:
        yield
        return
    found.orm += 1
    try:
        yield
    finally:
        found.orm -= 1


def of(wrapper: BaseDatabaseWrapper) -> Link | None:
    """The link of a connection, or `None` if its database is not to be cached."""
    try:
        link: Link | None = wrapper.__dict__[PLACE]
        return link
    except KeyError:
        if isinstance(wrapper, ConnectionProxy):
            # `django.db.connection` stands for the connection of whichever thread asks.
            return of(wrapper._connections[wrapper._alias])
        link = Link(wrapper) if _is_supported(wrapper) else None
        wrapper.__dict__[PLACE] = link
        return link


def _is_supported(wrapper: BaseDatabaseWrapper) -> bool:
    # Writes invalidate whatever `DATABASES` says: it may say something else tomorrow.
    return conf.inherits(type(wrapper), str(wrapper.settings_dict.get("ENGINE")))


# What opens cursors in Django's engines.
_OPENING = ("cursor", "chunked_cursor", "_cursor", "create_cursor")
_KNOWN = ("django.", "django_prometheus.", "kogia.")


def is_foreign(function: Any) -> bool:
    """Whether a function is somebody else's than Django's, and not known to be harmless."""
    return not str(getattr(function, "__module__", "")).startswith(_KNOWN)


def _has_listeners() -> bool:
    """Whether somebody may set something in each new connection's session."""
    for _, receiver, *_ in connection_created.receivers:
        function = receiver() if isinstance(receiver, weakref.ReferenceType) else receiver
        if function is not None and is_foreign(function):
            return True
    return False


def _first_word(sql: str) -> str:
    text = sql.lstrip(" \t\r\n(")
    return text.split(None, 1)[0].upper() if text else ""
