//! `dinggate.group.v1.AssistantService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    convert,
    once::Once,
    rpc::{Apps, Rpc},
};
use crate::{
    group::{Button, Content, Groups, Layout, MessageState, NewMessage, Outcome, People},
    operation::id::MediaId,
    pb::group::{
        self as pb, assistant_service_server::AssistantService,
        send_assistant_message_request::Content as Said,
    },
};

/// Most readers on a page.
const PAGE_MAX: i32 = 200;

/// The service.
#[derive(Debug, Clone)]
pub struct AssistantApi {
    apps: Apps,
    groups: Groups,
    once: Once,
}

impl AssistantApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups, once: Once) -> Self {
        Self { apps, groups, once }
    }
}

#[async_trait]
impl AssistantService for AssistantApi {
    async fn send_assistant_message(
        &self,
        request: Request<pb::SendAssistantMessageRequest>,
    ) -> Result<Response<pb::SendAssistantMessageResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let message = new_message(&rpc.message);
        rpc.faults.extend(message.faults());
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let group = convert::group_ref_of(&rpc.message.group);
            let outcome = groups.send_message(&request, &group, message).await;
            let (open_message_id, planned_calls) = match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(id) => (id, Vec::new()),
                Outcome::Planned(calls) => (String::new(), convert::planned(calls)),
            };
            Ok(pb::SendAssistantMessageResponse { open_message_id, planned_calls })
        })
        .await
    }

    async fn list_message_readers(
        &self,
        request: Request<pb::ListMessageReadersRequest>,
    ) -> Result<Response<pb::ListMessageReadersResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let message = &rpc.message;
        let group = convert::group_ref_of(&message.group);
        let size = if message.page_size == 0 { PAGE_MAX } else { message.page_size.min(PAGE_MAX) };
        let token = Some(&message.page_token[..]).filter(|token| !token.is_empty());
        let readers = self
            .groups
            .message_readers(
                &request,
                &group,
                &message.robot_code,
                &message.open_message_id,
                size.into(),
                token,
            )
            .await
            .map_err(|error| rpc.failed(error))?;
        Ok(Response::new(pb::ListMessageReadersResponse {
            readers: readers.members.into_iter().map(convert::member_to_pb).collect(),
            next_page_token: readers.next_token.unwrap_or_default(),
            state: match readers.state {
                None => pb::MessageState::Unspecified,
                Some(MessageState::Processing) => pb::MessageState::Processing,
                Some(MessageState::Sent) => pb::MessageState::Sent,
                Some(MessageState::Recalled) => pb::MessageState::Recalled,
            }
            .into(),
            read_time: Some(convert::now()),
        }))
    }
}

fn new_message(message: &pb::SendAssistantMessageRequest) -> NewMessage {
    let people = |members: &[pb::MemberRef], mobiles: &[String]| People {
        members: convert::members(members),
        mobiles: mobiles.to_vec(),
    };
    let (audience, mentions) = (message.audience.as_ref(), message.mentions.as_ref());
    NewMessage {
        robot_code: message.robot_code.clone(),
        content: content(message.content.clone()),
        audience: audience.map(|seen_by| people(&seen_by.members, &seen_by.mobiles)).unwrap_or_default(),
        mentions: mentions.map(|alerted| people(&alerted.members, &alerted.mobiles)).unwrap_or_default(),
        mention_all: mentions.is_some_and(|alerted| alerted.all),
    }
}

fn content(said: Option<Said>) -> Content {
    match said {
        Some(Said::Text(pb::TextContent { text })) => Content::Text { text },
        Some(Said::Markdown(pb::MarkdownContent { title, text })) => Content::Markdown { title, text },
        Some(Said::Photo(photo)) => Content::Photo { media_id: MediaId(photo.media_id) },
        Some(Said::ActionCard(card)) => Content::ActionCard {
            layout: layout(card.button_layout()),
            title: card.title,
            text: card.text,
            buttons: card.buttons.into_iter().map(button).collect(),
        },
        Some(Said::Template(template)) => Content::Template {
            template_id: template.template_id,
            params: convert::params(&template.params),
            media_ids: convert::params(&template.media_ids),
        },
        // It has been reported.
        None => Content::Text { text: String::new() },
    }
}

fn button(button: pb::CardButton) -> Button {
    Button { title: button.title, url: button.url }
}

fn layout(layout: pb::ButtonLayout) -> Option<Layout> {
    match layout {
        pb::ButtonLayout::Unspecified => None,
        pb::ButtonLayout::Vertical => Some(Layout::Vertical),
        pb::ButtonLayout::Horizontal => Some(Layout::Horizontal),
    }
}
