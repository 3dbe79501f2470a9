"""The panel of the Debug Toolbar: what became of a request's reads and writes."""

import html
import os
import re

import pytest
from django.db import connections, transaction
from django.test import override_settings

from kogia import api, invalidations, link, notes, observe, panels

from .helpers import elsewhere, warm
from .shop.models import Author, Book
from .urls import ACTIONS

pytestmark = pytest.mark.django_db(transaction=True)

QUERY = Author.objects.order_by("name").values_list("name", flat=True)


def roll_back():
    with transaction.atomic():
        Author.objects.create(name="Nobody")
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def actions():
    with override_settings(MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"]):
        ACTIONS.update(
            read=lambda: list(QUERY.all()),
            random=lambda: list(Author.objects.order_by("?")),
            write=lambda: Author.objects.create(name="Melville"),
            roll_back=roll_back,
            html=lambda: list(Author.objects.extra(where=["name <> '<b>'"])),
        )
        yield
        ACTIONS.clear()


@pytest.fixture
def panel(client):
    """What the panel shows for a request: its parts by their headings, as lines of text."""

    def show(*actions):
        answer = client.get("/page/", {"do": actions}).content.decode()
        [content] = re.findall(
            r'id="KogiaPanel".*?<h3>Kogia</h3>(.*?)</div>\s*</div>', answer, re.DOTALL
        )
        content = re.sub(r"</tr>|</?h4>", "\n", " ".join(content.split()))
        text = html.unescape(re.sub(r"<[^>]+>", " ", content))
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        return lines_of(lines), answer

    return show


def lines_of(lines):
    parts, current = {}, "Summary"
    for line in lines:
        if line.startswith(("Reads of", "Invalidated by", "Last invalidation")):
            current = line
        else:
            parts.setdefault(current, []).append(line)
    return parts


def summary(parts):
    return parts["Summary"][-1]


def test_hits_misses_and_bypasses(panel):
    warm()
    Author.objects.create(name="Poe")
    parts, answer = panel("read", "read", "random", "random")
    assert summary(parts).startswith("1 1 2 2 × rand")
    reads = parts["Reads of this request"]
    outcomes = [re.match(r"● (\w+)", line)[1] for line in reads if line.startswith("●")]
    assert outcomes == ["stale", "hit", "bypass", "bypass"]
    assert "1 hit, 1 miss, 2 bypasses" in answer
    text = " ".join(reads)
    assert "can give another answer each time" in text
    assert "FROM shop_author ORDER BY" in text
    parts, answer = panel()
    assert summary(parts).startswith("0 0 0 0")
    assert parts["Reads of this request"][-1] == "Nothing was read."
    assert "0 hits, 0 misses, 0 bypasses" in answer


def test_the_time_that_hits_saved(panel):
    # Another process ran the query and took five seconds.
    sql = str(QUERY.query)
    with observe.record():
        elsewhere(lambda: watched_query(sql))
    warm()
    parts, _ = panel("read")
    saved = float(re.search(r"([\d.]+) ms$", summary(parts))[1])
    assert 4900 < saved < 5000


def watched_query(sql):
    with observe.record():
        observe.ran("default", sql, 5.0)


def test_a_read_that_nobody_timed_saved_nothing():
    with observe.record() as recording:
        recording.read("default", "SELECT 'nobody timed this'", ("hit", None), 0.0)
    assert recording.saved == 0


def test_what_a_request_invalidated(panel):
    parts, _ = panel("write", "roll_back")
    assert summary(parts).split()[3:5] == ["1", "shop_author"]
    [line] = [line for line in parts["Invalidated by this request"] if "shop_author" in line]
    assert "INSERT INTO shop_author (name) VALUES" in line
    parts, _ = panel("read")
    assert parts["Invalidated by this request"][-1] == "Nothing."


def test_a_write_that_was_rolled_back_invalidates_nothing(panel):
    before = api.get_last_invalidation(Author)
    parts, _ = panel("roll_back")
    assert parts["Invalidated by this request"][-1] == "Nothing."
    assert api.get_last_invalidation(Author) == before


def test_when_and_by_what_tables_were_last_invalidated(panel):
    last = lambda: panel("read")[0]["Last invalidation of each table"][1:]
    panel("write")
    [line] = [line for line in last() if line.startswith("shop_author ")]
    assert re.match(r"shop_author \d\.\d seconds INSERT INTO shop_author", line)
    assert f"GET /page/, process {os.getpid()}" in line
    Author.objects.update(name="Poe")
    assert re.match(r"shop_author \d\.\d seconds UPDATE shop_author SET name", last()[0])
    with transaction.atomic():
        author = Author.objects.create(name="Alcott")
        Book.objects.create(title="Little Women", author=author)
    tables = {line.split()[0]: line for line in last()[:2]}
    assert "INSERT INTO shop_author" in tables["shop_author"]
    assert "INSERT INTO shop_book" in tables["shop_book"]
    api.invalidate(Author)
    assert "kogia.api.invalidate" in last()[0]


def test_a_minute_has_other_words():
    assert panels._ago(59.94) == "59.9 seconds"
    assert panels._ago(3 * 3600) == "3\xa0hours"


def test_writes_without_a_toolbar_leave_no_text(monkeypatch):
    Author.objects.create(name="Melville")
    database = link.of(connections["default"]).database
    moment, origin, cause = invalidations.why(database.name, "shop_author")
    assert origin and cause.startswith("INSERT")
    monkeypatch.delitem(invalidations.apps.app_configs, "debug_toolbar")
    Author.objects.create(name="Poe")
    later, origin, cause = invalidations.why(database.name, "shop_author")
    # The text of the write before says nothing of this one.
    assert later > moment
    assert (origin, cause) == ("", "")


def test_notes_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    shared = notes._Shared(tmp_path / "file" / "notes")
    monkeypatch.setattr(notes, "_shared", lambda: shared)
    Author.objects.create(name="Melville")
    assert api.get_last_invalidation(Author) == 0
    assert notes.read("anything") is None


def test_moments_have_their_place_on_the_disk(monkeypatch, tmp_path):
    """A page without one ends the process when the disk is full."""
    shared = notes._Shared(tmp_path / "notes")
    monkeypatch.setattr(notes, "_shared", lambda: shared)
    Author.objects.create(name="Melville")
    found = (tmp_path / "notes" / "moments").stat()
    assert found.st_blocks * 512 >= found.st_size > 0
    assert api.get_last_invalidation(Author) > 0


def test_notes_of_a_store_in_memory(monkeypatch):
    monkeypatch.setattr(notes, "_shared", lambda: None)
    notes.forget()
    assert api.get_last_invalidation(Author) == 0
    Author.objects.create(name="Melville")
    assert api.get_last_invalidation(Author) > 0
    notes.forget()


def test_what_is_shown_is_no_markup(panel):
    _, answer = panel("html")
    assert "&#x27;&lt;b&gt;&#x27;" in answer and "'<b>'" not in answer


@pytest.mark.parametrize(
    ("sql", "short"),
    [
        ('SELECT "a"."b" FROM "a"', "SELECT a.b FROM a"),
        (
            'SELECT "a"."one", "a"."two", "a"."three", "a"."seventeen" FROM `a`  WHERE\n1',
            "SELECT … FROM a WHERE 1",
        ),
        (
            "SELECT (SELECT count(*) FROM b WHERE b.a = a.id) AS n, a.one, a.two FROM a",
            "SELECT … FROM a",
        ),
        ("INSERT INTO a VALUES (" + "%s, " * 90 + "1)", "INSERT INTO a VALUES (" + "%s, " * 90),
        ("", ""),
    ],
)
def test_statements_for_people(sql, short):
    shown = panels._short(sql)
    assert shown == short or (short.startswith(shown[:-1]) and shown.endswith("…"))
    assert len(shown) <= 161


def test_recordings_within_recordings():
    with observe.record("outer") as outer:
        list(QUERY.all())
        with observe.record() as inner:
            list(QUERY.all())
            Author.objects.create(name="Melville")
        assert (len(inner.reads), len(inner.invalidated), inner.name) == (1, 1, "outer")
    assert (len(outer.reads), len(outer.invalidated)) == (2, 1)
