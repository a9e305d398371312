"""The client commands, against a server."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from server import BINARY, PATIENCE


def run(server, command, *arguments, stdin=""):
    line = [BINARY, command, "--url", server.url, *arguments]
    return subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=PATIENCE)


def test_publish_one(server, topic):
    done = run(server, "publish", topic, '{"n":1}', "--type", "step", "--key", "k", "--id", "own")
    assert done.returncode == 0 and done.stdout.strip().endswith(":1"), done.stderr
    event = server.http.get(f"/v1/topics/{topic}").json()["events"][0]
    assert (event["data"], event["event"], event["key"], event["id"]) == ({"n": 1}, "step", "k", "own")


def test_publish_lines(server, topic):
    lines = "".join(f'{{"n":{n}}}\n' for n in range(2500)) + "plain text\n\n"
    done = run(server, "publish", topic, stdin=lines)
    assert done.returncode == 0 and done.stdout.strip().endswith(":2501"), done.stderr
    newest = server.http.get(f"/v1/topics/{topic}", params={"after": 2499}).json()["events"]
    assert [event["data"] for event in newest] == [{"n": 2499}, "plain text"]


def test_lines_that_fail_are_told(server, topic):
    lines = f'1\n\n{json.dumps({"data": 2, "type": "x" * 200})}\n3\n'
    done = run(server, "publish", topic, stdin=lines)
    assert done.returncode == 1 and "line 3:" in done.stderr and done.stdout.strip().endswith(":2")


def test_a_refusal_is_told(server):
    done = run(server, "publish", "not..good", "1")
    assert done.returncode == 1 and ("error:" in done.stderr or "line 1:" in done.stderr)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_subscribe_reads_and_ends(server, topic, flags):
    server.publish(topic, {"n": 1}, {"n": 2})
    done = run(server, "subscribe", topic, "--from", "oldest", "--count", "2", *flags)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 2, done.stderr
    assert json.loads(lines[1])["data"] == {"n": 2} if flags else lines[1].endswith(f'{topic} message {{"n":2}}')


def test_subscribe_to_several(server, topic):
    server.publish(f"{topic}.a", 1)
    server.publish(f"{topic}.b", 2)
    done = run(server, "subscribe", f"{topic}.*", "--from", "oldest", "--count", "2")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr


def wait_for_reader(server):
    deadline = time.monotonic() + PATIENCE
    while not any(entry["subscribers"] for entry in server.http.get("/v1/topics").json()["topics"]):
        assert time.monotonic() < deadline, "nobody came"
        time.sleep(0.05)


def test_subscribe_survives_a_restart(start, topic):
    first = start()
    port = first.url.rsplit(":", 1)[1]
    line = [BINARY, "subscribe", "--url", first.url, topic, "--count", "2"]
    reader = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_reader(first)
    first.publish(topic, "one")
    assert "one" in reader.stdout.readline()
    first.stop()
    second = start("", "--listen", f"127.0.0.1:{port}")
    wait_for_reader(second)
    second.publish(topic, "two")
    out, told = reader.communicate(timeout=PATIENCE)
    assert "two" in out and "reconnecting" in told


def test_a_closed_pipe_is_no_error(server, topic):
    server.publish(topic, *range(50))
    line = f"'{BINARY}' subscribe --url {server.url} {topic} --from oldest --count 50 | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=60)
    assert "error" not in done.stderr


def test_check_config(tmp_path):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("[limits]\ntopics = 5\n")
    bad.write_text("\n[limits]\ntopic = 5\nconnections = 0\n")
    done = subprocess.run([BINARY, "check-config", good], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("ok")
    done = subprocess.run([BINARY, "check-config", bad], capture_output=True, text=True)
    assert done.returncode == 1
    assert "bad.toml:3:" in done.stderr and "did you mean `topics`?" in done.stderr and "bad.toml:4:" in done.stderr


def test_demo_runs_a_feed():
    demo = subprocess.Popen([BINARY, "demo", "--port", "18731", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        url = demo.stdout.readline().split()[-1]
        line = [BINARY, "subscribe", "--url", url, "tokens.session-42", "--from", "oldest", "--count", "3"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 3
    finally:
        demo.terminate()
        demo.wait(PATIENCE)


def first_lines(command, count):
    """What a shell command prints, up to so many lines of it."""
    process = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True)
    watchdog = threading.Timer(2 * PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        return list(itertools.islice(process.stdout, count))
    finally:
        watchdog.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_every_line_that_the_demo_prints_shows_something():
    demo = subprocess.Popen([BINARY, "demo", "--port", "18741", "--rate", "400"], stdout=subprocess.PIPE, text=True)
    try:
        guide = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, demo.stdout))
        commands = [line.strip() for line in guide if line.startswith(("  curl ", f"  {BINARY} "))]
        assert len(commands) == 20, guide
        live = [command for command in commands if " connect " in command or " subscribe " in command or " -N " in command]
        assert len(live) == 15
        for command in commands:
            wanted = 6 if command in live else 1
            assert len(first_lines(command, wanted)) == wanted, command
        (page,) = [line.strip() for line in guide if line.startswith("  http")]
        assert "<title>WebSocket Chat Test</title>" in "".join(first_lines(f"curl -s '{page}'", 1000))
    finally:
        demo.terminate()
        demo.wait(PATIENCE)
