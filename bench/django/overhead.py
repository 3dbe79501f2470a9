"""What Kogia costs, call by call in one process: hits beside the floor, misses and writes beside none.

Two processes differ by more than what is looked for, and so do two minutes of one. Here the same
calls are made with Kogia's hooks and without them, in one process and in small blocks by turns, and the
lower quartiles are compared. The first calls of a block are not counted: changing the hooks has thrown
away what Python's interpreter had learned of the classes.
"""

import argparse
import statistics
import tempfile
import time

import run
import systems
import worker

#: Calls of each way, those of them in a row, and those at its beginning that do not count.
CALLS, BLOCK, UNCOUNTED = 600, 60, 20


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

    print(f"{'hits (µs)':22}{'kogia':>10}{'floor':>10}{'×':>8}")
    compare(workloads.reads(), lambda: use(hooked), lambda: use(floor))
    use(hooked)
    print(f"\n{'misses, writes (µs)':22}{'kogia':>10}{'none':>10}{'×':>8}")
    compare({**workloads.misses(), **workloads.writes()}, hooks.install, hooks.uninstall)


def compare(kinds, with_kogia, without):
    ratios = []
    number = 0
    for kind, call in kinds.items():
        times = {with_kogia: [], without: []}
        for _ in range(CALLS // BLOCK // (4 if "1000" in kind else 1)):
            for way, taken in times.items():
                way()
                for place in range(BLOCK):
                    number += 1
                    begun = time.perf_counter_ns()
                    call(number)
                    if place >= UNCOUNTED:
                        taken.append(time.perf_counter_ns() - begun)
        ours, theirs = (statistics.quantiles(taken)[0] / 1000 for taken in times.values())
        with_kogia()
        ratios.append(ours / theirs)
        print(f"{kind:22}{ours:10.1f}{theirs:10.1f}{ours / theirs:8.3f}")
    print(f"{'geometric mean':42}{statistics.geometric_mean(ratios):8.3f}")


if __name__ == "__main__":
    main()
