"""Counts what the hot paths execute, and holds it against benches/instructions.json. Cargo's runner of `make instructions`:

    instructions.py [--accept] BINARY

Callgrind counts instructions and not time, so the machine may do other things. What is counted still varies a little: maps
hash with random seeds, timers fire now or later, answers come in one piece or in two. Five runs beside many busy compilers
differed by 0.1 %; TOLERANCE leaves room for what the compiler inlines elsewhere when something else changes. Another
compiler makes other instructions of the same code; then OTHER_COMPILER holds until the counts are accepted anew. Valgrind
shows every program the same CPU features, whatever the machine has beyond them, so memcpy and SHA-256 do not differ either.
"""

import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

BASELINE = pathlib.Path("benches/instructions.json")
TOLERANCE = 0.03
OTHER_COMPILER = 0.25
# What callgrind is to watch, see benches/instructions.rs.
COUNTED = "instructions::counted"


def count(binary: str) -> dict[str, int]:
    """Instructions of one step of each path."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={out}"]
        command += [f"--toggle-collect={COUNTED}", f"--dump-after={COUNTED}", binary]
        log = pathlib.Path(folder, "log")
        with log.open("w") as errors:
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(f"{ran.stdout}\n{log.read_text()[-4000:]}")
        steps, *names = ran.stdout.splitlines()
        steps = int(steps.split()[0])
        counts = {}
        for number, name in enumerate(names, start=1):
            dump = pathlib.Path(f"{out}.{number}").read_text()
            counts[name] = int(re.search(r"^totals: (\d+)$", dump, re.MULTILINE)[1]) // steps
        return counts


def compiler() -> str:
    """Its version and the machine it compiles for."""
    version = subprocess.run([os.environ.get("RUSTC", "rustc"), "--version"], stdout=subprocess.PIPE, text=True, check=True)
    return f"{version.stdout.split()[1]} {platform.machine()}"


def compare(counts: dict[str, int], baseline: dict) -> bool:
    """Shows both, and whether all is well."""
    expected, same = baseline["instructions"], baseline["compiler"] == compiler()
    if not same:
        print(f"the counts were accepted with Rust {baseline['compiler']}, this is {compiler()}")
    tolerance, red = TOLERANCE if same else OTHER_COMPILER, False
    print(f"{'instructions of':<28} {'accepted':>9} {'now':>9}   at most {tolerance:+.0%}")
    for name in expected | counts:
        before, now = expected.get(name), counts.get(name)
        if before is None or now is None:
            print(f"{name:<28} {before or '-':>9} {now or '-':>9}   is on one side only: RED")
            red = True
            continue
        change = now / before - 1
        # What was won can be lost again unseen, until it is accepted.
        verdict = "RED" if change > tolerance else "accept it" if change < -tolerance else ""
        print(f"{name:<28} {before:>9} {now:>9}   {change:+.1%} {verdict}".rstrip())
        red |= verdict == "RED"
    if red:
        print("if that is meant: make instructions-accept, and say why in the commit")
    return not red


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--accept", "--bench")]
    counts = count(arguments[0])
    if "--accept" in sys.argv:
        accepted = {"compiler": compiler(), "instructions": counts}
        BASELINE.write_text(json.dumps(accepted, indent=2) + "\n")
        print(BASELINE.read_text(), end="")
    elif not compare(counts, json.loads(BASELINE.read_text())):
        sys.exit(1)


main()
