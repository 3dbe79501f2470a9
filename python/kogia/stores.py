"""Which store the process opens: that of the settings, of cachalot's settings, or the default."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import sys
import tempfile
from typing import Any, NamedTuple

from django.conf import settings

from . import caches, conf

# What a store's URL begins with.
SCHEMES = (
    *("memory", "file", "redis", "rediss", "unix", "valkey", "valkeys", "memcached"),
    *("redis-sentinel", "valkey-sentinel", "redis+unix", "valkey+unix"),
    *("redis-cluster", "rediss-cluster", "valkey-cluster", "valkeys-cluster"),
)
_ON_THIS_MACHINE = ("", "localhost", "127.0.0.1", "::1")
# No store: the engine refuses it, and nothing is cached.
NONE = "none:"


class Choice(NamedTuple):
    """A store's URL, and where it comes from."""

    url: str
    # The backend of `CACHES` that it was derived from, if it was.
    backend: str | None = None
    # Why no store can be made of that backend.
    refusal: str | None = None


def choose() -> Choice:
    """The store."""
    url = conf.get("STORE")
    if url is not None:
        return Choice(str(url))
    cache: dict[str, Any] = settings.CACHES.get(conf.get("CACHE"), {})
    backend = str(cache.get("BACKEND", ""))
    if caches.is_shared(backend):
        try:
            return Choice(caches.store_url(cache), backend)
        except caches.Unmappable as error:
            # Not the default: others may share this cache from other machines, and what they
            # write would stay unseen here.
            return Choice(NONE, backend, str(error))
    if any(name.startswith("CACHALOT_") for name in dir(settings)):
        if backend.endswith(".LocMemCache"):
            return Choice("memory:", backend)
        if backend.endswith(".FileBasedCache"):
            return Choice(f"file://{pathlib.Path(cache['LOCATION']).absolute()}/kogia", backend)
        return Choice(_default(), backend)
    return Choice(_default())


def shown(url: str) -> str:
    """A store's URL as it may be shown: without its password."""
    return caches.without_secrets(url)


def is_of_this_machine(url: str) -> bool:
    """Whether only the processes of this machine see the store."""
    scheme, _, rest = url.partition(":")
    if scheme in ("memory", "file") or scheme.endswith("unix"):
        return True
    servers = rest.partition("?")[0].removeprefix("//").rpartition("@")[2].partition("/")[0]
    hosts = (re.sub(r":[0-9]*$", "", server).strip("[]") for server in servers.split(","))
    return scheme in SCHEMES and all(host in _ON_THIS_MACHINE for host in hosts)


def folder(url: str) -> pathlib.Path | None:
    """The folder of a file store."""
    scheme, _, rest = url.partition(":")
    if scheme != "file":
        return None
    return pathlib.Path("/" + rest.partition("?")[0].lstrip("/"))


def _default() -> str:
    """A folder of the project's user."""
    # Settings that are made in a program have no module.
    project = str(getattr(settings, "BASE_DIR", "") or settings.SETTINGS_MODULE or "")
    project = project or os.path.abspath(sys.argv[0] if sys.argv else "")
    name = hashlib.sha256(project.encode()).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME")
    home = pathlib.Path(base) if base else pathlib.Path.home() / ".cache"
    if not os.access(home if home.exists() else home.parent, os.W_OK):
        home = pathlib.Path(tempfile.gettempdir()) / f"kogia-{os.getuid()}"
    return f"file://{home}/kogia/{name}"
