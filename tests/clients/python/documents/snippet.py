"""The snippets of the protocol documents as running clients."""

import json
import os
import pathlib
import queue
import subprocess
import sys
import threading

from server import PATIENCE, ROOT

FOLDER = ROOT / "tests/clients/documents"
HERE = pathlib.Path(__file__).parent
WEBSOCKETS_13 = os.environ.get("PYTHON_WITH_WEBSOCKETS_13", str(ROOT / "target/venv-websockets-13/bin/python"))
PYTHONS = {"websockets-13": WEBSOCKETS_13, "websockets-newest": sys.executable}
TOKEN, BACKEND = "the-key-of-a-client", "the-key-of-a-backend"
GUIDE = ROOT / "docs/PROTOCOLS.md"


def snippet(name, server, python="websockets-newest", token=TOKEN):
    """The text of a snippet, filled in."""
    return filled((FOLDER / name).read_text(), server, python, token)


def filled(text, server, python="websockets-newest", token=TOKEN):
    """A text with host, port and token of a server; for the newest `websockets` also the name that `extra_headers` was
    given in version 14."""
    address = server.url.removeprefix("http://")
    changes = {
        "wss://api.resonantgenesis.xyz": f"ws://{address}",
        "https://api.resonantgenesis.xyz": f"http://{address}",
        "localhost:8000": address,
        "YOUR_API_KEY": token,
        "your_jwt_token": token,
        "your_key": token,
    }
    if python == "websockets-newest":
        changes["extra_headers="] = "additional_headers="
    for written, meant in changes.items():
        text = text.replace(written, meant)
    return text


def guide(section, language, server):
    """The examples of a section of docs/PROTOCOLS.md in a language, with host and port filled in."""
    text = GUIDE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [filled(block.split("\n```")[0], server) for block in text.split(f"\n```{language}\n")[1:]]


class Client:
    """A snippet that runs. Its output is read line by line."""

    def __init__(self, python, parts):
        command = [PYTHONS[python], "-u", str(HERE / "play.py")]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self.process.stdin.write(json.dumps({"parts": parts}))
        self.process.stdin.close()
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self, seconds=PATIENCE):
        """The next line; fails when none comes, or when the client has ended."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError("the client said nothing") from None
        assert line is not None, f"the client ended with {self.process.wait(PATIENCE)}"
        return line

    def take(self, count):
        return [self.line() for _ in range(count)]

    def shown(self, name):
        """The values of the next line, which says that `name` was called."""
        line = self.line()
        assert line.startswith(name + " "), f"expected {name}, the client said: {line}"
        return json.loads(line.removeprefix(name + " "))

    def said(self):
        """All that has not been taken, once the client has ended by itself."""
        self.reader.join(PATIENCE)
        assert not self.reader.is_alive(), "the client does not end"
        return list(iter(self.lines.get_nowait, None))

    def silent(self, seconds):
        """Whether it says nothing for so long."""
        try:
            self.lines.put(self.lines.get(timeout=seconds))
            return False
        except queue.Empty:
            return True

    def stop(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
