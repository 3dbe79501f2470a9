"""A small bookshop."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    published = models.DateTimeField(null=True)
    data = models.JSONField(default=dict)
    cover = models.BinaryField(null=True)
    isbn = models.UUIDField(null=True)
    loan = models.DurationField(null=True)
    tags = models.ManyToManyField("Tag", related_name="books")


class Tag(models.Model):
    name = models.SlugField(primary_key=True)
