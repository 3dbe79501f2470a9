"""Processes on hosts whose clocks differ by hours and days, and are set while they run: no clock of
an application has a part in what is fresh."""

import contextlib
import glob
import json
import os
import subprocess
import sys
import time

import pytest
from django.db import connection

from .helpers import names, queries, store
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600
OFFSETS = [2 * HOUR, -24 * HOUR, 24 * HOUR, 0]
TURNS = 5


class Here:
    """This process, whose clock is right."""

    def write(self, name):
        Author.objects.update(name=name)

    def read(self):
        return queries(names)


class Elsewhere:
    """Another process, whose clock is set by us."""

    def __init__(self, process, clock):
        self._process = process
        self._clock = clock

    def set_clock(self, offset):
        fresh = self._clock.with_name("fresh")
        fresh.write_text(f"{offset:+}")
        # Read at every look at the clock, so never half written.
        fresh.replace(self._clock)

    def write(self, name):
        self._ask(name)

    def read(self):
        seen, needed, _ = self._ask(None)
        return seen, needed

    def clock(self):
        return self._ask(None)[2]

    def _ask(self, what):
        print(json.dumps(what), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the process has ended"
        return json.loads(answer)


@contextlib.contextmanager
def elsewhere(url, folder):
    [library] = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    clock = folder / "clock"
    clock.write_text("+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.player"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        place = {"database": str(connection.settings_dict["NAME"]), "store": url}
        print(json.dumps(place), file=process.stdin, flush=True)
        try:
            yield Elsewhere(process, clock)
        finally:
            process.stdin.close()


@pytest.mark.parametrize("kind", ["file", "redis", "tier", "memcached"])
def test_processes_whose_clocks_differ_agree_on_every_read(kind, tmp_path):
    url = f"file://{tmp_path}/store?capacity=64MB"
    if kind != "file":
        server = os.environ[f"KOGIA_TEST_{'MEMCACHED' if kind == 'memcached' else 'REDIS'}_URL"]
        tier = "&local=16MB" if kind == "tier" else ""
        url = f"{server}?prefix={os.urandom(8).hex()}&quarantine=0s&timeout=5s{tier}"
    Author.objects.create(name="nobody yet")
    hits = 0
    with store(url), elsewhere(url, tmp_path) as other:
        here = Here()
        # Each learns of the schema first.
        here.read(), other.read()
        for offset in OFFSETS:
            other.set_clock(offset)
            assert abs(other.clock() - time.time() - offset) < HOUR
            for turn in range(2 * TURNS):
                writer, reader = (here, other) if turn % 2 else (other, here)
                name = f"turn {turn} at {offset}"
                writer.write(name)
                # What one fills is for both.
                for process in (reader, writer, reader, writer):
                    seen, needed = process.read()
                    assert seen == [name]
                    hits += needed == 0
    assert hits >= len(OFFSETS) * 2 * TURNS * 2
