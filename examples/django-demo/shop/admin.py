"""The admin."""

from django.contrib import admin

from .models import Author, Book, Genre, Order, OrderLine, Review


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    """Authors."""

    list_display = ("name", "born")
    search_fields = ("name",)


@admin.register(Genre)
class GenreAdmin(admin.ModelAdmin):
    """Genres."""

    prepopulated_fields = {"slug": ("name",)}


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    """Books."""

    list_display = ("title", "author", "price", "stock", "published")
    list_editable = ("price", "stock")
    list_filter = ("genres",)
    list_select_related = ("author",)
    search_fields = ("title", "isbn", "author__name")
    autocomplete_fields = ("author",)
    date_hierarchy = "published"


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    """Reviews."""

    list_display = ("book", "name", "rating", "written")
    list_filter = ("rating",)
    list_select_related = ("book",)
    raw_id_fields = ("book",)


class OrderLineInline(admin.TabularInline):
    """The books of an order."""

    model = OrderLine
    raw_id_fields = ("book",)
    extra = 0


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders."""

    list_display = ("id", "customer", "placed", "status")
    list_filter = ("status",)
    inlines = (OrderLineInline,)
