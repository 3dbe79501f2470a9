"""Reads come from the cache, and show every write."""

import datetime
import decimal
import uuid

import pytest
from django.db import connection, connections, models, transaction
from django.db.models import Count
from django.db.models.sql.constants import MULTI
from django.test.utils import CaptureQueriesContext

from kogia import engine, link

from .shop.models import Author, Book, Tag

pytestmark = pytest.mark.django_db(transaction=True)


class Queries(CaptureQueriesContext):
    """The number of queries that reach the database."""

    def __init__(self):
        super().__init__(connection)


def queries(call):
    """What a call answers, and how many queries it needs."""
    with Queries() as captured:
        answer = call()
    return answer, len(captured)


def test_a_repeated_read_is_a_hit():
    author = Author.objects.create(name="Melville")
    first, needed = queries(lambda: list(Author.objects.values_list()))
    assert needed == 1
    second, needed = queries(lambda: list(Author.objects.values_list()))
    assert needed == 0
    assert first == second == [(author.pk, "Melville")]


def test_every_write_shows():
    author = Author.objects.create(name="Melville")
    names = lambda: list(Author.objects.order_by("name").values_list("name", flat=True))
    assert names() == ["Melville"]
    Author.objects.create(name="Hawthorne")
    assert names() == ["Hawthorne", "Melville"]
    author.name = "Poe"
    author.save()
    assert names() == ["Hawthorne", "Poe"]
    Author.objects.filter(name="Poe").update(name="Whitman")
    assert names() == ["Hawthorne", "Whitman"]
    Author.objects.bulk_create([Author(name="Alcott"), Author(name="Dickinson")])
    assert names() == ["Alcott", "Dickinson", "Hawthorne", "Whitman"]
    author.delete()
    assert names() == ["Alcott", "Dickinson", "Hawthorne"]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM shop_author WHERE name = %s", ["Alcott"])
    assert names() == ["Dickinson", "Hawthorne"]


def test_values_come_back_equal_in_type_and_value():
    author = Author.objects.create(name="Melville ü 🐋")
    Book.objects.create(
        title="Moby-Dick",
        author=author,
        price=decimal.Decimal("12.50"),
        published=datetime.datetime(1851, 10, 18, 12, 30, tzinfo=datetime.timezone.utc),
        data={"pages": [635, None, 1.5]},
        cover=b"\x00\xff",
        isbn=uuid.UUID(int=7),
        loan=datetime.timedelta(days=-3, microseconds=5),
    )
    first, _ = queries(lambda: Book.objects.get())
    second, needed = queries(lambda: Book.objects.get())
    assert needed == 0
    for field in Book._meta.concrete_fields:
        one, other = getattr(first, field.attname), getattr(second, field.attname)
        if isinstance(one, memoryview):
            one, other = bytes(one), bytes(other)
        assert one == other and type(one) is type(other), field.name
    second.data["pages"].append(1)
    assert Book.objects.get().data == {"pages": [635, None, 1.5]}


def test_a_write_to_one_row_leaves_the_others():
    one = Author.objects.create(name="Melville")
    two = Author.objects.create(name="Poe")
    for author in (one, two):
        Author.objects.get(pk=author.pk)
    two.name = "E. A. Poe"
    two.save()
    _, needed = queries(lambda: Author.objects.get(pk=one.pk))
    assert needed == 0
    found, needed = queries(lambda: Author.objects.get(pk=two.pk))
    assert (found.name, needed) == ("E. A. Poe", 1)


def test_a_transaction_sees_its_own_writes_and_shows_them_when_it_commits():
    Author.objects.create(name="Melville")
    assert Author.objects.count() == 1
    with transaction.atomic():
        Author.objects.create(name="Poe")
        assert Author.objects.count() == 2
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Author.objects.create(name="Whitman")
            assert Author.objects.count() == 3
            raise ZeroDivisionError
        assert Author.objects.count() == 2
    assert Author.objects.count() == 2
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Author.objects.create(name="Whitman")
        assert Author.objects.count() == 3
        raise ZeroDivisionError
    assert Author.objects.count() == 2


def test_many_to_many_and_prefetches():
    author = Author.objects.create(name="Melville")
    book = Book.objects.create(title="Moby-Dick", author=author)
    whale = Tag.objects.create(name="whale")
    read = lambda: [
        (book.title, sorted(tag.name for tag in book.tags.all()))
        for book in Book.objects.prefetch_related("tags").select_related("author")
    ]
    assert read() == [("Moby-Dick", [])]
    book.tags.add(whale)
    assert read() == [("Moby-Dick", ["whale"])]
    _, needed = queries(read)
    assert needed == 0
    author.delete()
    assert read() == []


def test_iterators_fill_when_they_are_read_to_the_end():
    for number in range(5):
        Author.objects.create(name=str(number))
    read = lambda: [author.name for author in Author.objects.order_by("pk").iterator(2)]
    next(Author.objects.order_by("pk").iterator(2))
    first, needed = queries(read)
    assert (first, needed) == (["0", "1", "2", "3", "4"], 1)
    second, needed = queries(read)
    assert (second, needed) == (first, 0)


def test_a_hit_needs_no_connection():
    Author.objects.create(name="Melville")
    assert Author.objects.count() == 1
    connection.close()
    assert Author.objects.count() == 1
    assert connection.connection is None
    assert engine.cache().stats()["hits"] > 0


def test_an_aggregate_over_a_subquery():
    author = Author.objects.create(name="Melville")
    Book.objects.create(title="Moby Dick", author=author)
    needed = lambda: queries(Author.objects.annotate(written=Count("books")).distinct().count)
    assert [needed(), needed()] == [(1, 1), (1, 0)]
    Author.objects.create(name="Poe")
    assert needed() == (2, 1)


def test_a_compiler_that_was_given_the_proxy_of_the_connection():
    names = Author.objects.order_by("name").values_list("name", flat=True)

    def read():
        compiler = names.all().query.get_compiler(connection=connection)
        return [row[0] for rows in compiler.execute_sql(MULTI) for row in rows]

    Author.objects.create(name="Melville")
    assert link.of(connection) is link.of(connections["default"])
    read()
    assert queries(read) == (["Melville"], 0)
    with transaction.atomic():
        Author.objects.create(name="Poe")
        assert read() == ["Melville", "Poe"]


def test_a_count_of_a_query_that_groups():
    author = Author.objects.create(name="Melville")
    Author.objects.create(name="Poe")
    book = Book.objects.create(title="Moby-Dick", author=author)
    writers = Author.objects.annotate(n=models.Count("books")).filter(n__gte=1)
    for read in (writers.count, lambda: writers.aggregate(models.Sum("n"))["n__sum"]):
        assert read() == 1
        assert queries(read) == (1, 0)
    book.delete()
    assert writers.count() == 0


def test_numbers_that_django_gives_a_size():
    # With psycopg 3 the parameters of these queries have a type of their own for each column.
    Author.objects.create(name="Melville")
    assert Author.objects.exists()
    assert queries(Author.objects.exists) == (True, 0)
    for field in (models.SmallIntegerField, models.IntegerField, models.BigIntegerField):
        for number in (1, 2):
            one = models.Value(number, output_field=field())
            read = Author.objects.annotate(one=one).values_list("one").get
            assert read() == (number,)
            assert queries(read) == ((number,), 0)


def test_the_first_read_after_a_change_of_the_schema_is_kept():
    Author.objects.create(name="Melville")
    assert Author.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shop_passing (id INTEGER)")
    try:
        assert queries(Author.objects.count) == (1, 1)
        assert queries(Author.objects.count) == (1, 0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE shop_passing")
