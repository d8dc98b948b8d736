"""The objects around the pod: services, routes, scaling, policies, monitoring."""

import json
import unittest

from helm import CHART, changed, container, kinds, one, pod, render, values


class Selection(unittest.TestCase):
    def test_selectors_match_the_pods_and_nothing_a_user_sets_changes_them(self):
        for scenario, number in (("defaults", 5), ("everything", 7)):
            documents = render(changed(scenario, replicas=2, service__headless__enabled=True,
                                       networkPolicy__enabled=True))
            labels = pod(documents)["metadata"]["labels"].items()
            specs = [d["spec"] for d in documents if d["kind"] != "ServiceMonitor" and "spec" in d]
            selectors = [spec[key] for spec in specs for key in ("selector", "podSelector") if key in spec]
            self.assertEqual(len(selectors), number)
            for selector in selectors:
                with self.subTest(scenario=scenario):
                    selected = selector.get("matchLabels", selector)
                    self.assertLessEqual({"app.kubernetes.io/name", "app.kubernetes.io/instance"}, selected.keys())
                    self.assertLessEqual(selected.items(), labels)
                    self.assertNotIn("stolen", str(selector))
                    for test in (d for d in documents if d["kind"] == "Pod"):
                        self.assertFalse(selected.items() <= test["metadata"]["labels"].items())

    def test_the_service_monitor_finds_the_metrics_service_alone(self):
        documents = render(values("production"))
        selector = one(documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
        found = [d["metadata"]["name"] for d in documents
                 if d["kind"] == "Service" and selector <= d["metadata"]["labels"].items()]
        self.assertEqual(found, ["demo-dinggate-metrics"])

    def test_common_labels_and_annotations_are_everywhere(self):
        own = {"demo-extra", "dingtalk-gate-text"}
        for document in render(values("everything")):
            if document["metadata"]["name"] not in own:
                with self.subTest(kind=document["kind"]):
                    self.assertEqual(document["metadata"]["labels"]["team"], "chat")
                    self.assertEqual(document["metadata"]["annotations"]["example.com/contact"], "chat-team")

    def test_names_fit_a_dns_label(self):
        for override in ({}, {"fullnameOverride": "x" * 80}, {"nameOverride": "y" * 80}):
            given = changed("production", service__headless__enabled=True, **override)
            for document in render(given, release="a-release-name-of-the-greatest-length-that-is-allowed"):
                with self.subTest(kind=document["kind"], override=override):
                    self.assertRegex(document["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
                    for value in document["metadata"]["labels"].values():
                        self.assertLessEqual(len(value), 63)

    def test_a_release_name_of_digits_stays_text(self):
        labels = pod(render(values("defaults"), release="2026"))["metadata"]["labels"]
        self.assertEqual(labels["app.kubernetes.io/instance"], "2026")


class Scaling(unittest.TestCase):
    def test_replicas_are_left_to_the_autoscaler(self):
        self.assertEqual(one(render(values("defaults")), "Deployment")["spec"]["replicas"], 1)
        documents = render(values("production"))
        self.assertNotIn("replicas", one(documents, "Deployment")["spec"])
        scaler = one(documents, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual((scaler["minReplicas"], scaler["maxReplicas"]), (3, 9))
        self.assertEqual(scaler["scaleTargetRef"]["name"], one(documents, "Deployment")["metadata"]["name"])
        self.assertEqual([metric["resource"]["name"] for metric in scaler["metrics"]], ["cpu"])

    def test_no_replicas_is_a_number_too(self):
        self.assertEqual(one(render(changed("defaults", replicas=0)), "Deployment")["spec"]["replicas"], 0)

    def test_a_disruption_budget_is_for_more_than_one_replica(self):
        for given, budgets in [
            ({"replicas": 0}, 0),
            ({"replicas": 1}, 0),
            ({"replicas": 2}, 1),
            ({"replicas": 2, "podDisruptionBudget__enabled": False}, 0),
            ({"autoscaling": {"enabled": True, "minReplicas": 1}}, 0),
            ({"autoscaling": {"enabled": True, "minReplicas": 2}}, 1),
        ]:
            with self.subTest(given=given):
                self.assertEqual(kinds(render(changed("defaults", **given))).count("PodDisruptionBudget"), budgets)

    def test_a_disruption_budget_says_one_thing(self):
        for given, expected in [
            ({}, {"maxUnavailable": 1}),
            ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
            ({"minAvailable": 0}, {"minAvailable": 0}),
            ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
        ]:
            with self.subTest(given=given):
                documents = render(changed("defaults", replicas=2, podDisruptionBudget=given))
                spec = one(documents, "PodDisruptionBudget")["spec"]
                del spec["selector"]
                self.assertEqual(spec, expected)

    def test_each_replica_knows_how_many_parts_to_make(self):
        scaled = {"enabled": True, "minReplicas": 2, "maxReplicas": 5}
        for given, expected in [
            ({"replicas": 0}, "1"),
            ({"replicas": 3}, "3"),
            # Replicas that share nothing cannot know how many the autoscaler has started.
            ({"autoscaling": scaled}, "5"),
            ({"autoscaling": scaled, "redis__existingSecret": "redis"}, "2"),
        ]:
            with self.subTest(given=given):
                env = container(render(changed("defaults", **given)))["env"]
                self.assertIn({"name": "DINGGATE__STORE__REPLICAS", "value": expected}, env)


class Network(unittest.TestCase):
    def test_ports_follow_the_configuration(self):
        documents = render(values("everything"))
        ports = {port["name"]: port["containerPort"] for port in container(documents)["ports"]}
        self.assertEqual(ports, {"grpc": 6000, "http": 6001, "callback": 6002})
        service = one(documents, "Service", "dingtalk-gate")["spec"]["ports"]
        led = [(port["port"], port["targetPort"]) for port in service]
        self.assertEqual(led, [(80, "grpc"), (8080, "http"), (8443, "callback")])
        headless = one(documents, "Service", "-headless")["spec"]
        self.assertEqual((headless["clusterIP"], headless["ports"][0]["port"]), ("None", 6000))
        metrics = one(documents, "Service", "-metrics")["spec"]
        self.assertEqual((metrics["ports"][0]["port"], metrics["publishNotReadyAddresses"]), (6001, True))

    def test_every_port_named_anywhere_is_one_of_the_container(self):
        documents = render(values("everything"))
        known = {port["name"] for port in container(documents)["ports"]}
        policy = one(documents, "NetworkPolicy")["spec"]
        service = {port["name"] for port in one(documents, "Service", "dingtalk-gate")["spec"]["ports"]}
        used = {port["targetPort"] for d in documents if d["kind"] == "Service" for port in d["spec"]["ports"]}
        used |= {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        used |= {one(documents, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"]}
        paths = one(documents, "Ingress")["spec"]["rules"][0]["http"]["paths"]
        used |= {path["backend"]["service"]["port"]["name"] for path in paths}
        self.assertEqual(used, known)
        self.assertEqual(service, known)

    def test_the_grpc_port_says_what_it_speaks(self):
        for scenario, expected in [("defaults", "kubernetes.io/h2c"), ("tls-secret", "https"), ("everything", "grpc")]:
            with self.subTest(scenario=scenario):
                for service in (d for d in render(values(scenario)) if d["kind"] == "Service"):
                    for port in service["spec"]["ports"]:
                        if port["name"] == "grpc":
                            self.assertEqual(port["appProtocol"], expected)

    def test_routes_lead_to_the_service(self):
        documents = render(values("everything"))
        (rule,) = one(documents, "GRPCRoute")["spec"]["rules"]
        service = one(documents, "Service", "dingtalk-gate")
        self.assertEqual(rule["backendRefs"], [{"name": service["metadata"]["name"], "port": 80}])
        (host,) = one(documents, "Ingress")["spec"]["rules"]
        names = {path["backend"]["service"]["name"] for path in host["http"]["paths"]}
        self.assertEqual(names, {service["metadata"]["name"]})

    def test_nothing_is_routed_or_restricted_unless_asked(self):
        self.assertEqual(
            set(kinds(render(values("defaults")))),
            {"ServiceAccount", "ConfigMap", "Service", "Deployment", "Pod"},
        )


class Policy(unittest.TestCase):
    def policy(self, **overrides):
        return one(render(changed("defaults", networkPolicy__enabled=True, **overrides)), "NetworkPolicy")["spec"]

    def ports(self, policy):
        return [port["port"] for rule in policy["egress"] for port in rule["ports"]]

    def test_only_what_is_configured_may_go_out(self):
        for overrides, expected in [
            ({}, [53, 53, 443]),
            ({"redis__existingSecret": "redis"}, [53, 53, 443, 6379]),
            ({"config__store": {"kind": "redis", "url": "redis://r:6379"}}, [53, 53, 443, 6379]),
            ({"config__telemetry": {"otlp_endpoint": "http://o:4317"}}, [53, 53, 443, 4317]),
            ({"auth__kubernetes__enabled": True}, [53, 53, 443, 443, 6443]),
        ]:
            with self.subTest(overrides=overrides):
                self.assertEqual(self.ports(self.policy(**overrides)), expected)

    def test_dingtalk_is_not_in_a_private_network(self):
        (block, six) = self.policy()["egress"][1]["to"]
        self.assertEqual((block["ipBlock"]["cidr"], six["ipBlock"]["cidr"]), ("0.0.0.0/0", "::/0"))
        self.assertLessEqual({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}, set(block["ipBlock"]["except"]))

    def test_callers_come_from_the_namespace_unless_named(self):
        grpc, http = self.policy()["ingress"]
        self.assertEqual((grpc["from"], grpc["ports"][0]["port"]), ([{"podSelector": {}}], "grpc"))
        self.assertEqual((http["from"], http["ports"][0]["port"]), ([{"namespaceSelector": {}}], "http"))
        grpc, _ = one(render(values("production")), "NetworkPolicy")["spec"]["ingress"]
        self.assertEqual(grpc["from"], values("production")["networkPolicy"]["grpcFrom"])

    def test_pushes_come_to_a_port_of_their_own_or_to_none(self):
        addr = {"mode": "callback", "callback_addr": "0.0.0.0:8081"}
        *_, callback = self.policy(config__events=addr)["ingress"]
        self.assertEqual((callback["from"], callback["ports"][0]["port"]), ([{"namespaceSelector": {}}], "callback"))
        *_, callback = one(render(values("everything")), "NetworkPolicy")["spec"]["ingress"]
        self.assertEqual(callback["from"], values("everything")["networkPolicy"]["callbackFrom"])
        self.assertEqual([rule["ports"][0]["port"] for rule in self.policy()["ingress"]], ["grpc", "http"])

    def test_the_users_rules_stand_beside_the_charts(self):
        given = values("everything")["networkPolicy"]["egress"]
        policy = one(render(values("everything")), "NetworkPolicy")["spec"]
        peers = [rule["to"] for rule in policy["egress"]]
        self.assertEqual(peers, [given[key] for key in ("dnsTo", "dingtalkTo", "redisTo", "otlpTo", "kubernetesTo")]
                         + [given["extra"][0]["to"]])
        self.assertEqual(self.ports(policy), [53, 53, 443, 6380, 4318, 443, 6443, 8443])


class Monitoring(unittest.TestCase):
    def test_metrics_are_scraped_from_the_http_port(self):
        documents = render(values("everything"))
        for kind, key in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
            (endpoint,) = one(documents, kind)["spec"][key]
            with self.subTest(kind=kind):
                self.assertEqual((endpoint["port"], endpoint["path"], endpoint["interval"]), ("http", "/metrics", "15s"))
                self.assertEqual(endpoint["relabelings"][0]["replacement"], "east")
                self.assertEqual(endpoint["metricRelabelings"][0]["action"], "drop")
                self.assertEqual(one(documents, kind)["metadata"]["labels"]["prometheus"], "chat")

    def test_alerts_can_be_left_out_and_link_to_their_runbook(self):
        def alerts(scenario):
            groups = one(render(values(scenario)), "PrometheusRule")["spec"]["groups"]
            return {rule["alert"]: rule for group in groups for rule in group["rules"]}

        every, some = alerts("production"), alerts("everything")
        self.assertEqual(every.keys() - some.keys(), {"DinggateQueueLong"})
        for name, rule in some.items():
            link = f"https://docs.example.com/dinggate/runbook#{name.lower()}"
            self.assertEqual(rule["annotations"]["runbook_url"], link)

    def test_dashboards_are_shipped_as_they_are(self):
        documents = render(values("everything"))
        shipped = one(documents, "ConfigMap", "-dashboards")
        files = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}
        self.assertTrue(files)
        self.assertEqual({name: json.loads(text) for name, text in shipped["data"].items()}, files)
        self.assertEqual(shipped["metadata"]["labels"]["grafana_dashboard"], "chat")


class ExtraObjects(unittest.TestCase):
    def test_maps_and_texts_are_templates(self):
        documents = render(values("everything"))
        self.assertEqual(one(documents, "ConfigMap", "demo-extra")["data"], {"namespace": "chat"})
        self.assertEqual(one(documents, "ConfigMap", "dingtalk-gate-text")["data"], {})
