"""Reads Autobahn's index.json: sums up, names what failed, and exits with 1 if anything did."""

import collections
import json
import sys

# INFORMATIONAL cases show behaviour the RFC leaves open, NON-STRICT ones a late answer to a broken frame.
FINE = {"OK", "INFORMATIONAL", "NON-STRICT"}
CASES_MIN = 500  # fewer means that the suite broke off


def main(path: str) -> int:
    with open(path) as report:
        cases = json.load(report).get("millrace", {})
    results = collections.Counter(case["behavior"] for case in cases.values())
    bad = [name for name, case in cases.items() if not {case["behavior"], case["behaviorClose"]} <= FINE]
    print("autobahn:", ", ".join(f"{count} {result}" for result, count in sorted(results.items())))
    for name in bad:
        print(f"  case {name}: {cases[name]['behavior']}, close {cases[name]['behaviorClose']}")
    return 0 if not bad and len(cases) >= CASES_MIN else 1


sys.exit(main(sys.argv[1]))
