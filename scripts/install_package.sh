#!/usr/bin/env bash
# install_package.sh PROGRAM PACKAGE REASON: provides a program from its Debian package. Does nothing when it is there.
# Where it may not install it, it says what to do.
set -euo pipefail
program=$1 package=$2 reason=$3

if command -v "$program" >/dev/null; then
    exit 0
fi
missing() {
    echo "$reason $program on the PATH; on Debian: apt-get install $package" >&2
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
# A package may start a server where there is an init system; only the programs are wanted.
"${as_root[@]}" apt-get update --quiet --quiet || missing
"${as_root[@]}" apt-get install --quiet --quiet --yes --no-install-recommends "$package" >/dev/null || missing
command -v "$program" >/dev/null || missing
echo "installed $(dpkg-query --show "$package")"
