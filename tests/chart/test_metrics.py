"""Dashboards and alerts ask only for metrics and labels that the gateway has."""

import json
import re
import unittest

import yaml

from helm import CHART, ROOT

DEFINITIONS = ROOT / "src/metrics/definitions.rs"
DEFINITION = re.compile(r'(Counter|Gauge|Histogram) "[^"]*" "(\w+)"\s+\[([^\]]*)\]')
# Of the scrape, and of histograms.
COMMON = {"namespace", "job", "instance", "le"}
NAME = re.compile(r"\b(?:dinggate|rpc_server|dingtalk_client|process|tokio)_\w+")


def defined():
    """The labels of each name that can be asked for."""
    known = {}
    for kind, name, labels in DEFINITION.findall(DEFINITIONS.read_text()):
        endings = ("_bucket", "_count", "_sum") if kind == "Histogram" else ("",)
        known |= {name + ending: set(re.findall(r"\w+", labels)) for ending in endings}
    return known


def expressions():
    for path in (CHART / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from ((f"{path.stem}: {panel['title']}", target["expr"]) for target in panel.get("targets", []))
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.stem}: {variable['name']}", variable["definition"]
    for group in yaml.safe_load((CHART / "rules/dinggate.yaml").read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])


class Metrics(unittest.TestCase):
    def test_every_metric_that_is_asked_for_is_there(self):
        known = defined()
        self.assertGreater(len(known), 30)
        for where, expression in expressions():
            with self.subTest(where=where):
                without_texts = re.sub(r'"[^"]*"', "", expression)
                names = set(NAME.findall(without_texts))
                self.assertTrue(names or expression.startswith("up"), expression)
                self.assertLessEqual(names, known.keys())

    def test_every_label_that_is_asked_for_is_there(self):
        known = defined()
        for where, expression in expressions():
            with self.subTest(where=where):
                for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
                    self.assertLessEqual(set(re.findall(r"(\w+)\s*[=!]", selector)), known[name] | COMMON, name)
                possible = set().union(*(known[name] for name in NAME.findall(re.sub(r'"[^"]*"', "", expression))))
                for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
                    self.assertLessEqual(set(re.findall(r"\w+", grouping)), possible | COMMON, grouping)

    def test_most_of_what_is_measured_is_shown(self):
        shown = " ".join(expression for _, expression in expressions())
        unseen = {name for _, name, _ in DEFINITION.findall(DEFINITIONS.read_text()) if name not in shown}
        # How many threads there are is a setting; how busy the busiest is, is shown.
        self.assertEqual(unseen, {"process_virtual_memory_bytes", "tokio_worker_parks_total", "tokio_workers"})
