"""A page in headless Chromium, asked over its debugging pipe; needs nothing but the browser."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason=f"needs one of {', '.join(NAMES)}")
PATIENCE_S = 60.0


class Page:
    """One page of one browser.

    Attributes:
      said: what it wrote to its console, and what the browser logged of it: errors and warnings.
    """

    def __init__(self, reads, writes):
        self._reads, self._writes, self._number, self._left = reads, writes, 0, b""
        self._session, self._answers = None, {}
        self.said, self._events = [], []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def open(self, file, width=1200, height=900, scheme="light"):
        """Loads a file from disk in a window of this size, for readers who like it light or dark."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        self._ask("Page.navigate", url=f"file://{os.path.abspath(file)}")
        self._until(lambda: "Page.loadEventFired" in self._events)

    def tell(self, expression):
        """The value of a JavaScript expression, awaited."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        found = self._ask("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def _ask(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        self._until(lambda: self._number in self._answers)
        answer = self._answers.pop(self._number)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _until(self, done):
        """Reads what the browser says until `done`."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            ready, _, _ = select.select([self._reads], [], [], max(end - time.monotonic(), 0.0))
            assert ready, "the browser does not answer"
            part = os.read(self._reads, 1 << 20)
            assert part, "the browser has gone"
            *whole, self._left = (self._left + part).split(b"\0")
            for text in whole:
                self._note(json.loads(text))

    def _note(self, message):
        if "id" in message:
            self._answers[message["id"]] = message
        else:
            self._events.append(message["method"])
            if message["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.said.append(message["params"])


# A browser reads from descriptor 3 and writes to 4. A process of its own sets them: JAX warns of forks that run Python.
CONNECT = """
import os, sys
reads, writes = (os.dup(int(word)) for word in sys.argv[1:3])
while min(reads, writes) < 5:
    reads, writes = os.dup(reads), os.dup(writes)
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextlib.contextmanager
def browser(profile):
    """A `Page` of a browser that keeps its profile in this folder."""
    assert BROWSER is not None
    to_browser, from_browser = os.pipe(), os.pipe()

    argv = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--mute-audio"]
    argv += [f"--user-data-dir={profile}", "--no-first-run", "--autoplay-policy=no-user-gesture-required"]
    pair = to_browser[0], from_browser[1]
    start = [sys.executable, "-c", CONNECT, *map(str, pair), *argv]
    process = subprocess.Popen(start, pass_fds=pair, stderr=subprocess.DEVNULL)
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Page(from_browser[0], to_browser[1])
    finally:
        process.kill()
        process.wait()
        os.close(to_browser[1])
        os.close(from_browser[0])
