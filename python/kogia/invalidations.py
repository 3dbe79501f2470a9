"""When and by what tables were last invalidated, and who is told.

All processes of a machine that share a file store share these times, too (`kogia.notes`).
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings

from . import conf, notes, observe, signals

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# The name that stands for all tables of a database.
EVERYTHING = "*"


def note(database: str, changed: Mapping[str, str], cache_alias: str | None = None) -> None:
    """Notes that tables of a database were invalidated now, and which statement did it."""
    # What did it is for the toolbar's panel: without it, writes do not pay for its text.
    text = _origin() if settings.DEBUG or "debug_toolbar" in apps.app_configs else None
    for table, cause in changed.items():
        name = notes.name(database, table, cache_alias or "")
        notes.write(name, f"{text}\n{cause}" if text else "")


def last(database: str, tables: Iterable[str], cache_alias: str | None = None) -> float:
    """When one of these tables was last invalidated, in seconds since 1970; 0 if never."""
    return max(
        notes.last(notes.name(database, table, alias or ""))
        for table in {*tables, EVERYTHING}
        for alias in {None, cache_alias}
    )


def why(database: str, table: str) -> tuple[float, str, str] | None:
    """When a table was last invalidated, by whom, and by which statement, as far as noted."""
    names = [notes.name(database, name, "") for name in (table, EVERYTHING)]
    found = [notes.read(name) for name in names]
    latest = max((note for note in found if note is not None), default=None)
    if latest is None:
        return None
    origin, _, cause = latest.text.partition("\n")
    return latest.at, origin, cause


def tell(wrapper: BaseDatabaseWrapper, changed: Mapping[str, str]) -> None:
    """Sends the signal for tables by their canonical names."""
    if observe.current.get() is None and not signals.post_invalidation.receivers:
        return
    names = _names()
    for table, cause in sorted(changed.items()):
        if table == EVERYTHING:
            continue
        name = names.get(table, table)
        observe.invalidated(wrapper.alias, name, cause)
        signals.post_invalidation.send_robust(name, db_alias=wrapper.alias)


def _origin() -> str:
    """Who is at work: a request, or the program that runs."""
    recording = observe.current.get()
    program = pathlib.Path(sys.argv[0] if sys.argv else "").name or "python"
    name = recording.name if recording is not None and recording.name else program
    return f"{name}, process {os.getpid()}".replace("\n", " ")


def _names() -> dict[str, str]:
    """How the models call their tables."""
    models = apps.get_models(include_auto_created=True)
    return {conf.canonical(model._meta.db_table): model._meta.db_table for model in models}
