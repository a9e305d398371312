"""Every protocol through nginx, HAProxy and Caddy, with the very configurations of deploy/; only ports and folders differ."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import socket as sockets
import struct
import subprocess
import time
from typing import Any, Callable

import httpx
import pytest
import websockets.sync.client

from server import PATIENCE, ROOT, Server, until

CLIENT = "127.0.0.2"  # where the clients connect from; the proxies connect to Millrace from 127.0.0.1
QUIET = 90  # seconds for which nothing is published
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
FORWARDED = '[proxy]\ntrusted = ["127.0.0.1/32"]\n'
ANNOUNCED = FORWARDED + 'protocol = "v1v2"\n'
_numbers = itertools.count(1)


@dataclasses.dataclass
class Protocol:
    """How a client of a protocol connects, and an event that it then gets."""

    name: str
    path: str
    topic: str
    event: Callable[[str], Any]
    transport: str = "websocket"
    hello: Any = None
    publish: str = ""  # where events are published, if not to the topic


@dataclasses.dataclass
class Rest:
    """What a protocol answers to a request, and a word of the answer."""

    path: str
    word: str
    body: Any = None


def stream_message(mark):
    return {"message_id": mark, "channel_id": "c", "author_id": "a", "content": mark, "direction": "incoming"}


def agent_event(mark):
    return {"event_id": mark, "event_type": "start", "timestamp": "2024-01-16T12:00:00Z", "context": {"mark": mark}}


def channel_event(mark):
    return {"type": "session.started", "data": {"session_id": mark}}


PROTOCOLS = [
    Protocol("topics-websocket", "/v1/topics/quiet", "quiet", lambda mark: {"mark": mark}),
    Protocol("topics-sse", "/v1/topics/quiet", "quiet", lambda mark: {"mark": mark}, transport="sse"),
    Protocol("topics-ndjson", "/v1/topics/quiet", "quiet", lambda mark: {"mark": mark}, transport="ndjson"),
    Protocol("stream", "/v1/stream/messages", "stream.message", stream_message, publish="/v1/stream/messages"),
    Protocol("events", "/ws/events/s1", "events.s1", agent_event, publish="/api/sessions/s1/events"),
    Protocol("events-all", "/ws/events", "events.s1", agent_event),
    Protocol(
        "channels",
        "/v1/ws",
        "channels.sessions",
        channel_event,
        hello={"type": "subscribe", "channels": ["sessions"]},
        publish="/v1/channels/sessions/events",
    ),
    Protocol(
        "channels-sse",
        "/v1/events/subscribe?channels=sessions",
        "channels.sessions",
        channel_event,
        transport="sse",
        publish="/api/v1/events",
    ),
    Protocol(
        "analysis",
        "/api/v1/ws/analysis/a1",
        "analysis.a1",
        lambda mark: {"type": "stage_changed", "data": {"stage": mark}},
        publish="/api/v1/ws/analysis/a1/events",
    ),
]

REST = [
    Rest("/v1/topics/quiet", '"events":['),
    Rest("/v1/topics", '"topics":['),
    Rest("/v1/topics/waited?after=0&wait=1", '"events":['),
    Rest("/api/websocket-metrics", '"total_events_broadcast":'),
    Rest("/api/status", '"uptime_seconds":'),
    Rest("/api/sessions", '"sessions":['),
    Rest("/api/sessions/s1/events", '"events":['),
    Rest("/v1/events?channels=sessions", '"events":['),
    Rest("/v1/events/replay", '"events":[', body={"channels": ["sessions"], "since": "2024-01-16T12:00:00Z"}),
    Rest("/api/v1/ws/analysis/a1/status", '"analysis_id":"a1"'),
    Rest("/api/v1/ws/stats", '"total_connections":'),
]


def free_port():
    with sockets.socket() as socket:
        socket.bind(("127.0.0.1", 0))
        return socket.getsockname()[1]


class Proxy:
    """A proxy in front of a Millrace of its own."""

    def __init__(self, name, folder, config=""):
        self.server = Server((ANNOUNCED if "PROXY" in name else FORWARDED) + config)
        self.port, self.folder = free_port(), folder
        folder.mkdir()
        program = name.split()[0]
        found = shutil.which(program, path=PATH)
        arguments, environment = getattr(self, program)(name)
        self.process = subprocess.Popen([found, *arguments], env={**os.environ, **environment}, cwd=folder)
        self.url = f"http://127.0.0.1:{self.port}"
        transport = httpx.HTTPTransport(local_address=CLIENT)
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE, transport=transport)
        try:
            self.await_ready()
        except BaseException:
            self.close()
            raise

    def write(self, name, *replacements):
        """The configuration of deploy/, with other ports and folders."""
        text = (ROOT / "deploy" / name).read_text()
        node = self.server.url.removeprefix("http://")
        for old, new in [("127.0.0.1:8000", node), *replacements]:
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, new)
        path = pathlib.Path(self.folder, name)
        path.write_text(text)
        return str(path)

    def nginx(self, _name):
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        folders = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in kinds)
        path = self.write(
            "nginx.conf",
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("/run/nginx.pid", f"{self.folder}/nginx.pid"),
            ("/var/log/nginx", str(self.folder)),
            ("http {\n", f"http {{\n{folders}"),
        )
        user = " user root;" if os.geteuid() == 0 else ""
        return ["-c", path, "-e", f"{self.folder}/start.log", "-g", f"daemon off;{user}"], {}

    def haproxy(self, name):
        replacements = [("bind :80", f"bind 127.0.0.1:{self.port}")]
        if "PROXY" in name:
            node = self.server.url.removeprefix("http://")
            sent = "send-proxy-v2" if name.endswith("v2") else "send-proxy"
            replacements += [
                (f"    server node {node} check\n", ""),
                (f"# server node {node} check send-proxy-v2", f"server node {node} check {sent}"),
            ]
        return ["-db", "-f", self.write("haproxy.cfg", *replacements)], {}

    def caddy(self, _name):
        path = self.write("Caddyfile", (":80 {", f"http://:{self.port} {{\n\tbind 127.0.0.1"))
        folder = str(self.folder)
        own = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        return ["run", "--adapter", "caddyfile", "--config", path], {**own, "CADDY_ADMIN": f"127.0.0.1:{free_port()}"}

    def await_ready(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/health").status_code == 200:
                    return
            assert time.monotonic() < deadline, "the proxy does not answer"
            time.sleep(0.05)

    def publish(self, protocol, mark):
        path = protocol.publish or f"/v1/topics/{protocol.topic}"
        answer = self.http.post(path, json=protocol.event(mark))
        assert answer.status_code == 200, f"{path}: {answer.text}"

    def open(self, protocol, stack):
        """Connects a client; what it returns waits for an event with a mark."""
        media_type = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}.get(protocol.transport)
        if media_type:
            # It must be quiet for longer than its client waits for anything else.
            request = {"headers": {"Accept": media_type}, "timeout": PATIENCE + QUIET}
            answer = stack.enter_context(self.http.stream("GET", protocol.path, **request))
            assert answer.status_code == 200 and answer.headers["content-type"].startswith(media_type)
            lines = answer.iter_lines()
            next(line for line in lines if "subscribed" in line)
            return lambda mark: next(line for line in lines if mark in line)
        url = self.url.replace("http", "ws", 1) + protocol.path
        # No pings of the client's own: only the server's keep the connection.
        options = {"ping_interval": None, "proxy": None, "open_timeout": PATIENCE}
        socket = websockets.sync.client.connect(url, source_address=(CLIENT, 0), **options)
        stack.enter_context(socket)
        if protocol.hello:
            socket.send(json.dumps(protocol.hello))
            wait_for("subscribed", socket)
        return lambda mark: wait_for(mark, socket)

    def close(self):
        self.http.close()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.server.close()


def wait_for(mark, socket):
    deadline = time.monotonic() + PATIENCE
    while mark not in (message := socket.recv(timeout=max(0, deadline - time.monotonic()))):
        pass
    return message


NAMES = ["nginx", "haproxy", "haproxy PROXY v1", "haproxy PROXY v2", "caddy"]


def need(name):
    program = name.split()[0]
    if shutil.which(program, path=PATH) is None:
        pytest.skip(f"there is no {program}; install it, or run the `packages` step as root")


@pytest.fixture(scope="module")
def proxies(tmp_path_factory):
    """Starts proxies on demand; each is shared by the tests."""
    running, folder = {}, tmp_path_factory.mktemp("proxies")

    def of(name):
        need(name)
        if name not in running:
            running[name] = Proxy(name, folder / name.replace(" ", "-"))
        return running[name]

    yield of
    for proxy in running.values():
        proxy.close()


@pytest.fixture(params=NAMES)
def proxy(request, proxies):
    return proxies(request.param)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_every_protocol_works(proxy, protocol):
    with contextlib.ExitStack() as stack:
        mark = f"mark{next(_numbers)}x"
        got = proxy.open(protocol, stack)
        proxy.publish(protocol, mark)
        assert mark in got(mark)


def test_requests_are_answered(proxy):
    for rest in REST:
        answer = proxy.http.post(rest.path, json=rest.body) if rest.body else proxy.http.get(rest.path)
        assert answer.status_code == 200 and rest.word in answer.text, f"{rest.path}: {answer.text}"


def test_an_event_is_passed_on_at_once(proxy):
    """One after another, each published when the one before has come: buffering would hold them for seconds."""
    for protocol in PROTOCOLS:
        with contextlib.ExitStack() as stack:
            got = proxy.open(protocol, stack)
            begun = time.monotonic()
            for _ in range(10):
                mark = f"mark{next(_numbers)}x"
                proxy.publish(protocol, mark)
                got(mark)
            assert time.monotonic() - begun < 5


def test_publishing_works(proxy):
    def lines():
        yield from (f"{n}\n".encode() for n in range(100))

    answer = proxy.http.post("/v1/topics/lines", content=lines(), headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200 and answer.json()["published"] == 100, answer.text
    url = proxy.url.replace("http", "ws", 1) + "/v1/publish?topic=lines"
    with websockets.sync.client.connect(url, proxy=None, open_timeout=PATIENCE) as socket:
        socket.send('{"data":1}\n{"data":2}')
        assert json.loads(socket.recv(timeout=PATIENCE))["published"] == 2


def test_the_real_address_is_seen_and_a_forged_one_is_not(proxy):
    forged = [
        {},
        {"X-Forwarded-For": "192.0.2.1"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "192.0.2.1, 127.0.0.1", "Forwarded": "for=192.0.2.2"},
        [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")],
        {"Forwarded": "for=192.0.2.2", "X-Real-IP": "192.0.2.3"},
        {"X-Forwarded-For": "no address"},
        {b"X-Forwarded-For": b"\xff\xfe"},
    ]
    for headers in forged:
        assert proxy.http.get("/v1/whoami", headers=headers).json()["address"] == CLIENT, headers


def announced(version, address):
    """A PROXY protocol header."""
    if version == 1:
        return f"PROXY TCP4 {address} 127.0.0.1 4711 80\r\n".encode()
    addresses = sockets.inet_aton(address) + sockets.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 80)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(addresses)) + addresses


def speak(port, sent):
    """What is answered to bytes from a client."""
    with sockets.create_connection(("127.0.0.1", port), PATIENCE, source_address=(CLIENT, 0)) as socket:
        socket.sendall(sent)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := socket.recv(65536):
                answer += piece
        return answer


WHO_AM_I = b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("version", [1, 2])
def test_a_client_of_a_proxy_cannot_announce_anybody(proxy, version):
    answer = speak(proxy.port, announced(version, "192.0.2.1") + WHO_AM_I)
    assert not answer.startswith(b"HTTP/1.1 200") and b"192.0.2.1" not in answer, answer


def test_who_is_no_proxy_is_not_believed(start):
    for config in [FORWARDED, ANNOUNCED]:
        server = start(config)
        port = int(server.url.rsplit(":", 1)[1])
        transport = httpx.HTTPTransport(local_address=CLIENT)
        with httpx.Client(base_url=server.url, timeout=PATIENCE, transport=transport) as http:
            for headers in [{"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.2"}]:
                assert http.get("/v1/whoami", headers=headers).json()["address"] == CLIENT
        assert f'"address":"{CLIENT}"'.encode() in speak(port, WHO_AM_I)
        for version in [1, 2]:
            answer = speak(port, announced(version, "192.0.2.1") + WHO_AM_I)
            assert not answer.startswith(b"HTTP/1.1 200") and b"192.0.2.1" not in answer, answer


@pytest.mark.parametrize("name", NAMES)
def test_the_limits_of_an_address_hold_for_the_client(name, tmp_path):
    """And not for the proxy, with all its clients together; whatever the client says about itself."""
    need(name)
    proxy = Proxy(name, tmp_path / "proxy", "[limits]\nconnections_per_ip = 1\n")
    with contextlib.ExitStack() as stack:
        stack.callback(proxy.close)

        def read(address, **forged):
            http = stack.enter_context(
                httpx.Client(base_url=proxy.url, transport=httpx.HTTPTransport(local_address=address))
            )
            headers = {"Accept": "text/event-stream"} | {name.replace("_", "-"): said for name, said in forged.items()}
            return stack.enter_context(http.stream("GET", "/v1/topics/a", headers=headers))

        # Behind a PROXY protocol header a connection counts as long as it is open: that of the beginning has to end.
        proxy.http.close()
        until(lambda: read(CLIENT).status_code == 200, "a place for the client")
        answers = [read(CLIENT), read(CLIENT, X_Forwarded_For="192.0.2.9"), read(CLIENT, Forwarded="for=192.0.2.9")]
        answers.append(read("127.0.0.3"))
        assert [answer.status_code for answer in answers] == [429, 429, 429, 200]
        assert answers[1].headers["retry-after"] == "1"
        assert "retry_after" in answers[1].read().decode()


@pytest.fixture(scope="module")
def quiet(proxies):
    """Streams of all proxies and protocols that have been quiet, all at the same time: the proxies' timeouts are shorter, the
    server's pings are not."""
    installed = [name for name in NAMES if shutil.which(name.split()[0], path=PATH)]
    with contextlib.ExitStack() as stack:
        opened = {
            (name, protocol.name): proxies(name).open(protocol, stack) for name in installed for protocol in PROTOCOLS
        }
        time.sleep(QUIET if installed else 0)
        yield opened


@pytest.mark.parametrize("name", NAMES)
def test_quiet_streams_stay_up(request, proxies, name):
    need(name)
    opened, proxy = request.getfixturevalue("quiet"), proxies(name)
    for protocol in PROTOCOLS:
        mark = f"mark{next(_numbers)}x"
        proxy.publish(protocol, mark)
        assert mark in opened[name, protocol.name](mark), f"{protocol.name} at {proxy.url}"
