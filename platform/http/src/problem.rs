//! The one place where a *no* becomes HTTP: a status, and `application/problem+json` (RFC 9457) in the caller's language.
use crate::locale::{ENGLISH, Phrases};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use jumun_model::Kind;
use jumun_runtime::door::{Problem, Wrong};
use serde_json::{Map, Value, json};

/// A *no* with its status: what the table refused, or what the protocol refuses before the table is asked.
#[derive(Clone, Debug)]
pub struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) arguments: Vec<(&'static str, String)>,
    pub(crate) instance: Option<String>,
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

/// The status of a refusal of that kind.
pub(crate) const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Missing => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Unpaid => StatusCode::PAYMENT_REQUIRED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let Problem { wrong, code, detail, arguments, left: _ } = problem;
        let status = match wrong {
            Wrong::Refused(kind) => status(kind),
            Wrong::Malformed | Wrong::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Wrong::Changed => StatusCode::PRECONDITION_FAILED,
        };
        Refused { status, code, detail, arguments, instance: None, header: None }
    }
}

impl Refused {
    /// A *no* of the protocol's own.
    pub const fn plain(status: StatusCode, code: &'static str, detail: String) -> Self {
        Refused { status, code, detail, arguments: Vec::new(), instance: None, header: None }
    }
    /// With something that a sentence, or a program, may want to know.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }
    /// With a header that says more.
    #[must_use]
    pub fn saying(self, name: HeaderName, value: HeaderValue) -> Self {
        Refused { header: Some((name, value)), ..self }
    }
    /// With the URL path of what it left behind.
    pub(crate) fn leaving(mut self, path: &str, number: Option<u64>) -> Self {
        self.instance = number.map(|number| format!("{path}/{number}"));
        self
    }
    /// A method that is not possible there; `allows` are those that are, as `Allow` says them.
    pub fn not_allowed(method: &Method, allows: &'static str) -> Self {
        let detail = format!("{method} is not possible here; {allows} is");
        let no = Refused::plain(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", detail);
        let no = no.with("method", method.as_str()).with("allowed", allows);
        no.saying(header::ALLOW, HeaderValue::from_static(allows))
    }
    /// Something of ours broke.
    pub(crate) fn defect() -> Self {
        Refused::plain(StatusCode::INTERNAL_SERVER_ERROR, "defect", "something went wrong on our side".to_owned())
    }
    /// A query parameter that makes no sense.
    pub(crate) fn query(field: &str, why: &str) -> Self {
        let detail = format!("the query parameter {field} is wrong: {why}");
        Refused::plain(StatusCode::BAD_REQUEST, "bad-query", detail).with("field", field).with("why", why)
    }
    /// A header that makes no sense.
    pub(crate) fn header(field: &str, why: &str) -> Self {
        let detail = format!("the header {field} is wrong: {why}");
        Refused::plain(StatusCode::BAD_REQUEST, "bad-header", detail).with("field", field).with("why", why)
    }

    /// The answer, in the language that the request asks for.
    pub fn answer(self, phrases: &Phrases, request: &HeaderMap) -> Response {
        let Refused { status, code, detail, arguments, instance, header: more } = self;
        let language = phrases.language(request);
        let said = phrases.say(language, code, &arguments);
        let spoken = if said.is_some() { language } else { ENGLISH };
        let title = phrases.say(spoken, &format!("titles.{}", status.as_str()), &[]);
        let mut body = Map::new();
        body.insert("type".to_owned(), Value::from(format!("urn:jumun:problem:{code}")));
        body.insert("title".to_owned(), title.map_or_else(|| status.canonical_reason().into(), Value::from));
        body.insert("status".to_owned(), Value::from(status.as_u16()));
        body.insert("detail".to_owned(), Value::from(said.unwrap_or(detail)));
        body.insert("code".to_owned(), Value::from(code));
        body.extend(instance.map(|path| ("instance".to_owned(), Value::from(path))));
        for (name, value) in arguments {
            body.entry(name).or_insert(Value::from(value)); // an argument never hides a member of the standard's
        }
        let mut answer = Response::new(Body::from(json!(body).to_string()));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(HeaderValue::from_str(spoken).ok().map(|spoken| (header::CONTENT_LANGUAGE, spoken)));
        headers.extend(more);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn read(refused: Refused, language: &'static str) -> (Response<()>, Value) {
        let request = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(language))]);
        let (head, body) = refused.answer(&Phrases::platform(), &request).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(head, ()), serde_json::from_slice(&body).unwrap())
    }
    fn of(wrong: Wrong) -> Problem {
        Problem::plain(wrong, "code", "a sentence".into())
    }

    #[test]
    fn every_kind_of_no_has_its_status() {
        for (wrong, status) in [
            (Wrong::Refused(Kind::Invalid), 422),
            (Wrong::Refused(Kind::Missing), 404),
            (Wrong::Refused(Kind::Conflict), 409),
            (Wrong::Refused(Kind::Unpaid), 402),
            (Wrong::Refused(Kind::Forbidden), 403),
            (Wrong::Refused(Kind::Unavailable), 503),
            (Wrong::Malformed, 422),
            (Wrong::Changed, 412),
            (Wrong::KeyReused, 422),
        ] {
            assert_eq!(Refused::from(of(wrong)).status, status, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_no_is_said_in_the_callers_language_or_else_in_english() {
        let (answer, body) = read(Problem::missing().into(), "ko-KR").await;
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["content-language"], "ko");
        assert_eq!(
            body,
            json!({ "type": "urn:jumun:problem:unknown", "title": "없음", "status": 404, "detail": "찾으시는 것이 없습니다.", "code": "unknown" })
        );
        let (answer, body) = read(of(Wrong::Refused(Kind::Conflict)).into(), "ko").await;
        assert_eq!(answer.headers()["content-language"], "en");
        assert_eq!((&body["detail"], &body["title"]), (&json!("a sentence"), &json!("Not in this state")));
    }

    #[tokio::test]
    async fn arguments_are_members_and_hide_none_of_the_standards() {
        let no =
            Problem { arguments: vec![("left", "3".into()), ("status", "sold".into())], ..of(Wrong::Refused(Kind::Conflict)) };
        let (_, body) = read(Refused::from(no).leaving("/orders", Some(7)), "en").await;
        assert_eq!((&body["left"], &body["status"], &body["instance"]), (&json!("3"), &json!(409), &json!("/orders/7")));
    }

    #[tokio::test]
    async fn who_is_told_not_now_is_told_when() {
        let (answer, _) = read(of(Wrong::Refused(Kind::Unavailable)).into(), "en").await;
        assert_eq!(answer.headers()["retry-after"], "1");
    }
}
