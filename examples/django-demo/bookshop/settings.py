"""Settings of the bookshop. `scripts/django-demo` sets the variables that are read here."""

import os
import pathlib

from django.core.management.utils import get_random_secret_key

BASE_DIR = pathlib.Path(__file__).resolve().parent.parent
# Where the database and the cache's store are.
DATA = pathlib.Path(os.environ.get("BOOKSHOP_DATA", BASE_DIR / "data")).absolute()
DATA.mkdir(parents=True, exist_ok=True)
TOOLBAR = os.environ.get("BOOKSHOP_TOOLBAR", "on") == "on"

DEBUG = TOOLBAR
# Sessions and forms of all workers depend on it; the script makes one for all of them.
SECRET_KEY = os.environ.get("BOOKSHOP_SECRET_KEY") or get_random_secret_key()
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
INTERNAL_IPS = ["127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # All that caching needs.
    "kogia",
    "shop",
]
MIDDLEWARE = [
    "shop.middleware.CountReads",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
if TOOLBAR:
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(0, "debug_toolbar.middleware.DebugToolbarMiddleware")
    DEBUG_TOOLBAR_PANELS = [
        "kogia.panels.KogiaPanel",
        "debug_toolbar.panels.sql.SQLPanel",
        "debug_toolbar.panels.timer.TimerPanel",
        "debug_toolbar.panels.request.RequestPanel",
        "debug_toolbar.panels.templates.TemplatesPanel",
    ]
    # Another worker would not know a panel that is asked for later.
    DEBUG_TOOLBAR_CONFIG = {"RENDER_PANELS": True}

ROOT_URLCONF = "bookshop.urls"
WSGI_APPLICATION = "bookshop.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "bookshop.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Several workers write: they wait for one another from the beginning of a transaction.
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        },
    },
}
KOGIA = {"STORE": f"file://{DATA}/store?capacity=256MB"}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
