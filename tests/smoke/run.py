"""Starts `dinggate sandbox` as a process on free ports, runs the smoke client against it, has promtool
check its metrics, and stops it with Ctrl-C's signal.

    python run.py target/debug/dinggate
"""

import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from processes import free_addresses

CLIENT = Path(__file__).with_name("smoke.py")
CLIENT_SECONDS = 60
STOP_SECONDS = 30


def run_client(gateway, target):
    """Runs the client to its end and returns its exit code, or what became of it."""
    client = subprocess.Popen([sys.executable, CLIENT, target])
    try:
        return client.wait(timeout=CLIENT_SECONDS)
    except subprocess.TimeoutExpired:
        return f"still running after {CLIENT_SECONDS} s (the gateway's exit code: {gateway.poll()})"
    finally:
        client.kill()
        client.wait()


def check_metrics(http):
    """Has promtool read what the gateway says of itself, and returns promtool's exit code."""
    with urllib.request.urlopen(f"http://{http}/metrics", timeout=CLIENT_SECONDS) as answer:
        metrics = answer.read()
    print(f"metrics: {metrics.count(b'# TYPE')}, series: {sum(not line.startswith(b'#') for line in metrics.splitlines())}")
    return subprocess.run(["promtool", "check", "metrics"], input=metrics, timeout=CLIENT_SECONDS).returncode


def stop(gateway):
    """Sends SIGINT and returns the exit code."""
    gateway.send_signal(signal.SIGINT)
    try:
        return gateway.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        gateway.kill()
        gateway.wait()
        return f"none within {STOP_SECONDS} s"


def main(binary):
    grpc, http, dingtalk = free_addresses(3)
    command = [binary, "sandbox", "--grpc-addr", grpc, "--http-addr", http, "--dingtalk-addr", dingtalk]
    print("+", *command, flush=True)
    with tempfile.TemporaryFile() as output:
        gateway = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            client_code = run_client(gateway, grpc)
            metrics_code = check_metrics(http)
        finally:
            exit_code = stop(gateway)
        print(f"sandbox after SIGINT: exit code {exit_code}")
        if client_code == metrics_code == exit_code == 0:
            return 0
        output.seek(0)
        print("--- what the sandbox printed", output.read().decode(errors="replace"), sep="\n")
        print(f"FAILED: client {client_code}, promtool {metrics_code}, sandbox {exit_code}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
