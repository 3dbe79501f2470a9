"""A process of its own that reads and writes as it is told, a line of JSON at a time."""

import json
import sys
import time

import django
from django.conf import settings


def main():
    place = json.loads(sys.stdin.readline())
    settings.DATABASES["default"]["NAME"] = place["database"]
    settings.KOGIA["STORE"] = place["store"]
    django.setup()
    from .helpers import names, queries
    from .shop.models import Author

    for line in sys.stdin:
        name = json.loads(line)
        if name is not None:
            Author.objects.update(name=name)
        seen, needed = (None, 0) if name is not None else queries(names)
        print(json.dumps([seen, needed, time.time()]), flush=True)


if __name__ == "__main__":
    main()
