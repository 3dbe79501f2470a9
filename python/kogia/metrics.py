"""Counters for Prometheus, if `prometheus_client` is installed.

They are read from the engine when they are asked for, so a hit pays nothing. They count one
process, as those of Django do; `prometheus_client` in its mode for several processes does not
collect them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import engine, faults

_READS = ("hits", "misses", "stale", "bypasses")
_EVENTS = {
    "fills": "Results that were stored.",
    "invalidations": "Writes that made results stale.",
    "store_errors": "Failures of the store.",
}
_GAUGES = {"entries": "Results in the store.", "bytes": "Bytes of the store in use."}


class Collector:
    """What the registry of `prometheus_client` asks."""

    def collect(self) -> Iterator[Any]:
        """The present numbers."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        cache = engine.opened()
        stats = cache.stats() if cache is not None else {}
        reads = CounterMetricFamily("kogia_reads", "Reads by outcome.", labels=["outcome"])
        for name in _READS:
            reads.add_metric([name], stats.get(name, 0))
        yield reads
        unknown = CounterMetricFamily(
            "kogia_unknown_types", "Results not stored, by the type of a value.", labels=["type"]
        )
        for name, count in list(faults.unknown_types.items()):
            unknown.add_metric([name], count)
        yield unknown
        for name, text in _EVENTS.items():
            yield CounterMetricFamily(f"kogia_{name}", text, value=stats.get(name, 0))
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"kogia_{name}", text, value=stats.get(name, 0))


_collector: Collector | None = None


def install() -> None:
    """Registers the counters, once, if the package is there."""
    global _collector
    try:
        from prometheus_client import REGISTRY
    except ImportError:
        return
    if _collector is None:
        _collector = Collector()
        REGISTRY.register(_collector)
