"""Models of other kinds: tables that inherit, and tables whose names are unusual."""

from django.db import models


class Item(models.Model):
    title = models.CharField(max_length=100)


class Film(Item):
    minutes = models.IntegerField()


class Shelf(models.Model):
    name = models.CharField(max_length=100)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    items = models.ManyToManyField(Item, related_name="shelves")

    class Meta:
        db_table = "Library_Shelf"

    def __str__(self):
        return self.name
