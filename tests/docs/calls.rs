//! Which upstream operations each RPC can make. The one place that says so; the tests hold it together with the
//! contract and with the table of operations.

use std::collections::BTreeSet;

use dinggate::{operation, pb};
use prost_reflect::DescriptorPool;

const TOKEN: &[&str] = &["auth.access_token.get", "auth.token.get_by_corp", "auth.gettoken_legacy"];

/// By `Service/Method`. Beyond these, any RPC on a group may have to resolve its handle first.
pub const CALLS: &[(&str, &[&str])] = &[
    (
        "GroupService/CreateGroup",
        &[
            "group.create",
            "group.update",
            "scene.create",
            "scene.members.add",
            "group.create_legacy",
            "group.update_legacy",
            "scene.create_legacy",
            "scene.members.add_legacy",
        ],
    ),
    ("GroupService/GetGroup", &["group.get_legacy", "scene.get_brief", "scene.get_legacy"]),
    ("GroupService/BatchGetGroups", &["group.get_legacy", "scene.get_brief", "scene.get_legacy"]),
    (
        "GroupService/UpdateGroup",
        &[
            "group.update",
            "group.get_legacy",
            "group.private_chat.set_legacy",
            "scene.update",
            "group.update_legacy",
            "scene.update_legacy",
        ],
    ),
    ("GroupService/DeleteGroup", &["scene.disband"]),
    (
        "GroupService/ResolveGroup",
        &["group.chatid.to_open_conversation_id", "scene.get_brief", "group.get_legacy"],
    ),
    ("GroupService/GetJoinLink", &["group.qrcode.get_legacy", "scene.get_brief"]),
    ("MemberService/ListMembers", &["group.get_legacy", "scene.members.list", "scene.get_legacy"]),
    (
        "MemberService/AddMembers",
        &["group.update", "scene.members.add", "group.update_legacy", "scene.members.add_legacy"],
    ),
    (
        "MemberService/RemoveMembers",
        &[
            "group.get_legacy",
            "group.update",
            "scene.members.list",
            "scene.get_brief",
            "scene.members.remove",
            "group.update_legacy",
            "scene.members.remove_legacy",
        ],
    ),
    (
        "MemberService/SyncMembers",
        &[
            "group.get_legacy",
            "group.update",
            "scene.members.list",
            "scene.get_brief",
            "scene.members.add",
            "scene.members.remove",
            "group.update_legacy",
            "scene.members.add_legacy",
            "scene.members.remove_legacy",
        ],
    ),
    ("MemberService/SetMemberNickname", &["group.member.set_nick_legacy", "scene.member.set_nick"]),
    ("MemberService/GrantAdmins", ADMINS),
    ("MemberService/RevokeAdmins", ADMINS),
    ("MemberService/MuteMembers", &["scene.members.mute.set"]),
    ("MemberService/UnmuteMembers", &["scene.members.mute.set"]),
    ("MemberService/GetMuteStatus", &["scene.mute.query"]),
    ("TemplateService/EnableTemplate", &["template.apply_legacy", "group.get_legacy", "scene.get_brief"]),
    ("TemplateService/DisableTemplate", &["template.close_legacy", "group.get_legacy", "scene.get_brief"]),
    ("TemplateService/GetTemplateRobot", &["scene.template_robot.get"]),
    ("PinnedCardService/PinCard", &["topbox.create"]),
    ("PinnedCardService/UnpinCard", &["topbox.close"]),
    ("AssistantService/SendAssistantMessage", &["assistant.message.send_legacy"]),
    ("AssistantService/ListMessageReaders", &["assistant.message.read_status"]),
    ("GroupEventService/WatchGroupEvents", &[]),
    ("GroupEventService/ListGroupEvents", &[]),
    ("TokenService/GetAccessToken", TOKEN),
    ("TokenService/ReportInvalidAccessToken", TOKEN),
    ("QuotaService/GetQuota", &[]),
    ("AdminService/ListApps", &[]),
    ("AdminService/GetApp", &[]),
    ("AdminService/CheckApp", CHECK),
];

const CHECK: &[&str] = &[
    "auth.access_token.get",
    "auth.token.get_by_corp",
    "auth.gettoken_legacy",
    "group.get_legacy",
    "group.qrcode.get_legacy",
    "scene.get_brief",
    "assistant.message.read_status",
];

/// What no RPC makes, but the gateway by itself.
pub const OWN: &[&str] = &["events.failed.list"];

const ADMINS: &[&str] = &["group.admins.set", "scene.admins.set", "group.admins.set_legacy"];

#[test]
fn every_rpc_and_every_operation_occurs_and_nothing_else() {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let methods = pool.services().flat_map(|service| {
        service.methods().map(|method| format!("{}/{}", service.name(), method.name())).collect::<Vec<_>>()
    });
    let rpcs: BTreeSet<_> = CALLS.iter().map(|(rpc, _)| (*rpc).to_owned()).collect();
    assert_eq!(rpcs, methods.collect(), "the RPCs of the contract");
    assert_eq!(rpcs.len(), CALLS.len(), "each once");

    let made = CALLS.iter().flat_map(|(_, made)| *made).chain(OWN).copied();
    let made: BTreeSet<_> = made.collect();
    assert_eq!(made, operation::ALL.iter().map(|spec| spec.id).collect(), "the table of operations");
}
