//! Events by HTTP: what arrives, what counts as arrived, and what becomes of the rest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use dinggate_simulator::{
    Callback, GroupChange, PushRules, PushState, Quotas, SignatureParameter, Spelling, TimestampParameter,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::client::Client;
use crate::support::Dingtalk;

const APP: &str = "dingdemo";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// What a receiver answers.
#[derive(Clone, Copy)]
enum Answer {
    Success,
    Failure,
    Status(u16),
    PlainSuccess,
    ForAnotherOwner,
    WronglySigned,
    LowerCaseTimestamp,
    Never,
}

/// An app's server: it answers what it is told to, `Success` when it is told nothing.
struct Receiver {
    callback: Callback,
    pushes: UnboundedReceiver<(BTreeMap<String, String>, String)>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Receiver {
    async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback/demo", listener.local_addr().unwrap());
        let callback = Callback::new(&url, "token01", AES_KEY, APP);
        let (sender, pushes) = unbounded_channel();
        let answers = Arc::<Mutex<VecDeque<Answer>>>::default();
        tokio::spawn(serve(listener, callback.clone(), sender, answers.clone()));
        Receiver { callback, pushes, answers }
    }

    fn will_answer(&self, answers: &[Answer]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The query of the next push and the message in it.
    async fn push(&mut self) -> (BTreeMap<String, String>, Value) {
        let (query, message) = self.pushes.recv().await.unwrap();
        (query, serde_json::from_str(&message).unwrap())
    }
}

async fn serve(
    listener: TcpListener,
    callback: Callback,
    pushes: UnboundedSender<(BTreeMap<String, String>, String)>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (callback, pushes, answers) = (callback.clone(), pushes.clone(), answers.clone());
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (callback, pushes, answers) = (callback.clone(), pushes.clone(), answers.clone());
            async move {
                assert_eq!(
                    (request.method(), &request.headers()["content-type"]),
                    (&Method::POST, &"application/json".parse().unwrap())
                );
                let query = serde_urlencoded::from_str(request.uri().query().unwrap()).unwrap();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let message = callback.open(body["encrypt"].as_str().unwrap()).unwrap();
                let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Success);
                // The test may have seen all it wants.
                let _ = pushes.send((query, message));
                respond(&callback, answer).await
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

async fn respond(
    callback: &Callback,
    answer: Answer,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let word = if matches!(answer, Answer::Failure) { "failure" } else { "success" };
    let owner = if matches!(answer, Answer::ForAnotherOwner) { "another" } else { APP };
    let sealed = Callback { owner_key: owner.to_owned(), ..callback.clone() }
        .request(word, 1_760_000_000_001)
        .unwrap();
    let query: BTreeMap<String, String> =
        serde_urlencoded::from_str(sealed.url.split_once('?').unwrap().1).unwrap();
    let body: Value = serde_json::from_str(&sealed.body).unwrap();
    let mut reply = json!({"msg_signature": query["msg_signature"], "timeStamp": query["timestamp"],
        "nonce": query["nonce"], "encrypt": body["encrypt"]});
    let mut status = 200;
    match answer {
        Answer::Status(code) => status = code,
        Answer::PlainSuccess => reply = json!("success"),
        Answer::WronglySigned => reply["nonce"] = json!("another"),
        Answer::LowerCaseTimestamp => {
            let time = reply.as_object_mut().unwrap().remove("timeStamp").unwrap();
            reply["timestamp"] = time;
        }
        Answer::Never => std::future::pending().await,
        Answer::Success | Answer::Failure | Answer::ForAnotherOwner => {}
    }
    let response = Response::builder().status(status).body(Full::from(reply.to_string()));
    Ok(response.unwrap())
}

fn title(title: &str) -> GroupChange {
    GroupChange { title: Some(title.into()), ..GroupChange::default() }
}

/// A group, and an app that has a callback.
async fn subscribed() -> (Dingtalk, String, Receiver) {
    let (dingtalk, mut receiver) = (Dingtalk::start().await, Receiver::start().await);
    dingtalk.simulator.set_callback(APP, receiver.callback.clone()).await.unwrap();
    receiver.push().await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    (dingtalk, chatid, receiver)
}

fn rules(dingtalk: &Dingtalk, change: impl FnOnce(&mut PushRules)) {
    let mut rules = PushRules { callback_retries_ms: vec![5, 5], failed_ms: 0, ..PushRules::default() };
    change(&mut rules);
    dingtalk.simulator.set_push_rules(rules);
}

#[tokio::test]
async fn a_callback_is_checked_before_it_is_used() {
    let (dingtalk, mut receiver) = (Dingtalk::start().await, Receiver::start().await);
    let wrong = [
        (Answer::Failure, "not the word success"),
        (Answer::Status(302), "answered 302"),
        (Answer::PlainSuccess, "the answer: "),
        (Answer::ForAnotherOwner, "for another owner"),
        (Answer::WronglySigned, "the signature does not match"),
        (Answer::LowerCaseTimestamp, "`timeStamp`"),
        (Answer::Never, "no answer in time"),
    ];
    for (answer, why) in wrong {
        receiver.will_answer(&[answer]);
        if matches!(answer, Answer::Never) {
            rules(&dingtalk, |rules| rules.callback_ms = 200);
        }
        let error = dingtalk.simulator.set_callback(APP, receiver.callback.clone()).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(receiver.push().await.1, json!({"EventType": "check_url"}));
    }
    rules(&dingtalk, |_| ());
    let short = Callback { aes_key: AES_KEY[1..].to_owned(), ..receiver.callback.clone() };
    assert!(dingtalk.simulator.set_callback(APP, short).await.is_err());
    assert!(dingtalk.simulator.set_callback("nobody", receiver.callback.clone()).await.is_err());
    let gone = Callback { url: "http://127.0.0.1:1/".to_owned(), ..receiver.callback.clone() };
    assert!(dingtalk.simulator.set_callback(APP, gone).await.is_err());
    dingtalk.simulator.set_callback(APP, receiver.callback.clone()).await.unwrap();
    assert!(!format!("{:?}", receiver.callback).contains(AES_KEY));
}

#[tokio::test]
async fn an_event_arrives_signed_and_sealed_and_by_http_alone() {
    let (dingtalk, chatid, mut receiver) = subscribed().await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("Renamed"));
    let (query, message) = receiver.push().await;
    let names: Vec<&str> = query.keys().map(String::as_str).collect();
    assert_eq!(names, ["msg_signature", "nonce", "signature", "timestamp"]);
    assert_eq!(query["signature"], query["msg_signature"]);
    let event = &dingtalk.simulator.events(APP)[0];
    assert_eq!((&message["EventType"], &message["eventId"]), (&json!("chat_update_title"), &json!(event.id)));
    assert_eq!((&message["title"], &message["CorpId"]), (&json!("Renamed"), &json!("dingcorpdemo")));
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.confirmed == 1).await;
    assert_eq!((counters.posted, counters.pushed, counters.unserved), (1, 0, 0));
    let event = &dingtalk.simulator.events(APP)[0];
    assert_eq!((event.state, event.callback), (PushState::Off, PushState::Acked));
    assert_eq!(dingtalk.simulator.acked_events(APP), [event.id.as_str()]);
    dingtalk.simulator.push_again(&event.id);
    assert_eq!(receiver.push().await.1["eventId"], json!(event.id));
    dingtalk.simulator.remove_callback(APP);
    dingtalk.simulator.change_group(&chatid, "user001", &title("Unheard"));
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.unserved == 1).await;
}

#[tokio::test]
async fn both_spellings_of_parameters_and_fields_can_be_had() {
    let (dingtalk, mut receiver) = (Dingtalk::start().await, Receiver::start().await);
    let chatid = dingtalk.create_chat(&["user001"]).await;
    let kinds = [
        (
            SignatureParameter::MsgSignature,
            TimestampParameter::Camel,
            ["msg_signature", "nonce", "timeStamp"],
        ),
        (SignatureParameter::Signature, TimestampParameter::Lower, ["nonce", "signature", "timestamp"]),
    ];
    for (signature, timestamp, expected) in kinds {
        let callback =
            Callback { signature, timestamp, spelling: Spelling::Older, ..receiver.callback.clone() };
        dingtalk.simulator.set_callback(APP, callback).await.unwrap();
        let (query, _) = receiver.push().await;
        assert_eq!(query.keys().collect::<Vec<_>>(), expected);
    }
    dingtalk.simulator.change_group(&chatid, "user001", &title("Renamed"));
    let born = dingtalk.simulator.events(APP)[0].born_ms;
    let group = dingtalk.simulator.group(&chatid).unwrap();
    let older = json!({"EventType": "chat_update_title", "CorpId": "dingcorpdemo", "TimeStamp": born.to_string(),
        "OpenConversationId": group.open_conversation_id, "ChatId": chatid, "OperatorUnionId": "union-user001",
        "Operator": "user001", "Title": "Renamed"});
    assert_eq!(receiver.push().await.1, older);
}

#[tokio::test]
async fn what_is_not_answered_with_success_is_tried_twice_more_and_then_listed() {
    let (dingtalk, chatid, mut receiver) = subscribed().await;
    rules(&dingtalk, |rules| rules.callback_ms = 100);
    receiver.will_answer(&[
        Answer::Status(500),
        Answer::Never,
        Answer::Failure,
        Answer::PlainSuccess,
        Answer::Success,
    ]);
    dingtalk.simulator.change_group(&chatid, "user001", &title("lost"));
    let (_, message) = receiver.push().await;
    for _ in 0..2 {
        assert_eq!(receiver.push().await.1, message);
    }
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.failed == 1).await;
    assert_eq!((counters.posted, counters.unconfirmed, counters.confirmed), (3, 3, 0));
    assert_eq!(dingtalk.simulator.events(APP)[0].callback, PushState::Lost);
    rules(&dingtalk, |_| ());
    dingtalk.simulator.change_group(&chatid, "user001", &title("late"));
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.confirmed == 1).await;

    let born = dingtalk.simulator.events(APP)[0].born_ms;
    let list = async |query: Value| dingtalk.call("events.failed.list", query).await.json();
    let item = json!({"callBackTag": "chat_update_title", "callBackData": message.to_string(),
        "corpId": "dingcorpdemo", "eventTime": born});
    assert_eq!(list(json!({})).await, json!({"failedList": [item], "hasMore": false}));
    let from = |begin: u64, end: u64| json!({"beginTime": begin.to_string(), "endTime": end.to_string()});
    assert_eq!(list(from(born, born + 1)).await["failedList"], json!([item]), "reading does not clear");
    assert_eq!(list(from(born + 1, born + 2)).await["failedList"], json!([]));
    assert_eq!(list(from(0, born)).await["failedList"], json!([]));

    let take = async || dingtalk.call("events.failed.list_legacy", json!({})).await.json();
    let item = json!({"call_back_tag": "chat_update_title", "event_time": born, "corpid": "dingcorpdemo",
        "chat_update_title": message});
    let taken = json!({"errcode": 0, "errmsg": "ok", "failed_list": [item], "has_more": false});
    assert_eq!(take().await, taken);
    assert_eq!(take().await["failed_list"], json!([]), "taken");
}

#[tokio::test]
async fn the_list_of_the_failed_comes_in_pages_of_200_after_a_while() {
    let (dingtalk, chatid, mut receiver) = subscribed().await;
    rules(&dingtalk, |rules| (rules.callback_retries_ms, rules.failed_ms) = (Vec::new(), 60_000));
    receiver.will_answer(&[Answer::Failure]);
    dingtalk.simulator.change_group(&chatid, "user001", &title("not yet"));
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.failed == 1).await;
    receiver.push().await;
    rules(&dingtalk, |rules| rules.callback_retries_ms = Vec::new());
    receiver.will_answer(&[Answer::Failure; 201]);
    dingtalk.simulator.burst(&chatid, 201, 1e6).await;
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.failed == 202).await;
    let page = dingtalk.call("events.failed.list", json!({})).await.json();
    assert_eq!((page["failedList"].as_array().unwrap().len(), &page["hasMore"]), (200, &json!(true)));
    for (size, more) in [(200, true), (1, false), (0, false)] {
        let page = dingtalk.call("events.failed.list_legacy", json!({})).await.json();
        assert_eq!((page["failed_list"].as_array().unwrap().len(), &page["has_more"]), (size, &json!(more)));
    }
}

#[tokio::test]
async fn who_has_both_ways_gets_each_event_both_ways_and_nothing_beyond_the_month() {
    let (dingtalk, chatid, mut receiver) = subscribed().await;
    let mut client = Client::connect(&dingtalk).await;
    dingtalk.simulator.set_quotas(Quotas { pushes_per_month: Some(2), ..Quotas::default() });
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    let (frame, data) = client.event().await;
    let (_, message) = receiver.push().await;
    assert_eq!((&message["eventId"], &message["title"]), (&frame["headers"]["eventId"], &data["title"]));
    dingtalk.simulator.change_group(&chatid, "user001", &title("y"));
    assert_eq!(client.event().await.1["errCode"], 20001);
    let events = dingtalk.simulator.events(APP);
    assert_eq!((events[1].state, events[1].callback), (PushState::OverQuota, PushState::OverQuota));
    assert_eq!(dingtalk.simulator.push_counters(APP).posted, 1);
}

#[tokio::test]
async fn callbacks_are_held_back_reversed_and_doubled_like_frames() {
    let (dingtalk, chatid, mut receiver) = subscribed().await;
    rules(&dingtalk, |rules| rules.duplicates = 1.0);
    dingtalk.simulator.hold_pushes();
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    dingtalk.simulator.change_group(&chatid, "user001", &title("y"));
    assert_eq!(dingtalk.simulator.push_counters(APP).posted, 0);
    dingtalk.simulator.release_pushes(true);
    let mut titles = Vec::new();
    for _ in 0..4 {
        titles.push(receiver.push().await.1["title"].as_str().unwrap().to_owned());
    }
    titles.sort();
    assert_eq!(titles, ["x", "x", "y", "y"]);
}

#[tokio::test]
async fn a_callback_is_set_and_removed_over_http() {
    let (dingtalk, mut receiver) = (Dingtalk::start().await, Receiver::start().await);
    let path = "/_sim/apps/dingdemo/callback";
    let mut body = json!({"url": receiver.callback.url, "token": "token01", "aes_key": AES_KEY, "owner_key": APP,
        "signature": "msg_signature", "timestamp": "timeStamp", "spelling": "older"});
    let post = async |body: &Value| {
        let reply = dingtalk.send(Method::POST, path, &[], body.to_string()).await;
        (reply.status, reply.json())
    };
    assert_eq!(post(&body).await, (200, json!({"ok": true})));
    receiver.push().await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    assert_eq!(receiver.push().await.1["Title"], "x");
    receiver.will_answer(&[Answer::Status(500)]);
    let (status, reply) = post(&body).await;
    assert!(status == 400 && reply["error"].as_str().unwrap().contains("answered 500"), "{reply}");
    body["timestamp"] = json!("time");
    assert_eq!(post(&body).await.0, 400);
    assert_eq!(dingtalk.send(Method::DELETE, path, &[], "").await.status, 200);
    dingtalk.simulator.change_group(&chatid, "user001", &title("y"));
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.unserved == 1).await;
}
