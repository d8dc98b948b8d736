"""One visit: a program is started, measured in all ways, and stopped. Everything is a median over such visits."""

import dataclasses
import statistics
import time

import programs


@dataclasses.dataclass
class Pace:
    """How long things take, in seconds."""

    rounds: int
    settle: float  # before memory counts as idle
    warmup: float
    alone: float  # one call at a time
    full: float  # as many calls as it can
    half: float  # at a fixed rate
    rates: dict | None = None  # those rates, where they need not be found out
    starts: int = 1  # of a program to see one call at a time: where threads come to lie differs from start to start
    spread: tuple = ()  # numbers of connections that are tried besides
    count: float = 0  # for each of what is counted, once


FULL = Pace(rounds=5, settle=1, warmup=0.7, alone=0.8, full=2.3, half=2.3, starts=3, spread=(1, 4, 64), count=4)
QUICK = Pace(rounds=1, settle=0.3, warmup=0.5, alone=0.5, full=1.5, half=1.5)
SMOKE = Pace(rounds=1, settle=0, warmup=0, alone=0.5, full=0.5, half=0.5, rates={"send": 50, "get": 50})

# Which program answers which calls. A "send" is forwarded; a "get" is read from memory.
SUBJECTS = {
    "minimal": ["send"],
    "minimal, tuned": ["send"],
    "bare": ["send"],
    "bare, trained": ["send", "get"],
    "gateway": ["send", "get"],
    "gateway, all sampled": ["send"],
    "echo": ["get"],
}
# Who is measured one call at a time, and over other numbers of connections, besides.
SPREAD = ("minimal", "gateway")
# Calls on their way, spread over this many connections.
IN_FLIGHT, CONNECTIONS = 64, 16


def start(folder, subject, upstream, under=()):
    if not subject.startswith("gateway"):
        return programs.reference(folder, subject.replace(", ", "-"), upstream, under=under)
    return programs.gateway(folder, upstream, sampled=1.0 if "all" in subject else 0.1, under=under)


def direct(folder, upstream, pace):
    """Microseconds of the HTTP exchange alone, without any gateway."""
    outcome = programs.load(folder, "direct", upstream, seconds=pace.alone, warmup=pace.warmup, connections=1)
    return outcome["latency_us"]["p50"]


def saturate(folder, call, program, pace, connections=CONNECTIONS):
    in_flight = IN_FLIGHT // connections
    return programs.load(folder, call, program, seconds=pace.full, warmup=pace.warmup,
                         connections=connections, in_flight=in_flight)


def visit(folder, subject, upstream, pace, rates, tell):
    """Everything about one program: {call: figures}, and figures of the program itself."""
    figures = {}
    with start(folder, subject, upstream) as program:
        tell(f"{subject}: idle", pace.settle)
        time.sleep(pace.settle)
        figures["start ms"] = program.started * 1000
        figures["idle MiB"] = program.resident()
        for call in SUBJECTS[subject]:
            figures[call] = visit_call(folder, subject, call, program, upstream, pace, rates, tell)
        figures["loaded MiB"] = program.resident()
        if "send" in figures and subject in SPREAD:
            for connections in pace.spread:
                tell(f"{subject}: {connections} connections", pace.warmup + pace.full)
                outcome = saturate(folder, "send", program, pace, connections)
                figures["send"][f"full /s, {connections}"] = outcome["per_second"]
                figures["send"][f"full cpu us, {connections}"] = outcome["cpu_us"]
    return figures


def alone(folder, subject, call, upstream, pace, tell):
    """Microseconds of one call at a time: the mean over some starts."""
    medians = []
    for _ in range(pace.starts):
        tell(f"{subject}: {call}, one at a time", pace.warmup + pace.alone)
        with start(folder, subject, upstream) as program:
            outcome = programs.load(folder, call, program, seconds=pace.alone, warmup=pace.warmup, connections=1)
            medians.append(outcome["latency_us"]["p50"])
    return statistics.mean(medians)


def visit_call(folder, subject, call, program, upstream, pace, rates, tell):
    figures = {"alone us": alone(folder, subject, call, upstream, pace, tell)} if subject in SPREAD else {}
    before, answered = upstream.counters()["calls"], 0
    tell(f"{subject}: {call}, as many as it can", pace.warmup + pace.full)
    outcome = saturate(folder, call, program, pace)
    figures["full /s"], figures["full cpu us"] = outcome["per_second"], outcome["cpu_us"]
    answered += outcome["answered"]
    tell(f"{subject}: {call}, {rates[call]:.0f}/s", pace.warmup + pace.half)
    outcome = programs.load(folder, call, program, seconds=pace.half, warmup=pace.warmup,
                            connections=CONNECTIONS, rate=rates[call])
    figures["half cpu us"] = outcome["cpu_us"]
    figures |= {f"half {name} us": outcome["latency_us"][name] for name in ("p50", "p99", "p999")}
    answered += outcome["answered"]
    check_cost(subject, call, answered, upstream.counters()["calls"] - before, rates[call] * pace.half)
    return figures


def check_cost(subject, call, answered, upstream_calls, on_their_way):
    """A forwarded call costs one call upstream; reads cost the first one, and one now and then to stay fresh."""
    forwarded = call == "send" and subject != "echo"
    least, most = (answered, answered + IN_FLIGHT + on_their_way) if forwarded else (0, 10)
    if not least <= upstream_calls <= most:
        raise programs.Failed(f"{subject} made {upstream_calls} calls upstream for {answered} of {call}")


def calibrate(folder, upstream, pace, tell):
    """Half of what the references can do: the rates at which everybody's latency is measured."""
    if pace.rates:
        return pace.rates
    rates = {}
    for subject, call in (("minimal", "send"), ("echo", "get")):
        with start(folder, subject, upstream) as program:
            tell(f"how much {subject} can do", pace.warmup + pace.full)
            rates[call] = saturate(folder, call, program, pace)["per_second"] / 2
    return rates


def seconds_of(pace):
    """What a whole measurement takes, about."""
    calls = sum(len(calls) for calls in SUBJECTS.values())
    call = 2 * pace.warmup + pace.full + pace.half
    one = pace.warmup + pace.alone
    spread = len(pace.spread) * (pace.warmup + pace.full)
    round_ = len(SUBJECTS) * pace.settle + calls * call + 4 * pace.starts * one + len(SPREAD) * spread
    return 2 * (pace.warmup + pace.full) + pace.rounds * round_ + pace.count * 3 * calls
