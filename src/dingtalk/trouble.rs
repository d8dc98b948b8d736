//! The last error of each app's calls to DingTalk, for people who look for what is wrong.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use super::{app::App, endpoint::Spec, error::Error};

/// A call that failed.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Which operation.
    pub spec: &'static Spec,
    /// How.
    pub error: Error,
    /// When.
    pub at: SystemTime,
}

/// The last one of each app, by alias. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Troubles(Arc<Mutex<HashMap<String, Trouble>>>);

impl Troubles {
    pub(super) fn note(&self, app: &App, spec: &'static Spec, error: &Error) {
        let trouble = Trouble { spec, error: error.clone(), at: SystemTime::now() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(app.alias().to_owned(), trouble);
    }

    pub(super) fn last(&self, app: &App) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(app.alias()).cloned()
    }
}
