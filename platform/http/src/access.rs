//! Who calls: the one place that turns a request into a [`Caller`].
#[cfg(feature = "jwt")]
use crate::jwt::Issuer;
use crate::{locale::Phrases, problem::Refused, wire::single};
use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
};
use jumun_model::Caller;
use jumun_runtime::door::{Sees, Sight};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq;

/// How callers are known (`auth`). Nothing else asks who somebody is.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everybody may do everything: for a listener on loopback.
    #[default]
    Open,
    /// Everybody says who they are, by a bearer token.
    Known(Arc<Known>),
}

/// Those who are known: by a token of their own, or by one that an issuer signed.
#[derive(Debug, Default)]
pub struct Known {
    tokens: Vec<Token>,
    #[cfg(feature = "jwt")]
    issuer: Option<Issuer>,
}
struct Token {
    secret: String,
    caller: Caller,
}
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} by a token", self.caller)
    }
}

/// Below this many characters a token can be guessed.
const LEAST: usize = 16;
/// Names that are nobody's: the platform's own, and that of everybody where access is open.
const NOBODYS: [&str; 2] = ["system", "anonymous"];

impl Known {
    /// Whoever brings this token has that name and those roles.
    ///
    /// # Errors
    /// One sentence, without the token: it is too short, can not stand in a header, or is another's, or the name is nobody's.
    pub fn token(mut self, secret: &str, name: &str, roles: Vec<String>) -> Result<Self, String> {
        if secret.len() < LEAST || !is_token(secret) {
            return Err(format!("the token of {name} must be {LEAST} or more of the characters A-Z a-z 0-9 - . _ ~ + / ="));
        }
        if self.tokens.iter().any(|known| known.secret == secret) {
            return Err(format!("the token of {name} is another's too"));
        }
        let caller = caller(name, roles).ok_or_else(|| format!("{name:?} is no name of a caller"))?;
        self.tokens.push(Token { secret: secret.to_owned(), caller });
        Ok(self)
    }
    /// Whoever brings a token of this issuer is who it says.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn issuer(self, issuer: Issuer) -> Self {
        Known { issuer: Some(issuer), ..self }
    }

    async fn caller(&self, secret: &str) -> Result<Caller, Refused> {
        // each is compared whole, and all of them: how long it takes tells nothing of how near a guess is
        let same = |token: &Token| bool::from(token.secret.as_bytes().ct_eq(secret.as_bytes()));
        let found = self.tokens.iter().fold(None, |found, token| if same(token) { Some(&token.caller) } else { found });
        match found {
            Some(caller) => Ok(caller.clone()),
            #[cfg(feature = "jwt")]
            None if let Some(issuer) = &self.issuer => issuer.caller(secret).await,
            None => Err(Refused::unknown_token()),
        }
    }
}

/// A caller by that name, unless it is nobody's.
pub(crate) fn caller(name: &str, roles: Vec<String>) -> Option<Caller> {
    let is_one = !name.trim().is_empty() && !NOBODYS.contains(&name);
    is_one.then(|| Caller { name: name.to_owned().into(), roles: roles.into_iter().map(Into::into).collect() })
}

impl Access {
    /// Those who are known, and nobody else.
    pub fn known(known: Known) -> Self {
        Access::Known(Arc::new(known))
    }
    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        matches!(self, Access::Open)
    }
    /// Where access is open nothing tells the reader of a page from the page: what a page of another site makes a browser send changes
    /// nothing (Fetch Metadata, `Sec-Fetch-Site`). A token is brought by no browser on its own.
    pub(crate) fn lured(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        let from_afar = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
        if !self.is_open() || !from_afar || matches!(*method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        let detail = "a page of another site may change nothing here".to_owned();
        Err(Refused::plain(StatusCode::FORBIDDEN, "foreign-page", detail))
    }
    /// The caller of a request; where access is open, one with `all` these roles.
    ///
    /// # Errors
    /// 401: the request brings no token, or one that is not known or not valid any more. 503: nobody can say now.
    pub async fn caller(&self, headers: &HeaderMap, all: &[&'static str]) -> Result<Caller, Refused> {
        match self {
            Access::Open => Ok(Caller { name: "anonymous".into(), roles: all.iter().map(|role| (*role).into()).collect() }),
            Access::Known(known) => known.caller(bearer(headers)?).await,
        }
    }
}

/// The token of a request (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refused> {
    let Some(says) = single(headers, "authorization")? else { return Err(Refused::no_token()) };
    let (scheme, token) = says.split_once(' ').unwrap_or((says, ""));
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && is_token(token)).ok_or_else(Refused::no_token)
}
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

impl Refused {
    fn challenge(code: &'static str, detail: &str, challenge: &'static str) -> Self {
        let no = Refused::plain(StatusCode::UNAUTHORIZED, code, detail.to_owned());
        no.saying(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
    fn no_token() -> Self {
        let detail = "say who you are: Authorization: Bearer and your token";
        Refused::challenge("unauthenticated", detail, "Bearer realm=\"jumun\"")
    }
    pub(crate) fn unknown_token() -> Self {
        let challenge = "Bearer realm=\"jumun\", error=\"invalid_token\"";
        Refused::challenge("bad-token", "this token is not known here", challenge)
    }
    #[cfg(feature = "jwt")]
    pub(crate) fn expired_token() -> Self {
        let challenge = "Bearer realm=\"jumun\", error=\"invalid_token\", error_description=\"expired\"";
        Refused::challenge("expired-token", "this token has expired", challenge)
    }
}

/// Whether this caller may use a line for those roles.
pub(crate) fn may(caller: &Caller, roles: &[&str]) -> Result<(), Refused> {
    if roles.iter().any(|role| caller.has(role)) { Ok(()) } else { Err(takes(roles)) }
}

/// Whether this caller may look at a collection.
pub(crate) fn may_look(caller: &Caller, sight: &Sight) -> Result<(), Refused> {
    if sight.of(caller) == Sees::Nothing { Err(takes(&sight.roles().collect::<Vec<_>>())) } else { Ok(()) }
}
fn takes(roles: &[&str]) -> Refused {
    let role = roles.join(" or ");
    Refused::plain(StatusCode::FORBIDDEN, "forbidden", format!("this takes the role {role}")).with("role", role)
}

/// These routes for callers of that role alone; who it is goes with the request, as an extension of the type [`Caller`].
pub fn guarded(router: Router, access: &Access, role: &'static str) -> Router {
    let (access, phrases) = (access.clone(), Arc::new(Phrases::platform()));
    router.layer(from_fn(move |mut request: Request, next: Next| {
        let (access, phrases) = (access.clone(), Arc::clone(&phrases));
        async move {
            let by = match access.lured(request.method(), request.headers()) {
                Ok(()) => access.caller(request.headers(), &[role]).await,
                Err(no) => Err(no),
            };
            match by.and_then(|by| may(&by, &[role]).map(|()| by)) {
                Ok(by) => {
                    request.extensions_mut().insert(by);
                    next.run(request).await
                }
                Err(no) => no.answer(&phrases, request.headers()),
            }
        }
    }))
}
