#!/usr/bin/env python3
"""Runs the gateway and the reference programs in turn, several rounds, and prints what the gateway costs beside them.

Usage: bench/run.py BINARIES RESULTS [--quick | --smoke]

BINARIES is the folder with dinggate, load, stub, echo, minimal and bare; RESULTS the one for result.json and result.svg.
--smoke measures no time: it only sees to it that every program answers properly, and fails where the gateway asks Redis more
often than it may.
"""

import argparse
import json
import os
import pathlib
import platform
import sys
import time

import counts
import measure
import programs
import report
import rows


class Progress:
    """A line that says what is being done, and about how much of it is left."""

    def __init__(self, total):
        self.total, self.spent, self.round = total, 0.0, ""

    def tell(self, what, seconds):
        if sys.stderr.isatty():
            done = min(self.spent / self.total, 1)
            bar = ("#" * int(done * 30)).ljust(30)
            left = max(0, self.total - self.spent)
            print(f"\r[{bar}] {left:4.0f} s left  {self.round} {what:50}", end="", file=sys.stderr, flush=True)
        self.spent += seconds

    def end(self):
        if sys.stderr.isatty():
            print(f"\r{'':100}\r", end="", file=sys.stderr)


def measure_all(folder, pace):
    progress = Progress(measure.seconds_of(pace))
    upstream = programs.Upstream(folder)
    try:
        rates = measure.calibrate(folder, upstream, pace, progress.tell)
        rounds = []
        for number in range(pace.rounds):
            progress.round = f"round {number + 1} of {pace.rounds},"
            subjects = list(measure.SUBJECTS)
            turn = number % len(subjects)  # nobody is always first
            figures = {"direct": measure.direct(folder, upstream, pace)}
            for subject in subjects[turn:] + subjects[:turn]:
                figures[subject] = measure.visit(folder, subject, upstream, pace, rates, progress.tell)
            rounds.append(figures)
        counted = counts.count_all(folder, upstream, pace.count, progress.tell) if pace.count else {}
        for figures in rounds:
            for subject, calls in counted.items():
                for call, what in calls.items():
                    figures[subject][call] |= what
        if not upstream.counters()["spans"]:
            raise programs.Failed("no span has reached the collector")
        if pace is measure.SMOKE:
            hold_redis_trips(folder, upstream)
        return rates, rounds
    finally:
        upstream.stop()
        progress.end()


def hold_redis_trips(folder, upstream):
    """Fails where calls take a further round trip. Half a dozen commands a second go by the clock (leases, notices), which is
    little for each call, but more of it the slower the machine."""
    by_the_clock = 0.2
    for row in (row for row in rows.ROWS if row.ours[-1] == "redis"):
        trips = counts.redis_trips(folder, row.ours[1], upstream, 3)
        if trips > row.at_most + by_the_clock:
            raise programs.Failed(f"{row.what}: {trips:.3f}, and {row.at_most} are allowed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--quick", dest="pace", action="store_const", const=measure.QUICK, default=measure.FULL)
    parser.add_argument("--smoke", dest="pace", action="store_const", const=measure.SMOKE)
    args = parser.parse_args()
    begin = time.monotonic()
    try:
        rates, rounds = measure_all(args.binaries.resolve(), args.pace)
    except programs.Failed as failure:
        sys.exit(f"error: {failure}")
    if args.pace is measure.SMOKE:
        return
    results = [rows.evaluate(row, rounds) for row in rows.ROWS if rows.was_measured(row, rounds)]
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    title = f"dinggate beside its references: median ratios of {len(rounds)} rounds, {machine}"
    print(f"{title}, {time.monotonic() - begin:.0f} s\n\n{report.table(results)}")
    args.results.mkdir(parents=True, exist_ok=True)
    raw = {"machine": machine, "rates": rates, "rows": results, "rounds": rounds}
    (args.results / "result.json").write_text(json.dumps(raw, indent=1) + "\n")
    (args.results / "result.svg").write_text(report.picture(results, title))


if __name__ == "__main__":
    main()
