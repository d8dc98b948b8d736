"""The client programs: how each is built and started."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS = ROOT / "clients"
RUN_SECONDS = 120
# What a program sees of the environment of `make`: no proxies, and no variables that would steer gRPC or OpenTelemetry.
PASSED_ON = ("PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR")


@dataclass(frozen=True)
class Program:
    """One project in clients/."""

    language: str
    tools: dict  # what has to be on the PATH, and where to get it
    build: list  # commands, in the project's directory
    command: list
    # The checks of a program that does not do all that CONTRACT.md asks for.
    checks: tuple = ()

    @property
    def directory(self):
        return CLIENTS / self.language

    def missing_tools(self):
        return [f"{tool} ({advice})" for tool, advice in self.tools.items() if not shutil.which(tool)]

    def make(self):
        for command in self.build:
            print("+", *command, flush=True)
            environment = {**os.environ, "PATH": f"{ROOT / '.tools/venv/bin'}:{os.environ['PATH']}"}
            subprocess.run(command, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, check=True)

    def start(self, *arguments, **environment):
        return Run(self, arguments, environment)

    def run(self, *arguments, **environment):
        """Runs to the end."""
        with self.start(*arguments, **environment) as run:
            run.finish()
        return run


class Run:
    """The program at work. Killed at the latest when the context is left."""

    def __init__(self, program, arguments, environment):
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [*program.command, *map(str, arguments)],
            cwd=program.directory,
            env={**kept, **{name: str(value) for name, value in environment.items()}},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output = ""
        self.errors = ""
        self.code = None

    def wait_for_line(self, wanted):
        """Reads until this line; what comes instead is kept for `finish`."""
        for line in self._process.stdout:
            self.output += line
            if line.strip() == wanted:
                return
        self.finish()
        raise AssertionError(f"no line {wanted!r} before the end\n{self.told()}")

    @property
    def pipes(self):
        """Standard output and standard error, for who reads them as they come and not with `finish`."""
        return self._process.stdout, self._process.stderr

    def say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def finish(self):
        try:
            output, self.errors = self._process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, self.errors = self._process.communicate()
            self.errors += f"\nstill running after {RUN_SECONDS} s"
        self.output += output
        self.code = self._process.returncode

    def lines(self):
        return self.output.splitlines()

    def told(self):
        return f"exit code {self.code}\n--- standard output\n{self.output}--- standard error\n{self.errors}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._process.poll() is None:
            self.kill()
            self._process.communicate()

    def kill(self):
        self._process.kill()
        self._process.wait()


def expect(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def succeeded(run):
    expect(run.code == 0, run.told())


PROGRAMS = [
    Program(
        "go",
        {"go": "Go 1.26 or newer, go.dev/dl"},
        [["go", "generate", "./..."], ["go", "build", "-o", "build/dinggate-example", "."]],
        ["build/dinggate-example"],
    ),
    Program(
        "java",
        {
            "java": "JDK 17 or newer, on Debian: apt-get install openjdk-17-jdk-headless",
            "mvn": "Maven 3.8 or newer, on Debian: apt-get install maven",
        },
        [["mvn", "--quiet", "--batch-mode", "package"]],
        # It lives for a second: no time for the second compiler to pay.
        ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", "target/dinggate-example.jar"],
    ),
    Program(
        "python",
        {"python3": "Python 3.11 or newer, on Debian: apt-get install python3 python3-venv"},
        [
            [ROOT / "scripts/install_python_tools.sh", "clients/python/requirements.lock", "clients/python/.venv"],
            [".venv/bin/python", "generate.py"],
            [".venv/bin/pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."],
        ],
        [".venv/bin/dinggate-example"],
    ),
    Program(
        "typescript",
        {"node": "Node 20 or newer, on Debian: apt-get install nodejs npm", "npm": "comes with Node"},
        [
            [ROOT / "scripts/install_node_packages.sh", "."],
            ["npm", "run", "--silent", "build"],
        ],
        ["node", "--import", "./build/src/instrumentation.js", "build/src/main.js"],
    ),
    # Not one of the four that the contract is for: JSON and a service config are not tonic's business.
    Program(
        "rust",
        {"cargo": "Rust 1.89 or newer, rustup.rs"},
        [["cargo", "build", "--quiet", "--locked", "--target-dir", "target"]],
        ["target/debug/dinggate-example"],
        checks=("usage", "probe", "example", "watch", "watch_lost", "watch_refused", "tls", "mtls", "tokens"),
    ),
]
