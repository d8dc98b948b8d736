"""The configuration file and the secrets: what the values say, whole, and nothing that must not be seen."""

import tomllib
import unittest

import yaml

import helm
from helm import CHART, HELMS, SCENARIOS, SECRETS, changed, config_file, container, one, pod, render, values


def mounts(documents):
    return {mount["mountPath"]: mount["name"] for mount in container(documents)["volumeMounts"]}


def secret_of(documents, volume):
    (found,) = [v for v in pod(documents)["spec"]["volumes"] if v["name"] == volume]
    return found["secret"]["secretName"]


class Configuration(unittest.TestCase):
    def test_the_file_says_what_the_values_say(self):
        for scenario in SCENARIOS:
            given = yaml.safe_load(scenario.read_text())
            if given.get("sandbox", {}).get("enabled"):
                continue
            with self.subTest(scenario=scenario.name):
                expected = yaml.safe_load((CHART / "values.yaml").read_text())["config"]
                for section, content in given["config"].items():
                    if isinstance(content, dict):
                        expected.setdefault(section, {}).update(content)
                    else:
                        expected[section] = content
                self.assert_within(expected, tomllib.loads(config_file(render(given))))

    def assert_within(self, expected, found):
        """Everything expected is there; what the chart fills in besides is tested below."""
        for key, value in expected.items():
            if isinstance(value, dict):
                self.assert_within(value, found[key])
            else:
                self.assertEqual(found[key], value, key)

    def test_without_mounts_nothing_is_filled_in(self):
        read = tomllib.loads(config_file(render(values("defaults"))))
        expected = {
            "server": {"grpc_addr": "0.0.0.0:50051", "http_addr": "0.0.0.0:9090"},
            "auth": {"mode": "none", "insecure_allow_remote": True},
            "apps": values("defaults")["config"]["apps"],
        }
        self.assertEqual(read, expected)

    def test_what_is_mounted_is_filled_in(self):
        documents = render(values("everything"))
        read, mounted = tomllib.loads(config_file(documents)), mounts(documents)
        self.assertEqual(read["server"]["tls"], {
            "cert": "/etc/dinggate/tls/tls.crt",
            "key": "/etc/dinggate/tls/tls.key",
            "client_ca": "/etc/dinggate/client-ca/bundle.crt",
        })
        self.assertEqual(read["auth"]["static"], {"tokens_file": "/etc/dinggate/tokens/tokens"})
        self.assertEqual(read["store"], {
            "kind": "redis",
            "url_file": "/etc/dinggate/redis/url",
            "ca_file": "/etc/dinggate/redis/ca.crt",
        })
        self.assertEqual(read["events"]["callback"], {"private": {
            "token_file": "/etc/dinggate/callbacks/private-token",
            "aes_key_file": "/etc/dinggate/callbacks/private-aes-key",
            "owner_keys": ["dingprivate", "dingcorp"],
        }})
        for folder, secret in [
            ("secrets", "dinggate-apps"),
            ("callbacks", "dinggate-callbacks"),
            ("redis", "dinggate-redis"),
            ("tokens", "dinggate-tokens"),
            ("jwks", "dinggate-jwks"),
            ("tls", "dingtalk-gate-tls"),
            ("client-ca", "callers-ca"),
        ]:
            with self.subTest(folder=folder):
                self.assertEqual(secret_of(documents, mounted[f"/etc/dinggate/{folder}"]), secret)
        self.assertEqual(secret_of(documents, "tls"), one(documents, "Certificate")["spec"]["secretName"])

    def test_the_configuration_has_the_last_word(self):
        given = changed("tls-secret", config__server={"tls": {"cert": "/own/cert.pem"}})
        tls = tomllib.loads(config_file(render(given)))["server"]["tls"]
        self.assertEqual(tls, {"cert": "/own/cert.pem", "key": "/etc/dinggate/tls/tls.key"})

    def test_every_kind_of_value_survives(self):
        section = {
            "zero": 0,
            "no": False,
            "empty": "",
            "large": 100_000_000,
            "negative": -3,
            "fraction": 0.25,
            "text": 'quote " backslash \\ tab \t line \n <&> 群',
            "list": [1, "two", {"three": 3}],
            "deep": {"a b": {"c": [True], "d": {"e": 1}}, "tables": [{"x": 1}, {"x": {"y": 2}}]},
            "empty_list": [],
        }
        for helm_binary in HELMS:
            with self.subTest(helm=helm_binary.name):
                given = changed("defaults", config__section=section, config__number=7)
                read = tomllib.loads(config_file(render(given, helm=helm_binary)))
                self.assertEqual(read["section"], section)
                self.assertEqual(read["number"], 7)
                self.assertIs(type(read["section"]["large"]), int)

    def test_null_takes_a_key_out(self):
        given = changed("defaults", config__telemetry={"otlp_endpoint": None, "log_format": "json"})
        self.assertEqual(tomllib.loads(config_file(render(given)))["telemetry"], {"log_format": "json"})

    def test_a_changed_configuration_restarts_the_pods(self):
        def checksum(given):
            return pod(render(given))["metadata"]["annotations"]["checksum/config"]

        before = checksum(values("defaults"))
        self.assertEqual(checksum(changed("defaults", replicas=2)), before)
        self.assertNotEqual(checksum(changed("defaults", config__server={"drain_delay": "6s"})), before)
        self.assertNotEqual(checksum(changed("defaults", redis__existingSecret="redis")), before)
        self.assertEqual(checksum(changed("defaults", podAnnotations={"checksum/config": "x"})), before)

    def test_the_sandbox_needs_no_configuration(self):
        documents = render(values("sandbox"))
        self.assertEqual(container(documents)["args"][0], "sandbox")
        self.assertNotIn("ConfigMap", helm.kinds(documents))
        self.assertNotIn("volumes", pod(documents)["spec"])


class Secrets(unittest.TestCase):
    def test_a_secret_is_mounted_and_never_written(self):
        documents = render(values("defaults"))
        self.assertNotIn("Secret", helm.kinds(documents))
        self.assertEqual(secret_of(documents, mounts(documents)[SECRETS]), "dinggate-apps")

    def test_a_secret_value_is_refused_and_not_repeated(self):
        app = {**values("defaults")["config"]["apps"][0], "app_secret": "s3cr3t-value"}
        store = {"kind": "redis", "url": "rediss://user:s3cr3t-value@redis:6379"}
        for overrides, way_out in [
            ({"config__apps": [app]}, "secrets.existingSecret"),
            ({"config__store": store}, "redis.existingSecret"),
        ]:
            with self.subTest(way_out=way_out), self.assertRaises(helm.Refused) as refusal:
                render(changed("defaults", **overrides))
            self.assertIn(way_out, str(refusal.exception))
            self.assertNotIn("s3cr3t-value", str(refusal.exception))

    def test_renewed_files_arrive(self):
        """The kubelet never renews a subPath; the configuration alone is one, and its checksum restarts the pods."""
        for scenario in ("production", "everything"):
            single = [m["name"] for m in container(render(values(scenario)))["volumeMounts"] if "subPath" in m]
            self.assertEqual(single, ["config"])

    def test_the_api_servers_keys_are_read_with_a_projected_token(self):
        documents = render(values("tls-secret"))
        self.assertIs(pod(documents)["spec"]["automountServiceAccountToken"], False)
        (volume,) = [v for v in pod(documents)["spec"]["volumes"] if v["name"] == "kubernetes"]
        token, authority = volume["projected"]["sources"]
        (jwt,) = tomllib.loads(config_file(documents))["auth"]["jwt"]
        folder = f"/etc/dinggate/{volume['name']}"
        self.assertEqual(jwt["jwks_token_file"], f"{folder}/{token['serviceAccountToken']['path']}")
        self.assertEqual(jwt["jwks_ca_file"], f"{folder}/{authority['configMap']['items'][0]['path']}")
        self.assertEqual(mounts(documents)[folder], "kubernetes")

    def test_the_audit_log_has_a_volume(self):
        documents = render(values("everything"))
        self.assertEqual(mounts(documents)["/var/log/dinggate"], "audit")
        (volume,) = [v for v in pod(documents)["spec"]["volumes"] if v["name"] == "audit"]
        self.assertEqual(volume["persistentVolumeClaim"], {"claimName": "dinggate-audit"})
        self.assertNotIn("/var/log/dinggate", mounts(render(values("production"))))
