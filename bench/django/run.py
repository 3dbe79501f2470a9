"""Compares Django without a cache, with its peers' caches and with Kogia's, in one interleaved run.

Each system is a process with a database of its own. They take turns in small blocks, so that a
noisy machine hurts all alike. scripts/bench-peers starts the servers and calls this.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

import systems

HERE = pathlib.Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres", "mysql"], default="postgres")
    parser.add_argument("--systems", default=",".join(systems.SYSTEMS), help="comma-separated")
    parser.add_argument("--kinds", help="only kinds of query whose name contains this")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=20, help="of each kind in each round")
    parser.add_argument("--json", metavar="FILE", help="where to write all medians")
    return parser.parse_args()


def database(kind, system, folder):
    """The settings of a fresh database."""
    if kind == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/bench.sqlite3"}
    variable = f"KOGIA_TEST_{kind.upper()}_URL"
    if variable not in os.environ:
        sys.exit(f"error: {variable} is not set; run ./scripts/bench-peers, which starts servers")
    url = urlsplit(os.environ[variable])
    name = "bench_" + system.replace("-", "_")
    settings = {
        "ENGINE": f"django.db.backends.{'postgresql' if kind == 'postgres' else 'mysql'}",
        "NAME": name,
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": url.hostname,
        "PORT": url.port,
    }
    statements = [f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"]
    if kind == "postgres":
        import psycopg

        with psycopg.connect(os.environ[variable], autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
    else:
        import MySQLdb

        connection = MySQLdb.connect(
            host=url.hostname, port=url.port, user=url.username, password=url.password or ""
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    return settings


class Worker:
    """A process that measures one system."""

    def __init__(self, system, kind, folder):
        folder = pathlib.Path(folder) / system
        folder.mkdir()
        redis = os.environ.get("KOGIA_TEST_REDIS_URL", "").removesuffix("/0")
        if system in systems.NEED_REDIS and not redis:
            sys.exit(f"error: {system} needs KOGIA_TEST_REDIS_URL; run ./scripts/bench-peers")
        number = list(systems.SYSTEMS).index(system)
        self.process = subprocess.Popen(
            [sys.executable, HERE / "worker.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
        )
        order = [system, database(kind, system, folder), f"{redis}/{number}", str(folder)]
        self.kinds = self.tell(order)

    def tell(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("error: a worker failed; what it said stands above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(workers, kinds, rounds, calls):
    """The median of each kind for each system, in microseconds."""
    times = {kind: {system: [] for system in workers} for kind in kinds}
    order = list(workers)
    for number in range(rounds + 1):
        for kind in kinds:
            for system in order:
                block = workers[system].tell({"kind": kind, "calls": calls})
                if number:  # The first round warms up.
                    times[kind][system] += block
        # Nobody always follows the same one.
        order = order[1:] + order[:1]
        print(f"\rround {number} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {
        kind: {system: statistics.median(block) / 1000 for system, block in of.items()}
        for kind, of in times.items()
    }


def table(title, medians, reference):
    """Prints microseconds, and the geometric mean of the ratios to a reference."""
    if not medians:
        return
    names = list(next(iter(medians.values())))
    width = max(map(len, medians)) + 2
    print(f"\n{title} (µs)")
    print(" " * width + "".join(f"{name:>17}" for name in names))
    for kind, of in medians.items():
        print(f"{kind:{width}}" + "".join(f"{of[name]:17.0f}" for name in names))
    if reference in names:
        means = [
            math.exp(statistics.fmean(math.log(of[name] / of[reference]) for of in medians.values()))
            for name in names
        ]
        label = f"× {reference}"
        print(f"{label:{width}}" + "".join(f"{mean:17.2f}" for mean in means))


def main():
    options = arguments()
    names = options.systems.split(",")
    unknown = [name for name in names if name not in systems.SYSTEMS]
    if unknown:
        known = ", ".join(systems.SYSTEMS)
        sys.exit(f"error: --systems does not know {', '.join(unknown)}; it knows {known}")
    with tempfile.TemporaryDirectory(prefix="kogia-bench-") as folder:
        workers = {}
        for name in names:
            print(f"starting {name}", file=sys.stderr)
            workers[name] = Worker(name, options.database, folder)
        kinds = workers[names[0]].kinds
        if options.kinds:
            kinds = [kind for kind in kinds if options.kinds in kind]
        medians = measure(workers, kinds, options.rounds, options.calls)
        others = {"miss by key", "miss of 10 rows", "update", "insert", "transaction"}
        reads = {kind: of for kind, of in medians.items() if kind not in others}
        table(f"reads of what was asked before, {options.database}", reads, "floor")
        rest = {kind: of for kind, of in medians.items() if kind in others}
        table(f"misses and writes, {options.database}", rest, "none")
        ratios = {}
        if not options.kinds:
            print("\nhits of reads by key, by the share of writes to any row (%)")
            for share in (0.01, 0.1, 0.5):
                order = {"mixed": share, "calls": 4000, "seed": 1}
                of = {name: workers[name].tell(order) for name in names if name != "floor"}
                ratios[share] = of
                print(f"{share:4.0%}  " + "  ".join(f"{n} {r:.0%}" for n, r in of.items()))
        for worker in workers.values():
            worker.close()
    if options.json:
        result = {"database": options.database, "microseconds": medians, "hit_ratios": ratios}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
