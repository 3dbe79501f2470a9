#!/usr/bin/env python3
"""Writes django.{sqlite,postgres,mysql}.sql: the statements that Django sends for a rich application.

The statements are recorded on a real connection, as Django hands them to the driver: parameters
are `%s`, a literal per cent sign is doubled. Run it with Python 3.11 or later and `Django`,
`psycopg[binary]` and `pymysql` installed:

    python generate_django.py sqlite
    python generate_django.py postgres --host /run/postgresql --user postgres --name corpus
    python generate_django.py mysql --socket /run/mysqld/mysqld.sock --user root --name corpus

The named database must exist and be empty; with PYTHONHASHSEED=0 the order of sets is always the
same. Each block of the output is one statement, preceded by
what it is and what the analysis has to say about it:

    -- reads:, -- writes:   the tables, found here by their quoted names, apart from any parser
    -- cacheable            or `-- uncacheable`, for statements that give rows
    -- schema               the statement changes the schema
    -- database             the statement invalidates everything, for a good reason
    -- session              the statement only changes the session or its transaction
"""

import argparse
import contextlib
import datetime
import decimal
import pathlib
import re
import sys
import tempfile
import uuid

import django
from django.conf import settings

OUT = pathlib.Path(__file__).parent


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("dialect", choices=["sqlite", "postgres", "mysql"])
    parser.add_argument("--host", default="")
    parser.add_argument("--port", default="")
    parser.add_argument("--socket")
    parser.add_argument("--user", default="")
    parser.add_argument("--name", default="corpus")
    return parser.parse_args()


OPTIONS = options()
DIALECT = OPTIONS.dialect
POSTGRES, MYSQL, SQLITE = (DIALECT == name for name in ("postgres", "mysql", "sqlite"))


def configure():
    if MYSQL:
        import pymysql

        pymysql.version_info = (2, 2, 1, "final", 0)
        pymysql.install_as_MySQLdb()
    database = {
        "ENGINE": "django.db.backends." + {"postgres": "postgresql", "sqlite": "sqlite3"}.get(DIALECT, DIALECT),
        "NAME": ":memory:" if SQLITE else OPTIONS.name,
        "USER": OPTIONS.user,
        "HOST": OPTIONS.socket or OPTIONS.host,
        "PORT": OPTIONS.port,
    }
    # An application is a package; its models follow below.
    package = tempfile.mkdtemp()
    (pathlib.Path(package) / "library").mkdir()
    (pathlib.Path(package) / "library" / "__init__.py").touch()
    sys.path.insert(0, package)
    contrib = ["admin", "auth", "contenttypes", "sessions", "messages", "sites", "flatpages", "redirects"]
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=[f"django.contrib.{name}" for name in contrib + ["postgres"] * POSTGRES] + ["library"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="corpus",
        SITE_ID=1,
        USE_TZ=True,
        TIME_ZONE="UTC",
        ROOT_URLCONF="library",
        MIDDLEWARE=[],
    )
    django.setup()


configure()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sites.models import Site  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import (  # noqa: E402
    Avg, Case, CharField, Count, DateField, DecimalField, DurationField, Exists, ExpressionWrapper, F,
    FilteredRelation, FloatField, Func, IntegerField, Max, Min, OuterRef, Prefetch, Q, StdDev,
    Subquery, Sum, Value, ValueRange, Variance, When, Window,
)
from django.db.models import RowRange  # noqa: E402
from django.db.models import functions as fn  # noqa: E402
from django.utils import timezone  # noqa: E402

if POSTGRES:
    from django.contrib.postgres import fields as pg
    from django.contrib.postgres import indexes as pg_indexes
    from django.contrib.postgres import search
    from django.contrib.postgres.aggregates import (
        ArrayAgg, BitAnd, BoolAnd, BoolOr, Corr, JSONBAgg, RegrSlope, StringAgg,
    )
    from django.contrib.postgres.constraints import ExclusionConstraint
    from django.contrib.postgres.expressions import ArraySubquery
    from django.contrib.postgres.functions import RandomUUID, TransactionNow
    from django.contrib.postgres.signals import get_hstore_oids
    from django.contrib.postgres.operations import HStoreExtension, TrigramExtension, UnaccentExtension


class LibraryModel(models.Model):
    class Meta:
        abstract = True
        app_label = "library"


class Publisher(LibraryModel):
    name = models.CharField(max_length=100, unique=True)
    country = models.CharField(max_length=2, db_index=True)
    founded = models.DateField(null=True)


class Author(LibraryModel):
    name = models.CharField(max_length=100, db_index=True)
    email = models.EmailField(blank=True)
    born = models.DateField(null=True)
    alive = models.BooleanField(default=True)
    mentor = models.ForeignKey("self", models.SET_NULL, null=True, related_name="students")
    friends = models.ManyToManyField("self")


class Tag(LibraryModel):
    """A tag on anything: a generic relation."""

    label = models.SlugField()
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    target = GenericForeignKey()


class Book(LibraryModel):
    title = models.CharField(max_length=200)
    isbn = models.CharField(max_length=13, unique=True, null=True)
    publisher = models.ForeignKey(Publisher, models.CASCADE, related_name="books")
    authors = models.ManyToManyField(Author, through="Authorship", related_name="books")
    price = models.DecimalField(max_digits=8, decimal_places=2)
    pages = models.IntegerField(default=0)
    rating = models.FloatField(null=True)
    published = models.DateField(null=True)
    added = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    opens = models.TimeField(null=True)
    loan = models.DurationField(null=True)
    data = models.JSONField(default=dict)
    cover = models.BinaryField(null=True)
    active = models.BooleanField(default=True)
    tags = GenericRelation(Tag)

    class Meta(LibraryModel.Meta):
        abstract = False
        ordering = ["title", "-id"]
        get_latest_by = "added"
        indexes = [
            models.Index(fields=["publisher", "-published"], name="book_by_publisher"),
            models.Index(fn.Lower("title"), name="book_lower_title"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="price_not_negative"),
            models.UniqueConstraint(fields=["title", "publisher"], name="one_title"),
        ]


class Authorship(LibraryModel):
    book = models.ForeignKey(Book, models.CASCADE)
    author = models.ForeignKey(Author, models.CASCADE)
    position = models.PositiveSmallIntegerField(default=1)
    royalty = models.DecimalField(max_digits=5, decimal_places=2, default=0)

    class Meta(LibraryModel.Meta):
        abstract = False
        unique_together = [("book", "author")]


class Place(LibraryModel):
    name = models.CharField(max_length=50)
    address = models.CharField(max_length=80)


class Branch(Place):
    """Multi-table inheritance."""

    manager = models.OneToOneField(Author, models.PROTECT, null=True)
    books = models.ManyToManyField(Book)


class OpenBranch(Branch):
    class Meta(LibraryModel.Meta):
        abstract = False
        proxy = True


class Copy(LibraryModel):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    book = models.ForeignKey(Book, models.CASCADE, related_name="copies")
    branch = models.ForeignKey(Branch, models.SET_NULL, null=True)
    shelf = models.CharField(max_length=10, default="A")
    number = models.GeneratedField(
        expression=F("row") * 100 + F("slot"), output_field=IntegerField(), db_persist=True
    )
    row = models.IntegerField(default=0)
    slot = models.IntegerField(db_default=7)


class Stock(LibraryModel):
    """A composite primary key."""

    pk = models.CompositePrimaryKey("branch_code", "book_id")
    branch_code = models.CharField(max_length=8)
    book = models.ForeignKey(Book, models.DO_NOTHING, db_constraint=False)
    amount = models.IntegerField(default=0)


class Loan(LibraryModel):
    copy = models.ForeignKey(Copy, models.CASCADE)
    reader = models.ForeignKey(User, models.CASCADE)
    begin = models.DateTimeField()
    end = models.DateTimeField(null=True)
    fee = models.DecimalField(max_digits=6, decimal_places=2, default=0)


MODELS = [Publisher, Author, Tag, Book, Authorship, Place, Branch, Copy, Stock, Loan]

if POSTGRES:

    class Document(LibraryModel):
        labels = pg.ArrayField(models.CharField(max_length=20), default=list)
        matrix = pg.ArrayField(pg.ArrayField(models.IntegerField()), null=True)
        attributes = pg.HStoreField(default=dict)
        during = pg.DateRangeField(null=True)
        span = pg.IntegerRangeField(null=True)
        body = models.TextField()
        vector = search.SearchVectorField(null=True)
        book = models.ForeignKey(Book, models.CASCADE, null=True)

        class Meta(LibraryModel.Meta):
            abstract = False
            indexes = [
                pg_indexes.GinIndex(fields=["vector"], name="document_vector"),
                pg_indexes.GinIndex(pg_indexes.OpClass(fn.Upper("body"), "gin_trgm_ops"), name="document_trgm"),
                pg_indexes.BrinIndex(fields=["id"], name="document_brin"),
                models.Index(fields=["book"], condition=Q(book__isnull=False), include=["body"], name="document_book"),
            ]
            constraints = [ExclusionConstraint(name="no_overlap", expressions=[("during", "&&")])]

    MODELS.append(Document)


class Recorder:
    """Collects statements, each distinct text once, under the name of the case that sent it."""

    def __init__(self):
        self.seen = set()
        self.blocks = []
        self.case = "start"
        self.pause = 0

    def __call__(self, execute, sql, params, many, context):
        if not self.pause:
            self.add(sql)
        return execute(sql, params, many, context)

    def add(self, sql):
        text = re.sub(r"s\d+_x(\d+)", r"s1_x\1", str(sql).strip().rstrip(";"))
        shape = re.sub(r"\(%s(, %s)+\)", "(%s)", text)
        if shape not in self.seen:
            self.seen.add(shape)
            self.blocks.append((self.case, text))


RECORDER = Recorder()


@contextlib.contextmanager
def silent():
    RECORDER.pause += 1
    try:
        yield
    finally:
        RECORDER.pause -= 1


def case(name, *thunks):
    """Runs thunks under a name, each in a transaction of its own that is rolled back."""
    for thunk in thunks:
        RECORDER.case = name
        try:
            with contextlib.ExitStack() as stack:
                with silent():
                    stack.enter_context(transaction.atomic())
                result = thunk()
                if isinstance(result, models.QuerySet):
                    list(result)
                with silent():
                    transaction.set_rollback(True)
                    stack.close()
        except Exception as error:  # a backend that lacks a feature, or a constraint
            print(f"  {DIALECT}: {name}: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)


def prepare():
    RECORDER.case = "migrations of the contrib applications"
    if POSTGRES:
        with connection.schema_editor() as editor:
            for operation in (HStoreExtension(), TrigramExtension(), UnaccentExtension()):
                RECORDER.case = f"migration: {type(operation).__name__}"
                editor.execute(f"CREATE EXTENSION IF NOT EXISTS {editor.quote_name(operation.name)}")
            editor.execute('CREATE EXTENSION IF NOT EXISTS "btree_gist"')
        # A new connection asks again for the types of the extensions.
        get_hstore_oids.cache_clear()
        connection.close()
    with silent():
        call_command("migrate", verbosity=0)
    for app, names in {
        "auth": ["0001", "0002", "0003", "0012"], "contenttypes": ["0001", "0002"], "admin": ["0001"],
        "sessions": ["0001"], "sites": ["0001", "0002"], "flatpages": ["0001"], "redirects": ["0001", "0002"],
    }.items():
        for name in names:
            RECORDER.case = f"sqlmigrate {app} {name}"
            from io import StringIO

            out = StringIO()
            with silent():
                call_command("sqlmigrate", app, name, stdout=out, no_color=True)
            lines = [line for line in out.getvalue().splitlines() if not line.startswith("--")]
            for statement in re.split(r";\s*(?:\n|$)", "\n".join(lines)):
                if statement.strip():
                    RECORDER.add(statement)
    RECORDER.case = "migration: create models"
    if SQLITE:
        connection.disable_constraint_checking()
    with connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)


def alter():
    """The changes of schema that migrations make."""

    def field(model, name):
        return model._meta.get_field(name)

    def altered(model, name, new):
        new.set_attributes_from_name(name)
        new.model = model
        return field(model, name), new

    def step(name, change):
        RECORDER.case = f"migration: {name}"
        try:
            if SQLITE:
                connection.disable_constraint_checking()
            with connection.schema_editor(atomic=not MYSQL) as editor:
                change(editor)
        except Exception as error:
            print(f"  {DIALECT}: {name}: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)

    note = models.TextField(null=True)
    note.set_attributes_from_name("note")
    note.model = Publisher
    step("add a field", lambda e: e.add_field(Publisher, note))
    step("add a field with a default", lambda e: e.add_field(Publisher, with_name(Publisher, "size", IntegerField(default=5))))
    step("add a foreign key", lambda e: e.add_field(Publisher, with_name(Publisher, "owner", models.ForeignKey(Author, models.CASCADE, null=True))))
    step("alter a type", lambda e: e.alter_field(Publisher, *altered(Publisher, "country", models.CharField(max_length=3, db_index=True))))
    step("drop not null", lambda e: e.alter_field(Author, *altered(Author, "email", models.EmailField(null=True))))
    step("add an index", lambda e: e.add_index(Author, models.Index(fields=["born", "name"], name="author_born")))
    step("remove an index", lambda e: e.remove_index(Author, models.Index(fields=["born", "name"], name="author_born")))
    step("rename an index", lambda e: (
        e.add_index(Author, models.Index(fields=["born"], name="old_name")),
        e.rename_index(Author, models.Index(fields=["born"], name="old_name"), models.Index(fields=["born"], name="new_name")),
    ))
    step("add a constraint", lambda e: e.add_constraint(Author, models.UniqueConstraint(fields=["email"], condition=Q(alive=True), name="living_email")))
    step("remove a constraint", lambda e: e.remove_constraint(Author, models.UniqueConstraint(fields=["email"], condition=Q(alive=True), name="living_email")))
    step("a deferrable constraint", lambda e: e.add_constraint(Place, models.UniqueConstraint(fields=["name", "address"], deferrable=models.Deferrable.DEFERRED, name="place_once")))
    step("rename a field", lambda e: e.alter_field(Place, *altered(Place, "address", with_name(Place, "street", models.CharField(max_length=80)))))
    step("rename it back", lambda e: e.alter_field(Place, with_name(Place, "street", models.CharField(max_length=80)), field(Place, "address")))
    step("remove a field", lambda e: e.remove_field(Publisher, note))
    step("rename a table", lambda e: (e.alter_db_table(Stock, "library_stock", "library_supply"), e.alter_db_table(Stock, "library_supply", "library_stock")))
    step("a comment", lambda e: e.alter_db_table_comment(Stock, "", "what is where") if connection.features.supports_comments else None)
    step("delete a model", lambda e: e.delete_model(Stock))
    step("create it again", lambda e: e.create_model(Stock))
    if POSTGRES:
        from django.contrib.postgres.indexes import GinIndex

        def concurrently(editor):
            editor.add_index(Document, GinIndex(fields=["labels"], name="document_labels"), concurrently=True)
            editor.remove_index(Document, GinIndex(fields=["labels"], name="document_labels"), concurrently=True)

        RECORDER.case = "migration: an index concurrently"
        with connection.schema_editor(atomic=False) as editor:
            concurrently(editor)


def with_name(model, name, new):
    new.set_attributes_from_name(name)
    new.model = model
    if new.remote_field:
        new.remote_field.model = Author
        new.opts = model._meta
    return new


def populate():
    today = datetime.date(2024, 5, 17)
    now = timezone.now()
    orbit = Publisher.objects.create(name="Orbit", country="GB", founded=today)
    Publisher.objects.create(name="Tor", country="US")
    ann = Author.objects.create(name="Ann Leckie", email="ann@example.com", born=today)
    bea = Author.objects.create(name="Bea", mentor=ann)
    ann.friends.add(bea)
    book = Book.objects.create(
        title="Ancillary Justice", isbn="9780316246620", publisher=orbit, price=decimal.Decimal("9.99"),
        pages=386, published=today, opens=datetime.time(9), loan=datetime.timedelta(days=21),
        data={"genre": "sf", "awards": ["hugo", "nebula"], "stats": {"read": 5}},
    )
    book.authors.add(ann)
    other = Book.objects.create(title="Provenance", isbn="9780316388672", publisher=orbit, price=8, pages=430, rating=4.0, data={"genre": "sf"})
    other.authors.add(ann, bea)
    Tag.objects.create(label="sf", target=book)
    branch = Branch.objects.create(name="Main", address="1 High St", manager=ann)
    branch.books.add(book)
    reader = User.objects.create_user("reader", "reader@example.com", "secret")
    copy = Copy.objects.create(book=book, branch=branch)
    Stock.objects.create(branch_code="main", book=book, amount=3)
    Loan.objects.create(copy=copy, reader=reader, begin=now)
    if POSTGRES:
        Document.objects.create(labels=["a", "b"], attributes={"k": "v"}, body="text", book=book)
    return book, ann, branch, copy, reader


def lookups(book):
    books, authors = Book.objects.order_by(), Author.objects
    today = datetime.date(2024, 5, 17)
    case("get by primary key", lambda: books.get(pk=book.pk))
    case("get by primary key, all columns in order", lambda: Book.objects.get(pk=book.pk))
    case("get by a unique column", lambda: books.get(isbn="9780316246620"))
    case("all rows", lambda: books.all(), lambda: Book.objects.all())
    case("filter: comparisons", lambda: books.filter(pages__gt=100, pages__lte=500, price__lt=10, rating__gte=0.5))
    case("filter: exact, iexact", lambda: books.filter(title="A", isbn__iexact="b"))
    case("filter: contains and company", lambda: books.filter(title__contains="a%b"), lambda: books.filter(title__icontains="a"),
         lambda: books.filter(title__startswith="A"), lambda: books.filter(title__istartswith="A"),
         lambda: books.filter(title__endswith="z"), lambda: books.filter(title__iendswith="z"))
    case("filter: contains another column", lambda: books.filter(title__contains=F("isbn")), lambda: books.filter(title__istartswith=F("publisher__name")))
    case("filter: regex", lambda: books.filter(title__regex="^A"), lambda: books.filter(title__iregex="^a"))
    case("filter: in, range, isnull", lambda: books.filter(pk__in=[1, 2, 3]), lambda: books.filter(pages__range=(1, 5)),
         lambda: books.filter(rating__isnull=True), lambda: books.filter(rating__isnull=False), lambda: books.filter(rating=None))
    case("in_bulk", lambda: Book.objects.in_bulk([1, 2]))
    case("filter: booleans", lambda: books.filter(active=True), lambda: books.filter(active=False), lambda: books.exclude(active=True))
    case("filter: dates", lambda: books.filter(published__year=2024), lambda: books.filter(published__year__gte=2000, published__month=5),
         lambda: books.filter(published__day=1, published__week=2, published__week_day=3, published__quarter=1, published__iso_year=2024, published__iso_week_day=2),
         lambda: books.filter(added__date=today, added__hour=5, added__minute__lt=9, added__second=1, added__time__lt=datetime.time(5)),
         lambda: books.filter(opens__hour=9), lambda: books.filter(loan__gt=datetime.timedelta(days=1)))
    case("exclude", lambda: books.exclude(title="A"), lambda: books.exclude(rating__gt=5), lambda: books.exclude(authors__name="Ann"))
    case("Q objects", lambda: books.filter(Q(title="A") | Q(pages=5)), lambda: books.filter(~Q(title="A") & (Q(pages=1) | ~Q(price=2))),
         lambda: books.filter(Q(title="A") ^ Q(pages=5)), lambda: books.filter(Q(publisher__name="Tor") | Q(authors__name="Ann")).distinct())
    case("F expressions", lambda: books.filter(pages__gt=F("price") * 2 + 1), lambda: books.filter(pages=F("pages") % 7),
         lambda: books.filter(pages=F("pages").bitand(4)), lambda: books.filter(pages=F("pages").bitor(4)),
         lambda: books.filter(pages=F("pages").bitleftshift(1)), lambda: books.filter(pages=F("pages").bitrightshift(1)),
         lambda: books.filter(pages=F("pages").bitxor(3)), lambda: books.filter(pages=F("pages") ** 2),
         lambda: books.annotate(v=F("price") / F("pages") - 1), lambda: books.annotate(neg=-F("pages")))
    case("date arithmetic", lambda: books.filter(added__lt=F("updated") - datetime.timedelta(days=3)),
         lambda: books.annotate(due=ExpressionWrapper(F("published") + F("loan"), output_field=DateField())),
         lambda: books.annotate(age=ExpressionWrapper(F("updated") - F("added"), output_field=DurationField())),
         lambda: books.filter(published__lt=F("added") + datetime.timedelta(days=1, hours=2, microseconds=5)))
    case("spanning relations", lambda: books.filter(publisher__country="GB"), lambda: books.filter(authors__mentor__name="Ann"),
         lambda: authors.filter(books__publisher__name="Orbit"), lambda: books.filter(copies__branch__name="Main"),
         lambda: Loan.objects.filter(copy__book__authors__friends__name="Bea"), lambda: books.filter(authors__isnull=True))
    case("multi-valued relation twice", lambda: books.filter(authors__name="Ann").filter(authors__name="Bea"))
    case("ordering", lambda: books.order_by("title", "-pages"), lambda: books.order_by(F("rating").desc(nulls_last=True)),
         lambda: books.order_by(F("rating").asc(nulls_first=True)), lambda: books.order_by(fn.Lower("title").desc()),
         lambda: books.order_by("publisher__name"), lambda: books.order_by("publisher"), lambda: Book.objects.reverse())
    case("ordering at random", lambda: books.order_by("?"))
    case("slices", lambda: books[:5], lambda: books[5:10], lambda: books[5:] if not MYSQL else books[5:9])
    case("first, last, latest, earliest", lambda: Book.objects.first(), lambda: Book.objects.last(), lambda: Book.objects.latest(), lambda: Book.objects.earliest("published"))
    case("exists, count", lambda: books.filter(pages=1).exists(), lambda: books.count(), lambda: books.filter(pages=1).count(),
         lambda: books[:5].count(), lambda: books.distinct().count(), lambda: books.filter(pages__gt=1)[:3].exists(), lambda: books.contains(book))
    case("explain", lambda: books.filter(pk=1).explain())
    case("none", lambda: books.none(), lambda: books.filter(pk__in=[]))
    case("filter on a constant", lambda: books.filter(Exists(books.filter(pk=5))), lambda: books.filter(Value(True)) if not MYSQL else books.none())
    case("an earlier page by a tuple", lambda: books.filter(Q(title__gt="A") | Q(title="A", pk__lt=5)).order_by("title", "-pk")[:10])
    case("a composite primary key", lambda: Stock.objects.get(pk=("main", book.pk)), lambda: Stock.objects.filter(pk__in=[("main", 1), ("east", 2)]),
         lambda: Stock.objects.filter(pk__gt=("a", 1)), lambda: Stock.objects.filter(pk=("a", 1)).update(amount=4), lambda: Stock.objects.filter(pk=("a", 1)).delete(),
         lambda: Stock.objects.count(), lambda: Stock.objects.order_by("pk"))
    case("a UUID primary key", lambda: Copy.objects.filter(pk=uuid.UUID(int=5)), lambda: Copy.objects.filter(pk__in=[uuid.UUID(int=5), uuid.UUID(int=6)]))
    case("a generated column", lambda: Copy.objects.filter(number__gt=100))


def shapes():
    books = Book.objects.order_by()
    case("values, values_list", lambda: books.values("title", "publisher__name"), lambda: books.values_list("pk", flat=True),
         lambda: books.values_list("title", fn.Upper("title")), lambda: books.values("data__genre"), lambda: books.values(upper=fn.Upper("title")))
    case("only, defer", lambda: books.only("title"), lambda: books.defer("data", "cover"), lambda: books.select_related("publisher").only("title", "publisher__name"))
    case("distinct", lambda: books.values("publisher").distinct(), lambda: books.distinct())
    case("dates, datetimes", lambda: books.dates("published", "month"), lambda: books.datetimes("added", "day", order="DESC"), lambda: books.dates("published", "week"))
    case("select_related", lambda: books.select_related("publisher"), lambda: Loan.objects.select_related("copy__book__publisher", "reader"),
         lambda: Copy.objects.select_related("branch__manager"), lambda: Author.objects.select_related("mentor__mentor"), lambda: Copy.objects.select_related())
    case("prefetch_related", lambda: Book.objects.prefetch_related("authors", "copies", "tags"), lambda: Author.objects.prefetch_related("books__publisher", "friends"),
         lambda: Book.objects.prefetch_related(Prefetch("copies", Copy.objects.filter(shelf="A").order_by("row"), to_attr="shelf_a")),
         lambda: Publisher.objects.prefetch_related(Prefetch("books", Book.objects.order_by("-pages")[:3], to_attr="longest")),
         lambda: Tag.objects.prefetch_related("target"), lambda: Branch.objects.prefetch_related("books", "copy_set"))
    case("related managers", lambda: Publisher.objects.first().books.filter(pages__gt=1), lambda: Book.objects.first().authors.all(),
         lambda: Book.objects.first().tags.count(), lambda: Author.objects.first().friends.exists(), lambda: Branch.objects.first().books.all())
    case("combined queries", lambda: books.filter(pages=1).union(books.filter(pages=2)), lambda: books.filter(pages=1).union(books.filter(pages=2), all=True).order_by("title")[:5],
         lambda: books.values("pk").intersection(books.filter(pages=2).values("pk")), lambda: books.values_list("pk").difference(books.filter(pages=2).values_list("pk")),
         lambda: books.values("title").union(Author.objects.values("name")), lambda: books.filter(pages=1).union(books.filter(pages=2)).count(),
         lambda: books.filter(pk__in=books.filter(pages=1).values("pk").union(books.filter(pages=2).values("pk"))))
    case("combined querysets", lambda: books.filter(pages=1) | books.filter(price=2), lambda: books.filter(pages=1) & books.filter(price=2), lambda: books.filter(pages=1) ^ books.filter(price=2))
    case("multi-table inheritance", lambda: Branch.objects.all(), lambda: Branch.objects.filter(name="Main", manager__name="Ann"), lambda: Place.objects.filter(branch__isnull=False),
         lambda: Place.objects.first().branch, lambda: OpenBranch.objects.filter(address="x"), lambda: Branch.objects.filter(place_ptr__in=Place.objects.filter(name="x")))
    case("generic relations", lambda: Book.objects.filter(tags__label="sf"), lambda: Tag.objects.filter(content_type__model="book"), lambda: Book.objects.annotate(n=Count("tags")))
    case("iterators", lambda: list(books.iterator(chunk_size=100)) if not POSTGRES else list(books.filter(pages__gt=0).iterator(chunk_size=100)))
    case("extra", lambda: books.extra(select={"is_recent": "pages > 100"}), lambda: books.extra(where=["title LIKE %s"], params=["A%"]),
         lambda: books.extra(tables=["library_publisher"], where=["library_publisher.id = library_book.publisher_id"]),
         lambda: books.extra(select={"n": "SELECT COUNT(*) FROM library_copy WHERE library_copy.book_id = library_book.id"}))
    case("raw", lambda: list(Book.objects.raw("SELECT * FROM library_book WHERE pages > %s", [100])),
         lambda: list(Book.objects.raw("SELECT b.id, b.title, p.name AS pname FROM library_book b JOIN library_publisher p ON b.publisher_id = p.id")))


def aggregates():
    books = Book.objects.order_by()
    case("aggregate", lambda: books.aggregate(Avg("price"), Max("pages"), Min("pages"), Sum("pages"), Count("id")),
         lambda: books.aggregate(n=Count("publisher", distinct=True)), lambda: books.aggregate(x=Sum("pages", filter=Q(active=True), default=0)),
         lambda: books.aggregate(s=StdDev("pages"), v=Variance("pages", sample=True)), lambda: Author.objects.aggregate(Avg("books__price")))
    case("annotate", lambda: Publisher.objects.annotate(n=Count("books")), lambda: Publisher.objects.annotate(n=Count("books")).filter(n__gt=1),
         lambda: Publisher.objects.annotate(n=Count("books", filter=Q(books__pages__gt=100))).order_by("-n"),
         lambda: Author.objects.annotate(total=Sum("books__price"), most=Max("books__pages")), lambda: books.annotate(n=Count("authors", distinct=True), m=Count("copies", distinct=True)))
    case("group by", lambda: books.values("publisher").annotate(n=Count("id")).order_by("-n"), lambda: books.values("publisher__country").annotate(avg=Avg("price")).filter(avg__gt=5),
         lambda: books.values(month=fn.TruncMonth("published")).annotate(n=Count("id")).order_by("month"), lambda: books.values_list("active").annotate(Count("id")))
    case("aggregate of an annotation", lambda: Publisher.objects.annotate(n=Count("books")).aggregate(Avg("n")), lambda: Publisher.objects.annotate(n=Count("books")).filter(n__gt=1).count(),
         lambda: books.annotate(n=Count("authors")).values("n").annotate(c=Count("id")))
    case("alias", lambda: Publisher.objects.alias(n=Count("books")).filter(n__gt=1))
    newest = Book.objects.filter(publisher=OuterRef("pk")).order_by("-published")
    case("Subquery", lambda: Publisher.objects.annotate(newest=Subquery(newest.values("title")[:1])),
         lambda: Publisher.objects.filter(pk__in=books.filter(pages__gt=5).values("publisher")), lambda: books.filter(publisher__in=Publisher.objects.filter(country="GB")),
         lambda: books.filter(pages__gt=Subquery(books.filter(active=True).values("active").annotate(a=Avg("pages")).values("a"))),
         lambda: books.filter(price=Subquery(books.filter(publisher=OuterRef("publisher")).order_by().values("publisher").annotate(m=Max("price")).values("m"))),
         lambda: Publisher.objects.order_by(Subquery(newest.values("published")[:1])))
    case("Exists", lambda: Publisher.objects.filter(Exists(books.filter(publisher=OuterRef("pk")))), lambda: Publisher.objects.filter(~Exists(books.filter(publisher=OuterRef("pk"), active=False))),
         lambda: Publisher.objects.annotate(has=Exists(books.filter(publisher=OuterRef("pk")))), lambda: Author.objects.filter(Exists(Authorship.objects.filter(author=OuterRef("pk"), book__publisher__country="GB"))))
    case("nested OuterRef", lambda: Publisher.objects.filter(Exists(books.filter(Exists(Copy.objects.filter(book=OuterRef("pk"), shelf=OuterRef(OuterRef("name")))), publisher=OuterRef("pk")))))
    case("FilteredRelation", lambda: Publisher.objects.annotate(cheap=FilteredRelation("books", condition=Q(books__price__lt=5))).filter(cheap__title__startswith="A"))
    case("window functions", lambda: books.annotate(r=Window(fn.Rank(), partition_by=[F("publisher")], order_by=F("price").desc())),
         lambda: books.annotate(n=Window(fn.RowNumber(), order_by="pages"), p=Window(fn.Lag("price", 1, default=0), order_by="published")),
         lambda: books.annotate(s=Window(Sum("price"), partition_by="publisher", order_by="published", frame=RowRange(start=-2, end=0))),
         lambda: books.annotate(s=Window(Avg("price"), order_by="pages", frame=ValueRange(start=None, end=0))),
         lambda: books.annotate(f=Window(fn.FirstValue("title"), partition_by="publisher", order_by="published"), l=Window(fn.LastValue("title"), partition_by="publisher"), q=Window(fn.Ntile(4), order_by="price"), c=Window(fn.CumeDist(), order_by="price"), d=Window(fn.DenseRank(), order_by="price"), e=Window(fn.PercentRank(), order_by="price"), g=Window(fn.NthValue("title", 2), order_by="price"), h=Window(fn.Lead("title"), order_by="price")))
    case("filter on a window function", lambda: books.annotate(r=Window(fn.Rank(), partition_by="publisher", order_by="-price")).filter(r__lte=3))
    case("window frame with exclusion", lambda: books.annotate(s=Window(Sum("pages"), order_by="id", frame=RowRange(start=-1, end=1, exclusion=models.WindowFrameExclusion.CURRENT_ROW))))


def functions():
    books = Book.objects.order_by()

    def one(name, **annotations):
        case(f"function: {name}", lambda: books.annotate(**annotations))

    one("Case", size=Case(When(pages__gt=500, then=Value("thick")), When(pages__isnull=True, then=Value("none")), default=Value("thin"), output_field=CharField()))
    case("function: Case in filter and order", lambda: books.order_by(Case(When(active=True, then=0), default=1)), lambda: books.filter(pages=Case(When(active=True, then=F("pages")), default=5)),
         lambda: books.aggregate(n=Count(Case(When(active=True, then=1)))))
    one("Coalesce and company", a=fn.Coalesce("rating", 0.0), b=fn.NullIf("title", Value("x")), c=fn.Greatest("pages", 5), d=fn.Least("pages", Value(9)))
    one("Cast", a=fn.Cast("pages", CharField()), b=fn.Cast("price", IntegerField()), c=fn.Cast("title", models.TextField()), d=fn.Cast("pages", FloatField()), e=fn.Cast("pages", DecimalField(max_digits=5, decimal_places=2)))
    one("Cast of dates", a=fn.Cast("added", DateField()), b=fn.Cast("added", models.TimeField()), c=fn.Cast("published", models.DateTimeField()))
    one("Concat", a=fn.Concat("title", Value(" by "), "publisher__name"), b=fn.ConcatPair("title", "isbn"))
    one("text", a=fn.Lower("title"), b=fn.Upper("title"), c=fn.Length("title"), d=fn.Trim("title"), e=fn.LTrim("title"), f=fn.RTrim("title"), g=fn.Left("title", 3), h=fn.Right("title", 2), i=fn.Substr("title", 2, 3), j=fn.Replace("title", Value("a"), Value("b")), k=fn.Reverse("title"), l=fn.Repeat("title", 2), m=fn.LPad("title", 9, Value("x")), n=fn.RPad("title", 9), o=fn.StrIndex("title", Value("a")), p=fn.Chr("pages"), q=fn.Ord("title"))
    one("hashes", a=fn.MD5("title"), b=fn.SHA1("title"), c=fn.SHA256("title"), d=fn.SHA512("title"))
    one("Collate", a=fn.Collate("title", {"postgres": "C", "mysql": "utf8mb4_bin", "sqlite": "nocase"}[DIALECT]))
    case("function: Collate in filter", lambda: books.filter(title=fn.Collate(Value("a"), {"postgres": "C", "mysql": "utf8mb4_bin", "sqlite": "nocase"}[DIALECT])))
    one("numbers", a=fn.Abs("pages"), b=fn.Ceil("price"), c=fn.Floor("price"), d=fn.Round("price", 1), e=fn.Sqrt("pages"), f=fn.Power("pages", 2), g=fn.Mod("pages", 7), h=fn.Sign("pages"), i=fn.Exp("rating"), j=fn.Ln("pages"), k=fn.Log(2, "pages"), l=fn.Sin("pages"), m=fn.Cos("pages"), n=fn.Tan("pages"), o=fn.ATan2("pages", "price"), p=fn.Degrees("rating"), q=fn.Radians("rating"), r=fn.Pi(), s=fn.ASin("rating"), t=fn.ACos("rating"), u=fn.ATan("rating"), v=fn.Cot("rating"))
    one("Random", a=fn.Random())
    one("Now", a=fn.Now())
    case("function: Now in filter", lambda: books.filter(added__lt=fn.Now()))
    one("Extract", a=fn.ExtractYear("published"), b=fn.ExtractMonth("added"), c=fn.ExtractDay("added"), d=fn.ExtractWeek("published"), e=fn.ExtractWeekDay("published"), f=fn.ExtractIsoWeekDay("published"), g=fn.ExtractIsoYear("published"), h=fn.ExtractQuarter("published"), i=fn.ExtractHour("added"), j=fn.ExtractMinute("opens"), k=fn.ExtractSecond("added"))
    one("Trunc", a=fn.TruncYear("published"), b=fn.TruncMonth("added"), c=fn.TruncWeek("published"), d=fn.TruncDay("added"), e=fn.TruncDate("added"), f=fn.TruncTime("added"), g=fn.TruncHour("added"), h=fn.TruncMinute("added"), i=fn.TruncSecond("opens"), j=fn.TruncQuarter("published"))
    zone = datetime.timezone(datetime.timedelta(hours=2))
    import zoneinfo

    one("Trunc in a time zone", a=fn.TruncDay("added", tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")), b=fn.ExtractHour("added", tzinfo=zone))
    one("JSONObject", a=fn.JSONObject(title="title", n=F("pages")))
    one("JSONArray", a=fn.JSONArray("title", "pages")) if hasattr(fn, "JSONArray") else None
    one("Func", a=Func(F("title"), function="LOWER"), b=Func(F("pages"), Value(2), function="POWER", output_field=FloatField()))
    case("JSON: key lookups", lambda: books.filter(data__genre="sf"), lambda: books.filter(data__stats__read__gt=3), lambda: books.filter(data__awards__0="hugo"), lambda: books.filter(data__genre__isnull=True), lambda: books.filter(data__genre=None),
         lambda: books.filter(data__genre__in=["sf", "fantasy"]), lambda: books.filter(data__genre__icontains="s"), lambda: books.filter(data__genre__startswith="s"), lambda: books.filter(data__genre__regex="^s"))
    case("JSON: containment and keys", lambda: books.filter(data__has_key="genre"), lambda: books.filter(data__has_keys=["genre", "awards"]), lambda: books.filter(data__has_any_keys=["genre", "x"]), lambda: books.filter(data__stats__has_key="read"),
         lambda: books.filter(data__contains={"genre": "sf"}), lambda: books.filter(data__contained_by={"genre": "sf"}), lambda: books.filter(data={"genre": "sf"}), lambda: books.exclude(data__genre="sf"))
    case("JSON: order and annotate", lambda: books.order_by("data__genre"), lambda: books.annotate(g=F("data__genre")), lambda: books.values("data__stats__read").annotate(n=Count("id")), lambda: books.annotate(k=models.fields.json.KT("data__genre")).filter(k="sf"))


def writes(book, ann, branch, copy, reader):
    books = Book.objects.order_by()
    today = datetime.date(2024, 5, 17)
    publisher = book.publisher

    def new(title):
        return Book(title=title, publisher=publisher, price=decimal.Decimal(5))

    def fresh(instance):
        """The instance anew: a case that deletes one also empties its key."""
        with silent():
            return type(instance).objects.get(pk=keys[type(instance)])

    keys = {type(instance): instance.pk for instance in (book, ann, branch, copy, publisher)}

    case("insert", lambda: new("one").save(), lambda: Author.objects.create(name="Cid"), lambda: Copy.objects.create(book=book, row=3), lambda: Branch.objects.create(name="East", address="x"))
    case("insert with a given key", lambda: Publisher.objects.create(pk=77, name="Given", country="FR"), lambda: Publisher(pk=78, name="Saved", country="FR").save(), lambda: Publisher(pk=79, name="Forced", country="FR").save(force_insert=True))
    case("insert an expression", lambda: Book.objects.create(title=fn.Upper(Value("x")), publisher=publisher, price=1))
    case("update an instance", lambda: book.save(), lambda: book.save(update_fields=["title"]), lambda: branch.save())
    case("update by F", lambda: setattr(book, "pages", F("pages") + 1) or book.save(update_fields=["pages"]))
    case("delete an instance", lambda: Tag.objects.first().delete(), lambda: (lambda a: a.delete())(Author.objects.create(name="gone")), lambda: fresh(book).delete())
    case("delete with relations", lambda: fresh(publisher).delete())
    case("update a query", lambda: books.filter(pages__gt=5).update(active=False), lambda: books.update(pages=F("pages") + 1, updated=timezone.now()), lambda: books.filter(pk=1).update(title="x"),
         lambda: books.filter(publisher__country="GB").update(active=True), lambda: books.filter(authors__name="Ann").update(rating=5),
         lambda: books.update(pages=Subquery(books.filter(pk=OuterRef("pk")).values("pages")[:1])) if not MYSQL else None,
         lambda: books.update(pages=Subquery(Copy.objects.filter(book=OuterRef("pk")).values("book").annotate(n=Count("pk")).values("n"))),
         lambda: Branch.objects.update(name="x", manager=None), lambda: books.filter(copies__isnull=False).update(rating=Case(When(pages__gt=5, then=1.0), default=2.0)), lambda: Branch.objects.filter(name="x").update(address="y"))
    case("update JSON", lambda: books.update(data={"a": 1}), lambda: books.update(data=Value({"a": 1}, models.JSONField())))
    case("ordered update", lambda: Place.objects.order_by("-id").update(name="q"))
    case("delete a query", lambda: Loan.objects.filter(fee__gt=5).delete(), lambda: books.filter(publisher__country="GB").delete(), lambda: Tag.objects.all().delete(), lambda: Authorship.objects.filter(position=9).delete(),
         lambda: Loan.objects.filter(copy__book__title="x").delete(), lambda: Loan.objects.filter(pk__in=[1, 2]).delete(), lambda: Branch.objects.filter(name="x").delete(), lambda: Loan.objects.filter(reader__username="x").delete(),
         lambda: Book.objects.filter(pk=5)._raw_delete(using="default"))
    case("bulk_create", lambda: Author.objects.bulk_create([Author(name="a"), Author(name="b")]), lambda: Copy.objects.bulk_create([Copy(book=fresh(book)), Copy(book=fresh(book))]), lambda: Publisher.objects.bulk_create([Publisher(pk=5, name="e", country="x"), Publisher(name="f", country="x")]),
         lambda: Publisher.objects.bulk_create([Publisher(name="Orbit", country="x")], ignore_conflicts=True),
         lambda: Publisher.objects.bulk_create([Publisher(name="Orbit", country="x")], update_conflicts=True, update_fields=["country", "founded"], unique_fields=None if MYSQL else ["name"]),
         lambda: Publisher.objects.bulk_create([Publisher(pk=1, name="Orbit", country="x")], update_conflicts=True, update_fields=["country"], unique_fields=None if MYSQL else ["id"]))
    case("bulk_update", lambda: books.bulk_update(list(Book.objects.all()), ["title", "pages"]), lambda: Author.objects.bulk_update(list(Author.objects.all()), ["born"]))
    case("get_or_create", lambda: Publisher.objects.get_or_create(name="Gollancz", defaults={"country": "GB"}), lambda: Publisher.objects.get_or_create(name="Orbit"))
    case("update_or_create", lambda: Publisher.objects.update_or_create(name="Orbit", defaults={"country": "GB"}), lambda: Publisher.objects.update_or_create(name="Baen", defaults={"country": "US"}))
    case("refresh_from_db", lambda: fresh(book).refresh_from_db(), lambda: fresh(book).refresh_from_db(fields=["title"]))
    case("many to many", lambda: fresh(book).authors.add(ann), lambda: fresh(book).authors.set([ann]), lambda: fresh(book).authors.remove(ann), lambda: fresh(book).authors.clear(), lambda: branch.books.add(fresh(book)), lambda: branch.books.set([]), lambda: branch.books.clear(),
         lambda: ann.friends.add(Author.objects.create(name="D")), lambda: ann.friends.remove(ann), lambda: ann.friends.clear())
    case("reverse foreign keys", lambda: fresh(publisher).books.create(title="new", price=1), lambda: fresh(publisher).books.update(active=True), lambda: branch.copy_set.clear(), lambda: branch.copy_set.set([copy]), lambda: fresh(book).tags.create(label="y"), lambda: fresh(book).tags.clear())
    case("select for update", lambda: books.select_for_update().filter(pk=1), lambda: books.select_for_update(nowait=True).filter(pk=1), lambda: books.select_for_update(skip_locked=True)[:5],
         lambda: books.select_related("publisher").select_for_update(of=("self",)), lambda: books.select_for_update(no_key=True), lambda: books.select_related("publisher").select_for_update(of=("self", "publisher"), skip_locked=True, no_key=True))

    def savepoints():
        with transaction.atomic():
            Author.objects.filter(name="none").update(alive=False)
            try:
                with transaction.atomic():
                    Author.objects.filter(name="nobody").update(alive=False)
                    raise ValueError
            except ValueError:
                pass

    def manual():
        sid = transaction.savepoint()
        transaction.savepoint_rollback(sid)
        sid = transaction.savepoint()
        transaction.savepoint_commit(sid)

    case("savepoints", savepoints, manual)

    def integrity():
        with contextlib.suppress(IntegrityError), transaction.atomic():
            Publisher.objects.create(name="Orbit", country="x")

    case("a constraint that fails", integrity)
    case("constraint checks", lambda: connection.check_constraints(), lambda: connection.check_constraints(["library_book"]))
    case("raw cursor", lambda: cursor("UPDATE library_book SET pages = pages + 1 WHERE id = %s", [1]), lambda: cursor("SELECT id, title FROM library_book WHERE title LIKE %s ORDER BY id LIMIT 10", ["A%"]),
         lambda: cursor("DELETE FROM library_loan WHERE id = %s", [1]), lambda: cursor("INSERT INTO library_place (name, address) VALUES (%s, %s)", ["a", "b"]), lambda: cursor("SELECT COUNT(*) FROM library_book", None))
    case("aggregate in update's filter", lambda: Publisher.objects.annotate(n=Count("books")).filter(n=0).update(country="ZZ"))
    del today


def cursor(sql, params):
    with connection.cursor() as c:
        c.execute(sql, params)
        return c.fetchall() if c.description else None


def contrib(reader):
    from django.contrib.admin.models import ADDITION, LogEntry
    from django.contrib.auth import authenticate

    case("auth: authenticate", lambda: authenticate(username="reader", password="secret"), lambda: authenticate(username="nobody", password="x"))
    case("auth: user by natural key", lambda: User.objects.get_by_natural_key("reader"), lambda: User.objects.get(pk=reader.pk))
    case("auth: permissions", lambda: reader.get_all_permissions(), lambda: reader.user_permissions.add(Permission.objects.first()), lambda: reader.groups.add(Group.objects.create(name="g")), lambda: User.objects.with_perm("auth.add_user", backend="django.contrib.auth.backends.ModelBackend"), lambda: reader.has_perm("auth.x"))
    case("auth: last login", lambda: User.objects.filter(pk=reader.pk).update(last_login=timezone.now()), lambda: reader.save(update_fields=["last_login"]), lambda: reader.set_password("x") or reader.save())
    case("auth: create superuser", lambda: User.objects.create_superuser("root", "r@example.com", "x"))

    def session():
        store = SessionStore()
        store["cart"] = [1, 2]
        store.save()
        again = SessionStore(store.session_key)
        again.load()
        again["cart"] = []
        again.save()
        again.cycle_key()
        again.exists("x")
        again.delete()
        SessionStore.clear_expired()

    case("sessions", session)
    case("sites", lambda: Site.objects.clear_cache() or Site.objects.get_current(), lambda: Site.objects.filter(domain__iexact="example.com"))
    case("content types", lambda: ContentType.objects.clear_cache() or ContentType.objects.get_for_model(Book), lambda: ContentType.objects.clear_cache() or ContentType.objects.get_for_models(Book, Author), lambda: ContentType.objects.get_by_natural_key("auth", "user"))
    case("admin: log", lambda: LogEntry.objects.log_actions(reader.pk, Author.objects.all()[:1], ADDITION, single_object=True), lambda: LogEntry.objects.filter(object_id="1", content_type_id=3).select_related().order_by("action_time"))
    case("admin: change list", lambda: User.objects.filter(Q(username__icontains="a") | Q(email__icontains="a")).order_by("username", "-pk")[:100], lambda: User.objects.filter(is_staff=True, groups__id=5).distinct().count(), lambda: User.objects.filter(date_joined__gte=timezone.now(), date_joined__lt=timezone.now()).aggregate(first=Min("date_joined"), last=Max("date_joined")))
    case("admin: delete selected", lambda: Group.objects.filter(pk__in=[1, 2]).delete())
    from django.contrib.flatpages.models import FlatPage
    from django.contrib.redirects.models import Redirect

    case("flatpages and redirects", lambda: FlatPage.objects.filter(url="/about/", sites=1), lambda: Redirect.objects.filter(site=1, old_path="/x"))
    case("migration state", lambda: cursor("SELECT %s" % connection.ops.quote_name("app") + " FROM django_migrations", None), lambda: __import__("django.db.migrations.recorder").db.migrations.recorder.MigrationRecorder(connection).applied_migrations())
    case("database cache", lambda: database_cache())
    case("introspection", lambda: connection.introspection.table_names(), lambda: (lambda c: connection.introspection.get_table_description(c, "library_book"))(connection.cursor()), lambda: (lambda c: connection.introspection.get_constraints(c, "library_book"))(connection.cursor()), lambda: (lambda c: connection.introspection.get_relations(c, "library_book"))(connection.cursor()), lambda: (lambda c: connection.introspection.get_sequences(c, "library_book"))(connection.cursor()))


def database_cache():
    from django.core.cache.backends.db import DatabaseCache

    with silent():
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"}}
        from django.core.cache import caches

        caches.settings = caches.configure_settings(settings.CACHES)
    call_command("createcachetable", verbosity=0)
    cache = DatabaseCache("django_cache", {})
    cache.set("a", 1, 60)
    cache.get("a")
    cache.set("a", 2, 60)
    cache.add("b", 1)
    cache.get_many(["a", "b"])
    cache.touch("a", 10)
    cache.has_key("a")
    cache.delete("a")
    cache.clear()


def postgres_only():
    docs = Document.objects.order_by()
    case("arrays", lambda: docs.filter(labels__contains=["a"]), lambda: docs.filter(labels__contained_by=["a", "b"]), lambda: docs.filter(labels__overlap=["a"]), lambda: docs.filter(labels__len=2), lambda: docs.filter(labels__0="a"), lambda: docs.filter(labels__0_2=["a"]), lambda: docs.filter(labels=["a"]), lambda: docs.filter(labels__overlap=Document.objects.values("labels")))
    case("hstore", lambda: docs.filter(attributes__k="v"), lambda: docs.filter(attributes__contains={"k": "v"}), lambda: docs.filter(attributes__has_key="k"), lambda: docs.filter(attributes__has_keys=["k"]), lambda: docs.filter(attributes__has_any_keys=["k"]), lambda: docs.filter(attributes__keys__contains=["k"]), lambda: docs.filter(attributes__values__contains=["v"]))
    span = (datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))
    case("ranges", lambda: docs.filter(during__contains=span[0]), lambda: docs.filter(during__overlap=span), lambda: docs.filter(during__fully_lt=span), lambda: docs.filter(during__adjacent_to=span), lambda: docs.filter(during__startswith=span[0]), lambda: docs.filter(span__isempty=True), lambda: docs.filter(span__contained_by=(1, 5)), lambda: docs.filter(during__not_gt=span, during__lower_inc=True))
    vector = search.SearchVector("body", weight="A") + search.SearchVector("book__title", weight="B", config="english")
    query = search.SearchQuery("cheese") & ~search.SearchQuery("bread", search_type="phrase")
    case("full-text search", lambda: docs.filter(body__search="cheese"), lambda: docs.annotate(s=vector).filter(s=query), lambda: docs.annotate(r=search.SearchRank(vector, query, normalization=2)).order_by("-r"), lambda: docs.annotate(h=search.SearchHeadline("body", query, start_sel="<b>")), lambda: docs.filter(vector=search.SearchQuery("a b", search_type="websearch", config="english")), lambda: docs.update(vector=search.SearchVector("body")))
    case("trigrams and unaccent", lambda: docs.filter(body__trigram_similar="chese"), lambda: docs.filter(body__trigram_word_similar="chese"), lambda: docs.annotate(s=search.TrigramSimilarity("body", "x")).filter(s__gt=0.3), lambda: docs.annotate(d=search.TrigramWordDistance("x", "body")).order_by("d"), lambda: docs.filter(body__unaccent="é"), lambda: docs.filter(body__unaccent__icontains="é"))
    case("PostgreSQL aggregates", lambda: Book.objects.order_by().aggregate(a=ArrayAgg("title", ordering="-title", distinct=False), s=StringAgg("title", delimiter=", "), j=JSONBAgg("title"), b=BoolAnd("active"), o=BoolOr("active")), lambda: Publisher.objects.annotate(t=ArrayAgg("books__title", filter=Q(books__active=True), default=Value([]))), lambda: Book.objects.aggregate(c=Corr("pages", "rating"), r=RegrSlope("pages", "rating"), b=BitAnd("pages")), lambda: Publisher.objects.annotate(x=ArraySubquery(Book.objects.filter(publisher=OuterRef("pk")).values("title"))))
    case("PostgreSQL functions", lambda: docs.annotate(u=RandomUUID()), lambda: docs.annotate(n=TransactionNow()))
    case("distinct on", lambda: Book.objects.order_by("publisher", "-published").distinct("publisher"), lambda: Book.objects.order_by("publisher__name").distinct("publisher__name").values("title"))
    case("bulk insert by unnest", lambda: Author.objects.bulk_create([Author(name=str(i)) for i in range(5)]))
    case("server-side cursor", lambda: RECORDER.add('DECLARE "_django_curs_1_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "library_book"."id" FROM "library_book"'), lambda: RECORDER.add('FETCH FORWARD 2000 FROM "_django_curs_1_sync_1"'), lambda: RECORDER.add('CLOSE "_django_curs_1_sync_1"'))


def maintenance():
    from django.core.management.color import no_style
    from django.core.management.sql import sql_flush

    RECORDER.case = "flush"
    # The order of tables is that of a set.
    for statement in sorted(sql_flush(no_style(), connection, reset_sequences=True, allow_cascade=POSTGRES)):
        RECORDER.add(statement)
    RECORDER.case = "reset sequences"
    for statement in connection.ops.sequence_reset_sql(no_style(), [Book, Author]):
        RECORDER.add(statement)
    RECORDER.case = "session settings of the backend"
    for statement in {
        "postgres": ["SELECT set_config('TimeZone', %s, false)", "SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED", "SET statement_timeout TO 5000", "SET search_path TO tenant7, public", "SET ROLE web", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
        "mysql": ["SET SQL_AUTO_IS_NULL = 0", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET foreign_key_checks=0", "SET foreign_key_checks=1", "SET NAMES utf8mb4", "SET autocommit=1", "SET sql_mode='STRICT_TRANS_TABLES'"],
        "sqlite": ["PRAGMA foreign_keys = ON", "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys", "PRAGMA legacy_alter_table = ON", "BEGIN", "BEGIN IMMEDIATE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-20000", "PRAGMA mmap_size = 134217728"],
    }[DIALECT]:
        RECORDER.add(statement)


DDL = re.compile(r"^(CREATE|ALTER|DROP|RENAME)\b", re.I)
SESSION = re.compile(r"^(SAVEPOINT|RELEASE|ROLLBACK|COMMIT|BEGIN|SET|PRAGMA|CLOSE|SELECT set_config)\b", re.I)
UNCACHEABLE = re.compile(
    r"\b(FOR (NO KEY )?(UPDATE|SHARE)|RANDOM\(|RAND\(|GEN_RANDOM_UUID|NOW\(|CURRENT_TIMESTAMP|CURRENT_DATE|STATEMENT_TIMESTAMP|CLOCK_TIMESTAMP|pg_\w+|information_schema|sqlite_master|pragma_|setval|DATABASE\(\)|STRFTIME\([^)]*'NOW')", re.I
)


def expectation(text, tables):
    """What the analysis has to say, from the quoted names alone."""
    found = {name for name in tables if re.search(r'[\s,(."`](?:%s)[\s,)"`]' % re.escape(name), f" {text} ")}
    first = text.split(None, 1)[0].upper()
    if any(DDL.match(part) for part in re.split(r";\s*", text)):
        return ["schema"]
    if SESSION.match(text):
        return ["session"]
    lines = []
    if first in ("SELECT", "(SELECT", "WITH"):
        system = re.search(r"\b(pg_\w+|information_schema|sqlite_master|pragma_\w+)\b", text, re.I)
        if not system:
            lines.append("reads: " + (", ".join(sorted(found)) or "-"))
        lines.append("writes: -")
        lines.append("uncacheable" if not found or UNCACHEABLE.search(text) else "cacheable")
        if re.search(r"\b(nextval|setval)\(", text):
            lines.append("database")  # Without a catalog a sequence is taken for a table.
    elif first in ("INSERT", "UPDATE", "DELETE", "REPLACE", "TRUNCATE"):
        target = r'(?:INSERT(?: OR \w+| IGNORE)? INTO|REPLACE INTO|UPDATE|DELETE FROM|DELETE `?\w+`? FROM)\s+["`]?([a-z_]+)'
        match = re.match(target, text, re.I)
        written = found if first == "TRUNCATE" else {match.group(1)}
        lines.append("writes: " + ", ".join(sorted(written)))
        lines.append("uncacheable")
        if re.search(r"\bCASCADE\b", text):
            lines.append("database")  # Which tables refer to it is for the catalog to say.
    elif first in ("EXPLAIN", "SHOW", "FETCH", "DECLARE", "COMMENT"):
        lines += ["writes: -", "uncacheable"]
    else:
        raise SystemExit(f"what is this? {text}")
    return lines


def main():
    out = OUT / f"django.{DIALECT}.sql"
    with connection.execute_wrapper(RECORDER):
        prepare()
        with silent():
            book, ann, branch, copy, reader = populate()
        lookups(book)
        shapes()
        aggregates()
        functions()
        writes(book, ann, branch, copy, reader)
        contrib(reader)
        if POSTGRES:
            postgres_only()
        alter()
        maintenance()
    with silent():
        tables = set(connection.introspection.table_names()) | {model._meta.db_table for model in MODELS} | {"django_cache"}
    with out.open("w") as file:
        file.write(f"-- Django {django.get_version()} on {DIALECT}; generated by generate_django.py\n")
        for name, text in RECORDER.blocks:
            file.write(f"-- ;\n-- {name}\n")
            file.writelines(f"-- {line}\n" for line in expectation(text, tables))
            file.write(f"{text}\n")
    print(f"{out.name}: {len(RECORDER.blocks)} statements")


if __name__ == "__main__":
    main()
