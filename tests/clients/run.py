"""Builds the client programs in clients/ and runs each against the sandbox: clients/CONTRACT.md says what has to come out.

    python run.py target/debug/dinggate [--only go python] [--checks watch]

Ends with a table of programs and checks. Nothing is skipped: a missing toolchain is an error.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import identity
import traces
import watching
from gateway import Sandbox
from processes import free_addresses
from program import CLIENTS, PROGRAMS, expect, succeeded
from receiver import Receiver

VECTORS = CLIENTS / "vectors.json"
# One for each core of a small machine: the programs mostly wait.
AT_ONCE = 2


def environment(sandbox):
    return {"DINGGATE_ADDR": sandbox.addr, "DINGGATE_SIMULATOR": sandbox.simulator}


def usage(binary, program):
    """What makes no sense is refused before anything is sent."""
    nowhere = {"DINGGATE_ADDR": free_addresses(1)[0]}
    for given in [
        {},
        {**nowhere, "DINGGATE_TOKEN_FILE": "/dev/null"},
        {**nowhere, "DINGGATE_CERT": "/dev/null", "DINGGATE_KEY": "/dev/null"},
        {**nowhere, "DINGGATE_CA": "/dev/null", "DINGGATE_CERT": "/dev/null"},
    ]:
        run = program.run("probe", **given)
        expect(run.code == 2 and run.errors.strip() and not run.output, f"with {given}: {run.told()}")
    for arguments in [[], ["nonsense"], ["example", "nonsense"], ["watch"], ["watch", "soon"]]:
        run = program.run(*arguments, **nowhere)
        expect(run.code == 2 and run.errors.strip() and not run.output, f"with {arguments}: {run.told()}")


def example(binary, program):
    with Sandbox(binary) as sandbox:
        succeeded(program.run("example", **environment(sandbox)))


def vectors(binary, program):
    with Sandbox(binary) as sandbox:
        run = program.run("vectors", VECTORS, **environment(sandbox))
        expected = [f"ok {vector['name']}" for vector in json.loads(VECTORS.read_text())["vectors"]]
        wrong = [line for line in run.lines() if line not in expected]
        expect(run.code == 0 and run.lines() == expected, "\n".join([*wrong, run.told()]))


def check(name, **settings):
    """One of the checks that need nothing but a sandbox."""

    def passes(binary, program):
        with Sandbox(binary, **settings) as sandbox:
            run = program.run("check", name, **environment(sandbox))
            succeeded(run)
            expect(f"ok {name}" in run.lines(), run.told())

    passes.__name__ = name
    return passes


def late(binary, program):
    [addr] = free_addresses(1)
    with program.start("check", "late", DINGGATE_ADDR=addr) as run:
        run.wait_for_line("calling")
        with Sandbox(binary, grpc_addr=addr):
            run.finish()
            succeeded(run)


def restart(binary, program):
    with Sandbox(binary) as first:
        run = program.start("check", "restart", DINGGATE_ADDR=first.addr)
        with run:
            run.wait_for_line("called")
            first.stop()
            with Sandbox(binary, grpc_addr=first.addr):
                run.say("again")
                run.finish()
                succeeded(run)


def probe(binary, program):
    with Sandbox(binary) as sandbox:
        run = program.run("probe", DINGGATE_ADDR=sandbox.addr)
        expect(run.code == 0 and run.lines() == ["OK"], run.told())
    [nowhere] = free_addresses(1)
    run = program.run("probe", DINGGATE_ADDR=nowhere)
    expect(run.code == 0 and run.lines() == ["UNAVAILABLE"], f"without a gateway: {run.told()}")


def trace(binary, program):
    """DingTalk revokes the gateway's first token, and one call in two seconds is all that the gateway may make."""
    limits = {"DINGGATE__LIMITS__EGRESS_CALLS": "1", "DINGGATE__LIMITS__EGRESS_WINDOW": "2s"}
    with Receiver() as receiver:
        telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        with Sandbox(binary, OTEL_TRACES_SAMPLER="always_on", **telemetry, **limits) as sandbox:
            revoked = {"operation": "group.create", "times": 1, "fault": {"kind": "revoke_tokens"}}
            sandbox.control("/_sim/faults", revoked)
            run = program.run("trace", **environment(sandbox), **telemetry)
            succeeded(run)
        ids = [line.removeprefix("trace ") for line in run.lines() if line.startswith("trace ")]
        expect(len(ids) == 1, run.told())
        spans = sorted(receiver.spans(), key=lambda span: span.start)
        wrong = list(traces.faults(spans, ids[0], f"dinggate-client-{program.language}"))
        expect(not wrong, "\n".join([*wrong, "--- all spans", *map(str, spans)]))


CHECKS = [
    usage,
    probe,
    example,
    vectors,
    check("health"),
    check("stream"),
    check("deadline"),
    check("cancel"),
    # The gateway's own repeats would hide those of the client.
    check("retry", DINGGATE__RETRY__MAX_ATTEMPTS="1"),
    late,
    restart,
    trace,
    watching.watch,
    watching.watch_lost,
    watching.watch_refused,
    *identity.CHECKS,
]


def run_checks(binary, program, checks):
    """What came out of each check, and how long it took."""
    cells = {}
    for passes in checks:
        if program.checks and passes.__name__ not in program.checks:
            cells[passes.__name__] = "-"
            continue
        started = time.monotonic()
        try:
            passes(binary, program)
            cell = "ok"
        except Exception as error:  # a red cell, and the next check
            cell = "RED"
            notes = "\n".join(getattr(error, "__notes__", []))
            print(f"\n=== {program.language} {passes.__name__}: {type(error).__name__}: {error}\n{notes}", flush=True)
        cells[passes.__name__] = f"{cell} {time.monotonic() - started:.1f} s"
    return cells


def table(columns, checks):
    rows = [["", *columns]]
    rows += [[passes.__name__, *(column[passes.__name__] for column in columns.values())] for passes in checks]
    lines = ["".join(f"{cell:14}" for cell in row).rstrip() for row in rows]
    return "\n".join([*lines, "", "-: not a part of that program"])


def build(programs):
    missing = [f"{program.language}: {tool}" for program in programs for tool in program.missing_tools()]
    if missing:
        sys.exit("\n".join(["the client programs cannot be built without", *missing]))
    for program in programs:
        started = time.monotonic()
        program.make()
        print(f"built {program.language} in {time.monotonic() - started:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=lambda path: Path(path).resolve(strict=True))
    checks = {passes.__name__: passes for passes in CHECKS}
    parser.add_argument("--checks", nargs="+", choices=checks, default=checks, help="and some checks")
    known = {program.language: program for program in PROGRAMS}
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="some languages, while you work on them")
    arguments = parser.parse_args()
    checks = [checks[name] for name in arguments.checks]
    programs = [known[language] for language in arguments.only]
    build(programs)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = pool.map(lambda program: run_checks(arguments.binary, program, checks), programs)
        columns = {program.language: column for program, column in zip(programs, cells)}
    print(f"\n{table(columns, checks)}\n", flush=True)
    return int(any("RED" in cell for column in columns.values() for cell in column.values()))


if __name__ == "__main__":
    sys.exit(main())
