//! The messages that all programs exchange: a forwarded call sends a text into a scenario group, a cached read asks for an
//! internal group.

use crate::pb::{
    GetGroupRequest, Group, GroupKind, GroupRef, GroupState, MemberRef, SendAssistantMessageRequest,
    SendAssistantMessageResponse, TextContent, member_ref, send_assistant_message_request::Content,
};

/// What a message says.
const TEXT: &str = "订单 4220 已发货,预计明天下午送达。";

/// The forwarded call, with the kind of the group stated, as callers do who know it.
pub fn send(app: String, group: u64) -> SendAssistantMessageRequest {
    SendAssistantMessageRequest {
        app,
        group: Some(GroupRef {
            open_conversation_id: format!("cid{group:012}/bench=="),
            kind: GroupKind::Scenario.into(),
            ..GroupRef::default()
        }),
        robot_code: "dingrobot4220".to_owned(),
        content: Some(Content::Text(TextContent { text: TEXT.to_owned() })),
        ..SendAssistantMessageRequest::default()
    }
}

/// The cached read.
pub fn get(app: String, group: u64) -> GetGroupRequest {
    GetGroupRequest {
        app,
        group: Some(GroupRef {
            chat_id: format!("chat{group:012}"),
            kind: GroupKind::Internal.into(),
            ..GroupRef::default()
        }),
        ..GetGroupRequest::default()
    }
}

/// What is said of a message that was sent.
pub fn sent() -> SendAssistantMessageResponse {
    SendAssistantMessageResponse {
        open_message_id: "msgbenchmark+4220/A==".to_owned(),
        planned_calls: Vec::new(),
    }
}

/// A group as the gateway answers it, for the echo.
pub fn group(reference: Option<GroupRef>) -> Group {
    Group {
        r#ref: reference,
        title: "测试群".to_owned(),
        owner: Some(MemberRef { id: Some(member_ref::Id::UserId("manager4220".to_owned())) }),
        icon_media_id: "@lALPmedia".to_owned(),
        member_count: Some(3),
        state: GroupState::Active.into(),
        ..Group::default()
    }
}
