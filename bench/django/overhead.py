"""What Kogia costs, call by call in one process: hits beside the floor, misses and writes beside none.

A miss is a read of any kind whose entry has just been invalidated; those of the two cheapest kinds are
listed by themselves, too, with parameters that nobody has asked for before. Writes depend on what a
commit costs: `scripts/bench-peers overhead` starts servers with the durability that they have by default.

Two processes differ by more than what is looked for, and so do two minutes of one. Here the same
calls are made with Kogia's hooks and without them, in one process and in small blocks by turns, and the
lower quartiles are compared. The first calls of a block are not counted: changing the hooks has thrown
away what Python's interpreter had learned of the classes, and it learns anew what it has found wrong 53 times.
"""

import argparse
import statistics
import tempfile
import time

import run
import systems
import worker

#: Calls of each way, those of them in a row, and those at its beginning that do not count.
CALLS, BLOCK, UNCOUNTED = 960, 160, 60
#: Calls that take longer than this many seconds are made less often.
SLOW = 0.002


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres", "mysql"], default="postgres")
    parser.add_argument("--system", choices=["kogia-memory", "kogia-file"], default="kogia-file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = run.database(chosen.database, "overhead", folder)
        worker.configure(chosen.system, settings, "", folder)
        measure()


def measure():
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    import workloads
    from django.db.models.sql.compiler import SQLCompiler

    from kogia import hooks

    workloads.fill()
    hooked = SQLCompiler.execute_sql
    systems.install_floor()
    floor = SQLCompiler.execute_sql

    def use(execute_sql):
        SQLCompiler.execute_sql = execute_sql

    print(line("hits (µs)", "kogia", "floor", "×"))
    compare(workloads.reads(), lambda: use(hooked), lambda: use(floor))
    use(hooked)
    headline = ("kogia", "none", "×")
    print("\n" + line("misses (µs)", *headline))
    misses = {f"{kind}, invalidated": call for kind, call in workloads.reads().items()}
    compare(misses, hooks.install, hooks.uninstall, before=invalidate)
    print("\n" + line("new misses (µs)", *headline))
    compare(workloads.misses(), hooks.install, hooks.uninstall)
    print("\n" + line("writes (µs)", *headline))
    compare(workloads.writes(), hooks.install, hooks.uninstall)


def invalidate():
    """Makes all entries stale."""
    from django.db import connection

    from kogia import link

    link.of(connection).database.invalidate_entries()


def compare(kinds, with_kogia, without, before=lambda: None):
    ratios = []
    number = 0
    for kind, call in kinds.items():
        times = {with_kogia: [], without: []}
        begun = time.perf_counter()
        call(number)
        is_slow = time.perf_counter() - begun > SLOW or "1000" in kind
        for _ in range(CALLS // BLOCK // (3 if is_slow else 1)):
            for way, taken in times.items():
                way()
                for place in range(BLOCK):
                    number += 1
                    before()
                    begun = time.perf_counter_ns()
                    call(number)
                    if place >= UNCOUNTED:
                        taken.append(time.perf_counter_ns() - begun)
        ours, theirs = (statistics.quantiles(taken)[0] / 1000 for taken in times.values())
        with_kogia()
        ratios.append(ours / theirs)
        print(line(kind, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.3f}"))
    print(line("geometric mean", "", "", f"{statistics.geometric_mean(ratios):.3f}"))


def line(kind, ours, theirs, ratio):
    return f"{kind:30}{ours:>10}{theirs:>10}{ratio:>8}"


if __name__ == "__main__":
    main()
