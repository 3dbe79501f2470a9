"""Who watches what becomes of reads: the toolbar's panel and the test helpers.

Nobody watches in production, and then a hit pays for one look at a context variable.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from . import _kogia, notes

# How many times of queries are kept.
_TIMES = 4096


@dataclass(slots=True)
class Read:
    """One read."""

    alias: str
    sql: str
    # `hit`, `miss`, `stale` or `bypass`.
    outcome: str
    # Why it bypassed the cache.
    reason: str | None
    # How long the answer took, in seconds.
    seconds: float = 0.0
    # How much longer the database took when it was last asked while somebody watched.
    saved: float = 0.0


@dataclass(slots=True)
class Recording:
    """What became of the reads and writes of a block of code."""

    reads: list[Read] = field(default_factory=list)
    # Databases, tables and the statements that changed them.
    invalidated: list[tuple[str, str, str]] = field(default_factory=list)
    # What the block is: a request, for the panel.
    name: str = ""

    def count(self, outcome: str) -> int:
        """How many reads had an outcome."""
        return sum(read.outcome == outcome for read in self.reads)

    @property
    def saved(self) -> float:
        """The seconds that hits saved."""
        return sum(read.saved for read in self.reads)

    def read(self, alias: str, sql: str, outcome: tuple[str, str | None], began: float) -> Read:
        """Notes a read that was looked up."""
        noted = Read(alias, sql, *outcome, seconds=time.perf_counter() - began)
        if noted.outcome == "hit":
            noted.saved = max(0.0, _took(alias, sql, noted.seconds) - noted.seconds)
        self.reads.append(noted)
        return noted


current: ContextVar[Recording | None] = ContextVar("kogia_recording", default=None)


@contextlib.contextmanager
def record(name: str = "") -> Iterator[Recording]:
    """Records the reads of a block of code, in this thread or task alone.

    A recording around it has them, too, when the block ends.
    """
    outer = current.get()
    recording = Recording(name=name or (outer.name if outer is not None else ""))
    token = current.set(recording)
    try:
        yield recording
    finally:
        current.reset(token)
        if outer is not None:
            outer.reads += recording.reads
            outer.invalidated += recording.invalidated


def last_outcome() -> tuple[str, str | None]:
    """What became of this thread's last look-up."""
    return _kogia.last_outcome() or ("bypass", None)


def ran(alias: str, sql: str, seconds: float) -> None:
    """Notes how long the database took."""
    recording = current.get()
    if recording is None:
        return
    slot, name = _slot(alias, sql)
    notes.write(slot, f"{name} {seconds}")
    if recording.reads and recording.reads[-1].sql == sql:
        recording.reads[-1].seconds = seconds


def invalidated(alias: str, table: str, cause: str) -> None:
    """Notes that a table was invalidated, and by which statement."""
    recording = current.get()
    if recording is not None:
        recording.invalidated.append((alias, table, cause))


def _took(alias: str, sql: str, unknown: float) -> float:
    """How long a query took when any process ran it while somebody watched."""
    slot, name = _slot(alias, sql)
    note = notes.read(slot)
    found, _, seconds = note.text.partition(" ") if note is not None else ("", "", "")
    return float(seconds) if found == name else unknown


def _slot(alias: str, sql: str) -> tuple[str, str]:
    """Where the time of a query is noted, and its name there: the slots are not endless."""
    name = notes.name(alias, sql)
    return f"query-{int(name, 16) % _TIMES}", name
