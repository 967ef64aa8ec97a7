//! Tokens that an issuer signed: its keys, and what has to be true of a token.
use crate::{access::caller, problem::Refused};
use axum::{
    body::Bytes,
    http::{StatusCode, Uri},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, builderstates::WantsSchemes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use jumun_model::{Caller, Timestamp};
use jumun_runtime::Clock;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::Mutex;

/// How far the issuer's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(30);
/// How often keys are fetched at the most, whatever kids are asked for.
const AT_MOST: Duration = Duration::from_secs(60);
/// When keys are fetched again all the same: the issuer may have withdrawn one.
const RENEWED: Duration = Duration::from_secs(60 * 60);
/// How long keys are good for while the issuer does not answer.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long fetching them may take, and how large they may be.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 1 << 20;

/// Whose tokens are believed: `auth.jwt`.
pub struct Issuer {
    name: String,
    audience: String,
    roles: String,
    keys: Keys,
    clock: Arc<dyn Clock>,
}
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.name, self.audience)
    }
}

/// The keys of an issuer (JWKS), held in memory. They are fetched when the first token comes, when a token names a key that is not
/// among them, and every hour; never more than once a minute. While that fails, those that are held are good for a day.
pub struct Keys {
    from: From,
    held: RwLock<Held>,
    fetching: Mutex<()>,
}
enum From {
    File(PathBuf),
    Url(Box<(Uri, Client<HttpsConnector<HttpConnector>, Empty<Bytes>>)>),
}
impl From {
    fn url(uri: Uri, trusting: HttpsConnectorBuilder<WantsSchemes>) -> Self {
        let connector = trusting.https_or_http().enable_http1().build();
        From::Url(Box::new((uri, Client::builder(TokioExecutor::new()).build(connector))))
    }
}
#[derive(Clone, Default)]
struct Held {
    keys: Arc<BTreeMap<String, (Algorithm, DecodingKey)>>,
    /// When they were fetched last, and when that was tried.
    fetched: Option<Duration>,
    tried: Option<Duration>,
}

impl Held {
    fn key(&self, kid: Option<&str>) -> Option<(Algorithm, DecodingKey)> {
        let found = match kid {
            Some(kid) => self.keys.get(kid),
            None => self.keys.values().next().filter(|_| self.keys.len() == 1),
        };
        found.cloned()
    }
}

impl Issuer {
    /// Tokens of `name` (their `iss`) for `audience` (among their `aud`), signed with one of `keys` by RS256, ES256 or EdDSA. The caller is their
    /// `sub`; what it may do is in the claim `roles`: a list, or words with blanks between them. A claim in a claim has a dot in its name.
    pub fn new(name: String, audience: String, roles: String, keys: Keys, clock: Arc<dyn Clock>) -> Self {
        Issuer { name, audience, roles, keys, clock }
    }

    pub(crate) async fn caller(&self, token: &str) -> Result<Caller, Refused> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::unknown_token())?;
        if header.crit.is_some() {
            return Err(Refused::unknown_token()); // there is an extension that has to be understood, and we know none
        }
        let (algorithm, key) = self.keys.find(header.kid.as_deref(), &*self.clock).await?;
        let mut wanted = Validation::new(algorithm);
        wanted.set_issuer(&[&self.name]);
        wanted.set_audience(&[&self.audience]);
        wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        wanted.validate_exp = false; // by our own clock, below
        let claims = jsonwebtoken::decode::<Value>(token, &key, &wanted).map_err(|why| match why.kind() {
            ErrorKind::ExpiredSignature => Refused::expired_token(),
            _ => Refused::unknown_token(),
        })?;
        let claims = claims.claims;
        let (exp, nbf) = (moment(&claims["exp"]), moment(&claims["nbf"]));
        let now = self.clock.now();
        if exp.ok_or_else(Refused::unknown_token)? + LEEWAY <= now {
            return Err(Refused::expired_token());
        }
        if !claims["nbf"].is_null() && nbf.is_none_or(|nbf| nbf > now + LEEWAY) {
            return Err(Refused::unknown_token());
        }
        let name = claims["sub"].as_str().unwrap_or_default();
        caller(name, roles(&claims, &self.roles)).ok_or_else(Refused::unknown_token)
    }
}

/// Seconds since 1970, with or without a fraction.
fn moment(claim: &Value) -> Option<Timestamp> {
    let seconds = claim.as_f64().filter(|seconds| (0.0..=1e12).contains(seconds))?;
    Some(Timestamp::from_millis((seconds * 1000.0) as i64))
}
fn roles(claims: &Value, claim: &str) -> Vec<String> {
    let found = claims.get(claim).or_else(|| claim.split('.').try_fold(claims, |claims, part| claims.get(part)));
    match found {
        Some(Value::Array(roles)) => roles.iter().filter_map(|role| role.as_str().map(str::to_owned)).collect(),
        Some(Value::String(roles)) => roles.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

impl Keys {
    /// Of a file, or an `http:` or `https:` URL.
    ///
    /// # Errors
    /// One sentence: the file can not be read or holds no usable key, or the system has no certificates to trust.
    pub fn at(place: &str) -> Result<Self, String> {
        let uri = place.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let from = match uri {
            None => From::File(PathBuf::from(place)),
            Some(uri) => {
                let trusting = HttpsConnectorBuilder::new().with_native_roots();
                From::url(uri, trusting.map_err(|why| format!("there are no certificates to trust: {why}"))?)
            }
        };
        let keys = Keys::from(from);
        if let From::File(path) = &keys.from {
            // at once, so that what is wrong is said at the start
            let text = std::fs::read(path).map_err(|why| format!("the keys in {place} can not be read: {why}"))?;
            usable(&text).map_err(|why| format!("the keys in {place} are of no use: {why}"))?;
        }
        Ok(keys)
    }

    fn from(from: From) -> Self {
        Keys { from, held: RwLock::default(), fetching: Mutex::new(()) }
    }
    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn hold(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The key of that id; a token that names none means the only one.
    async fn find(&self, kid: Option<&str>, clock: &dyn Clock) -> Result<(Algorithm, DecodingKey), Refused> {
        let younger = |held: &Held, than| held.fetched.is_some_and(|at| clock.elapsed() < at + than);
        let held = self.held();
        if let Some(found) = held.key(kid)
            && younger(&held, RENEWED)
        {
            return Ok(found);
        }
        let held = self.renewed(clock).await;
        match held.key(kid) {
            Some(found) if younger(&held, OLDEST) => Ok(found),
            None if younger(&held, OLDEST) => Err(Refused::unknown_token()),
            _ => {
                let detail = "this can not be answered now; please try again".to_owned();
                Err(Refused::plain(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail))
            }
        }
    }
    /// The keys, fetched again unless somebody else has just done that.
    async fn renewed(&self, clock: &dyn Clock) -> Held {
        let _mine = self.fetching.lock().await; // whoever waited here finds what the first has fetched
        if self.held().tried.is_none_or(|at| clock.elapsed() >= at + AT_MOST) {
            self.hold(|held| held.tried = Some(clock.elapsed()));
            match self.fetch().await {
                Ok(keys) => self.hold(|held| (held.keys, held.fetched) = (Arc::new(keys), Some(clock.elapsed()))),
                Err(why) => tracing::warn!(%why, "the issuer's keys can not be fetched"),
            }
        }
        self.held()
    }

    async fn fetch(&self) -> Result<BTreeMap<String, (Algorithm, DecodingKey)>, String> {
        match &self.from {
            From::File(path) => usable(&std::fs::read(path).map_err(|why| why.to_string())?),
            From::Url(there) => {
                let (uri, client) = &**there;
                let fetched = async {
                    let answer = client.get(uri.clone()).await.map_err(|why| why.to_string())?;
                    if answer.status() != StatusCode::OK {
                        return Err(format!("it answered {}", answer.status()));
                    }
                    let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|why| why.to_string())?;
                    usable(&body.to_bytes())
                };
                tokio::time::timeout(PATIENCE, fetched).await.map_err(|_| "it does not answer".to_owned())?
            }
        }
    }
}

/// The keys that we take signatures by. What a token says of its algorithm never decides: its key does.
fn usable(text: &[u8]) -> Result<BTreeMap<String, (Algorithm, DecodingKey)>, String> {
    let set: JwkSet = serde_json::from_slice(text).map_err(|why| format!("it is no set of keys: {why}"))?;
    let key = |jwk: &Jwk| {
        let (algorithm, named) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            _ => return None,
        };
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let fits = jwk.common.key_algorithm.as_ref().is_none_or(|algorithm| *algorithm == named);
        let key = DecodingKey::from_jwk(jwk).ok().filter(|_| signs && fits)?;
        Some((jwk.common.key_id.clone().unwrap_or_default(), (algorithm, key)))
    };
    let keys: BTreeMap<_, _> = set.keys.iter().filter_map(key).collect();
    if keys.is_empty() { Err("none is for RS256, ES256 or EdDSA".to_owned()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests;
