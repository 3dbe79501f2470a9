"""`manage.py kogia` and `manage.py invalidate_cachalot`."""

import io
import json

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import connection
from django.test import override_settings

from kogia import api

from .helpers import IS_MYSQL, kogia, only, queries, store
from .shop.models import Author, Book

pytestmark = pytest.mark.django_db(transaction=True)

BAD_STORE = "file:///dev/null/store"


def run(*arguments, **options):
    """What a command writes."""
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def answer(*arguments):
    """What `manage.py kogia` answers as JSON."""
    return json.loads(run("kogia", *arguments, "--json"))


def needed(model):
    """How many queries a read of a model's rows needs."""
    return queries(lambda: list(model.objects.all()))[1]


@pytest.fixture(autouse=True)
def cached():
    """Authors and books are in the cache."""
    for model in (Author, Book):
        needed(model), needed(model)
        assert needed(model) == 0


def test_invalidate_some_tables():
    assert answer("invalidate", "shop.Author") == {
        "invalidated": ["shop_author"],
        "databases": "all",
    }
    assert [needed(Author), needed(Book)] == [1, 0]
    assert "shop_tag" in answer("invalidate", "shop", "--database", "default")["invalidated"]
    assert [needed(Author), needed(Book)] == [1, 1]


def test_invalidate_everything():
    assert answer("invalidate") == {"invalidated": "everything", "databases": "all"}
    assert [needed(Author), needed(Book)] == [1, 1]


def test_invalidate_what_is_not_there():
    for label, text in (("nowhere", "nowhere"), ("shop.Whale", "Whale"), ("kogia", "no models")):
        for command in (("kogia", "invalidate"), ("invalidate_cachalot",)):
            with pytest.raises(CommandError, match=text):
                run(*command, label)
    assert [needed(Author), needed(Book)] == [0, 0]


def test_invalidate_cachalot():
    assert run("invalidate_cachalot") == "Forgot all results.\n"
    assert [needed(Author), needed(Book)] == [1, 1]
    assert run("invalidate_cachalot", "shop.Author") == "Forgot the results of 1 models.\n"
    assert [needed(Author), needed(Book)] == [1, 0]
    assert run("invalidate_cachalot", "shop.Author", "shop.Book", verbosity=0) == ""
    assert [needed(Author), needed(Book)] == [1, 1]
    # Many-to-many tables are among an app's.
    before = api.get_last_invalidation("shop_book_tags")
    run("invalidate_cachalot", "shop")
    assert api.get_last_invalidation("shop_book_tags") > before
    assert [needed(Author), needed(Book)] == [1, 1]


@pytest.mark.parametrize(
    "arguments", [("-d", "default"), ("--db", "default"), ("-c", "default"), ("--cache", "default")]
)
def test_arguments_of_invalidate_cachalot(arguments):
    text = run("invalidate_cachalot", "shop.Book", *arguments)
    where = " of the database default" if arguments[0] in ("-d", "--db") else ""
    assert text == f"Forgot the results of 1 models{where}.\n"
    assert [needed(Author), needed(Book)] == [0, 1]


def test_aliases_that_are_not_there():
    for option in ("-d", "-c"):
        with pytest.raises(CommandError, match="nowhere"):
            run("invalidate_cachalot", option, "nowhere")
    with pytest.raises(CommandError, match="nowhere"):
        run("kogia", "doctor", "--database", "nowhere")
    with pytest.raises(CommandError, match="dance"):
        run("kogia", "dance")


def test_stats():
    found = answer("stats")
    assert found["store"].startswith("file://")
    assert found["entries"] > 0
    assert 0 < found["bytes"] <= found["capacity"]
    assert f"store: {found['store']}\n" in run("kogia", "stats")


def test_stats_without_a_store():
    with store(BAD_STORE), pytest.raises(CommandError, match="cannot be opened"):
        run("kogia", "stats")


def test_explain():
    read = answer("explain", "SELECT * FROM shop_author")
    assert read == {"reads": ["shop_author"], "writes": [], "cached": True, "why not": ""}
    # A shell may have taken the statement to pieces.
    assert answer("explain", "SELECT", "name", "FROM", "shop_author") == read
    write = answer("explain", "DELETE FROM shop_author")
    assert (write["cached"], "shop_author" in write["writes"]) == (False, True)
    assert "can give another answer" in answer("explain", "SELECT rand() FROM shop_author")[
        "why not"
    ] or (connection.vendor != "mysql")
    assert "reads: shop_author\n" in run("kogia", "explain", "SELECT 1 FROM shop_author")
    with pytest.raises(CommandError, match="Give a statement"):
        run("kogia", "explain")


def test_explain_knows_the_settings():
    explained = lambda: answer("explain", "SELECT * FROM shop_author")
    for changes, text in (
        ({"ENABLED": False}, "the settings"),
        ({"DATABASES": []}, "the settings"),
        ({"UNCACHABLE_TABLES": ["shop_author"]}, "shop_author"),
        ({"ONLY_CACHABLE_TABLES": ["shop_book"]}, "shop_author"),
    ):
        with override_settings(KOGIA=kogia(**changes)):
            assert explained()["cached"] is False
            assert text in explained()["why not"]
    assert explained()["cached"] is True


def test_doctor():
    found = answer("doctor")
    assert found["errors"] == []
    assert [text.startswith("default is ") for text in found["databases"]] == [True]
    assert "not cached" not in found["databases"][0]
    assert "errors: -\n" in run("kogia", "doctor")
    assert answer("doctor", "--database", "default")["databases"] == found["databases"]


def test_doctor_finds_what_is_wrong():
    with override_settings(KOGIA=kogia(DATABASES=[])):
        found = answer("doctor")
        assert found["databases"] == ["default is not cached"]
        assert "kogia.W008" in " ".join(found["notes"])
    out = io.StringIO()
    with override_settings(KOGIA=kogia(STOER=1)), pytest.raises(CommandError, match="errors"):
        call_command("kogia", "doctor", stdout=out)
    assert "kogia.E001" in out.getvalue()
    out = io.StringIO()
    with store(BAD_STORE), pytest.raises(CommandError, match="errors"):
        call_command("kogia", "doctor", stdout=out)
    assert "cannot be opened" in out.getvalue()


@only(IS_MYSQL)
def test_doctor_tells_of_the_query_cache_of_the_server(monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute("SHOW VARIABLES LIKE 'query_cache_type'")
        [(_, is_on)] = cursor.fetchall()
        notes = lambda: " ".join(answer("doctor")["notes"])
        assert is_on == "OFF" and "query cache" not in notes()
        cursor.execute("SET GLOBAL query_cache_type = ON")
        try:
            connection.close()
            assert "the server's own query cache is ON" in notes()
        finally:
            with connection.cursor() as again:
                again.execute("SET GLOBAL query_cache_type = OFF")
            connection.close()


def test_help_has_examples():
    for name in ("kogia", "invalidate_cachalot"):
        command = load_command_class(get_commands()[name], name)
        text = command.create_parser("manage.py", name).format_help()
        assert command.help.split(":")[0].split(",")[0] in " ".join(text.split())
    assert (
        "manage.py kogia doctor"
        in load_command_class("kogia", "kogia").create_parser("manage.py", "kogia").format_help()
    )
