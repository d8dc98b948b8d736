//! Who may call what: callers prove who they are, and are held to their policy, for every RPC over real gRPC.

mod certificates;
mod issuer;
mod policy;
mod proofs;
mod tokens;

use std::{collections::BTreeSet, fs, path::PathBuf};

use dinggate::{config::Sources, identity::METHODS};
use prost::bytes::Bytes;
use prost_reflect::MethodDescriptor;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::{MetadataMap, MetadataValue},
    transport::Channel,
};

use crate::{
    annotations::{methods, path_of, valid},
    contract::Raw,
    support::{Gateway, reason},
};

/// What no wildcard covers.
const DANGEROUS: [&str; 5] = [
    "TokenService/GetAccessToken",
    "GroupService/DeleteGroup",
    "AdminService/ListApps",
    "AdminService/GetApp",
    "AdminService/CheckApp",
];

/// Secrets and keys in a folder of their own.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A token of this name, which a file lets in.
    fn token(&self, name: &str) -> String {
        let (token, line) = dinggate::identity::new_token(name).unwrap();
        let file = self.file("tokens");
        let before = fs::read_to_string(&file).unwrap_or_default();
        // Replaced, not written to: the gateway may be reading it.
        fs::write(self.file("tokens.new"), format!("{before}{line}\n")).unwrap();
        fs::rename(self.file("tokens.new"), file).unwrap();
        token
    }

    fn sources(&self, sources: Sources) -> Sources {
        let tokens = self.file("tokens").to_str().unwrap().to_owned();
        sources.with("auth.mode", "static").with("auth.static.tokens_file", tokens)
    }
}

/// A caller that the tokens file knows under its name.
fn caller(sources: Sources, name: &str, apps: &[&str], rpcs: &[&str]) -> Sources {
    let list = |items: &[&str]| toml::Value::from(items.to_vec());
    sources
        .with(&format!("auth.callers.{name}.identities"), list(&[&format!("static:{name}")]))
        .with(&format!("auth.callers.{name}.apps"), list(apps))
        .with(&format!("auth.callers.{name}.rpcs"), list(rpcs))
}

fn bearer(token: &str) -> MetadataMap {
    metadata("authorization", &format!("Bearer {token}"))
}

fn metadata(name: &'static str, value: &str) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert(name, value.parse().unwrap());
    metadata
}

/// Sends bytes to a path, and waits for the status only.
async fn send(channel: &Channel, path: &str, metadata: &MetadataMap, bytes: Bytes) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("connected");
    let mut request = Request::new(bytes);
    *request.metadata_mut() = metadata.clone();
    let mut answer = grpc.server_streaming(request, PathAndQuery::try_from(path).unwrap(), Raw).await?;
    answer.get_mut().message().await.map(drop)
}

/// Sends a valid request.
async fn call(channel: &Channel, method: &MethodDescriptor, metadata: &MetadataMap) -> Result<(), Status> {
    let request = prost::Message::encode_to_vec(&valid::message(&method.input()));
    send(channel, &path_of(method), metadata, request.into()).await
}

/// As in the configuration, such as `GroupService/GetGroup`.
fn short(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}

const UNAUTHENTICATED: (Code, &str) = (Code::Unauthenticated, "CALLER_UNAUTHENTICATED");
const DENIED: (Code, &str) = (Code::PermissionDenied, "CALLER_NOT_ALLOWED");

/// Whether the answer is this refusal.
fn is(answer: &Result<(), Status>, (code, why): (Code, &str)) -> bool {
    answer.as_ref().is_err_and(|status| status.code() == code && reason(status) == why)
}

/// Whether the caller was let in, whatever became of the RPC.
fn is_let_in(answer: &Result<(), Status>) -> bool {
    !is(answer, UNAUTHENTICATED) && !is(answer, DENIED)
}

#[test]
fn the_policy_knows_every_rpc_of_the_contract() {
    let known: BTreeSet<_> = METHODS.iter().map(|method| format!("/{}", method.full_name)).collect();
    assert_eq!(known, methods().iter().map(path_of).collect());
    let writes =
        methods().into_iter().filter(|method| method.input().get_field_by_name("request_id").is_some());
    let known = METHODS.iter().filter(|method| method.writes).map(|method| method.name.to_owned());
    assert_eq!(known.collect::<Vec<_>>(), writes.map(|method| short(&method)).collect::<Vec<_>>());
}
