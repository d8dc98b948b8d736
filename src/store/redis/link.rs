//! The one connection to Redis that all commands share, and who notices when it is lost.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
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

/// A connection, and which run of Redis is at its other end: a Redis that was started anew, or stands in for one that was
/// lost, is another run.
#[derive(Clone)]
pub(super) struct Connection {
    wire: MultiplexedConnection,
    run: Arc<str>,
}

/// The way to Redis.
pub(super) struct Link {
    client: Client,
    prefix: String,
    timeout: Duration,
    connection: Mutex<Option<Connection>>,
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
    pub(super) async fn connect(&self) -> Result<Connection, Unavailable> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.timeout));
        let connecting = async {
            let mut wire = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let about: String = redis::cmd("INFO").arg("server").query_async(&mut wire).await?;
            let run = about.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
            Ok(Connection { wire, run: run.into() })
        };
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
    pub(super) fn put(&self, connection: Option<Connection>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn connection(&self) -> Result<Connection, Unavailable> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.ok_or_else(|| Unavailable("there is no connection".to_owned()))
    }

    /// Runs a script on the connection of all.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Unavailable> {
        let mut wire = self.connection()?.wire;
        let outcome = in_time(self.timeout, script.invoke_async(&mut wire)).await;
        outcome.inspect_err(|_| self.trouble.notify_one())
    }

    /// Runs a script that wants to know which run of Redis it meets.
    pub(super) async fn run_of<'s, T: FromRedisValue>(
        &self,
        script: impl FnOnce(&str) -> ScriptInvocation<'s>,
    ) -> Result<T, Unavailable> {
        let Connection { mut wire, run } = self.connection()?;
        let outcome = in_time(self.timeout, script(&run).invoke_async(&mut wire)).await;
        outcome.inspect_err(|_| self.trouble.notify_one())
    }

    /// Sends a command on the connection of all.
    pub(super) async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Unavailable> {
        let mut wire = self.connection()?.wire;
        let outcome = in_time(self.timeout, command.query_async(&mut wire)).await;
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
