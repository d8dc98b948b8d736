"""What can be counted instead of timed: instructions and allocations of a call, and its round trips to Redis."""

import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import measure
import programs

# Seconds that a program takes to start under callgrind, about.
STARTS_IN = 6

# What programs ask for memory by: glibc's functions, and mimalloc's.
ALLOCATIONS = {
    "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign",
    "mi_malloc", "mi_zalloc", "mi_calloc", "mi_realloc",
    "mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned",
}
CALLEE = re.compile(r"cfn=\((\d+)\)(?: (.*))?")
FUNCTION = re.compile(r"fn=\((\d+)\) (.*)")


def count_all(folder, upstream, seconds, tell):
    """{subject: {call: counts}}. Without valgrind or Redis, without what they count."""
    figures = {subject: {call: {} for call in calls} for subject, calls in measure.SUBJECTS.items()}
    under_valgrind = shutil.which("valgrind") and shutil.which("callgrind_control")
    for subject, call in ((subject, call) for subject, calls in figures.items() for call in calls):
        if under_valgrind:
            tell(f"{subject}: {call} under callgrind", 2 * seconds + STARTS_IN)
            figures[subject][call] |= per_call(folder, subject, call, upstream, seconds)
    for call in figures["gateway"]:
        if shutil.which("redis-server"):
            tell(f"{call} with Redis", seconds)
            figures["gateway"][call]["redis"] = redis_trips(folder, call, upstream, seconds)
    return figures


def per_call(folder, subject, call, upstream, seconds):
    """Instructions and allocations per call, under callgrind: the same on every machine, give or take a per cent."""
    with tempfile.TemporaryDirectory(prefix="dinggate-callgrind-") as out:
        under = ["valgrind", "--quiet", "--tool=callgrind", "--fair-sched=try", f"--callgrind-out-file={out}/out"]
        with measure.start(folder, subject, upstream, under) as program:
            def calls():
                return programs.load(folder, call, program, seconds=seconds, warmup=0, connections=1)["answered"]

            calls()
            dump(program)  # forgets the start and the first calls
            number = calls()
            dump(program)
        instructions, allocations = read_profile(pathlib.Path(out, "out.2"))
    return {"instructions": instructions / number, "allocations": allocations / number}


def dump(program):
    subprocess.run(["callgrind_control", "--dump", str(program.pid)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def read_profile(path):
    """(instructions, calls of the allocator) of a profile."""
    names, instructions, allocations, callee = {}, 0, 0, None
    for line in path.read_text(errors="replace").splitlines():
        if match := FUNCTION.match(line):
            names[match[1]] = match[2]
        elif match := CALLEE.match(line):
            if match[2]:
                names[match[1]] = match[2]
            callee = names.get(match[1])
        elif line.startswith("calls=") and callee in ALLOCATIONS:
            allocations += int(line[len("calls="):].split()[0])
        elif line.startswith(("summary:", "totals:")):
            instructions = max(instructions, int(line.split()[1]))
    return instructions, allocations


@contextlib.contextmanager
def redis():
    """A Redis that keeps nothing; its port."""
    port = programs.free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        begin = time.monotonic()
        while not answers(port):
            if process.poll() is not None or time.monotonic() - begin > programs.STARTED_WITHIN:
                raise programs.Failed("Redis did not start")
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def redis_trips(folder, call, upstream, seconds):
    """Commands that the gateway sends to Redis per call; what scripts do inside Redis is none."""
    with redis() as port:
        store = f'[store]\nkind = "redis"\nurl = "redis://127.0.0.1:{port}"\n'
        with programs.gateway(folder, upstream, extra=store) as program:
            programs.load(folder, call, program, seconds=3, warmup=0, connections=1)
            with socket.create_connection(("127.0.0.1", port)) as monitor:
                monitor.sendall(b"MONITOR\r\n")
                monitor.recv(5)
                done = programs.load(folder, call, program, seconds=seconds, warmup=0, connections=1)
                monitor.settimeout(0.5)
                seen = b""
                with contextlib.suppress(TimeoutError):
                    while chunk := monitor.recv(1 << 20):
                        seen += chunk
    commands = [line for line in seen.splitlines() if b'"' in line and b" lua]" not in line]
    return len(commands) / done["answered"]
