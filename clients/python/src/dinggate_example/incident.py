"""The example application: a group for an incident."""

import secrets
import uuid

import grpc
from dinggate.group.v1 import group_pb2, group_service_pb2, group_service_pb2_grpc, member_service_pb2, member_service_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# Seconds for each call, waiting for DingTalk's limits included.
DEADLINE = 5


# [docs:create]
def open_group(channel, title, owner, members):
    """Creates a group. Store the whole handle: DingTalk needs both ids, and the gateway cannot always find the other."""
    request = group_service_pb2.CreateGroupRequest(
        title=title,
        owner=group_pb2.MemberRef(user_id=owner),
        members=[group_pb2.MemberRef(user_id=member) for member in members],
        internal=group_service_pb2.InternalGroup(),
        # One id per intention: whoever repeats the call, the library or you, repeats it with the same id.
        request_id=str(uuid.uuid4()),
    )
    groups = group_service_pb2_grpc.GroupServiceStub(channel)
    reply, call = groups.CreateGroup.with_call(request, timeout=DEADLINE)
    cost = dict(call.trailing_metadata())["x-dinggate-upstream-calls"]
    print(f"created {reply.group.title}: {reply.group.member_count} members, {cost} metered call(s)")
    return reply.group.ref
# [/docs:create]


# [docs:add]
def add(channel, group, users):
    """Adds people, and returns the reason for each who could not be added."""
    request = member_service_pb2.AddMembersRequest(
        group=group,
        members=[group_pb2.MemberRef(user_id=user) for user in users],
        request_id=str(uuid.uuid4()),
    )
    members = member_service_pb2_grpc.MemberServiceStub(channel)
    reply = members.AddMembers(request, timeout=DEADLINE)
    refused = {}
    for result in reply.member_results:
        print(f"  {result.ref.user_id}: {group_pb2.MemberOutcome.Name(result.outcome)}")
        if result.outcome == group_pb2.MEMBER_OUTCOME_FAILED:
            refused[result.ref.user_id] = detail(result.status, error_details_pb2.ErrorInfo).reason
    if not reply.complete:
        print("  not everybody is settled: the same call again goes on from here")
    return refused
# [/docs:add]


# [docs:sync]
def sync(channel, group, users, max_removals):
    """Makes `users` the members. If more than `max_removals` would have to go, nothing changes: the list may be wrong."""
    request = member_service_pb2.SyncMembersRequest(
        group=group,
        members=[group_pb2.MemberRef(user_id=user) for user in users],
        mode=member_service_pb2.SYNC_MODE_ADD_AND_REMOVE,
        max_removals=max_removals,
        request_id=str(uuid.uuid4()),
    )
    members = member_service_pb2_grpc.MemberServiceStub(channel)
    try:
        return members.SyncMembers(request, timeout=DEADLINE).complete
    except grpc.RpcError as error:
        info = detail(rpc_status.from_call(error), error_details_pb2.ErrorInfo)
        if info is None or info.reason != "REMOVAL_GUARD":
            raise
        print(f"  not done: would remove {info.metadata['to_remove']}, allowed are {info.metadata['max_removals']}")
        return False
# [/docs:sync]


# [docs:page]
def member_ids(channel, group, page_size):
    """All members, page by page."""
    members = member_service_pb2_grpc.MemberServiceStub(channel)
    request = member_service_pb2.ListMembersRequest(group=group, page_size=page_size)
    while True:
        reply = members.ListMembers(request, timeout=DEADLINE)
        yield from (member.ref.user_id for member in reply.members)
        if not reply.next_page_token:
            return
        request.page_token = reply.next_page_token
# [/docs:page]


# [docs:errors]
def detail(status, wanted):
    """The detail of type `wanted` that a status carries, or None. A failed call's status is `rpc_status.from_call`."""
    found = wanted()
    for packed in status.details if status else ():
        if packed.Unpack(found):
            return found
    return None


def explain(error):
    """What went wrong. The code says what to do, the reason why, and BadRequest where."""
    status = rpc_status.from_call(error)
    info = detail(status, error_details_pb2.ErrorInfo)
    if info is None:
        return f"{error.code().name}: {error.details()}"  # not from dinggate: the connection, a proxy, this library
    lines = [f"{error.code().name} {info.reason}: {error.details()}"]
    if faults := detail(status, error_details_pb2.BadRequest):
        lines += [f"  {fault.field}: {fault.description}" for fault in faults.field_violations]
    if retry := detail(status, error_details_pb2.RetryInfo):
        lines.append(f"  worth another try in {retry.retry_delay.ToTimedelta()}")
    return "\n".join(lines)
# [/docs:errors]


def run(channel):
    """Goes through the life of a group. Raises where something is not as it should be."""
    group = open_group(channel, f"Incident {secrets.randbelow(10_000)}", "manager4220", ["user001", "user002"])
    refused = add(channel, group, ["user003", "nobody"])
    expect(refused == {"nobody": "MEMBER_NOT_FOUND"}, f"refused were {refused}")

    on_call = ["manager4220", "user001", "user004"]
    expect(not sync(channel, group, on_call, max_removals=0), "the guard let people go")
    expect(sync(channel, group, on_call, max_removals=5), "the sync is not complete")
    members = sorted(member_ids(channel, group, page_size=2))
    print(f"members: {', '.join(members)}")
    expect(members == on_call, f"the members are {members}")

    try:
        open_group(channel, "A title that is far too long", "manager4220", [])
    except grpc.RpcError as error:
        print(explain(error))
        expect(error.code() == grpc.StatusCode.INVALID_ARGUMENT, "the code is not INVALID_ARGUMENT")
    else:
        expect(False, "a title of 28 characters was taken")


def expect(condition, otherwise):
    if not condition:
        raise RuntimeError(otherwise)
