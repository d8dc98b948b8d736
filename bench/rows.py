"""The rows of the table: which figure of whom, compared with which figure of whom, and how much is allowed."""

import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    what: str
    ours: tuple  # subject and the names of a figure
    reference: tuple | None
    unit: str
    at_most: float | None = None  # of the ratio; without a reference, of the figure
    aim: float | None = None
    minus: tuple | None = None  # taken off both sides


DIRECT = ("direct",)


def cpu(what, ours, call, reference, at_most=None, aim=None):
    """At saturation and at half load: the bound has to hold at both."""
    return [
        Row(f"CPU per {what}, {name}", (ours, call, f"{load} cpu us"), (reference, call, f"{load} cpu us"), "µs",
            at_most, aim)
        for load, name in (("full", "saturated"), ("half", "at half load"))
    ]


def half(name, call, reference, at_most=None):
    figure = f"half {name.replace('.', '')} us"
    return Row(f"{name} at half load, {call}", ("gateway", call, figure), (reference, call, figure), "µs", at_most)


def counted(what, name, at_most=None):
    return [
        Row(f"{what} per {call}", ("gateway", call, name), (reference, call, name), "", at_most)
        for call, reference in (("send", "minimal"), ("send", "bare"), ("send", "bare, trained"), ("get", "echo"),
                                ("get", "bare, trained"))
    ]


def spread(connections):
    calls, cpu_us = f"full /s, {connections}", f"full cpu us, {connections}"
    return [
        Row(f"calls/s, connections: {connections}", ("gateway", "send", calls), ("minimal", "send", calls), "/s"),
        Row(f"CPU per forwarded call, connections: {connections}", ("gateway", "send", cpu_us),
            ("minimal", "send", cpu_us), "µs"),
    ]


ROWS = [
    *cpu("forwarded call", "gateway", "send", "minimal", 0.65, 0.55),
    *cpu("forwarded call", "gateway", "send", "minimal, tuned"),
    *cpu("forwarded call, all sampled", "gateway, all sampled", "send", "minimal", 0.9),
    *cpu("forwarded call", "gateway", "send", "bare", 1.25, 1.15),
    *cpu("forwarded call", "gateway", "send", "bare, trained", 1.25, 1.15),
    *cpu("cached read", "gateway", "get", "echo", 0.6, 0.45),
    *cpu("cached read", "gateway", "get", "bare, trained"),
    Row("added p50, one call at a time", ("gateway", "send", "alone us"), ("minimal", "send", "alone us"), "µs", 0.8,
        minus=DIRECT),
    half("p50", "send", "minimal"),
    half("p99", "send", "minimal", 1.0),
    half("p99.9", "send", "minimal"),
    half("p50", "get", "echo"),
    half("p99", "get", "echo"),
    half("p99.9", "get", "echo"),
    Row("calls/s, saturated, send", ("gateway", "send", "full /s"), ("minimal", "send", "full /s"), "/s"),
    Row("calls/s, saturated, get", ("gateway", "get", "full /s"), ("echo", "get", "full /s"), "/s"),
    *(row for connections in (1, 4, 64) for row in spread(connections)),
    Row("resident memory, idle", ("gateway", "idle MiB"), None, "MiB", 24),
    Row("resident memory, idle, beside", ("gateway", "idle MiB"), ("minimal", "idle MiB"), "MiB"),
    Row("resident memory, after load", ("gateway", "loaded MiB"), ("minimal", "loaded MiB"), "MiB"),
    Row("start to SERVING", ("gateway", "start ms"), ("minimal", "start ms"), "ms"),
    *counted("allocations", "allocations"),
    *counted("instructions", "instructions"),
    Row("Redis round trips per send", ("gateway", "send", "redis"), None, "", 1.02),
    Row("Redis round trips per get", ("gateway", "get", "redis"), None, "", 0.02),
]


def look_up(figures, path):
    for name in path:
        figures = figures[name]
    return figures


def was_measured(row, rounds):
    """A quick run leaves some out."""
    try:
        return all(look_up(rounds[0], path) is not None for path in (row.ours, row.reference) if path)
    except KeyError:
        return False


def evaluate(row, rounds):
    """Medians over the rounds. Ratios are taken within each round, between neighbours in time."""
    def values(path):
        own = [look_up(figures, path) for figures in rounds]
        return [a - look_up(figures, row.minus) for a, figures in zip(own, rounds)] if row.minus else own

    ours = values(row.ours)
    result = {"what": row.what, "of": row.reference[0] if row.reference else None, "unit": row.unit,
              "gateway": statistics.median(ours), "at_most": row.at_most, "aim": row.aim}
    compared = ours
    if row.reference:
        references = values(row.reference)
        compared = [a / b for a, b in zip(ours, references)]
        result |= {"reference": statistics.median(references), "ratio": statistics.median(compared),
                   "ratio_min": min(compared), "ratio_max": max(compared)}
    if row.at_most is not None:
        result["met"] = statistics.median(compared) <= row.at_most
    return result
