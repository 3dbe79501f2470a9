"""What Kogia costs, call by call in one process: hits beside the floor, misses and writes beside none.

Two processes differ by more than what is looked for, and so do two minutes of one. Here the same
call is made with Kogia's hooks and without them, by turns, and the lower quartiles are compared.
"""

import argparse
import statistics
import tempfile
import time

import run
import systems
import worker

CALLS = 300


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
        for _ in range(CALLS // 8 if "1000" in kind else CALLS):
            for way, taken in times.items():
                number += 1
                way()
                begun = time.perf_counter_ns()
                call(number)
                taken.append(time.perf_counter_ns() - begun)
        # The first calls fill caches of all kinds.
        ours, theirs = (statistics.quantiles(taken[20:])[0] / 1000 for taken in times.values())
        with_kogia()
        ratios.append(ours / theirs)
        print(f"{kind:22}{ours:10.1f}{theirs:10.1f}{ours / theirs:8.3f}")
    print(f"{'geometric mean':42}{statistics.geometric_mean(ratios):8.3f}")


if __name__ == "__main__":
    main()
