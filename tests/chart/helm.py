"""Runs Helm on the chart and reads what it renders."""

import functools
import json
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/dinggate"
HELMS = [ROOT / ".tools/helm/helm3", ROOT / ".tools/helm/helm4"]
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
SECRETS = "/etc/dinggate/secrets"


class Refused(Exception):
    """Helm refused the chart or the values; the text is what it said."""


def values(scenario):
    return yaml.safe_load((CHART / f"ci/{scenario}-values.yaml").read_text())


def changed(scenario, **overrides):
    """The scenario's values with some replaced: changed("defaults", config__auth__mode="x")."""
    given = values(scenario)
    for path, value in overrides.items():
        *parents, last = path.split("__")
        node = given
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return given


def run(helm, command, *arguments, stdin=None):
    done = subprocess.run([helm, command, *arguments], input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def render(given, helm=HELMS[-1], release="demo", kubernetes="1.36.0"):
    """Returns the rendered documents."""
    text = rendered(json.dumps(given), helm, release, kubernetes)
    # The parser in C: the other one takes longer than Helm.
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


@functools.cache
def rendered(given, helm, release, kubernetes):
    """Values go in on standard input, as JSON, which is YAML too."""
    arguments = [release, CHART, "--namespace", "chat", "--kube-version", kubernetes, "--values", "-"]
    return run(helm, "template", *arguments, stdin=given)


def notes(given):
    """What a user reads after the installation. Helm 3 would want a cluster for this."""
    arguments = ["demo", CHART, "--namespace", "chat", "--dry-run=client", "--values", "-"]
    return run(HELMS[-1], "install", *arguments, stdin=json.dumps(given)).partition("\nNOTES:\n")[2]


def one(documents, kind, suffix=""):
    """The one document of this kind whose name ends so."""
    found = [d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, f"{len(found)} documents of kind {kind}"
    return found[0]


def kinds(documents):
    return [document["kind"] for document in documents]


def pod(documents):
    return one(documents, "Deployment")["spec"]["template"]


def container(documents):
    (only,) = pod(documents)["spec"]["containers"]
    return only


def config_file(documents):
    found = [d["data"]["dinggate.toml"] for d in documents if "dinggate.toml" in (d.get("data") or {})]
    assert len(found) == 1, f"{len(found)} configuration files"
    return found[0]
