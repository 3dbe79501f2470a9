"""A cache for Django's ORM that invalidates itself."""

__version__ = "0.1.0"
__all__ = ["__version__"]
