//! Stream mode: registration, frames, acknowledgements, connections.

use dinggate_simulator::{Fault, GroupChange, Offline, PushRules, PushState, Quotas, Sharing, Silence};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Client, register};
use crate::support::{Dingtalk, two_apps};

const APP: &str = "dingdemo";

fn title(title: &str) -> GroupChange {
    GroupChange { title: Some(title.into()), ..GroupChange::default() }
}

/// A group, and a client that is connected.
async fn connected() -> (Dingtalk, String, Client) {
    let dingtalk = Dingtalk::start().await;
    let client = Client::connect(&dingtalk).await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    (dingtalk, chatid, client)
}

fn rules(dingtalk: &Dingtalk, change: impl FnOnce(&mut PushRules)) {
    let mut rules = PushRules { redelivery_ms: vec![20; 1000], ack_ms: 20, ..PushRules::default() };
    change(&mut rules);
    dingtalk.simulator.set_push_rules(rules);
}

#[tokio::test]
async fn an_event_is_a_frame_of_strings_with_json_in_a_string() {
    let (dingtalk, chatid, mut client) = connected().await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("Renamed"));
    let (frame, data) = client.event().await;
    let group = dingtalk.simulator.group(&chatid).unwrap();
    let event = &dingtalk.simulator.events(APP)[0];
    let born = event.born_ms;
    let headers = frame["headers"].as_object().unwrap();
    assert!(headers.values().all(Value::is_string), "{headers:?}");
    assert_eq!(
        (&frame["specVersion"], &frame["type"], &headers["topic"]),
        (&json!("1.0"), &json!("EVENT"), &json!("*"))
    );
    assert_eq!((&headers["eventId"], &headers["eventType"]), (&json!(event.id), &json!("chat_update_title")));
    assert_eq!(
        (&headers["eventCorpId"], &headers["contentType"]),
        (&json!("dingcorpdemo"), &json!("application/json"))
    );
    assert_eq!(headers["eventBornTime"], json!(born.to_string()));
    assert_eq!(headers["eventUnifiedAppId"], headers["appId"]);
    assert_eq!(json!([headers["connectionId"]]), json!(dingtalk.simulator.stream_connections(APP)));
    let expected = json!({"timeStamp": born, "chatId": chatid, "openConversationId": group.open_conversation_id,
        "title": "Renamed", "operator": "user001", "operatorUnionId": "union-user001"});
    assert_eq!(data, expected);
    client.acknowledge(&frame).await;
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    assert_eq!((counters.made, counters.pushed, counters.redelivered), (1, 1, 0));
    assert_eq!(dingtalk.simulator.acked_events(APP), [event.id.as_str()]);
}

#[tokio::test]
async fn a_registration_that_is_wrong_is_refused_as_the_new_face_does() {
    let dingtalk = Dingtalk::start().await;
    let all = json!([{"type": "EVENT", "topic": "*"}]);
    for (app, secret, subscriptions, code) in [
        (APP, "wrong", all.clone(), "401 authFailed"),
        ("nobody", "demo-secret", all.clone(), "401 authFailed"),
        (APP, "demo-secret", json!([{"type": "EVENT", "topic": "chat_quit"}]), "400 parameter.invalid"),
        (APP, "demo-secret", json!([{"type": "NEWS", "topic": "*"}]), "400 parameter.invalid"),
        (APP, "demo-secret", json!("all"), "400 parameter.invalid"),
    ] {
        let reply = register(&dingtalk, app, secret, subscriptions.clone()).await;
        assert_eq!(reply.code(), code, "{app} {secret} {subscriptions}");
    }
    dingtalk.simulator.fail_next("stream.open", 1, Fault::Html { status: 503, applied: false });
    assert_eq!(register(&dingtalk, APP, "demo-secret", all).await.status, 503);
    assert_eq!(dingtalk.simulator.push_counters(APP).tickets, 0);
    assert_eq!((dingtalk.simulator.requests("stream.open"), dingtalk.simulator.token_requests()), (6, 0));
    let log = serde_json::to_string(&dingtalk.simulator.calls()).unwrap();
    assert!(!log.contains("demo-secret"), "{log}");
}

#[tokio::test]
async fn a_ticket_is_good_once_and_not_for_long() {
    let dingtalk = Dingtalk::start().await;
    let all = json!([{"type": "EVENT", "topic": "*"}]);
    let ticket = async || register(&dingtalk, APP, "demo-secret", all.clone()).await.json();
    let open = async |ticket: &Value| {
        Client::open(&dingtalk, ticket["endpoint"].as_str().unwrap(), ticket["ticket"].as_str().unwrap())
            .await
    };
    let refused = |outcome: Result<Client, Error>| match outcome {
        Err(Error::Http(response)) => assert_eq!(response.status(), 401),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("connected"),
    };
    let used = ticket().await;
    let expected = format!("ws://{}/connect", dingtalk.simulator.addr());
    assert_eq!(used["endpoint"], json!(expected));
    let _client = open(&used).await.unwrap();
    refused(open(&used).await);
    let stale = ticket().await;
    dingtalk.simulator.expire_tickets();
    refused(open(&stale).await);
    rules(&dingtalk, |rules| rules.ticket_ms = 0);
    refused(open(&ticket().await).await);
    assert_eq!(dingtalk.simulator.push_counters(APP).tickets, 3);
    let plain = dingtalk.send(reqwest::Method::GET, "/connect?ticket=1", &[], "").await;
    assert_eq!(plain.status, 400);
}

#[tokio::test]
async fn pings_are_answered_with_what_they_carry() {
    let dingtalk = Dingtalk::start().await;
    rules(&dingtalk, |rules| rules.ping_ms = 10);
    let mut client = Client::connect(&dingtalk).await;
    let ping = client.frame().await.unwrap();
    assert_eq!((&ping["type"], &ping["headers"]["topic"]), (&json!("SYSTEM"), &json!("ping")));
    let opaque: Value = serde_json::from_str(ping["data"].as_str().unwrap()).unwrap();
    client.answer(&ping, 200, json!({"opaque": "another"})).await;
    client.answer(&ping, 200, opaque).await;
    client.socket.send(Message::text("nonsense")).await.unwrap();
    let counters =
        dingtalk.simulator.until_pushes(APP, |pushes| pushes.pongs == 1 && pushes.stray == 2).await;
    assert_eq!(counters.acked, 0);
}

#[tokio::test]
async fn what_is_not_acknowledged_or_wanted_later_comes_again() {
    let (dingtalk, chatid, mut client) = connected().await;
    rules(&dingtalk, |_| ());
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    let (first, _) = client.event().await;
    let (second, _) = client.event().await;
    assert_eq!(first["headers"]["eventId"], second["headers"]["eventId"]);
    assert_eq!(first["headers"]["messageId"], second["headers"]["messageId"]);
    client.answer(&second, 200, json!({"status": "LATER"})).await;
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.later == 1).await;
    rules(&dingtalk, |rules| rules.fresh_message_ids = true);
    let fresh = loop {
        let (again, _) = client.event().await;
        if again["headers"]["messageId"] != first["headers"]["messageId"] {
            break again;
        }
    };
    client.answer(&fresh, 500, json!({"status": "LATER"})).await;
    let (last, _) = client.event().await;
    client.acknowledge(&last).await;
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    assert_eq!((counters.made, counters.later, counters.lost), (1, 2, 0));
    assert!(counters.redelivered >= 3);
    client.acknowledge(&last).await;
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked_again == 1).await;
}

#[tokio::test]
async fn an_event_that_is_never_acknowledged_is_given_up_and_may_still_be() {
    let (dingtalk, chatid, mut client) = connected().await;
    rules(&dingtalk, |rules| rules.redelivery_ms = vec![1]);
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.lost == 1).await;
    assert_eq!((counters.pushed, counters.redelivered, counters.acked), (2, 1, 0));
    assert_eq!(dingtalk.simulator.events(APP)[0].state, PushState::Lost);
    let (late, _) = client.event().await;
    client.acknowledge(&late).await;
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
}

#[tokio::test]
async fn each_event_goes_to_one_of_several_connections() {
    let (dingtalk, chatid, mut first) = connected().await;
    let mut second = Client::connect(&dingtalk).await;
    let mut other = Client::connect_as(&dingtalk, APP).await;
    other.socket.close(None).await.unwrap();
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.closed == 1).await;
    dingtalk.simulator.burst(&chatid, 64, 1e6).await;
    let mut seen = [0, 0];
    for _ in 0..64 {
        let (which, (frame, _)) = tokio::select! {
            event = first.event() => (0, event),
            event = second.event() => (1, event),
        };
        seen[which] += 1;
        [&mut first, &mut second][which].acknowledge(&frame).await;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 64).await;
    assert_eq!((counters.opened, counters.pushed), (3, 64));
}

#[tokio::test]
async fn the_newest_connection_may_win() {
    let (dingtalk, chatid, mut old) = connected().await;
    rules(&dingtalk, |rules| (rules.sharing, rules.close_ms) = (Sharing::NewestWins, 1));
    let mut new = Client::connect(&dingtalk).await;
    let farewell = old.frame().await.unwrap();
    assert_eq!((&farewell["type"], &farewell["headers"]["topic"]), (&json!("SYSTEM"), &json!("disconnect")));
    assert_eq!(old.frame().await, None);
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    new.event().await;
}

#[tokio::test]
async fn after_a_disconnect_nothing_more_is_pushed_and_acknowledgements_still_count() {
    let (dingtalk, chatid, mut client) = connected().await;
    rules(&dingtalk, |rules| rules.redelivery_ms = vec![100_000]);
    dingtalk.simulator.change_group(&chatid, "user001", &title("before"));
    let (before, _) = client.event().await;
    assert_eq!(dingtalk.simulator.disconnect(APP, "connection is expired"), 1);
    let farewell = client.frame().await.unwrap();
    assert_eq!(farewell["data"], r#"{"reason":"connection is expired"}"#);
    client.answer(&farewell, 200, json!({"reason": "connection is expired"})).await;
    client.acknowledge(&before).await;
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("after"));
    client.hears_nothing().await;
    assert_eq!(dingtalk.simulator.push_counters(APP).unserved, 1);
    assert_eq!(dingtalk.simulator.push_counters(APP).stray, 0);
    client.socket.close(None).await.unwrap();
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.closed == 1).await;
}

#[tokio::test]
async fn a_silent_connection_stays_open_and_what_is_pushed_to_it_comes_again_elsewhere() {
    for silence in [Silence::Dead, Silence::OnlyPongs] {
        let (dingtalk, chatid, mut client) = connected().await;
        rules(&dingtalk, |_| ());
        assert_eq!(dingtalk.simulator.silence(APP, silence), 1);
        dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
        dingtalk.simulator.until_pushes(APP, |pushes| pushes.pushed > 0).await;
        match silence {
            Silence::Dead => {
                client.socket.send(Message::Ping("there?".into())).await.unwrap();
                client.hears_silence().await;
            }
            Silence::OnlyPongs => client.hears_nothing().await,
        }
        assert_eq!(dingtalk.simulator.stream_connections(APP).len(), 1, "{silence:?}");
        drop(client);
        dingtalk.simulator.until_pushes(APP, |pushes| pushes.closed == 1).await;
        let mut client = Client::connect(&dingtalk).await;
        let (frame, _) = client.event().await;
        client.acknowledge(&frame).await;
        dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    }
}

#[tokio::test]
async fn a_cut_ends_a_connection_without_a_word() {
    let (dingtalk, chatid, mut client) = connected().await;
    rules(&dingtalk, |_| ());
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    client.event().await;
    assert_eq!(dingtalk.simulator.cut(APP), 1);
    while client.frame().await.is_some() {}
    let mut client = Client::connect(&dingtalk).await;
    let (frame, _) = client.event().await;
    client.acknowledge(&frame).await;
    let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    assert_eq!((counters.made, counters.lost), (1, 0));
}

#[tokio::test]
async fn events_for_an_app_without_a_connection_are_retried_kept_or_dropped() {
    for offline in [Offline::Retry, Offline::Keep, Offline::Drop] {
        let dingtalk = Dingtalk::start().await;
        let chatid = dingtalk.create_chat(&["user001"]).await;
        rules(&dingtalk, |rules| rules.offline = offline);
        dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
        dingtalk.simulator.change_group(&chatid, "user001", &title("y"));
        let counters = dingtalk.simulator.until_pushes(APP, |pushes| pushes.unserved >= 2).await;
        assert_eq!(counters.pushed, 0);
        let mut client = Client::connect(&dingtalk).await;
        if offline == Offline::Drop {
            assert_eq!(counters.lost, 2);
            client.hears_nothing().await;
            continue;
        }
        let mut titles = Vec::new();
        for _ in 0..2 {
            let (frame, data) = client.event().await;
            titles.push(data["title"].as_str().unwrap().to_owned());
            client.acknowledge(&frame).await;
        }
        if offline == Offline::Retry {
            titles.sort();
        }
        assert_eq!(titles, ["x", "y"], "{offline:?}");
        dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 2).await;
    }
}

#[tokio::test]
async fn beyond_the_month_an_event_comes_empty() {
    let (dingtalk, chatid, mut client) = connected().await;
    dingtalk.simulator.set_quotas(Quotas { pushes_per_month: Some(1), ..Quotas::default() });
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    dingtalk.simulator.change_group(&chatid, "user001", &title("y"));
    assert_eq!(client.event().await.1["title"], "x");
    let (frame, data) = client.event().await;
    assert_eq!(data["errCode"], 20001);
    assert_eq!(data["title"], Value::Null);
    assert_eq!(frame["headers"]["eventType"], "chat_update_title");
    let counters = dingtalk.simulator.push_counters(APP);
    assert_eq!((counters.over_quota, counters.pushed), (1, 2));
    let counted = dingtalk.send(reqwest::Method::GET, "/_sim/counters", &[], "").await.json();
    assert_eq!(counted["pushes_metered"], json!({"dingcorpdemo": 1}));
}

#[tokio::test]
async fn events_come_twice_late_or_in_another_order_when_told_so() {
    let (dingtalk, chatid, mut client) = connected().await;
    rules(&dingtalk, |rules| (rules.duplicates, rules.redelivery_ms) = (1.0, vec![100_000]));
    dingtalk.simulator.change_group(&chatid, "user001", &title("twice"));
    let (first, _) = client.event().await;
    let (second, _) = client.event().await;
    assert_eq!(first["headers"]["eventId"], second["headers"]["eventId"]);
    client.acknowledge(&first).await;
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    let id = first["headers"]["eventId"].as_str().unwrap();
    rules(&dingtalk, |rules| rules.redelivery_ms = vec![100_000]);
    dingtalk.simulator.push_again(id);
    assert_eq!(client.event().await.0["headers"]["eventId"], id);

    dingtalk.simulator.hold_pushes();
    for name in ["a", "b", "c"] {
        dingtalk.simulator.change_group(&chatid, "user001", &title(name));
    }
    client.hears_nothing().await;
    dingtalk.simulator.release_pushes(true);
    for name in ["c", "b", "a"] {
        assert_eq!(client.event().await.1["title"], name);
    }

    rules(&dingtalk, |rules| (rules.delay_ms, rules.jitter_ms) = (500, 20));
    dingtalk.simulator.change_group(&chatid, "user001", &title("late"));
    client.hears_nothing().await;
    assert_eq!(client.event().await.1["title"], "late");
}

#[tokio::test]
async fn anything_can_be_pushed() {
    let (dingtalk, _, mut client) = connected().await;
    let id = dingtalk.simulator.push_event(APP, "chat_of_tomorrow", &json!({"big": "x".repeat(300 << 10)}));
    let (frame, data) = client.event().await;
    assert_eq!(
        (&frame["headers"]["eventType"], &frame["headers"]["eventId"]),
        (&json!("chat_of_tomorrow"), &json!(id))
    );
    assert_eq!(data["big"].as_str().unwrap().len(), 300 << 10);
    assert_eq!(dingtalk.simulator.send_text(APP, r#"{"type":"SYSTEM","headers":{"topic":"KEEPALIVE"}}"#), 1);
    assert_eq!(client.frame().await.unwrap()["headers"]["topic"], "KEEPALIVE");
}

#[tokio::test]
async fn every_app_of_the_organization_gets_what_it_has_subscribed_to() {
    let dingtalk = Dingtalk::start_with(two_apps()).await;
    dingtalk.simulator.subscribe(APP, &["chat_quit"]);
    let mut demo = Client::connect(&dingtalk).await;
    let mut second = Client::connect_as(&dingtalk, "dingsecond").await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    dingtalk.simulator.quit(&chatid, "user001");
    assert_eq!(demo.event().await.0["headers"]["eventType"], "chat_quit");
    assert_eq!(second.event().await.0["headers"]["eventType"], "chat_update_title");
    assert_eq!(second.event().await.0["headers"]["eventType"], "chat_quit");
    let ids = |app| dingtalk.simulator.events(app).into_iter().map(|event| event.id).collect::<Vec<_>>();
    assert!(!ids("dingsecond").contains(&ids(APP)[0]), "each app has ids of its own");
}

#[tokio::test]
async fn a_connection_without_the_event_subscription_gets_none() {
    let dingtalk = Dingtalk::start().await;
    let robots = json!([{"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"}]);
    let ticket = register(&dingtalk, APP, "demo-secret", robots).await.json();
    let (endpoint, ticket) = (ticket["endpoint"].as_str().unwrap(), ticket["ticket"].as_str().unwrap());
    let mut client = Client::open(&dingtalk, endpoint, ticket).await.unwrap();
    let chatid = dingtalk.create_chat(&["user001"]).await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    client.hears_nothing().await;
    assert_eq!(dingtalk.simulator.push_counters(APP).unserved, 1);
}

#[tokio::test]
async fn a_reset_ends_connections_and_forgets_events() {
    let (dingtalk, chatid, mut client) = connected().await;
    dingtalk.simulator.change_group(&chatid, "user001", &title("x"));
    let (frame, _) = client.event().await;
    dingtalk.simulator.reset();
    client.acknowledge(&frame).await;
    assert_eq!(client.frame().await, None);
    assert!(dingtalk.simulator.events(APP).is_empty());
    assert_eq!(dingtalk.simulator.push_counters(APP).made, 0);
}
