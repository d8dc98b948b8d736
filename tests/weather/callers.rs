//! Who calls: connections to the gateways, and callers that call again as soon as they are answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dinggate::pb::group::{self as pb, group_service_client::GroupServiceClient};
use prost_types::Duration as Staleness;
use tokio::{task::JoinSet, time::sleep};
use tonic::{
    Code, Request, Status,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::dingtalk::now_ms;

/// Longer than any queue of these proofs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Who is refused does not ask again at once.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

pub type Groups = GroupServiceClient<Channel>;

/// A connection of one's own; made when it is first used, made again when it is lost.
pub fn connect(addr: SocketAddr) -> Groups {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address");
    GroupServiceClient::new(endpoint.connect_timeout(Duration::from_secs(2)).connect_lazy())
}

/// A request in somebody's name.
pub fn request<T>(message: T, caller: &str, patience: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(patience);
    request.metadata_mut().insert("x-dinggate-caller", ascii(caller));
    request
}

/// The same, for work that can wait.
pub fn batch<T>(message: T, caller: &str, patience: Duration) -> Request<T> {
    let mut request = request(message, caller, patience);
    request.metadata_mut().insert("x-dinggate-priority", ascii("batch"));
    request
}

fn ascii(text: &str) -> AsciiMetadataValue {
    text.parse().expect("ASCII")
}

pub fn user(id: &str) -> pb::MemberRef {
    pb::MemberRef { id: Some(pb::member_ref::Id::UserId(id.to_owned())) }
}

pub fn new_group(title: &str) -> pb::CreateGroupRequest {
    pb::CreateGroupRequest {
        title: title.to_owned(),
        owner: Some(user("manager4220")),
        members: vec![user("user001")],
        kind: Some(pb::create_group_request::Kind::Internal(pb::InternalGroup {})),
        ..Default::default()
    }
}

/// Internal groups, one after the other.
pub async fn create_groups(groups: &mut Groups, count: usize) -> Vec<pb::GroupRef> {
    let mut created = Vec::new();
    for number in 0..count {
        let reply =
            groups.create_group(request(new_group(&format!("Group {number}")), "setup", PATIENCE)).await;
        let group = reply.expect("nothing is limited yet").into_inner().group;
        created.push(group.and_then(|group| group.r#ref).expect("its handle"));
    }
    created
}

/// Reads the group from DingTalk: one call to `group.get_legacy`.
pub fn fresh(group: &pb::GroupRef) -> pb::GetGroupRequest {
    pb::GetGroupRequest {
        group: Some(group.clone()),
        max_staleness: Some(Staleness::default()),
        ..Default::default()
    }
}

/// Reads the group as the gateway remembers it.
pub fn remembered(group: &pb::GroupRef) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: Some(group.clone()), ..Default::default() }
}

/// `ErrorInfo.reason`; empty for a status that the gateway did not make.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// How one call ended.
#[derive(Debug, Clone)]
pub struct Answer {
    pub caller: usize,
    /// On the clock of [`now_ms`].
    pub time_ms: u64,
    /// Code and reason.
    pub error: Option<(Code, String)>,
}

/// A crowd that calls until it is told to stop.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    callers: JoinSet<Vec<Answer>>,
}

impl Crowd {
    pub fn new() -> Self {
        Self { stop: Arc::default(), callers: JoinSet::new() }
    }

    /// Reads `group` again and again at the first of `homes`; at the next one when that is gone.
    pub fn add(&mut self, caller: usize, group: pb::GroupRef, homes: Vec<SocketAddr>, is_batch: bool) {
        let stop = self.stop.clone();
        self.callers.spawn(async move {
            let name = format!("{}-{caller}", if is_batch { "batch" } else { "caller" });
            let mut homes = homes.into_iter();
            let mut groups = connect(homes.next().expect("at least one"));
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let make = if is_batch { batch } else { request };
                let reply = groups.get_group(make(fresh(&group), &name, PATIENCE)).await;
                let error = reply.err().map(|status| (status.code(), reason(&status)));
                let is_gone = matches!(&error, Some((_, reason)) if reason.is_empty());
                let is_refused = error.is_some();
                answers.push(Answer { caller, time_ms: now_ms(), error });
                if is_gone && let Some(next) = homes.next() {
                    groups = connect(next);
                } else if is_refused {
                    sleep(AFTER_REFUSAL).await;
                }
            }
            answers
        });
    }

    /// Lets everybody have the last answer.
    pub async fn stop(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}
