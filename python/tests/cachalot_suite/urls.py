"""One page, for the toolbar."""

import debug_toolbar.urls
from django.http import HttpResponse
from django.urls import include, path


def index(request):
    """An empty page."""
    return HttpResponse("<html><body></body></html>")


urlpatterns = [path("", index), path("__debug__/", include(debug_toolbar.urls))]
