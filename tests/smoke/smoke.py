"""Calls a running sandbox as a stranger would: everything it knows about the API comes from server reflection.

    python smoke.py 127.0.0.1:50051
"""

import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "dinggate.group.v1.GroupService"
START_SECONDS = 20
CALL_SECONDS = 10


class SmokeError(Exception):
    """Something is not as the contract says."""


def expect(condition, sentence):
    if not condition:
        raise SmokeError(sentence)


def wait_until_serving(channel):
    """An open port is not enough: health says when the gateway wants calls."""
    request = health_pb2.HealthCheckRequest(service="")
    watch = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=START_SECONDS, wait_for_ready=True)
    for reply in watch:
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
        print(f"health: {status}")
        if status == "SERVING":
            watch.cancel()
            return
    raise SmokeError("the health check ended before the gateway was SERVING")


def reflected_services(channel, version):
    """Lists the services but reflection itself. v1 and v1alpha have the same messages, so one set of classes does."""
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    reply = next(call(iter([request]), timeout=CALL_SECONDS))
    names = (service.name for service in reply.list_services_response.service)
    return sorted(name for name in names if not name.startswith("grpc.reflection."))


class Service:
    """One service, with requests and replies as plain dictionaries in protobuf's JSON mapping."""

    def __init__(self, channel, name):
        self._channel = channel
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        self._descriptor = pool.FindServiceByName(name)

    def call(self, method, request, metadata=()):
        reply = self._rpc(self._channel.unary_unary, method)(self._message(method, request), timeout=CALL_SECONDS, metadata=metadata)
        return json_format.MessageToDict(reply, preserving_proto_field_name=True)

    def stream(self, method, request, seconds):
        """The replies of an RPC that goes on until it is over or the time is."""
        for reply in self._rpc(self._channel.unary_stream, method)(self._message(method, request), timeout=seconds):
            yield json_format.MessageToDict(reply, preserving_proto_field_name=True)

    def _message(self, method, request):
        message = message_factory.GetMessageClass(self._descriptor.methods_by_name[method].input_type)()
        return json_format.ParseDict(request, message)

    def _rpc(self, kind, method):
        reply = message_factory.GetMessageClass(self._descriptor.methods_by_name[method].output_type)
        return kind(
            f"/{self._descriptor.full_name}/{method}",
            request_serializer=lambda value: value.SerializeToString(),
            response_deserializer=reply.FromString,
        )


def create_and_read_back(groups):
    created = groups.call(
        "CreateGroup",
        {
            "title": "Smoke test 冒烟",
            "owner": {"user_id": "manager4220"},
            "members": [{"user_id": "user001"}, {"user_id": "user002"}],
            "internal": {},
        },
    )
    handle = created["group"]["ref"]
    print(f"CreateGroup: {handle}")
    expect(handle.get("open_conversation_id"), "CreateGroup returned no open_conversation_id")

    group = groups.call("GetGroup", {"group": handle})["group"]
    print(f"GetGroup: {group}")
    expect(group.get("title") == "Smoke test 冒烟", "the title is not the one given")
    expect(group.get("owner") == {"user_id": "manager4220"}, "the owner is not the one given")
    expect(group.get("member_count") == 3, "the group does not have its owner and two members")


def refused_with_every_fault(groups):
    try:
        groups.call("CreateGroup", {"internal": {}})
    except grpc.RpcError as error:
        refusal = error
    else:
        raise SmokeError("CreateGroup took a request without title and owner")

    print(f"CreateGroup without title and owner: {refusal.code().name}: {refusal.details()}")
    expect(refusal.code() == grpc.StatusCode.INVALID_ARGUMENT, "the code is not INVALID_ARGUMENT")
    info, fields = decode_details(refusal)
    print(f"  {info.domain}/{info.reason}, fields {fields}")
    expect((info.domain, info.reason) == ("dinggate", "FIELD_INVALID"), "ErrorInfo is not dinggate/FIELD_INVALID")
    expect({"title", "owner"} <= fields, "BadRequest does not name both title and owner")


def decode_details(error):
    """Returns the ErrorInfo and the field paths of the BadRequest that the status carries."""
    trailers = dict(error.trailing_metadata())
    expect("grpc-status-details-bin" in trailers, "the error carries no details")
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    expect(status.code == error.code().value[0], "the details carry another code than the call")
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for wanted in (info, bad_request):
        found = any(detail.Unpack(wanted) for detail in status.details)
        expect(found, f"the error carries no {wanted.DESCRIPTOR.name}")
    return info, {violation.field for violation in bad_request.field_violations}


def main(target):
    with grpc.insecure_channel(target) as channel:
        wait_until_serving(channel)
        services = reflected_services(channel, "v1")
        expect(SERVICE in services, f"reflection does not list {SERVICE}, only {services}")
        expect(services == reflected_services(channel, "v1alpha"), "reflection v1 and v1alpha list different services")
        print(f"reflection v1 and v1alpha: {', '.join(services)}")
        groups = Service(channel, SERVICE)
        create_and_read_back(groups)
        refused_with_every_fault(groups)
    print("smoke test passed")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (SmokeError, grpc.RpcError) as error:
        sys.exit(f"smoke test failed: {error}")
