"""Processes and threads that write and read at once.

Every row has one writer, which counts up in it. Before it writes a number it says so in memory that
all share, and again when the write was acknowledged. So a reader knows, without asking the
database, between which numbers its answer must lie.
"""

import collections
import mmap
import os
import random
import sys
import threading
import time
import traceback

import django
import pytest
from django.db import OperationalError, connection, connections, transaction

from .helpers import IS_MYSQL, IS_POSTGRES, IS_SQLITE, configured
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES = 3
THREADS = 2
SECONDS = float(os.environ.get("KOGIA_TEST_SECONDS", "1.5"))
# Writes of all together: fewer show nothing.
LEAST_ROUNDS = 20
# How old a read may be of what another process has written.
STALENESS = 0.1 if os.environ.get("KOGIA_TEST_STORE") == "pushed" else 0.0


class Board:
    """Numbers that processes share.

    Each is read and written whole: `struct.pack_into` would write zeros first, which another process
    can see.
    """

    def __init__(self, size):
        self._numbers = memoryview(mmap.mmap(-1, 8 * size)).cast("q")

    def __getitem__(self, index):
        return self._numbers[index]

    def __setitem__(self, index, value):
        self._numbers[index] = value


class Acknowledged:
    """What a process knows to have been acknowledged so long ago that each read must tell it."""

    def __init__(self, board, places, own=()):
        self._board, self._places, self._own = board, places, own
        self._past = collections.deque()

    def oldest(self, place):
        numbers = [self._board[other] for other in range(self._places)]
        now = time.monotonic()
        self._past.append((now, numbers))
        if place in self._own:
            return numbers[place]
        while len(self._past) > 1 and self._past[1][0] <= now - STALENESS:
            self._past.popleft()
        then, numbers = self._past[0]
        return numbers[place] if then <= now - STALENESS else 0


def levels():
    if IS_POSTGRES:
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        return [None, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]
    if IS_MYSQL:
        return ["read uncommitted", "read committed", "repeatable read", "serializable"]
    return [None, "wal"]


@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
@pytest.mark.parametrize("level", levels())
def test_no_read_is_older_than_what_was_acknowledged(level, atomic):
    options = dict(connection.settings_dict["OPTIONS"])
    if level == "wal":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = wal")
            cursor.fetchall()
    elif level is not None:
        options["isolation_level"] = level
    if IS_SQLITE:
        options["timeout"] = 20
        if django.VERSION >= (5, 1):
            options["transaction_mode"] = "IMMEDIATE"
    with configured(OPTIONS=options):
        rounds = play(atomic)
    # SQLite gives its lock to whoever asks at the right moment, so not everybody gets far.
    assert sum(rounds) >= LEAST_ROUNDS and (IS_SQLITE or all(rounds)), rounds


def play(atomic):
    """Lets everybody play for a while; gives the number of rounds of each."""
    places = PROCESSES * THREADS
    rows = [Author.objects.create(name="0").pk for _ in range(places)]
    begun, acknowledged, rounds = Board(places), Board(places), Board(places)
    connections.close_all()
    children = []
    for process in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = play_in_child(process, rows, begun, acknowledged, rounds, atomic)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        children.append(pid)
    # The parent has the store open, too, and reads while the others write.
    deadline = time.monotonic() + SECONDS
    faults = []
    known = Acknowledged(acknowledged, places)
    while time.monotonic() < deadline:
        faults += check(rows, begun, known, random.randrange(places), False)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    assert (statuses, faults) == ([0] * PROCESSES, [])
    # When everybody is done, everything is as it was written: nothing stays stale.
    time.sleep(STALENESS)
    for place in range(places):
        for _ in range(2):
            assert int(Author.objects.get(pk=rows[place]).name) >= acknowledged[place]
    uncached = Author.objects.extra(
        where=["random() is not null"] if not IS_MYSQL else ["rand() >= 0"]
    )
    fresh = sorted(uncached.values_list("pk", "name"))
    for _ in range(2):
        assert sorted(Author.objects.values_list("pk", "name")) == fresh
    return [rounds[place] for place in range(places)]


def play_in_child(process, rows, begun, acknowledged, rounds, atomic):
    faults = []

    def target(place):
        try:
            faults.extend(play_alone(place, rows, begun, acknowledged, rounds, atomic))
        except BaseException:
            faults.append(traceback.format_exc())
        finally:
            connections.close_all()

    places = range(process * THREADS, (process + 1) * THREADS)
    threads = [threading.Thread(target=target, args=(place,)) for place in places]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for fault in faults[:5]:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def play_alone(place, rows, begun, acknowledged, rounds, atomic):
    chance = random.Random(place)
    deadline = time.monotonic() + SECONDS
    faults = []
    number = 0
    first = place - place % THREADS
    known = Acknowledged(acknowledged, len(rows), range(first, first + THREADS))
    while time.monotonic() < deadline and not faults:
        if chance.random() < 0.3:
            number += 1
            begun[place] = number
            if write(rows[place], number, atomic, chance):
                acknowledged[place] = number
            rounds[place] += 1
        # Its own writes, and those of others.
        other = place if chance.random() < 0.3 else chance.randrange(len(rows))
        faults += check(rows, begun, known, other, atomic and chance.random() < 0.5)
    return faults


def write(pk, number, atomic, chance):
    """Writes a number; whether that was acknowledged."""
    try:
        if not atomic:
            Author.objects.filter(pk=pk).update(name=str(number))
            return True
        with transaction.atomic():
            if chance.random() < 0.5:
                Author.objects.get(pk=pk)
            Author.objects.filter(pk=pk).update(name=str(number))
            if Author.objects.get(pk=pk).name != str(number):
                raise AssertionError("a transaction does not see its own write")
            if chance.random() < 0.1:
                transaction.set_rollback(True)
                return False
        return True
    except OperationalError:
        # A deadlock, or a transaction that could not be serialized.
        return False


def check(rows, begun, known, place, atomic):
    """What is wrong with one read, if anything."""
    oldest = known.oldest(place)
    try:
        if not atomic:
            seen = [read(rows, place)]
        else:
            with transaction.atomic():
                seen = [read(rows, place), read(rows, place)]
    except OperationalError:
        return []
    newest = begun[place]
    wrong = [number for number in seen if not oldest <= number <= newest]
    return [f"read {wrong} where {oldest} was acknowledged and {newest} begun"] if wrong else []


def read(rows, place):
    if random.random() < 0.5:
        return int(Author.objects.get(pk=rows[place]).name)
    return int(dict(Author.objects.values_list("pk", "name"))[rows[place]])
