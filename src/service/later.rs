//! The services of the contract that this version does not serve yet: each RPC says so.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, async_trait};

use super::status::not_implemented;
use crate::pb::{
    admin::{
        self, admin_service_server::AdminService, quota_service_server::QuotaService,
        token_service_server::TokenService,
    },
    group::{self, group_event_service_server::GroupEventService},
};

/// Stands where a service will.
#[derive(Debug, Clone, Copy)]
pub struct Later;

#[async_trait]
impl GroupEventService for Later {
    type WatchGroupEventsStream =
        Pin<Box<dyn Stream<Item = Result<group::WatchGroupEventsResponse, Status>> + Send>>;

    async fn watch_group_events(
        &self,
        _: Request<group::WatchGroupEventsRequest>,
    ) -> Result<Response<Self::WatchGroupEventsStream>, Status> {
        Err(not_implemented("dinggate.group.v1.GroupEventService/WatchGroupEvents"))
    }

    async fn list_group_events(
        &self,
        _: Request<group::ListGroupEventsRequest>,
    ) -> Result<Response<group::ListGroupEventsResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.GroupEventService/ListGroupEvents"))
    }
}

#[async_trait]
impl TokenService for Later {
    async fn get_access_token(
        &self,
        _: Request<admin::GetAccessTokenRequest>,
    ) -> Result<Response<admin::GetAccessTokenResponse>, Status> {
        Err(not_implemented("dinggate.admin.v1.TokenService/GetAccessToken"))
    }

    async fn report_invalid_access_token(
        &self,
        _: Request<admin::ReportInvalidAccessTokenRequest>,
    ) -> Result<Response<admin::ReportInvalidAccessTokenResponse>, Status> {
        Err(not_implemented("dinggate.admin.v1.TokenService/ReportInvalidAccessToken"))
    }
}

#[async_trait]
impl QuotaService for Later {
    async fn get_quota(
        &self,
        _: Request<admin::GetQuotaRequest>,
    ) -> Result<Response<admin::GetQuotaResponse>, Status> {
        Err(not_implemented("dinggate.admin.v1.QuotaService/GetQuota"))
    }
}

#[async_trait]
impl AdminService for Later {
    async fn list_apps(
        &self,
        _: Request<admin::ListAppsRequest>,
    ) -> Result<Response<admin::ListAppsResponse>, Status> {
        Err(not_implemented("dinggate.admin.v1.AdminService/ListApps"))
    }

    async fn get_app(
        &self,
        _: Request<admin::GetAppRequest>,
    ) -> Result<Response<admin::GetAppResponse>, Status> {
        Err(not_implemented("dinggate.admin.v1.AdminService/GetApp"))
    }

    async fn check_app(
        &self,
        _: Request<admin::CheckAppRequest>,
    ) -> Result<Response<admin::CheckAppResponse>, Status> {
        Err(not_implemented("dinggate.admin.v1.AdminService/CheckApp"))
    }
}
