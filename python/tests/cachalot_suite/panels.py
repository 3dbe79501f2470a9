"""Kogia's panel under the title that cachalot's test looks for."""

from kogia.panels import KogiaPanel


class CachalotPanel(KogiaPanel):
    """Kogia's panel."""

    title = "Cachalot"
