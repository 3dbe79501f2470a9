"""System checks of the settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from . import conf


@register(Tags.caches)
def check_settings(**_: Any) -> list[CheckMessage]:
    """Unknown keys of `KOGIA`."""
    own = getattr(settings, "KOGIA", {})
    unknown = sorted(set(own) - set(conf.DEFAULTS))
    return [
        Error(
            f"KOGIA has the unknown key {key!r}.",
            hint=f"There are {', '.join(sorted(conf.DEFAULTS))}.",
            id="kogia.E001",
        )
        for key in unknown
    ]
