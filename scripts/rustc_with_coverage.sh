#!/usr/bin/env bash
# RUSTC_WRAPPER of scripts/fuzz.sh: rustc, with the coverage that libFuzzer steers by in the gateway itself and in nothing
# else, so that all other crates are taken from the ordinary build. The flags are those of `cargo fuzz --sanitizer none`.
rustc=$1
shift
coverage=()
case " $* " in
*" --crate-name dinggate "*)
    coverage=(
        --cfg fuzzing -C passes=sancov-module -C opt-level=1 -C codegen-units=16
        -C llvm-args=-sanitizer-coverage-level=4
        -C llvm-args=-sanitizer-coverage-inline-8bit-counters
        -C llvm-args=-sanitizer-coverage-pc-table
        -C llvm-args=-sanitizer-coverage-trace-compares
        -C llvm-args=-simplifycfg-branch-fold-threshold=0
    )
    ;;
esac
exec "$rustc" "$@" "${coverage[@]}"
