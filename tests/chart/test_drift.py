"""The gateway itself takes what the chart renders. DINGGATE_BINARY names it."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from helm import SCENARIOS, changed, config_file, container, one, render, values

BINARY = os.environ.get("DINGGATE_BINARY")
# These use TLS and caller identity, which the gateway is yet to learn.
LATER = {"production", "redis-secret", "tls-secret", "tls-cert-manager", "everything"}


def ask(*arguments, **environment):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, env={**os.environ, **environment})


@unittest.skipUnless(BINARY, "DINGGATE_BINARY names no gateway")
class Drift(unittest.TestCase):
    def check(self, given):
        """`dinggate check` on the rendered file, in the rendered environment."""
        documents = render(given)
        plain = {v["name"]: v["value"] for v in container(documents)["env"] if "value" in v}
        with tempfile.TemporaryDirectory() as folder:
            for app in given["config"]["apps"]:
                Path(folder, "secrets").mkdir(exist_ok=True)
                Path(folder, "secrets", Path(app["app_secret_file"]).name).write_text("a-secret")
            file = Path(folder, "dinggate.toml")
            file.write_text(config_file(documents).replace("/etc/dinggate", folder))
            return ask("check", "--config", str(file), **plain)

    def test_the_gateway_accepts_every_scenario(self):
        for scenario in SCENARIOS:
            given = yaml.safe_load(scenario.read_text())
            if "config" in given and scenario.name.removesuffix("-values.yaml") not in LATER:
                with self.subTest(scenario=scenario.name):
                    done = self.check(given)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_gateway_refuses_a_misspelt_key(self):
        done = self.check(changed("defaults", config__server={"drain_dealy": "5s"}))
        self.assertEqual(done.returncode, 1)
        self.assertIn("drain_dealy", done.stdout + done.stderr)

    def test_the_arguments_are_the_gateways(self):
        commands = [container(render(values(scenario)))["args"] for scenario in ("defaults", "sandbox")]
        for scenario in ("defaults", "tls-cert-manager"):
            documents = render(values(scenario))
            pods = [one(documents, "Pod", suffix) for suffix in ("-test-health", "-test-check")]
            commands += [pod["spec"]["containers"][0]["args"] for pod in pods]
        for arguments in commands:
            with self.subTest(arguments=arguments):
                text = ask(arguments[0], "--help")
                self.assertEqual(text.returncode, 0, text.stderr)
                for flag in (argument for argument in arguments if argument.startswith("--")):
                    self.assertIn(flag, text.stdout)
