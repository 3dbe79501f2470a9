"""What is measured. Each workload is a function of the number of the call."""

import datetime
import decimal
import random

from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.db.models import Avg, Count, Max, OuterRef, Subquery

from shelf.models import Test

ROWS = 10_000


def fill():
    """The rows of django-cachalot's benchmark, with some more columns."""
    chance = random.Random(1)
    User.objects.bulk_create([User(username=f"user{i}") for i in range(50)])
    Group.objects.bulk_create([Group(name=f"test{i}") for i in range(10)])
    groups, users = list(Group.objects.all()), list(User.objects.all())
    for user in users:
        user.groups.add(*chance.sample(groups, 2))
    day = datetime.date(2026, 1, 1)
    moment = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)
    Test.objects.bulk_create(
        [
            Test(
                name=f"test{i}",
                owner=users[i % 50],
                score=decimal.Decimal(i) / 7,
                day=day + datetime.timedelta(days=i % 365),
                moment=moment + datetime.timedelta(minutes=i),
                note="a note of some words " * (i % 4),
            )
            for i in range(ROWS)
        ],
        batch_size=1000,
    )


def first_key():
    return Test.objects.order_by("pk").values_list("pk", flat=True)[0]


def reads():
    """Queries that are asked again and again: cachalot's twelve, then ours."""
    tests = Test.objects
    first = first_key()
    dearest = Test.objects.filter(owner=OuterRef("pk")).order_by("-score").values("name")[:1]
    return {
        "count": lambda _: tests.count(),
        "first": lambda _: tests.first(),
        "10 rows": lambda _: list(tests.all()[:10]),
        "10 rows, offset": lambda _: list(tests.all()[5000:5010]),
        "contains": lambda _: list(tests.filter(name__icontains="e")[0:10]),
        "contains, offset": lambda _: list(tests.filter(name__icontains="e")[5000:5010]),
        "ordered": lambda _: list(tests.order_by("owner")[0:10]),
        "ordered, offset": lambda _: list(tests.order_by("owner")[5000:5010]),
        "joined": lambda _: list(tests.select_related("owner")[0:10]),
        "joined, offset": lambda _: list(tests.select_related("owner")[5000:5010]),
        "prefetched": lambda _: list(tests.prefetch_related("owner__groups")[0:10]),
        "prefetched, offset": lambda _: list(
            tests.prefetch_related("owner__groups")[5000:5010]
        ),
        "by key": lambda n: tests.get(pk=first + n % 10),
        "by key, values": lambda n: tests.filter(pk=first + n % 10).values_list("name")[0],
        "exists": lambda _: tests.filter(name="test77").exists(),
        "aggregate": lambda _: tests.aggregate(Avg("score"), Max("day")),
        "group by": lambda _: list(User.objects.annotate(n=Count("test"))),
        "subquery": lambda _: list(User.objects.annotate(best=Subquery(dearest))[:10]),
        "many to many": lambda _: list(User.objects.filter(groups__name="test3")),
        "100 rows": lambda _: list(tests.all()[:100]),
        "1000 rows": lambda _: list(tests.all()[:1000]),
    }


#: cachalot's own.
TWELVE = 12


def misses():
    """Queries that nobody has asked before: the caller gives a new number each time."""
    first = first_key()
    return {
        "miss by key": lambda n: list(Test.objects.filter(pk=first + n % ROWS, score__gt=-n)),
        "miss of 10 rows": lambda n: list(Test.objects.filter(score__gt=-n)[:10]),
    }


def writes():
    first = first_key()

    def in_a_transaction(n):
        with transaction.atomic():
            for step in range(3):
                Test.objects.filter(pk=first + (n + step) % ROWS).update(name=f"w{n % 1000}")

    return {
        "update": lambda n: Test.objects.filter(pk=first + n % ROWS).update(name=f"w{n % 1000}"),
        "insert": lambda n: Test.objects.create(name=f"n{n % 1000}"),
        "transaction": in_a_transaction,
    }


def mixed(share, calls, seed):
    """A share of writes to any row between reads by key; gives what part of the reads was hits."""
    chance = random.Random(seed)
    first = first_key()
    reached = 0

    def count(execute, sql, params, many, context):
        nonlocal reached
        reached += sql.startswith("SELECT")
        return execute(sql, params, many, context)

    rows, reads = 200, 0
    with connection.execute_wrapper(count):
        for _ in range(calls):
            key = first + chance.randrange(rows)
            if chance.random() < share:
                Test.objects.filter(pk=key).update(name=f"m{chance.randrange(1000)}")
            else:
                reads += 1
                Test.objects.get(pk=key)
    return 1 - reached / reads
