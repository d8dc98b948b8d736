"""What every scenario renders: the same with both Helms, and valid where the chart is supported."""

import json
import re
import unittest

import jsonschema
import kubernetes_validate
import yaml

import helm
from helm import CHART, HELMS, ROOT, SCENARIOS, kinds, one, render, values

# The oldest that Chart.yaml allows, and the two newest there are schemas for.
KUBERNETES = ["1.29", "1.36", "1.37"]
# Kinds that Kubernetes does not bring along have closed schemas of ours.
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "tests/chart/schemas").glob("*.json")}


def validate(document, kubernetes):
    """Refuses an unknown field and an unknown kind."""
    if document["kind"] in SCHEMAS:
        jsonschema.validate(document, SCHEMAS[document["kind"]])
    else:
        kubernetes_validate.validate(document, kubernetes, strict=True)


class Rendering(unittest.TestCase):
    def test_lint_is_clean_with_both_helms(self):
        for helm_binary in HELMS:
            for scenario in SCENARIOS:
                with self.subTest(helm=helm_binary.name, scenario=scenario.name):
                    helm.run(helm_binary, "lint", "--strict", CHART, "--values", scenario)

    def test_both_helms_render_the_same(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario.name):
                given = yaml.safe_load(scenario.read_text())
                old, new = (render(given, helm=binary) for binary in HELMS)
                self.assertEqual(old, new)

    def test_every_document_is_valid_where_the_chart_is_supported(self):
        oldest = re.search(r"[0-9]+\.[0-9]+", yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]).group()
        newest = kubernetes_validate.latest_version()
        self.assertEqual((f"{oldest}.0", newest), (f"{KUBERNETES[0]}.0", f"{KUBERNETES[-1]}.0"))
        for scenario in SCENARIOS:
            for kubernetes in KUBERNETES:
                documents = render(yaml.safe_load(scenario.read_text()), kubernetes=f"{kubernetes}.0")
                for document in documents:
                    with self.subTest(scenario=scenario.name, kubernetes=kubernetes, kind=document["kind"]):
                        validate(document, kubernetes)

    def test_the_schemas_refuse_unknown_fields_and_unknown_kinds(self):
        document = one(render(values("defaults")), "Deployment")
        document["spec"]["template"]["spec"]["hostNetwerk"] = True
        with self.assertRaises(kubernetes_validate.ValidationError):
            validate(document, KUBERNETES[0])
        with self.assertRaises(kubernetes_validate.SchemaNotFoundError):
            validate({"apiVersion": "v1", "kind": "Surprise"}, KUBERNETES[0])
        documents = render(values("everything"))
        self.assertLessEqual(set(SCHEMAS), set(kinds(documents)))
        for kind in SCHEMAS:
            document = one(documents, kind)
            document["spec"]["surprise"] = True
            with self.subTest(kind=kind), self.assertRaises(jsonschema.ValidationError):
                validate(document, KUBERNETES[0])

    def test_an_older_kubernetes_is_refused(self):
        with self.assertRaisesRegex(helm.Refused, "kubeVersion"):
            render(values("defaults"), kubernetes="1.28.0")

    def test_what_an_older_kubernetes_does_not_know_is_left_out(self):
        for kubernetes, known in [("1.29.0", False), ("1.31.0", True)]:
            with self.subTest(kubernetes=kubernetes):
                documents = render(values("everything"), kubernetes=kubernetes)
                self.assertEqual("trafficDistribution" in one(documents, "Service", "dingtalk-gate")["spec"], known)
                self.assertEqual("lifecycle" in helm.container(documents), known)

    def test_the_everything_scenario_renders_every_template(self):
        text = helm.run(HELMS[-1], "template", "demo", CHART, "--values", CHART / "ci/everything-values.yaml")
        rendered = set(re.findall(r"^# Source: dinggate/templates/(\S+)$", text, re.MULTILINE))
        templates = {str(path.relative_to(CHART / "templates")) for path in (CHART / "templates").rglob("*.yaml")}
        self.assertEqual(rendered, templates)
