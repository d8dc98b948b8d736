//! [`Client::call`]: the only place where token, attempt and retry meet.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use bytesize::ByteSize;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    app::App,
    breaker::{BreakerConfig, Breakers, Circuit, Pass},
    claim::Claimed,
    endpoint::{Endpoint, Repeat},
    error::Error,
    generation,
    http::Http,
    limiter::{Claimant, Limiter, LimitsConfig, Permit},
    provenance::{Provenance, Worst},
    retry::{self, Budget, History, Retry, RetryConfig},
    seen_through::SeenThrough,
    token::{Lasting, Lent, Standing, Token, TokenConfig, Tokens},
    token_endpoint::UpstreamTokens,
    transport::{Outgoing, Transport},
    trouble::Trouble,
};
use crate::{
    metrics::Metrics,
    store::{Budgets, Rate, Usage},
};

/// Further requests of a worker would have no ports to be sent from.
const MAX_IN_FLIGHT: usize = 65_535;

/// `[dingtalk]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DingtalkConfig {
    /// To have a connection, TLS included.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// For one attempt, from the first byte out to the last byte in.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long an idle connection is kept.
    #[serde(with = "humantime_serde")]
    pub pool_idle_timeout: Duration,
    /// Requests under way at the same time, by each worker; further ones wait. So many idle connections are kept.
    pub max_in_flight: usize,
    /// A longer answer is refused.
    pub max_response_size: ByteSize,
}

impl DingtalkConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let timeouts = [
            ("dingtalk.connect_timeout", self.connect_timeout),
            ("dingtalk.request_timeout", self.request_timeout),
        ];
        let zero = timeouts.into_iter().filter(|(_, timeout)| timeout.is_zero());
        let mut faults: Vec<_> =
            zero.map(|(path, _)| (path, "must be longer than zero".to_owned())).collect();
        if !(1..=MAX_IN_FLIGHT).contains(&self.max_in_flight) {
            faults.push(("dingtalk.max_in_flight", format!("must be 1 to {MAX_IN_FLIGHT}")));
        }
        if self.max_response_size.as_u64() == 0 {
            faults.push(("dingtalk.max_response_size", "must be at least 1 byte".to_owned()));
        }
        faults
    }
}

/// What one RPC gives to the upstream calls it makes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Who calls, and how patiently.
    pub claimant: Claimant,
    /// What the RPC has cost so far.
    pub stats: Arc<Stats>,
    /// The claim on the caller's `request_id`, if there is one.
    pub claim: Option<Claimed>,
    /// Held for as long as something works for the RPC, also after its caller has left.
    pub witness: Option<Arc<dyn fmt::Debug + Send + Sync>>,
}

impl Context {
    /// A context in which nothing has happened yet.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, claimant: Claimant::default(), stats: Arc::default(), claim: None, witness: None }
    }
}

/// The cost and provenance of one RPC.
#[derive(Debug, Default)]
pub struct Stats {
    upstream_calls: AtomicU32,
    request_id: Mutex<Option<Arc<str>>>,
    provenance: Worst,
    app: OnceLock<Arc<str>>,
    outcome_unknown: AtomicBool,
}

impl Stats {
    /// Metered upstream calls, replays included, token fetches not: those are free.
    pub fn upstream_calls(&self) -> u32 {
        self.upstream_calls.load(Ordering::Relaxed)
    }

    /// DingTalk's id of the last request.
    pub fn request_id(&self) -> Option<Arc<str>> {
        self.request_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the answer came from; none where it can only come from DingTalk.
    pub fn provenance(&self) -> Option<Provenance> {
        self.provenance.get()
    }

    /// Part of the answer came from there.
    pub fn came_from(&self, provenance: Provenance) {
        self.provenance.note(provenance);
    }

    /// The app that the RPC works for, once it is known.
    pub fn app(&self) -> Option<&Arc<str>> {
        self.app.get()
    }

    /// The RPC works for this app.
    pub fn works_for(&self, app: &App) {
        self.app.get_or_init(|| app.name());
    }

    /// Whether it ended without anybody knowing what DingTalk did.
    pub fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown.load(Ordering::Relaxed)
    }

    /// It ends so.
    pub fn leaves_outcome_unknown(&self) {
        self.outcome_unknown.store(true, Ordering::Relaxed);
    }

    fn answered(&self, request_id: Option<&str>) {
        if let Some(id) = request_id {
            *self.request_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.into());
        }
    }
}

/// A client of DingTalk for all apps. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    transport: Transport,
    tokens: Tokens<UpstreamTokens>,
    limiter: Limiter,
    breakers: Breakers,
    retry: RetryConfig,
    budget: Budget,
    metrics: Metrics,
}

impl Client {
    /// What goes out beside the calls that are metered.
    pub(super) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Sets up the connection pool; connects to nothing yet.
    pub fn new(
        config: &DingtalkConfig,
        token: &TokenConfig,
        limits: &LimitsConfig,
        retry: &RetryConfig,
        breaker: &BreakerConfig,
        budgets: Arc<dyn Budgets>,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let transport = Transport::new(Http::new(config)?, config.request_timeout, metrics.clone());
        let tokens = Tokens::new(UpstreamTokens(transport.clone()), token.clone());
        Ok(Self(Arc::new(Inner {
            transport,
            tokens,
            limiter: Limiter::new(budgets, limits.clone()),
            breakers: Breakers::new(breaker.clone()),
            retry: retry.clone(),
            budget: Budget::new(retry),
            metrics,
        })))
    }

    /// What it counts with.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Carries out one operation for an app.
    pub async fn call<E: Endpoint>(
        &self,
        context: &Context,
        app: &App,
        endpoint: &E,
    ) -> Result<E::Reply, Error> {
        let body = self.send(context, Outgoing::new(app, endpoint)?).await?;
        generation::reply(&body)
    }

    /// Fetches a token, also where one is held: what `check --online` does.
    pub async fn check_token(&self, app: &App, deadline: Instant) -> Result<(), Error> {
        self.0.tokens.try_out(app, deadline).await
    }

    /// A token for somebody who calls DingTalk himself; see [`Tokens::lend`].
    pub async fn lend_token(
        &self,
        app: &App,
        min_remaining: Duration,
        deadline: Instant,
    ) -> Result<Lent, Error> {
        self.0.tokens.lend(app, min_remaining, deadline).await
    }

    /// Somebody says that the token of this name was refused; see [`Tokens::report`].
    pub async fn report_token(&self, app: &App, fingerprint: &str, deadline: Instant) -> Result<bool, Error> {
        self.0.tokens.report(app, fingerprint, deadline).await
    }

    /// Where an app stands with its token.
    pub async fn standing(&self, app: &App) -> Standing {
        self.0.tokens.standing(app).await
    }

    /// The last call of the app that failed, token fetches and repeats among them.
    pub fn last_trouble(&self, app: &App) -> Option<Trouble> {
        self.0.transport.last_trouble(app)
    }

    /// The breakers of an app that are not closed.
    pub fn circuits(&self, app: &App) -> Vec<Circuit> {
        self.0.breakers.circuits(app.alias())
    }

    /// What an app has used of an operation; the store is asked, DingTalk is not.
    pub async fn usage(&self, app: &App, operation: &str) -> Result<Usage, Error> {
        self.0.limiter.usage(app, operation).await
    }

    /// What all apps together may spend from this egress address.
    pub fn egress(&self) -> Rate {
        self.0.limiter.egress()
    }

    /// Calls of the app that wait for the operation at this replica.
    pub fn waiting(&self, app: &App, operation: &str) -> usize {
        self.0.limiter.waiting(app, operation)
    }

    /// The same for all operations together.
    pub fn queue_length(&self, app: &App) -> usize {
        self.0.limiter.length(app)
    }

    /// Metered calls of the app in this month, as this replica saw them last; nobody is asked.
    pub fn month_calls(&self, app: &App) -> Option<u64> {
        self.0.limiter.month_calls(app)
    }

    /// How long the tokens of all apps last.
    pub fn tokens_last(&self) -> Lasting {
        self.0.tokens.lasting()
    }

    /// The policy of a call, on one screen.
    async fn send(&self, context: &Context, outgoing: Outgoing) -> Result<Bytes, Error> {
        let (app, repeat) = (&outgoing.app, outgoing.spec.repeat);
        let (mut attempt, mut history, mut last) = (0, History::default(), None);
        loop {
            attempt += 1;
            let Admitted { token, permit, pass } = match self.admit(context, &outgoing).await {
                Ok(admitted) => admitted,
                // A repeat that cannot be sent: what went wrong before is the answer.
                Err(error) => return Err(last.unwrap_or(error)),
            };
            if attempt == 1 {
                self.0.budget.earn(app.alias());
            }
            let error = match self.attempt(context, &outgoing, &token, (permit, pass), attempt).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            if self.0.limiter.failed(app, outgoing.spec, &error).await {
                self.0.metrics.throttled(app.name(), outgoing.spec.id, "dingtalk");
            }
            let standing = history.failed(repeat, &error);
            let left = context.deadline.saturating_duration_since(Instant::now());
            match retry::decide(&self.0.retry, repeat, &history, &error, left, rand::random()) {
                Retry::WithFreshToken => {
                    history.replaces_token();
                    self.0.tokens.discard(app, &token).await;
                }
                Retry::After(pause) if self.0.budget.spend(app.alias()) => {
                    last = Some(standing);
                    sleep(pause).await;
                }
                Retry::Never | Retry::After(_) => return Err(standing),
            }
        }
    }

    /// What an attempt needs before it may be sent.
    async fn admit(&self, context: &Context, outgoing: &Outgoing) -> Result<Admitted, Error> {
        let Outgoing { app, spec, .. } = outgoing;
        let token = self.0.tokens.get(app, context.deadline).await?;
        self.0.breakers.check(app.name(), spec)?;
        let asked = Instant::now();
        let permit = self.0.limiter.acquire(context, app, spec).await;
        self.0.metrics.queue_wait(app.name(), asked.elapsed());
        if let Err(Error::RateLimited { .. }) = permit {
            self.0.metrics.throttled(app.name(), spec.id, "gateway");
        }
        let permit = permit?;
        // Asked again, so that a queue which waited through an outage does not rush into it.
        let pass = self.0.breakers.enter(app.name(), spec)?;
        Ok(Admitted { token, permit, pass })
    }

    /// One attempt.
    async fn attempt(
        &self,
        context: &Context,
        outgoing: &Outgoing,
        token: &Token,
        (permit, pass): (Permit, Pass),
        attempt: u32,
    ) -> Result<Bytes, Error> {
        if let (Repeat::Once, Some(claim)) = (outgoing.spec.repeat, &context.claim) {
            claim.sending(context.deadline).await?;
        }
        let (spec, deadline) = (outgoing.spec, context.deadline);
        let (client, outgoing, token) = (self.clone(), outgoing.clone(), token.clone());
        let (stats, witness) = (context.stats.clone(), context.witness.clone());
        let exchange = async move {
            let Inner { transport, metrics, .. } = &*client.0;
            let place = transport.place(deadline).await?;
            let _flight = permit.send();
            stats.upstream_calls.fetch_add(1, Ordering::Relaxed);
            metrics.upstream_call(outgoing.app.name(), spec.id, spec.generation.name());
            let answered = transport.attempt(place, &outgoing, Some(&token), attempt, deadline).await;
            pass.settle(&answered);
            stats.answered(match &answered {
                Ok((_, request_id)) => request_id.as_deref(),
                Err(error) => error.api().and_then(|api| api.request_id.as_deref()),
            });
            drop(witness);
            answered
        };
        let answered = match spec.repeat {
            Repeat::Read => Box::pin(exchange).await,
            Repeat::Set | Repeat::Keyed | Repeat::Once => SeenThrough::new(spec, exchange).await,
        };
        answered.map(|(body, _)| body)
    }
}

/// What an attempt needs.
struct Admitted {
    token: Token,
    permit: Permit,
    pass: Pass,
}
