#!/usr/bin/env bash
# Provides redis-server, which the tests of the store start. Where it may not install it, it says what to do.
set -euo pipefail

if command -v redis-server >/dev/null; then
    exit 0
fi
missing() {
    echo "the tests need redis-server 5 or newer on the PATH; on Debian: apt-get install redis-server" >&2
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
# The package starts a server where there is an init system; redis-tools and the binary are all that is wanted.
"${as_root[@]}" apt-get update --quiet --quiet || missing
"${as_root[@]}" apt-get install --quiet --quiet --yes --no-install-recommends redis-server >/dev/null || missing
command -v redis-server >/dev/null || missing
echo "installed $(redis-server --version)"
