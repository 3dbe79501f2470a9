"""One system in a process of its own: does what it is told in lines of JSON, answers with times.

Started by run.py.
"""

import json
import sys
import time

import systems


def configure(system, database, redis_url, folder):
    from django.conf import settings

    extra = systems.settings_of(system, redis_url, folder)
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "shelf"]
    settings.configure(
        **{
            "DATABASES": {"default": database},
            "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
            "SECRET_KEY": "only a benchmark",
            "USE_TZ": True,
            # All tables at once; cachalot and cacheops have none of their own.
            "MIGRATION_MODULES": {app: None for app in ("contenttypes", "auth", "shelf")},
            **extra,
            "INSTALLED_APPS": apps + extra.get("INSTALLED_APPS", []),
        }
    )
    import django

    django.setup()


def main():
    system, database, redis_url, folder = json.loads(sys.stdin.readline())
    configure(system, database, redis_url, folder)
    from django.core.management import call_command

    import workloads

    call_command("migrate", run_syncdb=True, verbosity=0)
    workloads.fill()
    if system == "floor":
        systems.install_floor()
    kinds = {**workloads.reads(), **workloads.misses(), **workloads.writes()}
    number = 0
    print(json.dumps(list(kinds)), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "mixed" in order:
            answer = workloads.mixed(order["mixed"], order["calls"], order["seed"])
        else:
            work, answer = kinds[order["kind"]], []
            for _ in range(order["calls"]):
                number += 1
                start = time.perf_counter_ns()
                work(number)
                answer.append(time.perf_counter_ns() - start)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
