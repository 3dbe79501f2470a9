"""What pages and API share: writing a review, placing an order."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from .models import Book, Order, OrderLine, Review


class SoldOut(Exception):
    """There are not enough copies."""


def add_review(book, name, rating, text):
    """Adds a review of a book."""
    return Review.objects.create(
        book=book, name=name, rating=rating, text=text, written=timezone.now()
    )


@transaction.atomic
def place_order(pk, customer, quantity=1):
    """Sells copies of a book, as long as there are any."""
    left = Book.objects.filter(pk=pk, stock__gte=quantity)
    if not left.update(stock=F("stock") - quantity):
        raise SoldOut
    book = Book.objects.get(pk=pk)
    order = Order.objects.create(customer=customer, placed=timezone.now())
    OrderLine.objects.create(order=order, book=book, quantity=quantity, price=book.price)
    return order
