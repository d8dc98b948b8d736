//! What the gRPC port serves, and under which names it is healthy.

use tonic::{codec::CompressionEncoding, server::NamedService};
use tonic_health::{ServingStatus, server::HealthReporter};

use super::{ServerConfig, services::Services};
use crate::{
    dingtalk::Client,
    event::Feed,
    group::Groups,
    pb::{
        self,
        admin::{
            admin_service_server::AdminServiceServer, quota_service_server::QuotaServiceServer,
            token_service_server::TokenServiceServer,
        },
        group::{
            assistant_service_server::AssistantServiceServer, group_service_server::GroupServiceServer,
            member_service_server::MemberServiceServer, pinned_card_service_server::PinnedCardServiceServer,
            template_service_server::TemplateServiceServer,
        },
    },
    service::{
        AdminApi, Apps, AssistantApi, EventApi, EventServer, GroupApi, MemberApi, Once, PinnedCardApi,
        QuotaApi, TemplateApi, TokenApi,
    },
};

/// The services of the contract, and reflection where it is on.
pub(super) fn routes(
    config: &ServerConfig,
    apps: Apps,
    client: Client,
    groups: Groups,
    feed: Feed,
    once: Once,
) -> anyhow::Result<Services> {
    let size = usize::try_from(config.max_message_size.as_u64()).unwrap_or(usize::MAX);
    // The generated servers have these settings in common, but no trait.
    macro_rules! bounded {
        ($server:ident, $api:expr) => {
            $server::new($api).max_decoding_message_size(size).accept_compressed(CompressionEncoding::Gzip)
        };
    }
    let (a, g, o) = (|| apps.clone(), || groups.clone(), || once.clone());
    let mut routes = Services::default()
        .with(bounded!(GroupServiceServer, GroupApi::new(a(), g(), o())))
        .with(bounded!(MemberServiceServer, MemberApi::new(a(), g(), o())))
        .with(bounded!(TemplateServiceServer, TemplateApi::new(a(), g(), o())))
        .with(bounded!(PinnedCardServiceServer, PinnedCardApi::new(a(), g(), o())))
        .with(bounded!(AssistantServiceServer, AssistantApi::new(a(), g(), o())))
        .with(EventServer::new(EventApi::new(a(), g(), feed), size))
        .with(bounded!(TokenServiceServer, TokenApi::new(a(), client.clone())))
        .with(bounded!(QuotaServiceServer, QuotaApi::new(a(), client.clone())))
        .with(bounded!(AdminServiceServer, AdminApi::new(a(), client.clone(), g())));
    if config.reflection {
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that command line clients can show the details of errors.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        // Many clients still ask for v1alpha only.
        routes = routes.with(builder().build_v1()?).with(builder().build_v1alpha()?);
    }
    Ok(routes)
}

/// The services of the contract, and the empty name for the gateway as a whole.
const HEALTH_NAMES: [&str; 10] = [
    "",
    GroupServiceServer::<GroupApi>::NAME,
    MemberServiceServer::<MemberApi>::NAME,
    TemplateServiceServer::<TemplateApi>::NAME,
    PinnedCardServiceServer::<PinnedCardApi>::NAME,
    AssistantServiceServer::<AssistantApi>::NAME,
    EventServer::NAME,
    TokenServiceServer::<TokenApi>::NAME,
    QuotaServiceServer::<QuotaApi>::NAME,
    AdminServiceServer::<AdminApi>::NAME,
];

/// Says the same of all of them.
pub(super) async fn set_all(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}

/// Who watches health has been told; left alone, their streams would be waited for like calls in flight.
pub(super) async fn end_watches(health: &mut HealthReporter) {
    for name in HEALTH_NAMES {
        health.clear_service_status(name).await;
    }
}
