#!/usr/bin/env bash
# Builds the Dockerfile on stand-in bases, without an image registry, and runs the images as the chart would: no
# capabilities, read-only, little memory. Needs root on Debian. Images and layers stay in .tools/containers.
#
#     scripts/check_image.sh [gateway|simulator]...
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_image_tools.sh
scripts/install_python_tools.sh
scripts/install_python_tools.sh scripts/image_requirements.txt .tools/image
scripts/install_helm.sh

scratch=$(mktemp -d)
container=
clean_up() {
    if [ -n "$container" ]; then
        podman "${podman_options[@]}" rm --force --time 0 "$container" >/dev/null
    fi
    if [ -e "$scratch/pod.yaml" ]; then
        podman "${podman_options[@]}" play kube --down "$scratch/pod.yaml" >/dev/null 2>&1 || true
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
printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n' >"$scratch/containers.conf"
export CONTAINERS_STORAGE_CONF=$scratch/storage.conf CONTAINERS_CONF=$scratch/containers.conf
podman_options=(--runtime runc --cgroup-manager cgroupfs --events-backend file)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD)

# The host's Rust toolchain takes the place of the one in the Rust image; its CA certificates let cargo fetch crates.
build() {
    local toolchain found
    toolchain=$(rustc --print sysroot)
    buildah bud --isolation chroot --pull-never --format docker --layers \
        --volume "$toolchain/bin:/usr/local/cargo/bin:ro" --volume "$toolchain/lib:/usr/local/cargo/lib:ro" \
        --volume /etc/ssl/certs:/etc/ssl/certs:ro \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
        --target "$1" --tag "localhost/dinggate-$1" --iidfile "$scratch/id" .
    # Podman writes down where its images are, and goes on looking there when the folder has been moved or copied.
    found=$(podman "${podman_options[@]}" image inspect --format 'sha256:{{ .Id }}' "localhost/dinggate-$1")
    [ "$found" = "$(<"$scratch/id")" ] ||
        fail "$1: podman has another image than was just built; remove .tools/containers and run this again"
}

inspect() {
    buildah inspect --type image --format "{{ $2 }}" "localhost/dinggate-$1"
}

label() {
    inspect "$1" "index .Docker.Config.Labels \"org.opencontainers.image.$2\""
}

# Megabytes that an image may have, its base included.
declare -A limit=([gateway]=40 [simulator]=42)

check_what_it_says() {
    expect "$1: user" "$(inspect "$1" .Docker.Config.User)" 65532:65532
    expect "$1: entrypoint" "$(inspect "$1" .Docker.Config.Entrypoint)" "[/usr/local/bin/dinggate]"
    expect "$1: title" "$(label "$1" title)" "$([ "$1" = gateway ] && echo dinggate || echo "dinggate-$1")"
    expect "$1: licence" "$(label "$1" licenses)" Apache-2.0
    expect "$1: version" "$(label "$1" version)" "$version"
    expect "$1: revision" "$(label "$1" revision)" "$revision"
    local size
    size=$(podman "${podman_options[@]}" image inspect --format '{{ .Size }}' "localhost/dinggate-$1")
    [ "$size" -lt $((${limit[$1]} * 1000 * 1000)) ] || fail "$1: the image has $size bytes, more than ${limit[$1]} MB"
    echo "ok: $1: size is $size bytes, below ${limit[$1]} MB"
}

check_waste() {
    podman "${podman_options[@]}" save --quiet --format docker-archive --output "$scratch/$1.tar" "localhost/dinggate-$1"
    .tools/image/bin/dive --ci --source docker-archive --lowestEfficiency 0.99 --highestUserWastedPercent 0.01 \
        "$scratch/$1.tar" >"$scratch/dive" 2>&1 || fail "$1: layers with waste: $(cat "$scratch/dive")"
    rm "$scratch/$1.tar"
    echo "ok: $1: no waste in its layers"
}

free_ports() {
    python3 - <<'END'
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
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
        --memory 64m \
        "${options[@]}" "$image" "${@:2}")
}

# What the gateway finds in the folders that the chart mounts. Its hosts are those of tests/image/in_flight.py.
write_configuration() {
    mkdir -p "$scratch/secrets" "$scratch/tls"
    echo a-secret >"$scratch/secrets/slow"
    cat >"$scratch/dinggate.toml" <<END
[server]
grpc_addr = "127.0.0.1:$grpc"
http_addr = "127.0.0.1:$http"
drain_delay = "1s"

[[apps]]
alias = "slow"
app_key = "dingslow"
app_secret_file = "/etc/dinggate/secrets/slow"
api_url = "http://127.0.0.1:$upstream"
oapi_url = "http://127.0.0.1:$upstream"
expose_token = true
END
    chmod -R a+rX "$scratch"
}

run_gateway() {
    read -r grpc http upstream < <(free_ports)
    write_configuration
    start gateway --volume "$scratch/dinggate.toml:/etc/dinggate/dinggate.toml:ro" \
        --volume "$scratch/secrets:/etc/dinggate/secrets:ro" --volume "$scratch/tls:/etc/dinggate/tls:ro"
}

run_simulator() {
    read -r dingtalk _ _ < <(free_ports)
    start simulator -- simulator --dingtalk-addr "127.0.0.1:$dingtalk"
}

gateway_answers() {
    podman "${podman_options[@]}" exec "$container" /usr/local/bin/dinggate health --addr "127.0.0.1:$grpc"
}

simulator_answers() {
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "http://127.0.0.1:$dingtalk/_sim/state"
}

answers_within_2_s() {
    local deadline=$(($(date +%s%N) + 2000000000))
    until "$1" >"$scratch/answer" 2>&1; do
        [ "$(date +%s%N)" -lt "$deadline" ] || fail "$1: no good answer within 2 s: $(cat "$scratch/answer")"
    done
}

check_how_it_runs() {
    local pid
    answers_within_2_s "$1_answers"
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

    "$1_stops"
    expect "$1: exit code after SIGTERM" "$(timeout 45 podman "${podman_options[@]}" wait "$container")" 0
    podman "${podman_options[@]}" rm "$container" >/dev/null
    container=
}

gateway_stops() {
    .tools/venv/bin/python tests/image/in_flight.py "127.0.0.1:$grpc" "127.0.0.1:$http" "$upstream" \
        podman "${podman_options[@]}" kill --signal TERM "$container" || fail "gateway: a call in flight was lost"
    echo "ok: gateway: a call in flight ends well after SIGTERM"
}

simulator_stops() {
    podman "${podman_options[@]}" kill --signal TERM "$container" >/dev/null
}

gateway_speaks_tls() {
    podman "${podman_options[@]}" exec "$container" /usr/local/bin/dinggate health --addr "https://127.0.0.1:$grpc" \
        --ca /etc/dinggate/tls/tls.crt --server-name dinggate.test
}

check_tls() {
    read -r grpc http upstream < <(free_ports)
    write_configuration
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=dinggate.test \
        -addext subjectAltName=DNS:dinggate.test -addext basicConstraints=critical,CA:FALSE \
        -keyout "$scratch/tls/tls.key" -out "$scratch/tls/tls.crt" 2>/dev/null
    printf '\n[server.tls]\ncert = "/etc/dinggate/tls/tls.crt"\nkey = "/etc/dinggate/tls/tls.key"\n' >>"$scratch/dinggate.toml"
    chmod -R a+rX "$scratch"
    start gateway --volume "$scratch/dinggate.toml:/etc/dinggate/dinggate.toml:ro" \
        --volume "$scratch/secrets:/etc/dinggate/secrets:ro" --volume "$scratch/tls:/etc/dinggate/tls:ro"
    answers_within_2_s gateway_speaks_tls
    echo "ok: gateway: TLS handshake"
    podman "${podman_options[@]}" rm --force --time 0 "$container" >/dev/null
    container=
}

# The pod that the chart renders, in its sandbox mode, which needs no ConfigMap. Two things are podman's: it maps no ports
# in the host's network, and it knows no gRPC probes, so health is asked by hand.
check_rendered_pod() {
    read -r grpc http _ < <(free_ports)
    .tools/helm/helm4 template image helm/dinggate --show-only templates/deployment.yaml \
        --set sandbox.enabled=true,tests.enabled=false,image.repository=localhost/dinggate-simulator,image.tag=latest \
        --set "config.server.grpc_addr=127.0.0.1:$grpc,config.server.http_addr=127.0.0.1:$http" |
        .tools/venv/bin/python -c 'import sys, yaml
deployment = yaml.safe_load(sys.stdin)
for container in deployment["spec"]["template"]["spec"]["containers"]:
    del container["ports"]
yaml.safe_dump(deployment, sys.stdout)' >"$scratch/pod.yaml"
    podman "${podman_options[@]}" play kube --network host --quiet "$scratch/pod.yaml" >/dev/null
    container=$(podman "${podman_options[@]}" ps --quiet --filter name=image-dinggate-pod-0-dinggate)
    [ -n "$container" ] || fail "the rendered pod does not run"
    answers_within_2_s gateway_answers
    podman "${podman_options[@]}" play kube --down "$scratch/pod.yaml" >/dev/null
    container=
    echo "ok: the rendered pod starts and is healthy"
}

scripts/standin_bases.sh
[ $# -gt 0 ] || set -- gateway simulator
for target in "$@"; do
    build "$target"
    check_what_it_says "$target"
    check_waste "$target"
    "run_$target"
    check_how_it_runs "$target"
    case $target in
        gateway) check_tls ;;
        simulator) check_rendered_pod ;;
    esac
done
echo "image: all checks passed"
