"""`manage.py invalidate_cachalot`, as django-cachalot has it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...api import invalidate


def models(labels: list[str]) -> list[Any]:
    """The models of apps and models that labels name."""
    found: list[Any] = []
    for label in labels:
        try:
            if "." in label:
                found.append(apps.get_model(label))
            else:
                found.extend(apps.get_app_config(label).get_models(include_auto_created=True))
        except LookupError as error:
            raise CommandError(str(error)) from error
    return found


class Command(BaseCommand):
    """Forgets results of queries."""

    help = "Forgets cached results of queries: all, or those that read the tables of some models."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Defines the arguments."""
        parser.add_argument("app_label[.model_name]", nargs="*")
        parser.add_argument("-c", "--cache", dest="cache_alias", choices=list(settings.CACHES))
        parser.add_argument("-d", "--db", dest="db_alias", choices=list(settings.DATABASES))

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the command."""
        found = models(options["app_label[.model_name]"])
        if options["app_label[.model_name]"] and not found:
            raise CommandError("These apps have no models.")
        invalidate(*found, cache_alias=options["cache_alias"], db_alias=options["db_alias"])
        if options["verbosity"] > 0:
            what = f"the results of {len(found)} models" if found else "all results"
            where = f" of the database {options['db_alias']}" if options["db_alias"] else ""
            self.stdout.write(f"Forgot {what}{where}.")
