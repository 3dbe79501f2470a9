"""Entries of `CACHES` that lead to Redis or Memcached, as URLs of stores on the same servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

REDIS = frozenset({"django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"})
MEMCACHED = frozenset(
    {
        "django.core.cache.backends.memcached.PyMemcacheCache",
        "django.core.cache.backends.memcached.PyLibMCCache",
        "django_pylibmc.memcached.PyLibMCCache",
        "django_bmemcached.memcached.BMemcached",
    }
)

_REDIS_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
# The clients of django-redis that keep all keys on one server. What herds do, Kogia does itself.
_CLIENTS = ("django_redis.client.DefaultClient", "django_redis.client.HerdClient")
# The one that asks sentinels where that is, as `DefaultClient` does with their factory.
_SENTINEL_CLIENT = "django_redis.client.SentinelClient"
_MEMCACHED_PORT = 11211


class Unmappable(ValueError):
    """Why no store is made of an entry of `CACHES`: a sentence without its full stop."""


def is_shared(backend: str) -> bool:
    """Whether a backend keeps its values on a server."""
    # "memcache" alone is also in the name of Django's `LocMemCache`.
    kinds = ("redis", "valkey", "memcached", "pymemcache", "pylibmc")
    return any(kind in backend.lower() for kind in kinds)


def store_url(cache: Mapping[str, Any]) -> str:
    """The URL of a store on the servers of such an entry; `Unmappable` if there is none."""
    backend = str(cache.get("BACKEND", ""))
    if backend in REDIS:
        return _redis(cache)
    if backend in MEMCACHED:
        return _memcached(cache)
    raise Unmappable(f"{backend} is not known to Kogia")


def without_secrets(url: str) -> str:
    """A URL to show: without its passwords."""
    url = re.sub(r"//([^/@:]*):[^/@]*@", r"//\1:***@", url)
    return re.sub("(sentinel_password=)[^&]*", r"\1***", url)


def _redis(cache: Mapping[str, Any]) -> str:
    # The first one is the primary for both backends. Replicas may be behind, so none is asked.
    location = _locations(cache, lambda text: re.split("[;,]", text))[0]
    parts = urlsplit(location)
    if parts.scheme not in _REDIS_SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in _REDIS_SCHEMES)
        raise Unmappable(f"its LOCATION begins with none of {schemes}")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    options = _redis_options(cache)
    trusted = _trusted({**options, **query})
    # What the URL says wins over the options, and its query over the rest of it.
    given = {
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "db": "" if parts.scheme == "unix" else unquote(parts.path).strip("/"),
    }
    user, password, database = (
        str(query.get(name) or given[name] or options.get(name) or "") for name in given
    )
    login = _login(user, password)
    said = _prefix(cache) + trusted
    if parts.scheme == "unix":
        number = [f"db={database}"] if database else []
        return f"unix://{login}{quote(unquote(parts.path))}" + _query(number + said)
    host = parts.netloc.rpartition("@")[2] or "localhost"
    path = f"/{database}" if database else ""
    if "SENTINELS" in options:
        if parts.scheme not in ("redis", "valkey"):
            raise Unmappable("it talks TLS to a server that sentinels name")
        sentinels = ",".join(_sentinel(place) for place in options["SENTINELS"])
        login_there = _sentinel_login(options)
        return f"{parts.scheme}-sentinel://{login}{sentinels}/{host}{path}" + _query(
            said + login_there
        )
    return f"{parts.scheme}://{login}{host}{path}" + _query(said)


def _redis_options(cache: Mapping[str, Any]) -> dict[str, Any]:
    """The options of both backends under the names of redis-py's."""
    options = dict(cache.get("OPTIONS") or {})
    client = options.pop("CLIENT_CLASS", _CLIENTS[0])
    if client == _SENTINEL_CLIENT and not options.get("SENTINELS"):
        raise Unmappable("its SENTINELS are missing")
    if "Shard" in str(client):
        raise Unmappable(
            "its ShardClient spreads keys over servers that know nothing of each other"
        )
    if client not in (*_CLIENTS, _SENTINEL_CLIENT):
        raise Unmappable(f"its CLIENT_CLASS {client} is not known to Kogia")
    pool = options.pop("CONNECTION_POOL_KWARGS", None) or {}
    # django-redis has this one in capitals, and what is said for the pool comes last.
    named = {"password": options["PASSWORD"]} if options.get("PASSWORD") else {}
    return {**options, **named, **pool}


def _sentinel(place: Any) -> str:
    host, port = place
    host = f"[{host}]" if ":" in str(host) else host
    return f"{host}:{port}"


def _sentinel_login(options: Mapping[str, Any]) -> list[str]:
    """Who logs in at the sentinels; how long they may take has no counterpart."""
    said = dict(options.get("SENTINEL_KWARGS") or {})
    login = {name: said.pop(name, None) for name in ("username", "password")}
    for name in said:
        if not name.startswith("socket_"):
            raise Unmappable(f"its SENTINEL_KWARGS have {name}, which Kogia has no option for")
    names = {"username": "sentinel_user", "password": "sentinel_password"}
    return [f"{names[name]}={quote(str(text), safe='')}" for name, text in login.items() if text]


def _trusted(options: Mapping[str, Any]) -> list[str]:
    """The certificates to trust; what else is said about TLS has no counterpart."""
    for name, value in options.items():
        is_default = name == "ssl_cert_reqs" and str(value).lower() == "required"
        if name.startswith("ssl_") and name != "ssl_ca_certs" and not is_default:
            raise Unmappable(f"its option {name} has to be said in Kogia's own way")
    file = str(options.get("ssl_ca_certs") or "")
    return [f"ca={quote(file, safe='/')}"] if file else []


def _memcached(cache: Mapping[str, Any]) -> str:
    options = dict(cache.get("OPTIONS") or {})
    if options.get("tls_context") is not None:
        raise Unmappable("its tls_context has to be said in Kogia's own way")
    if any(options.get(name) or cache.get(name.upper()) for name in ("username", "password")):
        # These clients log in by SASL, which is a part of the binary protocol alone.
        raise Unmappable("it logs in by SASL, and Kogia speaks Memcached's text protocol")
    # The order is that of the ring.
    servers = _locations(cache, lambda text: re.split("[;,]", text))
    sockets = [server.removeprefix("unix:") for server in servers if _is_socket(server)]
    if not sockets:
        hosts = ",".join(_host_and_port(server) for server in servers)
        return f"memcached://{hosts}" + _query(_prefix(cache))
    if len(servers) > 1:
        raise Unmappable("one of its servers is a socket, which has to be the only one")
    return f"memcached://{quote(sockets[0])}" + _query(_prefix(cache))


def _is_socket(server: str) -> bool:
    return server.startswith(("unix:", "/"))


def _host_and_port(server: str) -> str:
    server = re.sub("^inet6?:", "", server)
    if re.fullmatch(r"[^:\[\]]+|\[[0-9a-fA-F:.]+\]", server):
        return f"{server}:{_MEMCACHED_PORT}"
    if re.fullmatch(r"([^:\[\]]+|\[[0-9a-fA-F:.]+\]):[0-9]+", server):
        return server
    raise Unmappable(f"{server!r} in its LOCATION is no host and port")


def _locations(cache: Mapping[str, Any], split: Callable[[str], list[str]]) -> list[str]:
    location = cache.get("LOCATION") or ""
    listed = split(location) if isinstance(location, str) else list(location)
    if not all(isinstance(server, str) for server in listed):
        raise Unmappable("its LOCATION holds something else than texts")
    servers = [server.strip() for server in listed if server.strip()]
    if not servers:
        raise Unmappable("it has no LOCATION")
    return servers


def _login(user: str, password: str) -> str:
    if not user and not password:
        return ""
    word = f":{quote(password, safe='')}" if password else ""
    return f"{quote(user, safe='')}{word}@"


def _prefix(cache: Mapping[str, Any]) -> list[str]:
    prefix = str(cache.get("KEY_PREFIX") or "")
    return [f"prefix={quote(prefix, safe='')}"] if prefix else []


def _query(options: list[str]) -> str:
    return "?" + "&".join(options) if options else ""
