"""What goes wrong without stopping the application: a log line, once for each thing."""

from __future__ import annotations

import itertools
import logging
import time

from django.db import OperationalError

logger = logging.getLogger("kogia")

# The same line comes again after this many seconds at the earliest.
REPEAT = 60.0

_said: dict[str, float] = {}

# How many results were not stored because of a value of each type. Two at once may count as one: a
# lock could be held while the process is forked.
unknown_types: dict[str, int] = {}


class InvalidationRefused(OperationalError):
    """The store cannot be told of a write, and `STRICT` says to refuse such a write."""


def store_failed(message: str) -> None:
    """The store failed in the middle of its work; the engine calls this."""
    once("store", "The store failed, so queries go to the database: %s", message)


def once(key: str, text: str, *args: object) -> None:
    """Writes a line to the log, unless one with this key was written a moment ago."""
    now = time.monotonic()
    if key not in _said or now - _said[key] > REPEAT:
        _said[key] = now
        logger.error(text, *args)


def not_cached(type_name: str) -> None:
    """A result holds a value of a type that has no exact form in the store."""
    unknown_types[type_name] = unknown_types.get(type_name, 0) + 1
    key = f"type {type_name}"
    if key not in _said:
        _said[key] = time.monotonic()
        logger.warning("Results that hold a value of the type %s are not cached.", type_name)


def not_understood(word: str) -> None:
    """Nobody can say what a statement has written; its text may hold what is no log's business."""
    # What is no keyword may be anything.
    word = "".join(itertools.takewhile(str.isalpha, word)) or "no word"
    key = f"statement {word}"
    if key not in _said:
        _said[key] = time.monotonic()
        text = "A statement that begins with %s makes all results stale, because what it writes is not known: "
        logger.warning(text + "'manage.py kogia explain' says why.", word)


def reset() -> None:
    """Forgets what was said."""
    _said.clear()
    unknown_types.clear()
