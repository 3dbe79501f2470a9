"""Runs the tests of the installed django-cachalot, unmodified, against Kogia.

`python -m tests.cachalot_suite.run [--verbose] [labels…]`; the database is chosen by
KOGIA_TEST_DATABASE. The package `cachalot` that the tests import is the one in this folder; only its
`tests` are the installed ones.
"""

from __future__ import annotations

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


def main() -> int:
    """Runs the tests; the answer is the exit status."""
    arguments = sys.argv[1:]
    verbose = "--verbose" in arguments
    labels = [label for label in arguments if not label.startswith("-")]
    find_tests()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.cachalot_suite.settings"
    import django
    from django.test.runner import DiscoverRunner

    django.setup()
    warnings.simplefilter("error")
    # bs4 and pytz, which only the tests use, are not of our making.
    warnings.filterwarnings("ignore", module="bs4|pytz|dateutil")
    # So does a test with a time that has no zone.
    warnings.filterwarnings("ignore", "DateTimeField .* received a naive datetime")
    runs = []

    class Runner(DiscoverRunner):
        """Keeps the result."""

        def get_resultclass(self):
            return Result

        def run_suite(self, suite, **kwargs):
            result = super().run_suite(suite, **kwargs)
            runs.append(result)
            return result

    runner = Runner(verbosity=1, interactive=False)
    runner.run_tests(labels or ["cachalot.tests"])
    [result] = runs
    kind = os.environ.get("KOGIA_TEST_DATABASE", "sqlite")
    listed = {
        name: entry
        for name, entry in tomllib.loads((HERE / "expected.toml").read_text()).items()
        if kind in entry.get("databases", [kind])
    }
    unexpected = {name: text for name, text in result.wrong.items() if name not in listed}
    # A test with a wrong part counts as wrong.
    passed = (result.passed - result.wrong.keys()) & listed.keys()
    for name, text in sorted(unexpected.items()):
        print(f"{name}\n{text if verbose else text.strip().splitlines()[-1]}\n")
    for name in sorted(passed):
        print(f"{name} passes, but expected.toml says that it does not")
    right = len(result.passed - result.wrong.keys())
    print(
        f"cachalot {VERSION} on {kind}: {right} passed, {len(result.left_out)} not for this "
        f"database, {len(result.wrong.keys() & listed.keys())} listed, {len(unexpected)} wrong"
    )
    return 1 if unexpected or passed or not right else 0


if __name__ == "__main__":
    sys.exit(main())
