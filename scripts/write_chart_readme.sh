#!/usr/bin/env bash
# Writes the parameters in helm/dinggate/README.md from the comments of values.yaml; with --check, only compares. Installs
# the generator into .tools/chart_readme, pinned, when it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."

pinned=scripts/chart_readme tools=.tools/chart_readme readme=helm/dinggate/README.md
if ! cmp -s $pinned/package-lock.json $tools/package-lock.json; then
    command -v npm >/dev/null || { echo "needs Node.js 20 or newer with npm" >&2; exit 1; }
    rm -rf $tools
    mkdir -p $tools
    cp $pinned/package.json $pinned/package-lock.json $tools/
    npm ci --prefix $tools --ignore-scripts --no-audit --no-fund --silent || { rm -r $tools; exit 1; }
fi

written=$(mktemp)
trap 'rm -f "$written"' EXIT
cp $readme "$written"
$tools/node_modules/.bin/readme-generator --values helm/dinggate/values.yaml --readme "$written" >/dev/null
if [ "${1:-}" != --check ]; then
    cat "$written" >$readme
elif ! cmp -s "$written" $readme; then
    echo "$readme does not fit values.yaml: run make chart-docs" >&2
    exit 1
fi
