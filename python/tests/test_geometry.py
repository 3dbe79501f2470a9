"""Geometries come back equal in type and value, and writes to them show."""

import pytest
from django.db import connection

from .helpers import elsewhere, names, only, queries, warm
from .settings import ENGINE

if ENGINE == "gis":
    from django.contrib.gis.db.models import Collect, Extent
    from django.contrib.gis.db.models.functions import Distance, Transform
    from django.contrib.gis.geos import (
        GeometryCollection,
        GEOSGeometry,
        LineString,
        MultiLineString,
        MultiPoint,
        MultiPolygon,
        Point,
        Polygon,
    )

    from .places.models import Place

    RING = ((0, 0), (0, 10), (10, 10), (10, 0), (0, 0))
    HOLE = ((2, 2), (2, 4), (4, 4), (4, 2), (2, 2))
    SHAPES = [
        Point(13.4, 52.5),
        Point(-180, 90),
        LineString((0, 0), (1, 1.5), (2, 1e-9)),
        Polygon(RING),
        Polygon(RING, HOLE),
        MultiPoint(Point(0, 0), Point(1, 1)),
        MultiLineString(LineString((0, 0), (1, 1)), LineString((2, 2), (3, 3))),
        MultiPolygon(Polygon(RING), Polygon(HOLE)),
        GeometryCollection(Point(1, 2), LineString((0, 0), (1, 1))),
        None,
    ]
else:
    SHAPES = []

gis = only(ENGINE == "gis")
pytestmark = pytest.mark.django_db(transaction=True)


def square(size):
    ring = ((0, 0), (0, size), (size, size), (size, 0), (0, 0))
    return Polygon(ring, srid=3857)


def twice(call):
    """What a read answers, once it is known to be answered by the cache."""
    call(), call()
    answer, needed = queries(call)
    assert needed == 0
    return answer


@gis
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_geometry_comes_back_as_it_was(shape):
    if shape is not None:
        shape.srid = 4326
    place = Place.objects.create(name="a", shape=shape)
    read = lambda: Place.objects.get(pk=place.pk).shape
    bare = read()
    cached = twice(read)
    assert type(cached) is type(bare) is type(shape)
    if shape is not None:
        assert cached.ewkb == bare.ewkb == shape.ewkb
        assert (cached.srid, cached.wkt) == (4326, shape.wkt)
        # Changing one in memory changes nothing for others.
        assert cached is not read()
        cached.transform(3857)
        assert read().ewkb == shape.ewkb


@gis
def test_writes_of_geometries_show():
    place = Place.objects.create(name="a", point=Point(1, 1, srid=4326), area=square(10))
    read = lambda: list(Place.objects.order_by("pk").values_list("point", "area"))
    assert twice(read) == [(Point(1, 1, srid=4326), square(10))]
    place.point = Point(2, 2, srid=4326)
    place.save()
    assert twice(read) == elsewhere(read) == [(Point(2, 2, srid=4326), square(10))]
    Place.objects.update(area=square(20))
    assert twice(read) == elsewhere(read) == [(Point(2, 2, srid=4326), square(20))]
    Place.objects.bulk_create([Place(name="b", point=Point(3, 3, srid=4326), area=square(1))])
    assert len(twice(read)) == 2
    Place.objects.all().delete()
    assert twice(read) == elsewhere(read) == []


@gis
def test_a_write_to_a_geometry_leaves_other_tables():
    # The triggers of SpatiaLite keep an index; what they write to is known.
    warm()
    place = Place.objects.create(name="a", point=Point(1, 1, srid=4326))
    Place.objects.update(point=Point(2, 2, srid=4326))
    place.delete()
    assert queries(names) == ([], 0)


@gis
def test_geometries_as_parameters():
    Place.objects.create(name="a", area=square(10))
    read = lambda x: [p.name for p in Place.objects.filter(area__contains=Point(x, 1, srid=3857))]
    assert twice(lambda: read(5)) == ["a"]
    assert twice(lambda: read(15)) == []
    Place.objects.update(area=square(20))
    assert twice(lambda: read(15)) == ["a"]


@only(ENGINE == "gis" and connection.vendor != "mysql")
def test_a_geometry_of_another_system_is_another_parameter():
    Place.objects.create(name="a", area=square(10))
    near = Point(1, 1, srid=3857)
    far = near.clone()
    far.srid = 4326
    read = lambda at: Place.objects.filter(area__intersects=at).count()
    for _ in range(3):
        assert [read(near), read(far)] == [1, 0]


@gis
def test_aggregates_and_functions_of_geometries():
    for x in (1, 2):
        Place.objects.create(name=str(x), point=Point(x, x, srid=4326), area=square(x))
    # GeoDjango has no aggregates of geometries for MariaDB.
    aggregates = [] if connection.vendor == "mysql" else [Extent("point"), Collect("point")]
    for aggregate in aggregates:
        read = lambda aggregate=aggregate: Place.objects.aggregate(found=aggregate)["found"]
        before = twice(read)
        place = Place.objects.create(name="3", point=Point(30, 30, srid=4326))
        assert read() != before
        place.delete()
        assert str(read()) == str(before)
    places = Place.objects.annotate(far=Distance("area", Point(5, 0, srid=3857)))
    read = lambda: [place.far.m for place in places.order_by("pk")]
    assert [read(), read()] == [[4.0, 3.0], [4.0, 3.0]]
    Place.objects.filter(name="1").update(area=square(2))
    assert read() == [3.0, 3.0]


@gis
def test_dimensions_and_systems():
    text = "SRID=4326;POINT (1.5 2.5)"
    Place.objects.create(name="a", shape=GEOSGeometry(text))
    read = lambda: [place.shape.ewkt for place in Place.objects.all()]
    assert twice(read) == [text]
    if connection.features.has_Transform_function:
        moved = Place.objects.annotate(moved=Transform("shape", 3857))
        read = lambda: [place.moved.srid for place in moved]
        assert [read(), read()] == [[3857], [3857]]
