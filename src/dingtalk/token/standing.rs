//! Where an app stands with its token, for people who look for what is wrong.

use super::*;

/// Where an app stands with its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub state: TokenState,
    /// How long the token that is held lasts.
    pub expires_in: Option<Duration>,
}

/// State of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// None was needed yet.
    None,
    /// There is a valid one.
    Valid,
    /// There is a valid one, and fetching its successor fails.
    RefreshFailing,
    /// There is none, because fetching fails.
    Unavailable,
}

impl<S: TokenSource> Tokens<S> {
    /// How long the token of the app lasts: nothing where one is needed and cannot be had, none where none was
    /// needed yet. Waits for nobody.
    pub fn expires_in(&self, app: &App) -> Option<Duration> {
        let held = self.0.held.iter().find(|(key, _)| **key == *app.token_key());
        let failing = || self.setbacks().contains_key(app.token_key()).then_some(Duration::ZERO);
        held.map(|(_, held)| held.expires_in()).or_else(failing)
    }

    /// Where the app stands. Fetches nothing.
    pub async fn standing(&self, app: &App) -> Standing {
        let expires_in = self.current(app).await.map(|held| held.expires_in());
        let cause = {
            let setbacks = self.setbacks();
            let pause = setbacks.get(app.token_key()).and_then(|setback| setback.pause.as_ref());
            pause.map(|(_, cause)| cause.clone())
        };
        let state = match (expires_in.is_some(), cause.as_deref()) {
            // The fetch went well: DingTalk granted a token again that it had refused, and may have meant it.
            (true, None | Some(Error::TokenRejected)) => TokenState::Valid,
            (true, Some(_)) => TokenState::RefreshFailing,
            (false, Some(_)) => TokenState::Unavailable,
            (false, None) => TokenState::None,
        };
        Standing { state, expires_in }
    }
}
