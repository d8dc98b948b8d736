"""Wrong values are refused: by the schema, or with a sentence that has the way out."""

import unittest

import helm
from helm import HELMS, changed, render


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
            ({"config__auth": {"mode": ["none"]}}, "keep others away"),
            ({"secrets__existingSecret": ""}, "set secrets.existingSecret"),
            ({"config__audit": {"path": "/var/log/dinggate/a.jsonl"}}, "set audit.volume"),
            ({"config__auth__jwt": [{"jwks_file": "/etc/dinggate/jwks/a"}]}, "set auth.jwks.existingSecret"),
            ({"config__auth__jwt": [{"jwks_ca_file": "/etc/dinggate/kubernetes/ca"}]}, "set auth.kubernetes.enabled"),
            ({"config__server": {"tls": {"cert": "/etc/dinggate/tls/tls.crt"}}}, "set tls.existingSecret"),
            ({"config__server": {"grpc_addr": "0.0.0.0"}}, "config.server.grpc_addr must end in a port"),
            ({"config__server": {"http_addr": "0.0.0.0:0"}}, "config.server.http_addr must end in a port"),
            ({"config__server": {"drain_delay": "a while"}}, "config.server.drain_delay is a while"),
            ({"terminationGracePeriodSeconds": 40}, "draining may take 35 s"),
            ({"terminationGracePeriodSeconds": 45, "preStopSleepSeconds": 10}, "give at least 51"),
            ({"tls": {"existingSecret": "a", "certManager": {"enabled": True}}}, "keep one of them"),
            ({"tls": {"certManager": {"enabled": True}}}, "set tls.certManager.issuerRef.name"),
            ({"tls": {"clientCa": {"existingSecret": "ca"}}}, "the port speaks plaintext"),
            ({"autoscaling": {"enabled": True, "minReplicas": 7}}, "minReplicas is more than"),
            ({"autoscaling": {"enabled": True, "targetCPU": None}}, "autoscaling has nothing to go by"),
            ({"grpcRoute": {"enabled": True}}, "set grpcRoute.parentRefs"),
            ({"ingress": {"enabled": True}}, "set ingress.hosts"),
            ({"config__events": {"callback_addr": "0.0.0.0"}}, "config.events.callback_addr must end in a port"),
            ({"config__events": {"callback": {"demo": {"token_file": "/etc/dinggate/callbacks/t"}}}},
             "set events.callbacks.existingSecret"),
            ({"events__callbacks__existingSecret": "callbacks"}, "has secrets of no app"),
            ({"ingress__hosts": [{"host": "a", "paths": [{"path": "/callback", "port": "callback"}]}]},
             "a/callback leads to the port callback, which is not there"),
            ({"sandbox": {"enabled": True}}, "or the sandbox"),
        ]:
            with self.subTest(overrides=overrides), self.assertRaisesRegex(helm.Refused, sentence):
                render(changed("defaults", **overrides))

    def test_the_least_grace_period_that_is_named_is_enough(self):
        render(changed("defaults", terminationGracePeriodSeconds=41))

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
            {"redis__url": "redis://redis"},
            {"auth__kubernetes__expirationSeconds": 60},
            {"tls__certManager__issuer": "x"},
            {"tls__certManager__duration": "90 days"},
            {"autoscaling__minReplicas": 0},
            {"autoscaling__cpu": 70},
            {"podAntiAffinity": "strict"},
            {"podDisruptionBudget__maxUnavailable": "half"},
            {"maxSurge": "some"},
            {"ingress__hosts": [{"host": "a", "paths": [{"path": "/", "port": "https"}]}]},
            {"networkPolicy__from": []},
            {"events__callbacks__token": "x"},
            {"config__events": {"callback_addr": 8081}},
            {"metrics__serviceMonitor__intervall": "30s"},
            {"metrics__dashboards__labels": {"grafana_dashboard": 1}},
            {"terminationGracePeriodSeconds": "45s"},
            {"podLabels__tier": 1},
            {"config__apps": {"alias": "demo"}},
            {"config__auth__mode": "password"},
            {"config__auth__insecure_allow_remote": "true"},
        ]:
            for helm_binary in HELMS:
                with self.subTest(overrides=overrides, helm=helm_binary.name):
                    with self.assertRaisesRegex(helm.Refused, "don't meet the specifications of the schema"):
                        render(changed("defaults", **overrides), helm=helm_binary)
