"""One function per operation: it calls the SDK with every field of the request and looks at what came of it."""

import time

from alibabacloud_dingtalk.im_1_0 import models as im
from alibabacloud_dingtalk.im_2_0 import models as im2
from alibabacloud_dingtalk.oauth2_1_0 import models as oauth2
from alibabacloud_dingtalk.robot_1_0 import models as robot

from dingtalk import equal

# Fields that nothing is in; every other field of a request is sent, and every other field of an answer comes.
EXPECTED_EMPTY = {
    # The simulated robots have a userId only.
    "scene.template_robot.get": {"QuerySceneGroupTemplateRobotResponseBodyResult.union_id"},
}

OWNER, ALICE, BOB = "manager4220", "user001", "user002"
# People outside the organization.
EVE, FRANK = "union-ext001", "union-ext002"
COOL_APP = "COOLAPP-1-1017"
ICON = "@lADPDfJ6V_WEHWLNAezNAek"
TESTS = {}


def operation(name):
    def register(test):
        TESTS[name] = test
        return test

    return register


def all_on(options):
    """Settings of this class, every one of them 1."""
    return options(**dict.fromkeys(vars(options()), 1))


def new_group(dingtalk):
    request = im.CreateGroupRequest(name="Team", owner=OWNER, useridlist=[OWNER, ALICE], extidlist=[EVE])
    return dingtalk.call("group.create", request)


def new_scene(dingtalk):
    """A scenario group with Alice and Eve in it; returns its id."""
    request = im.CreateSceneGroupRequest(
        template_id="tpl-demo", title="Incident", owner_user_id=OWNER, user_ids=[ALICE]
    )
    scene = dingtalk.call("scene.create", request).open_conversation_id
    add = im.AddSceneGroupMemberRequest(open_conversation_id=scene, user_ids=[BOB], union_ids=[EVE])
    dingtalk.call("scene.members.add", add)
    return scene


@operation("auth.access_token.get")
def get_access_token(dingtalk):
    wrong = oauth2.GetAccessTokenRequest(app_key="dingdemo", app_secret="wrong")
    dingtalk.refuse("auth.access_token.get", wrong, "invalidClientIdOrSecret")
    right = oauth2.GetAccessTokenRequest(app_key="dingdemo", app_secret="demo-secret")
    body = dingtalk.call("auth.access_token.get", right)
    equal("expireIn", body.expire_in, 7200)
    dingtalk.token = body.access_token


@operation("group.create")
def create_group(dingtalk):
    request = im.CreateGroupRequest(
        conversation_tag=0,
        extidlist=[EVE],
        icon=ICON,
        management_options=all_on(im.CreateGroupRequestManagementOptions),
        name="Standard 标准",
        owner=OWNER,
        owner_type="emp",
        useridlist=[OWNER, ALICE],
    )
    body = dingtalk.call("group.create", request)
    equal("conversationTag", body.conversation_tag, 0)
    group = dingtalk.group(body.open_conversation_id)
    equal("the chatid", group["chatid"], body.chatid)
    equal("the name", group["name"], "Standard 标准")
    equal("the icon", group["icon"], ICON)
    equal("the members", (group["members"], group["external_members"]), ([OWNER, ALICE], [EVE]))
    equal("the settings", set(group["settings"].values()), {1})


@operation("group.update")
def update_group(dingtalk):
    created = new_group(dingtalk)
    request = im.UpdateGroupRequest(
        add_extidlist=[FRANK],
        add_useridlist=[BOB],
        chatid=created.chatid,
        del_extidlist=[EVE],
        del_useridlist=[OWNER],
        icon=ICON,
        management_options=all_on(im.UpdateGroupRequestManagementOptions),
        name="Renamed",
        owner=ALICE,
        owner_type="emp",
    )
    equal("success", dingtalk.call("group.update", request).success, True)
    group = dingtalk.group(created.open_conversation_id)
    equal("the name", group["name"], "Renamed")
    equal("the owner", group["owner"], ALICE)
    equal("the icon", group["icon"], ICON)
    equal("the members", (group["members"], group["external_members"]), ([ALICE, BOB], [FRANK]))
    equal("the settings", set(group["settings"].values()), {1})


@operation("group.admins.set")
def set_group_admins(dingtalk):
    group = new_group(dingtalk).open_conversation_id
    for role, admins in [(2, [ALICE]), (3, [])]:
        request = im.ChatSubAdminUpdateRequest(open_conversation_id=group, role=role, user_ids=[ALICE])
        equal("success", dingtalk.call("group.admins.set", request).success, "true")
        equal("the admins", dingtalk.group(group)["admins"], admins)


@operation("group.chatid.to_open_conversation_id")
def convert_chatid(dingtalk):
    created = new_group(dingtalk)
    body = dingtalk.call("group.chatid.to_open_conversation_id", created.chatid)
    equal("openConversationId", body.open_conversation_id, created.open_conversation_id)


@operation("scene.create")
def create_scene(dingtalk):
    request = im.CreateSceneGroupRequest(
        icon=ICON,
        management_options=all_on(im.CreateSceneGroupRequestManagementOptions),
        owner_user_id=OWNER,
        subadmin_ids=[ALICE],
        template_id="tpl-demo",
        title="Incident 事故",
        user_ids=[ALICE, BOB],
        uuid="6f1e5a52-1f6b-4f0e-8c65-2b8f0a8f7f11",
    )
    body = dingtalk.call("scene.create", request)
    again = dingtalk.call("scene.create", request)
    equal("the group of the same uuid", again.open_conversation_id, body.open_conversation_id)
    group = dingtalk.group(body.open_conversation_id)
    equal("the chatid", group["chatid"], body.chat_id)
    equal("the title", group["name"], "Incident 事故")
    equal("the icon", group["icon"], ICON)
    equal("the members", group["members"], [OWNER, ALICE, BOB])
    equal("the admins", group["admins"], [ALICE])
    # Only an update can set this one.
    off = {name for name, value in (group["settings"] | group["scene_settings"]).items() if value == 0}
    equal("the settings that are off", off, {"plugin_customize_verify"})


@operation("scene.update")
def update_scene(dingtalk):
    scene = new_scene(dingtalk)
    request = im.UpdateSceneGroupRequest(
        icon=ICON,
        management_options=all_on(im.UpdateSceneGroupRequestManagementOptions),
        open_conversation_id=scene,
        owner_user_id=ALICE,
        title="Renamed",
    )
    equal("success", dingtalk.call("scene.update", request).success, True)
    group = dingtalk.group(scene)
    equal("the title", group["name"], "Renamed")
    equal("the owner", (group["owner"], group["owner_kind"]), (ALICE, "emp"))
    equal("the icon", group["icon"], ICON)
    equal("the settings", set((group["settings"] | group["scene_settings"]).values()), {1})
    hand_over = im.UpdateSceneGroupRequest(open_conversation_id=scene, owner_union_id=EVE)
    equal("success", dingtalk.call("scene.update", hand_over).success, True)
    group = dingtalk.group(scene)
    equal("the new owner", (group["owner"], group["owner_kind"]), (EVE, "ext"))


@operation("scene.members.add")
def add_members(dingtalk):
    scene = new_scene(dingtalk)
    request = im.AddSceneGroupMemberRequest(
        open_conversation_id=scene, union_ids=[FRANK], user_ids=["user003", "user004"]
    )
    equal("success", dingtalk.call("scene.members.add", request).success, True)
    group = dingtalk.group(scene)
    equal("the members", group["members"], [OWNER, ALICE, BOB, "user003", "user004"])
    equal("the members outside", group["external_members"], [EVE, FRANK])


@operation("scene.members.remove")
def remove_members(dingtalk):
    scene = new_scene(dingtalk)
    request = im.RemoveSceneGroupMemberRequest(open_conversation_id=scene, union_ids=[EVE], user_ids=[ALICE])
    equal("success", dingtalk.call("scene.members.remove", request).success, True)
    group = dingtalk.group(scene)
    equal("the members", (group["members"], group["external_members"]), ([OWNER, BOB], []))


def mute(dingtalk, scene, status):
    request = im.UpdateMemberBanWordsRequest(
        mute_duration=60_000, mute_status=status, open_conversation_id=scene, union_ids=[EVE], user_id_list=[ALICE]
    )
    # The answer is empty.
    equal("the body", dingtalk.call("scene.members.mute.set", request), None)


def mute_of(dingtalk, scene):
    request = im.QueryGroupMuteStatusRequest(
        open_conversation_id=scene, permission_code="qyapi_chat_read", user_id=ALICE
    )
    return dingtalk.call("scene.mute.query", request)


@operation("scene.members.mute.set")
def mute_members(dingtalk):
    scene = new_scene(dingtalk)
    mute(dingtalk, scene, 1)
    muted = {mute["member"] for mute in dingtalk.group(scene)["mutes"]}
    equal("who is muted", muted, {ALICE, EVE})
    equal("userMuteMode", mute_of(dingtalk, scene).user_mute_result.user_mute_mode, True)
    mute(dingtalk, scene, 0)
    equal("userMuteMode", mute_of(dingtalk, scene).user_mute_result.user_mute_mode, False)


@operation("scene.mute.query")
def query_mute(dingtalk):
    scene = new_scene(dingtalk)
    mute(dingtalk, scene, 1)
    body = mute_of(dingtalk, scene)
    equal("groupMuteMode", body.group_mute_mode, False)
    result = body.user_mute_result
    equal("how long the mute is", result.mute_end_time - result.mute_start_time, 60_000)


@operation("scene.member.set_nick")
def set_nickname(dingtalk):
    scene = new_scene(dingtalk)
    request = im.UpdateMemberGroupNickRequest(group_nick="On call 值班", open_conversation_id=scene, user_id=ALICE)
    equal("success", dingtalk.call("scene.member.set_nick", request).success, True)
    equal("the nicknames", dingtalk.group(scene)["nicknames"], {ALICE: "On call 值班"})


@operation("scene.admins.set")
def set_scene_admins(dingtalk):
    scene = new_scene(dingtalk)
    for role, admins in [(2, ([ALICE], [EVE])), (3, ([], []))]:
        request = im.UpdateGroupSubAdminRequest(
            open_conversation_id=scene, role=role, union_ids=[EVE], user_ids=[ALICE]
        )
        equal("success", dingtalk.call("scene.admins.set", request).success, True)
        group = dingtalk.group(scene)
        equal("the admins", (group["admins"], group["external_admins"]), admins)


@operation("scene.get_brief")
def get_scene(dingtalk):
    scene = new_scene(dingtalk)
    request = im.GetSceneGroupInfoRequest(cool_app_code=COOL_APP, open_conversation_id=scene)
    dingtalk.refuse("scene.get_brief", request, "coolAppUnexist")
    body = dingtalk.call("scene.get_brief", im.GetSceneGroupInfoRequest(open_conversation_id=scene))
    equal("success", body.success, True)
    equal("openConversationId", body.open_conversation_id, scene)
    equal("the rest", (body.title, body.owner_user_id, body.template_id), ("Incident", OWNER, "tpl-demo"))
    equal("status", body.status, 1)


@operation("scene.members.list")
def list_members(dingtalk):
    scene = new_scene(dingtalk)
    request = im.BatchQueryGroupMemberRequest(
        cool_app_code=COOL_APP, max_results=100, next_token="2", open_conversation_id=scene
    )
    dingtalk.refuse("scene.members.list", request, "coolAppUnexist")
    request.cool_app_code = None
    page = dingtalk.call("scene.members.list", request)
    equal("the rest of the members", (page.member_user_ids, page.union_id_list), ([BOB], [EVE]))
    request.next_token = None
    body = dingtalk.call("scene.members.list", request)
    equal("success", body.success, True)
    equal("memberUserIds", body.member_user_ids, [OWNER, ALICE, BOB])
    equal("staffIdNickMap", body.staff_id_nick_map[ALICE], "User 001")
    equal("unionIdNickMap", body.union_id_nick_map, {EVE: "External 001"})
    equal("hasMore", body.has_more, False)


@operation("scene.get")
def get_scene_detail(dingtalk):
    scene = new_scene(dingtalk)
    request = im.GetSceneGroupDetailInfoRequest(
        cool_app_code=COOL_APP, open_conversation_id=scene, permission_code="qyapi_chat_read"
    )
    # Its errors are on no page, so the simulator has the usual one.
    dingtalk.refuse("scene.get", request, "parameter.invalid")
    request.cool_app_code = None
    body = dingtalk.call("scene.get", request)
    equal("success", body.success, True)
    equal("the title and the owner", (body.title, body.owner_user_id), ("Incident", OWNER))
    equal("member_amount", body.member_amount, 4)
    equal("searchable", body.management_options.searchable, "0")


@operation("group.base_info.query")
def get_base_info(dingtalk):
    group = new_group(dingtalk).open_conversation_id
    request = im.QueryOpenGroupBaseInfoRequest(open_conversation_id=group)
    body = dingtalk.call("group.base_info.query", request)
    equal("success", body.success, True)
    equal("the title and the size", (body.result.title, body.result.member_count), ("Team", 3))


@operation("scene.members.list_cursor")
def list_members_by_cursor(dingtalk):
    scene = new_scene(dingtalk)
    # The code of a cool app is required, and this call takes any.
    request = im.GetSceneGroupMembersRequest(
        cool_app_code=COOL_APP, cursor="1", open_conversation_id=scene, size=100
    )
    page = dingtalk.call("scene.members.list_cursor", request)
    equal("the rest of the members", (page.member_user_ids, page.has_more), ([ALICE, BOB], False))


def has_template(dingtalk, group, template):
    equal("the template", dingtalk.group(group)["template_id"], template)


@operation("template.apply")
def apply_template(dingtalk):
    group = new_group(dingtalk).open_conversation_id
    request = im.SuperAdminApplyTemplateRequest(
        open_conversation_id=group, owner_user_id=OWNER, template_id="tpl-demo"
    )
    equal("success", dingtalk.call("template.apply", request).success, True)
    has_template(dingtalk, group, "tpl-demo")


@operation("template.close")
def close_template(dingtalk):
    scene = new_scene(dingtalk)
    request = im.SuperAdminCloseTemplateRequest(
        open_conversation_id=scene, owner_user_id=OWNER, template_id="tpl-demo"
    )
    equal("success", dingtalk.call("template.close", request).success, True)
    has_template(dingtalk, scene, None)


@operation("scene.disband")
def disband(dingtalk):
    scene = new_scene(dingtalk)
    body = dingtalk.call("scene.disband", im.DsbandOpenSceneGroupRequest(open_conversation_id=scene))
    equal("success", body.success, True)
    brief = dingtalk.call("scene.get_brief", im.GetSceneGroupInfoRequest(open_conversation_id=scene))
    equal("status", brief.status, 2)


@operation("scene.template_robot.get")
def get_template_robot(dingtalk):
    scene = new_scene(dingtalk)
    request = im.QuerySceneGroupTemplateRobotRequest(open_conversation_id=scene, robot_code="robot-demo")
    body = dingtalk.call("scene.template_robot.get", request)
    equal("success", body.success, True)
    equal("userId", body.result.user_id, "robotuser-demo")


def card(card_id, **place):
    return im2.CreateTopboxRequest(
        callback_route_key="route-1",
        card_data=im2.CreateTopboxRequestCardData(card_param_map={"state": "open"}),
        card_settings=im2.CreateTopboxRequestCardSettings(pull_strategy=True),
        card_template_id="card-template-1",
        expired_time=int(time.time() * 1000) + 3_600_000,
        out_track_id=card_id,
        platforms="ios|mac|android|win",
        receiver_union_id_list=[EVE],
        receiver_user_id_list=[ALICE],
        union_id_private_data_map={EVE: im2.UnionIdPrivateDataMapValue(card_param_map={"state": "for Eve"})},
        user_id_private_data_map={ALICE: im2.UserIdPrivateDataMapValue(card_param_map={"state": "for Alice"})},
        **place,
    )


def in_group(scene):
    return {"conversation_type": 1, "open_conversation_id": scene, "group_template_id": "tpl-demo"}


def in_chat():
    return {"conversation_type": 2, "robot_code": "robot-demo"}


@operation("topbox.create")
def pin_card(dingtalk):
    scene = new_scene(dingtalk)
    cool = card("card-1", conversation_type=1, open_conversation_id=scene, cool_app_code=COOL_APP)
    dingtalk.refuse("topbox.create", cool, "chat.coolApp.notInstalled")
    equal("success", dingtalk.call("topbox.create", card("card-1", **in_group(scene))).success, True)
    [pinned] = dingtalk.group(scene)["pinned_cards"]
    equal("the card", (pinned["out_track_id"], pinned["params"]), ("card-1", {"state": "open"}))
    equal("the private data", pinned["private_params"], {EVE: {"state": "for Eve"}, ALICE: {"state": "for Alice"}})
    equal("who sees it", (pinned["receivers"], pinned["external_receivers"]), ([ALICE], [EVE]))
    for card_id, person in [("chat-card-1", {"user_id": ALICE}), ("chat-card-2", {"union_id": EVE})]:
        body = dingtalk.call("topbox.create", card(card_id, **in_chat(), **person))
        equal("success", body.success, True)


@operation("topbox.close")
def unpin_card(dingtalk):
    scene = new_scene(dingtalk)
    dingtalk.call("topbox.create", card("card-2", **in_group(scene)))
    dingtalk.call("topbox.create", card("chat-card-3", **in_chat(), user_id=ALICE))
    dingtalk.call("topbox.create", card("chat-card-4", **in_chat(), union_id=EVE))
    cool = im2.CloseTopboxRequest(
        conversation_type=1, open_conversation_id=scene, cool_app_code=COOL_APP, out_track_id="card-2"
    )
    dingtalk.refuse("topbox.close", cool, "chat.coolApp.notInstalled")
    for request in [
        im2.CloseTopboxRequest(out_track_id="card-2", **in_group(scene)),
        im2.CloseTopboxRequest(out_track_id="chat-card-3", user_id=ALICE, **in_chat()),
        im2.CloseTopboxRequest(out_track_id="chat-card-4", unoin_id=EVE, **in_chat()),
    ]:
        equal("success", dingtalk.call("topbox.close", request).success, True)
    equal("the cards left", dingtalk.group(scene)["pinned_cards"], [])


def archived(model, **fields):
    return model(out_track_id="old-card", **fields)


@operation("topbox.open_v1")
def pin_archived_card(dingtalk):
    scene = new_scene(dingtalk)
    cool = archived(
        im.TopboxOpenRequest, conversation_type=1, open_conversation_id=scene, cool_app_code=COOL_APP
    )
    dingtalk.refuse("topbox.open_v1", cool, "coolAppNotInstalled")
    in_the_group = archived(
        im.TopboxOpenRequest,
        conversation_type=1,
        open_conversation_id=scene,
        receiver_user_id_list=[ALICE],
        platforms="ios|win",
        expired_time=int(time.time() * 1000) + 600_000,
    )
    dingtalk.call("topbox.open_v1", in_the_group)
    [pinned] = dingtalk.group(scene)["pinned_cards"]
    equal("the card", (pinned["out_track_id"], pinned["receivers"]), ("old-card", [ALICE]))
    in_a_chat = im.TopboxOpenRequest(
        out_track_id="old-chat-card", conversation_type=0, robot_code="robot-demo", receiver_user_id_list=[BOB]
    )
    dingtalk.call("topbox.open_v1", in_a_chat)


@operation("topbox.close_v1")
def unpin_archived_card(dingtalk):
    scene = new_scene(dingtalk)
    place = {"conversation_type": 1, "open_conversation_id": scene}
    request = im.TopboxOpenRequest(out_track_id="old-card-2", **place)
    dingtalk.call("topbox.open_v1", request)
    cool = im.TopboxCloseRequest(out_track_id="old-card-2", cool_app_code=COOL_APP, **place)
    dingtalk.refuse("topbox.close_v1", cool, "coolAppNotInstalled")
    dingtalk.call("topbox.close_v1", im.TopboxCloseRequest(out_track_id="old-card-2", **place))
    equal("the cards left", dingtalk.group(scene)["pinned_cards"], [])
    chat = {"conversation_type": 0, "robot_code": "robot-demo", "receiver_user_id_list": [BOB]}
    dingtalk.call("topbox.open_v1", im.TopboxOpenRequest(out_track_id="old-chat-card-2", **chat))
    dingtalk.call("topbox.close_v1", im.TopboxCloseRequest(out_track_id="old-chat-card-2", **chat))


@operation("assistant.message.read_status")
def get_read_status(dingtalk):
    by_webhook = robot.OrgGroupQueryRequest(process_query_key="msg1", token="webhook-1")
    dingtalk.refuse("assistant.message.read_status", by_webhook, "invalidParameter.invalid")
    scene = new_scene(dingtalk)
    message = {
        "target_open_conversation_id": scene,
        "robot_code": "robot-demo",
        "msg_template_id": "inner_app_template_text",
        "msg_param_map": {"content": "Hello"},
    }
    path = f"/topapi/im/chat/scencegroup/message/send_v2?access_token={dingtalk.token}"
    message_id = dingtalk.http(path, message)["open_msg_id"]
    dingtalk.http("/_sim/messages/read", {"message": message_id, "users": [ALICE, BOB]})
    request = robot.OrgGroupQueryRequest(
        max_results=1, open_conversation_id=scene, process_query_key=message_id, robot_code="robot-demo"
    )
    first = dingtalk.call("assistant.message.read_status", request)
    equal("the first page", (first.read_user_ids, first.has_more, first.send_status), ([ALICE], True, "SUCCESS"))
    equal("the first reader", first.read_users[0].union_id, "union-user001")
    request.next_token = first.next_token
    rest = dingtalk.call("assistant.message.read_status", request)
    equal("the rest", (rest.read_user_ids, rest.has_more), ([BOB], False))
