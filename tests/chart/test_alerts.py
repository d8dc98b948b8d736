"""The alerts: each has a section in the runbook and a unit test, and names only metrics that there are."""

import re
import unittest

import yaml

from helm import CHART, ROOT

RULES = CHART / "rules/dinggate.yaml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


class Alerts(unittest.TestCase):
    def test_each_alert_has_a_section_in_the_runbook_and_the_other_way_round(self):
        sections = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
        self.assertEqual(sections, [rule["alert"] for rule in ALERTS])

    def test_each_section_says_what_it_means_and_what_to_do(self):
        _, *sections = (ROOT / "docs/runbook.md").read_text().split("\n## ")
        for section in sections:
            with self.subTest(section=section.split("\n")[0]):
                self.assertEqual(re.findall(r"^\*\*([\w ]+)\*\*:", section, re.MULTILINE), ["Means", "Callers see", "Look", "Do"])

    def test_each_alert_links_to_its_section(self):
        for rule in ALERTS:
            link = f"docs/runbook.md#{rule['alert'].lower()}"
            self.assertEqual(rule["annotations"]["runbook_url"], link)

    def test_each_alert_is_seen_firing_and_not_firing(self):
        tests = yaml.safe_load((ROOT / "tests/rules/alerts.yaml").read_text())["tests"]
        seen = {True: set(), False: set()}
        for check in (check for test in tests for check in test["promql_expr_test"]):
            alert = re.search(r'alertname="(\w+)"', check["expr"]).group(1)
            seen[bool(check.get("exp_samples"))].add(alert)
        names = {rule["alert"] for rule in ALERTS}
        self.assertEqual(seen, {True: names, False: names})
