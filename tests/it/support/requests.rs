//! Requests that are not only made here: the benchmarks in `benches/` include this file.

use dinggate::pb::group as pb;

/// A valid request: `manager4220` owns the group, `user001` and `user002` are in it.
pub fn new_group(title: &str) -> pb::CreateGroupRequest {
    pb::CreateGroupRequest {
        title: title.to_owned(),
        owner: Some(user("manager4220")),
        members: vec![user("user001"), user("user002")],
        kind: Some(pb::create_group_request::Kind::Internal(pb::InternalGroup {})),
        ..Default::default()
    }
}

pub fn user(id: &str) -> pb::MemberRef {
    pb::MemberRef { id: Some(pb::member_ref::Id::UserId(id.to_owned())) }
}
