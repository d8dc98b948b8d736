#!/usr/bin/env python3
"""Measures how long a release binary takes from exec to SERVING, and what it holds in memory when idle.

Usage: bench/start.py BINARY [ROUNDS]

Three variants, interleaved in one run: the bare process (`--version`), serving without traces, serving with an OTLP
exporter. Absolute times depend on the machine and on who shares it; read them against the bare process beside them.
"""

import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CONFIG = """
[server]
grpc_addr = "127.0.0.1:{grpc}"
http_addr = "127.0.0.1:{http}"
drain_delay = "0s"
[telemetry]
otlp_endpoint = "{otlp}"
[[apps]]
alias = "demo"
app_key = "key"
app_secret = "secret"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_ready(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as stream:
            stream.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return stream.recv(64).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def bare(binary):
    begin = time.monotonic()
    subprocess.run([binary, "--version"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def serve(binary, otlp):
    """Seconds to SERVING, and KiB resident after two idle seconds."""
    ports = {"grpc": free_port(), "http": free_port()}
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "dinggate.toml")
        config.write_text(CONFIG.format(**ports, otlp=otlp))
        begin = time.monotonic()
        child = subprocess.Popen([binary, "serve", "--config", config], stderr=subprocess.DEVNULL)
        try:
            while not is_ready(ports["http"]):
                if child.poll() is not None or time.monotonic() - begin > 30:
                    sys.exit("the gateway did not start")
                time.sleep(0.0005)
            took = time.monotonic() - begin
            time.sleep(2)
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=60)
        return took, resident


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    binary, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 10
    variants = {"bare process": [], "serving": [], "serving, OTLP": []}
    for number in range(rounds):
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        variants["bare process"].append((bare(binary), 0))
        variants["serving"].append(serve(binary, ""))
        variants["serving, OTLP"].append(serve(binary, "http://127.0.0.1:1"))
    print(file=sys.stderr)
    print(f"{'':16} {'median ms':>10} {'max ms':>8} {'resident MiB':>13}")
    for name, runs in variants.items():
        times = [seconds * 1000 for seconds, _ in runs]
        memory = statistics.median(kib for _, kib in runs) / 1024
        print(f"{name:16} {statistics.median(times):10.1f} {max(times):8.1f} {memory:13.1f}")


main()
