"""The engine's cases, through raw cursors of Django: each answer is compared with that of a
database without a cache, and each read must be the hit, the miss or the bypass that its case says.
"""

import contextlib
import pathlib

import pytest
from django.db import Error, connection, connections
from django.test import override_settings

from kogia import engine, link, observe

from .conformance import parse
from .helpers import IS_MYSQL, IS_POSTGRES, IS_SQLITE, kogia

FOLDER = pathlib.Path(__file__).parents[2] / "conformance" / "cases"
DIALECT = {"postgresql": "postgres"}.get(connection.vendor, connection.vendor)
# Other drivers know the result of a text's last statement only.
HAS_SETS = IS_MYSQL or connection.Database.__name__ == "psycopg"
BARE, CACHED = "kogia_django_bare", "kogia_django_cached"


@pytest.fixture(autouse=True)
def servers(django_db_setup, django_db_blocker):
    """Cases have databases of their own: there is nothing in that of the tests to be cleared."""
    with django_db_blocker.unblock():
        yield


def cases():
    """The cases of all files for this database."""
    files = sorted(FOLDER.glob("*.txt"))
    found = [case for file in files for case in parse(file.read_text(), DIALECT)]
    assert len(found) > 90, "the cases are not there"
    return found


# After these the schema may be another one. The cases let the next read bypass, while the catalog is
# loaded; the app loads it before the read, which is then a miss, and the one after it a hit.
LOADS = {
    (title, *outcomes)
    for title in ("a function that writes", "a procedure")
    for outcomes in (("bypass", "miss"), ("miss", "hit"))
}


class World:
    """A database, and connections to it for the sessions of a case."""

    def __init__(self, name, case, folder, is_cached):
        self.name = name
        self.is_cached = is_cached
        self.wrappers = {}
        self.settings = self._settings(str(folder / name) if IS_SQLITE else name)
        self._create()
        wrapper = self._open(is_cached=False)
        try:
            for sql in (["PRAGMA journal_mode = WAL"] if IS_SQLITE else []) + case.setup:
                run(wrapper, sql, None)
        finally:
            wrapper.close()
        for letter in case.sessions():
            self.wrappers[letter] = self._open(is_cached=is_cached)

    def close(self):
        """Closes the connections, whatever is open in them."""
        for wrapper in self.wrappers.values():
            with contextlib.suppress(Exception):
                wrapper.connection.close()
        self.wrappers.clear()

    def answer(self, step):
        """What a step answers, and what happens in the middle of it."""
        wrapper = self.wrappers[step.session]
        if step.meanwhile is None:
            return [self._run(wrapper, step)]
        inner = []

        def happens():
            if not inner:
                inner.extend(self.answer(step.meanwhile))

        found = link.of(wrapper)
        with contextlib.ExitStack() as stack:
            if found is not None:
                stack.enter_context(in_the_middle(found, step.is_read, happens))
            elif not step.is_read:
                happens()
            outer = self._run(wrapper, step)
            happens()
        return [outer, *inner]

    def _run(self, wrapper, step):
        try:
            return run(wrapper, step.sql, step.params)
        except (Error, wrapper.Database.Error) as error:
            return type(error).__name__, str(error).replace(self.name, "the database")

    def _open(self, *, is_cached):
        wrapper = type(connections["default"])(self.settings, "default")
        if not is_cached:
            wrapper.__dict__["_kogia_link"] = None
        wrapper.connect()
        if IS_SQLITE:
            # Nothing of a case must outlive the machine.
            wrapper.connection.execute("PRAGMA synchronous = OFF")
        return wrapper

    def _settings(self, name):
        options = dict(connection.settings_dict["OPTIONS"])
        if IS_SQLITE:
            # Sessions take turns on one thread: they would wait for each other for ever.
            options["timeout"] = 0
        elif IS_POSTGRES:
            options["options"] = "-c lock_timeout=100ms"
        else:
            options["isolation_level"] = None
            options["init_command"] = "SET innodb_lock_wait_timeout = 1"
        return {**connection.settings_dict, "NAME": name, "OPTIONS": options}

    def _create(self):
        if IS_SQLITE:
            return
        force = " WITH (FORCE)" if IS_POSTGRES else ""
        run(connection, f"DROP DATABASE IF EXISTS {self.name}{force}", None)
        run(connection, f"CREATE DATABASE {self.name}", None)


def run(wrapper, sql, params):
    """The rows of all results of a text."""
    with wrapper.cursor() as cursor:
        if IS_SQLITE and params is None and is_script(sql):
            cursor.executescript(sql)
            return []
        cursor.execute(sql, params)
        rows = []
        while True:
            if cursor.description is not None:
                rows.append([tuple(row) for row in cursor.fetchall()])
            if not HAS_SETS or not cursor.nextset():
                return rows


def is_script(sql):
    """Whether the driver of SQLite refuses a text because it holds several statements."""
    return ";" in sql.rstrip("; \n") and "TRIGGER" not in sql.upper()


@contextlib.contextmanager
def in_the_middle(found, is_read, happens):
    """Something happens before an answer is stored, or before a statement is sent."""
    if is_read:
        original = found.fill

        def fill(*args, **kwargs):
            happens()
            original(*args, **kwargs)

        found.fill = fill
    else:
        original = found.run

        def run(sql, params, call, cursor=None):
            def called():
                happens()
                return call()

            return original(sql, params, called, cursor)

        found.run = run
    try:
        yield
    finally:
        del found.__dict__["fill" if is_read else "run"]


@contextlib.contextmanager
def worlds(case, folder):
    """A database without a cache and one with a cache of its own."""
    with override_settings(KOGIA=kogia(STORE="memory:", CACHE_RAW=True)):
        connections.close_all()
        engine.reset()
        opened = []
        try:
            for name, is_cached in ((BARE, False), (CACHED, True)):
                opened.append(World(name, case, folder, is_cached))
            yield opened
        finally:
            for world in opened:
                world.close()
    connections.close_all()
    engine.reset()


def check(case, folder):
    """Runs a case on both databases and compares everything."""
    with worlds(case, folder) as (bare, cached):
        for number, step in enumerate(case.steps):
            where = f"step {number}: {step.session} {step.sql}"
            expected = bare.answer(step.on(bare.name))
            with observe.record() as recording:
                answer = cached.answer(step.on(cached.name))
            sql = step.on(cached.name).sql
            outcomes = [(read.outcome, read.reason) for read in recording.reads if read.sql == sql]
            assert answer == expected, f"{where}\n{outcomes}"
            if step.expect is not None:
                outcome, reason = outcomes[-1] if outcomes else ("bypass", None)
                outcome = "miss" if outcome == "stale" else outcome
                if (case.title, step.expect, outcome) in LOADS:
                    continue
                assert outcome == step.expect, f"{where}\n{reason}"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.title)
def test_case(case, tmp_path):
    check(case, tmp_path)


def test_the_cases_find_a_write_that_nobody_sees(tmp_path, monkeypatch):
    """The cases are no proof unless they fail where a rule is broken."""
    original = link.Link.run

    def careless(self, sql, params, call, cursor=None):
        if sql.upper().startswith("UPDATE"):
            return call()
        return original(self, sql, params, call, cursor)

    monkeypatch.setattr(link.Link, "run", careless)
    simple = [case for case in cases() if is_simple(case)]
    wrong = 0
    for number, case in enumerate(simple):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            check(case, folder)
        except AssertionError:
            wrong += 1
    assert wrong > len(simple) // 2 > 3


def is_simple(case):
    """Whether a case does little else than to read what it changes."""
    words = {step.sql.split()[0].upper() for step in case.steps}
    return words == {"SELECT", "UPDATE"}
