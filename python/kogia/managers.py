"""Querysets that say themselves whether and for how long they are cached."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Manager, Model, QuerySet

from . import conf

M = TypeVar("M", bound=Model)


class CachedQuerySetMixin:
    """For a queryset class of the project: `cached`, `uncached`."""

    def cached(self, timeout: float | None = None, **changes: Any) -> Any:
        """The same queryset, cached with settings of its own.

        `timeout` is in seconds. Other settings go by their names: `CACHE_RANDOM=True`. Prefetches
        are queries of their own and take the settings of their own querysets.
        """
        if timeout is not None:
            changes["TIMEOUT"] = timeout
        return self._with(changes)

    def uncached(self) -> Any:
        """The same queryset, never answered from the cache."""
        return self._with({"ENABLED": False})

    def _with(self, changes: dict[str, Any]) -> Any:
        clone = self._chain()  # type: ignore[attr-defined]
        # `Query.clone` passes all attributes on.
        clone.query.kogia = getattr(clone.query, "kogia", ()) + conf.overrides(changes)
        return clone


class CachedQuerySet(CachedQuerySetMixin, QuerySet[M]):
    """A queryset with `cached` and `uncached`."""


class CachedManager(Manager.from_queryset(CachedQuerySet)):  # type: ignore[misc]
    """A manager with `cached` and `uncached`: `objects = CachedManager()`."""
