#!/usr/bin/env bash
# Provides promtool, which checks the alert rules, and prometheus, which draws the dashboards (make draw-dashboards).
# Where it may not install them, it says what to do.
set -euo pipefail

if command -v promtool >/dev/null; then
    exit 0
fi
missing() {
    echo "the checks of the alerts need promtool on the PATH; on Debian: apt-get install prometheus" >&2
    exit 1
}
command -v apt-get >/dev/null || missing
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    missing
fi
# The package starts a server where there is an init system; only the programs are wanted.
"${as_root[@]}" apt-get update --quiet --quiet || missing
"${as_root[@]}" apt-get install --quiet --quiet --yes --no-install-recommends prometheus >/dev/null || missing
command -v promtool >/dev/null || missing
echo "installed $(promtool --version 2>&1 | head -n 1)"
