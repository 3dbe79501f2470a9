"""Notes that the processes of a machine leave for one another, for people to read.

They stand beside a file store, one small file for each; with a store in memory each process has
its own. A note is a moment and, where it costs nothing that anybody would mind, a text. No
decision about freshness asks for them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from typing import NamedTuple

from . import engine, stores

# No text is longer.
_LONGEST = 4_000


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
    """Notes that something happened now. Without a text this is one call of the system."""
    folder = _folder()
    if folder is None:
        _in_memory[name] = Note(time.time(), text)
        return
    path = f"{folder}/{name}"
    # A folder that cannot be written costs the note, not what it is about.
    with contextlib.suppress(OSError):
        try:
            _write(path, text)
        except FileNotFoundError:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, mode=0o600))
            _write(path, text)


def read(name: str) -> Note | None:
    """The last note of a name."""
    folder = _folder()
    if folder is None:
        return _in_memory.get(name)
    path = f"{folder}/{name}"
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
    try:
        return os.stat(f"{folder}/{name}").st_mtime_ns / 1e9
    except OSError:
        return 0.0


def forget() -> None:
    """Forgets what this process knows by itself."""
    _in_memory.clear()


def _folder() -> str | None:
    return _folder_of(engine.url or stores.choose().url)


@functools.lru_cache(maxsize=8)
def _folder_of(url: str) -> str | None:
    store = stores.folder(url)
    return None if store is None else str(store.with_name(store.name + ".times"))


def _write(path: str, text: str) -> None:
    now = time.time_ns()
    if text:
        file = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(file, f"{now}\n{text[:_LONGEST]}".encode(errors="replace"))
        finally:
            os.close(file)
    os.utime(path, ns=(now, now))
