"""Statements that the ORM did not make."""

import io

import django
import pytest
from django.core.management import call_command
from django.db import connection, connections, models, transaction
from django.db.backends.signals import connection_created
from django.test import override_settings

from kogia import _kogia, engine, link

from .helpers import (
    IS_MYSQL,
    IS_POSTGRES,
    IS_SQLITE,
    configured,
    elsewhere,
    kogia,
    names,
    only,
    queries,
    warm,
)
from .shop.models import Author, Book, Tag

pytestmark = pytest.mark.django_db(transaction=True)

try:
    import psycopg
except ImportError:
    psycopg = None
IS_PSYCOPG3 = IS_POSTGRES and psycopg is not None


@pytest.fixture(autouse=True)
def melville():
    return Author.objects.create(name="Melville")


@pytest.fixture
def execute():
    def run(sql, params=None):
        with connection.cursor() as cursor:
            cursor.execute(sql, params)

    return run


def test_execute_and_executemany(execute):
    warm()
    execute("INSERT INTO shop_author (name) VALUES (%s)", ["Poe"])
    assert names() == ["Melville", "Poe"]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_author (name) VALUES (%s)", [["Alcott"], ["Whitman"]])
    assert elsewhere(names) == names() == ["Alcott", "Melville", "Poe", "Whitman"]


def test_names_in_other_letters_and_with_a_schema(execute):
    schema = {"postgresql": '"public".', "sqlite": "main.", "mysql": ""}[connection.vendor]
    warm()
    execute(f"INSERT INTO {schema}shop_author (name) VALUES ('Poe')")
    assert names() == ["Melville", "Poe"]
    if not IS_MYSQL:
        execute(f"DELETE FROM {schema}SHOP_Author WHERE name = 'Poe'")
        assert names() == ["Melville"]


def test_a_table_with_capital_letters(execute):
    quote = connection.ops.quote_name
    execute(f"CREATE TABLE {quote('Kogia_Mixed')} (id integer PRIMARY KEY, name varchar(20))")
    try:

        class Mixed(models.Model):
            name = models.CharField(max_length=20)

            class Meta:
                managed = False
                app_label = "unmanaged"
                db_table = "Kogia_Mixed"

        read = lambda: list(Mixed.objects.values_list("name", flat=True))
        assert read() == []
        assert read() == []
        Mixed.objects.create(pk=1, name="a")
        assert read() == ["a"]
        assert queries(read) == (["a"], 0)
        execute(f"UPDATE {quote('Kogia_Mixed')} SET name = 'b'")
        assert read() == ["b"]
    finally:
        from django.apps import apps

        apps.all_models.pop("unmanaged", None)
        apps.clear_cache()
        execute(f"DROP TABLE {quote('Kogia_Mixed')}")


def test_a_wrapper_of_statements_that_writes():
    warm()

    def wrapper(execute, sql, params, many, context):
        if sql == "SELECT 1":
            context["cursor"].cursor  # noqa: B018
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO shop_author (name) VALUES ('Poe')")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_a_write_when_a_connection_is_opened():
    warm()

    def receiver(connection, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_author (name) VALUES ('Poe')")

    connection.close()
    connection_created.connect(receiver)
    try:
        connection.ensure_connection()
    finally:
        connection_created.disconnect(receiver)
    assert elsewhere(names) == names() == ["Melville", "Poe"]


@only(IS_POSTGRES)
def test_a_function_that_writes_when_a_connection_is_opened(execute):
    execute(
        "CREATE FUNCTION kogia_write() RETURNS int LANGUAGE sql AS "
        "$$ INSERT INTO shop_author (name) VALUES ('Poe') RETURNING 1 $$"
    )
    try:
        warm()

        def receiver(connection, **kwargs):
            with connection.cursor() as cursor:
                cursor.execute("SELECT kogia_write()")

        connection.close()
        connection_created.connect(receiver)
        try:
            connection.ensure_connection()
        finally:
            connection_created.disconnect(receiver)
        assert elsewhere(names) == names() == ["Melville", "Poe"]
        with connection.cursor() as cursor:
            cursor.callproc("kogia_write")
        assert elsewhere(names) == names() == ["Melville", "Poe", "Poe"]
    finally:
        execute("DROP FUNCTION kogia_write")


@only(IS_MYSQL)
def test_a_procedure_that_writes(execute):
    execute(
        "CREATE PROCEDURE kogia_write() BEGIN SELECT 1; "
        "INSERT INTO shop_author (name) VALUES ('Poe'); END"
    )
    # A text that nobody understands may have changed the session.
    connection.close()
    try:
        warm()
        with connection.cursor() as cursor:
            cursor.callproc("kogia_write")
            cursor.fetchall()
        assert elsewhere(names) == names() == ["Melville", "Poe"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1; DELETE FROM shop_author WHERE name = 'Poe'")
        assert elsewhere(names) == names() == ["Melville"]
    finally:
        execute("DROP PROCEDURE kogia_write")


@only(IS_PSYCOPG3)
def test_what_psycopg_adds():
    from psycopg import sql

    warm()
    with connection.cursor() as cursor:
        with cursor.copy("COPY shop_author (name) FROM STDIN") as copy:
            copy.write_row(["Poe"])
        assert names() == ["Melville", "Poe"]
        list(cursor.stream("INSERT INTO shop_author (name) VALUES ('Alcott') RETURNING id"))
        assert names() == ["Alcott", "Melville", "Poe"]
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE name = {}").format(
                sql.Identifier("shop_author"), sql.Literal("Poe")
            )
        )
        assert names() == ["Alcott", "Melville"]
        with pytest.raises(ZeroDivisionError), cursor.copy("COPY shop_author FROM STDIN"):
            raise ZeroDivisionError
    assert elsewhere(names) == names() == ["Alcott", "Melville"]


@only(IS_POSTGRES)
def test_a_temporary_table_that_the_last_user_of_a_connection_left(execute):
    warm()
    execute("CREATE TEMPORARY TABLE Shop_Author AS SELECT 1 AS id, 'Poe'::text AS name")
    # A pool hands the connection on as it is.
    raw, connection.connection = connection.connection, None
    assert names() == ["Melville"]
    connection.close()
    connection.connection = raw
    assert names() == names() == ["Poe"]
    assert elsewhere(names) == ["Melville"]
    with connection.cursor() as cursor:
        assert connection.connection is raw
        cursor.execute("DROP TABLE pg_temp.shop_author")
    assert names() == ["Melville"]


@only(IS_PSYCOPG3 and django.VERSION >= (5, 1))
def test_a_pool_hands_on_what_the_last_user_of_a_connection_left(execute, monkeypatch):
    execute("CREATE SCHEMA tenant")
    execute("CREATE TABLE tenant.shop_author AS SELECT 1 AS id, 'Poe'::text AS name")
    connection.close()
    monkeypatch.setitem(
        connection.settings_dict, "OPTIONS", {"pool": {"max_size": 1, "min_size": 1}}
    )
    try:
        assert warm() == ["Melville"]
        execute("SET search_path = tenant")
        assert names() == ["Poe"]
        connection.close()
        connection.ensure_connection()
        assert names() == names() == ["Poe"]
        connection.close()
        # Without a connection, the answer is that of a fresh one, which others may get.
        assert names() == ["Melville"]
        assert connection.connection is None
        execute("RESET search_path")
        execute("CREATE TEMPORARY TABLE shop_author AS SELECT 1 AS id, 'Alcott'::text AS name")
        connection.close()
        connection.ensure_connection()
        assert names() == names() == ["Alcott"]
        connection.close()
        assert names() == ["Melville"]
    finally:
        connection.close()
        connection.close_pool()
        monkeypatch.undo()
        execute("DROP SCHEMA tenant CASCADE")


@only(IS_PSYCOPG3)
def test_statements_of_a_pipeline_end_with_it(execute):
    warm()
    with connection.connection.pipeline():
        execute("UPDATE shop_author SET name = 'Poe'")
        # It was sent, and is not committed: nobody may keep what they read now.
        assert elsewhere(names) == elsewhere(names) == ["Melville"]
        assert names() == ["Poe"]
        assert elsewhere(names) == ["Melville"]
    assert elsewhere(names) == names() == ["Poe"]
    assert warm() == ["Poe"]
    with connection.connection.pipeline() as pipeline:
        execute("UPDATE shop_author SET name = 'Alcott'")
        pipeline.sync()
        assert elsewhere(names) == names() == ["Alcott"]
    with pytest.raises(psycopg.Error), connection.connection.pipeline():
        execute("UPDATE shop_author SET name = 'Whitman'")
        execute("SET search_path = 1")
        execute("SELECT 1/0")
        elsewhere(names)
    assert elsewhere(names) == names() == ["Alcott"]


@only(IS_PSYCOPG3)
def test_a_pipeline_is_a_transaction_of_its_own(execute):
    def rows():
        return [author.name for author in Author.objects.order_by("name")]

    warm()
    execute("SET default_transaction_isolation = 'repeatable read'")
    try:
        with connection.connection.pipeline():
            assert Author.objects.count() == 1
            elsewhere(lambda: Author.objects.create(name="Poe"))
            assert elsewhere(warm) == ["Melville", "Poe"]
            # Its snapshot is older than that.
            assert names() == rows() == ["Melville"]
    finally:
        execute("RESET default_transaction_isolation")
    assert elsewhere(rows) == rows() == names() == ["Melville", "Poe"]


@only(IS_POSTGRES and not IS_PSYCOPG3)
def test_what_psycopg2_adds():
    from psycopg2 import sql

    warm()
    with connection.cursor() as cursor:
        cursor.copy_expert("COPY shop_author (name) FROM STDIN", io.StringIO("Poe\n"))
        assert names() == ["Melville", "Poe"]
        cursor.copy_from(io.StringIO("Alcott\n"), "shop_author", columns=["name"])
        assert names() == ["Alcott", "Melville", "Poe"]
        cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("shop_author")))
    assert elsewhere(names) == names() == []


@only(IS_SQLITE)
def test_a_script_commits_first():
    warm()
    transaction.set_autocommit(False)
    Author.objects.create(name="Poe")
    with connection.cursor() as cursor:
        cursor.executescript("INSERT INTO shop_author (name) VALUES ('Alcott'); SELECT 1;")
    connection.rollback()
    transaction.set_autocommit(True)
    assert elsewhere(names) == names() == ["Alcott", "Melville", "Poe"]


@only(IS_POSTGRES)
def test_a_cursor_of_the_server():
    Author.objects.create(name="Poe")
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT name FROM shop_author ORDER BY name")
        assert cursor.fetchone() == ("Melville",)
        Author.objects.create(name="Whitman")
        assert cursor.fetchall() == [("Poe",)]
    read = lambda: [author.name for author in Author.objects.order_by("name").iterator(1)]
    assert read() == read() == ["Melville", "Poe", "Whitman"]


def test_flush_and_fixtures(tmp_path):
    warm()
    file = tmp_path / "authors.json"
    file.write_text('[{"model": "shop.author", "pk": 77, "fields": {"name": "Poe"}}]')
    call_command("loaddata", str(file), verbosity=0)
    assert elsewhere(names) == names() == ["Melville", "Poe"]
    call_command("flush", interactive=False, verbosity=0)
    assert elsewhere(names) == names() == []


def test_a_view_and_a_trigger(execute):
    class Named(models.Model):
        name = models.CharField(max_length=100)

        class Meta:
            managed = False
            app_label = "unmanaged"
            db_table = "kogia_named"

    execute("CREATE VIEW kogia_named AS SELECT id, name FROM shop_author WHERE name <> 'x'")
    if IS_SQLITE or IS_MYSQL:
        each = "FOR EACH ROW" if IS_MYSQL else ""
        execute(
            f"CREATE TRIGGER kogia_trigger AFTER INSERT ON shop_tag {each} "
            "BEGIN INSERT INTO shop_author (name) VALUES ('z'); END"
        )
    else:
        execute(
            "CREATE FUNCTION kogia_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO shop_author (name) VALUES ('z'); RETURN NULL; END $$"
        )
        execute(
            "CREATE TRIGGER kogia_trigger AFTER INSERT ON shop_tag EXECUTE FUNCTION kogia_trigger()"
        )
    connection.close()
    try:
        read = lambda: list(Named.objects.order_by("name").values_list("name", flat=True))
        assert read() == ["Melville"]
        assert read() == ["Melville"]
        Author.objects.create(name="Poe")
        assert read() == ["Melville", "Poe"]
        read(), warm()
        Tag.objects.create(name="t")
        assert names() == ["Melville", "Poe", "z"]
        assert elsewhere(read) == read() == ["Melville", "Poe", "z"]
    finally:
        from django.apps import apps

        apps.all_models.pop("unmanaged", None)
        apps.clear_cache()
        execute("DROP TRIGGER kogia_trigger" + (" ON shop_tag" if IS_POSTGRES else ""))
        if IS_POSTGRES:
            execute("DROP FUNCTION kogia_trigger")
        execute("DROP VIEW kogia_named")


def test_a_column_that_a_migration_adds():
    from django.db.migrations.operations import AddField, RemoveField
    from django.db.migrations.state import ProjectState

    warm()
    before = ProjectState.from_apps(__import__("django.apps").apps.apps)
    after = before.clone()
    add = AddField("author", "born", models.IntegerField(default=7))
    add.state_forwards("shop", after)
    with connection.schema_editor() as editor:
        add.database_forwards("shop", editor, before, after)
    try:
        model = after.apps.get_model("shop", "Author")
        read = lambda: list(model.objects.values_list("name", "born"))
        assert read() == read() == [("Melville", 7)]
        model.objects.update(born=8)
        assert elsewhere(read) == read() == [("Melville", 8)]
    finally:
        remove = RemoveField("author", "born")
        with connection.schema_editor() as editor:
            remove.database_forwards("shop", editor, after, before)
    assert names() == ["Melville"]


def raw(sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def test_raw_reads_are_not_cached_by_default():
    sql = "SELECT name FROM shop_author"
    raw(sql)
    assert queries(lambda: raw(sql))[1] == 1


def test_raw_reads():
    Author.objects.create(name="Poe")
    sql = "SELECT id, name FROM shop_author WHERE name <> %s ORDER BY name"
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        fresh, needed = queries(lambda: raw(sql, ["x"]))
        assert needed == 1
        cached, needed = queries(lambda: raw(sql, ["x"]))
        assert needed == 0
        assert list(cached) == list(fresh)
        for _ in range(2):
            with connection.cursor() as cursor:
                cursor.execute(sql, ["x"])
                assert [column[0] for column in cursor.description] == ["id", "name"]
                assert cursor.rowcount == 2
                assert cursor.fetchone()[1] == "Melville"
                assert [row[1] for row in cursor.fetchmany(5)] == ["Poe"]
                assert cursor.fetchone() is None
                cursor.execute(sql, ["x"])
                assert [row[1] for row in cursor] == ["Melville", "Poe"]
                cursor.execute(sql, ["Poe"])
                assert [row[1] for row in cursor.fetchall()] == ["Melville"]
                cursor.execute("UPDATE shop_author SET name = name")
        Author.objects.create(name="Alcott")
        assert [row[1] for row in raw(sql, ["x"])] == ["Alcott", "Melville", "Poe"]


def test_raw_reads_with_and_without_parameters():
    # With parameters, be it none of them, two percent signs are one.
    sql = "SELECT 'a%%', name FROM shop_author"
    bare = [raw(sql, params) for params in (None, [])]
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        for _ in range(2):
            assert [raw(sql, params) for params in (None, [])] == bare
    assert bare[0] != bare[1]


def test_kinds_of_bytes_are_told_apart():
    kinds = (b"1", bytearray(b"1"), memoryview(b"1"))
    assert len({_kogia.describe([value]) for value in kinds}) == 3


def test_raw_answers_have_the_form_of_the_drivers():
    Author.objects.create(name="Poe")
    sql = "SELECT name FROM shop_author ORDER BY name"

    def forms():
        with connection.cursor() as cursor:
            returned = cursor.execute(sql)
            is_count = isinstance(returned, int)
            several = type(cursor.fetchmany(1)), type(cursor.fetchall())
            return returned is None, is_count, several, getattr(cursor, "lastrowid", "none")

    bare = forms()
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        fresh = forms()
        cached, needed = queries(forms)
    assert needed == 0
    assert (fresh[:3], cached[:3]) == (bare[:3], bare[:3])
    if IS_MYSQL:
        assert cached == bare


@only(not IS_SQLITE)
def test_what_only_the_driver_knows_of_a_raw_answer():
    for name in ("Poe", "Whitman"):
        Author.objects.create(name=name)
    sql = "SELECT name FROM shop_author ORDER BY name"
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                assert cursor.fetchone()[0] == "Melville"
                cursor.scroll(1)
                assert cursor.fetchone()[0] == "Whitman"


@only(IS_POSTGRES)
def test_lists_of_an_iterator_are_stored_as_they_came():
    from django.contrib.postgres.aggregates import ArrayAgg

    Book.objects.create(title="Typee", author=Author.objects.get())
    read = Author.objects.annotate(titles=ArrayAgg("books__title")).order_by("pk")
    for author in read.iterator():
        author.titles.append("changed")
    cached, needed = queries(lambda: [author.titles for author in read])
    assert cached == [["Typee"]]
    assert needed == 0


@only(IS_POSTGRES)
@pytest.mark.parametrize("how", ["function", "trigger"])
def test_a_session_that_a_function_changed_keeps_to_itself(execute, how):
    try:
        execute("CREATE SCHEMA kogia_a")
        execute("CREATE TABLE kogia_a.shop_author (LIKE public.shop_author INCLUDING ALL)")
        execute("INSERT INTO kogia_a.shop_author VALUES (1, 'kogia_a')")
        returns, result = ("int", "1") if how == "function" else ("trigger", "NEW")
        execute(
            f"CREATE FUNCTION public.enter() RETURNS {returns} LANGUAGE plpgsql AS $$"
            f"BEGIN PERFORM set_config('search_path', 'kogia_a', false); RETURN {result}; END $$"
        )
        if how == "trigger":
            execute(
                "CREATE TRIGGER enter BEFORE INSERT ON shop_tag "
                "FOR EACH ROW EXECUTE FUNCTION public.enter()"
            )
        connection.close()
        warm()
        if how == "trigger":
            Tag.objects.create(name="any")
        else:
            execute("SELECT public.enter()")
        assert names() == names() == ["kogia_a"]
        assert elsewhere(names) == ["Melville"]
    finally:
        execute("RESET search_path")
        execute("DROP TRIGGER IF EXISTS enter ON public.shop_tag")
        execute("DROP FUNCTION IF EXISTS public.enter")
        execute("DROP SCHEMA IF EXISTS kogia_a CASCADE")
        connection.close()


@only(IS_MYSQL)
@pytest.mark.parametrize("how", ["function", "trigger"])
def test_a_session_that_a_routine_of_mysql_changed_keeps_to_itself(execute, how):
    def read():
        with connection.cursor() as cursor:
            cursor.execute("SELECT GROUP_CONCAT(name) FROM shop_author")
            return cursor.fetchall()

    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        try:
            change = "SET SESSION group_concat_max_len = 4;"
            if how == "function":
                text = f"FUNCTION enter() RETURNS INT DETERMINISTIC BEGIN {change} RETURN 1; END"
            else:
                text = f"TRIGGER enter BEFORE INSERT ON shop_tag FOR EACH ROW BEGIN {change} END"
            execute(f"CREATE {text}")
            connection.close()
            assert read() == read() == (("Melville",),)
            if how == "trigger":
                Tag.objects.create(name="any")
            else:
                execute("SELECT enter()")
            assert read() == read() == (("Melv",),)
            assert elsewhere(read) == (("Melville",),)
        finally:
            execute(f"DROP {how} IF EXISTS enter")
            connection.close()


@pytest.fixture
def clerk(execute):
    """An account that may write, and see no triggers."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    execute("CREATE USER kogia_clerk IDENTIFIED BY 'clerk'")
    try:
        execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO kogia_clerk")
        yield {"USER": "kogia_clerk", "PASSWORD": "clerk"}
    finally:
        execute("DROP USER kogia_clerk")
        execute("DROP TRIGGER IF EXISTS enter")
        connection.close()


@only(IS_MYSQL)
def test_an_account_that_sees_no_triggers_has_hits_after_its_writes(clerk):
    with configured(**clerk):
        for name in ("first", "second"):
            Tag.objects.create(name=name)
            assert warm() == ["Melville"]
        with transaction.atomic():
            Tag.objects.create(name="third")
            names()
            assert queries(names) == (["Melville"], 0)
        assert warm() == ["Melville"]


@only(IS_MYSQL)
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("SET SESSION group_concat_max_len = 4", "Melville"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "Melville"),
        ("SET SESSION completion_type = 2", "Melville"),
        ("CREATE TEMPORARY TABLE shop_author SELECT 1 AS id, 'Poe' AS name", "Poe"),
    ],
)
def test_a_session_that_an_unseen_trigger_changed_keeps_to_itself(execute, clerk, change, found):
    body = f"FOR EACH ROW BEGIN {change}; END"
    execute(f"CREATE TRIGGER enter BEFORE INSERT ON shop_tag {body}")
    with configured(**clerk):
        warm()
        Tag.objects.create(name="any")
        assert [queries(names), queries(names)] == [([found], 1)] * 2
        assert elsewhere(names) == ["Melville"]
        connection.close()
        assert names() == ["Melville"]


def test_raw_querysets():
    sql = "SELECT id, name FROM shop_author"
    read = lambda: [author.name for author in Author.objects.raw(sql)]
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        assert queries(read) == (["Melville"], 1)
        assert queries(read) == (["Melville"], 0)
        Author.objects.update(name="Poe")
        assert read() == ["Poe"]


def test_raw_writes_can_be_left_alone(execute):
    warm()
    with override_settings(KOGIA=kogia(INVALIDATE_RAW=False)):
        execute("INSERT INTO shop_author (name) VALUES ('Poe')")
        assert names() == ["Melville"]
        Author.objects.create(name="Alcott")
        assert names() == ["Alcott", "Melville", "Poe"]
        Author.objects.filter(name="Poe").delete()
        Author.objects.filter(name="Alcott").update(name="Whitman")
        assert names() == ["Melville", "Whitman"]
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Author.objects.create(name="x")
            raise ZeroDivisionError
        assert elsewhere(names) == names() == ["Melville", "Whitman"]


@only(IS_SQLITE)
def test_a_result_that_is_not_fetched_holds_an_old_snapshot():
    for name in ("Poe", "Whitman", "Alcott"):
        Author.objects.create(name=name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM shop_author, shop_author AS b")
        cursor.fetchone()
        with connection.cursor() as other:
            other.execute("PRAGMA journal_mode")
            other.fetchall()
        held = cursor.cursor
        found = link.of(connections["default"])
        assert list(found.unfinished) == [held]
        assert names() == names()
        assert queries(names)[1] == 1
        cursor.fetchall()
        assert not found.unfinished
    names()
    assert queries(names)[1] == 0


@only(IS_SQLITE)
def test_a_write_with_rows_commits_when_they_are_fetched():
    warm()
    cursor = connection.cursor()
    cursor.execute("INSERT INTO shop_author (name) VALUES ('Poe'), ('Alcott') RETURNING id")
    # Not committed yet: another connection reads what was, and must not store it.
    assert elsewhere(names) == ["Melville"]
    cursor.fetchall()
    assert elsewhere(names) == names() == ["Alcott", "Melville", "Poe"]
    cursor.execute("DELETE FROM shop_author RETURNING id")
    del cursor
    assert elsewhere(names) == []
    Author.objects.create(name="Whitman")
    assert elsewhere(names) == names() == ["Whitman"]


@only(IS_SQLITE)
def test_an_attached_database(tmp_path):
    import sqlite3

    file = tmp_path / "other.sqlite3"
    sqlite3.connect(file).close()
    # The alias that the test may use, under another name.
    connections.databases["other"] = {**connection.settings_dict, "NAME": str(file)}
    other = type(connections["default"])(connections.databases["other"], "default")
    connections["other"] = other
    try:
        with other.schema_editor() as editor:
            editor.create_model(Author)
        read = lambda: list(Author.objects.using("other").values_list("name", flat=True))
        read()
        assert read() == []
        with connection.cursor() as cursor:
            cursor.execute("ATTACH %s AS o", [str(file)])
            cursor.execute("INSERT INTO o.shop_author (name) VALUES ('Poe')")
            assert read() == ["Poe"]
            cursor.execute("DETACH o")
    finally:
        other.close()
        del connections["other"]
        del connections.databases["other"]
        connection.close()


def test_a_write_is_seen_without_a_catalog():
    """A table that the cache hears of for the first time by a write."""
    warm()
    engine.cache().invalidate_everything()
    Book.objects.create(title="Moby-Dick", author=Author.objects.get())
    assert Book.objects.count() == 1
    assert elsewhere(Book.objects.count) == 1
