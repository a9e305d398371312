"""Packages of the original systems that snippets import, as they would be if their events went to a server: what was a
call within the process is a request here. Each is source that a snippet is played behind."""

from snippet import TOKEN

# A module that can be imported by this name, parents included.
MODULE = '''
import sys, types
def module(name, **members):
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:count]), types.ModuleType(parts[-1]))
    vars(sys.modules[name]).update(members)
'''

HTTP = """
import httpx, json
def requests_of(token):
    return httpx.AsyncClient(base_url={url!r}, headers={{"Authorization": "Bearer " + token}}, trust_env=False)
"""

BROADCASTS = '''
class StreamData(dict):
    """What the original's models are on the wire; what is left out is completed by the server."""
    def __init__(self, **members):
        super().__init__(members)

def broadcast(stream):
    async def send(event):
        async with requests_of({token!r}) as backend:
            (await backend.post("/v1/stream/" + stream, json=event)).raise_for_status()
    return send

streams = {{"message": "messages", "telemetry": "telemetry", "reasoning": "reasoning", "log": "logs"}}
calls = {{"broadcast_" + one: broadcast(path) for one, path in streams.items()}}
module("ciris_engine.api.routes.stream", **calls, **{{one.capitalize() + "StreamData": StreamData for one in streams}})
'''

MANAGER = '''
class WebSocketManager:
    """Its parameters are settings of `[events]`; its metrics are those of the dashboard."""
    def __init__(self, **settings):
        vars(self).update(settings)

    def get_global_metrics(self):
        return httpx.get({url!r} + "/api/websocket-metrics", trust_env=False).json()

    def get_session_metrics(self, session_id):
        return self.get_global_metrics()["sessions"][session_id]

module("htmlgraph.api.websocket", WebSocketManager=WebSocketManager)
'''

SWARM = '''
class Plain:
    def __init__(self, **members):
        vars(self).update(members)

class SwarmCoordinator:
    """An analysis of one agent."""
    async def analyze_bill(self, context, event_callback):
        await event_callback("pipeline_started", {{"bill_id": context.bill_id, "agents": ["fiscal-agent-1"]}})
        await event_callback("agent_finding", {{"description": "Revenue grows", "category": "fiscal"}})
        await event_callback("analysis_complete", {{}})
        return "analysed"

class StreamingCoordinator:
    async def run_streaming_analysis(self, context, analysis_id):
        return await SwarmCoordinator().analyze_bill(context, await create_streaming_callback(analysis_id))

module("core.agents.base_agent", AnalysisContext=Plain)
module("core.agents.coordinator", SwarmCoordinator=SwarmCoordinator)
module("api.streaming_integration", StreamingCoordinator=StreamingCoordinator)
module("api.websocket_server", create_streaming_callback=create_streaming_callback)
'''

SESSIONS = '''
import types

class StreamError(Exception):
    """What a turn, or a request, has failed with."""
    def __init__(self, code, message="", retry_after=None, **rest):
        super().__init__(code + ": " + message)
        self.code, self.retry_after = code, retry_after

class Session:
    def __init__(self, sessions, members):
        self.sessions, self.session_id = sessions, members["session_id"]

    def execute_stream(self, **asked):
        return self.sessions.stream("/v1/sessions/" + self.session_id + "/execute", asked)

class Sessions:
    def __init__(self, token):
        self.token = token

    def create(self, **members):
        answer = httpx.post({url!r} + "/v1/sessions", json=members, headers={{"Authorization": "Bearer " + self.token}}, trust_env=False)
        return Session(self, answer.raise_for_status().json())

    def execute_stream(self, **asked):
        return self.stream("/v1/sessions/execute", asked)

    async def stream(self, path, asked):
        try:
            async with requests_of(self.token) as http, http.stream("POST", path, json=asked | {{"stream": True}}, timeout=30) as answer:
                if answer.is_error:
                    raise StreamError(**json.loads(await answer.aread())["error"])
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        yield self.chunk(json.loads(line[6:]))
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error

    def chunk(self, data):
        if data["type"] == "error":
            raise StreamError(**data)
        return types.SimpleNamespace(**{{"content": ""}} | data)

    async def cancel(self, session_id):
        async with requests_of(self.token) as http:
            (await http.post("/v1/sessions/" + session_id + "/cancel")).raise_for_status()

class ResonantGenesis:
    def __init__(self, api_key):
        self.sessions = Sessions(api_key)

module("resonantgenesis", ResonantGenesis=ResonantGenesis)
client = ResonantGenesis({token!r})
'''


def stand_in(package, server, token=TOKEN):
    """The source of a package for snippets that talk to this server."""
    return MODULE + HTTP.format(url=server.url) + package.format(url=server.url, token=token)
