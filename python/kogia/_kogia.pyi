"""The engine, as far as Python needs it."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, final

__all__ = [
    "Abandoned",
    "Cache",
    "CatalogReload",
    "Database",
    "Identity",
    "Options",
    "Permit",
    "Running",
    "Session",
    "WriteRefused",
    "attached_question",
    "catalog_questions",
    "creates_temporary",
    "describe",
    "identity_questions",
    "last_outcome",
    "pack",
    "round_trip",
    "temporary_question",
    "unpack",
]

_Rows: TypeAlias = list[tuple[Any, ...]]
_TextRows: TypeAlias = list[list[str | None]]

@final
class Cache:
    """A cache over the store that a URL names."""

    def __new__(
        cls,
        url: str,
        *,
        ttl: float | None = None,
        never: Sequence[str] = ...,
        strict: bool = False,
        lease: float | None = None,
    ) -> Cache: ...
    def database(self, identity: Identity) -> Database: ...
    def stats(self) -> dict[str, int]: ...
    def catch_up(self) -> None: ...
    def rest(self) -> None: ...
    def invalidate_everything(self) -> None: ...

@final
class Identity:
    """Which database a connection leads to, and what a fresh session of it is like."""

    def __new__(
        cls,
        dialect: str,
        answers: list[_TextRows],
        *,
        settings: Sequence[tuple[str, str]] = ...,
        memory: str | None = None,
        primary: str | None = None,
    ) -> Identity: ...
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def in_memory(self) -> bool: ...
    @property
    def primary(self) -> bool: ...

@final
class Database:
    """A database whose queries the cache keeps."""

    @property
    def name(self) -> str: ...
    def session(self, identity: Identity | None = None) -> Session: ...
    def is_catalog_outdated(self) -> bool: ...
    def reload_catalog(self) -> CatalogReload | None: ...
    def abandoned(self) -> list[Abandoned]: ...
    def resolve(self, writer: Abandoned, is_over: bool) -> None: ...
    def invalidate_table(self, table: str) -> None: ...
    def invalidate_key(self, table: str, key: Any) -> None: ...
    def invalidate_tag(self, name: str) -> None: ...
    def invalidate_entries(self) -> None: ...
    def invalidate_all(self) -> None: ...
    def tables(self) -> list[str] | None: ...
    def analyze(self, sql: str) -> tuple[list[str], list[str], str | None]: ...

@final
class Abandoned:
    """A writer that nobody has heard of for a lease."""

    @property
    def backend(self) -> str | None: ...

@final
class CatalogReload:
    """The permission to load a catalog."""

    def finish(self, answers: list[_TextRows]) -> None: ...

@final
class Session:
    """One database connection's life."""

    def look_up(
        self,
        sql: str,
        parameters: Any,
        shape: bytes = ...,
        options: Options | None = None,
    ) -> _Rows | Permit | None: ...
    def look_up_at_once(
        self,
        sql: str,
        parameters: Any,
        shape: bytes,
        options: Options | None,
        open: bool | None,
    ) -> _Rows | Permit | Literal[False] | None: ...
    def fill(self, permit: Permit, rows: _Rows, *, head: int = 0) -> str | None: ...
    def before(self, sql: str, parameters: Any) -> Running: ...
    def after(self, running: Running, succeeded: bool | None) -> bool: ...
    def observe(self, open: bool | None) -> bool | None: ...
    def is_settled(self) -> bool: ...
    def in_transaction(self) -> bool: ...
    def closed(self) -> None: ...
    def wants_comparison(self) -> bool: ...
    def compared(self, is_like_fresh: bool) -> None: ...
    def wants_attached(self) -> bool: ...
    def attached(self, answer: _TextRows) -> None: ...

@final
class Permit:
    """The right to store the rows of a query that runs now."""

    def stamp(self) -> bytes | None: ...

@final
class Running:
    """A statement that is under way."""

    def marks(self) -> bool: ...
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
        tags: Sequence[str] = ...,
        only: Sequence[str] | None = None,
        never: Sequence[str] = ...,
        random: bool = False,
    ) -> Options: ...

class WriteRefused(RuntimeError):
    """The cache cannot be invalidated, and the policy is to refuse the write."""

def last_outcome() -> tuple[str, str | None] | None: ...
def attached_question(dialect: str) -> str | None: ...
def temporary_question(dialect: str) -> str | None: ...
def creates_temporary(answer: _TextRows) -> bool: ...
def identity_questions(dialect: str) -> list[str]: ...
def catalog_questions(dialect: str) -> list[str]: ...
def round_trip(rows: _Rows) -> _Rows | None: ...
def pack(values: list[Any]) -> bytes | None: ...
def unpack(bytes: bytes) -> list[Any]: ...
def describe(parameters: Sequence[Any]) -> bytes | None: ...
