"""The programs that are measured, each started on free ports and stopped again."""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests"))

from processes import app_table

STARTED_WITHIN = 60  # seconds; under callgrind everything is slow

GATEWAY = """
[server]
grpc_addr = "127.0.0.1:{grpc}"
http_addr = "127.0.0.1:{http}"
drain_delay = "0s"
max_concurrent_requests = 100000
[auth]
mode = ["static"]
[auth.static]
tokens_file = "{tokens}"
[limits]
egress_calls = 100000000
queue_max = 100000
[telemetry]
otlp_endpoint = "{otlp}"
sampler_arg = {sampled}
log_format = "json"
{extra}
"""

CALLER = """
[[auth.callers]]
name = "bench-{number}"
identities = ["static:bench-{number}"]
apps = ["*"]
rpcs = ["*"]
"""


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_ready(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
            stream.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return stream.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


class Program:
    """A process that serves at `url`, `started` seconds after it was begun."""

    def __init__(self, process, url, started, helpers=()):
        self.process, self.url, self.started, self.helpers = process, url, started, helpers
        self.pid = process.pid

    def resident(self):
        """MiB in memory."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STARTED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for helper in self.helpers:
            helper.wait(timeout=10)


class Upstream(Program):
    """The stub: DingTalk's answers, and a collector of traces and metrics."""

    def __init__(self, folder, latency_ms=0):
        command = [folder / "stub", "--latency-ms", str(latency_ms)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = dict(process.stdout.readline().strip().split(" on ", 1) for _ in range(2))
        super().__init__(process, f"http://{lines['upstream']}", 0)
        self.otlp = f"http://{lines['listening']}"

    def counters(self):
        """Calls and spans that have come so far."""
        with urllib.request.urlopen(f"{self.url}/counters") as reply:
            return json.load(reply)


@contextlib.contextmanager
def gateway_config(upstream, sampled, apps=1, callers=1, extra=""):
    """A configuration with everything on, as in production, and limits that no machine can reach."""
    with tempfile.TemporaryDirectory(prefix="dinggate-bench-") as folder:
        tokens = pathlib.Path(folder, "tokens")
        hashes = (hashlib.sha256(f"bench-{number}".encode()).hexdigest() for number in range(callers))
        tokens.write_text("".join(f"bench-{number} sha256:{digest}\n" for number, digest in enumerate(hashes)))
        ports = {"grpc": free_port(), "http": free_port()}
        config = pathlib.Path(folder, "dinggate.toml")
        text = GATEWAY.format(**ports, tokens=tokens, otlp=upstream.otlp, sampled=sampled, extra=extra)
        for number in range(apps):
            text += app_table(
                upstream.url, f"app-{number}", f"key-{number}", "secret", per_second=1_000_000, per_month=0
            )
        text += "".join(CALLER.format(number=number) for number in range(callers))
        config.write_text(text)
        yield config, ports


@contextlib.contextmanager
def gateway(folder, upstream, sampled=0.1, under=(), **variety):
    """The gateway; its log goes through a pipe to a reader, as a container's does."""
    with gateway_config(upstream, sampled, **variety) as (config, ports):
        begin = time.monotonic()
        command = [*under, folder / "dinggate", "serve", "--config", config]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=plain_environment())
        reader = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        process.stderr.close()
        while not is_ready(ports["http"]):
            if process.poll() is not None or time.monotonic() - begin > STARTED_WITHIN:
                process.kill()
                raise Failed("the gateway did not start")
            time.sleep(0.0005)
        program = Program(process, f"http://127.0.0.1:{ports['grpc']}", time.monotonic() - begin, [reader])
        try:
            yield program
        finally:
            program.stop()


@contextlib.contextmanager
def reference(folder, name, upstream, under=()):
    """echo, minimal or bare."""
    begin = time.monotonic()
    process = subprocess.Popen([*under, folder / name, upstream.url], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline().strip()
    if not line.startswith("listening on "):
        raise Failed(f"{name} did not start: {line!r}")
    program = Program(process, line.replace("listening on ", "http://"), time.monotonic() - begin)
    try:
        yield program
    finally:
        program.stop()


def plain_environment():
    """Without what would go over the configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "DINGGATE"))}


def load(folder, call, *programs, seconds, warmup, connections=16, in_flight=1, rate=None, **variety):
    """Sends calls to the programs; what came out. Any call that fails ends the measurement."""
    command = [folder / "load", "--call", call, "--seconds", str(seconds), "--warmup", str(warmup)]
    command += ["--connections", str(connections), "--in-flight", str(in_flight)]
    for program in programs:
        command += ["--target", program.url]
        command += ["--pid", str(program.pid)]
    command += ["--rate", str(rate)] if rate else []
    for name, value in variety.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failed(f"the load generator failed with {done.returncode}")
    outcome = json.loads(done.stdout)
    if not outcome["answered"] and not outcome["errors"]:
        raise Failed(f"no call was answered within {warmup + seconds} s")
    if outcome["errors"]:
        raise Failed(f"{outcome['errors']} calls failed, the first with: {outcome['first_error']}")
    return outcome
