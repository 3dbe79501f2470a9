"""What happens to a store in a folder while it is in use: the application works on, and nothing
is stale. Each runs in a child, so that whatever breaks there breaks nothing else."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import tempfile
import time
import traceback

import pytest
from django.db import connection, connections, transaction

from kogia import engine, faults, link

from .helpers import IS_SQLITE, elsewhere, names, store, warm
from .shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


NOBODY = 65534


def uncached():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM shop_author ORDER BY name")
        return [row[0] for row in cursor.fetchall()]


def child(target):
    """Runs a function in a child, and passes on what went wrong there."""
    connections.close_all()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            target()
            os.write(writing, b"done")
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    assert (said, status) == ("done", 0), f"{said} (status {status})"


def works_on():
    """Writes and reads in every way; what is read must be what is there."""
    for number in range(3):
        Author.objects.create(name=f"n{number}")
        assert names() == uncached()
        with transaction.atomic():
            Author.objects.update(name=f"m{number}")
            assert names() == uncached()
        assert elsewhere(names) == names() == uncached()
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            Author.objects.create(name="never")
            raise ZeroDivisionError
        assert names() == uncached()


def delete(folder):
    # What this process has yet to store would come back while the files are deleted one by one.
    engine.opened().catch_up()
    shutil.rmtree(folder)


def delete_files(folder):
    for file in folder.iterdir():
        file.unlink()


def replace_by_a_file(folder):
    delete(folder)
    folder.write_text("in the way")


def replace_files(folder):
    for file in folder.iterdir():
        fresh = file.with_name("fresh")
        fresh.write_bytes(os.urandom(20_000))
        os.replace(fresh, file)


def overwrite(folder):
    # The data. The small file beside it holds the lock of all writers, and who writes over that
    # may leave one that is held for ever; see DESIGN.md.
    file = max(folder.iterdir(), key=lambda file: file.stat().st_size)
    with open(file, "r+b") as opened:
        opened.write(os.urandom(min(file.stat().st_size, 1_000_000)))


# Files that are cut off under a process that has mapped them end it; nothing can be done about
# that here, see DESIGN.md.
HARM = [delete, delete_files, replace_by_a_file, replace_files, overwrite]


@pytest.mark.parametrize("tier", ["", "&local=2MB"], ids=["alone", "with a tier"])
@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_a_store_that_is_harmed_while_it_is_open(harm, tier, tmp_path):
    def target():
        faults.reset()
        Author.objects.create(name="Melville")
        with store(f"file://{tmp_path}/store?capacity=64MB{tier}"):
            warm()
            harm(tmp_path / "store")
            works_on()
            connections.close_all()
            works_on()

    child(target)
    assert names() == uncached()


def test_a_store_that_comes_and_goes_is_used_again(tmp_path):
    def target():
        with store(f"file://{tmp_path}/store?capacity=64MB"):
            for _ in range(3):
                warm()
                delete(tmp_path / "store")
                works_on()
                deadline = time.monotonic() + 10.0
                # As soon as the process has looked, it makes new files.
                while not (tmp_path / "store").exists():
                    assert time.monotonic() < deadline
                    assert names() == uncached()

    child(target)


@pytest.mark.parametrize("tier", ["", "&local=2MB"], ids=["alone", "with a tier"])
def test_two_processes_and_a_store_that_is_deleted(tier, tmp_path):
    """Neither may go on with files that the other one does not see."""

    def target():
        with store(f"file://{tmp_path}/store?capacity=64MB{tier}"):
            warm()
            for turn in range(20):
                if turn % 5 == 0:
                    delete(tmp_path / "store")
                child(lambda turn=turn: Author.objects.create(name=f"turn {turn}"))
                assert names() == uncached()

    Author.objects.create(name="Melville")
    child(target)
    assert names() == uncached()


def test_a_disk_that_is_full(tmp_path):
    """The kernel refuses to let files grow, as a full disk does."""

    def target():
        faults.reset()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with store(f"file://{tmp_path}/store?capacity=64MB"):
            warm()
            sizes = [file.stat().st_size for file in (tmp_path / "store").iterdir()]
            # The database may go on growing: it is larger than the store's files.
            limit = max(sizes)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
            author = Author.objects.create(name="Poe")
            for number in range(300):
                # Each is an entry of its own.
                list(Author.objects.filter(pk=author.pk).exclude(name=f"{number}" * 500))
            works_on()

    child(target)
    assert names() == uncached()


def test_a_folder_that_cannot_be_written_any_more():
    with tempfile.TemporaryDirectory() as folder:
        if os.getuid() == 0:
            # Nothing is forbidden to the user root, so the child becomes another one.
            os.chown(folder, NOBODY, NOBODY)
            if IS_SQLITE:
                file = pathlib.Path(connection.settings_dict["NAME"])
                file.parent.chmod(0o777)
                file.chmod(0o666)

        def target():
            faults.reset()
            if os.getuid() == 0:
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            path = pathlib.Path(folder, "store")
            with store(f"file://{path}?capacity=64MB"):
                warm()
                for file in path.iterdir():
                    file.chmod(0o400)
                path.chmod(0o500)
                works_on()
                connections.close_all()
                engine.reset()
                # Nobody can write to it, so it opens for nobody.
                works_on()
                path.chmod(0o700)

        child(target)
    assert names() == uncached()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_is_killed_in_a_commit(moment, tmp_path):
    """What it marked is resolved by whoever comes next: its transaction is over for certain."""

    def killed():
        wrapper = connections["default"]
        with transaction.atomic():
            Author.objects.create(name="Poe")
            _, running = link.of(wrapper).begin("COMMIT")
            assert running.marks()
            if moment == "after":
                wrapper.connection.commit()
            # The mark is set, and nobody will ever take it away.
            os.kill(os.getpid(), signal.SIGKILL)

    with store(f"file://{tmp_path}/store?capacity=64MB"):
        Author.objects.create(name="Melville")
        warm()
        connections.close_all()
        pid = os.fork()
        if pid == 0:
            try:
                killed()
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        expected = ["Melville", "Poe"] if moment == "after" else ["Melville"]
        assert names() == uncached() == expected
        Author.objects.create(name="Whitman")
        assert elsewhere(names) == names() == uncached()


def test_a_fork_in_the_middle_of_a_transaction(tmp_path):
    """A child that has a copy of an open transaction leaves its parent's alone."""
    with store(f"file://{tmp_path}/store?capacity=64MB"):
        Author.objects.create(name="Melville")
        warm()
        with transaction.atomic():
            Author.objects.create(name="Poe")
            pid = os.fork()
            if pid == 0:
                # Nothing of the parent is used or closed here; its objects are simply left.
                code = 1
                try:
                    wrapper = connections["default"].copy()
                    connections["default"] = wrapper
                    code = 0 if names() == uncached() == ["Melville"] else 1
                finally:
                    os._exit(code)
            assert os.waitpid(pid, 0)[1] == 0
            assert names() == ["Melville", "Poe"]
        assert elsewhere(names) == names() == uncached() == ["Melville", "Poe"]
