"""What the tests take from cachalot's settings."""

from kogia.conf import SUPPORTED_DATABASE_ENGINES

SUPPORTED_ONLY = "supported_only"


class _Settings:
    """Settings that reload themselves."""

    def reload(self):
        """Does nothing: Kogia listens to the signal itself."""


cachalot_settings = _Settings()

__all__ = ("SUPPORTED_DATABASE_ENGINES", "SUPPORTED_ONLY", "cachalot_settings")
