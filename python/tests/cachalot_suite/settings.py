"""Settings like those with which cachalot runs its tests."""

import pathlib
import tempfile

from tests.settings import DATABASES as _DATABASES
from tests.settings import KIND, database

BASE_DIR = pathlib.Path(__file__).parent
SECRET_KEY = "a test has no secrets"
DEBUG = False
USE_TZ = False
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["*"]
INTERNAL_IPS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
ROOT_URLCONF = "tests.cachalot_suite.urls"
# The tests make many users, and look at no password.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"
INSTALLED_APPS = [
    "kogia",
    "cachalot",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "debug_toolbar",
]
MIGRATION_MODULES = {"cachalot": "cachalot.tests.migrations"}
MIDDLEWARE = [
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
]
_folder = pathlib.Path(tempfile.mkdtemp(prefix="kogia-cachalot-"))
_second = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": str(_folder / "second.sqlite3"),
    "TEST": {"NAME": str(_folder / "test-second.sqlite3")},
}
DATABASES = {"default": _DATABASES["default"], "second": _second}
if KIND == "mysql":
    # The router keeps a model with types of PostgreSQL away from other databases by this alias.
    DATABASES = {"default": _DATABASES["default"], "postgresql": database("postgres")}
    DATABASES["postgresql"]["TEST"] = {"NAME": "test_kogia_second"}
DATABASE_ROUTERS = ["cachalot.tests.db_router.PostgresRouter"]
CACHES = {
    "default": {"BACKEND": "tests.cachalot_suite.caches.LocMemCache", "LOCATION": "one"},
    "second": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "two"},
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "OPTIONS": {"extensions": ["cachalot.jinja2ext.cachalot"]},
    },
]
DEBUG_TOOLBAR_PANELS = ["tests.cachalot_suite.panels.CachalotPanel"]
DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": lambda request: True, "IS_RUNNING_TESTS": False}
KOGIA = {"STORE": f"file://{_folder}/store?capacity=64MB"}
