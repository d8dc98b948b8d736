//! How much DingTalk takes from whom: calls per second, minute and month, and the ban of an address that sends too much.

mod gate;
mod months;
mod refusal;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::gate::{Gate, Moment};
pub(crate) use self::refusal::{Refusal, banned};
use crate::reference;

/// The limits in force; what is `None` is not limited. Calls for tokens fall under that of the address alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Calls of one app to one operation within any second.
    pub app_per_second: Option<u32>,
    /// The same for single operations, by id.
    pub app_per_second_of: BTreeMap<String, u32>,
    /// Calls of one app to one operation within any minute.
    pub app_per_minute: Option<u32>,
    /// Calls of all apps to one operation within any second.
    pub platform_per_second: Option<u32>,
    /// Calls of all apps of an organization in a calendar month of Asia/Shanghai. Calls that were refused by a limit
    /// or did not get through are not counted.
    pub organization_per_month: Option<u64>,
    /// Events pushed to all apps of an organization in such a month; repeats of a push are not counted.
    pub pushes_per_month: Option<u64>,
    /// Calls from one address within any 20 seconds; with one more it is banned.
    pub address_per_20_seconds: Option<u32>,
    /// How long a ban lasts.
    pub ban_seconds: u64,
    /// What a banned address is answered.
    pub ban_page: BanPage,
}

/// What a banned address is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanPage {
    /// An object with `status` 1111 and `punish` `deny`.
    #[default]
    Json,
    /// A page for people.
    Html,
}

/// One of the limits, as in call records and counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `app_per_second` and `app_per_second_of` of [`Quotas`].
    AppPerSecond,
    /// `app_per_minute` of [`Quotas`].
    AppPerMinute,
    /// `platform_per_second` of [`Quotas`].
    PlatformPerSecond,
    /// `organization_per_month` of [`Quotas`].
    OrganizationPerMonth,
    /// `address_per_20_seconds` of [`Quotas`].
    Address,
}

impl Default for Quotas {
    /// No limits.
    fn default() -> Self {
        Quotas {
            app_per_second: None,
            app_per_second_of: BTreeMap::new(),
            app_per_minute: None,
            platform_per_second: None,
            organization_per_month: None,
            pushes_per_month: None,
            address_per_20_seconds: None,
            ban_seconds: 300,
            ban_page: BanPage::Json,
        }
    }
}

impl Quotas {
    /// What DingTalk publishes for an organization that pays nothing.
    pub fn standard_edition() -> Quotas {
        Quotas {
            app_per_second: Some(20),
            organization_per_month: Some(5000),
            pushes_per_month: Some(3000),
            address_per_20_seconds: Some(10_000),
            ..Quotas::default()
        }
    }

    /// An operation that is limited and does not exist.
    pub(crate) fn unknown_operation(&self) -> Option<&str> {
        self.app_per_second_of.keys().map(String::as_str).find(|id| !reference::is_known(id))
    }

    fn app_per_second(&self, operation: &str) -> Option<u32> {
        self.app_per_second_of.get(operation).copied().or(self.app_per_second)
    }
}
