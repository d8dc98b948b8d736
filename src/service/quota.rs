//! `dinggate.admin.v1.QuotaService`.

use std::time::{Duration, SystemTime};

use tonic::{Request, Response, Status, async_trait};

use super::rpc::{Apps, Rpc};
use crate::{
    dingtalk::{App, Auth, Client, Spec},
    group::{self, Fault},
    operation,
    pb::admin::{self as pb, quota_service_server::QuotaService},
    store::{Rate, Usage, month_end},
};

/// The service.
#[derive(Debug, Clone)]
pub struct QuotaApi {
    apps: Apps,
    client: Client,
}

impl QuotaApi {
    /// Tells of these apps.
    pub fn new(apps: Apps, client: Client) -> Self {
        Self { apps, client }
    }

    fn of_operation(&self, app: &App, spec: &Spec, usage: &Usage) -> pb::OperationQuota {
        let rate = app.rate(spec.id);
        pb::OperationQuota {
            operation: spec.id.to_owned(),
            calls: count(rate.calls),
            window: window(rate),
            room: count(usage.room(rate, self.client.egress())),
            queue_length: i32::try_from(self.client.waiting(app, spec.id)).unwrap_or(i32::MAX),
            blocked_until: end(usage.paused),
        }
    }
}

#[async_trait]
impl QuotaService for QuotaApi {
    async fn get_quota(
        &self,
        request: Request<pb::GetQuotaRequest>,
    ) -> Result<Response<pb::GetQuotaResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        rpc.faults.extend(unknown(&rpc.message.operations));
        let app = rpc.admit()?.app;
        let asked = &rpc.message.operations;
        let wanted = limited().filter(|spec| asked.is_empty() || asked.iter().any(|id| id == spec.id));
        let (mut operations, mut last) = (Vec::new(), Usage::default());
        for spec in wanted {
            let usage = self.client.usage(&app, spec.id).await;
            last = usage.map_err(|error| rpc.failed(group::Error::Upstream { spec, error }))?;
            operations.push(self.of_operation(&app, spec, &last));
        }
        Ok(Response::new(pb::GetQuotaResponse {
            operations,
            month: Some(month(&app, &last)),
            egress: Some(egress(self.client.egress(), &last)),
        }))
    }
}

/// The operations that are limited: fetching tokens is not.
fn limited() -> impl Iterator<Item = &'static Spec> {
    operation::ALL.iter().copied().filter(|spec| spec.auth == Auth::Token)
}

fn unknown(ids: &[String]) -> Vec<Fault> {
    let unknown = ids.iter().enumerate().filter(|(_, id)| limited().all(|spec| spec.id != **id));
    unknown.map(|(i, _)| Fault::new(format!("operations[{i}]"), "is not an operation with a limit")).collect()
}

fn month(app: &App, usage: &Usage) -> pb::MonthQuota {
    let whole = |calls| i64::try_from(calls).unwrap_or(i64::MAX);
    pb::MonthQuota {
        calls_used: whole(usage.month_calls),
        calls_limit: app.month().map(whole),
        reset_time: Some(month_end(SystemTime::now()).into()),
        exhausted: !usage.month_paused.is_zero(),
    }
}

fn egress(rate: Rate, usage: &Usage) -> pb::EgressQuota {
    pb::EgressQuota {
        calls: count(rate.calls),
        window: window(rate),
        room: count(usage.egress_room(rate)),
        blocked_until: end(usage.egress_paused),
    }
}

fn count(calls: u32) -> i32 {
    i32::try_from(calls).unwrap_or(i32::MAX)
}

fn window(rate: Rate) -> Option<prost_types::Duration> {
    rate.per.try_into().ok()
}

/// When a pause ends; none for one that is over.
fn end(pause: Duration) -> Option<prost_types::Timestamp> {
    (!pause.is_zero()).then(|| (SystemTime::now() + pause).into())
}
