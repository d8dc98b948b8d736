"""Two gateways, a Redis, the simulator and a Prometheus, under load and a choice of bad weather; then draws the dashboards.

    python load.py target/debug/dinggate FOLDER PYTHON_WITH_MATPLOTLIB

A development tool, run by `make draw-dashboards`: it takes three minutes and proves nothing by itself but that every
panel has data. Look at the pictures.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests"), str(ROOT / "tests/smoke")]
from processes import app_table, free_addresses  # noqa: E402
from smoke import Service, wait_until_serving  # noqa: E402

SECONDS = 150
SCRAPE = 2

GATEWAY = """
[server]
grpc_addr = "{grpc}"
http_addr = "{http}"
max_concurrent_requests = 48

[limits]
shares = {{ shop = 1, nightly = 1 }}

[breaker]
failures = 3

[store]
kind = "redis"
url = "redis://{redis}"
replicas = 2

[events]
mode = "stream"
"""

PROMETHEUS = """
global: {{scrape_interval: {scrape}s, evaluation_interval: {scrape}s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: dinggate
    static_configs:
      - targets: {targets}
        labels: {{namespace: chat}}
"""


class Site:
    """The processes, ended in reverse order."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.processes = binary, Path(folder), []
        (self.dingtalk, self.redis, self.prometheus, *gateways) = free_addresses(7)
        self.gateways = [gateways[:2], gateways[2:]]

    def spawn(self, name, *command):
        log = (self.folder / f"{name}.log").open("a")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start(self):
        self.spawn("simulator", self.binary, "simulator", "--dingtalk-addr", self.dingtalk)
        self.start_redis()
        self.key, secret = self.credentials()
        dingtalk = f"http://{self.dingtalk}"
        apps = app_table(dingtalk, "orders", self.key, secret, "dingsandbox", per_second=20, per_month=5000)
        apps += app_table(dingtalk, "broken", "dingnobody", "wrong", "dingsandbox")
        for number, (grpc_addr, http) in enumerate(self.gateways):
            file = self.folder / f"gateway{number}.toml"
            file.write_text(GATEWAY.format(grpc=grpc_addr, http=http, redis=self.redis) + apps)
            self.spawn(f"gateway{number}", self.binary, "serve", "--config", str(file))
        file = self.folder / "prometheus.yaml"
        rules = ROOT / "helm/dinggate/rules/dinggate.yaml"
        file.write_text(PROMETHEUS.format(scrape=SCRAPE, rules=rules, targets=json.dumps([http for _, http in self.gateways])))
        self.spawn("prometheus", "prometheus", f"--config.file={file}", f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address={self.prometheus}")

    def start_redis(self):
        host, port = self.redis.split(":")
        self.store = self.spawn("redis", "redis-server", "--bind", host, "--port", port, "--save", "", "--dir", str(self.folder))

    def lose_redis(self, seconds):
        self.store.kill()
        self.store.wait()
        time.sleep(seconds)
        self.start_redis()

    def credentials(self):
        """The simulator prints them when it serves."""
        while " secret " not in (text := (self.folder / "simulator.log").read_text()):
            time.sleep(0.1)
        words = text.replace(",", " ").replace(";", " ").split()
        return words[words.index("key") + 1], words[words.index("secret") + 1]

    def simulate(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        urllib.request.urlopen(urllib.request.Request(f"http://{self.dingtalk}/_sim/{path}", data=data, method=method)).read()

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


class Callers:
    """Calls in turn over both gateways; errors are what the dashboards are for."""

    def __init__(self, site):
        self.groups, self.members, self.events = [], [], []
        for grpc_addr, _ in site.gateways:
            channel = grpc.insecure_channel(grpc_addr)
            wait_until_serving(channel)
            self.groups.append(Service(channel, "dinggate.group.v1.GroupService"))
            self.members.append(Service(channel, "dinggate.group.v1.MemberService"))
            self.events.append(Service(channel, "dinggate.group.v1.GroupEventService"))

    def call(self, number, caller, method, request, **metadata):
        services = self.members if "Members" in method else self.groups
        try:
            named = [("x-dinggate-caller", caller), *((key.replace("_", "-"), value) for key, value in metadata.items())]
            return services[number % 2].call(method, request, named)
        except grpc.RpcError:
            return None


def steady(callers, number, group, until):
    """What ordinary callers do: mostly reads, some writes, now and then a creation."""
    turn = 0
    while time.monotonic() < until:
        turn += 1
        name = ("shop", "nightly", "stranger")[turn % 3]
        read = {"app": "orders", "group": group, "max_staleness": "0s"} if turn % 4 == 0 else {"app": "orders", "group": group}
        callers.call(number, name, "GetGroup", read)
        if turn % 7 == 0:
            callers.call(number, name, "UpdateGroup", new_title(group, f"Order {turn}"))
        if turn % 9 == 0:
            callers.call(number, name, "ListMembers", {"app": "orders", "group": group})
        if turn % 40 == 0:
            callers.call(number, name, "CreateGroup", new_group(f"Incident {turn}"))
        time.sleep(0.1)


def watch(callers, number, until):
    """Watches events. Where it left off is of no concern here."""
    while (seconds := until - time.monotonic()) > 0:
        try:
            for _ in callers.events[number % 2].stream("WatchGroupEvents", {"app": "orders"}, seconds):
                pass
        except grpc.RpcError:
            time.sleep(1)


def new_group(title):
    return {"app": "orders", "title": title, "owner": {"user_id": "manager4220"}, "internal": {}, "request_id": str(uuid.uuid4())}


def new_title(group, title):
    return {"app": "orders", "group": {"ref": group, "title": title}, "update_mask": "title"}


def weather(site, callers, group):
    """Bad weather, one after the other."""
    def many(count, work):
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(work, range(count)))

    unknown_code = {"kind": "error", "status": 200, "code": "4711", "message": "?"}
    fresh = {"app": "orders", "group": group, "max_staleness": "0s"}
    time.sleep(20)
    callers.call(0, "shop", "GetGroup", {**fresh, "app": "broken"})
    site.simulate("POST", "faults", {"operation": "group.create", "times": 3, "fault": {"kind": "drop_after"}})
    many(3, lambda n: callers.call(n, "shop", "CreateGroup", new_group("Lost answers")))
    site.simulate("POST", "faults", {"operation": "group.get_legacy", "times": 5, "fault": {"kind": "throttle"}})
    site.simulate("POST", "faults", {"operation": "group.get_legacy", "times": 1, "fault": unknown_code})
    time.sleep(15)
    site.simulate("POST", "outage", {"operation": "group.get_legacy", "fault": {"kind": "html", "status": 503}})
    time.sleep(15)
    site.simulate("DELETE", "outage")
    site.simulate("POST", f"apps/{site.key}/connections/cut")
    for _ in range(4):
        many(60, lambda n: callers.call(0, "nightly", "UpdateGroup", new_title(group, f"Burst {n}"), x_dinggate_wait="fail-fast"))
        many(150, lambda n: callers.call(1, "shop", "UpdateGroup", new_title(group, f"Flood {n}")))
        time.sleep(5)
    site.lose_redis(15)


def main(binary, pictures, python):
    with tempfile.TemporaryDirectory() as folder:
        site = Site(binary, folder)
        try:
            site.start()
            callers = Callers(site)
            begin = time.monotonic()
            group = callers.call(0, "shop", "CreateGroup", new_group("Dashboards"))["group"]["ref"]
            threads = [threading.Thread(target=steady, args=(callers, n, group, begin + SECONDS)) for n in range(6)]
            threads += [threading.Thread(target=watch, args=(callers, n, begin + SECONDS)) for n in range(5)]
            threads.append(threading.Thread(target=weather, args=(site, callers, group)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            drawn = subprocess.run([python, Path(__file__).with_name("draw.py"), f"http://{site.prometheus}", str(SECONDS), pictures])
            return drawn.returncode
        finally:
            site.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
