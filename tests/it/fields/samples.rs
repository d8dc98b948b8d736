//! The requests: together they state every field of every request. `"$scene"` and the like are filled in by the stage.

use dinggate_simulator::Fault;
use serde_json::{Value, json};

/// A request to be made.
pub struct Sample {
    pub rpc: &'static str,
    pub request: Value,
    /// The reason of its failure; empty if it succeeds.
    pub outcome: &'static str,
    /// What the first call of an operation meets.
    pub fault: Option<(&'static str, Fault)>,
    /// Fields that change nothing in this very request, as others of the same RPC show that they do.
    pub quiet: &'static [&'static str],
}

fn sample(rpc: &'static str, request: Value) -> Sample {
    Sample { rpc, request: with(json!({ "app": "demo" }), request), outcome: "", fault: None, quiet: &[] }
}

/// A write; by its id a repeat is known.
fn write(rpc: &'static str, request: Value) -> Sample {
    sample(rpc, with(json!({ "request_id": "$id" }), request))
}

/// The fields of both.
fn with(mut base: Value, more: Value) -> Value {
    let fields = base.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    base
}

fn user(id: &str) -> Value {
    json!({ "user_id": id })
}

fn union(id: &str) -> Value {
    json!({ "union_id": id })
}

/// What all kinds of groups have, none as DingTalk has it by default.
fn settings() -> Value {
    json!({
        "mention_all": "AUDIENCE_MANAGERS", "manage": "AUDIENCE_MANAGERS",
        "history_for_new_members": "TOGGLE_ENABLED", "join_approval": "TOGGLE_ENABLED",
        "searchable": "TOGGLE_ENABLED", "mute_all": "TOGGLE_ENABLED",
    })
}

/// What scenario groups of an app of this generation have from their creation on.
fn scene_settings(generation: &str) -> Value {
    let both = json!({
        "private_chat": "TOGGLE_DISABLED", "send_ding": "AUDIENCE_MANAGERS", "pin_message": "AUDIENCE_MANAGERS",
        "start_meeting": "AUDIENCE_MANAGERS", "start_live": "AUDIENCE_MANAGERS",
        "strangers_calendar": "TOGGLE_ENABLED", "group_email": "TOGGLE_DISABLED",
        "chat_with_managers": "TOGGLE_DISABLED",
    });
    let newer = json!({ "add_members": "AUDIENCE_MANAGERS", "stay_after_leaving_org": "TOGGLE_ENABLED" });
    let settings = with(settings(), both);
    if generation == "new" { with(settings, newer) } else { settings }
}

pub fn samples(generation: &str) -> Vec<Sample> {
    [groups(generation), members(), templates(), cards(), messages(), newer(generation)]
        .into_iter()
        .flatten()
        .collect()
}

fn groups(generation: &str) -> Vec<Sample> {
    let new = json!({
        "title": "Incident", "owner": user("manager4220"), "members": [user("user001"), union("union-ext001")],
        "icon_media_id": "@icon",
    });
    let changed = json!({ "title": "Renamed", "owner": user("user001"), "icon_media_id": "@icon" });
    let everything = json!({ "paths": ["title", "owner", "icon_media_id", "settings"] });
    let employees = json!({ "members": [user("user001"), user("user002")] });
    let scenario = json!({ "template_id": "tpl-demo", "admins": [user("user001")] });
    let later = with(scene_settings(generation), json!({ "entry_approval": "TOGGLE_ENABLED" }));
    let disbanded = Fault::Error {
        status: 400,
        code: "group.diaband".to_owned(),
        sub_code: None,
        message: String::new(),
        applied: false,
    };
    let update = |group: Value, paths: Value| {
        write("GroupService/UpdateGroup", json!({ "group": group, "update_mask": paths }))
    };
    let mut gone = write("GroupService/DeleteGroup", json!({ "group": "$scene", "allow_missing": true }));
    gone.fault = Some(("scene.disband", disbanded));
    let mut complete = sample("GroupService/ResolveGroup", json!({ "group": "$internal" }));
    // Nobody has to be asked.
    complete.quiet = &["app"];
    let link = |group: &str| {
        sample("GroupService/GetJoinLink", json!({ "group": group, "inviter": user("user001") }))
    };
    vec![
        write(
            "GroupService/CreateGroup",
            with(with(new.clone(), employees.clone()), json!({ "internal": {}, "settings": settings() })),
        ),
        write(
            "GroupService/CreateGroup",
            with(
                new.clone(),
                json!({ "standard": {}, "owner": union("union-ext002"), "settings": settings() }),
            ),
        ),
        write(
            "GroupService/CreateGroup",
            with(
                with(new, employees),
                json!({ "scenario": scenario, "settings": scene_settings(generation) }),
            ),
        ),
        update(
            with(changed.clone(), json!({ "ref": "$internal", "settings": settings() })),
            everything.clone(),
        ),
        update(json!({ "ref": "$standard", "owner": union("union-ext001") }), json!({ "paths": ["owner"] })),
        update(
            json!({ "ref": "$internal", "settings": {"private_chat": "TOGGLE_DISABLED"} }),
            json!({ "paths": ["settings.private_chat"] }),
        ),
        update(with(changed, json!({ "ref": "$scene", "settings": later })), everything),
        sample("GroupService/GetGroup", json!({ "group": "$scene", "view": "GROUP_VIEW_FULL" })),
        sample("GroupService/GetGroup", json!({ "group": "$internal", "max_staleness": {"seconds": 60} })),
        sample(
            "GroupService/BatchGetGroups",
            json!({ "groups": ["$internal", "$scene"], "view": "GROUP_VIEW_FULL", "max_staleness": {"seconds": 60} }),
        ),
        gone,
        complete,
        sample("GroupService/ResolveGroup", json!({ "group": "$unheard_chat" })),
        link("$internal"),
        link("$unheard"),
    ]
}

fn members() -> Vec<Sample> {
    let both = |id: &str, outside: &str| json!({ "members": [user(id), union(outside)] });
    let internal = |more: Value| with(json!({ "group": "$internal" }), more);
    let standard = |more: Value| with(json!({ "group": "$standard" }), more);
    let scene = |more: Value| with(json!({ "group": "$scene" }), more);
    let employee = || json!({ "members": [user("user001")] });
    let named = || json!({ "member": user("user001"), "nickname": "On call" });
    let minute = json!({ "duration": {"seconds": 60} });
    let page = json!({ "page_size": 2, "page_token": "$members_page", "include_roles": true,
        "max_staleness": {"seconds": 60} });
    let there_is_more = json!({ "hasMore": true, "nextToken": "1", "memberUserIds": ["user001"] });
    let there_is_more = Fault::Garbage {
        status: 200,
        content_type: "application/json".to_owned(),
        body: there_is_more.to_string().into_bytes(),
        applied: false,
    };
    let mut pages = sample("MemberService/ListMembers", scene(json!({})));
    // Groups of up to a thousand people arrive whole.
    pages.fault = Some(("scene.members.list", there_is_more));
    vec![
        sample("MemberService/ListMembers", scene(page)),
        pages,
        write("MemberService/AddMembers", standard(both("user010", "union-ext002"))),
        write("MemberService/AddMembers", scene(json!({ "members": [user("user010")] }))),
        write("MemberService/RemoveMembers", standard(both("user001", "union-ext001"))),
        write("MemberService/RemoveMembers", scene(employee())),
        write(
            "MemberService/SyncMembers",
            standard(json!({
                "members": [user("user001"), union("union-ext002")], "mode": "SYNC_MODE_ADD_AND_REMOVE",
                "keep": [user("user002"), union("union-ext001")], "max_removals": 1,
            })),
        ),
        write("MemberService/SetMemberNickname", internal(named())),
        write("MemberService/SetMemberNickname", scene(named())),
        write("MemberService/GrantAdmins", internal(employee())),
        write("MemberService/GrantAdmins", scene(both("user001", "union-ext001"))),
        write("MemberService/RevokeAdmins", internal(employee())),
        write("MemberService/RevokeAdmins", scene(both("user001", "union-ext001"))),
        write("MemberService/MuteMembers", scene(with(both("user001", "union-ext001"), minute))),
        write("MemberService/UnmuteMembers", scene(both("user001", "union-ext001"))),
        sample("MemberService/GetMuteStatus", scene(json!({ "member": user("user001") }))),
    ]
}

fn templates() -> Vec<Sample> {
    let template = json!({ "template_id": "tpl-demo", "owner": user("manager4220") });
    let robot = json!({ "group": "$scene", "robot_code": "robot-demo", "max_staleness": {"seconds": 60} });
    vec![
        write("TemplateService/EnableTemplate", with(json!({ "group": "$internal" }), template.clone())),
        write("TemplateService/DisableTemplate", with(json!({ "group": "$scene" }), template)),
        sample("TemplateService/GetTemplateRobot", robot),
    ]
}

fn cards() -> Vec<Sample> {
    let own = |member: Value| json!({ "member": member, "params": {"mine": "1"} });
    let card = json!({
        "group": "$scene", "card_template_id": "card-tpl", "out_track_id": "$track", "template_id": "tpl-demo",
        "params": {"title": "Incident"},
    });
    let more = json!({
        "member_params": [own(user("user001")), own(union("union-ext001"))],
        "audience": [user("user001"), union("union-ext001")],
        "platforms": ["PLATFORM_WINDOWS", "PLATFORM_MAC"],
        "expire_time": {"seconds": 4_102_444_800_i64},
        "callback_route_key": "route", "pull_member_params": true,
    });
    let cool = |base: &Value| {
        let mut base = base.clone();
        base.as_object_mut().expect("an object").remove("template_id");
        with(base, json!({ "group": "$internal", "cool_app_code": "COOLAPP-1" }))
    };
    // The simulator has no cool apps, and what was refused is tried again, whatever its id.
    let refused =
        |sample: Sample| Sample { outcome: "RESOURCE_NOT_USABLE", quiet: &["request_id"], ..sample };
    let unpin = json!({ "group": "$scene", "out_track_id": "$card", "template_id": "tpl-demo" });
    let unknown = with(cool(&unpin), json!({ "out_track_id": "$track" }));
    vec![
        refused(write("PinnedCardService/PinCard", cool(&card))),
        write("PinnedCardService/PinCard", with(card, more)),
        write("PinnedCardService/UnpinCard", unpin),
        refused(write("PinnedCardService/UnpinCard", unknown)),
    ]
}

fn messages() -> Vec<Sample> {
    let say = |content: Value| {
        let said = with(json!({ "group": "$scene", "robot_code": "robot-demo" }), content);
        write("AssistantService/SendAssistantMessage", said)
    };
    let people = json!({ "members": [user("user001"), union("union-ext001")], "mobiles": ["13800000000"] });
    let buttons = json!([{ "title": "Open", "url": "https://example.com/" }, { "title": "No", "url": "https://example.org/" }]);
    let card = json!({ "title": "Incident", "text": "**42**", "buttons": buttons,
        "button_layout": "BUTTON_LAYOUT_HORIZONTAL" });
    let own = json!({ "template_id": "inner_app_template_text", "params": {"content": "own"},
        "media_ids": {"picture": "@own"} });
    let mentions = with(people.clone(), json!({ "all": true }));
    let readers = json!({ "group": "$scene", "robot_code": "robot-demo", "open_message_id": "$message",
        "page_size": 2, "page_token": "$readers_page" });
    vec![
        say(json!({ "text": {"text": "hello"}, "audience": people, "mentions": mentions })),
        say(json!({ "markdown": {"title": "Incident", "text": "**42**"} })),
        say(json!({ "photo": {"media_id": "@photo"} })),
        say(json!({ "action_card": card })),
        say(json!({ "template": own })),
        sample("AssistantService/ListMessageReaders", readers),
    ]
}

/// What the older operations of scenario groups cannot name: people from outside.
fn newer(generation: &str) -> Vec<Sample> {
    if generation != "new" {
        return Vec::new();
    }
    let owner = json!({ "ref": "$scene", "owner": union("union-ext001") });
    let people = |id: &str| json!({ "group": "$scene", "members": [union(id)] });
    vec![
        write("GroupService/UpdateGroup", json!({ "group": owner, "update_mask": {"paths": ["owner"]} })),
        write("MemberService/AddMembers", people("union-ext002")),
        write("MemberService/RemoveMembers", people("union-ext001")),
    ]
}
