"""One visit: a program is started, measured in all ways, and stopped. Everything is a median over such visits."""

import dataclasses
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


FULL = Pace(rounds=5, settle=1, warmup=1, alone=1, full=3, half=4)
QUICK = Pace(rounds=1, settle=0.3, warmup=0.5, alone=0.5, full=1.2, half=1.5)
SMOKE = Pace(rounds=1, settle=0, warmup=0, alone=0.5, full=0.5, half=0.5, rates={"send": 50, "get": 50})

# Which program answers which calls. A "send" is forwarded; a "get" is read from memory.
SUBJECTS = {
    "minimal": ["send"],
    "bare": ["send"],
    "gateway": ["send", "get"],
    "gateway, all sampled": ["send"],
    "echo": ["get"],
}
# Calls on their way, spread over this many connections.
IN_FLIGHT, CONNECTIONS = 64, 16


def start(folder, subject, upstream):
    if not subject.startswith("gateway"):
        return programs.reference(folder, subject, upstream)
    return programs.gateway(folder, upstream, sampled=1.0 if "all" in subject else 0.1)


def direct(folder, upstream, pace):
    """Microseconds of the HTTP exchange alone, without any gateway."""
    outcome = programs.load(folder, "direct", upstream, seconds=pace.alone, warmup=pace.warmup, connections=1)
    return outcome["latency_us"]["p50"]


def saturate(folder, call, program, pace, connections=CONNECTIONS):
    in_flight = IN_FLIGHT // connections
    return programs.load(folder, call, program, seconds=pace.full, warmup=pace.warmup,
                         connections=connections, in_flight=in_flight)


def visit(folder, subject, upstream, pace, rates, tell):
    """Everything about one program: {call: figures} and what is of the program itself."""
    figures = {}
    with start(folder, subject, upstream) as program:
        tell(f"{subject}: idle", pace.settle)
        time.sleep(pace.settle)
        figures["start ms"] = program.started * 1000
        figures["idle MiB"] = program.resident()
        for call in SUBJECTS[subject]:
            figures[call] = visit_call(folder, subject, call, program, upstream, pace, rates, tell)
        figures["loaded MiB"] = program.resident()
    return figures


def visit_call(folder, subject, call, program, upstream, pace, rates, tell):
    before, figures, answered = upstream.counters()["calls"], {}, 0
    tell(f"{subject}: {call}, one at a time", pace.warmup + pace.alone)
    outcome = programs.load(folder, call, program, seconds=pace.alone, warmup=pace.warmup, connections=1)
    figures["alone us"] = outcome["latency_us"]["p50"]
    answered += outcome["answered"]
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
    call = 3 * pace.warmup + pace.alone + pace.full + pace.half
    calls = sum(len(calls) for calls in SUBJECTS.values())
    round_ = len(SUBJECTS) * pace.settle + calls * call + pace.warmup + pace.alone
    return 2 * (pace.warmup + pace.full) + pace.rounds * round_
