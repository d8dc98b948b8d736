//! Every error DingTalk documents can be had: by state as the other tests show, or else by a fault.

use dinggate_simulator::Fault;
use dinggate_simulator::reference::{Generation, operations};
use serde_json::json;

use crate::support::Dingtalk;

#[tokio::test]
async fn every_documented_error_can_be_injected_in_the_envelope_of_its_face() {
    let dingtalk = Dingtalk::start().await;
    let mut walked = 0;
    for operation in operations() {
        for error in &operation.errors {
            let fault = Fault::Error {
                status: error.http,
                code: error.code.clone(),
                sub_code: None,
                message: "why".into(),
                applied: false,
            };
            dingtalk.simulator.fail_next(&operation.id, 1, fault);
            let reply = dingtalk.call_at(&operation.id, "chat0", json!({})).await;
            let (at, body) = (format!("{} {}", operation.id, error.code), reply.json());
            assert_eq!(reply.status, error.http, "{at}");
            match operation.generation {
                Generation::New => {
                    assert_eq!(
                        (&body["code"], &body["message"]),
                        (&json!(error.code), &json!("why")),
                        "{at}"
                    );
                    assert_eq!(
                        reply.headers["x-acs-request-id"],
                        body["requestid"].as_str().unwrap(),
                        "{at}"
                    );
                }
                Generation::Legacy => {
                    let number: i64 = error.code.parse().unwrap();
                    assert_eq!((&body["errcode"], &body["errmsg"]), (&json!(number), &json!("why")), "{at}");
                    assert!(body["request_id"].is_string(), "{at}");
                }
            }
            walked += 1;
        }
    }
    assert!(walked > 250, "{walked}");
}
