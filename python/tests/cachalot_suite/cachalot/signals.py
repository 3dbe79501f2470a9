"""cachalot's signal."""

from kogia.signals import post_invalidation

__all__ = ("post_invalidation",)
