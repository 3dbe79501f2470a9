"""System checks of the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register

from . import _kogia, conf, stores

_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")


def _is_collection(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, dict))


def _is_names(value: Any) -> bool:
    return _is_collection(value) and all(isinstance(name, str) for name in value)


_BOOL: tuple[str, Callable[[Any], bool]] = ("True or False", lambda value: isinstance(value, bool))
_NAMES: tuple[str, Callable[[Any], bool]] = ("a list, tuple or set of names", _is_names)
_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "STORE": (
        f"None or a URL that begins with one of {', '.join(f'{name}:' for name in stores.SCHEMES)}",
        lambda value: value is None or str(value).partition(":")[0] in stores.SCHEMES,
    ),
    "TIMEOUT": (
        "a number of seconds, from 0 on, or None for the default",
        lambda value: (
            value is None
            or (
                isinstance(value, (int, float))
                and not isinstance(value, bool)
                and 0 <= value < 1e12
            )
        ),
    ),
    "DATABASES": (
        '"supported_only" or a list, tuple or set of aliases of DATABASES',
        lambda value: value == "supported_only" or _is_names(value),
    ),
    "REPLICA_OF": (
        "a dictionary of aliases of DATABASES: a replica's and that of its primary",
        lambda value: isinstance(value, dict) and _is_names([*value, *value.values()]),
    ),
    "CACHE": ("an alias of CACHES", lambda value: value in settings.CACHES),
    **{name: _NAMES for name, value in conf.DEFAULTS.items() if isinstance(value, tuple)},
    **{name: _BOOL for name, value in conf.DEFAULTS.items() if isinstance(value, bool)},
}
_WHY_NOT = {
    "QUERY_KEYGEN": "keys are made of the exact statement, its parameters and its session",
    "TABLE_KEYGEN": "a table is told by its name and by the identity of its database",
    "FINAL_SQL_CHECK": "the tables are always taken from the final SQL",
}
_CACHALOT_DEFAULTS = {
    "QUERY_KEYGEN": "cachalot.utils.get_query_cache_key",
    "TABLE_KEYGEN": "cachalot.utils.get_table_cache_key",
}


@register(Tags.caches)
def check_settings(**_: Any) -> list[CheckMessage]:
    """Unknown keys, and values that mean nothing."""
    own = getattr(settings, "KOGIA", {})
    if not isinstance(own, dict):
        return [Error("KOGIA must be a dictionary.", id="kogia.E001")]
    given = {f"KOGIA[{name!r}]": (name, value) for name, value in own.items()}
    for full in dir(settings):
        if full.startswith("CACHALOT_"):
            given[full] = (full.removeprefix("CACHALOT_"), getattr(settings, full))
    found: list[CheckMessage] = []
    for full, (name, value) in given.items():
        if name in _WHY_NOT:
            if name != "FINAL_SQL_CHECK" and value != _CACHALOT_DEFAULTS[name]:
                why = f"{full} has no effect: {_WHY_NOT[name]}."
                found.append(Warning(why, hint="Remove it.", id="kogia.W003"))
        elif name not in conf.DEFAULTS:
            names = ", ".join(sorted(conf.DEFAULTS))
            found.append(Error(f"{full} is unknown.", hint=f"There are {names}.", id="kogia.E001"))
        elif not _ALLOWED[name][1](value):
            is_url = name == "STORE" and isinstance(value, str)
            is_now = repr(stores.shown(value) if is_url else value)
            text = f"{full} must be {_ALLOWED[name][0]}, and is {is_now}."
            found.append(Error(text, id="kogia.E002"))
        elif name.endswith("_APPS"):
            found += [
                Error(f"{full} names {label!r}, which is no installed app.", id="kogia.E004")
                for label in value
                if label not in apps.app_configs
            ]
    return found


@register(Tags.caches)
def check_databases(**_: Any) -> list[CheckMessage]:
    """Databases that do not exist, and those that cannot be cached."""
    databases = conf.get("DATABASES")
    if databases == "supported_only":
        if not conf.policy().aliases:
            text = "None of the databases is cached: no engine is supported."
            hint = f"These are: {', '.join(sorted(conf.supported_engines()))}, and what inherits."
            return [Warning(text, hint=hint, id="kogia.W006")]
        databases = list(settings.DATABASES)
    if not _is_names(databases):
        return []
    if not databases:
        return [Warning("DATABASES is empty, so nothing is cached.", id="kogia.W008")]
    found: list[CheckMessage] = []
    for alias in databases:
        if alias not in settings.DATABASES:
            known = ", ".join(settings.DATABASES)
            text = f"DATABASES of Kogia names {alias!r}, which the project does not have."
            found.append(Error(text, hint=f"There are {known}.", id="kogia.E003"))
        elif not conf.is_supported(settings.DATABASES[alias]["ENGINE"]):
            engine = settings.DATABASES[alias]["ENGINE"]
            text = (
                f"The database {alias!r} is not cached, and what is written through it makes "
                f"nothing stale: {engine} is no supported engine and inherits from none."
            )
            hint = "If this is as it should be, list the other databases in KOGIA['DATABASES']."
            found.append(Warning(text, hint=hint, id="kogia.W007"))
    return found


@register(Tags.caches)
def check_replicas(**_: Any) -> list[CheckMessage]:
    """Replicas of databases that do not exist, or that are replicas themselves."""
    named = conf.get("REPLICA_OF")
    if not isinstance(named, dict) or not _is_names([*named, *named.values()]):
        return []
    known = ", ".join(settings.DATABASES)
    found: list[CheckMessage] = []
    for replica, primary in named.items():
        for alias in (replica, primary):
            if alias not in settings.DATABASES:
                text = f"KOGIA['REPLICA_OF'] names {alias!r}, which the project does not have."
                found.append(Error(text, hint=f"There are {known}.", id="kogia.E005"))
        if primary in settings.DATABASES and conf.primary_of(primary) is not None:
            text = f"KOGIA['REPLICA_OF'] names {primary!r} as a primary, and it is a replica."
            hint = "Name the database that takes the writes."
            found.append(Error(text, hint=hint, id="kogia.E005"))
    return found


@register(Tags.caches)
def check_store(**_: Any) -> list[CheckMessage]:
    """Who sees the store, and where it comes from."""
    choice = stores.choose()
    url = stores.shown(choice.url)
    found: list[CheckMessage] = []
    if choice.refusal is not None:
        text = (
            f"Nothing is cached: no store can be made of CACHES ({choice.backend}), because "
            f"{choice.refusal}."
        )
        hint = "Set KOGIA['STORE'] to the URL of a store, or KOGIA['CACHE'] to another alias."
        return [Error(text, hint=hint, id="kogia.E006")]
    if choice.backend is not None:
        text = f"Kogia's store is {url}, after CACHES ({choice.backend})."
        found.append(Info(text, hint="Set KOGIA['STORE'] to choose another.", id="kogia.I001"))
    if choice.url.startswith("memory:"):
        text = "Each process has a cache of its own in memory and does not see others' writes."
        hint = "Use a file store, unless the project runs in one process: KOGIA['STORE'] = 'file:…'"
        found.append(Warning(text, hint=hint, id="kogia.W002"))
    elif stores.is_of_this_machine(choice.url) and not conf.get("ONE_MACHINE"):
        hosts = {str(database.get("HOST") or "") for database in settings.DATABASES.values()}
        remote = sorted(
            host for host in hosts if host not in _LOCAL_HOSTS and not host.startswith("/")
        )
        if remote:
            text = (
                f"The store {url} is seen by this machine only, and the database is on "
                f"{', '.join(remote)}: what other machines write stays unseen here."
            )
            hint = "If no other machine writes to it, say KOGIA['ONE_MACHINE'] = True."
            found.append(Warning(text, hint=hint, id="kogia.W001"))
    return found + _refused(choice.url)


def _refused(url: str) -> list[CheckMessage]:
    """What the engine says against a store behind a network.

    Others are not tried: opening them makes files, which would be this user's.
    """
    if url.startswith(("memory:", "file:")):
        return []
    try:
        _kogia.Cache(url)
    except ValueError as error:
        text = f"Nothing is cached: the engine does not take the store {stores.shown(url)}: {error}"
        hint = "Use another store: KOGIA['STORE'] = 'file:///a/folder', for instance."
        return [Error(text, hint=hint, id="kogia.E007")]
    except RuntimeError as error:
        text = f"The store cannot be opened now, and nothing is cached until it can be: {error}"
        return [Warning(text, id="kogia.W009")]
    return []
