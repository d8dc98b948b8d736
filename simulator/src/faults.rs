//! Faults on demand: what the next requests of an operation, a share of them, or all of them meet instead of a plain
//! answer.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// Matches every operation.
pub const ANY: &str = "*";

/// What happens to a request. `applied` says whether the request takes effect before it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Waits, then carries on. A client that leaves meanwhile leaves nothing applied.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Applied at once; the answer comes late.
    DelayAfter {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection closes without an answer; nothing is applied.
    DropBefore,
    /// Applied; then the connection closes without an answer.
    DropAfter,
    /// Applied; half of the promised body comes, then the connection closes.
    Truncate,
    /// Any bytes as a body.
    Garbage {
        /// HTTP status.
        status: u16,
        /// The content type to claim.
        content_type: String,
        /// The body: in JSON a string, or a list of byte values.
        #[serde(with = "text_or_bytes")]
        body: Vec<u8>,
        /// Whether the request takes effect.
        #[serde(default)]
        applied: bool,
    },
    /// The HTML error page of DingTalk's edge.
    Html {
        /// HTTP status.
        status: u16,
        /// Whether the request takes effect.
        #[serde(default)]
        applied: bool,
    },
    /// No body at all.
    Empty {
        /// HTTP status.
        status: u16,
        /// Whether the request takes effect.
        #[serde(default)]
        applied: bool,
    },
    /// Valid JSON, followed by as many spaces as make it this long: only a size limit finds it.
    Oversize {
        /// Length of the body.
        bytes: u64,
        /// Whether the request takes effect; the JSON is then the plain answer, otherwise `{}`.
        #[serde(default)]
        applied: bool,
    },
    /// An error in the envelope of the face: `code` and `message`, or `errcode`, `errmsg` and the sub code.
    Error {
        /// HTTP status; 200 is what the legacy face answers.
        status: u16,
        /// `code`, or `errcode` (a number where it reads as one).
        code: String,
        /// The legacy face's `sub_code`.
        #[serde(default)]
        sub_code: Option<String>,
        /// `message`, or `errmsg` (`sub_msg` where there is a sub code).
        #[serde(default)]
        message: String,
        /// Whether the request takes effect.
        #[serde(default)]
        applied: bool,
    },
    /// More requests a second than the app may make of this operation.
    Throttle,
    /// The egress address is banned.
    IpBan,
    /// No answer until the client goes away; nothing is applied.
    Hang,
    /// Every token becomes invalid, just before the request is looked at.
    RevokeTokens,
}

impl Fault {
    /// Whether the request takes effect.
    pub fn applied(&self) -> bool {
        match self {
            Fault::Delay { .. }
            | Fault::DelayAfter { .. }
            | Fault::DropAfter
            | Fault::Truncate
            | Fault::RevokeTokens => true,
            Fault::DropBefore | Fault::Throttle | Fault::IpBan | Fault::Hang => false,
            Fault::Garbage { applied, .. }
            | Fault::Html { applied, .. }
            | Fault::Empty { applied, .. }
            | Fault::Oversize { applied, .. }
            | Fault::Error { applied, .. } => *applied,
        }
    }

    /// The name in call records, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Delay { .. } => "delay",
            Fault::DelayAfter { .. } => "delay_after",
            Fault::DropBefore => "drop_before",
            Fault::DropAfter => "drop_after",
            Fault::Truncate => "truncate",
            Fault::Garbage { .. } => "garbage",
            Fault::Html { .. } => "html",
            Fault::Empty { .. } => "empty",
            Fault::Oversize { .. } => "oversize",
            Fault::Error { .. } => "error",
            Fault::Throttle => "throttle",
            Fault::IpBan => "ip_ban",
            Fault::Hang => "hang",
            Fault::RevokeTokens => "revoke_tokens",
        }
    }

    /// The status to answer with, where it is none that can end a request.
    pub(crate) fn bad_status(&self) -> Option<u16> {
        match self {
            Fault::Garbage { status, .. }
            | Fault::Html { status, .. }
            | Fault::Empty { status, .. }
            | Fault::Error { status, .. } => Some(*status).filter(|status| !(200..=999).contains(status)),
            _ => None,
        }
    }
}

/// A fault that waits for its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// An operation id, `unknown`, or [`ANY`].
    pub operation: String,
    /// For how many requests.
    #[serde(default = "once")]
    pub times: u32,
    /// What they meet.
    pub fault: Fault,
}

/// A fault that meets a share of the requests, drawn by lot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// An operation id, `unknown`, or [`ANY`].
    pub operation: String,
    /// Of the requests of the operation, from 0 to 1. Each request meets one fault at most.
    pub share: f64,
    /// What they meet.
    pub fault: Fault,
}

impl Chance {
    fn concerns(&self, operation: &str) -> bool {
        self.operation == operation || self.operation == ANY
    }
}

/// The first of the chances whose shares cannot be had: an operation has no more than all of its requests.
pub(crate) fn impossible(chances: &[Chance]) -> Option<&Chance> {
    chances.iter().find(|one| {
        let shares = chances.iter().filter(|other| other.concerns(&one.operation)).map(|other| other.share);
        !(0.0..=1.0).contains(&one.share) || shares.sum::<f64>() > 1.0 + f64::EPSILON
    })
}

/// The faults in waiting. An outage comes before what is planned, first come first served, and that before chance.
#[derive(Debug)]
pub(crate) struct Faults {
    outages: Vec<(String, Fault)>,
    planned: VecDeque<Planned>,
    chances: Vec<Chance>,
    random: StdRng,
}

impl Default for Faults {
    fn default() -> Self {
        let random = StdRng::seed_from_u64(0);
        Faults { outages: Vec::new(), planned: VecDeque::new(), chances: Vec::new(), random }
    }
}

impl Faults {
    /// Replaces all chances. The same seed draws the same faults for the same sequence of requests.
    pub(crate) fn set_chances(&mut self, seed: u64, chances: Vec<Chance>) {
        self.random = StdRng::seed_from_u64(seed);
        self.chances = chances;
    }

    pub(crate) fn chances(&self) -> &[Chance] {
        &self.chances
    }

    /// From now on every request of `operation` meets `fault`.
    pub(crate) fn start_outage(&mut self, operation: &str, fault: Fault) {
        self.outages.retain(|(other, _)| other != operation);
        self.outages.push((operation.to_owned(), fault));
    }

    pub(crate) fn end_outages(&mut self) {
        self.outages.clear();
    }

    pub(crate) fn plan(&mut self, planned: Planned) {
        if planned.times > 0 {
            self.planned.push_back(planned);
        }
    }

    /// The fault for a request of `operation`, if one is due: each request takes one.
    pub(crate) fn take(&mut self, operation: &str) -> Option<Fault> {
        let mut outages = self.outages.iter();
        if let Some((_, fault)) = outages.find(|(other, _)| other == operation || other == ANY) {
            return Some(fault.clone());
        }
        self.take_planned(operation).or_else(|| self.draw(operation))
    }

    fn draw(&mut self, operation: &str) -> Option<Fault> {
        if !self.chances.iter().any(|chance| chance.concerns(operation)) {
            return None;
        }
        let mut lot: f64 = self.random.random();
        for chance in self.chances.iter().filter(|chance| chance.concerns(operation)) {
            if lot < chance.share {
                return Some(chance.fault.clone());
            }
            lot -= chance.share;
        }
        None
    }

    fn take_planned(&mut self, operation: &str) -> Option<Fault> {
        let matches = |planned: &Planned| planned.operation == operation || planned.operation == ANY;
        let index = self.planned.iter().position(matches)?;
        let planned = &mut self.planned[index];
        let fault = planned.fault.clone();
        planned.times -= 1;
        if planned.times == 0 {
            self.planned.remove(index);
        }
        Some(fault)
    }

    pub(crate) fn list(&self) -> Vec<Planned> {
        self.planned.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.outages.clear();
        self.planned.clear();
        self.chances.clear();
    }
}

fn once() -> u32 {
    1
}

mod text_or_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Body {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let body = match std::str::from_utf8(body) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Bytes(body.to_owned()),
        };
        body.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Body::deserialize(deserializer)? {
            Body::Text(text) => text.into_bytes(),
            Body::Bytes(bytes) => bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_the_order_they_were_planned() {
        let mut faults = Faults::default();
        let plan = |operation: &str, times, fault| Planned { operation: operation.into(), times, fault };
        faults.plan(plan("group.create", 2, Fault::Throttle));
        faults.plan(plan(ANY, 1, Fault::Hang));
        faults.plan(plan("group.create", 0, Fault::IpBan));
        assert_eq!(faults.take("group.create"), Some(Fault::Throttle));
        assert_eq!(faults.take("group.update"), Some(Fault::Hang));
        assert_eq!(faults.take("group.create"), Some(Fault::Throttle));
        assert_eq!(faults.take("group.create"), None);
    }

    #[test]
    fn chance_spoils_the_share_it_is_told_and_the_same_requests_each_time() {
        let chance = |operation: &str, share, fault| Chance { operation: operation.into(), share, fault };
        let chances = vec![chance(ANY, 0.2, Fault::DropAfter), chance("group.create", 0.1, Fault::Hang)];
        let draw = |seed| {
            let mut faults = Faults::default();
            faults.set_chances(seed, chances.clone());
            (0..10_000).map(|_| faults.take("group.create")).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        let share = |fault: Fault| drawn.iter().flatten().filter(|drawn| **drawn == fault).count();
        assert!((1_900..2_100).contains(&share(Fault::DropAfter)), "{}", share(Fault::DropAfter));
        assert!((900..1_100).contains(&share(Fault::Hang)), "{}", share(Fault::Hang));
        assert!(drawn == draw(7) && drawn != draw(8));
        assert_eq!(impossible(&chances), None);
        let too_much = [chance(ANY, 0.6, Fault::Hang), chance("group.create", 0.5, Fault::Hang)];
        assert_eq!(impossible(&too_much), Some(&too_much[1]));
    }

    #[test]
    fn a_fault_reads_and_writes_the_same_json() {
        let json =
            r#"{"kind":"garbage","status":200,"content_type":"text/plain","body":[255,0],"applied":false}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&fault).unwrap(), json);
        let text = json.replace("[255,0]", "\"<>\"");
        let fault: Fault = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&fault).unwrap(), text);
    }
}
