"""The settings: `KOGIA`, and those of django-cachalot under their own names."""

from __future__ import annotations

import hashlib
import os
import pathlib
import tempfile
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

DEFAULTS: dict[str, Any] = {
    "ENABLED": True,
    "STORE": None,
    "TIMEOUT": 3600,
    "DATABASES": "supported_only",
    "CACHE_RAW": False,
    "CACHE_ITERATORS": True,
    "INVALIDATE_RAW": True,
    "ONLY_CACHABLE_TABLES": (),
    "ONLY_CACHABLE_APPS": (),
    "UNCACHABLE_TABLES": ("django_migrations",),
    "UNCACHABLE_APPS": (),
    "STRICT": False,
}

_cached: dict[str, Any] = {}


def get(name: str) -> Any:
    """The value of a setting now."""
    try:
        return _cached[name]
    except KeyError:
        value = _read(name)
        _cached[name] = value
        return value


def _read(name: str) -> Any:
    own = getattr(settings, "KOGIA", {})
    if name in own:
        return own[name]
    value = getattr(settings, f"CACHALOT_{name}", DEFAULTS[name])
    if name == "TIMEOUT" and value is None:
        # For cachalot this means for ever. An entry always ends: the bound on what nobody saw.
        return DEFAULTS["TIMEOUT"]
    return value


def store_url() -> str:
    """The store's URL; by default a file store in a folder of the project's user."""
    url = get("STORE")
    if url is not None:
        return str(url)
    project = str(getattr(settings, "BASE_DIR", "")) or settings.SETTINGS_MODULE
    name = hashlib.sha256(project.encode()).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME")
    folder = pathlib.Path(base) if base else pathlib.Path.home() / ".cache"
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        folder = pathlib.Path(tempfile.gettempdir()) / f"kogia-{os.getuid()}"
    return f"file://{folder}/kogia/{name}"


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "KOGIA" or setting.startswith("CACHALOT_"):
        _cached.clear()


setting_changed.connect(_forget)
