"""The pod: safe by default, probed, drained, spread, and open to what users add."""

import unittest

from helm import changed, container, one, pod, render, values

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class SafeDefaults(unittest.TestCase):
    def test_the_pod_has_no_rights_it_does_not_need(self):
        documents = render(values("defaults"))
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

    def test_the_test_pods_have_none_either(self):
        documents = render(values("production"))
        gateway = pod(documents)["spec"]
        for suffix in ("-test-health", "-test-check"):
            with self.subTest(pod=suffix):
                test = one(documents, "Pod", suffix)["spec"]
                self.assertEqual(test["securityContext"], gateway["securityContext"])
                self.assertEqual(test["containers"][0]["securityContext"], gateway["containers"][0]["securityContext"])
                self.assertIs(test["automountServiceAccountToken"], False)
                self.assertEqual(test["restartPolicy"], "Never")

    def test_no_pod_is_lost_in_a_rollout(self):
        strategy = one(render(values("defaults")), "Deployment")["spec"]["strategy"]["rollingUpdate"]
        self.assertEqual(strategy, {"maxUnavailable": 0, "maxSurge": 1})

    def test_pods_keep_apart(self):
        spec = pod(render(values("defaults")))["spec"]
        self.assertEqual({c["topologyKey"] for c in spec["topologySpreadConstraints"]},
                         {"topology.kubernetes.io/zone", "kubernetes.io/hostname"})
        labels = {"app.kubernetes.io/name": "dinggate", "app.kubernetes.io/instance": "demo"}
        (soft,) = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        self.assertEqual(soft["podAffinityTerm"]["labelSelector"]["matchLabels"], labels)
        spec = pod(render(values("production")))["spec"]
        (hard,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        self.assertEqual(hard["topologyKey"], "kubernetes.io/hostname")
        self.assertNotIn("affinity", pod(render(changed("defaults", podAntiAffinity="none")))["spec"])


class Health(unittest.TestCase):
    def test_health_is_asked_over_grpc_and_names_no_upstream(self):
        for probe in PROBES:
            with self.subTest(probe=probe):
                asked = container(render(values("defaults")))[probe]["grpc"]
                self.assertEqual(asked, {"port": 50051, "service": ""})

    def test_under_tls_health_is_asked_over_plain_http(self):
        for scenario in ("tls-secret", "tls-cert-manager"):
            asked = [container(render(values(scenario)))[probe]["httpGet"] for probe in PROBES]
            self.assertEqual([get["path"] for get in asked], ["/livez", "/readyz", "/livez"])
            self.assertEqual({get["port"] for get in asked}, {"http"})
            self.assertNotIn("scheme", asked[0])

    def test_probes_can_be_tuned_and_replaced(self):
        own = {"exec": {"command": ["/probe"]}, "periodSeconds": 7}
        given = changed("defaults", probes__startup={"initialDelaySeconds": 0, "periodSeconds": 3},
                        probes__readiness={"service": "dinggate.group.v1.GroupService"}, probes__liveness={"custom": own})
        startup, readiness, liveness = (container(render(given))[probe] for probe in PROBES)
        self.assertEqual((startup["periodSeconds"], startup["failureThreshold"]), (3, 30))
        self.assertEqual(startup["initialDelaySeconds"], 0)
        self.assertEqual(readiness["grpc"]["service"], "dinggate.group.v1.GroupService")
        self.assertEqual(liveness, own)

    def test_the_grace_period_is_longer_than_draining(self):
        for delay, timeout, sleep, expected in [
            (None, None, 0, 45),
            ("0s", "30s", 0, 40),
            ("1m30s", "500ms", 0, 100),
            ("1h", "1s", 0, 3611),
            ("5s", "30s", 20, 65),
        ]:
            with self.subTest(delay=delay, timeout=timeout, sleep=sleep):
                drain = {"drain_delay": delay, "drain_timeout": timeout}
                given = changed("defaults", config__server=drain, preStopSleepSeconds=sleep)
                self.assertEqual(pod(render(given))["spec"]["terminationGracePeriodSeconds"], expected)

    def test_the_sleep_before_the_signal_needs_no_shell(self):
        self.assertNotIn("lifecycle", container(render(values("defaults"))))
        lifecycle = container(render(changed("defaults", preStopSleepSeconds=5)))["lifecycle"]
        self.assertEqual(lifecycle, {"preStop": {"sleep": {"seconds": 5}}})


class Tests(unittest.TestCase):
    """The pods of `helm test`."""

    def arguments(self, given):
        (container,) = one(render(given), "Pod", "-test-health")["spec"]["containers"]
        return container["args"]

    def test_health_is_asked_as_a_caller_would(self):
        self.assertEqual(self.arguments(values("defaults")), ["health", "--addr", "demo-dinggate.chat.svc:50051"])
        tls = ["health", "--addr", "https://demo-dinggate.chat.svc:50051", "--ca", "/etc/dinggate/ca/ca.crt"]
        self.assertEqual(self.arguments(values("tls-secret")), tls)
        client = ["--cert", "/etc/dinggate/client/tls.crt", "--key", "/etc/dinggate/client/tls.key"]
        self.assertEqual(self.arguments(values("tls-cert-manager")), tls + client)
        public = changed("tls-secret", tls__caKey="", tests__serverName="dinggate.example.com")
        self.assertEqual(self.arguments(public), tls[:3] + ["--server-name", "dinggate.example.com"])

    def test_the_name_that_is_asked_for_is_in_the_certificate(self):
        documents = render(values("tls-cert-manager"))
        self.assertIn("demo-dinggate.chat.svc", one(documents, "Certificate")["spec"]["dnsNames"])

    def test_the_private_key_stays_with_the_gateway(self):
        (ca,) = one(render(values("tls-secret")), "Pod", "-test-health")["spec"]["volumes"]
        self.assertEqual(ca["secret"]["items"], [{"key": "ca.crt", "path": "ca.crt"}])

    def test_without_a_certificate_of_a_caller_health_cannot_be_asked_under_mtls(self):
        documents = render(changed("tls-cert-manager", tests__clientSecret=""))
        names = [document["metadata"]["name"] for document in documents if document["kind"] == "Pod"]
        self.assertEqual(names, ["demo-dinggate-test-check"])
        optional = changed("tls-cert-manager", tests__clientSecret="", config__server__tls__client_cert_required=False)
        self.assertNotIn("--cert", self.arguments(optional))

    def test_the_configuration_is_checked_with_what_the_gateway_has(self):
        documents = render(values("everything"))
        check, gateway = one(documents, "Pod", "-test-check")["spec"], pod(documents)["spec"]
        for key in ("volumes", "serviceAccountName"):
            self.assertEqual(check[key], gateway[key])
        for key in ("env", "envFrom", "volumeMounts"):
            self.assertEqual(check["containers"][0][key], gateway["containers"][0][key])


class Extras(unittest.TestCase):
    def test_extras_reach_the_container(self):
        documents = render(changed("everything", extraArgs=["--flag", "0"]))
        self.assertEqual(container(documents)["args"][-2:], ["--flag", "0"])
        self.assertIn("OTEL_SERVICE_NAME", [variable["name"] for variable in container(documents)["env"]])
        self.assertEqual(container(documents)["envFrom"], [{"configMapRef": {"name": "proxy-settings"}}])
        self.assertEqual(pod(documents)["spec"]["initContainers"][0]["name"], "wait-for-redis")
        mounts = {mount["name"] for mount in container(documents)["volumeMounts"]}
        self.assertIn("private-ca", mounts)

    def test_what_is_mounted_is_a_volume_and_the_other_way_round(self):
        for scenario in ("defaults", "production", "everything", "sandbox"):
            with self.subTest(scenario=scenario):
                documents = render(values(scenario))
                mounts = [mount["name"] for mount in container(documents).get("volumeMounts", [])]
                volumes = [volume["name"] for volume in pod(documents)["spec"].get("volumes", [])]
                self.assertEqual(mounts, volumes)
                self.assertEqual(len(mounts), len(set(mounts)))

    def test_what_the_user_gives_for_the_pod_stands_in_the_pod(self):
        given = values("everything")
        documents = render(given)
        spec = pod(documents)["spec"]
        for key in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName",
                    "runtimeClassName"):
            self.assertEqual(spec[key], given[key], key)
        self.assertEqual(spec["imagePullSecrets"], [{"name": "registry"}])
        self.assertEqual(spec["serviceAccountName"], one(documents, "ServiceAccount")["metadata"]["name"])
        self.assertIs(spec["automountServiceAccountToken"], True)
        self.assertEqual(spec["securityContext"]["runAsUser"], 1000)
        self.assertIs(container(documents)["securityContext"]["privileged"], False)
        self.assertEqual(container(documents)["imagePullPolicy"], "Always")
        self.assertEqual(container(documents)["resources"]["limits"], {"memory": "512Mi"})
        self.assertEqual(container(documents)["startupProbe"]["failureThreshold"], 60)
        self.assertEqual(pod(documents)["metadata"]["annotations"]["example.com/note"], "everything")
        self.assertEqual(pod(documents)["metadata"]["labels"]["tier"], "edge")

    def test_a_null_takes_a_security_default_out(self):
        """OpenShift gives each namespace user ids of its own."""
        given = changed("defaults", podSecurityContext={"runAsUser": None, "runAsGroup": None, "fsGroup": None})
        self.assertEqual(set(pod(render(given))["spec"]["securityContext"]), {"runAsNonRoot", "seccompProfile"})

    def test_a_digest_wins_over_the_tag(self):
        digest = "sha256:" + "0" * 64
        for image, expected in [
            ({}, "dinggate:0.1.0"),
            ({"tag": "1.2"}, "dinggate:1.2"),
            ({"tag": "1.2", "digest": digest}, f"dinggate@{digest}"),
        ]:
            with self.subTest(image=image):
                self.assertEqual(container(render(changed("defaults", image=image)))["image"], expected)

    def test_telemetry_names_the_pod_unless_the_user_does(self):
        def attributes(given):
            env = container(render(given))["env"]
            return [variable["value"] for variable in env if variable["name"] == "OTEL_RESOURCE_ATTRIBUTES"]

        (own,) = attributes(values("defaults"))
        self.assertIn("k8s.pod.name=$(POD_NAME)", own)
        users = {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "a=b"}
        self.assertEqual(attributes(changed("defaults", extraEnv=[users])), ["a=b"])
