//! The calls themselves, and whether their answers are right.

use std::cell::Cell;

use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

use super::{Call, Variety};
use crate::{
    pb::{assistant_service_client::AssistantServiceClient, group_service_client::GroupServiceClient},
    samples,
};

/// What the next call is about.
#[derive(Debug)]
pub(super) struct Calls {
    variety: Variety,
    sent: Cell<u64>,
    tokens: Vec<AsciiMetadataValue>,
}

/// What one call is about.
#[derive(Debug)]
pub(super) struct About {
    app: String,
    group: u64,
    token: AsciiMetadataValue,
}

impl Calls {
    pub(super) fn new(variety: Variety) -> Self {
        let token = |caller| format!("Bearer bench-{caller}").parse().expect("ASCII");
        Self { variety, sent: Cell::new(variety.first), tokens: (0..variety.callers).map(token).collect() }
    }

    pub(super) fn next(&self) -> About {
        let Variety { apps, groups, callers, .. } = self.variety;
        let number = self.sent.get();
        self.sent.set(number + 1);
        let token = self.tokens[usize::try_from(number % callers).expect("an index")].clone();
        About { app: format!("app-{}", number % apps), group: number % groups, token }
    }
}

/// A connection. Clones share it.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    Send(AssistantServiceClient<Channel>),
    Get(GroupServiceClient<Channel>),
    Direct { client: reqwest::Client, url: String },
}

impl Caller {
    pub(super) async fn connect(call: Call, target: &str) -> Result<Self, tonic::transport::Error> {
        let connect = || Endpoint::from_shared(target.to_owned());
        Ok(match call {
            Call::Send => Self::Send(AssistantServiceClient::new(connect()?.connect().await?)),
            Call::Get => Self::Get(GroupServiceClient::new(connect()?.connect().await?)),
            Call::Direct => Self::Direct {
                client: reqwest::Client::new(),
                url: format!("{target}/topapi/im/chat/scencegroup/message/send_v2?access_token=direct"),
            },
        })
    }

    /// Makes a call. An answer that is not the expected one is a failure too.
    pub(super) async fn call(&mut self, about: About) -> Result<(), String> {
        let right = match self {
            Self::Send(client) => {
                let request = authorized(samples::send(about.app, about.group), about.token);
                let answer = client.send_assistant_message(request).await.map_err(said)?;
                *answer.get_ref() == samples::sent()
            }
            Self::Get(client) => {
                let request = samples::get(about.app, about.group);
                let wanted = request.group.as_ref().map(|group| group.chat_id.clone());
                let answer = client.get_group(authorized(request, about.token)).await.map_err(said)?;
                let group = answer.into_inner().group.unwrap_or_default();
                group.title == "测试群" && group.r#ref.map(|group| group.chat_id) == wanted
            }
            Self::Direct { client, url } => {
                let body = r#"{"target_open_conversation_id":"cid000000000000/bench=="}"#;
                let answer = client.post(&*url).body(body).send().await.map_err(|error| error.to_string())?;
                let body = answer.text().await.map_err(|error| error.to_string())?;
                body.contains(&samples::sent().open_message_id)
            }
        };
        right.then_some(()).ok_or_else(|| "another answer than expected".to_owned())
    }
}

fn authorized<T>(message: T, token: AsciiMetadataValue) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token);
    request
}

fn said(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
