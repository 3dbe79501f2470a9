"""cachalot's functions."""

from kogia.api import cachalot_disabled, get_last_invalidation, invalidate

__all__ = ("cachalot_disabled", "get_last_invalidation", "invalidate")
