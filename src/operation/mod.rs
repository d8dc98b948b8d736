//! One file per upstream operation: wire names, limits, quirks. Data and two conversions, no behaviour.

pub mod group;
pub mod id;
mod lenient;

use crate::dingtalk::{Endpoint, Spec, token_endpoint};

/// Every operation the gateway can call.
pub const ALL: &[&Spec] = &[
    token_endpoint::AccessToken::SPEC,
    token_endpoint::CorpToken::SPEC,
    token_endpoint::GetToken::SPEC,
    group::CreateGroup::SPEC,
    group::UpdateGroup::SPEC,
    group::GetGroup::SPEC,
    group::SetPrivateChat::SPEC,
    group::GetJoinLink::SPEC,
    group::ResolveGroup::SPEC,
];
