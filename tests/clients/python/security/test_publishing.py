"""Who has no grant to publish cannot, over any way in; and presence and lists tell nothing to who may not know."""

import pytest
from entries import Entry, refused, websocket
from nodes import BACKEND, OTHER, VICTIM, bearer
from server import receive
from wire import Peer

TOPIC = "victim.a"
LINE = {"topic": TOPIC, "data": "forged"}
PUBLISHING = [
    Entry("event", "/v1/topics/victim.a", method="POST", body="forged"),
    Entry("event under an encoded name", "/v1/topics/%76ictim%2Ea", method="POST", body="forged"),
    Entry("lines", "/v1/publish", method="POST", body=LINE),
    websocket("lines over WebSocket", "/v1/publish", LINE),
    websocket("lines over WebSocket with a topic", "/v1/publish?topic=victim.a", {"data": "forged"}),
    websocket("request of a subscriber", "/v1/topics", {"type": "publish"} | LINE),
]
ROWS = [pytest.param(entry, id=entry.name) for entry in PUBLISHING]


def newest_after(node, entry, token):
    before = node.newest(TOPIC)
    with Peer(node) as peer:
        seen = peer.send(entry.request(token, "header")).read()
    return seen, node.newest(TOPIC) - before


@pytest.mark.parametrize("entry", ROWS)
def test_the_backend_publishes(node, entry):
    """Or else the rows below would prove nothing."""
    node.publish(TOPIC, 1)
    assert newest_after(node, entry, BACKEND)[1] == 1


@pytest.mark.parametrize("token", [None, "wrong", OTHER], ids=["nobody", "wrong", "other"])
@pytest.mark.parametrize("entry", ROWS)
def test_others_do_not(node, entry, token):
    node.publish(TOPIC, 1)
    seen, published = newest_after(node, entry, token)
    assert published == 0, seen
    assert refused(seen) or b'"published":0' in seen, seen


@pytest.mark.parametrize("topic", ["$presence.victim.a", "victim.*", "**", "", "victim..a", "victim.a\n", "x" * 256])
def test_names_that_nobody_publishes_to(node, topic):
    answers = [
        node.http.post(f"/v1/topics/{topic.encode().hex('%').join(['%', '']) if topic else ''}", json=1),
        node.http.post("/v1/publish", json={"topic": topic, "data": 1}),
    ]
    for answer in answers:
        assert answer.status_code in (400, 403, 404, 405), answer.text


def test_presence_is_for_those_who_may_see_it(node):
    name = "victim.secret-presence"
    with node.websocket(f"/v1/topics/{name}?token={VICTIM}&presence=1") as socket:
        receive(socket)
        path = f"/v1/presence/{name}"
        assert '"user":"victim"' in node.http.get(path, headers=bearer(VICTIM)).text
        assert node.http.get(path, headers=bearer(OTHER)).status_code == 403
        assert node.http.get(path, headers={"Authorization": ""}).status_code == 401
        for topic in (name, f"$presence.{name}"):
            with node.websocket(f"/v1/topics?token={OTHER}") as other:
                other.send(f'{{"type":"presence","topic":"{topic}"}}')
                assert receive(other)["type"] == "error"
                other.send(f'{{"type":"subscribe","topic":"{topic}"}}')
                assert receive(other)["type"] == "error"


def test_lists_name_only_what_may_be_read(node):
    node.publish("victim.unheard-of", 1)
    for page in range(1, 30):
        answer = node.http.get("/v1/topics", params={"limit": page}, headers=bearer(OTHER))
        assert answer.status_code == 200 and "unheard-of" not in answer.text, answer.text


def test_refusals_do_not_tell_whether_a_topic_exists(node):
    node.publish("victim.exists", 1)
    ask = [
        lambda name: node.http.get(f"/v1/topics/{name}", headers=bearer(OTHER)),
        lambda name: node.http.get(f"/v1/presence/{name}", headers=bearer(OTHER)),
        lambda name: node.http.post(f"/v1/topics/{name}", headers=bearer(OTHER), json=1),
    ]
    for asked in ask:
        there, absent = asked("victim.exists"), asked("victim.never-was")
        assert (there.status_code, there.text) == (absent.status_code, absent.text)
