"""A project that says nothing but the name of the app."""

import os
import subprocess
import sys

import pytest

SETTINGS = """
SECRET_KEY = "no secret"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "kogia"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""

PROGRAM = """
import sys
import django
django.setup()
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

if sys.argv[1] == "begins":
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    Group.objects.create(name="old")
if sys.argv[1] == "changes":
    Group.objects.update(name="new")
with CaptureQueriesContext(connection) as captured:
    found = [group.name for group in Group.objects.all()]
print(found, "of the database" if len(captured) else "of the cache")
"""


@pytest.mark.parametrize("has_home", [True, False])
def test_processes_share_a_store_that_nobody_has_named(tmp_path, has_home):
    (tmp_path / "project.py").write_text(SETTINGS)
    home = tmp_path / "home"
    if has_home:
        home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "project",
        "HOME": str(home),
        "TMPDIR": str(tmp_path),
    }

    def run(what):
        command = [sys.executable, "-W", "error", "-c", PROGRAM, what]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    assert run("begins") == "['old'] of the database"
    assert run("reads") == "['old'] of the cache"
    assert run("changes") == "['new'] of the database"
    assert run("reads") == "['new'] of the cache"
