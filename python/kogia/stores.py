"""Which store the process opens: that of the settings, of cachalot's settings, or the default."""

from __future__ import annotations

import hashlib
import os
import pathlib
import tempfile
from typing import Any, NamedTuple

from django.conf import settings

from . import conf

_LATER = ("redis", "memcached")


class Choice(NamedTuple):
    """A store's URL, and where it comes from."""

    url: str
    # The backend of `CACHES` that it was derived from, if it was.
    backend: str | None = None
    # Whether that backend has no store of its own yet.
    is_substitute: bool = False


def choose() -> Choice:
    """The store."""
    url = conf.get("STORE")
    if url is not None:
        return Choice(str(url))
    if not any(name.startswith("CACHALOT_") for name in dir(settings)):
        return Choice(_default())
    cache: dict[str, Any] = settings.CACHES.get(conf.get("CACHE"), {})
    backend = str(cache.get("BACKEND", ""))
    if backend.endswith(".LocMemCache"):
        return Choice("memory:", backend)
    if backend.endswith(".FileBasedCache"):
        return Choice(f"file://{pathlib.Path(cache['LOCATION']).absolute()}/kogia", backend)
    return Choice(_default(), backend, any(kind in backend.lower() for kind in _LATER))


def folder(url: str) -> pathlib.Path | None:
    """The folder of a file store."""
    scheme, _, rest = url.partition(":")
    if scheme != "file":
        return None
    return pathlib.Path("/" + rest.partition("?")[0].lstrip("/"))


def _default() -> str:
    """A folder of the project's user."""
    project = str(getattr(settings, "BASE_DIR", "")) or settings.SETTINGS_MODULE
    name = hashlib.sha256(project.encode()).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME")
    home = pathlib.Path(base) if base else pathlib.Path.home() / ".cache"
    if not os.access(home if home.exists() else home.parent, os.W_OK):
        home = pathlib.Path(tempfile.gettempdir()) / f"kogia-{os.getuid()}"
    return f"file://{home}/kogia/{name}"
