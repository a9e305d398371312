"""Reads a page of metrics with the parser of the Prometheus project and prints how many families it has."""

import sys

from prometheus_client.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(sys.stdin.read()))
for family in families:
    assert family.type in ("counter", "gauge", "histogram"), family
    assert family.documentation, family
    assert family.samples, family
print(len(families))
