"""A Jinja2 extension: the function `get_last_invalidation` and the tag `cache`.

`{% cache get_last_invalidation("shop.Book"), timeout=60, cache_key="books" %}…{% endcache %}` keeps
a fragment in one of Django's own caches. What stands before the first keyword takes part in the
key, so with the time of the last invalidation a fragment is made again when a table changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.core.cache.utils import make_template_fragment_key
from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from .api import get_last_invalidation

_KEYWORDS = ("cache_key", "timeout", "cache_alias")


class KogiaExtension(Extension):
    """Add `"kogia.jinja2ext.kogia"` to the extensions of the environment."""

    tags = {"cache"}  # noqa: RUF012  (jinja2 declares it so)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals["get_last_invalidation"] = get_last_invalidation

    def parse(self, parser: Parser) -> nodes.Node:
        """Parses a `cache` block."""
        token = next(parser.stream)
        varying, keywords = self._arguments(parser)
        place = None if parser.filename is None else f"{parser.filename}:{token.lineno}"
        keywords.append(nodes.Keyword("place", nodes.Const(place), lineno=token.lineno))
        body = parser.parse_statements(("name:endcache",), drop_needle=True)
        call = self.call_method("_cache", varying, keywords)
        return nodes.CallBlock(call, [], [], body).set_lineno(token.lineno)

    def _arguments(self, parser: Parser) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        stream = parser.stream
        varying: list[nodes.Expr] = []
        keywords: list[nodes.Keyword] = []
        while stream.current.type != "block_end":
            if varying or keywords:
                stream.expect("comma")
            if stream.current.type == "name" and stream.look().type == "assign":
                name = next(stream)
                if name.value not in _KEYWORDS:
                    known = ", ".join(_KEYWORDS)
                    parser.fail(f"{{% cache %}} has no {name.value!r}, but {known}", name.lineno)
                next(stream)
                value = parser.parse_expression()
                keywords.append(nodes.Keyword(name.value, value, lineno=name.lineno))
            else:
                varying.append(parser.parse_expression())
        return varying, keywords

    def _cache(
        self,
        *varying: Any,
        caller: Callable[[], str],
        place: str | None,
        cache_key: str | None = None,
        timeout: float | None = None,
        cache_alias: str = DEFAULT_CACHE_ALIAS,
    ) -> str:
        name = cache_key or place
        if name is None:
            raise ValueError("Give {% cache %} a `cache_key`: this template is not a file.")
        key = make_template_fragment_key(name, varying)
        cache = caches[cache_alias]
        fragment: str | None = cache.get(key)
        if fragment is None:
            fragment = caller()
            cache.set(key, fragment, timeout)
        return fragment


kogia = cachalot = KogiaExtension
