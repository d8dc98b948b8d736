#!/usr/bin/env python3
"""Where the instructions of a call go, under callgrind: the functions that take most, by themselves and with all they call.

Usage: bench/profile.py FOLDER send|get [ROWS]     FOLDER: as for run.py
"""

import collections
import pathlib
import re
import sys
import tempfile

import counts
import programs

FUNCTION = re.compile(r"(c?)fn=\((\d+)\)(?: (.*))?")


def read(path):
    """(by themselves, with all they call, calls) of a profile, by function."""
    names, own, whole, calls = {}, collections.Counter(), collections.Counter(), collections.Counter()
    function = callee = None
    is_call = False
    for line in path.read_text(errors="replace").splitlines():
        if match := FUNCTION.match(line):
            called, number, name = match.groups()
            if name:
                names[number] = name
            if called:
                callee = names[number]
            else:
                function = names[number]
        elif line.startswith("calls="):
            calls[callee] += int(line[len("calls="):].split()[0])
            is_call = True
        elif line[:1] in "+-*0123456789" and len(line.split()) > 1:
            if is_call:
                whole[callee] += int(line.split()[1])
            else:
                own[function] += int(line.split()[1])
            is_call = False
    return own, whole, calls


def profile(folder, call, seconds=8):
    """The same per call of the gateway, and how many calls that rests on."""
    upstream = programs.Upstream(folder)
    try:
        with tempfile.TemporaryDirectory(prefix="dinggate-callgrind-") as out:
            under = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}/out"]
            with programs.gateway(folder, upstream, under=under) as program:
                def load():
                    return programs.load(folder, call, program, seconds=seconds, warmup=0, connections=1)["answered"]

                load()
                counts.dump(program)  # forgets the start and the first calls
                number = load()
                counts.dump(program)
            return number, read(pathlib.Path(out, "out.2"))
    finally:
        upstream.stop()


def main(folder, call, rows=40):
    number, (own, whole, calls) = profile(pathlib.Path(folder).absolute(), call)
    print(f"{sum(own.values()) / number:.0f} instructions per call, over {number} calls")
    for title, column in (("by themselves", own), ("with all they call", whole)):
        print(f"\n{'instructions':>12} {'times':>7}  {title}")
        for function, instructions in column.most_common(int(rows)):
            print(f"{instructions / number:12.0f} {calls[function] / number:7.1f}  {function[:140]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
