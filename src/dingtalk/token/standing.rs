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

/// How long the tokens of all apps lasted when it was looked.
#[derive(Debug)]
pub struct Lasting(HashMap<Arc<TokenKey>, Duration>);

impl Lasting {
    /// The token of this app: nothing where one is needed and cannot be had, none where none was needed yet.
    pub fn of(&self, app: &App) -> Option<Duration> {
        self.0.get(app.token_key()).copied()
    }
}

impl<S: TokenSource> Tokens<S> {
    /// How long tokens last. Waits for nobody, and so goes through all that are held: once, however many apps ask.
    pub fn lasting(&self) -> Lasting {
        let missing: Vec<_> = self.setbacks().keys().map(|key| (key.clone(), Duration::ZERO)).collect();
        let held = self.0.held.iter().map(|(key, held)| ((*key).clone(), held.expires_in()));
        Lasting(missing.into_iter().chain(held).collect())
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
