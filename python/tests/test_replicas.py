"""A replica that is behind: a second database, which catches up only when a test says so."""

import pytest
from django.core.checks import run_checks
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext, override_settings

from kogia import api, conf, engine, faults, introspection, link, replicas

from .helpers import IS_MYSQL, IS_POSTGRES, IS_SQLITE, elsewhere, kogia, names, only, warm
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "kogia_replica"


@pytest.fixture
def melville():
    return Author.objects.create(name="Melville")


@pytest.fixture
def replica(melville, tmp_path, django_db_blocker):
    """A connection to a copy of the authors, as `REPLICA_OF` says."""
    with django_db_blocker.unblock():
        # The alias is none of those that a test may use by what was known before.
        yield from make_replica(tmp_path)


def make_replica(tmp_path):
    if not IS_SQLITE:
        execute(connection, f"DROP DATABASE IF EXISTS {NAME}{' WITH (FORCE)' * IS_POSTGRES}")
        execute(connection, f"CREATE DATABASE {NAME}")
    name = str(tmp_path / "replica.sqlite3") if IS_SQLITE else NAME
    connections.databases["replica"] = {**connection.settings_dict, "NAME": name}
    replicas.forget()
    try:
        with override_settings(KOGIA=kogia(REPLICA_OF={"replica": "default"})):
            with connections["replica"].schema_editor() as editor:
                editor.create_model(Author)
            connections["replica"].close()
            catch_up()
            yield connections["replica"]
    finally:
        connections["replica"].close()
        del connections["replica"]
        del connections.databases["replica"]
        conf._forget(setting="DATABASES")
        replicas.forget()
        if not IS_SQLITE:
            execute(connection, f"DROP DATABASE {NAME}{' WITH (FORCE)' * IS_POSTGRES}")
            # What nobody understands may have changed the session.
            connection.close()


def catch_up():
    """Copies the authors as a server does it: nobody who uses the cache sees the writes."""
    rows = list(bare(connection, "SELECT id, name FROM shop_author"))
    wrapper = connections["replica"].copy()
    wrapper.__dict__["_kogia_link"] = None
    with wrapper.cursor() as cursor:
        cursor.execute("DELETE FROM shop_author")
        cursor.executemany("INSERT INTO shop_author (id, name) VALUES (%s, %s)", rows)
    wrapper.close()


def bare(wrapper, sql):
    """The answer of the driver itself."""
    wrapper.ensure_connection()
    cursor = wrapper.connection.cursor()
    cursor.execute(sql)
    rows = cursor.fetchall()
    cursor.close()
    return rows


def execute(wrapper, sql):
    with wrapper.cursor() as cursor:
        cursor.execute(sql)


def read():
    """The names by the replica, and how many queries reached it."""
    with CaptureQueriesContext(connections["replica"]) as captured:
        found = names_of("replica")
    return found, len(captured)


def names_of(alias):
    return list(Author.objects.using(alias).order_by("name").values_list("name", flat=True))


def test_a_replica_never_fills(replica):
    fills = engine.cache().stats()["fills"]
    assert [read(), read()] == [(["Melville"], 1)] * 2
    assert engine.cache().stats()["fills"] == fills


@only(not IS_MYSQL)  # there the name of the database is a part of the key
def test_a_replica_is_answered_by_what_the_primary_filled(replica):
    warm()
    assert read() == (["Melville"], 0)
    Author.objects.create(name="Poe")
    # What the primary has changed is no answer any more, and the replica is behind.
    assert read() == (["Melville"], 1)
    assert names() == ["Melville", "Poe"]
    assert read() == (["Melville", "Poe"], 0)
    replica.close()
    assert names_of("replica") == ["Melville", "Poe"]
    assert replica.connection is None


def test_rows_of_a_replica_that_is_behind_answer_nobody(replica):
    Author.objects.create(name="Poe")
    for _ in range(3):
        assert read() == (["Melville"], 1)
    assert elsewhere(names) == names() == ["Melville", "Poe"]


def test_a_transaction_on_a_replica_is_the_replicas_own(replica):
    Author.objects.create(name="Poe")
    warm()
    with transaction.atomic(using="replica"):
        assert [read(), read()] == [(["Melville"], 1)] * 2


def test_a_session_of_a_replica_counts(replica):
    warm()
    if IS_POSTGRES:
        execute(replica, "CREATE SCHEMA other")
        execute(replica, "CREATE TABLE other.shop_author (id int, name varchar(100))")
        warm()
        execute(replica, "SET search_path = other")
        assert read() == ([], 1)


def test_writes_by_the_alias_of_a_replica_invalidate(replica):
    warm()
    execute(connection, "UPDATE shop_author SET name = 'Poe'")
    warm()
    with CaptureQueriesContext(connection) as captured:
        names()
    assert len(captured) == 0
    Author.objects.using("replica").update(name="Whitman")
    with CaptureQueriesContext(connection) as captured:
        names()
    assert len(captured) == 1


def test_a_replica_reads_the_schema_of_its_primary(replica, monkeypatch):
    """A replica may not have heard yet of a trigger or a view."""
    warm()
    asked = []
    original = introspection.catalog

    def catalog(wrapper):
        asked.append(wrapper.alias)
        return original(wrapper)

    monkeypatch.setattr(introspection, "catalog", catalog)
    for database in engine._databases.values():
        database.invalidate_all()
    read(), read()
    assert set(asked) == {"default"}


def test_a_replica_does_not_know_of_the_primarys_writers(replica, monkeypatch):
    read()

    class Database:
        """One that knows of a writer whose end nobody saw."""

        def abandoned(self):
            raise AssertionError("the replica is asked")

    found = link.of(replica)
    with monkeypatch.context() as patch:
        patch.setattr(found, "database", Database())
        found._ask_about_writers()


def test_a_primary_that_cannot_be_reached(replica, monkeypatch, caplog):
    warm()
    replica.close()
    engine._known.clear()
    connection.close()

    def refuse(*args):
        raise connection.Database.OperationalError("no")

    with monkeypatch.context() as patch:
        patch.setattr(connections["default"], "get_new_connection", refuse)
        assert [read(), read()] == [(["Melville"], 1)] * 2
    assert len([found for found in caplog.records if found.name == "kogia"]) == 1
    # As soon as the process knows it again, without a new connection to the replica.
    warm()
    assert read() == (["Melville"], 1 if IS_MYSQL else 0)


def test_another_primary_has_other_entries(replica, monkeypatch):
    warm()
    read()
    following = link.of(replica).following
    before = following.primary
    monkeypatch.setattr(following, "primary", "the one before")
    read()
    assert link.of(replica).following is not following
    assert link.of(replica).following.primary == before


class Log:
    """A primary's log and how far a standby has replayed it, as a test says."""

    def __init__(self, monkeypatch):
        self.written = self.replayed = 10
        self.asked = 0
        monkeypatch.setattr(introspection, "written_to", self._written)
        monkeypatch.setattr(introspection, "replayed_to", lambda wrapper: self.replayed)

    def _written(self, wrapper):
        assert wrapper.alias == "default"
        self.asked += 1
        return self.written


@pytest.fixture
def log(replica, monkeypatch):
    read()
    link.of(replica).following.is_standby = True
    return Log(monkeypatch)


def test_a_standby_fills_once_it_has_replayed_the_log(replica, log):
    Author.objects.create(name="Poe")
    log.written = 20
    assert [read(), read()] == [(["Melville"], 1)] * 2
    # Other commits, of other tables, go on. What the standby must have replayed stays the same.
    log.written = 30
    catch_up()
    log.replayed = 19
    assert [read(), read()] == [(["Melville", "Poe"], 1)] * 2
    log.replayed = 20
    assert [read(), read()] == [(["Melville", "Poe"], 1), (["Melville", "Poe"], 0)]
    assert log.asked == 1
    Author.objects.create(name="Whitman")
    log.written = 40
    # Behind again, and the primary is asked once more, because the generations are others.
    assert [read(), read()] == [(["Melville", "Poe"], 1)] * 2
    assert log.asked == 2
    assert elsewhere(names) == names() == ["Melville", "Poe", "Whitman"]


def test_a_standby_that_was_promoted_fills_nothing(replica, log):
    Author.objects.create(name="Poe")
    log.replayed = -1
    assert [read(), read()] == [(["Melville"], 1)] * 2


def test_a_position_that_nobody_can_say(replica, log, monkeypatch):
    def refuse(wrapper):
        raise connection.Database.ProgrammingError("permission denied")

    Author.objects.create(name="Poe")
    monkeypatch.setattr(introspection, "replayed_to", refuse)
    assert [read(), read()] == [(["Melville"], 1)] * 2


@only(IS_POSTGRES)
def test_positions_of_a_server_that_replays_nothing(replica):
    replica.ensure_connection()
    before = introspection.written_to(connection)
    Author.objects.create(name="Poe")
    assert introspection.written_to(connection) > before > 0
    assert introspection.replayed_to(replica) == -1


def test_forgetting_by_the_alias_of_a_replica(replica):
    warm()
    read()
    api.invalidate(Author, db_alias="replica")
    with CaptureQueriesContext(connection) as captured:
        names()
    assert len(captured) == 1


@pytest.mark.parametrize(
    "named", [{"replcia": "default"}, {"default": "primray"}, {"default": "default"}, ["default"]]
)
def test_a_wrong_name_is_an_error(named):
    with override_settings(KOGIA=kogia(REPLICA_OF=named)):
        found = {check.id for check in run_checks(tags=["caches"])}
        assert found & {"kogia.E005", "kogia.E002"}


def test_a_wrong_name_costs_only_the_cache(replica, caplog):
    faults.reset()
    with override_settings(KOGIA=kogia(REPLICA_OF={"replica": "primray"})):
        connections.close_all()
        assert [read(), read()] == [(["Melville"], 1)] * 2
        Author.objects.create(name="Poe")
        assert elsewhere(names) == names() == ["Melville", "Poe"]
    said = [found.getMessage() for found in caplog.records if found.name == "kogia"]
    assert len([text for text in said if "primray" in text]) == len(said) <= 2
    connections.close_all()


def test_a_mirror_of_tests_is_a_replica(replica):
    connections.databases["replica"]["TEST"] = {"MIRROR": "default"}
    with override_settings(KOGIA=kogia(REPLICA_OF={})):
        assert conf.primary_of("replica") == "default"
        assert conf.primary_of("default") is None
