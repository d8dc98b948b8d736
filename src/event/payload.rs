//! DingTalk's events as JSON: two spellings, and nothing in them is certain but the type.
//!
//! Pushes by stream write `chatId`, pushes by HTTP `chatId` or `ChatId`, depending on when the app was registered; times
//! are numbers or texts. So names are matched whatever the case of their first letter.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Change, Event};
use crate::{
    group::{GroupRef, Member},
    operation::id::{ChatId, OpenConversationId, UnionId, UserId},
};

/// What stands around the content of an event, where the way it came has such.
#[derive(Debug, Clone, Default)]
pub struct Cover {
    /// DingTalk's id of the event.
    pub event_id: Option<String>,
    /// Its type.
    pub type_name: Option<String>,
    /// When it was born, in milliseconds since 1970.
    pub born: Option<u64>,
}

/// It has no type, so nobody can say what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event without a type")]
pub struct Untyped;

/// What comes by stream in the place of an event when the month's pushes are used up.
const OVER_QUOTA: u64 = 20001;

/// Whether DingTalk has kept back what happened, because the organisation's pushes of the month are used up.
pub fn is_over_quota(content: &str) -> bool {
    let fields: Option<Map<String, Value>> = serde_json::from_str(content).ok();
    fields.is_some_and(|fields| fields.get("errCode").and_then(Value::as_u64) == Some(OVER_QUOTA))
}

/// Reads an event.
pub fn read(cover: Cover, content: &str) -> Result<Event, Untyped> {
    // What is no object is passed on as it is, under the type on the cover.
    let fields = Fields(serde_json::from_str(content).unwrap_or_default());
    let type_name = cover.type_name.or_else(|| fields.text("eventType")).ok_or(Untyped)?;
    let id = cover.event_id.or_else(|| fields.text("eventId")).or_else(|| fields.text("bizId"));
    Ok(Event {
        id: id.unwrap_or_else(|| id_of(&type_name, content)),
        group: GroupRef {
            open_conversation_id: fields.text("openConversationId").map(OpenConversationId),
            chat_id: fields.text("chatId").map(ChatId),
            kind: None,
        },
        operator: fields.person("operator", "operatorUnionId"),
        happened: fields.time("timeStamp").or(cover.born).or_else(|| fields.time("eventTime")).unwrap_or(0),
        change: change(&type_name, &fields).unwrap_or_else(|| Change::Other(content.to_owned())),
        type_name,
    })
}

fn change(type_name: &str, fields: &Fields) -> Option<Change> {
    Some(match type_name {
        "chat_add_member" => Change::MembersAdded(fields.people()),
        "chat_remove_member" => Change::MembersRemoved(fields.people()),
        "chat_quit" => Change::MemberQuit(fields.person("operator", "operatorUnionId")),
        "chat_update_owner" => Change::OwnerChanged(fields.person("owner", "ownerUnionId")),
        "chat_update_title" => Change::TitleChanged(fields.text("title").unwrap_or_default()),
        "chat_disband" => Change::GroupDisbanded,
        _ => return None,
    })
}

/// The same for the same event, should DingTalk push it again.
fn id_of(type_name: &str, content: &str) -> String {
    let hash = Sha256::new().chain_update(type_name).chain_update([0]).chain_update(content).finalize();
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let (first, rest) = name.split_at(1);
            self.0.get(&format!("{}{rest}", first.to_ascii_uppercase()))
        })
    }

    /// A text that says something.
    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(values)) => {
                values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
            }
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// Milliseconds since 1970; DingTalk writes them as number or text.
    fn time(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
        .filter(|millis| *millis > 0)
    }

    /// Employees are known by their user id, all others by their union id.
    fn person(&self, user: &str, union: &str) -> Option<Member> {
        let by_union = || self.text(union).map(|id| Member::Union(UnionId(id)));
        self.text(user).map(|id| Member::User(UserId(id))).or_else(by_union)
    }

    /// The two lists name the same people, one by one. Where they differ in length the longer one has everybody.
    fn people(&self) -> Vec<Member> {
        let (users, unions) = (self.texts("userId"), self.texts("unionId"));
        let user = |id: &String| (!id.is_empty()).then(|| Member::User(UserId(id.clone())));
        let union = |id: &String| (!id.is_empty()).then(|| Member::Union(UnionId(id.clone())));
        if users.len() == unions.len() {
            let both = users.iter().zip(&unions);
            both.filter_map(|(user_id, union_id)| user(user_id).or_else(|| union(union_id))).collect()
        } else if users.len() > unions.len() {
            users.iter().filter_map(user).collect()
        } else {
            unions.iter().filter_map(union).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn user(id: &str) -> Member {
        Member::User(UserId(id.to_owned()))
    }

    fn union(id: &str) -> Member {
        Member::Union(UnionId(id.to_owned()))
    }

    fn read_pushed(content: &Value) -> Event {
        read(Cover::default(), &content.to_string()).unwrap()
    }

    #[test]
    fn an_event_is_the_same_in_both_spellings() {
        let new = json!({
            "EventType": "chat_add_member", "EventTime": 1_760_000_000_123_u64, "CorpId": "dingcorp0001",
            "BizId": "1760000000123-1", "eventId": "0a1b2c3d4e5f", "timeStamp": 1_760_000_000_100_u64,
            "chatId": "chat0001", "corpId": "dingcorp0001", "openConversationId": "cidAAAA==",
            "userId": ["user002", "user003"], "unionId": ["uA", "uB"], "operator": "user001",
            "operatorUnionId": "uOp", "eventType": "chat_add_member",
        });
        let old = json!({
            "EventType": "chat_add_member", "eventId": "0a1b2c3d4e5f", "TimeStamp": "1760000000100",
            "ChatId": "chat0001", "OpenConversationId": "cidAAAA==", "UserId": ["user002", "user003"],
            "Operator": "user001",
        });
        let expected = Event {
            id: "0a1b2c3d4e5f".to_owned(),
            type_name: "chat_add_member".to_owned(),
            group: GroupRef {
                open_conversation_id: Some(OpenConversationId("cidAAAA==".to_owned())),
                chat_id: Some(ChatId("chat0001".to_owned())),
                kind: None,
            },
            operator: Some(user("user001")),
            happened: 1_760_000_000_100,
            change: Change::MembersAdded(vec![user("user002"), user("user003")]),
        };
        assert_eq!(read_pushed(&new), expected);
        assert_eq!(read_pushed(&old), expected);
    }

    #[test]
    fn each_type_tells_what_happened() {
        let base = json!({"chatId": "chat0001", "operator": "", "operatorUnionId": "uOp", "timeStamp": 5});
        for (type_name, more, change) in [
            (
                "chat_remove_member",
                json!({"userId": ["", "user003"], "unionId": ["uA", "uB"]}),
                Change::MembersRemoved(vec![union("uA"), user("user003")]),
            ),
            (
                "chat_add_member",
                json!({"userId": ["user002"], "unionId": ["uA", "uB"]}),
                Change::MembersAdded(vec![union("uA"), union("uB")]),
            ),
            ("chat_add_member", json!({}), Change::MembersAdded(Vec::new())),
            ("chat_quit", json!({}), Change::MemberQuit(Some(union("uOp")))),
            ("chat_update_owner", json!({"owner": "user002"}), Change::OwnerChanged(Some(user("user002")))),
            ("chat_update_owner", json!({"owner": null}), Change::OwnerChanged(None)),
            (
                "chat_update_title",
                json!({"title": "新名字 🎉"}),
                Change::TitleChanged("新名字 🎉".to_owned()),
            ),
            ("chat_disband", json!({}), Change::GroupDisbanded),
        ] {
            let mut content = base.clone();
            content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let cover = Cover { type_name: Some(type_name.to_owned()), ..Cover::default() };
            let event = read(cover, &content.to_string()).unwrap();
            assert_eq!((&event.change, event.happened), (&change, 5), "{type_name} {content}");
            assert_eq!(event.operator, Some(union("uOp")));
        }
    }

    #[test]
    fn what_nobody_knows_is_passed_on_as_it_is() {
        for content in [r#"{"templateId":"t","status":"on"}"#, "[1, 2]", "no JSON", ""] {
            let cover = Cover {
                type_name: Some("chat_template_change".to_owned()),
                event_id: Some("e1".to_owned()),
                born: Some(7),
            };
            let event = read(cover, content).unwrap();
            assert_eq!((event.change, event.happened), (Change::Other(content.to_owned()), 7));
            assert_eq!((event.id.as_str(), event.group), ("e1", GroupRef::default()));
        }
        assert_eq!(read(Cover::default(), r#"{"chatId":"chat0001"}"#), Err(Untyped));
    }

    #[test]
    fn an_event_that_was_kept_back_is_known() {
        assert!(is_over_quota(r#"{"errCode":20001,"errMsg":"..."}"#));
        for content in [r#"{"errCode":0}"#, r#"{"title":"20001"}"#, "20001", ""] {
            assert!(!is_over_quota(content), "{content}");
        }
    }

    #[test]
    fn an_event_without_an_id_gets_the_same_one_each_time() {
        let event = |title: &str| read_pushed(&json!({"EventType": "chat_update_title", "Title": title})).id;
        assert_eq!(event("a"), event("a"));
        assert_ne!(event("a"), event("b"));
        let content = json!({"EventType": "chat_disband", "BizId": "b1"});
        assert_eq!(read_pushed(&content).id, "b1");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
    }

    proptest! {
        #[test]
        fn whatever_the_fields_hold_the_event_is_read(
            values in prop::collection::vec(value(), 7),
            type_name in prop_oneof![Just("chat_add_member"), Just("chat_quit"), Just("chat_update_title")],
        ) {
            let names = ["chatId", "OpenConversationId", "userId", "UnionId", "title", "timeStamp", "Operator"];
            let content: Map<_, _> = names.into_iter().map(str::to_owned).zip(values).collect();
            let cover = Cover { type_name: Some(type_name.to_owned()), ..Cover::default() };
            let event = read(cover, &Value::from(content).to_string());
            prop_assert_eq!(event.unwrap().type_name, type_name);
        }
    }
}
