"""The application that gunicorn serves, with its static files: a demo has no web server in front."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshop.settings")
application = StaticFilesHandler(get_wsgi_application())
