"""The Django app."""

from django.apps import AppConfig


class KogiaConfig(AppConfig):
    """Hooks the engine into Django when the app registry is ready."""

    name = "kogia"
    verbose_name = "Kogia"

    def ready(self) -> None:
        from . import checks, hooks, metrics  # noqa: F401  (importing registers the checks)

        hooks.install()
        metrics.install()
