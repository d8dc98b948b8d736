"""DingTalk's official Stream SDK against the simulator: it connects, receives every kind of event, and what it answers
is understood."""

import asyncio
import logging
import sys
import traceback

from dingtalk_stream import AckMessage, Credential, DingTalkStreamClient, EventHandler

from dingtalk import Mismatch, equal
from operations import ALICE, BOB, OWNER

APP, CORP = "dingdemo", "dingcorpdemo"
WAIT_SECONDS = 20


class Recorder(EventHandler):
    """Keeps the events, and says of the next `refusals` that it wants them again."""

    def __init__(self):
        super().__init__()
        self.events = asyncio.Queue()
        self.refusals = 0

    async def process(self, event):
        self.events.put_nowait(event)
        if self.refusals:
            self.refusals -= 1
            return AckMessage.STATUS_SYSTEM_EXCEPTION, "later"
        return AckMessage.STATUS_OK, "OK"

    async def next(self):
        return await asyncio.wait_for(self.events.get(), WAIT_SECONDS)


class Session:
    """The SDK connected, a group to change, and the simulator's controls."""

    def __init__(self, dingtalk):
        self._dingtalk = dingtalk
        self.recorder = Recorder()

    async def control(self, path, body=None):
        return await asyncio.to_thread(self._dingtalk.http, f"/_sim/{path}", body)

    async def counters(self):
        return (await self.control("pushes")).get(APP, {})

    async def until(self, **wanted):
        """Polls until the simulator has counted so much."""
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            counters = await self.counters()
            if all(counters.get(name, 0) >= count for name, count in wanted.items()):
                return counters
            if asyncio.get_running_loop().time() > deadline:
                raise Mismatch(f"the simulator counts {counters}, not {wanted}")
            await asyncio.sleep(0.02)

    async def new_group(self):
        token = await asyncio.to_thread(self._dingtalk.http, "/gettoken?appkey=dingdemo&appsecret=demo-secret")
        group = {"name": "Team", "owner": OWNER, "useridlist": [OWNER, ALICE]}
        path = f"/chat/create?access_token={token['access_token']}"
        created = await asyncio.to_thread(self._dingtalk.http, path, group)
        return created["chatid"], created["openConversationId"]


async def every_kind_of_event_arrives(session):
    chat, conversation = await session.new_group()
    change = f"groups/{chat}/change"
    common = {"openConversationId": conversation}
    in_chat = common | {"chatId": chat}
    by_alice = {"operatorUnionId": f"union-{ALICE}"}
    bob = {"userId": [BOB], "unionId": [f"union-{BOB}"]}
    steps = [
        (change, {"operator": ALICE, "title": "新的名字"}, "chat_update_title",
         in_chat | by_alice | {"operator": ALICE, "title": "新的名字"}),
        (change, {"operator": ALICE, "add": [BOB]}, "chat_add_member",
         in_chat | by_alice | bob | {"operator": ALICE, "eventType": "chat_add_member"}),
        (change, {"operator": ALICE, "remove": [BOB]}, "chat_remove_member",
         in_chat | by_alice | bob | {"operator": ALICE}),
        (change, {"operator": ALICE, "owner": ALICE}, "chat_update_owner", common | by_alice | {"owner": ALICE}),
        (f"groups/{chat}/quit", {"user": OWNER}, "chat_quit",
         in_chat | {"operator": OWNER, "operatorUnionId": f"union-{OWNER}"}),
        (f"groups/{chat}/disband", {}, "chat_disband", in_chat | by_alice | {"operator": ALICE}),
    ]
    before = await session.counters()
    for path, body, kind, data in steps:
        await session.control(path, body)
        event = await session.recorder.next()
        headers = event.headers
        equal("the type", headers.event_type, kind)
        equal("the time", event.data.pop("timeStamp"), headers.event_born_time)
        equal("the data", event.data, data)
        equal("the organization", headers.event_corp_id, CORP)
        equal("the topic", (headers.topic, headers.content_type), ("*", "application/json"))
        equal("headers unknown to the SDK", headers.extensions, {})
        for name in ["event_id", "event_unified_app_id", "app_id", "connection_id", "message_id", "time"]:
            if not getattr(headers, name):
                raise Mismatch(f"the header {name} is empty")
    counters = await session.until(acked=before["acked"] + len(steps))
    equal("events pushed again", counters["redelivered"], before["redelivered"])
    events = await session.control(f"apps/{APP}/events")
    equal("the last events", {event["state"] for event in events[-len(steps):]}, {"acked"})


async def what_the_sdk_refuses_comes_again(session):
    chat, _ = await session.new_group()
    before = await session.counters()
    session.recorder.refusals = 1
    await session.control(f"groups/{chat}/change", {"operator": ALICE, "title": "again"})
    first, second = await session.recorder.next(), await session.recorder.next()
    equal("the event", second.headers.event_id, first.headers.event_id)
    equal("the message", second.headers.message_id, first.headers.message_id)
    counters = await session.until(acked=before["acked"] + 1)
    equal("answers for later", counters["later"] - before["later"], 1)


async def pings_are_answered(session):
    before = await session.counters()
    await session.until(pongs=before["pongs"] + 2)


async def after_a_disconnect_the_sdk_comes_back(session):
    before = await session.counters()
    await session.control(f"apps/{APP}/connections/disconnect", {"reason": "connection is expired"})
    await session.until(closed=before["closed"] + 1, opened=before["opened"] + 1)
    chat, _ = await session.new_group()
    await session.control(f"groups/{chat}/change", {"operator": ALICE, "title": "back"})
    equal("the title", (await session.recorder.next()).data["title"], "back")
    await session.until(acked=before["acked"] + 1)


async def nothing_the_sdk_said_was_strange(session):
    counters = await session.counters()
    equal("texts that are no answer", counters["stray"], 0)
    equal("events lost", counters["lost"], 0)
    equal("events that the handler has and nobody asked for", session.recorder.events.qsize(), 0)


TESTS = [
    every_kind_of_event_arrives,
    what_the_sdk_refuses_comes_again,
    pings_are_answered,
    after_a_disconnect_the_sdk_comes_back,
    nothing_the_sdk_said_was_strange,
]


async def run_all(address, dingtalk):
    dingtalk.http("/_sim/reset", {})
    dingtalk.http("/_sim/quotas", {})
    dingtalk.http("/_sim/pushes/rules", {"ping_ms": 100, "ack_ms": 10_000, "redelivery_ms": [500] * 20})
    session = Session(dingtalk)
    # What goes wrong shows in the events and the counters.
    logger = logging.getLogger("stream")
    logger.setLevel(logging.CRITICAL)
    client = DingTalkStreamClient(Credential(APP, "demo-secret"), logger)
    # The SDK reads the address from the class.
    DingTalkStreamClient.OPEN_CONNECTION_API = f"http://{address}/v1.0/gateway/connections/open"
    client.register_all_event_handler(session.recorder)
    running = asyncio.create_task(client.start())
    failed = 0
    try:
        await session.until(opened=1)
        for test in TESTS:
            name = f"stream: {test.__name__.replace('_', ' ')}"
            try:
                await test(session)
            except Exception:
                failed += 1
                traceback.print_exc(file=sys.stdout)
                print(f"FAILED  {name}")
            else:
                print(f"passed  {name}")
    finally:
        # The SDK takes one for trouble with the network, and sleeps before it goes on.
        while not running.done():
            running.cancel()
            await asyncio.sleep(0.01)
    return len(TESTS) - failed, failed


def run(address, dingtalk):
    """Prints a line for every test; returns how many passed and failed."""
    return asyncio.run(run_all(address, dingtalk))
