//! Fetches the keys of an issuer. The only file beside `dingtalk/http.rs` that knows the HTTP client: the two have
//! nothing in common but that.

use std::{fs, path::PathBuf, time::Duration};

use reqwest::{Certificate, Client, redirect};
use tokio::time::timeout;
use url::Url;

use crate::causes::chain;

/// For the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A key takes half a kilobyte.
const LONGEST: usize = 256 * 1024;

/// Where the keys are. The files are read for every question: Kubernetes replaces its tokens every hour.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) url: Url,
    /// Who vouches for the host; none: those that the system trusts.
    pub(super) ca_file: Option<PathBuf>,
    /// What opens it, as Kubernetes' API server wants.
    pub(super) token_file: Option<PathBuf>,
}

impl Fetch {
    /// What is there.
    pub(super) async fn get(&self) -> Result<Vec<u8>, String> {
        let answer = timeout(TIMEOUT, self.exchange()).await;
        answer.unwrap_or_else(|_| Err(format!("{} does not answer within {TIMEOUT:?}", self.url)))
    }

    async fn exchange(&self) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| format!("{}: {}", self.url, chain(&error.without_url()));
        let mut request = self.client()?.get(self.url.clone());
        if let Some(file) = &self.token_file {
            request = request.bearer_auth(String::from_utf8_lossy(&read(file)?).trim());
        }
        let mut answer = request.send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("{} answers {}", self.url, answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST {
                return Err(format!("{} answers more than {LONGEST} bytes", self.url));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn client(&self) -> Result<Client, String> {
        let mut builder = Client::builder()
            .user_agent(concat!("dinggate/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(TIMEOUT);
        if let Some(file) = &self.ca_file {
            let authorities = Certificate::from_pem_bundle(&read(file)?);
            let authorities =
                authorities.map_err(|error| format!("{}: {}", file.display(), chain(&error)))?;
            builder = builder.tls_certs_only(authorities);
        }
        builder.build().map_err(|error| format!("the HTTP client cannot be set up: {}", chain(&error)))
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}
