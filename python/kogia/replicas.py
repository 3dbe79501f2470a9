"""Replicas of a database, which may be behind their primary.

A replica shares the tags and the generations of its primary: what is written to the primary
invalidates what is read from the replica. Entries that the primary filled are at least as new as
anything that the replica could say, so they answer its queries. It fills the cache itself only
where it is certain that its rows are not older than the generations; see `Following.may_fill`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError, connections
from django.utils.connection import ConnectionDoesNotExist

from . import engine, faults, introspection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ._kogia import Permit

# A primary that could not be reached is tried again after this many seconds.
RETRY = 5.0
_MOST_POSITIONS = 10_000

# Where the primary's log ended after a stamp was read, by the primary's name and the stamp.
_positions: dict[tuple[str, bytes], int] = {}
_retry_at: dict[str, float] = {}


def forget() -> None:
    """Forgets which primaries could not be reached, and where their logs ended."""
    _positions.clear()
    _retry_at.clear()


class Following:
    """What a connection to a replica knows about the primary."""

    def __init__(
        self, wrapper: BaseDatabaseWrapper, alias: str, errors: tuple[type[Exception], ...]
    ) -> None:
        self.wrapper = wrapper
        self.alias = alias
        # What may go wrong when one of the two is asked something.
        self._errors = errors
        # The name of the primary's database, once it is known.
        self.primary: str | None = None
        # Whether the replica replays the primary's log.
        self.is_standby = False
        # How far it has replayed it, as far as this connection knows.
        self._replayed = -1

    def find(self) -> None:
        """Finds out which database the primary is; nobody but the primary can tell."""
        self.primary = self._known()
        if self.primary is None and self.connected() is not None:
            self.primary = self._known()

    def is_outdated(self) -> bool:
        """Whether the primary is another one now, or known at last."""
        return self.primary != self._known()

    def connected(self) -> BaseDatabaseWrapper | None:
        """An open connection to the primary, or `None` if there is none to be had."""
        if time.monotonic() < _retry_at.get(self.alias, 0.0):
            return None
        try:
            wrapper = connections[self.alias]
            wrapper.ensure_connection()
        except (ConnectionDoesNotExist, DatabaseError, InterfaceError, AssertionError) as error:
            # A test that does not use the primary forbids to connect to it, with an assertion.
            _retry_at[self.alias] = time.monotonic() + RETRY
            faults.once(
                f"primary {self.alias}",
                "The primary %r cannot be reached, so queries of %r are hardly cached: %s",
                self.alias,
                self.wrapper.alias,
                error,
            )
            return None
        return wrapper

    def may_fill(self, permit: Permit) -> bool:
        """Whether rows that the replica reads from now on are as new as a query's generations.

        They are if the replica has replayed the primary's log up to where it ended at a moment
        after the generations were read. That moment may be the one at which they were first
        seen: a generation never comes back, so nothing has been committed since.
        """
        stamp = permit.stamp()
        if not self.is_standby or self.primary is None or stamp is None:
            return False
        key = (self.primary, stamp)
        try:
            if key not in _positions:
                primary = self.connected()
                if primary is None or self.is_outdated():
                    return False
                if len(_positions) >= _MOST_POSITIONS:
                    _positions.clear()
                _positions[key] = introspection.written_to(primary)
            position = _positions[key]
            if self._replayed < position:
                self._replayed = introspection.replayed_to(self.wrapper)
            return self._replayed >= position
        except self._errors as error:
            faults.once(
                f"replica {self.wrapper.alias}",
                "Nobody can say how far the replica %r is behind: %s",
                self.wrapper.alias,
                error,
            )
            return False

    def _known(self) -> str | None:
        try:
            wrapper = connections[self.alias]
        except ConnectionDoesNotExist:
            return None
        database = engine.known(wrapper)
        return None if database is None else database.name
