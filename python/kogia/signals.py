"""Signals."""

from django.dispatch import Signal

# Sent after the outermost commit, once for each table that changed, and by `kogia.api.invalidate`.
# The sender is the table's name, `db_alias` the database's. Receivers run where `on_commit`
# functions do; what they raise is logged and stops nothing, for the data is committed.
post_invalidation = Signal()
