"""`dinggate sandbox` as a process."""

import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from urllib.request import urlopen

START_SECONDS = 30
STOP_SECONDS = 30
ANY_PORT = "127.0.0.1:0"


class GatewayError(Exception):
    """The gateway did not start or end as it should."""


class Sandbox:
    """A gateway and a simulator. As a context manager it stops them with Ctrl-C's signal, and minds the exit code."""

    def __init__(self, binary, grpc_addr=ANY_PORT, config=None, **settings):
        """`config` is the text of a configuration file, `settings` are environment variables of the gateway."""
        command = [binary, "sandbox", "--grpc-addr", grpc_addr, "--http-addr", ANY_PORT, "--dingtalk-addr", ANY_PORT]
        self._config = tempfile.NamedTemporaryFile("w", suffix=".toml")
        if config:
            self._config.write(config)
            self._config.flush()
            command += ["--config", self._config.name]
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            self._read_welcome()
        except GatewayError:
            self._process.kill()
            self._process.wait()
            raise

    def _read_welcome(self):
        lines = queue.SimpleQueue()

        def follow():
            for line in self._process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=follow, daemon=True).start()
        found = {}
        while not {"gRPC", "DingTalk"} <= found.keys():
            try:
                line = lines.get(timeout=START_SECONDS)
            except queue.Empty:
                raise GatewayError(f"the sandbox says nothing for {START_SECONDS} s\n{self.log()}") from None
            if line is None:
                raise GatewayError(f"the sandbox ended before it served\n{self.log()}")
            if match := re.match(r"\s+(gRPC|DingTalk)\s+(?:http://)?([\d.]+:\d+)", line):
                found[match[1]] = match[2]
        self.addr = found["gRPC"]
        self.simulator = f"http://{found['DingTalk']}"

    def control(self, path, body):
        """Tells the simulator what to do."""
        with urlopen(self.simulator + path, json.dumps(body).encode(), timeout=STOP_SECONDS) as answer:
            answer.read()

    def log(self):
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def stop(self):
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = f"none within {STOP_SECONDS} s"
        if code != 0:
            raise GatewayError(f"the sandbox after SIGINT: exit code {code}\n{self.log()}")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.stop()
        else:
            self._process.kill()
            self._process.wait()
            error.add_note(f"--- what the sandbox logged\n{self.log()}")
