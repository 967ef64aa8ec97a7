//! Tokens of an issuer, good and bad, as a door meets them.
use super::*;
use crate::{
    access::{Access, Known},
    toy::Home,
};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa, signature as sign,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Request},
    routing::get,
};
use futures_util::StreamExt;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use jsonwebtoken::{EncodingKey, Header};
use jumun_runtime::TokioClock;
use serde_json::json;
use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};
use tower::ServiceExt;

const ISSUER: &str = "https://issuer.example/";
/// In seconds since 1970.
const NOW: u64 = 1_800_000_000;

/// A key of the issuer's: how it is called, and how it signs.
struct Pen(&'static str, Algorithm, EncodingKey);
impl Pen {
    fn new(kid: &'static str, algorithm: Algorithm) -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let key = match algorithm {
            Algorithm::RS256 => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
                let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
                EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]) // within it is PKCS #1
            }
            Algorithm::ES256 => {
                let kind = &sign::ECDSA_P256_SHA256_FIXED_SIGNING;
                EncodingKey::from_ec_der(sign::EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap().as_ref())
            }
            _ => EncodingKey::from_ed_der(sign::Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref()),
        };
        Pen(kid, algorithm, key)
    }
    fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.2, self.1).unwrap();
        jwk.common.key_id = Some(self.0.to_owned());
        json!(jwk)
    }
    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.0.to_owned()), ..Header::new(self.1) };
        jsonwebtoken::encode(&header, claims, &self.2).unwrap()
    }
}
static EC: LazyLock<Pen> = LazyLock::new(|| Pen::new("ec", Algorithm::ES256));

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": ["mall", "other"], "sub": "kim", "exp": NOW + 600, "roles": ["customer", "guest"] })
}
fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}
fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::at(Timestamp::from_millis(NOW as i64 * 1000)))
}
fn of(keys: Keys, roles: &str) -> Access {
    Access::known(Known::default().issuer(Issuer::new(ISSUER.into(), "mall".into(), roles.into(), keys, clock())))
}
/// Keys in a file.
fn filed(pens: &[&Pen]) -> Keys {
    let file = tempfile::NamedTempFile::new().unwrap();
    let keys = pens.iter().map(|pen| pen.public()).collect::<Vec<_>>();
    std::fs::write(file.path(), json!({ "keys": keys }).to_string()).unwrap();
    let keys = Keys::at(file.path().to_str().unwrap()).unwrap();
    file.keep().unwrap();
    keys
}
async fn call(access: &Access, token: &str) -> Result<Caller, (u16, &'static str)> {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    let headers = HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, value)]);
    access.caller(&headers, &[]).await.map_err(|no| (no.status.as_u16(), no.code))
}
const BAD: Result<Caller, (u16, &str)> = Err((401, "bad-token"));

#[tokio::test(start_paused = true)]
async fn a_token_that_the_issuer_signed_says_who_it_is_and_what_they_may() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let pen = Pen::new("a", algorithm);
        let by = call(&of(filed(&[&pen]), "roles"), &pen.sign(&claims())).await.unwrap();
        assert_eq!((&*by.name, by.roles), ("kim", vec!["customer".into(), "guest".into()]), "{algorithm:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn roles_are_where_the_issuer_has_them() {
    for (claim, value) in [
        ("scope", json!({ "scope": "customer guest" })),
        ("realm_access.roles", json!({ "realm_access": { "roles": ["customer", "guest"] } })),
        ("https://mall.example/roles", json!({ "https://mall.example/roles": ["customer", "guest", 7] })),
    ] {
        let mut claims = but("roles", json!(["operator"]));
        claims.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        assert_eq!(call(&of(filed(&[&EC]), claim), &EC.sign(&claims)).await.unwrap().roles, ["customer", "guest"], "{claim}");
    }
    assert_eq!(call(&of(filed(&[&EC]), "none"), &EC.sign(&claims())).await.unwrap().roles, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_for_us_from_whom_we_believe_and_of_now() {
    let access = of(filed(&[&EC]), "roles");
    let expired = Err((401, "expired-token"));
    for (claims, expected) in [
        (but("iss", json!("https://other.example/")), BAD),
        (but("iss", Value::Null), BAD),
        (but("aud", json!("other")), BAD),
        (but("aud", Value::Null), BAD),
        (but("sub", Value::Null), BAD),
        (but("sub", json!("")), BAD),
        (but("sub", json!("system")), BAD),
        (but("exp", json!(NOW - 31)), expired),
        (but("exp", json!("soon")), BAD),
        (but("exp", Value::Null), BAD),
        (but("nbf", json!(NOW + 31)), BAD),
        (but("nbf", json!("soon")), BAD),
    ] {
        assert_eq!(call(&access, &EC.sign(&claims)).await, expected, "{claims}");
    }
    for within in
        [but("exp", json!(NOW - 20)), but("nbf", json!(NOW + 20)), but("aud", json!("mall")), but("exp", json!(NOW as f64 + 0.5))]
    {
        assert!(call(&access, &EC.sign(&within)).await.is_ok(), "{within}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_expires_while_it_is_in_use() {
    let (access, token) = (of(filed(&[&EC]), "roles"), EC.sign(&claims()));
    assert!(call(&access, &token).await.is_ok());
    tokio::time::advance(Duration::from_secs(631)).await;
    assert_eq!(call(&access, &token).await, Err((401, "expired-token")));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_the_token_expires_by_which_it_was_opened() {
    let access = of(filed(&[&EC]), "roles");
    let home = Home::with(access).await;
    let bearer = format!("Bearer {}", EC.sign(&but("roles", json!(["caretaker"]))));
    let request = Request::get("/lamps").header("authorization", bearer).header("accept", "text/event-stream");
    let answer = home.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let (began, mut stream) = (clock(), answer.into_body().into_data_stream());
    let ends = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(3600), ends).await.expect("it ends");
    let lived = began.elapsed();
    assert!((630..=650).contains(&lived.as_secs()), "{lived:?}: 600 s until it expires, and 30 s since clocks differ");
}

#[tokio::test(start_paused = true)]
async fn only_the_issuers_key_signs_and_what_a_token_says_of_its_algorithm_decides_nothing() {
    let rsa = Pen::new("rsa", Algorithm::RS256);
    let access = of(filed(&[&EC, &rsa]), "roles");
    let text = |value: &Value| {
        let pen = Pen("x", Algorithm::HS256, EncodingKey::from_secret(b"x"));
        pen.sign(value).split('.').nth(1).unwrap().to_owned() // base64 of any JSON
    };
    let part = |value: Value| text(&value);
    let good = EC.sign(&claims());
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let public = rsa.public()["n"].as_str().unwrap().to_owned();
    let hmac = Pen("rsa", Algorithm::HS256, EncodingKey::from_secret(public.as_bytes())).sign(&claims());
    let rs512 = Pen("rsa", Algorithm::RS512, rsa.2.clone()).sign(&claims());
    let crit = jsonwebtoken::encode(
        &Header { kid: Some("ec".into()), crit: Some(vec!["exp".into()]), ..Header::new(Algorithm::ES256) },
        &claims(),
        &EC.2,
    );
    for (what, token) in [
        ("no algorithm", format!("{}.{body}.", part(json!({ "alg": "none", "kid": "ec" })))),
        ("no algorithm, signed", format!("{}.{body}.{signature}", part(json!({ "alg": "none", "kid": "ec" })))),
        ("no signature", format!("{head}.{body}.")),
        ("another body", format!("{head}.{}.{signature}", part(but("sub", json!("lee"))))),
        ("another key of that id", Pen::new("ec", Algorithm::ES256).sign(&claims())),
        ("another key's id", Pen("rsa", Algorithm::ES256, EC.2.clone()).sign(&claims())),
        ("a public key as a secret", hmac),
        ("an algorithm that we do not take", rs512),
        ("an extension that we do not know", crit.unwrap()),
        ("an unknown kid", Pen("new", Algorithm::ES256, EC.2.clone()).sign(&claims())),
        ("no kid among many", jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims(), &EC.2).unwrap()),
        ("no token", "a.b.c".into()),
        ("nothing like it", "token-of-kim-0123".into()),
    ] {
        assert_eq!(call(&access, &token).await, BAD, "{what}");
    }
    assert!(call(&access, &good).await.is_ok());
    let unnamed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims(), &EC.2).unwrap();
    assert!(call(&of(filed(&[&EC]), "roles"), &unnamed).await.is_ok(), "there is only one that it can mean");
}

/// An issuer that is asked for its keys: which those are, whether it answers, and how often it was asked.
#[derive(Clone, Default)]
struct Served(Arc<(std::sync::Mutex<Option<Value>>, AtomicUsize)>);
impl Served {
    fn now(&self, pens: Option<&[&Pen]>) {
        *self.0.0.lock().unwrap() = pens.map(|pens| json!({ "keys": pens.iter().map(|pen| pen.public()).collect::<Vec<_>>() }));
    }
    fn asked(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
    fn router(&self) -> Router {
        let answer = async |State(served): State<Served>| {
            served.0.1.fetch_add(1, Ordering::SeqCst);
            let keys = served.0.0.lock().unwrap().clone();
            keys.map(|keys| keys.to_string()).ok_or(StatusCode::BAD_GATEWAY)
        };
        Router::new().route("/keys", get(answer)).with_state(self.clone())
    }
    async fn listen(&self) -> Keys {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(crate::serve(listener, self.router(), crate::Limits::default(), std::future::pending::<()>()));
        Keys::at(&at).unwrap()
    }
    /// Over TLS, as 127.0.0.1; its port.
    async fn listen_over_tls(&self) -> u16 {
        let (chain, key) = (vec![CertificateDer::from_pem_slice(TLS).unwrap()], PrivateKeyDer::from_pem_slice(TLS).unwrap());
        let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let (tls, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (port, router) = (listener.local_addr().unwrap().port(), self.router());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // who does not trust it hangs up
                let Ok(stream) = tls.accept(stream).await else { continue };
                let service = TowerToHyperService::new(router.clone());
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        });
        port
    }
}
/// The key and the certificate of an issuer at 127.0.0.1, and that of the CA that signed it; good for a hundred years, and for tests alone.
const TLS: &[u8] = include_bytes!("tls/issuer.pem");
const CA: &[u8] = include_bytes!("tls/ca.pem");

#[tokio::test]
async fn keys_come_over_tls_from_whom_we_trust_alone() {
    let served = Served::default();
    served.now(Some(&[&EC]));
    let port = served.listen_over_tls().await;
    let trusting = || {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CA).unwrap()).unwrap();
        HttpsConnectorBuilder::new().with_tls_config(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    };
    let url = |host: &str| format!("https://{host}:{port}/keys");
    let of_url = |host: &str| Keys::from(From::url(url(host).parse().unwrap(), trusting()));
    let token = EC.sign(&claims());
    let unavailable = Err((503, "unavailable"));
    assert_eq!(
        call(&of(Keys::at(&url("127.0.0.1")).unwrap(), "roles"), &token).await,
        unavailable,
        "no CA of the system's signed it"
    );
    assert_eq!(call(&of(of_url("localhost"), "roles"), &token).await, unavailable, "it is not signed for that name");
    assert_eq!(served.asked(), 0);
    assert_eq!(&*call(&of(of_url("127.0.0.1"), "roles"), &token).await.unwrap().name, "kim");
    assert_eq!(served.asked(), 1);
}

/// As time passes: real sockets and a clock that is moved do not go together otherwise.
struct Moved(std::sync::Mutex<Duration>);
impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW as i64 * 1000)
    }
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn keys_are_fetched_when_they_are_needed_and_once_a_minute_at_the_most() {
    let (served, clock) = (Served::default(), Arc::new(Moved(std::sync::Mutex::default())));
    let pass = |seconds| *clock.0.lock().unwrap() += Duration::from_secs(seconds);
    let keys = served.listen().await;
    let issuer = Issuer::new(ISSUER.into(), "mall".into(), "roles".into(), keys, Arc::clone(&clock) as Arc<dyn Clock>);
    let access = Access::known(Known::default().issuer(issuer));
    let (next, token) = (Pen::new("next", Algorithm::EdDSA), EC.sign(&claims()));

    assert_eq!((call(&access, &token).await, served.asked()), (Err((503, "unavailable")), 1), "nobody can say yet");
    served.now(Some(&[&EC]));
    assert_eq!((call(&access, &token).await, served.asked()), (Err((503, "unavailable")), 1), "not again within a minute");
    pass(60);
    let many = futures_util::future::join_all((0..20).map(|_| call(&access, &token))).await;
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(served.asked(), 2, "once for all who wait");

    served.now(Some(&[&EC, &next]));
    assert_eq!((call(&access, &next.sign(&claims())).await, served.asked()), (BAD, 2), "an unknown key within a minute");
    pass(60);
    assert!(call(&access, &next.sign(&claims())).await.is_ok());
    assert_eq!(served.asked(), 3);

    served.now(None);
    pass(60 * 60);
    assert!(call(&access, &token).await.is_ok(), "while the issuer is silent, what is held is good");
    served.now(Some(&[&next]));
    pass(60);
    assert_eq!(call(&access, &token).await, BAD, "a key that was withdrawn");
    served.now(None);
    pass(24 * 60 * 60);
    assert_eq!(call(&access, &next.sign(&claims())).await, Err((503, "unavailable")), "but not for ever");
}

#[test]
fn keys_that_are_of_no_use_are_said_at_the_start() {
    assert!(Keys::at("/no/such/file").err().unwrap().contains("can not be read"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut shared = EC.public();
    shared["use"] = json!("enc");
    for text in [
        "x".to_owned(),
        "{\"keys\":[]}".to_owned(),
        json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": "s" }] }).to_string(),
        json!({ "keys": [shared] }).to_string(),
    ] {
        std::fs::write(file.path(), &text).unwrap();
        assert!(Keys::at(file.path().to_str().unwrap()).err().unwrap().contains("of no use"), "{text}");
    }
}
