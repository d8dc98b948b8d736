"""Watching what happens in groups, for as long as the program runs."""

import asyncio
import json
import random
import sys

import grpc
from dinggate.group.v1 import group_event_service_pb2, group_event_service_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from dinggate_example.incident import detail, explain

# [docs:watch]
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds
# They will not change when the same is asked again.
POINTLESS = {
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNIMPLEMENTED,
}


async def watch(channel, request, handle):
    """Hands every item to `handle`, in order. When the stream ends it goes on behind the last item, until the gateway
    refuses for good. `request.resume_token` is always the place to go on from: keep it, and a restart loses nothing."""
    pause = SHORTEST_PAUSE

    def take(item):
        nonlocal pause
        handle(item)
        request.resume_token, pause = item.resume_token, SHORTEST_PAUSE

    while True:
        wait = 0.0
        try:
            await follow(channel, request, take)
            why = "the stream ended"
        except TimeoutError:
            why = "no sign of life from the gateway"
        except grpc.aio.AioRpcError as error:
            if error.code() in POINTLESS:
                raise
            why, status = explain(error), rpc_status.from_call(error)
            info = detail(status, error_details_pb2.ErrorInfo)
            if info and info.reason == "RESUME_TOKEN_EXPIRED":
                # We were away for longer than the gateway keeps events: that is a gap, too.
                gap, oldest = group_event_service_pb2.Gap(), info.metadata["oldest_token"]
                take(group_event_service_pb2.WatchGroupEventsResponse(gap=gap, resume_token=oldest))
            if retry := detail(status, error_details_pb2.RetryInfo):
                wait = retry.retry_delay.ToTimedelta().total_seconds()
        wait += random.uniform(0, pause)  # so that not all come back at once
        pause = min(2 * pause, LONGEST_PAUSE)
        print(f"watching again in {wait:.1f} s: {why}", file=sys.stderr, flush=True)
        await asyncio.sleep(wait)


async def follow(channel, request, take):
    """Reads one stream to its end. One that misses three checkpoints is dead, whatever its connection looks like."""
    patience = 3 * request.checkpoint_interval.ToTimedelta().total_seconds()
    call = group_event_service_pb2_grpc.GroupEventServiceStub(channel).WatchGroupEvents(request)
    while True:
        async with asyncio.timeout(patience):
            item = await call.read()
        if item is grpc.aio.EOF:
            return
        take(item)
# [/docs:watch]


def print_item(item):
    line = {"item": item.WhichOneof("item") or "unknown", "resumeToken": item.resume_token}
    match line["item"]:
        case "event":
            group = item.event.group
            line |= {"id": item.event.event_id, "type": item.event.WhichOneof("change") or "unknown"}
            line |= {"openConversationId": group.open_conversation_id, "chatId": group.chat_id}
        case "gap":
            # Here an application reads anew what it knows of groups.
            line["cause"] = group_event_service_pb2.GapCause.Name(item.gap.cause)
    print(json.dumps(line), flush=True)


async def run(connect, seconds, token=""):
    """Prints a line for each item, with a checkpoint after so many silent seconds, from a token on or from now on."""
    interval = Duration(seconds=seconds)
    request = group_event_service_pb2.WatchGroupEventsRequest(checkpoint_interval=interval, resume_token=token)
    async with connect() as channel:
        await watch(channel, request, print_item)
