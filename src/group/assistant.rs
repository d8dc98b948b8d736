//! Messages of the group assistant: a robot of the group's template speaks for the app.

use super::{
    Groups, Request,
    cards::Params,
    error::{Error, Fault},
    model::{GroupRef, Member, Outcome, PlannedCall, split},
};
use crate::{
    dingtalk::Endpoint,
    operation::{
        assistant::{
            ListMessageReaders, ReaderPage, SendAssistantMessage, TEMPLATE_ACTION_CARD, TEMPLATE_MARKDOWN,
            TEMPLATE_PHOTO, TEMPLATE_TEXT,
        },
        id::{MediaId, OpenConversationId},
    },
};

/// A message to be sent.
#[derive(Debug, Clone, Hash)]
pub struct NewMessage {
    /// The robot that speaks.
    pub robot_code: String,
    /// What it says.
    pub content: Content,
    /// Who sees it; nobody stands for everybody.
    pub audience: People,
    /// Who is alerted.
    pub mentions: People,
    /// Alert everybody.
    pub mention_all: bool,
}

/// People by id and by mobile number.
#[derive(Debug, Clone, Default, Hash)]
pub struct People {
    /// By id.
    pub members: Vec<Member>,
    /// By mobile number.
    pub mobiles: Vec<String>,
}

/// What a message says.
#[derive(Debug, Clone, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Content {
    Text { text: String },
    Markdown { title: String, text: String },
    Photo { media_id: MediaId },
    ActionCard { title: String, text: String, buttons: Vec<Button>, layout: Option<Layout> },
    Template { template_id: String, params: Params, media_ids: Params },
}

/// A button that opens a link.
#[derive(Debug, Clone, Hash)]
pub struct Button {
    /// What it says.
    pub title: String,
    /// What it opens.
    pub url: String,
}

/// Where buttons stand.
#[derive(Debug, Clone, Copy, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Layout {
    Vertical,
    Horizontal,
}

/// Some of those who have read a message.
#[derive(Debug, Clone)]
pub struct Readers {
    /// Who they are.
    pub members: Vec<Member>,
    /// Leads to the next page.
    pub next_token: Option<String>,
    /// What became of the message.
    pub state: Option<MessageState>,
}

/// The life of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// Still being delivered.
    Processing,
    /// Delivered.
    Sent,
    /// Taken back.
    Recalled,
}

impl Groups {
    /// Sends a message; the answer is its id. Each request that gets through is a message of its own.
    pub async fn send_message(
        &self,
        request: &Request,
        group: &GroupRef,
        message: NewMessage,
    ) -> Result<Outcome<String>, Error> {
        let (_, open_id) = self.reach_scenario(request, group).await?;
        if request.validate_only {
            return Ok(Outcome::Planned(vec![PlannedCall::once(SendAssistantMessage::SPEC)]));
        }
        self.send(request, &open_id, message).await.map(Outcome::Done)
    }

    async fn send(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
        message: NewMessage,
    ) -> Result<String, Error> {
        let (template_id, params, media_ids) = message.content.into_template();
        let (at_users, at_union_ids) = split(message.mentions.members);
        let (receiver_user_ids, receiver_union_ids) = split(message.audience.members);
        let endpoint = SendAssistantMessage {
            open_conversation_id,
            robot_code: &message.robot_code,
            msg_template_id: &template_id,
            msg_param_map: &params,
            msg_media_id_param_map: &media_ids,
            is_at_all: message.mention_all,
            at_users: &at_users,
            at_union_ids: &at_union_ids,
            at_mobiles: &message.mentions.mobiles,
            receiver_user_ids: &receiver_user_ids,
            receiver_union_ids: &receiver_union_ids,
            receiver_mobiles: &message.audience.mobiles,
        };
        Ok(self.call_scene(request, open_conversation_id, &endpoint).await?.open_msg_id)
    }

    /// A page of those who have read a message.
    pub async fn message_readers(
        &self,
        request: &Request,
        group: &GroupRef,
        robot_code: &str,
        open_msg_id: &str,
        max_results: i64,
        next_token: Option<&str>,
    ) -> Result<Readers, Error> {
        let (_, open_id) = self.reach_scenario(request, group).await?;
        let endpoint = ListMessageReaders {
            open_conversation_id: &open_id,
            robot_code,
            open_msg_id,
            max_results,
            next_token,
        };
        Ok(readers(self.call_scene(request, &open_id, &endpoint).await?, next_token))
    }
}

impl NewMessage {
    /// What the wire cannot carry: DingTalk joins ids by commas and has no way to quote one.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.audience.faults("audience");
        faults.extend(self.mentions.faults("mentions"));
        faults
    }
}

impl People {
    fn faults(&self, field: &str) -> Vec<Fault> {
        let members = self.members.iter().enumerate().map(|(i, member)| match member {
            Member::User(id) => (format!("{field}.members[{i}].user_id"), &id.0),
            Member::Union(id) => (format!("{field}.members[{i}].union_id"), &id.0),
        });
        let mobiles = self.mobiles.iter().enumerate();
        let mobiles = mobiles.map(|(i, mobile)| (format!("{field}.mobiles[{i}]"), mobile));
        let joined = members.chain(mobiles).filter(|(_, id)| id.contains(','));
        joined.map(|(path, _)| Fault::new(path, "has no comma: DingTalk would read two of it")).collect()
    }
}

impl Content {
    /// DingTalk knows message templates only: which one, its text variables, its media variables.
    fn into_template(self) -> (String, Params, Params) {
        let texts = |pairs: Vec<(&str, String)>| -> Params {
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        match self {
            Content::Text { text } => {
                (TEMPLATE_TEXT.to_owned(), texts(vec![("content", text)]), Params::new())
            }
            Content::Markdown { title, text } => {
                let params = texts(vec![("title", title), ("markdown_content", text)]);
                (TEMPLATE_MARKDOWN.to_owned(), params, Params::new())
            }
            Content::Photo { media_id } => {
                (TEMPLATE_PHOTO.to_owned(), Params::new(), texts(vec![("img_media_id", media_id.0)]))
            }
            Content::ActionCard { title, text, buttons, layout } => {
                let mut params = texts(vec![("title", title), ("markdown", text)]);
                if let Some(layout) = layout {
                    params.insert("btn_orientation".to_owned(), layout.number().to_owned());
                }
                for (i, button) in (1..).zip(buttons) {
                    params.insert(format!("btn_title_{i}"), button.title);
                    params.insert(format!("action_url_{i}"), button.url);
                }
                (TEMPLATE_ACTION_CARD.to_owned(), params, Params::new())
            }
            Content::Template { template_id, params, media_ids } => (template_id, params, media_ids),
        }
    }
}

impl Layout {
    /// 2 is side by side, says the table of the page; its samples pass 1.
    fn number(self) -> &'static str {
        match self {
            Layout::Vertical => "1",
            Layout::Horizontal => "2",
        }
    }
}

/// Only the flag says whether there is more; a page that leads to itself would lead there for ever.
fn readers(page: ReaderPage, token: Option<&str>) -> Readers {
    let more = page.has_more == Some(true);
    let leads_on = |next: &String| more && !next.is_empty() && Some(next.as_str()) != token;
    let mut members: Vec<_> = page
        .read_users
        .into_iter()
        .filter_map(|reader| reader.user_id.map(Member::User).or(reader.union_id.map(Member::Union)))
        .collect();
    // The documented list has employees only, the other one is in the SDK.
    for member in page.read_user_ids.into_iter().map(Member::User) {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Readers {
        members,
        next_token: page.next_token.filter(leads_on),
        state: match page.send_status.as_deref() {
            Some("PROCESSING") => Some(MessageState::Processing),
            Some("SUCCESS") => Some(MessageState::Sent),
            Some("RECALLED") => Some(MessageState::Recalled),
            _ => None,
        },
    }
}
