"""A cache of Django's, for the one thing that cachalot's tests do with it."""

from django.core.cache.backends.locmem import LocMemCache as DjangoLocMemCache

from kogia.api import invalidate


class LocMemCache(DjangoLocMemCache):
    """Forgets Kogia's entries, too, when it is cleared: between the halves of a test."""

    def clear(self):
        super().clear()
        invalidate(db_alias="default")
