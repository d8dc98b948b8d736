//! How a limit refuses, in the words of each face.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::json;
use uuid::Uuid;

use super::{BanPage, Limit};
use crate::call::{Answer, Call};
use crate::reference::Generation;
use crate::{legacy, new, shanghai};

/// A call that a limit refused. Times are since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: Limit,
    /// How many calls it lets through.
    pub(crate) allowed: u64,
    pub(crate) at: Duration,
    /// When it lets through one more, where DingTalk tells.
    pub(crate) until: Option<Duration>,
}

impl Refusal {
    pub(crate) fn answer(&self, call: &Call, ban: BanPage) -> Answer {
        let (code, sub_code, why) = match self.limit {
            Limit::Address => return banned(ban),
            Limit::AppPerSecond => {
                ("QpsLimitForAppkeyAndApi", "90018", "您的应用调用该接口次数过多，超出了该接口承受的最大qps")
            }
            Limit::AppPerMinute => {
                ("QpmLimitForAppkeyAndApi", "90018", "您的应用调用该接口次数过多，超出了该接口承受的最大qpm")
            }
            Limit::PlatformPerSecond => {
                ("QpsLimitForApi", "90002", "当前所有钉钉应用调用该接口次数过多，超出了该接口承受的最大qps")
            }
            Limit::OrganizationPerMonth => ("ApiCountLimitForOrg", "90020", "企业本月的API调用次数已用完"),
        };
        match call.generation() {
            Generation::New => {
                let code = format!("Forbidden.AccessDenied.{code}");
                new::Failure::new(403, &code, why).into_answer()
            }
            Generation::Legacy => {
                legacy::Failure::nested(88, sub_code, &self.penalty(why, call)).into_answer(StatusCode::OK)
            }
        }
    }

    /// The legacy face tells the operation, the window, the limit and when it is over.
    fn penalty(&self, why: &str, call: &Call) -> String {
        let Some(until) = self.until else { return why.to_owned() };
        let path = match call.path.strip_prefix("/topapi/") {
            Some(method) => format!("dingtalk.oapi.{}", method.replace('/', ".")),
            None => call.path.clone(),
        };
        let whole = |time: Duration| shanghai::text(Duration::from_secs(time.as_secs()));
        format!(
            "{why}，请求被暂时限制了, apiPath({path}), 从 {at} 到 {at} 请求总次数超过 {} 次, 限制将在 {} 结束.",
            self.allowed,
            shanghai::text(until),
            at = whole(self.at),
        )
    }
}

/// DingTalk documents the bodies, not the status; 200 is the one a client is most easily taken in by.
pub(crate) fn banned(page: BanPage) -> Answer {
    let code = Some("1111".to_owned());
    match page {
        BanPage::Json => {
            let uuid = Uuid::new_v4().simple().to_string();
            let body = json!({"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": uuid});
            Answer { code, ..Answer::json(StatusCode::OK, &body) }
        }
        BanPage::Html => Answer {
            status: StatusCode::OK,
            content_type: HeaderValue::from_static("text/html"),
            request_id: None,
            code,
            body: "<!DOCTYPE html>\n<html><head><title>访问被拒绝</title></head>\
                   <body><p>您的访问过于频繁，请稍后再试。</p></body></html>\n"
                .into(),
        },
    }
}
