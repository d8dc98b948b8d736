"""Watching events: the gateway is stopped, killed and frozen while events go on, and its log outlives it in Redis."""

import contextlib
import json
import signal
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import identity
import processes
from gateway import Sandbox
from processes import app_table, free_addresses, wait_until_open
from program import expect
from proxy import Proxy

APP_KEY = "dingdemo"
CONFIG = """
[server]
grpc_addr = "{grpc}"
http_addr = "127.0.0.1:0"
drain_delay = "0s"
max_connection_age = "{age}"
max_connection_age_grace = "100ms"
[store]
kind = "redis"
url = "redis://{redis}"
[events]
mode = "stream"
retention_count = {kept}
""" + identity.TOKENS
# DingTalk is patient, and tells some things twice.
RULES = {"redelivery_ms": [500] * 100, "offline": "keep", "duplicates": 0.2}
EVENTS, PER_SECOND = 100, 50
# When the gateway is restarted, that many events of a hundred have been printed.
SOME = 20
PATIENCE_SECONDS = 90
KEPT = 100_000


class Dingtalk:
    """A simulator with a group in which things happen."""

    def __init__(self, url):
        self.url = url
        self._post("/_sim/quotas", {})
        self._post("/_sim/pushes/rules", RULES)
        token = self._get(f"/gettoken?appkey={APP_KEY}&appsecret=demo-secret")["access_token"]
        group = {"name": "Watched", "owner": "manager4220", "useridlist": ["manager4220", "user001"]}
        self.group = self._post(f"/chat/create?access_token={token}", group)["chatid"]

    def begin_events(self):
        self._post(f"/_sim/groups/{self.group}/burst", {"count": EVENTS, "per_second": PER_SECOND})

    def events(self):
        """All events so far: whether each was acknowledged, by id."""
        return {event["id"]: event["state"] == "acked" for event in self._get(f"/_sim/apps/{APP_KEY}/events")}

    def wait_until_acknowledged(self, count):
        """Until so many events were made, and the gateway has acknowledged all of them; returns their ids."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while len(events := self.events()) < count or not all(events.values()):
            expect(time.monotonic() < give_up, f"{sum(events.values())} of {count} events were acknowledged")
            time.sleep(0.1)
        return set(events)

    def _get(self, path):
        with urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def _post(self, path, body):
        with urlopen(self.url + path, json.dumps(body).encode(), timeout=10) as answer:
            return json.load(answer)


class Gateway:
    """`dinggate serve`, again and again at the same address; over TLS, and callers have tokens."""

    def __init__(self, stack, folder, binary, addresses):
        files = identity.Files(folder)
        self.address = addresses["grpc"]
        self.environment = {
            "DINGGATE_ADDR": self.address, "DINGGATE_CA": folder / "ca.pem", **files.token("orders")
        }
        self._stack, self._folder, self._binary = stack, folder, binary
        self._settings = {"folder": folder, **addresses}
        self.start(age="2s")

    def start(self, kept=KEPT, age="1h"):
        config = self._folder / "gateway.toml"
        app = app_table(f"http://{self._settings['dingtalk']}")
        config.write_text(CONFIG.format(kept=kept, age=age, **self._settings) + app)
        log = self._folder / "gateway.log"
        self._process = processes.background(self._stack, log, self._binary, "serve", "--config", config)
        wait_until_open(self.address)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=PATIENCE_SECONDS)
        expect(code == 0, f"the gateway ended with {code} after SIGTERM")

    def kill(self):
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def frozen(self):
        """It holds its connections and does nothing."""
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)


class Watcher:
    """A program that watches, with a checkpoint each so many seconds. Its lines are read as they come."""

    def __init__(self, program, environment, *token, seconds=1):
        self._run = program.start("watch", seconds, *token, **environment)
        self.items, self.resumed = [], []
        self._more = threading.Condition()
        takers = [lambda line: self.items.append(json.loads(line)), self.resumed.append]
        self._readers = [threading.Thread(target=self._read, args=each) for each in zip(self._run.pipes, takers)]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, take):
        for line in pipe:
            with self._more:
                take(line)
                self._more.notify_all()

    def events(self):
        return [item["id"] for item in self.items if item["item"] == "event"]

    def gaps(self):
        return [item["cause"] for item in self.items if item["item"] == "gap"]

    def wait_until(self, satisfied, sentence):
        with self._more:
            good = self._more.wait_for(satisfied, PATIENCE_SECONDS)
        expect(good, f"{sentence}: {self.items[-3:]}\n--- resumed\n{''.join(self.resumed)}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._run.kill()
        for reader in self._readers:
            reader.join()


@contextlib.contextmanager
def stage(binary):
    """Redis, DingTalk, which outlives the gateway, and a gateway."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        addresses = dict(zip(("grpc", "redis", "dingtalk"), free_addresses(3)))
        try:
            processes.redis(stack, folder / "redis.log", addresses["redis"])
            simulator = binary, "simulator", "--dingtalk-addr", addresses["dingtalk"]
            processes.background(stack, folder / "simulator.log", *simulator)
            wait_until_open(addresses["dingtalk"])
            yield Dingtalk(f"http://{addresses['dingtalk']}"), Gateway(stack, folder, binary, addresses)
        except BaseException as error:
            for log in folder.glob("*.log"):
                error.add_note(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
            raise


def watch(binary, program):
    """Each event comes exactly once and in the order of the log, whatever becomes of the gateway."""
    with stage(binary) as (dingtalk, gateway):
        earlier = dingtalk.events().keys()
        with Watcher(program, gateway.environment) as watcher:
            watcher.wait_until(lambda: watcher.items, "no checkpoint to begin with")
            begin = watcher.items[0]
            expect(begin["item"] == "checkpoint", f"it begins with {begin}")
            through_trouble(dingtalk, gateway, watcher)
            made = dingtalk.wait_until_acknowledged(len(earlier) + 3 * EVENTS) - earlier
            watcher.wait_until(lambda: made <= set(watcher.events()), "events are missing")
        order = watcher.events()
        expect(len(order) == len(made), f"{len(order)} lines for {len(made)} events")
        expect(all(item.get("chatId") == dingtalk.group for item in watcher.items if item["item"] == "event"), "no group")
        expect("GAP_CAUSE_OWNER_CHANGED" in watcher.gaps(), f"nobody was told what was not heard: {watcher.gaps()}")

        with Watcher(program, gateway.environment, begin["resumeToken"]) as again:
            again.wait_until(lambda: len(again.events()) >= len(order), "from the first token not all come again")
        expect(again.events() == order, "the log has another order than what was printed")
        expire(dingtalk, gateway)
        with Watcher(program, gateway.environment, begin["resumeToken"]) as late:
            late.wait_until(lambda: late.events(), "nothing comes after a token that has expired")
        expect(late.gaps()[:1] == ["GAP_CAUSE_UNSPECIFIED"], f"no gap at once, but {late.items[:3]}")


def through_trouble(dingtalk, gateway, watcher):
    """A connection that grows old, a restart in good order, a crash, and a gateway that hangs; amid events."""

    def amid_events():
        seen = len(watcher.events())
        dingtalk.begin_events()
        watcher.wait_until(lambda: len(watcher.events()) >= seen + SOME, "events do not come")

    amid_events()
    watcher.wait_until(lambda: watcher.resumed, "the connection does not grow old")
    gateway.stop()
    gateway.start()
    amid_events()
    gateway.kill()
    gateway.start()
    amid_events()
    resumed = len(watcher.resumed)
    with gateway.frozen():
        watcher.wait_until(lambda: len(watcher.resumed) > resumed, "a gateway that hangs is not noticed")


def expire(dingtalk, gateway):
    """The log keeps the last few events only, and there are new ones."""
    gateway.stop()
    gateway.start(kept=SOME)
    made = len(dingtalk.events())
    dingtalk.begin_events()
    dingtalk.wait_until_acknowledged(made + EVENTS)


def watch_lost(binary, program):
    """A connection whose other end is lost is replaced, although nothing tells so: keepalive is sooner to notice than the
    want of checkpoints."""
    with Sandbox(binary, DINGGATE__EVENTS__MODE="stream") as sandbox, Proxy(sandbox.addr) as proxy:
        dingtalk = Dingtalk(sandbox.simulator)
        with Watcher(program, {"DINGGATE_ADDR": proxy.address}, seconds=10) as watcher:
            watcher.wait_until(lambda: watcher.items, "no checkpoint to begin with")
            proxy.lose()
            dingtalk.begin_events()
            watcher.wait_until(lambda: len(watcher.events()) >= EVENTS, "the connection is not replaced")
        expect(len(set(watcher.events())) == EVENTS == len(watcher.events()), f"events are repeated: {watcher.events()}")


def watch_refused(binary, program):
    """What will not change is no reason to go on."""
    with Sandbox(binary) as sandbox:
        run = program.run("watch", "1", DINGGATE_ADDR=sandbox.addr)
        expect(run.code == 1 and not run.output and "EVENTS_DISABLED" in run.errors, run.told())
