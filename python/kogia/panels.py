"""A panel for the Django Debug Toolbar: add `"kogia.panels.KogiaPanel"` to its panels."""

from __future__ import annotations

import datetime
import time
from typing import Any

from debug_toolbar.panels import Panel
from django.apps import apps
from django.db import connections
from django.utils import timezone
from django.utils.timesince import timesince

from . import conf, invalidations, link, observe


class KogiaPanel(Panel):
    """What the cache did for a request, and when tables were last invalidated."""

    title = "Kogia"
    template = "kogia/panel.html"

    @property
    def nav_subtitle(self) -> str:
        """The line in the toolbar."""
        stats = self.get_stats()
        if not stats:
            return ""
        return f"{stats['hits']} hits, {stats['misses']} misses, {stats['bypasses']} bypasses"

    def process_request(self, request: Any) -> Any:
        """Records the reads of a request."""
        with observe.record() as self.recording:
            return super().process_request(request)

    def generate_stats(self, request: Any, response: Any) -> None:
        """Sums them up."""
        recording = self.recording
        self.record_stats(
            {
                "hits": recording.count("hit"),
                "misses": recording.count("miss") + recording.count("stale"),
                "bypasses": recording.count("bypass"),
                "saved": round(recording.saved * 1000, 1),
                "reads": [
                    {
                        "alias": read.alias,
                        "sql": read.sql,
                        "outcome": read.outcome,
                        "reason": read.reason or "",
                        "milliseconds": round(read.seconds * 1000, 2),
                        "saved": round(read.saved * 1000, 2),
                    }
                    for read in recording.reads
                ],
                "invalidated": [list(found) for found in recording.invalidated],
                "tables": _tables(),
            }
        )


def _tables() -> list[list[str]]:
    """Databases, tables, and how long ago they were invalidated; the latest first."""
    now = time.time()
    found = []
    for wrapper in connections.all(initialized_only=True):
        connection = link.of(wrapper)
        if connection is None or connection.database is None:
            continue
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            last = invalidations.last(connection.database.name, [conf.canonical(table)])
            if last:
                found.append((now - last, wrapper.alias, table))
    return [[alias, table, _ago(seconds)] for seconds, alias, table in sorted(found)]


def _ago(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    now = timezone.now()
    return timesince(now - datetime.timedelta(seconds=seconds), now)
