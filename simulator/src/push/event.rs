//! What DingTalk tells an app of a change.

use serde_json::{Value, json};
use uuid::Uuid;

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
