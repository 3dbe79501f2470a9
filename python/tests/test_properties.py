"""Random values and random histories: what comes from the cache is what the database says.

A seed stands in the output of a test that fails; KOGIA_TEST_SEED repeats it.
"""

import contextlib
import copy
import datetime
import decimal
import functools
import ipaddress
import os
import secrets
import time

import pytest
from django.db import connection, transaction
from django.db.models import Count, F, Sum
from django.test import override_settings
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kogia import _kogia, engine
from kogia.api import disabled

from .helpers import IS_POSTGRES, IS_SQLITE, elsewhere, kogia, only, queries
from .shop.models import Author, Book, Tag
from .test_values import same, select

SEED = int(os.environ.get("KOGIA_TEST_SEED") or secrets.randbelow(2**32))
# How long one property is tried, at most. There are four for each database.
SECONDS = float(os.environ.get("KOGIA_TEST_SECONDS", "3"))
UTC = datetime.timezone.utc


class Property:
    """Runs a property with so many random examples, or as many as there is time for."""

    def __init__(self, examples):
        self.examples = examples
        self.end = None

    def __call__(self, *strategies):
        def decorate(test):
            @functools.wraps(test)
            def bounded(**arguments):
                if self.end is None:
                    print(f"KOGIA_TEST_SEED={SEED}")
                    self.end = time.monotonic() + SECONDS
                if time.monotonic() > self.end:
                    return
                try:
                    test(**arguments)
                except Exception:
                    # It is to fail again, with smaller examples.
                    self.end = float("inf")
                    raise

            return seed(SEED)(self._settings()(given(*strategies)(bounded)))

        return decorate

    def _settings(self):
        return settings(
            max_examples=self.examples,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow],
        )


def parts(value):
    """A value with ranges and JSON's wrappers taken apart, because equality overlooks things."""
    if hasattr(value, "_bounds"):
        return (type(value).__name__, parts(value.lower), parts(value.upper), value._bounds)
    if type(value).__name__ == "Multirange":
        return ("Multirange", *map(parts, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(parts, value))
    if isinstance(value, memoryview):
        return ("memoryview", value.tobytes())
    return value


def equal(one, other):
    """Whether two values are equal in type and value."""
    return same(parts(one), parts(other))


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
integers = st.integers(-(2**31), 2**31 - 1)
# PostgreSQL has one NaN alone.
decimals = st.decimals(allow_infinity=False).map(
    lambda value: decimal.Decimal("NaN") if value.is_nan() else value
) | st.decimals(allow_nan=False, places=3)
# The second hour of two that the clock shows alike has no exact form; drivers send none.
first = lambda value: value.replace(fold=0)
times = st.times().map(first)
naive = st.datetimes(datetime.datetime(1000, 1, 2), datetime.datetime(9998, 1, 1)).map(first)
aware = st.datetimes(
    datetime.datetime(1000, 1, 2),
    datetime.datetime(9998, 1, 1),
    timezones=st.just(UTC) | st.timezones(),
).map(first)
durations = st.timedeltas(datetime.timedelta(days=-100_000), datetime.timedelta(days=100_000))
addresses = st.ip_addresses() | st.ip_addresses().map(ipaddress.ip_interface)
json = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.decimals(),
        text,
        st.binary(),
        st.binary().map(memoryview),
        st.uuids(),
        st.dates(),
        times,
        st.datetimes().map(first),
        aware,
        st.timedeltas(),
        addresses,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(text, inner, max_size=3),
    ),
    max_leaves=8,
)


@Property(600)(anything, anything)
def test_any_value_comes_back_and_is_told_apart(one, other):
    rows = [(one, other)]
    back = _kogia.round_trip(rows)
    assert equal(back, rows), back
    for before, after in zip(rows[0], back[0], strict=True):
        assert before is not after or not isinstance(before, (list, dict))
    keys = [_kogia.describe([value]) for value in (one, other)]
    assert None not in keys
    assert keys[0] != keys[1] or equal(plain(one), plain(other))


def plain(value):
    """Bytes are sent alike, whatever holds them."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return bytes(value) if isinstance(value, memoryview) else value


def postgres_values():
    """Types of PostgreSQL, and parameters of them."""
    from django.db.backends.postgresql import psycopg_any as drivers

    def ranges(cls, bounds):
        made = st.builds(
            lambda ends, closed: cls(*ends, closed),
            st.tuples(bounds, bounds).map(sorted)
            | st.tuples(st.none(), bounds)
            | st.tuples(bounds, st.none())
            | st.just((None, None)),
            st.sampled_from(["[]", "[)", "(]", "()"]),
        )
        return made | st.just(cls(empty=True))

    lists = lambda inner: st.lists(st.none() | inner, max_size=4)
    finite = st.decimals(allow_nan=False, allow_infinity=False, places=3)
    dates = st.dates(datetime.date(1000, 1, 1), datetime.date(9998, 1, 1))
    zoned = naive.map(lambda value: value.replace(tzinfo=UTC))
    types = {
        "int": integers,
        "numeric": decimals,
        "float8": st.floats(),
        "text": text,
        "bytea": st.binary() | st.binary().map(memoryview),
        "uuid": st.uuids(),
        "date": dates,
        "time": times,
        "timestamp": naive,
        "timestamptz": aware,
        "interval": durations,
        "inet": addresses if drivers.is_psycopg3 else addresses.map(str).map(drivers.Inet),
        "jsonb": json.map(drivers.Jsonb),
        "int[]": lists(integers),
        "numeric[]": lists(decimals),
        "text[]": lists(text),
        "date[]": lists(dates),
        "timestamptz[]": lists(zoned),
        "hstore": st.dictionaries(text, st.none() | text, max_size=4),
        "int4range": ranges(drivers.NumericRange, st.integers(-1000, 1000)),
        "numrange": ranges(drivers.NumericRange, finite),
        "daterange": ranges(drivers.DateRange, dates),
        "tstzrange": ranges(drivers.DateTimeTZRange, zoned),
    }
    return st.sampled_from(sorted(types)).flatmap(
        lambda name: st.tuples(st.just(name), st.none() | types[name])
    )


@contextlib.contextmanager
def hstore():
    """Has the driver know the type for as long as the test runs."""
    from django.contrib.postgres.signals import register_type_handlers

    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS hstore")
    register_type_handlers(connection)
    yield


@only(IS_POSTGRES)
@pytest.mark.django_db(transaction=True)
def test_values_of_postgres():
    Author.objects.create(name="Melville")

    @Property(600)(postgres_values())
    def check(typed):
        name, value = typed
        read = lambda: select(f"CAST(%s AS {name})", [value])
        fresh = read()
        again, needed = queries(read)
        assert needed == 0
        assert equal(again, fresh), (again, fresh)
        [(cell,)] = again
        if isinstance(cell, (list, dict)):
            cell.clear()
            assert equal(read(), fresh)

    with hstore(), override_settings(KOGIA=kogia(CACHE_RAW=True)):
        # The first query of a text may meet a catalog from before the extension.
        select("1")
        check()


fields = st.fixed_dictionaries(
    {
        "title": text,
        "price": st.decimals(-99999, 99999, places=2),
        "published": st.none() | aware,
        "data": json.filter(lambda value: value is not None),
        "cover": st.none() | st.binary(),
        "isbn": st.none() | st.uuids(version=4),
        "loan": st.none() | durations,
    }
)


@pytest.mark.django_db(transaction=True)
def test_values_of_fields():
    author = Author.objects.create(name="Melville")

    @Property(200)(fields)
    def check(values):
        Book.objects.all().delete()
        Book.objects.create(pk=1, author=author, **values)
        # JSON cannot be compared on all databases, and nothing equals NULL.
        sought = {
            name: value
            for name, value in values.items()
            if name not in ("data", "loan") and value is not None
        }
        for chosen in ({}, {"loan": values["loan"]}, *({name: sought[name]} for name in sought)):
            read = lambda chosen=chosen: list(Book.objects.filter(**chosen).values_list())
            fresh = read()
            again, needed = queries(read)
            assert needed == 0, chosen
            with disabled():
                assert equal(again, fresh) and equal(again, read()), (again, fresh)
        [book] = Book.objects.all()
        if isinstance(book.data, (list, dict)):
            # What is done to one object, no other one shows.
            kept = copy.deepcopy(book.data)
            book.data.clear()
            assert equal([found.data for found in Book.objects.all()], [kept])

    check()


names = st.sampled_from(["a", "b", "c"])
keys = st.integers(1, 3)


def save_author(key, name):
    Author(pk=key, name=name).save()


def rename(name, other):
    Author.objects.filter(name=name).update(name=other)


def delete_author(key):
    Author.objects.filter(pk=key).delete()


def save_book(key, author, title):
    Author.objects.get_or_create(pk=author, defaults={"name": title})
    Book(pk=key, title=title, author_id=author, price=key).save()


def reprice(author):
    Book.objects.filter(author_id=author).update(price=F("price") + 1)


def tag(book, name):
    for found in Book.objects.filter(pk=book):
        found.tags.add(Tag.objects.get_or_create(pk=name)[0])


def untag(book):
    for found in Book.objects.filter(pk=book):
        found.tags.clear()


def bulk(name):
    Author.objects.bulk_create([Author(pk=key, name=name) for key in (1, 2)], ignore_conflicts=True)


def raw(key, name):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_author SET name = %s WHERE id = %s", [name, key])


def toggle():
    """Another connection writes a row that nobody else locks."""
    if not (IS_SQLITE and connection.in_atomic_block):
        elsewhere(lambda: Tag.objects.filter(pk="x").delete()[0] or Tag.objects.create(pk="x"))


def call(function, *arguments):
    return st.tuples(st.just(function), *arguments)


writes = st.one_of(
    call(save_author, keys, names),
    call(rename, names, names),
    call(delete_author, keys),
    call(save_book, keys, keys, names),
    call(reprice, keys),
    call(tag, keys, names),
    call(untag, keys),
    call(bulk, names),
    call(raw, keys, names),
    call(toggle),
)


class Undone(Exception):
    """Rolls a block back."""


def block(steps, rolls_back):
    """A transaction, or a savepoint in one."""
    with contextlib.suppress(Undone), transaction.atomic():
        for step in steps:
            run(step)
        if rolls_back:
            raise Undone


histories = st.lists(
    st.recursive(
        writes,
        lambda inner: call(block, st.lists(inner, min_size=1, max_size=4), st.booleans()),
        max_leaves=6,
    ),
    min_size=1,
    max_size=6,
)

READS = [
    lambda: list(Author.objects.order_by("pk").values_list()),
    lambda: list(Author.objects.filter(pk=1).values_list("name")),
    lambda: list(Author.objects.filter(pk__in=[2, 3]).order_by("pk").values_list("name")),
    lambda: Author.objects.filter(name="a").exists(),
    lambda: Author.objects.annotate(n=Count("books")).filter(n__gte=1).count(),
    lambda: list(Book.objects.order_by("pk").values_list("pk", "title", "author__name", "price")),
    lambda: Book.objects.filter(author__name="b").aggregate(total=Sum("price")),
    lambda: [
        (book.pk, [tag.pk for tag in book.tags.all()])
        for book in Book.objects.order_by("pk").prefetch_related("tags")
    ],
    lambda: list(Tag.objects.order_by("pk").values_list("pk", flat=True)),
    lambda: sorted(Author.objects.values_list("name").union(Book.objects.values_list("title"))),
]


def run(step):
    """Takes a step, and compares all reads with the bare database's."""
    function, *arguments = step
    function(*arguments)
    for read in READS:
        cached = read()
        with disabled():
            assert cached == read()


@pytest.mark.django_db(transaction=True)
def test_histories():
    @Property(60)(histories)
    def check(history):
        for model in (Book, Author, Tag):
            model.objects.all().delete()
        for step in history:
            run(step)
        # Nothing that was rolled back has come to others.
        mine = [read() for read in READS]
        assert mine == elsewhere(lambda: [read() for read in READS])

    before = engine.cache().stats()["hits"]
    check()
    assert engine.cache().stats()["hits"] > before
