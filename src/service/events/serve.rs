//! The way to the two RPCs. Written by hand, where the other services have a generated one, because the items of a
//! stream are encoded already: once for all who get them.

use std::{
    convert::Infallible,
    future::ready,
    marker::PhantomData,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes};
use http::{Request, Response};
use prost::Message;
use tonic::{
    Status,
    body::Body,
    codec::{BufferSettings, Codec, CompressionEncoding, EncodeBuf, Encoder},
    codegen::BoxFuture,
    server::{Grpc, NamedService},
};
use tonic_prost::{ProstCodec, ProstDecoder};
use tower::{Service, service_fn};

use super::EventApi;
use crate::pb::group::group_event_service_server::SERVICE_NAME;

/// The service as the gRPC port has it.
#[derive(Debug, Clone)]
pub struct EventServer {
    api: EventApi,
    max_size: usize,
}

impl EventServer {
    /// Reads requests of at most this many bytes.
    pub fn new(api: EventApi, max_size: usize) -> Self {
        Self { api, max_size }
    }

    fn grpc<C: Codec>(&self, codec: C) -> Grpc<C> {
        Grpc::new(codec).max_decoding_message_size(self.max_size).accept_compressed(CompressionEncoding::Gzip)
    }
}

impl NamedService for EventServer {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<Request<Body>> for EventServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        match method {
            "WatchGroupEvents" => Box::pin(async move {
                let watch = |request| {
                    let api = server.api.clone();
                    async move { api.watch(request).await }
                };
                Ok(server.grpc(Encoded::default()).server_streaming(service_fn(watch), request).await)
            }),
            "ListGroupEvents" => Box::pin(async move {
                let list = |request| {
                    let api = server.api.clone();
                    async move { api.list(request).await }
                };
                Ok(server.grpc(ProstCodec::default()).unary(service_fn(list), request).await)
            }),
            _ => Box::pin(ready(Ok(Status::unimplemented("").into_http()))),
        }
    }
}

/// Messages that are encoded already.
struct Encoded<M>(PhantomData<M>);

impl<M> Default for Encoded<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<M: Message + Default + 'static> Codec for Encoded<M> {
    type Encode = Bytes;
    type Decode = M;
    type Encoder = Encoded<M>;
    type Decoder = ProstDecoder<M>;

    fn encoder(&mut self) -> Self::Encoder {
        Self::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

impl<M> Encoder for Encoded<M> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }

    /// Each stream has a buffer of its own, and there are many.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1024, 8 * 1024)
    }
}
