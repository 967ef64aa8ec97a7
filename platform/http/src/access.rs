//! Who calls: the one place that turns a request into a [`Caller`].
use crate::problem::Refused;
use axum::http::{HeaderMap, StatusCode};
use jumun_model::Caller;

/// How callers are known (`auth`). Tokens and a JWT issuer become variants of their own; nothing else asks who somebody is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody may do everything: for a listener on loopback.
    #[default]
    Open,
}

impl Access {
    /// The caller of a request; `roles` are all that the table names.
    pub(crate) fn caller(self, _headers: &HeaderMap, roles: &[&'static str]) -> Result<Caller, Refused> {
        match self {
            Access::Open => Ok(Caller { name: "anonymous".into(), roles: roles.iter().map(|role| (*role).into()).collect() }),
        }
    }
}

/// Whether this caller may use a line of that role.
pub(crate) fn may(caller: &Caller, role: &str) -> Result<(), Refused> {
    if caller.roles.iter().any(|has| has == role) {
        return Ok(());
    }
    let detail = format!("this takes the role {role}");
    Err(Refused::plain(StatusCode::FORBIDDEN, "forbidden", detail).with("role", role))
}
