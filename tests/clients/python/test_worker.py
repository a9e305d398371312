"""Workers as real processes: the examples as they stand, killed in the middle of an answer, resumed, and many at once."""

import concurrent.futures
import json
import signal
import subprocess
import sys

import pytest
from server import ROOT, until

EXAMPLES = ROOT / "examples"
CONFIG = '[agents.helper]\nresponder = "worker"\nqueue = "q"\n[sessions]\nrunning_per_user = 0\n'


@pytest.fixture
def worker():
    """Starts examples as processes of their own."""
    running = []

    def begin(server, example, *arguments):
        scheme = {"worker_websocket.py": "ws", "worker_poll.py": "http"}[example]
        queue = server.url.replace("http", scheme, 1) + "/v1/work/q"
        running.append(subprocess.Popen([sys.executable, str(EXAMPLES / example), queue, *arguments]))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def figure(server, name):
    lines = server.http.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"millrace_{name} "))


def ask(server, goal, on_event=lambda event: None, session=None):
    """Asks; all events of the answer."""
    body = {"agent_id": "helper", "goal": goal, "stream": True} | ({"session_id": session} if session else {})
    events = []
    with server.http.stream("POST", "/v1/sessions/execute", json=body, timeout=30) as response:
        assert response.status_code == 200, response.read()
        for line in response.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
                on_event(events[-1])
    return events


@pytest.mark.parametrize("example", ["worker_websocket.py", "worker_poll.py"])
def test_the_examples_answer(start, worker, example):
    server = start(CONFIG)
    worker(server, example, *(["one"] if "poll" in example else []))
    for question in ["Who are you?", "What is “that”?\n"]:
        last = ask(server, question)[-1]
        assert (last["type"], last["output"].split()) == ("done", ["You", "asked:", *question.split()])


def test_three_workers_share_a_hundred_questions(start, worker):
    server = start(CONFIG)
    for name in ["one", "two"]:
        worker(server, "worker_websocket.py")
    worker(server, "worker_poll.py", "three")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda i: ask(server, f"question {i}"), range(100)))
    for i, events in enumerate(answers):
        assert events[-1]["output"].strip() == f"You asked: question {i}"
        assert not [event for event in events if event.get("step") == "restarted"]
    assert figure(server, 'work_jobs_ended_total{outcome="answered"}') == 100


@pytest.mark.parametrize("on_lost", ["retry", "fail"])
def test_a_worker_is_killed_in_the_middle_of_an_answer(start, worker, on_lost):
    server = start(CONFIG + f'[worker]\nlease_seconds = 1\non_lost = "{on_lost}"\n')
    first = worker(server, "worker_websocket.py")
    until(lambda: figure(server, "work_workers") == 1, "a worker")

    def kill(event):
        if event.get("content") == "4 " and first.poll() is None:
            first.send_signal(signal.SIGKILL)
            first.wait()
            worker(server, "worker_websocket.py")

    question = " ".join(map(str, range(20)))
    events = ask(server, question, kill)
    last = events[-1]
    if on_lost == "fail":
        assert (last["type"], last["code"]) == ("error", "CONNECTION_LOST")
        return
    assert (last["type"], last["output"].strip()) == ("done", f"You asked: {question}")
    begun = next(i for i, event in enumerate(events) if event.get("step") == "restarted")
    said = [event["content"] for event in events[begun:] if event["type"] == "text"]
    assert "".join(said).strip() == f"You asked: {question}"


def test_a_worker_that_is_cut_off_goes_on(start):
    server = start(CONFIG)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(ask, server, "well?")
        with server.websocket("/v1/work/q?worker=me") as socket:
            assert json.loads(socket.recv())["type"] == "ready"
            job = json.loads(socket.recv())["job_id"]
            for n in [1, 2, 2, 1, 3]:
                socket.send(json.dumps({"type": "text", "job_id": job, "n": n, "content": f"{n} "}))
            socket.send(json.dumps({"type": "sync", "job_id": job}))
            assert json.loads(socket.recv()) == {"type": "ack", "job_id": job, "next": 4}
            socket.socket.close()
        with server.websocket("/v1/work/q?worker=me") as socket:
            assert json.loads(socket.recv())["jobs"] == [job]
            assert json.loads(socket.recv())["next"] == 4
            for n in [3, 4]:
                socket.send(json.dumps({"type": "text", "job_id": job, "n": n, "content": f"{n} "}))
            socket.send(json.dumps({"type": "done", "job_id": job, "n": 5}))
            assert json.loads(socket.recv())["type"] == "ack"
        events = reader.result()
    assert events[-1]["output"] == "1 2 3 4 "
    assert not [event for event in events if event.get("step") == "restarted"]
    assert figure(server, "work_events_repeated_total") == 3
