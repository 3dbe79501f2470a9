"""The API: JSON in, JSON out, no framework. It asks nobody who they are, for it is a demo."""

import functools
import json

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Avg, Count
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .models import Author, Book, Genre, Review
from .sales import SoldOut, add_review, place_order

PER_PAGE = 50


def takes_json(view):
    """Hands the object in the body of a request on; says what is wrong with one that is none."""

    @csrf_exempt
    @functools.wraps(view)
    def wrapped(request, *args, **kwargs):
        try:
            body = json.loads(request.body) if request.body else {}
            if not isinstance(body, dict):
                raise TypeError("the body must be a JSON object")
            return view(request, body, *args, **kwargs)
        except ValidationError as error:
            return JsonResponse({"error": error.message_dict}, status=400)
        except (ValueError, KeyError, TypeError) as error:
            return JsonResponse({"error": str(error)}, status=400)

    return wrapped


@require_GET
def books(request):
    """A page of books: `?page=2`."""
    found = Book.objects.select_related("author").order_by("pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return JsonResponse(
        {"count": page.paginator.count, "page": page.number, "books": [_book(b) for b in page]}
    )


@takes_json
@require_http_methods(["GET", "PATCH"])
def book(request, body, pk):
    """A book with its reviews; `PATCH` changes its price or its stock."""
    found = get_object_or_404(Book.objects.select_related("author"), pk=pk)
    if request.method == "PATCH":
        changed = [name for name in ("price", "stock") if name in body]
        for name in changed:
            setattr(found, name, body[name])
        found.clean_fields(exclude=[f.name for f in Book._meta.fields if f.name not in changed])
        found.save(update_fields=changed)
        return JsonResponse(_book(found))
    reviews = found.reviews.aggregate(count=Count("pk"), rating=Avg("rating"))
    latest = [
        {"id": r.pk, "name": r.name, "rating": r.rating, "text": r.text, "written": r.written}
        for r in found.reviews.all()[:20]
    ]
    genres = [genre.slug for genre in found.genres.all()]
    return JsonResponse({**_book(found), "genres": genres, **reviews, "reviews": latest})


@takes_json
@require_POST
def reviews(request, body, pk):
    """Adds a review: `{"name": "Ada", "rating": 5, "text": "…"}`."""
    found = get_object_or_404(Book, pk=pk)
    given = {name: body[name] for name in ("name", "rating", "text")}
    Review(**given).clean_fields(exclude=["book", "written"])
    review = add_review(found, **given)
    return JsonResponse({"id": review.pk}, status=201)


@takes_json
@require_POST
def orders(request, body, pk):
    """Buys copies: `{"customer": "Ada", "quantity": 2}`."""
    try:
        order = place_order(pk, str(body["customer"]), max(1, int(body.get("quantity", 1))))
    except SoldOut:
        return JsonResponse({"error": "There are not enough copies of this book."}, status=409)
    return JsonResponse({"id": order.pk}, status=201)


@require_GET
def author(request, pk):
    """An author with all books."""
    found = get_object_or_404(Author, pk=pk)
    written = [_book(b) for b in found.books.select_related("author")]
    return JsonResponse({"id": pk, "name": found.name, "born": found.born, "books": written})


@require_GET
def genres(request):
    """All genres, and how many books each has."""
    found = Genre.objects.annotate(count=Count("books"))
    return JsonResponse({"genres": list(found.values("slug", "name", "count"))})


def _book(book):
    return {
        "id": book.pk,
        "title": book.title,
        "author": {"id": book.author_id, "name": book.author.name},
        "isbn": book.isbn,
        "price": str(book.price),
        "stock": book.stock,
        "published": book.published,
    }
