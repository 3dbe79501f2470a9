"""The tables of the benchmark: those of django-cachalot's own, and what more kinds need."""

from django.contrib.auth.models import User
from django.db import models


class Test(models.Model):
    name = models.CharField(max_length=20)
    owner = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    score = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    note = models.TextField(default="")
