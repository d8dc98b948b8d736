"""Restarts three replicas on one Redis one after the other, under load, as Kubernetes rolls out a new version. No RPC may
fail: the clients balance over the replicas by themselves and have retries switched off.

    python run.py target/debug/dinggate
"""

import collections
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

sys.path.append(str(Path(__file__).parents[1]))

import processes
from processes import app_table, free_addresses, wait_until_open

REPLICAS = 3
CALLERS = 12
CALLS_PER_CALLER_AND_SECOND = 10
CALL_SECONDS = 20
START_SECONDS = 20
STOP_SECONDS = 40
# What `minReadySeconds` gives clients in Kubernetes: time to connect to the new replica before the next one goes.
SETTLE_SECONDS = 3

CONFIG = """
[server]
grpc_addr = "{grpc}"
http_addr = "{http}"
drain_delay = "1s"
[store]
kind = "redis"
url = "redis://{redis}"
replicas = 3
[telemetry]
log_format = "json"
log_filter = "warn"
"""

CHANNEL_OPTIONS = [
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A list of addresses is no `:authority`, and the gateway's HTTP/2 refuses it as one.
    ("grpc.default_authority", "dinggate"),
    # Callers are services of their own: no connections shared between them.
    ("grpc.use_local_subchannel_pool", 1),
]


class Replica:
    """One gateway process, which can be started again at the same address."""

    def __init__(self, binary, folder, name, addresses):
        self.grpc = addresses["grpc"]
        self.log = folder / f"{name}.log"
        config = folder / f"{name}.toml"
        app = app_table(f"http://{addresses['dingtalk']}", per_second=1000, per_month=0)
        config.write_text(CONFIG.format(**addresses) + app)
        self._command = [binary, "serve", "--config", config]
        self.start()

    def start(self):
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until_open(self.grpc)
        with grpc.insecure_channel(self.grpc) as channel:
            request = health_pb2.HealthCheckRequest(service="")
            for reply in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=START_SECONDS, wait_for_ready=True):
                if reply.status == health_pb2.HealthCheckResponse.SERVING:
                    return

    def stop(self):
        """SIGTERM, as Kubernetes does; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"none within {STOP_SECONDS} s"

    def kill(self):
        self._process.kill()
        self._process.wait()


class Methods:
    """GroupService by reflection, on any channel."""

    SERVICE = "dinggate.group.v1.GroupService"

    def __init__(self, target):
        with grpc.insecure_channel(target) as channel:
            pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            service = pool.FindServiceByName(self.SERVICE)
            self._types = {
                name: tuple(message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
                for name, method in service.methods_by_name.items()
            }

    def call(self, channel, name, request):
        request_type, reply_type = self._types[name]
        call = channel.unary_unary(
            f"/{self.SERVICE}/{name}",
            request_serializer=request_type.SerializeToString,
            response_deserializer=reply_type.FromString,
        )
        reply = call(json_format.ParseDict(request, request_type()), timeout=CALL_SECONDS)
        return json_format.MessageToDict(reply, preserving_proto_field_name=True)


def caller(methods, target, stop, ended):
    """One service at work: it renames a group, reads it, now and then creates another."""
    with grpc.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        handle, turn = None, 0
        due = time.monotonic()
        while not stop.is_set():
            turn += 1
            if handle is None or turn % 20 == 0:
                name, request = "CreateGroup", {
                    "title": "Rolling", "owner": {"user_id": "manager4220"}, "internal": {},
                    "members": [{"user_id": "user001"}], "request_id": str(uuid.uuid4()),
                }
            elif turn % 5 == 0:
                name, request = "UpdateGroup", {
                    "group": {"ref": handle, "title": f"Rolling {turn}"}, "update_mask": "title",
                    "request_id": str(uuid.uuid4()),
                }
            else:
                name, request = "GetGroup", {"group": handle, "max_staleness": "0s"}
            try:
                reply = methods.call(channel, name, request)
                ended.append((name, "OK", ""))
                if name == "CreateGroup":
                    handle = reply["group"]["ref"]
            except grpc.RpcError as error:
                ended.append((name, error.code().name, error.details()))
            due += 1 / CALLS_PER_CALLER_AND_SECOND
            stop.wait(max(0.0, due - time.monotonic()))


def roll(replicas, ended):
    """Each replica stops, and starts anew, while the others go on. Returns what went wrong but for the RPCs."""
    faults = []
    for number, replica in enumerate(replicas, 1):
        before = len(ended)
        code = replica.stop()
        if code != 0:
            faults.append(f"replica {number} ended with {code} after SIGTERM")
        replica.start()
        time.sleep(SETTLE_SECONDS)
        print(f"  replica {number} restarted; {len(ended) - before} RPCs meanwhile", flush=True)
    return faults


def judge(ended, created_upstream):
    """The sentences that make the proof fail."""
    codes = collections.Counter(code for _, code, _ in ended)
    print(f"RPCs by code: {dict(codes)}")
    faults = [f"{name} failed: {code}: {text}" for name, code, text in ended if code != "OK"]
    created = sum(1 for name, code, _ in ended if (name, code) == ("CreateGroup", "OK"))
    print(f"groups: {created} answered, {created_upstream} at DingTalk")
    if created != created_upstream:
        faults.append(f"{created} groups were answered and {created_upstream} are there")
    least = CALLERS * CALLS_PER_CALLER_AND_SECOND * SETTLE_SECONDS
    if len(ended) < least:
        faults.append(f"only {len(ended)} RPCs ended: that is no load")
    return faults


def main(binary):
    addresses = free_addresses(2 + 2 * REPLICAS)
    redis, dingtalk, *others = addresses
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        processes.redis(stack, folder / "redis.log", redis)
        log = folder / "simulator.log"
        processes.background(stack, log, binary, "simulator", "--dingtalk-addr", dingtalk)
        wait_until_open(dingtalk)
        control(dingtalk, "quotas", b"{}")

        replicas = []
        for number in range(REPLICAS):
            grpc_addr, http_addr = others[2 * number : 2 * number + 2]
            where = {"grpc": grpc_addr, "http": http_addr, "redis": redis, "dingtalk": dingtalk}
            replicas.append(Replica(binary, folder, f"replica-{number + 1}", where))
            stack.callback(replicas[-1].kill)

        target = "ipv4:" + ",".join(replica.grpc for replica in replicas)
        methods, stop, ended = Methods(replicas[0].grpc), threading.Event(), []
        threads = [threading.Thread(target=caller, args=(methods, target, stop, ended)) for _ in range(CALLERS)]
        print(f"{CALLERS} callers on {REPLICAS} replicas, each restarted once", flush=True)
        for thread in threads:
            thread.start()
        try:
            faults = roll(replicas, ended)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        faults += judge(ended, creates(dingtalk))
        for fault in faults[:20]:
            print(f"FAILED: {fault}")
        if faults:
            for replica in replicas:
                print(f"--- {replica.log.name}", replica.log.read_text(errors="replace")[-2000:], sep="\n")
        return 1 if faults else 0


def control(dingtalk, path, body=None):
    with urllib.request.urlopen(f"http://{dingtalk}/_sim/{path}", data=body, timeout=5) as answer:
        return json.load(answer)


def creates(dingtalk):
    """How many groups DingTalk was asked to create."""
    calls = control(dingtalk, "calls")
    calls = calls.get("calls", calls) if isinstance(calls, dict) else calls
    return sum(1 for call in calls if call["operation"] == "group.create")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
