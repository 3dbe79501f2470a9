"""Settings of the tests.

The database is chosen by KOGIA_TEST_DATABASE: `sqlite`, `postgres`, `psycopg2` (PostgreSQL by its
older driver) or `mysql`. KOGIA_TEST_ENGINE chooses an engine that wraps Django's: `prometheus` or
`gis`.
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
# Tests log in, and have no passwords to protect.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"
ROOT_URLCONF = "tests.urls"
DEBUG_TOOLBAR_PANELS = ["kogia.panels.KogiaPanel"]
DEBUG_TOOLBAR_CONFIG = {
    "IS_RUNNING_TESTS": False,
    "RENDER_PANELS": True,
    "SHOW_TOOLBAR_CALLBACK": "tests.urls.show_toolbar",
}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "debug_toolbar",
    "django.contrib.messages",
    "django.contrib.admin",
    "kogia",
    "tests.library",
    "tests.shop",
]


KIND = os.environ.get("KOGIA_TEST_DATABASE", "sqlite")
ENGINE = os.environ.get("KOGIA_TEST_ENGINE", "django")
# file, redis, or a tier in front of Redis: tier, or pushed.
STORE = os.environ.get("KOGIA_TEST_STORE", "file")
BACKENDS = {
    "django": "django.db.backends",
    "prometheus": "django_prometheus.db.backends",
    "gis": "django.contrib.gis.db.backends",
}[ENGINE]
if ENGINE == "gis":
    INSTALLED_APPS.append("tests.places")
    # Extensions are loaded by their file, not by the name of the package.
    SPATIALITE_LIBRARY_PATH = "mod_spatialite"


def database(kind: str) -> dict[str, object]:
    """The settings of a database of a kind."""
    if kind == "sqlite":
        folder = pathlib.Path(tempfile.mkdtemp(prefix="kogia-django-"))
        name = str(folder / "shop.sqlite3")
        return {
            "ENGINE": f"{BACKENDS}.{'spatialite' if ENGINE == 'gis' else 'sqlite3'}",
            "NAME": name,
            "TEST": {"NAME": str(folder / "test.sqlite3")},
        }
    if kind == "psycopg2":
        # Django takes psycopg 3 wherever it can be imported.
        sys.modules["psycopg"] = None
        kind = "postgres"
    url = urlsplit(os.environ[f"KOGIA_TEST_{kind.upper()}_URL"])
    postgres = "postgis" if ENGINE == "gis" else "postgresql"
    return {
        "ENGINE": f"{BACKENDS}.{postgres if kind == 'postgres' else 'mysql'}",
        "NAME": url.path.lstrip("/"),
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": url.hostname,
        "PORT": url.port,
        # Django 4.2 asks MySQL for three bytes a character.
        "OPTIONS": {"charset": "utf8mb4"} if kind == "mysql" else {},
    }


DATABASES = {"default": database(KIND)}


def store():
    """A store of this run's own."""
    name = tempfile.mkdtemp(prefix="kogia-store-")
    if STORE == "file":
        return f"file://{name}?capacity=64MB"
    server = os.environ[f"KOGIA_TEST_{'MEMCACHED' if STORE == 'memcached' else 'REDIS'}_URL"]
    # Nobody can rely on marks that an unused prefix has lost.
    prefix = pathlib.Path(name).name
    local = {"tier": "&local=16MB", "pushed": "&local=16MB&mode=pushed"}.get(STORE, "")
    return f"{server}?prefix={prefix}&quarantine=0s&timeout=5s{local}"


KOGIA = {"STORE": store()}
