"""Helpers for the tests of projects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

from . import conf, link, observe


@contextlib.contextmanager
def assert_cached(*, misses: int = 0, bypasses: int = 0) -> Iterator[observe.Recording]:
    """A block whose reads are answered by the cache, but for so many misses and bypasses.

    Says for each other read what became of it. A transaction's reads of what it wrote itself
    bypass the shared cache, so use `TransactionTestCase` rather than `TestCase`.
    """
    with observe.record() as recording:
        yield recording
    found = recording.count("miss") + recording.count("stale"), recording.count("bypass")
    if not recording.reads or found != (misses, bypasses):
        lines = [
            f"{read.outcome}{f' ({read.reason})' if read.reason else ''}: {read.sql}"
            for read in recording.reads
        ]
        reads = "\n".join(lines) or "There were no reads."
        raise AssertionError(
            f"{misses} misses and {bypasses} bypasses were expected, {found[0]} and {found[1]} "
            f"happened.\n{reads}"
        )


def tables(queryset: QuerySet[Any]) -> set[str]:
    """The tables that a queryset reads, by the analysis of its SQL."""
    wrapper = connections[queryset.db]
    found = link.of(wrapper)
    wrapper.ensure_connection()
    if found is None or found.database is None:
        raise AssertionError(f"The database {queryset.db} is not cached.")
    sql, _ = queryset.query.get_compiler(queryset.db).as_sql()
    return set(found.database.analyze(sql)[0])


def assert_tables(queryset: QuerySet[Any], *expected: str | type[Model]) -> None:
    """Checks on which tables a queryset depends."""
    names = {
        conf.canonical(table if isinstance(table, str) else table._meta.db_table)
        for table in expected
    }
    found = tables(queryset)
    if found != names:
        raise AssertionError(f"It reads {sorted(found)}, and {sorted(names)} were expected.")
