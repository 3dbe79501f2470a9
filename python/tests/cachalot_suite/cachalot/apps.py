"""The app, under the label that cachalot's tests and migrations expect."""

from django.apps import AppConfig


class CachalotConfig(AppConfig):
    """Holds the models of cachalot's tests."""

    name = "cachalot"
    default_auto_field = "django.db.models.AutoField"

    def import_models(self):
        super().import_models()
        import cachalot.tests.models  # noqa: F401
