//! What holds for every page: no script or style but ours, in nobody's frame; and a form is sent from our own pages alone.
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let foreign = request.method() != Method::GET && request.method() != Method::HEAD && !from_our_pages(request.headers());
    let mut answer = if foreign { StatusCode::FORBIDDEN.into_response() } else { next.run(request).await };
    let headers = answer.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// Browsers say where a form comes from, old ones by `Origin` alone; who says neither is no browser, and carries nobody's cookies.
fn from_our_pages(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = said("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let host = said("x-forwarded-host").or_else(|| said("host"));
    said("origin").is_none_or(|origin| origin.split_once("://").map(|(_, origin)| origin) == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_page_is_not_taken() {
        for (headers, ours) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "cross-site"), ("host", "mall"), ("origin", "http://mall")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://localhost:8088"), ("host", "localhost:8088")], true),
            (&[("origin", "http://evil.example"), ("host", "localhost:8088")], false),
            (&[("origin", "null"), ("host", "localhost:8088")], false),
            (&[("host", "localhost:8088")], true),
        ] {
            let told = headers
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            assert_eq!(from_our_pages(&told), ours, "{headers:?}");
        }
    }
}
