"""The pages. Each asks the database for all that it shows; the cache answers what has not changed."""

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Avg, Count, Max, Q, Sum
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from .models import Author, Book, Genre, Order, Review
from .sales import SoldOut, add_review, place_order

PER_PAGE = 24
LAST_SEEN = 4


class ReviewForm(forms.ModelForm):
    """What a reader says."""

    class Meta:
        model = Review
        fields = ("name", "rating", "text")
        widgets = {
            "rating": forms.Select(choices=[(n, "★" * n) for n in range(5, 0, -1)]),
            "text": forms.Textarea(attrs={"rows": 3}),
        }


def home(request):
    """Shelves, best sellers, best rated, newest reviews, and a book by chance."""
    authors = Book.objects.select_related("author")
    context = {
        "genres": Genre.objects.annotate(count=Count("books")),
        "best_sellers": authors.annotate(sold=Sum("lines__quantity")).order_by("-sold", "pk")[:6],
        "best_rated": authors.annotate(rating=Avg("reviews__rating"), count=Count("reviews"))
        .filter(count__gte=3)
        .order_by("-rating", "-count", "pk")[:6],
        "reviews": Review.objects.select_related("book")[:4],
        "by_chance": authors.order_by("?")[:1],
        "totals": {
            "books": Book.objects.count(),
            "authors": Author.objects.count(),
            "orders": Order.objects.count(),
        },
    }
    return render(request, "shop/home.html", context)


def books(request):
    """All books, those of a shelf, or those that are searched."""
    found = (
        Book.objects.select_related("author")
        .annotate(rating=Avg("reviews__rating"))
        .order_by("title", "pk")
    )
    shelf = request.GET.get("genre")
    if shelf:
        found = found.filter(genres__slug=shelf)
    text = request.GET.get("q", "").strip()
    if text:
        found = found.filter(Q(title__icontains=text) | Q(author__name__icontains=text))
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "genre": Genre.objects.filter(slug=shelf).first() if shelf else None,
        "genres": Genre.objects.all(),
        "q": text,
    }
    return render(request, "shop/books.html", context)


def book(request, pk, form=None):
    """A book with its reviews."""
    found = get_object_or_404(Book.objects.select_related("author"), pk=pk)
    seen = [key for key in request.session.get("seen", []) if key != pk]
    genres = list(found.genres.all())
    context = {
        "book": found,
        "genres": genres,
        "rating": found.reviews.aggregate(average=Avg("rating"), count=Count("pk")),
        "reviews": found.reviews.all()[:20],
        "sold": found.lines.aggregate(copies=Sum("quantity"), last=Max("order__placed")),
        "others": found.author.books.exclude(pk=pk).order_by("-published")[:4],
        "also": Book.objects.filter(genres__in=genres)
        .exclude(pk=pk)
        .annotate(rating=Avg("reviews__rating"), count=Count("reviews"))
        .order_by("-count", "-rating", "pk")[:4],
        "by_chance": Book.objects.filter(genres__in=genres).order_by("?")[:1],
        "seen": Book.objects.filter(pk__in=seen),
        "form": form or ReviewForm(),
    }
    response = render(request, "shop/book.html", context)
    request.session["seen"] = [pk, *seen][:LAST_SEEN]
    return response


@require_POST
def review(request, pk):
    """Takes a review."""
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return book(request, pk, form)
    add_review(get_object_or_404(Book, pk=pk), **form.cleaned_data)
    messages.success(request, "Thank you for your review.")
    return redirect("book", pk)


@require_POST
def buy(request, pk):
    """Sells one copy."""
    try:
        order = place_order(get_object_or_404(Book, pk=pk).pk, "A visitor")
        messages.success(request, f"Thank you. Your order has the number {order.pk}.")
    except SoldOut:
        messages.error(request, "This book is sold out.")
    return redirect("book", pk)


def authors(request):
    """All authors."""
    found = Author.objects.annotate(count=Count("books")).order_by("name", "pk")
    page = Paginator(found, 4 * PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "shop/authors.html", {"page": page})


def author(request, pk):
    """An author with all books."""
    found = get_object_or_404(Author, pk=pk)
    written = found.books.annotate(rating=Avg("reviews__rating")).order_by("-published")
    sold = found.books.aggregate(copies=Sum("lines__quantity"))
    context = {"author": found, "books": written, "sold": sold}
    return render(request, "shop/author.html", context)
