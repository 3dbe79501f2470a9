"""What an open connection says about its database, asked of the driver itself.

The questions are the engine's. They go past Django's cursors, so that no query log shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _kogia

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}

TextRows = list[list[str | None]]


def identify(wrapper: BaseDatabaseWrapper) -> _kogia.Identity:
    """Which database a connection leads to, and what a fresh session of it is like."""
    dialect = DIALECTS[wrapper.vendor]
    return _kogia.Identity(dialect, _ask(wrapper, _kogia.identity_questions(dialect)))


def catalog(wrapper: BaseDatabaseWrapper) -> list[TextRows]:
    """The facts of the schema, as `CatalogReload.finish` takes them."""
    return _ask(wrapper, _kogia.catalog_questions(DIALECTS[wrapper.vendor]))


def isolation(wrapper: BaseDatabaseWrapper) -> str | None:
    """The level that the driver begins transactions with, if it is not the server's default."""
    level = getattr(wrapper, "isolation_level", None)
    name = getattr(level, "name", level)
    return None if name is None else str(name).lower().replace("_", " ")


def _ask(wrapper: BaseDatabaseWrapper, questions: list[str]) -> list[TextRows]:
    connection: Any = wrapper.connection
    cursor = connection.cursor()
    try:
        answers = []
        for question in questions:
            cursor.execute(question)
            answers.append([[_text(value) for value in row] for row in cursor.fetchall()])
    finally:
        cursor.close()
        if not wrapper.autocommit:
            # The driver began a transaction for the questions.
            connection.rollback()
    return answers


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
