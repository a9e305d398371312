"""Publishing in all forms of docs/PROTOCOL.md."""

import base64
import json

import pytest

from server import receive

NDJSON = {"Content-Type": "application/x-ndjson"}


def page(server, topic, **params):
    answer = server.http.get(f"/v1/topics/{topic}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_any_json_is_data(server, topic):
    values = [{"n": 1}, [1, "two"], "text", 7, 1.5, True, None, {"data": 1, "more": 2}]
    answer = server.publish(topic, *values)
    assert answer["topic"] == topic and answer["offset"] == len(values) and answer["epoch"] > 0
    assert [event["data"] for event in page(server, topic)["events"]] == values


def test_data_passes_byte_for_byte(server, topic):
    body = '{"z": 1.0, "a":  "\\u00e9", "big": 12345678901234567890123}'
    server.http.post(f"/v1/topics/{topic}", content=body, headers={"Content-Type": "application/json"})
    assert body in server.http.get(f"/v1/topics/{topic}").text


def test_an_envelope_describes_its_event(server, topic):
    server.publish(topic, {"data": {"n": 1}, "type": "step", "id": "own", "key": "k", "tags": ["a", "b"]})
    event = page(server, topic)["events"][0]
    assert event["type"] == "event" and event["topic"] == topic and event["offset"] == 1
    assert (event["event"], event["id"], event["key"], event["tags"]) == ("step", "own", "k", ["a", "b"])
    assert event["data"] == {"n": 1} and event["time"].endswith("Z")


def test_defaults_of_an_event(server, topic):
    epoch = server.publish(topic, 1)["epoch"]
    event = page(server, topic)["events"][0]
    assert event["event"] == "message" and event["id"] == f"{epoch}:1"
    assert "key" not in event and "tags" not in event


def test_headers_and_query_describe_too_and_the_nearer_wins(server, topic):
    headers = {"Event-Type": "header", "Event-Key": "k", "Event-Tags": "x, y"}
    server.http.post(f"/v1/topics/{topic}?type=query&id=q1", json=1, headers=headers)
    server.http.post(f"/v1/topics/{topic}?type=query", json={"data": 2, "type": "member"}, headers=headers)
    first, second = page(server, topic)["events"]
    assert (first["event"], first["id"], first["key"], first["tags"]) == ("header", "q1", "k", ["x", "y"])
    assert second["event"] == "member"


def test_raw_takes_nothing_apart(server, topic):
    server.http.post(f"/v1/topics/{topic}?raw=1", json={"data": 1, "type": "x"})
    event = page(server, topic)["events"][0]
    assert event["data"] == {"data": 1, "type": "x"} and event["event"] == "message"


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", None])
def test_other_content_is_binary(server, topic, kind):
    blob = bytes(range(256))
    headers = {"Content-Type": kind} if kind else {}
    answer = server.http.post(f"/v1/topics/{topic}", content=blob, headers=headers)
    assert answer.status_code == 200
    event = page(server, topic)["events"][0]
    assert base64.b64decode(event["data_base64"]) == blob and "data" not in event
    assert kind is None or event["content_type"] == kind


def test_ndjson_publishes_the_lines_that_are_right(server, topic):
    body = '{"data":1,"type":"a"}\n\n{broken\n"three"\n'
    answer = server.http.post(f"/v1/topics/{topic}", content=body, headers=NDJSON)
    result = answer.json()
    assert answer.status_code == 200
    assert (result["published"], result["first"], result["last"]) == (2, 1, 2)
    assert [failed["line"] for failed in result["failed"]] == [3] and result["failed"][0]["error"]
    assert [event["data"] for event in page(server, topic)["events"]] == [1, "three"]


def test_ndjson_with_no_right_line_is_refused(server, topic):
    answer = server.http.post(f"/v1/topics/{topic}", content="{a\n{b\n", headers=NDJSON)
    assert answer.status_code == 400
    assert answer.json()["published"] == 0 and answer.json()["first"] is None and len(answer.json()["failed"]) == 2


def test_many_topics_at_once(server, topic):
    lines = [{"topic": f"{topic}.a", "data": 1}, {"topic": f"{topic}.b", "data": 2}, {"topic": f"{topic}.a", "data": 3}]
    body = "\n".join(map(json.dumps, lines)) + '\n{"data":4}\n'
    answer = server.http.post("/v1/publish", content=body, headers=NDJSON).json()
    assert answer["published"] == 3 and [failed["line"] for failed in answer["failed"]] == [4]
    ranges = {entry["topic"]: (entry["first"], entry["last"]) for entry in answer["topics"]}
    assert ranges == {f"{topic}.a": (1, 2), f"{topic}.b": (1, 1)}


def test_publishing_over_websocket(server, topic):
    with server.websocket(f"/v1/publish?topic={topic}") as socket:
        socket.send('{"data":1}\n{"data":2}')
        socket.send(json.dumps({"topic": f"{topic}.other", "data": 3}))
        socket.send("{broken")
        first, second, third = receive(socket), receive(socket), receive(socket)
    assert (first["type"], first["message"], first["published"]) == ("ack", 1, 2) and "failed" not in first
    assert first["topics"][0]["last"] == 2 and second["topics"][0]["topic"] == f"{topic}.other"
    assert (third["message"], third["published"], third["failed"][0]["line"]) == (3, 0, 1)


@pytest.mark.parametrize("way", ["header", "member"])
def test_an_idempotency_key_publishes_once(server, topic, way):
    body = {"data": 1, "idempotency_key": "once"} if way == "member" else 1
    headers = {"Idempotency-Key": "once"} if way == "header" else {}
    first = server.publish(topic, body, **headers)
    second = server.publish(topic, body, **headers)
    assert second["duplicate"] is True and "duplicate" not in first
    assert (second["epoch"], second["offset"]) == (first["epoch"], first["offset"])
    assert len(page(server, topic)["events"]) == 1
