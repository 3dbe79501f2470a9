"""A cache of Django's, for the one thing that cachalot's tests do with it."""

from django.core.cache.backends.locmem import LocMemCache as DjangoLocMemCache

from kogia import engine


class LocMemCache(DjangoLocMemCache):
    """Forgets Kogia's entries, too, when it is cleared: between the halves of a test."""

    def clear(self):
        super().clear()
        engine.cache().invalidate_everything()
