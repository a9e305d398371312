"""The curl and Python lines of docs/PROTOCOLS.md run as they stand there."""

import hashlib
import os
import re
import subprocess
import sys

import pytest
from server import PATIENCE, ROOT, Server

BASE = "http://localhost:8000"
TOKEN = "the-token"
KEY = """
[[keys]]
name = "backend"
role = "root"
hash = "sha256:{digest}"
publish = ["**"]
subscribe = ["**"]
"""
TEXT = (ROOT / "docs/PROTOCOLS.md").read_text()


def blocks():
    """Every block of code that publishes, with the section that it stands in."""
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        name = section.split("\n", 1)[0]
        found = re.findall(r"^```(sh|python)\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
        for number, (language, code) in enumerate(found, 1):
            if BASE in code:
                yield pytest.param(language, code, id=f"{name}-{number}-{language}")


# What calls a function that a block only defines.
CALLS = {
    "create_streaming_callback": """
import asyncio

async def call():
    callback = await create_streaming_callback("a")
    await callback("stage_changed", {"stage": "analyzing"})

asyncio.run(call())
""",
}


@pytest.fixture(scope="module")
def servers():
    """One that wants a token, and one that lets everybody in, for blocks that show none."""
    running = {True: Server(KEY.format(digest=hashlib.sha256(TOKEN.encode()).hexdigest())), False: Server()}
    yield running
    for one in running.values():
        one.close()


def newest(server):
    answer = server.http.get("/v1/topics", headers={"Authorization": f"Bearer {TOKEN}"})
    return sum(topic["newest"] for topic in answer.json()["topics"])


@pytest.mark.parametrize("language, code", list(blocks()))
def test_a_block_publishes(servers, language, code):
    server = servers["TOKEN" in code]
    before, code = newest(server), code.replace(BASE, server.url)
    if language == "sh":
        command = ["sh", "-ec", 'curl() { command curl --silent --show-error --fail "$@"; }\n' + code]
    else:
        code += "".join(call for name, call in CALLS.items() if name in code)
        command = [sys.executable, "-c", f"TOKEN = {TOKEN!r}\n" + code]
    environment = os.environ | {"TOKEN": TOKEN, "no_proxy": "*"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr + done.stdout
    assert newest(server) > before, done.stdout


def test_each_protocol_says_how_to_publish():
    said = {(case.id.split("-")[0], case.values[0]) for case in blocks()}
    for protocol in ("stream", "events", "channels", "analysis", "chat"):
        assert {(protocol, "sh"), (protocol, "python")} <= said, protocol
