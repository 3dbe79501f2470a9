"""The app."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The bookshop."""

    name = "shop"
