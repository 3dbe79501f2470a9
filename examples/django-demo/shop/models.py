"""Authors, books, genres, reviews and orders. Nothing here knows of the cache."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse


class Author(models.Model):
    """Somebody who writes books."""

    name = models.CharField(max_length=100)
    born = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("name",)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """The author's page."""
        return reverse("author", args=[self.pk])


class Genre(models.Model):
    """A shelf of the shop."""

    name = models.CharField(max_length=50)
    slug = models.SlugField(unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self):
        return self.name


class Book(models.Model):
    """Something to sell."""

    title = models.CharField(max_length=200, db_index=True)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    genres = models.ManyToManyField(Genre, related_name="books")
    isbn = models.CharField("ISBN", max_length=13, unique=True)
    price = models.DecimalField(max_digits=7, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    published = models.DateField(db_index=True)
    blurb = models.TextField(blank=True)

    class Meta:
        ordering = ("title", "pk")

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        """The book's page."""
        return reverse("book", args=[self.pk])

    @property
    def hue(self):
        """The colour of the cover."""
        return self.pk * 47 % 360


class Review(models.Model):
    """What somebody thinks of a book."""

    book = models.ForeignKey(Book, models.CASCADE, related_name="reviews")
    name = models.CharField(max_length=50)
    rating = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)], default=5
    )
    text = models.TextField(max_length=1000)
    written = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-written", "-pk")

    def __str__(self):
        return f"{self.name}: {self.rating} of 5"


class Order(models.Model):
    """What somebody bought."""

    class Status(models.TextChoices):
        """Where the parcel is."""

        OPEN = "open"
        SENT = "sent"
        RETURNED = "returned"

    customer = models.CharField(max_length=100)
    placed = models.DateTimeField(db_index=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    books = models.ManyToManyField(Book, through="OrderLine", related_name="orders")

    class Meta:
        ordering = ("-placed", "-pk")

    def __str__(self):
        return f"Order {self.pk} of {self.customer}"


class OrderLine(models.Model):
    """One book of an order, at the price of that day."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    book = models.ForeignKey(Book, models.PROTECT, related_name="lines")
    quantity = models.PositiveSmallIntegerField(default=1)
    price = models.DecimalField(max_digits=7, decimal_places=2)

    def __str__(self):
        return f"{self.quantity} × {self.book_id}"
