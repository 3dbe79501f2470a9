"""Pages and API of the shop."""

from django.urls import path

from . import api, views

urlpatterns = [
    path("", views.home, name="home"),
    path("books/", views.books, name="books"),
    path("books/<int:pk>/", views.book, name="book"),
    path("books/<int:pk>/review/", views.review, name="review"),
    path("books/<int:pk>/buy/", views.buy, name="buy"),
    path("authors/", views.authors, name="authors"),
    path("authors/<int:pk>/", views.author, name="author"),
    path("api/books/", api.books, name="api-books"),
    path("api/books/<int:pk>/", api.book, name="api-book"),
    path("api/books/<int:pk>/reviews/", api.reviews, name="api-reviews"),
    path("api/books/<int:pk>/orders/", api.orders, name="api-orders"),
    path("api/authors/<int:pk>/", api.author, name="api-author"),
    path("api/genres/", api.genres, name="api-genres"),
]
