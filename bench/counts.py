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

# What programs ask for memory by: glibc's functions, and mimalloc's.
ALLOCATIONS = {
    "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign",
    "mi_malloc", "mi_zalloc", "mi_calloc", "mi_realloc",
    "mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned",
}
CALLEE = re.compile(r"cfn=\((\d+)\)(?: (.*))?")
FUNCTION = re.compile(r"fn=\((\d+)\) (.*)")


def are_possible():
    return all(shutil.which(tool) for tool in ("valgrind", "callgrind_control"))


def per_call(folder, subject, call, upstream, seconds):
    """Instructions and allocations per call, under callgrind: the same on every machine, give or take a per cent."""
    with tempfile.TemporaryDirectory(prefix="dinggate-callgrind-") as out:
        under = ["valgrind", "--quiet", "--tool=callgrind", "--fair-sched=try", f"--callgrind-out-file={out}/out"]
        with start_under(folder, subject, upstream, under) as program:
            def calls():
                return programs.load(folder, call, program, seconds=seconds, warmup=1, connections=1)["answered"]

            calls()
            dump(program)  # forgets the start and the first calls
            number = calls()
            dump(program)
        instructions, allocations = read_profile(pathlib.Path(out, "out.2"))
    return {"instructions": instructions / number, "allocations": allocations / number}


def start_under(folder, subject, upstream, under):
    if subject.startswith("gateway"):
        return programs.gateway(folder, upstream, under=under)
    return programs.reference(folder, subject, upstream, under=under)


def dump(program):
    subprocess.run(["callgrind_control", "--dump", str(program.pid)], check=True, stdout=subprocess.DEVNULL)


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
            programs.load(folder, call, program, seconds=0.2, warmup=0, connections=1)
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
