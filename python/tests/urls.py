"""A page that does what its address says, and what the toolbar and the library add."""

import debug_toolbar.urls
from django.http import HttpResponse
from django.urls import include, path

# What the page can do; tests add to it.
ACTIONS = {}


def page(request):
    """Does some things, one after the other."""
    for name in request.GET.getlist("do"):
        ACTIONS[name]()
    return HttpResponse("<html><body>Done.</body></html>")


def show_toolbar(request):
    """Shows the toolbar to everybody."""
    return True


urlpatterns = [
    path("page/", page),
    path("__debug__/", include(debug_toolbar.urls)),
    path("", include("tests.library.urls")),
]
