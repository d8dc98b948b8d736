"""Checks of the Helm chart: what it renders, what it refuses, and that the gateway takes the result.

Run by `make chart`. DINGGATE_BINARY names the gateway that must accept the rendered configuration.
"""

import os
import re
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

import kubernetes_validate
import yaml

import helm
from helm import CHART, HELMS, SCENARIOS, config_file, container, one, pod, render, values

# The oldest that Chart.yaml allows, and the two newest there are schemas for.
KUBERNETES = ["1.29", "1.36", "1.37"]
SECRETS = "/etc/dinggate/secrets"


def changed(scenario, **overrides):
    """The scenario's values with some replaced: changed("minimal", config__auth__mode="x")."""
    given = values(scenario)
    for path, value in overrides.items():
        *parents, last = path.split("__")
        node = given
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return given


class Rendering(unittest.TestCase):
    def test_lint_is_clean_with_both_helms(self):
        for helm_binary in HELMS:
            for scenario in SCENARIOS:
                with self.subTest(helm=helm_binary.name, scenario=scenario.name):
                    helm.run(helm_binary, "lint", "--strict", CHART, "--values", scenario)

    def test_both_helms_render_the_same(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario.name):
                old, new = (render(yaml.safe_load(scenario.read_text()), helm=binary) for binary in HELMS)
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
                        kubernetes_validate.validate(document, kubernetes, strict=True)

    def test_the_schemas_refuse_unknown_fields_and_unknown_kinds(self):
        document = one(render(values("minimal")), "Deployment")
        document["spec"]["template"]["spec"]["hostNetwerk"] = True
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(document, KUBERNETES[0], strict=True)
        with self.assertRaises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate({"apiVersion": "v1", "kind": "Surprise"}, KUBERNETES[0], strict=True)

    def test_an_older_kubernetes_is_refused(self):
        with self.assertRaisesRegex(helm.Refused, "kubeVersion"):
            render(values("minimal"), kubernetes="1.28.0")

    def test_the_everything_scenario_renders_every_template(self):
        text = helm.run(HELMS[-1], "template", "demo", CHART, "--values", CHART / "ci/everything-values.yaml")
        rendered = set(re.findall(r"^# Source: dinggate/templates/(\S+)$", text, re.MULTILINE))
        self.assertEqual(rendered, {path.name for path in (CHART / "templates").glob("*.yaml")})


class SafeDefaults(unittest.TestCase):
    def test_the_pod_has_no_rights_it_does_not_need(self):
        documents = render(values("minimal"))
        spec = pod(documents)["spec"]
        self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertIs(spec["securityContext"]["runAsNonRoot"], True)
        self.assertEqual(spec["securityContext"]["runAsUser"], 65532)
        self.assertIs(spec["automountServiceAccountToken"], False)
        self.assertIs(spec["enableServiceLinks"], False)
        self.assertIs(one(documents, "ServiceAccount")["automountServiceAccountToken"], False)
        expected = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        self.assertEqual(container(documents)["securityContext"], expected)
        self.assertIn("memory", container(documents)["resources"]["limits"])
        self.assertTrue(all(mount["readOnly"] for mount in container(documents)["volumeMounts"]))

    def test_one_replica_runs_unless_more_are_asked_for(self):
        self.assertEqual(one(render(values("minimal")), "Deployment")["spec"]["replicas"], 1)
        self.assertEqual(one(render(values("production")), "Deployment")["spec"]["replicas"], 3)

    def test_no_pod_is_lost_in_a_rollout(self):
        strategy = one(render(values("minimal")), "Deployment")["spec"]["strategy"]["rollingUpdate"]
        self.assertEqual(strategy, {"maxUnavailable": 0, "maxSurge": 1})

    def test_health_is_asked_over_grpc_and_names_no_upstream(self):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            with self.subTest(probe=probe):
                asked = container(render(values("minimal")))[probe]["grpc"]
                self.assertEqual(asked, {"port": 50051, "service": ""})

    def test_the_grace_period_is_longer_than_draining(self):
        for delay, timeout, expected in [(None, None, 45), ("0s", "30s", 40), ("1m30s", "500ms", 100), ("1h", "1s", 3611)]:
            with self.subTest(delay=delay, timeout=timeout):
                given = changed("minimal", config__server={"drain_delay": delay, "drain_timeout": timeout})
                self.assertEqual(pod(render(given))["spec"]["terminationGracePeriodSeconds"], expected)

    def test_a_disruption_budget_is_for_more_than_one_replica(self):
        for replicas, budgets in [(0, 0), (1, 0), (2, 1), (3, 1)]:
            with self.subTest(replicas=replicas):
                kinds = [document["kind"] for document in render(changed("minimal", replicas=replicas))]
                self.assertEqual(kinds.count("PodDisruptionBudget"), budgets)


class Wiring(unittest.TestCase):
    def test_selectors_match_the_pods_and_nothing_a_user_sets_changes_them(self):
        for scenario in ("minimal", "everything"):
            documents = render(changed(scenario, replicas=2, service__headless__enabled=True))
            labels = pod(documents)["metadata"]["labels"].items()
            selectors = [d["spec"]["selector"] for d in documents if "selector" in d.get("spec", {})]
            self.assertEqual(len(selectors), 4)
            for selector in selectors:
                with self.subTest(scenario=scenario):
                    self.assertLessEqual(selector.get("matchLabels", selector).items(), labels)
                    self.assertNotIn("stolen", str(selector))

    def test_ports_follow_the_configuration(self):
        documents = render(values("everything"))
        ports = {port["name"]: port["containerPort"] for port in container(documents)["ports"]}
        self.assertEqual(ports, {"grpc": 6000, "http": 6001})
        self.assertEqual(container(documents)["readinessProbe"]["grpc"]["port"], 6000)
        service = one(documents, "Service", "dingtalk-gate")["spec"]["ports"]
        self.assertEqual([port["targetPort"] for port in service], ["grpc", "http"])
        self.assertEqual(service[0]["appProtocol"], "kubernetes.io/h2c")
        headless = one(documents, "Service", "-headless")["spec"]
        self.assertEqual((headless["clusterIP"], headless["ports"][0]["port"]), ("None", 6000))

    def test_a_digest_wins_over_the_tag(self):
        digest = "sha256:" + "0" * 64
        for image, expected in [
            ({}, "dinggate:0.1.0"),
            ({"tag": "1.2"}, "dinggate:1.2"),
            ({"tag": "1.2", "digest": digest}, f"dinggate@{digest}"),
        ]:
            with self.subTest(image=image):
                self.assertEqual(container(render(changed("minimal", image=image)))["image"], expected)

    def test_each_replica_knows_how_many_there_are(self):
        for replicas in (1, 3):
            with self.subTest(replicas=replicas):
                env = container(render(changed("minimal", replicas=replicas)))["env"]
                self.assertIn({"name": "DINGGATE__STORE__REPLICAS", "value": str(replicas)}, env)

    def test_extras_reach_the_container(self):
        documents = render(changed("everything", extraArgs=["--flag", "0"]))
        self.assertEqual(container(documents)["args"][-2:], ["--flag", "0"])
        self.assertIn("OTEL_SERVICE_NAME", [variable["name"] for variable in container(documents)["env"]])
        self.assertEqual(container(documents)["envFrom"], [{"configMapRef": {"name": "proxy-settings"}}])
        mounts = {mount["name"] for mount in container(documents)["volumeMounts"]}
        volumes = {volume["name"] for volume in pod(documents)["spec"]["volumes"]}
        self.assertEqual(mounts, {"config", "secrets", "private-ca"})
        self.assertEqual(mounts, volumes)

    def test_what_the_user_gives_for_the_pod_stands_in_the_pod(self):
        given = values("everything")
        documents = render(given)
        spec = pod(documents)["spec"]
        for key in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints"):
            self.assertEqual(spec[key], given[key], key)
        self.assertEqual(spec["imagePullSecrets"], [{"name": "registry"}])
        self.assertEqual(spec["serviceAccountName"], one(documents, "ServiceAccount")["metadata"]["name"])
        self.assertEqual(container(documents)["imagePullPolicy"], "Always")
        self.assertEqual(container(documents)["resources"]["limits"], {"memory": "512Mi"})
        self.assertEqual(container(documents)["startupProbe"]["failureThreshold"], 60)
        self.assertEqual(pod(documents)["metadata"]["annotations"]["example.com/note"], "everything")
        self.assertEqual(pod(documents)["metadata"]["labels"]["tier"], "edge")
        self.assertTrue(all(document["metadata"]["labels"]["team"] == "chat" for document in documents))

    def test_names_fit_a_dns_label(self):
        for override in ({}, {"fullnameOverride": "x" * 80}, {"nameOverride": "y" * 80}):
            given = changed("minimal", replicas=2, service__headless__enabled=True, **override)
            for document in render(given, release="a-release-name-of-the-greatest-length-that-is-allowed"):
                with self.subTest(kind=document["kind"], override=override):
                    self.assertRegex(document["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
                    for value in document["metadata"]["labels"].values():
                        self.assertLessEqual(len(value), 63)

    def test_a_release_name_of_digits_stays_text(self):
        labels = pod(render(values("minimal"), release="2026"))["metadata"]["labels"]
        self.assertEqual(labels["app.kubernetes.io/instance"], "2026")


class Configuration(unittest.TestCase):
    def test_the_file_says_what_the_values_say(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario.name):
                given = yaml.safe_load(scenario.read_text())
                expected = yaml.safe_load((CHART / "values.yaml").read_text())["config"]
                for section, content in given["config"].items():
                    if isinstance(content, dict):
                        expected.setdefault(section, {}).update(content)
                    else:
                        expected[section] = content
                self.assertEqual(tomllib.loads(config_file(render(given))), expected)

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
            "deep": {"a b": {"c": [True]}},
            "empty_list": [],
        }
        for helm_binary in HELMS:
            with self.subTest(helm=helm_binary.name):
                given = changed("minimal", config__section=section, config__number=7)
                read = tomllib.loads(config_file(render(given, helm=helm_binary)))
                self.assertEqual(read["section"], section)
                self.assertEqual(read["number"], 7)
                self.assertIs(type(read["section"]["large"]), int)

    def test_null_takes_a_key_out(self):
        given = changed("minimal", config__telemetry={"otlp_endpoint": None, "log_format": "json"})
        self.assertEqual(tomllib.loads(config_file(render(given)))["telemetry"], {"log_format": "json"})

    def test_a_changed_configuration_restarts_the_pods(self):
        def checksum(given):
            return pod(render(given))["metadata"]["annotations"]["checksum/config"]

        before = checksum(values("minimal"))
        self.assertEqual(checksum(changed("minimal", replicas=2)), before)
        self.assertNotEqual(checksum(changed("minimal", config__server={"drain_delay": "6s"})), before)
        self.assertEqual(checksum(changed("minimal", podAnnotations={"checksum/config": "x"})), before)

    def test_a_secret_is_mounted_and_never_written(self):
        documents = render(values("minimal"))
        self.assertNotIn("Secret", [document["kind"] for document in documents])
        volume = next(v for v in pod(documents)["spec"]["volumes"] if v["name"] == "secrets")
        self.assertEqual(volume["secret"]["secretName"], "dinggate-apps")
        mount = next(m for m in container(documents)["volumeMounts"] if m["name"] == "secrets")
        self.assertEqual(mount["mountPath"], SECRETS)
        given = changed("minimal")
        given["config"]["apps"][0]["app_secret"] = "s3cr3t-value"
        with self.assertRaises(helm.Refused) as refusal:
            render(given)
        self.assertIn("secrets.existingSecret", str(refusal.exception))
        self.assertNotIn("s3cr3t-value", str(refusal.exception))


class Refusals(unittest.TestCase):
    def test_the_defaults_alone_say_what_is_missing(self):
        for helm_binary in HELMS:
            with self.assertRaises(helm.Refused) as refusal:
                render({}, helm=helm_binary)
            self.assertIn("set config.auth.insecure_allow_remote to true", str(refusal.exception))
            self.assertIn("config.apps is empty", str(refusal.exception))

    def test_wrong_values_are_refused_with_a_sentence(self):
        for overrides, sentence in [
            ({"config__apps": []}, "config.apps is empty"),
            ({"config__auth__insecure_allow_remote": False}, "keep others away"),
            ({"secrets__existingSecret": ""}, "set secrets.existingSecret"),
            ({"config__server": {"grpc_addr": "0.0.0.0"}}, "config.server.grpc_addr must end in a port"),
            ({"config__server": {"http_addr": "0.0.0.0:0"}}, "config.server.http_addr must end in a port"),
            ({"config__server": {"drain_delay": "a while"}}, "config.server.drain_delay is a while"),
            ({"terminationGracePeriodSeconds": 35}, "draining may take 35 s"),
        ]:
            with self.subTest(overrides=overrides), self.assertRaisesRegex(helm.Refused, sentence):
                render(changed("minimal", **overrides))

    def test_wrong_values_are_refused_by_the_schema(self):
        for overrides in [
            {"replica": 3},
            {"replicas": "three"},
            {"replicas": -1},
            {"image__tagg": "x"},
            {"image__digest": "sha256:short"},
            {"image__pullPolicy": "Sometimes"},
            {"service__grpcPort": 70000},
            {"service__headless__enabled": "yes"},
            {"probes__readiness__path": "/readyz"},
            {"probes__liveness__periodSeconds": 0},
            {"secrets__appSecret": "x"},
            {"podDisruptionBudget__maxUnavailable": "half"},
            {"terminationGracePeriodSeconds": "45s"},
            {"podLabels__tier": 1},
            {"config__apps": {"alias": "demo"}},
            {"config__auth__insecure_allow_remote": "true"},
        ]:
            for helm_binary in HELMS:
                with self.subTest(overrides=overrides, helm=helm_binary.name):
                    with self.assertRaisesRegex(helm.Refused, "don't meet the specifications of the schema"):
                        render(changed("minimal", **overrides), helm=helm_binary)


class Documentation(unittest.TestCase):
    def test_every_value_has_a_comment_and_a_place_in_the_schema(self):
        text = (CHART / "values.yaml").read_text()
        documented = re.findall(r"## @param (\S+)", text)
        self.assertEqual(len(documented), len(set(documented)))
        # These hold the user's own structure; their default is documented as a whole.
        whole = {"resources"}
        leaves = set(self.leaves(yaml.safe_load(text), whole))
        self.assertEqual(set(documented), leaves)
        schema = yaml.safe_load((CHART / "values.schema.json").read_text())
        in_schema = set(self.schema_leaves(schema, schema["$defs"]))
        self.assertEqual(in_schema - {"global"}, {leaf for leaf in leaves if not leaf.startswith("config.")} | {"config"})

    def leaves(self, node, whole, prefix=""):
        for key, value in node.items():
            path = prefix + key
            if isinstance(value, dict) and value and path not in whole:
                yield from self.leaves(value, whole, f"{path}.")
            else:
                yield path

    def schema_leaves(self, node, definitions, prefix=""):
        for key, value in node["properties"].items():
            value = definitions[value["$ref"].rsplit("/", 1)[1]] if "$ref" in value else value
            if value.get("additionalProperties") is False:
                yield from self.schema_leaves(value, definitions, f"{prefix}{key}.")
            else:
                yield prefix + key


@unittest.skipUnless("DINGGATE_BINARY" in os.environ, "DINGGATE_BINARY names no gateway")
class Drift(unittest.TestCase):
    """The gateway itself takes what the chart renders."""

    def check(self, given):
        with tempfile.TemporaryDirectory() as folder:
            for app in given["config"]["apps"]:
                Path(folder, Path(app["app_secret_file"]).name).write_text("a-secret")
            file = Path(folder, "dinggate.toml")
            file.write_text(config_file(render(given)).replace(SECRETS, folder))
            command = [os.environ["DINGGATE_BINARY"], "check", "--config", file]
            return subprocess.run(command, capture_output=True, text=True)

    def test_the_gateway_accepts_every_scenario(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario.name):
                done = self.check(yaml.safe_load(scenario.read_text()))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_gateway_refuses_a_misspelt_key(self):
        done = self.check(changed("minimal", config__server={"drain_dealy": "5s"}))
        self.assertEqual(done.returncode, 1)
        self.assertIn("drain_dealy", done.stdout + done.stderr)

    def test_the_arguments_are_the_gateways(self):
        arguments = container(render(values("minimal")))["args"]
        command = [os.environ["DINGGATE_BINARY"], arguments[0], "--help"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for flag in (argument for argument in arguments if argument.startswith("--")):
            self.assertIn(flag, text)


if __name__ == "__main__":
    unittest.main()
