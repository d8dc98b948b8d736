"""Starts `dinggate simulator` as a process and calls it with DingTalk's official Python SDKs, so that code none of us
wrote vouches for the simulator: every operation of the new generation in tier 1 of the reference, and Stream mode.

    python run.py target/debug/dinggate
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import stream
from dingtalk import Dingtalk, Mismatch, equal
from operations import EXPECTED_EMPTY, TESTS

REFERENCE = Path(__file__).parents[2] / "simulator/reference/api.json"
START_SECONDS = 20
STOP_SECONDS = 30


def check(name, dingtalk):
    """Runs the test of an operation; raises if anything is not as it has to be."""
    if name not in TESTS:
        raise Mismatch("operations.py has no test of it")
    TESTS[name](dingtalk)
    equal("the set of fields with nothing in them", dingtalk.never_set(name), EXPECTED_EMPTY.get(name, set()))


def run_tests(address):
    """Prints a line for every test and the sum; returns whether all is well."""
    operations = json.loads(REFERENCE.read_text())
    operations = [op for op in operations if op["generation"] == "new" and op["tier"] == 1]
    dingtalk = Dingtalk(address, operations)
    # DingTalk's limits have tests of their own; here a fast machine would run into them.
    dingtalk.http("/_sim/quotas", {})
    passed = failed = 0
    for operation in operations:
        name = operation["id"]
        try:
            check(name, dingtalk)
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED  {name}")
        else:
            passed += 1
            print(f"passed  {name}")
    for name in TESTS.keys() - {operation["id"] for operation in operations}:
        failed += 1
        print(f"FAILED  {name}: the reference has no such operation in tier 1")
    streamed, broken = stream.run(address, dingtalk)
    passed, failed = passed + streamed, failed + broken
    print(f"{passed} passed, {failed} failed")
    return passed > 0 and failed == 0


def address_of(simulator):
    """Reads where the simulator listens from the line it prints."""
    timer = threading.Timer(START_SECONDS, simulator.kill)
    timer.start()
    line = simulator.stdout.readline()
    timer.cancel()
    found = re.search(r"http://(127\.0\.0\.1:\d+)", line)
    if not found:
        raise SystemExit(f"FAILED: the simulator did not say where it listens: {line!r}")
    return found[1]


def main(binary):
    # What goes to the simulator goes there, whatever the proxy of this machine is.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    command = [binary, "simulator", "--dingtalk-addr", "127.0.0.1:0"]
    print("+", *command, flush=True)
    simulator = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        well = run_tests(address_of(simulator))
        simulator.send_signal(signal.SIGINT)
        exit_code = simulator.wait(timeout=STOP_SECONDS)
    finally:
        simulator.kill()
        simulator.wait()
    if exit_code != 0:
        print(f"FAILED: the simulator's exit code is {exit_code}")
    return 0 if well and exit_code == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
