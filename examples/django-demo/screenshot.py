"""Takes a picture of a page of the running shop with Kogia's panel open.

python screenshot.py http://127.0.0.1:8000 shop.png

Drives headless Chromium by the WebDriver protocol of `chromedriver`, which is a few requests.
"""

import base64
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

BOOK = 7
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--hide-scrollbars --force-color-profile=srgb --window-size=1500,1330"
).split()
# The toolbar lives in a shadow tree of its own, if its version has one.
OPEN = """
const root = document.getElementById("djDebugRoot") || document;
(root.shadowRoot || root).querySelector(".KogiaPanel").click();
"""
IS_OPEN = """
const root = document.getElementById("djDebugRoot") || document;
const panel = (root.shadowRoot || root).querySelector("#KogiaPanel");
return panel !== null && panel.offsetHeight > 0 && panel.querySelector("table") !== null;
"""


def main():
    """Takes the picture."""
    shop, picture = sys.argv[1].rstrip("/"), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as profile, chromium(profile) as ask:
        # A hit on each worker has a time to compare with, and a reader has been here before.
        for pk in (11, 12, 13, BOOK, BOOK):
            ask("url", {"url": f"{shop}/books/{pk}/"})
        ask("execute/sync", {"script": 'document.querySelector("[name=name]").value = "Ada"'})
        fill = 'document.querySelector("[name=text]").value = "I read it in one night."'
        ask("execute/sync", {"script": fill})
        ask("execute/sync", {"script": 'document.querySelector("form.stacked").submit()'})
        wait(lambda: "Thank you" in ask("source"))
        ask("url", {"url": f"{shop}/books/{BOOK}/"})
        ask("execute/sync", {"script": OPEN})
        wait(lambda: ask("execute/sync", {"script": IS_OPEN}))
        picture.write_bytes(base64.b64decode(ask("screenshot")))


@contextlib.contextmanager
def chromium(profile):
    """A browser; what it answers to a command."""
    driver = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        for line in driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                break
        else:
            raise SystemExit("chromedriver did not start")
        server = f"http://127.0.0.1:{found[1]}/session"
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = f"{server}/{request('POST', server, wanted)['sessionId']}"
        try:
            yield lambda command, body=None: request(
                "GET" if body is None else "POST",
                f"{session}/{command}",
                body if command != "execute/sync" else {"args": [], **body},
            )
        finally:
            request("DELETE", session)
    finally:
        driver.terminate()
        driver.wait()


def request(method, url, body=None):
    """The value that WebDriver answers with."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)["value"]


def wait(is_so):
    """Waits until something is so, for ten seconds at most."""
    end = time.monotonic() + 10
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("the page did not become what it should be")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
