#!/usr/bin/env bash
# Builds the fuzz targets and runs all of them for FUZZ_SECONDS (20), beginning with what the vectors of the tests hold.
# An input that fails is kept in target/fuzz/ and shown. `cargo fuzz run --sanitizer none callback` works as well.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-20}
target_dir=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
work=$target_dir/fuzz
targets=(callback frame resume_token)

# Of the lock file only libFuzzer is not ours; it is pinned in fuzz/Cargo.toml. So there is no second one to keep.
cp Cargo.lock fuzz/Cargo.lock
RUSTC_WRAPPER=$PWD/scripts/rustc_with_coverage.sh cargo build --quiet --manifest-path fuzz/Cargo.toml --target-dir "$target_dir"

# What earlier runs have found interesting is kept.
rm -rf "$work"/*/seeds
python3 scripts/fuzz_seeds.py tests/vectors/callback.json "$work"
running=()
for target in "${targets[@]}"; do
    mkdir -p "$work/$target/corpus"
    # Nothing that we take is larger than half a megabyte, and small inputs are quick.
    "$target_dir/debug/$target" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$work/$target/" -print_final_stats=1 \
        "$work/$target/corpus" "$work/$target/seeds" >"$work/$target/log" 2>&1 &
    running+=($!)
done
failed=0
for index in "${!targets[@]}"; do
    target=${targets[index]}
    if wait "${running[index]}"; then
        grep -o 'Done .*' "$work/$target/log" | sed "s/^/fuzz $target: /"
    else
        failed=1
        echo "fuzz $target: RED, the input is in $work/$target" >&2
        tail -n 40 "$work/$target/log" >&2
    fi
done
exit "$failed"
