"""Values come back equal in type and value, or are not stored; parameters are told apart."""

import datetime
import decimal
import enum
import ipaddress
import math
import uuid
import zoneinfo

import pytest
from django.db import connection
from django.test import override_settings
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from kogia import _kogia

from .helpers import IS_POSTGRES, kogia, only, queries
from .shop.models import Author

UTC = datetime.timezone.utc
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
D = decimal.Decimal
dt = datetime.datetime

VALUES = [
    None, True, False, 0, 1, -1, 2**31, -(2**63), 2**63 - 1, 2**63, 2**64, -(10**40), 10**300,
    0.0, -0.0, 1.5, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan,
    "", "a", "ü 🐋", "\x00", "x" * 70_000, b"", b"\x00\xff", b"x" * 70_000,
    memoryview(b""), memoryview(b"\x00\xff"),
    D("0"), D("-0"), D("0.00"), D("1.10"), D("1E+30"), D("1E-30"), D("NaN"), D("-NaN"), D("sNaN7"),
    D("Infinity"), D("-Infinity"), D("123456789012345678901234567890.123456789"),
    uuid.UUID(int=0), uuid.UUID(int=2**128 - 1),
    datetime.date.min, datetime.date.max, datetime.date(1582, 10, 10), datetime.date(2024, 2, 29),
    datetime.time.min, datetime.time.max, datetime.time(12, 30, 15, 7),
    dt.min, dt.max, dt(1969, 12, 31, 23, 59, 59, 999_999), dt(2024, 2, 29, 12),
    dt.min.replace(tzinfo=UTC), dt.max.replace(tzinfo=UTC), dt(2024, 3, 31, 2, 30, tzinfo=BERLIN),
    dt(2024, 10, 27, 2, 30, tzinfo=BERLIN), dt(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    dt(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))),
    dt(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=1))),
    datetime.timedelta(0), datetime.timedelta.min, datetime.timedelta.max, datetime.timedelta.resolution,
    datetime.timedelta(days=-3, microseconds=5),
    [], [1, None, "a"], [[1, 2], [3, None]], [[], [[]]], (), (1, "a", None), (None, (1,), [2]),
    {}, {"a": None, "b": "c"}, {"a": [1, {"b": 2.5}], "c": True}, {1: "a", None: b"x", (1, 2): 3},
    *(
        make(text)
        for text, makers in {
            "127.0.0.1": [ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network],
            "::1": [ipaddress.IPv6Address, ipaddress.IPv6Interface, ipaddress.IPv6Network],
            "10.0.0.7/8": [ipaddress.IPv4Interface], "fe80::/10": [ipaddress.IPv6Network],
        }.items()
        for make in makers
    ),
]  # fmt: skip


class Colour(str, enum.Enum):
    RED = "red"


class Text(str):
    pass


class Number(int):
    pass


NOT_STORED = [
    Colour.RED, Text("a"), Number(1), object(), complex(1, 2), bytearray(b"a"), {1, 2}, "\ud800",
    dt(2024, 10, 27, 2, 30, fold=1), dt(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    dt(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1), "X")),
    datetime.time(1, tzinfo=UTC), datetime.time(1, fold=1), mark_safe("a"), lazystr("a"),
    [object()], {"a": object()},
]  # fmt: skip


def same(one, other):
    """Whether two values cannot be told apart."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (float, decimal.Decimal)):
        return repr(one) == repr(other)
    if isinstance(one, dt):
        return same_clock(one, other)
    return one == other


def same_clock(one, other):
    zones = one.tzinfo, other.tzinfo
    return (
        one.replace(tzinfo=None) == other.replace(tzinfo=None)
        and one.fold == other.fold
        and repr(zones[0]) == repr(zones[1])
        and type(zones[0]) is type(zones[1])
    )


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_comes_back_as_it_was(value):
    rows = _kogia.round_trip([(value, 1), (None, value)])
    assert same(rows, [(value, 1), (None, value)]), rows


@pytest.mark.parametrize("value", NOT_STORED, ids=lambda value: repr(value)[:40])
def test_what_has_no_exact_form_is_not_stored(value):
    assert _kogia.round_trip([(value,)]) is None


def test_random_values():
    from random import Random

    chance = Random(20261123)

    def make(depth):
        if depth and chance.random() < 0.4:
            parts = [make(depth - 1) for _ in range(chance.randrange(4))]
            return chance.choice([list, tuple])(parts)
        return chance.choice(
            [
                lambda: chance.choice(VALUES),
                lambda: chance.randint(-(2**70), 2**70),
                lambda: chance.uniform(-1e9, 1e9),
                lambda: "".join(map(chr, chance.choices(range(1, 0xD7FF), k=chance.randrange(9)))),
                lambda: chance.randbytes(chance.randrange(20)),
                lambda: D(chance.randint(-(10**12), 10**12)).scaleb(chance.randint(-20, 20)),
                lambda: (
                    dt.min + datetime.timedelta(microseconds=chance.randrange(315537897600 * 10**6))
                ),
                lambda: datetime.timedelta(microseconds=chance.randint(-(10**18), 10**18)),
            ]
        )()

    for _ in range(3000):
        rows = [tuple(make(2) for _ in range(3)) for _ in range(chance.randrange(4))]
        assert same(_kogia.round_trip(rows), rows), rows


def parameters():
    return [
        1, True, 1.0, D(1), D("1.0"), "1", b"1", [1], (1,), ["1"], [[1]], [1, 1], ["1,1"], [], [None],
        None, "", b"", 0, False, -0.0, 0.0, dt(2024, 1, 1), datetime.date(2024, 1, 1), "2024-01-01",
        dt(2024, 1, 1, tzinfo=UTC), datetime.time(1), datetime.timedelta(1), uuid.UUID(int=1),
        str(uuid.UUID(int=1)), ipaddress.ip_address("127.0.0.1"), ipaddress.ip_interface("127.0.0.1"),
        Colour.RED, "red", 2**70, str(2**70), {}, {"a": None}, {"a": "b"}, {"a": "b", "c": None},
        {"a": {}}, ["a", "b"], [{"a": "b"}],
        *of_drivers(),
    ]  # fmt: skip


def of_drivers():
    """What Django wraps parameters in, for the driver that is in use."""
    if not IS_POSTGRES:
        return []
    from django.db.backends.postgresql import psycopg_any

    Binary = connection.Database.Binary
    made = [Binary(b"1"), Binary(b"2"), psycopg_any.Jsonb({"a": 1}), psycopg_any.Jsonb({"a": 2})]
    if not psycopg_any.is_psycopg3:
        return [*made, psycopg_any.Inet("127.0.0.1"), psycopg_any.Inet("127.0.0.2")]
    from psycopg.types import numeric

    sized = [numeric.Int2, numeric.Int4, numeric.Int8, numeric.IntNumeric]
    return made + [
        make(value) for make in (*sized, numeric.Float4, numeric.Float8) for value in (1, 2)
    ]


def test_parameters_are_told_apart():
    described = [_kogia.describe([value]) for value in parameters()]
    assert None not in described
    assert len(set(described)) == len(described)


@pytest.mark.parametrize(
    "value", [Text("a"), Number(1), object(), lazystr("a"), {"a": object()}, {1}]
)
def test_parameters_of_unknown_types(value):
    assert _kogia.describe([value]) is None


def test_nothing_of_a_parameter_is_executed():
    class Evil:
        def __getattribute__(self, name):
            raise AssertionError(name)

        def __str__(self):
            raise AssertionError

        __repr__ = __hash__ = __eq__ = __conform__ = __str__

    assert _kogia.describe([Evil()]) is None
    assert _kogia.round_trip([(Evil(),)]) is None


def select(expression, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression} FROM shop_author", parameters)
        return list(cursor.fetchall())


EXPRESSIONS = {
    "sqlite": ["1", "1.5", "'a'", "x'00ff'", "NULL", "9223372036854775807", "9e999", "''"],
    "mysql": [
        "1", "1.50", "1.5e0", "'a'", "x'00ff'", "NULL", "18446744073709551615", "DATE '2024-02-29'",
        "TIMESTAMP '2024-02-29 12:00:00.5'", "CAST('12:30:00.5' AS TIME)", "b'101'",
        "CAST('0000-00-00' AS DATE)", "JSON_OBJECT('a', 1)", "CAST(1.10 AS DECIMAL(20,10))",
        "CAST('a' AS BINARY)",
    ],
    "postgresql": [
        "1", "1.50::numeric", "'NaN'::numeric", "'Infinity'::float8", "'a'::text", "'\\x00ff'::bytea",
        "true", "NULL", "99999999999999999999999::numeric", "'2024-02-29'::date",
        "'2024-02-29 12:00'::timestamp", "'2024-02-29 12:00+02'::timestamptz", "'12:00'::time",
        "'1 day -3 microseconds'::interval", "'1 year'::interval", "'{{1,2},{3,NULL}}'::int[]",
        "'{\"a\": [1, null, 1.5]}'::jsonb", "'{\"a\": 1}'::json", "'[1,5)'::int4range",
        "'empty'::int4range", "'(,5.5]'::numrange", "'[2024-01-01,)'::daterange",
        "'[2024-01-01,2024-01-02]'::tstzrange", "'[2024-01-01,2024-01-02]'::tsrange",
        "'{[1,2),[5,9)}'::int4multirange", "ARRAY['[1,5)'::int4range]",
        "'127.0.0.1'::inet", "'10.0.0.1/8'::inet", "'10.0.0.0/8'::cidr", "'fe80::1/64'::inet",
        "'00000000-0000-0000-0000-000000000007'::uuid", "B'101'", "'08:00:2b:01:02:03'::macaddr",
        "ROW(1, 'a')", "'(1,2)'::point", "'a'::name", "1::oid", "1::smallint", "'x'::char(3)",
    ],
}  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("expression", EXPRESSIONS[connection.vendor])
def test_a_value_of_a_driver(expression):
    Author.objects.create(name="Melville")
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        fresh, needed = queries(lambda: select(expression))
        assert needed == 1
        again, needed = queries(lambda: select(expression))
        assert same(again, fresh), (again, fresh)
        # Some types have no exact form; none of those that Django has fields for.
        assert needed == 0 or expression in {"ROW(1, 'a')", "CAST('0000-00-00' AS DATE)"}


@only(IS_POSTGRES)
@pytest.mark.django_db(transaction=True)
def test_hstore():
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS hstore")
    from django.contrib.postgres.signals import register_type_handlers

    register_type_handlers(connection)
    Author.objects.create(name="Melville")
    expression = "'a=>1, b=>NULL'::hstore"
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        select(expression), select(expression)
        fresh = select(expression)
        again, _ = queries(lambda: select(expression))
        assert same(again, fresh) and fresh == [({"a": "1", "b": None},)]


@only(IS_POSTGRES)
@pytest.mark.django_db(transaction=True)
def test_a_stable_function_that_reads_no_table():
    Author.objects.create(name="Brontë")
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
        cursor.execute(
            "CREATE FUNCTION longest(text) RETURNS text LANGUAGE sql STABLE "
            "AS 'SELECT max(name) FROM shop_author'"
        )
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        for function, needed in (("unaccent", 0), ("longest", 1)):
            first = select(f"{function}(name)")
            assert queries(lambda name=function: select(f"{name}(name)")) == (first, needed)
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION longest")


@pytest.mark.django_db(transaction=True)
def test_parameters_of_other_types_are_other_queries():
    Author.objects.create(name="1")
    cast = {"sqlite": "typeof(%s)", "mysql": "concat(%s)", "postgresql": "pg_typeof(%s)::text"}
    expression = cast[connection.vendor]
    with override_settings(KOGIA=kogia(CACHE_RAW=True)):
        for _ in range(2):
            for value in [1, 1.5, "1", b"1", None, D("1.0"), datetime.date(2024, 1, 1)]:
                cached = select(expression, [value])
                with override_settings(KOGIA=kogia(CACHE_RAW=False)):
                    assert same(cached, select(expression, [value])), value
