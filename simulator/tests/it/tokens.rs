//! The three token endpoints and what a token is good for.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Dingtalk, TOKEN_HEADER};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn all_three_endpoints_answer_the_same_token_each_in_its_spelling() {
    let dingtalk = Dingtalk::start().await;
    let first =
        dingtalk.call("auth.access_token.get", json!({"appKey": "dingdemo", "appSecret": "demo-secret"}));
    assert_eq!(first.await.json(), json!({"accessToken": dingtalk.token, "expireIn": 7200}));
    let body =
        json!({"client_id": "dingdemo", "client_secret": "demo-secret", "grant_type": "client_credentials"});
    let second = dingtalk.call_at("auth.token.get_by_corp", "dingcorpdemo", body).await;
    assert_eq!(second.json(), json!({"access_token": dingtalk.token, "expires_in": 7200}));
    let third = dingtalk.send(Method::GET, "/gettoken?appkey=dingdemo&appsecret=demo-secret", &[], "").await;
    let expected = json!({"errcode": 0, "errmsg": "ok", "access_token": dingtalk.token, "expires_in": 7200});
    assert_eq!(third.json(), expected);
    assert_eq!(dingtalk.simulator.token_requests(), 3);
    assert_eq!(dingtalk.simulator.total_requests(), 0);
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_the_words_of_each_endpoint() {
    let dingtalk = Dingtalk::start().await;
    let post = async |path: &str, body| dingtalk.post(path, &body).await.code();
    let wrong = json!({"appKey": "dingdemo", "appSecret": "x"});
    assert_eq!(post("/v1.0/oauth2/accessToken", wrong).await, "400 invalidClientIdOrSecret");
    let wrong = json!({"client_id": "dingdemo", "client_secret": "x", "grant_type": "client_credentials"});
    assert_eq!(post("/v1.0/oauth2/dingcorpdemo/token", wrong.clone()).await, "400 invalidClientIdOrSecret");
    assert_eq!(post("/v1.0/oauth2/elsewhere/token", wrong).await, "500 unknownError");
    let get = async |path| dingtalk.send(Method::GET, path, &[], "").await.code();
    assert_eq!(get("/gettoken?appkey=dingdemo&appsecret=x").await, "40089");
    assert_eq!(get("/gettoken").await, "40035");
}

#[tokio::test]
async fn a_token_request_without_a_json_body_or_with_other_names_is_refused() {
    let dingtalk = Dingtalk::start().await;
    let path = "/v1.0/oauth2/accessToken";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let reply = dingtalk.send(Method::POST, path, &form, "appKey=dingdemo&appSecret=demo-secret").await;
    assert_eq!(reply.code(), "400 Missingbody");
    assert_eq!(dingtalk.send(Method::POST, path, &[JSON], "").await.code(), "400 Missingbody");
    let reply = dingtalk.post(path, &json!({"clientId": "dingdemo", "clientSecret": "demo-secret"})).await;
    assert_eq!(reply.code(), "400 parameter.invalid");
}

#[tokio::test]
async fn a_token_is_looked_for_in_one_place_only() {
    let dingtalk = Dingtalk::start().await;
    let token = &dingtalk.token;
    let path = "/v1.0/im/chat/chat1/convertToOpenConversationId";
    let convert = async |path: &str, headers: &[(&str, &str)]| {
        dingtalk.send(Method::POST, path, headers, "").await.code()
    };
    assert_eq!(convert(path, &[]).await, "400 AuthenticationFailed.MissingParameter");
    let in_query = format!("{path}?access_token={token}");
    assert_eq!(convert(&in_query, &[]).await, "400 AuthenticationFailed.MissingParameter");
    assert_eq!(convert(path, &[(TOKEN_HEADER, "wrong")]).await, "400 InvalidAuthentication");
    assert_eq!(convert(path, &[(TOKEN_HEADER, token)]).await, "400 invalideChatId");

    let get = async |path: &str| dingtalk.send(Method::GET, path, &[(TOKEN_HEADER, token)], "").await;
    assert_eq!(get("/chat/get?chatid=chat1").await.code(), "88/40000");
    assert_eq!(get(&format!("/chat/get?chatid=chat1&access_token={token}")).await.code(), "34001");
    let body = get("/chat/get?chatid=chat1&access_token=wrong").await.json();
    assert_eq!(body["errcode"], 88);
    assert_eq!(body["sub_code"], "40014");
    assert_eq!(body["sub_msg"], "不合法的access_token");
    assert_eq!(body["errmsg"], "ding talk error[subcode=40014,submsg=不合法的access_token]");
    assert!(body["request_id"].is_string());
}

#[tokio::test]
async fn a_revoked_token_is_refused_on_both_faces_and_the_next_one_is_new() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    dingtalk.simulator.revoke_tokens();
    let get = dingtalk.call("group.get_legacy", json!({"chatid": chatid})).await;
    assert_eq!(get.code(), "88/40014");
    let update = dingtalk.call("group.update", json!({"chatid": chatid})).await;
    assert_eq!(update.code(), "400 InvalidAuthentication");
    let key = json!({"appKey": "dingdemo", "appSecret": "demo-secret"});
    let fresh = dingtalk.call("auth.access_token.get", key).await.json();
    assert_ne!(fresh["accessToken"], json!(dingtalk.token));
}

#[tokio::test]
async fn the_lifetime_can_be_set_and_an_expired_token_is_refused() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.set_token_lifetime(Duration::ZERO);
    let key = json!({"appKey": "dingdemo", "appSecret": "demo-secret"});
    let reply = dingtalk.call("auth.access_token.get", key).await;
    assert_eq!(reply.json()["expireIn"], 0);
    let get = dingtalk.call("group.get_legacy", json!({"chatid": "chat1"})).await;
    assert_eq!(get.code(), "88/40014");
}

#[tokio::test]
async fn a_missing_permission_point_is_named() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    dingtalk.simulator.revoke_permission("dingdemo", "qyapi_chat_manage");
    let update = dingtalk.call("group.update", json!({"chatid": chatid})).await;
    assert_eq!(update.code(), "403 Forbidden.AccessDenied.AccessTokenPermissionDenied");
    assert_eq!(update.json()["accessdenieddetail"], json!({"requiredScopes": ["qyapi_chat_manage"]}));
    let legacy = json!({"chatid": chatid, "is_prohibit": true});
    assert_eq!(dingtalk.call("group.private_chat.set_legacy", legacy).await.code(), "88/60011");
    let get = dingtalk.call("group.get_legacy", json!({"chatid": chatid})).await;
    assert_eq!(get.json()["errcode"], 0, "needs another permission point");
    dingtalk.simulator.grant_permission("dingdemo", "qyapi_chat_manage");
    assert_eq!(dingtalk.call("group.update", json!({"chatid": chatid})).await.status, 200);
}
