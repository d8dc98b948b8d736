use proptest::prelude::*;

use super::*;
use crate::dingtalk::{error::Applied, reason::Reason};

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        is_html: false,
        retry_after: None,
        request_id: Some("header-id".to_owned()),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn api(generation: Generation, status: u16, body: &str) -> ApiError {
    match decode(generation, answer(status, body)).outcome {
        Err(Error::Api(error)) => *error,
        other => panic!("expected an api error, got {other:?}"),
    }
}

#[test]
fn a_new_style_error_keeps_code_scopes_and_request_id() {
    let body = r#"{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","requestid":"r-1",
        "message":"没有","accessdenieddetail":{"requiredScopes":["qyapi_chat_manage"]}}"#;
    let error = api(Generation::New, 403, body);
    assert_eq!(error.row.map(|row| row.reason), Some(Reason::AppPermissionMissing));
    assert_eq!(error.required_scopes, ["qyapi_chat_manage"]);
    assert_eq!(error.request_id.as_deref(), Some("r-1"));
}

#[test]
fn capitalised_keys_are_read_too() {
    let error = api(Generation::New, 400, r#"{"Code":"invalideChatId","RequestId":"R","Message":"m"}"#);
    assert_eq!((error.code.as_str(), error.request_id.as_deref()), ("invalideChatId", Some("R")));
}

#[test]
fn a_legacy_error_may_spell_its_code_as_a_string_and_hide_the_sub_code_in_the_text() {
    let body = r#"{"errcode":"88","errmsg":"ding talk error[subcode=60011,submsg=no]"}"#;
    let error = api(Generation::Legacy, 200, body);
    assert_eq!(error.sub_code.as_deref(), Some("60011"));
    assert_eq!(error.row.map(|row| row.reason), Some(Reason::AppPermissionMissing));
}

#[test]
fn the_new_host_may_answer_in_the_legacy_envelope() {
    let error = api(Generation::New, 200, r#"{"errcode":404,"errmsg":"path not found"}"#);
    assert_eq!(error.row.map(|row| row.reason), Some(Reason::UpstreamRefusedRequest));
}

#[test]
fn success_shapes_are_understood() {
    for (generation, status, body) in [
        (Generation::New, 200, r#"{"success":true}"#),
        (Generation::New, 200, r#"{"success":"true"}"#),
        (Generation::New, 200, ""),
        (Generation::New, 204, ""),
        (Generation::New, 200, "{}"),
        (Generation::New, 200, r#"{"code":"0","result":1}"#),
        (Generation::Legacy, 200, r#"{"errcode":0,"errmsg":"ok"}"#),
        (Generation::Legacy, 200, r#"{"errcode":"0","success":"true"}"#),
        (Generation::Legacy, 200, r#"{"errcode":0,"succ":true}"#),
    ] {
        let outcome = decode(generation, answer(status, body)).outcome;
        assert!(outcome.is_ok(), "{generation:?} {status} {body}: {outcome:?}");
    }
}

#[test]
fn a_refusal_without_code_is_a_refusal() {
    for (generation, body) in
        [(Generation::New, r#"{"success":"false"}"#), (Generation::Legacy, r#"{"errcode":0,"succ":false}"#)]
    {
        let error = api(generation, 200, body);
        assert_eq!((error.code.as_str(), error.row.map(|row| row.reason)), ("success=false", None));
    }
}

#[test]
fn pages_are_told_apart_by_status() {
    let outcome = |status| decode(Generation::Legacy, answer(status, "\n<html>no</html>")).outcome;
    assert!(matches!(outcome(200), Err(Error::EgressBlocked { .. })));
    assert!(matches!(outcome(403), Err(Error::EgressBlocked { .. })));
    let busy = outcome(502).expect_err("a page is no answer");
    assert_eq!((busy.reason(), busy.applied()), (Reason::UpstreamBusy, Applied::Maybe));
}

#[test]
fn the_ban_answer_is_known_in_json_too() {
    let body = r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"}"#;
    let outcome = decode(Generation::New, answer(200, body)).outcome;
    assert!(matches!(outcome, Err(Error::EgressBlocked { .. })));
}

#[test]
fn an_unreadable_success_may_have_been_applied() {
    for body in ["[]", "nonsense", r#"{"chatid":"#, r#""text""#] {
        let error = decode(Generation::New, answer(200, body)).outcome.expect_err(body);
        assert_eq!((error.reason(), error.applied()), (Reason::UpstreamGarbled, Applied::Maybe), "{body}");
    }
}

#[test]
fn a_legacy_answer_without_errcode_is_not_a_success() {
    assert!(decode(Generation::Legacy, answer(200, r#"{"result":"x"}"#)).outcome.is_err());
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        status in 100u16..=599,
        body in proptest::collection::vec(any::<u8>(), 0..200),
        prefix in prop_oneof![Just("".to_owned()), Just("{\"errcode\":".to_owned()), Just("{\"code\":".to_owned())],
        is_html: bool,
        legacy: bool,
    ) {
        let mut bytes = prefix.into_bytes();
        bytes.extend(body);
        let answer = Answer { status, is_html, retry_after: None, request_id: None, body: bytes.into() };
        let generation = if legacy { Generation::Legacy } else { Generation::New };
        let decoded = decode(generation, answer);
        if let Ok(body) = decoded.outcome {
            prop_assert!((200..300).contains(&status));
            prop_assert!(serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(
                object(&body).unwrap_or(&body)).is_ok());
        }
    }
}

#[test]
fn a_text_in_the_place_of_a_code_is_not_repeated() {
    for (code, kept) in
        [("made.up_Code-1", "made.up_Code-1"), ("user001 不能加入", "-"), (&"x".repeat(65), "-")]
    {
        let error = api(Generation::New, 400, &format!(r#"{{"code":"{code}","message":"m"}}"#));
        assert_eq!(error.code, kept);
    }
}
