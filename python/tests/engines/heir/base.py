"""An engine that inherits from Django's for SQLite, under a name that nobody knows."""

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    """SQLite."""

    display_name = "Heir"
