//! What the server publishes of its contract, and what it answers to whatever is not in it.

use std::collections::{BTreeMap, BTreeSet};

use dinggate::pb::{self, group::group_service_client::GroupServiceClient};
use dinggate_simulator::Fault;
use prost::{
    Message as _,
    bytes::{Buf, BufMut, Bytes},
};
use tokio::task::yield_now;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

use crate::support::{Gateway, new_group, reason};

/// The services of the contract.
pub const SERVICES: [&str; 9] = [
    "dinggate.admin.v1.AdminService",
    "dinggate.admin.v1.QuotaService",
    "dinggate.admin.v1.TokenService",
    "dinggate.group.v1.AssistantService",
    "dinggate.group.v1.GroupEventService",
    "dinggate.group.v1.GroupService",
    "dinggate.group.v1.MemberService",
    "dinggate.group.v1.PinnedCardService",
    "dinggate.group.v1.TemplateService",
];

/// What this version serves of them.
pub const SERVED: [&str; 32] = [
    "/dinggate.group.v1.MemberService/SetMemberNickname",
    "/dinggate.group.v1.MemberService/GrantAdmins",
    "/dinggate.group.v1.MemberService/RevokeAdmins",
    "/dinggate.group.v1.MemberService/MuteMembers",
    "/dinggate.group.v1.MemberService/UnmuteMembers",
    "/dinggate.group.v1.MemberService/GetMuteStatus",
    "/dinggate.group.v1.GroupService/BatchGetGroups",
    "/dinggate.group.v1.GroupService/DeleteGroup",
    "/dinggate.group.v1.GroupService/CreateGroup",
    "/dinggate.group.v1.MemberService/ListMembers",
    "/dinggate.group.v1.MemberService/AddMembers",
    "/dinggate.group.v1.MemberService/RemoveMembers",
    "/dinggate.group.v1.MemberService/SyncMembers",
    "/dinggate.group.v1.GroupService/GetGroup",
    "/dinggate.group.v1.GroupService/GetJoinLink",
    "/dinggate.group.v1.GroupService/ResolveGroup",
    "/dinggate.group.v1.GroupService/UpdateGroup",
    "/dinggate.group.v1.TemplateService/EnableTemplate",
    "/dinggate.group.v1.TemplateService/DisableTemplate",
    "/dinggate.group.v1.TemplateService/GetTemplateRobot",
    "/dinggate.group.v1.PinnedCardService/PinCard",
    "/dinggate.group.v1.PinnedCardService/UnpinCard",
    "/dinggate.group.v1.AssistantService/SendAssistantMessage",
    "/dinggate.group.v1.AssistantService/ListMessageReaders",
    "/dinggate.group.v1.GroupEventService/WatchGroupEvents",
    "/dinggate.group.v1.GroupEventService/ListGroupEvents",
    "/dinggate.admin.v1.TokenService/GetAccessToken",
    "/dinggate.admin.v1.TokenService/ReportInvalidAccessToken",
    "/dinggate.admin.v1.QuotaService/GetQuota",
    "/dinggate.admin.v1.AdminService/ListApps",
    "/dinggate.admin.v1.AdminService/GetApp",
    "/dinggate.admin.v1.AdminService/CheckApp",
];

const CREATE: &str = SERVED[0];

/// Messages as the bytes they are.
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Calls a method that no generated client needs to know.
pub async fn call(channel: &Channel, method: &str, request: Request<Bytes>) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("connected");
    let path = PathAndQuery::try_from(method).expect("a path");
    Ok(grpc.unary(request, path, Raw).await?.into_inner())
}

fn empty() -> Request<Bytes> {
    Request::new(Bytes::new())
}

/// The error with its code and reason, which must be one of ours.
fn refused(outcome: Result<Bytes, Status>) -> (Code, String) {
    let status = outcome.expect_err("refused");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "dinggate");
    (status.code(), info.reason)
}

/// One question to reflection, of either version: their messages are the same.
async fn reflect(channel: &Channel, version: &str, question: MessageRequest) -> MessageResponse {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("connected");
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let question = ServerReflectionRequest { message_request: Some(question), ..Default::default() };
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let request = Request::new(tokio_stream::once(question));
    let answers = grpc.streaming(request, path.try_into().expect("a path"), codec).await.expect("an answer");
    let answer = answers.into_inner().message().await.expect("no error").expect("one answer");
    answer.message_response.expect("not empty")
}

async fn file(channel: &Channel, version: &str, question: MessageRequest) -> Bytes {
    match reflect(channel, version, question).await {
        MessageResponse::FileDescriptorResponse(files) => files.file_descriptor_proto[0].clone().into(),
        other => panic!("{other:?}"),
    }
}

const VERSIONS: [&str; 2] = ["v1", "v1alpha"];

#[tokio::test]
async fn reflection_lists_every_service() {
    let gateway = Gateway::start().await;
    for version in VERSIONS {
        let question = MessageRequest::ListServices(String::new());
        let MessageResponse::ListServicesResponse(list) = reflect(&gateway.channel, version, question).await
        else {
            panic!("another answer than the list")
        };
        let listed: BTreeSet<_> = list.service.into_iter().map(|service| service.name).collect();
        let reflection = format!("grpc.reflection.{version}.ServerReflection");
        let expected = SERVICES.into_iter().chain(["grpc.health.v1.Health", &reflection]);
        assert_eq!(listed, expected.map(ToOwned::to_owned).collect(), "{version}");
    }
}

/// A descriptor as far as these tests look, with the option that prost's own types would drop.
#[derive(prost::Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    dependency: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    message_type: Vec<Message>,
}

#[derive(prost::Message)]
struct Message {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    field: Vec<Field>,
}

#[derive(prost::Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "8")]
    options: Option<FieldOptions>,
}

#[derive(prost::Message)]
struct FieldOptions {
    /// `google.api.field_behavior`
    #[prost(int32, repeated, packed = "false", tag = "1052")]
    field_behavior: Vec<i32>,
    /// `buf.validate.field`
    #[prost(bytes = "bytes", tag = "1159")]
    rules: Bytes,
}

#[tokio::test]
async fn reflection_serves_the_files_with_their_rules_and_all_they_import() {
    let gateway = Gateway::start().await;
    for version in VERSIONS {
        let symbol = MessageRequest::FileContainingSymbol("dinggate.group.v1.GroupService".to_owned());
        let mut open = vec![file(&gateway.channel, version, symbol).await];
        let mut files = BTreeMap::new();
        while let Some(bytes) = open.pop() {
            let descriptor = File::decode(bytes).unwrap();
            for name in descriptor.dependency.iter().filter(|name| !files.contains_key(*name)) {
                open.push(
                    file(&gateway.channel, version, MessageRequest::FileByFilename(name.clone())).await,
                );
            }
            files.insert(descriptor.name.clone(), descriptor);
        }
        assert!(files.contains_key("buf/validate/validate.proto"), "{:?}", files.keys());
        let mut messages = files["dinggate/group/v1/group_service.proto"].message_type.iter();
        let request = messages.find(|message| message.name == "CreateGroupRequest").unwrap();
        let title = request.field.iter().find(|field| field.name == "title").unwrap();
        let options = title.options.as_ref().unwrap();
        assert_eq!(options.field_behavior, [2], "REQUIRED");
        // FieldRules { string { min_len: 1, max_len: 30 } }
        assert_eq!(options.rules[..], [0x72, 4, 0x10, 1, 0x18, 30]);
    }
}

/// Every method of the contract, as in the request path.
fn methods() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
    let mut methods = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            assert!(SERVICES.contains(&name.as_str()), "{name}");
            methods.extend(service.method.iter().map(|method| format!("/{name}/{}", method.name())));
        }
    }
    methods
}

#[tokio::test]
async fn what_is_not_served_yet_says_so() {
    // Two apps, so that an empty request names none.
    let second = |sources: dinggate::config::Sources| {
        sources.with("apps.other.app_key", "dingother").with("apps.other.app_secret", "other-secret")
    };
    let gateway = Gateway::start_with(second).await;
    let methods = methods();
    assert!(SERVED.iter().all(|served| methods.contains(*served)));
    for service in SERVICES {
        assert!(methods.iter().any(|method| method.starts_with(&format!("/{service}/"))), "{service}");
    }
    for method in methods {
        let outcome = call(&gateway.channel, &method, empty()).await;
        if method == "/dinggate.admin.v1.AdminService/ListApps" {
            assert!(outcome.is_ok(), "the one that needs nothing to be named: {outcome:?}");
            continue;
        }
        let served = SERVED.contains(&method.as_str());
        let expected = if served {
            (Code::InvalidArgument, "FIELD_INVALID")
        } else {
            (Code::Unimplemented, "NOT_IMPLEMENTED")
        };
        let (code, reason) = refused(outcome);
        assert_eq!((code, reason.as_str()), expected, "{method}");
    }
    assert_eq!(gateway.simulator.calls().len(), 0, "nothing reached DingTalk");
}

#[tokio::test]
async fn what_is_not_in_the_contract_is_unimplemented() {
    let gateway = Gateway::start().await;
    for method in ["/dinggate.group.v1.GroupService/MakeTea", "/made.up.Service/Method", "/", "/x"] {
        let status = call(&gateway.channel, method, empty()).await.unwrap_err();
        let (code, told) = (status.code(), reason(&status));
        assert_eq!((code, told.as_str()), (Code::Unimplemented, "NOT_IMPLEMENTED"), "{method}");
        assert!(status.message().contains("is the client newer than the gateway?"), "{status:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let gateway = Gateway::start_with(|sources| sources.with("server.max_message_size", "1KiB")).await;
    let request = |bytes| Request::new(Bytes::from(vec![b'x'; bytes]));
    let outcome = call(&gateway.channel, CREATE, request(1025)).await;
    assert_eq!(refused(outcome), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned()));
    let outcome = call(&gateway.channel, CREATE, request(1024)).await;
    assert_eq!(refused(outcome).1, "FIELD_INVALID", "it is read, and it is no message");

    let mut grpc = Grpc::new(gateway.channel.clone()).send_compressed(CompressionEncoding::Gzip);
    grpc.ready().await.unwrap();
    let outcome = grpc.unary(request(1 << 20), PathAndQuery::from_static(CREATE), Raw).await;
    let outcome = outcome.map(tonic::Response::into_inner);
    assert_eq!(refused(outcome), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned()), "unpacked");
}

#[tokio::test]
async fn a_request_without_a_message_is_the_callers_fault() {
    let gateway = Gateway::start().await;
    let mut grpc = Grpc::new(gateway.channel.clone());
    grpc.ready().await.unwrap();
    let nothing = Request::new(tokio_stream::empty::<Bytes>());
    let outcome = grpc.client_streaming(nothing, PathAndQuery::from_static(CREATE), Raw).await;
    let outcome = outcome.map(tonic::Response::into_inner);
    assert_eq!(refused(outcome), (Code::InvalidArgument, "FIELD_INVALID".to_owned()));
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let gateway = Gateway::start().await;
    // A tag without a value, an unknown wire type, text that is not UTF-8.
    for bytes in [&[0x0a][..], &[0xff; 64], &[0x0a, 2, 0xc3, 0x28]] {
        let outcome = call(&gateway.channel, CREATE, Request::new(Bytes::copy_from_slice(bytes))).await;
        assert_eq!(refused(outcome), (Code::InvalidArgument, "FIELD_INVALID".to_owned()), "{bytes:?}");
    }
}

#[tokio::test]
async fn requests_may_be_compressed() {
    let gateway = Gateway::start().await;
    let mut groups =
        GroupServiceClient::new(gateway.channel.clone()).send_compressed(CompressionEncoding::Gzip);
    groups.create_group(new_group("Compressed")).await.unwrap();
    assert_eq!(gateway.simulator.groups()[0].name, "Compressed");
}

#[tokio::test]
async fn an_unknown_compression_is_refused_with_the_known_one() {
    let gateway = Gateway::start().await;
    let mut request = empty();
    request.metadata_mut().insert("grpc-encoding", "snappy".parse().unwrap());
    let status = call(&gateway.channel, CREATE, request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "NOT_IMPLEMENTED"));
    let known = status.metadata().get("grpc-accept-encoding").unwrap().to_str().unwrap();
    assert!(known.split(',').any(|encoding| encoding == "gzip"), "{known}");
}

#[tokio::test]
async fn more_than_it_may_do_at_once_is_refused_and_the_rest_is_done() {
    let gateway = Gateway::start_with(|sources| sources.with("server.max_concurrent_requests", 2)).await;
    gateway.simulator.fail_next("group.create", 2, Fault::Delay { ms: 1500 });
    let admitted = [1, 2].map(|_| {
        let mut groups = gateway.groups.clone();
        tokio::spawn(async move { groups.create_group(new_group("Admitted")).await })
    });
    while gateway.simulator.requests("group.create") < 2 {
        yield_now().await;
    }

    let status = gateway.groups.clone().create_group(new_group("Refused")).await.unwrap_err();
    assert!(admitted.iter().all(|call| !call.is_finished()), "refused at once");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "SERVER_OVERLOADED"));
    assert!(status.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some()));
    let mut health = tonic_health::pb::health_client::HealthClient::new(gateway.channel.clone());
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.expect("probes are answered");

    for call in admitted {
        call.await.unwrap().expect("admitted calls are not disturbed");
    }
    assert_eq!(gateway.simulator.requests("group.create"), 2);
    gateway.groups.clone().create_group(new_group("Welcome again")).await.unwrap();
}
