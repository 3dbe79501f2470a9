"""Which engines are cached: Django's own, and those that inherit from one of them."""

import contextlib

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.db import connection, connections
from django.db.utils import load_backend

from kogia import conf, link

from .helpers import names, only, queries, warm
from .settings import BACKENDS, ENGINE
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


@contextlib.contextmanager
def database(engine, path):
    """A database of an engine in the place of the tests' own, with the table of the authors."""
    own, own_settings = connections["default"], settings.DATABASES["default"]
    changed = {
        **own.settings_dict,
        "ENGINE": engine,
        "NAME": str(path / "another.sqlite3"),
        "OPTIONS": {},
    }
    settings.DATABASES.update(default=changed, supported=own_settings)
    connections["default"] = load_backend(engine).DatabaseWrapper(changed, "default")
    conf._forget(setting="DATABASES")
    try:
        with connection.schema_editor() as editor:
            editor.create_model(Author)
        yield
    finally:
        connections["default"].close()
        connections["default"] = own
        del settings.DATABASES["supported"]
        settings.DATABASES["default"] = own_settings
        conf._forget(setting="DATABASES")


def count():
    """How many queries a read needs that was made before."""
    authors = Author.objects.order_by("name")
    list(authors.all()), list(authors.all())
    return queries(lambda: list(authors.all()))[1]


def warnings():
    return [check.id for check in run_checks(tags=["caches"]) if check.id.startswith("kogia.W00")]


def test_the_engine_of_these_tests():
    assert connection.settings_dict["ENGINE"].startswith(BACKENDS)
    assert type(connections["default"]).__module__.startswith(BACKENDS)
    assert "default" in conf.policy().aliases
    Author.objects.create(name="Melville")
    assert warm() == ["Melville"]


def test_an_engine_that_inherits(tmp_path):
    with database("tests.engines.heir", tmp_path):
        assert count() == 0
        Author.objects.create(name="Melville")
        assert names() == ["Melville"]
        assert count() == 0
        assert warnings() == []


def test_an_engine_that_does_not_inherit(tmp_path):
    with database("tests.engines.stranger", tmp_path):
        assert connection.vendor == "sqlite"
        assert link.of(connections["default"]) is None
        Author.objects.create(name="Melville")
        assert (count(), names()) == (1, ["Melville"])
        assert warnings() == ["kogia.W007"]
        with conf.override(DATABASES=["default"]):
            assert warnings() == ["kogia.W007"]
            assert count() == 1
        with conf.override(DATABASES=["supported"]):
            assert warnings() == []
            assert count() == 1
        del settings.DATABASES["supported"]
        conf._forget(setting="DATABASES")
        assert warnings() == ["kogia.W006"]
        settings.DATABASES["supported"] = {}


@pytest.mark.parametrize(
    "changes",
    [
        {"ADDITIONAL_SUPPORTED_DATABASES": ["tests.engines.stranger"]},
        {"USE_UNSUPPORTED_DATABASE": True},
    ],
)
def test_an_engine_that_is_said_to_be_supported(changes, tmp_path):
    with conf.override(**changes), database("tests.engines.stranger", tmp_path):
        assert count() == 0
        Author.objects.create(name="Melville")
        assert names() == ["Melville"]
        assert warnings() == []


def test_an_engine_for_another_server(monkeypatch):
    from .engines.heir.base import DatabaseWrapper

    monkeypatch.setattr(DatabaseWrapper, "vendor", "whale")
    assert not conf.is_supported("tests.engines.heir")
    with conf.override(USE_UNSUPPORTED_DATABASE=True):
        assert not conf.is_supported("tests.engines.heir")
    assert not conf.is_supported("tests.engines.nowhere")


@only(ENGINE == "prometheus")
def test_a_hit_is_no_query_for_prometheus():
    from prometheus_client import REGISTRY

    labels = {"alias": "default", "vendor": connection.vendor}
    executed = lambda: REGISTRY.get_sample_value("django_db_execute_total", labels)
    Author.objects.create(name="Melville")
    warm()
    before = executed()
    assert [author.name for author in Author.objects.order_by("name")] == ["Melville"]
    missed = executed()
    assert missed == before + 1
    assert queries(lambda: list(Author.objects.order_by("name")))[1] == 0
    assert executed() == missed
