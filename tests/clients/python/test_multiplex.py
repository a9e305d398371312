"""Many topics over one connection, patterns, presence, publishing over the socket."""

import pytest

from server import receive, request


def test_topics_come_and_go(server, topic):
    server.publish(topic, 1)
    with server.websocket("/v1/topics") as socket:
        begun = request(socket, type="subscribe", topic=topic, ref=7, **{"from": "oldest"})
        assert (begun["type"], begun["topic"], begun["offset"], begun["ref"]) == ("subscribed", topic, 0, 7)
        assert receive(socket)["data"] == 1
        again = request(socket, type="subscribe", topic=topic, ref="x")
        assert (again["type"], again["code"], again["ref"]) == ("error", "already_subscribed", "x")
        gone = request(socket, type="unsubscribe", topic=topic)
        assert gone == {"type": "unsubscribed", "topic": topic}
        server.publish(topic, 2)
        assert request(socket, type="ping")["type"] == "pong"


def test_publishing_over_the_socket_enters_by_the_same_door(server, topic):
    with server.websocket("/v1/topics") as reader, server.websocket("/v1/topics") as writer:
        request(reader, type="subscribe", topic=topic)
        done = request(writer, type="publish", topic=topic, data={"n": 1}, key="k", ref=1, **{"id": "own"})
        assert (done["type"], done["offset"], done["ref"]) == ("published", 1, 1)
        event = receive(reader)
        assert (event["data"], event["key"], event["id"]) == ({"n": 1}, "k", "own")


def test_a_pattern_reads_topics_that_are_and_that_come(server, topic):
    server.publish(f"{topic}.a", 1)
    with server.websocket("/v1/topics") as socket:
        outcome = request(socket, type="subscribe", topic=f"{topic}.*")
        assert outcome["type"] == "subscribed" and outcome["pattern"] == f"{topic}.*" and outcome["topics"] == 1
        first = receive(socket)
        assert (first["type"], first["topic"], first["pattern"]) == ("subscribed", f"{topic}.a", f"{topic}.*")
        server.publish(f"{topic}.b", "new")
        begun, event = receive(socket), receive(socket)
        assert (begun["type"], begun["topic"]) == ("subscribed", f"{topic}.b")
        assert (event["topic"], event["data"]) == (f"{topic}.b", "new")


def test_a_pattern_resumes_each_topic_at_its_own_position(server, topic):
    epoch = server.publish(f"{topic}.a", 1, 2, 3)["epoch"]
    other = server.publish(f"{topic}.b", "x", "y")["epoch"]
    positions = {f"{topic}.a": f"{epoch}:2", f"{topic}.b": f"{other}:1"}
    with server.websocket("/v1/topics") as socket:
        assert request(socket, type="subscribe", topic=f"{topic}.*", positions=positions)["topics"] == 2
        messages = [receive(socket) for _ in range(4)]
    assert sorted(str(message["data"]) for message in messages if message["type"] == "event") == ["3", "y"]


def test_filters_and_errors_belong_to_their_subscription(server, topic):
    with server.websocket("/v1/topics") as socket:
        bad = request(socket, type="subscribe", topic="not..good", ref=1)
        assert (bad["type"], bad["ref"]) == ("error", 1) and bad["code"] and bad["message"]
        assert request(socket, type="nonsense")["type"] == "error"
        assert request(socket, type="subscribe", topic=topic, filter={"eq": ["data.n", 2]})["type"] == "subscribed"
        server.publish(topic, {"n": 1}, {"n": 2})
        assert receive(socket)["data"] == {"n": 2}


def test_one_sse_stream_over_many_topics_resumes_all(server, topic):
    first, second = f"{topic}.a", f"{topic}.b"
    server.publish(first, 1, 2)
    server.publish(second, "x")
    topics = [("topic", first), ("topic", f"{topic}.b"), ("from", "oldest")]
    with server.sse("/v1/topics", topics) as stream:
        sent = [next(stream) for _ in range(5)]
    events = [message for name, message, _ in sent if message["type"] == "event"]
    assert sorted(str(event["data"]) for event in events) == ["1", "2", "x"]
    last = sent[-1][2]
    assert f"{first}=" in last and f"{second}=" in last
    server.publish(second, "y")
    with server.sse("/v1/topics", topics[:2], headers={"Last-Event-ID": last}) as stream:
        sent = [next(stream)[1] for _ in range(3)]
    assert [message["data"] for message in sent if message["type"] == "event"] == ["y"]


def test_topics_are_listed(server, topic):
    epoch = server.publish(f"{topic}.a", 1, 2)["epoch"]
    server.publish(f"{topic}.b", 1)
    with server.websocket(f"/v1/topics/{topic}.a") as socket:
        receive(socket)
        listed = server.http.get("/v1/topics", params={"prefix": f"{topic}."}).json()["topics"]
    assert [entry["topic"] for entry in listed] == [f"{topic}.a", f"{topic}.b"]
    assert listed[0] == {"topic": f"{topic}.a", "epoch": epoch, "oldest": 1, "newest": 2, "subscribers": 1}
    page = server.http.get("/v1/topics", params={"prefix": f"{topic}.", "limit": 1}).json()
    assert [entry["topic"] for entry in page["topics"]] == [f"{topic}.a"] and page["next"]
    rest = server.http.get("/v1/topics", params={"prefix": f"{topic}.", "after": page["next"]}).json()
    assert [entry["topic"] for entry in rest["topics"]] == [f"{topic}.b"]


@pytest.fixture
def room(topic):
    return f"rooms.{topic}"


def test_presence_tells_who_reads(server, room):
    with server.websocket("/v1/topics") as watcher:
        request(watcher, type="subscribe", topic=f"$presence.{room}")
        with server.websocket("/v1/topics") as member:
            request(member, type="subscribe", topic=room, presence={"info": {"name": "Ada"}})
            joined = receive(watcher)
            assert joined["type"] == "event" and joined["topic"] == f"$presence.{room}"
            answer = request(watcher, type="presence", topic=room)
            assert answer["type"] == "presence" and answer["count"] == 1
            assert answer["members"][0]["info"] == {"name": "Ada"} and answer["members"][0]["connections"] == 1
            assert server.http.get(f"/v1/presence/{room}").json()["count"] == 1
        left = receive(watcher)
        assert left["event"] != joined["event"]
    assert server.http.get(f"/v1/presence/{room}").json()["count"] == 0


def test_presence_topics_cannot_be_published_to(server, room):
    assert server.http.post(f"/v1/topics/$presence.{room}", json=1).status_code in (400, 403)
