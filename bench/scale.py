#!/usr/bin/env python3
"""Measures how the cost of a call grows with apps, known groups, callers, watchers, and replicas on one Redis.

Usage: bench/scale.py BINARIES RESULTS [--quick] [--only TEXT]

Each row is compared with the gateway that has one of each, measured right before it. Writes scale.json and scale.svg.
"""

import argparse
import base64
import contextlib
import json
import pathlib
import statistics
import sys
import tempfile

import counts
import programs
import report

CONNECTIONS, IN_FLIGHT, WARMUP, SECONDS = 16, 4, 2, 3
# All groups are made known, and so many of them are then called: more than any hour's work of a company, and fewer than what
# is kept. What calling all of them in turn costs is a matter of how many are kept (`cache.max_size`), not of how many there are.
CALLED_GROUPS = 10_000

# (what grows, how far, which call, the options that make it so)
GROWTH = [
    ("apps", (30, 1000), "send"),
    ("groups", (1000, 1_000_000), "send"),
    ("groups", (1000, 1_000_000), "get"),
    ("callers", (100, 10_000), "send"),
    ("watchers", (500, 5000), "send"),
    ("replicas", (2, 5), "send"),
]
ONE = {"apps": 1, "groups": 1, "callers": 1, "watchers": 0, "replicas": 1}
TOGETHER = {"apps": 1000, "groups": 1_000_000, "callers": 10_000}


def fill(folder, call, target, sizes):
    """Makes the gateway meet every group once, and every app and caller; ends when it has."""
    left = max(sizes["apps"], sizes["groups"], sizes["callers"])
    variety = {name: sizes[name] for name in ("apps", "groups", "callers")}
    first = 0
    while left > first:
        seconds = min(30, 3 + (left - first) / 20_000)
        done = programs.load(folder, call, *target, seconds=seconds, warmup=0, connections=CONNECTIONS,
                             in_flight=IN_FLIGHT, first=first, **variety)
        first += done["answered"]


def measure(folder, call, upstream, sizes):
    """CPU microseconds per call and MiB of each replica, at these sizes."""
    with contextlib.ExitStack() as stack:
        extra = stack.enter_context(events()) if sizes["watchers"] else ""
        if sizes["replicas"] > 1 or sizes.get("redis"):
            port = stack.enter_context(counts.redis())
            extra += f'[store]\nkind = "redis"\nurl = "redis://127.0.0.1:{port}"\nreplicas = {sizes["replicas"]}\n'
        target = [
            stack.enter_context(programs.gateway(folder, upstream, apps=sizes["apps"], callers=sizes["callers"], extra=extra))
            for _ in range(sizes["replicas"])
        ]
        fill(folder, call, target, sizes)
        variety = {"apps": sizes["apps"], "groups": min(sizes["groups"], CALLED_GROUPS), "callers": sizes["callers"]}
        done = programs.load(folder, call, *target, seconds=SECONDS, warmup=WARMUP, in_flight=IN_FLIGHT,
                             connections=max(1, CONNECTIONS // len(target)), watchers=sizes["watchers"], **variety)
        return {"cpu us": done["cpu_us"], "p99 us": done["latency_us"]["p99"],
                "MiB": statistics.mean(program.resident() for program in target)}


@contextlib.contextmanager
def events():
    """The part of a configuration with which app-0 takes events, so that they can be watched."""
    with tempfile.TemporaryDirectory(prefix="dinggate-bench-") as folder:
        token, key = pathlib.Path(folder, "token"), pathlib.Path(folder, "key")
        token.write_text("a-token-for-callbacks")
        key.write_text(base64.b64encode(bytes(32)).decode().rstrip("="))
        yield (f'[events]\nmode = "callback"\n[events.callback.app-0]\n'
               f'token_file = "{token}"\naes_key_file = "{key}"\nowner_keys = ["key-0"]\n')


def steps(quick):
    """(label, call, sizes), each of which is compared with one of each."""
    for what, sizes, call in GROWTH:
        for size in sizes[:1] if quick else sizes:
            redis = {"redis": True} if what == "replicas" else {}
            yield f"{size:,} {what}, {call}", call, ONE | redis | {what: size}
    if not quick:
        for call in ("send", "get"):
            yield f"1,000 apps, 1,000,000 groups, 10,000 callers, {call}", call, ONE | TOGETHER


def compare(folder, call, upstream, sizes):
    """A pair of neighbours in time, the smaller one first and last, so that a drift of the machine shows in neither."""
    one = ONE | {"redis": sizes.get("redis", False)}
    before = measure(folder, call, upstream, one)
    grown = measure(folder, call, upstream, sizes)
    after = measure(folder, call, upstream, one)
    reference = {name: (before[name] + after[name]) / 2 for name in before}
    return grown, reference


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="the first step of each only")
    parser.add_argument("--only", default="", metavar="TEXT", help="the steps whose names have this")
    args = parser.parse_args()
    folder, results = args.binaries.resolve(), []
    args.results.mkdir(parents=True, exist_ok=True)
    upstream = programs.Upstream(folder)
    try:
        for label, call, sizes in (step for step in steps(args.quick) if args.only in step[0]):
            print(f"{label} ...", file=sys.stderr, flush=True)
            grown, reference = compare(folder, call, upstream, sizes)
            ratio = grown["cpu us"] / reference["cpu us"]
            row = {"what": f"CPU per call, {label}", "of": "one of each", "unit": "µs", "aim": None,
                   "gateway": grown["cpu us"], "reference": reference["cpu us"], "ratio": ratio,
                   "ratio_min": ratio, "ratio_max": ratio, "at_most": 1.1 if "callers," in label else None,
                   "grown": grown, "one": reference}
            if row["at_most"]:
                row["met"] = ratio <= row["at_most"]
            results.append(row)
            (args.results / "scale.json").write_text(json.dumps(results, indent=1) + "\n")
    except programs.Failed as failure:
        sys.exit(f"error: {failure}")
    finally:
        upstream.stop()
    print(report.table(results))
    memory = ((row["what"].removeprefix("CPU per call, "), row["grown"]["MiB"], row["one"]["MiB"]) for row in results)
    print("\nresident MiB, each replica")
    for label, grown, one in memory:
        print(f"{label:60} {grown:7.1f}   beside {one:.1f}")
    title = "CPU per call as dinggate grows, beside one of each"
    (args.results / "scale.svg").write_text(report.picture(results, title))


if __name__ == "__main__":
    main()
