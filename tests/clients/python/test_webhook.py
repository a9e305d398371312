"""A backend that checks questions of the webhook as docs/OPERATING.md shows it."""

import hmac
import http.server
import json
import re
import threading

import pytest

from server import ROOT

SECRET = b"shared with the backend"
KEY = """
[[keys]]
name = "bob"
subscribe = ["a", "b"]
hash = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"
"""


def documented():
    """The function of the document, as it is written."""
    text = (ROOT / "docs/OPERATING.md").read_text()
    snippet = next(code for code in re.findall(r"```python\n(.*?)```", text, re.S) if "is_genuine" in code)
    names = {}
    exec(snippet, names)
    return names["is_genuine"]


@pytest.fixture
def backend():
    """Answers what is genuine, and about topics only with `a`."""
    is_genuine, seen = documented(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signature = self.headers["Millrace-Signature"]
            seen.append((json.loads(body), is_genuine(body, signature, SECRET)))
            assert not is_genuine(body + b" ", signature, SECRET) and not is_genuine(body, signature, b"x")
            old = re.sub(rb'"time":"\d+', b'"time":"2001', body)
            assert not is_genuine(old, "sha256=" + hmac.new(SECRET, old, "sha256").hexdigest(), SECRET)
            allow = ["a"] if seen[-1][0]["topics"] else True
            answer = json.dumps({"allow": allow}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}/hook", seen
    listening.shutdown()
    listening.server_close()


def test_questions_are_genuine(start, backend, tmp_path):
    url, seen = backend
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    server = start(f'[webhook]\nurl = "{url}"\nsecret_file = "{secret}"\n{KEY}')
    headers = {"Authorization": "Bearer def"}
    assert server.http.get("/v1/topics/a", headers=headers).status_code == 200
    assert server.http.get("/v1/topics/b", headers=headers).status_code == 403
    with server.websocket("/v1/topics/a?token=def") as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "subscribed"
    assert [genuine for _, genuine in seen] == [True] * len(seen)
    # The page has asked about the topic before, from the same path.
    assert [question["event"] for question, _ in seen] == ["subscribe", "subscribe", "connect"]
    assert seen[2][0]["user"] == "bob" and seen[2][0]["path"] == "/v1/topics/a"
