"""Settings, what applications call, and whom they tell."""

import sys
import threading
import types

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test.utils import override_settings

from kogia import api, checks, conf, managers, observe, signals, stores
from kogia.test import assert_cached, assert_tables

from .helpers import elsewhere, kogia, queries
from .shop.models import Author, Book

pytestmark = pytest.mark.django_db(transaction=True)


def count():
    """How many queries a read of the authors needs."""
    return queries(lambda: list(Author.objects.all()))[1]


@pytest.fixture(autouse=True)
def cached():
    """The authors are in the cache."""
    count(), count()
    assert count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"ENABLED": False},
        {"TIMEOUT": 0},
        {"DATABASES": []},
        {"ONLY_CACHABLE_TABLES": ["shop_book"]},
        {"ONLY_CACHABLE_APPS": ["auth"]},
        {"UNCACHABLE_TABLES": ["Shop_Author"]},
        {"UNCACHABLE_APPS": ["shop"]},
    ],
)
def test_settings_count_at_run_time(changes):
    with override_settings(KOGIA=kogia(**changes)):
        assert count() == 1
    [(name, value)] = changes.items()
    with override_settings(**{f"CACHALOT_{name}": value}):
        assert count() == 1
    with api.options(**changes):
        assert count() == 1
        assert elsewhere(count) == 0
    assert count() == 0


def test_random_results_are_cached_if_wanted():
    shuffled = lambda: queries(lambda: list(Author.objects.order_by("?")))[1]
    assert [shuffled(), shuffled()] == [1, 1]
    with api.options(CACHE_RANDOM=True):
        assert [shuffled(), shuffled()] == [1, 0]
    assert shuffled() == 1


def test_a_query_says_itself_whether_it_is_cached():
    authors = managers.CachedQuerySet(Author)
    needed = lambda found: queries(lambda: list(found.all()))[1]
    assert [needed(authors.uncached()), needed(authors)] == [1, 0]
    assert needed(authors.uncached().filter(pk__gt=0).cached(timeout=9, ENABLED=True)) == 1
    assert needed(authors.filter(pk__gt=0).cached(timeout=9)) == 0
    assert needed(authors.cached(timeout=0)) == 1
    assert queries(lambda: authors.uncached().count())[1] == 1
    with pytest.raises(TypeError, match="STORE cannot be changed"):
        authors.cached(STORE="memory:")


def test_disabled_blocks_write_as_ever():
    with api.disabled():
        assert count() == 1
        Author.objects.create(name="Melville")
    assert count() == 1
    with api.disabled(all_queries=True):
        authors = Author.objects.all()
        assert queries(lambda: (list(authors), list(authors)))[1] == 2
    assert queries(lambda: list(authors))[1] == 0


def test_invalidate_forgets_and_tells():
    told = []
    receiver = lambda sender, db_alias, **_: told.append((sender, db_alias))
    signals.post_invalidation.connect(receiver)
    try:
        for names in ([Author], ["shop.Author"], ["shop_author"], []):
            api.invalidate(*names)
            assert ("shop_author", "default") in told
            told.clear()
            assert [count(), count()] == [1, 0]
        api.invalidate(Book)
        assert count() == 0
        told.clear()
        with transaction.atomic():
            Author.objects.create(name="Melville")
            Author.objects.create(name="Poe")
            assert told == []
        assert told == [("shop_author", "default")]
        told.clear()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Author.objects.create(name="Whitman")
            raise ZeroDivisionError
        assert told == []
    finally:
        signals.post_invalidation.disconnect(receiver)


def test_invalidate_in_a_transaction_counts_when_it_commits():
    with override_settings(KOGIA=kogia(INVALIDATE_RAW=False)), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_author (name) VALUES ('Melville')")
        api.invalidate(Author)
        # Another connection may fetch the rows of before.
        if connection.vendor != "sqlite":
            assert elsewhere(lambda: [author.name for author in Author.objects.all()]) == []
    assert [author.name for author in Author.objects.all()] == ["Melville"]


def test_last_invalidation():
    before = api.get_last_invalidation(Author)
    Author.objects.create(name="Melville")
    after = api.get_last_invalidation("shop.Author")
    assert after > before
    assert api.get_last_invalidation() >= after
    api.invalidate(Author, cache_alias="other")
    assert api.get_last_invalidation(Author) == after
    assert api.get_last_invalidation(Author, cache_alias="other") > after


def test_recordings_say_what_became_of_reads():
    with assert_cached():
        list(Author.objects.all())
    with pytest.raises(AssertionError, match="bypass"), assert_cached():
        list(Author.objects.order_by("?"))
    with observe.record() as recording:
        Author.objects.create(name="Melville")
        list(Author.objects.all())
        list(Author.objects.all())
    assert [read.outcome for read in recording.reads] == ["stale", "hit"]
    assert [found[:2] for found in recording.invalidated] == [("default", "shop_author")]
    assert_tables(Book.objects.select_related("author"), Book, Author)
    with pytest.raises(AssertionError, match="shop_author"):
        assert_tables(Author.objects.all(), Book)


def test_options_of_a_thread_are_its_own():
    seen = []
    with api.disabled():
        thread = threading.Thread(target=lambda: seen.append(conf.get("ENABLED")))
        thread.start()
        thread.join()
    assert seen == [True]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"KOGIA": {"STOER": None}}, "kogia.E001"),
        ({"CACHALOT_TIMOUT": 3}, "kogia.E001"),
        ({"KOGIA": {"ENABLED": "yes"}}, "kogia.E002"),
        ({"CACHALOT_TIMEOUT": -1}, "kogia.E002"),
        ({"KOGIA": {"DATABASES": ["nowhere"]}}, "kogia.E003"),
        ({"CACHALOT_ONLY_CACHABLE_APPS": ["nothing"]}, "kogia.E004"),
        ({"KOGIA": {"STORE": "memory:"}}, "kogia.W002"),
        ({"CACHALOT_QUERY_KEYGEN": "mine.keygen"}, "kogia.W003"),
        ({"KOGIA": {"DATABASES": []}}, "kogia.W008"),
    ],
)
def test_checks(changes, expected):
    with override_settings(**changes):
        assert expected in [check.id for check in run_checks(tags=["caches"])]


def test_a_project_that_is_set_up_has_nothing_to_fix():
    assert [check for check in run_checks(tags=["caches"]) if check.id.startswith("kogia")] == []


@pytest.mark.parametrize(
    ("backend", "url", "check"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", "memory:", "kogia.I001"),
        (
            "django.core.cache.backends.filebased.FileBasedCache",
            "file:///cache/kogia",
            "kogia.I001",
        ),
        ("mine.RedisCache", "none:", "kogia.E006"),
    ],
)
def test_stores_are_derived_from_those_of_cachalot(backend, url, check):
    caches = {"default": {"BACKEND": backend, "LOCATION": "/cache"}}
    with override_settings(KOGIA={}, CACHALOT_CACHE="default", CACHES=caches):
        assert stores.choose().url.startswith(url)
        assert check in [found.id for found in checks.check_store()]


@pytest.mark.parametrize(
    "changes",
    [
        {"UNCACHABLE_TABLES": [[]]},
        {"ADDITIONAL_SUPPORTED_DATABASES": None},
        {"TIMEOUT": 10**400},
        {"REPLICA_OF": {"default": None}},
        None,
    ],
)
def test_wrong_settings_are_told_and_the_application_works_on(changes):
    wrong = None if changes is None else kogia(**changes)
    with override_settings(KOGIA=wrong):
        assert list(Author.objects.all()) == []
        Author.objects.create(name="Melville")
        assert [author.name for author in Author.objects.all()] == ["Melville"]
        found = [error for error in run_checks() if error.id in ("kogia.E001", "kogia.E002")]
        assert len(found) == 1
        assert (repr(next(iter(changes))) if changes else "dictionary") in found[0].msg


@pytest.mark.parametrize("wrong", [5, None, b"x", ["a"], ""])
def test_what_is_no_table_cannot_be_invalidated(wrong):
    with pytest.raises(TypeError, match="neither the name of a table nor a model"):
        api.invalidate(wrong)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("shop_autor", "shop_author"), ("shop.Autor", r"shop\.Author"), ("nothing_like_it", "")],
)
def test_a_name_that_stands_for_nothing_is_warned_of(wrong, near):
    hint = f"; did you mean .*{near}" if near else "$"
    with pytest.warns(UserWarning, match=f"'{wrong}' is neither a table nor a model{hint}"):
        api.invalidate(wrong)


def test_tables_without_a_model_are_tables():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE Kogia_Plain (id int)")
        try:
            list(Author.objects.all())
            api.invalidate("kogia_plain", "SHOP_AUTHOR", "any.shop_author", Book)
        finally:
            cursor.execute("DROP TABLE Kogia_Plain")


def test_a_project_without_a_folder_or_a_module_has_a_store(monkeypatch):
    made = types.SimpleNamespace(SETTINGS_MODULE=None)
    monkeypatch.setattr(stores, "settings", made)
    url = stores._default()
    assert url.startswith("file:///")
    monkeypatch.setattr(sys, "argv", ["/another/program.py"])
    assert stores._default() != url
