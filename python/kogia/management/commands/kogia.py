"""`manage.py kogia invalidate|stats|explain|doctor`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from ... import conf, engine, link, stores
from ...api import invalidate
from .invalidate_cachalot import models

EXAMPLES = """examples:
  manage.py kogia invalidate                     forget everything
  manage.py kogia invalidate shop auth.User      forget what reads these tables
  manage.py kogia stats --json                   what the store holds
  manage.py kogia explain "SELECT * FROM shop_book"
                                                 what a statement reads, and whether it is cached
  manage.py kogia doctor                         is everything as it should be?
"""


class Command(BaseCommand):
    """Looks at the cache, and forgets what is in it."""

    help = "Looks at Kogia's cache, and forgets what is in it."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Shows the examples as they are written."""
        return super().create_parser(
            prog_name,
            subcommand,
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Defines the arguments."""
        parser.add_argument("action", choices=["invalidate", "stats", "explain", "doctor"])
        parser.add_argument("what", nargs="*", help="apps and models, or an SQL statement")
        parser.add_argument("--database", choices=list(settings.DATABASES), help="one alias")
        parser.add_argument("--json", action="store_true", help="answer with one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the command."""
        action = getattr(self, f"_{options['action']}")
        answer: dict[str, Any] = action(options["what"], options["database"])
        if options["json"]:
            self.stdout.write(json.dumps(answer, default=str))
        else:
            for name, value in answer.items():
                values = value if isinstance(value, list) else [value]
                self.stdout.write(f"{name}: {'; '.join(map(str, values)) or '-'}")
        if answer.get("errors"):
            raise CommandError("There are errors.")

    def _invalidate(self, what: list[str], alias: str | None) -> dict[str, Any]:
        found = models(what)
        if what and not found:
            raise CommandError("These apps have no models.")
        invalidate(*found, db_alias=alias)
        tables = [model._meta.db_table for model in found]
        return {"invalidated": tables or "everything", "databases": alias or "all"}

    def _stats(self, what: list[str], alias: str | None) -> dict[str, Any]:
        url = stores.shown(stores.choose().url)
        cache = engine.cache()
        if cache is None:
            raise CommandError(f"The store {url} cannot be opened.")
        usage = cache.stats()
        # The other numbers count what a process did, and this one did nothing.
        return {"store": url} | {name: usage[name] for name in ("entries", "bytes", "capacity")}

    def _explain(self, what: list[str], alias: str | None) -> dict[str, Any]:
        if not what:
            raise CommandError('Give a statement: manage.py kogia explain "SELECT …".')
        alias = alias or DEFAULT_DB_ALIAS
        wrapper = connections[alias]
        found = link.of(wrapper)
        if found is not None:
            wrapper.ensure_connection()
        if found is None or found.database is None:
            raise CommandError(f"The database {alias} is not cached.")
        reads, writes, why = found.database.analyze(" ".join(what))
        policy = conf.policy()
        if why is None and not (policy.enabled and alias in policy.aliases):
            why = "the settings say not to cache it"
        if why is None:
            why = conf.refused_table(reads)
        return {"reads": reads, "writes": writes, "cached": why is None, "why not": why or ""}

    def _doctor(self, what: list[str], alias: str | None) -> dict[str, Any]:
        found = [check for check in checks.run_checks() if str(check.id).startswith("kogia.")]
        errors = [str(check) for check in found if check.is_serious()]
        notes = [str(check) for check in found if not check.is_serious()]
        url = stores.shown(stores.choose().url)
        if engine.cache() is None:
            errors.append(f"The store {url} cannot be opened.")
        databases = []
        for name in [alias] if alias else list(settings.DATABASES):
            try:
                databases.append(self._database(name, notes))
            except Exception as error:  # noqa: BLE001  (the doctor tells of whatever is wrong)
                errors.append(f"{name}: {error}")
        return {"store": url, "databases": databases, "notes": notes, "errors": errors}

    def _database(self, alias: str, notes: list[str]) -> str:
        wrapper = connections[alias]
        wrapper.ensure_connection()
        found = link.of(wrapper)
        if found is None or found.database is None or alias not in conf.policy().aliases:
            return f"{alias} is not cached"
        if not found.reads:
            notes.append(f"{alias} is a replica: reads through it are not cached.")
        if wrapper.vendor == "mysql":
            with wrapper.cursor() as cursor:
                cursor.execute("SHOW VARIABLES LIKE 'query_cache_type'")
                row = cursor.fetchone()
            if row is not None and row[1] != "OFF":
                notes.append(
                    f"{alias}: the server's own query cache is {row[1]}. It answers correctly, but "
                    "every write to a table empties it for all of that table's queries under one "
                    "lock, and Kogia gains nothing from it; set query_cache_type = OFF."
                )
        return f"{alias} is {found.database.name}"
