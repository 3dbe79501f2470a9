"""Tells in a header what became of a request's reads."""

import os

from kogia import observe


class CountReads:
    """Adds `X-Kogia: 7 hits, 1 misses, 0 bypasses` and the worker's process to each answer."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        """Answers a request."""
        with observe.record() as recording:
            response = self.get_response(request)
        misses = recording.count("miss") + recording.count("stale")
        response["X-Kogia"] = (
            f"{recording.count('hit')} hits, {misses} misses, {recording.count('bypass')} bypasses"
        )
        response["X-Worker"] = str(os.getpid())
        return response
