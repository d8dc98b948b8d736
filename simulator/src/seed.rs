//! What the world starts with: organizations, apps, people. Read from JSON; `seeds/demo.json` is an example.

mod rules;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::quotas::Quotas;

pub use self::rules::{Limits, Rules};

/// The world at its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The organizations; corp ids and app keys are unique over all of them.
    pub organizations: Vec<Organization>,
    /// Behaviour that DingTalk's documents leave open.
    #[serde(default)]
    pub rules: Rules,
    /// How many calls are let through; without them, what [`Options::quotas`](crate::Options::quotas) says.
    #[serde(default)]
    pub quotas: Option<Quotas>,
    /// Lifetime of an access token, in seconds.
    #[serde(default = "two_hours")]
    pub token_lifetime_seconds: u64,
}

/// One organization with its apps and people.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// The corp id, as in `/v1.0/oauth2/{corpId}/token`.
    pub corp_id: String,
    /// For people; no rule reads it.
    #[serde(default)]
    pub name: String,
    /// The internal apps of the organization.
    pub apps: Vec<App>,
    /// The employees.
    #[serde(default)]
    pub users: Vec<User>,
    /// People outside the organization who may be members of its groups.
    #[serde(default)]
    pub external_contacts: Vec<ExternalContact>,
    /// Scenario group templates.
    #[serde(default)]
    pub templates: Vec<Template>,
}

/// An internal app.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Client id, formerly app key.
    pub app_key: String,
    /// Client secret.
    pub app_secret: String,
    /// Permission points the organization granted, such as `qyapi_chat_manage`.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Whether DingTalk allow-listed the app for standard groups (`conversationTag` 0).
    #[serde(default)]
    pub standard_groups: bool,
    /// The types of events that are pushed to it, as ticked in the developer console; all of them if left out.
    #[serde(default)]
    pub events: Option<BTreeSet<String>>,
}

// By hand, so that the secret stays out of logs and panics even here.
impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("app_key", &self.app_key)
            .field("permissions", &self.permissions)
            .field("standard_groups", &self.standard_groups)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// An employee.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The id inside the organization.
    pub user_id: String,
    /// The id across organizations.
    pub union_id: String,
    /// For people; no rule reads it.
    #[serde(default)]
    pub name: String,
    /// Whether the user is in the visible range of the organization's apps.
    #[serde(default = "yes")]
    pub visible: bool,
}

/// Somebody outside the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalContact {
    /// The id across organizations.
    pub union_id: String,
    /// For people; no rule reads it.
    #[serde(default)]
    pub name: String,
}

/// A scenario group template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The id as in the developer console.
    pub template_id: String,
    /// For people; no rule reads it.
    #[serde(default)]
    pub name: String,
    /// The app that made it; others may not use it, nor see the groups that have it.
    pub app_key: String,
    /// Whether it is published.
    #[serde(default = "yes")]
    pub online: bool,
    /// Whether the organization is on its grey list.
    #[serde(default = "yes")]
    pub in_gray_list: bool,
    /// Whether its app is installed in the organization.
    #[serde(default = "yes")]
    pub app_installed: bool,
    /// The robots every group with this template has.
    #[serde(default)]
    pub robots: Vec<Robot>,
}

/// A robot of a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robot {
    /// The code as in the developer console.
    pub robot_code: String,
    /// Its userId in the organization.
    pub user_id: String,
    /// Whether it is switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A seed that cannot be used; the text says where and why.
#[derive(Debug, thiserror::Error)]
#[error("seed: {0}")]
pub struct SeedError(String);

impl Seed {
    /// Organization `dingcorpdemo` with app `dingdemo` (secret `demo-secret`), users `manager4220` and `user001` to
    /// `user060`, `hidden001` outside the app's visible range, external contacts `union-ext001` to `union-ext010`,
    /// template `tpl-demo` of that app with robot `robot-demo`.
    pub fn demo() -> Seed {
        Seed::from_json(include_str!("../seeds/demo.json")).expect("the embedded demo seed is valid")
    }

    /// Reads a seed; an unknown key, a wrong type or an id given twice is an error.
    pub fn from_json(text: &str) -> Result<Seed, SeedError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let seed: Seed = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| SeedError(format!("at {}: {}", error.path(), error.inner())))?;
        json.end().map_err(|error| SeedError(error.to_string()))?;
        seed.check()?;
        Ok(seed)
    }

    /// The lifetime of an access token.
    pub(crate) fn token_lifetime(&self) -> Duration {
        Duration::from_secs(self.token_lifetime_seconds)
    }

    fn check(&self) -> Result<(), SeedError> {
        let corps = self.organizations.iter().map(|corp| corp.corp_id.as_str());
        unique("organizations", "corp_id", corps)?;
        if let Some(id) = self.quotas.as_ref().and_then(Quotas::unknown_operation) {
            return Err(SeedError(format!(
                "at quotas.app_per_second_of: no operation \"{id}\" in the reference"
            )));
        }
        let apps = self.organizations.iter().flat_map(|corp| &corp.apps);
        unique("organizations.apps", "app_key", apps.map(|app| app.app_key.as_str()))?;
        for (index, corp) in self.organizations.iter().enumerate() {
            let at = |list: &str| format!("organizations[{index}].{list}");
            unique(&at("users"), "user_id", corp.users.iter().map(|user| user.user_id.as_str()))?;
            let people = corp.users.iter().map(|user| user.union_id.as_str());
            let people = people.chain(corp.external_contacts.iter().map(|contact| contact.union_id.as_str()));
            unique(&at("users and external_contacts"), "union_id", people)?;
            let templates = corp.templates.iter().map(|template| template.template_id.as_str());
            unique(&at("templates"), "template_id", templates)?;
            let robots = corp.templates.iter().flat_map(|template| &template.robots);
            unique(&at("templates.robots"), "robot_code", robots.map(|robot| robot.robot_code.as_str()))?;
        }
        Ok(())
    }
}

fn unique<'a>(list: &str, field: &str, ids: impl Iterator<Item = &'a str>) -> Result<(), SeedError> {
    let mut seen = HashSet::new();
    for id in ids {
        if id.is_empty() {
            return Err(SeedError(format!("at {list}: an empty {field}")));
        }
        if !seen.insert(id) {
            return Err(SeedError(format!("at {list}: {field} \"{id}\" is given twice")));
        }
    }
    Ok(())
}

fn two_hours() -> u64 {
    7200
}

fn yes() -> bool {
    true
}
