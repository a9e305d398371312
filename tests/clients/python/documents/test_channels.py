"""Document 002: the `channels` protocol. `test_sessions.py` has its sessions."""

import pytest
from snippet import TOKEN

from proxy import Proxy

STARTED = {"type": "session.started", "data": {"session_id": "sess_1", "agent_id": "agent_123"}}
COMPLETED = {"type": "session.completed", "data": {"session_id": "sess_1", "agent_id": "agent_123", "status": "success"}}
ERROR = {"type": "agent.error", "data": {"agent_id": "agent_123", "error": "out of tokens"}}


def test_a_client_with_a_header_gets_the_events_of_its_channels(guarded, play):
    server = guarded()
    client = play(server, "channels_connect", before="import asyncio", after="asyncio.run(connect_websocket())")
    server.await_readers("channels.sessions"), server.await_readers("channels.agents")
    server.publish("channels.teams", {"type": "team.created", "data": {"team_id": "t"}})
    server.publish("channels.sessions", STARTED, COMPLETED)
    assert client.take(2) == ["Session started: sess_1", "Session completed: sess_1"]
    server.publish("channels.agents", ERROR)
    assert client.line() == "Agent error: out of tokens"


def test_a_wrong_token_ends_the_client(guarded, play):
    run = "import json\nasync def listen():\n    try: await connect_websocket()\n    finally: print('ended')\nasyncio.run(listen())"
    client = play(guarded(), "channels_connect", before="import asyncio", after=run, token="nobody's")
    said = "\n".join(client.said())
    assert "1008" in said or "AUTH_FAILED" in said, said


RECONNECTING = '''
class Subscribing(ReconnectingWebSocket):
    """What the document leaves to its reader: to subscribe, again from where it was. The event of that moment comes again."""
    since, known = None, set()

    async def connect(self):
        await super().connect()
        await self.ws.send(json.dumps({"type": "subscribe", "channels": ["sessions"]} | ({"since": self.since} if self.since else {})))

    async def handle(self, message):
        if "channel" in message and message["id"] not in self.known:
            self.since = message["created_at"]
            self.known.add(message["id"])
            show("handled", message)

client = Subscribing(uri, api_key)
asyncio.run(client.listen(client.handle))
'''


def reconnecting(play, server, url):
    given = f"import json\nuri, api_key = {url.replace('http', 'ws') + '/v1/ws'!r}, {TOKEN!r}"
    return play(server, "channels_reconnecting", before=given, after=RECONNECTING)


def test_the_reconnecting_socket_comes_back_after_a_cut(guarded, play):
    server = guarded()
    proxy = Proxy(server)
    client = reconnecting(play, server, proxy.url)
    server.await_readers("channels.sessions")
    server.publish("channels.sessions", STARTED)
    assert client.shown("handled")["session_id"] == "sess_1"
    proxy.cut()
    assert client.line() == "Connection closed, reconnecting..."
    server.publish("channels.sessions", COMPLETED)
    message = client.shown("handled")
    assert (message["type"], message["channel"], message["status"]) == ("session.completed", "sessions", "success")
    proxy.close()


def test_the_reconnecting_socket_comes_back_after_a_restart(guarded, play):
    server = guarded()
    client = reconnecting(play, server, server.url)
    server.await_readers("channels.sessions")
    server.process.kill()
    assert client.line() == "Connection closed, reconnecting..."
    assert client.line().startswith("Connection failed: ")
    server.close()
    server = guarded(listen=server.url.removeprefix("http://"))
    server.await_readers("channels.sessions")
    server.publish("channels.sessions", STARTED)
    assert client.shown("handled")["type"] == "session.started"


CONNECTED = """
import asyncio, json, websockets
uri, api_key = {uri!r}, {token!r}
async def connected():
    return await websockets.connect(uri + "?token=" + api_key)
"""


def connected(server):
    return CONNECTED.format(uri=server.url.replace("http", "ws") + "/v1/ws", token=TOKEN)


def test_heartbeats_are_answered(guarded, play):
    server = guarded()
    listening = """
async def listen():
    ws = await connected()
    heart = asyncio.create_task(maintain_connection(ws))
    async for message in ws:
        show("got", json.loads(message))
asyncio.run(listen())
"""
    client = play(server, "channels_heartbeat", before=connected(server), after=listening)
    while (message := client.shown("got"))["type"] != "pong":
        assert message["type"] == "auth_success"
    assert message["timestamp"].endswith("Z")


def test_compression_is_agreed_on(guarded, play):
    server = guarded()
    after = """
extensions = getattr(ws, "extensions", None) or ws.protocol.extensions
show("extensions", [extension.name for extension in extensions])
"""
    client = play(server, "channels_compression", before=connected(server), after=after)
    assert client.shown("extensions") == ["permessage-deflate"]


SUBSCRIBED = """
async def subscribed():
    ws = await connected()
    await ws.send(json.dumps({"type": "subscribe", "channels": ["sessions"]}))
    async for message in ws:
        if "channel" in (message := json.loads(message)):
            yield message["session_id"]
"""


def test_the_buffered_stream(guarded, play):
    server = guarded()
    after = SUBSCRIBED + 'async for several in BufferedStream(subscribed(), 3): show("buffer", several)'
    client = play(server, "channels_buffered", before=connected(server), after=after)
    server.await_readers("channels.sessions")
    server.publish("channels.sessions", *(STARTED | {"data": {"session_id": n}} for n in "abcdef"))
    # The document hands its buffer out by reference before it takes a new one.
    assert [client.shown("buffer") for _ in range(2)] == [["a", "b", "c"], ["d", "e", "f"]]


def test_the_rate_limited_stream(guarded, play):
    server = guarded()
    after = SUBSCRIBED + 'async for one in RateLimitedStream(subscribed()): show("one", one)'
    client = play(server, "channels_rate_limited", before=connected(server), after=after)
    server.await_readers("channels.sessions")
    server.publish("channels.sessions", *(STARTED | {"data": {"session_id": n}} for n in "ab"))
    assert [client.shown("one") for _ in range(2)] == ["a", "b"]


def test_the_pool(guarded, play):
    server = guarded()
    after = """
class Pool(StreamingPool):
    async def _create_connection(self): return await connected()
    async def _release_connection(self, connection): await connection.close()

async def use(pool):
    async with pool.get_connection() as connection:
        await connection.send('{"type":"ping"}')
        while (answer := json.loads(await connection.recv()))["type"] != "pong": pass
        return answer["type"]

async def all():
    pool = Pool(3)
    show("answers", await asyncio.gather(*(use(pool) for _ in range(9))))
asyncio.run(all())
"""
    client = play(server, "channels_pool", before=connected(server), after=after)
    assert client.shown("answers") == ["pong"] * 9


# What the original's package does with the REST paths of the document, as far as the snippets need it.
SDK = """
import json, types, httpx

class Events:
    def __init__(self):
        self.http = httpx.AsyncClient(base_url={url!r}, headers={{"Authorization": "Bearer {token}"}}, trust_env=False, timeout=30)

    async def subscribe(self, events, filters=None):
        asked = {{"events": ",".join(events)}} | {{f"filter.{{name}}": value for name, value in (filters or {{}}).items()}}
        async with self.http.stream("GET", "/v1/events/subscribe", params=asked) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    data = json.loads(line[6:])
                    if "channel" in data:
                        yield types.SimpleNamespace(type=data["type"], data=data)

    async def replay(self, since, events):
        answer = await self.http.post("/v1/events/replay", json={{"since": since, "events": events}})
        return answer.raise_for_status().json()["events"]

client = types.SimpleNamespace(events=Events())
"""


@pytest.fixture
def sdk(guarded, play):
    """Plays a snippet with a stand-in of the package it is written for; it needs no `websockets`."""

    def begin(name, **given):
        server = guarded()
        names = "\n".join(f'def {name}(event): show("{name}", {shown})' for name, shown in given.items())
        return server, lambda: play(server, name, before=SDK.format(url=server.url, token=TOKEN) + names)

    return begin


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
def test_events_are_subscribed_to(sdk):
    server, run = sdk("channels_subscribe_events")
    client = run()
    server.await_readers("channels.sessions"), server.await_readers("channels.agents")
    server.publish("channels.agents", {"type": "agent.started", "data": {"agent_id": "a"}}, ERROR)
    assert client.line() == "Event: agent.error"
    assert "'error': 'out of tokens'" in client.line()
    server.publish("channels.sessions", STARTED)
    assert client.line() == "Event: session.started"


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
def test_events_are_filtered(sdk):
    server, run = sdk("channels_filter_events", handle_completion="event.data")
    client = run()
    server.await_readers("channels.sessions")
    failed = COMPLETED | {"data": COMPLETED["data"] | {"status": "failure"}}
    other = COMPLETED | {"data": COMPLETED["data"] | {"agent_id": "agent_9"}}
    server.publish("channels.sessions", STARTED, failed, other, COMPLETED)
    got = client.shown("handle_completion")
    assert (got["type"], got["agent_id"], got["status"]) == ("session.completed", "agent_123", "success")


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
def test_events_are_replayed(sdk):
    server, run = sdk("channels_replay", process_event="event")
    server.publish("channels.sessions", STARTED, COMPLETED)
    server.publish("channels.agents", ERROR)
    client = run()
    got = client.shown("process_event")
    assert (got["type"], got["session_id"]) == ("session.completed", "sess_1")
    assert client.said() == []
