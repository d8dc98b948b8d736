#!/usr/bin/env bash
# Builds the Dockerfile on stand-in bases, without an image registry, and runs the images as the chart would: no
# capabilities, read-only, little memory. Needs root on Debian. Images and layers stay in .tools/containers.
#
#     scripts/check_image.sh [gateway|simulator]...
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_image_tools.sh

scratch=$(mktemp -d)
container=
clean_up() {
    if [ -n "$container" ]; then
        podman "${podman_options[@]}" rm --force --time 0 "$container" >/dev/null
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    if [ -n "$container" ]; then
        podman "${podman_options[@]}" logs "$container" >&2
    fi
    exit 1
}

expect() {
    [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
    echo "ok: $1 is '$2'"
}

mkdir -p .tools/containers
cat >"$scratch/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$PWD/.tools/containers/storage"
runroot = "$PWD/.tools/containers/run"
END
export CONTAINERS_STORAGE_CONF=$scratch/storage.conf
podman_options=(--runtime runc --cgroup-manager cgroupfs --events-backend file)

# The host's Rust toolchain takes the place of the one in the Rust image; its CA certificates let cargo fetch crates.
build() {
    local toolchain
    toolchain=$(rustc --print sysroot)
    buildah bud --isolation chroot --pull-never --format docker --layers \
        --volume "$toolchain/bin:/usr/local/cargo/bin:ro" --volume "$toolchain/lib:/usr/local/cargo/lib:ro" \
        --volume /etc/ssl/certs:/etc/ssl/certs:ro \
        --build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" \
        --build-arg "REVISION=$(git rev-parse HEAD)" \
        --target "$1" --tag "localhost/dinggate-$1" .
}

inspect() {
    buildah inspect --type image --format "{{ $2 }}" "localhost/dinggate-$1"
}

check_what_it_says() {
    expect "$1: user" "$(inspect "$1" .Docker.Config.User)" 65532:65532
    expect "$1: entrypoint" "$(inspect "$1" .Docker.Config.Entrypoint)" "[/usr/local/bin/dinggate]"
    expect "$1: licence label" "$(inspect "$1" 'index .Docker.Config.Labels "org.opencontainers.image.licenses"')" Apache-2.0
    local size
    size=$(podman "${podman_options[@]}" image inspect --format '{{ .Size }}' "localhost/dinggate-$1")
    [ "$size" -lt $((64 * 1024 * 1024)) ] || fail "$1: the image has $size bytes, more than 64 MiB"
    echo "ok: $1: size is $((size / 1024 / 1024)) MiB"
}

free_ports() {
    python3 - <<'END'
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))
END
}

# start TARGET [OPTION...] [-- ARGUMENT...]: options are podman's, arguments the program's.
start() {
    local image=localhost/dinggate-$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    container=$(podman "${podman_options[@]}" run --detach --no-healthcheck --network host \
        --read-only --read-only-tmpfs=false --cap-drop ALL --security-opt no-new-privileges \
        --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --memory 64m \
        "${options[@]}" "$image" "${@:2}")
}

run_gateway() {
    read -r grpc http < <(free_ports)
    mkdir "$scratch/secrets"
    echo a-secret >"$scratch/secrets/demo"
    cat >"$scratch/dinggate.toml" <<END
[server]
grpc_addr = "127.0.0.1:$grpc"
http_addr = "127.0.0.1:$http"
drain_delay = "1s"

[[apps]]
alias = "demo"
app_key = "dingdemo"
app_secret_file = "/etc/dinggate/secrets/demo"
corp_id = "dingcorp"
region = "com"
END
    chmod -R a+rX "$scratch"
    start gateway --volume "$scratch/dinggate.toml:/etc/dinggate/dinggate.toml:ro" \
        --volume "$scratch/secrets:/etc/dinggate/secrets:ro"
}

run_simulator() {
    read -r dingtalk _ < <(free_ports)
    start simulator -- simulator --dingtalk-addr "127.0.0.1:$dingtalk"
}

gateway_answers() {
    podman "${podman_options[@]}" exec "$container" /usr/local/bin/dinggate health --addr "127.0.0.1:$grpc"
}

simulator_answers() {
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "http://127.0.0.1:$dingtalk/_sim/state"
}

check_how_it_runs() {
    local deadline=$(($(date +%s%N) + 2000000000)) pid
    until "$1_answers" >"$scratch/answer" 2>&1; do
        [ "$(date +%s%N)" -lt "$deadline" ] || fail "$1: no good answer within 2 s: $(cat "$scratch/answer")"
    done
    echo "ok: $1: answers within 2 s"

    pid=$(podman "${podman_options[@]}" inspect --format '{{ .State.Pid }}' "$container")
    status_of() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }
    expect "$1: user id of the process" "$(status_of Uid)" 65532
    expect "$1: effective capabilities" "$(status_of CapEff)" 0000000000000000
    expect "$1: bounding capabilities" "$(status_of CapBnd)" 0000000000000000
    expect "$1: no new privileges" "$(status_of NoNewPrivs)" 1
    echo "$1: $(status_of VmRSS) kB resident when idle"
    if podman "${podman_options[@]}" exec "$container" /bin/sh -c true 2>/dev/null; then
        fail "$1: there is a shell in the image"
    fi
    echo "ok: $1: no shell"

    podman "${podman_options[@]}" kill --signal TERM "$container" >/dev/null
    expect "$1: exit code after SIGTERM" "$(timeout 45 podman "${podman_options[@]}" wait "$container")" 0
    podman "${podman_options[@]}" rm "$container" >/dev/null
    container=
}

scripts/standin_bases.sh
[ $# -gt 0 ] || set -- gateway simulator
for target in "$@"; do
    build "$target"
    check_what_it_says "$target"
    "run_$target"
    check_how_it_runs "$target"
done
echo "image: all checks passed"
