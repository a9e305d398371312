"""Judges Autobahn's index.json: both the behaviour of a case and its closing handshake must pass."""

import json
import sys

PASS = {"OK", "NON-STRICT", "INFORMATIONAL"}


def main(path):
    with open(path) as index:
        cases = [case for agent in json.load(index).values() for case in agent.items()]
    failed = [
        (name, result)
        for name, result in cases
        if result["behavior"] not in PASS or result["behaviorClose"] not in PASS
    ]
    for name, result in sorted(failed, key=lambda case: [int(part) for part in case[0].split(".")]):
        print(f"autobahn: case {name}: {result['behavior']}, close {result['behaviorClose']}")
    for name, result in sorted(cases):
        if result["behavior"] == "NON-STRICT" or result["behaviorClose"] == "NON-STRICT":
            print(f"autobahn: case {name} is non-strict")
    print(f"autobahn: {len(cases) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
