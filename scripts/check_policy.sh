#!/usr/bin/env bash
# Judges the Dockerfile and what the chart renders with checkov. Each check that is skipped has its reason here.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_python_tools.sh scripts/checkov_requirements.txt .tools/checkov

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

render() {
    .tools/helm/helm4 template demo helm/dinggate --namespace chat --values "helm/dinggate/ci/$1-values.yaml" "${@:2}"
}

# judge WHAT FRAMEWORK FOLDER SKIPPED…: SKIPPED is the id of a check and a reason.
judge() {
    local what=$1 framework=$2 folder=$3 skipped=()
    for entry in "${@:4}"; do
        skipped+=(--skip-check "${entry%% *}")
    done
    if ! .tools/checkov/bin/checkov --framework "$framework" --skip-download --compact --quiet \
        --directory "$folder" "${skipped[@]}" >"$scratch/report" 2>&1; then
        cat "$scratch/report" >&2
        echo "policy: $what: faults" >&2
        exit 1
    fi
    echo "policy: $what: no faults, $(($# - 3)) skipped"
}

mkdir "$scratch/production" "$scratch/others" "$scratch/tests" "$scratch/image"
render production --set tests.enabled=false >"$scratch/production/all.yaml"
for scenario in defaults redis-secret tls-secret tls-cert-manager sandbox; do
    render "$scenario" --set tests.enabled=false >"$scratch/others/$scenario.yaml"
done
render production --show-only templates/tests/health.yaml --show-only templates/tests/check.yaml >"$scratch/tests/all.yaml"
cp Dockerfile "$scratch/image/"

no_cpu_limit="CKV_K8S_11 a CPU limit stops a gateway in the middle of a call; requests share the processor fairly"
judge production kubernetes "$scratch/production" "$no_cpu_limit"
judge "other scenarios" kubernetes "$scratch/others" "$no_cpu_limit" \
    "CKV2_K8S_6 a network policy has to know the cluster; it is off by default and complete in production" \
    "CKV_K8S_15 IfNotPresent is right for tags that never move, and those of a release do not" \
    "CKV_K8S_43 a digest belongs into the values of an installation, as in production"
judge "test pods" kubernetes "$scratch/tests" "$no_cpu_limit" \
    "CKV_K8S_8 a test runs to its end and is not kept alive" \
    "CKV_K8S_9 a test serves nobody" \
    "CKV2_K8S_6 a test lives for seconds, and must reach what the gateway reaches"
judge Dockerfile dockerfile "$scratch/image" \
    "CKV_DOCKER_7 bases are arguments: a tag by default, a digest for a release"
