"""Real servers for the tests, and how tests wait for them. Every wait has a bound."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

import httpx
import websockets.sync.client
from httpx_sse import connect_sse

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("SERVER_UNDER_TEST", str(ROOT / "target/debug/millrace"))
PATIENCE = 10  # seconds: longest wait for anything


class Server:
    """A `millrace serve` process on a port of its own."""

    def __init__(self, config="", *flags, listen="127.0.0.1:0"):
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name, "millrace.toml")
        path.write_text(config)
        command = [BINARY, "serve", "--listen", listen, "--log", "warn", "--config", str(path), *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        assert line.startswith("listening on http://"), f"the server said {line!r}"
        self.url = line.split()[-1]
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def publish(self, topic, *events, **headers):
        """Publishes JSON events one by one; returns the last answer."""
        for event in events:
            body, kind = json.dumps(event, separators=(",", ":")), {"Content-Type": "application/json"}
            answer = self.http.post(f"/v1/topics/{topic}", content=body, headers=kind | headers)
            assert answer.status_code == 200, answer.text
        return answer.json()

    def await_readers(self, topic, count=1):
        """Waits until a topic has so many readers: what is published then reaches them."""
        until(lambda: self.readers(topic) == count, f"{count} readers of {topic}")

    def readers(self, topic):
        found = self.http.get("/v1/topics", params={"prefix": topic}).json()["topics"]
        return next((one["subscribers"] for one in found if one["topic"] == topic), 0)

    def websocket(self, path, **options):
        url = self.url.replace("http", "ws", 1) + path
        return websockets.sync.client.connect(url, open_timeout=PATIENCE, proxy=None, **options)

    @contextlib.contextmanager
    def sse(self, path, params=None, headers=None):
        """Yields an iterator of (event name, message, id)."""
        with connect_sse(self.http, "GET", path, params=params, headers=headers or {}) as source:
            source.response.raise_for_status()
            # httpx-sse also yields what only carried a `retry:`.
            yield ((sent.event, json.loads(sent.data), sent.id) for sent in source.iter_sse() if sent.data)

    @contextlib.contextmanager
    def ndjson(self, path, params=None):
        headers = {"Accept": "application/x-ndjson"}
        with self.http.stream("GET", path, params=params, headers=headers) as answer:
            answer.raise_for_status()
            yield (json.loads(line) for line in answer.iter_lines() if line.strip())

    def stop(self, sent=signal.SIGTERM):
        self.process.send_signal(sent)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.http.close()
        self.folder.cleanup()


def until(happened, what, seconds=PATIENCE):
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def receive(socket):
    """The next JSON message of a WebSocket."""
    return json.loads(socket.recv(timeout=PATIENCE))


def request(socket, **message):
    """Sends a request and returns its answer."""
    socket.send(json.dumps(message))
    return receive(socket)
