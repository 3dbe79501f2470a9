"""The engine, as far as Python needs it."""

from collections.abc import Sequence
from typing import Any, final

Rows = list[tuple[Any, ...]]
TextRows = list[list[str | None]]

@final
class Cache:
    """A cache over the store that a URL names."""

    def __new__(
        cls,
        url: str,
        *,
        ttl: float | None = None,
        never: Sequence[str] = [],
        strict: bool = False,
    ) -> Cache: ...
    def database(self, identity: Identity, *, isolation: str | None = None) -> Database: ...
    def stats(self) -> dict[str, int]: ...
    def invalidate_everything(self) -> None: ...

@final
class Identity:
    """Which database a connection leads to, and what a fresh session of it is like."""

    def __new__(cls, dialect: str, answers: list[TextRows]) -> Identity: ...
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def primary(self) -> bool: ...

@final
class Database:
    """A database whose queries the cache keeps."""

    def session(self, identity: Identity | None = None) -> Session: ...
    def is_catalog_outdated(self) -> bool: ...
    def reload_catalog(self) -> CatalogReload | None: ...
    def invalidate_table(self, table: str) -> None: ...
    def invalidate_key(self, table: str, key: Any) -> None: ...
    def invalidate_tag(self, name: str) -> None: ...
    def invalidate_all(self) -> None: ...
    def analyze(self, sql: str) -> tuple[list[str], list[str], str | None]: ...

@final
class CatalogReload:
    """The permission to load a catalog."""

    def finish(self, answers: list[TextRows]) -> None: ...

@final
class Session:
    """One database connection's life."""

    def look_up(
        self,
        sql: str,
        parameters: Any,
        *,
        shape: bytes = b"",
        options: Options | None = None,
    ) -> Rows | Permit: ...
    def fill(self, permit: Permit, rows: Rows) -> str | None: ...
    def before(self, sql: str, parameters: Any) -> Running: ...
    def after(self, running: Running, succeeded: bool | None) -> None: ...
    def observe_transaction(self, open: bool) -> None: ...
    def in_transaction(self) -> bool: ...

@final
class Permit:
    """The right to store the rows of a query that runs now."""

    def wants_rows(self) -> bool: ...

@final
class Running:
    """A statement that is under way."""

    @property
    def written(self) -> tuple[list[str], bool] | None: ...

@final
class Options:
    """What a call says about its queries, made once for many of them."""

    def __new__(
        cls,
        *,
        ttl: float | None = None,
        mode: str | None = None,
        tags: Sequence[str] = [],
        only: Sequence[str] | None = None,
        never: Sequence[str] = [],
        random: bool = False,
    ) -> Options: ...

def last_outcome() -> tuple[str, str | None] | None: ...
def identity_questions(dialect: str) -> list[str]: ...
def catalog_questions(dialect: str) -> list[str]: ...
def round_trip(rows: Rows) -> Rows | None: ...
def describe(parameters: Sequence[Any]) -> bytes | None: ...
