"""Counters for Prometheus."""

import sys

import pytest
from prometheus_client import REGISTRY, generate_latest

from kogia import engine, faults, metrics

from .helpers import names, warm
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels)


def reads():
    outcomes = ("hits", "misses", "stale", "bypasses")
    return [value("kogia_reads_total", outcome=outcome) for outcome in outcomes]


def changes(call):
    """By how much the counts of reads rise."""
    before = reads()
    call()
    return [after - earlier for after, earlier in zip(reads(), before, strict=True)]


def test_reads_are_counted_by_their_outcomes():
    warm()
    assert changes(names) == [1, 0, 0, 0]
    assert changes(lambda: Author.objects.filter(pk=987654).first()) == [0, 1, 0, 0]
    Author.objects.create(name="Melville")
    assert changes(names) == [0, 0, 1, 0]
    assert changes(lambda: list(Author.objects.order_by("?"))) == [0, 0, 0, 1]


def test_results_that_no_store_takes_are_counted_by_the_type():
    before = value("kogia_unknown_types_total", type="Strange") or 0
    faults.not_cached("Strange")
    faults.not_cached("Strange")
    assert value("kogia_unknown_types_total", type="Strange") == before + 2


def test_fills_invalidations_and_the_store_are_counted():
    warm()
    before = {name: value(f"kogia_{name}_total") for name in ("fills", "invalidations")}
    Author.objects.create(name="Melville")
    warm()
    assert value("kogia_fills_total") > before["fills"]
    assert value("kogia_invalidations_total") > before["invalidations"]
    assert value("kogia_store_errors_total") == 0
    assert value("kogia_entries") > 0
    assert value("kogia_bytes") > 0


def test_what_prometheus_is_answered():
    text = generate_latest().decode()
    assert 'kogia_reads_total{outcome="hits"}' in text
    assert "# TYPE kogia_reads_total counter" in text or "# TYPE kogia_reads counter" in text
    assert "# TYPE kogia_entries gauge" in text
    assert "# HELP kogia_invalidations_total Writes that made results stale." in text


def test_a_process_that_has_not_opened_its_store(monkeypatch):
    monkeypatch.setattr(engine, "opened", lambda: None)
    assert reads() == [0, 0, 0, 0]
    assert value("kogia_entries") == 0


def test_the_counters_are_registered_once():
    registered = metrics._collector
    assert registered is not None
    metrics.install()
    assert metrics._collector is registered


def test_nothing_breaks_without_the_package(monkeypatch):
    monkeypatch.setattr(metrics, "_collector", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    metrics.install()
    assert metrics._collector is None
    Author.objects.create(name="Melville")
    assert warm() == ["Melville"]
