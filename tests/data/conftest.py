"""A place of its own for every test's downloads and decoded copies, and a real server on this machine."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    """No test asks a publisher; those with a server of their own go online for it."""
    monkeypatch.setenv("HOLDFAST_OFFLINE", "1")


@pytest.fixture
def online(monkeypatch):
    monkeypatch.delenv("HOLDFAST_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A machine without any data: search, cache and download all lead into an empty folder."""
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "home"))
    return tmp_path / "home"


class _Server:
    """Files by name; a name in `broken` stops in the middle. `asked` counts requests."""

    def __init__(self):
        self.files, self.broken, self.asked = {}, set(), Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.lstrip("/")
                outer.asked[name] += 1
                content = outer.files.get(name)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if name in outer.broken else content)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"


@pytest.fixture
def server(online):
    running = _Server()
    yield running
    running.http.shutdown()
    running.http.server_close()
    running.thread.join()
