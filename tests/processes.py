"""What the scripts around the gateway share: addresses and processes on this machine, and the apps of a configuration.

A script in a folder beside this file finds it with `sys.path.append(str(Path(__file__).parents[1]))`.
"""

import socket
import subprocess
import time

START_SECONDS = 30


def free_addresses(count):
    """Addresses nobody listens on; held open together, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{held.getsockname()[1]}" for held in sockets]
    for held in sockets:
        held.close()
    return addresses


def wait_until_open(address):
    """Until something listens there."""
    host, port = address.split(":")
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def app_table(dingtalk, alias="demo", key="dingdemo", secret="demo-secret", corp="dingcorpdemo", **limits):
    """An app in the gateway's configuration, with that DingTalk; without a name the one that each simulator has."""
    limits = ", ".join(f"{name} = {number}" for name, number in limits.items())
    return f"""
[[apps]]
alias = "{alias}"
app_key = "{key}"
app_secret = "{secret}"
corp_id = "{corp}"
api_url = "{dingtalk}"
oapi_url = "{dingtalk}"
limits = {{ {limits} }}
"""


def background(stack, log, *command):
    """A process that is killed when the `ExitStack` ends."""
    output = stack.enter_context(log.open("ab"))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def redis(stack, log, address):
    """A Redis that keeps nothing on disk."""
    port = address.split(":")[1]
    process = background(stack, log, "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "")
    wait_until_open(address)
    return process
