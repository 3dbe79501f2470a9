"""Values of types that only some drivers have.

`encode` and `decode` are for the cells of stored rows, `describe` is for parameters. All three know a
closed list of types: what is not on it is not cached.
"""

from __future__ import annotations

import enum
import ipaddress
import sys
from typing import Any

from . import _kogia

_ADDRESSES = {
    cls.__name__: cls
    for cls in (
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        ipaddress.IPv4Interface,
        ipaddress.IPv6Interface,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
    )
}
# The classes of ranges: the module, the class, and what its bounds are called.
_RANGES = {
    f"{module}.{name}": (module, name)
    for module, names in {
        "psycopg.types.range": ["Range"],
        "psycopg2._range": ["NumericRange", "DateRange", "DateTimeRange", "DateTimeTZRange"],
    }.items()
    for name in names
}
_MULTIRANGE = "psycopg.types.multirange.Multirange"
# What GeoDjango makes of a geometry for the driver, and all that such an object says.
_GEOMETRIES = {
    f"django.contrib.gis.db.backends.{name}": attributes
    for name, attributes in {
        "base.adapter.WKTAdapter": ("wkt", "srid"),
        "spatialite.adapter.SpatiaLiteAdapter": ("wkt", "srid"),
        "postgis.adapter.PostGISAdapter": ("ewkb", "srid", "geography", "is_geometry"),
    }.items()
}
# What drivers wrap a value in that is not one of theirs, and where they keep it.
_WRAPPERS = {
    "psycopg.dbapi20.Binary": "obj",
    "psycopg2.extensions.Binary": "adapted",
    "psycopg2.extras.Inet": "addr",
}
# Numbers that psycopg 3 sends as a certain type, and the plain ones that they are. The engine
# itself knows the sizes of integers, which Django uses all the time.
_NUMBERS = {
    "psycopg.types.numeric.IntNumeric": int,
    "psycopg.types.numeric.Float4": float,
    "psycopg.types.numeric.Float8": float,
}
_OF_DRIVERS = frozenset((*_RANGES, _MULTIRANGE, *_WRAPPERS, *_NUMBERS, *_GEOMETRIES))


def encode(value: Any) -> tuple[str, bytes] | None:
    """A value's type name and bytes, or `None` if its type is not known."""
    cls = type(value)
    if _ADDRESSES.get(cls.__name__) is cls:
        return cls.__name__, str(value).encode()
    name = f"{cls.__module__}.{cls.__qualname__}"
    parts: list[Any] | None = None
    if name in _RANGES and _class(name) is cls:
        parts = [value.lower, value.upper, value._bounds]
    elif name == _MULTIRANGE and _class(name) is cls:
        parts = list(value)
    packed = None if parts is None else _kogia.pack(parts)
    return None if packed is None else (name, packed)


def decode(name: str, data: bytes) -> Any:
    """The value that `encode` gave this name and these bytes for."""
    address = _ADDRESSES.get(name)
    if address is not None:
        return address(data.decode())
    cls = _class(name) if name in _RANGES or name == _MULTIRANGE else None
    if cls is None:
        raise ValueError(f"there is no {name} here")
    parts = _kogia.unpack(data)
    if name == _MULTIRANGE:
        return cls(parts)
    lower, upper, bounds = parts
    return cls(lower, upper, bounds) if bounds else cls(empty=True)


def describe(value: Any) -> bytes | None:
    """Bytes that differ for different parameters, or `None` if the type is not known."""
    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if issubclass(cls, enum.Enum) and issubclass(cls, (str, int)):
        # A choice. The driver may send another form of it, but the same for the same member.
        plain = str.__str__(value) if issubclass(cls, str) else int.__repr__(value)
        return f"{name}:{plain}".encode("utf-8", "surrogatepass")
    if _ADDRESSES.get(cls.__name__) is cls:
        return f"{name}:{value}".encode()
    if name in _RANGES and _class(name) is cls:
        return _parts(f"{name}:{value._bounds}", [value.lower, value.upper])
    if name == _MULTIRANGE and _class(name) is cls:
        return _parts(name, list(value))
    if name in _GEOMETRIES and _class(name) is cls:
        return _parts(name, [getattr(value, attribute) for attribute in _GEOMETRIES[name]])
    if cls is dict:
        # What PostgreSQL's drivers send as hstore.
        return _parts(name, [part for pair in value.items() for part in pair])
    if name in _WRAPPERS and _class(name) is cls:
        return _parts(name, [getattr(value, _WRAPPERS[name])])
    if name in _NUMBERS and _class(name) is cls:
        return _parts(name, [_NUMBERS[name](value)])
    if name in ("psycopg.types.json.Jsonb", "psycopg.types.json.Json"):
        return _json(name, value.dumps, value.obj)
    if name in (
        "psycopg2.extras.Json",
        "psycopg2._json.Json",
        "django.db.backends.postgresql.psycopg_any.Jsonb",
    ):
        return _json(name, value.dumps, value.adapted)
    return None


def _parts(name: str, values: list[Any]) -> bytes | None:
    """What a value is made of, after its name."""
    parts = _kogia.describe(values)
    return None if parts is None else name.encode() + b":" + parts


def _json(name: str, dumps: Any, value: Any) -> bytes | None:
    """What the driver will send: only it and the application's own encoder look at the value."""
    import json

    text = (dumps or json.dumps)(value)
    if isinstance(text, str):
        return f"{name}:{text}".encode("utf-8", "surrogatepass")
    return f"{name}:".encode() + text if isinstance(text, bytes) else None


def _class(name: str) -> Any:
    """A class of a driver, if the driver is in use."""
    module, _, cls = name.rpartition(".")
    if name not in _OF_DRIVERS:
        return None
    loaded = sys.modules.get(module)
    return getattr(loaded, cls, None)
