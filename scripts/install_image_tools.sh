#!/usr/bin/env bash
# Installs what check_image.sh needs, from Debian's packages; says what to install where it may not.
set -euo pipefail

missing=()
for tool in buildah podman runc catatonit mmdebstrap openssl; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "needs ${missing[*]}; on Debian, as root: apt-get install buildah podman runc catatonit mmdebstrap openssl" >&2
    exit 1
fi
apt-get update --quiet
DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
