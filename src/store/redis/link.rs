//! The one connection to Redis that all commands share, and who notices when it is lost.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, ScriptInvocation, TlsCertificates,
    aio::MultiplexedConnection,
};
use secrecy::ExposeSecret as _;
use tokio::{sync::Notify, time::timeout};

use crate::store::{StoreConfig, Unavailable};

/// A connection is made in the background; nobody waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The way to Redis.
pub(super) struct Link {
    client: Client,
    prefix: String,
    timeout: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// A command has failed.
    pub(super) trouble: Notify,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects nowhere yet.
    pub(super) fn new(config: &StoreConfig) -> Result<Self, Unavailable> {
        let wrong = |(path, fault)| Unavailable(format!("{path}: {fault}"));
        let url = config.secret_url().map_err(wrong)?;
        let client = match config.authority().map_err(wrong)? {
            None => Client::open(url.expose_secret()),
            Some(authority) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(authority) };
                Client::build_with_tls(url.expose_secret(), certificates)
            }
        };
        Ok(Self {
            client: client.map_err(unavailable)?,
            prefix: config.prefix.clone(),
            timeout: config.timeout,
            connection: Mutex::default(),
            trouble: Notify::new(),
        })
    }

    /// The name of a key. All keys have one hash tag: a reservation changes the budgets of an app and those of the
    /// egress address in one step, and Redis does that only with keys of one slot.
    pub(super) fn key(&self, parts: &[&str]) -> String {
        let mut key = format!("{{{}}}", self.prefix);
        for part in parts {
            key.push(':');
            key.push_str(part);
        }
        key
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, Unavailable> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.timeout));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| no_answer(CONNECT_TIMEOUT))?
            .map_err(unavailable)
    }

    /// A connection that can do nothing but listen.
    pub(super) async fn listen(&self, channel: &str) -> Result<redis::aio::PubSub, Unavailable> {
        let listening = async {
            let mut connection = self.client.get_async_pubsub().await?;
            connection.subscribe(channel).await?;
            Ok(connection)
        };
        timeout(CONNECT_TIMEOUT, listening)
            .await
            .map_err(|_| no_answer(CONNECT_TIMEOUT))?
            .map_err(unavailable)
    }

    /// Gives a connection to all, or takes it from them.
    pub(super) fn put(&self, connection: Option<MultiplexedConnection>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn connection(&self) -> Result<MultiplexedConnection, Unavailable> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.ok_or_else(|| Unavailable("there is no connection".to_owned()))
    }

    /// Runs a script on the connection of all.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Unavailable> {
        let mut connection = self.connection()?;
        let outcome = in_time(self.timeout, script.invoke_async(&mut connection)).await;
        outcome.inspect_err(|_| self.trouble.notify_one())
    }

    /// Sends a command on the connection of all.
    pub(super) async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Unavailable> {
        let mut connection = self.connection()?;
        let outcome = in_time(self.timeout, command.query_async(&mut connection)).await;
        outcome.inspect_err(|_| self.trouble.notify_one())
    }
}

async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, Unavailable> {
    timeout(limit, answer).await.map_err(|_| no_answer(limit))?.map_err(unavailable)
}

pub(super) fn no_answer(limit: Duration) -> Unavailable {
    Unavailable(format!("no answer within {limit:?}"))
}

pub(super) fn unavailable(error: RedisError) -> Unavailable {
    Unavailable(error.to_string())
}
