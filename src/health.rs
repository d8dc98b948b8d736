//! `dinggate health`: asks a running gateway how it is, as a probe or by hand.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use tonic::{
    Code,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::print;

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(crate) struct HealthArgs {
    /// Where the gateway's gRPC port is; with https:// in front of it where it speaks TLS
    #[arg(long, default_value = "127.0.0.1:50051")]
    addr: String,
    /// A service by its full name; empty for the gateway as a whole
    #[arg(long, default_value = "")]
    service: String,
    /// A PEM file of the authorities that may vouch for the gateway; else those that the system trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A PEM file of the certificate to show, where the gateway wants one
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// A PEM file of its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The name in the gateway's certificate, where that is not the host of --addr
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

impl HealthArgs {
    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let wants_tls = self.ca.is_some() || self.cert.is_some() || self.server_name.is_some();
        let url = match self.addr.split_once("://") {
            Some(("http", _)) if wants_tls => {
                bail!("--ca, --cert and --server-name need --addr https://...")
            }
            Some(_) => self.addr.clone(),
            None if wants_tls => format!("https://{}", self.addr),
            None => format!("http://{}", self.addr),
        };
        let is_tls = url.starts_with("https://");
        let endpoint = Endpoint::from_shared(url)
            .with_context(|| format!("--addr: {} is no address such as 127.0.0.1:50051", self.addr))?;
        Ok(if is_tls { endpoint.tls_config(self.tls()?)? } else { endpoint })
    }

    fn tls(&self) -> anyhow::Result<ClientTlsConfig> {
        let read =
            |file: &PathBuf| fs::read(file).with_context(|| format!("{} cannot be read", file.display()));
        let mut tls = match &self.ca {
            Some(file) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(file)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        Ok(match &self.server_name {
            Some(name) => tls.domain_name(name),
            None => tls,
        })
    }

    async fn ask(&self) -> anyhow::Result<ServingStatus> {
        let (addr, service) = (&self.addr, &self.service);
        let channel: Channel =
            self.endpoint()?.connect().await.with_context(|| format!("nothing answers at {addr}"))?;
        match HealthClient::new(channel).check(HealthCheckRequest { service: service.clone() }).await {
            Ok(reply) => Ok(reply.into_inner().status()),
            Err(status) if status.code() == Code::NotFound => bail!("{addr} has no service {service:?}"),
            Err(status) => bail!("{addr} has no health to tell: {:?}: {}", status.code(), status.message()),
        }
    }
}

pub(crate) async fn health(args: HealthArgs) -> anyhow::Result<()> {
    let status = tokio::time::timeout(PATIENCE, args.ask()).await;
    let status = status.map_err(|_| anyhow!("{} does not answer within 5 s", args.addr))??;
    print(&format!("{}\n", status.as_str_name()))?;
    if status == ServingStatus::Serving { Ok(()) } else { bail!("it is not serving") }
}
