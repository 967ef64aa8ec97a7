//! `ETag`, `If-Match`, `If-None-Match`: an item's version on the wire.
use crate::problem::Refused;
use axum::http::{HeaderMap, HeaderValue};

/// The entity tag of a version.
pub(crate) fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header's value")
}

/// What a conditional header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// `*`: whatever there is.
    Any,
    /// These versions; a tag that we never gave out names none.
    These(Vec<u64>),
}
impl Tags {
    /// Whether it names that version.
    pub(crate) fn name(&self, version: u64) -> bool {
        match self {
            Tags::Any => true,
            Tags::These(versions) => versions.contains(&version),
        }
    }
}

/// Reads `If-Match` (strong: a weak tag names nothing) or `If-None-Match` (weak: it names what a strong one would).
pub(crate) fn tags(headers: &HeaderMap, name: &'static str, weak: bool) -> Result<Option<Tags>, Refused> {
    let mut versions = Vec::new();
    let mut lines = headers.get_all(name).iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let wrong = || Refused::header(name, "it must be * or a list of entity tags such as \"3\"");
    for line in lines {
        let mut rest = line.to_str().map_err(|_| wrong())?.trim();
        if rest == "*" && headers.get_all(name).iter().count() == 1 {
            return Ok(Some(Tags::Any));
        }
        loop {
            let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"').ok_or_else(wrong)?;
            let (tag, behind) = quoted.split_once('"').ok_or_else(wrong)?;
            if !tag.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong());
            }
            let counts = weak || !rest.starts_with("W/");
            versions.extend(tag.parse::<u64>().ok().filter(|version| counts && version.to_string() == tag));
            rest = match behind.trim_start() {
                "" => break,
                more => more.strip_prefix(',').ok_or_else(wrong)?.trim_start(),
            };
        }
    }
    Ok(Some(Tags::These(versions)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::IF_MATCH;

    fn read(value: &'static str, weak: bool) -> Option<Tags> {
        tags(&HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(value))]), "if-match", weak).ok().flatten()
    }

    #[test]
    fn a_tag_is_a_version_in_quotes() {
        for version in [0, 7, 10, u64::MAX] {
            assert_eq!(etag(version), format!("\"{version}\""));
        }
    }

    #[test]
    fn a_condition_is_a_star_or_a_list_of_tags() {
        let these = |versions: &[u64]| Some(Tags::These(versions.to_vec()));
        assert_eq!(read("*", false), Some(Tags::Any));
        assert_eq!(read("\"3\"", false), these(&[3]));
        assert_eq!(read("\"3\", \"4\",W/\"5\"", false), these(&[3, 4]));
        assert_eq!(read("W/\"5\"", true), these(&[5]));
        assert_eq!(read("\"theirs\", \"+5\", \"05\"", true), these(&[]));
        for wrong in ["", "3", "\"3", "\"3\" \"4\"", "\"3\",", "*, \"3\"", "\"a b\"", "w/\"3\""] {
            assert_eq!(read(wrong, false), None, "{wrong}");
        }
    }
}
