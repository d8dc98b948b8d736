//! The scripts, each with what all begin with.

use redis::Script;

/// One script for each step that must not be interrupted.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) reserve: Script,
    pub(super) extend: Script,
    pub(super) give_back: Script,
    pub(super) uncount: Script,
    pub(super) pause: Script,
    pub(super) usage: Script,
    pub(super) beat: Script,
    pub(super) resume: Script,
    pub(super) claim: Script,
    pub(super) renew: Script,
    pub(super) sent: Script,
    pub(super) finish: Script,
    pub(super) forget: Script,
    pub(super) append: Script,
    pub(super) read: Script,
    pub(super) acquire: Script,
    pub(super) hold: Script,
    pub(super) release: Script,
}

macro_rules! script {
    ($($name:literal),+) => {
        Script::new(concat!(
            include_str!("lua/common.lua"),
            $(include_str!(concat!("lua/", $name, ".lua"))),+
        ))
    };
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            reserve: script!("reserve"),
            extend: script!("extend"),
            give_back: script!("give_back"),
            uncount: script!("uncount"),
            pause: script!("pause"),
            usage: script!("usage"),
            beat: script!("beat"),
            resume: script!("resume"),
            claim: script!("claim"),
            renew: script!("renew"),
            sent: script!("sent"),
            finish: script!("finish"),
            forget: script!("forget"),
            append: script!("log_head", "append"),
            read: script!("log_head", "read"),
            acquire: script!("acquire"),
            hold: script!("hold"),
            release: script!("release"),
        }
    }
}
