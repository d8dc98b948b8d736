//! `role`, as every call that sets admins has it.

use serde::Serialize;

/// What a member becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum Role {
    /// An admin.
    Admin,
    /// An ordinary member.
    Member,
}

impl From<Role> for u8 {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => 2,
            Role::Member => 3,
        }
    }
}
