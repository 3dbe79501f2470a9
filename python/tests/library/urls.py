"""The admin, and views that run in an event loop."""

from django.contrib import admin
from django.http import JsonResponse
from django.urls import path

from .models import Shelf

site = admin.AdminSite()
site.register(Shelf)


async def shelves(request):
    """The names of all shelves; one is added if the request says so."""
    if "add" in request.GET:
        await Shelf.objects.acreate(name=request.GET["add"])
    names = [shelf.name async for shelf in Shelf.objects.order_by("name")]
    return JsonResponse({"shelves": names})


urlpatterns = [path("admin/", site.urls), path("shelves/", shelves)]
