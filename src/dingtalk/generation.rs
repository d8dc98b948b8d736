//! The two wire generations: where the token goes, and what an answer means. Either host may answer in either
//! envelope (an unknown path on the new host answers in the legacy one), so every answer is read by both rules.

use std::{borrow::Cow, fmt, time::Duration};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    catalogue,
    endpoint::Generation,
    error::{ApiError, Error},
    http::Answer,
};

/// DingTalk documents five minutes for a barred address.
const EGRESS_BLOCK: Duration = Duration::from_secs(300);

/// Everything that either envelope may say about success or failure. The reply itself is parsed a second time, into
/// its own type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    errcode: Scalar<'a>,
    errmsg: Scalar<'a>,
    sub_code: Scalar<'a>,
    sub_msg: Scalar<'a>,
    request_id: Scalar<'a>,
    #[serde(alias = "Code")]
    code: Scalar<'a>,
    #[serde(alias = "Message")]
    message: Scalar<'a>,
    #[serde(alias = "RequestId")]
    requestid: Scalar<'a>,
    #[serde(alias = "AccessDeniedDetail")]
    accessdenieddetail: Option<AccessDenied>,
    success: Scalar<'a>,
    succ: Scalar<'a>,
    status: Scalar<'a>,
    punish: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AccessDenied {
    required_scopes: Vec<String>,
}

/// What an answer turned out to be, and the request id it carried.
pub(super) struct Decoded {
    pub(super) outcome: Result<Bytes, Error>,
    pub(super) request_id: Option<String>,
}

/// Success or failure, by `code` first, then by `errcode`, then by HTTP status.
pub(super) fn decode(generation: Generation, answer: Answer) -> Decoded {
    let Some(body) = object(&answer.body) else {
        let request_id = answer.request_id.clone();
        return Decoded { outcome: without_object(answer), request_id };
    };
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let what = format!("not valid JSON: {}", error.classify_in_words());
            let request_id = answer.request_id.clone();
            return Decoded { outcome: Err(unreadable(&answer, what)), request_id };
        }
    };
    let request_id = envelope
        .requestid
        .text()
        .or(envelope.request_id.text())
        .or(answer.request_id.as_deref())
        .map(Into::into);
    let outcome = match failure(generation, &envelope, &answer, &request_id) {
        Some(error) => Err(error),
        None => Ok(answer.body),
    };
    Decoded { outcome, request_id }
}

fn failure(
    generation: Generation,
    envelope: &Envelope,
    answer: &Answer,
    id: &Option<String>,
) -> Option<Error> {
    let status = answer.status;
    if envelope.status.text() == Some("1111") || envelope.punish.text() == Some("deny") {
        return Some(Error::EgressBlocked { retry_after: EGRESS_BLOCK });
    }
    let api = |generation, code: &str, sub_code: Option<&str>, message: &str| {
        Error::Api(Box::new(ApiError {
            status,
            code: legible(code),
            sub_code: sub_code.map(legible),
            message: message.to_owned(),
            request_id: id.clone(),
            required_scopes: envelope
                .accessdenieddetail
                .as_ref()
                .map(|detail| detail.required_scopes.clone())
                .unwrap_or_default(),
            retry_after: answer.retry_after,
            row: catalogue::find(generation, status, code, sub_code)
                .or_else(|| catalogue::find(generation.other(), status, code, sub_code))
                .or_else(|| catalogue::find_status(status)),
        }))
    };
    let success = (200..300).contains(&status);
    if let Some(code) = envelope.errcode.text().filter(|code| *code != "0") {
        let message = envelope.sub_msg.text().or(envelope.errmsg.text()).unwrap_or_default();
        let sub_code = envelope.sub_code.text().or_else(|| sub_code_in(envelope.errmsg.text()?));
        return Some(api(Generation::Legacy, code, sub_code, message));
    }
    let code = envelope.code.text().filter(|code| !success || !is_fine(code));
    if let Some(code) = code {
        return Some(api(Generation::New, code, None, envelope.message.text().unwrap_or_default()));
    }
    if !success {
        return Some(without_code(answer));
    }
    if [&envelope.success, &envelope.succ].into_iter().any(|flag| flag.text() == Some("false")) {
        return Some(api(generation, "success=false", None, envelope.errmsg.text().unwrap_or_default()));
    }
    if generation == Generation::Legacy && envelope.errcode.text().is_none() {
        return Some(unreadable(answer, "a legacy answer without errcode".to_owned()));
    }
    None
}

/// Codes that DingTalk's gateway sends with success.
fn is_fine(code: &str) -> bool {
    matches!(code, "" | "0" | "200")
        || code.eq_ignore_ascii_case("ok")
        || code.eq_ignore_ascii_case("success")
}

/// Old answers carry the sub code only inside the text: `ding talk error[subcode=60011,submsg=…]`.
fn sub_code_in(errmsg: &str) -> Option<&str> {
    let (_, rest) = errmsg.split_once("subcode=")?;
    let end = rest.find([',', ']'])?;
    Some(&rest[..end])
}

/// An answer that is no JSON object: nothing at all, a page, or something else.
fn without_object(answer: Answer) -> Result<Bytes, Error> {
    let success = (200..300).contains(&answer.status);
    let trimmed = answer.body.trim_ascii_start();
    if trimmed.is_empty() {
        return if success { Ok(Bytes::from_static(b"{}")) } else { Err(without_code(&answer)) };
    }
    if trimmed.starts_with(b"<") || answer.is_html {
        // The edge answers 400 and 5xx with a page of its own; the page of a barred address has no documented
        // status, so every other page is taken for it: going on calling would prolong the ban.
        let edge = answer.status == 400 || answer.status == 404 || answer.status >= 500;
        return Err(if edge {
            without_code(&answer)
        } else {
            Error::EgressBlocked { retry_after: EGRESS_BLOCK }
        });
    }
    if success {
        Err(unreadable(&answer, "not a JSON object".to_owned()))
    } else {
        Err(without_code(&answer))
    }
}

/// A failure that only the HTTP status speaks of.
fn without_code(answer: &Answer) -> Error {
    if (300..400).contains(&answer.status) {
        return unreadable(answer, "a redirect, which dingtalk does not send".to_owned());
    }
    Error::Api(Box::new(ApiError {
        status: answer.status,
        code: "-".to_owned(),
        sub_code: None,
        message: String::new(),
        request_id: answer.request_id.clone(),
        required_scopes: Vec::new(),
        retry_after: answer.retry_after,
        row: catalogue::find_status(answer.status),
    }))
}

/// Codes are told in logs, spans and metrics, so no text may stand in the place of one.
fn legible(code: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-=".contains(c);
    let is_code = code.len() <= 64 && code.chars().all(fits);
    if is_code { code.to_owned() } else { "-".to_owned() }
}

fn unreadable(answer: &Answer, what: String) -> Error {
    Error::Garbled { what, status: answer.status }
}

fn object(body: &[u8]) -> Option<&[u8]> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    body.starts_with(b"{").then_some(body)
}

/// serde_json's message can quote the body; its category cannot.
trait ClassifyInWords {
    fn classify_in_words(&self) -> &'static str;
}

impl ClassifyInWords for serde_json::Error {
    fn classify_in_words(&self) -> &'static str {
        match self.classify() {
            serde_json::error::Category::Eof => "it ends early",
            serde_json::error::Category::Syntax => "a syntax error",
            serde_json::error::Category::Data => "a value of an unexpected type",
            serde_json::error::Category::Io => "it cannot be read",
        }
    }
}

/// Parses a reply that [`decode`] found successful.
pub(super) fn reply<R: serde::de::DeserializeOwned>(body: &Bytes) -> Result<R, Error> {
    let body = object(body).unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| Error::Garbled {
        what: format!("the reply lacks what the operation promises: {}", error.classify_in_words()),
        status: 200,
    })
}

/// A string, number or boolean as text: DingTalk is not strict about which. Anything else counts as absent.
#[derive(Debug, Default)]
struct Scalar<'a>(Option<Cow<'a, str>>);

impl Scalar<'_> {
    fn text(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, number or boolean")
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Borrowed(v))))
    }
    fn visit_str<E>(self, v: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Owned(v.to_owned()))))
    }
    fn visit_bool<E>(self, v: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Borrowed(if v { "true" } else { "false" }))))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(if v == 0 { Cow::Borrowed("0") } else { Cow::Owned(v.to_string()) })))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(if v == 0 { Cow::Borrowed("0") } else { Cow::Owned(v.to_string()) })))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Owned(v.to_string()))))
    }
    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }
}

#[cfg(test)]
mod tests;
