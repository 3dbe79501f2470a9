"""Places on a map, for the engines of GeoDjango."""

from django.contrib.gis.db import models


class Place(models.Model):
    name = models.CharField(max_length=100)
    point = models.PointField(null=True)
    area = models.PolygonField(null=True, srid=3857)
    shape = models.GeometryField(null=True)
