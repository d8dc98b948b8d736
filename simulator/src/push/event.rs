//! What DingTalk tells an app of a change, in the forms it comes in: the `data` of a Stream frame, and the two texts of
//! an HTTP callback.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::rules::Spelling;
use crate::world::{Change, Person, What};

/// An event for one app.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) app_key: String,
    pub(crate) corp_id: String,
    pub(crate) unified_app_id: String,
    /// The event type, such as `chat_add_member`.
    pub(crate) kind: String,
    /// In Unix milliseconds.
    pub(crate) born_ms: u64,
    /// As in a Stream frame: JSON, as a rule.
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn new(
        app_key: &str,
        (corp_id, unified_app_id): (&str, &str),
        kind: &str,
        born_ms: u64,
    ) -> Event {
        Event {
            id: Uuid::new_v4().simple().to_string(),
            app_key: app_key.to_owned(),
            corp_id: corp_id.to_owned(),
            unified_app_id: unified_app_id.to_owned(),
            kind: kind.to_owned(),
            born_ms,
            data: String::new(),
        }
    }

    /// The text of an HTTP callback.
    pub(crate) fn callback_text(&self, spelling: Spelling) -> String {
        match serde_json::from_str::<Map<String, Value>>(&self.data) {
            Ok(fields) => Value::Object(self.callback_fields(spelling, fields)).to_string(),
            Err(_) => self.data.clone(),
        }
    }

    fn callback_fields(&self, spelling: Spelling, fields: Map<String, Value>) -> Map<String, Value> {
        let mut outer = Map::from_iter([("EventType".to_owned(), json!(self.kind))]);
        match spelling {
            Spelling::Current => {
                outer.insert("EventTime".to_owned(), json!(self.born_ms));
                outer.insert("CorpId".to_owned(), json!(self.corp_id));
                outer.insert("BizId".to_owned(), json!(format!("{}-{}", self.born_ms, &self.id[..8])));
                outer.insert("eventId".to_owned(), json!(self.id));
                outer.extend(fields);
                outer.insert("corpId".to_owned(), json!(self.corp_id));
            }
            Spelling::Older => {
                outer.insert("CorpId".to_owned(), json!(self.corp_id));
                let fields = fields.into_iter().filter(|(name, _)| name != "eventType");
                outer.extend(fields.map(|(name, value)| older(&name, value)));
            }
        }
        outer
    }
}

/// Upper camel case, and times as strings.
fn older(name: &str, value: Value) -> (String, Value) {
    let (first, rest) = name.split_at(1.min(name.len()));
    let value = match value {
        Value::Number(number) if name.ends_with("imeStamp") => json!(number.to_string()),
        value => value,
    };
    (first.to_ascii_uppercase() + rest, value)
}

impl Change {
    /// The event type.
    pub(crate) fn kind(&self) -> &'static str {
        match self.what {
            What::MembersAdded(_) => "chat_add_member",
            What::MembersRemoved(_) => "chat_remove_member",
            What::MemberQuit => "chat_quit",
            What::OwnerChanged(_) => "chat_update_owner",
            What::TitleChanged(_) => "chat_update_title",
            What::Disbanded => "chat_disband",
            What::TemplateChanged { .. } => "chat_template_change",
        }
    }

    /// The `data` of a Stream frame, with what DingTalk leaves out in each type left out here too.
    pub(crate) fn data(&self, born_ms: u64) -> String {
        let mut data = json!({"timeStamp": born_ms, "openConversationId": self.open_conversation_id});
        let has_chatid = !matches!(self.what, What::OwnerChanged(_) | What::TemplateChanged { .. });
        if has_chatid {
            data["chatId"] = json!(self.chatid);
        }
        if let Some(operator) = &self.operator {
            data["operatorUnionId"] = json!(operator.union_id);
            let named = !matches!(self.what, What::OwnerChanged(_));
            if let Some(user_id) = operator.user_id.as_ref().filter(|_| named) {
                data["operator"] = json!(user_id);
            }
        }
        match &self.what {
            What::MembersAdded(people) => {
                name(&mut data, people);
                data["eventType"] = json!(self.kind());
            }
            What::MembersRemoved(people) => name(&mut data, people),
            What::OwnerChanged(owner) => {
                if let Some(user_id) = &owner.user_id {
                    data["owner"] = json!(user_id);
                }
            }
            What::TitleChanged(title) => data["title"] = json!(title),
            What::TemplateChanged { template_id, on } => {
                data["templateId"] = json!(template_id);
                data["status"] = json!(if *on { "on" } else { "off" });
                data["changedTimeStamp"] = json!(born_ms);
            }
            What::MemberQuit | What::Disbanded => {}
        }
        data.to_string()
    }
}

fn name(data: &mut Value, people: &[Person]) {
    data["userId"] = people.iter().filter_map(|person| person.user_id.as_deref()).collect();
    data["unionId"] = people.iter().map(|person| person.union_id.as_str()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_current_and_an_older_text() {
        let data = r#"{"timeStamp":7,"chatId":"chat1","userId":["u"],"eventType":"chat_add_member"}"#;
        let mut event = Event::new("app", ("corp", "unified"), "chat_add_member", 7);
        (event.id, event.data) = ("0123456789".to_owned(), data.to_owned());
        let read = |spelling| serde_json::from_str::<Value>(&event.callback_text(spelling)).unwrap();
        let current = json!({"EventType": "chat_add_member", "EventTime": 7, "CorpId": "corp", "BizId": "7-01234567",
            "eventId": "0123456789", "timeStamp": 7, "chatId": "chat1", "userId": ["u"],
            "eventType": "chat_add_member", "corpId": "corp"});
        assert_eq!(read(Spelling::Current), current);
        let older = json!({"EventType": "chat_add_member", "CorpId": "corp", "TimeStamp": "7", "ChatId": "chat1",
            "UserId": ["u"]});
        assert_eq!(read(Spelling::Older), older);
    }
}
