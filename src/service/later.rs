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
    group::{
        self, assistant_service_server::AssistantService, group_event_service_server::GroupEventService,
        pinned_card_service_server::PinnedCardService, template_service_server::TemplateService,
    },
};

/// Stands where a service will.
#[derive(Debug, Clone, Copy)]
pub struct Later;

#[async_trait]
impl TemplateService for Later {
    async fn enable_template(
        &self,
        _: Request<group::EnableTemplateRequest>,
    ) -> Result<Response<group::EnableTemplateResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.TemplateService/EnableTemplate"))
    }

    async fn disable_template(
        &self,
        _: Request<group::DisableTemplateRequest>,
    ) -> Result<Response<group::DisableTemplateResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.TemplateService/DisableTemplate"))
    }

    async fn get_template_robot(
        &self,
        _: Request<group::GetTemplateRobotRequest>,
    ) -> Result<Response<group::GetTemplateRobotResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.TemplateService/GetTemplateRobot"))
    }
}

#[async_trait]
impl PinnedCardService for Later {
    async fn pin_card(
        &self,
        _: Request<group::PinCardRequest>,
    ) -> Result<Response<group::PinCardResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.PinnedCardService/PinCard"))
    }

    async fn unpin_card(
        &self,
        _: Request<group::UnpinCardRequest>,
    ) -> Result<Response<group::UnpinCardResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.PinnedCardService/UnpinCard"))
    }
}

#[async_trait]
impl AssistantService for Later {
    async fn send_assistant_message(
        &self,
        _: Request<group::SendAssistantMessageRequest>,
    ) -> Result<Response<group::SendAssistantMessageResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.AssistantService/SendAssistantMessage"))
    }

    async fn list_message_readers(
        &self,
        _: Request<group::ListMessageReadersRequest>,
    ) -> Result<Response<group::ListMessageReadersResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.AssistantService/ListMessageReaders"))
    }
}

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
