"""`manage.py seed`: fills the shop. The same numbers give the same rows."""

import datetime
import random

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.text import slugify

from ...models import Author, Book, Genre, Order, OrderLine, Review

ROWS = 50_000
# How many rows of a thousand each table gets; the genres are always the same.
SHARES = {Author: 40, Book: 240, Book.genres.through: 360, Review: 200, Order: 60, OrderLine: 100}
BATCH = 2_000
NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone.utc)

GENRES = (
    "Adventure, Art, Biography, Children, Cooking, Crime, Drama, Essays, Fantasy, Gardening, "
    "History, Horror, Humour, Letters, Mathematics, Music, Nature, Philosophy, Poetry, Romance, "
    "Science, Sea stories, Short stories, Travel"
).split(", ")
FIRST = (
    "Ada Alba Bo Carla Dara Edda Emil Fay Gus Hana Ida Ivo Jonas Kaya Lea Levi Mara Milo Nia Noor "
    "Olga Otto Pia Quinn Rosa Sami Tara Theo Uma Vera Wim Xenia Yara Zeno"
).split()
LAST = (
    "Abend Baker Castell Dahl Ekman Farrow Grady Holm Ibsen Jarvis Kestrel Lindgren Moreau Novak "
    "Okafor Petrov Quill Rivera Sandoval Tanaka Ueda Vance Whaler Yilmaz Zeller"
).split()
WHAT = (
    "Whale,Lighthouse,Harbour,Tide,Garden,Letter,Winter,Compass,Island,Orchard,Mirror,Atlas,River,"
    "Clock,Storm,Archive,Sparrow,Bridge,Lantern,Voyage,Echo,Library,Meadow,Anchor,Shadow,Violin"
).split(",")
HOW = (
    "Silent,Last,Golden,Forgotten,Little,Northern,Crooked,Patient,Hidden,Salt,Borrowed,Second,"
    "Painted,Distant,Quiet,Stolen,Ordinary,Glass,Burning,Unwritten"
).split(",")
OPINIONS = (
    "I read it in one night.",
    "The ending surprised me.",
    "A little long, but well worth it.",
    "I gave it to all of my friends.",
    "Not what the blurb promises.",
    "Beautifully made.",
    "I could not put it down.",
    "The second half is the better one.",
)


class Command(BaseCommand):
    """Fills the shop with books, reviews and orders."""

    help = f"Fills the shop: {ROWS} rows over all tables, the same ones every time."

    def add_arguments(self, parser):
        """Defines the arguments."""
        parser.add_argument("--rows", type=int, default=ROWS, help=f"how many ({ROWS})")
        parser.add_argument("--if-empty", action="store_true", help="leave a full shop alone")

    @transaction.atomic
    def handle(self, *, rows, if_empty, **options):
        """Runs the command."""
        if rows < 1_000:
            raise CommandError(f"There must be 1000 rows at least, and {rows} are wanted.")
        if Book.objects.exists():
            if if_empty:
                return
            raise CommandError("There are books already; seed an empty database.")
        self.chance = random.Random(20261123)
        self.counts = {model: (rows - len(GENRES)) * n // 1000 for model, n in SHARES.items()}
        # What the division leaves over.
        self.counts[Review] += rows - len(GENRES) - sum(self.counts.values())
        self.say = self.stdout.write if options["verbosity"] > 0 else lambda text: None
        Genre.objects.bulk_create(Genre(name=name, slug=slugify(name)) for name in GENRES)
        self.say(f"{'genres':>20} {len(GENRES):6}")
        for make in (self.author, self.book, self.shelf, self.review, self.order, self.line):
            self.fill(make)
        self.say(f"{'rows':>20} {rows:6}")

    def fill(self, make):
        """Fills one table."""
        model = {
            "author": Author, "book": Book, "shelf": Book.genres.through, "review": Review,
            "order": Order, "line": OrderLine,
        }[make.__name__]  # fmt: skip
        count = self.counts[model]
        name = str(model._meta.verbose_name_plural)
        for begin in range(1, count + 1, BATCH):
            numbers = range(begin, min(begin + BATCH, count + 1))
            model.objects.bulk_create([make(number) for number in numbers])
            self.say(f"{name:>20} {numbers[-1]:6} of {count}")

    def author(self, number):
        """An author."""
        name = f"{self.chance.choice(FIRST)} {self.chance.choice(LAST)}"
        return Author(pk=number, name=name, born=self.chance.randint(1880, 2000))

    def book(self, number):
        """A book."""
        what, other = self.chance.sample(WHAT, 2)
        how = self.chance.choice(HOW)
        title = self.chance.choice(
            [f"The {how} {what}", f"{what} and {other}", f"The {what} of the {how} {other}"]
        )
        digits = f"979{number:09}"
        check = -sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(digits)) % 10
        return Book(
            pk=number,
            title=title,
            author_id=self.popular(Author),
            isbn=f"{digits}{check}",
            price=f"{self.chance.randint(4, 60)}.{self.chance.choice(('00', '50', '90'))}",
            stock=self.chance.randint(0, 200),
            published=NOW.date() - datetime.timedelta(days=self.chance.randint(0, 20_000)),
            blurb=f"A book about {what.lower()} and {other.lower()}, and what came between them.",
        )

    def shelf(self, number):
        """A book on a shelf: each book stands on one, and every second one on another as well."""
        books = self.counts[Book]
        pk = (number - 1) % books + 1
        # Two shelves of a book are never the same.
        genre = (pk * 7 + (number - 1) // books * 5) % len(GENRES) + 1
        return Book.genres.through(book_id=pk, genre_id=genre)

    def review(self, number):
        """A review."""
        return Review(
            book_id=self.popular(Book),
            name=self.chance.choice(FIRST),
            rating=min(5, self.chance.randint(1, 7)),
            text=" ".join(self.chance.sample(OPINIONS, self.chance.randint(1, 3))),
            written=self.moment(),
        )

    def order(self, number):
        """An order."""
        customer = f"{self.chance.choice(FIRST)} {self.chance.choice(LAST)}"
        status = self.chance.choices(Order.Status.values, (1, 8, 1))[0]
        return Order(pk=number, customer=customer, placed=self.moment(), status=status)

    def line(self, number):
        """A line of an order: each order has one at least."""
        orders = self.counts[Order]
        order = number if number <= orders else self.chance.randint(1, orders)
        return OrderLine(
            order_id=order,
            book_id=self.popular(Book),
            quantity=self.chance.choice((1, 1, 1, 2, 3)),
            price=f"{self.chance.randint(4, 60)}.90",
        )

    def popular(self, model):
        """The key of one of a model's rows: some are liked more than others."""
        return 1 + int(self.counts[model] * self.chance.random() ** 3)

    def moment(self):
        """A moment of the last two years."""
        return NOW - datetime.timedelta(seconds=self.chance.randint(0, 2 * 365 * 86_400))
