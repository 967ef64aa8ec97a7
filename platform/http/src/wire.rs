//! What a request says besides its path: body, number, base of its URLs, idempotency key, trace.
use crate::problem::Refused;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jumun_model::EXACT;
use jumun_runtime::traces::Place;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};

/// What a body may be: how large, and how long it may take to arrive.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// In bytes.
    pub bytes: usize,
    /// From the end of the head on.
    pub time: Duration,
}
impl Default for BodyLimit {
    fn default() -> Self {
        BodyLimit { bytes: 64 << 10, time: Duration::from_secs(10) }
    }
}

/// A header that says one thing, and says it once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Refused::header(name, "it is there twice"));
    }
    first.map(|value| value.to_str().map_err(|_| Refused::header(name, "it holds more than visible ASCII"))).transpose()
}

/// Percent-decoding; none if it is broken or no UTF-8. `+` is a space in a query alone.
pub(crate) fn decoded(text: &str, plus: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?,
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(plain).ok()
}
/// Percent-encoding of everything but what is never reserved.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A whole number in its one form: digits, no sign, no leading zero.
pub(crate) fn whole(text: &str, least: u64, most: u64) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| canonical && (least..=most).contains(number))
}
/// The number in a path.
pub(crate) fn number(segment: &str) -> Result<u64, Refused> {
    let plain = if segment.contains('%') { decoded(segment, false) } else { None };
    whole(plain.as_deref().unwrap_or(segment), 1, EXACT).ok_or_else(|| {
        let detail = "the number in the path must be a whole number from 1".to_owned();
        Refused::plain(StatusCode::BAD_REQUEST, "bad-id", detail).with("field", "id")
    })
}

/// Where this service is reached, as the client sees it: `http://localhost:8081`; empty if the request does not say, and then all URLs
/// are paths.
pub fn base(headers: &HeaderMap) -> String {
    let forwarded = |name: &'static str| headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim);
    let host = forwarded("x-forwarded-host").or_else(|| headers.get(header::HOST)?.to_str().ok());
    let tame =
        |host: &&str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    let scheme =
        if forwarded("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https")) { "https" } else { "http" };
    host.filter(tame).map(|host| format!("{scheme}://{host}")).unwrap_or_default()
}

/// The body as a JSON object; an empty one is `{}`.
pub(crate) async fn object(headers: &HeaderMap, body: Body, limit: BodyLimit) -> Result<Value, Refused> {
    let raw = read(headers, body, limit).await?;
    if raw.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if !is_json(headers) {
        return Err(Refused::plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "no-json",
            "the body must be application/json".to_owned(),
        ));
    }
    match serde_json::from_slice(&raw) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => {
            let detail = "the body must be a JSON object".to_owned();
            Err(Refused::plain(StatusCode::UNPROCESSABLE_ENTITY, "no-object", detail))
        }
        Err(why) => {
            let why = why.to_string();
            Err(Refused::plain(StatusCode::BAD_REQUEST, "bad-json", format!("the body is not JSON: {why}")).with("why", why))
        }
    }
}
async fn read(headers: &HeaderMap, body: Body, BodyLimit { bytes: limit, time }: BodyLimit) -> Result<Bytes, Refused> {
    let too_large = || {
        let detail = format!("the body is larger than {limit} bytes");
        Refused::plain(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail).with("limit", limit.to_string())
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let Ok(read) = tokio::time::timeout(time, Limited::new(body, limit).collect()).await else {
        let detail = "the body did not arrive in time".to_owned();
        return Err(Refused::plain(StatusCode::REQUEST_TIMEOUT, "too-slow", detail));
    };
    read.map(http_body_util::Collected::to_bytes).map_err(|why| {
        if why.is::<LengthLimitError>() {
            too_large()
        } else {
            Refused::plain(StatusCode::BAD_REQUEST, "cut-off", "the body ended before it was complete".to_owned())
        }
    })
}
/// Whether the body calls itself JSON; one that says nothing is read as JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// The idempotency key of a request, if it brings one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    const NAME: &str = "idempotency-key";
    let visible = |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(key) = single(headers, NAME)? else { return Ok(None) };
    Some(key).filter(visible).map(Some).ok_or_else(|| Refused::header(NAME, "it must be 1 to 255 visible ASCII characters"))
}

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The W3C trace that a request belongs to, if it says so in the form that the W3C describes.
pub(crate) fn theirs(headers: &HeaderMap) -> Option<Arc<str>> {
    headers.get(TRACEPARENT).and_then(|theirs| theirs.to_str().ok()).filter(|theirs| Place::read(theirs).is_some()).map(Arc::from)
}
#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use futures_util::StreamExt;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn limit(bytes: usize) -> BodyLimit {
        BodyLimit { bytes, ..BodyLimit::default() }
    }

    #[test]
    fn percent_encoding_is_read_strictly() {
        assert_eq!(decoded("a%20b+c%EA%B0%80", true).as_deref(), Some("a b c가"));
        for broken in ["%", "%2", "%zz", "%FF", "%+1"] {
            assert_eq!(decoded(broken, true), None, "{broken}");
        }
        assert_eq!(decoded(&encoded("a b&c=가/+"), true).as_deref(), Some("a b&c=가/+"));
    }

    #[test]
    fn a_number_in_a_path_has_one_form() {
        assert_eq!(number("7").unwrap(), 7);
        assert_eq!(number("%37").unwrap(), 7);
        for bad in ["0", "-1", "+1", "01", "1.0", "", "x", "%FF", "9007199254740992", "99999999999999999999999"] {
            assert_eq!(number(bad).unwrap_err().code, "bad-id", "{bad}");
        }
    }

    #[test]
    fn urls_are_those_by_which_the_client_came() {
        assert_eq!(base(&headers(&[("host", "localhost:8081")])), "http://localhost:8081");
        let behind = [("host", "10.0.0.7:8080"), ("x-forwarded-host", "mall.example, inner"), ("x-forwarded-proto", "https")];
        assert_eq!(base(&headers(&behind)), "https://mall.example");
        assert_eq!(base(&headers(&[("host", "a\"b")])), "");
        assert_eq!(base(&HeaderMap::new()), "");
    }

    #[test]
    fn a_trace_is_taken_over_if_it_is_one() {
        let ours = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(theirs(&headers(&[("traceparent", ours)])).as_deref(), Some(ours));
        for bad in [
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-01",
            "x",
        ] {
            assert_eq!(theirs(&headers(&[("traceparent", bad)])), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_body_is_a_json_object_of_bounded_size() {
        let json = headers(&[("content-type", "Application/JSON; charset=utf-8")]);
        assert_eq!(object(&json, Body::from("{\"a\":1}"), limit(64)).await.unwrap()["a"], 1);
        assert_eq!(object(&HeaderMap::new(), Body::empty(), limit(64)).await.unwrap(), serde_json::json!({}));
        assert_eq!(object(&HeaderMap::new(), Body::from("{}"), limit(64)).await.unwrap(), serde_json::json!({}));
        let code = |refused: Refused| (refused.status.as_u16(), refused.code);
        let deep = "[".repeat(60_000);
        for (kind, body, expected) in [
            ("application/json", "{", (400, "bad-json")),
            ("application/json", "{\"a\":1e999}", (400, "bad-json")),
            ("application/json", deep.as_str(), (400, "bad-json")),
            ("application/json", "[1]", (422, "no-object")),
            ("application/json", "null", (422, "no-object")),
            ("text/plain", "{}", (415, "no-json")),
            ("application/x-www-form-urlencoded", "a=1", (415, "no-json")),
        ] {
            let refused =
                object(&headers(&[("content-type", kind)]), Body::from(body.to_owned()), limit(64 << 10)).await.unwrap_err();
            assert_eq!(code(refused), expected, "{kind} {body:.20}");
        }
        assert_eq!(code(object(&json, Body::from(" ".repeat(65)), limit(64)).await.unwrap_err()), (413, "too-large"));
        let lies = headers(&[("content-length", "65")]);
        assert_eq!(code(object(&lies, Body::empty(), limit(64)).await.unwrap_err()), (413, "too-large"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let drip = futures_util::stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::convert::Infallible>(Bytes::from_static(b" "))
        });
        let refused = object(&HeaderMap::new(), Body::from_stream(drip), limit(64)).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (408, "too-slow"));
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(key(&headers(&[("idempotency-key", "a-1")])).unwrap(), Some("a-1"));
        assert!(key(&headers(&[("idempotency-key", "")])).is_err());
        assert!(key(&headers(&[("idempotency-key", "a b")])).is_err());
        let mut twice = headers(&[("idempotency-key", "a")]);
        twice.append("idempotency-key", HeaderValue::from_static("b"));
        assert!(key(&twice).is_err());
    }
}
