"""What the chart says about itself: values, schema, and the notes after an installation."""

import re
import unittest

import yaml

from helm import CHART, changed, notes, values

# These hold the user's own structure; their default is documented as a whole.
WHOLE = {"resources", "podSecurityContext", "securityContext", "metrics.dashboards.labels"}


class Values(unittest.TestCase):
    def test_every_value_has_a_comment_and_a_place_in_the_schema(self):
        text = (CHART / "values.yaml").read_text()
        documented = re.findall(r"## @param (\S+)", text)
        self.assertEqual(len(documented), len(set(documented)))
        leaves = set(self.leaves(yaml.safe_load(text)))
        self.assertEqual(set(documented), leaves)
        schema = yaml.safe_load((CHART / "values.schema.json").read_text())
        in_schema = set(self.schema_leaves(schema, schema["$defs"]))
        self.assertEqual(in_schema - {"global"}, {leaf for leaf in leaves if not leaf.startswith("config.")} | {"config"})

    def leaves(self, node, prefix=""):
        for key, value in node.items():
            path = prefix + key
            if isinstance(value, dict) and value and path not in WHOLE:
                yield from self.leaves(value, f"{path}.")
            else:
                yield path

    def schema_leaves(self, node, definitions, prefix=""):
        for key, value in node["properties"].items():
            value = definitions[value["$ref"].rsplit("/", 1)[1]] if "$ref" in value else value
            if value.get("additionalProperties") is False:
                yield from self.schema_leaves(value, definitions, f"{prefix}{key}.")
            else:
                yield prefix + key


class Notes(unittest.TestCase):
    """A newcomer's first call has what this installation asks for, and nothing else."""

    def call(self, given):
        """The command of the first call, in one line."""
        return re.search(r"buf curl .*\\\n.*", notes(given)).group()

    def test_the_first_call_fits_tls_and_callers(self):
        for scenario, wanted, unwanted in [
            ("defaults", ["http://", "--http2-prior-knowledge"], ["--cacert", "TOKEN"]),
            ("sandbox", ["http://", "--http2-prior-knowledge"], ["--cacert", "TOKEN"]),
            ("tls-secret", ["https://", "--cacert ca.crt", "Bearer $TOKEN"], ["--cert client.crt", "prior-knowledge"]),
            ("tls-cert-manager", ["https://", "--cacert ca.crt", "--cert client.crt"], ["TOKEN", "prior-knowledge"]),
            ("redis-secret", ["http://", "Bearer $TOKEN"], ["--cacert"]),
        ]:
            with self.subTest(scenario=scenario):
                call = self.call(values(scenario))
                self.assertTrue(all(part in call for part in wanted), call)
                self.assertFalse(any(part in call for part in unwanted), call)

    def test_the_first_call_names_an_app_that_is_there(self):
        self.assertIn('"app":"orders"', self.call(values("production")))
        self.assertIn('"app":"demo"', self.call(values("sandbox")))

    def test_steps_are_numbered_from_one(self):
        for scenario in ("defaults", "tls-cert-manager", "production", "everything"):
            steps = [int(step) for step in re.findall(r"^(\d)\. ", notes(values(scenario)), re.MULTILINE)]
            self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_dangers_are_named(self):
        for given, warning in [
            (values("defaults"), "callers are not authenticated"),
            (values("redis-secret"), "tokens over plaintext"),
            (changed("defaults", replicas=2), "the replicas share nothing"),
            (values("sandbox"), "nothing reaches the real one"),
        ]:
            self.assertIn(warning, notes(given))
        self.assertNotIn("WARNING", notes(values("production")))
