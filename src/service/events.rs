//! `dinggate.group.v1.GroupEventService`.

mod encode;
mod serve;
mod watch;

use std::time::Duration;

use tonic::{Request, Response, Status};

pub use self::serve::EventServer;
use self::watch::Watch;
use super::{
    check::Check,
    convert, page,
    rpc::{Apps, Common, Rpc},
    status,
};
use crate::{
    event::{ChangeKind, Cursor, Feed, Filter, Record},
    group::{self, Fault, GroupRef, Groups},
    operation::id::{ChatId, OpenConversationId},
    pb::group as pb,
};

/// How long a stream is silent where its caller does not say.
const CHECKPOINT: Duration = Duration::from_secs(30);

/// The service.
#[derive(Debug, Clone)]
pub struct EventApi {
    apps: Apps,
    groups: Groups,
    feed: Feed,
}

impl EventApi {
    /// Serves the events of these apps.
    pub fn new(apps: Apps, groups: Groups, feed: Feed) -> Self {
        Self { apps, groups, feed }
    }

    async fn watch(&self, request: Request<pb::WatchGroupEventsRequest>) -> Result<Response<Watch>, Status> {
        let mut rpc = Rpc::for_app(&self.apps, request)?;
        rpc.message.groups.iter().try_for_each(|group| rpc.may_reach(group))?;
        let request = rpc.admit()?;
        let app = request.app.alias();
        let from = cursor(&rpc, app, "resume_token", &rpc.message.resume_token)?;
        let interval = rpc.message.checkpoint_interval;
        let interval = interval.map_or(CHECKPOINT, |interval| interval.try_into().unwrap_or(CHECKPOINT));
        let filter = self.filter(&rpc, &request, &rpc.message.groups, rpc.message.types()).await;
        let watcher = self.feed.watch(app, filter, from, interval).await;
        let watcher = watcher.map_err(|refusal| status::events::refused(app, &refusal))?;
        let deadline = request.context.deadline;
        Ok(Response::new(Watch::new(app.into(), watcher, self.groups.clone(), deadline)))
    }

    async fn list(
        &self,
        request: Request<pb::ListGroupEventsRequest>,
    ) -> Result<Response<pb::ListGroupEventsResponse>, Status> {
        let mut rpc = Rpc::for_app(&self.apps, request)?;
        rpc.message.groups.iter().try_for_each(|group| rpc.may_reach(group))?;
        let request = rpc.admit()?;
        let app = request.app.alias();
        let from = cursor(&rpc, app, "page_token", &rpc.message.page_token)?;
        let filter = self.filter(&rpc, &request, &rpc.message.groups, rpc.message.types()).await;
        let listed = self.feed.list(app, &filter, from, page::size(rpc.message.page_size)).await;
        let listed = listed.map_err(|refusal| status::events::refused(app, &refusal))?;
        let resume_token = listed.next.token(app);
        let mut response = pb::ListGroupEventsResponse {
            next_page_token: if listed.more { resume_token.clone() } else { String::new() },
            resume_token,
            ..Default::default()
        };
        for logged in listed.records {
            match &logged.record {
                Record::Event(event) => {
                    response.events.push(encode::event(app, &self.groups, event, logged.received));
                }
                Record::Gap(gap) => response.gaps.push(encode::gap(gap)),
            }
        }
        Ok(Response::new(response))
    }

    /// What the request wants; where it names no group, of all that its caller may see. Groups are looked for by all of their ids that are
    /// known: an event may name its group by the other one.
    async fn filter<M: Check + Common>(
        &self,
        rpc: &Rpc<M>,
        request: &group::Request,
        groups: &[pb::GroupRef],
        types: impl Iterator<Item = pb::GroupEventType>,
    ) -> Filter {
        let mut filter = Filter::default();
        if !groups.is_empty() {
            let mut known = Vec::with_capacity(groups.len());
            for group in groups {
                known.push(self.groups.look_up(&request.app, &convert::group_ref(group)).await);
            }
            filter = filter.groups(&known);
        } else if let Some(ids) = rpc.caller().groups() {
            let known = ids.flat_map(either).map(|group| self.groups.fullest(request.app.alias(), &group));
            filter = filter.groups(&known.collect::<Vec<_>>());
        }
        let kinds: Vec<_> = types.filter_map(kind).collect();
        if kinds.is_empty() { filter } else { filter.kinds(kinds) }
    }
}

/// The groups that may have this id.
fn either(id: &str) -> [GroupRef; 2] {
    let (open_id, chat_id) = (OpenConversationId(id.to_owned()), ChatId(id.to_owned()));
    [
        GroupRef { open_conversation_id: Some(open_id), ..GroupRef::default() },
        GroupRef { chat_id: Some(chat_id), ..GroupRef::default() },
    ]
}

/// The place that a token stands for.
fn cursor<M: Check + Common>(
    rpc: &Rpc<M>,
    app: &str,
    field: &str,
    token: &str,
) -> Result<Option<Cursor>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let foreign = || Fault::new(field, "is not a token that this gateway gave for this app");
    let cursor =
        Cursor::of_token(app, token).ok_or_else(|| rpc.failed(group::Error::Invalid(vec![foreign()])))?;
    Ok(Some(cursor))
}

fn kind(kind: pb::GroupEventType) -> Option<ChangeKind> {
    Some(match kind {
        pb::GroupEventType::Unspecified => return None,
        pb::GroupEventType::MembersAdded => ChangeKind::MembersAdded,
        pb::GroupEventType::MembersRemoved => ChangeKind::MembersRemoved,
        pb::GroupEventType::MemberQuit => ChangeKind::MemberQuit,
        pb::GroupEventType::OwnerChanged => ChangeKind::OwnerChanged,
        pb::GroupEventType::TitleChanged => ChangeKind::TitleChanged,
        pb::GroupEventType::GroupDisbanded => ChangeKind::GroupDisbanded,
        pb::GroupEventType::Other => ChangeKind::Other,
    })
}
