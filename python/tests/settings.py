"""Settings of the tests.

The database is chosen by KOGIA_TEST_DATABASE: `sqlite`, `postgres`, `psycopg2` (PostgreSQL by its
older driver) or `mysql`.
"""

import os
import pathlib
import sys
import tempfile
from urllib.parse import urlsplit

BASE_DIR = pathlib.Path(__file__).parent
SECRET_KEY = "a test has no secrets"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    },
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.library.urls"
# Tests log in, and have no passwords to protect.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "kogia",
    "tests.library",
    "tests.shop",
]


KIND = os.environ.get("KOGIA_TEST_DATABASE", "sqlite")


def database(kind: str) -> dict[str, object]:
    """The settings of a database of a kind."""
    if kind == "sqlite":
        folder = pathlib.Path(tempfile.mkdtemp(prefix="kogia-django-"))
        name = str(folder / "shop.sqlite3")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": name,
            "TEST": {"NAME": str(folder / "test.sqlite3")},
        }
    if kind == "psycopg2":
        # Django takes psycopg 3 wherever it can be imported.
        sys.modules["psycopg"] = None
        kind = "postgres"
    url = urlsplit(os.environ[f"KOGIA_TEST_{kind.upper()}_URL"])
    return {
        "ENGINE": f"django.db.backends.{'postgresql' if kind == 'postgres' else 'mysql'}",
        "NAME": url.path.lstrip("/"),
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": url.hostname,
        "PORT": url.port,
        # Django 4.2 asks MySQL for three bytes a character.
        "OPTIONS": {"charset": "utf8mb4"} if kind == "mysql" else {},
    }


DATABASES = {"default": database(KIND)}
KOGIA = {"STORE": f"file://{tempfile.mkdtemp(prefix='kogia-store-')}?capacity=64MB"}
