"""Whatever the ORM and the apps of Django do: cached, and as fresh as the database."""

import asyncio
import contextlib

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, connections, transaction
from django.db.backends.signals import connection_created
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Subquery, Sum, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lag, RowNumber
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django_cte import CTE, with_cte

from kogia import api
from kogia.test import assert_cached

from .helpers import IS_POSTGRES, elsewhere, names, only, queries, warm
from .library.models import Film, Item, Shelf
from .shop.models import Author, Book, Tag

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def books():
    melville = Author.objects.create(name="Melville")
    poe = Author.objects.create(name="Poe")
    sea = Tag.objects.create(name="sea")
    for number, author in enumerate((melville, poe, melville)):
        book = Book.objects.create(title=f"b{number}", author=author, price=number)
        book.tags.add(sea)
    root = Shelf.objects.create(name="root")
    Shelf.objects.create(name="child", parent=root).items.add(
        Film.objects.create(title="Moby Dick", minutes=116)
    )


def recursive():
    tree = CTE.recursive(
        lambda cte: (
            Shelf.objects.filter(parent=None)
            .values("id", "name")
            .union(cte.join(Shelf, parent=cte.col.id).values("id", "name"), all=True)
        )
    )
    return with_cte(tree, select=tree.queryset().order_by("name").values_list("name", flat=True))


def of_an_author():
    return Book.objects.filter(author=OuterRef("pk"))


# Each is a queryset whose rows can be compared.
READS = {
    "a window": lambda: (
        Book.objects.annotate(
            place=Window(RowNumber(), partition_by=F("author"), order_by=F("title").asc()),
            before=Window(Lag("title"), order_by=F("title").asc()),
        )
        .order_by("title")
        .values_list("title", "place", "before")
    ),
    "extra": lambda: Author.objects.extra(
        select={"n": "SELECT COUNT(*) FROM shop_book WHERE author_id = shop_author.id"},
        order_by=["name"],
    ).values_list("name", "n"),
    "raw SQL in an expression": lambda: (
        Author.objects.annotate(
            n=RawSQL("(SELECT SUM(price) FROM shop_book WHERE author_id = shop_author.id)", ())
        )
        .order_by("name")
        .values_list("name", "n")
    ),
    "a subquery": lambda: (
        Author.objects.annotate(
            first=Subquery(of_an_author().order_by("title").values("title")[:1])
        )
        .order_by("name")
        .values_list("name", "first")
    ),
    "exists": lambda: (
        Author.objects.filter(Exists(of_an_author().filter(price__gt=0)))
        .order_by("name")
        .values_list("name", flat=True)
    ),
    "a union": lambda: (
        Author.objects.values_list("name", flat=True)
        .union(Book.objects.values_list("title", flat=True))
        .order_by("name")
    ),
    "groups": lambda: (
        Author.objects.annotate(n=Count("books"), sum=Sum("books__price"))
        .order_by("name")
        .values_list("name", "n", "sum")
    ),
    "a common table expression": recursive,
    "tables that inherit": lambda: Film.objects.order_by("title").values_list("title", "minutes"),
    "the parent of tables that inherit": lambda: Item.objects.order_by("title").values_list(
        "title", "film__minutes", "shelves__name"
    ),
}


def write_everything():
    """Changes all that `READS` reads, one thing after the other."""
    yield Book.objects.create(title="b9", author=Author.objects.first(), price=9)
    yield Author.objects.filter(name="Poe").update(name="E. A. Poe")
    yield Book.objects.filter(title="b0").delete()
    yield Film.objects.update(minutes=F("minutes") + 1, title="Moby-Dick")
    yield Shelf.objects.create(name="leaf", parent=Shelf.objects.get(name="child"))
    yield Shelf.objects.get(name="child").items.clear()
    yield Item.objects.all().delete()
    yield Shelf.objects.filter(name="root").delete()
    yield Author.objects.all().delete()


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_reads_are_cached_and_see_each_write(read):
    rows = lambda: list(read())
    changes = 0
    for _ in write_everything():
        with api.disabled():
            expected = rows()
        before, _ = queries(rows)
        assert before == expected
        with assert_cached():
            assert queries(rows) == (expected, 0)
        changes += 1
    assert rows() == []
    assert changes == 9


def test_prefetches():
    def read():
        books = Book.objects.order_by("title").prefetch_related("tags")
        authors = Author.objects.order_by("name").prefetch_related(Prefetch("books", books))
        return [
            (author.name, [(book.title, len(book.tags.all())) for book in author.books.all()])
            for author in authors
        ]

    assert queries(read)[1] == 3
    assert queries(read)[1] == 0
    Book.objects.get(title="b1").tags.clear()
    expected = [("Melville", [("b0", 1), ("b2", 1)]), ("Poe", [("b1", 0)])]
    # What only reads authors and books is still there.
    assert queries(read) == (expected, 1)


def test_a_write_to_a_child_leaves_other_tables():
    films = lambda: list(Film.objects.values_list("minutes", flat=True))
    films(), warm()
    Film.objects.update(minutes=1)
    with assert_cached():
        names()
    assert films() == [1]


def test_the_asynchronous_orm():
    async def run():
        author = await Author.objects.aget(name="Poe")
        assert (await Author.objects.aget(name="Poe")).pk == author.pk
        author.name = "E. A. Poe"
        await author.asave()
        assert not await Author.objects.filter(name="Poe").aexists()
        found = [author.name async for author in Author.objects.order_by("name")]
        captured = CaptureQueriesContext(connection)
        await sync_to_async(captured.__enter__)()
        again = [author.name async for author in Author.objects.order_by("name")]
        assert await Author.objects.filter(name="Melville").aexists()
        assert await Author.objects.filter(name="Melville").aexists()
        assert await sync_to_async(len)(captured) == 1
        await sync_to_async(captured.__exit__)(None, None, None)
        assert found == again == ["E. A. Poe", "Melville"]
        await Author.objects.abulk_create([Author(name="Alcott")])
        assert await Author.objects.acount() == 3
        assert await sync_to_async(names)() == ["Alcott", "E. A. Poe", "Melville"]
        return await Author.objects.filter(name="Alcott").aupdate(name="Whitman")

    assert async_to_sync(run)() == 1
    assert elsewhere(names) == names() == ["E. A. Poe", "Melville", "Whitman"]


def insert(name):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop_author (name) VALUES (%s)", [name])


def test_settings_of_a_task_are_its_own():
    """Two tasks take turns; what one of them left alone does not count for the other."""
    warm()

    async def careless(begun, go_on):
        with api.options(INVALIDATE_RAW=False):
            begun.set()
            await go_on.wait()
            await sync_to_async(insert)("unseen")

    async def run():
        begun, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(careless(begun, go_on))
        await begun.wait()
        await sync_to_async(insert)("seen")
        seen = await sync_to_async(names)()
        go_on.set()
        await task
        return seen

    assert async_to_sync(run)() == ["Melville", "Poe", "seen"]
    assert names() == ["Melville", "Poe", "seen"]
    with api.options(INVALIDATE_RAW=False):
        elsewhere(lambda: insert("by another thread"))
    # Databases put letters in different orders.
    assert set(names()) == {"Melville", "Poe", "by another thread", "seen", "unseen"}


def test_views_in_an_event_loop():
    async def get(query=""):
        response = await AsyncClient().get(f"/shelves/{query}")
        return response.json()["shelves"]

    async def run():
        before = [await get(), await get()]
        added = await get("?add=attic")
        return before, added, await asyncio.gather(get(), get())

    before, added, after = async_to_sync(run)()
    assert before == [["child", "root"]] * 2
    assert added == ["attic", "child", "root"]
    assert after == [added, added]


@pytest.fixture
def admin():
    user = User.objects.create_superuser("admin", password="x")
    client = Client()
    client.force_login(user)
    return client


def test_the_admin(admin):
    shelf = Shelf.objects.get(name="child")
    lists = lambda: admin.get("/admin/library/shelf/").content.decode()
    url = f"/admin/library/shelf/{shelf.pk}/change/"
    forms = lambda: admin.get(url).content.decode()
    assert "child" in lists() and 'value="child"' in forms()
    assert 'value="child"' in forms()
    with CaptureQueriesContext(connection) as captured:
        assert "child" in lists()
    # The user comes from the cache, too. A session is asked for with the present time.
    assert ["expire_date" in query["sql"] for query in captured] == [True]
    sent = {"name": "changed", "parent": shelf.parent_id, "items": [Item.objects.get().pk]}
    answer = admin.post(url, sent)
    assert answer.status_code == 302
    assert "changed" in lists() and ">child<" not in lists()
    assert 'value="changed"' in forms()
    Shelf.objects.filter(pk=shelf.pk).update(name="past the admin")
    assert "past the admin" in lists() and 'value="past the admin"' in forms()


def test_sessions_and_permissions(admin):
    client = Client()
    user = User.objects.create_user("reader", password="x", is_staff=True)
    assert client.login(username="reader", password="x")
    url = "/admin/library/shelf/"
    assert [client.get(url).status_code for _ in range(2)] == [403, 403]
    group = Group.objects.create(name="librarians")
    user.groups.add(group)
    assert client.get(url).status_code == 403
    group.permissions.add(Permission.objects.get(codename="view_shelf"))
    assert [client.get(url).status_code for _ in range(2)] == [200, 200]
    group.permissions.clear()
    assert client.get(url).status_code == 403
    user.set_password("y")
    user.save()
    assert client.get(url).status_code == 302
    assert client.login(username="reader", password="y")
    session = client.session
    session["n"] = 1
    session.save()
    assert client.session["n"] == 1
    session["n"] = 2
    session.save()
    assert client.session["n"] == 2
    client.logout()
    assert client.get(url).status_code == 302


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@only(IS_POSTGRES)
def test_tenants_by_search_path():
    try:
        for tenant in ("kogia_a", "kogia_b"):
            execute(f"CREATE SCHEMA {tenant}")
            execute(f"CREATE TABLE {tenant}.shop_author (LIKE public.shop_author INCLUDING ALL)")
            execute(f"INSERT INTO {tenant}.shop_author VALUES (1, '{tenant}')")
        connection.close()
        for _ in range(2):
            for tenant in ("kogia_a", "kogia_b"):
                execute(f"SET search_path = {tenant}")
                assert names() == names() == [tenant]
            execute("SET search_path = public")
            assert names() == ["Melville", "Poe"]
        execute("SET search_path = kogia_a")
        assert queries(names) == (["kogia_a"], 0)
        Author.objects.update(name="changed")
        assert names() == ["changed"]
        with transaction.atomic():
            execute("SET LOCAL search_path = kogia_b")
            assert names() == ["kogia_b"]
        assert names() == ["changed"]
    finally:
        execute("SET search_path = public")
        execute("DROP SCHEMA IF EXISTS kogia_a, kogia_b CASCADE")
        connection.close()
    assert names() == ["Melville", "Poe"]


@contextlib.contextmanager
def tenants():
    """Two schemas, each with an author of its own."""
    try:
        for tenant in ("kogia_a", "kogia_b"):
            execute(f"CREATE SCHEMA {tenant}")
            execute(f"CREATE TABLE {tenant}.shop_author (LIKE public.shop_author INCLUDING ALL)")
            execute(f"INSERT INTO {tenant}.shop_author VALUES (1, '{tenant}')")
        connection.close()
        yield ("kogia_a", "kogia_b")
    finally:
        execute("SET search_path = public")
        execute("DROP SCHEMA IF EXISTS kogia_a, kogia_b CASCADE")
        connection.close()


@only(IS_POSTGRES)
def test_tenants_that_are_set_when_a_cursor_is_opened():
    wrapper = connections["default"]

    class Lazy(type(wrapper)):
        """What django-tenants does."""

        wanted = set_now = None

        def _cursor(self, name=None):
            cursor = super()._cursor(name=name)
            if self.set_now != self.wanted:
                self.set_now = self.wanted
                cursor.execute(f"SET search_path = {self.wanted}")
            return cursor

        def close(self):
            self.set_now = None
            super().close()

    lazy = Lazy(wrapper.settings_dict, "default")
    with tenants() as both:
        connections["default"] = lazy
        try:
            for _ in range(3):
                for lazy.wanted in both:
                    assert names() == [lazy.wanted]
            for lazy.wanted in both * 2:
                lazy.close()
                assert names() == [lazy.wanted]
            lazy.close()
        finally:
            connections["default"] = wrapper


@only(IS_POSTGRES)
def test_tenants_that_are_set_when_a_connection_is_opened():
    wanted = None

    def enter(connection, **_):
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {wanted}")

    with tenants() as both:
        connection_created.connect(enter)
        try:
            for wanted in both * 3:
                connection.close()
                assert names() == names() == [wanted]
        finally:
            connection_created.disconnect(enter)
            connection.close()


@only(IS_POSTGRES)
def test_tenants_by_role_and_row_level_security():
    try:
        for role, name in (("kogia_m", "Melville"), ("kogia_p", "Poe")):
            execute(f"CREATE ROLE {role}")
            execute(f"GRANT SELECT ON shop_author TO {role}")
            execute(f"CREATE POLICY {role} ON shop_author TO {role} USING (name = '{name}')")
        execute("ALTER TABLE shop_author ENABLE ROW LEVEL SECURITY")
        connection.close()
        for _ in range(3):
            assert names() == ["Melville", "Poe"]
            for role, name in (("kogia_m", "Melville"), ("kogia_p", "Poe")):
                execute(f"SET ROLE {role}")
                assert names() == names() == [name]
                execute("RESET ROLE")
        with transaction.atomic():
            execute("SET LOCAL ROLE kogia_p")
            assert names() == ["Poe"]
        assert names() == ["Melville", "Poe"]
    finally:
        execute("RESET ROLE")
        execute("ALTER TABLE shop_author DISABLE ROW LEVEL SECURITY")
        for role in ("kogia_m", "kogia_p"):
            execute(f"DROP POLICY IF EXISTS {role} ON shop_author")
            execute(f"DROP OWNED BY {role}")
            execute(f"DROP ROLE {role}")
        connection.close()
