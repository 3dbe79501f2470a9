"""Reads and writes through all workers of a running shop at once, and looks for old answers.

    python check.py http://127.0.0.1:8000 --workers 3 --seconds 6

Each writer has a book of its own, whose price it raises, and all of them buy copies of one book that
they share. What a request has acknowledged, every request that begins afterwards must show,
whichever worker answers it. Exits with 1 if one does not, or if a request fails.
"""

import argparse
import collections
import dataclasses
import json
import random
import re
import sys
import threading
import time
import urllib.error
import urllib.request

WRITERS = 3
READERS = 5
SHARED = 1000
QUIET = range(1, 61)
PAGES = ("/", "/books/", "/authors/", "/api/books/", "/api/genres/")


@dataclasses.dataclass
class Number:
    """A number that only rises: what was asked for, and what was acknowledged, so far."""

    asked: int = 0
    acknowledged: int = 0


class Check:
    """What all threads know."""

    def __init__(self, url, seconds):
        self.url = url
        self.until = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.wrong = []
        self.requests = collections.Counter()
        self.reads = collections.Counter()
        self.workers = set()
        self.prices = {pk: Number() for pk in range(SHARED + 1, SHARED + 1 + WRITERS)}
        self.sold = Number()

    def run(self):
        """Lets all threads run to their end."""
        self.ask("PATCH", f"/api/books/{SHARED}/", {"stock": 10**6})
        for pk in self.prices:
            self.ask("PATCH", f"/api/books/{pk}/", {"price": "0.00"})
        threads = [threading.Thread(target=self.loop, args=(self.write, pk)) for pk in self.prices]
        threads += [
            threading.Thread(target=self.loop, args=(self.read, random.Random(seed)))
            for seed in range(READERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def loop(self, step, argument):
        """Repeats a step until the time is over or something is wrong."""
        while time.monotonic() < self.until and not self.wrong:
            try:
                step(argument)
            except urllib.error.HTTPError as error:
                self.complain(f"{error.url} answered {error.code}: {error.read(300)!r}")
            except Exception as error:  # noqa: BLE001  (a thread tells of whatever is wrong)
                self.complain(f"{type(error).__name__}: {error}")

    def write(self, pk):
        """Raises the price of a book, reviews it, and buys a copy of the shared one."""
        price = self.prices[pk]
        price.asked += 1
        self.ask("PATCH", f"/api/books/{pk}/", {"price": f"{price.asked}.00"})
        price.acknowledged = price.asked
        self.look_at(pk)
        self.look_at_page(pk)
        review = {"name": "Ada", "rating": 4, "text": f"At {price.asked} it is a bargain."}
        posted = self.ask("POST", f"/api/books/{pk}/reviews/", review)
        if posted["id"] not in self.ids(pk):
            self.complain(f"The review {posted['id']} of the book {pk} is missing.")
        with self.lock:
            self.sold.asked += 1
        self.ask("POST", f"/api/books/{SHARED}/orders/", {"customer": "Ada"})
        with self.lock:
            self.sold.acknowledged += 1
        self.look_at_stock()

    def read(self, chance):
        """Looks at something, most often at what nobody changes, as visitors do."""
        kind = chance.random()
        if kind < 0.2:
            self.look_at(chance.choice(list(self.prices)))
        elif kind < 0.3:
            self.look_at_page(chance.choice(list(self.prices)))
        elif kind < 0.4:
            self.look_at_stock()
        elif kind < 0.43:
            self.text("GET", chance.choice(PAGES))
        else:
            self.ask("GET", f"/api/books/{chance.choice(QUIET)}/")

    def look_at(self, pk):
        """Compares the price that the API tells."""
        number = self.prices[pk]
        least = number.acknowledged
        found = self.ask("GET", f"/api/books/{pk}/")["price"]
        self.compare(f"The price of the book {pk}", least, int(float(found)), number.asked)

    def look_at_page(self, pk):
        """Compares the price that stands on the page."""
        number = self.prices[pk]
        least = number.acknowledged
        found = re.search(r'class="price">(\d+)', self.text("GET", f"/books/{pk}/"))
        self.compare(f"The price on the page of {pk}", least, int(found[1]), number.asked)

    def look_at_stock(self):
        """Compares how many copies of the shared book are left."""
        least = self.sold.acknowledged
        found = 10**6 - self.ask("GET", f"/api/books/{SHARED}/")["stock"]
        self.compare("The number of copies sold", least, found, self.sold.asked)

    def ids(self, pk):
        """The latest reviews of a book."""
        return [review["id"] for review in self.ask("GET", f"/api/books/{pk}/")["reviews"]]

    def compare(self, what, least, found, most):
        """Notes an answer that is older than an acknowledged write, or newer than any."""
        if not least <= found <= most:
            self.complain(f"{what} must lie between {least} and {most}, and is {found}.")

    def complain(self, text):
        """Notes what is wrong; the first of it ends the check."""
        with self.lock:
            self.wrong.append(text)

    def ask(self, method, path, body=None):
        """The JSON object that a request is answered with."""
        return json.loads(self.text(method, path, body))

    def text(self, method, path, body=None):
        """The text of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
        with self.lock:
            self.requests["reads" if method == "GET" else "writes"] += 1
            self.workers.add(answer.headers["X-Worker"])
            for number, outcome in re.findall(r"(\d+) (\w+)", answer.headers["X-Kogia"]):
                self.reads[outcome] += int(number)
        return text


def main():
    """Runs the check; the answer is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--workers", type=int, required=True, help="how many processes answer")
    parser.add_argument("--seconds", type=float, default=6)
    arguments = parser.parse_args()
    check = Check(arguments.url.rstrip("/"), arguments.seconds)
    check.run()
    if len(check.workers) != arguments.workers:
        text = f"{arguments.workers} workers must answer, and {len(check.workers)} did."
        check.complain(text)
    if not check.reads["hits"]:
        check.complain("No read was a hit.")
    for text in check.wrong[:10]:
        print(f"error: {text}", file=sys.stderr)
    asked = sum(check.reads.values()) or 1
    print(
        f"{check.requests['reads']} requests that read and {check.requests['writes']} that write, "
        f"answered by {len(check.workers)} workers; queries: {check.reads['hits']} hits "
        f"({100 * check.reads['hits'] // asked} %), {check.reads['misses']} misses, "
        f"{check.reads['bypasses']} bypasses; "
        + (f"{len(check.wrong)} answers were wrong" if check.wrong else "no answer was old")
    )
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
