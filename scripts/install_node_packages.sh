#!/usr/bin/env bash
# Installs the packages that a directory's package-lock.json pins. Does nothing when up to date.
#
#     scripts/install_node_packages.sh DIRECTORY
set -euo pipefail
cd "$1"

if cmp -s package-lock.json node_modules/installed.json; then
    exit 0
fi
npm ci --silent --no-audit --no-fund
cp package-lock.json node_modules/installed.json
