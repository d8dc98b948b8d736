"""What a client library has to be able to do with the gateway: ../../CONTRACT.md has the list."""

import json
import sys
import time
import uuid
from urllib.request import urlopen

import grpc
from dinggate.group.v1 import group_pb2, group_service_pb2, group_service_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dinggate_example.incident import expect

READ = "group.get_legacy"
DEADLINE = 10
PATIENCE = 30
PROMPT = 3


def create(channel, wait_for_ready=None, timeout=DEADLINE):
    request = group_service_pb2.CreateGroupRequest(
        title="Check",
        owner=group_pb2.MemberRef(user_id="manager4220"),
        internal=group_service_pb2.InternalGroup(),
        request_id=str(uuid.uuid4()),
    )
    groups = group_service_pb2_grpc.GroupServiceStub(channel)
    return groups.CreateGroup(request, timeout=timeout, wait_for_ready=wait_for_ready).group.ref


def read(channel, group, timeout=DEADLINE):
    """Begins to read the group, past the gateway's memory."""
    request = group_service_pb2.GetGroupRequest(group=group, max_staleness=Duration())
    return group_service_pb2_grpc.GroupServiceStub(channel).GetGroup.future(request, timeout=timeout)


def plan(simulator, times, fault):
    body = json.dumps({"operation": READ, "times": times, "fault": fault}).encode()
    with urlopen(f"{simulator}/_sim/faults", body, timeout=DEADLINE) as answer:
        answer.read()


def reads(simulator):
    """How often DingTalk has been asked for a group."""
    with urlopen(f"{simulator}/_sim/calls?operation={READ}", timeout=DEADLINE) as answer:
        return len(json.load(answer))


def health(channel, simulator):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "dinggate.group.v1.GroupService"):
        reply = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
        expect(reply.status == health_pb2.HealthCheckResponse.SERVING, f"{service!r} has status {reply.status}")
    unknown = stub.Check.future(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=DEADLINE)
    expect(unknown.code() == grpc.StatusCode.NOT_FOUND, f"an unknown service is answered {unknown.code()}")


def stream(channel, simulator):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    reply = next(watch)
    expect(reply.status == health_pb2.HealthCheckResponse.SERVING, f"the status is {reply.status}")
    watch.cancel()
    expect(watch.code() == grpc.StatusCode.CANCELLED, f"the stream ended as {watch.code()}")


def deadline(channel, simulator):
    group = create(channel)
    plan(simulator, 1, {"kind": "hang"})
    started = time.monotonic()
    code = read(channel, group, timeout=0.5).code()
    expect(code == grpc.StatusCode.DEADLINE_EXCEEDED, f"the call ended as {code}")
    expect(time.monotonic() - started < PROMPT, "the call took far longer than its deadline")


def cancel(channel, simulator):
    group = create(channel)
    plan(simulator, 1, {"kind": "hang"})
    call = read(channel, group, timeout=60)
    give_up = time.monotonic() + PATIENCE
    while reads(simulator) == 0:
        expect(time.monotonic() < give_up, "the call never reached DingTalk")
    started = time.monotonic()
    call.cancel()
    expect(call.code() == grpc.StatusCode.CANCELLED, f"the call ended as {call.code()}")
    expect(time.monotonic() - started < PROMPT, "the call went on")


def retry(channel, simulator):
    group = create(channel)
    plan(simulator, 2, {"kind": "html", "status": 503})
    read(channel, group).result()
    expect(reads(simulator) == 3, f"DingTalk was asked {reads(simulator)} times")


def late(channel, simulator):
    print("calling", flush=True)
    create(channel, wait_for_ready=True, timeout=PATIENCE)


def restart(channel, simulator):
    create(channel)
    print("called", flush=True)
    sys.stdin.readline()
    create(channel, wait_for_ready=True, timeout=PATIENCE)


CHECKS = {check.__name__: check for check in (health, stream, deadline, cancel, retry, late, restart)}


def run(channel, simulator, name):
    try:
        CHECKS[name](channel, simulator)
    except (RuntimeError, grpc.RpcError) as error:
        print(f"not ok {name}: {error!r}", flush=True)
        return False
    print(f"ok {name}", flush=True)
    return True


def probe(channel):
    """The code, and the reason if there is one, of a call that changes nothing."""
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    from dinggate_example.incident import detail

    request = group_service_pb2.CreateGroupRequest(
        title="Probe",
        owner=group_pb2.MemberRef(user_id="manager4220"),
        internal=group_service_pb2.InternalGroup(),
        validate_only=True,
    )
    try:
        group_service_pb2_grpc.GroupServiceStub(channel).CreateGroup(request, timeout=5, wait_for_ready=False)
    except grpc.RpcError as error:
        info = detail(rpc_status.from_call(error), error_details_pb2.ErrorInfo)
        return f"{error.code().name} {info.reason}" if info else error.code().name
    return "OK"
