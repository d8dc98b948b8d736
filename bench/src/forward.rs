//! The least that forwards: the request as JSON, one HTTP exchange, the answer as a message. One token, fetched at the
//! start; no limits, no repeats, no deadlines, no traces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tonic::{Request, Response, Status, async_trait};

use crate::pb::{
    SendAssistantMessageRequest, SendAssistantMessageResponse,
    assistant_service_server::{AssistantService, AssistantServiceServer},
    send_assistant_message_request::Content,
};

/// Forwards to one upstream.
#[derive(Debug, Clone)]
pub struct Forwarder {
    client: reqwest::Client,
    url: String,
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: String,
}

#[derive(Debug, Serialize)]
struct Message {
    target_open_conversation_id: String,
    robot_code: String,
    msg_template_id: &'static str,
    msg_param_map: BTreeMap<&'static str, String>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    errcode: i64,
    errmsg: String,
    #[serde(default)]
    open_msg_id: String,
}

impl Forwarder {
    /// Fetches the token.
    pub async fn new(client: reqwest::Client, upstream: &str) -> Result<Self, reqwest::Error> {
        let credentials = BTreeMap::from([("appKey", "key"), ("appSecret", "secret")]);
        let url = format!("{upstream}/v1.0/oauth2/accessToken");
        let token: Token = client.post(url).json(&credentials).send().await?.json().await?;
        let url = format!("{upstream}/topapi/im/chat/scencegroup/message/send_v2");
        Ok(Self { client, url, token: token.access_token })
    }

    /// The service, ready to be added to a server.
    pub fn service(self) -> AssistantServiceServer<Self> {
        AssistantServiceServer::new(self)
    }

    async fn send(&self, message: &Message) -> Result<Sent, reqwest::Error> {
        let query = [("access_token", &self.token)];
        self.client.post(&self.url).query(&query).json(message).send().await?.error_for_status()?.json().await
    }
}

#[async_trait]
impl AssistantService for Forwarder {
    async fn send_assistant_message(
        &self,
        request: Request<SendAssistantMessageRequest>,
    ) -> Result<Response<SendAssistantMessageResponse>, Status> {
        let request = request.into_inner();
        let Some(Content::Text(text)) = request.content else {
            return Err(Status::invalid_argument("only texts"));
        };
        let message = Message {
            target_open_conversation_id: request.group.unwrap_or_default().open_conversation_id,
            robot_code: request.robot_code,
            msg_template_id: "inner_app_template_text",
            msg_param_map: BTreeMap::from([("content", text.text)]),
        };
        let sent = self.send(&message).await.map_err(|error| Status::unavailable(error.to_string()))?;
        if sent.errcode != 0 {
            return Err(Status::failed_precondition(sent.errmsg));
        }
        Ok(Response::new(SendAssistantMessageResponse {
            open_message_id: sent.open_msg_id,
            planned_calls: Vec::new(),
        }))
    }
}
