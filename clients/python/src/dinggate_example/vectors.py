"""Runs the vectors that all client programs share: ../../CONTRACT.md says how to read the file."""

import json
import uuid
from urllib.request import urlopen

import grpc
from dinggate.admin.v1 import admin_service_pb2, quota_service_pb2, token_service_pb2  # noqa: F401: known by name
from dinggate.group.v1 import (  # noqa: F401: known by name
    assistant_service_pb2,
    group_event_service_pb2,
    group_service_pb2,
    member_service_pb2,
    pinned_card_service_pb2,
    template_service_pb2,
)
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2  # noqa: F401: known by name
from grpc_status import rpc_status

DEADLINE = 10
KEYS = {"name", "prepare", "rpc", "metadata", "request", "code", "reply", "details", "trailers", "save"}


def run(channel, simulator, file):
    """Whether every vector came out as it should."""
    variables = Variables()
    passed = [run_one(channel, simulator, vector, variables) for vector in json.loads(file.read_text())["vectors"]]
    return bool(passed) and all(passed)


def run_one(channel, simulator, vector, variables):
    try:
        faults = list(faults_of(channel, simulator, vector, variables))
    except Exception as error:  # whatever it is, the other vectors run all the same
        faults = [f"{type(error).__name__}: {error}"]
    name = vector["name"]
    print(f"not ok {name}: {'; '.join(faults)}" if faults else f"ok {name}", flush=True)
    return not faults


def faults_of(channel, simulator, vector, variables):
    if unknown := vector.keys() - KEYS:
        raise ValueError(f"unknown keys {unknown}")
    for step in vector.get("prepare", []):
        post(simulator + step["path"], step["body"])
    code, reply, details, trailers = call(
        channel, vector["rpc"], variables.fill(vector["request"]), vector.get("metadata", {})
    )
    wanted = vector.get("code", "OK")
    if code != wanted:
        yield f"code {code} instead of {wanted}"
        return
    for name, path in vector.get("save", {}).items():
        variables.save(name, reply, path)
    yield from differences(variables.fill(vector.get("reply", {})), reply, "reply")
    yield from differences(variables.fill(vector.get("trailers", {})), trailers, "trailers")
    for detail in variables.fill(vector.get("details", [])):
        if all(list(differences(detail, actual, "")) for actual in details):
            yield f"no detail matches {detail} in {details}"


def call(channel, rpc, request, metadata):
    """Code, reply, details and trailing metadata, as JSON would have them."""
    service, method = rpc.split("/")
    descriptor = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    send = channel.unary_unary(
        f"/{rpc}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(descriptor.output_type).FromString,
    )
    message = json_format.ParseDict(request, message_factory.GetMessageClass(descriptor.input_type)())
    try:
        reply, ended = send.with_call(message, timeout=DEADLINE, metadata=tuple(metadata.items()))
    except grpc.RpcError as error:
        # Raises if the status in the details has another code or message than the call.
        status = rpc_status.from_call(error)
        if status is None or not status.message:
            raise ValueError(f"{error.code().name} without details or message: {error.details()}") from error
        details = [json_format.MessageToDict(detail) for detail in status.details]
        return error.code().name, {}, details, dict(error.trailing_metadata())
    return "OK", json_format.MessageToDict(reply), [], dict(ended.trailing_metadata())


def post(url, body):
    with urlopen(url, json.dumps(body).encode(), timeout=DEADLINE) as answer:
        answer.read()


class Variables:
    """What earlier replies had, and random ids."""

    def __init__(self):
        self._values = {}

    def save(self, name, reply, path):
        for key in path.split("."):
            reply = reply[key]
        self._values[name] = reply

    def fill(self, value):
        """`value` with the variables in place of their names."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str) and value.startswith("$"):
            name = value[1:]
            if name.startswith("uuid"):
                return self._values.setdefault(name, str(uuid.uuid4()))
            return self._values[name]
        return value


def differences(wanted, actual, place):
    """A sentence for each place where `actual` does not match."""
    if wanted is None or wanted == "*":
        if (actual in (None, "")) != (wanted is None):
            yield f"{place} is {actual!r}, wanted {'nothing' if wanted is None else 'something'}"
    elif actual is None and wanted in (False, 0, "", []):
        pass
    elif isinstance(wanted, dict) and isinstance(actual, dict):
        for key, item in wanted.items():
            yield from differences(item, actual.get(key), f"{place}.{key}")
    elif isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        for index, (item, other) in enumerate(zip(wanted, actual)):
            yield from differences(item, other, f"{place}[{index}]")
    elif wanted != actual or type(wanted) is not type(actual):
        yield f"{place} is {actual!r}, wanted {wanted!r}"
