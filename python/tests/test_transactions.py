"""Edges of transactions, at the lowest place that sees them."""

import django
import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test import RequestFactory, override_settings

from .helpers import (
    IS_MYSQL,
    IS_POSTGRES,
    IS_SQLITE,
    configured,
    elsewhere,
    names,
    only,
    queries,
    store,
    warm,
)
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def melville():
    return Author.objects.create(name="Melville")


def test_a_write_that_was_not_committed_shows_nowhere_else():
    warm()
    with transaction.atomic():
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]
        if not IS_SQLITE:
            assert elsewhere(names) == ["Melville"]
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_durable_and_nested_blocks():
    warm()
    with transaction.atomic(durable=True):
        Author.objects.create(name="Poe")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Author.objects.create(name="Whitman")
            assert names() == ["Melville", "Poe", "Whitman"]
            raise ZeroDivisionError
        with transaction.atomic(savepoint=False):
            Author.objects.create(name="Alcott")
        assert names() == ["Alcott", "Melville", "Poe"]
    assert elsewhere(names) == names() == ["Alcott", "Melville", "Poe"]


# Django 6.1 has another name for it.
savepoint = getattr(transaction, "savepoint_create", None) or transaction.savepoint


def test_savepoints_by_hand():
    warm()
    with transaction.atomic():
        first = savepoint()
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]
        transaction.savepoint_rollback(first)
        assert names() == ["Melville"]
        second = savepoint()
        Author.objects.create(name="Whitman")
        transaction.savepoint_commit(second)
        assert names() == ["Melville", "Whitman"]
    assert elsewhere(names) == names() == ["Melville", "Whitman"]


def test_a_rollback_leaves_nothing_behind():
    warm()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]
        raise ZeroDivisionError
    assert names() == ["Melville"]
    with transaction.atomic():
        Author.objects.create(name="Poe")
        transaction.set_rollback(True)
    assert elsewhere(names) == names() == ["Melville"]


def test_autocommit_turned_off_by_hand():
    warm()
    transaction.set_autocommit(False)
    try:
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]
        transaction.rollback()
        assert names() == ["Melville"]
        Author.objects.create(name="Whitman")
        transaction.commit()
        assert elsewhere(names) == ["Melville", "Whitman"]
        Author.objects.create(name="Alcott")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert elsewhere(names) == names() == ["Alcott", "Melville", "Whitman"]


@only(not IS_SQLITE)
def test_the_first_read_of_a_transaction_may_be_a_hit():
    # At READ COMMITTED, which Django chooses for MySQL, too, no snapshot begins with it.
    warm()
    with transaction.atomic():
        assert queries(names) == (["Melville"], 0)
        elsewhere(lambda: Author.objects.create(name="Poe"))
        assert queries(names) == (["Melville", "Poe"], 1)
        assert queries(names) == (["Melville", "Poe"], 0)
        Author.objects.create(name="Whitman")
        assert names() == ["Melville", "Poe", "Whitman"]
        assert elsewhere(names) == ["Melville", "Poe"]
    assert names() == ["Melville", "Poe", "Whitman"]


@only(not IS_POSTGRES)
def test_turning_autocommit_on_commits():
    warm()
    transaction.set_autocommit(False)
    Author.objects.create(name="Poe")
    transaction.set_autocommit(True)
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_autocommit_off_in_the_settings():
    warm()
    with configured(AUTOCOMMIT=False):
        assert names() == ["Melville"]
        connection.rollback()
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]
        connection.commit()
        assert elsewhere(names) == ["Melville", "Poe"]
        Author.objects.create(name="Whitman")
        connection.rollback()
        assert names() == ["Melville", "Poe"]
    assert names() == ["Melville", "Poe"]


def test_atomic_requests_and_on_commit():
    from django.core.handlers.base import BaseHandler

    warm()
    seen = []

    def view(request):
        Author.objects.create(name="Poe")
        transaction.on_commit(lambda: seen.append(names()))
        if request.GET:
            raise ZeroDivisionError
        return names()

    view = BaseHandler().make_view_atomic(view)
    with configured(ATOMIC_REQUESTS=True):
        wrapped = BaseHandler().make_view_atomic(view)
        with pytest.raises(ZeroDivisionError):
            wrapped(RequestFactory().get("/?fail=1"))
        assert names() == ["Melville"]
        assert wrapped(RequestFactory().get("/")) == ["Melville", "Poe"]
    assert seen == [["Melville", "Poe"]]
    assert elsewhere(names) == ["Melville", "Poe"]


def test_a_block_that_could_not_begin(monkeypatch):
    warm()

    def refuse(*args, **kwargs):
        raise OperationalError("no")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_set_autocommit", refuse)
        patch.setattr(connection, "_start_transaction_under_autocommit", refuse, raising=False)
        with pytest.raises(OperationalError), transaction.atomic():
            raise AssertionError("the block must not run")
    connection.close()
    Author.objects.create(name="Poe")
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_a_broken_block_refuses_hits_as_queries():
    warm()
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            Author.objects.create(pk=Author.objects.get().pk, name="Poe")
        with pytest.raises(transaction.TransactionManagementError):
            names()
        transaction.set_rollback(True)
    assert names() == ["Melville"]


def test_an_error_in_a_savepoint_leaves_the_rest_of_the_block():
    pk = Author.objects.get().pk
    warm()
    with transaction.atomic():
        Author.objects.create(name="Poe")
        with pytest.raises(IntegrityError), transaction.atomic():
            Author.objects.create(pk=pk, name="Whitman")
        assert names() == ["Melville", "Poe"]
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def kill():
    """Ends the connection of the test from another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if IS_POSTGRES else "SELECT connection_id()")
        [number] = cursor.fetchone()

    def end():
        with connection.cursor() as cursor:
            if IS_POSTGRES:
                cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [number])
            else:
                cursor.execute(f"KILL {number:d}")

    elsewhere(end)


@only(not IS_SQLITE)
def test_a_connection_lost_in_the_middle():
    warm()
    with pytest.raises((OperationalError, InterfaceError)), transaction.atomic():
        Author.objects.create(name="Poe")
        kill()
        Author.objects.create(name="Whitman")
    connection.close()
    assert elsewhere(names) == names() == ["Melville"]
    Author.objects.create(name="Alcott")
    assert elsewhere(names) == names() == ["Alcott", "Melville"]


@only(not IS_SQLITE)
def test_a_connection_lost_before_the_commit(tmp_path):
    # Its marks stay for a while: in a store that no other test uses.
    with store(f"file://{tmp_path}/store?capacity=64MB"):
        lose_before_the_commit()


def lose_before_the_commit():
    warm()
    with pytest.raises((OperationalError, InterfaceError)), transaction.atomic():
        Author.objects.create(name="Poe")
        kill()
    connection.close()
    # Whether it was committed nobody knows: nothing of before may be served meanwhile.
    assert elsewhere(names) == names() == ["Melville"]
    Author.objects.create(name="Alcott")
    assert elsewhere(names) == names() == ["Alcott", "Melville"]


def test_closed_in_a_block():
    warm()
    # Drivers raise errors of their own when a cursor is closed.
    errors = (DatabaseError, InterfaceError, connection.Database.Error)
    with pytest.raises(errors), transaction.atomic():
        Author.objects.create(name="Poe")
        connection.close()
        names()
    assert elsewhere(names) == names() == ["Melville"]
    Author.objects.create(name="Whitman")
    assert elsewhere(names) == names() == ["Melville", "Whitman"]


@only(not IS_MYSQL)  # its driver cannot tell
def test_committed_past_django():
    warm()
    transaction.set_autocommit(False)
    try:
        Author.objects.create(name="Poe")
        connection.connection.commit()
        names()
        connection.rollback()
    finally:
        transaction.set_autocommit(True)
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_transactions_by_raw_statements():
    warm()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]
        cursor.execute("ROLLBACK")
        assert names() == ["Melville"]
        cursor.execute("BEGIN")
        Author.objects.create(name="Whitman")
        cursor.execute("COMMIT")
    assert elsewhere(names) == names() == ["Melville", "Whitman"]


@only(IS_MYSQL)
def test_statements_that_commit_by_themselves():
    warm()
    transaction.set_autocommit(False)
    try:
        Author.objects.create(name="Poe")
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kogia_implicit (id int)")
            cursor.execute("DROP TABLE kogia_implicit")
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def levels():
    if IS_POSTGRES:
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        return [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]
    return ["repeatable read", "serializable"] if IS_MYSQL else []


@only(not IS_SQLITE)
@pytest.mark.parametrize("level", levels())
def test_a_snapshot_neither_sees_nor_stores_what_others_commit(level):
    options = {**connection.settings_dict["OPTIONS"], "isolation_level": level}
    with configured(OPTIONS=options):
        warm()
        with transaction.atomic():
            assert Author.objects.filter(name="nobody").count() == 0
            if not (IS_MYSQL and level == "serializable"):
                elsewhere(lambda: Author.objects.create(name="Poe"))
                assert elsewhere(names) == ["Melville", "Poe"]
                assert names() == ["Melville"]
        expected = ["Melville"] if IS_MYSQL and level == "serializable" else ["Melville", "Poe"]
        assert elsewhere(names) == names() == expected


@only(IS_POSTGRES)
def test_the_default_level_of_the_server_counts():
    options = {"options": "-c default_transaction_isolation=repeatable\\ read"}
    with configured(OPTIONS=options):
        warm()
        with transaction.atomic():
            assert Author.objects.filter(name="nobody").count() == 0
            elsewhere(lambda: Author.objects.create(name="Poe"))
            assert names() == ["Melville"]
        assert elsewhere(names) == names() == ["Melville", "Poe"]


@only(IS_MYSQL)
def test_uncommitted_data_is_never_stored():
    options = {**connection.settings_dict["OPTIONS"], "isolation_level": "read uncommitted"}
    warm()
    with transaction.atomic():
        Author.objects.create(name="Poe")
        assert names() == ["Melville", "Poe"]

        def reads():
            with configured(OPTIONS=options):
                return names()

        assert elsewhere(reads) == ["Melville", "Poe"]
        transaction.set_rollback(True)
    assert elsewhere(names) == names() == ["Melville"]


@only(IS_SQLITE and django.VERSION >= (5, 1))
@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE", "DEFERRED"])
def test_modes_of_sqlite(mode):
    options = {**connection.settings_dict["OPTIONS"], "transaction_mode": mode}
    warm()
    with configured(OPTIONS=options):
        with transaction.atomic():
            Author.objects.create(name="Poe")
            assert names() == ["Melville", "Poe"]
        assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_a_connection_handed_to_another_thread():
    warm()
    shared = connections["default"]
    shared.inc_thread_sharing()
    try:

        def write():
            own = connections["default"]
            connections["default"] = shared
            try:
                with transaction.atomic():
                    Author.objects.create(name="Poe")
                    return names()
            finally:
                connections["default"] = own

        assert elsewhere(write) == ["Melville", "Poe"]
    finally:
        shared.dec_thread_sharing()
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_another_connection_put_in_by_hand():
    warm()
    old = connection.connection
    connection.connection = None
    Author.objects.create(name="Poe")
    assert names() == ["Melville", "Poe"]
    connection.close()
    connection.connection = old
    Author.objects.create(name="Whitman")
    assert elsewhere(names) == names() == ["Melville", "Poe", "Whitman"]


def test_reads_of_a_block_come_from_the_cache():
    warm()
    if IS_POSTGRES:
        with transaction.atomic():
            assert queries(names) == (["Melville"], 0)


def test_other_zones_are_other_results():
    from .shop.models import Book

    Book.objects.create(title="x", author=Author.objects.get(), published=None)
    for use in (True, False, True):
        with override_settings(USE_TZ=use):
            Book.objects.update(published="2020-01-01 00:00+00:00" if use else "2020-01-01 00:00")
            for _ in range(2):
                assert (Book.objects.get().published.tzinfo is not None) == use


def test_what_a_loop_over_rows_writes_is_not_taken_for_committed():
    Author.objects.create(name="Poe")

    def everything():
        return list(Author.objects.order_by("pk"))

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        rows = Author.objects.order_by("pk").iterator(chunk_size=1)
        next(rows)
        Author.objects.create(name="Whitman")
        list(rows)
        raise ZeroDivisionError
    assert [author.name for author in everything()] == ["Melville", "Poe"]
    if not IS_SQLITE:
        assert elsewhere(names) == ["Melville", "Poe"]


def test_a_loop_over_rows_that_writes_them_is_followed_by_reads_of_what_it_wrote():
    Author.objects.create(name="Poe")
    with transaction.atomic():
        Author.objects.update(name="Alcott")
        for number, author in enumerate(Author.objects.order_by("pk").iterator(chunk_size=1)):
            Author.objects.filter(pk=author.pk).update(name=f"n{number}")
        found = [author.name for author in Author.objects.order_by("pk")]
        assert found == ["n0", "n1"]


@only(IS_MYSQL)  # Only there may a level be for the next transaction alone.
def test_a_read_uses_up_the_level_of_the_next_transaction():
    level = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"

    def everything():
        return [author.name for author in Author.objects.order_by("name")]

    with connection.cursor() as cursor:
        cursor.execute(level)
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        list(Author.objects.filter(name="nobody"))
        cursor.execute("START TRANSACTION")
        list(Author.objects.filter(name="nobody else"))
        elsewhere(lambda: Author.objects.create(name="Poe"))
        assert everything() == ["Melville"]
        cursor.execute("COMMIT")
    assert elsewhere(everything) == everything() == ["Melville", "Poe"]
