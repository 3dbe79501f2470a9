"""Runs the tests of the installed django-cachalot, unmodified, against Kogia.

`python -m tests.cachalot_suite.run [--verbose] [labels…]`; the database is chosen by
KOGIA_TEST_DATABASE. The package `cachalot` that the tests import is the one in this folder; only its
`tests` are the installed ones.

Two kinds of assertions are noted instead of ending a test: which tables cachalot finds in a query,
and how many queries reach the database. expected.toml must list exactly those that come out
differently, and everything else that the same test asserts must hold.
"""

from __future__ import annotations

import collections
import importlib.abc
import importlib.metadata
import importlib.util
import os
import pathlib
import sys
import unittest
import warnings

import tomllib

HERE = pathlib.Path(__file__).parent
VERSION = "2.9.1"


def find_tests() -> None:
    """Puts the shim in the place of the installed package, and that one's tests into the shim."""
    version = importlib.metadata.version("django-cachalot")
    if version != VERSION:
        sys.exit(f"Install django-cachalot {VERSION}; there is {version}.")
    files = importlib.metadata.files("django-cachalot") or []
    tests = next(f for f in files if f.as_posix() == "cachalot/tests/__init__.py")
    folder = pathlib.Path(str(tests.locate())).parent
    sys.path[:0] = [str(HERE), str(HERE.parent.parent)]
    # A test names a fixture by its path in cachalot's repository.
    os.chdir(folder.parent.parent)
    import cachalot

    assert cachalot.__file__ is not None and cachalot.__file__.startswith(str(HERE))

    class Finder(importlib.abc.MetaPathFinder):
        """Finds `cachalot.tests` where it is installed."""

        def find_spec(self, name, path, target=None):
            if name != "cachalot.tests":
                return None
            return importlib.util.spec_from_file_location(
                name, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )

    sys.meta_path.insert(0, Finder())


class Result(unittest.TextTestResult):
    """Knows the tests that did not pass, by their short names."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passed, self.wrong, self.left_out = set(), {}, set()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.add(_name(test))

    def addError(self, test, err):
        super().addError(test, err)
        self.wrong[_name(test)] = self._exc_info_to_string(err, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.wrong[_name(test)] = self._exc_info_to_string(err, test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.wrong[_name(test)] = self._exc_info_to_string(err, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.left_out.add(_name(test))

    def printErrors(self):
        """The end of the run says what is wrong."""


def _name(test: unittest.TestCase) -> str:
    return ".".join(test.id().split(".")[-2:])


def note_differences() -> dict[str, set[str]]:
    """Has both kinds of assertions noted; gives the dictionary of them, by test."""
    from cachalot.tests import test_utils
    from django.test import testcases

    found: dict[str, set[str]] = collections.defaultdict(set)

    def assert_tables(test, queryset, *tables):
        names = {table if isinstance(table, str) else table._meta.db_table for table in tables}
        ours = test_utils._get_tables(queryset.db, queryset.query)
        found[_name(test)] |= {f"also reads {table}" for table in ours - names}
        found[_name(test)] |= {f"does not read {table}" for table in names - ours}

    test_utils.TestUtilsMixin.assert_tables = assert_tables
    for context in (testcases._AssertNumQueriesContext, test_utils.FilteredAssertNumQueriesContext):
        context.__exit__ = _noting(context.__exit__, found)
    return found


def _noting(original, found):
    def leave(context, *error):
        try:
            original(context, *error)
        except AssertionError:
            ignored = getattr(context, "EXCLUDE", ())
            ran = sum(query["sql"].upper() not in ignored for query in context.captured_queries)
            found[_name(context.test_case)].add(f"{ran} queries for {context.num}")

    return leave


def run(labels: list[str]) -> tuple[Result, dict[str, set[str]]]:
    """Runs the tests; what came of them, and what was noted."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.cachalot_suite.settings"
    import django
    from django.test.runner import DiscoverRunner

    django.setup()
    warnings.simplefilter("error")
    # bs4 and pytz, which only the tests use, are not of our making.
    warnings.filterwarnings("ignore", module="bs4|pytz|dateutil")
    # Nor are tests that write a time without a zone, and that override `DATABASES`.
    warnings.filterwarnings("ignore", "DateTimeField .* received a naive datetime")
    warnings.filterwarnings("ignore", "Overriding setting DATABASES")
    found = note_differences()
    runs = []

    class Runner(DiscoverRunner):
        """Keeps the result."""

        def get_resultclass(self):
            return Result

        def run_suite(self, suite, **kwargs):
            result = super().run_suite(suite, **kwargs)
            runs.append(result)
            return result

    Runner(verbosity=1, interactive=False).run_tests(labels or ["cachalot.tests"])
    [result] = runs
    return result, found


def main() -> int:
    """Runs the tests; the answer is the exit status."""
    arguments = sys.argv[1:]
    verbose = "--verbose" in arguments
    find_tests()
    result, found = run([label for label in arguments if not label.startswith("-")])
    kind = os.environ.get("KOGIA_TEST_DATABASE", "sqlite")
    listed = {
        name: entry
        for name, entry in tomllib.loads((HERE / "expected.toml").read_text()).items()
        if kind in entry.get("databases", [kind])
    }
    internal = {name for name, entry in listed.items() if "differs" not in entry}
    ran = result.passed | result.wrong.keys()
    wrong = {
        name: text if verbose else text.strip().splitlines()[-1]
        for name, text in result.wrong.items()
        if name not in internal
    }
    for name in sorted(ran - wrong.keys()):
        expected = set(listed.get(name, {}).get("differs", ()))
        if name in internal and name not in result.wrong and not found[name]:
            wrong[name] = "passes, but expected.toml says that it does not"
        elif name not in internal and found[name] != expected:
            wrong[name] = f"differs by {sorted(found[name])}, expected are {sorted(expected)}"
    for name, text in sorted(wrong.items()):
        print(f"{name}: {text}\n")
    right = ran - internal - wrong.keys()
    print(
        f"cachalot {VERSION} on {kind}: {len(right - listed.keys())} passed, "
        f"{len(right & listed.keys())} passed but for listed tables and numbers of queries, "
        f"{len(ran & internal - wrong.keys())} listed as internal, {len(wrong)} wrong, "
        f"{len(result.left_out)} not for this database"
    )
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main())
