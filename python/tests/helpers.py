"""What the tests of reads and writes share."""

import contextlib
import threading

from django.conf import settings
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext, override_settings

from kogia import engine
from tests.shop.models import Author

IS_SQLITE = connection.vendor == "sqlite"
IS_POSTGRES = connection.vendor == "postgresql"
IS_MYSQL = connection.vendor == "mysql"


def queries(call):
    """What a call answers, and how many queries it needs."""
    with CaptureQueriesContext(connection) as captured:
        answer = call()
    return answer, len(captured)


def names():
    """The names of all authors, by the ORM."""
    return list(Author.objects.order_by("name").values_list("name", flat=True))


def elsewhere(call):
    """What a call answers in another thread, with a connection of its own."""
    answers = []

    def target():
        try:
            answers.append((call(), None))
        except BaseException as error:
            answers.append((None, error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    [(answer, error)] = answers
    if error is not None:
        raise error
    return answer


def warm():
    """Has the names in the cache, here and for other connections."""
    # The first read may learn that the schema has changed, and the second one fills.
    names(), names()
    answer, needed = queries(names)
    assert needed == 0, "the names are not cached"
    return answer


@contextlib.contextmanager
def configured(alias="default", **changes):
    """A connection with other settings, closed before and afterwards."""
    wrapper = connections[alias]
    before = {name: wrapper.settings_dict[name] for name in changes}
    wrapper.close()
    wrapper.settings_dict.update(changes)
    try:
        yield
    finally:
        if not wrapper.get_autocommit():
            wrapper.rollback()
        wrapper.close()
        wrapper.settings_dict.update(before)
        wrapper.connect()


def kogia(**changes):
    """The setting with some keys changed."""
    return {**settings.KOGIA, **changes}


def only(condition):
    """Defines a test for some databases."""
    return (lambda test: test) if condition else (lambda test: None)


@contextlib.contextmanager
def store(url, **changes):
    """Another store, and other settings, for all connections that are opened from now on."""
    with override_settings(KOGIA=kogia(STORE=url, **changes)):
        connections.close_all()
        engine.reset()
        try:
            yield
        finally:
            connections.close_all()
    engine.reset()
