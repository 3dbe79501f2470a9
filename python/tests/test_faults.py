"""What goes wrong around the application: it works on, and nothing is stale."""

import contextlib
import functools
import logging
import os
import signal
import threading
import time

import pytest
from django.db import (
    DatabaseError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.test import override_settings

from kogia import _kogia, engine, faults, introspection, link

from .helpers import (
    IS_SQLITE,
    configured,
    elsewhere,
    kogia,
    names,
    only,
    queries,
    store,
    warm,
)
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def melville():
    faults.reset()
    return Author.objects.create(name="Melville")


@pytest.mark.parametrize("url", ["file:///proc/kogia", "nonsense://", "memory:?capacity=x"])
def test_a_store_that_cannot_be_opened(url, caplog):
    with store(url):
        for _ in range(3):
            assert names() == ["Melville"]
        Author.objects.create(name="Poe")
        with transaction.atomic():
            Author.objects.create(name="Whitman")
        assert elsewhere(names) == names() == ["Melville", "Poe", "Whitman"]
    assert len(lines(caplog)) == 1


def lines(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_store_that_comes_back(tmp_path, monkeypatch):
    warm()
    monkeypatch.setattr(engine, "RETRY", 0.0)
    blocked = tmp_path / "blocked"
    blocked.write_text("in the way")
    with store(f"file://{blocked}/store?capacity=64MB"):
        assert names() == ["Melville"]
        blocked.unlink()
        with transaction.atomic():
            # Nobody knows what this transaction wrote before.
            Author.objects.create(name="Poe")
            assert names() == ["Melville", "Poe"]
        connection.close()
        warm()
        with transaction.atomic():
            Author.objects.create(name="Whitman")
        assert elsewhere(names) == names() == ["Melville", "Poe", "Whitman"]


def test_a_store_that_comes_back_in_the_middle_of_a_transaction(tmp_path, monkeypatch):
    url = f"file://{tmp_path}/store?capacity=64MB"
    monkeypatch.setattr(engine, "RETRY", 0.0)
    with store(url):
        warm()
        found = link.of(connections["default"])
        with transaction.atomic():
            real, engine._cache = engine._cache, None
            monkeypatch.setattr(engine, "_retry_at", float("inf"))
            found.session = None
            Author.objects.create(name="Poe")
            if not IS_SQLITE:
                elsewhere_names = ["Melville"]
                assert elsewhere(names) == elsewhere_names
            engine._cache = real
            assert names() == ["Melville", "Poe"]
            if not IS_SQLITE:
                assert elsewhere(names) == ["Melville"]
        assert elsewhere(names) == names() == ["Melville", "Poe"]


@pytest.mark.parametrize("url", ["nonsense://"])
def test_strict_without_a_store(url):
    with store(url, STRICT=True):
        assert names() == ["Melville"]
        with pytest.raises(OperationalError):
            Author.objects.create(name="Poe")
        with pytest.raises(OperationalError), transaction.atomic():
            Author.objects.create(name="Poe")
        assert names() == ["Melville"]
    assert names() == ["Melville"]


class Refusing:
    """A session whose store refuses marks."""

    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        return getattr(self._session, name)

    def before(self, sql, parameters):
        if sql == "COMMIT" or (sql.startswith("UPDATE") and not self._session.in_transaction()):
            from kogia._kogia import WriteRefused

            raise WriteRefused("no")
        return self._session.before(sql, parameters)


def test_a_refused_write_is_rolled_back():
    warm()
    found = link.of(connections["default"])
    found.session = Refusing(found.session)
    try:
        with pytest.raises(faults.InvalidationRefused):
            Author.objects.update(name="Poe")
        with pytest.raises(faults.InvalidationRefused), transaction.atomic():
            Author.objects.create(name="Whitman")
        assert names() == ["Melville"]
        transaction.set_autocommit(False)
        Author.objects.create(name="Alcott")
        with pytest.raises(OperationalError):
            transaction.commit()
        assert names() == ["Melville"]
        transaction.rollback()
    finally:
        found.session = found.session._session
        transaction.set_autocommit(True)
    assert elsewhere(names) == names() == ["Melville"]


def test_a_database_that_cannot_be_identified(monkeypatch, caplog):
    warm()

    def refuse(*args, **kwargs):
        raise DatabaseError("permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(introspection, "identify", refuse)
        connection.close()
        connection.ensure_connection()
        assert queries(names) == (["Melville"], 1)
        # Where such connections led before is invalidated.
        Author.objects.create(name="Poe")
        with transaction.atomic():
            Author.objects.create(name="Whitman")
        assert names() == ["Melville", "Poe", "Whitman"]
    assert len(lines(caplog)) == 1
    connection.close()
    assert names() == ["Melville", "Poe", "Whitman"]


def test_statements_that_nobody_understands(caplog):
    faults.reset()
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        warm()
        with connection.cursor() as cursor:
            for params in (None, [], [1]):
                with pytest.raises((DatabaseError, TypeError)):
                    cursor.execute("FROBNICATE shop_author" + " %s" * bool(params), params)
        assert names() == ["Melville"]
        with connection.cursor() as cursor:
            # Nothing of it is a statement that any parser knows.
            text = {
                "postgresql": "DO $$ BEGIN UPDATE shop_author SET name = 'Poe'; END $$",
                "mysql": "BEGIN NOT ATOMIC UPDATE shop_author SET name = 'Poe'; END",
                "sqlite": "WITH x AS NOT MATERIALIZED (SELECT 1) "
                "UPDATE OR IGNORE shop_author SET name = 'Poe'",
            }[connection.vendor]
            with caplog.at_level("WARNING", "kogia"):
                cursor.execute(text)
                cursor.execute(text)
                cursor.execute("UPDATE shop_author SET name = name")
        assert elsewhere(names) == names() == ["Poe"]
    said = [record.getMessage() for record in caplog.records]
    if connection.vendor == "postgresql":
        [line] = said
        assert "begins with DO " in line
    else:
        # Its statements are known, one by one.
        assert said == []


def test_a_replica_is_left_alone(monkeypatch):
    warm()
    connection.close()
    with monkeypatch.context() as patch:
        original = engine.identify

        def as_replica(wrapper, opened, **options):
            database, session, identity = original(wrapper, opened, **options)

            class Secondary:
                primary = False
                in_memory = identity.in_memory
                key = identity.key

            return database, session, Secondary()

        patch.setattr(engine, "identify", as_replica)
        connection.ensure_connection()
        fills = engine.cache().stats()["fills"]
        for _ in range(2):
            assert queries(names) == (["Melville"], 1)
        assert engine.cache().stats()["fills"] == fills
    connection.close()


def restart():
    """A connection as a worker has it that starts anew: Django's own state may be broken."""
    wrapper = connections["default"]
    with contextlib.suppress(Exception):
        wrapper.connection.close()
    wrapper.connection = None
    wrapper.in_atomic_block = wrapper.needs_rollback = wrapper.closed_in_transaction = False
    wrapper.savepoint_ids, wrapper.atomic_blocks = [], []


def test_a_writer_whose_end_nobody_saw(tmp_path, monkeypatch):
    monkeypatch.setattr(_kogia, "Cache", functools.partial(_kogia.Cache, lease=0.3))
    with store(f"file://{tmp_path}/store?capacity=64MB"):
        warm()
        other = type(connections["default"])(connection.settings_dict, "default")
        other.set_autocommit(False)
        write(other, "INSERT INTO shop_author (name) VALUES ('Poe')")

        def interrupt():
            raise KeyboardInterrupt

        # As if the driver could not tell that nothing was sent.
        monkeypatch.setattr(link.of(other), "outcome", lambda error: None)
        with pytest.raises(KeyboardInterrupt):
            link.of(other).run("COMMIT", None, interrupt)
        # For all that others know the commit may come at any moment, however long ago it was sent.
        deadline = time.monotonic() + 1.0
        seen = []
        while time.monotonic() < deadline:
            seen.append(queries(names))
        other.connection.commit()
        other.close()
        assert set(map(str, seen)) == {"(['Melville'], 1)"}
        deadline = time.monotonic() + 20.0
        while queries(names)[1] == 1:
            assert time.monotonic() < deadline
        assert elsewhere(names) == names() == ["Melville", "Poe"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_interrupted_in_a_commit(tmp_path, moment):
    with store(f"file://{tmp_path}/store?capacity=64MB"):
        warm()
        wrapper = connections["default"]
        found = link.of(wrapper)
        real = wrapper.connection

        class Connection:
            """The driver's connection, whose next commit is interrupted."""

            def __getattr__(self, name):
                return getattr(real, name)

            def commit(self):
                wrapper.connection = found.raw = real
                if moment == "after":
                    real.commit()
                raise KeyboardInterrupt

        # Django leaves a transaction open that psycopg does not like to be left open.
        with pytest.raises((KeyboardInterrupt, ProgrammingError)), transaction.atomic():
            Author.objects.create(name="Poe")
            wrapper.connection = found.raw = Connection()
        restart()
        assert elsewhere(names) == names() == uncached()
        if moment == "after":
            assert names() == ["Melville", "Poe"]
        Author.objects.create(name="Whitman")
        assert elsewhere(names) == names() == uncached()


# A signal that rings in a finalizer is nobody's fault.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.002, 0.005])
def test_signals_at_any_moment(delay, tmp_path):
    # The marks of writes whose end nobody saw stay for a while.
    with store(f"file://{tmp_path}/store?capacity=64MB"):
        ring_at_any_moment(delay)


def ring_at_any_moment(delay):
    class Late(Exception):
        pass

    def ring(*args):
        raise Late

    old = signal.signal(signal.SIGALRM, ring)
    try:
        for number in range(40):
            # Django and drivers raise what they like.
            with contextlib.suppress(Exception):
                try:
                    signal.setitimer(signal.ITIMER_REAL, delay + number * 0.0002 + 0.0001)
                    with transaction.atomic():
                        Author.objects.update(name=f"n{number}")
                        names()
                    Author.objects.update(name=f"m{number}")
                    names()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            if not IS_SQLITE or connection.in_atomic_block or not connection.get_autocommit():
                # What a driver does with a connection after that is its own affair.
                restart()
            assert names() == uncached(), number
    finally:
        signal.signal(signal.SIGALRM, old)


def uncached():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM shop_author ORDER BY name")
        return [row[0] for row in cursor.fetchall()]


def test_forked_after_first_use():
    warm()
    connections.close_all()
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.read(to_child, 1)
            seen = names()
            Author.objects.create(name="Poe")
            seen += names()
            os.write(from_child, ",".join(seen).encode())
            os.read(to_child, 1)
            os.write(from_child, ",".join(names()).encode())
        finally:
            os._exit(0)
    warm()
    Author.objects.create(name="Alcott")
    os.write(from_parent, b"x")
    assert os.read(to_parent, 1000) == b"Alcott,Melville,Alcott,Melville,Poe"
    assert names() == ["Alcott", "Melville", "Poe"]
    Author.objects.create(name="Whitman")
    os.write(from_parent, b"x")
    assert os.read(to_parent, 1000) == b"Alcott,Melville,Poe,Whitman"
    os.waitpid(pid, 0)


def test_the_log_has_only_the_keyword_of_a_statement(caplog):
    faults.reset()
    with caplog.at_level("WARNING", "kogia"):
        faults.not_understood("DO$$SECRET$$")
        faults.not_understood("/*SECRET*/DO")
        faults.not_understood("DO")
    said = [record.getMessage() for record in caplog.records]
    assert ["begins with DO " in said[0], "begins with no word " in said[1]] == [True, True]
    assert len(said) == 2 and "SECRET" not in "".join(said)


def test_what_is_not_cached_is_said_once(caplog, monkeypatch):
    found = link.of(connections["default"])
    warm()
    with caplog.at_level("WARNING", "kogia"):
        for number in range(2):
            permit = found.look_up(f"SELECT id + {number} FROM shop_author", [], b"")
            assert permit is not None
            found.fill(permit, [(object(),)])
    assert [record.getMessage() for record in caplog.records] == [
        "Results that hold a value of the type object are not cached."
    ]
    assert faults.unknown_types["object"] == 2


@pytest.fixture
def in_memory(tmp_path):
    """A shared database in memory, beside the one of the test."""
    settings = {**connection.settings_dict, "NAME": "file:kogia_shared?mode=memory&cache=shared"}
    made = []

    def make():
        made.append(type(connections["default"])(settings, "default"))
        return made[-1]

    yield make
    for wrapper in made:
        if wrapper.connection is not None:
            wrapper.connection.close()


def read(wrapper):
    """The authors by one connection, through the cache."""
    own = connections["default"]
    connections["default"] = wrapper
    try:
        return names()
    finally:
        connections["default"] = own


def write(wrapper, sql):
    with wrapper.cursor() as cursor:
        cursor.execute(sql)


CREATE = "CREATE TABLE shop_author (id integer PRIMARY KEY, name varchar(100))"


@only(IS_SQLITE)
def test_a_database_in_memory_that_connections_share(in_memory):
    one, two = in_memory(), in_memory()
    write(one, CREATE)
    write(one, "INSERT INTO shop_author (name) VALUES ('a')")
    for _ in range(3):
        assert read(one) == read(two) == ["a"]
    found = link.of(one)
    assert found.database is link.of(two).database
    write(two, "INSERT INTO shop_author (name) VALUES ('b')")
    assert read(one) == read(two) == ["a", "b"]
    # The next one of the same name is another one.
    for wrapper in (one, two):
        wrapper.connection.close()
        wrapper.connection = None
    three = in_memory()
    write(three, CREATE)
    assert read(three) == []
    assert link.of(three).database is not found.database


@only(IS_SQLITE)
def test_a_child_has_a_database_in_memory_of_its_own(in_memory):
    one = in_memory()
    write(one, CREATE)
    for _ in range(3):
        assert read(one) == []
    to_parent, from_child = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for _ in range(3):
                write(one, "INSERT INTO shop_author (name) VALUES ('child')")
            read(one), read(one)
            os.write(from_child, ",".join(read(one)).encode())
        finally:
            os._exit(0)
    assert os.read(to_parent, 100) == b"child,child,child"
    os.waitpid(pid, 0)
    assert read(one) == []
    write(one, "INSERT INTO shop_author (name) VALUES ('parent')")
    assert read(one) == ["parent"]


@only(IS_SQLITE)
def test_a_file_that_was_replaced(tmp_path):
    import sqlite3

    def make(name):
        path = tmp_path / "replaced.sqlite3"
        path.unlink(missing_ok=True)
        database = sqlite3.connect(path)
        database.execute(CREATE)
        database.execute("INSERT INTO shop_author (name) VALUES (?)", [name])
        database.commit()
        database.close()
        return str(path)

    with configured(NAME=make("old")):
        for _ in range(3):
            assert names() == ["old"]
        connection.close()
        # The number of the old file may be used again: it is kept from being free.
        os.link(tmp_path / "replaced.sqlite3", tmp_path / "kept")
        make("new")
        assert names() == ["new"]


def test_settings_that_lead_elsewhere(tmp_path):
    """A closed connection whose settings change, as the test runner changes them."""
    warm()
    connection.close()
    wrapper = connections["default"]
    name = wrapper.settings_dict["NAME"]
    wrapper.settings_dict["NAME"] = str(tmp_path / "none") if IS_SQLITE else "kogia_none"
    try:
        with pytest.raises(DatabaseError):
            names()
    finally:
        wrapper.close()
        wrapper.settings_dict["NAME"] = name
    assert names() == ["Melville"]


def test_threads_of_one_process():
    warm()
    errors = []

    def target(number):
        try:
            for turn in range(10):
                Author.objects.filter(name=f"{number}").delete()
                Author.objects.create(name=f"{number}")
                assert f"{number}" in names(), (number, turn)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=target, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert errors == []
    assert names() == uncached()
