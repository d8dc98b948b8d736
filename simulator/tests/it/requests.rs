//! What a request may carry, and paths and methods nobody serves.

use dinggate_simulator::reference::{Generation, TokenPlace, operations};
use reqwest::Method;
use serde_json::json;

use crate::support::{Dingtalk, TOKEN_HEADER};

#[tokio::test]
async fn a_misspelt_field_cannot_pass() {
    let dingtalk = Dingtalk::start().await;
    let bodies = [
        json!({"chatId": "chat1"}),
        json!({"chatid": "chat1", "addUseridlist": ["user001"]}),
        json!({"chatid": "chat1", "managementOptions": {"search": 1}}),
        json!({"chatid": "chat1", "managementOptions": {"searchable": true}}),
        json!({"chatid": 1}),
        json!({}),
        json!([]),
    ];
    for body in bodies {
        let reply = dingtalk.call("group.update", body.clone()).await;
        assert_eq!(reply.code(), "400 parameter.invalid", "{body}");
        assert!(reply.json()["requestid"].is_string());
    }
}

#[tokio::test]
async fn legacy_calls_refuse_missing_and_unknown_parameters_with_their_own_codes() {
    let dingtalk = Dingtalk::start().await;
    let cases = [
        ("group.get_legacy", json!({}), "49000"),
        ("group.get_legacy", json!({"chatId": "chat1"}), "40035"),
        ("group.private_chat.set_legacy", json!({"chatid": "chat1"}), "40036"),
        ("group.private_chat.set_legacy", json!({"chatid": "chat1", "is_prohibit": 1}), "40035"),
        ("group.qrcode.get_legacy", json!({"userid": "user001"}), "40036"),
        ("group.qrcode.get_legacy", json!({"chatid": "chat1", "userId": "user001"}), "40035"),
    ];
    for (id, params, code) in cases {
        let reply = dingtalk.call(id, params.clone()).await;
        assert_eq!((reply.status, reply.code().as_str()), (200, code), "{id} {params}");
        assert!(reply.json()["request_id"].is_string());
    }
}

#[tokio::test]
async fn a_legacy_topapi_call_takes_a_form_too() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    let path = format!("/topapi/chat/member/friendswitch/update?access_token={}", dingtalk.token);
    let body = format!("chatid={chatid}&is_prohibit=true");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let reply = dingtalk.send(Method::POST, &path, &form, body.clone()).await;
    assert_eq!(reply.json()["errcode"], 0, "{}", reply.text);
    let reply = dingtalk.send(Method::POST, &path, &[("content-type", "application/json")], body).await;
    assert_eq!(reply.code(), "43009");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_answer_as_each_face_does() {
    let dingtalk = Dingtalk::start().await;
    let unknown = dingtalk.post("/v1.0/im/group/creat", &json!({})).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (200, "404"));
    assert_eq!(dingtalk.post("/topapi/nothing", &json!({})).await.code(), "22");
    assert_eq!(dingtalk.send(Method::GET, "/v1.0/im/group/create", &[], "").await.status, 405);
    assert_eq!(dingtalk.post("/chat/get", &json!({})).await.code(), "43001");
    assert_eq!(dingtalk.send(Method::GET, "/topapi/chat/qrcode/get", &[], "").await.code(), "43002");
    assert_eq!(dingtalk.simulator.requests("unknown"), 5);
}

#[tokio::test]
async fn new_answers_carry_a_request_id_in_the_header_and_errors_in_the_body_too() {
    let dingtalk = Dingtalk::start().await;
    let good =
        dingtalk.call("group.create", json!({"name": "x", "owner": "user001", "useridlist": ["user001"]}));
    assert!(good.await.headers.contains_key("x-acs-request-id"));
    let bad = dingtalk.call("group.create", json!({})).await;
    assert_eq!(bad.headers["x-acs-request-id"].to_str().unwrap(), bad.json()["requestid"]);
}

#[tokio::test]
async fn every_operation_of_the_reference_has_a_route_and_wants_its_token() {
    let dingtalk = Dingtalk::start().await;
    for operation in operations().iter().filter(|operation| operation.token != TokenPlace::None) {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let path = operation.path.replace(['{', '}'], "x");
        let headers = [("content-type", "application/json")];
        let reply = dingtalk.send(method.clone(), &path, &headers, "{}").await;
        let expected = match operation.generation {
            Generation::New => "400 AuthenticationFailed.MissingParameter",
            Generation::Legacy => "88/40000",
        };
        assert_eq!(reply.code(), expected, "{}", operation.id);
        assert_eq!(dingtalk.simulator.requests(&operation.id), 1, "{}", operation.id);
    }
}

#[tokio::test]
async fn the_log_has_the_request_without_its_secrets() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    dingtalk.call("group.get_legacy", json!({"chatid": chatid})).await;
    dingtalk.call("auth.access_token.get", json!({"appKey": "dingdemo", "appSecret": "demo-secret"})).await;
    dingtalk.send(Method::GET, "/gettoken?appkey=dingdemo&appsecret=demo-secret", &[], "").await;
    dingtalk.send(Method::POST, "/v1.0/im/group/update", &[(TOKEN_HEADER, "wrong")], "secret text").await;
    let calls = dingtalk.simulator.calls();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.operation.as_str(), call.status, call.app.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("group.create", Some(200), Some("dingdemo")),
            ("group.get_legacy", Some(200), Some("dingdemo")),
            ("auth.access_token.get", Some(200), Some("dingdemo")),
            ("auth.gettoken_legacy", Some(200), Some("dingdemo")),
            ("group.update", Some(400), None),
        ]
    );
    assert_eq!(calls[0].body["useridlist"], json!(["manager4220"]));
    assert_eq!(calls[1].query["chatid"], json!(chatid));
    assert_eq!(calls[4].code.as_deref(), Some("InvalidAuthentication"));
    let log = serde_json::to_string(&calls).unwrap();
    assert!(
        !log.contains("demo-secret") && !log.contains(&dingtalk.token) && !log.contains("secret text"),
        "{log}"
    );
}
