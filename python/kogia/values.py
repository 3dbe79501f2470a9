"""Values of types that only some drivers have.

`encode` and `decode` are for the cells of stored rows, `describe` is for parameters. All three know a
closed list of types: what is not on it is not cached.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from . import _kogia

_RANGE = "psycopg.types.range.Range"
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


def encode(value: Any) -> tuple[str, bytes] | None:
    """A value's type name and bytes, or `None` if its type is not known."""
    cls = type(value)
    if _ADDRESSES.get(cls.__name__) is cls:
        return cls.__name__, str(value).encode()
    if f"{cls.__module__}.{cls.__qualname__}" == _RANGE:
        packed = _kogia.pack([value.lower, value.upper, value._bounds])
        return None if packed is None else (_RANGE, packed)
    return None


def decode(name: str, data: bytes) -> Any:
    """The value that `encode` gave this name and these bytes for."""
    if name == _RANGE:
        from psycopg.types.range import Range

        lower, upper, bounds = _kogia.unpack(data)
        return Range(empty=True) if bounds is None else Range(lower, upper, bounds)
    return _ADDRESSES[name](data.decode())


def describe(value: Any) -> bytes | None:
    """Bytes that differ for different parameters, or `None` if the type is not known."""
    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if isinstance(value, (str, int)):
        # Text and numbers with a class of their own, such as choices; the driver may send another
        # form of them, but the same for the same class and content.
        plain = str.__str__(value) if isinstance(value, str) else int.__repr__(value)
        return f"{name}:{plain}".encode("utf-8", "surrogatepass")
    if _ADDRESSES.get(cls.__name__) is cls:
        return f"{name}:{value}".encode()
    if cls.__module__.partition(".")[0] in ("psycopg", "psycopg2"):
        return _describe_psycopg(name, value)
    return None


def _describe_psycopg(name: str, value: Any) -> bytes | None:
    if name in ("psycopg.types.json.Jsonb", "psycopg.types.json.Json"):
        import json

        dumps = value.dumps or json.dumps
        text = dumps(value.obj)
        return name.encode() + b":" + (text.encode() if isinstance(text, str) else text)
    if name == "psycopg2._json.Json":
        return f"{name}:{value.dumps(value.adapted)}".encode()
    if any(cls.__name__ == "Range" for cls in type(value).__mro__):
        bounds = _kogia.describe([value.lower, value.upper])
        return None if bounds is None else f"{name}:{value._bounds}:".encode() + bounds
    return None
