//! Access tokens: one per app, whichever endpoint it came from. Fetching again while it is valid answers the same
//! token and extends it; afterwards there is a new one.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::Issued;

pub(super) struct Tokens {
    pub(super) lifetime: Duration,
    by_app: HashMap<String, Token>,
}

struct Token {
    value: String,
    expires_at: Instant,
}

// By hand, so that no token gets into a log or a panic.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn new(lifetime: Duration) -> Tokens {
        Tokens { lifetime, by_app: HashMap::new() }
    }

    pub(super) fn issue(&mut self, app_key: &str) -> Issued {
        let now = Instant::now();
        let valid = self.by_app.get(app_key).filter(|token| now < token.expires_at);
        let value = valid.map_or_else(|| Uuid::new_v4().simple().to_string(), |token| token.value.clone());
        let token = Token { value: value.clone(), expires_at: now + self.lifetime };
        self.by_app.insert(app_key.to_owned(), token);
        Issued { token: value, seconds: self.lifetime.as_secs() }
    }

    pub(super) fn app_of(&self, value: &str) -> Option<&str> {
        let now = Instant::now();
        let (app_key, _) =
            self.by_app.iter().find(|(_, token)| token.value == value && now < token.expires_at)?;
        Some(app_key)
    }

    pub(super) fn is_held_by(&self, app_key: &str) -> bool {
        self.by_app.get(app_key).is_some_and(|token| Instant::now() < token.expires_at)
    }

    pub(super) fn revoke(&mut self) {
        self.by_app.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refetch_extends_the_same_token_and_expiry_brings_a_new_one() {
        let mut tokens = Tokens::new(Duration::from_secs(7200));
        let first = tokens.issue("app").token;
        tokio::time::advance(Duration::from_secs(7000)).await;
        assert_eq!(tokens.issue("app").token, first);
        tokio::time::advance(Duration::from_secs(7000)).await;
        assert_eq!(tokens.app_of(&first), Some("app"), "extended by the second fetch");
        tokio::time::advance(Duration::from_secs(200)).await;
        assert_eq!(tokens.app_of(&first), None);
        assert_ne!(tokens.issue("app").token, first);
    }
}
