//! The store of many replicas: everything in Redis (5 or newer), each step one round trip.

mod budgets;
mod facts;
mod leases;
mod link;
mod listen;
mod log;
mod notices;
mod outcomes;
mod script;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub(super) use self::budgets::RedisBudgets;
use self::{
    facts::RedisFacts, leases::RedisLeases, link::Link, log::RedisLog, notices::RedisNotices,
    outcomes::RedisOutcomes,
};
use super::{
    Budgets, Health, OnFailure, Store, StoreConfig, Unavailable,
    degrade::{Degrade, Spent},
};

/// How often a lost Redis is looked for.
const PROBE: Duration = Duration::from_millis(250);
/// How often a replica says that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// After this long on a connection all other replicas have said that they are there, too.
const SETTLED: Duration = Duration::from_secs(2);

/// A store in Redis, whether or not Redis is there: it is looked for from now on.
pub(super) fn open(config: &StoreConfig) -> Result<Store, Unavailable> {
    let link = Arc::new(Link::new(config)?);
    let replica = rand::random();
    let (health, health_seen) = watch::channel(Health::Degraded);
    let (replicas, replicas_seen) = watch::channel(1);
    let shared = Arc::new(RedisBudgets::new(link.clone(), replica));
    let notices = Arc::new(RedisNotices::new(link.clone(), replica));
    let degrade = (config.on_failure == OnFailure::Degrade)
        .then(|| Arc::new(Degrade::new(shared.clone(), replicas_seen.clone(), config.replicas)));
    let budgets: Arc<dyn Budgets> = match &degrade {
        Some(degrade) => degrade.clone(),
        None => shared.clone(),
    };

    let dropped = CancellationToken::new();
    let keeper = Keeper { link: link.clone(), shared, degrade, health, replicas };
    tokio::spawn(dropped.clone().run_until_cancelled_owned(async move { keeper.keep().await }));
    let listener = notices.clone();
    tokio::spawn(dropped.clone().run_until_cancelled_owned(async move { listener.listen().await }));
    let log = Arc::new(RedisLog::new(link.clone()));
    let listener = log.clone();
    tokio::spawn(dropped.clone().run_until_cancelled_owned(async move { listener.listen().await }));
    Ok(Store {
        budgets,
        outcomes: Arc::new(RedisOutcomes::new(link.clone())),
        notices,
        facts: Arc::new(RedisFacts(link.clone())),
        log,
        leases: Arc::new(RedisLeases::new(link)),
        health: health_seen,
        replicas: replicas_seen,
        _open: Some(Arc::new(dropped.drop_guard())),
    })
}

/// Whether Redis is there and answers.
pub(super) async fn ping(config: &StoreConfig) -> Result<(), Unavailable> {
    Link::new(config)?.connect().await.map(drop)
}

/// Keeps a connection, and tells what becomes of it.
struct Keeper {
    link: Arc<Link>,
    shared: Arc<RedisBudgets>,
    degrade: Option<Arc<Degrade>>,
    health: watch::Sender<Health>,
    replicas: watch::Sender<u32>,
}

impl Keeper {
    async fn keep(self) {
        let mut told = None;
        loop {
            match self.connect().await {
                Ok(()) => {
                    self.tell(&mut told, Health::Up, "");
                    // Redis is lost only when it does not let us in again.
                    let why = self.watch().await;
                    info!(why = why.0, "the connection to the shared store is made anew");
                    self.link.put(None);
                }
                Err(why) => {
                    self.link.put(None);
                    if let Some(degrade) = &self.degrade {
                        degrade.lost();
                    }
                    self.tell(&mut told, Health::Degraded, &why.0);
                    sleep(PROBE).await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<(), Unavailable> {
        self.link.put(Some(self.link.connect().await?));
        match &self.degrade {
            Some(degrade) => degrade.resume().await,
            None => self.shared.resume(&Spent::default()).await,
        }
    }

    /// Beats until that fails; earlier than it is time when any other command has failed.
    async fn watch(&self) -> Unavailable {
        let since = Instant::now();
        let mut time = interval(BEAT);
        time.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = time.tick() => {}
                () = self.link.trouble.notified() => {}
            }
            match self.shared.beat().await {
                Ok(replicas) if since.elapsed() >= SETTLED => {
                    self.replicas.send_if_modified(|seen| std::mem::replace(seen, replicas) != replicas);
                }
                Ok(_) => {}
                Err(why) => return why,
            }
        }
    }

    fn tell(&self, told: &mut Option<Health>, health: Health, why: &str) {
        if told.replace(health) == Some(health) {
            return;
        }
        match health {
            Health::Up => info!("the shared store is there"),
            Health::Degraded => warn!(why, "the shared store is lost, it is looked for"),
        }
        self.health.send_replace(health);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
