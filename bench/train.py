#!/usr/bin/env python3
"""Trains the compiler: runs the gateway under load and keeps how often it went where, for `rustc -C profile-use`.

Usage: bench/train.py BINARIES      writes bench/training/
       bench/train.py --check       whether what is there fits what is built now
       bench/train.py --ready       whether this machine has what training needs

BINARIES is the folder with dinggate and bare, built with `rustc -C profile-generate`, and load and stub. Functions are
found by names that depend on the compiler and on every crate and feature, so training has to be repeated when one of them
changes: until then nothing breaks, but a call costs a quarter more. A change of our own code only spoils the functions that
it touches.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

import counts
import programs

ROOT = pathlib.Path(__file__).parents[1]
PROFILE = ROOT / "bench/training/gateway.profdata"
RECORD = ROOT / "bench/training/trained.json"
SECONDS = 3
# (what is called, calls per second or as many as it takes, what there is of what)
LOADS = [
    ("send", None, {}),
    ("send", 3000, {}),
    ("send", None, {"connections": 1}),
    ("send", 1000, {"apps": 20, "callers": 100, "groups": 1000}),
    ("get", None, {}),
    ("get", 3000, {}),
    ("get", 3000, {"apps": 20, "callers": 100, "groups": 100_000}),
]


def main(arguments):
    if arguments == ["--check"]:
        return check()
    if len(arguments) != 1:
        sys.exit(__doc__)
    merge = merger()
    if arguments == ["--ready"]:
        return
    with tempfile.TemporaryDirectory(prefix="dinggate-training-") as raw:
        # A file for each program, into which all its processes add up.
        os.environ["LLVM_PROFILE_FILE"] = f"{raw}/%m.profraw"
        run(pathlib.Path(arguments[0]).resolve())
        files = sorted(pathlib.Path(raw).glob("*.profraw"))
        # With the functions that never ran (no --sparse): those are compiled to be small, which is 4 MB of the program.
        subprocess.run([merge, "merge", "--output", PROFILE, *files], check=True)
    RECORD.write_text(json.dumps(what_is_built() | {"rustc": rustc()["release"]}, indent=2) + "\n")
    print(f"wrote {PROFILE.relative_to(ROOT)}, {PROFILE.stat().st_size >> 10} KiB")


def run(folder):
    upstream = programs.Upstream(folder)
    try:
        with programs.reference(folder, "bare", upstream) as bare:
            for call in ("send", "get"):
                for rate in (None, 3000):
                    drive(folder, call, bare, rate, {})
        for sampled in (0.1, 1.0):
            with programs.gateway(folder, upstream, sampled, apps=20, callers=100) as gateway:
                for call, rate, variety in LOADS:
                    drive(folder, call, gateway, rate, variety)
        with counts.redis() as port:
            store = f'[store]\nkind = "redis"\nurl = "redis://127.0.0.1:{port}"\n'
            with programs.gateway(folder, upstream, extra=store) as gateway:
                drive(folder, "send", gateway, 1000, {})
                drive(folder, "get", gateway, 1000, {"groups": 10_000})
    finally:
        upstream.stop()


def drive(folder, call, program, rate, variety):
    options = {"connections": 16, "in_flight": 4} | variety
    done = programs.load(folder, call, program, seconds=SECONDS, warmup=0, rate=rate, **options)
    print(f"{call}, {rate or 'as many as it takes'}, {variety}: {done['answered']} calls", flush=True)


def rustc():
    lines = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.splitlines()
    facts = dict(line.split(": ", 1) for line in lines[1:])
    return {"release": facts["release"], "llvm": facts["LLVM version"].split(".")[0]}


def merger():
    """llvm-profdata of the compiler's LLVM: an older one cannot read what the programs write."""
    version = rustc()["llvm"]
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout.strip()
    component = next(pathlib.Path(sysroot).glob("lib/rustlib/*/bin/llvm-profdata"), None)
    found = component or shutil.which(f"llvm-profdata-{version}")
    if not found:
        sys.exit(f"error: needs llvm-profdata of LLVM {version}: `rustup component add llvm-tools`, "
                 f"or on Debian `apt-get install llvm-{version}`")
    return found


def what_is_built():
    """What the names of functions depend on, beside the compiler."""
    command = ["cargo", "tree", "--locked", "--package", "dinggate", "--no-default-features", "--edges", "normal,build"]
    command += ["--target", "x86_64-unknown-linux-gnu", "--prefix", "none", "--format", "{p} {f}"]
    tree = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    crates = sorted({line.replace(f" ({ROOT})", "").removesuffix(" (*)") for line in tree.splitlines()})
    settings = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    text = "\n".join([*crates, json.dumps(settings, sort_keys=True)])
    return {"crates_and_settings": hashlib.sha256(text.encode()).hexdigest()}


def check():
    record, installed = json.loads(RECORD.read_text()), rustc()["release"]
    faults = []
    if what_is_built().items() - record.items():
        faults.append("the crates, their features or [profile.release] are not those it was trained with")
    image = re.search(r"^ARG RUST_IMAGE=\S+:([\d.]+)-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    if image != record["rustc"]:
        faults.append(f"the image is built by Rust {image}, it was trained with {record['rustc']}")
    if installed != record["rustc"]:
        print(f"note: Rust {installed} is installed, and bench/training is for {record['rustc']}: "
              "what is built here does without it")
    elif complaint := what_rustc_says():
        faults.append(complaint)
    if faults:
        sys.exit(f"error: bench/training does not fit: {'; '.join(faults)}. Run `make training` and commit what it writes")


def what_rustc_says():
    """What the compiler says of the file; it only warns, and cargo does not pass that on. Empty if it can be used."""
    with tempfile.TemporaryDirectory(prefix="dinggate-training-") as out:
        command = ["rustc", "-C", f"profile-use={PROFILE}", "--crate-type", "lib", "--emit", "obj", "--out-dir", out, "-"]
        done = subprocess.run(command, input="pub fn nothing() {}", capture_output=True, text=True)
    return done.stderr.partition("\n")[0]


if __name__ == "__main__":
    main(sys.argv[1:])
