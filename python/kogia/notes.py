"""Notes that the processes of a machine leave for one another, for people to read.

They stand beside a file store, one small file for each; with a store in memory each process has
its own. A note is a moment and, where it costs nothing that anybody would mind, a text. No
decision about freshness asks for them. They are written by `src/notes.rs`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from typing import NamedTuple

from . import engine, stores


class Note(NamedTuple):
    """A note: its moment in seconds since 1970, and its text, which may be empty."""

    at: float
    text: str


_in_memory: dict[str, Note] = {}


@functools.lru_cache(maxsize=4_096)
def name(*parts: str) -> str:
    """The name of a note about something."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def write(name: str, text: str = "") -> None:
    """Notes that something happened now. Nobody waits until it is written."""
    folder = _folder()
    if folder is None:
        _in_memory[name] = Note(time.time(), text)
        return
    cache = engine.opened()
    if cache is not None:
        cache.note(f"{folder}/{name}", text)


def read(name: str) -> Note | None:
    """The last note of a name."""
    folder = _folder()
    if folder is None:
        return _in_memory.get(name)
    path = f"{folder}/{name}"
    _catch_up()
    try:
        at = os.stat(path).st_mtime_ns
        with open(path, errors="replace") as file:
            moment, _, text = file.read().partition("\n")
    except OSError:
        return None
    # A note without a text may stand over an older one that had a text.
    return Note(at / 1e9, text if moment == str(at) else "")


def last(name: str) -> float:
    """The moment of the last note of a name, or 0."""
    folder = _folder()
    if folder is None:
        note = _in_memory.get(name)
        return 0.0 if note is None else note.at
    _catch_up()
    try:
        return os.stat(f"{folder}/{name}").st_mtime_ns / 1e9
    except OSError:
        return 0.0


def forget() -> None:
    """Forgets what this process knows by itself."""
    _in_memory.clear()


def _catch_up() -> None:
    cache = engine.opened()
    if cache is not None:
        cache.catch_up()


def _folder() -> str | None:
    return _folder_of(engine.url or stores.choose().url)


@functools.lru_cache(maxsize=8)
def _folder_of(url: str) -> str | None:
    store = stores.folder(url)
    return None if store is None else str(store.with_name(store.name + ".times"))
