"""Judges Autobahn's index.json: both the behaviour of a case and its closing handshake must pass."""

import json
import sys

PASS = {"OK", "NON-STRICT", "INFORMATIONAL"}
# Clients of these demand a server window of 2^9. Frames are compressed once for all readers, with a window of 2^12
# (DEFLATE_WINDOW_BITS), so the server declines the extension, as RFC 7692 section 5 lets it, and Autobahn has nothing
# to test: UNIMPLEMENTED. They are counted on their own, never as passed; any other outcome of theirs is judged as usual.
DECLINED = ("13.3.", "13.5.")


def is_declined(name, result):
    declined = name.startswith(DECLINED) and result["behavior"] == "UNIMPLEMENTED"
    return declined and result["behaviorClose"] in PASS


def main(path):
    with open(path) as index:
        every = [case for agent in json.load(index).values() for case in agent.items()]
    cases = [case for case in every if not is_declined(*case)]
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
    declined = f", {len(every) - len(cases)} declined" if len(cases) < len(every) else ""
    print(f"autobahn: {len(cases) - len(failed)} passed, {len(failed)} failed{declined}")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
