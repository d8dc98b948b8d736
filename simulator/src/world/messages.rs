//! Messages of the group assistant: a robot of the group's template speaks in one of five message templates.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use uuid::Uuid;

use super::group::add_new;
use super::{Caller, Message, People, Refusal, World};

/// Older messages of a group are forgotten, so that a simulator may run for months.
const MAX_MESSAGES: usize = 1000;

/// A message template: its id, the text variables and the media variables it cannot do without.
type MessageTemplate = (&'static str, &'static [&'static str], &'static [&'static str]);

const TEMPLATES: [MessageTemplate; 5] = [
    ("inner_app_template_text", &["content"], &[]),
    ("inner_app_template_photo", &[], &["img_media_id"]),
    ("inner_app_template_markdown", &["title", "markdown_content"], &[]),
    ("inner_app_template_action_card", &["title", "markdown"], &[]),
    ("offical_template_test_action_card", &["title", "markdown"], &[]),
];

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct SendMessage {
    pub(crate) id: String,
    pub(crate) robot_code: String,
    pub(crate) template_id: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) media: BTreeMap<String, String>,
    pub(crate) mentioned: Audience,
    pub(crate) mentions_all: bool,
    pub(crate) receivers: Audience,
}

/// People by each kind of id. Mobile numbers are taken as they come.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) people: People,
    pub(crate) mobiles: Vec<String>,
}

/// Which page of the readers of which message.
#[derive(Debug)]
pub(crate) struct ReadersQuery<'a> {
    pub(crate) id: &'a str,
    pub(crate) robot_code: &'a str,
    pub(crate) open_message_id: &'a str,
    pub(crate) size: usize,
    pub(crate) token: &'a str,
}

/// A page of readers, as userId and unionId.
#[derive(Debug)]
pub(crate) struct ReaderPage {
    pub(crate) readers: Vec<(String, String)>,
    pub(crate) has_more: bool,
    pub(crate) next: String,
}

impl Audience {
    fn check(&self, limit: usize) -> Result<(), Refusal> {
        self.people.at_most(limit)?;
        if self.mobiles.len() > limit { Err(Refusal::TooManyAtOnce(limit)) } else { Ok(()) }
    }

    fn all(self) -> Vec<String> {
        self.people.users.into_iter().chain(self.mobiles).chain(self.people.contacts).collect()
    }
}

impl World {
    /// The answer is the id of the message.
    pub(crate) fn send_message(&mut self, caller: &Caller, request: SendMessage) -> Result<String, Refusal> {
        let group = self.live_scene(caller, &request.id)?;
        self.robot(caller, group, &request.robot_code)?;
        check_content(&request)?;
        request.mentioned.check(self.rules.limits.mentions_per_message)?;
        request.receivers.check(self.rules.limits.message_receivers)?;
        let corp = self.corp(caller);
        let everybody = [&request.mentioned.people, &request.receivers.people];
        let users = everybody.iter().flat_map(|people| &people.users);
        let unions = everybody.iter().flat_map(|people| &people.contacts);
        let stranger = users.clone().find(|id| !corp.users.contains_key(*id));
        if let Some(id) = stranger.or_else(|| unions.clone().find(|id| !corp.has_union_id(id))) {
            return Err(Refusal::ReceiverUnknown(id.clone()));
        }
        let mut group = group.clone();
        let open_message_id = format!("msg{}", BASE64.encode(Uuid::new_v4().as_bytes()));
        if group.messages.len() == MAX_MESSAGES {
            group.messages.remove(0);
        }
        group.messages.push(Message {
            open_message_id: open_message_id.clone(),
            robot_code: request.robot_code,
            template_id: request.template_id,
            params: request.params,
            media: request.media,
            mentioned: request.mentioned.all(),
            mentions_all: request.mentions_all,
            receivers: request.receivers.all(),
            readers: Vec::new(),
        });
        self.keep(group);
        Ok(open_message_id)
    }

    /// The readers from position `token` on.
    pub(crate) fn readers(&self, caller: &Caller, query: &ReadersQuery<'_>) -> Result<ReaderPage, Refusal> {
        let group = self.scene(caller, query.id)?;
        self.robot(caller, group, query.robot_code)?;
        let mut messages = group.messages.iter();
        let message = messages.find(|message| message.open_message_id == query.open_message_id);
        let message = message.ok_or(Refusal::MessageUnknown)?;
        if message.robot_code != query.robot_code {
            return Err(Refusal::Invalid("robotCode"));
        }
        let start = if query.token.is_empty() { Ok(0) } else { query.token.parse() };
        let start = start.ok().filter(|start| *start <= message.readers.len()).ok_or(Refusal::PageUnknown)?;
        let end = message.readers.len().min(start + query.size);
        let users = &self.corp(caller).users;
        let both =
            |id: &String| (id.clone(), users.get(id).map(|user| user.union_id.clone()).unwrap_or_default());
        Ok(ReaderPage {
            readers: message.readers[start..end].iter().map(both).collect(),
            has_more: end < message.readers.len(),
            next: end.to_string(),
        })
    }

    /// Notes who has read a message; false when there is no such message.
    pub(crate) fn mark_read(&mut self, open_message_id: &str, user_ids: &[String]) -> bool {
        let mut messages = self.groups.values_mut().flat_map(|group| &mut group.messages);
        let Some(message) = messages.find(|message| message.open_message_id == open_message_id) else {
            return false;
        };
        add_new(&mut message.readers, user_ids);
        true
    }
}

fn check_content(request: &SendMessage) -> Result<(), Refusal> {
    let template = TEMPLATES.iter().find(|(id, ..)| *id == request.template_id);
    let (_, texts, media) = template.ok_or(Refusal::MessageTemplateUnknown)?;
    if request.params.keys().any(|name| request.media.contains_key(name)) {
        return Err(Refusal::VariableTwice);
    }
    let given =
        |map: &BTreeMap<String, String>, name: &str| map.get(name).is_some_and(|text| !text.is_empty());
    let complete = texts.iter().all(|name| given(&request.params, name))
        && media.iter().all(|name| given(&request.media, name));
    if !complete {
        return Err(Refusal::MessageNotRendered);
    }
    if request.media.values().any(|id| !id.starts_with('@')) {
        return Err(Refusal::MediaUnknown);
    }
    Ok(())
}
