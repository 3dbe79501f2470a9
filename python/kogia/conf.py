"""The settings: `KOGIA`, and those of django-cachalot under their own names.

Every one counts at run time: `override_settings` changes it for the process, `override` for the
thread or the task alone, `QuerySet.cached` and `uncached` (see `kogia.managers`) for one query.
Only what the store is opened with (`STORE`, `STRICT`) stays as it is until the process ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.utils import load_backend

from . import _kogia, faults, introspection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

DEFAULTS: dict[str, Any] = {
    "ENABLED": True,
    "STORE": None,
    "STRICT": False,
    "ONE_MACHINE": False,
    "REPLICA_OF": {},
    "TIMEOUT": 3600,
    "DATABASES": "supported_only",
    "USE_UNSUPPORTED_DATABASE": False,
    "ADDITIONAL_SUPPORTED_DATABASES": (),
    "CACHE": "default",
    "CACHE_RAW": False,
    "CACHE_RANDOM": False,
    "CACHE_ITERATORS": True,
    "INVALIDATE_RAW": True,
    "ONLY_CACHABLE_TABLES": (),
    "ONLY_CACHABLE_APPS": (),
    "UNCACHABLE_TABLES": ("django_migrations",),
    "UNCACHABLE_APPS": (),
    "ADDITIONAL_TABLES": (),
}
# Settings of cachalot that have no meaning here; `kogia.checks` says why.
WITHOUT_MEANING = ("QUERY_KEYGEN", "TABLE_KEYGEN", "FINAL_SQL_CHECK")
# What `override` and a query's own options may say.
LOCAL = frozenset(DEFAULTS) - {"STORE", "STRICT", "CACHE", "ONE_MACHINE", "REPLICA_OF"}

# Engines of databases that are cached, and those that inherit from them.
SUPPORTED_DATABASE_ENGINES = {
    "django.db.backends.sqlite3",
    "django.db.backends.postgresql",
    "django.db.backends.mysql",
}

Overrides = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that a query needs, put together."""

    enabled: bool
    iterators: bool
    aliases: frozenset[str]
    options: _kogia.Options


_cached: dict[str, Any] = {}
_policies: dict[Overrides, Policy] = {}
_local: ContextVar[Overrides] = ContextVar("kogia_settings", default=())


def get(name: str) -> Any:
    """The value of a setting now."""
    local = _local.get()
    if local:
        for key, value in reversed(local):
            if key == name:
                return value
    try:
        return _cached[name]
    except KeyError:
        value = _read(name)
        _cached[name] = value
        return value


def policy(own: Overrides = ()) -> Policy:
    """What holds for a query now; `own` is what it says of itself."""
    overrides = _local.get() + own
    try:
        return _policies[overrides]
    except KeyError:
        with override(**dict(own)):
            try:
                made = _policy()
            except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
                # `manage.py check` says what is wrong. The application goes on without a cache.
                faults.once("settings", "Nothing is cached: a setting is wrong: %s", error)
                made = Policy(False, False, frozenset(), _kogia.Options(mode="bypass"))
        if len(_policies) > 1000:
            _policies.clear()
        _policies[overrides] = made
        return made


@contextlib.contextmanager
def override(**changes: Any) -> Iterator[None]:
    """Settings for a block of code, in this thread or task alone."""
    token = _local.set(_local.get() + overrides(changes))
    try:
        yield
    finally:
        _local.reset(token)


def overrides(changes: dict[str, Any]) -> Overrides:
    """Changed settings in a form that can be a key."""
    for name in changes:
        if name not in LOCAL:
            raise TypeError(f"{name} cannot be changed here; there are {', '.join(sorted(LOCAL))}")
    items = sorted(changes.items())
    return tuple((name, _frozen(value)) for name, value in items)


def primary_of(alias: str) -> str | None:
    """The alias of the database that this one is a replica of.

    Tests that mirror one database by another say as much, so that need not be said twice.
    """
    named = get("REPLICA_OF")
    if isinstance(named, dict) and alias in named:
        return str(named[alias])
    tests = settings.DATABASES.get(alias, {}).get("TEST") or {}
    mirrored: str | None = tests.get("MIRROR")
    return mirrored


def supported_engines() -> frozenset[str]:
    """The engines that are cached without further ado."""
    more = get("ADDITIONAL_SUPPORTED_DATABASES")
    is_list = isinstance(more, (list, tuple, set, frozenset))
    return frozenset(SUPPORTED_DATABASE_ENGINES).union(more if is_list else ())


def is_supported(engine: str) -> bool:
    """Whether an engine, or one that it inherits from, is supported."""
    try:
        return inherits(load_backend(engine).DatabaseWrapper, engine)
    except (ImproperlyConfigured, ImportError, AttributeError):
        return False


def inherits(wrapper: type[BaseDatabaseWrapper], engine: str) -> bool:
    """Whether the connections of an engine are those of a supported one, or inherit from them."""
    # An engine for another server may inherit all but the name of the vendor.
    if wrapper.vendor not in introspection.DIALECTS:
        return False
    engines = supported_engines()
    parents = {cls.__module__.removesuffix(".base") for cls in wrapper.__mro__}
    is_wanted = engine in engines or bool(get("USE_UNSUPPORTED_DATABASE"))
    return is_wanted or not engines.isdisjoint(parents)


def _policy() -> Policy:
    timeout = get("TIMEOUT")
    only = _tables("ONLY_CACHABLE")
    for alias in {name for pair in dict(get("REPLICA_OF")).items() for name in pair}:
        # A replica that nobody takes for one would keep what it says for ever.
        if alias not in settings.DATABASES:
            raise LookupError(f"REPLICA_OF names {alias!r}, which the project does not have")
    return Policy(
        enabled=bool(get("ENABLED")) and timeout > 0,
        iterators=bool(get("CACHE_ITERATORS")),
        aliases=_aliases(),
        options=_kogia.Options(
            ttl=float(timeout),
            only=only or None,
            never=_tables("UNCACHABLE"),
            random=bool(get("CACHE_RANDOM")),
        ),
    )


def _aliases() -> frozenset[str]:
    databases = get("DATABASES")
    if databases != "supported_only":
        return frozenset(databases)
    known = settings.DATABASES.items()
    return frozenset(alias for alias, database in known if is_supported(database["ENGINE"]))


def _tables(kind: str) -> list[str]:
    names = [*get(f"{kind}_TABLES")]
    for label in get(f"{kind}_APPS"):
        names += [model._meta.db_table for model in apps.all_models[label].values()]
    return [canonical(name) for name in names]


def refused_table(reads: list[str]) -> str | None:
    """Why a query that reads these tables is not cached, as far as the settings of tables say."""
    only, never = _tables("ONLY_CACHABLE"), _tables("UNCACHABLE")
    for table in reads:
        if table in never or (only and table not in only):
            return f"the settings say not to cache the table {table}"
    return None


def canonical(table: str) -> str:
    """The engine's name of a table: bare, and in lower case."""
    return table.rpartition(".")[2].strip('"`').lower()


def _read(name: str) -> Any:
    own = getattr(settings, "KOGIA", {})
    # `manage.py check` says what is wrong.
    if isinstance(own, dict) and name in own:
        return own[name]
    value = getattr(settings, f"CACHALOT_{name}", DEFAULTS[name])
    if name == "TIMEOUT" and value is None:
        # For cachalot this means for ever. An entry always ends: the bound on what nobody saw.
        return DEFAULTS["TIMEOUT"]
    return value


def _frozen(value: Any) -> Any:
    return tuple(sorted(value)) if isinstance(value, (list, set, frozenset)) else value


def _forget(*, setting: str, **_: Any) -> None:
    relevant = ("KOGIA", "DATABASES", "CACHES", "INSTALLED_APPS")
    if setting in relevant or setting.startswith("CACHALOT_"):
        _cached.clear()
        _policies.clear()


setting_changed.connect(_forget)
