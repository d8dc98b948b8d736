#!/usr/bin/env bash
# Makes stand-ins for the two bases of the Dockerfile, under their names, from Debian packages: so the Dockerfile can be
# built unchanged where no image registry is in reach. Does nothing when they are there. They prove the recipe, not the
# published bases. Called by check_image.sh, with CONTAINERS_STORAGE_CONF set.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
default_of() {
    sed -n "s/^ARG $1=//p" Dockerfile
}

# commit ROOT_TAR NAME CONFIG...: an image of these files.
commit() {
    local container
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$1" /
    buildah config "${@:3}" "$container"
    buildah commit --quiet --rm "$container" "$2"
}

# A Debian with a C compiler. The Rust toolchain is the machine's own, mounted in for the build.
rust=$(default_of RUST_IMAGE)
if ! buildah inspect --type image "$rust" >/dev/null 2>&1; then
    mmdebstrap --quiet --variant=minbase --include=gcc,libc6-dev,ca-certificates bookworm "$scratch/rust.tar"
    commit "$scratch/rust.tar" "$rust" --env CARGO_HOME=/usr/local/cargo \
        --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
fi

# As distroless: unpacked packages without what they depend on for their installation, no shell, no package manager, a
# user that is not root.
base=$(default_of BASE_IMAGE)
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$scratch/passwd"
    echo 'nonroot:x:65532:' >"$scratch/group"
    mmdebstrap --quiet --variant=extract \
        --include=base-files,netbase,tzdata,libc6 \
        --extract-hook="upload $scratch/passwd /etc/passwd" \
        --extract-hook="upload $scratch/group /etc/group" \
        --extract-hook='mkdir -p "$1/etc/ssl/certs"' \
        --extract-hook="upload /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt" \
        --extract-hook='cd "$1" && rm -rf usr/bin/* usr/sbin/* usr/share/man usr/share/perl5 usr/share/debconf var/cache/*' \
        --extract-hook='rm "$1"/lib/*-linux-gnu/libgcc_s.so.1' \
        bookworm "$scratch/base.tar"
    commit "$scratch/base.tar" "$base" --user 65532:65532
fi
