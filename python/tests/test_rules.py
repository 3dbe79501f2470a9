"""Rules that nothing else would notice to be broken; see `scripts/mutate-python`."""

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Length
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.constants import MULTI, SINGLE

from kogia import hooks, link

from .helpers import IS_SQLITE, elsewhere, names, only, queries, warm
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def melville():
    return Author.objects.create(name="Melville")


def test_others_see_a_commit_before_its_writer_knows_of_it():
    warm()
    wrapper = connections["default"]
    found, real, seen = link.of(wrapper), wrapper.connection, []

    class Connection:
        """The driver's connection: others read as soon as it has committed."""

        def __getattr__(self, name):
            return getattr(real, name)

        def commit(self):
            wrapper.connection = found.raw = real
            real.commit()
            seen.append(elsewhere(names))

    with transaction.atomic():
        Author.objects.create(name="Poe")
        wrapper.connection = found.raw = Connection()
    assert seen == [["Melville", "Poe"]]
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_others_see_a_statement_before_its_writer_knows_of_it(monkeypatch):
    warm()
    found, seen = link.of(connections["default"]), []
    original = found.run

    def run(sql, params, call, cursor=None):
        def called():
            result = call()
            seen.append(elsewhere(names))
            return result

        return original(sql, params, called, cursor)

    with monkeypatch.context() as patch:
        patch.setattr(found, "run", run)
        Author.objects.update(name="Poe")
    assert seen == [["Poe"]]


def test_what_others_fill_before_a_commit_is_stale_after_it():
    """Also where the driver began the transaction by itself."""
    warm()
    transaction.set_autocommit(False)
    try:
        Author.objects.update(name="Poe")
        for _ in range(3):
            assert elsewhere(names) == ["Melville"]
        transaction.commit()
        assert elsewhere(names) == ["Poe"]
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_many_rows_have_many_keys(melville):
    other = Author.objects.create(name="Poe")
    read = lambda: [Author.objects.get(pk=author.pk).name for author in (melville, other)]
    assert read() == ["Melville", "Poe"]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE shop_author SET name = %s WHERE id = %s",
            [["a", melville.pk], ["b", other.pk]],
        )
    assert read() == ["a", "b"]


@only(IS_SQLITE)
def test_a_script_is_a_write():
    warm()
    with connection.cursor() as cursor:
        cursor.executescript("SELECT 1; UPDATE shop_author SET name = 'Poe'; SELECT 2;")
    assert elsewhere(names) == names() == ["Poe"]


@only(IS_SQLITE)
def test_a_script_commits_what_others_see_at_once():
    """The driver commits before it, and nothing of the connection's own runs afterwards."""
    warm()
    transaction.set_autocommit(False)
    try:
        Author.objects.create(name="Poe")
        with connection.cursor() as cursor:
            cursor.executescript("UPDATE shop_tag SET name = name;")
        assert elsewhere(names) == ["Melville", "Poe"]
    finally:
        transaction.set_autocommit(True)


def test_one_alias_may_lead_to_two_databases(tmp_path):
    warm()
    name = str(tmp_path / "elsewhere.sqlite3") if IS_SQLITE else "kogia_elsewhere"
    drop = f"DROP DATABASE IF EXISTS {name}"
    if not IS_SQLITE:
        for sql in (drop, f"CREATE DATABASE {name}"):
            with connection.cursor() as cursor:
                cursor.execute(sql)
    own = connections["default"]
    other = type(own)({**own.settings_dict, "NAME": name}, "default")
    try:
        with other.schema_editor() as editor:
            editor.create_model(Author)
        connections["default"] = other
        assert names() == names() == []
        connections["default"] = own
        # A driver's connection that leads elsewhere, put in by hand.
        own.ensure_connection()
        kept, own.connection = own.connection, other.connection
        try:
            assert names() == []
        finally:
            own.connection = kept
    finally:
        connections["default"] = own
        other.close()
        if not IS_SQLITE:
            with connection.cursor() as cursor:
                cursor.execute(drop)
        # What nobody understands may have changed the session.
        connection.close()
    assert names() == ["Melville"]


def test_other_options_of_a_driver_are_other_results():
    """Many of them say what objects a driver makes."""
    own = connections["default"]
    option = {
        "sqlite": {"detect_types": 0},
        "postgresql": {"application_name": "another"},
        "mysql": {"use_unicode": True},
    }[own.vendor]
    options = {**own.settings_dict["OPTIONS"], **option}
    other = type(own)({**own.settings_dict, "OPTIONS": options}, "default")
    other.ensure_connection()
    try:
        assert link.of(other).database is not link.of(own).database
        assert link.of(other).database.name == link.of(own).database.name
    finally:
        other.close()


def test_one_statement_may_be_read_in_two_ways():
    """Whole, or its first row alone."""
    Author.objects.create(name="Poe")
    authors = Author.objects.order_by("name").values_list("name")
    for _ in range(2):
        assert authors.query.get_compiler("default").execute_sql(SINGLE) == ("Melville",)
        assert list(authors.all()) == [("Melville",), ("Poe",)]


def test_columns_that_only_the_order_needs_are_cut_off():
    Author.objects.create(name="Poe")
    authors = Author.objects.distinct().order_by(-Length("name")).values_list("name")
    for way, rows in ((SINGLE, ("Melville",)), (MULTI, [[("Melville",), ("Poe",)]])):
        read = lambda way=way: authors.query.get_compiler("default").execute_sql(way)
        asked, needed = queries(read)
        assert [asked if way == SINGLE else [[*asked[0]]], needed] == [rows, 1]
        assert queries(read) == (rows, 0)


def test_who_stood_at_the_compiler_before_sees_the_queries_that_run(monkeypatch):
    """Tracers and the like, which stand in the place of Django's own method."""
    seen = []

    def execute_sql(compiler, *args, **kwargs):
        seen.append(compiler.as_sql()[0])
        return original(compiler, *args, **kwargs)

    hooks.uninstall()
    try:
        original = SQLCompiler.execute_sql
        with monkeypatch.context() as patch:
            patch.setattr(SQLCompiler, "execute_sql", execute_sql)
            hooks.install()
            assert [queries(names) for _ in range(2)] == [(["Melville"], 1), (["Melville"], 0)]
            hooks.uninstall()
    finally:
        hooks.uninstall()
        hooks.install()
    assert len(seen) == 1


def test_a_hit_is_made_of_fresh_objects():
    """What an application does with an answer changes no other answer."""
    first = Author.objects.get()
    first.name = "changed in memory"
    found, needed = queries(Author.objects.get)
    assert (found.name, needed) == ("Melville", 0)
    rows = Author.objects.order_by("name")
    rows[0].name = "x"
    assert [author.name for author in rows.all()] == ["Melville"]
