"""Notes that the processes of a machine leave for one another, for people to read.

They stand beside a file store; with another store each process has its own. A note is a moment and,
where it costs nothing that anybody would mind, a text. No decision about freshness asks for them.

All moments are in one file that each process maps into its memory, because every write of the
application notes one. A name chooses its place there. Two names may share one; then the later moment
counts for both. Texts are files of their own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import mmap
import os
import pathlib
import time
from typing import NamedTuple

from . import engine, stores

# Two of five hundred tables share a place every other time. The file takes two megabytes.
_PLACES = 1 << 18
# How many seconds a process may not notice that somebody has deleted the folder.
_WATCH_INTERVAL = 1.0
_LONGEST_TEXT = 4_000


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
    """Notes that something happened now. A folder that cannot be written costs the note."""
    shared = _shared()
    if shared is None:
        _in_memory[name] = Note(time.time(), text)
        return
    if time.monotonic() - shared.watched > _WATCH_INTERVAL:
        shared.watch()
    now = time.time_ns()
    if text:
        # First, so that nobody finds the moment and an older text.
        shared.write_text(name, f"{now}\n{text[:_LONGEST_TEXT]}")
    moments = shared.moments
    if moments is not None:
        moments[_place(name)] = now


def read(name: str) -> Note | None:
    """The last note of a name."""
    shared = _shared()
    if shared is None:
        return _in_memory.get(name)
    at = shared.moment(name)
    moment, _, text = shared.read_text(name).partition("\n")
    # A note without a text may be later than one that had a text.
    return Note(at / 1e9, text if moment == str(at) else "") if at else None


def last(name: str) -> float:
    """The moment of the last note of a name, or 0."""
    shared = _shared()
    if shared is None:
        note = _in_memory.get(name)
        return 0.0 if note is None else note.at
    return shared.moment(name) / 1e9


def forget() -> None:
    """Forgets what this process knows by itself."""
    _in_memory.clear()


class _Shared:
    """The notes in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.moments: memoryview | None = None
        self.watched = 0.0
        self._file: tuple[int, int] | None = None

    def watch(self) -> None:
        """Maps the file of the moments, if it is another one than before."""
        path = self.folder / "moments"
        try:
            found = os.stat(path)
            is_ours = (found.st_dev, found.st_ino) == self._file
        except OSError:
            is_ours = False
        if not is_ours:
            # Another thread may be about to use the old ones, so they stay until there are new ones.
            with contextlib.suppress(OSError), self._open(path) as file:
                # A page without a place on a disk that is full would end the process.
                os.posix_fallocate(file.fileno(), 0, 8 * _PLACES)
                found = os.fstat(file.fileno())
                self.moments = memoryview(mmap.mmap(file.fileno(), 8 * _PLACES)).cast("Q")
                self._file = (found.st_dev, found.st_ino)
        self.watched = time.monotonic()

    def moment(self, name: str) -> int:
        """When something last happened, in nanoseconds since 1970; 0 if never."""
        self.watch()
        moments = self.moments
        return 0 if moments is None else moments[_place(name)]

    def write_text(self, name: str, text: str) -> None:
        with contextlib.suppress(OSError), self._open(self.folder / name) as file:
            file.truncate()
            file.write(text.encode(errors="replace"))

    def read_text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(errors="replace")
        except OSError:
            return ""

    def _open(self, path: pathlib.Path) -> io.FileIO:
        # Only the user who runs the application reads them: they name its tables and statements.
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")


@functools.lru_cache(maxsize=4_096)
def _place(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % _PLACES


def _shared() -> _Shared | None:
    return _shared_beside(engine.url or stores.choose().url)


@functools.lru_cache(maxsize=8)
def _shared_beside(url: str) -> _Shared | None:
    store = stores.folder(url)
    return None if store is None else _Shared(store.with_name(store.name + ".times"))
