"""Plays one snippet of a document in a process of its own: what a test gives it first, the snippet, what follows it.

Takes `{"parts": [[name, source], …]}` on standard input. The parts share their names, and may await at the top level, as
the documents' own fragments do. Runs under any version of `websockets`, so it needs nothing but the standard library.
"""

import ast
import asyncio
import inspect
import json
import sys


def play(parts):
    names = {"__name__": "__main__", "show": show}
    for name, source in parts:
        code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            asyncio.run(result)


def show(name, value):
    """What names that a snippet expects from its surroundings are made of: says what was called, and with what."""
    print(name, json.dumps(value))


if __name__ == "__main__":
    play(json.load(sys.stdin)["parts"])
