"""Names that nobody publishes to; and presence, lists and refusals tell nothing to who may not know. Who may publish at all is
in the table of attacks."""

import pytest
from nodes import OTHER, VICTIM, bearer
from server import receive


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
