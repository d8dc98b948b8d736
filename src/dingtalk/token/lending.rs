//! Tokens for systems that call DingTalk themselves: how long one still lasts, what it is called without revealing it,
//! and reports that it was refused.

use moka::ops::compute::CompResult;
use sha2::{Digest, Sha256};

use super::*;

/// A token that leaves the gateway.
#[derive(Debug, Clone)]
pub struct Lent {
    token: Token,
    /// How long DingTalk accepts it, as far as known.
    pub expires_in: Duration,
}

impl Lent {
    /// The token itself, for the answer and nowhere else.
    pub fn reveal(&self) -> &str {
        self.token.expose()
    }

    /// Its name.
    pub fn fingerprint(&self) -> String {
        self.token.fingerprint()
    }
}

impl Token {
    /// A name that does not reveal it: 16 hexadecimal digits of its SHA-256. The same characters have the same name.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.expose()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<S: TokenSource> Tokens<S> {
    /// A token that is valid for so long still, as far as DingTalk grants such tokens.
    pub async fn lend(&self, app: &App, min_remaining: Duration, deadline: Instant) -> Result<Lent, Error> {
        let token = self.get(app, deadline).await?;
        match self.current(app).await {
            Some(held) if held.expires_in() >= min_remaining => Ok(held.lend()),
            _ => self.renew(app, token, deadline).await,
        }
    }

    /// Fetches a token even where one is held: tells whether the credentials still serve.
    pub async fn try_out(&self, app: &App, deadline: Instant) -> Result<(), Error> {
        match self.current(app).await {
            Some(held) => self.renew(app, held.token.clone(), deadline).await.map(drop),
            None => self.get(app, deadline).await.map(drop),
        }
    }

    /// Takes the word of somebody that the token of this name was refused: true if it was the current one, so that
    /// there is another one now. A report on a token that DingTalk has just granted once more changes nothing, so
    /// false reports cost one fetch per pause and do not take the token away.
    pub async fn report(&self, app: &App, fingerprint: &str, deadline: Instant) -> Result<bool, Error> {
        match self.current(app).await {
            Some(held) if held.token.fingerprint() == fingerprint => {
                if self.pause(app).is_some() && self.is_refused(app, fingerprint) {
                    return Ok(false);
                }
                self.discard(app, &held.token).await;
            }
            // Somebody else has reported it, and its successor is on its way.
            None if self.is_refused(app, fingerprint) => {}
            _ => return Ok(false),
        }
        Ok(self.get(app, deadline).await?.fingerprint() != fingerprint)
    }

    /// The token that is held, unless it has expired.
    pub(super) async fn current(&self, app: &App) -> Option<Arc<Held>> {
        self.0.held.get(app.token_key()).await.filter(|held| Instant::now() < held.expires_at)
    }

    /// Whether the token of this name was refused, and no other has come since.
    fn is_refused(&self, app: &App, fingerprint: &str) -> bool {
        let setbacks = self.setbacks();
        let refused = setbacks.get(app.token_key()).and_then(|setback| setback.refused.as_ref());
        refused.is_some_and(|refused| refused.fingerprint() == fingerprint)
    }

    /// Fetches a token in the place of this one, which stays in use until then, and if the fetch fails. One fetch for
    /// all who want another than this.
    async fn renew(&self, app: &App, seen: Token, deadline: Instant) -> Result<Lent, Error> {
        let (tokens, app) = (self.clone(), app.clone());
        let renewal = async move {
            let entry = tokens.0.held.entry(app.token_key().clone());
            let renewed = entry
                .and_try_compute_with(async |entry| match entry {
                    Some(entry) if entry.value().token != seen => Ok(Op::Nop),
                    _ => tokens.fetch(&app).await.map(Op::Put),
                })
                .await?;
            match renewed {
                CompResult::Inserted(entry)
                | CompResult::ReplacedWith(entry)
                | CompResult::Unchanged(entry) => Ok(entry.into_value().lend()),
                CompResult::Removed(_) | CompResult::StillNone(_) => Err(Error::TokenRejected),
            }
        };
        // In a task of its own, so that it goes on when the first who waits leaves.
        match timeout_at(deadline, tokio::spawn(renewal.followed())).await {
            Ok(Ok(renewed)) => renewed,
            Ok(Err(_)) => Err(Error::Request("the token fetch stopped".to_owned())),
            Err(_) => Err(Error::DeadlineExceeded { applied: Applied::No }),
        }
    }
}

impl Held {
    pub(super) fn expires_in(&self) -> Duration {
        self.expires_at.saturating_duration_since(Instant::now())
    }

    fn lend(&self) -> Lent {
        Lent { token: self.token.clone(), expires_in: self.expires_in() }
    }
}
