"""cachalot's functions."""

from kogia.api import cachalot_disabled, get_last_invalidation, invalidate

__all__ = ("invalidate", "get_last_invalidation", "cachalot_disabled")
