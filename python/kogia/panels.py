"""A panel for the Django Debug Toolbar: add `"kogia.panels.KogiaPanel"` to its panels."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from typing import Any

from debug_toolbar.panels import Panel
from django.apps import apps
from django.db import connections
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.timesince import timesince

from . import conf, invalidations, link, observe

# The beginning of a statement that is longer is shown, and the rest on a click.
_SHORT = 160


class KogiaPanel(Panel):
    """What the cache did for a request, and when and by what tables were last invalidated."""

    title = "Kogia"
    template = "kogia/panel.html"

    @property
    def nav_subtitle(self) -> str:
        """The line in the toolbar."""
        stats = self.get_stats()
        if not stats:
            return ""
        hits, misses, bypasses = stats["hits"], stats["misses"], stats["bypasses"]
        return ", ".join(
            (
                f"{hits} hit{pluralize(hits)}",
                f"{misses} miss{pluralize(misses, 'es')}",
                f"{bypasses} bypass{pluralize(bypasses, 'es')}",
            )
        )

    def process_request(self, request: Any) -> Any:
        """Records the reads of a request."""
        with observe.record(f"{request.method} {request.path}") as self.recording:
            return super().process_request(request)

    def generate_stats(self, request: Any, response: Any) -> None:
        """Sums them up."""
        recording = self.recording
        bypasses = Counter(read.reason for read in recording.reads if read.outcome == "bypass")
        self.record_stats(
            {
                "hits": recording.count("hit"),
                "misses": recording.count("miss") + recording.count("stale"),
                "bypasses": recording.count("bypass"),
                "took": _milliseconds(sum(read.seconds for read in recording.reads)),
                "saved": _milliseconds(recording.saved),
                "reasons": [[reason, count] for reason, count in bypasses.most_common()],
                "reads": [
                    {
                        "alias": read.alias,
                        "sql": read.sql,
                        "short": _short(read.sql),
                        "outcome": read.outcome,
                        "reason": read.reason or "",
                        "milliseconds": _milliseconds(read.seconds),
                        "saved": _milliseconds(read.saved),
                    }
                    for read in recording.reads
                ],
                "invalidated": [
                    {"alias": alias, "table": table, "sql": cause, "short": _short(cause)}
                    for alias, table, cause in recording.invalidated
                ],
                "tables": _tables(),
            }
        )


def _tables() -> list[dict[str, str]]:
    """When and by what the tables of models were last invalidated; the latest first."""
    now = time.time()
    found = []
    for wrapper in connections.all(initialized_only=True):
        connection = link.of(wrapper)
        if connection is None or connection.database is None:
            continue
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            last = invalidations.why(connection.database.name, conf.canonical(table))
            if last is not None:
                at, origin, cause = last
                found.append((now - at, wrapper.alias, table, origin, cause))
    return [
        {
            "alias": alias,
            "table": table,
            "ago": _ago(seconds),
            "origin": origin,
            "sql": cause,
            "short": _short(cause),
        }
        for seconds, alias, table, origin, cause in sorted(found)
    ]


def _ago(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    now = timezone.now()
    return timesince(now - datetime.timedelta(seconds=seconds), now)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def _short(sql: str) -> str:
    """A statement as a line for people: without its columns and quotation marks."""
    text = " ".join(sql.replace('"', "").replace("`", "").split())
    begin = text.upper().find(" FROM ")
    # A subquery among the columns has a FROM of its own.
    while begin >= 0 and text.count("(", 0, begin) != text.count(")", 0, begin):
        begin = text.upper().find(" FROM ", begin + 1)
    if text.upper().startswith("SELECT ") and begin > 40:
        text = f"SELECT … {text[begin + 1 :]}"
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
