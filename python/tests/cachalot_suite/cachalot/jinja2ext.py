"""cachalot's extension."""

from kogia.jinja2ext import cachalot

__all__ = ("cachalot",)
