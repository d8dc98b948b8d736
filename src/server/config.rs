//! `[server]` of the configuration.

use std::{net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;

use super::tls::TlsConfig;
use crate::identity::{AuthConfig, Mode};

/// `[server]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where gRPC listens.
    pub grpc_addr: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` listen.
    pub http_addr: SocketAddr,
    /// Threads that serve calls; 0: one for every two cores.
    pub workers: usize,
    /// For RPCs whose caller states no deadline.
    #[serde(with = "humantime_serde")]
    pub default_deadline: Duration,
    /// The same for RPCs that may take many upstream calls.
    #[serde(with = "humantime_serde")]
    pub bulk_deadline: Duration,
    /// No RPC gets more.
    #[serde(with = "humantime_serde")]
    pub max_deadline: Duration,
    /// RPCs at work at the same time.
    pub max_concurrent_requests: usize,
    /// Largest request.
    pub max_message_size: ByteSize,
    /// RPCs at the same time on one connection.
    pub max_concurrent_streams: u32,
    /// Largest metadata of one request.
    pub max_header_size: ByteSize,
    /// Connections at the same time.
    pub max_connections: usize,
    /// How long a new connection may take to become HTTP/2, TLS included.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
    /// How often the peer of a connection is asked whether it is still there.
    #[serde(with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// And how long it may take to answer.
    #[serde(with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// Connections are closed politely after this long.
    #[serde(with = "humantime_serde")]
    pub max_connection_age: Duration,
    /// And without ceremony after this long again.
    #[serde(with = "humantime_serde")]
    pub max_connection_age_grace: Duration,
    /// How long health says NOT_SERVING before the gateway stops accepting.
    #[serde(with = "humantime_serde")]
    pub drain_delay: Duration,
    /// How long RPCs in flight may take after that.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    /// gRPC server reflection.
    pub reflection: bool,
    /// gRPC-Web, and with it HTTP/1.1.
    pub grpc_web: bool,
    /// `[server.tls]`
    pub tls: TlsConfig,
}

/// More threads than this are a mistake.
const MAX_WORKERS: usize = 1024;

impl ServerConfig {
    /// Threads that serve calls: as many as are set, or one for every two cores that the process may use. The others are
    /// for what comes with calls: the network, telemetry, events.
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2),
            count => count,
        }
    }

    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self, auth: &AuthConfig) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |path, text: &str| faults.push((path, text.to_owned()));
        if auth.mode.is_none() && !self.grpc_addr.ip().is_loopback() && !auth.insecure_allow_remote {
            fault(
                "server.grpc_addr",
                "is not loopback, and auth.mode = \"none\" lets everybody in: listen on 127.0.0.1, let callers \
                 prove who they are, or set auth.insecure_allow_remote = true where the network is trusted",
            );
        }
        if auth.mode.has(Mode::Mtls) && self.tls.client_ca.as_os_str().is_empty() {
            fault("server.tls.client_ca", "is missing: auth.mode has mtls, and nobody vouches for clients");
        }
        if self.workers > MAX_WORKERS {
            fault("server.workers", "must be at most 1024");
        }
        let deadlines = [
            ("server.default_deadline", self.default_deadline),
            ("server.bulk_deadline", self.bulk_deadline),
        ];
        for (path, deadline) in deadlines {
            if deadline > self.max_deadline {
                fault(path, "is longer than server.max_deadline");
            }
            if deadline.is_zero() {
                fault(path, "must be longer than zero");
            }
        }
        let counts = [
            ("server.max_concurrent_requests", self.max_concurrent_requests),
            ("server.max_concurrent_streams", self.max_concurrent_streams as usize),
            ("server.max_connections", self.max_connections),
        ];
        for (path, count) in counts {
            if count == 0 {
                fault(path, "must be at least 1");
            }
        }
        let sizes = [
            ("server.max_message_size", self.max_message_size),
            ("server.max_header_size", self.max_header_size),
        ];
        for (path, size) in sizes {
            if size.as_u64() == 0 {
                fault(path, "must be at least 1 byte");
            }
        }
        let durations = [
            ("server.handshake_timeout", self.handshake_timeout),
            ("server.keepalive_interval", self.keepalive_interval),
            ("server.keepalive_timeout", self.keepalive_timeout),
            ("server.max_connection_age", self.max_connection_age),
        ];
        for (path, duration) in durations {
            if duration.is_zero() {
                fault(path, "must be longer than zero");
            }
        }
        faults.extend(self.tls.faults());
        faults
    }
}
