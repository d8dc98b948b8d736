//! Which RPC makes the call of an operation.

use serde_json::{Value, json};

/// Kinds of things, and where requests name them.
const NAMES: [(&str, &str); 7] = [
    ("robot", "/robot_code"),
    ("card template", "/card_template_id"),
    ("card", "/out_track_id"),
    ("message", "/open_message_id"),
    ("group template", "/template_id"),
    ("group template", "/scenario/template_id"),
    ("message template", "/template/template_id"),
];

/// An RPC and the call that it makes.
pub struct Way {
    pub operation: &'static str,
    pub rpc: &'static str,
    pub request: Value,
    /// Whether the app is of the legacy generation.
    pub legacy: bool,
}

impl Way {
    /// The operation that the error names: a token is fetched for another one.
    pub fn blamed(&self) -> &'static str {
        if self.operation.starts_with("auth.") { "group.get_legacy" } else { self.operation }
    }

    /// The thing of this kind that the request names.
    pub fn named(&self, kind: &str) -> Option<&str> {
        let places = NAMES.iter().filter(|(other, _)| *other == kind);
        places.filter_map(|(_, place)| self.request.pointer(place)?.as_str()).next()
    }
}

pub fn internal() -> Value {
    json!({ "title": "A group", "internal": {}, "owner": {"user_id": "manager4220"}, "members": [{"user_id": "user001"}] })
}

pub fn scene() -> Value {
    json!({ "title": "A scene", "scenario": {"template_id": "tpl-demo"}, "owner": {"user_id": "manager4220"},
        "members": [{"user_id": "user001"}] })
}

fn rename(group: &str) -> Value {
    json!({ "group": {"ref": group, "title": "Renamed", "owner": {"user_id": "user001"}},
        "update_mask": {"paths": ["title", "owner"]} })
}

/// An RPC about one member of a group.
fn member(group: &str) -> Value {
    json!({ "group": group, "member": {"user_id": "user001"} })
}

/// An RPC about some of them.
fn members(group: &str) -> Value {
    json!({ "group": group, "members": [{"user_id": "user001"}] })
}

fn nickname(group: &str) -> Value {
    json!({ "group": group, "member": {"user_id": "user001"}, "nickname": "N" })
}

fn template(group: &str) -> Value {
    json!({ "group": group, "template_id": "tpl-demo", "owner": {"user_id": "manager4220"} })
}

pub fn ways() -> Vec<Way> {
    let way = |legacy| move |(operation, rpc, request)| Way { operation, rpc, request, legacy };
    newer().into_iter().map(way(false)).chain(older().into_iter().map(way(true))).collect()
}

fn newer() -> Vec<(&'static str, &'static str, Value)> {
    let get = |group: &str| json!({ "group": group });
    let full = json!({ "group": "$scene", "view": "GROUP_VIEW_FULL" });
    let private_chat = json!({ "group": {"ref": "$internal", "settings": {"private_chat": "TOGGLE_DISABLED"}},
        "update_mask": {"paths": ["settings.private_chat"]} });
    let link = json!({ "group": "$internal", "inviter": {"user_id": "user001"} });
    let mute = json!({ "group": "$scene", "members": [{"user_id": "user001"}], "duration": {"seconds": 60} });
    let robot = json!({ "group": "$scene", "robot_code": "robot-demo" });
    let pin = json!({ "group": "$scene", "card_template_id": "card-tpl", "out_track_id": "card-1",
        "template_id": "tpl-demo" });
    let unpin = json!({ "group": "$scene", "out_track_id": "card-1", "template_id": "tpl-demo" });
    let say = json!({ "group": "$scene", "robot_code": "robot-demo",
        "template": {"template_id": "message-tpl", "params": {"content": "hello"}} });
    let readers = json!({ "group": "$scene", "robot_code": "robot-demo", "open_message_id": "message-1" });
    vec![
        ("auth.access_token.get", "GroupService/GetGroup", get("$internal")),
        ("auth.gettoken_legacy", "GroupService/GetGroup", get("$internal")),
        ("group.create", "GroupService/CreateGroup", internal()),
        ("group.update", "GroupService/UpdateGroup", rename("$internal")),
        ("group.get_legacy", "GroupService/GetGroup", get("$internal")),
        ("group.private_chat.set_legacy", "GroupService/UpdateGroup", private_chat),
        ("group.qrcode.get_legacy", "GroupService/GetJoinLink", link),
        ("group.chatid.to_open_conversation_id", "GroupService/ResolveGroup", get("$chat")),
        ("group.member.set_nick_legacy", "MemberService/SetMemberNickname", nickname("$internal")),
        ("group.admins.set", "MemberService/GrantAdmins", members("$internal")),
        ("scene.create", "GroupService/CreateGroup", scene()),
        ("scene.update", "GroupService/UpdateGroup", rename("$scene")),
        ("scene.get_brief", "GroupService/GetGroup", get("$scene")),
        ("scene.get_legacy", "GroupService/GetGroup", full),
        ("scene.disband", "GroupService/DeleteGroup", get("$scene")),
        ("scene.members.list", "MemberService/ListMembers", get("$scene")),
        ("scene.members.add", "MemberService/AddMembers", members("$scene")),
        ("scene.members.remove", "MemberService/RemoveMembers", members("$scene")),
        ("scene.member.set_nick", "MemberService/SetMemberNickname", nickname("$scene")),
        ("scene.admins.set", "MemberService/GrantAdmins", members("$scene")),
        ("scene.members.mute.set", "MemberService/MuteMembers", mute),
        ("scene.mute.query", "MemberService/GetMuteStatus", member("$scene")),
        ("scene.template_robot.get", "TemplateService/GetTemplateRobot", robot),
        ("template.apply_legacy", "TemplateService/EnableTemplate", template("$internal")),
        ("template.close_legacy", "TemplateService/DisableTemplate", template("$scene")),
        ("topbox.create", "PinnedCardService/PinCard", pin),
        ("topbox.close", "PinnedCardService/UnpinCard", unpin),
        ("assistant.message.send_legacy", "AssistantService/SendAssistantMessage", say),
        ("assistant.message.read_status", "AssistantService/ListMessageReaders", readers),
    ]
}

fn older() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("group.create_legacy", "GroupService/CreateGroup", internal()),
        ("group.update_legacy", "GroupService/UpdateGroup", rename("$internal")),
        ("group.admins.set_legacy", "MemberService/GrantAdmins", members("$internal")),
        ("scene.create_legacy", "GroupService/CreateGroup", scene()),
        ("scene.update_legacy", "GroupService/UpdateGroup", rename("$scene")),
        ("scene.members.add_legacy", "MemberService/AddMembers", members("$scene")),
        ("scene.members.remove_legacy", "MemberService/RemoveMembers", members("$scene")),
    ]
}
