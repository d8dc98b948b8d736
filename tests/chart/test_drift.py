"""The gateway itself takes what the chart renders. DINGGATE_BINARY names it."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from helm import SCENARIOS, changed, config_file, container, one, render, values

BINARY = os.environ.get("DINGGATE_BINARY")

KEY_SET = '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256", \
"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}'
PLAIN = {
    "redis/url": "rediss://redis:6379",
    "redis/redis-url": "rediss://user:password@redis.example.com:6379",
    "tokens/tokens": f"orders sha256:{'0' * 64}\n",
    "jwks/issuer.json": KEY_SET,
    "kubernetes/token": "a-token",
    "callbacks/private-token": "a-token",
    "callbacks/private-aes-key": "a" * 43,
}
CERTIFICATES = ("tls/tls.crt", "client-ca/ca.crt", "client-ca/bundle.crt", "redis/ca.crt", "redis/redis-ca.crt", "kubernetes/ca.crt")


def ask(*arguments, **environment):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, env={**os.environ, **environment})


def mount(folder, apps):
    """What the secrets of the scenarios hold."""
    key, certificate = folder / "tls/tls.key", folder / "tls/tls.crt"
    certificate.parent.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
               "-subj", "/CN=test", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    secrets = {f"secrets/{Path(app['app_secret_file']).name}": "a-secret" for app in apps}
    for path, text in {**PLAIN, **secrets, **dict.fromkeys(CERTIFICATES, certificate.read_text())}.items():
        file = folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


@unittest.skipUnless(BINARY, "DINGGATE_BINARY names no gateway")
class Drift(unittest.TestCase):
    def check(self, given):
        """`dinggate check` on the rendered file, in the rendered environment, with something in every mount."""
        documents = render(given)
        plain = {v["name"]: v["value"] for v in container(documents)["env"] if "value" in v}
        with tempfile.TemporaryDirectory() as folder:
            mount(Path(folder), given["config"]["apps"])
            file = Path(folder, "dinggate.toml")
            text = config_file(documents).replace("/etc/dinggate", folder).replace("/var/log/dinggate", folder)
            file.write_text(text)
            return ask("check", "--config", str(file), **plain)

    def test_the_gateway_accepts_every_scenario(self):
        for scenario in SCENARIOS:
            given = yaml.safe_load(scenario.read_text())
            if "config" in given:
                with self.subTest(scenario=scenario.name):
                    done = self.check(given)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_gateway_accepts_what_the_chart_fills_in(self):
        given = changed("defaults", tls__existingSecret="tls", tls__clientCa__existingSecret="ca",
                        redis={"existingSecret": "redis", "urlKey": "redis-url", "caKey": "ca.crt"})
        done = self.check(given)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_gateway_refuses_a_misspelt_key(self):
        done = self.check(changed("defaults", config__server={"drain_dealy": "5s"}))
        self.assertEqual(done.returncode, 1)
        self.assertIn("drain_dealy", done.stdout + done.stderr)

    def test_the_arguments_are_the_gateways(self):
        commands = [container(render(values(scenario)))["args"] for scenario in ("defaults", "sandbox")]
        for scenario in ("defaults", "tls-cert-manager"):
            documents = render(changed(scenario, tests__serverName="dinggate.test"))
            pods = [one(documents, "Pod", suffix) for suffix in ("-test-health", "-test-check")]
            commands += [pod["spec"]["containers"][0]["args"] for pod in pods]
        for arguments in commands:
            with self.subTest(arguments=arguments):
                text = ask(arguments[0], "--help")
                self.assertEqual(text.returncode, 0, text.stderr)
                for flag in (argument for argument in arguments if argument.startswith("--")):
                    self.assertIn(flag, text.stdout)
